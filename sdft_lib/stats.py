"""Intervals and paired tests for scores (lesson 04): what difference is the luck of the rows?

A score is a number in [0, 1] for one row. Two methods answer the same rows: differences are taken
row by row. What is resampled is the rows, so the intervals say nothing about another training seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import pandas
from scipy.stats import binomtest, bootstrap, permutation_test

from sdft_lib.storage.errors import SdftError

CHUNK = 2_000_000  # numbers held at once while resampling (about 16 MB an array)
FLIPS = 9_999  # at most, of the signs of differences
Scores = Sequence[float]  # one a row, in [0, 1]
SCORED = ("method", "suite", "id", "score")
SUMMARY = ["method", "suite", "n", "mean", "low", "high"]
COMPARISON = ["suite", "a", "b", "n", "difference", "low", "high", "p_raw", "p_holm"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence limits, in the unit of the scores, from ``n`` rows."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """For people: "4.75 (3.78 to 5.61, n 32)"."""
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f}, n {self.n})"


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for ``k`` right answers out of ``n`` (Wilson 1927; lesson 04).

    It lies inside [0, 1] and has a width at 0 of n and n of n. SdftError unless 0 <= k <= n >= 1.
    """
    check_level(level)
    if n < 1 or not 0 <= k <= n:
        remedy = "give at least one row and 0 <= k <= n"
        raise SdftError(f"wilson: {k} of {n} is not a share; {remedy}.")
    limits = binomtest(int(k), int(n)).proportion_ci(level, method="wilson")
    return Interval(k / n, float(limits.low), float(limits.high), int(n))


