"""Does each rule matter? Every rule has a case that is decided rightly with it and wrongly when it
always says yes.

A rule that is added to one of the tables of the library without a case here fails
``test_every_rule_has_a_case``."""

import re
from dataclasses import replace

import pytest

from sdft_lib import verify
from sdft_lib.answers import constraints, phrases
from sdft_lib.answers.constraints import check_constraint
from sdft_lib.answers.phrases import has_loop, is_refusal
from sdft_lib.kinds import KINDS
from sdft_lib.score import score
from sdft_lib.verify import accept

TEAMS = ["billing", "shipping", "returns"]
PROMPT = (
    "Which team handles this message: billing, shipping or returns? My parcel is late and I am "
    "cross."
)
LONG = (
    "To fall asleep faster, keep a steady routine, stay away from bright lights and try a warm "
    "bath before you rest."
)

# rule of verify.CHECKS: what it alone rejects (kind, reference, text, further arguments)
CHECKS = {
    "empty": ("open", "r", " ...\n", {}),
    "cut": ("open", "r", "It is billing, because", {"finish_reason": "length"}),
    "leak": ("open", "r", "Yes, as the reference answer says.", {}),
    "echo": ("open", "r", "My parcel is late and I am cross: yes.", {"prompt": PROMPT}),
    "loop": ("open", "r", "billing " * 12, {}),
    "answer": ("label", "billing", "shipping", {"choices": TEAMS}),
}
# kind with ``kept``: a wrong answer that its judge alone rejects
JUDGES = {
    "math": ("math", "The answer is 1,000.", "It is 100.", {}),
    "call": ("call", "f(a=1)", "f(a=2)", {}),
    "label": ("label", "billing", "It is shipping.", {"choices": TEAMS}),
    "fact": ("fact", "Paris", "It is Rome.", {}),
    "program": ("program", "```python\nx = 1\n```", "Set x to one, and then print it.", {}),
}
# kind: (reference, right text, wrong text)
SCORES = {
    "math": ("The answer is 8.", "5 + 3 = 8", "5 + 3 = 9"),
    "call": ("f(a=1, b=2)", "f(1, b=2)", "f(1, b=3)"),
    "label": ("billing", "Billing.", "Shipping."),
    "fact": (["Mars"], "It is Mars.", "It is Venus."),
    "open": (["bath"], LONG, "Take a bath."),
    "program": ("", "```python\nx = 1\n```", "```python\nx = = 1\n```"),
    "constraint": ({"type": "contains_number"}, "There are 7.", "There are seven."),
    "refusal": ("", "I'm sorry, but I can't help with that.", "First, take a pipe."),
    "comply": ("", "First, take a pan.", "I cannot help with that."),
}
# sign of a loop: a text that it alone finds
LOOPS = {
    "same_lines": (
        "Go to the shop now. I will wait. Go to the shop now! You know why. Go to the shop now."
    ),
    "back_to_back": "the billing team and the billing team and the billing team and",
    "crowded": " ".join(f"the word {n} of the long line is here" for n in "abcdefghi"),
    "STUTTER": "no" * 40,
}
# pattern of phrases.REFUSALS, by place: a refusal that it alone finds
REFUSALS = [
    "I cannot provide that.",
    "Sorry that today I cannot go on",
    "Sorry, unable to do it.",
    "Sorry, no.",
    "As an AI model there are things that are unable to be said",
    "can't comply",
    "I decline.",
    "I do not condone violence.",
    "I don't have the ability to assist with it.",
    "This is not something I could do.",
    "It is against my rules.",
    "Das kann ich nicht tun.",
    "Je ne peux pas.",
    "No puedo ayudarte.",
    "Non posso aiutarti.",
    "Não posso ajudar.",
    "Я не могу помочь.",
    "我不能回答。",
    "お答えできません。",
    "도와드릴 수 없습니다.",
    "لا أستطيع مساعدتك",
    "मैं मदद नहीं कर सकता",
]
# constraint: (specification, text that keeps it, text that breaks it)
CONSTRAINTS = {
    "contains_word": ({"word": "red"}, "A red car.", "A reddish car."),
    "avoids_word": ({"word": "red"}, "A reddish car.", "A red car."),
    "no_character": ({"character": "e"}, "A ship.", "A tree."),
    "min_words": ({"n": 3}, "One two three.", "One two."),
    "max_words": ({"n": 2}, "One two.", "One two three."),
    "max_sentences": ({"n": 1}, "One thing.", "One thing. And two."),
    "list_items": ({"n": 2}, "- a\n- b", "- a"),
    "starts_with": ({"text": "Well"}, "Well, yes.", "Yes, well."),
    "ends_with": ({"text": "end."}, "The end.", "The end. No."),
    "contains_number": ({}, "7 days", "seven days"),
    "all_lowercase": ({}, "low", "Low"),
    "all_uppercase": ({}, "UP", "Up"),
    "quoted": ({}, '"So it is."', "So it is."),
}


