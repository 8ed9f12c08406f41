"""Readers of free text. Each case once hurt somebody, or is the nearest look-alike of one that
did.
"""

import json
import os
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdft_lib.answers.calls import Call, calls_equal, parse_call
from sdft_lib.answers.constraints import check_constraint
from sdft_lib.answers.facts import contains_answer, contains_term, normalise
from sdft_lib.answers.labels import final_choice, named_choices
from sdft_lib.answers.numbers import final_number
from sdft_lib.answers.phrases import has_loop, is_refusal, phrase_hits
from sdft_lib.formats.folders import guess_kind
from sdft_lib.verify import accept

PAPER_DATA = os.environ.get("SDFT_PAPER_DATA")
needs_paper_data = pytest.mark.skipif(not PAPER_DATA, reason="SDFT_PAPER_DATA is not set")
TEAMS = ["billing", "shipping", "returns", "account", "account access"]
ANYTHING = st.text(max_size=200) | st.text(
    "answer is:$-,./0129 \n(){}[]='\"fx\\boxed#", max_size=200
)


@pytest.mark.parametrize(
    "text, number",
    [
        ("so she pays $1,000", 1000),
        ("The answer is 3.50", Fraction(7, 2)),
        ("10 20", None),
        ("The answer is 10 20", None),
        ("10\n20", None),
        ("first 10, then 20", 20),
        ("none", None),
        ("", None),
        ("\\boxed{12}", 12),
        ("\\boxed{1{,}200} in 3 days", 1200),
        ("#### 1,234", 1234),
        ("5 + 3 = 8", 8),
        ("The answer is 5 + 3 = 8.", 8),
        ("The answer is 72. I used 2 steps.", 72),
        ("The answer is 5. No, the answer is 6, with 2 left.", 6),
        ("The answer is **$42**", 42),
        ("Answer: 42 of 50", 42),
        ("**Answer:** 42, not 50", 42),
        ("-4", -4),
        ("−4", -4),
        ("-$4", -4),
        ("10-20", None),
        ("it is 10 - 20", None),
        ("3/4", Fraction(3, 4)),
        ("3/0", None),
        ("48/2 = 24", 24),
        ("12.", 12),
        (".5", Fraction(1, 2)),
        ("half of 3 by the 4th", 3),
        ("room b12", None),
        ("1.5e3", 1500),
        ("9" * 5000, None),
        ("50%", 50),
        ("10,20", Fraction(51, 5)),
        ("It is 10,20.", Fraction(51, 5)),
        ("The answer is 10,20.", Fraction(51, 5)),
        ("1,00", 1),
        ("The answer is 1,234,56", None),
        ("1.2.3", None),
        ("1,234,567.50", Fraction(2469135, 2)),
        ("10, 20", None),
        ("10²", 100),
        ("10^2", 100),
        ("The answer is 10**2", 100),
        ("10^{2} = 100", 100),
        ("an area of 50 m²", 50),
        ("an area of 50 m^2", 50),
        ("2½", Fraction(5, 2)),
        ("\\boxed{\\frac{3}{4}}", Fraction(3, 4)),
        ("$\\boxed{-\\dfrac{3}{4}}$", Fraction(-3, 4)),
        ("so \\tfrac34 of it", Fraction(3, 4)),
        ("\\boxed{1\\frac{1}{2}}", Fraction(3, 2)),
        ("The answer is 72 + 3", None),
        ("The answer is 72 + 3 = 75", 75),
        ("The answer is 72 apples", 72),
        ("The answer is 10-20", None),
        ("The answer is $7 \\times 3$.", None),
        ("The answer is 7 \\times 3 = 21$ in all.", 21),
        ("so it is 72 + 3", None),
        ("The answer is 72 - that is, 6 dozen.", 72),
    ],
)
def test_final_number(text, number):
    assert final_number(text) == number


