"""The checks of the lessons, each on a made-up notebook that it passes and on some that it must
refuse.
"""

import ast
import inspect
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ci.lessons import check_notebooks, checks_outputs, checks_text
from ci.lessons.sources import COLAB, PICTURE, code_sha256, results_sha256

PATH = check_notebooks.ROOT / "notebooks" / "01_made_up.ipynb"
STUDENT = PATH.parent / "student" / PATH.name
HEADER = f"""# 01 Made up

[{PICTURE}]({COLAB}/github/ann/sdft/blob/main/notebooks/01_made_up.ipynb)

**You will** see.

**Before you start:** nothing.

**Time:** a minute on two cores, 1.6 GB of memory.

## 1. First"""
PARAMETERS = "fast: bool = False  # few rows\nrate: float = -1e-3  # a number"
WORDS = {"image/png": {"alt": "SFT loses facts"}}
IMAGE = {"image/png": "AA==", "text/plain": "SFT loses facts"}


@pytest.fixture(autouse=True)
def pushed(monkeypatch):
    """The repository that the badge of the made-up lesson opens."""
    monkeypatch.setattr(checks_text, "repository", lambda: ("ann/sdft", "main"))


def lesson(*cells):
    """A good lesson, executed, with more cells at its end."""
    opening = [
        new_markdown_cell(HEADER),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    made = new_notebook(cells=[*opening, *cells], metadata={"kernelspec": kernel})
    for index, cell in enumerate(made.cells):
        cell.id = f"c{index:02d}"
    return executed(made)


def executed(made):
    for count, cell in enumerate(
        [cell for cell in made.cells if cell.cell_type == "code"], start=1
    ):
        cell.execution_count = count
    hashes = {"code_sha256": code_sha256(made), "results_sha256": results_sha256(made)}
    made.metadata["sdft"] = {"mode": "default"} | hashes
    return made


def text(source):
    return lesson(new_markdown_cell(source))


def code(source):
    return lesson(new_code_cell(source))


def setup(source):
    return lesson(new_code_cell(source, metadata={"tags": ["setup"]}))


def output(data, metadata=None, kind="display_data"):
    cell = new_code_cell("1", outputs=[new_output(kind, data=data, metadata=metadata or {})])
    return lesson(cell)


def retitled(old, new):
    made = lesson()
    made.cells[0].source = HEADER.replace(old, new)
    return made


def with_parameters(source, tags=("parameters",)):
    made = lesson()
    made.cells[1] = new_code_cell(source, metadata={"tags": list(tags)})
    return executed(made)


def marked(**metadata):
    made = lesson()
    made.metadata.update(metadata)
    return made


def counted(count):
    made = lesson()
    made.cells[1].execution_count = count
    return made


def failed():
    error = new_output("error", ename="ValueError", evalue="", traceback=[])
    return lesson(new_code_cell("1", outputs=[error]))


REFUSED = [  # (check, notebook, words of its complaint)
    (checks_text.header, retitled("# 01 ", "# 02 "), "does not open with its title"),
    (checks_text.header, retitled("**You will**", "You will"), "lacks **You will**"),
    (checks_text.header, retitled("**Before you start:**", ""), "lacks **Before"),
    (checks_text.header, retitled(", 1.6 GB of memory", ""), "no measured time"),
    (checks_text.header, retitled("a minute", "a while"), "no measured time"),
    (checks_text.numbered, text("# Another title"), "a second title"),
    (checks_text.numbered, text("## 3. Third"), "should be number 2"),
    (checks_text.numbered, text("## Without a number"), "should be number 2"),
    (checks_text.numbered, text("## Summary\n\n## 2. Late"), "should be number 2"),
    (checks_text.heading_steps, text("#### Deep"), "jumps from level 2 to 4"),
    (checks_text.cell_length, code("\n".join(["x = 1"] * 26)), "26 lines of code"),
    (
        checks_text.cell_length,
        lesson(*[new_code_cell("\n".join(["x = 1"] * 11)) for _ in range(3)]),
        "median",
    ),
    (checks_text.cell_length, text("  "), "is empty"),
    (checks_text.cell_length, setup("\n".join(["x = 1"] * 19)), "the limit is 18"),
    (checks_text.parses, code("x ="), "is not Python"),
    (checks_text.parses, code("!ls"), "shell line"),
    (checks_text.parses, code("x = input()"), "waits for input"),
    (checks_text.parses, code('run("pip install x")'), "installs packages"),
    (checks_text.parses, code('run(["pip", "install", "x"])'), "installs packages"),
    (checks_text.parses, setup("!pip install x"), "shell line"),
    (checks_text.parses, code("model.cuda()"), "NVIDIA"),
    (checks_text.parses, code("load(x, trust_remote_code=True)"), "runs code"),
    (checks_text.parameters, with_parameters(PARAMETERS, ()), "0 cells are tagged"),
    (
        checks_text.parameters,
        with_parameters("fast = False  # few"),
        "is not `name: type = literal`",
    ),
    (
        checks_text.parameters,
        with_parameters("rows: int = 2 * n  # few"),
        "is not `name: type = literal`",
    ),
    (checks_text.parameters, with_parameters("rows: int = 2"), "lacks a comment"),
    (checks_text.parameters, with_parameters("# nothing"), "defines no parameter"),
    (checks_outputs.alt_text, output(IMAGE), "no alternative text"),
    (checks_outputs.alt_text, output({"image/png": "AA=="}, WORDS), "no plain text"),
    (
        checks_outputs.alt_text,
        output({"text/html": "<p><img src='a'></p>"}),
        "<img> among the outputs",
    ),
    (checks_outputs.alt_text, text("![](a.png)"), "an image in the text"),
    (checks_outputs.alt_text, text("<img src='a' alt='Image'>"), "<img> in the text"),
    (checks_outputs.no_widgets, marked(widgets={}), "state of widgets"),
    (checks_outputs.no_widgets, output({checks_outputs.WIDGET: {}}), "a widget among the outputs"),
    (checks_outputs.metadata, marked(colab={}), "'colab'"),
    (
        checks_outputs.metadata,
        lesson(new_code_cell("1", metadata={"collapsed": True})),
        "'collapsed'",
    ),
    (checks_outputs.no_paths, output({"text/plain": "in /home" + "/ann/x"}), "/home" + "/ann"),
    (checks_outputs.no_paths, code(r'open("C:\\Users\\ann")'), "C:"),
    (checks_outputs.no_paths, text("Look in /tmp/dev."), "/tmp/dev"),
    (checks_outputs.fresh, marked(sdft={}), "no record"),
    (checks_outputs.fresh, marked(sdft={"mode": "default", "code_sha256": "0"}), "stale: the code"),
    (
        checks_outputs.fresh,
        marked(sdft=lesson().metadata["sdft"] | {"results_sha256": "0"}),
        "stale: data/results",
    ),
    (checks_outputs.fresh, marked(sdft=lesson().metadata["sdft"] | {"mode": "fast"}), "fast mode"),
    (checks_outputs.run_order, counted(2), "did not run in order"),
    (checks_outputs.run_order, counted(None), "did not run in order"),
    (checks_outputs.run_order, failed(), "ended with ValueError"),
    (
        checks_outputs.size,
        output({"image/png": "A" * 200_001, "text/plain": "x"}, WORDS),
        "more than 150 kB",
    ),
    (checks_text.resolve, text("[a](none.md)"), "leads nowhere"),
    (checks_text.resolve, text("[a](/etc/hosts)"), "leads nowhere"),
    (checks_text.resolve, text("[a](#2-nothing)"), "a heading that is not there"),
    (
        checks_text.resolve,
        text("[a](src/00_start_here.py) [b](../README.md#no-such)"),
        "a heading that is not",
    ),
    (checks_text.resolve, text("[a](http://example.org)"), "not https"),
    (
        checks_text.badge,
        retitled("/main/notebooks/01", "/main/notebooks/student/01"),
        "the badge opens",
    ),
    (checks_text.badge, retitled("github/", "git/"), "no Colab badge"),
]


@pytest.mark.parametrize(
    "check, notebook, words", REFUSED, ids=lambda value: getattr(value, "__name__", None)
)
def test_it_can_fail(check, notebook, words):
    assert words in "; ".join(check(notebook, PATH))


def test_every_check_is_shown_to_fail():
    assert {check for check, _, _ in REFUSED} == set(check_notebooks.all_checks())


def test_a_good_lesson_passes():
    good = [
        new_markdown_cell(
            "See [the first](#1.-First), [as GitHub says](#1-first), [all](../README.md), "
            "`[x](no)`."
        ),
        new_code_cell("1", outputs=[new_output("display_data", data=IMAGE, metadata=WORDS)]),
        new_markdown_cell("```\n# no title\n![](a.png)\n```\n![A cat](../data/results/scores.png)"),
        new_code_cell('run([python, "-m", "pip", "install", "x"])', metadata={"tags": ["setup"]}),
        new_markdown_cell("## 2. Second\n\n### Part"),
        new_markdown_cell(
            "## Summary\n\nA path such as ~/.cache/sdft or `data/x`, 3/4, https://a.org/home/x."
        ),
    ]
    made = lesson(*good)
    assert [
        sentence for check in check_notebooks.all_checks() for sentence in check(made, PATH)
    ] == []


@pytest.mark.parametrize(
    "change, words", [("outputs", "holds outputs or counts"), ("record", "the record of a run")]
)
def test_a_copy_without_outputs_holds_nothing_of_a_run(change, words):
    made = lesson()
    if change == "outputs":
        del made.metadata["sdft"]
    else:
        made.cells[1].execution_count = None
    found = [sentence for check in checks_outputs.CHECKS for sentence in check(made, STUDENT)]
    assert len(found) == 1 and words in found[0]


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "00_a.ipynb"
    path.write_text("{", encoding="utf-8")
    assert "no valid notebook" in check_notebooks.check(path)[0]
    path.write_text(
        '{"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8"
    )
    assert "no valid notebook" in check_notebooks.check(path)[0]


def test_checks_are_small_and_need_no_torch():
    for module in (check_notebooks, checks_text, checks_outputs):
        source = inspect.getsource(module)
        assert "torch" not in {
            name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import)
            for name in [alias.name for alias in node.names]
        }
    assert all(
        len(inspect.getsource(check).splitlines()) < 40 for check in check_notebooks.all_checks()
    )


