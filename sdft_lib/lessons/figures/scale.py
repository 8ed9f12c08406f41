"""Figures for choosing hardware: what fills the memory, and how long each step takes (lesson
08).
"""

from collections.abc import Mapping
from typing import Any

from sdft_lib.lessons.figures.style import FONT, INK, Shown, label_axes, new_axes
from sdft_lib.lessons.tables import records
from sdft_lib.scale.hardware import devices
from sdft_lib.scale.memory import PARTS
from sdft_lib.storage.errors import SdftError

FILLS = dict(
    zip(
        PARTS,
        (
            ("#6b6b6b", ""),
            ("#d55e00", "//"),
            ("#56b4e9", "\\\\"),
            ("#f0e442", ".."),
            ("#222222", ""),
        ),
        strict=True,
    )
)
CARDS = (
    ("#d55e00", "s"),
    ("#0072b2", "^"),
    ("#00805e", "D"),
    ("#a8488a", "v"),
)  # colour and marker of each device


def memory_parts(table: Any, name: str) -> Shown:
    """A bar for each way to train, cut into its parts, with the memory of the devices as lines.

    ``table`` is that of ``memory.training_table``, ``name`` the model's. Raises SdftError for an
    empty one."""
    rows = records(table)
    if not rows:
        raise SdftError("There is no way to train to draw.")
    fig, ax = new_axes(1.9 + 0.62 * len(rows))
    for place, row in enumerate(rows):
        start = 0.0
        for part in PARTS:
            colour, hatch = FILLS[part]
            ax.barh(
                place,
                row[part],
                left=start,
                height=0.6,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.5,
                label=part if place == 0 else None,
            )
            start += row[part]
        ax.annotate(
            f"{row['total']:.0f} GB",
            (start, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    largest = max(row["total"] for row in rows)
    lines = limits()
    for memory, names in lines.items():
        ax.axvline(memory, color=INK, linestyle="--", linewidth=1.2)
        ax.annotate(
            names,
            (memory, -0.62),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=FONT - 1,
            color=INK,
            va="center",
        )
    ax.set_yticks(range(len(rows)), [row["way"].replace(", ", ",\n") for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.9)
    ax.set_xlim(0, 1.2 * max(largest, *lines))
    label_axes(ax, "memory at the peak of a step, GB")
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=FONT - 1)
    told = "; ".join(
        f"{row['way']} {row['total']:.1f} ({', '.join(f'{part} {row[part]:.1f}' for part in PARTS)})"
        for row in rows
    )
    cards = ", ".join(f"{names} {memory:.1f}" for memory, names in lines.items())
    return Shown(
        fig,
        f"Memory in GB to train {name}, a bar a way: {told}. For comparison: {cards}.",
        f"Estimated memory at the peak of a training step of {name}. Dashed: what a device has; leave a tenth of it "
        "free. Sums of this kind for LoRA and QLoRA came within a tenth of what was measured with two other models.",
    )


def limits() -> dict[float, str]:
    """Memory in GB to the names of the devices that have it."""
    found: dict[float, list[str]] = {}
    for card in devices():
        found.setdefault(card.memory / 1e9, []).append(card.key.upper())
    return {memory: ", ".join(names) for memory, names in found.items()}


def plan_hours(tables: Mapping[str, Any]) -> Shown:
    """Hours of each step, a bar from the low to the high estimate for each device, on a logarithmic
    axis.

    ``tables`` is ``{device: memory.plan_table of one recipe}``. Raises SdftError if no step fits
    anywhere."""
    named = {
        device: {step_name(row): row for row in records(table)} for device, table in tables.items()
    }
    steps = sorted({name for rows in named.values() for name in rows}, key=order)
    spans = [row for rows in named.values() for row in rows.values() if row["low"] == row["low"]]
    if not spans:
        raise SdftError("No step of this plan fits any of these devices.")
    fig, ax = new_axes(1.3 + (0.2 + 0.22 * len(named)) * len(steps))
    told = []
    for place, step in enumerate(steps):
        said = []
        for turn, (device, rows) in enumerate(named.items()):
            row, height = rows[step], place + (turn - (len(named) - 1) / 2) * 0.26
            if row["low"] != row["low"]:
                said.append(f"{device.upper()} does not fit")
                continue
            bar(ax, row, height, *CARDS[turn % len(CARDS)], device.upper() if place == 0 else None)
            said.append(f"{device.upper()} {row['low']:.2f} to {row['high']:.2f}")
        told.append(f"{' '.join(step.split())}: {', '.join(said)}")
    ax.set_xscale("log")
    ax.set_xlim(min(row["low"] for row in spans) / 1.5, 4 * max(row["high"] for row in spans))
    ax.set_yticks(range(len(steps)), steps)
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    ax.grid(axis="x", color="#eeeeee")
    label_axes(ax, "device hours (each line: ten times more)")
    fig.legend(loc="outside upper center", ncols=len(named), frameon=False, fontsize=FONT + 1)
    return Shown(
        fig,
        f"Estimated device hours of each step. {'; '.join(told)}.",
        "Device hours of each step, low to high estimate, without loading and saving. Low: mean lengths at the "
        "fast share of a device; high: every batch of answers runs to its limit at the slow share.",
    )


def order(name: str) -> tuple:
    """Steps as they are done: rewrite, train, evaluate."""
    return ("rewrite", "train SFT", "train SDFT").index(name) if name[0] in "rt" else 9, name


def step_name(row: Mapping) -> str:
    """A step in the words of the axis."""
    return {"rewrite": "rewrite", "evaluate": "evaluate\none model"}.get(
        row["step"], f"train {row['method'].upper()}"
    )


def bar(ax: Any, row: Mapping, height: float, colour: str, marker: str, label: str | None) -> None:
    """One bar with its numbers behind it."""
    ax.plot(
        [row["low"], row["high"]],
        [height, height],
        color=colour,
        marker=marker,
        markersize=6,
        linewidth=2.5,
        label=label,
    )
    ax.annotate(
        in_hours(row["low"], row["high"]),
        (row["high"], height),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=FONT - 3,
        color=colour,
    )


def in_hours(low: float, high: float) -> str:
    """A span of hours, in minutes if all of it is less than one."""
    if high < 1:
        return f"{60 * low:.0f} to {60 * high:.0f} min"
    return f"{low:.1f} to {high:.1f} h"