WHOLE = {  # a value in many dresses, read whole
    "1000": [
        "1 000",
        "1\u2009000",
        "1\u202f000 km",
        "1’000",
        "¥1,000",
        "￥１，０００",
        "10^3",
        "\\boxed{1{,}000}",
        "\\boxed{1,\\!000}",
        "١٬٠٠٠",
        "१,०००",
        "１，０００",
        "1E3",
    ],
    "1234567": ["1.234.567", "12,34,567"],
    "30864/25": ["1.234,56"],
    "100000": ["1,00,000", "₹1,00,000", "1e5"],
    "157/50": ["3,14"],
    "1/8": ["0,125"],
    "50": ["50%", "50 %", "50 m²"],
    "5": [
        "€5",
        "5€",
        "5 €",
        "US$5",
        "R$ 5",
        "5kg",
        "5 kg",
        "It weighs 5 kg.",
        "\\boxed{5\\text{ cm}}",
        "\\boxed{5\\,\\text{m}}",
        "\\boxed{5 \\text{ m}^2}",
        "\\boxed{\\$5}",
        "\\boxed{\\text{5}}",
        "\\boxed{\\textbf{5}}",
        "\\boxed{x = 5}",
        "the 21st of 5",
        "x = 5",
        "The answer is x = 5.",
        "x=5",
        "at 5 p.m.",
        "5.",
        "5!",
        "(5)",
        "- 3 apples\n- 5 pears",
        "total - 5",
        "5 km/h",
        "5/day",
        "$5/day",
        "$5 per day",
        "m^2 of 5",
        "x₁ = 5",
        "5 times as many",
        "| total | 5 |",
        "<b>5</b>",
        "so the total is => 5",
        "→ 5",
        "-> 5",
        "~5",
        "≈ 5",
        "about 5",
        "The answer is about 5.",
        "The answer is approximately 5",
        "5%",
        "$5.00",
        "5.00",
        "5.0",
        "+5",
        "'5'",
        '"5"',
        "\\(5\\)",
        "\\[5\\]",
        "$$5$$",
        "$5$",
        "So $x=5$.",
        "\\boxed{5 apples}",
        "\\boxed{5\\%}",
        "\\boxed{5^\\circ}",
    ],
    "500": ["Rs. 500", "Rs.500"],
    "200000": ["2×10^5", "2 × 10⁵", "$2 \\times 10^{5}$"],
    "1/2": [
        "½",
        "\\frac{1}{2}",
        "\\dfrac{1}{2}",
        "\\tfrac12",
        "\\boxed{\\frac{1}{2}}",
        "#### 1/2",
        "01/02",
        "\\boxed{\\left(\\frac{1}{2}\\right)}",
        "\\boxed{0.5}",
        "\\boxed{.5}",
    ],
    "3/2": ["1½", "1 1/2"],
    "-1/2": ["-\\frac{1}{2}", "\\frac{-1}{2}", "\\boxed{-\\frac{1}{2}}"],
    "6": ["\\boxed{5} and \\boxed{6}", "It is 6, not 5.", "2 * 3 = 6"],
    "24": ["\\boxed{48/2 = 24}"],
    "-5": [
        "minus 5",
        "negative 5",
        "The answer is negative 5.",
        "−5",
        "–5",
        "﹣5",
        "－５",
        "The answer is −5",
        "Total: -5",
        "$-5",
        "-$5",
        "(-5)",
    ],
    "42": [
        "٤٢",
        "४२",
        "答案是42。",
        "一共42个苹果",
        "답은 42입니다",
        "उत्तर 42 है",
        "**42**",
        "_42_",
        "*42*",
        "`42`",
        "***42***",
        "**Answer: 42**",
        "The answer is **42**.",
        "The answer is: $\\boxed{42}$",
    ],
    "12": [
        "1２",
        "12, which is more than 10",
        "\\boxed{12\\text{ apples}}",
        "\\boxed{12 \\mathrm{~cm}}",
        "\\boxed{12",
    ],
    "50000": ["5万"],
    "5000000": ["5 million", "$5 million"],
    "5000": ["5k", "$5K", "n = 5k"],
    "300": ["3 hundred"],
    "3/4": ["3 / 4", "3/4"],
    "8": ["3/4 of the 8"],
    "32/3": ["10 20/30"],
    "2001/2": ["1.000,50", "1,000.50", "1'000.50"],
    "2469/2": ["1 234,5", "Antwort: 1.234,50 €"],
    "-3": ["- 3", "x = -3"],
    "-2001/2": ["-$1,000.50"],
    "100": ["100°C", "100 °C", "100^\\circ"],
    "-40": ["-40°"],
    "3": ["3 times", "3 dozen"],
    "15": ["5 × 3 = 15"],
    "1024": ["2^{10}", "\\boxed{2^{10}}"],
    "1/100": ["10^{-2}", "10⁻²"],
    "1/1000": ["1e-3"],
    "18": ["Answer: 18\n", "#### 18", "#### $18", "####18", "18 dollars"],
    "-18": ["#### -18"],
    "1000000": ["1 000 000", "1_000_000"],
    "45": ["\\boxed{45^{\\circ}}"],
    "7/2": ["The answer is 3½."],
}
NO_NUMBER = [  # part of something that is no single number
    "3,500 Millionen",
    "3.500 Mio. Euro",
    "In 1990 millions of people moved.",
    "\\boxed{3 millions}",
    "5 thousandths",
    "5 Hundertstel",
    "3 millones",
    "3,5 Mill.",
    "2,4 млн",
    "3-4",
    "3–4",
    "3:4",
    "3:45",
    "It is 3:45.",
    "2024-05-01",
    "The date is 2024-05-01.",
    "05/01/2024",
    "1.2.3",
    "version 1.2.3",
    "555-1234",
    "call 555-123-4567",
    "+1 (555) 123-4567",
    "3rd",
    "ten minus 5",
    "10 minus 5",
    "±3",
    "x = ±3",
    "\\pm 3",
    "√2",
    "sqrt(2)",
    "sqrt 2",
    "\\sqrt{2}",
    "The answer is \\sqrt{2}.",
    "3π",
    "3\\pi",
    "3 \\pi",
    "3pi",
    "3 pi",
    "2x",
    "The answer is 2x.",
    "2x+1",
    "2x + 1",
    "The answer is 2x+1",
    "x+1",
    "x > 5",
    "x ≥ 5",
    "< 5",
    "x \\geq 5",
    "(2, 3)",
    "The point is (2, 3).",
    "The answer is (2, 3)",
    "{1, 2}",
    "\\{1, 2\\}",
    "[1, 2]",
    "The answer is [1, 2].",
    "0x1F",
    "infinity",
    "nan",
    "10**400",
    "1/0",
    "twelve",
    "The answer is twelve. It took 3 steps.",
    "5 or 6",
    "The answer is 5 or 6.",
    "between 10 and 12",
    "10 to 12",
    "The answer is 10 to 12.",
    "The answer is not 5.",
    "5pm",
    "5'11\"",
    "2*3",
    "2 * 3",
    "24/7/365",
    "1-1/2",
    "1,2,3",
    "1, 2, 3",
    "5, 6",
    "x-3",
    "Covid-19",
    "H2O",
    "x_1",
    "5 and a half",
    "3 times 4",
    "5 x 3",
    "5x3",
    "5 × 3",
    "5·3",
    "2^x",
    "1e999",
    "2^1000",
    "0^-1",
    "\\log_2 8",
    "\\sin 30",
    "|5|",
    "| 5 |",
    "1..5",
    "1...5",
    "5 ± 1",
    "#### none",
    "#### 10-12",
    "The answer is 18 dollars and 50 cents",
    "3i",
    "3+2i",
    "5‰",
    "5 mod 3",
    "5ab",
    "5 R 2",
    "1__000",
    "5;6",
    "2^3^2",
    "So x = 2 or x = 3.",
    "x=5, y=3",
    "\\boxed{x=5, y=3}",
    "\\boxed{5, 6}",
    "\\boxed{5 \\text{ or } 6}",
    "\\boxed{3:4}",
    "\\boxed{A}",
    "\\boxed{}",
    "\\boxed{5x}",
    "\\boxed{\\frac{x}{2}}",
    "\\boxed{\\infty}",
    "\\boxed{[2, \\infty)}",
    "\\boxed{-1 \\le x \\le 1}",
    "9" * 400,
]


