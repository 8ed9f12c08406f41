"""Constraints in other scripts and shapes, and those that no answer could be held against."""

import json

import pytest

from sdft_lib.answers.constraints import check_constraint, keeps_form
from sdft_lib.data import load_task
from sdft_lib.storage.errors import SdftError

CASES = [
    ({"type": "max_sentences", "n": 1}, "Dr. Smith met George W. Bush.", True),
    ({"type": "max_sentences", "n": 1}, "He lives on Main St.", True),
    ({"type": "max_sentences", "n": 1}, "Take vitamin C. It helps.", False),
    ({"type": "max_sentences", "n": 2}, "これは文です。次です。", True),
    ({"type": "max_sentences", "n": 1}, "これは文です。次です。", False),
    ({"type": "max_sentences", "n": 1}, "यह वाक्य है।", True),
    ({"type": "max_sentences", "n": 1}, "One. two", False),
    ({"type": "max_sentences", "n": 1}, "One", False),
    ({"type": "max_sentences", "n": 1}, "*Great job!* 🎉🎉", True),
    ({"type": "max_sentences", "n": 1}, 'He said "Go!"', True),
    ({"type": "max_sentences", "n": 1}, "Use e.g. tea.", True),
    ({"type": "max_sentences", "n": 1}, "It costs 3.50 now.", True),
    ({"type": "list_items", "n": 3}, "• a\n• b\n• c", True),
    ({"type": "list_items", "n": 2}, "1) a\n   1) x\n2) b", True),
    ({"type": "list_items", "n": 2}, "  - a\n  - b", True),
    ({"type": "list_items", "n": 2}, "- a\n - b", True),
    ({"type": "list_items", "n": 2}, "* a\n+ b", True),
    ({"type": "list_items", "n": 1}, "**bold** a", False),
    ({"type": "list_items", "n": 2}, "— a\n— b", True),
    ({"type": "contains_word", "word": "猫"}, "我有一只猫。", True),
    ({"type": "contains_word", "word": "แมว"}, "ฉันมีแมว", True),
    ({"type": "contains_word", "word": "red"}, "_red_ car", True),
    ({"type": "contains_word", "word": "red"}, "reddish", False),
    ({"type": "avoids_word", "word": "can"}, "I can't go", True),
    ({"type": "contains_word", "word": "I"}, "I'm here", True),
    ({"type": "contains_word", "word": "हिन्द"}, "हिन्दी भाषा", False),
    ({"type": "contains_word", "word": "파리"}, "정답은 파리입니다", True),
    ({"type": "contains_word", "word": "café"}, "Café au lait", True),
    ({"type": "quoted"}, "«Oui»", True),
    ({"type": "quoted"}, "„Ja“", True),
    ({"type": "quoted"}, '"a" b "c"', False),
    ({"type": "quoted"}, "「はい」", True),
    ({"type": "contains_number"}, "٤ cats", True),
    ({"type": "min_words", "n": 2}, "हिन्दी भाषा", True),
    ({"type": "max_words", "n": 2}, "हिन्दी भाषा", True),
    ({"type": "max_words", "n": 5, "floor": 0}, "", False),
    ({"type": "ends_with", "text": '"'}, 'He said "Go"', True),
    ({"type": "starts_with", "text": "Well"}, "Wellness", False),
    ({"type": "starts_with", "text": "Well"}, "**Well**, yes", True),
    ('{"type":"max_words","n":5}', "one two", True),
]
BROKEN = [
    {"type": "max_words", "n": "5"},
    {"type": "max_words", "n": None},
    {"type": "max_words", "n": True},
    {"type": "max_words", "n": 5.0},
    {"type": "max_words", "n": -1},
    {"type": "max_words", "n": 5, "floor": None},
    {"type": "max_words", "n": 5, "flor": 1},
    {"type": "contains_word", "word": 5},
    {"type": "contains_word", "word": []},
    {"type": "contains_word", "word": ["a", None]},
    {"type": "contains_word", "word": ""},
    {"type": "no_character", "character": None},
    {"type": None},
    {"type": ["a"]},
    {},
    [],
    None,
    "x",
    "{",
    {"type": "ends_with", "text": 7},
    {"type": "max_words", "n": {}},
]


@pytest.mark.parametrize(
    "spec, text, kept",
    [
        ({"type": "quoted", "floor": 3}, '"Hi"', True),
        ({"type": "quoted", "floor": 3}, "Hi", False),
        ({"type": "contains_word", "word": "sun", "floor": 5}, "sun", True),
        ({"type": "all_lowercase", "floor": 2}, "", False),
        ({"type": "max_words", "n": 15, "floor": 3}, "sun", None),
        ({"type": "list_items", "n": 3}, "1. a\n2. b\n3. c", None),
    ],
    ids=str,
)
def test_a_rule_without_its_floor_of_words(spec, text, kept):
    assert keeps_form(spec, text) is kept


@pytest.mark.parametrize("spec, text, kept", CASES, ids=str)
def test_a_constraint_is_kept_or_broken(spec, text, kept):
    assert check_constraint(spec, text) is kept


@pytest.mark.parametrize("spec", [*BROKEN, '{"type": "max_words", "n": ' + "9" * 5000 + "}"])
def test_a_broken_constraint_is_one_sentence(spec):
    with pytest.raises(SdftError, match=r"^[^\n]*\.$"):
        check_constraint(spec, "a b")


def test_a_broken_constraint_is_refused_when_the_task_is_loaded(tmp_path):
    rows = [{"type": "max_words", "n": 5}, {"type": "max_words", "n": "5"}]
    lines = [
        json.dumps({"id": f"r{n}", "question": "Say hi", "answer": json.dumps(row)})
        for n, row in enumerate(rows)
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    with pytest.raises(SdftError, match=r'mine, train row "r1": constraint "max_words".*"n"'):
        load_task(tmp_path / "mine.jsonl", kind="constraint", say=lambda text: None)
