"""The bundle for a class holds every exercise, and no solution, no notes and no tests."""

import zipfile

from ci.lessons import sources, student_bundle


def test_no_solution_gets_into_the_bundle(tmp_path):
    target = tmp_path / "new" / "students.zip"
    assert student_bundle.write(target) == len(student_bundle.contents())
    with zipfile.ZipFile(target) as bundle:
        assert bundle.testzip() is None
        texts = {name.removeprefix("sdft-class/"): bundle.read(name) for name in bundle.namelist()}
    assert not any(
        name.startswith(("tests/", "notebooks/src", "notebooks/instructor", "ci/"))
        for name in texts
    )
    assert {f"notebooks/student/{source.stem}.ipynb" for source in sources.lesson_sources()} <= set(
        texts
    )
    for name, text in texts.items():
        assert b"BEGIN SOLUTION" not in text and b"For instructors" not in text, name
    assert {
        "README.md",
        "pyproject.toml",
        "sdft_lib/lessons/exercises.py",
        "data/exercises/lesson_01.toml",
        "data/probes/facts.jsonl",
    } <= set(texts)


def test_equal_files_make_an_equal_bundle(tmp_path):
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    student_bundle.write(first)
    student_bundle.write(second)
    assert first.read_bytes() == second.read_bytes()
