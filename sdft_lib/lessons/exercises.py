"""How an exercise is checked: the learner's function on small inputs, answered in kind words.

Pure Python, no model. The cases stand in ``data/exercises``, a file a lesson. A lesson imports its
own as ``check`` and calls, for example, ``check.exercise_1_1(nats_per_token)``. Where nbgrader
grades or validates (it says so in ``NBGRADER_EXECUTION``), and with ``SDFT_GRADING=1`` in the
environment, a failed check raises."""

import ast
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import msgspec

from sdft_lib.formats.toml import read_toml
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir
from sdft_lib.storage.processes import switch

SHOWN = 2  # complaints told at once; more would only confuse
LONGEST = 160  # characters of a value in a message
STUB = "still a stub"


@dataclass(frozen=True)
class Case:
    """One call of the learner's function: what it looks at, its arguments and what it returns (both
    as Python writes them), and where to look if it fails."""

    about: str
    call: str
    wanted: str
    hint: str


@dataclass(frozen=True)
class Exercise:
    """Number such as "1.1", cases (plain ones first), a sentence for those who solved it, and how
    ``close`` two numbers are, relatively, that count as the same."""

    number: str
    cases: list[Case]
    solved: str
    close: float = 1e-6

    def __call__(self, fn: Callable) -> None:
        """Print what ``fn`` gets right, what not yet, what to look at. Raises only in grading."""
        lines, fine = answer(self, fn)
        print("\n".join(lines))
        grading = switch("SDFT_GRADING") or "NBGRADER_EXECUTION" in os.environ
        if grading and not fine:
            raise SdftError(lines[0])


@dataclass(frozen=True)
class Lesson:
    """The exercises of a lesson, such as ``lesson_01.exercise_1_1``, read when one is asked for."""

    name: str

    def __getattr__(self, exercise: str) -> Exercise:
        known = read_toml(data_dir() / "exercises" / f"{self.name}.toml")
        if exercise not in known:
            raise AttributeError(f"{self.name} has no {exercise}; it has {', '.join(known)}.")
        number = exercise.removeprefix("exercise_").replace("_", ".")
        return msgspec.convert({"number": number, **known[exercise]}, Exercise)


LESSONS = [Lesson(f"lesson_{number:02d}") for number in range(11)]
lesson_00, lesson_01, lesson_02, lesson_03, lesson_04 = LESSONS[:5]
lesson_05, lesson_06, lesson_07, lesson_08, lesson_09, lesson_10 = LESSONS[5:]


def answer(asked: Exercise, fn: Callable) -> tuple[list[str], bool]:
    """The lines to print, and whether every check passed."""
    title = f"Exercise {asked.number}"
    if not callable(fn):
        call = f"check.exercise_{asked.number.replace('.', '_')}(your_function)"
        line = f"{title}: give the function itself, without brackets after its name: {call}."
        return [line], False
    passed, wrong = [], []
    for case in asked.cases:
        complaint = try_case(case, fn, asked.close)
        if complaint == STUB:
            stub = "`raise NotImplementedError()`"
            line = f"{title} is still open: write your code in place of {stub}, "
            return [f"{line}run that cell, then this one."], False
        if complaint:
            wrong.append(f"  not yet: {case.about}. {complaint}")
            wrong.append(f"           Look at this: {case.hint}")
        else:
            passed.append(case.about)
    number = len(asked.cases)
    if not wrong:
        return [f"{title}: all {number} checks passed. {asked.solved}"], True
    lines = [f"{title}: {len(passed)} of {number} checks passed so far."]
    if passed:
        lines.append(f"  passed:  {'; '.join(passed)}")
    lines += wrong[: 2 * SHOWN]  # two lines a complaint
    if (more := number - len(passed) - SHOWN) > 0:
        lines.append(f"  ({more} more when these are done.)")
    return lines, False


def try_case(case: Case, fn: Callable, close: float) -> str:
    """Empty if the call returns what is wanted, ``STUB``, or what happened instead."""
    given, args = (ast.literal_eval(f"({case.call},)") for _ in range(2))  # fn may change one
    wanted = ast.literal_eval(case.wanted)
    call = f"{getattr(fn, '__name__', 'your function')}({', '.join(map(short, given))})"
    try:
        got = fn(*args)
    except NotImplementedError:
        return STUB
    except Exception as error:
        return f"{call} raised {type(error).__name__}: {str(error)[:LONGEST]}."
    if got is None and wanted is not None:
        return f"{call} returned None. Is there a `return`?"
    if not same(got, wanted, close):
        return f"{call} returned {short(got)}, but {short(wanted)} was expected."
    if not same(args, given, 0):
        return f"{call} changed the values that it was given. Build a new list or dict instead."
    return ""


def same(got: Any, wanted: Any, close: float) -> bool:
    """Equal, numbers up to a relative difference; lists and tuples are alike, True is not 1."""
    got = got.tolist() if hasattr(got, "tolist") else got  # numpy, torch
    if isinstance(wanted, bool) or isinstance(got, bool):
        return got is wanted
    if isinstance(wanted, Real):
        if not isinstance(got, Real):
            return False
        return math.isclose(got, wanted, rel_tol=close, abs_tol=close / 1000)
    if isinstance(wanted, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(wanted):
            return False
        return all(same(*pair, close) for pair in zip(got, wanted, strict=True))
    if isinstance(wanted, dict):
        if not isinstance(got, dict) or got.keys() != wanted.keys():
            return False
        return all(same(got[key], wanted[key], close) for key in wanted)
    return type(got) is type(wanted) and got == wanted


def short(value: Any) -> str:
    """A value as Python writes it, floats with four digits, cut where it gets long."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = repr(value)
    if isinstance(value, list | tuple):
        inside = ", ".join(map(short, value))
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        text = f"{text[0]}{inside}{comma}{text[-1]}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
