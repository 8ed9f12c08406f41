"""Several tasks, one after the other: the task-by-stage matrix and what is read off it (lesson 06).

Stage 0 is the seed model, stage k the model after the k-th task of its order. Write R[k, j] for the
mean score on task j at stage k, and T for the number of tasks."""

from collections.abc import Sequence

from sdft_lib import stats
from sdft_lib.storage.errors import SdftError

COLUMNS = ["method", "seed", "order", "stage", "task", "id", "score"]
MEASURES = ["ACC", "BWT", "FWT", "forgetting"]
TABLE = ["method", "order", "measure", "mean", "low", "high", "n", "seeds"]
DIFFERENCES = ["order", "a", "b", "measure", "difference", "low", "high", "n", "seeds"]


def matrix(frame):
    """R as a DataFrame: a row a stage (0..T), a column a task in the order's sequence; the mean
    over items and seeds.

    ``frame`` holds one method and one order, with the columns COLUMNS. ``attrs`` of the result says
    method, order, n (items by task) and seeds. Raises SdftError as ``measures`` does, and if there
    are several methods or orders."""
    import pandas as pd

    for column in ("method", "order"):
        _check_columns(frame)
        if len(found := list(frame[column].unique())) != 1:
            raise SdftError(
                f"a matrix shows one {column}, the table holds {len(found)} ({_said(found)}); choose one."
            )
    method, order = frame["method"].iloc[0], frame["order"].iloc[0]
    scores, seeds = _scores(frame, method, order)
    table = pd.DataFrame({task: x.mean(axis=(0, 1)) for task, x in scores.items()})
    table.index.name, table.columns.name = "stage", "task"
    table.attrs = {
        "method": method,
        "order": order,
        "n": {t: len(x) for t, x in scores.items()},
        "seeds": seeds,
    }
    return table


def measures(frame, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0):
    """ACC, BWT, FWT and forgetting of each method and order, with intervals; the columns are TABLE
    (lesson 06).

    - ACC: mean over all tasks of R[T, j].
    - BWT, backward transfer: mean over j < T of R[T, j] - R[j, j]; below 0, later tasks did harm.
    - FWT, forward transfer: mean over j > 1 of R[j-1, j] - R[0, j]; the reference is the seed model.
    - forgetting: mean over j < T of max(R[1, j], ..., R[T-1, j]) - R[T, j]; the seed model is no candidate.

    ACC, BWT, FWT: Lopez-Paz and Ranzato 2017 (GEM, arXiv 1706.08840), section 2, with the seed
    model in place of a model with random weights. Forgetting: Chaudhry et al. 2018 (arXiv
    1801.10112). With several training seeds each measure is the mean of the seeds' measures.

    The interval is a percentile bootstrap over items: each task's items are drawn again with the
    same draw at every stage and seed. It says nothing about another training seed or order. The
    largest of several means is pulled upwards by chance, in forgetting and in its resamples alike,
    so that forgetting is hardly ever found to be zero: BWT has no such bias. ``n`` counts the items
    of the tasks that enter the measure.

    Raises SdftError: a column, stage or task is missing, ids repeat or differ between stages or
    seeds, a task is not in the order, the order has fewer than two tasks, a score is no number."""
    import pandas as pd

    rows = []
    _check_columns(frame)
    for method, order in frame[["method", "order"]].drop_duplicates().itertuples(index=False):
        found, n, seeds = _resampled(frame, method, order, resamples, seed)
        for name, values in found.items():
            rows.append((method, order, name, *_limits(values, level), n[name], seeds))
    return pd.DataFrame(rows, columns=TABLE)


def differences(
    frame, pairs: Sequence[tuple[str, str]], *, level: float = 0.95, resamples=10_000, seed: int = 0
):
    """Each pair (a, b) in each order: measure of a minus measure of b on the same items; the
    columns are DIFFERENCES.

    Both methods see the same draws of items, so the interval is paired. Compare methods here: two
    overlapping intervals of ``measures`` decide nothing. Raises SdftError as ``measures`` does, and
    if the methods answered different items or were trained with different seeds."""
    import pandas as pd

    rows = []
    _check_columns(frame)
    for order in frame["order"].unique():
        for a, b in pairs:
            _check_same_items(frame, a, b, order)
            (x, n, seeds), (y, _, _) = (
                _resampled(frame, method, order, resamples, seed) for method in (a, b)
            )
            for name in MEASURES:
                rows.append((order, a, b, name, *_limits(x[name] - y[name], level), n[name], seeds))
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _read_off(r):
    """The four measures of matrices R of shape [..., T + 1 stages, T tasks], by name, each of shape
    [...].
    """
    tasks = r.shape[-1]
    own, final = [r[..., j + 1, j] for j in range(tasks)], r[..., tasks, :]
    earlier, later = range(tasks - 1), range(1, tasks)
    return {
        "ACC": final.mean(axis=-1),
        "BWT": sum(final[..., j] - own[j] for j in earlier) / (tasks - 1),
        "FWT": sum(r[..., j, j] - r[..., 0, j] for j in later) / (tasks - 1),
        "forgetting": sum(r[..., 1:tasks, j].max(axis=-1) - final[..., j] for j in earlier)
        / (tasks - 1),
    }


