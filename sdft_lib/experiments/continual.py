"""Several tasks, one after the other: the task-by-stage matrix, what is read off it, and what its
intervals say about two methods (lesson 07).

Stage 0 is the seed model, stage k the model after the k-th task of its order. Write R[k, j] for the
mean score on task j at stage k, and T for the number of tasks."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy
import pandas

from sdft_lib import stats
from sdft_lib.experiments.frontier import LEVEL, at_shared_seeds, one_family
from sdft_lib.experiments.methods import METHODS
from sdft_lib.stats import COMPARISON, compare, family, units_of
from sdft_lib.storage.errors import SdftError

COLUMNS = ["method", "seed", "order", "stage", "task", "id", "score"]  # and unit, as in stats
TABLE = ["method", "order", "measure", "mean", "low", "high", "n", "seeds"]
DIFFERENCES = ["order", "a", "b", "measure", "difference", "low", "high", "n", "seeds", "p_raw"]
DIFFERENCES += ["p_holm", "verdict"]  # of stats.family
RESAMPLES = 10_000
EARLY = "on tasks before they were trained"
BETTER = {  # what a higher value of each measure means, and a lower one
    "ACC": ("scores higher on all tasks at the end", "scores lower on all tasks at the end"),
    "BWT": ("lost less to later tasks", "lost more to later tasks"),
    "FWT": (f"gained more {EARLY}", f"gained less {EARLY}"),
    "forgetting": ("forgot more", "forgot less"),
}
MEASURES = list(BETTER)


def matrix(frame: pandas.DataFrame) -> pandas.DataFrame:
    """R: a row a stage (0..T), a column a task in sequence; the mean over items and seeds.

    ``frame`` holds one method and one order, with the columns COLUMNS. ``attrs`` of the result says
    method, order, n (items by task) and seeds. Raises SdftError as ``measures`` does, and if there
    are several methods or orders."""
    runs = frame[["method", "order"]].drop_duplicates()
    if len(runs) != 1:
        held = f"the table holds {len(runs)}"
        raise SdftError(f"a matrix shows one method and one order, {held}; choose one.")
    one = runs.iloc[0].to_dict()
    scores, _, seeds = _scores(frame, **one)
    table = pandas.DataFrame({task: x.mean(axis=(0, 1)) for task, x in scores.items()})
    table.index.name, table.columns.name = "stage", "task"
    table.attrs = one | {"n": {task: len(x) for task, x in scores.items()}, "seeds": seeds}
    return table


def measures(frame: pandas.DataFrame) -> pandas.DataFrame:
    """ACC, BWT, FWT and forgetting of each method and order, with intervals; the columns are TABLE
    (lesson 07).

    - ACC: mean over all tasks of R[T, j].
    - BWT, backward transfer: mean over j < T of R[T, j] - R[j, j]; below 0, later tasks did harm.
    - FWT, forward transfer: mean over j > 1 of R[j-1, j] - R[0, j], so against the seed model.
    - forgetting: mean over j < T of max(R[1, j], ..., R[T-1, j]) - R[T, j]; stage 0 does not count.

    ACC, BWT, FWT: Lopez-Paz and Ranzato 2017 (GEM, arXiv 1706.08840), section 2, with the seed
    model in place of a model with random weights. Forgetting: Chaudhry et al. 2018 (arXiv
    1801.10112). With several training seeds each measure is the mean of the seeds' measures.

    The interval is a percentile bootstrap over units: each task's units are drawn again with the
    same draw at every stage and seed. It says nothing about another training seed or order. The
    largest of several means is pulled upwards by chance, in forgetting and in its resamples alike,
    so that forgetting is hardly ever found to be zero: BWT has no such bias. ``n`` counts the items
    of the tasks that enter the measure.

    Raises SdftError: a stage or task is missing, or ids differ between stages or seeds."""
    rows = []
    for method, order in frame[["method", "order"]].drop_duplicates().itertuples(index=False):
        values, n, seeds = _resampled(frame, method, order)
        for name, x in values.items():
            limits = stats.percentile_limits(x[1:], LEVEL)
            mean = round(float(x[0]), 9) + 0.0  # a sum of 0 that came out as -1e-17 is 0
            rows.append((method, order, name, mean, *limits, n[name], seeds))
    return pandas.DataFrame(rows, columns=TABLE)


def _resampled(frame: pandas.DataFrame, method: str, order: str) -> tuple[dict, dict, int]:
    """({measure: [the estimate, then one a resample]}, {measure: n}, number of seeds)."""
    scores, units, seeds = _scores(frame, method, order)
    means = []
    for task, x in scores.items():  # x: [items, seeds, stages]
        rng = numpy.random.default_rng([0, sorted(scores).index(task)])
        drawn = stats.resampled_means(x.reshape(len(x), -1), RESAMPLES, rng, units[task])
        means.append(drawn.reshape(-1, *x.shape[1:]))
    values = _read_off(numpy.stack(means, axis=-1))
    sizes = [len(x) for x in scores.values()]
    n = {"ACC": sum(sizes), "FWT": sum(sizes[1:])}
    n |= dict.fromkeys(("BWT", "forgetting"), sum(sizes[:-1]))
    return {name: value.mean(axis=1) for name, value in values.items()}, n, seeds


def _read_off(r: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """The four measures of matrices R, shape [..., T + 1 stages, T tasks], each of shape [...]."""
    final, before = r[..., -1, :], numpy.diagonal(r, axis1=-2, axis2=-1)  # before: R[j-1, j]
    own = numpy.diagonal(r[..., 1:, :], axis1=-2, axis2=-1)  # R[j, j]
    best = r[..., 1:-1, :].max(axis=-2)
    backward, forgotten = (final - own)[..., :-1], (best - final)[..., :-1]
    forward = (before - r[..., 0, :])[..., 1:]
    parts = {"ACC": final, "BWT": backward, "FWT": forward, "forgetting": forgotten}
    return {name: part.mean(axis=-1) for name, part in parts.items()}


def _scores(frame: pandas.DataFrame, method: str, order: str) -> tuple[dict, dict, int]:
    """({task, in sequence: [items by id, seeds, stages]}, {task: unit of each item}, number of
    seeds), checked."""
    part, tasks = frame[(frame["method"] == method) & (frame["order"] == order)], order.split("-")
    runs = list(product(sorted(part["seed"].unique()), range(len(tasks) + 1)))  # (seed, stage)
    scores, units = {}, {}
    for task in tasks:
        rows = part[part["task"] == task]
        table = rows.pivot(index="id", columns=["seed", "stage"], values="score")
        table = table.reindex(columns=runs)
        if table.empty or table.isna().any(axis=None):
            lack = f'not every seed and stage has scores on the same items of "{task}"'
            raise SdftError(f'method "{method}", order "{order}": {lack}; evaluate it there first.')
        scores[task] = table.to_numpy(dtype=float).reshape(len(table), -1, len(tasks) + 1)
        units[task] = units_of(rows, table.index)
    return scores, units, part["seed"].nunique()


# ---- own and recorded runs side by side
def together(runs: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame:
    """Several tables in one, the source in each method's name: "SFT (yours)"; no empty ones."""
    short = {name: METHODS[name].look.label for name in ("sft", "sdft")}
    parts = []
    for source, frame in runs.items():
        names = [f"{short.get(method, method)} ({source})" for method in frame["method"]]
        parts.append(frame.assign(method=names))
    return pandas.concat([part for part in parts if len(part)], ignore_index=True)


