"""The number that a free text gives as its answer (kind ``math``; lesson 02).

A text without a number, or with one that can be read in two ways, has none. Nothing here raises on
a text, and the patterns take linear time."""

import re
from fractions import Fraction

NUMBER = re.compile(
    r"(?<![\w.^])(?P<sign>(?<![)\]])[-−](?=[$£€]?\.?[0-9]))?(?P<unit>[$£€])?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?|\.[0-9]++)"
    r"(?:[eE](?P<power>[+-]?[0-9]{1,2})(?!\w))?"
    r"(?:/(?P<below>[0-9]++)(?![/.]?[0-9]))?(?!(?:st|[nr]d|th)\b)"
)
FILLER = r"[ \t:*$£€\\(\[\"'“‘=]{0,12}"
CUES = (  # what announces an answer, the strongest first
    re.compile(
        rf"(?i)\banswer[ \t]{{1,4}}(?:is|equals)(?!\w){FILLER}(?:about )?"
        rf"|\banswer\**[ \t]{{0,4}}[:=]{FILLER}"
    ),
    re.compile(rf"\\boxed\{{{FILLER}(?:\\text\{{)?"),
    re.compile(rf"####{FILLER}"),
)
SUM = re.compile(r"[-−+*/×÷x().,$£€ \t0-9]*=[-−+*/×÷x().,$£€ \t0-9=]*")
SPACE = re.compile(r"\s+")
POWERS = re.compile(r"\^\{?[-+]?[0-9.]++\}?|(?<=[0-9])\*\*[0-9]++")
FRACTION = re.compile(r"(?P<whole>[0-9])?\\[dt]?frac(?:\{([0-9]++)\}\{([0-9]++)\}|([0-9])([0-9]))")
GOES_ON = re.compile(r"[.,]?[⁰-⁹¹²³¼-¾⅐-⅞]|[.,][0-9]")  # right behind it: "10,20", "1.2.3", "10²"
SIGNS = r"(?:[-−–+*/×÷x]|\\(?:times|cdot|div)(?!\w))"
OPERATION = re.compile(rf"[ \t]{{0,4}}{SIGNS}[ \t]{{0,4}}[($£€]{{0,2}}[0-9]")
OPERAND = re.compile(r"[0-9][ \t]{0,4}(?:[+*×÷]|\\(?:times|cdot|div))[ \t]{0,4}[$£€]?$")
RESULT = re.compile(rf"={FILLER}(?=[-$£€.0-9])")
LONGEST_NUMBER = 100  # digits


def final_number(text: str) -> Fraction | None:
    """The number that a text gives as its answer, exactly: "$1,000" is 1000, "3/4" is 3/4.

    Looked for in this order: the last "answer is X", ``\\boxed{X}``, "#### X", then the last number
    of all. After "5 + 3 = 8" it is 8. None if there is no number, or no single one: "10 20",
    "10,20", "1,00", "1.2.3", "10²", and "72 + 3" without its result, as nothing is computed here.
    """
    text = text.replace("{,}", ",").replace("\\$", "$").replace("−", "-")
    text = FRACTION.sub(plain_fraction, POWERS.sub("²", text))
    for cue in CUES:
        for hit in reversed(list(cue.finditer(text))):
            number = sum_result(text, hit.end()) or NUMBER.match(text, hit.end())
            if number:
                number = evaluated(text, number)
                return None if number is None or goes_on(text, number) else as_fraction(number)
    numbers = list(NUMBER.finditer(text))
    if not numbers:
        return None
    last = numbers[-1]
    if len(numbers) > 1 and text[numbers[-2].end() : last.start()].isspace():
        return None
    operand = OPERAND.search(text, max(0, last.start() - 20), last.start())
    return None if operand or goes_on(text, last) else as_fraction(last)


def plain_fraction(fraction: re.Match) -> str:
    """LaTeX's fraction as "3/4"; a whole number before it stays apart from it."""
    whole, above, below, *short = fraction.groups()
    return f"{whole + ' ' if whole else ''}{above or short[0]}/{below or short[1]}"


def sum_result(text: str, start: int) -> re.Match | None:
    """The last number of a sum such as "5 + 3 = 8" that begins at ``start``."""
    terms = SUM.match(text, start)
    numbers = list(NUMBER.finditer(text, start, terms.end())) if terms else []
    return numbers[-1] if numbers else None


def evaluated(text: str, number: re.Match) -> re.Match | None:
    """The number; if a sum begins with it, the one after the line's last "=", None without one."""
    if not OPERATION.match(text, number.end()):
        return number
    line = text.find("\n", number.end())
    results = list(RESULT.finditer(text, number.end(), len(text) if line < 0 else line))
    return NUMBER.match(text, results[-1].end()) if results else None


def goes_on(text: str, number: re.Match) -> bool:
    """Whether it is part of a list without spaces, has a power, or another number follows it."""
    start = number.start()
    in_list = start > 1 and text[start - 1] == "," and text[start - 2].isdigit()
    if in_list or GOES_ON.match(text, number.end()):
        return True
    gap = SPACE.match(text, number.end())
    return gap is not None and NUMBER.match(text, gap.end()) is not None


def as_fraction(number: re.Match) -> Fraction | None:
    """The exact value; None for a division by zero or more digits than any answer has."""
    below = number["below"] or "1"
    if len(number["digits"]) + len(below) > LONGEST_NUMBER or int(below) == 0:
        return None
    value = Fraction(number["digits"].replace(",", "") + f"e{number['power'] or 0}") / int(below)
    return -value if number["sign"] else value


def why_no_number(text: str) -> str:
    """What keeps ``final_number`` from reading a reference."""
    several = re.search(r"\d", text)
    return "there is more than one number that could be final" if several else "there is no number"
