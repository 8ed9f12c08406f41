"""The paper's published figures and public reruns, and which of their differences are larger than
chance for so many test items (lesson 10). Wilson's interval says what another draw of as many items
could have given."""

import pandas
from scipy.stats import fisher_exact

from sdft_lib.stats import ALPHA, Interval, holm, wilson
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir

PERCENT = "percent"  # the unit of figures that are a share of n items; half marks are not
SAME = ["source", "table", "model", "tuning", "training_set"]  # shared by two methods to compare
CAVEAT = (
    "Unpaired: both models answered the same items, but which ones each got right was not "
    "published. A paired test might show more. One run each: neither sampling nor another "
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
    limits = []
    for row in frame.itertuples():
        counted = row.unit == PERCENT and row.n_items == row.n_items  # NaN is not equal to itself
        limits.append(interval(row.value, int(row.n_items)) if counted else (None, None, None))
    k, low, high = zip(*limits, strict=True)
    return frame.assign(k=k, low=low, high=high).reset_index(drop=True)


def interval(value: float, n: int) -> tuple[int, float, float]:
    """The nearest count of a percentage, and Wilson's 95 % limits in percent."""
    k = round(value * n / 100)
    limits = wilson(k, n)
    return k, 100 * limits.low, 100 * limits.high


def sdft_minus_sft(frame: pandas.DataFrame) -> pandas.DataFrame:
    """SDFT minus SFT wherever both are published, and whether so many items show the difference.

    ``frame`` is that of ``load_published``. Columns: those of SAME, evaluation, n_items, sdft, sft
    (percent), difference, low, high, needed (points: 1.96 standard errors at the pooled share),
    p_raw (Fisher's exact test), p_holm over all returned rows, shown (p_holm under ALPHA: larger
    than chance for so many items). The caveat is CAVEAT. Raises SdftError if no pair is there."""
    keys = [*SAME, "evaluation"]
    counted = frame[frame["k"].notna()].fillna(dict.fromkeys(keys, ""))
    rows = []
    for key, part in counted.groupby(keys, sort=False):
        part = part.set_index("method")
        if list(part.index).count("sdft") != 1 or list(part.index).count("sft") != 1:
            continue
        n = int(part["n_items"].iloc[0])
        x, y = int(part.loc["sdft", "k"]), int(part.loc["sft", "k"])
        low, high = newcombe(wilson(x, n), wilson(y, n))
        row = dict(zip(keys, key, strict=True))
        row |= {"n_items": n, "sdft": part.loc["sdft", "value"], "sft": part.loc["sft", "value"]}
        row |= {"difference": row["sdft"] - row["sft"], "low": 100 * low, "high": 100 * high}
        share = (x + y) / (2 * n)
        row["needed"] = 196 * (2 * share * (1 - share) / n) ** 0.5
        row["p_raw"] = float(fisher_exact([[x, n - x], [y, n - y]]).pvalue)
        rows.append(row)
    if not rows:
        raise SdftError("no pair of SDFT and SFT is published there; see data/published.")
    table = pandas.DataFrame(rows)
    table["p_holm"] = holm(table["p_raw"].tolist())
    return table.assign(shown=table["p_holm"] < ALPHA)


def newcombe(a: Interval, b: Interval) -> tuple[float, float]:
    """95 % limits of a - b, independent shares with Wilson's limits (Newcombe 1998, method 10)."""
    down = ((a.mean - a.low) ** 2 + (b.high - b.mean) ** 2) ** 0.5
    up = ((a.high - a.mean) ** 2 + (b.mean - b.low) ** 2) ** 0.5
    return a.mean - b.mean - down, a.mean - b.mean + up
