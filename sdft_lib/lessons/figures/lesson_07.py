"""The figures of lesson 07: the matrix of scores, each task's path along the stages, measures."""

import math
from collections.abc import Mapping, Sequence
from textwrap import fill

import pandas
from matplotlib.patches import Rectangle

from sdft_lib.experiments.continual import MEASURES
from sdft_lib.lessons.figures import intervals, style
from sdft_lib.lessons.figures.style import FONT, INK, Shown
from sdft_lib.storage.errors import SdftError

COLUMNS = 2  # names in a line of the legend: SFT and SDFT of one source stand in one line


def stage_matrix(matrix: pandas.DataFrame) -> Shown:
    """Scores by stage (rows) and task (columns), the task just trained framed. ``matrix`` is that
    of ``continual.matrix``."""
    tasks, cells = [str(name) for name in matrix.columns], matrix.to_numpy(dtype=float)
    known, stages = matrix.attrs, stage_names(tasks)
    label = style.look(known["method"]).label
    fig, ax = style.new_axes(0.9 + 0.62 * len(stages))
    ax.imshow(cells, cmap="Greys", vmin=0, vmax=1.9, aspect="auto")  # light behind dark numbers
    told = []
    for stage, row in enumerate(cells):
        scores = [f"{task} {score:.2f}" for task, score in zip(tasks, row)]
        told.append(f"{stages[stage]}: {', '.join(scores)}")
        for place, score in enumerate(row):
            own = place == stage - 1
            how = {"fontsize": FONT + 2, "color": INK, "fontweight": "bold" if own else "normal"}
            ax.text(place, stage, f"{score:.2f}", ha="center", va="center", **how)
            if own:
                corner, frame = (place - 0.47, stage - 0.45), {"edgecolor": INK, "linewidth": 2}
                ax.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, **frame))
    letters = max(6, 45 // len(tasks))
    ax.set_xticks(range(len(tasks)), [fill(task, letters) for task in tasks])
    ax.set_yticks(range(len(stages)), [fill(stage, 16) for stage in stages])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(f"{label}: mean score on each task", labelpad=10)
    n, seeds = known["n"], f"{known['seeds']} training seed{'s' if known['seeds'] > 1 else ''}"
    return Shown(
        fig,
        f"Mean scores by stage and task, {label}. {'; '.join(told)}.",
        "Each row is a model, each column a task. Framed: the task that was trained last. Below a "
        "frame: what later tasks left of it; above: what the model could do before. Mean over "
        f"n = {style.span(n.values())} items a task and {seeds}; the 95 % interval of a cell over "
        f"items reaches at most {_reach(n):.2f} to each side.",
    )


def stage_names(tasks: Sequence[str]) -> list[str]:
    """The stages in words: "seed model", "after tickets", "then sums"."""
    return ["seed model", f"after {tasks[0]}", *(f"then {task}" for task in tasks[1:])]


def _reach(n: Mapping[str, int]) -> float:
    """How far the 95 % interval of a mean score in [0, 1] reaches at most; ``n``: items by task."""
    return min(1.0, 0.98 / min(n.values()) ** 0.5)


def stage_paths(matrices: Sequence[pandas.DataFrame]) -> Shown:
    """A panel a task: its mean score at every stage, a line a method; its own stage is shaded.
    ``matrices`` are those of ``continual.matrix``; SdftError unless they are of one order."""
    if len({matrix.attrs["order"] for matrix in matrices}) != 1:
        show = "Paths along the stages show one order"
        raise SdftError(f"{show}; give the matrices of one order, at least one.")
    tasks = [str(name) for name in matrices[0].columns]
    looks = [style.look(matrix.attrs["method"], turn) for turn, matrix in enumerate(matrices)]
    height = 0.3 * math.ceil(len(looks) / COLUMNS) + 0.8 + 1.35 * len(tasks)
    fig, panels = style.new_panels(len(tasks), height, "y")
    for place, (task, ax) in enumerate(zip(tasks, panels)):
        ax.axvspan(place + 0.72, place + 1.28, color="#e8e8e8", linewidth=0)
        for turn, (matrix, look) in enumerate(zip(matrices, looks)):
            shift = (turn - (len(matrices) - 1) / 2) * 0.1  # markers stand beside each other
            stages = [stage + shift for stage in range(len(tasks) + 1)]
            width = 2.2 if look.face == look.colour else 1.3
            how = {"color": look.colour, "linestyle": look.line, "linewidth": width}
            ax.plot(stages, matrix[task], **how)
            how = {"markersize": 7, "markeredgecolor": look.colour, "zorder": 3}  # on all lines
            style.mark(ax, stages, matrix[task], look, **how)
        ax.set(ylim=(-0.1, 1.1), yticks=[0, 0.5, 1], ylabel=f"{task}: score")
    panels[-1].set_xlim(-0.35, len(tasks) + 0.35)
    panels[-1].set_xticks(range(len(tasks) + 1), stage_names(tasks))
    style.method_legend(fig, looks, columns=COLUMNS)
    told, runs = [], []
    for matrix, look in zip(matrices, looks):
        paths = [f"{task} {', '.join(f'{x:.2f}' for x in matrix[task])}" for task in tasks]
        told.append(f"{look.label}: {'; '.join(paths)}")
        known = matrix.attrs
        n = style.span(known["n"].values())
        runs.append(f"{known['method']}: n = {n} a task, seeds: {known['seeds']}")
    reach = max(_reach(matrix.attrs["n"]) for matrix in matrices)
    return Shown(
        fig,
        "Lines of each task's mean score from the seed model to the last stage. "
        f"{'. '.join(told)}.",
        "A panel a task, its score (0 to 1) after every stage; shaded: the stage that trained it. "
        "To the right of the shade, a line that falls is a task that is forgotten. Means over "
        f"items and training seeds ({'; '.join(runs)}). A point's 95 % interval over items reaches "
        f"at most {reach:.2f} to each side.",
    )


def stage_measures(table: pandas.DataFrame) -> Shown:
    """ACC, BWT, FWT and forgetting with their intervals, a marker a method. ``table`` is that of
    ``continual.measures``; SdftError unless it holds one order."""
    if table["order"].nunique() != 1:
        show = "A figure of measures shows one order"
        raise SdftError(f"{show}; give the rows of one order, at least one.")
    order, looks = table["order"].iloc[0], style.looks_of(table["method"])
    cells = intervals.cells_of(table, "measure")
    height = 0.3 * math.ceil(len(looks) / COLUMNS) + 0.9 + (0.5 + 0.12 * len(looks)) * len(MEASURES)
    fig, ax = style.new_axes(height)
    ax.axvline(0, color=INK, linewidth=1)
    told = intervals.interval_rows(ax, {name: cells[name] for name in MEASURES}, looks, 0.2)
    good = {name: "less" if name == "forgetting" else "more" for name in MEASURES}
    intervals.part_rows(ax, [f"{name}\n{which} is better" for name, which in good.items()])
    ax.set_xlim(min(-0.1, table["low"].min()) - 0.05, max(0.1, table["high"].max()) + 0.05)
    ax.set_xlabel("ACC: mean score; the others: change of the score")
    style.method_legend(fig, looks.values(), columns=COLUMNS)
    n, seeds = style.span(table["n"]), style.span(table["seeds"])
    return Shown(
        fig,
        f"Dots with 95 % intervals for each measure, order {order}. {'; '.join(told)}.",
        f"Order {order}. Bars are 95 % intervals over items (n = {n}, training seeds: {seeds}); "
        "they say nothing about other seeds or orders. Compare methods by their paired "
        "differences, not by whether bars overlap.",
    )
