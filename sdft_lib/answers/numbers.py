"""Read an answer out of free text: numbers, calls, labels, facts; loops and refusals (lessons 02
and 05).

Shared by ``verify`` (may this rewrite be trained on?) and ``score`` (is this test answer right?). A
reader that finds nothing, or something that can be read in two ways, returns None, and None equals
nothing. Nothing here raises on a text; the patterns take linear time. Calls are read in ``calls``,
labels in ``labels``, loops and refusals in ``phrases``."""

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from sdft_lib.answers.calls import Call, Source, calls_equal, parse_call
from sdft_lib.answers.labels import final_choice, named_choices
from sdft_lib.answers.phrases import has_loop, is_refusal

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
    r"(?<![\w.^])(?P<sign>(?<![)\]])[-−](?=[$£€]?\.?[0-9]))?(?P<unit>[$£€])?"
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
POWERS = re.compile(r"\^\{?[-+]?[0-9.]++\}?|(?<=[0-9])\*\*[0-9]++")
FRACTION = re.compile(r"(?P<whole>[0-9])?\\[dt]?frac(?:\{([0-9]++)\}\{([0-9]++)\}|([0-9])([0-9]))")
JOINED = re.compile(
    r"[.,]?[⁰-⁹¹²³¼-¾⅐-⅞]|[.,][0-9]"
)  # right after a number: "10,20", "1.2.3", "10²"
SIGNS = r"(?:[-−–+*/×÷x]|\\(?:times|cdot|div)(?!\w))"
OPERATION = re.compile(rf"[ \t]{{0,4}}{SIGNS}[ \t]{{0,4}}[($£€]{{0,2}}[0-9]")
OPERAND = re.compile(r"[0-9][ \t]{0,4}(?:[+*×÷]|\\(?:times|cdot|div))[ \t]{0,4}[$£€]?$")
RESULT = re.compile(rf"={FILLER}(?=[-$£€.0-9])")
LONGEST_NUMBER = 100  # digits


def final_number(text: str) -> Fraction | None:
    """The number that a text gives as its answer, exactly: "$1,000" is 1000, "3.50" is 7/2, "3/4"
    is 3/4.

    Looked for in this order: the last "answer is X", ``\\boxed{X}``, "#### X", then the last number
    of all. After "5 + 3 = 8" it is 8. None if there is no number, or no single one: "10 20",
    "10,20", "1,00", "1.2.3", "10²", and "72 + 3" without its result, as nothing is computed here.
    """
    text = text.replace("{,}", ",").replace("\\$", "$").replace("−", "-")
    text = FRACTION.sub(plain_fraction, POWERS.sub("²", text))
    for cue in CUES:
        for hit in reversed(list(cue.finditer(text))):
            found = sum_result(text, hit.end()) or NUMBER.match(text, hit.end())
            if found:
                found = evaluated(text, found)
                return None if found is None or joined(text, found) else as_fraction(found)
    numbers = list(NUMBER.finditer(text))
    if not numbers or (
        len(numbers) > 1 and text[numbers[-2].end() : numbers[-1].start()].isspace()
    ):
        return None
    last = numbers[-1]
    operand = OPERAND.search(text, max(0, last.start() - 20), last.start())
    return None if operand or joined(text, last) else as_fraction(last)


def plain_fraction(found: re.Match) -> str:
    """LaTeX's fraction as "3/4"; a whole number before it stays apart from it."""
    whole, above, below, *short = found.groups()
    return f"{whole + ' ' if whole else ''}{above or short[0]}/{below or short[1]}"


def sum_result(text: str, start: int) -> re.Match | None:
    """The last number of a sum such as "5 + 3 = 8" that begins at ``start``."""
    found = SUM.match(text, start)
    numbers = list(NUMBER.finditer(text, start, found.end())) if found else []
    return numbers[-1] if numbers else None


def evaluated(text: str, number: re.Match) -> re.Match | None:
    """The number itself; if a sum begins with it, the number after the line's last "="; None
    without one.
    """
    if not OPERATION.match(text, number.end()):
        return number
    line = text.find("\n", number.end())
    results = list(RESULT.finditer(text, number.end(), len(text) if line < 0 else line))
    return NUMBER.match(text, results[-1].end()) if results else None


