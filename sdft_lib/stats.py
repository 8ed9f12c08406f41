"""Intervals and paired tests for scores (lesson 04): how much of a difference could be the luck of
the rows?

A score is a number in [0, 1] for one row. Two methods answer the same rows: differences are taken
row by row. What is resampled is the rows, so the intervals say nothing about another training seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from sdft_lib.storage.errors import SdftError

CHUNK = 2_000_000  # numbers held at once while resampling (about 16 MB an array)
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

    It stays inside [0, 1] and keeps a width at 0 of n and n of n. SdftError unless 0 <= k <= n, n
    >= 1."""
    from statistics import NormalDist

    _check_level(level)
    if n < 1 or not 0 <= k <= n:
        raise SdftError(
            f"wilson: {k} of {n} is not a share; give at least one row and 0 <= k <= n."
        )
    z, share = NormalDist().inv_cdf((1 + level) / 2), k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(
        share, 0.0 if k == 0 else centre - half, 1.0 if k == n else centre + half, int(n)
    )


def bootstrap_mean(
    x: Sequence[float], level=0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean of ``x``, shape [n] (Efron 1979; lesson 04).

    Equal values give an interval of width zero: the bootstrap only knows the values it was shown.
    Raises SdftError if ``x`` is empty or holds a missing number.
    """
    import numpy as np

    _check_level(level)
    x = _scores(x, "bootstrap_mean")
    if x.min() == x.max():
        return Interval(*[float(x[0])] * 3, len(x))
    rng, means = np.random.default_rng(seed), np.empty(resamples)
    step = max(1, CHUNK // len(x))
    for start in range(0, resamples, step):
        part = means[start : start + step]
        part[:] = x[rng.integers(len(x), size=(len(part), len(x)))].mean(axis=1)
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(x.mean()), float(low), float(high), len(x))


def paired_bootstrap(a: Sequence, b: Sequence, level=0.95, resamples=10_000, seed=0) -> Interval:
    """Bootstrap interval of mean(a - b), row i of ``a`` and of ``b`` being the same question
    (lesson 04).

    Raises SdftError if the two differ in length, are empty or hold a missing number.
    """
    a, b = _pair(a, b, "paired_bootstrap")
    return bootstrap_mean(a - b, level, resamples, seed)


def mcnemar(a: Sequence[float], b: Sequence[float], resamples: int = 9_999, seed: int = 0) -> float:
    """Two-sided p of "a and b are equally good", from the rows that differ (McNemar 1947; lesson
    04).

    Right-or-wrong scores: the exact binomial test. Graded scores: a sign-flip permutation test of
    the mean difference (Fisher 1935), exact for few rows. Fewer than two rows differ: 1.0.
    SdftError as for paired_bootstrap."""
    a, b = _pair(a, b, "mcnemar")
    differ = a != b
    if differ.sum() < 2:  # one row proves nothing: both signs are as likely
        return 1.0
    if _binary(a) and _binary(b):
        from scipy.stats import binomtest

        return float(binomtest(int((a > b).sum()), int(differ.sum())).pvalue)
    return _sign_flip(a[differ], b[differ], resamples, seed)


def _sign_flip(a, b, resamples: int, seed: int) -> float:
    """P-value of swapping a and b at random within each row; arrays of shape [n]."""
    import numpy as np
    from scipy.stats import permutation_test

    result = permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, CHUNK // (2 * len(a))),
        random_state=np.random.default_rng(seed),
    )
    return min(1.0, float(result.pvalue))


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (Holm 1979; lesson 04): of many tests, some look
    lucky.
    """
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = float(largest)
    return adjusted


def summarise(frame):
    """DataFrame[method, suite, n, mean, low, high], in order of first appearance (lesson 04).

    ``frame`` has the columns method, suite, id, score. Wilson's interval if all scores are 0 or 1,
    else the bootstrap's. Raises SdftError on a missing column or score."""
    import pandas as pd

    _check_columns(frame)
    rows = []
    for (method, suite), part in frame.groupby(["method", "suite"], sort=False, observed=True):
        x = _scores(part["score"], f"{suite}, {method}")
        found = wilson(int(x.sum()), len(x)) if _binary(x) else bootstrap_mean(x)
        rows.append((method, suite, found.n, found.mean, found.low, found.high))
    return pd.DataFrame(rows, columns=SUMMARY)


def compare(frame, pairs: Sequence[tuple[str, str]], suites: Sequence[str] | None = None):
    """Each pair (a, b) on each suite, a minus b over the same ids (lesson 04); the columns are
    COMPARISON.

    Holm's correction covers all returned rows, so ask for all that you mean to look at in one call.
    Raises SdftError if a method lacks a suite, an id repeats, or the two methods answered different
    ids."""
    import pandas as pd

    _check_columns(frame)
    rows = []
    for suite in list(frame["suite"].unique()) if suites is None else suites:
        for a, b in pairs:
            x, y = _joined(frame, suite, a, b)
            found = paired_bootstrap(x, y)
            rows.append((suite, a, b, found.n, found.mean, found.low, found.high, mcnemar(x, y)))
    table = pd.DataFrame(rows, columns=COMPARISON[:-1])
    table["p_holm"] = pd.Series(holm(table["p_raw"].tolist()), dtype=float)
    return table


def _joined(frame, suite: str, a: str, b: str):
    """The scores of two methods on one suite, in the same order of ids: two arrays of shape [n]."""
    found = []
    for method in (a, b):
        part = frame[(frame["suite"] == suite) & (frame["method"] == method)].set_index("id")[
            "score"
        ]
        if part.empty:
            raise SdftError(
                f'suite "{suite}": no scores of the method "{method}"; evaluate it there first.'
            )
        if part.index.has_duplicates:
            twice = part.index[part.index.duplicated()][0]
            raise SdftError(
                f'suite "{suite}", method "{method}": the id "{twice}" occurs more than once.'
            )
        found.append(part.sort_index())
    if alone := len(set(found[0].index) ^ set(found[1].index)):
        raise SdftError(
            f'suite "{suite}": "{a}" and "{b}" answered different rows ({alone} ids stand in one only); '
            "evaluate both on the same rows."
        )
    return found[0].to_numpy(), found[1].to_numpy()


def _binary(x) -> bool:
    return bool(((x == 0) | (x == 1)).all())


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise SdftError(f"a confidence level lies between 0 and 1, not {level}; 0.95 is usual.")


def _check_columns(frame) -> None:
    if missing := [
        name for name in ("method", "suite", "id", "score") if name not in frame.columns
    ]:
        raise SdftError(
            f"the table of scores lacks {', '.join(missing)}; it needs method, suite, id, score."
        )


def _scores(x, where: str):
    """``x`` as an array of floats of shape [n]; SdftError if it is empty or a number is missing."""
    import numpy as np

    x = np.asarray(x, dtype=float)
    if x.ndim != 1 or len(x) == 0:
        raise SdftError(f"{where}: at least one score is needed, in one flat list.")
    if bad := int((~np.isfinite(x)).sum()):
        raise SdftError(f"{where}: {bad} of {len(x)} scores are missing or infinite.")
    return x


def _pair(a, b, where: str):
    """Two arrays of equal shape [n]; SdftError otherwise."""
    if len(a) != len(b):
        raise SdftError(
            f"{where}: {len(a)} scores against {len(b)}; pairs need the same rows on both sides."
        )
    return _scores(a, where), _scores(b, where)
