"""Figures about texts: how surprising they are to the seed, and how long (lesson 01)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sdft_lib.lessons.figures.style import FONT, Look, Shown, label_axes, look, new_axes
from sdft_lib.lessons.tables import visible
from sdft_lib.storage.errors import SdftError


def gap_histogram(nll_by_name: Mapping[str, Sequence[float]], *, gap: Any = None) -> Shown:
    """How surprising each text is to the seed model: one histogram a name, nats per token (lesson
    01).

    Values are one number a row. ``gap`` (an Interval of the paired difference) goes into caption
    and alt text."""
    fig, alt, n = _histogram(
        nll_by_name,
        "nats per token (0 = what the model would write itself)",
        "nats per token",
        None,
    )
    said = (
        ""
        if gap is None
        else (
            f" Mean gap {gap.mean:.2f} nats per token, 95 % interval {gap.low:.2f} to {gap.high:.2f}, n = {gap.n}."
        )
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
    return Shown(
        fig,
        alt,
        f"Length of the answers in words, one value a row ({n}). Dashed lines are medians.",
    )


def _histogram(
    values: Mapping[str, Sequence[float]], axis: str, unit: str, step: int | None
) -> tuple[Any, str, str]:
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
    # whole numbers: bins of equal whole width, so that none holds more of them than its neighbour
    if step:
        width = step * max(1, math.ceil((high - low) / 40))
        bins = np.arange(low - 0.5, high + width + 0.5, width)
    shares = {
        name: 100 * np.histogram(column, bins)[0] / len(column) for name, column in series.items()
    }
    form = ".0f" if step else ".2f"
    fig, ax = new_axes(3.6)
    top = max(share.max() for share in shares.values())
    told = []
    for place, (name, share) in enumerate(shares.items()):
        style, median = look(name, place), float(np.median(series[name]))
        ax.stairs(share, bins, fill=True, alpha=0.35, color=style.colour, hatch=style.hatch)
        ax.stairs(share, bins, color=style.colour, linewidth=2)
        _mark_median(ax, style, median, top * (1.1 + 0.12 * place), bins, form)
        ends = np.percentile(series[name], [10, 90])
        told.append(
            f"{style.label}: median {median:{form}}, middle 80 % of rows {ends[0]:{form}} to {ends[1]:{form}}, "
            f"n = {len(series[name])}"
        )
    ax.set_ylim(0, top * (1.08 + 0.14 * len(shares)))
    ax.set_yticks([tick for tick in ax.get_yticks() if tick <= top * 1.02])
    label_axes(ax, axis, "share of rows (%)")
    n = ", ".join(
        f"{look(name, place).label} n = {len(column)}"
        for place, (name, column) in enumerate(series.items())
    )
    return (
        fig,
        f"Histogram of {unit}. " + "; ".join(told) + "." + _finding(series, shares, unit, form),
        n,
    )


def _mark_median(ax: Any, style: Look, median: float, height: float, bins: Any, form: str) -> None:
    left = median < (bins[0] + bins[-1]) / 2
    ax.plot(
        [median, median],
        [0, height * 1.03],
        color=style.colour,
        linewidth=1.5,
        linestyle=(0, (4, 3)),
    )
    ax.annotate(
        f"{style.label}, median {median:{form}}",
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


def _finding(series: Mapping[str, Any], shares: Mapping[str, Any], unit: str, form: str) -> str:
    """One sentence on the first two histograms: distance of the medians and how much area they
    share.
    """
    import numpy as np

    if len(series) < 2:
        return ""
    (a, one), (b, two) = list(series.items())[:2]
    apart, common = (
        float(np.median(one) - np.median(two)),
        float(np.minimum(shares[a], shares[b]).sum()),
    )
    word = "above" if apart >= 0 else "below"
    return (
        f" The median of {look(a).label} lies {abs(apart):{form}} {unit} {word} that of {look(b, 1).label}; "
        f"the histograms share {common:.0f} % of their area."
    )


def token_surprise(
    tokens: Sequence[str], nats: Sequence[float], *, name: str = "reference", most: int = 24
) -> Shown:
    """One answer, one bar a token: how many nats the seed model pays for it (lesson 01). At most
    ``most`` are drawn."""
    if not tokens or len(tokens) != len(nats):
        raise SdftError(
            f"There are {len(tokens)} tokens and {len(nats)} values; one value a token is needed."
        )
    style, drawn = look(name), min(most, len(tokens))
    fig, ax = new_axes(0.9 + 0.29 * max(3, drawn))
    ax.barh(range(drawn), nats[:drawn], color=style.colour, height=0.75)
    ax.set_yticks(
        range(drawn),
        [token_label(token) for token in tokens[:drawn]],
        family=["DejaVu Sans Mono"],
        parse_math=False,
    )
    ax.invert_yaxis()
    for place, value in enumerate(nats[:drawn]):
        ax.annotate(
            f"{value:.1f}",
            (value, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=11,
        )
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
