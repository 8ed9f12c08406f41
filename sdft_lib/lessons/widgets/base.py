"""Thin ipywidgets over the tables: an explorer of templates (lessons 02, 09), a browser of answers
(04). Each is optional: the lesson shows the static table first; where widgets are off, the
functions return None. Works on ipywidgets 7.7 (Colab) and 8."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import IPython
import pandas
from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox, Widget, dlink

from sdft_lib.lessons.tables import answer_table, template_table
from sdft_lib.storage.processes import switch


def widgets_enabled() -> bool:
    """Whether a widget would be seen: ``SDFT_WIDGETS`` is not 0, and a kernel runs."""
    kernel = getattr(IPython.get_ipython(), "kernel", None)
    return kernel is not None and switch("SDFT_WIDGETS", True)


def follow(page: Callable[..., str], *lines: Sequence[Widget]) -> VBox | None:
    """Lines of controls above the HTML page of their values, redrawn when one of them settles."""
    if not widgets_enabled():
        return None
    controls = [control for line in lines for control in line]
    view = HTML()

    def turn(change: Any = None) -> None:
        view.value = page(*(control.value for control in controls))

    turn()
    for control in controls:
        control.observe(turn, names="value")
    return VBox([*(HBox(line) for line in lines), view])


def template_explorer(rows_by_template: Mapping[str, Sequence[Mapping]]) -> VBox | None:
    """Choose a template and a row: prompt, reference, rewrite and verdict."""
    known = rows_by_template
    counts = {name: len(rows) for name, rows in known.items()}
    return _browser(
        "template", counts, lambda name, row: template_table({name: known[name]}, row - 1)
    )


def answer_browser(answers: Any, *, prompts: Mapping[str, Any] | None = None) -> VBox | None:
    """Choose a suite and an item: the answers of all models side by side."""
    frame = pandas.DataFrame(answers)
    counts = frame.groupby("suite", sort=False)["id"].nunique().to_dict()
    return _browser(
        "suite", counts, lambda suite, row: answer_table(frame, suite, row - 1, prompts)
    )


def _browser(what: str, counts: Mapping[str, int], page: Callable[[str, int], str]) -> VBox | None:
    """A dropdown of names and a slider from 1 to the chosen one's count, above their page."""
    names = [name for name, count in counts.items() if count]
    if not names:
        return None
    choice = Dropdown(options=names, description=what)
    place = IntSlider(min=1, max=counts[names[0]], description="row", continuous_update=False)
    dlink((choice, "value"), (place, "max"), counts.get)  # a shorter list moves the slider back
    return follow(page, [choice, place])
