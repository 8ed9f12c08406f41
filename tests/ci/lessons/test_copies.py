"""One source, three copies: what students, instructors and nbgrader get; badges, links, quizzes,
the lesson table.
"""

import ast
import json
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from ci import bootstrap, build_notebooks
from ci.lessons import audiences, overview, sources
from sdft_lib.cli import colab

LESSON = """# %% [markdown]
# # 00 Tiny: a lesson
#
# **You will** see | hear. Read [the file](../README.md), [lesson 01](01_next.ipynb#a), [here](#x),
# [far](https://a.org).

# %% tags=["parameters"]
fast: bool = False  # few rows

# %% [markdown] tags=["instructor"]
# Only for instructors.

# %% tags=["exercise"]
def double(x):
    if x:
        ### BEGIN SOLUTION
        return 2 * x

        # twice
        ### END SOLUTION
    return 0


# %% tags=["check"]
check.exercise_0_1(double)
"""
STUB = """def double(x):
    if x:
        # YOUR CODE HERE
        raise NotImplementedError()
    return 0"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "00_tiny.py"
    path.write_text(LESSON, encoding="utf-8")
    return path


@pytest.fixture
def project(source, tmp_path, monkeypatch):
    """The builder and its table pointed at a folder of its own."""
    monkeypatch.setattr(build_notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(
        build_notebooks.overview, "pages", lambda: {tmp_path / "README.md": "table\n"}
    )
    monkeypatch.setattr(build_notebooks, "lesson_sources", lambda: [source])
    return tmp_path


def sources_of(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells]


def test_students_get_the_exercise_open(source):
    notebook = audiences.for_students(sources.to_notebook(source, "student"))
    assert STUB in sources_of(notebook) and "twice" not in str(notebook)
    assert not any("SOLUTION" in text for text in sources_of(notebook))


@pytest.mark.parametrize(
    "code",
    [
        "### BEGIN SOLUTION",
        "### END SOLUTION",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
    ],
)
def test_marks_come_in_pairs(code, source, project):
    with pytest.raises(ValueError):
        audiences.open_exercise(code)
    source.write_text(LESSON + f"\n# %%\n{code}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="00_tiny.py: a solution"):
        build_notebooks.other_copies(source)


def test_only_instructors_get_notes(source):
    assert "Only for instructors." not in sources_of(sources.to_notebook(source))
    with_notes = sources.to_notebook(source, "instructor", notes=True)
    assert "Only for instructors." in sources_of(with_notes)
    ids = [cell.id for cell in with_notes.cells if "instructor" not in sources.tags_of(cell)]
    assert ids == [cell.id for cell in sources.to_notebook(source).cells], (
        "a cell has one id in all copies"
    )
    assert sources.code_sha256(with_notes) == sources.code_sha256(sources.to_notebook(source))


def test_badges_and_links_follow_the_copy(source, monkeypatch):
    monkeypatch.setattr(sources, "repository", lambda: ("ann/sdft", "v1"))
    head, student = (
        sources.to_notebook(source, place).cells[0].source for place in ("", "student")
    )
    address = "https://colab.research.google.com/github/ann/sdft/blob/v1/notebooks"
    assert (
        f"]({address}/00_tiny.ipynb)" in head and f"]({address}/student/00_tiny.ipynb)" in student
    )
    assert head.startswith("# 00 Tiny: a lesson\n\n[![") and "](../README.md)" in head
    for target in ("../../README.md", "01_next.ipynb#a", "#x", "https://a.org"):
        assert f"]({target})" in student


def test_colab_is_set_up_first_and_other_readers_see_nothing(source, capsys, monkeypatch):
    monkeypatch.setattr(sources, "repository", lambda: ("ann/sdft", "v1"))
    for place in ("", "student", "instructor"):
        cell = sources.to_notebook(source, place).cells[1]
        assert sources.is_setup(cell) and 'repository, branch = "ann/sdft", "v1"' in cell.source
    assert max(map(len, cell.source.splitlines())) <= 72
    before = set(sys.modules)
    exec(cell.source, {})
    assert capsys.readouterr().out == "" and set(sys.modules) == before
    bare = sources.to_notebook(source)
    bare.cells.pop(1)
    assert sources.code_sha256(bare) == sources.code_sha256(sources.to_notebook(source)), (
        "no run is stale for its sake"
    )


def test_the_setup_cell_installs_the_branch_or_says_what_failed_and_what_to_do(monkeypatch):
    monkeypatch.setattr(sources, "repository", lambda: ("ann/sdft", "v1"))
    monkeypatch.setitem(sys.modules, "google.colab", None)
    monkeypatch.setattr(colab, "set_up", lambda on_drive: done.append(on_drive))
    calls, done = [], []

    def pip(command, code=0):
        calls.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", pip)
    exec(sources.setup_code(), {})
    assert calls[0][-1] == "git+https://github.com/ann/sdft@v1" and done == [False]
    monkeypatch.setattr(subprocess, "run", lambda command: pip(command, 1))
    with pytest.raises(SystemExit, match="could not install git.*ann/sdft@v1 .*check the network"):
        exec(sources.setup_code(), {})
    assert done == [False]


def test_the_setup_cell_knows_the_package():
    project = tomllib.loads((bootstrap.ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert colab.PACKAGE == project["name"] and colab.LOCAL <= {
        Requirement(d).name for d in project["dependencies"]
    }


def test_wrong_names_of_repositories_and_branches_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "REPOSITORY", tmp_path / "is not written")
    for wrong in ("ann", "https://github.com/ann/x", 'a/b"', "a/b/c"):
        with pytest.raises(SystemExit, match="write owner/name"):
            sources.stamp(wrong, "main")
    with pytest.raises(SystemExit, match="not the name of a branch"):
        sources.stamp("ann/x", 'ma"in')


def test_stale_and_left_over_copies_are_found(project, source):
    build_notebooks.build(None)
    stale = [
        line
        for line in build_notebooks.check()
        if "ran other code" not in line and "is missing" not in line
    ]
    assert stale == []
    before = {path: path.read_bytes() for path in project.rglob("*.*")}
    build_notebooks.build(None)
    assert before == {path: path.read_bytes() for path in project.rglob("*.*")}, (
        "the same bytes each time"
    )
    student = project / "student" / "00_tiny.ipynb"
    student.write_bytes(student.read_bytes().replace(b"\n", b"\r\n"))
    (project / "README.md").write_text("typed\n", encoding="utf-8")
    (project / "instructor" / "09_gone.ipynb").write_text("{}", encoding="utf-8")
    wrong = "\n".join(build_notebooks.check())
    assert "student/00_tiny.ipynb differs from its source" in wrong and "README.md differs" in wrong
    assert "instructor/09_gone.ipynb has no source" in wrong


def test_a_reading_copy_whose_code_changed_stays_until_the_lesson_ran(project, source):
    copy = project / "00_tiny.ipynb"
    notebook = sources.to_notebook(source)
    notebook.metadata["sdft"] = {"mode": "default", "code_sha256": sources.code_sha256(notebook)}
    copy.write_text(sources.text_of(notebook), encoding="utf-8")
    build_notebooks.build(None)
    good = copy.read_bytes()
    assert build_notebooks.check() == []
    source.write_text(LESSON + "\n# %%\nprint(1)\n", encoding="utf-8")
    assert "ran other code" in build_notebooks.build(None)[0]
    assert copy.read_bytes() == good


def test_nbgrader_metadata_name_exercise_and_check(source):
    cells = audiences.for_readers(sources.to_notebook(source)).cells
    exercise, check = (cell.metadata["nbgrader"] for cell in cells if "nbgrader" in cell.metadata)
    assert [sources.tags_of(cell) for cell in cells[-2:]] == [["exercise", "hide-input"], ["check"]]
    assert exercise["solution"] and not exercise["grade"] and exercise["grade_id"] == "exercise_0_1"
    assert (
        check["grade"]
        and check["locked"]
        and check["points"] == 1
        and check["grade_id"] == "check_0_1"
    )
    for audience in (audiences.graded, audiences.for_students):
        others = audience(sources.to_notebook(source)).cells
        assert [cell.metadata.get("nbgrader") for cell in others[-2:]] == [exercise, check]
        assert "hide-input" not in str(others)


def test_nbgrader_itself_accepts_every_lesson_and_opens_the_same_exercises():
    preprocessors = pytest.importorskip("nbgrader.preprocessors")
    validator = preprocessors.CheckCellMetadata()
    for source in sources.lesson_sources():
        notebook = audiences.for_readers(sources.to_notebook(source))
        for step in (validator, preprocessors.ClearSolutions(), preprocessors.LockCells()):
            notebook, _ = step.preprocess(notebook, {})
        ours = audiences.for_students(sources.to_notebook(source))
        for theirs, mine in zip(notebook.cells, ours.cells, strict=True):
            assert theirs.source.strip() == mine.source.strip(), (source.name, mine.id)


def test_students_copies_can_run_to_their_end():
    for source in sources.lesson_sources():
        for cell in audiences.for_students(sources.to_notebook(source, "student")).cells:
            if cell.cell_type == "code":
                body = ast.parse(cell.source).body
                assert not any(isinstance(node, ast.Raise) for node in body), (
                    f"{source.name}: an open cell stops it"
                )


def test_the_table_of_lessons(source, tmp_path, monkeypatch):
    record = tmp_path / "run.json"
    record.write_text(
        json.dumps({"lessons": [{"name": "00_tiny", "seconds": 100, "peak_mb": 1234}]})
    )
    monkeypatch.setattr(overview, "lesson_sources", lambda: [source])
    monkeypatch.setattr(overview.record_run, "RECORD", record)
    row = overview.table().splitlines()[-1]
    assert row.startswith("| [00 Tiny](00_tiny.ipynb) | see \\| hear.")
    assert "| 1.5 minutes | 1.2 GB |" in row and "not yet measured" not in row
    assert overview.short_list() == "- [00 Tiny](notebooks/00_tiny.ipynb), 1.5 minutes"
    record.unlink()
    assert overview.table().count("not yet measured") == 2


def test_committed_tables_name_every_lesson():
    tables = {path: text for path, text in overview.pages().items() if path.name == "README.md"}
    assert len(tables) == 2
    for path, text in tables.items():
        assert all(f"{source.stem}.ipynb" in text for source in sources.lesson_sources()), path.name


def test_a_quiz_is_plain_markdown():
    asked = {
        "ask": "Which?",
        "options": [
            {"text": "A", "right": True, "why": "Yes it is."},
            {"text": "B", "right": True, "why": "Also."},
            {"text": "C", "right": False, "why": "It is not."},
        ],
    }
    text = sources.quiz([asked])
    assert text.startswith(
        "**1.** Which? *(More than one is right.)*\n\n- a) A\n- b) B\n- c) C\n\n<details>"
    )
    assert "- a) **Right.** Yes it is." in text and "- c) **No.** It is not." in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_an_unknown_quiz_ends_the_program():
    with pytest.raises(SystemExit, match="There is no quiz '99'"):
        sources.with_quiz("<!-- quiz: 99 -->")
    assert sources.with_quiz("no quiz") == "no quiz"


@pytest.mark.parametrize("asked", [item for items in sources.quizzes().values() for item in items])
def test_every_option_has_a_reason(asked):
    assert set(asked) == {"ask", "options"} and len(asked["options"]) >= 3
    rights = [option["right"] for option in asked["options"]]
    assert any(rights) and not all(rights)
    for option in asked["options"]:
        assert set(option) == {"text", "right", "why"} and len(option["why"]) > 20
    assert len({option["text"] for option in asked["options"]}) == len(rights)


def test_each_lesson_has_its_quiz_and_each_quiz_its_lesson():
    used = [
        name
        for source in sources.lesson_sources()
        for name in sources.QUIZ.findall(marks_of(source))
    ]
    assert sorted(used) == sorted(sources.quizzes())
    assert {source.stem[:2] for source in sources.lesson_sources()} <= set(used)


def marks_of(source) -> str:
    """The text of a source without the comment signs of its Markdown cells."""
    lines = source.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("# ") for line in lines)
