"""One look for every figure, and how a figure reaches the page with its words.

A function that draws returns a :class:`Shown`: the figure, alternative text that says what the data
say, and a caption; it raises SdftError where there is nothing to draw. A table may also be a list
of dicts. ``show`` prints a figure in a notebook, ``save`` writes a PNG. The background is white and
opaque, so dark pages stay readable."""

import base64
import html
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import IPython
import numpy
import pandas
from IPython import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image, PngImagePlugin

from sdft_lib.experiments.methods import METHODS, Look
from sdft_lib.lessons.tables import FIRST
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.safe import visible

FONT = 12  # points: of 6.4 inches shown 400 px wide, on a phone, still about 10 px high
INK = "#222222"
DPI = 150
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind words that cross a line


SEED = Look("seed", "#6b6b6b", "o", ":", "..")
LOOKS = {name: method.look for name, method in METHODS.items()}
LOOKS |= {"seed": SEED, "own": replace(SEED, label="own answer")}
LOOKS["reference"] = replace(LOOKS["sft"], label="reference")  # what SFT trains on
LOOKS["rewrite"] = replace(LOOKS["sdft"], label="rewrite")
SPARE = (
    Look("", "#009e73", "D", "-.", "xx"),
    Look("", "#cc79a7", "v", (0, (5, 1)), "++"),
    Look("", "#56b4e9", "P", (0, (1, 1)), "--"),
)


def look(name: str, turn: int = 0) -> Look:
    """The fixed look of a known name (``sft``, ``references``, ``rewrite (kept)``); another name
    gets a spare one, by its turn in the figure."""
    first, _, rest = str(name).strip().lower().partition(" ")
    known = LOOKS.get(first) or LOOKS.get(first.removesuffix("s"))
    if known is None or rest:
        label = f"{known.label} {rest}" if known and rest.startswith("(") else str(name)
        return replace(known or SPARE[turn % len(SPARE)], label=label)
    return known


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """The look of each name, once: those of lesson 04 first, then the others as they came."""
    names = list(dict.fromkeys(map(str, names)))
    known = [name for first in FIRST for name in names if name.lower() == first]
    others = [name for name in names if name not in known]
    return {name: look(name, turn) for turn, name in enumerate(known + others)}


@dataclass(frozen=True)
class Shown:
    """A figure, its alternative text (the finding, computed from the data) and its caption."""

    fig: Figure
    alt: str
    caption: str

    def __post_init__(self):
        for text in self.fig.findobj(Text):  # a name with $ in it is a name, not a formula
            text.set_parse_math(False)


def table_of(rows: Any, what: str) -> pandas.DataFrame:
    """Rows (a table, or a list of dicts) as a table; SdftError if there are none."""
    table = pandas.DataFrame(rows)
    if table.empty:
        raise SdftError(f"There are no {what} to draw.")
    return table


def new_axes(height: float, grid: str = "") -> tuple[Figure, Axes]:
    """A white figure, ``height`` inches high, with one axes, grid lines across "x", "y", "both"."""
    fig, (ax,) = new_panels(1, height, grid)
    return fig, ax


