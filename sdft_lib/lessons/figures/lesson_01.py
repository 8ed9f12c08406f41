"""The figures of lesson 01: two histograms of surprise, and one answer token by token."""

from collections.abc import Sequence

import numpy

from sdft_lib.lessons.figures.rewrites import gap_histogram
from sdft_lib.lessons.figures.style import Shown, look, new_axes
from sdft_lib.lessons.safe import visible
from sdft_lib.storage.errors import SdftError

__all__ = ["gap_histogram", "token_surprise"]
MOST = 24  # tokens that are drawn


def token_surprise(tokens: Sequence[str], nats: Sequence[float]) -> Shown:
    """One answer, one bar a token: how many nats the seed model pays for it. At most MOST are
    drawn; raises SdftError unless there is one value a token."""
    if not tokens or len(tokens) != len(nats):
        there = f"There are {len(tokens)} tokens and {len(nats)} values"
        raise SdftError(f"{there}; one value a token is needed.")
    drawn, total = min(MOST, len(tokens)), sum(nats)
    fig, ax = new_axes(0.9 + 0.29 * max(3, drawn))
    bars = ax.barh(range(drawn), nats[:drawn], color=look("reference").colour, height=0.75)
    ax.bar_label(bars, fmt="%.1f", padding=4, fontsize=11)
    names = [token_label(token) for token in tokens[:drawn]]
    ax.set_yticks(range(drawn), names, family=["DejaVu Sans Mono"])
    ax.invert_yaxis()
    ax.set(xlim=(0, max(max(nats[:drawn]) * 1.12, 1)), xlabel="nats (2.3 = one chance in ten)")
    worst = int(numpy.argmax(nats))
    largest_first = numpy.cumsum(sorted(nats, reverse=True))
    half = int(numpy.argmax(largest_first >= total / 2)) + 1  # so many tokens hold half of it
    rest = "" if drawn == len(tokens) else f" The first {drawn} of {len(tokens)} tokens are drawn."
    facts = f"{len(tokens)} tokens, {total:.1f} nats in total, {total / len(nats):.2f} a token"
    return Shown(
        fig,
        f"Bars of surprise per token of one reference: {facts}. The most surprising token is "
        f"“{token_label(tokens[worst])}” with {nats[worst]:.1f} nats; {half} of {len(nats)} tokens "
        f"hold half of the total.{rest}",
        f"One reference, token by token: {facts}.{rest} ␣ is a space, ⏎ a new line.",
    )


def token_label(token: str) -> str:
    """A token as a reader sees it: space and new line drawn (also as the tokenizers Ġ, ▁ and Ċ
    write them), control characters visible."""
    drawn = str.maketrans({"Ġ": "␣", "▁": "␣", " ": "␣", "Ċ": "⏎", "\n": "⏎", "\t": "⇥"})
    return visible(str(token).translate(drawn))[:20]
