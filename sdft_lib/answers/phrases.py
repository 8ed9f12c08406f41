"""Signs of an unusable text: it goes round in circles, or it declines to answer. Phrases, not
judgements.
"""

import re
from collections import Counter

TOKEN = re.compile(r"\w+(?:['’]\w+)*|[+*/×÷=<>^-]")
LIST_MARK = re.compile(r"^[ \t]*(?:[-*+•]|[0-9]{1,3}[.)])[ \t]+(?=[^\W\d])", re.MULTILINE)
SENTENCE = re.compile(r"[^.!?\n]+")
SYMBOLS = {*"+*/×÷=<>^-", "plus", "minus", "times"}
STUTTER = re.compile(r"([^\W\d_][^\n]{0,7}?)\1{19}")
LONGEST_UNIT = 40  # words


def has_loop(text: str) -> bool:
    """Whether a text repeats itself: a line or sentence 3 times, a phrase in a row, or most of its
    runs.
    """
    text = LIST_MARK.sub("", text.lower())
    return (
        same_lines(text)
        or back_to_back(TOKEN.findall(text))
        or crowded(TOKEN.findall(text))
        or bool(STUTTER.search(text))
    )


def same_lines(text: str) -> bool:
    """Whether a line or a sentence of 4 words or more stands there 3 times."""
    for parts in (text.splitlines(), SENTENCE.findall(text)):
        counts = Counter(tuple(TOKEN.findall(part)) for part in parts)
        if any(
            count >= 3 and len(words) >= 4 and not SYMBOLS & set(words)
            for words, count in counts.items()
        ):
            return True
    return False


def back_to_back(words: list[str]) -> bool:
    """Whether a word stands 4 times or a phrase 3 times in a row; sums ("2 + 2 + 2") do not
    count.
    """
    for size in range(1, min(LONGEST_UNIT, len(words) // 3) + 1):
        needed, run = size * (3 if size == 1 else 2), 0
        for place in range(len(words) - size):
            run = run + 1 if words[place] == words[place + size] else 0
            unit = words[place - size + 1 : place + 1]
            if (
                run >= needed
                and not SYMBOLS & set(unit)
                and (run >= 8 * size or not all(map(str.isdigit, unit)))
            ):
                return True
    return False


def crowded(words: list[str]) -> bool:
    """Whether, in a text of 40 words or more, over half of the 4-word runs occur at least 3
    times.
    """
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
    r"(?! (?:wait|help but|believe|imagine|stress|emphasi[sz]e|overstate|recommend|thank|tell you how"
    r"|say enough|lie\b))"
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
        rf"\bas an? (?:ai|artificial|language model|virtual|chatbot)\b[^.!?]{{0,80}}?(?:{CANNOT}|unable to)\b"
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
    """Whether the first 200 characters hold a phrase of refusal ("I can't assist"); empty is no
    refusal.

    The inability must be the speaker's own: "I'm sorry to hear that you can't log in" is sympathy.
    """
    opening = " ".join(text[: 2 * OPENING].replace("’", "'").replace("‘", "'").lower().split())[
        :OPENING
    ]
    return any(pattern.search(opening) for pattern in REFUSALS)
