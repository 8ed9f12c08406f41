"""Figures and tables on made-up data: words that hold the numbers, safe HTML, widgets that
react.
"""

import base64
from types import SimpleNamespace

import pandas
import pytest

from sdft_lib.lessons import tables
from sdft_lib.lessons.figures import (
    concepts,
    intervals,
    lesson_01,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_07,
    lesson_08,
    rewrites,
    style,
)
from sdft_lib.lessons.widgets import base as widgets
from sdft_lib.stats import Interval
from sdft_lib.storage import safe
from sdft_lib.storage.errors import SdftError

SCORES = [
    {
        "method": method,
        "suite": suite,
        "mean": mean,
        "low": mean - 0.05,
        "high": mean + 0.05,
        "n": 200,
    }
    for suite, means in (("task", (0.1, 0.61, 0.59)), ("facts", (0.69, 0.38, 0.67)))
    for method, mean in zip(("seed", "sft", "sdft"), means)
]
TWICE = [*SCORES]  # each ability of the facts once more, its answer opened
for cell in SCORES[3:]:
    lower = {key: cell[key] - 0.1 for key in ("mean", "low", "high")}
    TWICE.append(cell | lower | {"suite": "facts-opened"})
PAIRED = [
    {"suite": suite, "a": "sdft-2026", "b": other, "verdict": "lower"}
    | {"difference": -0.4, "low": -0.5, "high": -0.3}
    for suite in ("task", "facts")
    for other in ("sdft", "seed")
]
ENDS = pandas.DataFrame(
    {"acquisition": [0.0, 0.9, 0.3, 0.1], "kept": [0.6, 0.1, 0.5, 0.6]},
    index=["seed", "sft", "sft-scaled-25", "stm"],
)
LOG = [{"step": 10, "loss": 4.25}, {"step": 20, "loss": 1.5}, {"step": 30, "loss": float("nan")}]
POINTS = [
    {
        "method": method,
        "seed": seed,
        "checkpoint": share,
        "acquisition": x + seed / 50,
        "kept": y - seed / 50,
        "suite": "facts",
        "n_task": 96,
        "n_kept": 120,
    }
    for method, curve in {
        "seed": ((0, 0.0, 0.70),),
        "sft": ((0.25, 0.38, 0.62), (0.5, 0.55, 0.50), (1.0, 0.60, 0.38)),
        "sdft": ((0.25, 0.30, 0.70), (0.5, 0.48, 0.69), (1.0, 0.58, 0.66)),
        "sft-replay": ((0.25, 0.35, 0.66), (0.5, 0.52, 0.58), (1.0, 0.56, 0.55)),
    }.items()
    for seed in range(1 if method == "seed" else 3)
    for share, x, y in curve
]


def matrix():
    """A matrix with what continual.matrix says about it."""
    found = pandas.DataFrame(
        [[0.02, 0.21, 0.14], [0.83, 0.1, 0.12], [0.61, 0.44, 0.05], [0.4, 0.3, 0.7]],
        columns=["tickets", "sums", "calls"],
    )
    found.attrs = {"method": "sft", "n": {"tickets": 96, "sums": 100, "calls": 80}, "seeds": 2}
    return found


def kept(**reasons):
    """A table as distill.keep_table makes it."""
    return pandas.DataFrame({"template": list(reasons), "reasons": list(reasons.values())})


