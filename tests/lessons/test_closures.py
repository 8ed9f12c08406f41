"""What a lesson pulls in: the core and its own files, never another lesson's."""

import re

import pytest

from ci.lessons import house

KNOWN = house.modules()
SOURCES = {source.stem[:2]: source for source in house.lesson_sources()}


def imported(lesson: str) -> set[str]:
    """The modules of the library that a lesson's source imports."""
    return house.imports(SOURCES[lesson].read_text(encoding="utf-8"), KNOWN)


@pytest.mark.parametrize("lesson", SOURCES)
def test_no_lesson_pulls_the_files_of_another(lesson):
    reached = " ".join(house.closure(imported(lesson)))
    assert set(re.findall(r"\.lesson_(\d\d)\b", reached)) <= {lesson}


@pytest.mark.parametrize("lesson", house.FIRST_LESSONS)
def test_the_first_lessons_import_the_core_and_their_own_files(lesson):
    files = {name for name in imported(lesson) if KNOWN[name].name != "__init__.py"}
    core = {name for name in files if name.count(".") == 1}
    assert {name for name in files - core if not name.startswith("sdft_lib.lessons.")} == set()
