"""Thin ipywidgets over the tables: an explorer of templates (lessons 02 and 07) and a browser of
answers (lesson 04).

Each is optional: the lesson shows the static table first and reads whole without the widget. Works
on ipywidgets 7.7 (Colab) and 8."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import IPython
import pandas
from ipywidgets import HTML, Dropdown, HBox, IntSlider, VBox, Widget, dlink

from sdft_lib.lessons.tables import answer_table, template_table


def widgets_enabled(asked: bool | None = None) -> bool:
    """Whether a widget would be seen: ``SDFT_WIDGETS`` is not 0, and a kernel runs. ``asked``
    decides where it is given."""
    if asked is not None:
        return asked
    kernel = getattr(IPython.get_ipython(), "kernel", None)
    return kernel is not None and os.environ.get("SDFT_WIDGETS", "1") != "0"


def follow(
    page: Callable[..., str], *lines: Sequence[Widget], enabled: bool | None = None
) -> VBox | None:
    """Lines of controls above the HTML page of their values, redrawn when one of them settles.
    None where widgets are off."""
    if not widgets_enabled(enabled):
        return None
    controls = [control for line in lines for control in line]
    view = HTML()

    def turn(change: Any = None) -> None:
        view.value = page(*(control.value for control in controls))

    turn()
    for control in controls:
        control.observe(turn, names="value")
    return VBox([*(HBox(line) for line in lines), view])


def template_explorer(
    rows_by_template: Mapping[str, Sequence[Mapping]], *, enabled: bool | None = None
) -> VBox | None:
    """Choose a template and a row: prompt, reference, rewrite and verdict. None where widgets are
    off."""

    def page(name: str, row: int) -> str:
        return template_table({name: rows_by_template[name]}, row - 1)

    counts = {name: len(rows) for name, rows in rows_by_template.items()}
    return _browser("template", counts, page, enabled)


def answer_browser(
    answers: Any, *, prompts: Mapping[str, Any] | None = None, enabled: bool | None = None
) -> VBox | None:
    """Choose a suite and an item: the answers of all models side by side. None where widgets are
    off."""
    frame = pandas.DataFrame(answers)

    def page(suite: str, row: int) -> str:
        return answer_table(frame, suite, row - 1, prompts)

    counts = frame.groupby("suite", sort=False)["id"].nunique().to_dict()
    return _browser("suite", counts, page, enabled)


def _browser(
    what: str, counts: Mapping[str, int], page: Callable[[str, int], str], enabled: bool | None
) -> VBox | None:
    """A dropdown of names and a slider from 1 to the chosen one's count, above their page."""
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        return None
    choice = Dropdown(options=list(counts), description=what)
    last = counts[choice.value]
    place = IntSlider(value=1, min=1, max=last, description="row", continuous_update=False)
    dlink((choice, "value"), (place, "max"), counts.get)  # a shorter list moves the slider back
    return follow(page, [choice, place], enabled=enabled)
