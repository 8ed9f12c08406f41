"""The frontier by hand: the rule of choice, what it may look at, paired differences, clear
refusals.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, ttest_1samp
from scipy.stats import t as student

from sdft_lib import stats
from sdft_lib.experiments import frontier
from sdft_lib.experiments.frontier import COLUMNS, choose, matched_comparison, points
from sdft_lib.stats import bootstrap_mean, by_unit, paired_bootstrap, paired_p
from sdft_lib.storage.errors import SdftError


def part(method, seed, checkpoint, split, suite, scores):
    rows = [
        (method, seed, checkpoint, split, suite, f"{suite}-{split}-{i}", float(x))
        for i, x in enumerate(scores)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def right(k, n=10):
    return [1] * k + [0] * (n - k)


def runs(curves, seed=0, n=10):
    """curves: {method: {checkpoint: (right on dev, right on test, right on facts)}}, of n items
    each.
    """
    made = []
    for method, curve in curves.items():
        for checkpoint, (dev, test, kept) in curve.items():
            made.append(part(method, seed, checkpoint, "dev", "task", right(dev, n)))
            made.append(part(method, seed, checkpoint, "test", "task", right(test, n)))
            made.append(part(method, seed, checkpoint, "test", "facts", right(kept, n)))
    return pd.concat(made, ignore_index=True)


HAND = {
    "sft": {0.25: (5, 4, 8), 0.5: (7, 6, 6), 1.0: (9, 8, 3)},
    "sdft": {0.25: (3, 2, 9), 0.5: (4, 5, 9), 1.0: (6, 5, 8)},
}


def test_points_by_hand():
    found = points(runs(HAND), "facts")
    assert list(found.columns) == frontier.POINTS
    assert list(found[frontier.POINTS[:5]].itertuples(index=False, name=None)) == [
        ("sft", 0, 0.25, 0.4, 0.8),
        ("sft", 0, 0.5, 0.6, 0.6),
        ("sft", 0, 1.0, 0.8, 0.3),
        ("sdft", 0, 0.25, 0.2, 0.9),
        ("sdft", 0, 0.5, 0.5, 0.9),
        ("sdft", 0, 1.0, 0.5, 0.8),
    ]
    assert set(found["suite"]) == {"facts"} and set(found["n_task"]) == set(found["n_kept"]) == {10}


def test_points_need_both_suites():
    table = runs(HAND)
    table = table[~((table["suite"] == "facts") & (table["checkpoint"] < 1))]
    assert list(points(table, "facts")["checkpoint"]) == [1.0, 1.0]
    with pytest.raises(SdftError, match='no checkpoint has test scores on both "task" and "rules"'):
        points(table, "rules")


def test_the_rule_by_hand():
    # best on dev: sft 0.9, sdft 0.6; the target is 0.6; sft has 0.5 and 0.7, equally near: the
    # earlier
    found = choose(runs(HAND), "sft", "sdft")
    assert list(found.columns) == frontier.CHOICE
    assert tuple(found.iloc[0]) == (0, 0.6, 0.25, 0.5, 1.0, 0.6)
    turned = choose(runs(HAND), "sdft", "sft").iloc[0]
    assert (turned["checkpoint_a"], turned["checkpoint_b"]) == (1.0, 0.25)


def test_a_best_score_reached_twice_takes_the_earlier_checkpoint():
    curves = {"sft": {0.5: (6, 0, 0), 1.0: (6, 0, 0)}, "sdft": {0.5: (8, 0, 0), 1.0: (8, 0, 0)}}
    found = choose(runs(curves).sample(frac=1, random_state=0), "sft", "sdft").iloc[0]
    assert (found["checkpoint_a"], found["checkpoint_b"]) == (0.5, 0.5)


def test_shares_that_tie_on_paper_tie_in_floating_point():
    # 0.2 - 0.1 and 0.3 - 0.2 differ in the last bit
    found = choose(
        runs({"sft": {0.5: (1, 0, 0), 1.0: (3, 0, 0)}, "sdft": {1.0: (2, 0, 0)}}), "sft", "sdft"
    )
    assert found["checkpoint_a"][0] == 0.5


def test_each_seed_has_its_own_target():
    other = {"sft": {0.5: (2, 1, 9), 1.0: (4, 3, 9)}, "sdft": {0.5: (4, 4, 9), 1.0: (9, 9, 9)}}
    found = choose(pd.concat([runs(HAND), runs(other, seed=3)]), "sft", "sdft")
    assert list(found["seed"]) == [0, 3] and list(found["target"]) == [0.6, 0.4]
    assert list(found["checkpoint_a"]) == [0.25, 1.0] and list(found["checkpoint_b"]) == [1.0, 0.5]


def test_the_seed_model_is_no_checkpoint():
    start = {"sft": {0: (6, 0, 9)}, "sdft": {0: (6, 0, 9)}}
    pd.testing.assert_frame_equal(
        choose(pd.concat([runs(HAND), runs(start)]), "sft", "sdft"),
        choose(runs(HAND), "sft", "sdft"),
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_the_choice_never_looks_at_test(seed):
    table = pd.concat([runs(HAND), runs(HAND, seed=1)], ignore_index=True)
    before = choose(table, "sft", "sdft")
    where = table["split"] == "test"
    table.loc[where, "score"] = np.random.default_rng(seed).permutation(table.loc[where, "score"])
    pd.testing.assert_frame_equal(choose(table, "sft", "sdft"), before)
    pd.testing.assert_frame_equal(choose(table[~where], "sft", "sdft"), before)
    assert set(matched_comparison(table, "sft", "sdft", "facts")["checkpoints"]) == {
        "0: 0.25 / 1; 1: 0.25 / 1"
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 10), min_size=4, max_size=4), min_size=2, max_size=2))
def test_no_checkpoint_lies_nearer_to_the_target(curves):
    shares = (0.25, 0.5, 0.75, 1.0)
    table = runs({m: {c: (k, 0, 0) for c, k in zip(shares, ks)} for m, ks in zip("ab", curves)})
    found = choose(table, "a", "b").iloc[0]
    assert found["target"] == min(max(ks) for ks in curves) / 10
    for side, ks in zip("ab", curves):
        apart = [abs(k - round(found["target"] * 10)) for k in ks]
        assert found[f"checkpoint_{side}"] == shares[apart.index(min(apart))]


def test_matched_comparison_by_hand():
    found = matched_comparison(runs(HAND), "sft", "sdft", "facts")
    assert list(found.columns) == frontier.MATCHED and list(found["suite"]) == ["task", "facts"]
    task, facts = (row for _, row in found.iterrows())
    assert (task["mean_a"], task["mean_b"], task["difference"]) == pytest.approx((0.4, 0.5, -0.1))
    assert (facts["mean_a"], facts["mean_b"], facts["difference"]) == pytest.approx((0.8, 0.8, 0))
    assert (task["n"], task["seeds"], task["checkpoints"]) == (10, 1, "0: 0.25 / 1")
    oracle = paired_bootstrap(right(4), right(5))
    assert (task["low"], task["high"]) == (oracle.low, oracle.high)
    assert found[["seeds_low", "seeds_high"]].isna().all(axis=None)


def test_one_seed_of_right_or_wrong_scores_has_mcnemars_p():
    table = runs({"sft": {1.0: (5, 9, 9)}, "sdft": {1.0: (5, 9, 2)}})
    found = matched_comparison(table, "sdft", "sft", "facts").set_index("suite")
    facts = found.loc["facts"]
    assert facts["p_raw"] == paired_p(right(2), right(9)) == pytest.approx(2 / 2**7)
    assert found.loc["task", "p_raw"] == 1
    assert facts["p_holm"] == pytest.approx(4 / 2**7) and facts["verdict"] == "lower"
    two = matched_comparison(pd.concat([table, table.assign(seed=1)]), "sdft", "sft", "facts")
    assert two["p_raw"].tolist() == found["p_raw"].tolist()


def test_a_suite_at_its_floor_is_not_tested():
    table = runs({"sft": {1.0: (5, 9, 0)}, "sdft": {1.0: (5, 2, 0)}})
    task, facts = (row for _, row in matched_comparison(table, "sdft", "sft", "facts").iterrows())
    assert facts["verdict"] == "at its floor" and np.isnan([facts["p_raw"], facts["p_holm"]]).all()
    assert task["p_holm"] == task["p_raw"] and task["verdict"] == "lower"


def test_rows_of_one_scenario_are_one_unit():
    table = runs({"sft": {1.0: (5, 9, 9)}, "sdft": {1.0: (5, 9, 2)}})
    table = table.assign(unit="u" + (table["id"].str[-1].astype(int) // 2).astype(str))
    facts = matched_comparison(table, "sdft", "sft", "facts").iloc[1]
    units = np.repeat(range(5), 2)
    oracle = paired_bootstrap(right(2), right(9), units)
    assert (facts["n"], facts["units"]) == (10, 5)
    assert (facts["low"], facts["high"]) == (oracle.low, oracle.high)
    assert facts["p_raw"] == paired_p(right(2), right(9), units) == pytest.approx(2 / 2**4)


def noisy(seeds, n=40):
    rng, made = np.random.default_rng(8), []
    for seed in range(seeds):
        for method, shift in (("sft", 0.0), ("sdft", 0.2)):
            made.append(part(method, seed, 1.0, "dev", "task", right(5)))
            made.append(part(method, seed, 1.0, "test", "task", rng.random(n)))
            made.append(part(method, seed, 1.0, "test", "facts", rng.random(n) + shift))
    return pd.concat(made, ignore_index=True)


@pytest.mark.parametrize("seeds", [1, 4, 5, 6])
def test_intervals_are_scipys(seeds):
    table = noisy(seeds)
    row = matched_comparison(table, "sdft", "sft", "facts").set_index("suite").loc["facts"]
    facts = table[table["suite"] == "facts"].pivot(
        index="id", columns=["method", "seed"], values="score"
    )
    apart = (facts["sdft"] - facts["sft"]).to_numpy()
    assert (
        row["difference"] == pytest.approx(apart.mean())
        and row["n"] == 40
        and row["seeds"] == seeds
    )
    over_items = bootstrap(
        (apart.mean(axis=1),), np.mean, method="percentile", rng=np.random.default_rng(1)
    )
    assert (row["low"], row["high"]) == pytest.approx(
        tuple(over_items.confidence_interval), abs=0.01
    )
    wide = (row["seeds_low"], row["seeds_high"])
    if seeds < 5:
        assert np.isnan(wide).all()
        return
    # mean squares of a two-way table with one value a cell
    mean, many = apart.mean(), 40
    of_items = seeds * apart.mean(axis=1).var(ddof=1)
    of_seeds = many * apart.mean(axis=0).var(ddof=1)
    rest = apart - apart.mean(axis=1, keepdims=True) - apart.mean(axis=0, keepdims=True) + mean
    free = (many - 1, seeds - 1, (many - 1) * (seeds - 1))
    of_rest = (rest**2).sum() / free[2]
    total = max(of_items + of_seeds - of_rest, of_items, of_seeds)
    squares = (of_items, of_seeds, of_rest)
    shape = total**2 / sum(square**2 / each for square, each in zip(squares, free))
    error = (total / many / seeds) ** 0.5
    assert wide == pytest.approx(student.interval(0.95, shape, mean, error))
    assert row["p_raw"] == pytest.approx(2 * student.sf(abs(mean) / error, shape))


def test_seeds_that_agree_add_no_items():
    one = matched_comparison(runs(HAND), "sft", "sdft", "facts")
    many = matched_comparison(
        pd.concat([runs(HAND, seed=s) for s in range(5)]), "sft", "sdft", "facts"
    )
    same = ["n", "difference", "low", "high"]
    assert many[same].to_numpy() == pytest.approx(one[same].to_numpy())
    # five equal seeds: what is left is Student's interval over the items
    apart = np.array(right(4)) - np.array(right(5))
    items = tuple(ttest_1samp(apart, 0).confidence_interval())
    assert tuple(many.loc[0, ["seeds_low", "seeds_high"]]) == pytest.approx(items)
    assert tuple(many.loc[1, ["seeds_low", "seeds_high", "p_raw"]]) == (0, 0, 1)  # nothing varies


@pytest.mark.parametrize("table", [runs(HAND), pd.concat([runs(HAND), runs(HAND, seed=1)])])
def test_row_order_does_not_matter(table):
    pd.testing.assert_frame_equal(
        matched_comparison(table.sample(frac=1, random_state=4), "sft", "sdft", "facts"),
        matched_comparison(table, "sft", "sdft", "facts"),
    )


def lacking(**where):
    table = runs(HAND)
    return table[~np.logical_and.reduce([table[key] == value for key, value in where.items()])]


@pytest.mark.parametrize(
    "table, said",
    [
        (lacking(method="sdft", split="dev"), '"sdft" has no dev scores on "task"'),
        (
            pd.concat([runs(HAND), runs({"sft": HAND["sft"]}, seed=1)]),
            'seeds: "sft" has 0, 1 and "sdft" has 0',
        ),
        (
            lacking(suite="facts", checkpoint=0.25),
            'suite "facts": "sft" and "sdft" were not scored on the same test rows',
        ),
        (lacking(id="facts-test-3", method="sft"), "were not scored on the same test rows"),
        (lacking(id="task-dev-3", checkpoint=0.5), "not evaluated on the same dev rows"),
        (
            pd.concat([runs(HAND), lacking(id="facts-test-3").assign(seed=1)]),
            "were not scored on the same test rows",
        ),
    ],
)
def test_refusals_are_one_sentence(table, said):
    with pytest.raises(SdftError, match=said) as caught:
        matched_comparison(table, "sft", "sdft", "facts")
    assert "\n" not in str(caught.value)


def simulated(rng, seed_effect=0.0, seeds=1):
    """Differences [rows, seeds] with mean 0.1 and the scenario of each row: 72 scenarios of three
    or four rows, an effect of the scenario, of the training seed and of both together."""
    units = np.repeat(np.arange(72), rng.integers(3, 5, 72))
    cells = rng.normal(0, 0.3, (72, 1)) + rng.normal(0, seed_effect, (1, seeds))
    cells = 0.1 + cells + rng.normal(0, seed_effect, (72, seeds))
    return cells[units] + rng.normal(0, 0.3, (len(units), seeds)), units


def covered(intervals):
    """The share of intervals that hold the true difference, 0.1."""
    return np.mean([low <= 0.1 <= high for low, high in intervals])


def test_intervals_by_scenario_cover_the_truth_and_those_by_row_do_not(monkeypatch):
    monkeypatch.setattr(stats, "FLIPS", 399)
    rng, by_scenario, by_row, false = np.random.default_rng(5), [], [], []
    for _ in range(400):
        x, units = simulated(rng)
        for found, each in ((by_scenario, units), (by_row, None)):
            made = bootstrap_mean(x[:, 0], resamples=400, units=each)
            found.append((made.low, made.high))
    # four standard errors of a share of 0.95 in 400 are 0.044
    assert 0.906 <= covered(by_scenario) and covered(by_row) < 0.85
    for _ in range(150):  # both methods are equally good
        x, units = simulated(rng)
        sides = x[:, 0] - 0.1, np.zeros(len(x))
        false.append([paired_p(*sides, units) < 0.05, paired_p(*sides) < 0.05])
    by_scenario, by_row = np.mean(false, axis=0)
    assert by_scenario <= 0.05 + 4 * (0.05 * 0.95 / 150) ** 0.5 < 0.13 <= by_row


@pytest.mark.parametrize("seed_effect", [0.0, 0.03, 0.15])
def test_intervals_over_seeds_cover_the_truth_and_those_over_items_do_not(seed_effect):
    rng, wide, items, ps = np.random.default_rng(6), [], [], []
    for _ in range(1000):
        x, units = simulated(rng, seed_effect, seeds=5)
        *limits, p = frontier.over_units_and_seeds(x, units)
        wide.append(limits)
        ps.append(frontier.over_units_and_seeds(x - 0.1, units)[2] < 0.05)
        sums = by_unit(x.mean(axis=1) - x.mean(), units) * 72 / len(x)
        items.append(ttest_1samp(sums + x.mean(), 0).confidence_interval())
    # four standard errors of a share of 0.95 in 1000 are 0.028
    assert abs(covered(wide) - 0.95) < 0.028 and abs(np.mean(ps) - 0.05) < 0.028
    if seed_effect == 0.15:
        assert covered(items) < 0.75
