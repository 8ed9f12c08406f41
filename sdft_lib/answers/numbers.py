"""The number that a free text gives as its answer (kind ``math``; lesson 02).

A value is read whole or not at all: thousands, decimals, signs, fractions, powers, "2 million" and
"3,5 Mio." are understood; ranges, ratios, times, roots, variables and tuples are no number, nor is
"3,500 Millionen", 3.5 or 3,500 of them. Nothing here raises on a text, and the patterns take linear
time.

A grammar of our own: math-verify 0.9 reads 7,472 of the 7,473 references of GSM8K (this: all), took
several times as long an answer, brings 91 MB (sympy, antlr) and half a second of import, and calls
11:45 right where 11:30 is."""

import unicodedata
from fractions import Fraction

import regex

from sdft_lib.answers.facts import NUMBER_WORDS, TENS

# ---- A text without its markup
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
SIGNS = str.maketrans("−–‐‑‒⁄’‘٫٬∗", "-----/''.,*")
LATEX = {"times": "×", "cdot": "×", "div": "÷", "pm": "±", "approx": "≈", "sim": "≈", "pi": "π"}
LATEX |= {"degree": "°", "ne": "≠", "lt": "<", "gt": ">", "le": "≤", "leq": "≤", "sqrt": "√"}
LATEX |= {"ge": "≥", "geq": "≥", "to": ":", "rightarrow": ":", "infty": "∞"}
LATEX |= {"left": "", "right": "", "quad": " ", "ldots": " ", "dots": " ", "cdots": " "}
COMMAND = regex.compile(r"\\([a-zA-Z]{2,12})(?![a-zA-Z])")
TEXT = r"\\(?:text|math|mbox)[a-z]{0,6} *\{"
MARKUP = tuple(
    (regex.compile(pattern), instead)
    for pattern, instead in (
        (r"\p{Cf}|<<[^<>\n]{0,200}>>|</?[a-z]{1,10}>|`|\\!", ""),
        (r"\\[,;: ]|~", " "),
        (r"\\([$%#&])", r"\1"),
        (r"\{,\}", ","),
        (r"\^ *\{? *\\circ *\}?", "°"),
        (r"\\[dtc]?frac *(?:\{ *([-+]?\d+) *\} *\{ *(\d+) *\}|(\d)(\d))", r" \1\3/\2\4"),
        (r"(?<=-) +(?=[0-9]++/)", ""),
        (rf"(?<=[0-9]) *{TEXT} *\p{{L}} *\}}", " unit "),
        (rf"{TEXT}([^{{}}]{{0,200}})\}}", r" \1 "),
        (r"\^ *\{ *([-+]?[0-9]+) *\}", r"^\1"),
        (r"(?<=[0-9])\*\*(?=[-0-9])", "^"),
        (r"(?<![^\s(\[{:$=])[*_]+(?=[^\s*_])|(?<=[^\s*_])[*_]+(?![\w(*])", ""),
        (r"(?m)^[ \t]*[-*•][ \t]+(?=[^\n]*\p{L})", ""),
        (r"[-=]{1,3}>|[→⇒]", ":"),
    )
)

