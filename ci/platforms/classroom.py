"""nbgrader itself makes an assignment of every lesson, collects two submissions, and grades them.

    python3 ci/run_tests.py --classroom         all lessons, from a clean machine
    python3 ci/run_tests.py --classroom 00 08   some of them

The source of an assignment is the instructor's copy. What nbgrader releases must be our student
copy. One submission is that release with all exercises solved and gets every point, the other is
our own student copy, as handed out, and gets none. The course is set up as an instructor would,
with notebooks/instructor/nbgrader_config.py: it grades what stands from the first exercise on.
Lesson 00 is graded once more in a course without any settings, where nbgrader runs all of its cells
with the model. Everything lies in build/classroom/."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import time
from pathlib import Path

import nbformat

from ci.bootstrap import ROOT, say
from ci.lessons.sources import NOTEBOOKS, is_exercise, lesson_sources
from ci.platforms import browser_place as place

HOME = ROOT / "build" / "classroom"
PACKAGES = ["-c", "constraints.txt", "nbgrader==0.9.6"]
CONFIG = NOTEBOOKS / "instructor" / "nbgrader_config.py"
NAMES = r"--FileNameCollectorPlugin.named_regexp=.*[/\\](?P<student_id>\w+)-(?P<file_id>\w+)"
TESTS = ("tests/ci/lessons/test_copies.py", "tests/ci/platforms/test_classroom.py")
LIMIT = "--Execute.timeout=1200"  # seconds a cell of a whole lesson may take


def run(numbers: list[str] | None = None) -> tuple[int, int]:
    """(passed, failed): the tests of the copies, each lesson, and lesson 00 again as a whole."""
    from sdft_lib.models import fetch

    python = place.environment(HOME / "venv", PACKAGES)
    names = [path.stem for path in lesson_sources() if not numbers or path.stem[:2] in numbers]
    course, whole = new_course(HOME / "course", CONFIG), new_course(HOME / "whole")
    results = [place.tests_pass(python, HOME / "tests.xml", *TESTS, settings={})]
    results += [attempt(python, course, name) for name in names]
    if names[0].startswith("00"):
        fetch("smollm2-135m")
        results.append(attempt(python, whole, names[0]))
    return sum(results), len(results) - sum(results)


def new_course(folder: Path, config: Path | None = None) -> Path:
    """An empty course."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if config:
        shutil.copy(config, folder)
    return folder


def attempt(python: Path, course: Path, name: str) -> bool:
    """Take a lesson through the course; one line says how it went, and below it what is wrong."""
    start = time.monotonic()
    settings = course / CONFIG.name
    what = f"{name}{'' if settings.exists() else ', all of its cells'}"
    points = exercises_in(NOTEBOOKS / "student" / f"{name}.ipynb")
    try:
        wrong = release(python, course, name) + graded(python, course, name, points)
    except subprocess.CalledProcessError as error:
        wrong = (error.stdout or "").strip().splitlines()[-12:]
    says = "FAILED"
    if not wrong:
        says = f"released, collected, graded: {points} of {points} points, and 0"
    say(f"{what}: {says} ({time.monotonic() - start:.0f} s)")
    for line in wrong:
        say(f"   {line}")
    return not wrong


def release(python: Path, course: Path, name: str) -> list[str]:
    """How nbgrader's release differs from our student copy; without settings, in exercises."""
    source = course / "source" / name
    source.mkdir(parents=True)
    shutil.copy(NOTEBOOKS / "instructor" / f"{name}.ipynb", source)
    nbgrader(python, course, "generate_assignment", name)
    theirs = nbformat.read(course / "release" / name / f"{name}.ipynb", 4)
    ours = nbformat.read(NOTEBOOKS / "student" / f"{name}.ipynb", 4)
    if not (course / CONFIG.name).exists():
        for notebook in (theirs, ours):
            notebook.cells = [cell for cell in notebook.cells if is_exercise(cell)]
    if len(theirs.cells) != len(ours.cells):
        return [f"nbgrader releases {len(theirs.cells)} cells, our copy has {len(ours.cells)}"]
    pairs = zip(theirs.cells, ours.cells, strict=True)
    other = [mine.id for cell, mine in pairs if cell.source.strip() != mine.source.strip()]
    return [f"cell {name} is not that of the student copy" for name in other]


def graded(python: Path, course: Path, name: str, points: int) -> list[str]:
    """Hand in both submissions, let nbgrader collect and grade; what is wrong with the points."""
    archive = course / "downloaded" / name / "archive"
    archive.mkdir(parents=True)
    nbformat.write(solved(course, name), archive / f"solved-{name}.ipynb")
    shutil.copy(NOTEBOOKS / "student" / f"{name}.ipynb", archive / f"untouched-{name}.ipynb")
    nbgrader(python, course, "zip_collect", name, NAMES)
    more = [] if (course / CONFIG.name).exists() else [LIMIT]
    nbgrader(python, course, "autograde", name, *more)
    nbgrader(python, course, "export", "--to=grades.csv")
    rows = csv.DictReader((course / "grades.csv").read_text(encoding="utf-8").splitlines())
    rows = [row for row in rows if row["assignment"] == name]
    got = {row["student_id"]: f"{row['score']} of {row['max_score']}" for row in rows}
    wanted = {"solved": f"{points:.1f} of {points:.1f}", "untouched": f"0.0 of {points:.1f}"}
    return [] if got == wanted else [f"the submissions got {got} points, not {wanted}"]


def solved(course: Path, name: str):
    """The release with the instructor's solutions in place of the stubs."""
    notebook = nbformat.read(course / "release" / name / f"{name}.ipynb", 4)
    instructors = nbformat.read(NOTEBOOKS / "instructor" / f"{name}.ipynb", 4).cells
    solutions = {cell.id: cell.source for cell in instructors}
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = solutions[cell.id]
    return notebook


def exercises_in(copy: Path) -> int:
    return sum(
        cell.metadata.get("nbgrader", {}).get("grade", False)
        for cell in nbformat.read(copy, 4).cells
    )


def nbgrader(python: Path, course: Path, *arguments: str) -> None:
    """Run nbgrader in the course, without the user's settings; CalledProcessError if it fails."""
    own = {f"JUPYTER_{name}_DIR": str(HOME / "jupyter") for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(HOME / "ipython"), **place.QUIET}
    own["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(python), "-m", "nbgrader", *arguments]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    subprocess.run(command, cwd=course, env=os.environ | own, check=True, **pipe)
