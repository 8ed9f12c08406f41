"""The figure of what numbers of items can show: published differences against the smallest one seen
(lesson 08).
"""

from typing import Any

from sdft_lib.lessons.figures.style import FONT, INK, LOOKS, Shown, label_axes, new_axes
from sdft_lib.lessons.tables import records
from sdft_lib.scale.power import detectable
from sdft_lib.storage.errors import SdftError

SHARES = (0.05, 0.5)
FEWEST, MOST = 50, 4000  # items that the lines run over
LEAST = 0.25  # points; smaller differences are drawn here, on a logarithmic axis there is no 0


def items_and_differences(table: Any) -> Shown:
    """Published differences by their numbers of items, and the smallest difference that n items
    show.

    ``table`` is that of ``power.with_power``. Raises SdftError for an empty one.
    """
    rows = records(table)
    if not rows:
        raise SdftError("There are no published differences to draw.")
    fig, ax = new_axes(4.2)
    sizes = [round(FEWEST * (MOST / FEWEST) ** (step / 40)) for step in range(41)]
    for share in SHARES:
        heights = [100 * detectable(share, n) for n in sizes]
        ax.plot(sizes, heights, color=INK, linewidth=1.2, linestyle="--" if share != 0.5 else "-")
        ax.annotate(
            f"{100 * share:.0f} %",
            (sizes[-1], heights[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT - 2,
            color=INK,
        )
    for row in rows:
        style = LOOKS["sdft" if row["seen"] else "seed"]
        ax.plot(
            [row["n_items"]],
            [max(LEAST, abs(row["difference"]))],
            color=style.colour,
            marker=style.marker,
            markersize=9,
            markerfacecolor=style.colour if row["seen"] else "none",
            linestyle="none",
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    there = sorted({(int(row["n_items"]), row["evaluation"]) for row in rows})
    names: dict[int, list[str]] = {}
    for n, name in there:
        names.setdefault(n, []).append(name)
    ax.set_xticks(list(names), [str(n) for n in names], rotation=0)
    ax.xaxis.set_minor_locator(fixed([]))
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 40], ["0.5", "1", "2", "5", "10", "20", "40"])
    ax.yaxis.set_minor_locator(fixed([]))
    ax.set_xlim(FEWEST * 0.9, MOST * 1.35)
    ax.grid(axis="both", color="#eeeeee")
    label_axes(ax, "items of the evaluation", "difference, points")
    for n, which in names.items():
        ax.annotate(
            ", ".join(which),
            (n, 1.02),
            xycoords=("data", "axes fraction"),
            ha="left",
            va="bottom",
            fontsize=FONT - 3,
            color=INK,
            rotation=30,
            rotation_mode="anchor",
        )
    seen = [row for row in rows if row["seen"]]
    return Shown(
        fig,
        f"{len(seen)} of {len(rows)} published differences of SDFT and SFT are as large as what their numbers of items "
        f"show four times out of five. {'; '.join(told(rows))}.",
        "Lines: the smallest true difference that so many items show four times out of five (two-sided 5 %, unpaired), "
        "for a model that stands at 5 or at 50 %. Each mark is a published difference of SDFT and SFT; filled: as "
        "large as the line for its own share; those under 0.25 points stand at the lower edge. No correction is made "
        "for looking at several.",
    )


def told(rows: list[dict]) -> list[str]:
    """For each evaluation in words: the published differences, and from which size on its items
    show one.
    """
    found = []
    for name in dict.fromkeys(row["evaluation"] for row in rows):
        part = [row for row in rows if row["evaluation"] == name]
        sizes, least = (
            [abs(row[column]) for row in part] for column in ("difference", "detectable")
        )
        found.append(
            f"{name} (n = {part[0]['n_items']}): {min(sizes):.1f} to {max(sizes):.1f} points, shown from "
            f"{min(least):.1f} to {max(least):.1f}"
        )
    return found


def fixed(places: list) -> Any:
    """Ticks at these places only."""
    from matplotlib.ticker import FixedLocator

    return FixedLocator(places)