# ---- A value
ALPHA = r"[\p{Latin}\p{Greek}\p{Cyrillic}]"
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12, "k": 3}
SCALES |= {"lakh": 5, "crore": 7, **dict(zip("百千万萬亿億만억", (2, 3, 4, 4, 8, 8, 4, 8)))}
GERMAN = {"hundert": 2, "tausend": 3, "tsd": 3, "mio": 6, "mrd": 9}
GERMAN |= {"millionen": 6, "milliarde": 9, "milliarden": 9, "billionen": 12}
SCALES |= GERMAN
UNSURE = (  # "in 1990 millions", "5 thousandths", another language: no value, but "5 millionaires"
    r"(?:hundred|hundert|thousand|tausend|mill?ion|mill?iard|bill?ion|trill?ion|mill[oó]n|milh[oõ])"
    r"(?!ai|är)\p{L}+"
    r"|mil|mille|mill|mn|mln|(?:миллион|миллиард|тысяч)\p{L}*|тыс|млн|млрд"
)
GROUP = regex.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")  # thousands, or three decimals
TOKEN = r"(?:[0-9]++(?:[.,'_][0-9]++| [0-9]{3}(?![0-9]))*+|(?<![\p{L}.])\.[0-9]++)"
SHAPE = regex.compile(
    r"(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]+))?"
    r"|(?P<whole>[1-9][0-9]{0,2}(?P<mark>[,'_ ])[0-9]{3}(?:(?P=mark)[0-9]{3})*)"
    r"(?:\.(?P<part>[0-9]+))?"
    r"|(?P<whole>[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.(?P<part>[0-9]+))?"  # India: 1,00,000
    r"|(?P<whole>[1-9][0-9]{0,2}(?P<mark>[. '])[0-9]{3}(?:(?P=mark)[0-9]{3})*),(?P<part>[0-9]+)"
    r"|(?P<whole>[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,})"
    r"|(?P<whole>[0-9]+),(?P<part>[0-9]{1,2}|[0-9]{4,}|(?<=^0,)[0-9]+)"
)
VALUE = regex.compile(
    r"(?P<sign>[-+] ?|\b(?i:minus|negative) )?(?:\p{Sc} ?(?P<inner>-)?)?"
    rf"(?P<number>{TOKEN})(?!(?:st|nd|rd|th|er)\b)"
    r"(?:[eE](?P<ten>[-+]?[0-9]++)| ?[x×*·] ?10\^(?P<ten>[-+]?[0-9]++)|\^(?P<power>[-+]?[0-9]++))?"
    r"(?: (?P<above>[0-9]++)(?=/))?(?: ?/ ?(?P<below>[0-9]++))?"
    rf"(?: ?(?P<scale>(?i:{'|'.join([*SCALES, UNSURE])}))(?!{ALPHA})"
    r"(?:(?<=\b(?i:tsd|mio|mrd))\.)?)?"
)
DASH = regex.compile(r"[\p{L}.!?;,)] \Z")  # before "- 5": no minus
IS = regex.compile(
    r"(?:^|[\n:=(*\"]|\b(?:is|was|are|be|equals|to|of|at|by|gives|about))[\s$]*\Z", regex.IGNORECASE
)
NAMED = regex.compile(  # before a number that is no value: "b12", "m^2", "not 5"
    rf"(?:(?<!\\[a-zA-Z]{{0,12}}){ALPHA}|{ALPHA}[_^]|\b(?:not|than) [-\p{{Sc}}]?)\Z",
    regex.IGNORECASE,
)
PART_BEFORE = regex.compile(
    r"(?:[0-9)\]}%][ \t]*(?:\p{L}{1,3} )?[-+*×÷/^·±x][ \t]*[(\p{Sc}]*|[0-9](?::| : )"
    r"|[0-9]\s+[-\p{Sc}]*|[0-9]['\"]\s?|[0-9]\.\.+ ?|\b[a-zA-Z] ?[-+*×÷/] ?|[)\]%]"
    rf"|{ALPHA}[-+*×÷]|[\p{{L}}_]\(|[√±<>≤≥≠∞]=? ?[(-]?|[{{}}_^/]|\\[a-zA-Z]+ ?|(?<!\p{{L}})\."
    r"|(?<!\^)[0-9] (?:plus|minus|times|over|divided by|multiplied by|mod|r|or|to|and"
    r"|(?:out )?of|(?:h|hours?|ft|feet|min|minutes?)(?: and)?) [-\p{Sc}]?"
    r"|\b(?:1 in|sqrt|root of|log|ln|sin|cos|tan) |\bbetween [^.\n]{1,20} and [-\p{Sc}]?"
    r"|[0-9](?:,|;| or| and),? ?[a-z] ?= ?-?)\Z",
    regex.IGNORECASE,
)
TUPLE_BEFORE = regex.compile(r"[(\[{][^()\[\]{}\n]{0,40}[,;] ?-?\Z")
UNIT = (
    r"(?:[gmhlL](?!\p{L})|(?!am\b|pm\b|pi\b|ab\b|[xyz]+\b)[\p{Latin}\p{Cyrillic}]{2,})(?!\w*[0-9])"
)
PART_AFTER = regex.compile(
    rf"(?!{UNIT}){ALPHA}| ?[π√^‰{{]|\\(?!end)[a-zA-Z({{]| ?x ?[0-9]| (?:[xyz]|pi)\b"
    r"|[.,_][0-9]|\s+-?[0-9]|['\"] ?[0-9]|(?::| : )[0-9]|\.\.+ ?[0-9]|\([0-9]"
    r"| and (?:a|one) (?:half|third|quarter)"
    r"| (?:\p{L}{1,12} )?(?:plus|minus|times|over|divided by|multiplied by|mod|to|or|and)"
    r"(?: [a-z]{1,8})?(?: ?=)? [-$]?[0-9]"
    rf"|[,;] ?-?{TOKEN}(?=\s*(?:[.,;)\]}}]|$|and|or))"
)
SUM_AFTER = regex.compile(
    r"[ \t]*(?:[-+*×÷/<>≤≥±·]|\bx\b)=?[ \t]*[-(\p{Sc}√]*(?:[0-9]|[b-zB-HJ-Z](?![\w'])|\\)"
    r"|[ \t]*=[ \t]*[-(\p{Sc}√]*[0-9\\]"
)

