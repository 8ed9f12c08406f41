"""The matrix explorer (lesson 06): choose a method, an order and a measure, see which cells the
measure is made of.

``matrix_table`` is the static page that the lesson shows first; the widget only turns its pages.
"""

from typing import Any

from sdft_lib.experiments.continual import MEASURES, matrix
from sdft_lib.lessons.figures.style import look
from sdft_lib.lessons.tables import escape, table
from sdft_lib.lessons.widgets.base import widgets_enabled
from sdft_lib.storage.errors import SdftError

MARKS = {"+": ("#cfe6f5", "+"), "-": ("#f8dcc8", "\N{MINUS SIGN}"), "max": ("#cfe6f5", "max")}


def entering(measure: str, tasks: int) -> dict[tuple[int, int], str]:
    """{(stage, place of the task): "+", "-" or "max"} of the cells that enter a measure, as
    ``continual`` defines it.

    "max": of these cells of a task the largest is added. Raises SdftError for an unknown measure.
    """
    earlier, later = range(tasks - 1), range(1, tasks)
    if measure == "ACC":
        return {(tasks, j): "+" for j in range(tasks)}
    if measure == "BWT":
        return {(tasks, j): "+" for j in earlier} | {(j + 1, j): "-" for j in earlier}
    if measure == "FWT":
        return {(j, j): "+" for j in later} | {(0, j): "-" for j in later}
    if measure == "forgetting":
        return {(stage, j): "max" for stage in range(1, tasks) for j in earlier} | {
            (tasks, j): "-" for j in earlier
        }
    raise SdftError(f'measure "{measure}" is not known; use {", ".join(MEASURES)}.')


def matrix_table(frame: Any, method: str, order: str, measure: str, found: Any) -> str:
    """The task-by-stage matrix as HTML, the cells of one measure marked, its value and interval in
    the caption.

    ``frame`` has continual.COLUMNS, ``found`` is the table of ``continual.measures``. Raises
    SdftError if they lack method, order or measure."""
    r = matrix(frame[(frame["method"] == method) & (frame["order"] == order)])
    rows = found[
        (found["method"] == method) & (found["order"] == order) & (found["measure"] == measure)
    ]
    marks = entering(measure, len(r.columns))
    if rows.empty:
        raise SdftError(
            f'there is no {measure} of "{method}" in the order "{order}"; compute the measures first.'
        )
    tasks = [escape(task) for task in r.columns]
    stages = ["seed model", f"after {tasks[0]}", *(f"then {task}" for task in tasks[1:])]
    body = [
        (
            name,
            *(
                _cell(x, place == stage - 1, marks.get((stage, place), ""))
                for place, x in enumerate(r.iloc[stage])
            ),
        )
        for stage, name in enumerate(stages)
    ]
    return table(("", *tasks), body, _caption(rows.iloc[0], len(tasks)))


def _cell(x: float, own: bool, mark: str) -> str:
    """A score: in brackets where its task was just trained, with sign and background where it
    enters the measure.
    """
    text = f"[{x:.2f}]" if own else f"{x:.2f}"
    if not mark:
        return text
    colour, sign = MARKS[mark]
    return (
        f'<strong style="background:{colour};color:#222222;padding:0 0.3em">{sign} {text}</strong>'
    )


def _caption(row: Any, tasks: int) -> str:
    """What is shown and how the marked cells become the value."""
    how = {
        "ACC": f"the sum of the marked cells, divided by {tasks}",
        "BWT": f"final scores minus those in brackets, summed and divided by {tasks - 1}",
        "FWT": f"scores just before training minus those of the seed model, summed and divided by {tasks - 1}",
        "forgetting": f"in each column the largest cell marked max, minus the final one; summed, divided by {tasks - 1}"
        + (" (for each training seed, then averaged)" if row["seeds"] > 1 else ""),
    }
    return (
        f"{escape(look(row['method']).label)}, order {escape(row['order'])}. {row['measure']} = {row['mean']:+.2f} "
        f"(95 % interval {row['low']:+.2f} to {row['high']:+.2f}, n = {row['n']}, training seeds: {row['seeds']}): "
        f"{how[row['measure']]}. In brackets: the task that was just trained."
    )


def matrix_explorer(frame: Any, found: Any, *, enabled: bool | None = None) -> Any:
    """Choose method, order and measure: the matrix with the cells that enter it. None where widgets
    are off.
    """
    if not widgets_enabled(enabled) or found.empty:
        return None
    import ipywidgets

    orders = {
        name: list(part["order"].unique()) for name, part in found.groupby("method", sort=False)
    }
    first = next(iter(orders))
    method = ipywidgets.Dropdown(options=list(orders), value=first, description="method")
    order = ipywidgets.Dropdown(options=orders[first], value=orders[first][0], description="order")
    measure = ipywidgets.ToggleButtons(options=MEASURES, value=MEASURES[0], description="measure")
    view = ipywidgets.HTML()

    def turn(change: Any = None) -> None:
        if (
            order.value in orders[method.value]
        ):  # while the options change, the old order may still stand there
            view.value = matrix_table(frame, method.value, order.value, measure.value, found)

    def other_method(change: Any) -> None:
        kept = order.value if order.value in orders[method.value] else orders[method.value][0]
        order.options = orders[method.value]
        order.value = kept
        turn()

    method.observe(other_method, names="value")
    for control in (order, measure):
        control.observe(turn, names="value")
    turn()
    return ipywidgets.VBox([ipywidgets.HBox([method, order]), measure, view])
