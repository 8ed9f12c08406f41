"""Where a word begins and ends, by script, and whether a name of one or two letters is meant.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces, so that a word of theirs
may stand beside any letter; Korean adds particles to a word. Underscores are markup, and a vowel
sign is part of its letter. Texts are ``folded`` first."""

import re
import unicodedata
from collections.abc import Iterator

import regex

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー々\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]"
PARTICLES = "은|는|이|가|을|를|의|에|에서|로|으로|와|과|도|만|입니다|이다|예요|이에요|이야|야|라고"
BEFORE = regex.compile(rf"(?<!{LETTER})|(?=[{UNSPACED}])", regex.VERSION1)
AFTER = regex.compile(
    rf"(?!\p{{M}})(?:(?!{LETTER})|(?<=[{UNSPACED}])"
    rf"|(?<=\p{{Hangul}})(?=(?:{PARTICLES})(?!{LETTER})))"
    r"(?!'t(?!\p{L}))",  # "can" is no part of "can't"
    regex.VERSION1,
)
QUOTES_AND_DASHES = str.maketrans("‘’‛`“”„‐‑‒–—−", "''''\"\"\"------", "\ufe0e\ufe0f")

# A name of one or two letters: "B", "no", "US"
SHORT = regex.compile(r"\p{Latin}{1,2}")
IN_A_WORD = regex.compile(r"(?:[\p{L}\p{N}]['&-]|\p{L}\.|(?<!\p{L})\p{Lu}\. )$")
IN_INITIALS = regex.compile(r"['&-]\p{L}|\.\p{Lu}(?!\p{L})|\. ?\p{Lu}\.|\.\p{L}\.|[+#]")
MARKS = r"[\s(\[\"'*_]"
ASKED_FOR = regex.compile(
    rf"(?im)(?:^|[(\[\"'*_]|\b(?:answer|label|choice|option)(?: is|:)?{MARKS}){MARKS}*$"
)
CLOSED = regex.compile(r"[\"'*_]*(?:[)\].:,;!?\"'*_]|\s*$)")
WORDS = set("A I a i no No NO on in it is as at be by do go he if me my of or so to up we".split())
GOES_ON = regex.compile(  # "a better fit", "no doubt", but "B is right"
    r"[\"'*_]* (?!(?:is|because|since|as|and|or|but|fits|seems|matches|describes|it|this|that"
    r"|they|there|he|she|you)\b)\p{Ll}"
)
# A name that is a number: "4"
SIGNED = regex.compile(
    r"(?:(?<![\p{L}\p{N})])[-+±]|[0-9][.,:']|[0-9] ?/ ?|[0-9] \(?(?:\p{L}+ )?(?:out )?of )$"
)
DECIMALS = regex.compile(r"[.,:'][0-9]")

# White space, controls, what Unicode lets a reader ignore, and signs that are drawn as nothing:
# Braille blank, null notehead, Egyptian format controls.
UNSEEN = regex.compile(
    r"[\s\p{Cc}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb"
    r"\U00013430-\U0001343f\U0001d159]*"
)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing. A symbol or an emoji is seen, so it is an answer."""
    return UNSEEN.fullmatch(text) is not None


def folded(text: str) -> str:
    """NFKC, with straight quotes, plain hyphens, and emoji without their variation marks."""
    return unicodedata.normalize("NFKC", text).translate(QUOTES_AND_DASHES)


def places(text: str, name: str, pattern: str = "") -> Iterator[tuple[int, int]]:
    """Where a folded name stands in a folded text as a word of its own, in any case. ``pattern``
    finds it where its letters do not. A symbol may stand beside anything but itself."""
    is_word = any(map(str.isalnum, name))
    pattern = pattern or r"\s+".join(map(spelled, name.split())) or "(?!)"
    for hit in re.finditer(pattern, text, re.IGNORECASE):
        start, end = hit.span()
        if is_word:
            alone = BEFORE.match(text, start) and AFTER.match(text, end)
        else:
            alone = text[start - 1 : start] != name[0] and text[end : end + 1] != name[-1]
        if alone:
            yield start, end


def spelled(word: str) -> str:
    """The pattern of a word, also of "strasse" for "straße"."""
    return f"(?:{re.escape(word)}|{re.escape(word.casefold())})"


def is_meant(text: str, start: int, end: int, name: str) -> bool:
    """Whether ``text[start:end]`` is ``name``, and no part of "I'd", "it", "a dog", "no doubt",
    "U.S.", "C++", "-4" or "1/4"; any name of three letters or more is meant."""
    lead = max(0, start - 24)
    if name.isdecimal():
        return not (SIGNED.search(text, lead, start) or DECIMALS.match(text, end))
    if not SHORT.fullmatch(name):
        return True
    if IN_A_WORD.search(text, lead, start) or IN_INITIALS.match(text, end):
        return False
    if ASKED_FOR.search(text, lead, start) and CLOSED.match(text, end):
        return True
    if name.isupper() and name not in ("NO", "OK") and text[start:end] != name:
        return False
    return name not in WORDS or GOES_ON.match(text, end) is None