MORE = {  # and their neighbours
    "1000000": ["The answer is 1,000,000."],
    "1500000": ["The answer is $1.5 million.", "1.5 Mio", "1,5 million"],
    "3500000": ["3,5 Millionen", "Es waren 3,5 Millionen Euro.", "\\boxed{3,5 Mio. Euro}"],
    "3500000000": ["3,500 million", "3,5 Mrd.", "3,5 Milliarden", "3.500,0 Mio."],
    "350000": ["350 Tausend Euro", "0,350 Mio", "350 Tsd. Euro"],
    "2000000000000": ["2 Billionen", "2 trillion"],
    "2401/2": ["It costs 1 200,50 €."],
    "1234567": ["Resultat: 1 234 567", "1'234'567"],
    "3/4": ["x = \\frac{3}{4}", "1.5/2"],
    "-3/4": ["x=\\frac{-3}{4}"],
    "5/2": [
        "The final answer is \\( \\frac{5}{2} \\).",
        "The final answer is $\\frac{5}{2}$",
        "\\boxed{\\dfrac{5}{2}}",
        "2.5.",
        "2,5.",
        "2.5,",
    ],
    "-5": ["\\boxed{-5}", "\\boxed{- 5}", "(−5)", "−$5"],
    "5": [
        "5 millionaires",
        "5 Millionäre",
        "5 miles",
        "5 Millimeter",
        "\\boxed{5.0}",
        "one in 5",
        "ca. 5",
        "c. 5",
        "No. 5",
        "#5",
        "5%.",
        "5 %.",
        "5 per cent",
        "5 pct",
        "5 Prozent",
        "5…",
        "5 e",
        "f(2) = 5",
        "|x| = 5",
        "x_1 = 5",
        "x1=5",
        "2x = 10, so x = 5",
        "2x=10\nx=5",
        "x is at least 5",
    ],
    "2469/2": ["\\boxed{1,234.5}"],
    "3": ["\\boxed{3!}"],
    "50": ["\\boxed{50\\%}", "５０％"],
    "23/10": ["\\boxed{2,3}", "2,3"],
    "16/9": ["16/9"],
    "1/1000": ["10^-3", "10^{-3}"],
    "3/2000": ["1.5 × 10^-3"],
    "602000000000000000000000": ["6.02 x 10^23", "6.02e23"],
    "8": ["2^3", "2**3", "2³"],
    "125": ["5³ = 125"],
    "157/50": ["٣٫١٤", "π = 3.14", "π ≈ 3.14", "3.14..."],
    "-12": ["−１２"],
    "1": ["1.", "1)", "(1)", "1:", "1;", "1?", "1...", "1,0000", "1L", "5 mod 2 = 1"],
    "617/50": ["12,34"],
    "12345": ["12,345"],
    "1/2": ["0,5", "00,5"],
    "12345678": ["12.345.678"],
    "2469/200": ["12.345"],
    "61728/5": ["12.345,6", "12 345,6"],
    "-1000": ["-1 000"],
    "100000": ["1e5.", "1e+5"],
    "333/1000": ["0.333..."],
    "0": ["0/5"],
    "1/4": ["0.5/2"],
    "10": ["2x = 10"],
}
NO_NUMBER += [
    "\\boxed{10:30}",
    "\\boxed{10\\!:\\!30}",
    "\\boxed{\\pm 2}",
    "\\boxed{2\\sqrt{3}}",
    "\\boxed{\\pi}",
    "\\boxed{\\frac{\\pi}{2}}",
    "\\boxed{x^2}",
    "\\boxed{x^2 + 1}",
    "\\boxed{1 + 2}",
    "\\boxed{\\text{(B)}}",
    "\\boxed{\\text{B}}",
    "\\boxed{1,2,3}",
    "\\boxed{\\{1,2\\}}",
    "The answer is (1,2).",
    "(1,2)",
    "(2,3)",
    "the point (2,3)",
    "[2,3]",
    "{2,3}",
    "the interval [0,1]",
    "\\boxed{[0,1]}",
    "\\boxed{\\left(2, 3\\right)}",
    "\\boxed{\\left(2,3\\right)}",
    "The answer is (2,3)",
    "at 14:30",
    "14h30",
    "2h30",
    "2 h 30 min",
    "5 ft 6 in",
    "1:2:3",
    "1 in 5",
    "5 out of 8",
    "x³",
    "5−3",
    "5 − 3",
    "5—3",
    "٣-٥",
    "10–12",
    "5th",
    "1 23",
    "12 3456",
    "1 2 3",
    "e5",
    "1e",
    "0b1",
    "5f",
    "3D",
    "2nd",
    "H1N1",
    "B-52",
    "A4",
    "room 5B",
    "0.\\overline{3}",
    "0.3̅",
    "ten",
    "none",
    "∞",
    "-∞",
    "1/∞",
    "1/0",
    "5/0.5",
    "5//2",
    "5C2",
    "5P2",
    "n!",
    "f(5)",
    "log(5)",
    "x ≠ 5",
    "x <= 5",
    "x =< 5",
    "5 <= x",
    "5 > 3",
    "x ∈ {1,2}",
    "x in [1, 5]",
    "1 ≤ x ≤ 5",
    "5 +/- 1",
    "5±0.1",
    "$5-$10",
    "$5 to $10",
    "5-10%",
    "5, 10 and 15",
    "5 and 10",
    "\\boxed{(1,2)}",
]


