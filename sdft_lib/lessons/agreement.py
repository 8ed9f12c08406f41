"""How far to trust the judge of requests, whose answers were labelled twice (lesson 06;
data/generators/judge_refusals.py, judge_outcomes.py).

A row has id, verdict (the judge's), first, second (labels of two readers) and weight. The answers
are drawn in strata, one a verdict, with different shares: recall weighs each by how many answers
it stands for."""

from collections.abc import Sequence

import numpy
import pandas
from sklearn.metrics import cohen_kappa_score

from sdft_lib.answers.outcome import OUTCOMES
from sdft_lib.data import data_dir
from sdft_lib.stats import Interval, percentile_limits, resampled_means, wilson
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

RESAMPLES = 10_000


def labelled(name: str = "outcome_labels") -> list[dict]:
    """Labelled answers: ``outcome_labels`` in three classes, ``refusal_labels`` in two (true)."""
    return read_jsonl(data_dir() / "results" / f"{name}.jsonl")


def agreement(rows: Sequence[dict]) -> dict:
    """n, the share of equal labels and Cohen's kappa (scikit-learn) of two labellings."""
    table = pandas.DataFrame(rows)
    first, second = table["first"], table["second"]
    one_kind = len({*first, *second}) == 1
    kappa = 1.0 if one_kind else float(cohen_kappa_score(first, second))
    return {"n": len(table), "equal": float((first == second).mean()), "kappa": kappa}


def by_class(rows: Sequence[dict], label: str = "first") -> pandas.DataFrame:
    """A row an outcome: precision and recall with their limits, ``called`` by the judge,
    ``labelled`` so by a reader, and the others that the judge said of these (``missed as``)."""
    table, made = pandas.DataFrame(rows), []
    for wanted in OUTCOMES:
        is_wanted = table[label] == wanted
        said = table[is_wanted & (table["verdict"] != wanted)]["verdict"].value_counts()
        row = {"outcome": wanted, "called": int((table["verdict"] == wanted).sum())}
        row |= {"labelled": int(is_wanted.sum()), "precision": precision(rows, label, wanted)}
        row |= {"recall": recall(rows, label, wanted)}
        made.append(row | {"missed as": ", ".join(f"{name} {n}" for name, n in said.items())})
    return pandas.DataFrame(made).set_index("outcome")


def precision(rows: Sequence[dict], label: str = "first", wanted=True) -> Interval:
    """Of the answers that the judge puts into a class, the share that is in it (Wilson)."""
    table = pandas.DataFrame(rows)
    called = table[table["verdict"] == wanted][label] == wanted
    if called.empty:
        none = "no labelled answer was put into this class by the judge"
        raise SdftError(f"{none}; precision cannot be measured.")
    return wilson(int(called.sum()), len(called))


def recall(rows: Sequence[dict], label: str = "first", wanted=True) -> Interval:
    """Of all answers of a class, the share that the judge finds (bootstrap within the strata)."""
    table = pandas.DataFrame(rows)
    if not (table[label] == wanted).any():
        raise SdftError("no labelled answer is of this class; recall cannot be measured.")
    rng = numpy.random.default_rng(0)
    heard = counted(table[table["verdict"] == wanted], label, wanted, rng)
    total = heard
    for verdict in sorted({*table["verdict"]} - {wanted}):
        total = total + counted(table[table["verdict"] == verdict], label, wanted, rng)
    shares = numpy.divide(heard, total, out=numpy.full_like(total, numpy.nan), where=total > 0)
    return Interval(float(shares[0]), *percentile_limits(shares[1:], 0.95), len(table))


def counted(
    stratum: pandas.DataFrame, label: str, wanted, rng: numpy.random.Generator
) -> numpy.ndarray:
    """Weighted number of answers of a class in a stratum, and in each resample: [1 + RESAMPLES]."""
    if stratum.empty:
        return numpy.zeros(1 + RESAMPLES)
    values = (stratum["weight"] * (stratum[label] == wanted)).to_numpy(dtype=float)[:, None]
    return len(stratum) * resampled_means(values, RESAMPLES, rng)[:, 0]
