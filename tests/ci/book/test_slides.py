"""Slides are the headings, questions and figures of a lesson, and fetch nothing."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ci.book import slides
from ci.lessons.sources import NOTEBOOKS, lesson_sources

PICTURE = new_output(
    "display_data",
    data={"image/png": "iVBO\nRw0=", "text/plain": "x"},
    metadata={"image/png": {"alt": 'SFT says "billing" & loses facts'}},
)
LESSON = [
    new_markdown_cell("# 01 Gap: how far?\n\n**You will** see [it](x.md).\n\n**Time:** a minute."),
    new_code_cell("print(1)"),
    new_markdown_cell("## 1. First\n\nTwo things:\n\n- one\n- two\n\nMore text."),
    new_code_cell("draw()", outputs=[PICTURE]),
    new_markdown_cell("Text.\n\n**Question.** Why?\n<details><summary>A</summary>So.</details>"),
    new_markdown_cell("## Quiz\n\n**Question.** No slide."),
    new_markdown_cell("## Exercises\n\nWrite.\n\n### Exercise 1.1: one"),
    new_code_cell("x = 1", outputs=[PICTURE]),
    new_markdown_cell("### Exercise 1.2: two\n\nMore."),
]


def test_what_a_class_needs_to_see():
    pytest.importorskip("latex2mathml", reason="the extra `book`")
    cells = slides.slides(new_notebook(cells=LESSON)).cells
    found = [(cell.metadata.slideshow.slide_type, cell.source) for cell in cells]
    picture, words = slides.figures(LESSON[3])[0]
    assert '"data:image/png;base64,iVBORw0="' in picture and "&quot;billing&quot; &amp;" in picture
    shown = [
        ("slide", "# 01 Gap: how far?\n\n**You will** see it."),
        ("slide", "## 1. First\n\nTwo things:\n\n- one\n- two"),
        ("subslide", picture),
        ("notes", words),
        ("subslide", "**Question.** Why?"),
        ("slide", "## Exercises\n\n- Exercise 1.1: one\n- Exercise 1.2: two"),
        ("subslide", picture),
        ("notes", words),
    ]
    assert found == shown


@pytest.mark.parametrize("source", lesson_sources(), ids=lambda path: path.stem)
def test_a_deck_shows_every_figure_and_fetches_nothing(source):
    pytest.importorskip("latex2mathml", reason="the extra `book`")
    copy = NOTEBOOKS / f"{source.stem}.ipynb"
    html = slides.deck(copy)
    cells = nbformat.read(copy, as_version=4).cells
    figures = sum(len(slides.figures(cell)) for cell in cells)
    assert html.count("<img ") == html.count("data:image/png;base64,") == figures > 0
    assert not re.search(r"(src|href)=\"?(https?:)?//", html) and "$$" not in html
    assert html.count("<h1") == 1 and html.count("<section") > 8
