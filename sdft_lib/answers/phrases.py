"""Signs of an unusable text: it is empty, it goes round in circles, or it declines to answer."""

import re
import tomllib
import unicodedata
from collections import Counter

import regex

from sdft_lib.answers.edges import is_blank
from sdft_lib.storage.files import data_dir

TOKEN = re.compile(r"\w+(?:['’]\w+)*|[+*/×÷=<>^-]")
LIST_MARK = re.compile(r"^[ \t]*(?:[-*+•]|[0-9]{1,3}[.)])[ \t]+(?=[^\W\d])", re.MULTILINE)
SENTENCE = re.compile(r"[^.!?\n]+")
SYMBOLS = {*"+*/×÷=<>^-", "plus", "minus", "times"}
STUTTER = re.compile(r"([^\W\d_][^\n]{0,7}?)\1{19}")
LONGEST_UNIT, MOST_WORDS = 40, 5000  # of a phrase that comes again, and looked at in a text


def is_empty(text: str) -> bool:
    """Whether a text holds no letter, no digit and no symbol: emoji and "+" are answers."""
    return is_blank(regex.sub(r"\p{P}+", "", text))


def has_loop(text: str) -> bool:
    """Whether a text repeats a line or sentence 3 times, a phrase in a row, or most of its runs."""
    text = LIST_MARK.sub("", text.lower())
    words = TOKEN.findall(text)[-MOST_WORDS:]
    return same_lines(text) or back_to_back(words) or crowded(words) or bool(STUTTER.search(text))


def same_lines(text: str) -> bool:
    """Whether a line or a sentence of 4 words or more stands there 3 times."""
    for parts in (text.splitlines(), SENTENCE.findall(text)):
        for words, count in Counter(tuple(TOKEN.findall(part)) for part in parts).items():
            if count >= 3 and len(words) >= 4 and not SYMBOLS & set(words):
                return True
    return False


def back_to_back(words: list[str]) -> bool:
    """Whether a word stands 4 times or a phrase 3 times in a row; sums ("2 + 2") do not count."""
    for size in range(1, min(LONGEST_UNIT, len(words) // 3) + 1):
        needed = 3 if size == 1 else 2 * size
        run = 0  # words in a row that come again ``size`` words later
        for index in range(len(words) - size):
            run = run + 1 if words[index] == words[index + size] else 0
            if run < needed:
                continue
            unit = words[index - size + 1 : index + 1]
            digits = all(map(str.isdigit, unit))  # a row of equal numbers may be data
            if not SYMBOLS & set(unit) and (run >= 8 * size or not digits):
                return True
    return False


def crowded(words: list[str]) -> bool:
    """Whether over half of the 4-word runs of a text of 40 words or more occur 3 times."""
    words = [word for word in words if word not in SYMBOLS]
    runs = Counter(zip(words, words[1:], words[2:], words[3:]))
    total = sum(runs.values())
    return len(words) >= 40 and sum(count for count in runs.values() if count >= 3) > 0.5 * total


# ---- Refusals. A pattern is tried on lower case, straight quotes and single spaces.
REFUSALS = tomllib.loads((data_dir() / "refusals.toml").read_text("utf-8"))
for _name, _part in REFUSALS.pop("parts").items():
    REFUSALS = {key: pattern.replace(f"<{_name}>", _part) for key, pattern in REFUSALS.items()}
REFUSALS = tuple(map(re.compile, REFUSALS.values()))
QUOTE = r"(?:\"[^\"]+\"|[“„«][^“”„«»]+[”“»]|「[^」]+」|(?<!\w)'(?:[^']|(?<=\w)'(?=\w))+'(?!\w))"
QUOTED = re.compile(  # inside a sentence: 'He said "no."', '"No," he said'
    rf"(?<=[\w,:] ){QUOTE}|(?<=[^\x00-\x7f]){QUOTE}|{QUOTE}(?<![.!?]\W)(?=,? \w)"
)
OPENING = 200  # characters: a refusal comes first


def phrase_hits(text: str) -> int:
    """How many of our phrases of refusal stand anywhere in a text, quotes included: no judgement, a
    count such as the paper's of its own 29 phrases (Table 2; lesson 06)."""
    plain = unicodedata.normalize("NFC", text).lower().replace("’", "'").replace("‘", "'")
    plain = " ".join(plain.split())
    return sum(bool(pattern.search(plain)) for pattern in REFUSALS)


def is_refusal(text: str) -> bool:
    """Whether the first 200 characters hold a phrase of refusal; an empty text holds none. Phrases
    in twelve languages, not a judgement; data/results/README.md says how far they can be trusted.
    The inability must be the speaker's own: neither "I'm sorry to hear that you can't log in" nor
    what the text quotes is a refusal."""
    plain = unicodedata.normalize("NFC", text[: 2 * OPENING]).lower()
    opening = " ".join(plain.replace("’", "'").replace("‘", "'").split())[:OPENING]
    said = QUOTED.sub('""', opening)
    return any(pattern.search(said) for pattern in REFUSALS)
