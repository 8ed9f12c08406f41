"""Thin ipywidgets over the tables: an explorer of templates (lesson 02) and a browser of answers
(lesson 04).

Each is optional: the lesson shows the static table first and reads whole without the widget.
Works on ipywidgets 7.7 (Colab) and 8.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdft_lib.lessons.tables import answer_table, answers_of, records, show_html, template_table

__all__ = [
    "answer_browser",
    "answer_table",
    "show_html",
    "template_explorer",
    "template_table",
    "widgets_enabled",
]


def widgets_enabled(asked: bool | None = None) -> bool:
    """Whether a widget would be seen: ``SDFT_WIDGETS`` is not 0, ipywidgets is there, and a kernel
    runs.

    ``asked`` decides where it is given.
    """
    if asked is not None:
        return asked
    if os.environ.get("SDFT_WIDGETS", "1") == "0":
        return False
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def template_explorer(
    rows_by_template: Mapping[str, Sequence[Mapping]], *, enabled: bool | None = None
) -> Any:
    """Choose a template and a row: prompt, reference, rewrite and verdict. None where widgets are
    off.
    """
    if not widgets_enabled(enabled):
        return None
    return _browser(
        "template",
        list(rows_by_template),
        lambda name: len(rows_by_template[name]),
        lambda name, item: template_table({name: rows_by_template[name]}, item),
    )


def answer_browser(
    answers: Any, *, prompts: Mapping[str, Any] | None = None, enabled: bool | None = None
) -> Any:
    """Choose a suite and an item: the answers of all models side by side. None where widgets are
    off.
    """
    if not widgets_enabled(enabled):
        return None
    rows = records(answers)
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    by_suite = {suite: [row for row in rows if row["suite"] == suite] for suite in suites}
    counts = {suite: len(answers_of(by_suite[suite], suite)) for suite in suites}
    return _browser(
        "suite",
        suites,
        counts.__getitem__,
        lambda suite, item: answer_table(by_suite[suite], suite, item, prompts),
    )


def _browser(
    what: str, names: list[str], count: Callable[[str], int], page: Callable[[str, int], str]
) -> Any:
    """A dropdown, a slider from 1 and the HTML page they choose; the page is redrawn when either
    settles.
    """
    import ipywidgets

    names = [name for name in names if count(name)]
    if not names:
        return None
    choice = ipywidgets.Dropdown(options=names, value=names[0], description=what)
    place = ipywidgets.IntSlider(
        value=1, min=1, max=count(names[0]), description="row", continuous_update=False
    )
    view = ipywidgets.HTML(value=page(names[0], 0))

    def turn(change: Any = None) -> None:
        place.max = count(choice.value)  # a shorter list moves the slider back by itself
        view.value = page(choice.value, place.value - 1)

    choice.observe(turn, names="value")
    place.observe(turn, names="value")
    return ipywidgets.VBox([ipywidgets.HBox([choice, place]), view])
