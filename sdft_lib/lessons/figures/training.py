"""Figures about runs: training loss and what each step costs (lessons 03 and 04)."""

import math
from collections.abc import Mapping
from typing import Any

from sdft_lib.lessons.figures.style import (
    FONT,
    Shown,
    label_axes,
    look,
    method_legend,
    new_axes,
    spread,
)
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError

ORDER = ("seed", "sft", "sdft")


def in_order(methods: Any) -> list[str]:
    """Method names without repeats: seed, SFT, SDFT first, then the others as they came."""
    seen = list(dict.fromkeys(methods))
    return [m for known in ORDER for m in seen if m.lower() == known] + [
        m for m in seen if m.lower() not in ORDER
    ]


def loss_curves(logs: Mapping[str, Any]) -> Shown:
    """Training loss of each method, from frames (or lists of dicts) with ``step`` and ``loss``
    (lesson 03).
    """
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
        "Training loss: "
        + "; ".join(told)
        + ". One run each, so no interval. The two methods learn different "
        "texts: a lower line means texts that are easier for the model, not a better model.",
    )


def cost_bars(seconds: Mapping[str, Mapping[str, float]]) -> Shown:
    """What each step costs, ``{step: {method: seconds}}``, and the total below several steps
    (lesson 04).

    ``{method: {step: seconds}}`` is understood too, if the methods are seed, sft and sdft.
    """
    if seconds and all(str(name).lower() in ORDER for name in seconds):
        steps = dict.fromkeys(
            step for method in ("sdft", *seconds) for step in seconds.get(method, {})
        )
        seconds = {step: {m: by[step] for m, by in seconds.items() if step in by} for step in steps}
    methods = in_order(m for by_method in seconds.values() for m in by_method)
    if not methods:
        raise SdftError("There are no times to draw.")
    totals = {m: sum(by.get(m, 0.0) for by in seconds.values()) for m in methods}
    groups = dict(seconds) if len(seconds) == 1 else {**seconds, "total": totals}
    fig, ax = new_axes(1.1 + (0.2 + 0.24 * len(methods)) * len(groups))
    thick = 0.8 / len(methods)
    for place, by_method in enumerate(groups.values()):
        for turn, method in enumerate(methods):
            if method not in by_method:
                continue
            value, height = by_method[method], place + (turn - (len(methods) - 1) / 2) * thick
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
    ax.set_xlim(0, max(totals.values()) * 1.28 or 1)
    label_axes(ax, "seconds on this machine")
    method_legend(fig, [look(m, turn) for turn, m in enumerate(methods)])
    parts = "; ".join(
        f"{step}: "
        + ", ".join(f"{look(m, methods.index(m)).label} {duration(by[m])}" for m in in_order(by))
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
