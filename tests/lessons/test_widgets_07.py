"""The matrix explorer: the marked cells make the measure, and the page follows the controls."""

import re

import pandas
import pytest

from sdft_lib.experiments import continual
from sdft_lib.lessons.widgets import lesson_07 as widgets
from sdft_lib.storage.errors import SdftError

ORDER, OTHER = "tickets-sums-calls", "calls-sums-tickets"
MADE = {"SFT (yours)": (ORDER,), "replay (recorded)": (ORDER, OTHER)}


def scores(made=None):
    """Graded made-up scores: the number of the row decides."""
    rows = []
    for method, orders in (made or MADE).items():
        for order in orders:
            for stage in range(4):
                for place, task in enumerate(order.split("-")):
                    rows += [
                        (
                            method,
                            0,
                            order,
                            stage,
                            task,
                            f"{task}-{i}",
                            (7 * stage + 3 * place + 5 * i + len(method)) % 11 / 10,
                        )
                        for i in range(6)
                    ]
    return pandas.DataFrame(rows, columns=continual.COLUMNS)


@pytest.fixture(scope="module")
def frame():
    return scores()


@pytest.fixture(scope="module")
def found(frame):
    return continual.measures(frame)


@pytest.mark.parametrize("tasks", [2, 3, 5])
@pytest.mark.parametrize("measure", continual.MEASURES)
def test_the_marked_cells_make_the_measure(measure, tasks):
    """Marks, put together as they say, are what continual reads off."""
    import numpy

    r = numpy.random.default_rng(tasks).random((tasks + 1, tasks))
    marks = widgets.entering(measure, tasks)
    signed = sum({"+": 1, "-": -1, "max": 0}[mark] * r[cell] for cell, mark in marks.items())
    columns = {j for (_, j), mark in marks.items() if mark == "max"}
    largest = sum(
        max(r[cell] for cell, mark in marks.items() if mark == "max" and cell[1] == j)
        for j in columns
    )
    count = tasks if measure == "ACC" else tasks - 1
    assert (signed + largest) / count == pytest.approx(continual._read_off(r)[measure])


def test_an_unknown_measure_is_refused(frame, found):
    with pytest.raises(SdftError, match="ACC, BWT, FWT, forgetting"):
        widgets.entering("accuracy", 3)
    with pytest.raises(SdftError, match="compute the measures first"):
        widgets.matrix_table(frame, "SFT (yours)", ORDER, "BWT", found[:0])


def test_the_table_marks_cells_and_says_the_value(frame, found):
    page = widgets.matrix_table(frame, "SFT (yours)", ORDER, "BWT", found)
    value = found[(found["method"] == "SFT (yours)") & (found["measure"] == "BWT")]["mean"].iloc[0]
    assert f"BWT = {value:+.2f}" in page and "SFT (yours), order tickets-sums-calls" in page
    assert (
        page.count("<strong") == 4 and page.count("\N{MINUS SIGN} [") == 2
    )  # taken away: the cells just trained
    assert (
        len(re.findall(r"\[\d\.\d\d\]", page)) == 3
        and "seed model" in page
        and "then calls" in page
    )
    several = widgets.matrix_table(frame, "SFT (yours)", ORDER, "forgetting", found.assign(seeds=2))
    assert "for each training seed" in several and several.count("max ") >= 4


def test_names_cannot_break_the_page():
    frame = scores({"<b>x": ("<i>a-$b",)}).query("stage < 3")
    page = widgets.matrix_table(frame, "<b>x", "<i>a-$b", "ACC", continual.measures(frame))
    assert "<b>" not in page and "<i>" not in page and "$b" not in page


def test_the_explorer_follows_its_controls(frame, found, widgets_on):
    box = widgets.matrix_explorer(frame, found)
    (method, order), (measure,) = (line.children for line in box.children[:2])
    view = box.children[2]
    assert "SFT (yours), order tickets-sums-calls. ACC" in view.value and list(order.options) == [
        ORDER
    ]
    measure.value = "BWT"
    assert "BWT =" in view.value
    method.value = "replay (recorded)"
    assert list(order.options) == [ORDER, OTHER] and order.value == ORDER
    assert "SFT + replay (recorded), order tickets-sums-calls. BWT" in view.value
    order.value = OTHER
    assert "SFT + replay (recorded), order calls-sums-tickets. BWT" in view.value
    method.value = "SFT (yours)"  # it has no second order: back to the one it has
    assert order.value == ORDER and "SFT (yours), order tickets-sums-calls. BWT" in view.value


def test_no_widget_where_widgets_are_off(frame, found):
    assert widgets.matrix_explorer(frame, found) is None


def test_no_widget_where_nothing_was_measured(frame, found, widgets_on):
    assert widgets.matrix_explorer(frame, found[:0]) is None
