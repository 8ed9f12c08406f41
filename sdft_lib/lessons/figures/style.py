"""One look for every figure, and how a figure reaches the page with its words.

A plot function returns a :class:`Shown`: the figure, alternative text that says what the data say,
and a caption. ``show`` prints it in a notebook, ``save`` writes a PNG. The background is white and
opaque, so dark pages stay readable."""

import base64
import html
import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdft_lib.lessons.tables import visible
from sdft_lib.storage.errors import SdftError

WIDTH = 6.4  # inches: at 400 px on a phone, 12 pt is still about 10 px high
FONT = 12
INK = "#222222"
DPI = 150


@dataclass(frozen=True)
class Look:
    """How one model, or one kind of text, looks in every lesson: colour, marker, line and hatch
    tell it apart.
    """

    label: str
    colour: str
    marker: str
    line: str
    hatch: str


SEED = Look("seed", "#6b6b6b", "o", ":", "..")
SFT = Look("SFT", "#d55e00", "s", "-", "//")
SDFT = Look("SDFT", "#0072b2", "^", "--", "\\\\")
LOOKS = {
    "seed": SEED,
    "sft": SFT,
    "sdft": SDFT,
    "reference": Look("reference", SFT.colour, SFT.marker, SFT.line, SFT.hatch),
    "rewrite": Look("rewrite", SDFT.colour, SDFT.marker, SDFT.line, SDFT.hatch),
    "own": Look("own answer", SEED.colour, SEED.marker, SEED.line, SEED.hatch),
    "sft-slow": Look("SFT, slow", "#b07a00", "v", "-.", "xx"),
    "sft-replay": Look("SFT + replay", "#a8488a", "D", (0, (5, 1)), "++"),
    "replay": Look("SFT + replay", "#a8488a", "D", (0, (5, 1)), "++"),
    "sft-anchor": Look("SFT + anchor", "#7a4a1f", "X", (0, (3, 1, 1, 1)), "--"),
    "sdft-mix": Look("SDFT, mixed", "#3a9bd0", "P", (0, (1, 1)), "oo"),
    "sdft-best": Look("SDFT, best", "#00805e", "p", (0, (4, 2)), "**"),
}
SPARE = (
    ("#009e73", "D", "-.", "xx"),
    ("#cc79a7", "v", (0, (5, 1)), "++"),
    ("#56b4e9", "P", (0, (1, 1)), "--"),
)


@dataclass(frozen=True)
class Shown:
    """A finished figure with its alternative text (the finding, computed from the data) and its
    caption.
    """

    fig: Any
    alt: str
    caption: str

    def __post_init__(self):
        from matplotlib.text import Text

        for text in self.fig.findobj(Text):  # a name with $ in it is a name, not a formula
            text.set_parse_math(False)


def look(name: str, place: int = 0) -> Look:
    """The fixed look of a known name (``sft``, ``references``, ``rewrite (kept)``); others get a
    spare one by place."""
    key = str(name).strip().lower()
    for known, style in LOOKS.items():
        if key in (known, known + "s"):
            return style
        if key.startswith(known + " "):
            return Look(str(name), style.colour, style.marker, style.line, style.hatch)
    return Look(str(name), *SPARE[place % len(SPARE)])


def new_axes(height: float) -> tuple[Any, Any]:
    """A white figure, 6.4 inches wide and ``height`` inches high, with one axes; no global pyplot
    state.
    """
    fig, (ax,) = new_panels(1, height)
    return fig, ax


def new_panels(count: int, height: float) -> tuple[Any, list]:
    """Such a figure with ``count`` axes below one another that share what runs to the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(fig)
    panels = list(
        fig.subplots(count, 1, sharex=True, squeeze=False, subplot_kw={"facecolor": "white"})[:, 0]
    )
    for ax in panels:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=FONT, colors=INK)
        ax.set_axisbelow(True)
    return fig, panels


def span(sizes: Iterable[int]) -> str:
    """A number, or the smallest and the largest of several."""
    sizes = list(sizes)
    return "–".join(map(str, dict.fromkeys((min(sizes), max(sizes)))))


def label_axes(ax: Any, x: str = "", y: str = "") -> None:
    """Write the axis labels, unit included."""
    ax.set_xlabel(x, fontsize=FONT, color=INK)
    ax.set_ylabel(y, fontsize=FONT, color=INK)


def method_legend(fig: Any, looks: list[Look], *, columns: int = 4) -> None:
    """Above the axes, at most ``columns`` a line: marker and name of each model, in its colour."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=s.colour, marker=s.marker, linestyle="none", markersize=9)
        for s in looks
    ]
    made = fig.legend(
        marks,
        [s.label for s in looks],
        loc="outside upper center",
        ncols=min(columns, len(looks)),
        frameon=False,
        fontsize=FONT + 1,
        handletextpad=0.2,
        columnspacing=2.0 if len(looks) <= 4 else 1.0,
    )
    for text, style in zip(made.get_texts(), looks, strict=True):
        text.set_color(style.colour)


def spread(values: list[float], gap: float) -> list[float]:
    """Move label positions apart until neighbours differ by ``gap``; the order stays, the middle of
    the group too.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    placed = list(values)
    for before, here in zip(order, order[1:], strict=False):
        placed[here] = max(placed[here], placed[before] + gap)
    shift = sum(p - v for p, v in zip(placed, values, strict=True)) / max(1, len(values))
    return [p - shift for p in placed]


def png(shown: Shown) -> bytes:
    """The figure as PNG bytes; equal data give equal bytes with one Matplotlib version.

    With a palette of 128 colours, which no eye tells from all, it takes a third of the space in a
    notebook."""
    from PIL import Image, PngImagePlugin

    drawn, made, words = io.BytesIO(), io.BytesIO(), PngImagePlugin.PngInfo()
    words.add_text("Description", shown.alt.encode("latin-1", "replace").decode("latin-1"))
    shown.fig.savefig(drawn, format="png", dpi=DPI, facecolor="white", transparent=False)
    picture = (
        Image.open(drawn)
        .convert("RGB")
        .quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    )
    picture.save(made, "PNG", optimize=True, dpi=(DPI, DPI), pnginfo=words)
    return made.getvalue()


def save(shown: Shown, path: str | Path) -> Path:
    """Write the figure as a PNG, making its folder; raises SdftError if the place is not
    writable.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(shown))
    except OSError as error:
        raise SdftError(f"Cannot write the figure {path}: {error.strerror or error}.") from error
    return path


def caption_html(shown: Shown) -> str:
    """Caption, and the alternative text folded below it: some exporters drop the alt attribute of
    an image.
    """
    return (
        f"<p><em>{html.escape(visible(shown.caption))}</em></p>"
        f"<details><summary>The figure in words</summary>{html.escape(visible(shown.alt))}</details>"
    )


def show(shown: Shown) -> None:
    """Display figure, alternative text and caption in a notebook; outside IPython nothing happens.

    The alternative text goes where readers look for it: ``metadata["image/png"]["alt"]``,
    ``text/plain`` and the page."""
    try:
        import IPython
        from IPython import display
    except ImportError:
        return
    if IPython.get_ipython() is None:
        return
    image = base64.b64encode(png(shown)).decode("ascii")
    display.display(
        {"image/png": image, "text/plain": shown.alt},
        raw=True,
        metadata={"image/png": {"alt": shown.alt}},
    )
    display.display({"text/html": caption_html(shown), "text/plain": shown.caption}, raw=True)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(shown.fig)
