"""The widgets of lesson 10: what fits where, and which published differences are shown."""

from ipywidgets import Dropdown, IntSlider, SelectionSlider, VBox

from sdft_lib.lessons.figures.lesson_10 import memory_parts, published_differences
from sdft_lib.lessons.figures.style import image_html
from sdft_lib.lessons.widgets.base import follow
from sdft_lib.scale.memory import training_table
from sdft_lib.scale.published import load_published, sdft_minus_sft

MODELS = ("llama-2-7b", "llama-2-13b", "llama-3-8b")
TABLES = (1, 2, 5)
TRAINED_ON = ("all", "openfunctions", "gsm8k", "magicoder")
ROWS = (1, 2, 4, 8)  # that go through the model at once


def memory_explorer() -> VBox | None:
    """Choose a model, its rows at once and their length. None where widgets are off."""
    settle = {"continuous_update": False}  # draw when a slider is let go
    model = Dropdown(options=MODELS, description="model")
    rows = SelectionSlider(options=ROWS, value=8, description="rows", **settle)
    limits = {"value": 1024, "min": 256, "max": 4096, "step": 256}
    length = IntSlider(description="tokens", **limits, **settle)

    def page(name: str, rows: int, length: int) -> str:
        tokens = rows * length  # half of them are trained on
        parts = training_table(name, tokens=tokens, targets=tokens // 2)
        return image_html(memory_parts(parts, name))

    return follow(page, [model, rows, length])


def published_explorer() -> VBox | None:
    """Choose a table of the paper and a training set. None where widgets are off."""
    table = Dropdown(options=TABLES, description="table")
    trained_on = Dropdown(options=TRAINED_ON, description="trained on")

    def page(table: int, trained_on: str) -> str:
        differences = sdft_minus_sft(load_published(table=table))
        if trained_on != "all":
            differences = differences[differences["training_set"] == trained_on]
        if differences.empty:
            return f"<p>Table {table} has no model that was trained on this set.</p>"
        return image_html(published_differences(differences))

    return follow(page, [table, trained_on])
