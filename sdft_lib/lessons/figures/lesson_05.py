"""The figures of lesson 05: what was learnt against what was kept along training, and how far each
model moved (answers, predictions, weights)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas
from matplotlib.axes import Axes

from sdft_lib.experiments.methods import METHODS
from sdft_lib.lessons.figures.intervals import (
    better,
    in_words,
    interval_bar,
    interval_dot,
    interval_rows,
)
from sdft_lib.lessons.figures.style import (
    BOX,
    FONT,
    GRID,
    INK,
    Look,
    Shown,
    look,
    looks_of,
    mark,
    method_legend,
    name_lines,
    new_axes,
    note,
    show,
    span,
    spread,
)
from sdft_lib.stats import bootstrap_mean
from sdft_lib.storage.errors import SdftError

__all__ = [
    "frontier",
    "frontier_with_yours",
    "kl_by_method",
    "likeness",
    "mix_ratio",
    "shift_by_layer",
    "show",
]
SMALL, LARGE = 5, 9.5  # marker sizes in points: start and end of training
NARROWEST = 0.2  # an axis shows at least this range of scores: noise must not look like a finding
LEARNT = Look("learnt", "#009e73", "o", "-", "")
KEPT = Look("kept", "#a8488a", "s", "--", "")
LIKENESS = {
    "rouge_l": "ROUGE-L\n(wording)",
    "bleu_4": "BLEU-4\n(phrases)",
    "cosine": "cosine\n(meaning)",
}


def frontier(points: Any, *, task: str = "task") -> Shown:
    """What was learnt against what was kept along training, one thin line a training seed.

    ``points`` is the table of ``frontier.points``: method, seed, checkpoint, acquisition, kept,
    suite, n_task, n_kept. Rows of the method "seed", the model before training, become a level: it
    may lie far to the left. Raises SdftError if there are no rows, or rows of two suites."""
    table = pandas.DataFrame(points)
    if table.empty:
        raise SdftError("There are no checkpoints to draw.")
    suite, looks = one_suite(table), looks_of(table["method"])
    fig, ax = new_axes(4.6 if len(looks) < 5 else 4.9)
    levels, told = ["seed"] if len(looks) > 1 else [], []
    for method, style in looks.items():
        part = table[table["method"] == method].sort_values("checkpoint", kind="stable")
        lines = part.groupby("seed", sort=False)
        for _, line in lines:
            (_level if method in levels else _line)(ax, line, style)
        ends = lines[["acquisition", "kept"]].agg(["first", "last"]).mean()
        learnt, kept = f"{ends['acquisition', 'last']:.2f}", f"{ends['kept', 'last']:.2f}"
        if len(part) > len(lines):
            learnt = f"{ends['acquisition', 'first']:.2f} at first, {learnt} at the end"
            kept = f"{ends['kept', 'first']:.2f} at first, {kept} at the end"
        seeds = f" ({len(lines)} seeds)" if len(lines) > 1 else ""
        told.append(f"{style.label}{seeds}: learnt {learnt}; kept {kept}")
    trained = table[~table["method"].isin(levels)]
    ax.set(xlim=_limits(trained["acquisition"]), ylim=_limits(table["kept"]))
    better(ax, (0.16, 0.14), (0.02, 0.03))  # a corner that few models reach: lost much
    ax.grid(color=GRID)
    ax.set(xlabel=f"learnt: score on {task}", ylabel=f"kept: score on {suite}")
    method_legend(fig, [style for method, style in looks.items() if method not in levels])
    return Shown(
        fig,
        f"Lines of learnt (score on {task}) against kept (score on {suite}) along training. "
        f"{'; '.join(told)}.",
        "One thin line a training seed; markers grow with training, the largest is its end. To the "
        "right: learnt more. Higher up: kept more. Mean scores over items "
        f"({task} n = {span(table['n_task'])}, {suite} n = {span(table['n_kept'])}), no intervals: "
        "compare methods where they learnt equally much, on paired items.",
    )


def one_suite(*tables: pandas.DataFrame) -> str:
    """The suite that all tables are about; SdftError if there are several."""
    suites = list(dict.fromkeys(suite for table in tables for suite in table["suite"]))
    if len(suites) > 1:
        raise SdftError(f"A frontier shows one suite, not {', '.join(suites)}; choose one.")
    return suites[0]


def _line(ax: Axes, line: pandas.DataFrame, style: Look) -> None:
    """One thin line; each marker's size tells the share of training."""
    x, y, shares = line["acquisition"], line["kept"], line["checkpoint"]
    ax.plot(x, y, color=style.colour, linewidth=1, linestyle=style.line, alpha=0.8)
    sizes = SMALL + (LARGE - SMALL) * shares.where(shares > 0, 1)  # before training: large as well
    how = {"color": style.colour, "marker": style.marker, "edgecolor": "white", "linewidth": 0.7}
    ax.scatter(x, y, sizes**2, zorder=2, **how)