# ---- What announces an answer
BOXED = regex.compile(r"\\(?:boxed|fbox) *\{(?:((?:[^{}]|\{(?1)\})*+)\}|([^\n]*))")
FILLER = r"(?:[ \t:*\p{Sc}(\[\"'“‘=≈~#]|\\[(\[]){0,12}"
NAME = r"(?:(?:about|approximately|roughly|exactly) |\p{L}[\w ]{0,20}= ?)?"
CUES = (  # the stronger first
    regex.compile(
        rf"(?i)\banswer[ \t]{{1,4}}(?:is|equals)(?!\w){FILLER}{NAME}"
        rf"|\banswer[ \t]{{0,4}}[:=]{FILLER}{NAME}"
    ),
    regex.compile(rf"####{FILLER}"),
)
NO_VALUE = regex.compile(  # behind a cue: an answer, but no number that is understood
    rf"[√±<>≤≥∞{{]|\\(?!boxed|fbox)[a-zA-Z]|(?!a\b|i\b){ALPHA}(?!['\w])|[-\w]*[0-9]"
    rf"|(?:{'|'.join([*NUMBER_WORDS, *TENS])}|infinity|infinite|nan|none)\b",
    regex.IGNORECASE,
)
RESULT = regex.compile(rf"={FILLER}(?=[-+.0-9])")
BEHIND = (
    r"(?: ?[%°\p{Sc}])*(?: *(?!pi\b|ab\b|[xyz]+\b)\p{L}{2,}(?: ?\^[23]|[ /.-]+\p{L}+)*| ?[CFK])?"
)
WHOLE = regex.compile(rf"{FILLER}{NAME}{VALUE.pattern}{BEHIND}(?:[\s.,:;?$)\]*!\"'”’]|\\[)\]])*")
LETTERS = regex.compile(r"\p{L}")
PAIRS = {"()", "[]", "{}", "(]", "[)"}
LONGEST = 100  # digits of a number, and the largest exponent


def final_number(text: str) -> Fraction | None:
    """The number that a text gives as its answer, exactly: "$1,000" is 1000, "3/4" is 3/4. Looked
    for in this order: the last ``\\boxed{X}``, "answer is X", "#### X", then the last number of
    all. After "5 + 3 = 8" it is 8. None if there is no number, or no single one: "10 20", "3-4",
    "3:45", "2x", and "72 + 3" without its result, as no sum is computed here."""
    text = plain(text)
    last_box = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if box := BOXED.match(text, last_box, last_box + 400) if last_box >= 0 else None:
        return whole_value(box[1] or box[2] or "")
    for cue in CUES:
        for hit in reversed(list(cue.finditer(text))):
            if number := VALUE.match(text, hit.end()):
                return evaluated(text, number)
            if cue is CUES[0] and NO_VALUE.match(text, hit.end()):
                return None
    if not LETTERS.search(text):
        *earlier, last = text.strip().splitlines() or [""]
        return whole_value(last) if all("=" in line or not line for line in earlier) else None
    for number in reversed(list(VALUE.finditer(text))):
        start = number.start("number")
        lead = max(0, start - 40)
        if NAMED.search(text, lead, start):
            continue
        closed = text[number.end() : number.end() + 1] in (")", "]", "}")
        if closed and TUPLE_BEFORE.search(text, lead, start):
            return None
        return None if PART_BEFORE.search(text, lead, start) else evaluated(text, number)
    return None


