"""Several tasks, one after the other: train, go on from there, score every task at every stage
(lesson 06).

Each stage trains the model that the stage before left, with an adapter of its own. The rewrites of
SDFT come from the seed model, once for each task, so that every order trains on the same rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sdft_lib.experiments.continual import COLUMNS
from sdft_lib.experiments.grid import fill, items, lines_of
from sdft_lib.experiments.methods import TASKS_IN_A_ROW, with_replay
from sdft_lib.experiments.methods import method as known_method
from sdft_lib.experiments.run_one import run_one
from sdft_lib.storage.errors import SdftError


def tasks_of(order: str) -> list[str]:
    """The tasks of an order such as ``tickets-sums-calls``; raises SdftError for less than two, or
    one named twice.
    """
    names = order.split("-")
    if len(names) < 2 or len(set(names)) < len(names):
        raise SdftError(
            f'order "{order}": name two or more different tasks, joined by -, such as tickets-sums-calls.'
        )
    return names


def train_stages(
    seed, order: str, method: str, config, *, template, rows: int | None = None, say=print
) -> Iterator:
    """The models of stage 0 (``seed``), 1, ... of an order, one at a time; ``list()`` keeps them
    all in memory.

    ``method``: ``sft``, ``sdft``, or ``replay``, which is SFT with a quarter of each later stage's
    rows taken from the tasks before. ``rows``: training rows a task. Instant where the store holds
    a stage."""
    from sdft_lib.data import load_task
    from sdft_lib.models import with_adapter

    rehearsal = known_method(method, TASKS_IN_A_ROW).rehearsal
    tasks, earlier, model = [load_task(name) for name in tasks_of(order)], [], seed
    yield model
    for number, task in enumerate(tasks, 1):
        own = stage_rows(seed, task, method, template, rows, say)
        chosen = rehearsed(own, earlier, rehearsal, config.seed)
        label = f"{method}, stage {number}: {task.name}"
        run = run_one(seed, task, method, config, rows=chosen, start=model, label=label, say=say)
        model = with_adapter(model, run.tuned.adapter, label=f"stage-{number}")
        earlier += own
        yield model


def stage_rows(seed, task, method: str, template, rows: int | None, say) -> list[dict]:
    """The first ``rows`` training rows of a task, for SDFT with the seed model's rewrites."""
    from sdft_lib.distill import distill

    return (
        distill(seed, task, template, limit=rows, say=say).rows
        if method == "sdft"
        else list(task.train[:rows])
    )


def rehearsed(
    rows: Sequence[dict], earlier: Sequence[dict], share: float, seed: int = 0
) -> list[dict]:
    """The rows with a random ``share`` of them replaced by rows of earlier tasks: the steps stay as
    many.
    """
    return with_replay(rows, earlier, min(share, len(earlier) / max(1, len(rows))), seed)


def stage_scores(
    models, order: str, *, method: str, training_seed: int, limit: int | None = None, say=print
):
    """Test scores of every task at every stage: rows with method, seed, order, stage, task, id and
    score.

    ``models`` are those of ``train_stages``, all of them; ``limit``: items a task. The columns are
    continual.COLUMNS."""
    from sdft_lib.data import load_task, task_suite
    from sdft_lib.evaluate import cut, evaluate_suite

    suites = {name: cut(task_suite(load_task(name), "test"), limit) for name in tasks_of(order)}
    rows = []
    for stage, model in enumerate(models):
        for name, suite in suites.items():
            scored = evaluate_suite(model, suite, f"{method}, stage {stage}, {name}", say)
            rows += [
                dict(
                    zip(
                        COLUMNS,
                        (method, training_seed, order, stage, name, row["id"], row["score"]),
                    )
                )
                for row in scored
            ]
    return rows


def run_orders(recipe, out: Path, *, methods: Sequence[str] = (), say=print) -> int:
    """Compute each (order, seed, method) of a recipe that ``out`` does not hold and append it;
    returns how many.

    ``methods``: only these. A cell is appended at once when it ends: a line a stage and task, and
    one of facts."""
    from sdft_lib.experiments.evidence import facts
    from sdft_lib.models import load_seed
    from sdft_lib.storage.store import digest

    key = digest(recipe.settings)
    done = {
        (line["order"], line["seed"], line["method"])
        for line in lines_of(out, key)
        if "facts" in line
    }
    wanted = [name for name in recipe.methods if not methods or name in methods]
    cells = {
        (order, number, name): f"{name}, {order}, seed {number}"
        for number in recipe.seeds
        for order in recipe.orders
        for name in wanted
    }

    def make():
        seed = load_seed(recipe.model, say=say)

        def compute(cell) -> list[dict]:
            order, number, name = cell
            head = {
                "recipe": recipe.name,
                "settings": key,
                "method": name,
                "seed": number,
                "order": order,
            }
            return [
                head | line
                for line in [
                    *order_lines(recipe, seed, order, name, number, say),
                    {"facts": facts(seed)},
                ]
            ]

        return compute

    return fill(recipe.name, out, cells, done, make, say=say)


def order_lines(recipe, seed, order: str, method: str, training_seed: int, say) -> list[dict]:
    """One line a stage and task with ids and scores."""
    from sdft_lib.templates import load_template

    config = replace(recipe.config(training_seed), keep=())
    models = train_stages(
        seed,
        order,
        method,
        config,
        template=load_template(recipe.template),
        rows=recipe.rows,
        say=say,
    )
    limit = (recipe.limits or {}).get("task")
    lines: dict = {}
    for row in stage_scores(
        models, order, method=method, training_seed=training_seed, limit=limit, say=say
    ):
        line = lines.setdefault((row["stage"], row["task"]), {"ids": [], "scores": []})
        line["ids"].append(row["id"])
        line["scores"].append(row["score"])
    return [{"stage": stage, "task": task, **line} for (stage, task), line in lines.items()]


def read_stages(paths: Sequence[Path]):
    """All items of recorded files: DataFrame with continual.COLUMNS, from which the matrix and
    measures are made.
    """
    import pandas

    return pandas.DataFrame(items(paths, COLUMNS[:-2]), columns=COLUMNS)
