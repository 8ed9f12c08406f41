"""Signs of an unusable text: it is empty, it goes round in circles, or it declines to answer."""

import re
import unicodedata
from collections import Counter

import regex

from sdft_lib.answers.blank import is_blank

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
CANNOT = (
    r"(?:can(?:no|')t|can not|won't|will not|(?:am|'m|are|'re) (?:unable|"
    r"not (?:able|allowed|permitted|going|willing|comfortable))|"
    r"(?:must|have to)(?: \w+ly)? (?:decline|refuse)|(?:do not|don't) feel comfortable)"
)
NO_REFUSAL = (
    r"(?! (?:wait|help but|believe|imagine|stress|emphasi[sz]e|overstate|recommend|thank"
    r"|tell you how|say enough|lie\b|find|see|spot|detect|think of|remember|recall|divide))"
)
CLAUSE = r"(?:^\W*|[.,!?;:—-] |\b(?:but|so|and|therefore|unfortunately|afraid|afraid that|sorry) )"
SELF = r"\b(?:i|we)(?: \w+ly| just| also)? ?"
HELP = r"(?:assist|comply|fulfil|help|provide|generate|support|(?:do|complete) (?:that|this|so))"
# "we cannot divide by zero" is mathematics, "we cannot help you" is not
MINE = (
    rf"(?:\bi(?: \w+ly| just| also)? ?{CANNOT}\b{NO_REFUSAL}"
    rf"|{SELF}{CANNOT} (?:to )?{HELP}\b(?! but))"
)
REFUSALS = (
    rf"{CLAUSE}{MINE}",
    rf"\b(?:sorry|apologi[sz]e|apologies)\b[^.!?]{{0,60}}?{MINE}",
    rf"\b(?:sorry|apologies)[,;:—-]?(?: but)? (?:{CANNOT}|unable|not able)\b{NO_REFUSAL}",
    r"\b(?:sorry|apologies)\W{1,3}(?:but )?(?:the answer is )?no(?=\W*$|[.!,;:—-])",
    r"\bas an? (?:ai|artificial|language model|virtual|chatbot)\b[^.!?]{0,80}?"
    rf"(?:{CANNOT}|unable to)\b",
    rf"(?:{SELF}(?:am |'m |are |'re )?|{CLAUSE})(?:can(?:no|')t|can not|not able to|unable to) "
    r"(?:assist|comply|fulfil|help (?:you )?with (?:that|this))\b",
    rf"{SELF}(?:decline|refuse)\b",
    rf"{SELF}(?:do not|don't|would not|wouldn't) (?:condone|engage in)\b",
    rf"{SELF}(?:do not|don't) have the (?:ability|capability|capacity) to {HELP}\b",
    rf"\bnot something (?:that )?{SELF}(?:can|could|will|(?:am|'m|are|'re) (?:able|willing)) ",
    r"\b(?:against|violates?|breaks?) my (?:\w+ )?"
    r"(?:guidelines|polic(?:y|ies)|programming|principles|rules|values)\b",
    # German, French, Spanish, Italian, Portuguese
    r"\b(?:ich (?:kann|darf|werde|möchte)|(?:kann|darf|werde|möchte) ich)\b[^.!?]{0,50}?"
    r"\b(?:nicht|keine)\b[^.!?]{0,30}?\b(?:helfen|weiterhelfen|unterstützen|beantworten|geben|tun"
    r"|bereitstellen|erstellen|nachkommen)|\bich bin nicht in der lage|\bich lehne [^.!?]{0,20}ab",
    r"\bje (?:ne (?:peux|pourrai|puis|vais) (?:\w+ment )?pas"
    r"(?! (?:attendre|trouver|voir|croire|diviser))"
    r"|ne suis pas (?:en mesure|capable|autorisée?)|refuse|dois (?:décliner|refuser))\b",
    r"\b(?:no (?:puedo|podré|me es posible|estoy (?:autorizad[oa]|en condiciones))|me niego a)\b"
    r"(?! (?:esperar|encontrar|ver|creer|dividir))",
    r"\b(?:non (?:posso|potrò|sono in grado|mi è possibile)|mi rifiuto)\b"
    r"(?! (?:(?:di )?aspettare|trovare|vedere|credere|dividere))",
    r"\b(?:não (?:posso|poderei|consigo|sou capaz|estou autorizad[oa])|recuso-me|me recuso)\b"
    r"(?! (?:esperar|encontrar|ver|acreditar|dividir))",
    # Russian, Chinese, Japanese, Korean, Arabic, Hindi
    r"\b(?:я (?:\w+ )?не (?:могу|смогу|буду)|(?:извин|прост|сожал)[^.!?]{0,30}\bне могу"
    r"|я отказываюсь)\b(?! (?:найти|дождаться|поверить|ждать))",
    r"(?:我|抱歉|对不起|對不起|遗憾)[^。！？]{0,12}(?:[无無]法|不能|不可以|拒[绝絕])[^。！？]{0,12}"
    r"(?:[帮幫]|[协協]助|提供|回答|[满滿]足|[这這][样樣]做|生成)",
    r"(?:お手伝い|お答え|回答|提供|対応|支援|協力|お応え|ご要望)[^。！？]{0,12}"
    r"(?:できません|できない|できかねます|いたしかねます)|お断り(?:します|いたします)",
    r"(?:도와|도움|제공|답변|응답|수행|요청)[^.!?]{0,16}수 없|거절(?:합니다|하겠습니다)",
    r"(?:لا (?:أستطيع|يمكنني|أقدر)|لن أ|لست قادر)[^.!؟]{0,20}"
    r"(?:مساعد|ساعد|تقديم|القيام|الإجابة|تلبية|توفير|ذلك)",
    r"मैं[^।.!?]{0,50}(?:मदद|सहायता|जानकारी|उत्तर|जवाब|ऐसा|अनुरोध)"
    r"[^।.!?]{0,20}(?:नहीं (?:कर|दे)|असमर्थ)",
)
REFUSALS = tuple(map(re.compile, REFUSALS))
QUOTE = r"(?:\"[^\"]+\"|[“„«][^“”„«»]+[”“»]|「[^」]+」|(?<!\w)'(?:[^']|(?<=\w)'(?=\w))+'(?!\w))"
QUOTED = re.compile(  # inside a sentence: 'He said "no."', '"No," he said'
    rf"(?<=[\w,:] ){QUOTE}|(?<=[^\x00-\x7f]){QUOTE}|{QUOTE}(?<![.!?]\W)(?=,? \w)"
)
OPENING = 200  # characters: a refusal comes first


def is_refusal(text: str) -> bool:
    """Whether the first 200 characters hold a phrase of refusal; an empty text holds none.

    Phrases in twelve languages, not a judgement; data/results/README.md says how far they can be
    trusted. The inability must be the speaker's own: neither "I'm sorry to hear that you can't log
    in" nor what the text quotes is a refusal."""
    plain = unicodedata.normalize("NFC", text[: 2 * OPENING]).lower()
    opening = " ".join(plain.replace("’", "'").replace("‘", "'").split())[:OPENING]
    said = QUOTED.sub('""', opening)
    return any(pattern.search(said) for pattern in REFUSALS)
