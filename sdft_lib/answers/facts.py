"""Facts and terms in a free text: is one of the accepted answers named? (kinds ``fact``, ``open``)

Texts are compared folded, in any case, as whole words; "7" and "seven" are the same."""

import json
import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

import regex

from sdft_lib.answers.edges import BEFORE, folded, is_meant, places, spelled

NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
NUMBER_WORDS += "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SAME_NUMBER = {}  # "7" and "seven": the pattern of both
for value, word in enumerate(NUMBER_WORDS):
    SAME_NUMBER[word] = SAME_NUMBER[str(value)] = f"(?:{word}|{value})"
# "twenty-one" is neither "twenty" nor "one", "seven hundred" is not "seven", "-5" is not "5"
NOT_AFTER = "".join(rf"(?<!{word}[- ])" for word in [*TENS, "hundred", "hundred and", "thousand"])
NOT_AFTER += r"(?<!^-)(?<![\s(\[=:$]-)(?<![0-9][/:])"
NOT_BEFORE = rf"(?![- ](?:{'|'.join(NUMBER_WORDS[1:10])}|hundred|thousand|million|billion)(?!\w))"
NOT_BEFORE += "(?![/:][0-9])"
ARTICLE = re.compile(r"^(?:the|an?) (?=\S)", re.IGNORECASE)
INITIALS = regex.compile(r"(?<!\w)\p{L}\.(?: ?\p{L}\.)+|(?<!\w)\p{L}(?:\.\p{L})+(?!\w)")
TITLES = re.compile(r"(?<!\w)(dr|mrs?|ms|st|mt|jr|sr|prof)\.", re.IGNORECASE)
ANSWER_KEYS = {"value", "text", "aliases"}
THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def normalise(text: str) -> str:
    """Folded, in lower case, with single spaces; "1,000" becomes "1000"."""
    return spaced(text).casefold()


def spaced(text: str) -> str:
    """Folded, with single spaces and without the commas of thousands."""
    return THOUSANDS.sub("", " ".join(folded(text).split()))


def contains_answer(text: str, accepted: str | Sequence[str]) -> bool:
    """Whether one of the accepted answers stands in the text as whole words. A leading article of
    the accepted answer and the dots of abbreviations do not count, yet "U.S." is not "us";
    "twenty-one" holds neither "twenty" nor "one"."""
    text = undotted(text)
    for answer in [accepted] if isinstance(accepted, str) else accepted:
        name = ARTICLE.sub("", undotted(answer))
        words = name.split()
        if not words:
            continue
        forms = " ".join(SAME_NUMBER.get(word.casefold(), spelled(word)) for word in words)
        before = NOT_AFTER if is_number(words[0].casefold()) else ""
        after = NOT_BEFORE if is_number(words[-1].casefold()) else ""
        pattern = rf"(?<![0-9][.,]){before}{forms}(?![.,][0-9]){after}"
        has_dots = INITIALS.fullmatch(folded(answer).strip())  # "W.H.O." is not "who"
        for start, end in places(text, name, pattern):
            as_written = not has_dots or text[start:end] == name
            if as_written and is_meant(text, start, end, name):
                return True
    return False


def undotted(text: str) -> str:
    """Spaced text without the dots of abbreviations: "U.S." as "US", "Mr. X" as "Mr X"."""
    letters = INITIALS.sub(lambda found: re.sub("[. ]", "", found[0]).upper(), spaced(text))
    return TITLES.sub(r"\1", letters)


def is_number(word: str) -> bool:
    """Whether a word in lower case is a number that may be a part of a longer one."""
    return word in SAME_NUMBER or word in TENS or word.isdigit()


def contains_term(text: str, term: str) -> bool:
    """Whether a word of the text begins with the term ("relax" is in "relaxing"), in any case."""
    text, term = normalise(text), re.escape(normalise(term))
    return term != "" and any(BEFORE.match(text, hit.start()) for hit in re.finditer(term, text))


def texts(reference: Any) -> list[str]:
    """The texts and numbers of a string, a list, a dict that keeps them under ANSWER_KEYS (SQuAD,
    TriviaQA), or JSON of one; empty ones are left out."""
    value = from_json(reference)
    if isinstance(value, dict) and ANSWER_KEYS & value.keys():
        under = [value[key] for key in sorted(ANSWER_KEYS & value.keys())]
        value = [*chain.from_iterable(part if isinstance(part, list) else [part] for part in under)]
    items = value if isinstance(value, list | tuple) else [reference]
    named = [str(item) for item in items if isinstance(item, str | int | float)]
    return [text for text in named if text.strip()]


def from_json(reference: Any) -> Any:
    """The list or dict that a JSON string holds; anything else as it is."""
    if not isinstance(reference, str) or reference.lstrip()[:1] not in ("[", "{"):
        return reference
    try:
        return json.loads(reference)
    except (ValueError, RecursionError):
        return reference