def bootstrap_mean(
    x: Scores, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean of ``x``, shape [n] (Efron 1979; lesson 04).

    Equal values give an interval of width zero: the bootstrap only knows the values it was shown.
    Raises SdftError if ``x`` is empty or holds a missing number."""
    check_level(level)
    x = _scores(x, "bootstrap_mean")
    if x.min() == x.max():
        return Interval(*[float(x[0])] * 3, len(x))
    options = {"method": "percentile", "confidence_level": level, "n_resamples": resamples}
    options |= {"batch": max(1, CHUNK // len(x)), "random_state": numpy.random.default_rng(seed)}
    low, high = bootstrap((x,), numpy.mean, **options).confidence_interval
    return Interval(float(x.mean()), float(low), float(high), len(x))


def paired_bootstrap(a: Scores, b: Scores) -> Interval:
    """95 % bootstrap interval of mean(a - b); row i of both is the same question (lesson 04).

    Raises SdftError if the two differ in length, are empty or hold a missing number."""
    a, b = _pair(a, b, "paired_bootstrap")
    return bootstrap_mean(a - b)


def resampled_means(x: numpy.ndarray, resamples: int, rng: numpy.random.Generator) -> numpy.ndarray:
    """Means over the items of ``x`` [items, columns]: first of the sample, then of each resample,
    with the same items drawn for every column -> [1 + resamples, columns]."""
    n, parts = len(x), [x.mean(axis=0, keepdims=True)]
    step = max(1, CHUNK // n)
    for start in range(0, resamples, step):
        counts = rng.multinomial(n, numpy.full(n, 1 / n), size=min(step, resamples - start))
        parts.append(counts @ x / n)
    return numpy.concatenate(parts)


def percentile_limits(values: numpy.ndarray, level: float) -> tuple[float, float]:
    """The limits of the middle ``level`` of resampled values; missing ones are left out."""
    check_level(level)
    low, high = numpy.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def paired_p(a: Scores, b: Scores) -> float:
    """Two-sided p of "a and b are equally good", from the rows that differ (lesson 04).

    Right-or-wrong scores: McNemar's exact binomial test (1947). Graded scores: a sign-flip test of
    the mean difference (Fisher 1935), exact for few rows. Fewer than two rows differ: 1.0.
    SdftError as for paired_bootstrap."""
    a, b = _pair(a, b, "paired_p")
    differ = a != b
    if differ.sum() < 2:  # one row proves nothing: both signs are as likely
        return 1.0
    if _binary(a) and _binary(b):
        return float(binomtest(int((a > b).sum()), int(differ.sum())).pvalue)
    options = {"permutation_type": "samples", "vectorized": True, "n_resamples": FLIPS}
    options |= {"batch": max(1, CHUNK // (2 * int(differ.sum())))}
    options |= {"random_state": numpy.random.default_rng(0)}
    result = permutation_test((a[differ], b[differ]), _mean_difference, **options)
    return min(1.0, float(result.pvalue))


def _mean_difference(a: numpy.ndarray, b: numpy.ndarray, axis: int) -> numpy.ndarray:
    """Rounded, so that two sums of the same differences tie in whatever order they were added."""
    return numpy.mean(a - b, axis=axis).round(12)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (1979; lesson 04): of many tests, some look
    lucky."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = float(largest)
    return adjusted


def summarise(frame: pandas.DataFrame) -> pandas.DataFrame:
    """method, suite, n, mean, low and high, in order of first appearance (lesson 04).

    ``frame`` has the columns method, suite, id, score. Wilson's interval if all scores are 0 or 1,
    else the bootstrap's. Raises SdftError on a missing column or score."""
    check_columns(frame, SCORED)
    rows = []
    for (method, suite), part in frame.groupby(["method", "suite"], sort=False, observed=True):
        x = _scores(part["score"], f"{suite}, {method}")
        made = wilson(int(x.sum()), len(x)) if _binary(x) else bootstrap_mean(x)
        rows.append((method, suite, made.n, made.mean, made.low, made.high))
    return pandas.DataFrame(rows, columns=SUMMARY)


def compare(
    frame: pandas.DataFrame, pairs: Sequence[tuple[str, str]], suites: Sequence[str] | None = None
) -> pandas.DataFrame:
    """COMPARISON of each pair (a, b) on each suite: a minus b over the same ids (lesson 04).

    Holm's correction covers all returned rows, so ask for all that you mean to look at in one call.
    SdftError if a method lacks a suite, an id repeats, or the two answered different ids."""
    check_columns(frame, SCORED)
    rows = []
    for suite in list(frame["suite"].unique()) if suites is None else suites:
        for a, b in pairs:
            x, y = _scores_of(frame, suite, a), _scores_of(frame, suite, b)
            if alone := len(set(x.index) ^ set(y.index)):
                apart = f'"{a}" and "{b}" answered different rows ({alone} ids stand in one only)'
                raise SdftError(f'suite "{suite}": {apart}; evaluate both on the same rows.')
            made = paired_bootstrap(x, y)
            rows.append((suite, a, b, made.n, made.mean, made.low, made.high, paired_p(x, y)))
    table = pandas.DataFrame(rows, columns=COMPARISON[:-1])
    table["p_holm"] = pandas.Series(holm(table["p_raw"].tolist()), dtype=float)
    return table


def _scores_of(frame: pandas.DataFrame, suite: str, method: str) -> pandas.Series:
    """The scores of a method on a suite by id, in the order of the ids."""
    rows = frame[(frame["suite"] == suite) & (frame["method"] == method)]
    if rows.empty:
        missing = f'no scores of the method "{method}"'
        raise SdftError(f'suite "{suite}": {missing}; evaluate it there first.')
    if (twice := rows["id"].duplicated()).any():
        first = f'the id "{rows["id"][twice].iloc[0]}"'
        raise SdftError(f'suite "{suite}", method "{method}": {first} occurs more than once.')
    return rows.set_index("id")["score"].sort_index()


def _binary(x: numpy.ndarray) -> bool:
    return bool(((x == 0) | (x == 1)).all())


def check_level(level: float) -> None:
    """SdftError unless ``level`` can be a confidence level."""
    if not 0 < level < 1:
        raise SdftError(f"a confidence level lies between 0 and 1, not {level}; 0.95 is usual.")


def check_columns(frame: pandas.DataFrame, needed: Sequence[str]) -> None:
    """SdftError unless a table of scores has the columns that are ``needed``."""
    if missing := ", ".join(name for name in needed if name not in frame.columns):
        raise SdftError(f"the table of scores lacks {missing}; it needs {', '.join(needed)}.")


def _scores(x: Scores, where: str) -> numpy.ndarray:
    """``x`` as an array of floats of shape [n]; SdftError if it is empty or a number is missing."""
    x = numpy.asarray(x, dtype=float)
    if x.ndim != 1 or len(x) == 0:
        raise SdftError(f"{where}: at least one score is needed, in one flat list.")
    if bad := int((~numpy.isfinite(x)).sum()):
        raise SdftError(f"{where}: {bad} of {len(x)} scores are missing or infinite.")
    return x


def _pair(a: Scores, b: Scores, where: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Two arrays of equal shape [n]; SdftError otherwise."""
    if len(a) != len(b):
        remedy = "pairs need the same rows on both sides"
        raise SdftError(f"{where}: {len(a)} scores against {len(b)}; {remedy}.")
    return _scores(a, where), _scores(b, where)
