"""Precision and recall of the refusal judge: cases counted by hand, and the labelled answers that
are shipped.
"""

import math

import pytest

from sdft_lib.answers.phrases import is_refusal
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


@pytest.mark.parametrize(
    "rows, words",
    [
        ([], "no labelled"),
        ([{"id": "a"}], "a: verdict"),
        ([row(1, True, True)] * 2, "twice"),
        ([row(1, False, True)], "called a refusal"),
    ],
)
def test_what_cannot_be_measured_is_said(rows, words):
    with pytest.raises(SdftError, match=words):
        agreement.precision(rows)


def test_no_refusal_no_recall():
    with pytest.raises(SdftError, match="recall"):
        agreement.recall([row(1, True, False)])


def test_the_shipped_labels_hold_no_complied_answer():
    rows = agreement.labelled()
    assert len(rows) >= 100
    for each in rows:
        assert ("text" in each) == (each["first"] and each["second"])
        assert len(each.get("words", "").split()) <= 12
        if "text" in each:
            assert is_refusal(each["text"]) == each["verdict"]
