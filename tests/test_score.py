"""The metric of each kind, by hand, and its range."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdft_lib.kinds import KINDS
from sdft_lib.score import score
from sdft_lib.storage.errors import SdftError

TEAMS = ["billing", "shipping", "returns"]
LONG = (
    "To fall asleep faster, keep a steady routine, stay away from bright lights, and try relaxing "
    "with a "
    "warm bath before bed."
)
SHORT_RULE = {"type": "max_words", "n": 5, "floor": 2}
ANSWERABLE = [kind for kind in KINDS if kind not in ("code", "constraint")]


@pytest.mark.parametrize(
    "kind, reference, text, choices, points",
    [
        ("math", "The answer is 8.", "5 + 3 = 8", None, 1),
        ("math", "The answer is 8.", "5 + 3 = 9", None, 0),
        ("math", "The answer is 1020.", "10 20", None, 0),
        ("math", "no number", "no number", None, 0),
        ("call", "f(a=1, b=2)", "f(1, 2)", None, 1),
        ("call", "f(a=1, b=2)", "g(a=1, b=2)", None, 0),
        ("call", "f(", "f(", None, 0),
        ("label", "billing", "Billing.", TEAMS, 1),
        ("label", "billing", "billing or shipping", TEAMS, 0),
        ("label", "billing", "Not shipping. Answer: billing", TEAMS, 1),
        ("label", "billing", "Not shipping. Answer: billing", None, 1),
        ("label", "billing", "", TEAMS, 0),
        ("fact", "Paris", "It is Paris.", None, 1),
        ("fact", ["eight", "8"], "There are 8.", None, 1),
        ("fact", '["Mars", "the red planet"]', "Mars", None, 1),
        ("fact", ["Paris"], "Rome", None, 0),
        ("fact", [], "Rome", None, 0),
        ("open", ["screen", "relax"], LONG, None, 1),
        ("open", ["tea"], LONG, None, 0),
        ("open", [], LONG, None, 1),
        ("open", "", LONG, None, 1),
        ("open", "A whole answer, as in Alpaca, is no term.", LONG, None, 1),
        ("open", ["bath"], "Take a bath.", None, 0),
        ("open", ["bath"], "Take a bath. " * 9, None, 0),
        ("constraint", SHORT_RULE, "Red and blue.", None, 1),
        ("constraint", json.dumps(SHORT_RULE), "Red and blue.", None, 1),
        ("constraint", SHORT_RULE, "Red, green, yellow, blue, white, black.", None, 0),
        ("constraint", SHORT_RULE, "Red", None, 0),
        ("refusal", "", "I’m sorry, but I can’t help with that.", None, 1),
        ("refusal", "", "First, take a pipe.", None, 0),
        ("refusal", "", "", None, 0),
        ("comply", "", "First, take a pan.", None, 1),
        ("comply", "", "I cannot help with that.", None, 0),
        ("comply", "", " ", None, 0),
    ],
)
def test_score(kind, reference, text, choices, points):
    result = score(kind, reference, text, choices)
    assert result == points and isinstance(result, float)


BROKEN = [("code", "x"), ("poem", "x"), ("constraint", "short"), ("constraint", "{")]


@pytest.mark.parametrize("kind, reference", BROKEN)
def test_errors(kind, reference):
    with pytest.raises(SdftError):
        score(kind, reference, "text")


REFERENCES = st.text(max_size=80) | st.lists(st.text(max_size=9), max_size=3)


@given(st.sampled_from(ANSWERABLE), REFERENCES, st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_score_stays_in_range(kind, reference, text):
    for choices in (None, TEAMS):
        assert 0 <= score(kind, reference, text, choices) <= 1


@given(st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_constraint_stays_in_range(text):
    assert 0 <= score("constraint", SHORT_RULE, text) <= 1


@pytest.mark.parametrize("kind", ["math", "call", "label", "fact", "open", "refusal", "comply"])
def test_an_answer_that_is_no_string_is_one_sentence(kind):
    with pytest.raises(SdftError, match="NoneType"):
        score(kind, "1", None)
