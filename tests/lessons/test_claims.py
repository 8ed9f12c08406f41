"""Claims and the headline follow from the tables of ``stats``, and from nothing else."""

import pandas
import pytest

from sdft_lib.lessons import claims
from sdft_lib.stats import AT_FLOOR, UNCLEAR, Interval, compare

GAP = Interval(5, 4, 6, 30)


def paired(suite, a, b, difference, low, verdict):
    """A table of one comparison, as ``stats.compare`` makes it."""
    row = {"suite": suite, "a": a, "b": b, "n": 30, "difference": difference, "low": low}
    return pandas.DataFrame([row | {"high": difference + 0.1, "verdict": verdict}])


@pytest.mark.parametrize(
    "table, reached",
    [
        (paired("facts", "sft", "seed", -0.4, -0.5, "lower"), True),
        (paired("facts", "sft", "seed", -0.4, -0.5, UNCLEAR), False),  # not after correction
        (paired("facts", "sft", "seed", 0.4, 0.3, "higher"), False),
        (paired("facts", "sdft", "sft", 0.4, 0.3, "higher"), True),
        (paired("facts", "sdft", "sft-sentence", 0.4, 0.3, "lower"), False),
        (paired("facts", "sdft", "sft-sentence", 0.0, 0.0, AT_FLOOR), False),
        (paired("task", "sdft", "sft", -0.05, -0.0999, "lower"), True),  # a small loss, but a loss
        (paired("task", "sdft", "sft", -0.05, -0.1, UNCLEAR), False),
    ],
)
def test_a_claim_is_reached_by_the_verdict_or_by_the_lower_end(table, reached):
    *_, last = claims.claims(GAP, 0.95, table)
    assert last["reached"] is reached
    assert (last["why"] == "holds") == reached and last["low"] == table["low"][0]


def test_claims_about_methods_that_were_not_run_are_left_out():
    made = claims.claims(GAP, 0.5, paired("facts", "sft", "seed", -0.4, -0.5, "lower"))
    ends = [(claim["reached"], claim["low"]) for claim in made]
    assert ends == [(False, 0.5), (True, 4), (True, -0.5)]


def test_claims_ask_for_pairs_and_suites_that_are_declared():
    from sdft_lib.experiments import run_one

    declared = run_one.pairs(run_one.DEFAULT)
    for suite, a, b, _ in claims.CLAIMS.values():
        assert (a, b) in declared and suite in run_one.TESTED


def test_claims_take_the_table_of_compare():
    rows = []
    for method, score in (("seed", 1.0), ("sft", 0.0)):
        for item in range(20):
            rows.append({"method": method, "suite": "facts", "id": str(item), "score": score})
    *_, last = claims.claims(GAP, 1.0, compare(pandas.DataFrame(rows), [("sft", "seed")]))
    assert last["reached"] and last["value"] == -1.0


def test_headline_says_every_share_and_nothing_else():
    rows = []
    for method, task, facts in (("sdft", 0.871, 0.5), ("seed", 0.029, 0.552), ("sft", 1, 0.0)):
        rows.append({"method": method, "suite": "task", "mean": task})
        rows.append({"method": method, "suite": "facts", "mean": facts})
    assert claims.headline(rows, 480, "tickets") == (
        "Share right on new items of the task and on easy facts. Before training: seed 3 % and "
        "55 %. After training on 480 rows of tickets: SFT 100 % and 0 %, SDFT 87 % and 50 %."
    )


def test_the_recorded_run_in_one_sentence(monkeypatch):
    rows = []
    for method, seeds, score in (("seed", [0], 1.0), ("sft", [0, 1], 0.0), ("sdft", [0], 0.5)):
        for seed in seeds:
            row = {"method": method, "seed": seed, "split": "test", "suite": "facts", "unit": "a"}
            rows.append(row | {"checkpoint": float(method != "seed"), "id": "a", "score": score})
    frame = pandas.DataFrame(rows)
    monkeypatch.setattr(claims, "recorded", lambda task, model: frame)
    assert claims.in_the_recorded_run("facts", ("sft", "sdft")) == (
        "In the recorded run the seed scored 1.00 on facts, and after training\n"
        "SFT 0.00; SDFT 0.50 (1 items, 1–2 trainings of each method)."
    )
    assert claims.in_the_recorded_run("facts", ("dft",), "sums") == (
        "No recorded run of sums has facts of dft yet."
    )


def test_recorded_orders_are_told_by_method():
    order = "calls-sums-tickets"
    runs = claims.recorded_orders()
    part = runs[(runs["order"] == order) & (runs["method"] == "sft") & (runs["task"] == "sums")]
    means = part.groupby("stage")["score"].mean()
    said = claims.in_the_recorded_order("sums", order)
    assert f"SFT {means[2]:.2f} to {means[3]:.2f};" in said and max(map(len, said.split("\n"))) < 73
    assert claims.in_the_recorded_order("sums", "sums-tickets").endswith("yet.")
