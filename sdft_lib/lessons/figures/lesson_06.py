"""The figures of lesson 06: the paper's Table 2, and what requests got."""

from typing import Any

import pandas
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from sdft_lib.lessons.figures import intervals, style
from sdft_lib.lessons.figures.style import FONT, INK, Shown, looks_of
from sdft_lib.storage.errors import SdftError

PUBLISHED = {"advbench": "as asked", "advbench-jailbreak": "with a jailbreak suffix"}
ORDERS = {  # of the outcomes of a suite, from the one that is wanted on
    "safety": ("refused", "neither", "complied"),
    "benign": ("complied", "neither", "refused"),
}
TITLES = {"safety": "harmful requests", "benign": "harmless look-alikes"}
FILLS = {"refused": ("#9ecae1", "//"), "neither": ("#e5e5e5", ""), "complied": ("#fdd0a2", "..")}
LEAST = 0.16  # share from which on a number fits into its part of a bar


def table_2(frame: pandas.DataFrame) -> Shown:
    """The paper's Table 2: share of harmful requests that llama-2-7b refused, by what was trained
    on. ``frame`` is that of ``published.load_published`` for this table."""
    chosen = frame[(frame["model"] == "llama-2-7b") & frame["evaluation"].isin(PUBLISHED)]
    chosen = chosen.assign(mean=chosen["value"], name=chosen["training_set"])
    chosen[["mean", "low", "high"]] /= 100
    looks = looks_of(["sft", "sdft"])
    fig, panels = style.new_panels(2, 3.4, "x", beside=True)
    told = []
    for ax, (evaluation, title) in zip(panels, PUBLISHED.items(), strict=True):
        part = chosen[chosen["evaluation"] == evaluation]
        (seed,) = part[part["method"] == "seed"].itertuples()
        rows = intervals.cells_of(part[part["method"] != "seed"], "name")
        said = intervals.interval_rows(ax, rows, looks, 0.3)
        ax.axvline(seed.mean, color=style.SEED.colour, linewidth=1.5, linestyle=style.SEED.line)
        told.append(f"{title}: seed {intervals.in_words(seed)}, {'; '.join(said)}")
        how = {"ha": "right", "color": style.SEED.colour}
        style.note(ax, style.SEED.label, (seed.mean, len(rows) // 2), (-4, 0), **how)
        ax.set_title(title, fontsize=FONT, color=INK)
        ax.set(xlim=(0.45, 1.02), xlabel="share refused")
        intervals.part_rows(ax, list(rows))
    style.method_legend(fig, looks.values())
    n = style.span(chosen["n_items"])
    return Shown(
        fig,
        f"Published shares of harmful requests that llama-2-7b refused. {'. '.join(told)}.",
        f"The paper's Table 2, llama-2-7b: refused of {n} requests of AdvBench, by training set; "
        "dotted: the seed, before training. 95 % intervals (Wilson) are ours and cover items: each "
        "model was trained once.",
    )


def outcomes(table: Any) -> Shown:
    """What harmful requests and harmless look-alikes got, a bar a method, the wanted outcome first
    and with its interval. ``table`` (``recorded.at_end``) has suites such as "safety-refused"."""
    rows, told, sizes = intervals.cells_of(table), [], []
    for suite, order in ORDERS.items():
        if missing := [name for name in order if f"{suite}-{name}" not in rows]:
            raise SdftError(f"There is no outcome {missing[0]} of {suite} to draw; evaluate it.")
    looks = looks_of(rows["safety-refused"])
    fig, panels = style.new_panels(2, 1.7 + 0.55 * len(looks), beside=True)
    for ax, (suite, order) in zip(panels, ORDERS.items(), strict=True):
        wanted = rows[f"{suite}-{order[0]}"]
        for height, (method, look) in enumerate(looks.items()):
            shares = {name: rows[f"{suite}-{name}"][method].mean for name in order}
            _bar(ax, height, shares)
            intervals.interval_bar(ax, wanted[method], height + 0.2, look)
            others = ", ".join(f"{name} {shares[name]:.2f}" for name in order[1:])
            first = f"{order[0]} {intervals.in_words(wanted[method])}"
            told.append(f"{TITLES[suite]}, {look.label}: {first}, {others}")
        ax.set_title(TITLES[suite], fontsize=FONT, color=INK)
        ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))  # short, so that neighbours stay apart
        ax.set(xlim=(0, 1), ylim=(len(looks) - 0.5, -0.6), xlabel="share of answers")
        sizes.append(f"{TITLES[suite]} n = {intervals.sizes_of(wanted)}")
    panels[0].set_yticks(range(len(looks)), [look.label for look in looks.values()])
    marks = [Patch(facecolor=c, hatch=h, edgecolor="white") for c, h in FILLS.values()]
    how = {"ncols": 3, "frameon": False, "fontsize": FONT, "loc": "outside upper center"}
    fig.legend(marks, list(FILLS), **how)
    return Shown(
        fig,
        f"Bars of outcomes. {'; '.join(told)}.",
        "Left: the wanted outcome is a refusal; right: an answer. Its 95 % interval lies on the "
        f"bar. {', '.join(sizes)}, {intervals.seeds_in_words(rows['safety-refused'].values())}. "
        f"{intervals.COVERED}",
    )


def _bar(ax: Axes, height: float, shares: dict[str, float]) -> None:
    """One bar: a part for each share, in their order, with its number where there is room."""
    left = 0.0
    for name, share in shares.items():
        colour, hatch = FILLS[name]
        how = {"facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.8}
        ax.barh(height, share, 0.62, left=left, **how)
        if share >= LEAST:
            middle = (left + share / 2, height - 0.08)
            style.note(ax, f"{share:.2f}", middle, ha="center", fontsize=FONT - 2, bbox=style.BOX)
        left += share
