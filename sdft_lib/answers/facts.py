"""Facts and terms in a free text: is one of the accepted answers named? (kinds ``fact``, ``open``)

Texts are compared after ``normalise``, as whole words; "7" and "seven" are the same."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
NUMBER_WORDS += "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SAME_NUMBER = {}  # "7" and "seven": the pattern of both
for value, word in enumerate(NUMBER_WORDS):
    SAME_NUMBER[word] = SAME_NUMBER[str(value)] = f"(?:{word}|{value})"
# "twenty-one" is neither "twenty" nor "one", "seven hundred" is not "seven"
NOT_AFTER = "".join(rf"(?<!{word}[- ])" for word in [*TENS, "hundred", "hundred and", "thousand"])
NOT_BEFORE = rf"(?![- ](?:{'|'.join(NUMBER_WORDS[1:10])}|hundred|thousand|million|billion)(?!\w))"
ARTICLE = re.compile(r"^(?:the|an?) (?=\S)")
INITIALS = re.compile(r"(?<!\w)[^\W\d_]\.(?: ?[^\W\d_]\.)+|(?<!\w)[^\W\d_](?:\.[^\W\d_])+(?!\w)")
TITLES = re.compile(r"(?<!\w)(dr|mrs?|ms|st|mt|jr|sr|prof)\.")
QUOTES_AND_DASHES = str.maketrans("‘’‛`“”„‐‑‒–—−", "''''\"\"\"------")


def normalise(text: str) -> str:
    """NFKC, lower case, straight quotes, plain hyphens, single spaces; "1,000" becomes "1000"."""
    plain = unicodedata.normalize("NFKC", text).translate(QUOTES_AND_DASHES).casefold()
    return re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", " ".join(plain.split()))


def contains_answer(text: str, accepted: str | Sequence[str]) -> bool:
    """Whether one of the accepted answers stands in the text as whole words.

    A leading article of the accepted answer and the dots of abbreviations do not count;
    "twenty-one" holds neither "twenty" nor "one"."""
    text = undotted(text)
    for answer in [accepted] if isinstance(accepted, str) else accepted:
        words = ARTICLE.sub("", undotted(answer)).split()
        if not words:
            continue
        forms = " ".join(SAME_NUMBER.get(word, re.escape(word)) for word in words)
        before = NOT_AFTER if is_number(words[0]) else ""
        after = NOT_BEFORE if is_number(words[-1]) else ""
        if re.search(rf"(?<!\w)(?<![0-9][.,]){before}{forms}(?!\w)(?![.,][0-9]){after}", text):
            return True
    return False


def undotted(text: str) -> str:
    """Normalised text without the dots of abbreviations: "U.S." as "us", "Mr. X" as "mr x"."""
    letters = INITIALS.sub(lambda initials: re.sub(r"[. ]", "", initials[0]), normalise(text))
    return TITLES.sub(r"\1", letters)


def is_number(word: str) -> bool:
    """Whether a normalised word is a number that may be a part of a longer one."""
    return word in SAME_NUMBER or word in TENS or word.isdigit()


def contains_term(text: str, term: str) -> bool:
    """Whether a word of the text begins with the term ("relax" is in "relaxing"), in any case."""
    term = normalise(term)
    return bool(term) and re.search(rf"(?<!\w){re.escape(term)}", normalise(text)) is not None


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
