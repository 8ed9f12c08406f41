"""Figures of the recorded runs: the acquisition-forgetting frontier and the task-by-stage matrix
(lessons 04, 06).
"""

from textwrap import fill
from typing import Any

from sdft_lib.lessons.figures.style import (
    FONT,
    INK,
    Shown,
    label_axes,
    look,
    method_legend,
    new_axes,
    span,
)
from sdft_lib.lessons.figures.training import in_order
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError

SMALL, LARGE = 5, 9.5  # marker sizes in points: start and end of training
NARROWEST = (
    0.2  # an axis never shows less than this range of scores: noise must not look like a finding
)


def frontier(points: Any, *, task: str = "task") -> Shown:
    """What was learnt against what was kept along training, one thin line a training seed (lesson
    04).

    ``points`` is the table of ``frontier.points``: method, seed, checkpoint, acquisition, kept,
    suite, n_task, n_kept. Rows of the method "seed", the model before training, become a level: it
    may lie far to the left. Raises SdftError if there are no rows, or rows of two suites."""
    rows = records(points)
    if not rows:
        raise SdftError("There are no checkpoints to draw.")
    if len(suites := list(dict.fromkeys(row["suite"] for row in rows))) > 1:
        raise SdftError(
            f"A frontier shows one suite, the table holds {', '.join(suites)}; choose one."
        )
    methods, told = in_order(row["method"] for row in rows), []
    fig, ax = new_axes(4.6 if len(methods) < 5 else 4.9)
    for turn, method in enumerate(methods):
        style, lines = look(method, turn), _lines(rows, method)
        for line in lines:
            (_level if method == "seed" and len(methods) > 1 else _line)(ax, line, style)
        told.append(_in_words(style.label, lines))
    _limits(ax, rows, [row for row in rows if row["method"] != "seed"] or rows)
    ax.annotate(  # in the corner that few models reach: learnt little, lost much
        "better",
        (0.16, 0.14),
        xytext=(0.02, 0.03),
        xycoords="axes fraction",
        fontsize=FONT,
        color=INK,
        arrowprops={"arrowstyle": "->", "color": INK},
    )
    ax.grid(color="#eeeeee")
    label_axes(ax, f"learnt: score on {task}", f"kept: score on {suites[0]}")
    method_legend(
        fig, [look(m, turn) for turn, m in enumerate(methods) if m != "seed" or len(methods) == 1]
    )
    n_task, n_kept = (span(int(row[key]) for row in rows) for key in ("n_task", "n_kept"))
    return Shown(
        fig,
        f"Lines of learnt (score on {task}) against kept (score on {suites[0]}) along training. {'; '.join(told)}.",
        "One thin line a training seed; markers grow with training, the largest is its end. To the right: learnt "
        f"more. Higher up: kept more. Mean scores over items ({task} n = {n_task}, {suites[0]} n = "
        f"{n_kept}), no intervals: compare methods where they learnt equally much, on paired items.",
    )


def _lines(rows: list[dict], method: str) -> list[list[dict]]:
    """The checkpoints of a method, a list for each training seed, in the order of training."""
    mine = [row for row in rows if row["method"] == method]
    seeds = dict.fromkeys(row["seed"] for row in mine)
    return [
        sorted((r for r in mine if r["seed"] == seed), key=lambda r: r["checkpoint"])
        for seed in seeds
    ]


def _line(ax: Any, line: list[dict], style: Any) -> None:
    """One thin line; each marker's size tells the share of training, the model before training is
    drawn large.
    """
    x, y = ([row[key] for row in line] for key in ("acquisition", "kept"))
    ax.plot(x, y, color=style.colour, linewidth=1, linestyle=style.line, alpha=0.8)
    for row in line:
        share = row["checkpoint"] if row["checkpoint"] > 0 else 1
        ax.plot(
            [row["acquisition"]],
            [row["kept"]],
            color=style.colour,
            marker=style.marker,
            linestyle="none",
            markersize=SMALL + (LARGE - SMALL) * share,
            markeredgecolor="white",
            markeredgewidth=0.7,
        )


