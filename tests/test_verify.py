"""The filter of rewrites: every rule rejects something that all other rules would let through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdft_lib import verify
from sdft_lib.kinds import KINDS
from sdft_lib.storage.errors import SdftError
from sdft_lib.verify import CHECKS, accept

TEAMS = ["billing", "shipping", "returns"]
PROMPT = (
    "Which team handles this message: billing, shipping or returns? My parcel is late and I am "
    "cross."
)
COPIED = "My parcel is late and I am cross"
REJECTED = [
    # reason, kind, reference, text, further arguments
    ("empty", "open", "r", " ...\n", {}),
    (
        "cut",
        "label",
        "billing",
        "It is billing, because",
        {"choices": TEAMS, "finish_reason": "length"},
    ),
    ("leak", "label", "billing", "billing, as the reference answer says", {"choices": TEAMS}),
    ("echo", "label", "shipping", COPIED + ": shipping", {"choices": TEAMS, "prompt": PROMPT}),
    ("echo", "label", "billing", "billing ### Response: billing", {"choices": TEAMS}),
    ("echo", "call", "f(a=1)", "f(a=1)<|im_start|>user", {}),
    ("loop", "label", "billing", "billing " * 12, {"choices": TEAMS}),
    ("answer", "label", "billing", "shipping", {"choices": TEAMS}),
    ("answer", "label", "billing", "billing or shipping", {"choices": TEAMS}),
    ("answer", "label", "billing", "rebilling", {}),
    ("answer", "math", "The answer is 1,000.", "It is 100.", {}),
    ("answer", "math", "none", "none", {}),
    ("answer", "math", "The answer is 12.", "I do not know.", {}),
    ("answer", "call", "f(a=1)", "f(a=2)", {}),
    ("answer", "call", "f(a=<x>)", "f(a=<x>)", {}),
    ("answer", "fact", "Paris", "Parisian", {}),
]
ACCEPTED = [
    ("label", "billing", "The answer is billing, because shipping was fine.", {"choices": TEAMS}),
    ("label", "Billing", "billing", {}),
    ("math", "The answer is 1,000.", "She pays 500 + 500 = $1000.", {}),
    ("call", "f(a=1, b=2)", "Call `f(b=2, a=1)`.", {}),
    ("call", "f(a=1)", "f(a=1) as my parcel is late and I am cross, see", {"prompt": PROMPT}),
    ("fact", "seven", "There are 7.", {}),
    ("fact", ["Mars", "the red planet"], "Mars it is.", {"prompt": PROMPT}),
    ("open", "r", "A free answer.", {"prompt": PROMPT}),
    ("open", "the reference answer", "Here is the reference answer.", {}),
    ("open", "r", "A model answer is short.", {"prompt": "What is a model answer?"}),
    ("open", COPIED + ", he said.", COPIED, {"prompt": PROMPT}),
]


@pytest.mark.parametrize("reason, kind, reference, text, more", REJECTED)
def test_rejected(reason, kind, reference, text, more):
    verdict = accept(kind, reference, text, **more)
    assert (verdict.ok, verdict.reason) == (False, reason)


@pytest.mark.parametrize("reason, kind, reference, text, more", REJECTED)
def test_without_its_rule_each_would_pass(monkeypatch, reason, kind, reference, text, more):
    monkeypatch.setattr(verify, "CHECKS", tuple(rule for rule in CHECKS if rule[0] != reason))
    assert accept(kind, reference, text, **more).ok


def test_every_rule_has_a_case():
    assert {case[0] for case in REJECTED} == {name for name, _ in CHECKS}


@pytest.mark.parametrize("kind, reference, text, more", ACCEPTED)
def test_accepted(kind, reference, text, more):
    verdict = accept(kind, reference, text, **more)
    assert (verdict.ok, verdict.reason) == (True, "accepted")


def test_own_leak_phrases():
    assert accept("open", "r", "As the oracle says, no.", leaks=("oracle",)).reason == "leak"
    assert accept("open", "r", "As the reference answer says, no.", leaks=()).ok


def test_code_waits_until_execution_is_allowed():
    with pytest.raises(SdftError, match="not allowed"):
        accept("code", "print(1)", "print(1)")


def test_unknown_kind_lists_the_kinds():
    with pytest.raises(SdftError, match="math, call, label"):
        accept("poem", "r", "t")


SHORT = st.text(max_size=80)


@given(st.sampled_from([kind for kind in KINDS if kind != "code"]), SHORT, SHORT, SHORT)
@settings(max_examples=150, deadline=None)
def test_never_raises(kind, reference, text, prompt):
    verdict = accept(kind, reference, text, TEAMS, prompt=prompt)
    assert verdict.ok == (verdict.reason == "accepted")


def test_an_answer_that_is_no_string_is_one_sentence():
    with pytest.raises(SdftError, match="NoneType"):
        accept("open", "r", None)
