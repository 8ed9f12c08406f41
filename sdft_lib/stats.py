"""Intervals, paired tests and verdicts for scores (lesson 04): what difference is the luck of the
rows?

A score is a number in [0, 1] for one row. Two methods answer the same rows: differences are taken
row by row. Rows of one scenario are one independent unit: what is drawn again, and whose sign is
turned, are whole units, so the intervals say nothing about another training seed. Without units
each row is its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import pandas
from scipy.stats import binomtest, bootstrap, permutation_test

from sdft_lib.storage.errors import SdftError

CHUNK = 2_000_000  # numbers held at once while resampling (about 16 MB an array)
FLIPS = 9_999  # at most, of the signs of differences
ALPHA = 0.05  # chance of one or more false verdicts in a family of comparisons
FLOOR, CEILING = 0.05, 0.95  # means from which on a suite cannot tell methods apart
UNCLEAR, AT_FLOOR, AT_CEILING = "no difference is shown", "at its floor", "at its ceiling"
Scores = Sequence[float]  # one a row, in [0, 1]
Units = Sequence[str] | None  # the scenario of each row; None: each row its own
SCORED = ("method", "suite", "id", "score")  # and unit, if rows share scenarios
SUMMARY = ["method", "suite", "n", "units", "mean", "low", "high"]
COMPARISON = ["suite", "a", "b", "n", "units", "difference", "low", "high", "p_raw"]
COMPARISON += ["p_holm", "verdict"]


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
    x: Scores, level: float = 0.95, resamples: int = 10_000, seed: int = 0, units: Units = None
) -> Interval:
    """Percentile bootstrap interval of the mean of ``x``, shape [n] (Efron 1979; lesson 04).

    Whole units are drawn, and the mean is that of all their rows. Equal values give an interval of
    width zero: the bootstrap only knows the values it was shown. The limits are NaN where unequal
    values are one unit. Raises SdftError if ``x`` is empty or holds a missing number."""
    check_level(level)
    x = _scores(x, "bootstrap_mean")
    if x.min() == x.max():
        return Interval(*[float(x[0])] * 3, len(x))
    sums, sizes = by_unit(x, units), by_unit(numpy.ones(len(x)), units)
    if len(sums) == 1:
        return Interval(float(x.mean()), float("nan"), float("nan"), len(x))
    options = {"method": "percentile", "confidence_level": level, "n_resamples": resamples}
    options |= {"batch": max(1, CHUNK // len(sums)), "random_state": numpy.random.default_rng(seed)}
    found = bootstrap((sums, sizes), _mean_of_rows, paired=True, **options).confidence_interval
    return Interval(float(x.mean()), float(found.low), float(found.high), len(x))


def by_unit(x: numpy.ndarray, units: Units) -> numpy.ndarray:
    """Sums of the rows of ``x``, shape [n, ...], over each unit, in order of first appearance."""
    if units is None:
        return x
    codes, names = pandas.factorize(numpy.asarray(units, dtype=object))
    sums = numpy.zeros((len(names), *x.shape[1:]))
    numpy.add.at(sums, codes, x)
    return sums


def _mean_of_rows(sums: numpy.ndarray, sizes: numpy.ndarray, axis: int) -> numpy.ndarray:
    return sums.sum(axis=axis) / sizes.sum(axis=axis)


def paired_bootstrap(a: Scores, b: Scores, units: Units = None) -> Interval:
    """95 % bootstrap interval of mean(a - b); row i of both is the same question (lesson 04).

    Raises SdftError if the two differ in length, are empty or hold a missing number."""
    a, b = _pair(a, b, "paired_bootstrap")
    return bootstrap_mean(a - b, units=units)


def resampled_means(
    x: numpy.ndarray, resamples: int, rng: numpy.random.Generator, units: Units = None
) -> numpy.ndarray:
    """Means over the items of ``x`` [items, columns]: first of the sample, then of each resample,
    with the same units drawn for every column -> [1 + resamples, columns]."""
    sums, sizes = by_unit(x, units), by_unit(numpy.ones(len(x)), units)
    n, parts = len(sums), [x.mean(axis=0, keepdims=True)]
    step = max(1, CHUNK // n)
    for start in range(0, resamples, step):
        counts = rng.multinomial(n, numpy.full(n, 1 / n), size=min(step, resamples - start))
        parts.append(counts @ sums / (counts @ sizes)[:, None])
    return numpy.concatenate(parts)


def percentile_limits(values: numpy.ndarray, level: float) -> tuple[float, float]:
    """The limits of the middle ``level`` of resampled values; missing ones are left out."""
    check_level(level)
    low, high = numpy.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def paired_p(a: Scores, b: Scores, units: Units = None) -> float:
    """Two-sided p of "a and b are equally good", from the units that differ in sum (lesson 04).

    Right-or-wrong rows: McNemar's exact binomial test (1947). Graded scores, and units of several
    rows: a sign-flip test of the mean difference (Fisher 1935), exact for few units. Fewer than two
    units differ: 1.0. SdftError as for paired_bootstrap."""
    a, b = (by_unit(x, units) for x in _pair(a, b, "paired_p"))
    differ = (a - b).round(12) != 0  # sums of equal scores, whatever the order of adding
    if differ.sum() < 2:  # one unit proves nothing: both signs are as likely
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


def verdict(difference: float, p_holm: float | None) -> str:
    """What a tested difference shows: the one rule for every table and sentence. ``p_holm`` is
    corrected within the declared family; none: not tested."""
    if p_holm is None or not p_holm < ALPHA:
        return UNCLEAR
    return "higher" if difference > 0 else "lower"


def edge(means: Sequence[float]) -> str | None:
    """AT_FLOOR or AT_CEILING where all methods compared on a suite have such means; else None."""
    if 0 <= min(means) and max(means) <= FLOOR:
        return AT_FLOOR
    return AT_CEILING if CEILING <= min(means) and max(means) <= 1 else None


def family(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with p_holm, corrected over all rows that have a p_raw, and their verdicts. The
    others keep theirs: they are at an edge and were not tested."""
    tested = table["p_raw"].notna()
    table = table.assign(p_holm=float("nan"), verdict=table.get("verdict"))
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p_raw"].tolist())
    verdicts = [verdict(row.difference, row.p_holm) for row in table.itertuples()]
    return table.assign(verdict=table["verdict"].where(~tested, verdicts))


