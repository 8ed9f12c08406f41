"""Where a word ends in each script, and when one or two letters are meant: labels and facts.

Filter and metric must agree on every case, so each is tried on both."""

import pytest

from sdft_lib.score import score
from sdft_lib.verify import accept

LABELS = {  # choices: (label, text, whether the text settles on it)
    ("A", "B", "C", "D"): [
        ("B", "B", True),
        ("B", "B makes more sense.", True),
        ("A", "A describes it best.", True),
        ("B", "(B)", True),
        ("B", "B.", True),
        ("B", "b", True),
        ("B", "(b)", True),
        ("B", "b) the cat", True),
        ("B", "b. the cat", True),
        ("B", "**B**", True),
        ("B", "Answer: b", True),
        ("B", "Answer: B", True),
        ("B", "B)", True),
        ("A", "A", True),
        ("A", "A better choice is not there.", False),
        ("A", "It is a dog.", False),
        ("A", "A is right.", True),
        ("A", "The answer is A.", True),
        ("A", "The answer is a bit unclear.", False),
        ("C", "A good answer would be C.", True),
        ("D", "I'd guess.", False),
        ("D", "I’d guess.", False),
        ("C", "vitamin-C", False),
        ("B", "A or B", False),
        ("B", "Not A but B", True),
        ("B", "R&D says B", True),
        ("D", "R&D", False),
        ("B", "Option B", True),
        ("B", "The correct option is B, not C.", True),
        ("B", "$\\boxed{B}$", True),
        ("B", "<answer>B</answer>", True),
        ("B", "答案是B。", True),
        ("B", "答案：B", True),
        ("B", "选B", True),
        ("B", "Ｂ", True),
        ("B", "_B_", True),
        ("B", "`B`", True),
    ],
    ("C", "Java"): [("C", "It's C++", False), ("C", "It's C#", False)],
    ("C", "C++", "C#"): [
        ("C++", "It's C++.", True),
        ("C#", "It's C#.", True),
        ("C", "Use C.", True),
    ],
    ("C", "C++"): [("C++", "C++11? no", False)],
    ("I", "II"): [
        ("I", "I think it is II", False),
        ("II", "I think it is II", True),
        ("I", "I", True),
    ],
    ("yes", "no"): [
        ("no", "No.", True),
        ("no", "no", True),
        ("no", "No, it is not.", True),
        ("no", "The answer is no.", True),
        ("yes", "There is no problem, so yes.", True),
        ("yes", "Yes, no question", True),
        ("no", "NO", True),
        ("no", "No it isn't", True),
        ("yes", "yes or no", False),
    ],
    ("YES", "NO"): [("NO", "no", True)],
    ("Yes", "No"): [("No", "no", True)],
    ("US", "UK"): [
        ("US", "It told us", False),
        ("US", "the US", True),
        ("US", "in the U.S.", False),
    ],
    ("IT", "HR"): [("IT", "it is late", False), ("IT", "the IT team", True), ("IT", "It", True)],
    ("I", "T"): [("IT", "I.T.", False)],
    ("AI", "ML"): [("AI", "the AI helps", True)],
    ("1", "2", "3", "4", "5"): [
        ("4", "4", True),
        ("4", "4/5", True),
        ("4", "Score: 4 (out of 5)", True),
        ("4", "4 out of 5", True),
        ("4", "4 of 5 stars", True),
        ("4", "3-4", False),
        ("4", "14", False),
        ("5", "15個", False),
        ("4", "４", True),
    ],
    ("1", "2"): [("1", "-1", False), ("1", "1.5", False)],
    ("-1", "0", "1"): [("-1", "−1", True)],
    ("👍", "👎"): [("👍", "👍", True), ("👍", "good👍", True)],
    ("❤", "💔"): [("❤", "❤️", True)],
    ("❤️", "💔"): [("❤️", "❤", True)],
    ("+", "-"): [("+", "+", True)],
    ("*", "#"): [("*", "*", True)],
    ("⭐", "⭐⭐"): [("⭐⭐", "⭐⭐", True)],
    ("⭐", "⭐⭐⭐"): [("⭐", "⭐⭐", False)],
    ("👍🏽", "👎"): [("👍🏽", "👍🏽", True)],
    ("?", "!"): [("?", "?", True)],
    ("…", "!"): [("…", "…", True)],
    ("billing", "returns"): [
        ("billing", "__billing__", True),
        ("billing", "label_billing_1", True),
    ],
    ("ดี", "แย่"): [("ดี", "ร้านนี้ดีมาก", True)],
    ("ແມ່ນ", "ບໍ່"): [("ບໍ່", "ບໍ່", True)],
    ("បាទ", "ទេ"): [("បាទ", "បាទ", True)],
    ("हिन्द", "तमिल"): [("हिन्द", "हिन्दी", False)],
    ("긍정", "부정"): [("긍정", "이 리뷰는 긍정입니다.", True)],
    ("café", "bar"): [("café", "café", True)],
    ("can", "will"): [("can", "I can't", False)],
    ("spam", "ham"): [("spam", "It isn't spam", False)],
    ("account", "account access"): [("account access", "account\naccess", True)],
    ("straße", "weg"): [("straße", "STRASSE", True)],
    ("позитив", "негатив"): [("позитив", "_позитив_", True)],
    ("إيجابي", "سلبي"): [("إيجابي", "التعليق إيجابي.", True)],
}
FACTS = [
    ("20", "About 20% of it.", True),
    ("E", "A vitamin, e.g. C.", False),
    ("C", "C comes after B.", True),
    ("Au", "Au stands for gold.", True),
    ("O", "So it is.", False),
    ("US", "It told us.", False),
    ("US", "the U.S.", True),
    ("U.S.", "the US", True),
    ("U.S.", "the u.s. army", True),
    ("W.H.O.", "Who knows", False),
    ("WHO", "the W.H.O.", True),
    ("IT", "It is.", False),
    ("A", "It is a dog.", False),
    ("A", "Blood type A.", True),
    ("no", "There is no doubt.", False),
    ("AC/DC", "It was AC/DC.", True),
    ("C++", "in C++", True),
    ("C", "in C++", False),
    ("東京", "首都は東京です。", True),
    ("Paris", "是Paris。", True),
    ("กรุงเทพ", "เมืองหลวงคือกรุงเทพ", True),
    ("파리", "파리입니다", True),
    ("Москва", "Это_Москва_", True),
    ("5", "It is 1/5.", False),
    ("5", "-5", False),
    ("5", "5", True),
    ("-5", "It was −5.", True),
    ("1945", "1939-1945", True),
    ("7", "at 7:30", False),
    ("twenty", "20", True),
    ("👍", "ok 👍", True),
    ('["👍"]', "👍", True),
    ('{"text": ["Paris"], "answer_start": [3]}', "Paris", True),
    ({"value": "Paris", "aliases": ["City of Light"]}, "the city of light", True),
    ("[null]", "None", False),
    ("[5]", "five", True),
    (["Paris"], "Paris", True),
    ("don't", "I don't", True),
    ("O'Brien", "O’Brien", True),
    ("d'Artagnan", "It was d’Artagnan", True),
    ("Artagnan", "d'Artagnan", True),
    ("Jean-Paul", "Jean–Paul", True),
    ("rock", "rock'n'roll", True),
    ("+", "+", True),
    ("π", "It is π.", True),
    ("4", "４", True),
]


def judged_alike(kind, reference, text, choices=None) -> bool:
    right = score(kind, reference, text, choices) == 1
    assert (accept(kind, reference, text, choices).reason not in ("answer", "empty")) == right
    return right


@pytest.mark.parametrize("choices", LABELS, ids="/".join)
def test_a_label_stands_alone_and_is_meant(choices):
    for label, text, right in LABELS[choices]:
        assert judged_alike("label", label, text, choices) == right, (label, text)


@pytest.mark.parametrize("reference, text, right", FACTS, ids=str)
def test_a_fact_stands_alone_and_is_meant(reference, text, right):
    assert judged_alike("fact", reference, text) == right
