"""Widgets of lesson 05 on made-up rows: what a page says, that it follows its controls, and that it
may be absent.
"""

from types import SimpleNamespace

import pandas
import pytest

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.widgets import lesson_05 as widgets


def scores(methods, suites=("task", "facts"), seed=0, split="test"):
    """Two items a suite: the first one right."""
    return pandas.DataFrame(
        [
            {
                "method": method,
                "seed": seed,
                "checkpoint": 0.0 if method == "seed" else 1.0,
                "split": split,
                "suite": suite,
                "id": f"{suite}-{item}",
                "score": float(item == 0),
            }
            for method in methods
            for suite in suites
            for item in range(2)
        ]
    )


RECORDED = scores(("seed", "sft", "sdft"), ("task", "facts", "safety"))
MINE = scores(("seed", "sft-slow"))


def test_the_explorer_follows_its_controls(widgets_on):
    box = widgets.frontier_explorer(RECORDED, MINE)
    (suite, methods), view = box.children[0].children, box.children[1]
    assert suite.options == ("facts", "safety") and methods.options == ("sft", "sdft", "sft-slow")
    assert 'alt="Recorded: ' in view.value and "Yours: SFT, slow learnt 0.50" in view.value
    methods.value = ("sdft",)
    assert (
        "SDFT: learnt 0.50" in view.value and "SFT:" not in view.value and "Yours" not in view.value
    )
    suite.value = "safety"
    assert "score on safety" in view.value and "recorded" in view.value
    methods.value = ()
    assert view.value == "<p>Choose at least one method that has scores on this suite.</p>"


@pytest.mark.parametrize("frame, mine", [(RECORDED[:0], MINE), (RECORDED, MINE[:0])])
def test_one_side_may_be_missing(frame, mine, widgets_on):
    box = widgets.frontier_explorer(frame, mine)
    assert "data:image/png;base64," in box.children[1].value


def test_nothing_at_all_makes_no_widget(widgets_on):
    assert widgets.frontier_explorer(RECORDED[:0], MINE[:0]) is None
    assert widgets.frontier_explorer(scores(("seed",)), MINE[:0]) is None


def test_alternative_text_cannot_leave_its_attribute():
    page = style.image_html(style.Shown(style.new_axes(2)[0], 'a "b" <c>', "d & e"))
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in page and "d &amp; e" in page


def test_widgets_are_off_without_a_kernel_or_by_switch(monkeypatch):
    IPython = pytest.importorskip("IPython")
    assert widgets.frontier_explorer(RECORDED, MINE) is None
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setenv("SDFT_WIDGETS", "0")
    assert widgets.frontier_explorer(RECORDED, MINE) is None
