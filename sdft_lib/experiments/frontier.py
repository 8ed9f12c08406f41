"""The frontier: what was learnt against what was kept, along training (lesson 05).

A method that learns less also forgets less, so two methods are compared where they learnt equally
much. Those checkpoints are chosen by their task scores on dev; test scores play no part in it."""

from collections.abc import Iterable, Sequence

import numpy
import pandas
from scipy.stats import t

from sdft_lib.stats import bootstrap_mean, by_unit, edge, family, paired_p, units_of
from sdft_lib.storage.errors import SdftError

KEYS = ["method", "seed", "checkpoint"]
COLUMNS = [*KEYS, "split", "suite", "id", "score"]  # and unit, if rows share scenarios
POINTS = [*KEYS, "acquisition", "kept", "suite", "n_task", "n_kept"]
CHOICE = ["seed", "target", "checkpoint_a", "dev_a", "checkpoint_b", "dev_b"]
MATCHED = ["suite", "a", "b", "n", "units", "seeds", "mean_a", "mean_b", "difference"]
MATCHED += ["low", "high", "seeds_low", "seeds_high", "p_raw", "p_holm", "verdict", "checkpoints"]
LEVEL = 0.95  # of an interval
FEWEST_SEEDS = 5  # an interval over fewer training seeds would mostly be guesswork


def points(frame: pandas.DataFrame, suite: str) -> pandas.DataFrame:
    """A row for each method, seed and checkpoint with test scores on task and ``suite``: POINTS.

    ``acquisition`` and ``kept`` are mean scores on the task and on ``suite``, n_task and n_kept the
    items behind them. ``frame`` has the columns COLUMNS; ``checkpoint``: the share of training done
    (0: the seed model). Raises SdftError if no checkpoint has both."""
    test = frame[frame["split"] == "test"]
    scores = {name: test[test["suite"] == name].groupby(KEYS)["score"] for name in ("task", suite)}
    learnt = scores["task"].agg(acquisition="mean", n_task="size")
    kept = scores[suite].agg(kept="mean", n_kept="size")
    both = learnt.join(kept, how="inner").reset_index()
    if both.empty:
        raise SdftError(f'no checkpoint has test scores on both "task" and "{suite}"; evaluate it.')
    turn = {method: number for number, method in enumerate(frame["method"].unique())}
    both = both.assign(suite=suite, turn=both["method"].map(turn))
    return both.sort_values(["turn", *KEYS], ignore_index=True)[POINTS]


def choose(frame: pandas.DataFrame, a: str, b: str) -> pandas.DataFrame:
    """The checkpoints to compare, a row for each training seed; the columns are CHOICE. Only dev
    rows are read.

    The rule, for each seed: the target is the lower of the two methods' best dev scores on the
    task, the highest level that both reach. Each method's checkpoint is the one whose dev score
    lies nearest to the target; of two equally near ones, the earlier. Raises SdftError if a method
    lacks dev scores, the seeds differ or dev ids differ."""
    dev = frame[(frame["split"] == "dev") & (frame["suite"] == "task") & (frame["checkpoint"] > 0)]
    curves = {}
    for method in (a, b):
        means = dev[dev["method"] == method].groupby(["seed", "checkpoint"])["score"].mean()
        if means.empty:
            raise SdftError(f'"{method}" has no dev scores on "task"; evaluate it on dev first.')
        curves[method] = {seed: means[seed] for seed in means.index.unique("seed")}
    if list(curves[a]) != list(curves[b]):
        said = " and ".join(f'"{m}" has {", ".join(map(str, curves[m]))}' for m in (a, b))
        raise SdftError(f"the methods have dev scores of different training seeds: {said}.")
    ids = dev[dev["method"].isin([a, b])].groupby(KEYS)["id"].agg(frozenset)
    if len(set(ids)) > 1:
        raise SdftError(f'"{a}" and "{b}" were not evaluated on the same dev rows everywhere.')
    rows = []
    for seed in curves[a]:
        row = [seed, min(curves[m][seed].max() for m in (a, b))]
        for curve in (curves[a][seed], curves[b][seed]):
            # rounded, so that equal shares tie in floating point too
            checkpoint = (curve - row[1]).abs().round(9).idxmin()
            row += [float(checkpoint), float(curve[checkpoint])]
        rows.append(row)
    return pandas.DataFrame(rows, columns=CHOICE)


def matched_comparison(frame: pandas.DataFrame, a: str, b: str, suite: str) -> pandas.DataFrame:
    """Method a minus b on test, at the checkpoints of ``choose``: a row for the task, one for
    ``suite`` (lesson 05).

    The columns are MATCHED. ``difference`` is the mean over items and seeds; [low, high] is a
    percentile bootstrap over units, the scores of all seeds drawn together with their item and the
    checkpoints kept as chosen. [seeds_low, seeds_high] covers other training seeds too
    (``over_units_and_seeds``); NaN where there are too few. ``p_raw`` belongs to the widest of the
    two, with few seeds it is ``paired_p`` of the items' means. p_holm and verdict as in
    ``stats.family``; no p where both methods are at a suite's floor or ceiling. ``checkpoints``
    reads "seed: of a / of b". Look at the row of the task first: matching on dev is not matching on
    test. Raises SdftError as ``choose`` and ``difference`` do."""
    choice, rows = choose(frame, a, b), []
    pairs = choice[["seed", "checkpoint_a", "checkpoint_b"]].itertuples(index=False)
    said = "; ".join("{}: {:.3g} / {:.3g}".format(*pair) for pair in pairs)
    for name in dict.fromkeys(("task", suite)):
        x = list(zip(choice["seed"], choice["checkpoint_a"], strict=True))
        y = list(zip(choice["seed"], choice["checkpoint_b"], strict=True))
        rows.append(difference(frame, name, (a, x), (b, y)) | {"checkpoints": said})
    return family(pandas.DataFrame(rows, columns=MATCHED))


