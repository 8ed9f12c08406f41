"""The figures of lesson 01: histograms of surprise, and texts token by token."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy
from matplotlib.patches import Rectangle

from sdft_lib.lessons.figures.rewrites import gap_histogram
from sdft_lib.lessons.figures.style import FONT, INK, Shown, new_axes, token_label
from sdft_lib.storage.errors import SdftError

__all__ = ["gap_histogram", "token_strips"]
MOST = 24  # tokens of a text that are drawn
FULL = 12.0  # nats from which a box is darkest
SHADES = matplotlib.colormaps["Oranges"]


def token_strips(texts: Mapping[str, tuple[Sequence[str], Sequence[float]]]) -> Shown:
    """Several texts as strips of tokens, each token darker the more it surprises the seed; below
    it stand its nats. ``texts``: its name -> (tokens, nats). Of a long text the first MOST tokens
    and the last are drawn; raises SdftError unless there is one value a token."""
    placed, words, line = [], [], 0
    for name, (tokens, nats) in texts.items():
        if not tokens or len(tokens) != len(nats):
            there = f"{name}: there are {len(tokens)} tokens and {len(nats)} values"
            raise SdftError(f"{there}; one value a token is needed.")
        placed.append((line, 0.0, f"{name}: {numpy.mean(nats):.1f} nats a token", None))
        line, x = line + 1, 0.0
        drawn = list(zip(tokens, nats, strict=True))
        if len(drawn) > MOST + 1:
            drawn[MOST:-1] = [("…", None)]
        for token, value in drawn:
            label = token_label(token)
            wide = 2.2 + 1.7 * max(3, len(label))
            if x + wide > 100:
                line, x = line + 1, 0.0
            placed.append((line, x, label, value))
            x += wide
        line += 1
        worst = int(numpy.argmax(nats))
        words.append(
            f"{name}: {len(tokens)} tokens, {sum(nats):.1f} nats in total, "
            f"{numpy.mean(nats):.2f} a token; the most surprising is "
            f"“{token_label(tokens[worst])}” with {nats[worst]:.1f}."
        )
    fig, ax = new_axes(0.5 * line)
    ax.set(xlim=(0, 100), ylim=(line, 0))
    ax.axis("off")
    for line, x, label, value in placed:
        if value is None:
            ax.text(x, line + 0.6, label, fontsize=FONT, color=INK, va="center")
            continue
        wide, share = 2.2 + 1.7 * max(3, len(label)), min(value / FULL, 1)
        box = (x, line + 0.08), wide - 0.8, 0.84
        ax.add_patch(Rectangle(*box, facecolor=SHADES(0.75 * share), edgecolor="#999999"))
        middle = x + wide / 2 - 0.4
        how = {"ha": "center", "va": "center", "color": "white" if share > 0.8 else INK}
        ax.text(middle, line + 0.36, label, fontsize=FONT - 2, family=["DejaVu Sans Mono"], **how)
        ax.text(middle, line + 0.74, f"{value:.1f}", fontsize=FONT - 4, **how)
    caption = "Each box is a token, below it its surprise in nats (2.3 is one chance in ten)."
    rest = f" Of a long text only the first {MOST} tokens and the last are drawn."
    return Shown(fig, " ".join(words), f"{caption}{rest} ␣ is a space, ⏎ a new line.")
