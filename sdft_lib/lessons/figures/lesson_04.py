"""The figures of lesson 04: the headline, forgotten or muted, and the cost."""

from collections.abc import Mapping
from typing import Any

import numpy
import pandas

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.intervals import cells_of, headline, in_words, interval_bar, part_rows
from sdft_lib.lessons.figures.style import Shown
from sdft_lib.storage.errors import SdftError

__all__ = ["cost_bars", "headline", "muted"]
TWINS = {  # suite: the same ability where a short answer is no loss
    "facts": "facts-opened",
    "helpful": "helpful-any-length",
    "instructions": "instructions-any-length",
}


def muted(table: Any) -> Shown:
    """Each ability twice: as it was asked (filled) and with the form forgiven (open), the two
    joined by a line. A long line to the right: the answer was there, only its form was lost.

    ``table``: rows of ``stats.summarise`` that hold suites of TWINS with their twins."""
    rows = cells_of(table)
    shown = {suite: twin for suite, twin in TWINS.items() if suite in rows and twin in rows}
    if not shown:
        raise SdftError("There are no suites with their twins to draw; evaluate both first.")
    looks = style.looks_of(method for suite in shown for method in rows[suite])
    step, told, names = 0.84 / len(looks), [], []
    fig, ax = style.new_axes(1.1 + 0.3 * len(looks) * len(shown), "x")
    for place, (suite, twin) in enumerate(shown.items()):
        said = []
        for turn, (method, look) in enumerate(looks.items()):
            asked, eased = rows[suite][method], rows[twin][method]
            height = place + (turn - (len(looks) - 1) / 2) * step
            ax.plot([asked.mean, eased.mean], [height, height], color=look.colour, linewidth=1)
            interval_bar(ax, asked, height + step / 7, look)
            interval_bar(ax, eased, height - step / 7, look, width=1)
            style.mark(ax, asked.mean, height, look)
            hollow = {"markerfacecolor": "white", "markeredgecolor": look.colour}
            style.mark(ax, eased.mean, height, look, **hollow)
            said.append(f"{look.label} {in_words(asked)}, then {in_words(eased)}")
        told.append(f"{suite}, then {twin}: {'; '.join(said)}")
        names.append(f"{suite}\nn = {style.span([asked.n, eased.n])}")
    part_rows(ax, names)
    ax.set(xlim=(-0.03, 1.03), ylim=(len(shown) - 0.5, -0.5))
    ax.set_xlabel("score (filled: as asked; open: form forgiven)")
    style.method_legend(fig, looks.values())
    return Shown(
        fig,
        f"Pairs of dots with 95 % intervals. {'. '.join(told)}.",
        "Open: for facts, the answer is begun with “The answer is”; for helpful and instructions, "
        "the rule says nothing about length, and instructions whose whole rule is a length are "
        "left out. 95 % intervals over items.",
    )


def cost_bars(seconds: Mapping[str, Mapping[str, float]]) -> Shown:
    """What each step costs, ``{method: {step: seconds}}``, and the total below several steps."""
    looks = style.looks_of(seconds)
    if not looks:
        raise SdftError("There are no times to draw.")
    last_first = {method: seconds[method] for method in reversed(looks)}  # SDFT has all the steps
    table = pandas.DataFrame(last_first)[list(looks)]
    totals = table.sum()
    if len(table) > 1:
        table.loc["total"] = totals
    fig, ax = style.new_axes(1.1 + (0.2 + 0.24 * len(looks)) * len(table))
    thick = 0.8 / len(looks)
    for turn, (method, look) in enumerate(looks.items()):
        heights = numpy.arange(len(table)) + (turn - (len(looks) - 1) / 2) * thick
        bars = ax.barh(heights, table[method], height=thick * 0.9, color=look.colour)
        words = [duration(value) for value in table[method]]
        ax.bar_label(bars, words, padding=5, fontsize=11, color=look.colour)
    ax.set_yticks(range(len(table)), list(table.index))
    ax.invert_yaxis()
    ax.set(xlim=(0, totals.max() * 1.28 or 1), xlabel="seconds on this machine")
    style.method_legend(fig, looks.values())
    parts = []
    for step, row in table.iterrows():
        times = [f"{looks[m].label} {duration(value)}" for m, value in row.dropna().items()]
        parts.append(f"{step}: {', '.join(times)}")
    return Shown(
        fig,
        f"Bars of time by step. {'; '.join(parts)}.",
        "Wall-clock time of each step, one run on this machine (n = 1, so no interval); steps are "
        "on the left.",
    )


def duration(seconds: float) -> str:
    """Seconds as a reader says them: ``0.4 s``, ``48 s``, ``3 min 20 s``; empty where missing."""
    if numpy.isnan(seconds):
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds else "none"
    rounded = round(seconds)
    minutes, rest = divmod(rounded, 60)
    return f"{rounded} s" if rounded < 120 else f"{minutes} min {rest:02d} s"