def _level(ax: Any, line: list[dict], style: Any) -> None:
    """What the model before training keeps, across the figure, with its task score in words."""
    ax.axhline(line[-1]["kept"], color=style.colour, linewidth=1.5, linestyle=style.line)
    ax.annotate(
        f"{style.label} (learnt {line[-1]['acquisition']:.2f})",
        (0.99, line[-1]["kept"]),
        xytext=(0, -4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=style.colour,
        fontsize=FONT,
        ha="right",
        va="top",
    )


def _limits(ax: Any, rows: list[dict], trained: list[dict]) -> None:
    """Limits around the points, at least NARROWEST wide; the model before training counts for the
    height only.
    """
    for key, those, put in (("acquisition", trained, ax.set_xlim), ("kept", rows, ax.set_ylim)):
        low, high = (pick(row[key] for row in those) for pick in (min, max))
        more = max(0.0, NARROWEST - (high - low)) / 2 + 0.08 * max(NARROWEST, high - low)
        put(low - more, high + more)


def _in_words(label: str, lines: list[list[dict]]) -> str:
    """ "SFT, 3 seeds: learnt 0.40 to 0.80, kept 0.70 to 0.30" between the first and the last
    checkpoint, seed means.
    """
    ends = [
        [sum(line[at][key] for line in lines) / len(lines) for at in (0, -1)]
        for key in ("acquisition", "kept")
    ]
    if all(len(line) == 1 for line in lines):
        learnt, kept = (f"{last:.2f}" for _, last in ends)
    else:
        learnt, kept = (f"{first:.2f} at first, {last:.2f} at the end" for first, last in ends)
    seeds = f" ({len(lines)} seeds)" if len(lines) > 1 else ""
    return f"{label}{seeds}: learnt {learnt}; kept {kept}"


def stage_matrix(matrix: Any, *, label: str = "") -> Shown:
    """Scores by stage (rows) and task (columns), the task just trained framed (lesson 06).

    ``matrix`` is the DataFrame of ``continual.matrix``; ``label`` names the method in place of
    ``attrs["method"]``. Raises SdftError if there is not one stage more than tasks."""
    tasks, cells, known = (
        [str(name) for name in matrix.columns],
        matrix.to_numpy(dtype=float),
        matrix.attrs,
    )
    if not tasks or len(cells) != len(tasks) + 1:
        raise SdftError(
            f"A matrix of {len(tasks)} tasks needs {len(tasks) + 1} stages, not {len(cells)}."
        )
    label = label or look(str(known.get("method", ""))).label
    stages = ["seed model", f"after {tasks[0]}", *(f"then {task}" for task in tasks[1:])]
    fig, ax = new_axes(0.9 + 0.62 * len(stages))
    _cells(ax, cells)
    ax.set_xticks(
        range(len(tasks)), [fill(task, max(6, 45 // len(tasks))) for task in tasks], fontsize=FONT
    )
    ax.set_yticks(range(len(stages)), [fill(stage, 16) for stage in stages], fontsize=FONT)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    label_axes(ax, f"{label}: mean score on each task" if label else "mean score on each task")
    ax.xaxis.labelpad = 10
    told = [
        f"{stage}: " + ", ".join(f"{task} {x:.2f}" for task, x in zip(tasks, row))
        for stage, row in zip(stages, cells)
    ]
    return Shown(
        fig,
        f"Mean scores by stage and task{f', {label}' if label else ''}. {'; '.join(told)}.",
        "Each row is a model, each column a task. Framed: the task that was trained last. Below a frame: what later "
        "tasks left of it; above: what the model could do before." + _sizes(known),
    )


def _cells(ax: Any, cells: Any) -> None:
    """Colour, number and frames."""
    ax.imshow(
        cells, cmap="Greys", vmin=0, vmax=1.9, aspect="auto"
    )  # light enough for dark numbers everywhere
    for stage, row in enumerate(cells):
        for place, x in enumerate(row):
            own = place == stage - 1
            ax.text(
                place,
                stage,
                f"{x:.2f}",
                ha="center",
                va="center",
                fontsize=FONT + 2,
                color=INK,
                fontweight="bold" if own else "normal",
            )
            if own:
                ax.add_patch(_frame(place, stage))


def _frame(place: int, stage: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (place - 0.47, stage - 0.45), 0.94, 0.9, fill=False, edgecolor=INK, linewidth=2
    )


def _sizes(known: dict) -> str:
    """Items, seeds, and the widest that one cell's 95 % interval over items can be (scores in [0,
    1], one seed).
    """
    if "n" not in known:
        return ""
    n, seeds = known["n"], known["seeds"]
    sizes = span(n.values())
    return (
        f" Mean over n = {sizes} items a task and {seeds} training seed{'s' if seeds > 1 else ''}; the 95 % interval "
        f"of a cell over items reaches at most {0.98 / min(n.values()) ** 0.5:.2f} to each side."
    )
