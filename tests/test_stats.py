"""Statistics against hand-made numbers, scipy, and properties."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sdft_lib import stats
from sdft_lib.stats import (
    Interval,
    bootstrap_mean,
    compare,
    holm,
    paired_bootstrap,
    paired_p,
    summarise,
    wilson,
)
from sdft_lib.storage.errors import SdftError


def table(**methods):
    """A frame of one suite ("s") from method=[scores]; ids count up."""
    rows = [(m, "s", f"r{i}", x) for m, scores in methods.items() for i, x in enumerate(scores)]
    return pd.DataFrame(rows, columns=["method", "suite", "id", "score"])


def test_wilson_by_hand():
    # n = 10, k = 5: centre 1/2, half width z / 2 / sqrt(n + z^2), z = 1.959964
    found = wilson(5, 10)
    half = 1.959963985 / 2 / (10 + 1.959963985**2) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert (found.mean, found.n) == (0.5, 10)


@pytest.mark.parametrize(
    "k, n", [(0, 1), (1, 1), (0, 40), (40, 40), (7, 40), (1, 1000), (499, 500)]
)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(k, n, level):
    oracle = binomtest(k, n).proportion_ci(level, method="wilson")
    found = wilson(k, n, level)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share(case):
    found = wilson(*case)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high > found.low


@pytest.mark.parametrize("k, n", [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses(k, n):
    with pytest.raises(SdftError, match=f"{k} of {n}"):
        wilson(k, n)


def test_level_is_checked():
    with pytest.raises(SdftError, match="95"):
        wilson(1, 2, level=95)


def test_bootstrap_close_to_the_normal_interval():
    x = np.random.default_rng(3).normal(2, 1, 400)
    found, half = bootstrap_mean(x), 1.96 * x.std() / 20
    assert found.mean == pytest.approx(x.mean())
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.01)
    assert found == bootstrap_mean(x) != bootstrap_mean(x, seed=1)
    wide = bootstrap_mean(x, level=0.99)
    assert wide.low < found.low < found.high < wide.high


def test_bootstrap_in_chunks(monkeypatch):
    x = np.arange(50.0)
    whole = bootstrap_mean(x)
    monkeypatch.setattr(stats, "CHUNK", 333)
    assert bootstrap_mean(x) == whole


def test_bootstrap_of_equal_values():
    assert bootstrap_mean([0.1] * 7) == Interval(0.1, 0.1, 0.1, 7)
    assert bootstrap_mean([0.3]) == Interval(0.3, 0.3, 0.3, 1)
    assert str(Interval(4.754, 3.777, 5.608, 32)) == "4.75 (3.78 to 5.61, n 32)"


def test_bootstrap_covers_the_truth():
    rng = np.random.default_rng(0)
    runs = [bootstrap_mean(rng.random(60), resamples=500, seed=i) for i in range(300)]
    assert 0.90 <= np.mean([r.low <= 0.5 <= r.high for r in runs]) <= 0.98


@pytest.mark.parametrize("x", [[], [0.5, float("nan")], [[1, 2], [3, 4]]])
def test_bootstrap_refuses(x):
    with pytest.raises(SdftError):
        bootstrap_mean(x)


def test_paired_bootstrap_is_a_minus_b():
    a, b = [1, 1, 1, 0], [0, 1, 0, 0]
    found = paired_bootstrap(a, b)
    back = paired_bootstrap(b, a)
    assert (found.mean, found.low, found.high, found.n) == (0.5, 0.0, 1.0, 4)
    assert (back.mean, back.low, back.high) == (-0.5, -1.0, 0.0)
    rng = np.random.default_rng(1)
    hard = rng.random(200)  # rows differ a lot, the methods by a constant: only pairing sees that
    assert paired_bootstrap(hard + 0.01, hard).low == pytest.approx(0.01)


def test_pairs_refuse():
    for test in (paired_bootstrap, paired_p):
        with pytest.raises(SdftError, match="2 scores against 1"):
            test([1, 0], [1])
        with pytest.raises(SdftError, match="at least one"):
            test([], [])


def test_mcnemar_by_hand():
    # 5 rows only a has right, 1 only b: p = 2 * (1 + 6) / 2^6
    a, b = [1] * 5 + [0] + [1, 0], [0] * 5 + [1] + [1, 0]
    assert paired_p(a, b) == paired_p(b, a) == pytest.approx(14 / 64)
    assert paired_p([1, 0, 1], [1, 0, 1]) == 1.0
    assert paired_p([1, 0], [0, 1]) == 1.0
    assert paired_p([0.5, 0.2], [0.5, 0.2]) == 1.0


def test_sign_flip_by_hand_and_seed():
    assert paired_p([0.6, 0.7, 0.9], [0.5, 0.4, 0.4]) == pytest.approx(2 / 8)  # all of 2^3 flips
    half_a, half_b = [0.5] * 5 + [0], [0] * 5 + [0.5]  # the binary case on another scale: same p
    assert paired_p(half_a, half_b) == pytest.approx(14 / 64)
    rng = np.random.default_rng(2)
    a, b = rng.random(80), rng.random(80)
    assert paired_p(a, b) == paired_p(a, b) > 0.01
    assert paired_p(a + 0.4, b) < 0.01


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_properties(ps):
    adjusted = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, adjusted))
    assert all(
        adjusted[i] <= adjusted[j] for i in range(len(ps)) for j in range(len(ps)) if ps[i] < ps[j]
    )
    assert not ps or min(adjusted) == min(1.0, len(ps) * min(ps))


def test_summarise():
    frame = pd.concat(
        [table(seed=[1, 0, 0, 1]), table(base=[0.25, 0.75, 0.5]).assign(suite="graded")]
    )
    found = summarise(frame)
    assert list(found.columns) == stats.SUMMARY
    wanted = [["seed", "s", 4, 4, 0.5], ["base", "graded", 3, 3, 0.5]]
    assert found[["method", "suite", "n", "units", "mean"]].values.tolist() == wanted
    assert found.loc[0, "low"] == wilson(2, 4).low
    assert found.loc[1, "high"] == bootstrap_mean([0.25, 0.75, 0.5]).high
    with pytest.raises(SdftError, match="lacks score"):
        summarise(frame.drop(columns="score"))
    with pytest.raises(SdftError, match="s, seed: 1 of 4"):
        summarise(frame.assign(score=[1, None, 0, 1, 1, 1, 1]))


def test_compare_joins_by_id_and_corrects_all_rows():
    frame = table(sft=[1, 1, 1, 1, 1, 0], sdft=[0, 0, 0, 0, 0, 1], seed=[1, 0, 1, 0, 1, 0])
    mixed = frame.sample(frac=1, random_state=5)
    found = compare(mixed, [("sft", "sdft"), ("sft", "seed")])
    assert list(found.columns) == stats.COMPARISON
    assert found["units"].tolist() == [6, 6]
    assert set(found["verdict"]) == {stats.UNCLEAR}
    assert found["n"].tolist() == [6, 6]
    assert found["difference"].tolist() == pytest.approx([4 / 6, 2 / 6])
    assert found["p_raw"].tolist() == pytest.approx([14 / 64, 0.5])
    assert found["p_holm"].tolist() == pytest.approx([28 / 64, 0.5])
    both = compare(pd.concat([frame, frame.assign(suite="t")]), [("sft", "sdft")])
    assert both["suite"].tolist() == ["s", "t"]
    only = compare(pd.concat([frame, frame.assign(suite="t")]), [("sft", "sdft")], suites=["t"])
    assert only["suite"].tolist() == ["t"]
    assert only["p_holm"].tolist() == only["p_raw"].tolist()
    assert len(compare(frame, [])) == 0


def test_compare_does_not_depend_on_row_order():
    rng = np.random.default_rng(4)
    frame = table(a=rng.random(40), b=rng.random(40))
    mixed = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(compare(frame, [("a", "b")]), compare(mixed, [("a", "b")]))


def test_compare_refuses():
    frame = table(sft=[1, 0, 1], sdft=[1, 0])
    with pytest.raises(
        SdftError, match='suite "s": "sft" and "sdft" answered different rows \\(1 ids'
    ):
        compare(frame, [("sft", "sdft")])
    with pytest.raises(SdftError, match='no scores of the method "seed"'):
        compare(frame, [("sft", "seed")])
    with pytest.raises(SdftError, match='"r0" occurs more than once'):
        compare(pd.concat([frame, frame.head(1)]), [("sft", "sdft")])


def test_one_graded_row_that_differs_is_no_evidence():
    assert paired_p([0.5, 1.0], [0.2, 1.0]) == 1.0


@pytest.mark.parametrize(
    "k, n, low, high",
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_that_of_the_literature(k, n, low, high):
    """The worked examples of Newcombe 1998, table I, method 3."""
    found = wilson(k, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    "x, low, high",
    [
        ([0, 1], 0, 1),  # means 0, 1/2, 1 with chances 1/4, 1/2, 1/4
        ([0, 0, 0, 1], 0, 0.75),  # P(mean = 0) is 0.316; P(mean = 1) 0.004, P(mean >= 3/4) 0.051
        ([1] * 9 + [0], 0.7, 1),  # P(mean <= 0.6) is 0.013, P(mean <= 0.7) 0.070
    ],
)
def test_bootstrap_by_hand(x, low, high):
    found = bootstrap_mean(x)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(x), low, high))


def test_bootstrap_is_scipys():
    from scipy.stats import bootstrap

    rng = np.random.default_rng(7)
    for x in (rng.random(80), rng.integers(0, 2, 120).astype(float), rng.exponential(size=40)):
        oracle = bootstrap(
            (x,), np.mean, method="percentile", n_resamples=20_000, rng=rng
        ).confidence_interval
        found = bootstrap_mean(x, resamples=20_000)
        assert (found.low, found.high) == pytest.approx(
            (oracle.low, oracle.high), abs=0.02 * np.std(x)
        )


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_mcnemar_is_the_exact_binomial_test(rows):
    a, b = zip(*rows)
    better, differ = sum(x > y for x, y in rows), sum(x != y for x, y in rows)
    wanted = binomtest(better, differ).pvalue if differ > 1 else 1.0
    assert paired_p(a, b) == paired_p(b, a) == pytest.approx(wanted)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=9))
def test_sign_flips_are_all_counted(rows):
    """Few rows: the p-value is the share of all sign patterns whose mean is at least as far from 0,
    on both sides.
    """
    from itertools import product

    gaps = np.array([round(x, 2) - round(y, 2) for x, y in rows])
    gaps = gaps[gaps != 0]
    a, b = np.array([[round(x, 2), round(y, 2)] for x, y in rows]).T
    found = paired_p(a, b)
    if len(gaps) < 2 or set(np.unique([a, b])) <= {0, 1}:
        return
    sums = np.array([np.dot(signs, gaps) for signs in product((-1, 1), repeat=len(gaps))])
    assert found == pytest.approx(np.mean(np.abs(sums) >= abs(gaps.sum()) - 1e-9), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_rejects_what_its_steps_reject(ps):
    """Step down: the smallest p against level / m, the next against level / (m - 1), until the
    first that fails.
    """
    level, going, rejected = 0.05, True, set()
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        going = going and (len(ps) - rank) * ps[place] <= level
        rejected |= {place} if going else set()
    assert {place for place, p in enumerate(holm(ps)) if p <= level} == rejected


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_a_paired_interval_turns_with_its_sides(rows):
    a, b = (np.array(side) for side in zip(*rows))
    found, back = paired_bootstrap(a, b), paired_bootstrap(b, a)
    assert found.low <= found.mean + 1e-12 and found.mean <= found.high + 1e-12
    assert (back.mean, back.low, back.high) == pytest.approx(
        (-found.mean, -found.high, -found.low), abs=1e-9
    )


def in_units(**methods):
    """The rows of ``table``, three of them (the last two) from one scenario."""
    frame = table(**methods)
    return frame.assign(unit=frame["id"].replace({"r2": "one", "r3": "one", "r4": "one"}))


def test_units_by_hand():
    # two rows and a unit of three: the means of a resample are (sums drawn) / (rows drawn)
    x, units = [1, 0, 1, 1, 0], ["p", "q", "one", "one", "one"]
    sums, sizes = np.array([1, 0, 2]), np.array([1, 1, 3])
    drawn = np.array(list(itertools.product(range(3), repeat=3)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    found = bootstrap_mean(x, units=units)
    assert (found.mean, found.n) == (0.6, 5)
    limits = np.percentile(means, [2.5, 97.5], method="inverted_cdf")
    assert (found.low, found.high) == pytest.approx(limits)
    values = stats.resampled_means(
        np.array(x, float)[:, None], 20_000, np.random.default_rng(0), units
    )
    assert values[0] == 0.6 and set(values[1:, 0].round(9)) == set(means.round(9))
    assert values[1:].mean() == pytest.approx(means.mean(), abs=0.01)


def test_whole_units_change_sign():
    # sums of the units are 2, 1 and -1: of eight sign patterns six are as far from 0 as 2
    a, b, units = [1, 1, 1, 0, 0], [0, 0, 0, 1, 0], ["p", "p", "q", "r", "r"]
    assert paired_p(a, b, units) == pytest.approx(6 / 8)
    assert paired_p([1, 0, 1], [0, 1, 0], ["p", "p", "q"]) == 1.0  # one unit differs in sum
    # one sum each of 1 or -1: McNemar's test of the units
    a, b = [1, 0] * 6, [0, 0] * 6
    assert paired_p(a, b, np.repeat(range(6), 2)) == pytest.approx(2 / 2**6)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=25))
def test_units_of_one_row_change_no_number(rows):
    a, b = (np.array(side, float) for side in zip(*rows))
    units = [f"u{place}" for place in range(len(a))][::-1]
    assert bootstrap_mean(a, units=units) == bootstrap_mean(a)
    assert paired_bootstrap(a, b / 2, units) == paired_bootstrap(a, b / 2)
    assert paired_p(a, b, units) == paired_p(a, b)
    assert paired_p(a, b / 2, units) == paired_p(a, b / 2)
    plain, named = (
        stats.resampled_means(a[:, None], 50, np.random.default_rng(1), each)
        for each in (None, units)
    )
    assert (plain == named).all()


def test_tables_count_units():
    frame = in_units(sft=[1, 1, 1, 0, 1, 1], sdft=[0, 0, 0, 0, 0, 1])
    one = summarise(frame)
    assert one[["n", "units"]].values.tolist() == [[6, 4], [6, 4]]
    x, units = [1, 1, 1, 0, 1, 1], ["r0", "r1", "one", "one", "one", "r5"]
    assert one.loc[0, "low"] == bootstrap_mean(x, units=units).low
    found = compare(frame, [("sft", "sdft")]).iloc[0]
    assert (found["n"], found["units"], found["p_raw"]) == (6, 4, 0.25)
    assert found["low"] == paired_bootstrap(x, [0, 0, 0, 0, 0, 1], units).low
    bare = frame.assign(unit=frame["unit"].where(frame["method"] == "sdft"))  # one table has units
    assert compare(bare, [("sft", "sdft")]).iloc[0].equals(found)


def test_equal_scores_have_a_width_that_counts_units():
    found = summarise(in_units(seed=[0] * 6)).iloc[0]
    assert (found["n"], found["units"], found["mean"]) == (6, 4, 0)
    assert found["high"] == wilson(0, 4).high
    one = bootstrap_mean([1, 0, 1], units=["s", "s", "s"])
    assert one.mean == pytest.approx(2 / 3) and np.isnan([one.low, one.high]).all()


def test_one_rule_for_a_verdict():
    assert stats.verdict(0.2, 0.049) == "higher" and stats.verdict(-0.2, 0.049) == "lower"
    for p in (0.05, 0.9, float("nan"), None):
        assert stats.verdict(0.2, p) == stats.UNCLEAR


def test_suites_at_an_edge_stay_out_of_the_family():
    good, bad = [1] * 20, [0] * 20
    frame = pd.concat(
        [
            table(a=good, b=bad, c=bad),
            table(a=[0] * 19 + [1], b=bad, c=bad).assign(suite="floor"),
            table(a=good, b=[0, *good[1:]], c=good).assign(suite="ceiling"),
            table(a=good, b=[0] * 4 + good[4:], c=good).assign(suite="near"),
        ]
    )
    found = compare(frame, [("a", "b"), ("a", "c"), ("c", "b")]).set_index("suite")
    assert set(found.loc["floor", "verdict"]) == {"at its floor"}
    assert set(found.loc["ceiling", "verdict"]) == {"at its ceiling"}
    assert found.loc[["floor", "ceiling"], ["p_raw", "p_holm"]].isna().all(axis=None)
    assert list(found.loc["s", "verdict"]) == ["higher", "higher", stats.UNCLEAR]
    assert set(found.loc["near", "verdict"]) == {stats.UNCLEAR}
    inside = found.loc[["s", "near"]]
    assert inside["p_holm"].tolist() == pytest.approx(holm(inside["p_raw"].tolist()))