def joined(text: str, number: re.Match) -> bool:
    """Whether a number goes on: a list without spaces, a power, or another number parted by white
    space only.
    """
    start, gap = number.start(), SPACE.match(text, number.end())
    if JOINED.match(text, number.end()) or (
        start > 1 and text[start - 1] == "," and text[start - 2].isdigit()
    ):
        return True
    return gap is not None and NUMBER.match(text, gap.end()) is not None


def as_fraction(number: re.Match) -> Fraction | None:
    """The exact value of a NUMBER match; None for a division by zero or more digits than any answer
    has.
    """
    below = number["below"] or "1"
    if len(number["digits"]) + len(below) > LONGEST_NUMBER or int(below) == 0:
        return None
    value = Fraction(number["digits"].replace(",", "") + f"e{number['power'] or 0}") / int(below)
    return -value if number["sign"] else value


# ---- facts
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
SAME_NUMBER = {
    form: f"(?:{word}|{value})"
    for value, word in enumerate(NUMBER_WORDS)
    for form in (word, str(value))
}
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
IN_A_LONGER_NUMBER = (  # "twenty-one" is neither "twenty" nor "one", "seven hundred" is not "seven"
    "".join(rf"(?<!{word}[- ])" for word in [*TENS, "hundred", "hundred and", "thousand"]),
    rf"(?![- ](?:{'|'.join(NUMBER_WORDS[1:10])}|hundred|thousand|million|billion)(?!\w))",
)
ARTICLE = re.compile(r"^(?:the|an?) (?=\S)")
INITIALS = re.compile(r"(?<!\w)[^\W\d_]\.(?: ?[^\W\d_]\.)+|(?<!\w)[^\W\d_](?:\.[^\W\d_])+(?!\w)")
TITLES = re.compile(r"(?<!\w)(dr|mrs?|ms|st|mt|jr|sr|prof)\.")
QUOTES_AND_DASHES = str.maketrans("‘’‛`“”„‐‑‒–—−", "''''\"\"\"------")


def normalise(text: str) -> str:
    """Unicode NFKC, lower case, straight quotes, plain hyphens, single spaces; "1,000" becomes
    "1000".
    """
    plain = unicodedata.normalize("NFKC", text).translate(QUOTES_AND_DASHES).casefold()
    return re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", " ".join(plain.split()))


def undotted(text: str) -> str:
    """Normalised text with abbreviations as letters alone: "U.S." as "us", "J. K. Rowling" as "jk
    rowling".
    """
    return TITLES.sub(
        r"\1", INITIALS.sub(lambda found: re.sub(r"[. ]", "", found[0]), normalise(text))
    )


def contains_answer(text: str, accepted: str | Sequence[str]) -> bool:
    """Whether one of the accepted answers stands in the text as whole words; "7" and "seven" are
    the same.

    A leading article of the accepted answer and the dots of abbreviations do not count;
    "twenty-one" holds neither "twenty" nor "one"."""
    text = undotted(text)
    for answer in [accepted] if isinstance(accepted, str) else accepted:
        words = ARTICLE.sub("", undotted(answer)).split()
        forms = " ".join(SAME_NUMBER.get(word, re.escape(word)) for word in words)
        before = IN_A_LONGER_NUMBER[0] if words and is_number(words[0]) else ""
        after = IN_A_LONGER_NUMBER[1] if words and is_number(words[-1]) else ""
        if words and re.search(
            rf"(?<!\w)(?<![0-9][.,]){before}{forms}(?!\w)(?![.,][0-9]){after}", text
        ):
            return True
    return False


def is_number(word: str) -> bool:
    """Whether a normalised word is a number that may be a part of a longer one."""
    return word in SAME_NUMBER or word in TENS or word.isdigit()


def contains_term(text: str, term: str) -> bool:
    """Whether a word of the text begins with the term ("relax" is in "relaxing"), in any case."""
    term = normalise(term)
    return bool(term) and re.search(rf"(?<!\w){re.escape(term)}", normalise(text)) is not None