def summarise(frame: pandas.DataFrame) -> pandas.DataFrame:
    """method, suite, n, units, mean, low and high, in order of first appearance (lesson 04).

    ``frame`` has the columns method, suite, id, score, and may have unit. Scores of 0 and 1:
    Wilson's interval if each row is a unit, and if all are equal (then of so many units). Else the
    bootstrap's. Raises SdftError on a missing column or score."""
    check_columns(frame, SCORED)
    rows = []
    for (method, suite), part in frame.groupby(["method", "suite"], sort=False, observed=True):
        x, units = _scores(part["score"], f"{suite}, {method}"), units_of(part, part["id"])
        count, equal = len(set(units)), x.min() == x.max()
        if _binary(x) and (equal or count == len(x)):
            made = wilson(round(x.mean() * count), count)
        else:
            made = bootstrap_mean(x, units=units)
        rows.append((method, suite, len(x), count, made.mean, made.low, made.high))
    return pandas.DataFrame(rows, columns=SUMMARY)


def units_of(rows: pandas.DataFrame, ids: Sequence[str]) -> list[str]:
    """The unit of each id: what ``rows`` say in their column ``unit``, else the id itself."""
    if "unit" not in rows:
        return list(ids)
    known = rows.groupby("id")["unit"].first().dropna().to_dict()  # of several tables, one may know
    return [known.get(name, name) for name in ids]


def compare(
    frame: pandas.DataFrame, pairs: Sequence[tuple[str, str]], suites: Sequence[str] | None = None
) -> pandas.DataFrame:
    """COMPARISON of each pair (a, b) on each suite: a minus b over the same ids (lesson 04).

    Holm's correction covers all returned rows, so ask for all that you mean to look at in one call.
    A suite where every method compared is at the floor or the ceiling is not tested (no p).
    SdftError if a method lacks a suite, an id repeats, or the two answered different ids."""
    check_columns(frame, SCORED)
    rows = []
    for suite in list(frame["suite"].unique()) if suites is None else suites:
        methods = dict.fromkeys(method for pair in pairs for method in pair)
        scores = {method: _scores_of(frame, suite, method) for method in methods}
        found = edge([x.mean() for x in scores.values()]) if scores else None
        for a, b in pairs:
            x, y = scores[a], scores[b]
            if alone := len(set(x.index) ^ set(y.index)):
                apart = f'"{a}" and "{b}" answered different rows ({alone} ids stand in one only)'
                raise SdftError(f'suite "{suite}": {apart}; evaluate both on the same rows.')
            units = units_of(frame[frame["suite"] == suite], x.index)
            made = paired_bootstrap(x, y, units)
            p = float("nan") if found else paired_p(x, y, units)
            row = (suite, a, b, made.n, len(set(units)), made.mean, made.low, made.high)
            rows.append((*row, p, float("nan"), found))
    return family(pandas.DataFrame(rows, columns=COMPARISON))


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
