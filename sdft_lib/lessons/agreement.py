"""How far the refusal judge can be trusted: its precision and recall against two annotators' labels
(lesson 04).

The answers are drawn in two strata, those that the judge calls a refusal and the others, with
different shares. Recall over all answers therefore weighs each labelled answer by how many it
stands for."""

from collections.abc import Sequence

import numpy
from sklearn.metrics import cohen_kappa_score

from sdft_lib.data import data_dir
from sdft_lib.stats import Interval, percentile_limits, resampled_means, wilson
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

FILE = "refusal_labels.jsonl"
FIELDS = ("id", "verdict", "first", "second", "weight")


def labelled() -> list[dict]:
    """The answers of the default model that were labelled twice and came with the tutorial
    (data/results).
    """
    return read_jsonl(data_dir() / "results" / FILE)


def agreement(rows: Sequence[dict]) -> dict:
    """n, the share of equal labels and Cohen's kappa (scikit-learn) of two labellers.

    ``rows`` have id, verdict, first, second (true: a refusal) and weight, the number of answers a
    row stands for."""
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
    check(rows)
    strata = [[row for row in rows if bool(row["verdict"]) is kind] for kind in (True, False)]
    if not any(row[label] for row in rows):
        raise SdftError("no labelled answer is a refusal; recall cannot be measured.")
    rng = numpy.random.default_rng(0)
    heard, missed = (refusals(part, label, rng, resamples) for part in strata)
    total = heard + missed
    shares = numpy.divide(heard, total, out=numpy.full_like(total, numpy.nan), where=total > 0)
    return Interval(float(shares[0]), *percentile_limits(shares[1:], level), len(rows))


def refusals(
    rows: Sequence[dict], label: str, rng: numpy.random.Generator, resamples: int
) -> numpy.ndarray:
    """Weighted number of refusals in a stratum: the estimate, then one value a resample, shape (1 +
    resamples)."""
    if not rows:
        return numpy.zeros(1 + resamples)
    values = numpy.array([[row["weight"] * bool(row[label])] for row in rows], dtype=float)
    return len(rows) * resampled_means(values, resamples, rng)[:, 0]


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
