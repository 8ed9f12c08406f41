"""Instructions that a program can check, such as "at most 15 words" (kind ``constraint``).

A constraint is a dict, for example ``{"type": "max_words", "n": 15, "floor": 3}``. ``floor`` is the
least number of words of an answer that counts (default 1). Without it, a model that has shrunk to
one-word answers would pass every "at most", and forgetting would look like obedience."""

import textwrap
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import msgspec
import regex

from sdft_lib.answers.edges import AFTER, folded, places
from sdft_lib.answers.facts import from_json
from sdft_lib.answers.phrases import is_empty
from sdft_lib.storage.errors import SdftError

WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:['’-][\p{L}\p{M}\p{N}]+)*")
LIST_ITEM = regex.compile(r"^([ \t]*)(?:[-–—*+•‣▪◦·]|\(?\d{1,3}[.)])[ \t]+\S", regex.MULTILINE)
ENDS, CLOSED = "[.!?…।؟]", "[\"'”’)*_」』]{0,9}"
TITLE = r"(?<!\b(?:Dr|Mrs?|Ms|Prof|St|Mt|vs|e\.g|i\.e)(?=\. ))"
INITIAL = r"(?<!\p{Lu}\p{L}{0,20} \p{Lu}(?=\. \p{Lu}))"  # "George W. Bush"
SENTENCE_END = regex.compile(
    rf"(?:[。！？]++|{TITLE}{INITIAL}(?<!{ENDS}){ENDS}++(?={CLOSED}(?:\s|$))){CLOSED}"
)
OPENERS, CLOSERS = "\"“'*_„«「", "\"”'*_“»」"
QUOTED = regex.compile(r"\"[^\"“”]+\"|[“„][^\"“”„]+[”“]|[\"“][^\"“”]+[\"”]|«[^«»]+»|「[^「」]+」")
Count = Annotated[int, msgspec.Meta(ge=0)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
TYPES = {
    "n": Count,
    "word": Text | Annotated[list[Text], msgspec.Meta(min_length=1)],
    "character": Text,
    "text": Text,
}


def words(text: str) -> list[str]:
    """The words of a text; "don't" and "well-known" count as one each, punctuation as none."""
    return WORD.findall(text)


def holds_word(text: str, word: str | list[str]) -> bool:
    """Whether any of the given words stands in the text as a whole word, in any case."""
    wanted = [word] if isinstance(word, str) else word
    return any(any(places(folded(text), folded(one))) for one in wanted)


def starts_with(text: str, start: str) -> bool:
    """Whether the text begins with these words, in any case, quotes and asterisks aside."""
    text, start = folded(text.lstrip(OPENERS)).casefold(), folded(start).casefold()
    ends_in_word = not start[-1:].isalnum() or AFTER.match(text, len(start)) is not None
    return text.startswith(start) and ends_in_word


def ends_with(text: str, end: str) -> bool:
    """Whether the text ends with this string, in any case, quotes and asterisks aside."""
    ways = (folded(way).casefold() for way in (text, text.rstrip(CLOSERS)))
    return any(way.endswith(folded(end).casefold()) for way in ways)


def max_sentences(text: str, n: int) -> bool:
    """Whether the text is at most n sentences, and nothing but signs follows the last end."""
    ends = list(SENTENCE_END.finditer(text))
    return 1 <= len(ends) <= n and not any(map(str.isalnum, text[ends[-1].end() :]))


def list_items(text: str) -> int:
    """How many items a list has; those that are set in below another one are not counted."""
    indents = [len(item[1].expandtabs(4)) for item in LIST_ITEM.finditer(text)]
    least = min(indents, default=0)
    return sum(indent < least + 2 for indent in indents)


CONSTRAINTS: dict[str, tuple[tuple[str, ...], Callable[[str, dict], bool]]] = {
    # type: (keys that the dict needs, the check)
    "contains_word": (("word",), lambda text, spec: holds_word(text, spec["word"])),
    "avoids_word": (("word",), lambda text, spec: not holds_word(text, spec["word"])),
    "no_character": (("character",), lambda text, spec: spec["character"] not in text),
    "min_words": (("n",), lambda text, spec: len(words(text)) >= spec["n"]),
    "max_words": (("n",), lambda text, spec: len(words(text)) <= spec["n"]),
    "max_sentences": (("n",), lambda text, spec: max_sentences(text, spec["n"])),
    "list_items": (("n",), lambda text, spec: list_items(text) == spec["n"]),
    "starts_with": (("text",), lambda text, spec: starts_with(text, spec["text"])),
    "ends_with": (("text",), lambda text, spec: ends_with(text, spec["text"])),
    "contains_number": ((), lambda text, spec: any(map(str.isdecimal, text))),
    "all_lowercase": ((), lambda text, spec: text.islower()),
    "all_uppercase": ((), lambda text, spec: text.isupper()),
    "quoted": ((), lambda text, spec: QUOTED.fullmatch(text) is not None),
}


@cache
def form(kind: str) -> type[msgspec.Struct]:
    """What a constraint of this type holds: its keys, and "floor"."""
    needed = [(key, TYPES[key]) for key in CONSTRAINTS[kind][0]]
    keys = [("type", str), *needed, ("floor", Count, 1)]
    return msgspec.defstruct("Constraint", keys, forbid_unknown_fields=True)


def constraint_of(reference: Any) -> dict:
    """The constraint that a dict, or JSON of one, says. Raises SdftError: no dict, a type that
    CONSTRAINTS lacks, a key that is missing, unknown or of another type than TYPES says."""
    spec = from_json(reference)
    if not isinstance(spec, dict):
        raise SdftError("the reference of a constraint is no dict; correct the row.")
    kind = str(spec.get("type"))
    if kind not in CONSTRAINTS:
        known = ", ".join(CONSTRAINTS)
        raise SdftError(f'constraint type "{kind}" is unknown; use one of {known}.')
    try:
        msgspec.convert(spec, form(kind))
    except msgspec.ValidationError as error:
        problem = str(error).replace("`", '"').replace("$.", "")
        raise SdftError(f'constraint "{kind}": {problem}; correct the row.') from None
    return spec


def keeps_form(spec: Any, text: str) -> bool | None:
    """``check_constraint`` without its floor of words; None where the rule itself is a length."""
    spec = constraint_of(spec)
    return None if "n" in spec else check_constraint(spec | {"floor": 1}, text)


def check_constraint(spec: Any, text: str) -> bool:
    """Whether ``text`` keeps the constraint; never with fewer than ``floor`` words, or with none.
    Raises SdftError as ``constraint_of`` does, never on a text. It does not judge whether the
    answer is about what was asked."""
    spec = constraint_of(spec)
    stripped = unicodedata.normalize("NFC", textwrap.dedent(text).strip())
    if is_empty(stripped) or len(words(stripped)) < spec.get("floor", 1):
        return False
    return CONSTRAINTS[spec["type"]][1](stripped, spec)