@pytest.mark.parametrize(
    "number, text", [(key, text) for table in (WHOLE, MORE) for key in table for text in table[key]]
)
def test_a_value_is_read_whole(number, text):
    assert final_number(text) == Fraction(number)


@pytest.mark.parametrize("text", NO_NUMBER)
def test_a_part_of_a_value_is_no_number(text):
    assert final_number(text) is None


F = Call("f", (), {"a": 1, "b": "x"})


@pytest.mark.parametrize(
    "text, call",
    [
        ("f(a=1, b='x')", F),
        ('f(b = "x", a = 1)', F),
        ("You can call `f(a=1, b='x')` here.", F),
        ("Use this:\n```python\nf(\n  a=1,\n  b='x',\n)\n```\nIt sets the argument(s).", F),
        ("f(a=1, b='x') is right, so I write f(b='x', a=1).", F),
        ("f(a=1) or f(a=2)", None),
        ("f(a=1) or g(a=1)", None),
        ("no call (at all)", None),
        ("f(a=", None),
        ("f(a=<value>)", None),
        ("", None),
        (
            "g(x={'k': [1, {'n': (True, None)}]})",
            Call("g", (), {"x": {"k": [1, {"n": [True, None]}]}}),
        ),
        ("aws.s3.put(id=[])", Call("aws.s3.put", (), {"id": []})),
        ("g(a=true, b=null, c=false)", Call("g", (), {"a": True, "b": None, "c": False})),
        ("g(path=')')", Call("g", (), {"path": ")"})),
        ("g(-2, x=-1.5)", Call("g", (-2,), {"x": -1.5})),
        ("aws.lambda.invoke(id='1')", Call("aws.lambda.invoke", (), {"id": "1"})),
        ("f(a=1, b='x').", F),
        ("f(a=1, b='x').Then stop.", F),
        ("f(a=1)('x')", None),
        ("f(a=1)[0]", None),
        ("f(a=1).g(b=2)", None),
        ("f(a=1).value", None),
        ("def f(a=1):", None),
        ("class f(a=1):", None),
        ("f(a=1, a=2)", None),
        ("f(a=g(b=1), a=2)", None),
    ],
)
def test_parse_call(text, call):
    assert parse_call(text) == call