def versus(frame: pandas.DataFrame, pairs: Sequence[tuple[str, str]]) -> pandas.DataFrame:
    """Each pair (a, b) in each order that is there: a minus b on the same items, at the training
    seeds that both have; the columns are DIFFERENCES.

    Both methods see the same draws of units, so interval and p are paired, and Holm's correction
    covers all rows. Compare methods here: two overlapping intervals of ``measures`` decide nothing.
    Raises SdftError as ``measures`` does, and for other items."""
    rows = []
    for part, (a, b) in _parts(frame, pairs):
        order = part["order"].iloc[0]
        items = part.set_index("method")[["task", "id"]]
        ours, theirs = (set(items.loc[[name]].itertuples(index=False)) for name in (a, b))
        if ours != theirs:
            odd = f'"{a}" and "{b}" have different items'
            raise SdftError(f'order "{order}": {odd}; compare them on the same ones.')
        x, n, seeds = _resampled(part, a, order)
        y, _, _ = _resampled(part, b, order)
        for name in MEASURES:
            apart = x[name] - y[name]
            limits = stats.percentile_limits(apart[1:], LEVEL)
            row = (order, a, b, name, float(apart[0]), *limits, n[name], seeds)
            rows.append((*row, percentile_p(apart[1:])))
    return family(pandas.DataFrame(rows, columns=DIFFERENCES[:-2]))


