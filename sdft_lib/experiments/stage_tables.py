"""Own and recorded runs of several tasks, side by side: what is there, what was learnt, what the
intervals say.

``continual`` computes the measures; here are the steps around it that lesson 06 shows once and then
uses."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdft_lib.experiments.continual import COLUMNS, DIFFERENCES, MEASURES, differences
from sdft_lib.experiments.recorded import at_shared_seeds, results_file
from sdft_lib.stats import COMPARISON, compare, holm

SHORT = {"sft": "SFT", "sdft": "SDFT"}
BETTER = {  # what a higher value of each measure means, and a lower one
    "ACC": ("scores higher on all tasks at the end", "scores lower on all tasks at the end"),
    "BWT": ("lost less to later tasks", "lost more to later tasks"),
    "FWT": (
        "gained more on tasks before they were trained",
        "gained less on tasks before they were trained",
    ),
    "forgetting": ("forgot more", "forgot less"),
}
FIT = re.compile(r"^\| score (of the seed|after SFT) \| ([\d.]+)", re.M)


def alone(names: Sequence[str]):
    """What the cards of bundled tasks say, each task alone: DataFrame with task, seed, sft (scores
    on dev).

    A task of your own has no such card and is left out.
    """
    import pandas

    from sdft_lib.data import data_dir

    rows = []
    for name in names:
        card = data_dir() / "tasks" / name / "README.md"
        found = dict(FIT.findall(card.read_text(encoding="utf-8"))) if card.is_file() else {}
        if len(found) == 2:
            rows.append((name, float(found["of the seed"]), float(found["after SFT"])))
    return pandas.DataFrame(rows, columns=["task", "seed", "sft"])


def recorded(model: str = "smollm2-135m", folder: Path | None = None):
    """Every recorded item of ``results/continual.jsonl`` in ``folder`` (default: the bundled data),
    as COLUMNS.

    Empty where nothing is recorded, or where ``recipes/continual.toml`` names another model.
    """
    import pandas

    from sdft_lib.experiments.stages import read_stages

    path = results_file("continual", model, folder)
    return read_stages([path]) if path else pandas.DataFrame(columns=COLUMNS)


def inventory(frame) -> str:
    """Which methods, orders and training seeds a table of recorded scores holds, in one sentence a
    method and order.
    """
    if frame.empty:
        return "Nothing is recorded for this model: the figures show your own run alone."
    lines = []
    for (method, order), part in frame.groupby(["method", "order"], sort=False):
        seeds = ", ".join(map(str, sorted(part["seed"].unique())))
        items = part[["task", "id"]].drop_duplicates().groupby("task").size().max()
        lines.append(
            f"Recorded: {method}, {order}, training seeds {seeds}, up to {items} test items a task."
        )
    return "\n".join(lines)


def together(runs: Mapping[str, Any]):
    """Several tables in one, the source in each method's name, such as "SFT (yours)"; empty ones
    are left out.
    """
    import pandas

    parts = []
    for source, frame in runs.items():
        names = [f"{SHORT.get(method, method)} ({source})" for method in frame["method"]]
        parts += [frame.assign(method=names)] if names else []
    return pandas.concat(parts, ignore_index=True)


def versus(frame, pairs: Sequence[tuple[str, str]], *, level: float = 0.95):
    """``continual.differences`` of every pair and order that is there, at shared training seeds;
    columns DIFFERENCES.

    The intervals hold together: with k rows each has the level 1 - (1 - level) / k (Bonferroni).
    """
    import pandas

    parts = _parts(frame, pairs)
    each = 1 - (1 - level) / max(1, len(MEASURES) * len(parts))
    tables = [differences(part, [pair], level=each) for part, pair in parts]
    return (
        pandas.concat(tables, ignore_index=True)
        if tables
        else pandas.DataFrame(columns=DIFFERENCES)
    )


def learnt_versus(frame, pairs: Sequence[tuple[str, str]]):
    """Scores just after a task was trained, a minus b, a row a task, pair and order; order and
    stats.COMPARISON.

    Holm's correction covers all rows.
    """
    return _corrected(
        [
            compare(picked(part, "own"), [pair]).assign(order=part["order"].iloc[0])
            for part, pair in _parts(frame, pairs)
        ],
        "order",
    )


def _parts(frame, pairs: Sequence[tuple[str, str]]) -> list:
    """(rows, pair) of every order and pair with a training seed in common."""
    found = [
        (at_shared_seeds(frame[frame["order"] == order], pair), pair)
        for order in frame["order"].unique()
        for pair in pairs
    ]
    return [(part, pair) for part, pair in found if set(part["method"]) == set(pair)]


def _corrected(tables: list, first: str):
    """Tables of ``compare`` as one, the column ``first`` in front, Holm's correction over all
    rows.
    """
    import pandas

    columns = [first, *COMPARISON]
    if not tables:
        return pandas.DataFrame(columns=columns)
    table = pandas.concat(tables, ignore_index=True)[columns]
    table["p_holm"] = holm(table["p_raw"].tolist())
    return table


def in_words(row) -> str:
    """One row of ``versus`` as a sentence that follows from its interval."""
    seeds = f"{row.seeds} training seed{'s' if row.seeds > 1 else ''}"
    said = f"{row.measure}: {row.a} minus {row.b} lies in {row.low:+.2f} to {row.high:+.2f} ({row.n} items, {seeds})"
    more, less = BETTER[row.measure]
    if row.low > 0:
        return f"{said}: {row.a} {more}."
    if row.high < 0:
        return f"{said}: {row.a} {less}."
    return f"{said}: the interval covers 0, no difference is shown."


def picked(frame, when: str):
    """One score an item, the mean over training seeds: ``own``, just after its task was trained, or
    ``end``.

    DataFrame with method, order, suite (the task), id, score.
    """
    tasks = {order: order.split("-") for order in frame["order"].unique()}
    stages = [
        tasks[order].index(task) + 1 if when == "own" else len(tasks[order])
        for order, task in zip(frame["order"], frame["task"])
    ]
    part = frame[frame["stage"] == stages].rename(columns={"task": "suite"})
    return part.groupby(["method", "order", "suite", "id"], sort=False, as_index=False)[
        "score"
    ].mean()


def learnt(frame):
    """Mean score just after each task was trained and at the end, DataFrame[method and order; task
    by own, end].
    """
    import pandas

    keys = ["method", "order", "suite"]
    means = {
        when: picked(frame, when).groupby(keys, sort=False)["score"].mean()
        for when in ("own", "end")
    }
    table = pandas.DataFrame(means).unstack("suite").swaplevel(axis="columns")
    tasks = list(dict.fromkeys(frame["task"]))
    return table[[(task, when) for task in tasks for when in means]]


def order_effect(frame):
    """Scores at the end in the first order minus the second, a row a method and task: method and
    stats.COMPARISON.

    Empty if no method has two orders with a shared training seed. Holm's correction covers all
    rows."""
    orders, tables = tuple(frame["order"].unique()[:2]), []
    for method in frame["method"].unique():
        part = at_shared_seeds(frame[frame["method"] == method], orders, "order")
        if part["order"].nunique() == 2:
            rows = picked(part, "end")
            tables.append(
                compare(rows.assign(method=rows["order"]), [orders]).assign(method=method)
            )
    return _corrected(tables, "method")


def order_in_words(row) -> str:
    """One row of ``order_effect`` as a sentence that follows from its interval and its corrected
    p.
    """
    first, second = (order.split("-").index(row.suite) + 1 for order in (row.a, row.b))
    said = (
        f"{row.method}, {row.suite} (place {first} of {row.a} minus place {second} of {row.b}): {row.low:+.2f} to "
        f"{row.high:+.2f}, n {row.n}"
    )
    if row.p_holm >= 0.05:
        return f"{said}: no difference is shown."
    return f"{said}: {'higher' if row.difference > 0 else 'lower'} at the end in the order {row.a}."
