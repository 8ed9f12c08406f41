"""May a rewrite be trained on? The first check to fail is the reason (lesson 02).

This is the filter of training data. The metric of test answers is ``score``, on purpose another
function: a filter that takes half marks lets half-right rewrites into the training set."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdft_lib.answers.facts import normalise
from sdft_lib.answers.phrases import has_loop, is_empty
from sdft_lib.kinds import judged

# Words that give away that the model was shown a solution. Pass your own list as ``leaks``.
LEAKS = (
    "known solution; known answer; given solution; given answer; given response; provided "
    "solution; provided answer; provided response; reference solution; reference answer; "
    "reference response; sample solution; sample answer; model answer; original answer; original "
    "response; solution provided; answer provided; answer given above; solution above; answer "
    "above; in my own words; in your own words; rewritten; reworded; paraphrase; the solution "
    "you; the answer you"
).split("; ")
MARKERS = re.compile(
    r"##\s{0,20}(?:response|instruction|input)|<\|\w{1,30}\|>|\[/?INST\]|<</?SYS>>", re.IGNORECASE
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
    """Decide whether ``text`` may replace ``reference`` as the target (paper, section 3.2).

    ``prompt`` is the user's text; a fact's ``reference`` may be a list of accepted answers. Raises
    SdftError on an unknown kind, and on ``code``, which must be run."""
    judged(kind, text)
    case = Case(kind, reference, text, choices, prompt, finish_reason, leaks)
    for reason, passes in CHECKS:
        if not passes(case):
            return Verdict(False, reason)
    return Verdict(True, "accepted")


def not_empty(case: Case) -> bool:
    """There is a letter, a digit or a symbol, or the right answer, such as the label "*"."""
    return not is_empty(case.text) or (judged(case.kind).kept and right_answer(case))


def not_cut(case: Case) -> bool:
    """The model ended the text itself."""
    return case.finish_reason != "length"


def no_leak(case: Case) -> bool:
    """No phrase gives the reference away, save one that the prompt or the reference uses."""
    text, known = normalise(case.text), normalise(f"{case.prompt}\n{case.reference}")
    phrases = map(normalise, case.leaks)
    return not any(phrase in text and phrase not in known for phrase in phrases)


def no_echo(case: Case) -> bool:
    """No chat markers, and no 8 words in a row out of the prompt that the reference lacks."""
    if MARKERS.search(case.text):
        return False
    if judged(case.kind).quotes:
        return True
    return not runs(case.text) & (runs(case.prompt) - runs(str(case.reference)))


def runs(text: str) -> set[tuple[str, ...]]:
    """Every run of ``ECHO_WORDS`` words in a text."""
    words = WORD.findall(normalise(text))
    starts = range(len(words) - ECHO_WORDS + 1)
    return {tuple(words[start : start + ECHO_WORDS]) for start in starts}


def no_loop(case: Case) -> bool:
    """The text does not go round in circles."""
    return not has_loop(case.text)


def right_answer(case: Case) -> bool:
    """The text gives the reference's answer; kinds without a single answer pass."""
    kind = judged(case.kind)
    return not kind.kept or kind.right(case.reference, case.text, case.choices)


CHECKS: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("empty", not_empty),
    ("cut", not_cut),
    ("leak", no_leak),
    ("echo", no_echo),
    ("loop", no_loop),
    ("answer", right_answer),
)
