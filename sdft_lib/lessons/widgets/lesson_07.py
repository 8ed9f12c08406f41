"""The matrix explorer of lesson 07: which cells a measure is made of. ``matrix_table`` is the
static page that the lesson shows first; the widget only turns its pages."""

from typing import Any

import pandas
from ipywidgets import Dropdown, ToggleButtons, VBox

from sdft_lib.experiments.continual import MEASURES, matrix
from sdft_lib.formats.toml import check_known
from sdft_lib.lessons.figures.lesson_07 import stage_names
from sdft_lib.lessons.figures.style import look
from sdft_lib.lessons.tables import table
from sdft_lib.lessons.widgets.base import follow
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.safe import escape

HOW = {  # the marked cells become the value: this, and the number of tasks that enter it
    "ACC": "the sum of the marked cells, divided by",
    "BWT": "final scores minus those in brackets, summed and divided by",
    "FWT": "scores just before training minus those of the seed model, summed and divided by",
    "forgetting": "in each column the largest cell marked max, minus the final one; summed, "
    "divided by",
}
MARKS = {"+": ("#cfe6f5", "+"), "-": ("#f8dcc8", "\N{MINUS SIGN}"), "max": ("#cfe6f5", "max")}


def matrix_explorer(frame: pandas.DataFrame, measured: pandas.DataFrame) -> VBox | None:
    """Choose method, order, measure: the cells that enter it. None without widgets or measures."""
    if measured.empty:
        return None
    orders = measured.groupby("method", sort=False)["order"].unique().map(list).to_dict()
    method = Dropdown(options=list(orders), description="method")
    order = Dropdown(options=orders[method.value], description="order")
    measure = ToggleButtons(options=MEASURES, description="measure")

    def other_method(change: Any) -> None:
        """Offer the method's orders; one that both methods have stays chosen."""
        before, order.options = order.value, orders[method.value]
        order.value = before if before in order.options else order.options[0]

    method.observe(other_method, names="value")
    return follow(
        lambda *chosen: matrix_table(frame, *chosen, measured), [method, order], [measure]
    )


def matrix_table(
    frame: pandas.DataFrame, method: str, order: str, measure: str, measured: pandas.DataFrame
) -> str:
    """The task-by-stage matrix as HTML, the cells of one measure marked, its value and interval in
    the caption. ``frame`` has continual.COLUMNS, ``measured`` is the table of
    ``continual.measures``; SdftError if they lack method, order or measure."""
    r = matrix(frame[(frame["method"] == method) & (frame["order"] == order)])
    marks, tasks = entering(measure, len(r.columns)), [escape(task) for task in r.columns]
    keys = {"method": method, "order": order, "measure": measure}
    rows = measured[(measured[list(keys)] == pandas.Series(keys)).all(axis=1)]
    if rows.empty:
        lack = f'no {measure} of "{method}" in the order "{order}"'
        raise SdftError(f"{lack}; compute the measures first.")
    body = []
    for stage, name in enumerate(stage_names(tasks)):
        cells = [name]
        for place, score in enumerate(r.iloc[stage]):
            text = f"[{score:.2f}]" if place == stage - 1 else f"{score:.2f}"
            if (stage, place) in marks:
                colour, sign = MARKS[marks[stage, place]]
                how = f"background:{colour};color:#222222;padding:0 0.3em"
                text = f'<strong style="{how}">{sign} {text}</strong>'
            cells.append(text)
        body.append(cells)
    row = rows.iloc[0]
    how = f"{HOW[measure]} {len(tasks) - (measure != 'ACC')}"
    if measure == "forgetting" and row["seeds"] > 1:
        how += " (for each training seed, then averaged)"
    caption = (
        f"{escape(look(method).label)}, order {escape(order)}. {measure} = {row['mean']:+.2f} "
        f"(95 % interval {row['low']:+.2f} to {row['high']:+.2f}, n = {row['n']}, training seeds: "
        f"{row['seeds']}): {how}. In brackets: the task that was just trained."
    )
    return table(("", *tasks), body, caption)


def entering(measure: str, tasks: int) -> dict[tuple[int, int], str]:
    """{(stage, place of the task): "+", "-" or "max"} of the cells that enter a measure (as
    ``continual`` has it). "max": of these cells of a task the largest is added."""
    check_known(measure, MEASURES, "measure")
    earlier, later = range(tasks - 1), range(1, tasks)
    if measure == "ACC":
        return {(tasks, j): "+" for j in range(tasks)}
    if measure == "BWT":
        return {(tasks, j): "+" for j in earlier} | {(j + 1, j): "-" for j in earlier}
    if measure == "FWT":
        return {(j, j): "+" for j in later} | {(0, j): "-" for j in later}
    last = {(tasks, j): "-" for j in earlier}
    return {(stage, j): "max" for stage in later for j in earlier} | last
