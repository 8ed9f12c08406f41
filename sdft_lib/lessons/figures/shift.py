"""Figures of how far training moved a model: in its answers, its predictions and its weights
(lesson 05).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sdft_lib.lessons.figures.style import (
    FONT,
    Shown,
    label_axes,
    look,
    method_legend,
    new_axes,
    span,
    spread,
)
from sdft_lib.lessons.figures.training import in_order
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError

MEASURES = {
    "rouge_l": "ROUGE-L\n(wording)",
    "bleu_4": "BLEU-4\n(phrases)",
    "cosine": "cosine\n(meaning)",
}
DOT = {"marker": "o", "linestyle": "none", "markersize": 3.5, "alpha": 0.3, "markeredgewidth": 0}


def likeness(table: Any) -> Shown:
    """How much each method's answers share with the seed's, with the seed's own ceiling.

    ``table`` is that of ``drift.likeness``: method, id, rouge_l, bleu_4, cosine. The rows of the
    method ``seed`` are the ceiling. Raises SdftError if there are no rows."""
    rows = records(table)
    if not rows:
        raise SdftError("There are no answers to compare.")
    methods = in_order(row["method"] for row in rows)
    fig, ax = new_axes(1.0 + (0.35 + 0.25 * len(methods)) * len(MEASURES))
    told = []
    for place, (key, name) in enumerate(MEASURES.items()):
        said = []
        for turn, method in enumerate(methods):
            found, style = (
                _mean([row[key] for row in rows if row["method"] == method]),
                look(method, turn),
            )
            height = place + (turn - (len(methods) - 1) / 2) * 0.8 / len(methods)
            _interval(ax, found, height, style)
            if method == "seed":
                ax.plot(
                    [found.mean] * 2,
                    [place - 0.45, place + 0.45],
                    color=style.colour,
                    linestyle=":",
                    linewidth=2,
                )
            said.append(f"{_label(method, style.label)} {_numbers(found)}")
        told.append(f"{name.split()[0]}: {', '.join(said)}")
    ax.set_yticks(range(len(MEASURES)), list(MEASURES.values()))
    ax.set_ylim(len(MEASURES) - 0.5, -0.5)
    ax.set_xlim(min(0.0, ax.get_xlim()[0]), 1.02)
    ax.grid(axis="x", color="#eeeeee")
    label_axes(ax, "likeness to the seed's answer (1: the same text)")
    method_legend(
        fig,
        [
            replace(look(m, turn), label=_label(m, look(m, turn).label))
            for turn, m in enumerate(methods)
        ],
    )
    n = sum(row["method"] == methods[0] for row in rows)
    ceiling = (
        " The dotted line is the ceiling: the seed against itself, drawn twice."
        if "seed" in methods
        else ""
    )
    return Shown(
        fig,
        f"Dots with 95 % intervals of the likeness to the seed's answers. {'; '.join(told)}.",
        f"Mean over n = {n} prompts with 95 % bootstrap intervals over prompts; one trained model each.{ceiling}",
    )


def _label(method: str, label: str) -> str:
    return "seed (ceiling)" if method == "seed" else label


def kl_by_method(tables: Mapping[str, Any]) -> Shown:
    """KL(seed || model) on the seed's own answers, a row a method: every answer, and the mean with
    its interval.

    ``tables`` is ``{method: frame of shift.answer_kl}`` with id, tokens and kl (nats a token).
    """
    found = {method: [row["kl"] for row in records(tables[method])] for method in in_order(tables)}
    if not found or not all(found.values()):
        raise SdftError("There is no KL to draw; measure at least one answer of each method.")
    fig, ax = new_axes(1.0 + 0.62 * len(found))
    told, names = [], []
    for place, (method, values) in enumerate(found.items()):
        style, mean = look(method, place), _mean(values)
        names.append(style.label)
        for number, value in enumerate(values):
            ax.plot([value], [place + 0.25 + 0.03 * (number % 5)], color=style.colour, **DOT)
        _interval(ax, mean, place, style)
        ax.annotate(
            f"{mean.mean:.2f}",
            (mean.mean, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color=style.colour,
            fontsize=FONT,
        )
        told.append(
            f"{style.label} {_numbers(mean)}, answers {min(values):.2f} to {max(values):.2f}"
        )
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.set_xlim(0, ax.get_xlim()[1])
    ax.grid(axis="x", color="#eeeeee")
    label_axes(ax, "KL(seed || model) on the seed's answers, nats a token")
    sizes = span(map(len, found.values()))
    return Shown(
        fig,
        f"Mean KL from the seed to each model with 95 % intervals: {'; '.join(told)}.",
        f"Small dots are single answers (n = {sizes}), the large one is their mean with a 95 % bootstrap interval over "
        "answers. 0: the model predicts just what the seed predicts. One trained model each, so nothing is said about "
        "another training seed.",
    )


def shift_by_layer(tables: Mapping[str, Any]) -> Shown:
    """How far the weights of each layer moved, a line a method: the mean over the matrices that
    moved at all.

    ``tables`` is ``{method: frame of shift.parameter_shift}`` with layer, module and shift. Raises
    SdftError if no matrix in any layer moved."""
    lines, modules = {}, []
    for method in in_order(tables):
        if moved := [
            row for row in records(tables[method]) if row["layer"] >= 0 and row["shift"] > 0
        ]:
            lines[method] = _by_layer(moved)
            modules += [row["module"] for row in moved]
    if not lines:
        raise SdftError("No weight in any layer moved; compare a trained model with its seed.")
    fig, ax = new_axes(3.8)
    top = max(y for line in lines.values() for _, y in line)
    last = max(x for line in lines.values() for x, _ in line)
    places = spread([line[-1][1] for line in lines.values()], 0.08 * top)
    told = []
    for turn, (method, line) in enumerate(lines.items()):
        style, (x, y) = look(method, turn), zip(*line, strict=True)
        ax.plot(
            x,
            y,
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            linewidth=1.5,
            markersize=5,
        )
        ax.annotate(
            style.label,
            (last + 0.03 * max(1, last), places[turn]),
            color=style.colour,
            fontsize=FONT,
            fontweight="bold",
            va="center",
            annotation_clip=False,
        )
        most = max(line, key=lambda point: point[1])
        told.append(f"{style.label} {min(y):.1f} to {max(y):.1f} %, most in layer {most[0]}")
    ax.set_ylim(0, top * 1.1)
    ax.set_xlim(-0.02 * max(1, last), last * 1.3 + 0.5)
    ax.set_xticks(range(0, last + 1, max(1, (last + 1) // 6)))
    ax.grid(axis="y", color="#eeeeee")
    label_axes(ax, "layer (0: next to the input)", "weights moved, % of their size")
    which = ", ".join(dict.fromkeys(modules))
    return Shown(
        fig,
        f"Lines of the relative shift of the weights by layer: {'; '.join(told)}.",
        f"Size of the change over size of the seed's weights (Frobenius norms), mean over the matrices that were "
        f"trained ({which}); all others did not move. One training each, so no interval.",
    )


def _by_layer(moved: list[dict]) -> list[tuple[int, float]]:
    """(layer, mean shift of its matrices in %), from the first layer to the last."""
    by_layer: dict[int, list[float]] = {}
    for row in moved:
        by_layer.setdefault(int(row["layer"]), []).append(100 * row["shift"])
    return [(layer, sum(x) / len(x)) for layer, x in sorted(by_layer.items())]


def _mean(values: list[float]) -> Any:
    from sdft_lib.stats import bootstrap_mean

    return bootstrap_mean(values)


def _numbers(found: Any) -> str:
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _interval(ax: Any, found: Any, height: float, style: Any) -> None:
    """A mean with its interval."""
    ax.plot(
        [found.low, found.high],
        [height] * 2,
        color=style.colour,
        linewidth=2.5,
        solid_capstyle="butt",
    )
    ax.plot(
        [found.mean],
        [height],
        color=style.colour,
        marker=style.marker,
        markersize=9,
        markeredgecolor="white",
    )
