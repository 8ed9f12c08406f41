"""Figures of several tasks one after the other: each task's score along the stages, and the
measures (lesson 06).
"""

from collections.abc import Sequence
from typing import Any

from sdft_lib.experiments.continual import MEASURES
from sdft_lib.lessons.figures.style import (
    FONT,
    INK,
    Look,
    Shown,
    label_axes,
    look,
    method_legend,
    new_axes,
    new_panels,
    span,
)
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError

HOLLOW = (
    "(recorded)"  # methods with this in their name get hollow markers: not the reader's own run
)
GOOD = {"forgetting": "less is better"}


def stage_paths(matrices: Sequence[Any]) -> Shown:
    """A panel a task: its mean score at every stage, a line a method; the stage that trained it is
    shaded (lesson 06).

    ``matrices`` are those of ``continual.matrix``, of one order. Raises SdftError if there are
    none, or of two orders."""
    if len({matrix.attrs["order"] for matrix in matrices}) != 1:
        raise SdftError(
            "Paths along the stages show one order; give the matrices of one order, at least one."
        )
    tasks = [str(name) for name in matrices[0].columns]
    looks = [look(matrix.attrs["method"], turn) for turn, matrix in enumerate(matrices)]
    fig, panels = new_panels(len(tasks), 0.8 + 0.3 * _places(len(matrices)) + 1.35 * len(tasks))
    for place, (task, ax) in enumerate(zip(tasks, panels)):
        ax.axvspan(place + 0.72, place + 1.28, color="#e8e8e8", linewidth=0)
        for turn, (matrix, style) in enumerate(zip(matrices, looks)):
            shift = (turn - (len(matrices) - 1) / 2) * 0.06
            _path(
                ax, [stage + shift for stage in range(len(tasks) + 1)], matrix[task].tolist(), style
            )
        ax.set_ylim(-0.06, 1.06)
        ax.set_yticks([0, 0.5, 1])
        ax.grid(axis="y", color="#eeeeee")
        label_axes(ax, y=task)
    panels[-1].set_xlim(-0.35, len(tasks) + 0.35)
    panels[-1].set_xticks(
        range(len(tasks) + 1),
        ["seed model", f"after {tasks[0]}", *(f"then {t}" for t in tasks[1:])],
    )
    panels[-1].tick_params(axis="x", labelsize=FONT)
    _legend(fig, looks)
    told = [
        f"{style.label}: "
        + "; ".join(f"{t} {', '.join(f'{x:.2f}' for x in matrix[t])}" for t in tasks)
        for matrix, style in zip(matrices, looks)
    ]
    return Shown(
        fig,
        "Lines of each task's mean score from the seed model to the last stage. "
        + ". ".join(told)
        + ".",
        "A panel a task, its score (0 to 1) after every stage; shaded: the stage that trained it. To the right of the "
        f"shade, a line that falls is a task that is forgotten. {_sizes(matrices)}",
    )


def _path(ax: Any, x: Sequence[float], y: Sequence[float], style: Look) -> None:
    """A line with markers, thin and hollow for a recorded run."""
    width, face = (1.3, "white") if HOLLOW in style.label else (2.2, style.colour)
    ax.plot(
        x,
        y,
        color=style.colour,
        linestyle=style.line,
        linewidth=width,
        marker=style.marker,
        markersize=7,
        markerfacecolor=face,
        markeredgecolor=style.colour,
    )


def _legend(fig: Any, looks: Sequence[Look]) -> None:
    """The legend of all figures, with hollow markers for recorded runs."""
    method_legend(fig, list(looks), columns=3)
    for mark, style in zip(fig.legends[-1].legend_handles, looks):
        if HOLLOW in style.label:
            mark.set_markerfacecolor("white")


def _places(methods: int) -> int:
    """Lines of the legend."""
    return -(-methods // 3)


def _sizes(matrices: Sequence[Any]) -> str:
    """Items and seeds of each run, and how far the interval of a point reaches at most."""
    runs = [
        f"{m.attrs['method']}: n = {span(m.attrs['n'].values())} a task, seeds: {m.attrs['seeds']}"
        for m in matrices
    ]
    fewest = min(min(m.attrs["n"].values()) for m in matrices)
    reach = min(1.0, 0.98 / fewest**0.5)
    return (
        f"Means over items and training seeds ({'; '.join(runs)}). A point's 95 % interval over items reaches at "
        f"most {reach:.2f} to each side."
    )


def stage_measures(table: Any) -> Shown:
    """ACC, BWT, FWT and forgetting with their intervals, a marker a method (lesson 06).

    ``table`` is that of ``continual.measures``. Raises SdftError if it is empty, or holds two
    orders."""
    rows = records(table)
    if not rows or len({row["order"] for row in rows}) > 1:
        raise SdftError(
            "A figure of measures shows one order; give the rows of one order, at least one."
        )
    methods = list(dict.fromkeys(row["method"] for row in rows))
    looks = [look(method, turn) for turn, method in enumerate(methods)]
    step = min(0.2, 0.8 / len(methods))
    fig, ax = new_axes(
        0.9 + 0.3 * _places(len(methods)) + (0.5 + 0.12 * len(methods)) * len(MEASURES)
    )
    ax.axvline(0, color=INK, linewidth=1)
    for row in rows:
        turn = methods.index(row["method"])
        height = MEASURES.index(row["measure"]) + (turn - (len(methods) - 1) / 2) * step
        ax.plot(
            [row["low"], row["high"]], [height, height], color=looks[turn].colour, linewidth=2.2
        )
        _path(ax, [row["mean"]], [height], looks[turn])
    for line in range(1, len(MEASURES)):
        ax.axhline(line - 0.5, color="#dddddd", linewidth=1)
    ax.set_yticks(
        range(len(MEASURES)), [f"{name}\n{GOOD.get(name, 'more is better')}" for name in MEASURES]
    )
    ax.set_ylim(len(MEASURES) - 0.5, -0.5)
    ax.set_xlim(
        min(-0.1, *(row["low"] for row in rows)) - 0.05,
        max(0.1, *(row["high"] for row in rows)) + 0.05,
    )
    label_axes(ax, "score points (1 = all items)")
    _legend(fig, looks)
    return Shown(
        fig,
        f"Dots with 95 % intervals for each measure, order {rows[0]['order']}. {_told(rows, looks, methods)}.",
        f"Order {rows[0]['order']}. Bars are 95 % intervals over items (n = {span([row['n'] for row in rows])}, "
        f"training seeds: {span([row['seeds'] for row in rows])}); they say nothing about other seeds or orders. "
        "Compare methods by their paired differences, not by whether bars overlap.",
    )


def _told(rows: Sequence[dict], looks: Sequence[Look], methods: Sequence[str]) -> str:
    """ "ACC: SFT 0.40 (0.30 to 0.50), ..." for each measure."""
    return "; ".join(
        f"{name}: "
        + ", ".join(
            f"{looks[methods.index(row['method'])].label} {row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            for row in rows
            if row["measure"] == name
        )
        for name in MEASURES
    )