def _level(ax: Axes, line: pandas.DataFrame, style: Look) -> None:
    """What the model before training keeps, across the figure, with its task score in words."""
    last = line.iloc[-1]
    ax.axhline(last["kept"], color=style.colour, linewidth=1.5, linestyle=style.line)
    words = f"{style.label} (learnt {last['acquisition']:.2f})"
    how = {"color": style.colour, "ha": "right", "va": "top"}
    note(ax, words, (0.99, last["kept"]), (0, -4), xycoords=("axes fraction", "data"), **how)


def _limits(values: pandas.Series) -> tuple[float, float]:
    """Limits around the values, at least NARROWEST apart."""
    low, high = values.min(), values.max()
    more = max(0.0, NARROWEST - (high - low)) / 2 + 0.08 * max(NARROWEST, high - low)
    return low - more, high + more


def frontier_with_yours(recorded: Any, yours: Any, *, task: str = "task") -> Shown:
    """The recorded frontier with your own run on top: black edges, and each method's name with
    "(yours)".

    Both are tables of ``frontier.points`` of one suite; either may be empty, but not both. Your
    seed model is left out where a recorded one stands."""
    theirs, mine = pandas.DataFrame(recorded), pandas.DataFrame(yours)
    if len(theirs) and len(mine):
        mine = mine[mine["method"] != "seed"]
    if mine.empty:
        shown = frontier(theirs, task=task)
        caption = f"{shown.caption} All runs are recorded ones."
        return Shown(shown.fig, f"Recorded runs: {shown.alt}", caption)
    if theirs.empty:
        shown = frontier(mine, task=task)
        caption = f"{shown.caption} Your own run alone: nothing is recorded for it."
        return Shown(shown.fig, f"Your own run: {shown.alt}", caption)
    one_suite(theirs, mine)
    shown = frontier(theirs, task=task)
    ax = shown.fig.axes[0]
    _widen(ax, mine)
    ends, told = [], []
    for turn, (method, line) in enumerate(mine.groupby("method", sort=False)):
        line, style = line.sort_values("checkpoint"), look(method, turn)
        x, y = line["acquisition"], line["kept"]
        ax.plot(x, y, color=INK, linewidth=1, zorder=5)
        edge = {"markersize": 10, "markeredgecolor": INK, "markeredgewidth": 1.8}
        mark(ax, x, y, style, zorder=6, **edge)
        ends.append((x.iloc[-1], y.iloc[-1], style))
        told.append(f"{style.label} learnt {x.iloc[-1]:.2f}, kept {y.iloc[-1]:.2f}")
    _names(ax, ends)
    ax.set_title("thin lines: recorded; black edges: yours", fontsize=FONT, color=INK, loc="left")
    return Shown(
        shown.fig,
        f"Recorded: {shown.alt} Yours: {'; '.join(told)}.",
        "Recorded runs in thin lines; your own run with black edges and names. " + shown.caption,
    )


def _widen(ax: Axes, points: pandas.DataFrame) -> None:
    """Limits that hold these points as well."""
    (left, right), (low, high), more = ax.get_xlim(), ax.get_ylim(), NARROWEST / 4
    x, y = points["acquisition"], points["kept"]
    ax.set_xlim(min(left, x.min() - more), max(right, x.max() + more))
    ax.set_ylim(min(low, y.min() - more), max(high, y.max() + more))


