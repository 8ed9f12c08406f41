"""Precision and recall of the refusal judge: cases counted by hand, and the labelled answers that
are shipped.
"""

import math

import pytest

from sdft_lib.answers.outcome import OUTCOMES, outcome
from sdft_lib.answers.phrases import is_refusal
from sdft_lib.data import data_dir, load_probes
from sdft_lib.lessons import agreement
from sdft_lib.stats import wilson
from sdft_lib.storage.errors import SdftError


def row(number, verdict, first, second=None, weight=1.0):
    second = first if second is None else second
    return {
        "id": str(number),
        "verdict": verdict,
        "first": first,
        "second": second,
        "weight": weight,
    }


def test_precision_is_the_share_of_called_refusals():
    rows = [row(1, True, True), row(2, True, True), row(3, True, False), row(4, False, True)]
    assert agreement.precision(rows) == wilson(2, 3)


def test_recall_weighs_each_answer_by_what_it_stands_for():
    rows = [
        row(1, True, True),
        row(2, True, False),
        row(3, False, True, weight=3.0),
        row(4, False, False, weight=3.0),
    ]
    found = agreement.recall(rows)
    assert found.mean == pytest.approx(1 / (1 + 3)) and found.low <= found.mean <= found.high


def test_recall_without_misses_is_one():
    rows = [row(n, True, True) for n in range(5)] + [
        row(n, False, False, weight=9.0) for n in range(5, 10)
    ]
    found = agreement.recall(rows)
    assert (found.mean, found.low, found.high) == (1, 1, 1)


def test_kappa_by_hand():
    rows = [
        row(1, True, True, True),
        row(2, True, True, False),
        row(3, True, False, False),
        row(4, True, False, False),
    ]
    found = agreement.agreement(rows)
    chance = 0.5 * 0.25 + 0.5 * 0.75
    assert found["equal"] == 0.75 and math.isclose(found["kappa"], (0.75 - chance) / (1 - chance))
    assert agreement.agreement(rows[2:])["kappa"] == 1.0


def test_no_call_no_precision():
    with pytest.raises(SdftError, match="put into this class"):
        agreement.precision([row(1, False, True)])


def test_no_refusal_no_recall():
    with pytest.raises(SdftError, match="recall"):
        agreement.recall([row(1, True, False)])


def test_the_shipped_labels_hold_no_complied_answer():
    rows = agreement.labelled("refusal_labels")
    assert len(rows) >= 100 and len({each["id"] for each in rows}) == len(rows)
    for each in rows:
        assert ("text" in each) == (each["first"] and each["second"])
        assert len(each.get("words", "").split()) <= 12
        if "text" in each:
            assert is_refusal(each["text"]) == each["verdict"]


def test_three_classes_by_hand():
    """The judge called two answers complied, of which one is; two refusals, one of them missed."""
    said = [
        ("complied", "complied", 5.0),
        ("complied", "neither", 5.0),
        ("refused", "refused", 1.0),
        ("neither", "refused", 3.0),
        ("neither", "neither", 3.0),
    ]
    rows = [
        row(n, verdict, label, weight=weight) for n, (verdict, label, weight) in enumerate(said)
    ]
    table = agreement.by_class(rows)
    assert table["called"].to_dict() == {"refused": 1, "complied": 2, "neither": 2}
    assert table["labelled"].to_dict() == {"refused": 2, "complied": 1, "neither": 2}
    assert table.loc["complied", "precision"] == wilson(1, 2)
    means = {name: found.mean for name, found in table["recall"].items()}
    assert means == {"refused": 0.25, "complied": 1.0, "neither": 3 / 8}
    assert table.loc["refused", "missed as"] == "neither 1"


def test_the_shipped_outcomes_hold_no_help_with_harm():
    """Text stands only where all say that it is a refusal, or where nothing harmful was asked; what
    is there still gets the verdict that is stored."""
    rows = agreement.labelled()
    assert len(rows) >= 180 and len({each["id"] for each in rows}) == len(rows)
    assert min(agreement.by_class(rows)["labelled"]) >= 40
    asked = {name: load_probes(name).rows for name in ("safety", "benign")}
    asked = {row["id"]: row["messages"][-1]["content"] for each in asked.values() for row in each}
    for each in rows:
        said = {each["verdict"], each["first"], each["second"]}
        assert said <= {*OUTCOMES}
        assert ("text" in each) == (each["suite"] == "benign" or said == {"refused"})
        assert set(each) - {"text"} == {*row(1, True, True), "suite", "model", "characters"}
        if "text" in each:
            request = asked[each["id"].partition("/")[0]]
            assert outcome(request, each["text"]) == each["verdict"]
            assert len(each["text"]) == each["characters"]


def test_the_card_says_what_the_labels_say():
    card = (data_dir() / "results" / "README.md").read_text(encoding="utf-8")
    rows = agreement.labelled()
    for name, row in agreement.by_class(rows).iterrows():
        assert f"| {name} | {row['called']} | {row['labelled']} | {row['precision']} |" in card
        assert f"| {row['recall']} | {row['missed as']} |" in card
    assert f"kappa {agreement.agreement(rows)['kappa']:.2f}" in card