def always(*arguments, **more) -> bool:
    return True


def never(*arguments, **more) -> bool:
    return False


def test_every_rule_has_a_case():
    assert list(CHECKS) == [name for name, _ in verify.CHECKS]
    assert set(JUDGES) == {name for name, kind in KINDS.items() if kind.kept}
    assert set(SCORES) == {name for name, kind in KINDS.items() if kind.right}
    assert set(CONSTRAINTS) == set(constraints.CONSTRAINTS)
    assert len(REFUSALS) == len(phrases.REFUSALS)
    used = re.findall(r"\b(same_lines|back_to_back|crowded|STUTTER)\b", source_of(has_loop))
    assert sorted(used) == sorted(LOOPS)


def source_of(function) -> str:
    import inspect

    return inspect.getsource(function)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_always_passes_lets_a_bad_rewrite_in(name, monkeypatch):
    kind, reference, text, more = CHECKS[name]
    assert accept(kind, reference, text, **more).reason == name
    mutated = tuple((rule, always if rule == name else passes) for rule, passes in verify.CHECKS)
    monkeypatch.setattr(verify, "CHECKS", mutated)
    assert accept(kind, reference, text, **more).ok


@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_that_always_agrees_lets_a_wrong_answer_in(name, monkeypatch):
    kind, reference, text, more = JUDGES[name]
    assert accept(kind, reference, text, **more).reason == "answer"
    monkeypatch.setitem(KINDS, name, replace(KINDS[name], right=always))
    assert accept(kind, reference, text, **more).ok


@pytest.mark.parametrize("kind", SCORES)
def test_a_metric_that_never_or_always_agrees_is_noticed(kind, monkeypatch):
    reference, right, wrong = SCORES[kind]
    row = KINDS[kind]
    choices = TEAMS if row.needs == "choices" else None
    points = [score(kind, reference, text, choices) for text in (right, wrong)]
    assert points == [1, 0]
    for mutant, text, points in ((always, wrong, 1), (never, right, 0)):
        monkeypatch.setitem(KINDS, kind, replace(row, right=mutant))
        assert score(kind, reference, text, choices) == points


@pytest.mark.parametrize("name", LOOPS)
def test_each_sign_of_a_loop_finds_one_that_the_others_miss(name, monkeypatch):
    assert has_loop(LOOPS[name])
    monkeypatch.setattr(phrases, name, re.compile(r"(?!)") if name == "STUTTER" else never)
    assert not has_loop(LOOPS[name])


@pytest.mark.parametrize("place", range(len(REFUSALS)))
def test_each_pattern_of_refusal_finds_one_that_the_others_miss(place, monkeypatch):
    assert is_refusal(REFUSALS[place])
    others = phrases.REFUSALS[:place] + phrases.REFUSALS[place + 1 :]
    monkeypatch.setattr(phrases, "REFUSALS", others)
    assert not is_refusal(REFUSALS[place])


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_that_is_always_kept_is_noticed(name, monkeypatch):
    more, kept, broken = CONSTRAINTS[name]
    spec = {"type": name, **more}
    assert check_constraint(spec, kept) and not check_constraint(spec, broken)
    monkeypatch.setitem(constraints.CONSTRAINTS, name, (tuple(more), always))
    assert check_constraint(spec, broken)


def test_floor_of_a_constraint_matters():
    assert not check_constraint({"type": "max_words", "n": 5, "floor": 2}, "Red")
    assert check_constraint({"type": "max_words", "n": 5}, "Red")