def _names(ax: Axes, ends: list[tuple[float, float, Look]]) -> None:
    """Names beside the last points: to the left where the axis ends, and apart from each other."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    heights = spread([y for _, y, _ in ends], 0.065 * (high - low))
    box = {**BOX, "alpha": 0.8}
    for (x, _, style), height in zip(ends, heights):
        near = x > left + 0.6 * (right - left)
        how = {"color": style.colour, "ha": "right" if near else "left", "fontweight": "bold"}
        name, offset = f"{style.label} (yours)", (-10 if near else 10, 0)
        note(ax, name, (x, height), offset, zorder=7, bbox=box, **how)


def share_of(method: str) -> float | None:
    """The share of rewrites that a method trains on: 0 for SFT, 1 for SDFT; None if it differs in
    more than that."""
    plain = METHODS.get(method)
    if plain is None or set(plain.changes) - {"mix"}:
        return None
    return plain.mix if plain.column == "text" else 0.0


def mix_ratio(yours: Any, recorded: Any = (), *, kept: str = "facts", task: str = "task") -> Shown:
    """Learnt and kept against the share of rewrites: your run with intervals, recorded seeds
    hollow.

    ``yours`` is the table of ``stats.summarise``, ``recorded`` that of ``frontier.points`` (its
    final checkpoints are drawn). Methods that change more than the share are left out. Raises
    SdftError if none is left."""
    mine = _on_the_scale(
        pandas.DataFrame(yours, columns=["method", "suite", "mean", "low", "high"])
    )
    points = pandas.DataFrame(recorded, columns=["method", "checkpoint", "acquisition", "kept"])
    ends = _on_the_scale(points[points["checkpoint"] == 1])
    mine = mine[mine["suite"].isin([task, kept])]
    if mine.empty and ends.empty:
        raise SdftError("There is no method to draw: train sft, sdft-mix or sdft.")
    fig, ax = new_axes(4.2)
    told = []
    for style, suite, key in ((LEARNT, task, "acquisition"), (KEPT, kept, "kept")):
        line = mine[mine["suite"] == suite]
        edge = {"markersize": 10, "markeredgecolor": INK, "markeredgewidth": 1.5}
        mark(ax, line["share"], line["mean"], style, linestyle=style.line, linewidth=2, **edge)
        for cell in line.itertuples():
            interval_bar(ax, cell, cell.share, style.colour, width=2, upright=True)
        # recorded ones stand beside their place, so that they do not cover your own points
        hollow = {"markersize": 7, "markerfacecolor": "white", "markeredgewidth": 1.8}
        mark(ax, ends["share"] + 4, ends[key], style, markeredgecolor=style.colour, **hollow)
        own = [f"{cell.share:.0f} % {in_words(cell)}" for cell in line.itertuples()]
        theirs = [
            f"{share:.0f} % {' and '.join(f'{value:.2f}' for value in values)}"
            for share, values in ends.groupby("share")[key]
        ]
        parts = {"yours": own, "recorded": theirs}
        said = [f"{whose} {', '.join(words)}" for whose, words in parts.items() if words]
        told.append(f"{style.label} ({suite}): {'; '.join(said)}")
    ax.set_xticks([0, 25, 50, 75, 100], ["0\nSFT", "25", "50", "75", "100\nSDFT"])
    ax.set(xlim=(-6, 110), ylim=(-0.03, 1.03))
    ax.grid(axis="y", color=GRID)
    ax.set(xlabel="share of the rewrites that are used, %", ylabel="score")
    rings = " Nothing is recorded for it."
    if len(ends):
        title = "hollow: recorded, one a training seed"
        ax.set_title(title, fontsize=FONT, color=INK, loc="left")
        rings = " Hollow: recorded training seeds, one each."
    names = [replace(LEARNT, label=f"learnt: {task}"), replace(KEPT, label=f"kept: {kept}")]
    method_legend(fig, names)
    return Shown(
        fig,
        f"Scores against the share of rewrites. {'; '.join(told)}.",
        "Black edges: your own run, 95 % intervals over the items; one training each, so nothing "
        f"is said about another training seed.{rings}",
    )


def _on_the_scale(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of methods that differ in the share of rewrites alone; ``share`` is in %."""
    shares = pandas.to_numeric(100 * table["method"].map(share_of).astype(float))
    return table.assign(share=shares).dropna(subset="share").sort_values("share", kind="stable")


def likeness(table: Any) -> Shown:
    """How much each method's answers share with the seed's, with the seed's own ceiling.

    ``table`` is that of ``drift.likeness``: method, id, rouge_l, bleu_4, cosine. The rows of the
    method ``seed`` are the ceiling. Raises SdftError if there are no rows."""
    table = pandas.DataFrame(table)
    if table.empty:
        raise SdftError("There are no answers to compare.")
    looks = looks_of(table["method"])
    if "seed" in looks:
        looks["seed"] = replace(looks["seed"], label="seed (ceiling)")
    answers = {method: table[table["method"] == method] for method in looks}
    rows = {}
    for key, name in LIKENESS.items():
        rows[name] = {method: bootstrap_mean(part[key]) for method, part in answers.items()}
    fig, ax = new_axes(1.0 + (0.35 + 0.25 * len(looks)) * len(rows))
    told = interval_rows(ax, rows, looks)
    ceiling = ""
    if "seed" in looks:
        ceiling = " The dotted line is the ceiling: the seed against itself, drawn twice."
        how = {"color": looks["seed"].colour, "linestyle": ":", "linewidth": 2}
        for place, cells in enumerate(rows.values()):
            ax.plot([cells["seed"].mean] * 2, [place - 0.45, place + 0.45], **how)
    ax.set_xlim(min(0.0, ax.get_xlim()[0]), 1.02)
    ax.grid(axis="x", color=GRID)
    ax.set_xlabel("likeness to the seed's answer (1: the same text)")
    method_legend(fig, looks.values())
    words = "; ".join(told)
    for name in LIKENESS.values():
        words = words.replace(name, name.split()[0])
    n = len(next(iter(answers.values())))
    return Shown(
        fig,
        f"Dots with 95 % intervals of the likeness to the seed's answers. {words}.",
        f"Mean over n = {n} prompts with 95 % bootstrap intervals over prompts; one trained model "
        f"each.{ceiling}",
    )


