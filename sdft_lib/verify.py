"""May this rewrite be trained on? Checks from cheap to dear; the first to fail is the reason
(lesson 02).

This is the filter of training data. The metric of test answers is ``score``, on purpose another
function: a filter that takes half marks lets half-right rewrites into the training set."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdft_lib.answers.numbers import (
    calls_equal,
    contains_answer,
    final_choice,
    final_number,
    has_loop,
    normalise,
    parse_call,
)
from sdft_lib.kinds import KINDS
from sdft_lib.storage.errors import SdftError

# Words that give away that the model was shown a solution. Pass your own list as ``leaks``.
LEAKS = (
    "known solution",
    "known answer",
    "given solution",
    "given answer",
    "given response",
    "provided solution",
    "provided answer",
    "provided response",
    "reference solution",
    "reference answer",
    "reference response",
    "sample solution",
    "sample answer",
    "model answer",
    "original answer",
    "original response",
    "solution provided",
    "answer provided",
    "answer given above",
    "solution above",
    "answer above",
    "in my own words",
    "in your own words",
    "rewritten",
    "reworded",
    "paraphrase",
    "the solution you",
    "the answer you",
)
MARKERS = re.compile(
    r"#{2,}\s*(?:response|instruction|input)|<\|\w{1,30}\|>|\[/?INST\]|<</?SYS>>", re.IGNORECASE
)
ECHO_WORDS = 8
WORD = re.compile(r"\w+(?:'\w+)*")


@dataclass(frozen=True)
class Verdict:
    """``ok``, and ``reason``: "accepted" or the name of the check that failed."""

    ok: bool
    reason: str


@dataclass(frozen=True)
class Case:
    """What a check may look at."""

    kind: str
    reference: str | Sequence[str]
    text: str
    choices: Sequence[str] | None
    prompt: str
    finish_reason: str
    leaks: Sequence[str]


def accept(
    kind: str,
    reference: str | Sequence[str],
    text: str,
    choices: Sequence[str] | None = None,
    *,
    prompt: str = "",
    finish_reason: str = "stop",
    leaks: Sequence[str] = LEAKS,
) -> Verdict:
    """Decide whether ``text`` may replace ``reference`` as the training target (paper, section
    3.2).

    ``prompt`` is the user's text; a fact's ``reference`` may be a list of accepted answers.
    Raises SdftError on an unknown kind, and on ``code``, which must be run.
    """
    check_kind(kind)
    check_text(text)
    case = Case(kind, reference, text, choices, prompt, finish_reason, leaks)
    for reason, passes in CHECKS:
        if not passes(case):
            return Verdict(False, reason)
    return Verdict(True, "accepted")


def check_kind(kind: str) -> None:
    """Raise SdftError unless answers of this kind can be judged without running them."""
    if kind not in KINDS:
        raise SdftError(f'kind "{kind}" is unknown; use one of {", ".join(KINDS)}.')
    if kind == "code":
        raise SdftError(
            'kind "code" is judged by running it, which is not allowed; use "open" to skip that check.'
        )


def check_text(text) -> None:
    """Raise SdftError unless the answer is a string."""
    if not isinstance(text, str):
        raise SdftError(f"the answer to judge is of type {type(text).__name__}; give a string.")


def not_empty(case: Case) -> bool:
    """There is at least one letter or digit."""
    return any(map(str.isalnum, case.text))


def not_cut(case: Case) -> bool:
    """The model ended the text itself."""
    return case.finish_reason != "length"


def no_leak(case: Case) -> bool:
    """No phrase gives the reference away, save one that the prompt or the reference uses."""
    text, known = normalise(case.text), normalise(f"{case.prompt}\n{case.reference}")
    return not any(normalise(leak) in text and normalise(leak) not in known for leak in case.leaks)


def no_echo(case: Case) -> bool:
    """No chat markers, and no 8 words in a row out of the prompt, save those that the reference has
    too.
    """
    if MARKERS.search(case.text):
        return False
    if case.kind in ("call", "code"):
        return True
    return not runs(case.text) & (runs(case.prompt) - runs(str(case.reference)))


def runs(text: str) -> set[tuple[str, ...]]:
    """Every run of ``ECHO_WORDS`` words in a text."""
    words = WORD.findall(normalise(text))
    return {
        tuple(words[start : start + ECHO_WORDS]) for start in range(len(words) - ECHO_WORDS + 1)
    }


def no_loop(case: Case) -> bool:
    """The text does not go round in circles."""
    return not has_loop(case.text)


def right_answer(case: Case) -> bool:
    """The text gives the reference's answer; kinds without a single answer pass."""
    judge = ANSWERS.get(case.kind)
    return judge is None or judge(case)


def right_number(case: Case) -> bool:
    """Both end in the same number; a text without one is wrong."""
    wanted = final_number(str(case.reference))
    return wanted is not None and wanted == final_number(case.text)


def right_label(case: Case) -> bool:
    """The text settles on the reference; without choices, it names it as a whole word."""
    if not case.choices:
        return contains_answer(case.text, case.reference)
    chosen = final_choice(case.text, case.choices)
    return chosen is not None and normalise(chosen) == normalise(str(case.reference))


ANSWERS: dict[str, Callable[[Case], bool]] = {
    "math": right_number,
    "call": lambda case: calls_equal(parse_call(str(case.reference)), parse_call(case.text)),
    "label": right_label,
    "fact": lambda case: contains_answer(case.text, case.reference),
}
CHECKS: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("empty", not_empty),
    ("cut", not_cut),
    ("leak", no_leak),
    ("echo", no_echo),
    ("loop", no_loop),
    ("answer", right_answer),
)
