"""The distilled set: what decides a row, and whose key it enters. The answers are given; no model
runs.
"""

from types import SimpleNamespace

import pytest

from sdft_lib import distill as module
from sdft_lib.data import Task
from sdft_lib.distill import distill
from sdft_lib.generation import Generation
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import DistillTemplate
from sdft_lib.verify import Verdict

SEED = SimpleNamespace(identity={"model": "made-up"}, name="made-up")
ASKED = [("a", "Add 3 and 5.", "8"), ("b", "Add 1 and 1.", "2"), ("c", "Add 2 and 2.", "4")]
ROWS = [
    {"id": name, "messages": [{"role": "user", "content": text}], "reference": answer}
    for name, text, answer in ASKED
]
SUMS = Task("sums", "math", ROWS)
TEMPLATE = DistillTemplate("t", "{instruction} It is {reference}.")
WRITTEN = ["It is 8.", "Sure! It is 2.", "It is 5."]


@pytest.fixture(autouse=True)
def answers(monkeypatch, tmp_path):
    """What the model writes, and how often it was asked."""
    asked = []

    def written(seed, prompts, decoding, **options):
        asked.append(options["names"])
        return [Generation(WRITTEN[ord(name) - ord("a")], "stop", 4) for name in options["names"]]

    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "generate", written)
    return asked


def quiet(line: str) -> None:
    """Say nothing."""


def made(**options) -> list[tuple[str, str]]:
    """Source and reason of each row."""
    rows = distill(SEED, SUMS, TEMPLATE, say=quiet, **options).rows
    return [(row["source"], row["reason"]) for row in rows]


def no_chatter(row: dict, text: str) -> Verdict:
    """A check of one's own."""
    assert row.keys() == {"id", "messages", "reference"}
    return Verdict(not text.startswith("Sure"), "accepted" if text[0] != "S" else "chatter")


def raises(row: dict, text: str) -> Verdict:
    """It has a fault."""
    return Verdict(row["missing"], "accepted")


def says_yes(row: dict, text: str) -> bool:
    """It returns no verdict."""
    return True


OURS = [("rewritten", "accepted"), ("rewritten", "accepted"), ("original", "answer")]
STRICTER = [("rewritten", "accepted"), ("original", "chatter"), ("original", "answer")]


def test_a_verifier_comes_behind_our_checks():
    assert made() == OURS and made(verifier=no_chatter) == STRICTER


def test_a_verifier_is_in_the_key(answers, monkeypatch, tmp_path):
    made(verifier=no_chatter)
    made(verifier=no_chatter)
    assert len(answers) == 1  # the second call found the first one's set
    made()
    assert len(answers) == 2
    monkeypatch.setattr(
        "sdft_lib.distill.source_of", lambda function: {"name": "no_chatter", "sha256": "other"}
    )
    made(verifier=no_chatter)
    assert len(answers) == 3  # its file was changed


def test_further_candidates_are_tried_where_a_verifier_says_no(answers):
    made(verifier=no_chatter, candidates=2)
    assert answers == [["a", "b", "c"], ["b", "c"]]


@pytest.mark.parametrize(
    "verifier, problem",
    [
        (raises, "row a: the function raises raises KeyError .'missing'."),
        (says_yes, "returns True, no Verdict"),
    ],
)
def test_a_verifier_with_a_fault_is_one_sentence(verifier, problem):
    with pytest.raises(SdftError, match=problem):
        made(verifier=verifier)


def changes_its_row(row: dict, text: str) -> Verdict:
    """It writes into the row, and calls what it keeps good."""
    row["messages"][0]["content"] = "changed"
    return Verdict(True, "good")


def test_a_verifier_changes_no_row_and_what_it_keeps_is_accepted():
    done = distill(SEED, SUMS, TEMPLATE, verifier=changes_its_row, say=quiet)
    assert [row["messages"] for row in done.rows] == [row["messages"] for row in ROWS]
    assert done.report["reasons"] == {"accepted": 2, "answer": 1}


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"limit": -1}], ids=str)
def test_counts_of_rows_and_candidates_are_from_1_on(wrong):
    with pytest.raises(SdftError, match="give whole numbers from 1 on"):
        made(**wrong)


def test_a_nameless_verifier_is_refused():
    with pytest.raises(SdftError, match="no name of its own"):
        made(verifier=lambda row, text: Verdict(True, "accepted"))


def test_the_report_counts_the_reasons():
    report = distill(SEED, SUMS, TEMPLATE, verifier=no_chatter, say=quiet).report
    assert report["reasons"] == {"accepted": 1, "chatter": 1, "answer": 1}
    assert (report["kept"], report["keep_rate"], report["own_share"]) == (1, 1 / 3, 1.0)
