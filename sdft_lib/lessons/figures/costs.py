"""What each step of a method costs in seconds (lessons 04 and 08)."""

from collections.abc import Mapping

import numpy
import pandas

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.style import Shown
from sdft_lib.storage.errors import SdftError


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