def _resampled(frame, method, order, resamples: int, seed: int):
    """({measure: [the estimate, then a value for each resample]}, {measure: n}, number of
    seeds).
    """
    import numpy as np

    scores, seeds = _scores(frame, method, order)
    if len(scores) < 2:
        raise SdftError(f'the order "{order}" has one task; these measures need two tasks or more.')
    means = [
        _task_means(x, resamples, [seed, sorted(scores).index(task)]) for task, x in scores.items()
    ]
    found = {
        name: value.mean(axis=1) for name, value in _read_off(np.stack(means, axis=-1)).items()
    }
    sizes = [len(x) for x in scores.values()]
    n = {
        "ACC": sum(sizes),
        "BWT": sum(sizes[:-1]),
        "FWT": sum(sizes[1:]),
        "forgetting": sum(sizes[:-1]),
    }
    return found, n, seeds


def _task_means(x, resamples: int, seed: list[int]):
    """Means over items of ``x`` [items, seeds, stages]: the sample, then resamples -> [1 +
    resamples, seeds, stages].

    How often each item is drawn is multinomial, the same for all seeds and stages.
    """
    import numpy as np

    n, flat, rng = len(x), x.reshape(len(x), -1), np.random.default_rng(seed)
    step, parts = max(1, stats.CHUNK // n), [flat.mean(axis=0, keepdims=True)]
    for start in range(0, resamples, step):
        parts.append(
            rng.multinomial(n, np.full(n, 1 / n), size=min(step, resamples - start)) @ flat / n
        )
    return np.concatenate(parts).reshape(-1, *x.shape[1:])


def _limits(values, level: float) -> tuple[float, float, float]:
    """Estimate, low, high from [the estimate, resamples...]."""
    import numpy as np

    if not 0 < level < 1:
        raise SdftError(f"a confidence level lies between 0 and 1, not {level}; 0.95 is usual.")
    low, high = np.percentile(values[1:], [50 * (1 - level), 50 * (1 + level)])
    return float(values[0]), float(low), float(high)


def _scores(frame, method, order):
    """({task: array of shape [items, seeds, stages], sorted by id}, number of seeds), checked;
    tasks in sequence.
    """
    import numpy as np

    part = frame[(frame["method"] == method) & (frame["order"] == order)]
    tasks, where = str(order).split("-"), f'method "{method}", order "{order}"'
    if part.empty:
        raise SdftError(f"{where}: no scores; train and evaluate it first.")
    if other := sorted(set(part["task"]) - set(tasks)):
        raise SdftError(
            f'{where}: the task "{other[0]}" is not in the order; drop its rows or correct the order.'
        )
    if other := sorted(set(part["stage"]) - set(range(len(tasks) + 1))):
        raise SdftError(
            f"{where}: there is no stage {other[0]}; stages run from 0 (the seed model) to {len(tasks)}."
        )
    if bad := int((~np.isfinite(part["score"].astype(float))).sum()):
        raise SdftError(f"{where}: {bad} of {len(part)} scores are missing or infinite.")
    seeds, found = sorted(part["seed"].unique()), {}
    for task in tasks:
        runs = [_run(part, task, run, len(tasks), where) for run in seeds]
        if any(not run.index.equals(runs[0].index) for run in runs):
            raise SdftError(
                f'{where}: the seeds have different ids on the task "{task}"; evaluate the same rows.'
            )
        found[task] = np.stack([run.to_numpy(dtype=float) for run in runs], axis=1)
    return found, len(seeds)


def _run(part, task: str, seed, last: int, where: str):
    """Scores of one task and training seed, DataFrame[id by stage]; SdftError if a stage is missing
    or ids differ.
    """
    rows, where = part[(part["task"] == task) & (part["seed"] == seed)], f"{where}, seed {seed}"
    for stage in range(last + 1):
        if not (rows["stage"] == stage).any():
            raise SdftError(
                f'{where}: stage {stage} has no scores on the task "{task}"; evaluate it there first.'
            )
    if (twice := rows.duplicated(["stage", "id"])).any():
        raise SdftError(
            f'{where}: the id "{rows["id"][twice].iloc[0]}" of "{task}" occurs twice at one stage.'
        )
    table = rows.pivot(index="id", columns="stage", values="score")  # sorted by id
    if alone := int(table.isna().any(axis=1).sum()):
        raise SdftError(
            f'{where}: the stages have different ids on the task "{task}" ({alone} are not in all stages); '
            "evaluate every stage on the same rows."
        )
    return table


def _check_same_items(frame, a, b, order) -> None:
    """SdftError unless both methods have the same seeds and the same (task, id) in this order."""
    keys = [frame[(frame["method"] == m) & (frame["order"] == order)] for m in (a, b)]
    for columns, what in ((["seed"], "training seeds"), (["task", "id"], "items")):
        x, y = (set(part[columns].itertuples(index=False, name=None)) for part in keys)
        if x != y:
            raise SdftError(
                f'order "{order}": "{a}" and "{b}" have different {what}; compare them on the same ones.'
            )


def _check_columns(frame) -> None:
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise SdftError(
            f"the table of scores lacks {', '.join(missing)}; it needs {', '.join(COLUMNS)}."
        )
    if frame.empty:
        raise SdftError("the table of scores is empty.")


def _said(names) -> str:
    return ", ".join(map(str, names[:3])) + (", …" if len(names) > 3 else "")