@pytest.mark.parametrize(
    "reference, got, equal",
    [
        ("f(a=1, b=2)", "f(b=2, a=1)", True),
        ("f(a=1, b=2)", "f(1, 2)", True),
        ("f(a=1, b=2)", "f(1, b=2)", True),
        ("f(a=1, b=2)", "f(2, 1)", False),
        ("f(a=1, b=2)", "f(1, a=1)", False),
        ("f(a=1, b=2)", "f(1, 2, 3)", False),
        ("f(a=1, b=2)", "f(a=1)", False),
        ("f(a=1)", "f(a=1, b=2)", False),
        ("f(a=1)", "g(a=1)", False),
        ("m.f(a=1)", "f(a=1)", False),
        ("f(a=1)", "f(a='1')", False),
        ("f(a=1)", "f(a=1.0)", True),
        ("f(a=1)", "f(a=True)", False),
        ("f(a=True)", "f(a=true)", True),
        ("f(a={'x': 1})", "f(a={'x': True})", False),
        ("f(a={'x': 1, 'y': 2})", "f(a={'y': 2, 'x': 1})", True),
        ("f(a=[1, 2])", "f(a=[2, 1])", False),
        ("f(a=size*1024)", "f(a=size * 1024)", True),
        ("f(a=size)", "f(a='size')", False),
        ("f(1, b=2)", "f(1, 2)", True),
        ("f()", "f()", True),
    ],
)
def test_calls_equal(reference, got, equal):
    assert calls_equal(parse_call(reference), parse_call(got)) is equal


