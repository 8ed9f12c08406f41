"""Thin ipywidgets of lesson 08: what fits where, and which published differences their items carry.

Each is optional: the lesson shows the static figure first. Works on ipywidgets 7.7 (Colab) and 8.
"""

from typing import Any

from sdft_lib.lessons.widgets.base import widgets_enabled
from sdft_lib.lessons.widgets.evidence import image_html

MODELS = ("llama-2-7b", "llama-2-13b", "llama-3-8b")
TABLES = (1, 2, 5)
ROWS = (1, 2, 4, 8)  # that go through the model at once


def memory_page(name: str, rows: int, length: int) -> str:
    """The memory to train a model on ``rows`` of ``length`` tokens at once, half of them trained
    on, as HTML.
    """
    from sdft_lib.lessons.figures.scale import memory_parts
    from sdft_lib.scale.memory import training_table

    tokens = rows * length
    return image_html(memory_parts(training_table(name, tokens=tokens, targets=tokens // 2), name))


def memory_explorer(*, enabled: bool | None = None) -> Any:
    """Choose a model, the rows that go through it at once and their length. None where widgets are
    off.
    """
    if not widgets_enabled(enabled):
        return None
    import ipywidgets

    model = ipywidgets.Dropdown(options=MODELS, value=MODELS[0], description="model")
    rows = ipywidgets.SelectionSlider(
        options=ROWS, value=8, description="rows", continuous_update=False
    )
    length = ipywidgets.IntSlider(
        value=1024, min=256, max=4096, step=256, description="tokens", continuous_update=False
    )
    return _following((model, rows, length), memory_page)


def published_page(table: int, trained_on: str) -> str:
    """The published differences of one table and one training set ("all": every one) as HTML."""
    from sdft_lib.lessons.figures.published import published_differences
    from sdft_lib.scale.published import carried, load_published

    found = carried(load_published(table=table))
    if trained_on != "all":
        found = found[found["training_set"] == trained_on]
    if found.empty:
        return f"<p>Table {table} has no model that was trained on this set.</p>"
    return image_html(published_differences(found))


def published_explorer(*, enabled: bool | None = None) -> Any:
    """Choose a table of the paper and a training set. None where widgets are off."""
    if not widgets_enabled(enabled):
        return None
    import ipywidgets

    table = ipywidgets.Dropdown(options=TABLES, value=TABLES[0], description="table")
    trained = ipywidgets.Dropdown(
        options=("all", "openfunctions", "gsm8k", "magicoder"),
        value="all",
        description="trained on",
    )
    return _following((table, trained), published_page)


def _following(controls: tuple, page: Any) -> Any:
    """Controls in a line above the page of their values, redrawn when one of them settles."""
    import ipywidgets

    view = ipywidgets.HTML(value=page(*(control.value for control in controls)))

    def turn(change: Any = None) -> None:
        view.value = page(*(control.value for control in controls))

    for control in controls:
        control.observe(turn, names="value")
    return ipywidgets.VBox([ipywidgets.HBox(list(controls)), view])
