"""The paper's published figures and public reruns, and which of their differences the sample sizes
carry (lesson 10).

A published figure is a share of n items. Wilson's interval says what another draw of as many items
could have given. Two models answered the same items, so a paired test would see more than the
unpaired one here; which items each model got right was not published."""

import pandas
from scipy.stats import fisher_exact

from sdft_lib.stats import ALPHA, Interval, holm, wilson
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir

PERCENT = "percent"  # the unit of figures that are a share of n items; half marks are not
SAME = ["source", "table", "model", "tuning", "training_set"]  # shared by two methods to compare
CAVEAT = (
    "Unpaired: both models answered the same items, but which ones each got right was not "
    "published, so a paired test might carry more. One run each: neither sampling nor another "
    "training seed is covered."
)


def load_published(*, table: int | None = None, source: str | None = None) -> pandas.DataFrame:
    """The columns of ``data/published``, ``k`` right of ``n_items``, ``low``, ``high`` in percent.

    ``table``: the paper's table 1, 2 or 5; ``source``: a part of a source's name. Figures without a
    number of items, and those with half marks, have no interval. Raises SdftError if nothing is
    left."""
    files = sorted((data_dir() / "published").glob("*.csv"))
    frame = pandas.concat([pandas.read_csv(path) for path in files], ignore_index=True)
    if table is not None:
        frame = frame[frame["table"] == table]
    if source is not None:
        frame = frame[frame["source"].str.contains(source, case=False, regex=False)]
    if frame.empty:
        names = "the tables are 1, 2 and 5, the sources stand in data/published"
        raise SdftError(f"nothing is published under these names; {names}.")
    frame = frame.reset_index(drop=True)
    limits = []
    for row in frame.itertuples():
        counted = row.unit == PERCENT and row.n_items == row.n_items  # NaN is not equal to itself
        limits.append(interval(row.value, int(row.n_items)) if counted else (None, None, None))
    k, low, high = zip(*limits, strict=True)
    return frame.assign(k=k, low=low, high=high)


def interval(value: float, n: int) -> tuple[int, float, float]:
    """The nearest count of a percentage, and Wilson's 95 % limits in percent."""
    k = round(value * n / 100)
    limits = wilson(k, n)
    return k, 100 * limits.low, 100 * limits.high


def carried(frame: pandas.DataFrame, a: str = "sdft", b: str = "sft") -> pandas.DataFrame:
    """Method ``a`` minus ``b`` wherever both are published: which differences do the items carry?

    ``frame`` is that of ``load_published``. Columns: those of SAME, evaluation, n_items, a, b
    (percent), difference, low, high, needed (points), p_raw (Fisher's exact test), p_holm over all
    returned rows, carried (p_holm under ALPHA). The caveat is CAVEAT. Raises SdftError if no pair
    is there."""
    counted = frame[frame["k"].notna()].copy()
    keys = [*SAME, "evaluation"]
    counted[keys] = counted[keys].fillna("")
    if "seed" in (a, b):
        counted = with_seeds(counted)
    rows = []
    for key, part in counted.groupby(keys, sort=False):
        first, second = part[part["method"] == a], part[part["method"] == b]
        if len(first) != 1 or len(second) != 1:
            continue
        first, second, n = first.iloc[0], second.iloc[0], int(part["n_items"].iloc[0])
        x, y = int(first["k"]), int(second["k"])
        low, high = newcombe(wilson(x, n), wilson(y, n))
        row = dict(zip(keys, key, strict=True))
        row |= {"n_items": n, a: first["value"], b: second["value"]}
        row |= {"difference": row[a] - row[b], "low": 100 * low, "high": 100 * high}
        row["needed"] = needed(x, y, n)
        row["p_raw"] = float(fisher_exact([[x, n - x], [y, n - y]]).pvalue)
        rows.append(row)
    if not rows:
        nothing = f'no pair of "{a}" and "{b}" is published there'
        raise SdftError(f"{nothing}; methods are seed, sft and sdft.")
    table = pandas.DataFrame(rows)
    table["p_holm"] = holm(table["p_raw"].tolist())
    table["carried"] = table["p_holm"] < ALPHA
    return table


def with_seeds(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The seed model's rows once for each training set of the same source, table and model."""
    is_seed = frame["method"] == "seed"
    tuned = frame[~is_seed]
    seeds = frame[is_seed].drop(columns=["tuning", "training_set"])
    seeds = seeds.merge(tuned[SAME].drop_duplicates(), on=["source", "table", "model"])
    return pandas.concat([seeds, tuned], ignore_index=True)


def newcombe(a: Interval, b: Interval) -> tuple[float, float]:
    """95 % limits of a - b, independent shares with Wilson's limits (Newcombe 1998, method 10)."""
    down = ((a.mean - a.low) ** 2 + (b.high - b.mean) ** 2) ** 0.5
    up = ((a.high - a.mean) ** 2 + (b.mean - b.low) ** 2) ** 0.5
    return a.mean - b.mean - down, a.mean - b.mean + up


def needed(k_a: int, k_b: int, n: int) -> float:
    """1.96 standard errors, in points, of the difference at the pooled share of two models."""
    share = (k_a + k_b) / (2 * n)
    return 196 * (2 * share * (1 - share) / n) ** 0.5
