"""How an exercise is checked: the learner's function on small made-up inputs, answered in kind
words.

Pure Python, no model. The exercises themselves are in ``check_00`` to ``check_08``; lessons call
them through ``sdft_lib.lessons.exercises.check``. Where nbgrader grades or validates (it says so in
``NBGRADER_EXECUTION``), and with ``SDFT_GRADING=1`` in the environment, a check that fails raises.
"""

import copy
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from sdft_lib.storage.errors import SdftError

SHOWN = 2  # complaints told at once; more would only confuse
LONGEST = 160  # characters of a value in a message


@dataclass(frozen=True)
class Case:
    """One call ``fn(*args)``: what it looks at, what it should return, and where to look if it does
    not.
    """

    about: str
    args: tuple
    wanted: Any
    hint: str


@dataclass(frozen=True)
class Exercise:
    """Number such as "1.1", cases from plain to tricky, and a sentence for those who solved it.

    ``close`` is the relative difference between two numbers that still counts as the same.
    """

    number: str
    cases: Sequence[Case]
    solved: str
    close: float = 1e-6

    def __call__(self, fn: Callable) -> None:
        """Print what ``fn`` gets right, what not yet, and what to look at; raises only when
        grading.
        """
        lines, fine = answer(self, fn)
        print("\n".join(lines))
        if not fine and (
            os.environ.get("SDFT_GRADING") == "1" or "NBGRADER_EXECUTION" in os.environ
        ):
            raise SdftError(lines[0])


def answer(exercise: Exercise, fn: Callable) -> tuple[list[str], bool]:
    """The lines to print, and whether every check passed."""
    title = f"Exercise {exercise.number}"
    if not callable(fn):
        call = f"check.exercise_{exercise.number.replace('.', '_')}(your_function)"
        return [
            f"{title}: give the function itself, without brackets after its name: {call}."
        ], False
    wrong = []
    for case in exercise.cases:
        complaint = try_case(case, fn, exercise.close)
        if complaint == "open":
            return [
                f"{title} is still open: write your code in place of `raise NotImplementedError()`, "
                "run that cell, then this one."
            ], False
        if complaint:
            wrong.append((case, complaint))
    if not wrong:
        return [f"{title}: all {len(exercise.cases)} checks passed. {exercise.solved}"], True
    return [
        f"{title}: {len(exercise.cases) - len(wrong)} of {len(exercise.cases)} checks passed so far.",
        *told(exercise, wrong),
    ], False


def told(exercise: Exercise, wrong: list[tuple[Case, str]]) -> list[str]:
    """What passed in one line, then the first complaints, each with the place to look at."""
    failed = [case for case, _ in wrong]
    passed = [case.about for case in exercise.cases if case not in failed]
    lines = [f"  passed:  {'; '.join(passed)}"] if passed else []
    for case, complaint in wrong[:SHOWN]:
        lines += [f"  not yet: {case.about}. {complaint}", f"           Look at this: {case.hint}"]
    more = len(wrong) - SHOWN
    return lines + (
        [f"  ({more} more when {'this is' if SHOWN == 1 else 'these are'} done.)"]
        if more > 0
        else []
    )


def try_case(case: Case, fn: Callable, close: float) -> str:
    """Empty if the call returns what is wanted, "open" for the stub, else what happened instead."""
    args = copy.deepcopy(case.args)
    call = f"{getattr(fn, '__name__', 'your function')}({', '.join(map(short, case.args))})"
    try:
        got = fn(*args)
    except NotImplementedError:
        return "open"
    except Exception as error:
        return f"{call} raised {type(error).__name__}: {str(error)[:LONGEST]}."
    if got is None and case.wanted is not None:
        return f"{call} returned None. Is there a `return`?"
    if not same(got, case.wanted, close):
        return f"{call} returned {short(got)}, but {short(case.wanted)} was expected."
    if not same(list(args), list(case.args), 0):
        return f"{call} changed the values that it was given. Build a new list or dict instead."
    return ""


def same(got: Any, wanted: Any, close: float) -> bool:
    """Equal, numbers up to the relative difference ``close``; lists and tuples are alike, True is
    not 1.
    """
    got = got.tolist() if hasattr(got, "tolist") else got
    if isinstance(wanted, bool) or isinstance(got, bool):
        return got is wanted
    if isinstance(wanted, Real):
        return isinstance(got, Real) and math.isclose(
            got, wanted, rel_tol=close, abs_tol=close / 1000
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(got, list | tuple)
            and len(got) == len(wanted)
            and all(same(a, b, close) for a, b in zip(got, wanted, strict=True))
        )
    if isinstance(wanted, dict):
        return (
            isinstance(got, dict)
            and got.keys() == wanted.keys()
            and all(same(got[key], wanted[key], close) for key in wanted)
        )
    return type(got) is type(wanted) and got == wanted


def short(value: Any) -> str:
    """A value as Python writes it, floats with four digits, cut where it gets long."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(short, value))
        text = (
            f"[{inside}]"
            if isinstance(value, list)
            else f"({inside}{',' if len(value) == 1 else ''})"
        )
    else:
        text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
