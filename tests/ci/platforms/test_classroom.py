"""The classroom test itself: what it says of a release and of points that are not right; and the
course's settings.
"""

import shutil
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from ci.lessons import sources
from ci.platforms import classroom

LESSON = "00_start_here"
HEAD = "assignment,student_id,score,max_score\n"
FINE = f"{HEAD}{LESSON},solved,2.0,2.0\n{LESSON},untouched,0.0,2.0\n"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course, and in place of nbgrader a program that releases our student copy and gives the
    points it is told.
    """
    course = classroom.new_course(tmp_path / "course", classroom.CONFIG)
    release = course / "release" / LESSON / f"{LESSON}.ipynb"

    def stand_in(python, folder, command, *arguments):
        assert arguments[0] == LESSON or command == "export"
        if command == "generate_assignment":
            release.parent.mkdir(parents=True)
            shutil.copy(sources.NOTEBOOKS / told.copy / f"{LESSON}.ipynb", release)
        (folder / "grades.csv").write_text(told.grades, encoding="utf-8")

    told = SimpleNamespace(course=course, copy="student", grades=FINE)
    monkeypatch.setattr(classroom, "nbgrader", stand_in)
    return told


def test_a_lesson_that_is_released_and_graded_passes(course, capsys):
    assert classroom.attempt(None, course.course, LESSON)
    assert "2 of 2 points, and 0" in capsys.readouterr().out
    archive = course.course / "downloaded" / LESSON / "archive"
    assert {path.name.split("-")[0] for path in archive.glob("*.ipynb")} == {"solved", "untouched"}
    assert "raise NotImplementedError" not in (archive / f"solved-{LESSON}.ipynb").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    "copy, grades, said",
    [
        ("instructor", FINE, "cells, our copy has"),
        ("", FINE, "is not that of the student copy"),
        ("student", HEAD, "the submissions got {} points, not"),
        ("student", FINE.replace("solved,2.0", "solved,1.0"), "'solved': '1.0 of 2.0'"),
        ("student", FINE.replace("untouched,0.0", "untouched,1.0"), "'untouched': '1.0 of 2.0'"),
    ],
)
def test_what_is_wrong_is_said(copy, grades, said, course, capsys):
    course.copy, course.grades = copy, grades
    assert not classroom.attempt(None, course.course, LESSON)
    assert said in capsys.readouterr().out


def test_grading_runs_exercises_and_of_the_lesson_its_imports():
    pytest.importorskip("nbgrader.preprocessors")
    from traitlets.config import Config

    names = {"get_config": Config}
    exec(
        compile(classroom.CONFIG.read_text(encoding="utf-8"), classroom.CONFIG.name, "exec"), names
    )
    texts = [
        "%pip install x",
        "import math\nfrom os import path\nraise SystemExit",
        "print(math.pi, path.sep)",
    ]
    cells = [new_code_cell(source) for source in texts]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": sources.KERNEL})
    notebook.cells[-1].metadata["nbgrader"] = {"solution": True}
    graded, _ = names["RunExercises"]().preprocess(
        nbformat.from_dict(notebook), {"metadata": {"path": "."}}
    )
    assert [cell.source for cell in graded.cells] == texts
    assert [len(cell.outputs) for cell in graded.cells] == [0, 0, 1] and "3.14" in graded.cells[
        -1
    ].outputs[0].text
