"""Held-back exercises: three a lesson, the same for the same seed, and not solved by what is public."""

import re

import pytest

from ci.lessons import variants
from ci.lessons.audiences import for_students
from ci.lessons.sources import is_exercise, lesson_sources, tags_of, to_notebook
from sdft_lib.lessons.exercises import Case, try_case
from sdft_lib.storage.errors import SdftError

SEEDS = (1, 2026, 77)
ALL = [(seed, variant) for seed in SEEDS for variant in variants.drawn(seed)]


def public_solutions() -> dict:
    """The function of each exercise of the lessons, by number."""
    found = {}
    for source in lesson_sources():
        cells = to_notebook(source, "instructor").cells
        for cell, after in zip(cells, cells[1:]):
            if "exercise" in tags_of(cell):
                number = re.search(r"check\.exercise_(\d+_\d+)\(", after.source)
                if number:
                    found[number[1].replace("_", ".")] = cell.source
    return found


PUBLIC = public_solutions()


def names(pair) -> str:
    return f"{pair[0]}-{pair[1].title}"


def passed(variant, function) -> list[bool]:
    """Which cases of a variant a function passes."""
    cases = [
        Case("", ", ".join(map(repr, arguments)), repr(wanted), "")
        for arguments, wanted in variant.cases
    ]
    return [try_case(case, function, 1e-6) == "" for case in cases]


def test_every_lesson_has_three():
    lessons = [variant.of.partition(".")[0] for variant in variants.drawn(1)]
    assert {int(name): lessons.count(name) for name in lessons} == dict.fromkeys(range(11), 3)


@pytest.mark.parametrize("pair", ALL, ids=names)
def test_its_own_solution_passes_and_the_public_one_does_not(pair):
    variant = pair[1]
    assert all(passed(variant, variants.last_function(variant.code)))
    known: dict = {}
    for number in sorted(PUBLIC):  # a lesson's exercise may use what an earlier one imported
        if number.partition(".")[0] == variant.of.partition(".")[0] and number <= variant.of:
            exec(PUBLIC[number], known)
    exec(PUBLIC[variant.of], known)
    public = known[variants.last_function(variant.code).__name__]
    assert not all(passed(variant, public)), "the solution that everybody can read"
    assert len(variant.cases) >= 4 and "$" not in variant.ask + variant.code


def test_one_seed_makes_the_same_files_and_another_one_others(tmp_path):
    for seed, name in ((7, "a"), (7, "b"), (8, "c")):
        assert variants.write(seed, tmp_path / name) == 33
    texts = {
        name: [path.read_bytes() for path in sorted((tmp_path / name).rglob("*.ipynb"))]
        for name in "abc"
    }
    assert texts["a"] == texts["b"] and len(texts["a"]) == 22
    assert all(one != other for one, other in zip(texts["a"], texts["c"]))


def test_the_notebook_grades_a_solution_and_opens_for_students(monkeypatch, capsys):
    monkeypatch.setenv("SDFT_GRADING", "1")
    for number in range(11):
        own = [each for each in variants.drawn(3) if int(each.of.split(".")[0]) == number]
        solved = variants.notebook("00_x", own)
        known: dict = {}
        for cell in solved.cells:
            if cell.cell_type == "code":
                exec(cell.source, known)
        assert capsys.readouterr().out.count("checks passed.") == 3
        open_ones = [cell for cell in for_students(variants.notebook("00_x", own)).cells]
        code = [cell.source for cell in open_ones if is_exercise(cell)]
        assert "BEGIN SOLUTION" not in "".join(code)
        exec(code[0], known)
        with pytest.raises(SdftError, match="is still open"):
            exec(code[1], known)


def test_they_are_in_no_public_file():
    ignored = (variants.bootstrap.ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert variants.OUT.relative_to(variants.bootstrap.ROOT).parts[0] == "build"
    assert any(line.strip("/") == "build" for line in ignored)
