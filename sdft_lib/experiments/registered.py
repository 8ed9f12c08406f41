"""Predictions with bounds, written before the first run, and what became of them (lesson 08).

``data/results/frontier-predictions.toml`` holds them, and says what each part's number is."""

import math

import numpy
import pandas
from scipy.stats import spearmanr

from sdft_lib.data import data_dir
from sdft_lib.experiments.frontier import points
from sdft_lib.experiments.grid import costs, read_sweep
from sdft_lib.experiments.recorded import at_end, compared, items_of, results_of
from sdft_lib.formats.toml import read_toml
from sdft_lib.stats import UNCLEAR, verdict

PARTS = ["number", "says", "measured", "wanted", "found", "low", "high", "seeds", "outcome"]
FEWEST = 3  # methods from which on a rank correlation is told
MISSING, UNTOLD = "not recorded yet", "cannot be told"


def frontier_runs(model: str = "smollm2-135m") -> pandas.DataFrame:
    """Every recorded item of the recipe ``frontier``: the columns of ``recorded.recorded``; empty
    where nothing is recorded for this model."""
    return items_of(results_of("frontier", model))


def frontier_costs(model: str = "smollm2-135m") -> pandas.DataFrame:
    """What each of its trainings took: the columns of ``grid.costs``."""
    return costs(results_of("frontier", model))


def rates(model: str = "smollm2-135m") -> pandas.DataFrame:
    """Of the sweep of learning rates: learning_rate, then dev score and facts kept by method; empty
    where it is not recorded. The best dev score chooses, of two equal ones the lower rate."""
    sweep = read_sweep(results_of("frontier-rates", model))
    if sweep.empty:
        return sweep
    return sweep.pivot_table(index="learning_rate", columns="method", values=["dev", "kept"])


def registered(model: str = "smollm2-135m") -> pandas.DataFrame:
    """Every part of every prediction with its number, beside what is recorded: PARTS.

    ``found`` is a mean over the training seeds that the methods share, and alone decides.
    ``outcome``: held, failed, not recorded yet, or cannot be told."""
    frame, ended, rows = frontier_runs(model), frontier_costs(model), []
    declared = read_toml(data_dir() / "results" / "frontier-predictions.toml")
    for each in declared["prediction"]:
        for part in each["part"]:
            made = {"number": each["number"], "says": each["says"], "measured": in_words(part)}
            found = {} if frame.empty else measure(part, frame, ended)
            outcome = outcome_of(part, found)
            rows.append(made | {"wanted": wanted(part), **found, "outcome": outcome})
    return pandas.DataFrame(rows, columns=PARTS).astype({"seeds": "Int64"})


def by_prediction(parts: pandas.DataFrame) -> pandas.DataFrame:
    """number, says and outcome of each prediction: it fails with any of its parts, and holds if all
    of them do."""
    rows = []
    for (number, says), part in parts.groupby(["number", "says"], sort=False):
        outcomes = set(part["outcome"])
        outcome = next(each for each in ("failed", MISSING, UNTOLD, "held") if each in outcomes)
        rows.append((number, says, outcome))
    return pandas.DataFrame(rows, columns=["number", "says", "outcome"])


def measure(part: dict, frame: pandas.DataFrame, ended: pandas.DataFrame) -> dict:
    """A part's number as ``found``, with its interval and training seeds; empty where a method that
    it needs is not recorded."""
    suite, a, b = part["suite"], part.get("a"), part.get("b")
    if suite == "drift":
        return drift_rank(frame, ended)
    if suite == "seconds":
        return times_as_long(ended, a, b)
    if "along" in part:
        return above_the_line(frame, suite, a, part["along"])
    if b:
        made = compared(frame, suite, a, b)
        return made and made | {"found": made["difference"]}
    own = at_end(frame[(frame["method"] == a) & (frame["suite"] == suite)])
    return {} if own.empty else own.iloc[0].to_dict() | {"found": own["mean"].iloc[0]}


def times_as_long(ended: pandas.DataFrame, a: str, b: str) -> dict:
    """Seconds of training of a over those of b, means over the seeds that both have."""
    table = ended.pivot_table(index="seed", columns="method", values="seconds")
    if not {a, b} <= set(table.columns):
        return {}
    both = table[[a, b]].dropna()
    return {"found": both[a].mean() / both[b].mean(), "seeds": len(both)} if len(both) else {}


def drift_rank(frame: pandas.DataFrame, ended: pandas.DataFrame) -> dict:
    """Spearman's correlation, over methods, of drift and facts lost, both means over seeds."""
    facts = frame[(frame["suite"] == "facts") & frame["checkpoint"].isin([0, 1])]
    kept = facts.groupby("method")["score"].mean()
    drift = ended.reindex(columns=["method", "drift"]).dropna().groupby("method")["drift"].mean()
    both = kept.index.intersection(drift.index)
    if len(both) < FEWEST:
        return {}
    rank = spearmanr(drift[both], -kept[both]).statistic
    return {"found": rank, "seeds": ended[ended["method"].isin(both)]["seed"].nunique()}


def above_the_line(frame: pandas.DataFrame, suite: str, a: str, along: list[str]) -> dict:
    """How far a lies above the line through the seed model and ``along``, where the line has learnt
    as much; NaN where it never learns as much."""
    means = ends_of(frame, suite)
    if not {a, "seed", *along} <= set(means.index):
        return {}
    line = means.loc[["seed", *along]].sort_values("acquisition")
    learnt, kept = means.loc[a, ["acquisition", "kept"]]
    beside = numpy.interp(learnt, line["acquisition"], line["kept"], numpy.nan, numpy.nan)
    return {"found": float(kept - beside), "seeds": frame[frame["method"] == a]["seed"].nunique()}


def ends_of(frame: pandas.DataFrame, suite: str) -> pandas.DataFrame:
    """By method: what was learnt (``acquisition``) and kept of ``suite`` before training and at its
    end, means over the training seeds."""
    table = points(frame[frame["checkpoint"].isin([0, 1])], suite)
    return table.groupby("method", sort=False)[["acquisition", "kept"]].mean()


def outcome_of(part: dict, found: dict) -> str:
    """What became of a part; "same" holds where no difference is shown."""
    if not found:
        return MISSING
    if math.isnan(found["found"]) or ("same" in part and found["verdict"]):
        return UNTOLD  # the suite is at an edge
    fits = part.get("least", -math.inf) <= found["found"] <= part.get("most", math.inf)
    if "same" in part:
        fits = verdict(found["difference"], found["p_raw"]) == UNCLEAR
    return "held" if fits else "failed"


def in_words(part: dict) -> str:
    """What a part measures."""
    suite, a, b = part["suite"], part.get("a"), part.get("b")
    if suite == "drift":
        return "drift and facts lost: rank correlation"
    if suite == "seconds":
        return f"seconds: {a} over {b}"
    if "along" in part:
        return f"{suite}: {a} above the line of {part['along'][-1]}"
    return f"{suite}: {a} minus {b}" if b else f"{suite}: {a}"


def wanted(part: dict) -> str:
    """What its number is to be."""
    if "same" in part:
        return "no difference shown"
    said = [f"at {name} {part[name]:g}" for name in ("least", "most") if name in part]
    return ", ".join(said)
