"""Figures about texts: how surprising they are, how long, and which rewrites were kept (lessons 01 and 02)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdft_lib.errors import SdftError
from sdft_lib.plotstyle import FONT, INK, Look, Shown, label_axes, look, new_axes
from sdft_lib.tables import records, visible

KEPT = "accepted"
REASONS = {  # colour and hatch of each reason; the order is that of the checks
    KEPT: ("#0072b2", ""),
    "answer": ("#e8c9dc", ""),
    "leak": ("#f0e442", "//"),
    "loop": ("#56b4e9", "xx"),
    "echo": ("#009e73", "\\\\"),
    "cut": ("#999999", ".."),
    "empty": ("#eeeeee", "++"),
}
OTHER = ("#ffffff", "oo")


def gap_histogram(nll_by_name: Mapping[str, Sequence[float]], *, gap: Any = None) -> Shown:
    """How surprising each text is to the seed model: one histogram a name, nats per token (lesson 01).

    Values are one number a row. ``gap`` (an Interval of the paired difference) goes into caption and alt text.
    """
    fig, alt, n = _histogram(
        nll_by_name, "nats per token (0 = what the model would write itself)", "nats per token", None
    )
    said = (
        ""
        if gap is None
        else (f" Mean gap {gap.mean:.2f} nats per token, 95 % interval {gap.low:.2f} to {gap.high:.2f}, n = {gap.n}.")
    )
    return Shown(
        fig,
        alt + said,
        f"Surprise of the seed model, one value a row ({n}). "
        f"Dashed lines are medians.{said} Further right is less like the model's own writing.",
    )


def lengths(words_by_name: Mapping[str, Sequence[float]]) -> Shown:
    """How long each text is: one histogram a name, in words (lesson 01)."""
    fig, alt, n = _histogram(words_by_name, "words per answer", "words", 1)
    return Shown(fig, alt, f"Length of the answers in words, one value a row ({n}). Dashed lines are medians.")


def _histogram(values: Mapping[str, Sequence[float]], axis: str, unit: str, step: int | None) -> tuple[Any, str, str]:
    import numpy as np

    series = {
        name: np.asarray([x for x in column if x is not None and math.isfinite(x)], float)
        for name, column in values.items()
    }
    if not series or any(len(column) == 0 for column in series.values()):
        raise SdftError("A histogram needs at least one finite value for each name.")
    everything = np.concatenate(list(series.values()))
    low, high = min(0.0, float(everything.min())), float(everything.max())
    bins = np.linspace(low, high if high > low else low + 1, 41)
    if step:  # whole numbers: bins of equal whole width, so that none holds more of them than its neighbour
        width = step * max(1, math.ceil((high - low) / 40))
        bins = np.arange(low - 0.5, high + width + 0.5, width)
    shares = {name: 100 * np.histogram(column, bins)[0] / len(column) for name, column in series.items()}
    fig, ax = new_axes(3.6)
    top = max(share.max() for share in shares.values())
    told = []
    for place, (name, share) in enumerate(shares.items()):
        style, median = look(name, place), float(np.median(series[name]))
        ax.stairs(share, bins, fill=True, alpha=0.35, color=style.colour, hatch=style.hatch)
        ax.stairs(share, bins, color=style.colour, linewidth=2)
        _mark_median(ax, style, median, top * (1.1 + 0.12 * place), bins)
        ends = np.percentile(series[name], [10, 90])
        told.append(
            f"{style.label}: median {median:.3g}, middle 80 % of rows {ends[0]:.3g} to {ends[1]:.3g}, "
            f"n = {len(series[name])}"
        )
    ax.set_ylim(0, top * (1.08 + 0.14 * len(shares)))
    ax.set_yticks([tick for tick in ax.get_yticks() if tick <= top * 1.02])
    label_axes(ax, axis, "share of rows (%)")
    n = ", ".join(f"{look(name, place).label} n = {len(column)}" for place, (name, column) in enumerate(series.items()))
    return fig, f"Histogram of {unit}. " + "; ".join(told) + "." + _finding(series, shares, unit), n


def _mark_median(ax: Any, style: Look, median: float, height: float, bins: Any) -> None:
    left = median < (bins[0] + bins[-1]) / 2
    ax.plot([median, median], [0, height * 1.03], color=style.colour, linewidth=1.5, linestyle=(0, (4, 3)))
    ax.annotate(
        f"{style.label}, median {median:.3g}",
        (median, height),
        color=style.colour,
        fontsize=FONT,
        xytext=(6 if left else -6, 0),
        textcoords="offset points",
        ha="left" if left else "right",
        va="center",
        fontweight="bold",
        parse_math=False,
    )


def _finding(series: Mapping[str, Any], shares: Mapping[str, Any], unit: str) -> str:
    """One sentence on the first two histograms: distance of the medians and how much area they share."""
    import numpy as np

    if len(series) < 2:
        return ""
    (a, one), (b, two) = list(series.items())[:2]
    apart, common = float(np.median(one) - np.median(two)), float(np.minimum(shares[a], shares[b]).sum())
    word = "above" if apart >= 0 else "below"
    return (
        f" The median of {look(a).label} lies {abs(apart):.3g} {unit} {word} that of {look(b, 1).label}; "
        f"the histograms share {common:.0f} % of their area."
    )


def token_surprise(tokens: Sequence[str], nats: Sequence[float], *, name: str = "reference", most: int = 24) -> Shown:
    """One answer, one bar a token: how many nats the seed model pays for it (lesson 01). At most ``most``
    are drawn."""
    if not tokens or len(tokens) != len(nats):
        raise SdftError(f"There are {len(tokens)} tokens and {len(nats)} values; one value a token is needed.")
    style, drawn = look(name), min(most, len(tokens))
    fig, ax = new_axes(0.9 + 0.29 * max(3, drawn))
    ax.barh(range(drawn), nats[:drawn], color=style.colour, height=0.75)
    ax.set_yticks(
        range(drawn), [token_label(token) for token in tokens[:drawn]], family=["DejaVu Sans Mono"], parse_math=False
    )
    ax.invert_yaxis()
    for place, value in enumerate(nats[:drawn]):
        ax.annotate(f"{value:.1f}", (value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=11)
    ax.set_xlim(0, max(max(nats[:drawn]) * 1.12, 1))
    label_axes(ax, "nats (2.3 = one chance in ten)")
    total, worst = sum(nats), max(range(len(nats)), key=nats.__getitem__)
    half = _tokens_for_half(nats)
    rest = "" if drawn == len(tokens) else f" The first {drawn} of {len(tokens)} tokens are drawn."
    facts = f"{len(tokens)} tokens, {total:.1f} nats in total, {total / len(nats):.2f} a token"
    return Shown(
        fig,
        f"Bars of surprise per token of one {style.label}: {facts}. The most surprising token is "
        f"“{token_label(tokens[worst])}” with {nats[worst]:.1f} nats; {half} of {len(nats)} tokens hold half of "
        f"the total.{rest}",
        f"One {style.label}, token by token: {facts}.{rest} ␣ is a space, ⏎ a new line.",
    )


def token_label(token: str) -> str:
    """A token as a reader sees it: leading space and new line drawn, control characters visible."""
    return visible(
        str(token)
        .replace("Ġ", " ")
        .replace("▁", " ")
        .replace("Ċ", "\n")
        .replace("\n", "⏎")
        .replace(" ", "␣")
        .replace("\t", "⇥")
    )[:20]


def _tokens_for_half(nats: Sequence[float]) -> int:
    reached = 0.0
    for count, value in enumerate(sorted(nats, reverse=True), start=1):
        reached += value
        if reached >= sum(nats) / 2:
            return count
    return len(nats)


def reason_counts(table: Any) -> dict[str, dict[str, int]]:
    """Rows by template and reason, from ``{template: {reason: rows}}`` or a frame.

    A frame has ``template`` with ``reason`` (and ``rows`` where counted) or with ``kept`` (true or false).
    """
    if isinstance(table, Mapping):
        return {str(name): {str(r): int(c) for r, c in counts.items() if c} for name, counts in table.items()}
    found: dict[str, dict[str, int]] = {}
    for row in records(table):
        reason = str(row["reason"]) if "reason" in row else (KEPT if row["kept"] else "rejected")
        counts = found.setdefault(str(row["template"]), {})
        if row.get("rows", 1):
            counts[reason] = counts.get(reason, 0) + int(row.get("rows", 1))
    return found


def keep_rates(table: Any) -> Shown:
    """Share of rewrites kept by each template, and why the others were not (lesson 02): one bar a template."""
    from sdft_lib.stats import wilson

    counts = reason_counts(table)
    if not counts or not all(sum(reasons.values()) for reasons in counts.values()):
        raise SdftError("Keep rates need at least one row for each template.")
    present = [r for r in REASONS if any(r in c for c in counts.values())]
    present += sorted({r for c in counts.values() for r in c} - set(REASONS))
    fig, ax = new_axes(1.5 + 0.62 * len(counts))
    _stack(ax, counts, lambda reason: REASONS.get(reason, OTHER), present)
    ax.set_yticks(range(len(counts)), list(counts), parse_math=False)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    label_axes(ax, "share of rows (%)")
    handles, names = ax.get_legend_handles_labels()
    fig.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=4,
        frameon=False,
        fontsize=FONT,
        handlelength=1.4,
        columnspacing=1.2,
        handletextpad=0.5,
    )
    told, short = [], []
    for name, reasons in counts.items():
        n, kept = sum(reasons.values()), reasons.get(KEPT, 0)
        rate = wilson(kept, n)
        lost = max((r for r in reasons if r != KEPT), key=lambda r: reasons[r], default="")
        told.append(
            f"{name} keeps {100 * kept / n:.0f} % ({kept} of {n})"
            + (f", most often lost to “{lost}” ({reasons[lost]})" if lost else "")
        )
        short.append(f"{name} {100 * rate.low:.0f} to {100 * rate.high:.0f} %, n = {n}")
    return Shown(
        fig,
        "Bars of rewrites kept and rejected by template. " + "; ".join(told) + ".",
        "Rewrites by verdict. 95 % intervals of the share kept: " + "; ".join(short) + ".",
    )


def _stack(ax: Any, counts: Mapping[str, Mapping[str, int]], paint: Callable, present: Sequence[str]) -> None:
    starts = [0.0] * len(counts)
    for reason in present:
        colour, hatch = paint(reason)
        widths = [100 * c.get(reason, 0) / sum(c.values()) for c in counts.values()]
        ax.barh(
            range(len(counts)),
            widths,
            left=starts,
            color=colour,
            hatch=hatch,
            edgecolor=INK,
            linewidth=0.6,
            height=0.66,
            label="kept" if reason == KEPT else f"rejected: {reason}",
        )
        for place, width in enumerate(widths):
            if width >= 12:
                ax.text(
                    starts[place] + width / 2,
                    place,
                    f"{width:.0f} %",
                    ha="center",
                    va="center",
                    fontsize=FONT,
                    color="white" if reason == KEPT else INK,
                    fontweight="bold",
                    bbox=None if not hatch else {"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