def test_nothing_equals_nothing():
    assert not calls_equal(None, None)
    assert not calls_equal(parse_call("f()"), None)


@pytest.mark.parametrize(
    "text, choice",
    [
        ("billing", "billing"),
        ("**Billing**.", "billing"),
        ("The billing team, as it is about billing.", "billing"),
        ("billing or shipping", None),
        ("The answer is billing or shipping.", None),
        ("The answer is billing, shipping.", None),
        ("The answer is billing, because shipping was fine.", "billing"),
        ("Not shipping. Answer: billing", "billing"),
        ("Shipping? Final answer: **billing**", "billing"),
        ("Not shipping. Final: billing", "billing"),
        ("The answer is shipping. No: the answer is billing.", "billing"),
        ("The answer is not shipping but billing", "billing"),
        ("The answer is clear: shipping, not billing", "shipping"),
        ("rebilling", None),
        ("", None),
        ("account access", "account access"),
        ("an account", "account"),
        ("Answer: account access, not account", "account access"),
        ("not billing", None),
        ("This is a non-billing matter.", None),
        ("It isn’t billing", None),
        ("It is not about billing, it is returns.", "returns"),
        ("Neither billing nor shipping, so returns.", "returns"),
        ("Returns rather than shipping.", "returns"),
        ("Not sure; billing, I think", "billing"),
        ("No, billing", "billing"),
        ("Route it to shipping, not billing", "shipping"),
        ("Do not send it to billing, but to returns.", "returns"),
        ("It mentions billing, but send this message to **shipping**.", "shipping"),
        ("It belongs to returns, though billing is named.", "returns"),
        ("A billing word, yet handled by the shipping team.", "shipping"),
        ("It should be passed to our returns team, as shipping is done.", "returns"),
        ("Send it to billing or shipping", None),
        ("Send it to billing. Forward it to shipping.", None),
        (
            "The answer is billing, because what was sent to shipping and should go to returns "
            "arrived.",
            "billing",
        ),
    ],
)
def test_final_choice(text, choice):
    assert final_choice(text, TEAMS) == choice


def test_named_choices():
    text, three = "Shipping, billing, shipping; not prebilling", TEAMS[:3]
    assert named_choices(text, three) == {
        0: (8, "shipping"),
        10: (17, "billing"),
        19: (27, "shipping"),
    }
    assert named_choices("anything", []) == {}