CASES = {
    "gap": (
        lambda: rewrites.gap_histogram(
            {"references": [6.0, 7.0, 8.0], "rewrites": [0.5, 1.0, 1.5]},
            gap=Interval(6.0, 5.5, 6.5, 3),
        ),
        ("7.00", "1.00", "5.50 to 6.50"),
    ),
    "keep": (
        lambda: rewrites.keep_rates(kept(guide={"accepted": 4, "loop": 96})),
        ("4 %", "(4 of 100)", "“loop” (96)"),
    ),
    "tokens": (
        lambda: lesson_01.token_strips(
            {"reference": (["Ġ$5 $6", "\u202e", "<|im_end|>"], [9.5, 0.5, 1.0])}
        ),
        ("11.0", "␣$5␣$6", "9.5"),
    ),
    "pipeline": (concepts.pipeline, ("it is trained on; if not, the reference is",)),
    "the gap": (concepts.gap, ("SFT moves the model", "SDFT moves the data")),
    "the mask": (concepts.loss_mask, ("prompt are grey", "each has a loss")),
    "lora": (concepts.lora, ("W plus alpha over rank times B times A",)),
    "a frontier": (concepts.frontier, ("Top right is where you want to be",)),
    "stages": (concepts.tasks_in_a_row, ("After training on A, A is high",)),
    "loss": (lambda: lesson_03.loss_curves({"sft": LOG, "sdft": LOG}), ("4.25", "1.50 at step 20")),
    "scores": (
        lambda: intervals.scores(SCORES),
        ("facts: seed 0.69 (0.64 to 0.74), SFT 0.38", "SDFT 0.67"),
    ),
    "headline": (
        lambda: intervals.headline(SCORES),
        ("task learnt: seed 0.10 (0.05 to 0.15), SFT 0.61", "facts kept: seed 0.69", "SDFT 0.67"),
    ),
    "muted": (
        lambda: lesson_04.muted(TWICE),
        ("facts and facts-opened: seed 0.69 and 0.59, SFT 0.38",),
    ),
    "tradeoff": (lambda: intervals.tradeoff(SCORES), ("SFT 0.61 (0.56 to 0.66) on task and 0.38",)),
    "cost": (
        lambda: lesson_04.cost_bars(
            {"sft": {"training": 210}, "sdft": {"rewriting": 95.4, "training": 388}}
        ),
        ("SDFT 95 s", "total: SFT 3 min 30 s, SDFT 8 min 03 s"),
    ),
    "frontier": (
        lambda: lesson_05.frontier(POINTS),
        (
            "seed: learnt 0.00; kept 0.70",
            "SFT (3 seeds): learnt 0.40 at first, 0.62 at the end; ",
            "; kept 0.60 at first, 0.36 at the end",
            "SFT + replay (3 seeds)",
        ),
    ),
    "ceiling": (
        lambda: lesson_08.ceiling([row | {"suite": "task", "units": 90} for row in SCORES[:2]]),
        ("seed 0.10 (0.05 to 0.15); sft 0.61",),
    ),
    "differences": (
        lambda: lesson_08.differences(PAIRED),
        ("task: SDFT 2026 minus SDFT -0.40 (-0.50 to -0.30), lower", "facts: SDFT 2026 minus"),
    ),
    "remedies": (
        lambda: lesson_05.remedies(ENDS),
        (
            "SFT, adapter scaled: SFT x 0.25 0.30 and 0.50, SFT 0.90 and 0.10; ",
            "anchors: not recorded; other losses: STM 0.10 and 0.60; ",
        ),
    ),
    "matrix": (
        lambda: lesson_07.stage_matrix(matrix()),
        (
            "SFT",
            "seed model: tickets 0.02, sums 0.21",
            "then sums: tickets 0.61, sums 0.44, calls 0.05",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_says_its_numbers_and_draws(name, check_figure):
    make, said = CASES[name]
    check_figure(make(), said)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rewrites.gap_histogram({"reference": [float("nan")]}),
        lambda: rewrites.keep_rates(kept()),
        lambda: lesson_01.token_strips({"reference": (["a"], [1.0, 2.0])}),
        lambda: lesson_03.loss_curves({"sft": []}),
        lambda: intervals.scores([]),
        lambda: intervals.tradeoff([]),
        lambda: intervals.headline([]),
        lambda: intervals.headline(SCORES[:3]),
        lambda: lesson_04.muted(SCORES),
        lambda: lesson_04.cost_bars({}),
        lambda: lesson_05.frontier([]),
        lambda: lesson_05.frontier(POINTS[:1]),
        lambda: lesson_05.frontier([*POINTS, POINTS[0] | {"suite": "safety"}]),
        lambda: lesson_05.remedies(ENDS.drop("seed")),
        lambda: lesson_05.remedies(ENDS[:1]),
        lambda: lesson_08.ceiling([]),
        lambda: lesson_08.differences([]),
    ],
)
def test_nothing_to_draw_is_one_sentence(make):
    with pytest.raises(SdftError):
        make()


def test_frames_and_dicts_say_the_same():
    assert intervals.scores(pandas.DataFrame(SCORES)).alt == intervals.scores(SCORES).alt
    assert intervals.tradeoff(pandas.DataFrame(SCORES)).alt == intervals.tradeoff(SCORES).alt
    assert lesson_05.frontier(pandas.DataFrame(POINTS)).alt == lesson_05.frontier(POINTS).alt


def test_the_frontier_draws_a_line_for_each_seed_in_the_order_of_training():
    ax = lesson_05.frontier(POINTS[::-1]).fig.axes[0]
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert len(lines) == 9 and all(line.get_linewidth() <= 1 for line in lines)
    assert all(
        list(line.get_xdata()) == sorted(line.get_xdata()) for line in lines
    )  # these curves learn steadily
    assert len({line.get_color() for line in lines}) == 3


def test_the_model_before_training_is_a_level_that_does_not_widen_the_figure():
    ax = lesson_05.frontier(POINTS).fig.axes[0]
    assert ax.get_xlim()[0] > 0.2
    assert [text.get_text() for text in ax.texts] == ["seed\n(learnt 0.00)"]
    assert "seed: learnt 0.00; kept 0.70" in lesson_05.frontier(POINTS).alt


def test_noise_does_not_fill_an_axis():
    close = [row | {"acquisition": 0.5, "kept": 0.5 + row["seed"] / 1000} for row in POINTS]
    low, high = lesson_05.frontier(close).fig.axes[0].get_ylim()
    assert high - low > 0.2


def test_captions_state_items_and_seeds():
    assert "task n = 96, facts n = 120" in lesson_05.frontier(POINTS).caption
    said = lesson_07.stage_matrix(matrix()).caption
    assert "n = 80–100 items a task and 2 training seeds" in said and "at most 0.11" in said


def test_a_matrix_frames_what_was_just_trained():
    ax = lesson_07.stage_matrix(matrix()).fig.axes[0]
    assert [(patch.get_x() + 0.47, patch.get_y() + 0.45) for patch in ax.patches] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    assert [text.get_text() for text in ax.texts][:3] == ["0.02", "0.21", "0.14"]


def test_the_methods_of_the_grid_look_different():
    from sdft_lib.experiments.methods import ONE_TASK

    looks = [style.look(name, 0) for name in ("seed", *ONE_TASK)]
    for part in ("label", "colour", "marker"):
        assert len({getattr(one, part) for one in looks}) == len(ONE_TASK) + 1


def test_save_to_an_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SdftError):
        style.save(CASES["scores"][0](), tmp_path / "file" / "a.png")


