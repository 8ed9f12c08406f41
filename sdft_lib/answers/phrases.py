"""Signs of an unusable text: it is empty, it goes round in circles, or it declines to answer."""

import re
from collections import Counter

TOKEN = re.compile(r"\w+(?:['’]\w+)*|[+*/×÷=<>^-]")
LIST_MARK = re.compile(r"^[ \t]*(?:[-*+•]|[0-9]{1,3}[.)])[ \t]+(?=[^\W\d])", re.MULTILINE)
SENTENCE = re.compile(r"[^.!?\n]+")
SYMBOLS = {*"+*/×÷=<>^-", "plus", "minus", "times"}
STUTTER = re.compile(r"([^\W\d_][^\n]{0,7}?)\1{19}")
LONGEST_UNIT = 40  # words


def is_empty(text: str) -> bool:
    """Whether a text holds no letter and no digit."""
    return not any(map(str.isalnum, text))


def has_loop(text: str) -> bool:
    """Whether a text repeats a line or sentence 3 times, a phrase in a row, or most of its runs."""
    text = LIST_MARK.sub("", text.lower())
    words = TOKEN.findall(text)
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


CANNOT = (
    r"(?:can(?:no|')t|can not|won't|will not|(?:am|'m) (?:unable|"
    r"not (?:able|allowed|permitted|going|willing|comfortable))|"
    r"(?:must|have to) (?:decline|refuse)|(?:do not|don't) feel comfortable)"
)
NO_REFUSAL = (
    r"(?! (?:wait|help but|believe|imagine|stress|emphasi[sz]e|overstate|recommend|thank"
    r"|tell you how|say enough|lie\b))"
)
CLAUSE = r"(?:^\W*|[.,!?;:—-] |\b(?:but|so|and|therefore|unfortunately|afraid|afraid that|sorry) )"
SELF = r"\b(?:i|we)(?: \w+ly| just| also)? ?"
HELP = r"(?:assist|comply|fulfil|help|provide|generate|create|support|do (?:that|this|so))"
REFUSALS = (
    re.compile(rf"{CLAUSE}{SELF}{CANNOT}\b{NO_REFUSAL}"),
    re.compile(rf"\b(?:sorry|apologi[sz]e|apologies)\b[^.!?]{{0,60}}?{SELF}{CANNOT}\b{NO_REFUSAL}"),
    re.compile(
        rf"\b(?:sorry|apologies)[,;:—-]?(?: but)? (?:{CANNOT}|unable|not able)\b{NO_REFUSAL}"
    ),
    re.compile(r"\b(?:sorry|apologies)\W{1,3}(?:but )?(?:the answer is )?no(?=\W*$|[.!,;:—-])"),
    re.compile(
        r"\bas an? (?:ai|artificial|language model|virtual|chatbot)\b[^.!?]{0,80}?"
        rf"(?:{CANNOT}|unable to)\b"
    ),
    re.compile(
        rf"(?:{SELF}(?:am |'m |are |'re )?|{CLAUSE})(?:can(?:no|')t|can not|not able to|unable to) "
        r"(?:assist|comply|fulfil|help (?:you )?with (?:that|this))\b"
    ),
    re.compile(rf"{SELF}(?:decline|refuse)\b"),
    re.compile(rf"{SELF}(?:do not|don't|would not|wouldn't) (?:condone|engage in)\b"),
    re.compile(rf"{SELF}(?:do not|don't) have the (?:ability|capability|capacity) to {HELP}\b"),
    re.compile(rf"\bnot something (?:that )?{SELF}(?:can|could|will|am (?:able|willing)) "),
)
OPENING = 200  # characters: a refusal comes first


def is_refusal(text: str) -> bool:
    """Whether the first 200 characters hold a phrase of refusal; an empty text holds none.

    Phrases, not a judgement. The inability must be the speaker's own: "I'm sorry to hear that you
    can't log in" is sympathy."""
    plain = text[: 2 * OPENING].replace("’", "'").replace("‘", "'").lower()
    opening = " ".join(plain.split())[:OPENING]
    return any(pattern.search(opening) for pattern in REFUSALS)
