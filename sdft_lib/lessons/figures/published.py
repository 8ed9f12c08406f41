"""Figures of the published tables: scores with binomial intervals, and differences that n items
carry (lesson 08).
"""

from collections.abc import Sequence
from typing import Any

from sdft_lib.lessons.figures.results import scores
from sdft_lib.lessons.figures.style import FONT, INK, LOOKS, Shown, label_axes, new_axes
from sdft_lib.lessons.tables import records
from sdft_lib.scale.published import CAVEAT
from sdft_lib.storage.errors import SdftError

LETTERS = 30  # of a label on the left; longer training sets and evaluations get a line each


def published_scores(
    frame: Any, training_set: str, *, model: str = "llama-2-7b", ours: Sequence[dict] = ()
) -> Shown:
    """One training set's published figures, a row an evaluation, with Wilson's intervals; ``ours``
    beside them.

    ``frame`` is that of ``published.load_published`` (one table), ``ours`` cells of ``reproduce``:
    method, evaluation, n, share, low, high. Raises SdftError if nothing is published for the
    training set."""
    chosen = [
        row
        for row in records(frame)
        if row["model"] == model
        and row["training_set"] in (training_set, "none")
        and row["k"] == row["k"]
    ]
    if not any(row["training_set"] == training_set for row in chosen):
        raise SdftError(f'there is no published figure of {model} trained on "{training_set}".')
    drawn = [
        {
            "method": row["method"],
            "suite": row["evaluation"],
            "mean": row["value"] / 100,
            "low": row["low"] / 100,
            "high": row["high"] / 100,
            "n": int(row["n_items"]),
        }
        for row in chosen
    ]
    there = {row["suite"] for row in drawn}
    drawn += [
        {
            **row,
            "method": f"{row['method']} (ours)",
            "suite": row["evaluation"],
            "mean": row["share"],
        }
        for row in ours
        if row["evaluation"] in there
    ]
    made = scores(drawn)
    return Shown(
        made.fig,
        f"Published figures of {model} trained on {training_set}. {made.alt}",
        f"Published for {model} trained on {training_set}: shares of n items with Wilson's 95 % intervals. {CAVEAT}",
    )


def published_differences(table: Any) -> Shown:
    """SDFT minus SFT in points for each published cell, with its interval; filled where the items
    carry it.

    ``table`` is that of ``published.carried``; the two methods are its columns. Raises SdftError
    for an empty one."""
    rows = records(table)
    if not rows:
        raise SdftError("There are no published differences to draw.")
    several = len({(row["model"], row["tuning"]) for row in rows}) > 1
    names = [label(row, several) for row in rows]
    fig, ax = new_axes(1.3 + (0.5 if several else 0.42) * len(rows))
    for place, row in enumerate(rows):
        style = LOOKS["sdft" if row["carried"] else "seed"]
        ax.plot(
            [row["low"], row["high"]],
            [place, place],
            color=style.colour,
            linewidth=2.5,
            solid_capstyle="butt",
        )
        ax.plot(
            [row["difference"]],
            [place],
            color=style.colour,
            marker=style.marker,
            markersize=9,
            markerfacecolor=style.colour if row["carried"] else "white",
        )
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(range(len(rows)), names, fontsize=FONT - 2, parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", color="#eeeeee")
    label_axes(ax, "SDFT minus SFT, points")
    yes = [row for row in rows if row["carried"]]
    told = "; ".join(
        f"{' '.join(name.split())} {row['difference']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"
        for name, row in zip(names, rows, strict=True)
    )
    return Shown(
        fig,
        f"Published differences of SDFT and SFT with 95 % intervals. {len(yes)} of {len(rows)} are carried by their "
        f"numbers of items. {told}.",
        "Each row: trained on → measured on. Filled triangle: the numbers of items carry the difference (Fisher's "
        "exact test, Holm over these rows, under 0.05). Hollow: they do not. Bars: Newcombe's 95 % intervals. "
        f"{CAVEAT}",
    )


def label(row: dict, several: bool = False) -> str:
    """Training set, arrow, evaluation and its number of items; the model as well where there are
    ``several``.
    """
    text, items = f"{row['training_set']} → {row['evaluation']}", f"(n = {row['n_items']})"
    if several:
        return f"{row['model']}, {row['tuning']} {items}\n{text}"
    return f"{text} {items}" if len(text) <= LETTERS else f"{text}\n{items}"
