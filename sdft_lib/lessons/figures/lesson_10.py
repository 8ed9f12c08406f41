"""The figures of lesson 10: what fills the memory, the hours, what the published tables show."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import pandas
from matplotlib.ticker import NullLocator

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.intervals import interval_dot, scores
from sdft_lib.lessons.figures.style import FONT, INK, LOOKS, Shown, note
from sdft_lib.scale.hardware import devices
from sdft_lib.scale.power import detectable
from sdft_lib.scale.published import CAVEAT
from sdft_lib.storage.errors import SdftError

PARTS = {  # of the memory: colour and hatch
    "frozen weights": ("#6b6b6b", ""),
    "trained weights": ("#d55e00", "//"),
    "activations": ("#56b4e9", "\\\\"),
    "logits": ("#f0e442", ".."),
    "device": (INK, ""),
}
# colour and marker of each device, none of them a method's
CARDS = (("#8a6d1a", "v"), ("#00805e", "D"), ("#5b3a9c", "P"), ("#a8488a", "X"))
STEPS = ("rewrite", "train SFT", "train SDFT", "evaluate\none model")  # as they are done
NAMES = {"rewrite": STEPS[0], "evaluate": STEPS[-1]}  # of steps that no method alone needs
LETTERS = 30  # of a label on the left; longer training sets and evaluations get a line each
SHARES = {0.05: "--", 0.5: "-"}  # where a model stands, and the line for it
FEWEST, MOST = 50, 4000  # items that the lines run over
LEAST = 0.25  # points; smaller differences are drawn here, on a logarithmic axis there is no 0


def memory_parts(table: pandas.DataFrame, name: str) -> Shown:
    """A bar for each way to train, cut into its parts, with the memory of the devices as lines.
    ``table`` is that of ``memory.training_table``, ``name`` the model's."""
    table = style.table_of(table, "ways to train")
    fig, ax = style.new_axes(1.9 + 0.62 * len(table))
    places, starts = range(len(table)), numpy.zeros(len(table))
    for part, (colour, hatch) in PARTS.items():
        how = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}
        bars = ax.barh(places, table[part], left=starts, height=0.6, label=part, **how)
        starts = starts + table[part]
    totals = [f"{total:.0f} GB" for total in table["total"]]
    ax.bar_label(bars, totals, padding=5, fontsize=FONT, color=INK, bbox=style.BOX)
    known = pandas.DataFrame([(card.memory / 1e9, card.key.upper()) for card in devices()])
    cards = known.groupby(0, sort=False)[1].agg(", ".join)  # memory in GB: devices that have it
    for memory, names in cards.items():
        ax.axvline(memory, color=INK, linestyle="--", linewidth=1.2)
        note(ax, names, (memory, -0.62), (3, 0), fontsize=FONT - 1)
    ax.set_yticks(places, [way.replace(", ", ",\n") for way in table["way"]])
    ax.set(ylim=(len(table) - 0.5, -0.9), xlim=(0, 1.2 * max(table["total"].max(), *cards.index)))
    ax.set_xlabel("memory at the peak of a step, GB")
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=FONT - 1)
    told = []
    for row in table.to_dict("records"):
        parts = ", ".join(f"{part} {row[part]:.1f}" for part in PARTS)
        told.append(f"{row['way']} {row['total']:.1f} ({parts})")
    lines = ", ".join(f"{names} {memory:.1f}" for memory, names in cards.items())
    return Shown(
        fig,
        f"Memory in GB to train {name}, a bar a way: {'; '.join(told)}. For comparison: {lines}.",
        f"Estimated memory at the peak of a training step of {name}. Dashed: what a device has; "
        "leave a tenth of it free. Sums of this kind for LoRA and QLoRA came within a tenth of "
        "what was measured with two other models.",
    )


