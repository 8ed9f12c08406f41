"""One picture for each idea, without data: the method, the gap, the loss, LoRA, the frontier,
several tasks in a row (lessons 00, 01, 03, 05 and 07)."""

import numpy
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from sdft_lib.lessons.figures.style import FONT, INK, Shown, look, new_axes

GREY = "#eeeeee"
SFT, SDFT = look("sft").colour, look("sdft").colour


def canvas(height: float, high: float) -> tuple:
    """A figure without axes whose points run from (0, 0) to (100, ``high``)."""
    fig, ax = new_axes(height)
    ax.set(xlim=(-1, 101), ylim=(0, high))
    ax.axis("off")
    return fig, ax


def box(ax: Axes, x: float, y: float, text: str, edge: str = INK) -> None:
    """A box, 25 wide and 12 high, with a text; its left side at ``x``, its middle at ``y``."""
    how = {"boxstyle": "round,pad=0,rounding_size=2", "facecolor": "#f7f7f7", "edgecolor": edge}
    ax.add_patch(FancyBboxPatch((x, y - 6), 25, 12, linewidth=1.5, **how))
    ax.text(x + 12.5, y, text, ha="center", va="center", fontsize=FONT - 1, color=INK)


def cell(ax: Axes, corner: tuple, wide: float, high: float, text: str, fill: str, edge: str, size):
    """A rectangle with a text in its middle, its lower left corner at ``corner``."""
    ax.add_patch(Rectangle(corner, wide, high, facecolor=fill, edgecolor=edge))
    middle = corner[0] + wide / 2, corner[1] + high / 2
    ax.text(*middle, text, ha="center", va="center", fontsize=size, color=INK)