def test_all_committed_copies_are_looked_at():
    folder = Path(check_notebooks.ROOT / "notebooks")
    assert set(check_notebooks.notebooks()) == {
        path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
    }


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from sdft_lib.experiments.recorded import inventory, recorded", "tickets"),
        ("from sdft_lib.experiments.recorded import swept", "sweep"),
        ("from sdft_lib.lessons.claims import in_the_recorded_run", "tickets"),
        ("from sdft_lib.experiments.recorded import recorded_orders", "continual"),
        ("from sdft_lib.experiments.recorded import recorded_aligned", "aligned"),
        ("from sdft_lib.lessons.agreement import labelled", "outcome_labels"),
        ('model, name = larger, "larger-tickets"', "larger-tickets"),
    ],
)
def test_lessons_go_stale_with_the_recorded_results_that_they_show(
    line, name, tmp_path, monkeypatch
):
    results = tmp_path / "data" / "results"
    results.mkdir(parents=True)
    monkeypatch.setattr("ci.bootstrap.ROOT", tmp_path)
    for each in ("tickets", "sweep", "continual", "aligned", "outcome_labels", "larger-tickets"):
        (results / f"{each}.jsonl").write_text("{}", encoding="utf-8")
    reader, other = code(line), code("from sdft_lib.gap import gap")
    before = results_sha256(reader)
    grid = name in ("tickets", "sweep")
    for alien in ("continual", "larger-tickets") if grid else ("tickets",):
        (results / f"{alien}.jsonl").write_text("{ }", encoding="utf-8")
    assert results_sha256(reader) == before != ""
    (results / f"{name}.jsonl").write_text("{ }", encoding="utf-8")
    assert results_sha256(reader) != before
    assert results_sha256(other) == ""


def test_before_the_first_push_there_is_no_badge(monkeypatch):
    monkeypatch.setattr(checks_text, "repository", lambda: ("", "main"))
    assert checks_text.badge(text("a"), PATH) != [], "a badge that opens another repository"
    made = lesson()
    made.cells[0].source = "# 01 Made up"
    assert checks_text.badge(made, PATH) == []
