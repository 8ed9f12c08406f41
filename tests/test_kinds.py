"""A kind is one row of a table that filter, metric, audit, checks and the paper's scores ask."""

import json
from dataclasses import replace

import pytest

from sdft_lib.data import Suite, Task, load_task, task_suite
from sdft_lib.evaluate import any_length, scored
from sdft_lib.generation import Generation
from sdft_lib.kinds import KINDS, Kind, judged
from sdft_lib.own_data.audit import audit
from sdft_lib.own_data.check import references
from sdft_lib.paper.scores import text_row
from sdft_lib.paper.suites import paper_suite
from sdft_lib.score import score
from sdft_lib.storage.errors import SdftError
from sdft_lib.verify import accept


def colour_of(text, choices=None):
    """The one colour in a text."""
    named = {word for word in ("red", "blue") if word in text.lower().split()}
    return named.pop() if len(named) == 1 else None


@pytest.fixture
def colour(monkeypatch):
    """A made-up kind: the answer is a colour."""
    row = Kind(
        lambda reference, text, choices: colour_of(text) == colour_of(reference) is not None,
        kept=True,
        read=colour_of,
        why_unread=lambda text: "there is no single colour",
        max_new_tokens=7,
    )
    monkeypatch.setitem(KINDS, "colour", row)


def test_filter_and_metric_use_a_new_kind(colour):
    assert accept("colour", "red", "It is red").ok
    assert accept("colour", "red", "It is blue").reason == "answer"
    assert (score("colour", "red", "It is red"), score("colour", "red", "blue")) == (1, 0)


def test_audit_and_data_check_use_a_new_kind(colour, tmp_path):
    asked = [{"id": name, "question": f"{name}?"} for name in ("sky", "rose", "owl")]
    for name, answers in (
        ("before", ["blue", "red", "grey"]),
        ("after", ["It is blue", "Not sure", "It is an owl"]),
    ):
        rows = [row | {"answer": answer} for row, answer in zip(asked, answers)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    found = audit(tmp_path / "before.json", tmp_path / "after.json", kind="colour")
    assert (found["answer_kept"], found["examples"]["answer_lost"]) == (0.5, ["rose"])
    task = load_task(tmp_path / "before.json", kind="colour")
    assert references(task) == {
        "read": 2,
        "reasons": {"there is no single colour": 1},
        "unread": [{"id": "owl", "reason": "there is no single colour", "reference": "grey"}],
    }
    assert task_suite(replace(task, test=task.train, bundled=True)).max_new_tokens == 7


def test_evaluation_and_the_papers_scores_use_a_new_kind(colour, monkeypatch):
    suite = replace(paper_suite("gsm8k"), kind="colour")
    reasons = [text_row(suite, {"id": "a", "reference": "red"}, text) for text in ("red", "x")]
    assert [(row["score"], row["reason"]) for row in reasons] == [(1, "right"), (0, "unparsed")]
    row, cut = {"id": "a", "reference": "red"}, Generation("red", "length", 1)
    assert scored(Suite("mine", "colour", [row], 7), row, cut)["score"] == 1
    monkeypatch.setitem(KINDS, "colour", replace(KINDS["colour"], ends=True))
    assert scored(Suite("mine", "colour", [row], 7), row, cut)["score"] == 0
    monkeypatch.setitem(KINDS, "colour", replace(KINDS["colour"], private=True))
    hidden = scored(Suite("mine", "colour", [row], 7), row, Generation("blue", "stop", 1))
    assert (hidden["score"], hidden["text"]) == (0, "")


def test_a_new_kind_can_ask_for_choices_or_to_be_run(colour, monkeypatch, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps([{"question": "Q?", "answer": "red"}]))
    monkeypatch.setitem(KINDS, "colour", replace(KINDS["colour"], needs="choices"))
    assert load_task(tmp_path / "mine.json", kind="colour").choices == ("red",)
    monkeypatch.setitem(KINDS, "colour", replace(KINDS["colour"], right=None))
    with pytest.raises(SdftError, match="not allowed"):
        judged("colour")


def test_a_kind_that_is_read_says_why_it_cannot_be():
    assert all((kind.read is None) == (kind.why_unread is None) for kind in KINDS.values())


def test_references_of_free_text_are_not_read():
    assert references(Task("mine", "open", [{"id": "a", "reference": "5"}])) is None


@pytest.mark.parametrize(
    "kind, reference, reason",
    [
        ("math", "The answer is 5.", ""),
        ("math", "many", "no number"),
        ("math", "10 20", "more than one number"),
        ("call", "f(a=1)", ""),
        ("call", "f(a=<token>)", "placeholder <token>"),
        ("call", "f(a=[<x y>])", "<x y>"),
        ("call", 'f(a="<token>")', ""),
        ("call", "f(a=1)('x')", "result of a call"),
        ("call", "f(a=1", "never closed"),
        ("call", "none", "no call"),
        ("call", "f(a=1) g(b=2)", "more than one call"),
        ("call", "f(a=1, a=2)", "twice"),
        ("call", "f(a=1 b=2)", "not Python"),
        ("label", "billing", ""),
        ("label", "owl", "no single label"),
    ],
)
def test_why_a_reference_cannot_be_read(kind, reference, reason):
    assert KINDS[kind].reads(reference, ["billing", "sales"]) == (not reason)
    assert not reason or reason in KINDS[kind].why_unread(reference)


def test_a_short_answer_is_scored_without_the_rule_about_length():
    items = [
        {"id": "h1", "reference": ["recycl"]},
        {"id": "h2", "reference": ["recycl"]},
        {"id": "h3", "reference": ["tea"]},
    ]
    suite = Suite("helpful", "open", items, 120)
    answers = ["Try recycling.", "returns", "Tea is good. " * 9]
    rows = [scored(suite, item, Generation(text, "stop", 5)) for item, text in zip(items, answers)]
    assert [row["score"] for row in rows] == [0, 0, 0]
    twin = any_length(suite, rows)
    assert [(row["suite"], row["id"], row["score"]) for row in twin] == [
        ("helpful-any-length", "h1", 1.0),
        ("helpful-any-length", "h2", 0.0),
        ("helpful-any-length", "h3", 0.0),  # a loop is no answer, however long
    ]


def test_an_item_whose_rule_is_a_length_has_no_twin():
    items = [
        {"id": "i1", "reference": {"type": "max_words", "n": 9, "floor": 3}},
        {"id": "i2", "reference": {"type": "all_lowercase", "floor": 3}},
    ]
    suite = Suite("instructions", "constraint", items, 64)
    rows = [scored(suite, item, Generation("returns", "stop", 1)) for item in items]
    assert [(row["id"], row["score"]) for row in any_length(suite, rows)] == [("i2", 1.0)]
    facts = Suite("facts", "fact", [{"id": "f", "reference": ["Paris"]}], 24)
    assert any_length(facts, [{"text": "Paris", "score": 1.0}]) == []
