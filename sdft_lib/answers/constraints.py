"""Instructions that a program can check, such as "at most 15 words" (kind ``constraint``).

A constraint is a dict, for example ``{"type": "max_words", "n": 15, "floor": 3}``. ``floor`` is the
least number of words that an answer needs to count at all (default 1). Without it, a model that has
shrunk to one-word answers would pass every "at most" and every "do not", and forgetting would look
like obedience."""

import re
from collections.abc import Callable

from sdft_lib.storage.errors import SdftError

WORD = re.compile(r"\w+(?:['’-]\w+)*")
LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]+\S", re.MULTILINE)
SENTENCE_END = re.compile(r"[.!?]+[\"'”’)*]*(?=\s|$)")
OPENERS, CLOSERS = "\"“'*", "\"”'*"


def words(text: str) -> list[str]:
    """The words of a text; "don't" and "well-known" count as one each, punctuation as none."""
    return WORD.findall(text)


def holds_word(text: str, word: str | list[str]) -> bool:
    """Whether any of the given words stands in the text as a whole word, in any case."""
    wanted = [word] if isinstance(word, str) else word
    return any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text, re.IGNORECASE) for one in wanted)


def starts_with(text: str, start: str) -> bool:
    """Whether the text begins with these words, in any case, quotes and asterisks aside."""
    return re.match(rf"{re.escape(start)}(?!\w)", text.lstrip(OPENERS), re.IGNORECASE) is not None


def ends_with(text: str, end: str) -> bool:
    """Whether the text ends with this string, in any case, quotes and asterisks aside."""
    return text.rstrip(CLOSERS).lower().endswith(end.lower())


def max_sentences(text: str, n: int) -> bool:
    """Whether the text is at most n sentences, the last of which is finished."""
    ends = list(SENTENCE_END.finditer(text))
    return 1 <= len(ends) <= n and ends[-1].end() == len(text)


def quoted(text: str) -> bool:
    """Whether the text stands between one pair of double quotation marks, straight or curly."""
    return re.fullmatch(r"[\"“][^\"“”]+[\"”]", text) is not None


CONSTRAINTS: dict[str, tuple[tuple[str, ...], Callable[[str, dict], bool]]] = {
    # type: (keys that the dict needs, the check)
    "contains_word": (("word",), lambda text, spec: holds_word(text, spec["word"])),
    "avoids_word": (("word",), lambda text, spec: not holds_word(text, spec["word"])),
    "no_character": (("character",), lambda text, spec: spec["character"] not in text),
    "min_words": (("n",), lambda text, spec: len(words(text)) >= spec["n"]),
    "max_words": (("n",), lambda text, spec: len(words(text)) <= spec["n"]),
    "max_sentences": (("n",), lambda text, spec: max_sentences(text, spec["n"])),
    "list_items": (("n",), lambda text, spec: len(LIST_ITEM.findall(text)) == spec["n"]),
    "starts_with": (("text",), lambda text, spec: starts_with(text, spec["text"])),
    "ends_with": (("text",), lambda text, spec: ends_with(text, spec["text"])),
    "contains_number": ((), lambda text, spec: re.search(r"[0-9]", text) is not None),
    "all_lowercase": ((), lambda text, spec: text.islower()),
    "all_uppercase": ((), lambda text, spec: text.isupper()),
    "quoted": ((), lambda text, spec: quoted(text)),
}


def check_constraint(spec: dict, text: str) -> bool:
    """Whether ``text`` keeps the constraint ``spec``; never with fewer than ``floor`` words.

    Raises SdftError on a type that CONSTRAINTS lacks or a missing key, never on a text. It does not
    judge whether the answer is about what was asked."""
    kind = spec.get("type")
    if kind not in CONSTRAINTS:
        known = ", ".join(CONSTRAINTS)
        raise SdftError(f'constraint type "{kind}" is unknown; use one of {known}.')
    needed, check = CONSTRAINTS[kind]
    if missing := [key for key in needed if key not in spec]:
        remedy = "add it to the row's reference"
        raise SdftError(f'constraint "{kind}" lacks its key "{missing[0]}"; {remedy}.')
    stripped = text.strip()
    return len(words(stripped)) >= spec.get("floor", 1) and check(stripped, spec)
