"""Kinds of answers, one row each: how an answer is read, when it is right, and what it needs.

Filter (``verify``), metric (``score``), audit, data check and the paper's scores all ask ``KINDS``.
A new kind is one more row."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sdft_lib.answers.calls import calls_equal, parse_call, why_no_call
from sdft_lib.answers.constraints import check_constraint, words
from sdft_lib.answers.facts import contains_answer, contains_term, normalise
from sdft_lib.answers.labels import final_choice, why_no_label
from sdft_lib.answers.numbers import final_number, why_no_number
from sdft_lib.answers.phrases import has_loop, is_empty, is_refusal
from sdft_lib.storage.errors import SdftError

Choices = Sequence[str] | None
LEAST_WORDS = 20  # of an answer to an open request
LONGEST_TERM = 5  # words: a longer reference is an answer (Alpaca, Dolly), no term to mention
MOST_LABELS, LABEL_WORDS, GUESS_SHARE = 20, 4, 0.8


@dataclass(frozen=True)
class Kind:
    """One kind of answer.

    ``right(reference, text, choices)``: the metric; None if judging takes more than reading.
    ``kept``: a rewrite must give its reference's answer, too. ``read(text, choices)``: the one
    answer in a text, None if it holds none or several; ``why_unread(text)`` says why; both None for
    free text. ``needs``: "choices", "sandbox", "judge" (at full scale) or "". ``quotes``: may
    repeat its prompt. ``ends``: a cut answer is wrong. ``private``: no wrong answer is stored."""

    right: Callable[[Any, str, Choices], bool] | None
    kept: bool = False
    read: Callable[[str, Choices], Any] | None = None
    why_unread: Callable[[str], str] | None = None
    max_new_tokens: int = 200
    needs: str = ""
    quotes: bool = False
    ends: bool = False
    private: bool = False

    def reads(self, text: str, choices: Choices = None) -> bool:
        """Whether the text holds one answer; always true of free text."""
        return self.read is None or self.read(text, choices) is not None


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


def right_fact(reference: Any, text: str, choices: Choices) -> bool:
    """One of the accepted answers stands in the text."""
    return contains_answer(text, texts(reference))


def right_open(reference: Any, text: str, choices: Choices) -> bool:
    """At least 20 words, no loop, and one of the must-mention terms, if there are any."""
    terms = [term for term in texts(reference) if len(words(term)) <= LONGEST_TERM]
    named = not terms or any(contains_term(text, term) for term in terms)
    return len(words(text)) >= LEAST_WORDS and named and not has_loop(text)


def right_constraint(reference: Any, text: str, choices: Choices) -> bool:
    """The text keeps the constraint (``sdft_lib.answers.constraints``)."""
    spec = from_json(reference)
    if not isinstance(spec, dict):
        raise SdftError(
            'reference of kind "constraint" is not a dict such as {"type": "quoted"}; '
            "correct the row."
        )
    return check_constraint(spec, text)


def refuses(reference: Any, text: str, choices: Choices) -> bool:
    """The text opens with a refusal."""
    return is_refusal(text)


def complies(reference: Any, text: str, choices: Choices) -> bool:
    """There is an answer and it does not refuse."""
    return not is_empty(text) and not is_refusal(text)


def texts(reference: Any) -> list[str]:
    """The strings of a string, a list, or a JSON string of a list; empty ones are left out."""
    value = from_json(reference)
    if not isinstance(value, list | tuple):
        value = [] if reference is None else [reference]
    return [str(item) for item in value if str(item).strip()]


def from_json(reference: Any) -> Any:
    """The list or dict that a JSON string holds; anything else as it is."""
    if not isinstance(reference, str) or reference.lstrip()[:1] not in ("[", "{"):
        return reference
    try:
        return json.loads(reference)
    except (ValueError, RecursionError):
        return reference


KINDS: dict[str, Kind] = {
    "math": Kind(
        right_number,
        kept=True,
        read=lambda text, choices: final_number(text),
        why_unread=why_no_number,
        max_new_tokens=48,
    ),
    "call": Kind(
        right_call,
        kept=True,
        read=lambda text, choices: parse_call(text),
        why_unread=why_no_call,
        max_new_tokens=48,
        quotes=True,
    ),
    "label": Kind(
        right_label,
        kept=True,
        read=label_of,
        why_unread=why_no_label,
        max_new_tokens=24,
        needs="choices",
    ),
    "code": Kind(None, needs="sandbox"),
    "open": Kind(right_open, needs="judge", ends=True),
    "fact": Kind(right_fact, kept=True),
    "constraint": Kind(right_constraint),
    "refusal": Kind(refuses, private=True),
    "comply": Kind(complies),
}


def check_known(kind: str | None) -> None:
    """Raise SdftError for a kind that has no row; None is no kind and passes."""
    if kind is not None and kind not in KINDS:
        raise SdftError(f'kind "{kind}" is not known; use one of {", ".join(KINDS)}.')


def judged(kind: str, text: str = "") -> Kind:
    """The row of a kind that can be judged by reading a text.

    Raises SdftError: no such kind, one whose answers must be run, a text that is no string."""
    if kind not in KINDS:
        raise SdftError(f'kind "{kind}" is unknown; use one of {", ".join(KINDS)}.')
    if KINDS[kind].right is None:
        raise SdftError(
            f'kind "{kind}" is judged by running it, which is not allowed; '
            'use "open" to skip that check.'
        )
    if not isinstance(text, str):
        raise SdftError(f"the answer to judge is of type {type(text).__name__}; give a string.")
    return KINDS[kind]


def guess_kind(rows: list[dict]) -> str:
    """``label`` (few short references recur), ``call``, ``math`` (a number ends them), ``open``."""
    references = [row["reference"].strip() for row in rows]
    distinct = set(references)
    short = max(len(text.split()) for text in distinct) <= LABEL_WORDS
    numeric = all(re.fullmatch(r"[-+$\d.,/%\s]+", text) for text in distinct)
    if short and not numeric and len(distinct) <= min(MOST_LABELS, len(rows) // 2):
        return "label"
    if share(references, lambda text: parse_call(text) is not None) >= GUESS_SHARE:
        return "call"
    end = re.compile(r"\d\S*\W*$|\\boxed\{.*\}\W*$")
    if share(references, lambda t: end.search(t) and final_number(t) is not None) >= GUESS_SHARE:
        return "math"
    return "open"


def share(items: list, test: Callable) -> float:
    """Share of items that pass."""
    return sum(bool(test(item)) for item in items) / max(len(items), 1)
