"""Continual learning by hand: a matrix whose measures fit on paper, enumerated resamples, clear
refusals.
"""

import itertools
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from sdft_lib import stats
from sdft_lib.experiments import continual
from sdft_lib.experiments.continual import COLUMNS, matrix, measures, versus
from sdft_lib.storage.errors import SdftError

ORDER = "tickets-sums-calls"
#         tickets sums calls, stages 0 to 3; each mean is k of 10
HAND = [[0, 2, 1], [8, 1, 2], [9, 6, 0], [5, 4, 7]]


def frame(right, n=10, method="sft", seed=0, order=ORDER):
    """Scores of 0 and 1: at stage s, the first right[s][j] of n items of task j are right."""
    tasks = order.split("-")
    rows = [
        (method, seed, order, stage, task, f"{task}-{i}", float(i < right[stage][j]))
        for stage in range(len(right))
        for j, task in enumerate(tasks)
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draws_of(number):
    """So many resamples in place of 10,000."""
    return mock.patch.object(continual, "RESAMPLES", number)


def values(table, column="mean"):
    return dict(zip(table["measure"], table[column]))


def test_matrix_by_hand():
    found = matrix(frame(HAND))
    assert list(found.columns) == ["tickets", "sums", "calls"] and list(found.index) == [0, 1, 2, 3]
    assert found.to_numpy() == pytest.approx(np.array(HAND) / 10)
    assert found.attrs == {
        "method": "sft",
        "order": ORDER,
        "n": dict.fromkeys(found.columns, 10),
        "seeds": 1,
    }


def test_matrix_columns_follow_the_order_not_the_alphabet():
    assert list(
        matrix(frame(HAND, order="sums-calls-tickets").sample(frac=1, random_state=1)).columns
    ) == ["sums", "calls", "tickets"]


def test_measures_by_hand():
    found = measures(frame(HAND))
    assert values(found) == pytest.approx(
        {
            "ACC": (0.5 + 0.4 + 0.7) / 3,
            "BWT": ((0.5 - 0.8) + (0.4 - 0.6)) / 2,
            "FWT": ((0.1 - 0.2) + (0.0 - 0.1))
            / 2,  # sums before its training; calls before its training
            "forgetting": ((0.9 - 0.5) + (0.6 - 0.4))
            / 2,  # the best of tickets came a stage after its own
        }
    )
    assert values(found, "n") == {"ACC": 30, "BWT": 20, "FWT": 20, "forgetting": 20}
    assert (found["low"] <= found["mean"]).all() and (found["mean"] <= found["high"]).all()
    assert set(found["seeds"]) == {1}


def test_two_tasks_by_hand():
    found = values(measures(frame([[1, 3], [9, 4], [7, 8]], order="a-b")))
    assert found == pytest.approx({"ACC": 0.75, "BWT": -0.2, "FWT": 0.1, "forgetting": 0.2})


def test_the_seed_model_is_no_candidate_for_the_best_earlier_score():
    found = values(measures(frame([[9, 0], [5, 0], [4, 0]], order="a-b")))
    assert found["forgetting"] == pytest.approx(0.1)


def test_several_seeds_are_averaged_after_the_maximum():
    one, two = (
        [[0, 0, 0], [9, 0, 0], [1, 0, 0], [1, 0, 0]],
        [[0, 0, 0], [1, 0, 0], [9, 0, 0], [1, 0, 0]],
    )
    found = measures(pd.concat([frame(one), frame(two, seed=1)]))
    assert values(found)["forgetting"] == pytest.approx(
        0.4
    )  # 0.8 / 2 for each; the maximum of the means gives 0.2
    assert set(found["seeds"]) == {2} and values(found, "n")["ACC"] == 30


def test_the_interval_is_that_of_all_resamples():
    rng, n = np.random.default_rng(5), 3
    table = frame(np.zeros((3, 2)), n=n, order="a-b")
    table["score"] = rng.integers(0, 5, len(table)) / 4
    r = {
        t: table[table["task"] == t].pivot(index="id", columns="stage", values="score").to_numpy()
        for t in "ab"
    }
    draws = [list(d) for d in itertools.product(range(n), repeat=n)]
    exact = {"ACC": [], "BWT": [], "FWT": [], "forgetting": []}
    for i, j in itertools.product(draws, draws):
        a, b = r["a"][i].mean(axis=0), r["b"][j].mean(axis=0)
        exact["ACC"].append((a[2] + b[2]) / 2)
        exact["BWT"].append(a[2] - a[1])
        exact["FWT"].append(b[1] - b[0])
        exact["forgetting"].append(a[1] - a[2])
    with draws_of(20_000):
        found = measures(table).set_index("measure")
    for name, all_values in exact.items():
        limits = np.percentile(all_values, [2.5, 97.5])
        assert found.loc[name, ["low", "high"]].to_numpy(float) == pytest.approx(
            limits, abs=0.06
        ), name


def test_the_interval_is_scipys():
    table = frame(np.zeros((4, 3)), n=60)
    table["score"] = np.random.default_rng(2).random(len(table))
    finals = [
        table[(table["stage"] == 3) & (table["task"] == t)]["score"].to_numpy()
        for t in ORDER.split("-")
    ]

    def acc(*parts, axis):
        return sum(part.mean(axis=axis) for part in parts) / 3

    oracle = bootstrap(
        finals, acc, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = measures(table).set_index("measure").loc["ACC"]
    assert (found["low"], found["high"]) == pytest.approx((oracle.low, oracle.high), abs=0.004)


def test_items_are_paired_between_stages():
    # Nothing changes from stage to stage: whichever items are drawn, every change is exactly zero.
    table = measures(frame([[5, 5, 5]] * 4)).set_index("measure")
    for name in ("BWT", "FWT", "forgetting"):
        assert tuple(table.loc[name, ["mean", "low", "high"]]) == (0, 0, 0)
    assert table.loc["ACC", "low"] < 0.5 < table.loc["ACC", "high"]


def test_tasks_are_drawn_apart():
    # Task b has wrong what task a has right; one draw for both would make the mean exactly 0.5
    # every time.
    table = frame([[5, 5]] * 3, order="a-b")
    table.loc[table["task"] == "b", "score"] = 1 - table.loc[table["task"] == "b", "score"]
    found = measures(table).set_index("measure").loc["ACC"]
    assert found["low"] < 0.4 and found["high"] > 0.6


def test_seeds_are_drawn_together():
    # The same answers under a second training seed are no new evidence: the interval stays as wide.
    one = measures(frame(HAND))
    two = measures(pd.concat([frame(HAND), frame(HAND, seed=7)]))
    assert two[["mean", "low", "high"]].to_numpy() == pytest.approx(
        one[["mean", "low", "high"]].to_numpy()
    )


def test_order_of_rows_and_chunks_do_not_matter(monkeypatch):
    table = frame(HAND)
    monkeypatch.setattr(continual, "RESAMPLES", 500)
    first = measures(table)
    monkeypatch.setattr(stats, "CHUNK", 333)
    pd.testing.assert_frame_equal(measures(table.sample(frac=1, random_state=3)), first)


def test_methods_and_orders_get_their_own_rows():
    both = pd.concat(
        [frame(HAND), frame(HAND, method="sdft"), frame(HAND, order="calls-sums-tickets")]
    )
    with draws_of(100):
        found = measures(both)
    assert len(found) == 12 and list(found.columns) == continual.TABLE
    assert list(found["measure"][:4]) == continual.MEASURES
    assert list(dict.fromkeys(zip(found["method"], found["order"]))) == [
        ("sft", ORDER),
        ("sdft", ORDER),
        ("sft", "calls-sums-tickets"),
    ]


def test_differences_by_hand_and_paired():
    better = [
        [0, 2, 1],
        [8, 1, 2],
        [9, 6, 0],
        [7, 6, 7],
    ]  # two items more of tickets and of sums at the end
    found = versus(
        pd.concat([frame(better, method="sdft"), frame(HAND)]), [("sdft", "sft"), ("sft", "sft")]
    )
    assert list(found.columns) == continual.DIFFERENCES and len(found) == 8
    first = dict(zip(found["measure"][:4], found["difference"][:4]))
    assert first == pytest.approx({"ACC": 0.4 / 3, "BWT": 0.2, "FWT": 0, "forgetting": -0.2})
    assert (found["low"] <= found["difference"]).all() and (
        found["difference"] <= found["high"]
    ).all()
    assert (
        not found[["difference", "low", "high"]][4:].to_numpy().any()
    )  # against itself: zero, width zero


tables = st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=4, max_size=4)


@settings(max_examples=30, deadline=None)
@given(tables)
def test_measures_keep_their_ranges(right):
    with draws_of(50):
        found = measures(frame(right, n=6)).set_index("measure")
    assert 0 <= found.loc["ACC", "low"] <= found.loc["ACC", "high"] <= 1
    assert -1 <= found.loc["FWT", "low"] <= found.loc["FWT", "high"] <= 1
    # the best earlier score is never below the one just after training
    for column, other in (("mean", "mean"), ("low", "high"), ("high", "low")):
        assert found.loc["forgetting", column] >= -found.loc["BWT", other] - 1e-12


def without(**where):
    table = frame(HAND)
    return table[~np.logical_and.reduce([table[key] == value for key, value in where.items()])]


@pytest.mark.parametrize(
    "table, said",
    [
        (without(stage=0), 'same items of "tickets"'),
        (without(stage=2), 'same items of "tickets"'),
        (without(stage=3, task="calls"), 'same items of "calls"'),
        (without(task="sums"), 'same items of "sums"'),
        (without(stage=1, id="sums-4"), 'same items of "sums"'),
        (pd.concat([frame(HAND), frame(HAND, n=9, seed=1)]), 'same items of "tickets"'),
    ],
)
def test_refusals_are_one_sentence(table, said):
    with pytest.raises(SdftError, match=said) as caught:
        measures(table)
    assert "\n" not in str(caught.value)


def test_a_matrix_is_of_one_method_and_one_order():
    with pytest.raises(SdftError, match="one method and one order, the table holds 2"):
        matrix(pd.concat([frame(HAND), frame(HAND, method="sdft")]))
    with pytest.raises(SdftError, match="one order"):
        matrix(pd.concat([frame(HAND), frame(HAND, order="calls-sums-tickets")]))


def test_methods_on_other_items_or_seeds_are_not_compared():
    with pytest.raises(SdftError, match="different items"):
        versus(pd.concat([frame(HAND), frame(HAND, n=9, method="sdft")]), [("sdft", "sft")])
    apart = versus(pd.concat([frame(HAND), frame(HAND, seed=1, method="sdft")]), [("sdft", "sft")])
    assert apart.empty and list(apart.columns) == continual.DIFFERENCES


def test_the_p_of_resampled_differences_by_hand():
    assert continual.percentile_p(np.array([0.1] * 97 + [-0.1] * 2)) == pytest.approx(2 * 3 / 100)
    assert continual.percentile_p(np.zeros(9)) == 1.0  # no resample differs
    assert continual.percentile_p(np.ones(9)) == continual.percentile_p(-np.ones(9)) == 0.2


def test_rows_of_one_scenario_are_drawn_together():
    """Ten scenarios of two equal rows: the intervals are those of ten rows."""
    twice = pd.concat([frame(HAND, n=10), frame(HAND, n=10)], ignore_index=True)
    copies = [f"{name}-{number // len(frame(HAND))}" for number, name in enumerate(twice["id"])]
    single = measures(frame(HAND))
    double = measures(twice.assign(unit=twice["id"], id=copies))
    same = ["mean", "low", "high"]
    assert double[same].to_numpy() == pytest.approx(single[same].to_numpy())
    assert (double["n"] == 2 * single["n"]).all()
    loose = measures(twice.assign(id=copies))  # as if the copies were new rows
    assert (loose["high"] - loose["low"]).sum() < (double["high"] - double["low"]).sum()
