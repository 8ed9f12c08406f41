"""How surprising references and rewrites are, and how many were kept (lessons 01, 02 and 09)."""

from collections.abc import Mapping, Sequence

import numpy
import pandas

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.style import FONT, INK, Look, Shown, new_axes, note
from sdft_lib.stats import Interval, wilson
from sdft_lib.storage.errors import SdftError

KEPT = "accepted"
REASONS = {  # colour and hatch of each reason; the order is that of the checks
    KEPT: ("#0072b2", ""),
    "empty": ("#eeeeee", "++"),
    "cut": ("#999999", ".."),
    "leak": ("#f0e442", "//"),
    "echo": ("#009e73", "\\\\"),
    "loop": ("#56b4e9", "xx"),
    "answer": ("#e8c9dc", ""),
}
OTHER = ("#ffffff", "oo")


def gap_histogram(
    nll_by_name: Mapping[str, Sequence[float]], *, gap: Interval | None = None
) -> Shown:
    """How surprising each text is to the seed model: one histogram a name, nats per token. Missing
    values are left out; ``gap`` (the paired difference) goes into caption and alt text."""
    looks = [style.look(name, turn) for turn, name in enumerate(nll_by_name)]
    series = [numpy.array(list(column), dtype=float) for column in nll_by_name.values()]
    series = [column[numpy.isfinite(column)] for column in series]
    if not series or not all(len(column) for column in series):
        raise SdftError("A histogram needs at least one finite value for each name.")
    everything = numpy.concatenate(series)
    low, high = min(0.0, everything.min()), everything.max()
    bins = numpy.linspace(low, high if high > low else low + 1, 41)
    shares = [100 * numpy.histogram(column, bins)[0] / len(column) for column in series]
    top = max(share.max() for share in shares)
    medians = [float(numpy.median(column)) for column in series]
    fig, ax = new_axes(3.6)
    told = []
    for look, column, share, median in zip(looks, series, shares, medians, strict=True):
        ax.stairs(share, bins, fill=True, alpha=0.35, color=look.colour, hatch=look.hatch)
        ax.stairs(share, bins, color=look.colour, linewidth=2)
        lower = sum(other > median for other in medians)  # names to the right stand lower
        height = top * (1.1 + 0.12 * lower)
        dashes = {"color": look.colour, "linewidth": 1.5, "linestyle": (0, (4, 3))}
        ax.plot([median, median], [0, height * 1.03], **dashes)
        side = "left" if median < bins[0] + 0.6 * (bins[-1] - bins[0]) else "right"
        how = {"color": look.colour, "fontweight": "bold", "ha": side, "bbox": style.BOX}
        words = f"{look.label}, median {median:.2f}"
        note(ax, words, (median, height), (6 if side == "left" else -6, 0), **how)
        first, last = numpy.percentile(column, [10, 90])
        middle = f"middle 80 % of rows {first:.2f} to {last:.2f}"
        told.append(f"{look.label}: median {median:.2f}, {middle}, n = {len(column)}")
    ax.set_ylim(0, top * (1.08 + 0.14 * len(series)))
    ax.set_yticks([tick for tick in ax.get_yticks() if tick <= top * 1.02])
    axis = "nats per token (0: certain of every token)"
    ax.set(xlabel=axis, ylabel="share of rows (%)")
    said = ""
    if gap is not None:
        limits = f"95 % interval {gap.low:.2f} to {gap.high:.2f}, n = {gap.n}"
        said = f" Mean gap {gap.mean:.2f} nats per token, {limits}."
    sizes = ", ".join(f"{look.label} n = {len(x)}" for look, x in zip(looks, series))
    return Shown(
        fig,
        f"Histogram of nats per token. {'; '.join(told)}.{_apart(looks, medians, shares)}{said}",
        f"Surprise of the seed model, one value a row ({sizes}). Dashed lines are medians.{said} "
        "Further right is less like the model's own writing.",
    )


def _apart(looks: Sequence[Look], medians: Sequence[float], shares: Sequence) -> str:
    """How far the first two medians lie apart, and how much area the two histograms share."""
    if len(medians) < 2:
        return ""
    apart = medians[0] - medians[1]
    side = "above" if apart >= 0 else "below"
    common = numpy.minimum(shares[0], shares[1]).sum()
    said = f" The median of {looks[0].label} lies {abs(apart):.2f} nats per token {side} that of"
    return f"{said} {looks[1].label}; the histograms share {common:.0f} % of their area."


def keep_rates(table: pandas.DataFrame) -> Shown:
    """Share of rewrites kept by each template, and why the others were not: one bar a template
    (lesson 02). ``table`` is that of ``distill.keep_table``: ``template``, ``reasons`` (counts)."""
    counts = {}
    for template, reasons in zip(table["template"], table["reasons"]):
        counts[str(template)] = {reason: rows for reason, rows in reasons.items() if rows}
    if not counts or not all(counts.values()):
        raise SdftError("Keep rates need at least one row for each template.")
    there = {reason for reasons in counts.values() for reason in reasons}
    ordered = [reason for reason in REASONS if reason in there] + sorted(there - set(REASONS))
    sizes = {name: sum(reasons.values()) for name, reasons in counts.items()}
    fig, ax = new_axes(1.5 + 0.62 * len(counts))
    starts, drawn = numpy.zeros(len(counts)), []
    for reason in ordered:
        colour, hatch = REASONS.get(reason, OTHER)
        shares = [100 * counts[name].get(reason, 0) / n for name, n in sizes.items()]
        how = {"color": colour, "hatch": hatch, "edgecolor": INK, "linewidth": 0.6}
        name = "kept" if reason == KEPT else reason
        bars = ax.barh(range(len(counts)), shares, left=starts, height=0.66, label=name, **how)
        words = [f"{share:.0f} %" if share >= 12 else "" for share in shares]
        how = {"fontsize": FONT, "fontweight": "bold", "color": "white" if reason == KEPT else INK}
        how["bbox"] = style.BOX | {"pad": 1.5} if hatch else None
        ax.bar_label(bars, words, label_type="center", **how)
        starts = starts + shares
        drawn.append(bars)
    ax.set_yticks(range(len(counts)), list(counts))
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="share of rows (%)")
    spaces = {"handlelength": 1.4, "columnspacing": 1.2, "handletextpad": 0.5}
    drawn, columns = style.in_lines(drawn, 5)
    how = {"handles": drawn, "ncols": columns, "frameon": False, "fontsize": FONT}
    fig.legend(loc="outside upper center", **how, **spaces)
    told, short = [], []
    for name, reasons in counts.items():
        n, kept = sizes[name], reasons.get(KEPT, 0)
        lost = {reason: rows for reason, rows in reasons.items() if reason != KEPT}
        worst = max(lost, key=lost.get, default="")
        most = f", most often lost to “{worst}” ({lost[worst]})" if lost else ""
        told.append(f"{name} keeps {100 * kept / n:.0f} % ({kept} of {n}){most}")
        rate = wilson(kept, n)
        short.append(f"{name} {100 * rate.low:.0f} to {100 * rate.high:.0f} %, n = {n}")
    return Shown(
        fig,
        f"Bars of rewrites kept and rejected by template. {'; '.join(told)}.",
        "Rewrites kept, and why others were not. 95 % intervals of the share kept: "
        f"{'; '.join(short)}.",
    )