def percentile_p(values: numpy.ndarray) -> float:
    """Two-sided p of "no difference": the share that a percentile interval of these resampled
    differences leaves out when it just reaches 0."""
    beyond = min((values <= 0).sum(), (values >= 0).sum())
    return min(1.0, float(2 * (1 + beyond) / (1 + len(values))))


def in_words(row) -> str:
    """One row of ``versus`` as a sentence that follows from its verdict."""
    seeds = f"{row.seeds} training seed{'s' if row.seeds > 1 else ''}"
    said = f"{row.measure}: {row.a} minus {row.b} lies in {row.low:+.2f} to {row.high:+.2f}"
    said += f" ({row.n} items, {seeds})"
    if row.verdict == stats.UNCLEAR:
        return f"{said}: {row.verdict}."
    more, less = BETTER[row.measure]
    return f"{said}: {row.a} {more if row.verdict == 'higher' else less}."


def learnt(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Mean score just after each task was trained and at the end: [method, order; task, when]."""
    keys, means = ["method", "order", "suite"], {}
    for when in ("own", "end"):
        means[when] = picked(frame, when).groupby(keys, sort=False)["score"].mean()
    table = pandas.DataFrame(means).unstack("suite").swaplevel(axis="columns")
    tasks = list(dict.fromkeys(frame["task"]))
    return table[[(task, when) for task in tasks for when in means]]


def learnt_versus(frame: pandas.DataFrame, pairs: Sequence[tuple[str, str]]) -> pandas.DataFrame:
    """Scores just after a task was trained, a minus b, a row a task, pair and order: order, then
    stats.COMPARISON. Holm's correction covers all rows."""
    tables = []
    for part, pair in _parts(frame, pairs):
        order = part["order"].iloc[0]
        tables.append(compare(picked(part, "own"), [pair]).assign(order=order))
    return one_family(tables, ["order", *COMPARISON])


def order_effect(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Scores at the end in the first order minus the second, a row a method and task: method, then
    stats.COMPARISON. Holm's correction covers all rows.

    Empty if no method has two orders with a shared training seed."""
    orders, tables = tuple(frame["order"].unique()[:2]), []
    for method in frame["method"].unique():
        part = at_shared_seeds(frame[frame["method"] == method], orders, "order")
        if part["order"].nunique() == 2:
            rows = picked(part, "end").assign(method=lambda rows: rows["order"])
            tables.append(compare(rows, [orders]).assign(method=method))
    return one_family(tables, ["method", *COMPARISON])


def order_in_words(row) -> str:
    """One row of ``order_effect`` as a sentence that follows from interval and corrected p."""
    first, second = (order.split("-").index(row.suite) + 1 for order in (row.a, row.b))
    said = f"{row.method}, {row.suite} (place {first} of {row.a} minus place {second} of {row.b})"
    said += f": {row.low:+.2f} to {row.high:+.2f}, n {row.n}: {row.verdict}"
    when = f" at the end in the order {row.a}" if row.verdict in ("higher", "lower") else ""
    return f"{said}{when}."


def picked(frame: pandas.DataFrame, when: str) -> pandas.DataFrame:
    """One score an item, the mean over training seeds: ``own``, just after its task was trained, or
    ``end``. Columns: method, order, suite (the task), id, unit (if known), score."""
    order = frame["order"].str.split("-")
    stages = order.map(len)
    if when == "own":
        stages = [tasks.index(task) + 1 for tasks, task in zip(order, frame["task"])]
    part = frame[frame["stage"] == stages].rename(columns={"task": "suite"})
    keys = ["method", "order", "suite", "id", *(["unit"] if "unit" in part else [])]
    return part.groupby(keys, sort=False, as_index=False, dropna=False)["score"].mean()


def _parts(frame: pandas.DataFrame, pairs: Sequence[tuple[str, str]]) -> list:
    """(rows, pair) of every order and pair with a training seed in common."""
    parts = []
    for order in frame["order"].unique():
        for pair in pairs:
            part = at_shared_seeds(frame[frame["order"] == order], pair)
            if set(part["method"]) == set(pair):
                parts.append((part, pair))
    return parts
