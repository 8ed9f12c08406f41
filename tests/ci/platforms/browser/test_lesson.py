"""The browser test sees what is wrong with a lesson: small notebooks in a real JupyterLab, without
a model.
"""

import sys
from pathlib import Path

import nbformat
import pytest

from ci.platforms import browser_lesson, browser_page, browser_place

START = """
import ipywidgets
from IPython.display import HTML, Image, display
from sdft_lib.lessons import tables
from sdft_lib.lessons.widgets import base as widgets
def row(name, at):
    text, messages = f"{name} {at}", [{"role": "user", "content": "?"}]
    return {"id": text, "messages": messages, "reference": "a", "raw": text, "text": text,
            "reason": "accepted", "source": "rewritten"}
rows = {name: [row(name, at) for at in range(5)] for name in ("first", "second")}
"""
STATIC = "tables.show_html(tables.template_table(rows, 0))"
GOOD = [
    START,
    STATIC,
    "widgets.template_explorer(rows)",
    """
share = ipywidgets.SelectionSlider(options=[0, 50, 100], description="share")
seen = ipywidgets.HTML("<table><tr><td>0 %</td></tr></table>")
def follow(change):
    seen.value = f"<table><tr><td>{share.value} %</td></tr></table>"
share.observe(follow, names="value")
display(HTML(seen.value))
ipywidgets.VBox([share, seen])""",
    """
pages = {name: f"<table><tr><td>{name}</td></tr></table>" for name in "abc"}
many = ipywidgets.SelectMultiple(options=list(pages), value=("a", "b", "c"))
view = ipywidgets.HTML("abc")
one = ipywidgets.ToggleButtons(options=list(pages))
def turn(change):
    view.value = "".join(map(pages.get, many.value)) + one.value
many.observe(turn, names="value")
one.observe(turn, names="value")
display(HTML(pages["a"]))
ipywidgets.VBox([many, one, view])""",
]
STILL = """
display(HTML("<table></table>"))
box = ipywidgets.Dropdown(options=["a", "b"], description="letter")
ipywidgets.VBox([box, ipywidgets.HTML("the same")])"""
ALIEN = """
box = ipywidgets.Dropdown(options=["a", "b"])
text, view = ipywidgets.Text(), ipywidgets.HTML("a")
box.observe(lambda change: setattr(view, "value", box.value), names="value")
ipywidgets.VBox([box, text, view])"""
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    place, folder = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("notebooks")
    with browser_place.server(Path(sys.executable), place, folder) as running:
        yield running


def attempt(driver, server, monkeypatch, cells: list, *, outputs: dict | None = None):
    """What the browser test finds in a notebook of these code cells; ``outputs`` are those of its
    reading copy.
    """
    monkeypatch.setattr(browser_page, "SIZE", {"width": 1280, "height": 900})
    first = nbformat.v4.new_code_cell("fast: bool = False", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A lesson"), first])
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in cells]
    for index, data in (outputs or {}).items():
        notebook.cells[2 + index].outputs = [nbformat.v4.new_output("display_data", data=data)]
    path = server.folder / "00_lesson.ipynb"
    nbformat.write(notebook, path)
    out = server.folder.parent / "out"
    out.mkdir(exist_ok=True)
    return browser_lesson.attempt(driver, server, path, out, runs=True)


def test_a_good_lesson_passes(driver, server, monkeypatch):
    found = attempt(driver, server, monkeypatch, GOOD)
    assert found.wrong == []
    assert (found.widgets, found.controls) == (3, 5)


def test_a_control_that_does_nothing_is_seen(driver, server, monkeypatch):
    monkeypatch.setattr("ci.platforms.browser_page.WAIT", 2)
    found = attempt(driver, server, monkeypatch, [START, STILL])
    assert any("picking b changes nothing" in line for line in found.wrong)
    assert any("Home on the dropdown changes nothing" in line for line in found.wrong)


def test_a_control_of_another_kind_and_a_widget_alone_are_seen(driver, server, monkeypatch):
    found = attempt(driver, server, monkeypatch, [START, ALIEN])
    assert any("a control that the test does not know" in line for line in found.wrong)
    assert any("no static figure or table before it" in line for line in found.wrong)


def test_errors_warnings_and_what_was_not_run_are_seen(driver, server, monkeypatch):
    found = attempt(
        driver, server, monkeypatch, ["import sys; print('mind', file=sys.stderr)", "1 / 0", "2"]
    )
    said = "\n".join(found.wrong)
    assert (
        "cell 3 warned: mind" in said
        and "ZeroDivisionError" in said
        and "cell 5 did not run" in said
    )


def test_a_lost_figure_and_the_console_are_seen(driver, server, monkeypatch):
    script = "from IPython.display import Javascript\nJavascript('console.error(\"oh no\")')"
    away = "from IPython.display import HTML\nHTML('<img src=\"http://example.org/x.png\">')"
    found = attempt(
        driver, server, monkeypatch, ["1", script, away], outputs={0: {"image/png": PIXEL}}
    )
    said = "\n".join(found.wrong)
    assert "0 figures, the reading copy has 1" in said and "console: oh no" in said
    assert "the page asked for http://example.org/x.png" in said and "1 broken pictures" in said
