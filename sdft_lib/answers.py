"""Read an answer out of free text: numbers, calls, labels, facts; loops and refusals (lessons 02 and 05).

Shared by ``verify`` (may this rewrite be trained on?) and ``score`` (is this test answer right?). A reader
that finds nothing returns None, and None equals nothing. Nothing here raises on a text; the patterns take
linear time. Calls are read in ``calls``, loops and refusals in ``phrases``.
"""

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from sdft_lib.calls import Call, Source, calls_equal, parse_call
from sdft_lib.phrases import has_loop, is_refusal

__all__ = [
    "Call",
    "Source",
    "calls_equal",
    "contains_answer",
    "contains_term",
    "final_choice",
    "final_number",
    "has_loop",
    "is_refusal",
    "named_choices",
    "normalise",
    "parse_call",
]

# ---- numbers
NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>(?<![)\]])[-−](?=[$£€]?\.?[0-9]))?(?P<unit>[$£€])?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?|\.[0-9]++)"
    r"(?:[eE](?P<power>[+-]?[0-9]{1,2})(?!\w))?"
    r"(?:/(?P<below>[0-9]++)(?![/.]?[0-9]))?(?!(?:st|[nr]d|th)\b)"
)
FILLER = r"[ \t:*$£€\\(\[\"'“‘=]{0,12}"
CUES = (
    re.compile(
        rf"\banswer[ \t]{{1,4}}(?:is|equals)(?!\w){FILLER}(?:about )?|\banswer\**[ \t]{{0,4}}[:=]{FILLER}",
        re.IGNORECASE,
    ),
    re.compile(rf"\\boxed\{{{FILLER}(?:\\text\{{)?"),
    re.compile(rf"####{FILLER}"),
)
SUM = re.compile(r"[-−+*/×÷x().,$£€ \t0-9]*=[-−+*/×÷x().,$£€ \t0-9=]*")
SPACE = re.compile(r"\s+")
LONGEST_NUMBER = 100  # digits


def final_number(text: str) -> Fraction | None:
    """The number that a text gives as its answer, exactly: "$1,000" is 1000, "3.50" is 7/2, "3/4" is 3/4.

    Looked for in this order: the last "answer is X", ``\\boxed{X}``, "#### X", then the last number of all.
    None if there is no number, or if only white space parts it from another ("10 20" is neither 20 nor 1020).
    After "5 + 3 = 8" it is 8.
    """
    text = text.replace("{,}", ",").replace("\\$", "$").replace("−", "-")
    for cue in CUES:
        for hit in reversed(list(cue.finditer(text))):
            found = sum_result(text, hit.end()) or NUMBER.match(text, hit.end())
            if found:
                return None if joined(text, found) else as_fraction(found)
    numbers = list(NUMBER.finditer(text))
    if not numbers or (len(numbers) > 1 and text[numbers[-2].end() : numbers[-1].start()].isspace()):
        return None
    return as_fraction(numbers[-1])


def sum_result(text: str, start: int) -> re.Match | None:
    """The last number of a sum such as "5 + 3 = 8" that begins at ``start``."""
    found = SUM.match(text, start)
    numbers = list(NUMBER.finditer(text, start, found.end())) if found else []
    return numbers[-1] if numbers else None


def joined(text: str, number: re.Match) -> bool:
    """Whether another bare number follows, parted by white space only."""
    gap = SPACE.match(text, number.end())
    return gap is not None and NUMBER.match(text, gap.end()) is not None


def as_fraction(number: re.Match) -> Fraction | None:
    """The exact value of a NUMBER match; None for a division by zero or more digits than any answer has."""
    below = number["below"] or "1"
    if len(number["digits"]) + len(below) > LONGEST_NUMBER or int(below) == 0:
        return None
    value = Fraction(number["digits"].replace(",", "") + f"e{number['power'] or 0}") / int(below)
    return -value if number["sign"] else value


# ---- labels
CHOICE_CUE = re.compile(
    r"(?:(?<!\w)(?:answer|label|choice)(?: is|['’]s)?|(?<!\w)final)[ \t]{0,4}[:=]?[\s*_`\"'“‘(\[]{0,12}"
    r"(?:the )?(?=\w)",
    re.IGNORECASE,
)
OR = re.compile(r"[\s*_`\"'”’)]{0,6}(?:\bor\b|\band\b|[/,&])[\s*_`\"'“‘(]{0,6}(?:the )?", re.I)


def choice_pattern(choices: Sequence[str]) -> re.Pattern:
    """Any of the choices as a whole word; the longest first: "account access" is not also "account"."""
    longest_first = sorted((choice for choice in choices if choice.strip()), key=len, reverse=True)
    names = "|".join(map(re.escape, longest_first)) or r"(?!)"
    return re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE)


def named_choices(text: str, choices: Sequence[str]) -> list[str]:
    """The distinct choices that the text names as whole words, in any case, in order of appearance."""
    spelled = {choice.lower(): choice for choice in choices}
    found = (spelled.get(hit[0].lower()) for hit in choice_pattern(choices).finditer(text))
    return list(dict.fromkeys(choice for choice in found if choice is not None))


def final_choice(text: str, choices: Sequence[str]) -> str | None:
    """The choice that a text settles on: the only one it names, or the one after its last cue ("answer: X",
    "answer is X", "final: X"). None if it names none, several without a cue, or "the answer is A or B".
    """
    named = named_choices(text, choices)
    if len(named) < 2:
        return named[0] if named else None
    pattern = choice_pattern(choices)
    for cue in reversed(list(CHOICE_CUE.finditer(text))):
        hit = pattern.match(text, cue.end())
        if hit:
            link = OR.match(text, hit.end())
            hedged = link and pattern.match(text, link.end())
            return None if hedged else named_choices(hit[0], choices)[0]
    return None


# ---- facts
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
SAME_NUMBER = {
    form: f"(?:{word}|{value})" for value, word in enumerate(NUMBER_WORDS) for form in (word, str(value))
}
QUOTES_AND_DASHES = str.maketrans("‘’‛`“”„‐‑‒–—−", "''''\"\"\"------")


def normalise(text: str) -> str:
    """Unicode NFKC, lower case, straight quotes, plain hyphens, single spaces; "1,000" becomes "1000"."""
    plain = unicodedata.normalize("NFKC", text).translate(QUOTES_AND_DASHES).casefold()
    return re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", " ".join(plain.split()))


def contains_answer(text: str, accepted: str | Sequence[str]) -> bool:
    """Whether one of the accepted answers stands in the text as whole words; "7" and "seven" are the same."""
    text = normalise(text)
    for answer in [accepted] if isinstance(accepted, str) else accepted:
        words = [SAME_NUMBER.get(word, re.escape(word)) for word in normalise(answer).split()]
        if words and re.search(rf"(?<!\w)(?<![0-9][.,]){' '.join(words)}(?!\w)(?![.,][0-9])", text):
            return True
    return False


def contains_term(text: str, term: str) -> bool:
    """Whether a word of the text begins with the term ("relax" is in "relaxing"), in any case."""
    term = normalise(term)
    return bool(term) and re.search(rf"(?<!\w){re.escape(term)}", normalise(text)) is not None