def new_panels(
    count: int, height: float, grid: str = "", *, beside: bool = False, lines: int = 1
) -> tuple[Figure, Sequence[Axes]]:
    """Such a figure with ``count`` axes below one another that share what runs to the right, or
    ``beside`` one another, with shared heights; in several ``lines`` they share both."""
    fig = Figure(figsize=(6.4, height), dpi=DPI, facecolor="white", layout="constrained")
    shape = (lines, count // lines) if beside else (count, 1)
    share = {"sharex": not beside or lines > 1, "sharey": beside}
    panels = fig.subplots(*shape, **share, squeeze=False).ravel()
    for ax in panels:
        ax.set(facecolor="white", axisbelow=True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=FONT, colors=INK)
        if grid:
            ax.grid(axis=grid, color="#eeeeee")
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set(fontsize=FONT, color=INK)
    return fig, panels


def mark(ax: Axes, x, y, look: Look, **more) -> None:
    """Markers of one look at a point, or at several; ``linestyle`` joins them with a line."""
    edge = look.colour if look.face == "white" else "white"
    usual = {"markersize": 9, "markerfacecolor": look.face, "markeredgecolor": edge}
    usual |= {"color": look.colour, "marker": look.marker, "linestyle": "none"}
    how = usual | more
    how["markersize"] *= growth(how["marker"])
    ax.plot(x, y, **how)


def growth(marker: str | tuple) -> float:
    """How much larger a marker is drawn to look as large as others: a star has little area."""
    return 1.4 if marker == "*" or marker[1:2] == (1,) else 1.0


def note(ax: Axes, text: str, point: tuple, offset: tuple = (0, 0), **more) -> None:
    """Write a text beside a point of the data, moved by ``offset`` (in points, 1/72 inch)."""
    usual = {"color": INK, "fontsize": FONT, "va": "center", "textcoords": "offset points"}
    ax.annotate(text, point, offset, **(usual | more))


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Move label positions apart until neighbours differ by ``gap``; order and middle stay."""
    placed = numpy.array(values, dtype=float)
    order = numpy.argsort(placed, kind="stable")
    for before, here in zip(order, order[1:]):
        placed[here] = max(placed[here], placed[before] + gap)
    return list(placed - (placed - values).mean())


def method_legend(fig: Figure, looks: Iterable[Look], *, columns: int = 4) -> None:
    """Above the axes, line by line, at most ``columns`` in each: markers and coloured names."""
    marks = []
    for style in looks:
        line = Line2D([], [], color=style.colour, marker=style.marker)
        line.set_markersize(9 * growth(style.marker))
        line.set(label=style.label, linestyle="none", markerfacecolor=style.face)
        marks.append(line)
    marks, columns = in_lines(marks, columns)
    how = {"ncols": columns, "frameon": False, "fontsize": FONT + 1}
    how |= {"handletextpad": 0.2, "columnspacing": 2.0 if len(marks) <= 4 else 1.0}
    how["labelcolor"] = [line.get_color() for line in marks]
    fig.legend(handles=marks, loc="outside upper center", **how)


def in_lines(names: list, columns: int) -> tuple[list, int]:
    """The entries of a legend so that they read line by line, and how many stand in each line: at
    most ``columns``, in lines equally long. Matplotlib fills a legend column by column."""
    columns = math.ceil(len(names) / math.ceil(len(names) / columns))
    return [name for column in range(columns) for name in names[column::columns]], columns


def token_label(token: str) -> str:
    """A token as a reader sees it: space and new line drawn (also as the tokenizers Ġ, ▁ and Ċ
    write them), control characters visible."""
    drawn = str.maketrans({"Ġ": "␣", "▁": "␣", " ": "␣", "Ċ": "⏎", "\n": "⏎", "\t": "⇥"})
    return visible(str(token).translate(drawn))[:20]


def span(sizes: Iterable[int]) -> str:
    """A number, or the smallest and the largest of several."""
    sizes = {int(size) for size in sizes}
    return f"{min(sizes)}–{max(sizes)}" if len(sizes) > 1 else str(*sizes)


def png(shown: Shown) -> bytes:
    """The figure as PNG bytes; equal data give equal bytes with one Matplotlib version. 128
    colours, which no eye tells from all, take a third of the space."""
    drawn, made, words = io.BytesIO(), io.BytesIO(), PngImagePlugin.PngInfo()
    words.add_text("Description", shown.alt.encode("latin-1", "replace").decode("latin-1"))
    shown.fig.savefig(drawn, format="png", dpi=DPI, facecolor="white", transparent=False)
    picture = Image.open(drawn).convert("RGB")
    picture = picture.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(made, "PNG", optimize=True, dpi=(DPI, DPI), pnginfo=words)
    return made.getvalue()


def save(shown: Shown, path: str | Path) -> Path:
    """Write the figure as a PNG, making its folder; raises SdftError if it cannot be written."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(shown))
    except OSError as error:
        raise SdftError(f"Cannot write the figure {path}: {error.strerror or error}.") from error
    return path


def image_html(shown: Shown) -> str:
    """The figure as HTML that needs no file: image, alternative text and caption."""
    data, words = base64.b64encode(png(shown)).decode("ascii"), html.escape(visible(shown.alt))
    image = f'<img alt="{words}" style="max-width:100%" src="data:image/png;base64,{data}">'
    return f'{image}<div style="line-height:1.4">{caption_html(shown)}</div>'


def caption_html(shown: Shown) -> str:
    """Caption, and the alternative text folded below it: some exporters drop an image's alt."""
    caption, words = html.escape(visible(shown.caption)), html.escape(visible(shown.alt))
    folded = f"<details><summary>The figure in words</summary>{words}</details>"
    return f"<p><em>{caption}</em></p>{folded}"


def show(shown: Shown) -> None:
    """Display figure, alternative text and caption in a notebook; outside IPython nothing happens.
    Readers look for the words in ``metadata["image/png"]["alt"]``, ``text/plain`` and the page."""
    if IPython.get_ipython() is None:
        return
    image = base64.b64encode(png(shown)).decode("ascii")
    data, about = {"image/png": image, "text/plain": shown.alt}, {"image/png": {"alt": shown.alt}}
    display.display(data, raw=True, metadata=about)
    caption = {"text/html": caption_html(shown), "text/plain": shown.caption}
    display.display(caption, raw=True)