def plan_hours(tables: Mapping[str, pandas.DataFrame]) -> Shown:
    """Hours of each step, a bar from the low to the high estimate for each device. ``tables``:
    ``{device: memory.plan_table of a recipe}``; SdftError if no step fits anywhere."""
    rows = pandas.concat(tables, names=["device"]).reset_index("device")
    rows["name"] = rows["step"].map(NAMES).fillna("train " + rows["method"].str.upper())
    rows = rows.drop_duplicates(["device", "name"], keep="last")
    fitting = rows.dropna(subset="low")
    if fitting.empty:
        raise SdftError("No step of this plan fits any of these devices.")
    steps = [step for step in STEPS if step in set(rows["name"])]
    fig, ax = style.new_axes(1.3 + (0.2 + 0.22 * len(tables)) * len(steps), "x")
    told: dict[str, list[str]] = {step: [] for step in steps}
    for turn, device in enumerate(tables):
        colour, marker = CARDS[turn % len(CARDS)]
        how = {"color": colour, "marker": marker, "markersize": 6, "linewidth": 2.5}
        ax.plot([], [], label=device.upper(), **how)  # its line in the legend
        for row in rows[rows["device"] == device].itertuples():
            if numpy.isnan(row.low):
                told[row.name].append(f"{device.upper()} does not fit")
                continue
            height = steps.index(row.name) + (turn - (len(tables) - 1) / 2) * 0.26
            ax.plot([row.low, row.high], [height, height], **how)
            hours = f"{row.low:.1f} to {row.high:.1f} h"
            if row.high < 1:
                hours = f"{60 * row.low:.0f} to {60 * row.high:.0f} min"
            note(ax, hours, (row.high, height), (7, 0), fontsize=FONT - 3, color=colour)
            told[row.name].append(f"{device.upper()} {row.low:.2f} to {row.high:.2f}")
    ax.set_xscale("log")
    ax.set_xlim(fitting["low"].min() / 1.5, 4 * fitting["high"].max())
    ax.set_yticks(range(len(steps)), steps)
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("device hours (each line: ten times more)")
    fig.legend(loc="outside upper center", ncols=len(tables), frameon=False, fontsize=FONT + 1)
    lines = [f"{' '.join(step.split())}: {', '.join(words)}" for step, words in told.items()]
    return Shown(
        fig,
        f"Estimated device hours of each step. {'; '.join(lines)}.",
        "Device hours of each step, low to high estimate, without loading and saving. Low: mean "
        "lengths at the fast share of a device; high: every batch of answers runs to its limit at "
        "the slow share.",
    )


def published_scores(
    frame: pandas.DataFrame, trained: str, *, model="llama-2-7b", ours: Sequence[dict] = ()
) -> Shown:
    """The published figures of a training set with Wilson's intervals, ``ours`` beside them.
    ``frame`` is that of ``published.load_published`` (one table), ``ours`` cells of ``reproduce``:
    method, evaluation, n, share, low, high."""
    chosen = frame[frame["model"] == model].dropna(subset="k")
    chosen = chosen[chosen["training_set"].isin([trained, "none"])]
    if trained not in set(chosen["training_set"]):
        raise SdftError(f'there is no published figure of {model} trained on "{trained}".')
    published = chosen.assign(n=chosen["n_items"], mean=chosen["value"] / 100)
    published = published.assign(low=chosen["low"] / 100, high=chosen["high"] / 100)
    beside = [row for row in ours if row["evaluation"] in set(chosen["evaluation"])]
    own = pandas.DataFrame([row | {"mean": row["share"]} for row in beside])
    if beside:
        own["method"] += " (ours)"
    made = scores(pandas.concat([published, own]).rename(columns={"evaluation": "suite"}))
    return Shown(
        made.fig,
        f"Published figures of {model} trained on {trained}. {made.alt}",
        f"Published for {model} trained on {trained}: shares of n items with Wilson's 95 % "
        f"intervals. {CAVEAT}",
    )


