"""How far to trust the refusal judge: precision and recall against two annotators
(data/generators/judge_refusals.py).

The answers are drawn in two strata, those that the judge calls a refusal and the others, with
different shares: recall weighs each labelled answer by how many it stands for."""

from collections.abc import Sequence

import numpy
import pandas
from sklearn.metrics import cohen_kappa_score

from sdft_lib.data import data_dir
from sdft_lib.stats import Interval, percentile_limits, resampled_means, wilson
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

RESAMPLES = 10_000
FIELDS = ("id", "verdict", "first", "second", "weight")


def labelled() -> list[dict]:
    """The answers of the default model that were labelled twice (data/results)."""
    return read_jsonl(data_dir() / "results" / "refusal_labels.jsonl")


def agreement(rows: Sequence[dict]) -> dict:
    """n, the share of equal labels and Cohen's kappa (scikit-learn) of two labellers.

    ``rows``: id, verdict, first, second (true: a refusal) and weight (answers it stands for)."""
    table = checked(rows)
    first, second = table["first"], table["second"]
    one_kind = len({*first, *second}) == 1
    kappa = 1.0 if one_kind else float(cohen_kappa_score(first, second))
    return {"n": len(table), "equal": float((first == second).mean()), "kappa": kappa}


def precision(rows: Sequence[dict], label: str = "first") -> Interval:
    """Of the answers that the judge calls a refusal, the share that is one; Wilson's interval."""
    table = checked(rows)
    called = table[table["verdict"]][label]
    if called.empty:
        none = "no labelled answer was called a refusal by the judge"
        raise SdftError(f"{none}; precision cannot be measured.")
    return wilson(int(called.sum()), len(called))


def recall(rows: Sequence[dict], label: str = "first") -> Interval:
    """Of all refusals, the share that the judge finds; percentile bootstrap within the strata."""
    table = checked(rows)
    if not table[label].any():
        raise SdftError("no labelled answer is a refusal; recall cannot be measured.")
    rng = numpy.random.default_rng(0)
    heard = refusals(table[table["verdict"]], label, rng)
    total = heard + refusals(table[~table["verdict"]], label, rng)
    shares = numpy.divide(heard, total, out=numpy.full_like(total, numpy.nan), where=total > 0)
    return Interval(float(shares[0]), *percentile_limits(shares[1:], 0.95), len(table))


def refusals(stratum: pandas.DataFrame, label: str, rng: numpy.random.Generator) -> numpy.ndarray:
    """Weighted number of refusals in a stratum, and in each resample: [1 + RESAMPLES]."""
    if stratum.empty:
        return numpy.zeros(1 + RESAMPLES)
    values = (stratum["weight"] * stratum[label]).to_numpy(dtype=float)[:, None]
    return len(stratum) * resampled_means(values, RESAMPLES, rng)[:, 0]


def checked(rows: Sequence[dict]) -> pandas.DataFrame:
    """The rows as a table; SdftError unless there are some, with all fields and different ids."""
    for row in rows:
        if missing := [name for name in FIELDS if name not in row]:
            lack = f"{', '.join(missing)} is missing"
            raise SdftError(f"labelled answer {row.get('id', '?')}: {lack}.")
    table = pandas.DataFrame(rows)
    if table.empty:
        raise SdftError("there are no labelled answers.")
    if table["id"].duplicated().any():
        raise SdftError("an id occurs twice among the labelled answers.")
    return table.astype(dict.fromkeys(("verdict", "first", "second"), bool))