def difference(frame: pandas.DataFrame, suite: str, first: tuple, second: tuple) -> dict:
    """A row of MATCHED without its correction: first minus second on the test rows of a suite.

    Each side is a method and its (seed, checkpoint) pairs, in the same order of seeds. Raises
    SdftError unless all of these answered the same rows."""
    (a, chosen_a), (b, chosen_b) = first, second
    part = frame[(frame["split"] == "test") & (frame["suite"] == suite)]
    x, y = _chosen(part, a, chosen_a), _chosen(part, b, chosen_b)
    both = pandas.concat([x, y], axis=1)
    if both.empty or both.isna().any(axis=None):
        problem = f'"{a}" and "{b}" were not scored on the same test rows where they are compared'
        raise SdftError(f'suite "{suite}": {problem}; evaluate both there.')
    apart, units = (x - y).to_numpy(), units_of(part, x.index)
    mean = bootstrap_mean(apart.mean(axis=1), units=units)
    *wide, p = over_units_and_seeds(apart, units)
    if numpy.isnan(p):
        p = paired_p(x.mean(axis=1), y.mean(axis=1), units)
    row = dict(zip(MATCHED, (suite, a, b, mean.n, len(set(units)), len(chosen_a))))
    row |= {"mean_a": x.to_numpy().mean(), "mean_b": y.to_numpy().mean()}
    row |= {"difference": mean.mean, "low": mean.low, "high": mean.high}
    row |= {"seeds_low": wide[0], "seeds_high": wide[1]}
    at_edge = edge([row["mean_a"], row["mean_b"]])
    return row | {"p_raw": float("nan") if at_edge else p, "verdict": at_edge}


def _chosen(test: pandas.DataFrame, method: str, pairs: Iterable[tuple]) -> pandas.DataFrame:
    """Test scores at the chosen (seed, checkpoint) pairs: [id by seed], sorted by id; missing where
    one has none."""
    chosen = pandas.DataFrame(pairs, columns=["seed", "checkpoint"])
    scores = test[test["method"] == method].merge(chosen)
    table = scores.pivot(index="id", columns="seed", values="score")
    return table.reindex(columns=chosen["seed"]).astype(float)


def over_units_and_seeds(apart: numpy.ndarray, units: Sequence[str]) -> tuple[float, float, float]:
    """Limits and p of the mean of ``apart`` [items, seeds] that hold for other units and for other
    training seeds; NaN below FEWEST_SEEDS seeds or two units, no p where nothing varies.

    Two crossed random effects: the variance of the mean is (MS of units + MS of seeds - MS of the
    rest) / (units * seeds), with Satterthwaite's degrees of freedom for Student's t (Satterthwaite
    1946). It is never below what units or seeds alone give."""
    mean = apart.mean()
    sums = by_unit(apart - mean, units)
    many, seeds = sums.shape
    if seeds < FEWEST_SEEDS or many < 2:
        return (float("nan"),) * 3
    cells = sums * many / len(apart)  # units of unlike size weigh as their rows do
    of_units, of_seeds = cells.mean(axis=1, keepdims=True), cells.mean(axis=0, keepdims=True)
    freedom = numpy.array([many - 1, seeds - 1, (many - 1) * (seeds - 1)])
    squares = [seeds * (of_units**2).sum(), many * (of_seeds**2).sum()]
    squares = numpy.array([*squares, ((cells - of_units - of_seeds) ** 2).sum()]) / freedom
    total = max(squares[0] + squares[1] - squares[2], squares[0], squares[1])
    if total < 1e-12:
        return float(mean), float(mean), float("nan")
    shape = total**2 / (squares**2 / freedom).sum()
    error = (total / (many * seeds)) ** 0.5
    half = t.ppf((1 + LEVEL) / 2, shape) * error
    return float(mean - half), float(mean + half), float(2 * t.sf(abs(mean) / error, shape))


def at_shared_seeds(
    frame: pandas.DataFrame, names: Sequence[str], column: str = "method"
) -> pandas.DataFrame:
    """The rows of these methods (or orders) at the training seeds that all of them have."""
    seeds = [set(frame[frame[column] == name]["seed"]) for name in names]
    return frame[frame[column].isin(names) & frame["seed"].isin(set.intersection(*seeds))]


def one_family(tables: Sequence[pandas.DataFrame], columns: list[str]) -> pandas.DataFrame:
    """Tables of comparisons as one, Holm's correction over all rows; empty if there are none."""
    if not tables:
        return pandas.DataFrame(columns=columns)
    return family(pandas.concat(tables, ignore_index=True)[columns])