def test_show_puts_the_words_where_readers_look(monkeypatch):
    IPython = pytest.importorskip("IPython")
    calls = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda data, **more: calls.append((data, more)))
    shown = style.Shown(CASES["loss"][0]().fig, "Lines <fall>.", "One & only.")
    style.show(shown)
    (image, more), (caption, _) = calls
    assert more["metadata"]["image/png"]["alt"] == image["text/plain"] == "Lines <fall>."
    assert base64.b64decode(image["image/png"]).startswith(b"\x89PNG")
    assert (
        "One &amp; only." in caption["text/html"] and "Lines &lt;fall&gt;." in caption["text/html"]
    )


def test_show_does_nothing_without_a_notebook(capsys):
    assert style.show(CASES["loss"][0]()) is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "text, seen",
    [
        ("<script>", "&lt;script&gt;"),
        ("a\x00b", "a␀b"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\ud800", "⟨U+D800⟩"),
        ("$5", "<span>$</span>5"),
        ("\\(x", "<span>\\</span>(x"),
        ('"', "&quot;"),
        ("x" * 1201, "x" * 1200 + " … (+1 characters)"),
    ],
)
def test_model_text_is_harmless_in_a_page(text, seen):
    assert safe.escape(text) == seen


ROW = {
    "id": "t-1",
    "messages": [{"role": "user", "content": "Where is my <b>parcel</b>?"}],
    "reference": "delivery",
}
TEMPLATES = {
    "guide": [ROW | {"raw": "<script>alert(1)</script>", "reason": "answer"}],
    "explain": [
        ROW | {"raw": "It is a delivery matter.", "reason": "accepted"},
        ROW | {"raw": "Second.", "reason": "leak"},
    ],
}
ANSWERS = [
    {
        "method": method,
        "suite": suite,
        "id": name,
        "text": f"{method} says {name}",
        "score": score,
    }
    for suite, name, score in (
        ("facts", "f-1", 1.0),
        ("facts", "f-2", 0.0),
        ("safety", "s-1", 0.0),
        ("safety-plain", "s-2", 1.0),
    )
    for method in ("sdft", "seed", "sft")
]