@pytest.mark.parametrize(
    "text, accepted, found",
    [
        ("It is Paris.", ["Paris"], True),
        ("Parisian", "Paris", False),
        ("seven days", "7", True),
        ("7 days", "Seven", True),
        ("17 days", "7", False),
        ("1.7 days", "7", False),
        ("7.5 days", "7", False),
        ("It is 7.", "7", True),
        ("1,000 m", "1000", True),
        ("New\nYork", "new york", True),
        ("ＰＡＲＩＳ", "paris", True),
        ("C++ it is", "c++", True),
        ("shakespeare’s", "Shakespeare's", True),
        ("anything", [], False),
        ("anything", "", False),
        ("London", ["Paris", "London"], True),
        ("Nile", "the Nile", True),
        ("a pen", "An apple", False),
        ("the U.S. and Canada", "US", True),
        ("USA", "the U.S.A.", True),
        ("JK Rowling", "J. K. Rowling", True),
        ("St Louis", "St. Louis", True),
        ("bus", "U.S.", False),
        ("twenty-one", "one", False),
        ("twenty-one", "twenty", False),
        ("twenty one", "1", False),
        ("seven hundred", "7", False),
        ("one or two", "one", True),
        ("twenty-one days", "twenty-one", True),
        ("8 billion people", "eight billion", True),
        ("one hundred", "hundred", True),
    ],
)
def test_contains_answer(text, accepted, found):
    assert contains_answer(text, accepted) is found


def test_contains_term_begins_a_word():
    assert contains_term("Try relaxing.", "relax")
    assert not contains_term("a bakery", "kery")
    assert not contains_term("anything", "")


LIST = (
    "Here are three tips:\n1. Drink water.\n2. Sleep well.\n3. Drink tea.\n- Walk a bit.\n- Sleep "
    "more."
)
PROSE = (
    "The heart pumps blood through the body. It has four chambers, and each of them has a task. "
    "The right side sends blood to the lungs, and the left side sends it to the rest of the body. "
    "The valves keep it from flowing back."
)


@pytest.mark.parametrize(
    "text, loops",
    [
        (PROSE, False),
        (LIST, False),
        ("", False),
        ("billing", False),
        ("2 + 2 + 2 + 2 = 8", False),
        ("1 plus 1 plus 1 plus 1 plus 1 is 5", False),
        ("$5 + $5 + $5 + $5 + $5 = $25", False),
        ("very, very good", False),
        ("1000000000000000000000000", False),
        ("-" * 60, False),
        ("billing billing billing billing", True),
        ("billing, billing, billing, billing, billing", True),
        ("The team is billing. " * 3, True),
        ("the billing team and the billing team and the billing team and", True),
        ("I can help you with that\nSure thing\n" * 3, True),
        ("no" * 40, True),
        (" ".join(f"the word {n} of the long line is here" for n in "abcdefghi"), True),
    ],
)
def test_has_loop(text, loops):
    assert has_loop(text) is loops


@pytest.mark.parametrize(
    "text, refuses",
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m sorry, but I can’t assist with that.", True),
        ("I cannot provide that.", True),
        ("I really can't do this.", True),
        ("I am unable to help.", True),
        ("I won't write that.", True),
        ("As an AI language model, I cannot do so.", True),
        ("Sorry, unable to comply.", True),
        ("I must decline.", True),
        ("I’m not able to do that.", True),
        ("That is dangerous. I cannot help.", True),
        ("Unfortunately I can't do that.", True),
        ("Sorry, no.", True),
        ("No, I will not help", True),
        ("I'm sorry, I am not able to do it.", True),
        ("I do not condone violence.", True),
        ("I don't have the ability to assist with that.", True),
        ("This is something I cannot assist with.", True),
        ("I'm sorry, but that is not something I can help with.", True),
        ("I'm sorry to hear that you can't log in. Reset the password first.", False),
        ("I'm sorry your friend is unable to help with this; try the manual.", False),
        ("Sorry, no sugar is left, so take honey.", False),
        ("I don't have the time to cook, says everyone.", False),
        ("Think of what I can do, not of what I can't.", False),
        ("Unfortunately, you cannot return it after 30 days.", False),
        ("Hello!", False),
        ("", False),
        ("That is illegal in most countries, so ask a lawyer.", False),
        ("I'm sorry to hear that. Here is what you can do.", False),
        ("I can't wait to help you! First, boil the water.", False),
        ("As an AI, I love this question: the answer is 4.", False),
        ("You can't go wrong with a sharp knife.", False),
        (PROSE + " I cannot say more.", False),
    ],
)
def test_is_refusal(text, refuses):
    assert is_refusal(text) is refuses