def kl_by_method(tables: Mapping[str, Any]) -> Shown:
    """KL(seed || model) on the seed's own answers, a row a method: every answer, and the mean with
    its interval.

    ``tables`` is ``{method: frame of shift.answer_kl}`` with id, tokens and kl (nats a token)."""
    looks = looks_of(tables)
    values = {
        method: list(pandas.DataFrame(tables[method], columns=["kl"])["kl"]) for method in looks
    }
    if not looks or not all(values.values()):
        raise SdftError("There is no KL to draw; measure at least one answer of each method.")
    fig, ax = new_axes(1.0 + 0.62 * len(looks))
    told = []
    for place, (method, style) in enumerate(looks.items()):
        mean, answers = bootstrap_mean(values[method]), values[method]
        heights = [place + 0.25 + 0.03 * (number % 5) for number in range(len(answers))]
        dots = {"marker": "o", "markersize": 3.5, "alpha": 0.3, "markeredgewidth": 0}
        ax.plot(answers, heights, color=style.colour, linestyle="none", **dots)
        interval_dot(ax, mean, place, style)
        how = {"color": style.colour, "ha": "center", "va": "baseline"}
        note(ax, f"{mean.mean:.2f}", (mean.mean, place), (0, 8), **how)
        told.append(
            f"{style.label} {in_words(mean)}, answers {min(answers):.2f} to {max(answers):.2f}"
        )
    ax.set_yticks(range(len(looks)), [style.label for style in looks.values()])
    ax.set(ylim=(len(looks) - 0.45, -0.55), xlim=(0, ax.get_xlim()[1]))
    ax.grid(axis="x", color=GRID)
    ax.set_xlabel("KL(seed || model) on the seed's answers, nats a token")
    return Shown(
        fig,
        f"Mean KL from the seed to each model with 95 % intervals: {'; '.join(told)}.",
        f"Small dots are single answers (n = {span(map(len, values.values()))}), the large one is "
        "their mean with a 95 % bootstrap interval over answers. 0: the model predicts just what "
        "the seed predicts. One trained model each, so nothing is said about another training "
        "seed.",
    )


def shift_by_layer(tables: Mapping[str, Any]) -> Shown:
    """How far the weights of each layer moved, a line a method: the mean over the matrices that
    moved at all.

    ``tables`` is ``{method: frame of shift.parameter_shift}`` with layer, module and shift. Raises
    SdftError if no matrix in any layer moved."""
    lines, modules = {}, []
    for method in looks_of(tables):
        table = pandas.DataFrame(tables[method])
        moved = table[(table["layer"] >= 0) & (table["shift"] > 0)]
        if len(moved):
            lines[method] = 100 * moved.groupby("layer")["shift"].mean()
            modules += list(moved["module"])
    if not lines:
        raise SdftError("No weight in any layer moved; compare a trained model with its seed.")
    fig, ax = new_axes(3.8)
    looks, told = looks_of(lines), []
    for method, style in looks.items():
        line = lines[method]
        how = {"linestyle": style.line, "linewidth": 1.5, "markersize": 5}
        mark(ax, line.index, line, style, markeredgecolor=None, **how)
        told.append(
            f"{style.label} {line.min():.1f} to {line.max():.1f} %, most in layer {line.idxmax()}"
        )
    top = max(line.max() for line in lines.values())
    last = max(line.index.max() for line in lines.values())
    ends = [line.iloc[-1] for line in lines.values()]
    name_lines(ax, last + 0.03 * max(1, last), ends, looks.values(), 0.08 * top)
    ax.set(ylim=(0, top * 1.1), xlim=(-0.02 * max(1, last), last * 1.3 + 0.5))
    ax.set_xticks(range(0, last + 1, max(1, (last + 1) // 6)))
    ax.grid(axis="y", color=GRID)
    ax.set(xlabel="layer (0: next to the input)", ylabel="weights moved, % of their size")
    return Shown(
        fig,
        f"Lines of the relative shift of the weights by layer: {'; '.join(told)}.",
        "Size of the change over size of the seed's weights (Frobenius norms), mean over the "
        f"matrices that were trained ({', '.join(dict.fromkeys(modules))}); all others did not "
        "move. One training each, so no interval.",
    )
