"""The paper's published figures and public reruns, and which of their differences the sample sizes
carry (lesson 08).

A published figure is a share of n items. Wilson's interval says what another draw of as many items
could have given. Two models answered the same items, so a paired test would see more than the
unpaired one here; which items each model got right was not published."""

from typing import Any

from sdft_lib.stats import Interval, holm, wilson
from sdft_lib.storage.errors import SdftError

COLUMNS = (
    "source",
    "table",
    "model",
    "tuning",
    "method",
    "training_set",
    "evaluation",
    "n_items",
    "value",
    "unit",
    "trust",
)
PERCENT = "percent"  # the unit of figures that are a share of n items; half marks are not
SAME = [
    "source",
    "table",
    "model",
    "tuning",
    "training_set",
]  # what two methods of one comparison share
CAVEAT = (
    "Unpaired: both models answered the same items, but which ones each got right was not published, so a paired test "
    "might carry more. One run each: neither sampling nor another training seed is covered."
)


def load_published(*, table: int | None = None, source: str | None = None):
    """The published figures as a DataFrame: COLUMNS, and ``k`` right of ``n_items``, ``low``,
    ``high`` in percent.

    ``table``: the paper's table 1, 2 or 5; ``source``: a part of a source's name. Figures without a
    number of items, and those with half marks, have no interval. Raises SdftError if nothing is
    left."""
    import pandas

    from sdft_lib.data import data_dir

    files = sorted((data_dir() / "published").glob("*.csv"))
    frame = pandas.concat([pandas.read_csv(path) for path in files], ignore_index=True)
    if table is not None:
        frame = frame[frame["table"] == table]
    if source is not None:
        frame = frame[frame["source"].str.contains(source, case=False, regex=False)]
    if frame.empty:
        raise SdftError(
            "nothing is published under these names; the tables are 1, 2 and 5, the sources stand in "
            "data/published."
        )
    return with_intervals(frame.reset_index(drop=True))


def with_intervals(frame):
    """``k``, ``low`` and ``high`` beside each value that is a share of items; the nearest count is
    taken.
    """
    counted = (frame["unit"] == PERCENT) & frame["n_items"].notna()
    found = [
        interval(value, int(n)) if yes else (None, None, None)
        for yes, value, n in zip(counted, frame["value"], frame["n_items"], strict=True)
    ]
    return frame.assign(
        **{name: [row[place] for row in found] for place, name in enumerate(("k", "low", "high"))}
    )


def interval(value: float, n: int) -> tuple[int, float, float]:
    """The nearest count of a percentage, and Wilson's 95 % limits in percent."""
    k = round(value * n / 100)
    found = wilson(k, n)
    return k, 100 * found.low, 100 * found.high


def newcombe(a: Interval, b: Interval) -> tuple[float, float]:
    """95 % limits of the difference a - b of two independent shares, from their Wilson intervals
    (Newcombe 1998, method 10)."""
    down = ((a.mean - a.low) ** 2 + (b.high - b.mean) ** 2) ** 0.5
    up = ((a.high - a.mean) ** 2 + (b.mean - b.low) ** 2) ** 0.5
    return a.mean - b.mean - down, a.mean - b.mean + up


def needed(k_a: int, k_b: int, n: int) -> float:
    """The smallest difference in points that is 1.96 standard errors at the pooled share of two
    models on n items.
    """
    share = (k_a + k_b) / (2 * n)
    return 196 * (2 * share * (1 - share) / n) ** 0.5


def carried(frame, a: str = "sdft", b: str = "sft"):
    """Method ``a`` minus ``b`` wherever both are published: which differences do the numbers of
    items carry?

    ``frame`` is that of ``load_published``. Columns: those of SAME, evaluation, n_items, a, b
    (percent), difference, low, high, needed (points), p_raw (Fisher's exact test), p_holm over all
    returned rows, carried (p_holm under 0.05). The caveat is CAVEAT. Raises SdftError if no pair is
    there."""
    import pandas
    from scipy.stats import fisher_exact

    counted = frame[frame["k"].notna()].copy()
    keys = [*SAME, "evaluation"]
    counted[keys] = counted[keys].fillna("")
    if b == "seed" or a == "seed":
        counted = with_seeds(counted)
    rows = []
    for key, part in counted.groupby(keys, sort=False):
        both = [part[part["method"] == method] for method in (a, b)]
        if any(len(each) != 1 for each in both):
            continue
        (first, second), n = (each.iloc[0] for each in both), int(part["n_items"].iloc[0])
        x, y = int(first["k"]), int(second["k"])
        low, high = (100 * limit for limit in newcombe(wilson(x, n), wilson(y, n)))
        p = float(fisher_exact([[x, n - x], [y, n - y]]).pvalue)
        rows.append(
            (
                *key,
                n,
                first["value"],
                second["value"],
                first["value"] - second["value"],
                low,
                high,
                needed(x, y, n),
                p,
            )
        )
    if not rows:
        raise SdftError(
            f'no pair of "{a}" and "{b}" is published there; methods are seed, sft and sdft.'
        )
    names = [*keys, "n_items", a, b, "difference", "low", "high", "needed", "p_raw"]
    found = pandas.DataFrame(rows, columns=names)
    found["p_holm"] = holm(found["p_raw"].tolist())
    found["carried"] = found["p_holm"] < 0.05
    return found


def with_seeds(frame):
    """The seed model's rows once for each training set of the same source, table and model, to be
    compared with it.
    """
    import pandas

    tuned = frame[frame["method"] != "seed"][SAME].drop_duplicates()
    shared = ["source", "table", "model"]
    seeds = (
        frame[frame["method"] == "seed"]
        .drop(columns=["tuning", "training_set"])
        .merge(tuned, on=shared)
    )
    return pandas.concat([seeds, frame[frame["method"] != "seed"]], ignore_index=True)


def in_words(row: Any) -> str:
    """One comparison as a sentence, for a caption or the command line."""
    verdict = "carried" if row["carried"] else "not carried"
    return (
        f"{row['model']} trained on {row['training_set']}, {row['evaluation']}: {row['difference']:+.1f} points "
        f"({row['low']:+.1f} to {row['high']:+.1f}; {row['n_items']} items carry {row['needed']:.1f}): {verdict}"
    )