def published_differences(table: pandas.DataFrame) -> Shown:
    """SDFT minus SFT in points for each published cell; filled where so many items show it.
    ``table`` is that of ``published.sdft_minus_sft``."""
    table = style.table_of(table, "published differences")
    several = len(table[["model", "tuning"]].drop_duplicates()) > 1
    fig, ax = style.new_axes(1.3 + (0.5 if several else 0.42) * len(table), "x")
    names, told = [], []
    for place, row in enumerate(table.rename(columns={"difference": "mean"}).itertuples()):
        interval_dot(ax, row, place, **_filled(row.shown, "white"))
        name, items = f"{row.training_set} → {row.evaluation}", f"(n = {row.n_items})"
        if several:
            names.append(f"{row.model}, {row.tuning} {items}\n{name}")
        else:
            names.append(f"{name} {items}" if len(name) <= LETTERS else f"{name}\n{items}")
        words = f"{row.mean:+.1f} ({row.low:+.1f} to {row.high:+.1f})"
        told.append(f"{' '.join(names[-1].split())} {words}")
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(range(len(table)), names, fontsize=FONT - 2)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlabel("SDFT minus SFT, points")
    shown = f"{table['shown'].sum()} of {len(table)} are larger than chance for so many items"
    return Shown(
        fig,
        f"Published differences of SDFT and SFT with 95 % intervals. {shown}. {'; '.join(told)}.",
        "Each row: trained on → measured on. Filled triangle: the difference is larger than chance "
        "for so many items (Fisher's exact test, Holm over these rows, under 0.05). Hollow: it is "
        f"not. Bars: Newcombe's 95 % intervals. {CAVEAT}",
    )


def _filled(yes: bool, hollow: str) -> dict[str, Any]:
    """How a published difference is marked: SDFT's look, filled, if its items show it."""
    look = LOOKS["sdft" if yes else "seed"]
    face = look.colour if yes else hollow
    return {"look": look, "markerfacecolor": face, "markeredgecolor": look.colour}


def items_and_differences(table: pandas.DataFrame) -> Shown:
    """Published differences by their numbers of items, and the smallest difference that n items
    show. ``table`` is that of ``power.with_power``."""
    table = style.table_of(table, "published differences")
    fig, ax = style.new_axes(4.2, "both")
    sizes = numpy.geomspace(FEWEST, MOST, 41).round().astype(int)
    for share, line in SHARES.items():
        heights = [100 * detectable(share, int(n)) for n in sizes]
        ax.plot(sizes, heights, color=INK, linewidth=1.2, linestyle=line)
        name = f"at {100 * share:.0f} %"
        note(ax, name, (MOST, heights[-1]), (4, 0), fontsize=FONT - 2)
    for row in table.itertuples():
        style.mark(ax, row.n_items, max(LEAST, abs(row.difference)), **_filled(row.seen, "none"))
    ax.set(xscale="log", yscale="log", xlim=(FEWEST * 0.9, MOST * 1.7))
    evaluations = table.groupby("n_items")["evaluation"].unique().map(sorted)
    above = {"xycoords": ("data", "axes fraction"), "va": "bottom", "fontsize": FONT - 3}
    for n, names in evaluations.items():
        note(ax, ", ".join(names), (n, 1.02), rotation=30, rotation_mode="anchor", **above)
    ax.set_xticks(evaluations.index, [str(n) for n in evaluations.index])
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 40], ["0.5", "1", "2", "5", "10", "20", "40"])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    ax.set(xlabel="items of the evaluation", ylabel="difference, points")
    told = []
    for name, part in table.groupby("evaluation", sort=False):
        found, least = (part[key].abs().agg(["min", "max"]) for key in ("difference", "detectable"))
        published = "{:.1f} to {:.1f} points, shown from {:.1f} to {:.1f}".format(*found, *least)
        told.append(f"{name} (n = {part['n_items'].iloc[0]}): {published}")
    return Shown(
        fig,
        f"{table['seen'].sum()} of {len(table)} published differences of SDFT and SFT are as large "
        f"as what their numbers of items show four times out of five. {'; '.join(told)}.",
        "Lines: the smallest true difference that so many items show four times out of five "
        "(two-sided 5 %, unpaired), for a model that stands at 5 or at 50 %. Each mark is a "
        "published difference of SDFT and SFT; filled: as large as the line for its own share; "
        "those under 0.25 points stand at the lower edge. No correction is made for looking at "
        "several.",
    )