def arrow(ax: Axes, start: tuple, end: tuple, text: str = "", colour: str = INK, above: float = 2):
    """An arrow, and a text over its middle."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.5})
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + above
    ax.text(*middle, text, ha="center", va="bottom", fontsize=FONT - 2, color=colour)


def pipeline() -> Shown:
    """The method of 2024 beside plain fine-tuning (paper, section 3; lesson 00)."""
    fig, ax = canvas(3.6, 66)
    box(ax, 0, 54, "prompt\n+ reference")
    arrow(ax, (25, 54), (75, 54), "train on the reference", SFT)
    box(ax, 75, 54, "SFT model", SFT)
    box(ax, 0, 12, "the seed\nrewrites it", SDFT)
    arrow(ax, (12.5, 48), (12.5, 18))
    ax.text(14, 33, "both in one prompt", fontsize=FONT - 2, color=INK, va="center")
    arrow(ax, (25, 12), (37, 12))
    box(ax, 37, 12, "still right?", SDFT)
    arrow(ax, (62, 12), (75, 12), "yes", SDFT)
    box(ax, 75, 12, "SDFT model", SDFT)
    arrow(ax, (49.5, 18), (49.5, 34), "", SFT)
    ax.text(51, 26, "no", fontsize=FONT - 2, color=SFT, va="center")
    ax.text(49.5, 38, "keep the reference", ha="center", fontsize=FONT - 2, color=SFT)
    arrow(ax, (62, 37), (84, 18.5), "", SFT)
    alt = (
        "Above: a prompt with its reference goes straight into training and gives the SFT "
        "model. Below: the seed sees prompt and reference and rewrites the reference. If the "
        "rewrite still gives the right answer, it is trained on; if not, the reference is. "
        "That gives the SDFT model."
    )
    return Shown(fig, alt, "Plain fine-tuning (above) and SDFT of 2024 (below).")


def gap() -> Shown:
    """Two ways to close the gap: move the model, or move the data (lesson 01)."""
    fig, ax = new_axes(2.9)
    x = numpy.linspace(0, 12, 300)
    own, wanted = numpy.exp(-((x - 2) ** 2) / 1.2), numpy.exp(-((x - 9) ** 2) / 2.6)
    for height, style in ((own, look("seed")), (wanted, look("reference"))):
        ax.fill_between(x, height, color=style.colour, alpha=0.25)
        ax.plot(x, height, color=style.colour)
    words = {"ha": "center", "fontsize": FONT}
    ax.text(2, 1.06, "what the seed\nwould write", color=look("seed").colour, **words)
    ax.text(9, 1.06, "your references", color=look("reference").colour, **words)
    arrow(ax, (3.4, 0.62), (7.2, 0.62), "SFT moves the model", SFT, above=0.03)
    arrow(ax, (7.2, 0.22), (3.4, 0.22), "SDFT moves the data", SDFT, above=0.03)
    ax.set(yticks=[], xticks=[], ylim=(0, 1.5), xlabel="how surprising the text is for the seed →")
    ax.spines["left"].set_visible(False)
    alt = (
        "Two humps. On the left, little surprising: what the seed would write. On the right, "
        "very surprising: your references. SFT moves the model to the references; SDFT moves "
        "the data to the model."
    )
    return Shown(fig, alt, "Two ways to close the gap (a drawing, not data).")


def loss_mask() -> Shown:
    """Which tokens are trained: those of the answer alone (lesson 03)."""
    fig, ax = canvas(1.9, 40)
    tokens = ["Which", "team", "…", "?", "The", "answer", "is", "returns", ".", "end"]
    x = 0.0
    for place, token in enumerate(tokens):
        wide, answer = 5.4 + 1.25 * len(token), place >= 4
        fill, edge = ("#d6e6f2", SDFT) if answer else (GREY, "#999999")
        cell(ax, (x, 14), wide - 0.8, 11, token, fill, edge, FONT - 2)
        x += wide
        if place == 3:
            border = x
    words = {"ha": "center", "fontsize": FONT - 1}
    ax.text(border / 2, 30, "prompt: read, not trained", color="#666666", **words)
    ax.text((border + x) / 2, 30, "answer: trained, token by token", color=SDFT, **words)
    ax.text(x / 2, 3, "loss = mean of −log p(token | all tokens before it)", color=INK, **words)
    alt = (
        "A row as tokens. Those of the prompt are grey: the model reads them, and they have "
        "no loss. Those of the answer, with the end of the turn, are blue: each has a loss."
    )
    return Shown(fig, alt, "The loss counts the tokens of the answer alone.")


def lora() -> Shown:
    """The frozen weight beside two thin matrices that are trained (arXiv 2106.09685; lesson 03)."""
    fig, ax = canvas(2.6, 56)
    parts = [(5, 34, 34, "W\nfrozen", GREY, "#999999"), (53, 6, 34, "B", "#d6e6f2", SDFT)]
    parts += [(65, 30, 6, "A", "#d6e6f2", SDFT)]
    for x, wide, high, text, fill, edge in parts:
        cell(ax, (x, 29 - high / 2), wide, high, text, fill, edge, FONT)
    ax.text(46, 29, "+", ha="center", va="center", fontsize=FONT + 8)
    ax.text(62, 29, "·", ha="center", va="center", fontsize=FONT + 8)
    words = {"ha": "center", "fontsize": FONT - 1}
    ax.text(22, 4, "576 × 576 numbers", color="#666666", **words)
    ax.text(74, 4, "576 × 8 and 8 × 576 numbers", color=SDFT, **words)
    ax.text(50, 51, "new weight = W + (alpha / rank) · B · A", color=INK, **words)
    alt = (
        "A large grey square W, frozen, plus the product of a tall thin matrix B and a wide "
        "flat matrix A, both blue: these are trained. The new weight is W plus alpha over "
        "rank times B times A."
    )
    return Shown(fig, alt, "LoRA with rank 8: the numbers in blue are trained.")


def frontier() -> Shown:
    """Learnt against kept, and where one wants to be (lesson 05)."""
    fig, ax = new_axes(3.3)
    learnt = numpy.linspace(0.05, 0.95, 50)
    for bend, style in ((0.92, look("sft")), (0.25, look("sdft"))):
        ax.plot(learnt, 0.85 - bend * (learnt - 0.05) ** 2.2, color=style.colour, linewidth=2)
    ax.plot(0.05, 0.85, marker="o", color=look("seed").colour, markersize=10)
    words = {"fontsize": FONT, "va": "center"}
    ax.text(0.08, 0.91, "seed", color=look("seed").colour, **words)
    ax.text(0.72, 0.22, "one method", color=SFT, ha="right", **words)
    ax.text(0.93, 0.78, "another", color=SDFT, ha="right", **words)
    ax.text(0.97, 0.95, "here you want to be ↗", color=INK, ha="right", **words)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="learnt: score on the task →")
    ax.set(ylabel="kept: score on facts →", xticks=[], yticks=[])
    alt = (
        "Learnt to the right, kept upwards. From the seed at the top left two curves go to "
        "the right: along one, much that was kept is lost on the way; along the other, "
        "little. Top right is where you want to be."
    )
    return Shown(fig, alt, "A frontier: what a method keeps at each amount learnt (a drawing).")


def tasks_in_a_row() -> Shown:
    """Three trainings one after the other, and what may become of the first task (lesson 07). Grey,
    with a frame as in the matrix: colours stand for methods."""
    fig, ax = canvas(2.2, 45)
    names = ("seed", "after task A", "after task B", "after task C")
    scores = ((5, 5, 5), (22, 5, 5), (13, 22, 5), (8, 14, 22))
    for place, (name, heights) in enumerate(zip(names, scores, strict=True)):
        left = 27 * place
        for turn, (letter, height) in enumerate(zip("ABC", heights, strict=True)):
            how = {"edgecolor": INK if turn == place - 1 else "none", "linewidth": 2}
            corner = (left + 5 * turn + 1, 16)
            ax.add_patch(Rectangle(corner, 4, height, facecolor="#c8c8c8", **how))
            ax.text(left + 5 * turn + 3, 10, letter, ha="center", va="center", fontsize=FONT - 1)
        ax.text(left + 8.5, 2, name, ha="center", va="center", fontsize=FONT - 1, color=INK)
        if place:
            arrow(ax, (left - 9, 27), (left - 1, 27), f"train {'ABC'[place - 1]}")
    alt = (
        "Four groups of three bars: scores on tasks A, B and C. For the seed all are low. "
        "After training on A, A is high. After B, B is high and A lower. After C, C is high, "
        "B and A are lower."
    )
    caption = "Three tasks in a row: each later training may cost the earlier ones. "
    return Shown(fig, alt, caption + "Height: the score on a task. Framed: the task just trained.")