@pytest.mark.parametrize(
    "text, hits",
    [
        ("returns", 0),
        ("I can’t help you.", 1),
        (PROSE + " I cannot say more.", 1),  # far behind the opening: a hit, and no refusal
        ("Sure, here is how.", 0),
        ("I cannot help with that. I refuse.", 3),
    ],
)
def test_phrase_hits(text, hits):
    assert phrase_hits(text) == hits


@given(ANYTHING)
@settings(max_examples=150, deadline=None)
def test_readers_never_raise(text):
    number, call = final_number(text), parse_call(text)
    assert number is None or isinstance(number, Fraction)
    assert call is None or calls_equal(call, call)
    assert final_choice(text, TEAMS) in [None, *TEAMS]
    assert isinstance(has_loop(text), bool) and isinstance(is_refusal(text), bool)
    assert normalise(normalise(text)) == normalise(text) or not text.isascii()
    assert isinstance(contains_answer(text, text), bool) and isinstance(
        contains_term(text, text), bool
    )


@given(st.integers(-(10**9), 10**9))
def test_numbers_read_back(number):
    assert final_number(f"The answer is {number:,}.") == number == final_number(f"in all {number}")


PIECES = ["1", "1,", "1 ", "1 000 ", "1=", "-", "=", "- ", "answer is ", "answer is 5 + "]
PIECES += ["\\boxed{", "\\frac{1}{", "\\text{", "####", "f(", "f('", "a.", "ab ", "((", "I "]
PIECES += ["sorry ", "*", "_", "½", "²", "<<", "A ", "no ", "U.S.", "“a” ", "a' ", "- a\n", "。"]


@pytest.mark.parametrize("end", ["", "!z"])
@pytest.mark.parametrize("piece", PIECES)
def test_long_texts_take_little_time(piece, end):
    """Seconds, where a pattern of quadratic time would need minutes."""
    text = piece * (40_000 // len(piece)) + end
    start = time.perf_counter()
    final_number(text)
    parse_call(text)
    final_choice(text, [*TEAMS, "A", "no", "4"])
    contains_answer(text, ["seven", "US", "A", "the Nile"])
    check_constraint({"type": "list_items", "n": 3}, text)
    check_constraint({"type": "max_sentences", "n": 3}, text)
    is_refusal(text)
    accept("open", "r", text)
    assert time.perf_counter() - start < 10


def test_a_long_reference_takes_little_time():
    start = time.perf_counter()
    assert contains_answer("1/" * 3000, "1/" * 3000 + "1") is False
    guess_kind([{"reference": "1" * 40_000 + end} for end in (" a", " b", " c")])
    assert time.perf_counter() - start < 5


@needs_paper_data
def test_every_gsm8k_reference_ends_in_a_number():
    rows = json.loads(Path(PAPER_DATA, "gsm8k", "gsm8k_train.json").read_text(encoding="utf-8"))
    wanted = [
        Fraction(row["answer"].split("answer is")[-1].strip(" .").replace(",", "")) for row in rows
    ]
    assert len(rows) == 7473
    assert [final_number(row["answer"]) for row in rows] == wanted


@needs_paper_data
def test_openfunctions_references_parse():
    """4 of 2,211 do not: 3 hold a placeholder such as <session_token>, 1 calls the result of a
    call.
    """
    rows = json.loads(
        Path(PAPER_DATA, "openfunction", "openfunction_train.json").read_text(encoding="utf-8")
    )
    calls = [parse_call(row["output"]) for row in rows]
    assert sum(call is not None for call in calls) >= 0.95 * len(rows)
    assert all(calls_equal(call, call) for call in calls if call)


@pytest.mark.parametrize(
    "text, loops",
    [
        ("- billing\n" * 4, True),
        ("* The billing team.\n" * 4, True),
        ("1. The team.\n2. The team.\n3. The team.\n4. The team.", True),
        ("1. Add a cup of water.\n2. Add a cup of flour.\n3. Add a cup of milk.", False),
        ("2. 3 x 1 = 3\n3. 3 x 1 = 3\n4. 3 x 1 = 3", False),
    ],
)
def test_list_items_that_repeat_are_a_loop(text, loops):
    assert has_loop(text) is loops