def plain(text: str) -> str:
    """The text with plain digits, signs and spaces, without LaTeX, emphasis and bullets."""
    if not text.isascii():
        text = regex.sub("[⁰¹²³⁴-⁹⁺⁻]+", lambda raised: "^" + raised[0].translate(RAISED), text)
        text = unicodedata.normalize("NFKC", regex.sub("[¼-¾⅐-⅞]", r" \g<0>", text))
        text = regex.sub(r"\p{Nd}", lambda digit: str(unicodedata.digit(digit[0])), text)
        text = text.translate(SIGNS)
    for pattern, instead in MARKUP:
        text = pattern.sub(instead, text)
    return COMMAND.sub(lambda command: LATEX.get(command[1], command[0]), text)


def whole_value(text: str) -> Fraction | None:
    """The value of a text that is nothing else, save its unit, its name or a sum before it."""
    before, _, after = text.rpartition("=")
    is_sum = not LETTERS.search(before) and not regex.search("[,;<>≤≥≠]", before)
    number = WHOLE.fullmatch(after if is_sum else text)
    return as_fraction(number) if number else None


def evaluated(text: str, number: regex.Match) -> Fraction | None:
    """The value; of a sum that begins with it, the one behind "=". None for a part of another."""
    line = text.find("\n", number.end())
    while SUM_AFTER.match(text, number.end()):
        result = RESULT.search(text, number.end(), len(text) if line < 0 else line)
        number = VALUE.match(text, result.end()) if result else None
        if number is None:
            return None
    return None if PART_AFTER.match(text, number.end()) else as_fraction(number)


def as_fraction(number: regex.Match) -> Fraction | None:
    """The exact value; None for a division by zero, odd groups of digits, or too many of them."""
    token, ten, power, above, below, scale = number.group(
        "number", "ten", "power", "above", "below", "scale"
    )
    shape = SHAPE.fullmatch(token) if len(token) <= LONGEST else None
    longest = max(len(part or "") for part in (ten, power, above, below))
    ten, power = int((ten or "0")[:5]), int((power or "1")[:5])
    if shape is None or longest > LONGEST or max(abs(ten), abs(power)) > LONGEST:
        return None
    is_pair = "," in token and "." not in token and shape["part"]  # in brackets: "(2,3)"
    start, end = number.span("number")
    if is_pair and f"{number.string[start - 1 : start]}{number.string[end : end + 1]}" in PAIRS:
        return None
    whole, part = regex.sub("[^0-9]", "", shape["whole"]), shape["part"] or ""
    value = Fraction(int(whole + part), 10 ** len(part))
    if (power < 0 and value == 0) or (below and int(below) == 0):
        return None
    value = value**power * Fraction(10) ** ten
    if above and not (below and not part and int(above) < int(below)):
        return None  # "10 20/3", and "1 1/x"
    if below:
        value = value + Fraction(int(above), int(below)) if above else value / int(below)
    if scale:
        scale = scale.lower()
        if scale not in SCALES or (scale in GERMAN and GROUP.fullmatch(token)):
            return None
        value *= 10 ** SCALES[scale]
    return signed(number, value)


def signed(number: regex.Match, value: Fraction) -> Fraction | None:
    """The value with its sign: "total - 5" has a dash, and "ten minus 5" is another number."""
    sign, before = number["sign"] or "", number.string[max(0, number.start() - 20) : number.start()]
    said = IS.search(before) is not None
    if sign.lower() == "minus " and not said:
        return None
    is_dash = sign == "- " and not said and DASH.search(before)
    is_minus = sign.strip().lower() in ("-", "minus", "negative") and not is_dash
    return -value if is_minus or number["inner"] else value


def why_no_number(text: str) -> str:
    """What keeps ``final_number`` from reading a reference."""
    reasons = "there is no number", "its number is part of something that is no single number"
    several = "there is more than one number that could be final"
    return [*reasons, several][min(2, len(VALUE.findall(plain(text))))]
