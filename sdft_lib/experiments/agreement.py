"""How far the refusal judge can be trusted: its precision and recall against two annotators' labels
(lesson 04).

The answers are drawn in two strata, those that the judge calls a refusal and the others, with
different shares. Recall over all answers therefore weighs each labelled answer by how many it
stands for."""

from collections.abc import Sequence

from sdft_lib.stats import Interval, wilson
from sdft_lib.storage.errors import SdftError

FILE = "refusal_labels.jsonl"
FIELDS = ("id", "verdict", "first", "second", "weight")


def labelled() -> list[dict]:
    """The answers of the default model that were labelled twice and came with the tutorial
    (data/results).
    """
    from sdft_lib.data import data_dir
    from sdft_lib.storage.files import read_jsonl

    return read_jsonl(data_dir() / "results" / FILE)


def agreement(rows: Sequence[dict]) -> dict:
    """n, the share of equal labels and Cohen's kappa (scikit-learn) of two labellers.

    ``rows`` have id, verdict, first, second (true: a refusal) and weight, the number of answers a
    row stands for."""
    from sklearn.metrics import cohen_kappa_score

    check(rows)
    first, second = ([bool(row[key]) for row in rows] for key in ("first", "second"))
    same = sum(a == b for a, b in zip(first, second)) / len(rows)
    one_kind = len({*first, *second}) == 1
    return {
        "n": len(rows),
        "equal": same,
        "kappa": 1.0 if one_kind else float(cohen_kappa_score(first, second)),
    }


def precision(rows: Sequence[dict], label: str = "first", level: float = 0.95) -> Interval:
    """Of the answers that the judge calls a refusal, the share that is one; Wilson's interval."""
    check(rows)
    called = [row for row in rows if row["verdict"]]
    if not called:
        raise SdftError(
            "no labelled answer was called a refusal by the judge; precision cannot be measured."
        )
    return wilson(sum(bool(row[label]) for row in called), len(called), level)


def recall(
    rows: Sequence[dict], label: str = "first", level: float = 0.95, resamples: int = 10_000
) -> Interval:
    """Of the refusals among all answers, the share that the judge finds; percentile bootstrap
    within the strata.
    """
    import numpy as np

    check(rows)
    strata = [[row for row in rows if bool(row["verdict"]) is kind] for kind in (True, False)]
    if not any(row[label] for row in rows):
        raise SdftError("no labelled answer is a refusal; recall cannot be measured.")
    rng = np.random.default_rng(0)
    found, missed = (weighed(part, label, rng, resamples) for part in strata)
    total = found + missed
    values = np.divide(found, total, out=np.full_like(total, np.nan), where=total > 0)
    low, high = np.nanpercentile(values[1:], [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(values[0]), float(low), float(high), len(rows))


def weighed(rows: Sequence[dict], label: str, rng, resamples: int):
    """Weighted number of refusals in a stratum: the estimate, then one value a resample, shape (1 +
    resamples).
    """
    import numpy as np

    if not rows:
        return np.zeros(1 + resamples)
    values = np.array([row["weight"] * bool(row[label]) for row in rows], dtype=float)
    draws = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    return np.concatenate([[values.sum()], draws @ values])


def check(rows: Sequence[dict]) -> None:
    """SdftError unless there are rows, each with all fields and an id of its own."""
    if not rows:
        raise SdftError("there are no labelled answers.")
    for row in rows:
        if missing := [name for name in FIELDS if name not in row]:
            raise SdftError(
                f"labelled answer {row.get('id', '?')}: {', '.join(missing)} is missing."
            )
    if len({row["id"] for row in rows}) < len(rows):
        raise SdftError("an id occurs twice among the labelled answers.")
