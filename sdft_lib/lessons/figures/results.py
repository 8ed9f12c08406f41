"""Figures about models: scores with intervals, and acquisition against forgetting (lesson 04)."""

from collections.abc import Mapping
from typing import Any

from sdft_lib.lessons.figures.style import (
    FONT,
    INK,
    Shown,
    label_axes,
    look,
    method_legend,
    new_axes,
)
from sdft_lib.lessons.figures.training import in_order
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError


def scores(table: Any) -> Shown:
    """Every suite a row, every method a marker with its 95 % interval (lesson 04).

    ``table`` is a frame or list of dicts with ``method, suite, mean, low, high, n``.
    """
    rows = records(table)
    if not rows:
        raise SdftError("There are no scores to draw.")
    methods, suites = (
        in_order(row["method"] for row in rows),
        list(dict.fromkeys(row["suite"] for row in rows)),
    )
    fig, ax = new_axes(1.1 + max(0.72, 0.21 * len(methods)) * len(suites))
    step = min(0.24, 0.8 / len(methods))
    told = []
    for place, suite in enumerate(suites):
        here = {row["method"]: row for row in rows if row["suite"] == suite}
        for turn, method in enumerate(methods):
            if method in here:
                _dot(
                    ax,
                    here[method],
                    place + (turn - (len(methods) - 1) / 2) * step,
                    look(method, turn),
                )
        said = [
            f"{look(m, methods.index(m)).label} {r['mean']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
            for m, r in sorted(here.items(), key=lambda pair: methods.index(pair[0]))
        ]
        told.append(f"{suite}: " + ", ".join(said))
    sizes = {s: sorted({int(r["n"]) for r in rows if r["suite"] == s}) for s in suites}
    names = [
        f"{s}\nn = {'–'.join(map(str, dict.fromkeys((sizes[s][0], sizes[s][-1]))))}" for s in suites
    ]
    ax.set_yticks(range(len(suites)), names, parse_math=False)
    ax.set_ylim(len(suites) - 0.5, -0.5)
    for line in range(1, len(suites)):
        ax.axhline(line - 0.5, color="#dddddd", linewidth=1)
    ax.set_xlim(-0.02, 1.02)
    label_axes(ax, "score (higher is better)")
    method_legend(fig, [look(m, turn) for turn, m in enumerate(methods)])
    return Shown(
        fig,
        "Dots with 95 % intervals, a row a suite. " + "; ".join(told) + ".",
        "Mean score and 95 % interval over n items of each suite. Intervals cover items, not training seeds; "
        "overlapping ones do not show that two models are equal: see the paired differences.",
    )


def _dot(ax: Any, row: Mapping, height: float, style: Any) -> None:
    ax.plot(
        [row["low"], row["high"]],
        [height, height],
        color=style.colour,
        linewidth=2.5,
        solid_capstyle="butt",
    )
    ax.plot(
        [row["mean"]],
        [height],
        color=style.colour,
        marker=style.marker,
        markersize=9,
        markeredgecolor="white",
    )


def intervals(table: Any, task: str, probe: str) -> dict[str, tuple]:
    """``{method: (task Interval, probe Interval)}`` from the table of ``scores``; methods without
    both are left out.
    """
    from sdft_lib.stats import Interval

    found: dict[tuple, Any] = {}
    for row in records(table):
        found[row["method"], row["suite"]] = Interval(
            *(row[key] for key in ("mean", "low", "high", "n"))
        )
    methods = [m for m, suite in found if suite == task and (m, probe) in found]
    return {m: (found[m, task], found[m, probe]) for m in methods}


def _name(ax: Any, style: Any, place: tuple[float, float], above: float) -> None:
    """Write a method's name beside its point, ``above`` it in points (negative: below, under other
    names).
    """
    left = place[0] > 0.8
    ax.annotate(
        style.label,
        place,
        xytext=(-10 if left else 10, above),
        textcoords="offset points",
        ha="right" if left else "left",
        color=style.colour,
        fontsize=FONT + 2,
        fontweight="bold",
        parse_math=False,
    )


def tradeoff(points: Any, *, task: str = "task", probe: str = "facts") -> Shown:
    """What was learnt against what was kept (lesson 04), one point a method.

    ``points`` is ``{method: (task Interval, probe Interval)}`` or the table that ``scores`` takes.
    """
    points = points if isinstance(points, Mapping) else intervals(points, task, probe)
    if not points:
        raise SdftError("There are no methods to compare.")
    fig, ax = new_axes(4.2)
    told, named = [], []
    for turn, method in enumerate(in_order(points)):
        (x, y), style = points[method], look(method, turn)
        ax.plot([x.low, x.high], [y.mean, y.mean], color=style.colour, linewidth=2)
        ax.plot([x.mean, x.mean], [y.low, y.high], color=style.colour, linewidth=2)
        ax.plot(
            [x.mean],
            [y.mean],
            color=style.colour,
            marker=style.marker,
            markersize=11,
            markeredgecolor="white",
        )
        near = sum(abs(x.mean - at) < 0.15 and abs(y.mean - high) < 0.05 for at, high in named)
        _name(ax, style, (x.mean, y.mean), 9 - 32 * near)
        named.append((x.mean, y.mean))
        told.append(
            f"{style.label} {x.mean:.2f} ({x.low:.2f} to {x.high:.2f}) on {task} and "
            f"{y.mean:.2f} ({y.low:.2f} to {y.high:.2f}) on {probe}"
        )
    ax.set_xlim(-0.04, 1.04)
    ax.set_ylim(-0.04, 1.04)
    ax.annotate(
        "better",
        (0.985, 0.985),
        xytext=(0.86, 0.86),
        xycoords="axes fraction",
        fontsize=FONT,
        color=INK,
        ha="right",
        va="top",
        arrowprops={"arrowstyle": "->", "color": INK},
    )
    ax.grid(color="#eeeeee")
    label_axes(ax, f"learnt: score on {task}", f"kept: score on {probe}")
    sizes = " and ".join(
        sorted({f"{task} n = {p[0].n}, {probe} n = {p[1].n}" for p in points.values()})
    )
    return Shown(
        fig,
        "Points with 95 % intervals, learnt against kept: " + "; ".join(told) + ".",
        f"To the right: learnt the task. Higher up: kept what it knew. Bars are 95 % intervals over items ({sizes}).",
    )
