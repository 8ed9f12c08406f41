"""Your own run and recorded runs in one figure, told apart by an edge and by the word "recorded"
(lesson 05).
"""

from dataclasses import replace
from typing import Any

from sdft_lib.experiments.methods import METHODS
from sdft_lib.lessons.figures.evidence import NARROWEST, frontier
from sdft_lib.lessons.figures.style import (
    FONT,
    INK,
    Look,
    Shown,
    label_axes,
    look,
    method_legend,
    new_axes,
    spread,
)
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError

LEARNT = Look("learnt", "#009e73", "o", "-", "")
KEPT = Look("kept", "#a8488a", "s", "--", "")


def frontier_with_yours(recorded: Any, yours: Any, *, task: str = "task") -> Shown:
    """The recorded frontier with your own run on top: black edges, and each method's name with
    "(yours)".

    Both are tables of ``frontier.points`` of one suite; either may be empty, but not both. Your
    seed model is left out where a recorded one stands."""
    theirs, mine = records(recorded), records(yours)
    if theirs:
        mine = [row for row in mine if row["method"] != "seed"]
    if not mine:
        return _said(frontier(theirs, task=task), "Recorded runs", "All runs are recorded ones.")
    if not theirs:
        return _said(
            frontier(mine, task=task),
            "Your own run",
            "Your own run alone: nothing is recorded for it.",
        )
    if (names := {row["suite"] for row in (*theirs, *mine)}) and len(names) > 1:
        raise SdftError(
            f"A frontier shows one suite, the tables hold {', '.join(sorted(names))}; choose one."
        )
    shown = frontier(theirs, task=task)
    ax = shown.fig.axes[0]
    _widen(ax, mine)
    ends, told = [], []
    for turn, method in enumerate(dict.fromkeys(row["method"] for row in mine)):
        line = sorted(
            (row for row in mine if row["method"] == method), key=lambda row: row["checkpoint"]
        )
        style, (x, y) = (
            look(method, turn),
            [[row[key] for row in line] for key in ("acquisition", "kept")],
        )
        ax.plot(x, y, color=INK, linewidth=1, zorder=5)
        ax.plot(
            x,
            y,
            color=style.colour,
            marker=style.marker,
            linestyle="none",
            markersize=10,
            markeredgecolor=INK,
            markeredgewidth=1.8,
            zorder=6,
        )
        ends.append((x[-1], y[-1], style))
        told.append(f"{style.label} learnt {x[-1]:.2f}, kept {y[-1]:.2f}")
    _names(ax, ends)
    ax.set_title("thin lines: recorded; black edges: yours", fontsize=FONT, color=INK, loc="left")
    return Shown(
        shown.fig,
        f"Recorded: {shown.alt} Yours: {'; '.join(told)}.",
        f"Recorded runs in thin lines; your own run with black edges and names. {shown.caption}",
    )


def _said(shown: Shown, first: str, last: str) -> Shown:
    """The same figure, with words that say whose runs it shows."""
    return Shown(shown.fig, f"{first}: {shown.alt}", f"{shown.caption} {last}")


def _widen(ax: Any, rows: list[dict]) -> None:
    """Limits that hold these points as well."""
    for key, get, put in (
        ("acquisition", ax.get_xlim, ax.set_xlim),
        ("kept", ax.get_ylim, ax.set_ylim),
    ):
        values, (low, high) = [row[key] for row in rows], get()
        put(min(low, min(values) - NARROWEST / 4), max(high, max(values) + NARROWEST / 4))


