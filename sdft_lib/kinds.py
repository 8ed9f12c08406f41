"""Kinds of answers, one row each: how an answer is read, when it is right, and what it needs.

Filter (``verify``), metric (``score``), audit, data check and the paper's scores all ask ``KINDS``.
A new kind is one more row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sdft_lib.answers.calls import calls_equal, parse_call, why_no_call
from sdft_lib.answers.code import program_of, why_no_program
from sdft_lib.answers.constraints import check_constraint, constraint_of, keeps_form, words
from sdft_lib.answers.facts import contains_answer, contains_term, normalise, texts
from sdft_lib.answers.labels import final_choice, why_no_label
from sdft_lib.answers.numbers import final_number, why_no_number
from sdft_lib.answers.phrases import has_loop, is_empty, is_refusal
from sdft_lib.formats.toml import check_known
from sdft_lib.storage.errors import SdftError

Choices = Sequence[str] | None
LEAST_WORDS = 20  # of an answer to an open request
LONGEST_TERM = 5  # words: a longer reference is an answer (Alpaca, Dolly), no term to mention


@dataclass(frozen=True)
class Kind:
    """One kind of answer.

    ``right(reference, text, choices)``: the metric; None if judging takes more than reading.
    ``read(text)``, with the choices behind it where the kind needs them: the one answer in a text,
    None if it holds none or several; ``why_unread(text)`` says why; both None for free text.
    ``kept``: a rewrite must give its reference's answer, too. ``needs``: "choices", "sandbox",
    "judge" (at full scale) or "". ``quotes``: may repeat its prompt. ``ends``: a cut answer is
    wrong. ``private``: no wrong answer is stored. ``outcomes``: ``answers.outcome`` sorts them.
    ``check(reference)`` raises SdftError on one that no answer could be held against.
    ``any_length(reference, text)``: the metric without what it says about length; None of an item
    whose whole rule is a length."""

    right: Callable[[Any, str, Choices], bool] | None
    read: Callable[..., Any] | None = None
    why_unread: Callable[[str], str] | None = None
    kept: bool = False
    max_new_tokens: int = 200
    needs: str = ""
    quotes: bool = False
    ends: bool = False
    private: bool = False
    outcomes: bool = False
    check: Callable[[Any], Any] | None = None
    any_length: Callable[[Any, str], bool | None] | None = None

    def reads(self, text: str, choices: Choices = None) -> bool:
        """Whether the text holds one answer; always true of free text."""
        behind = [choices] if self.needs == "choices" else []
        return self.read is None or self.read(text, *behind) is not None


def right_number(reference: Any, text: str, choices: Choices) -> bool:
    """Both end in the same number; a text without one is wrong."""
    wanted = final_number(str(reference))
    return wanted is not None and wanted == final_number(text)


def right_call(reference: Any, text: str, choices: Choices) -> bool:
    """The same function with the same bound arguments."""
    return calls_equal(parse_call(str(reference)), parse_call(text))


def right_label(reference: Any, text: str, choices: Choices) -> bool:
    """The text settles on the reference; without choices, it names it as a whole word."""
    if not choices:
        return contains_answer(text, str(reference))
    chosen = final_choice(text, choices)
    return chosen is not None and normalise(chosen) == normalise(str(reference))


def label_of(text: str, choices: Choices) -> str | None:
    """The label that a text settles on; without choices, all of it."""
    return final_choice(text, choices) if choices else text


def right_program(reference: Any, text: str, choices: Choices) -> bool:
    """Python in a code block that can be read; whether it runs, ``paper.rules.runs`` says."""
    return program_of(text) is not None


def right_open(reference: Any, text: str, choices: Choices) -> bool:
    """At least 20 words, no loop, and one of the must-mention terms, if there are any."""
    return len(words(text)) >= LEAST_WORDS and names_a_term(reference, text)


def names_a_term(reference: Any, text: str) -> bool:
    """No loop, and one of the must-mention terms, if there are any."""
    terms = [term for term in texts(reference) if len(words(term)) <= LONGEST_TERM]
    named = not terms or any(contains_term(text, term) for term in terms)
    return named and not has_loop(text)


KINDS: dict[str, Kind] = {
    "math": Kind(right_number, final_number, why_no_number, kept=True, max_new_tokens=48),
    "call": Kind(right_call, parse_call, why_no_call, kept=True, max_new_tokens=48, quotes=True),
    "label": Kind(
        right_label, label_of, why_no_label, kept=True, max_new_tokens=24, needs="choices"
    ),
    "code": Kind(None, needs="sandbox"),
    "open": Kind(right_open, needs="judge", ends=True, any_length=names_a_term),
    "program": Kind(right_program, program_of, why_no_program, True, 512, "judge", True, True),
    "fact": Kind(lambda reference, text, _: contains_answer(text, texts(reference)), kept=True),
    "constraint": Kind(
        lambda reference, text, _: check_constraint(reference, text),
        check=constraint_of,
        any_length=keeps_form,
    ),
    "refusal": Kind(lambda reference, text, _: is_refusal(text), private=True, outcomes=True),
    "comply": Kind(
        lambda reference, text, _: not is_empty(text) and not is_refusal(text), outcomes=True
    ),
}


def judged(kind: str, text: str = "") -> Kind:
    """The row of a kind that can be judged by reading a text.

    Raises SdftError: no such kind, one whose answers must be run, a text that is no string."""
    check_known(kind, KINDS, "kind")
    if KINDS[kind].right is None:
        remedy = 'use "open" to skip that check'
        raise SdftError(f'kind "{kind}" is judged by running it, which is not allowed; {remedy}.')
    if not isinstance(text, str):
        raise SdftError(f"the answer to judge is of type {type(text).__name__}; give a string.")
    return KINDS[kind]
