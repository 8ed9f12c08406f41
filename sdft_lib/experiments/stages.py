"""Several tasks, one after the other: train, go on from there, score every task at every stage
(lesson 07).

Each stage trains the model that the stage before left, with an adapter of its own. The rewrites of
SDFT come from the seed model, once for each task, so that every order trains on the same rows."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas

from sdft_lib.data import data_dir, load_task, task_suite
from sdft_lib.distill import distill
from sdft_lib.evaluate import cut, evaluate_suite
from sdft_lib.experiments.methods import METHODS, TASKS_IN_A_ROW
from sdft_lib.experiments.run_one import run_one
from sdft_lib.formats.toml import check_known
from sdft_lib.models import Seed, with_adapter
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import DistillTemplate
from sdft_lib.train import TrainConfig

FIT = re.compile(r"^\| score (of the seed|after SFT) \| ([\d.]+)", re.M)


def tasks_of(order: str) -> list[str]:
    """The tasks of an order, such as ``tickets-sums``; SdftError unless two or more, each once."""
    names = order.split("-")
    if len(names) < 2 or len(set(names)) < len(names):
        raise SdftError(f'order "{order}": name two or more different tasks, such as tickets-sums.')
    return names


def alone(names: Sequence[str]) -> pandas.DataFrame:
    """What the cards of bundled tasks say, each task alone: task, seed, sft (scores on dev).

    A task of your own has no such card and is left out."""
    rows = []
    for name in names:
        card = data_dir() / "tasks" / name / "README.md"
        fit = dict(FIT.findall(card.read_text(encoding="utf-8"))) if card.is_file() else {}
        if len(fit) == 2:
            rows.append((name, float(fit["of the seed"]), float(fit["after SFT"])))
    return pandas.DataFrame(rows, columns=["task", "seed", "sft"])


def train_stages(
    seed: Seed,
    order: str,
    method: str,
    config: TrainConfig,
    *,
    template: DistillTemplate,
    rows: int | None = None,
    say: Callable[[str], None] = print,
) -> Iterator[Seed]:
    """The models of stage 0 (``seed``), 1, ... of an order, one at a time; ``list()`` keeps all.

    ``method``: ``sft``, ``sdft``, or ``replay``, which is SFT with a quarter of each later stage's
    rows taken from the tasks before. ``rows``: training rows a task. Instant where the store holds
    a stage."""
    check_known(method, TASKS_IN_A_ROW, f"order {order}: method")
    tasks, earlier, model = [load_task(name) for name in tasks_of(order)], [], seed
    yield model
    for number, task in enumerate(tasks, 1):
        own = list(task.train[:rows])
        if METHODS[method].column == "text":
            own = distill(seed, task, template, limit=rows, say=say).rows
        mixed = rehearsed(own, earlier, METHODS[method].rehearsal, config.seed)
        label = f"{method}, stage {number}: {task.name}"
        run = run_one(seed, task, method, config, rows=mixed, start=model, label=label, say=say)
        model = with_adapter(model, run.tuned.adapter, label=f"stage-{number}")
        earlier += own
        yield model


def rehearsed(
    rows: Sequence[dict], earlier: Sequence[dict], share: float, seed: int = 0
) -> list[dict]:
    """The rows, a random ``share`` replaced by rows of earlier tasks: the steps stay as many."""
    made, source = list(rows), random.Random(seed)
    count = min(round(share * len(rows)), len(earlier))
    indices = source.sample(range(len(rows)), count)
    for index, row in zip(indices, source.sample(list(earlier), count), strict=True):
        made[index] = row
    return made


def stage_scores(
    models: Iterable[Seed],
    order: str,
    *,
    method: str,
    training_seed: int,
    limit: int | None = None,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """Test scores of every task at every stage: rows with method, seed, order, stage, task, id,
    score (``continual.COLUMNS``) and unit.

    ``models`` are those of ``train_stages``, all of them; ``limit``: items a task."""
    suites = {name: cut(task_suite(load_task(name), "test"), limit) for name in tasks_of(order)}
    rows = []
    for stage, model in enumerate(models):
        for name, suite in suites.items():
            head = {"method": method, "seed": training_seed, "order": order}
            head |= {"stage": stage, "task": name}
            for row in evaluate_suite(model, suite, f"{method}, stage {stage}, {name}", say):
                rows.append(head | {key: row[key] for key in ("id", "score", "unit")})
    return rows