def _names(ax: Any, ends: list[tuple]) -> None:
    """Names beside the last points: to the left where the axis ends, and apart from each other."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    heights = spread([y for _, y, _ in ends], 0.065 * (high - low))
    for (x, _, style), height in zip(ends, heights, strict=True):
        near = x > left + 0.6 * (right - left)
        ax.annotate(
            f"{style.label} (yours)",
            (x, height),
            xytext=(-10 if near else 10, 0),
            textcoords="offset points",
            ha="right" if near else "left",
            va="center",
            color=style.colour,
            fontsize=FONT,
            fontweight="bold",
            zorder=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
        )


def share_of(method: str) -> float | None:
    """The share of rewrites that a method trains on: 0 for SFT, 1 for SDFT; None if it differs in
    more than that.
    """
    plain = METHODS.get(method)
    if plain is None or (plain.slower, plain.replay, plain.anchor, plain.candidates) != (
        1.0,
        0.0,
        0.0,
        1,
    ):
        return None
    return plain.mix if plain.column == "text" else 0.0


def mix_ratio(yours: Any, recorded: Any = (), *, kept: str = "facts", task: str = "task") -> Shown:
    """Learnt and kept against the share of rewrites: your run with intervals, recorded seeds
    hollow.

    ``yours`` is the table of ``stats.summarise``, ``recorded`` that of ``frontier.points`` (its
    final checkpoints are drawn). Methods that change more than the share are left out. Raises
    SdftError if none is left."""
    mine = [
        row
        for row in records(yours)
        if share_of(row["method"]) is not None and row["suite"] in (task, kept)
    ]
    ends = [
        r for r in records(recorded) if share_of(r["method"]) is not None and r["checkpoint"] == 1
    ]
    if not mine and not ends:
        raise SdftError("There is no method to draw: train sft, sdft-mix or sdft.")
    fig, ax = new_axes(4.2)
    told = []
    for style, suite, key in ((LEARNT, task, "acquisition"), (KEPT, kept, "kept")):
        line = sorted(
            (row for row in mine if row["suite"] == suite), key=lambda row: share_of(row["method"])
        )
        shares = [100 * share_of(row["method"]) for row in line]
        ax.plot(
            shares,
            [row["mean"] for row in line],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=10,
            markeredgecolor=INK,
            markeredgewidth=1.5,
            linewidth=2,
        )
        for share, row in zip(shares, line, strict=True):
            ax.plot([share] * 2, [row["low"], row["high"]], color=style.colour, linewidth=2)
        for row in ends:  # beside the place, so that they do not cover your own points
            ax.plot(
                [100 * share_of(row["method"]) + 4],
                [row[key]],
                color=style.colour,
                marker=style.marker,
                linestyle="none",
                markersize=7,
                markerfacecolor="white",
                markeredgewidth=1.8,
            )
        told.append(_line_in_words(f"{style.label} ({suite})", key, line, ends))
    ax.set_xticks([0, 25, 50, 75, 100], ["0\nSFT", "25", "50", "75", "100\nSDFT"])
    ax.set_xlim(-6, 110)
    if ends:
        ax.set_title("hollow: recorded, one a training seed", fontsize=FONT, color=INK, loc="left")
    ax.set_ylim(-0.03, 1.03)
    ax.grid(axis="y", color="#eeeeee")
    label_axes(ax, "share of the rewrites that are used, %", "score")
    method_legend(
        fig, [replace(LEARNT, label=f"learnt: {task}"), replace(KEPT, label=f"kept: {kept}")]
    )
    rings = (
        " Hollow: recorded training seeds, one each." if ends else " Nothing is recorded for it."
    )
    return Shown(
        fig,
        f"Scores against the share of rewrites. {'; '.join(told)}.",
        "Black edges: your own run, 95 % intervals over the items; one training each, so nothing is said about another "
        f"training seed.{rings}",
    )


def _line_in_words(name: str, key: str, line: list[dict], ends: list[dict]) -> str:
    """ "learnt (task): yours 0 % 0.90 (0.86 to 0.94), ...; recorded 0 % 0.88, 0.91" """
    mine = ", ".join(
        f"{100 * share_of(r['method']):.0f} % {r['mean']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
        for r in line
    )
    by_share: dict[float, list[str]] = {}
    for row in sorted(ends, key=lambda row: share_of(row["method"])):
        by_share.setdefault(share_of(row["method"]), []).append(f"{row[key]:.2f}")
    theirs = ", ".join(
        f"{100 * share:.0f} % {' and '.join(values)}" for share, values in by_share.items()
    )
    return f"{name}: " + "; ".join(
        part
        for part in (f"yours {mine}" if mine else "", f"recorded {theirs}" if theirs else "")
        if part
    )
