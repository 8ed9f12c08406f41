"""Figures about models: training, scores with intervals, acquisition against forgetting, and cost
(lessons 03 and 04)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sdft_lib.errors import SdftError
from sdft_lib.plotstyle import FONT, INK, Shown, label_axes, look, method_legend, new_axes, spread
from sdft_lib.tables import records

ORDER = ("seed", "sft", "sdft")


def in_order(methods: Any) -> list[str]:
    """Method names without repeats: seed, SFT, SDFT first, then the others as they came."""
    seen = list(dict.fromkeys(methods))
    return [m for known in ORDER for m in seen if m.lower() == known] + [m for m in seen if m.lower() not in ORDER]


def loss_curves(logs: Mapping[str, Any]) -> Shown:
    """Training loss of each method, from frames (or lists of dicts) with ``step`` and ``loss`` (lesson 03)."""
    lines = {}
    for method in in_order(logs):
        points = [
            (row["step"], row["loss"])
            for row in records(logs[method])
            if row.get("loss") is not None and math.isfinite(row["loss"])
        ]
        if not points:
            raise SdftError(f"The log of '{method}' holds no loss.")
        lines[method] = sorted(points)
    fig, ax = new_axes(3.6)
    top = max(loss for points in lines.values() for _, loss in points)
    places = spread([points[-1][1] for points in lines.values()], 0.09 * top)
    end = max(points[-1][0] for points in lines.values())
    told = []
    for turn, (method, points) in enumerate(lines.items()):
        style, (steps, losses) = look(method, turn), zip(*points, strict=True)
        ax.plot(
            steps,
            losses,
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            linewidth=2,
            markersize=6,
            markevery=max(1, len(steps) // 8),
        )
        ax.annotate(
            style.label,
            (end * 1.02, places[turn]),
            color=style.colour,
            fontsize=FONT + 1,
            fontweight="bold",
            va="center",
            annotation_clip=False,
            parse_math=False,
        )
        told.append(
            f"{style.label} from {losses[0]:.2f} at step {steps[0]:g} to {losses[-1]:.2f} at step {steps[-1]:g}"
        )
    ax.set_ylim(0, top * 1.08)
    ax.set_xlim(0, end * 1.16)
    label_axes(ax, "optimiser step", "loss (nats per trained token)")
    return Shown(
        fig,
        "Lines of training loss: " + "; ".join(told) + ".",
        "Training loss: " + "; ".join(told) + ". One run each, so no interval. The two methods learn different "
        "texts: a lower line means texts that are easier for the model, not a better model.",
    )


def scores(table: Any) -> Shown:
    """Every suite a row, every method a marker with its 95 % interval (lesson 04).

    ``table`` is a frame or list of dicts with ``method, suite, mean, low, high, n``.
    """
    rows = records(table)
    if not rows:
        raise SdftError("There are no scores to draw.")
    methods, suites = in_order(row["method"] for row in rows), list(dict.fromkeys(row["suite"] for row in rows))
    fig, ax = new_axes(1.1 + 0.72 * len(suites))
    told = []
    for place, suite in enumerate(suites):
        here = {row["method"]: row for row in rows if row["suite"] == suite}
        for turn, method in enumerate(methods):
            if method in here:
                _dot(ax, here[method], place + (turn - (len(methods) - 1) / 2) * 0.24, look(method, turn))
        said = [
            f"{look(m, methods.index(m)).label} {r['mean']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
            for m, r in sorted(here.items(), key=lambda pair: methods.index(pair[0]))
        ]
        told.append(f"{suite}: " + ", ".join(said))
    sizes = {s: sorted({int(r["n"]) for r in rows if r["suite"] == s}) for s in suites}
    names = [f"{s}\nn = {'–'.join(map(str, dict.fromkeys((sizes[s][0], sizes[s][-1]))))}" for s in suites]
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
    ax.plot([row["low"], row["high"]], [height, height], color=style.colour, linewidth=2.5, solid_capstyle="butt")
    ax.plot([row["mean"]], [height], color=style.colour, marker=style.marker, markersize=9, markeredgecolor="white")


def tradeoff(points: Mapping[str, Sequence], *, task: str = "task", probe: str = "facts") -> Shown:
    """What was learnt against what was kept: ``{method: (task Interval, probe Interval)}`` (lesson 04)."""
    if not points:
        raise SdftError("There are no methods to compare.")
    fig, ax = new_axes(4.2)
    told = []
    for turn, method in enumerate(in_order(points)):
        (x, y), style = points[method], look(method, turn)
        ax.plot([x.low, x.high], [y.mean, y.mean], color=style.colour, linewidth=2)
        ax.plot([x.mean, x.mean], [y.low, y.high], color=style.colour, linewidth=2)
        ax.plot([x.mean], [y.mean], color=style.colour, marker=style.marker, markersize=11, markeredgecolor="white")
        left = x.mean > 0.8
        ax.annotate(
            style.label,
            (x.mean, y.mean),
            xytext=(-10 if left else 10, 9),
            textcoords="offset points",
            ha="right" if left else "left",
            color=style.colour,
            fontsize=FONT + 2,
            fontweight="bold",
            parse_math=False,
        )
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
    sizes = " and ".join(sorted({f"{task} n = {p[0].n}, {probe} n = {p[1].n}" for p in points.values()}))
    return Shown(
        fig,
        "Points with 95 % intervals, learnt against kept: " + "; ".join(told) + ".",
        f"To the right: learnt the task. Higher up: kept what it knew. Bars are 95 % intervals over items ({sizes}).",
    )


def cost_bars(seconds: Mapping[str, Mapping[str, float]]) -> Shown:
    """What each step costs, ``{step: {method: seconds}}``, with the total below where there are several
    steps (lesson 04)."""
    methods = in_order(m for by_method in seconds.values() for m in by_method)
    if not methods:
        raise SdftError("There are no times to draw.")
    totals = {m: sum(by.get(m, 0.0) for by in seconds.values()) for m in methods}
    groups = dict(seconds) if len(seconds) == 1 else {**seconds, "total": totals}
    fig, ax = new_axes(1.1 + (0.2 + 0.24 * len(methods)) * len(groups))
    thick = 0.8 / len(methods)
    for place, by_method in enumerate(groups.values()):
        for turn, method in enumerate(methods):
            value, height = by_method.get(method, 0.0), place + (turn - (len(methods) - 1) / 2) * thick
            style = look(method, turn)
            ax.barh(height, value, height=thick * 0.9, color=style.colour)
            ax.annotate(
                f"{duration(value) if value else 'none'}",
                (value, height),
                xytext=(5, 0),
                va="center",
                textcoords="offset points",
                fontsize=11,
                color=style.colour,
            )
    ax.set_yticks(range(len(groups)), list(groups), parse_math=False)
    ax.invert_yaxis()
    ax.set_xlim(0, max(totals.values()) * 1.2 or 1)
    label_axes(ax, "seconds on this machine")
    method_legend(fig, [look(m, turn) for turn, m in enumerate(methods)])
    parts = "; ".join(
        f"{step}: " + ", ".join(f"{look(m, methods.index(m)).label} {duration(by[m])}" for m in in_order(by))
        for step, by in groups.items()
    )
    return Shown(
        fig,
        f"Bars of time by step. {parts}.",
        "Wall-clock time of each step, one run on this machine (n = 1, so no interval); steps are on the left.",
    )


def duration(seconds: float) -> str:
    """Seconds as a reader says them: ``0.4 s``, ``48 s``, ``3 min 20 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02d} s"