def test_template_table_shows_prompt_rewrite_and_verdict_escaped():
    source = tables.template_table(TEMPLATES)
    assert "<script>" not in source and "&lt;script&gt;" in source and "&lt;b&gt;parcel" in source
    assert source.count("delivery matter") == 1 and "accepted" in source
    with pytest.raises(SdftError):
        tables.template_table(TEMPLATES, 7)


def test_answers_stand_side_by_side_in_order():
    source = tables.answer_table(ANSWERS, "facts", 1, {"f-2": "ask f-2"})
    assert (
        source.index("seed says") < source.index("sft says") < source.index("sdft says f-2")
        and "ask f-2" in source
    )
    assert "Where is my" in tables.answer_table(ANSWERS, "facts", 0, {"f-1": ROW["messages"]})
    for suite, item in (("facts", 2), ("nosuch", 0)):
        with pytest.raises(SdftError):
            tables.answer_table(ANSWERS, suite, item)


def test_what_complied_with_a_harmful_request_is_never_shown():
    source = tables.answer_table(ANSWERS, "safety")
    assert "says" not in source and source.count(tables.WITHHELD) == 3
    assert "seed says s-2" in tables.answer_table(ANSWERS, "safety-plain")
    assert (
        tables.answer_text({"suite": "Safety", "text": "how to", "score": float("nan")})
        == tables.WITHHELD
    )


def test_explorer_follows_its_controls(widgets_on):
    box = widgets.template_explorer(TEMPLATES)
    (choice, place), view = box.children[0].children, box.children[1]
    assert "&lt;script&gt;" in view.value and place.max == 1
    choice.value = "explain"
    assert "delivery matter" in view.value and place.max == 2
    place.value = 2
    assert "Second." in view.value
    choice.value = "guide"
    assert place.value == 1 and "&lt;script&gt;" in view.value


def test_browser_follows_its_controls(widgets_on):
    box = widgets.answer_browser(ANSWERS)
    (choice, place), view = box.children[0].children, box.children[1]
    place.value = 2
    assert "seed says f-2" in view.value
    choice.value = "safety"
    assert tables.WITHHELD in view.value and "says" not in view.value
    assert place.continuous_update is False


def test_widgets_are_off_without_a_kernel_or_by_switch(monkeypatch):
    IPython = pytest.importorskip("IPython")
    assert widgets.template_explorer(TEMPLATES) is None and widgets.answer_browser(ANSWERS) is None
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setenv("SDFT_WIDGETS", "1")
    assert widgets.widgets_enabled()
    monkeypatch.setenv("SDFT_WIDGETS", "0")
    assert not widgets.widgets_enabled()
