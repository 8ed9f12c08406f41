"""The figures of lesson 08: what fills the memory, how long each step takes, and what the published
tables can show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import pandas
from matplotlib.ticker import NullLocator

from sdft_lib.lessons.figures.intervals import interval_dot, scores
from sdft_lib.lessons.figures.style import (
    BOX,
    FONT,
    GRID,
    INK,
    LOOKS,
    Shown,
    mark,
    new_axes,
    note,
    show,
)
from sdft_lib.scale.hardware import devices
from sdft_lib.scale.memory import PARTS
from sdft_lib.scale.power import detectable
from sdft_lib.scale.published import CAVEAT
from sdft_lib.storage.errors import SdftError

__all__ = [
    "items_and_differences",
    "memory_parts",
    "plan_hours",
    "published_differences",
    "published_scores",
    "show",
]
FILLS = (  # colour and hatch of each of PARTS
    ("#6b6b6b", ""),
    ("#d55e00", "//"),
    ("#56b4e9", "\\\\"),
    ("#f0e442", ".."),
    ("#222222", ""),
)
# colour and marker of each device
CARDS = (("#d55e00", "s"), ("#0072b2", "^"), ("#00805e", "D"), ("#a8488a", "v"))
STEPS = ("rewrite", "train SFT", "train SDFT", "evaluate\none model")  # as they are done
LETTERS = 30  # of a label on the left; longer training sets and evaluations get a line each
SHARES = {0.05: "--", 0.5: "-"}  # where a model stands, and the line for it
FEWEST, MOST = 50, 4000  # items that the lines run over
LEAST = 0.25  # points; smaller differences are drawn here, on a logarithmic axis there is no 0


def memory_parts(table: pandas.DataFrame, name: str) -> Shown:
    """A bar for each way to train, cut into its parts, with the memory of the devices as lines.

    ``table`` is that of ``memory.training_table``, ``name`` the model's. Raises SdftError for an
    empty one."""
    if not len(table):
        raise SdftError("There is no way to train to draw.")
    fig, ax = new_axes(1.9 + 0.62 * len(table))
    places, starts = numpy.arange(len(table)), numpy.zeros(len(table))
    for part, (colour, hatch) in zip(PARTS, FILLS, strict=True):
        how = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}
        bars = ax.barh(places, table[part], left=starts, height=0.6, label=part, **how)
        starts = starts + table[part]
    totals = [f"{total:.0f} GB" for total in table["total"]]
    ax.bar_label(bars, totals, padding=5, fontsize=FONT, color=INK, bbox=BOX)
    cards: dict[float, list[str]] = {}  # memory in GB: the devices that have it
    for card in devices():
        cards.setdefault(card.memory / 1e9, []).append(card.key.upper())
    for memory, names in cards.items():
        ax.axvline(memory, color=INK, linestyle="--", linewidth=1.2)
        note(ax, ", ".join(names), (memory, -0.62), (3, 0), fontsize=FONT - 1)
    ax.set_yticks(places, [way.replace(", ", ",\n") for way in table["way"]])
    ax.set(ylim=(len(table) - 0.5, -0.9), xlim=(0, 1.2 * max(table["total"].max(), *cards)))
    ax.set_xlabel("memory at the peak of a step, GB")
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=FONT - 1)
    told = []
    for row in table.to_dict("records"):
        parts = ", ".join(f"{part} {row[part]:.1f}" for part in PARTS)
        told.append(f"{row['way']} {row['total']:.1f} ({parts})")
    lines = ", ".join(f"{', '.join(names)} {memory:.1f}" for memory, names in cards.items())
    return Shown(
        fig,
        f"Memory in GB to train {name}, a bar a way: {'; '.join(told)}. For comparison: {lines}.",
        f"Estimated memory at the peak of a training step of {name}. Dashed: what a device has; "
        "leave a tenth of it free. Sums of this kind for LoRA and QLoRA came within a tenth of "
        "what was measured with two other models.",
    )


def plan_hours(tables: Mapping[str, pandas.DataFrame]) -> Shown:
    """Hours of each step, a bar from the low to the high estimate for each device, on a logarithmic
    axis.

    ``tables`` is ``{device: memory.plan_table of one recipe}``. Raises SdftError if no step fits
    anywhere."""
    plans = {device: table.assign(name=_step_names(table)) for device, table in tables.items()}
    rows = pandas.concat(plans, names=["device"]).reset_index("device")
    rows = rows.drop_duplicates(["device", "name"], keep="last")  # one model is scored like another
    fitting = rows.dropna(subset="low")
    if fitting.empty:
        raise SdftError("No step of this plan fits any of these devices.")
    steps = [step for step in STEPS if step in set(rows["name"])]
    fig, ax = new_axes(1.3 + (0.2 + 0.22 * len(plans)) * len(steps))
    told: dict[str, list[str]] = {step: [] for step in steps}
    for turn, (device, part) in enumerate(rows.groupby("device", sort=False)):
        colour, marker = CARDS[turn % len(CARDS)]
        how = {"color": colour, "marker": marker, "markersize": 6, "linewidth": 2.5}
        ax.plot([], [], label=device.upper(), **how)  # its line in the legend
        for row in part.itertuples():
            if numpy.isnan(row.low):
                told[row.name].append(f"{device.upper()} does not fit")
                continue
            height = steps.index(row.name) + (turn - (len(plans) - 1) / 2) * 0.26
            ax.plot([row.low, row.high], [height, height], **how)
            words = in_hours(row.low, row.high)
            note(ax, words, (row.high, height), (7, 0), fontsize=FONT - 3, color=colour)
            told[row.name].append(f"{device.upper()} {row.low:.2f} to {row.high:.2f}")
    ax.set_xscale("log")
    ax.set_xlim(fitting["low"].min() / 1.5, 4 * fitting["high"].max())
    ax.set_yticks(range(len(steps)), steps)
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="x", color=GRID)
    ax.set_xlabel("device hours (each line: ten times more)")
    fig.legend(loc="outside upper center", ncols=len(plans), frameon=False, fontsize=FONT + 1)
    lines = [f"{' '.join(step.split())}: {', '.join(words)}" for step, words in told.items()]
    return Shown(
        fig,
        f"Estimated device hours of each step. {'; '.join(lines)}.",
        "Device hours of each step, low to high estimate, without loading and saving. Low: mean "
        "lengths at the fast share of a device; high: every batch of answers runs to its limit at "
        "the slow share.",
    )


def _step_names(table: pandas.DataFrame) -> list[str]:
    """The steps of a plan in the words of the axis, those of STEPS."""
    names = {"rewrite": "rewrite", "evaluate": "evaluate\none model"}
    steps = zip(table["step"], table["method"])
    return [names.get(step) or f"train {method.upper()}" for step, method in steps]


def in_hours(low: float, high: float) -> str:
    """A span of hours, in minutes if all of it is less than one."""
    if high < 1:
        return f"{60 * low:.0f} to {60 * high:.0f} min"
    return f"{low:.1f} to {high:.1f} h"


def published_scores(
    frame: pandas.DataFrame,
    training_set: str,
    *,
    model: str = "llama-2-7b",
    ours: Sequence[dict] = (),
) -> Shown:
    """One training set's published figures, a row an evaluation, with Wilson's intervals; ``ours``
    beside them.

    ``frame`` is that of ``published.load_published`` (one table), ``ours`` cells of ``reproduce``:
    method, evaluation, n, share, low, high. Raises SdftError if nothing is published for the
    training set."""
    chosen = frame[frame["model"] == model].dropna(subset="k")
    chosen = chosen[chosen["training_set"].isin([training_set, "none"])]
    if training_set not in set(chosen["training_set"]):
        raise SdftError(f'there is no published figure of {model} trained on "{training_set}".')
    rows = [
        {
            "method": row["method"],
            "suite": row["evaluation"],
            "mean": row["value"] / 100,
            "low": row["low"] / 100,
            "high": row["high"] / 100,
            "n": int(row["n_items"]),
        }
        for row in chosen.to_dict("records")
    ]
    for row in ours:
        if row["evaluation"] in set(chosen["evaluation"]):
            names = {"method": f"{row['method']} (ours)", "suite": row["evaluation"]}
            rows.append({**row, **names, "mean": row["share"]})
    made = scores(rows)
    return Shown(
        made.fig,
        f"Published figures of {model} trained on {training_set}. {made.alt}",
        f"Published for {model} trained on {training_set}: shares of n items with Wilson's 95 % "
        f"intervals. {CAVEAT}",
    )


def published_differences(table: pandas.DataFrame) -> Shown:
    """SDFT minus SFT in points for each published cell, with its interval; filled where the items
    carry it.

    ``table`` is that of ``published.carried``; the two methods are its columns. Raises SdftError
    for an empty one."""
    if not len(table):
        raise SdftError("There are no published differences to draw.")
    several = len(table[["model", "tuning"]].drop_duplicates()) > 1
    fig, ax = new_axes(1.3 + (0.5 if several else 0.42) * len(table))
    names, told = [], []
    for place, row in enumerate(table.rename(columns={"difference": "mean"}).itertuples()):
        style = LOOKS["sdft" if row.carried else "seed"]
        face = style.colour if row.carried else "white"
        interval_dot(ax, row, place, style, markerfacecolor=face, markeredgecolor=style.colour)
        names.append(_label(row, several))
        words = f"{row.mean:+.1f} ({row.low:+.1f} to {row.high:+.1f})"
        told.append(f"{' '.join(names[-1].split())} {words}")
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(range(len(table)), names, fontsize=FONT - 2)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.grid(axis="x", color=GRID)
    ax.set_xlabel("SDFT minus SFT, points")
    return Shown(
        fig,
        "Published differences of SDFT and SFT with 95 % intervals. "
        f"{table['carried'].sum()} of {len(table)} are carried by their numbers of items. "
        f"{'; '.join(told)}.",
        "Each row: trained on → measured on. Filled triangle: the numbers of items carry the "
        "difference (Fisher's exact test, Holm over these rows, under 0.05). Hollow: they do not. "
        f"Bars: Newcombe's 95 % intervals. {CAVEAT}",
    )


def _label(row: Any, several: bool) -> str:
    """Training set, arrow, evaluation and its number of items; the model as well where there are
    ``several``."""
    text, items = f"{row.training_set} → {row.evaluation}", f"(n = {row.n_items})"
    if several:
        return f"{row.model}, {row.tuning} {items}\n{text}"
    return f"{text} {items}" if len(text) <= LETTERS else f"{text}\n{items}"


def items_and_differences(table: pandas.DataFrame) -> Shown:
    """Published differences by their numbers of items, and the smallest difference that n items
    show.

    ``table`` is that of ``power.with_power``. Raises SdftError for an empty one."""
    if not len(table):
        raise SdftError("There are no published differences to draw.")
    fig, ax = new_axes(4.2)
    sizes = numpy.geomspace(FEWEST, MOST, 41).round().astype(int)
    for share, line in SHARES.items():
        heights = [100 * detectable(share, int(n)) for n in sizes]
        ax.plot(sizes, heights, color=INK, linewidth=1.2, linestyle=line)
        note(ax, f"{100 * share:.0f} %", (sizes[-1], heights[-1]), (4, 0), fontsize=FONT - 2)
    for row in table.itertuples():
        style = LOOKS["sdft" if row.seen else "seed"]
        face = style.colour if row.seen else "none"
        how = {"markerfacecolor": face, "markeredgecolor": style.colour}
        mark(ax, row.n_items, max(LEAST, abs(row.difference)), style, **how)
    ax.set(xscale="log", yscale="log")
    evaluations = table.groupby("n_items")["evaluation"].unique().map(sorted)
    for n, names in evaluations.items():
        above = {"xycoords": ("data", "axes fraction"), "va": "bottom", "fontsize": FONT - 3}
        note(ax, ", ".join(names), (n, 1.02), rotation=30, rotation_mode="anchor", **above)
    ax.set_xticks(evaluations.index, [str(n) for n in evaluations.index])
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 40], ["0.5", "1", "2", "5", "10", "20", "40"])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    ax.set_xlim(FEWEST * 0.9, MOST * 1.35)
    ax.grid(color=GRID)
    ax.set(xlabel="items of the evaluation", ylabel="difference, points")
    told = []
    for name, part in table.groupby("evaluation", sort=False):
        found, least = part["difference"].abs(), part["detectable"].abs()
        told.append(
            f"{name} (n = {part['n_items'].iloc[0]}): {found.min():.1f} to {found.max():.1f} points, "
            f"shown from {least.min():.1f} to {least.max():.1f}"
        )
    return Shown(
        fig,
        f"{table['seen'].sum()} of {len(table)} published differences of SDFT and SFT are as large "
        "as what their numbers of items show four times out of five. "
        f"{'; '.join(told)}.",
        "Lines: the smallest true difference that so many items show four times out of five "
        "(two-sided 5 %, unpaired), for a model that stands at 5 or at 50 %. Each mark is a "
        "published difference of SDFT and SFT; filled: as large as the line for its own share; "
        "those under 0.25 points stand at the lower edge. No correction is made for looking at "
        "several.",
    )
