"""Compute a recipe's grid cell by cell, keep every item's score, and go on where a file ends
(lesson 05).

A cell is one method with one training seed. Its lines are appended to the results file at once when
it ends: one line a checkpoint and suite with ids and scores, and one line of facts (cost, versions,
code). A later start skips the cells that the file already holds with the same settings."""

import sys
from collections.abc import Sequence
from pathlib import Path

from sdft_lib import distill, evaluate, train
from sdft_lib.experiments.grid import fill, items, lines_of
from sdft_lib.experiments.recipes import ALONG, Recipe, check_methods
from sdft_lib.experiments.run_one import Run, run_one
from sdft_lib.experiments.stages import run_orders
from sdft_lib.experiments.sweeps import run_sweep
from sdft_lib.storage.files import read_jsonl
from sdft_lib.storage.store import digest, run_facts
from sdft_lib.templates import load_template

VERSIONS = {"distill": distill.VERSION, "train": train.VERSION, "evaluate": evaluate.VERSION}


def cells(recipe: Recipe) -> list[tuple[str, int]]:
    """(method, seed) in the order of computing: the seed model first, then seed by seed, so that an
    early stop leaves every method with the same seeds."""
    return [("seed", 0), *((name, seed) for seed in recipe.seeds for name in recipe.methods)]


def finished(recipe: Recipe, out: Path) -> set[tuple[str, int]]:
    """Cells that the results file holds with this recipe's settings."""
    lines = lines_of(out, digest(recipe.settings))
    return {(line["method"], line["seed"]) for line in lines if "facts" in line}


def run_recipe(recipe: Recipe, out: Path, *, methods: Sequence[str] = (), say=print) -> int:
    """Compute the cells that ``out`` does not hold yet and append them; returns how many were
    computed.

    ``methods``: only these (and the seed model), the others in a later start.
    """
    from sdft_lib.data import load_task
    from sdft_lib.models import load_seed

    check_methods(recipe, methods, recipe.name)
    if recipe.orders:
        return run_orders(recipe, out, methods=methods, say=say)
    if recipe.sweep:
        return run_sweep(recipe, out, methods=methods, say=say)
    wanted = {
        (name, number): f"{name}, seed {number}"
        for name, number in cells(recipe)
        if not methods or name in ("seed", *methods)
    }

    def make():
        seed, task = load_seed(recipe.model, say=say), load_task(recipe.task)

        def compute(key) -> list[dict]:
            name, number = key
            lines = (
                seed_cell(recipe, seed, task, say)
                if name == "seed"
                else cell(recipe, seed, task, name, number, say)
            )
            head = {
                "recipe": recipe.name,
                "method": name,
                "seed": number,
                "settings": digest(recipe.settings),
            }
            return [head | line for line in lines]

        return compute

    return fill(recipe.name, out, wanted, finished(recipe, out), make, say=say)


def seed_cell(recipe: Recipe, seed, task, say) -> list[dict]:
    """Scores of the model before training, as checkpoint 0."""
    return [*scores(recipe, seed, task, 0.0, say), {"facts": facts(seed)}]


def cell(recipe: Recipe, seed, task, name: str, training_seed: int, say) -> list[dict]:
    """Train one method with one seed and score it along the way and at the end."""

    def score(model, share: float) -> list[dict]:
        return scores(recipe, model, task, share, say)

    run = trained(recipe, seed, task, name, recipe.config(training_seed), score, say)
    cost = ("seconds", "peak_mb", "steps", "tokens", "trained_tokens")
    record = {key: run.tuned.record.get(key) for key in cost}
    return [*run.scores, {"facts": facts(seed) | {"training": record}}]


def trained(recipe: Recipe, seed, task, name: str, config, score, say) -> Run:
    """One method on a recipe's rows."""
    options = {"template": load_template(recipe.template), "limit": recipe.rows, "say": say}
    return run_one(seed, task, name, config, score=score, **options)


def scores(recipe: Recipe, model, task, share: float, say) -> list[dict]:
    """One line a suite with ids and scores: all suites before and after training, ``along`` in
    between.
    """
    wanted = recipe.along if 0 < share < 1 else ALONG
    lines = []
    for name in dict.fromkeys(wanted):
        rows = evaluate.evaluate_suite(
            model, suite(recipe, task, name), f"{share:.0%} of training", say
        )
        lines.append(
            {
                "checkpoint": share,
                "split": "dev" if name == "dev" else "test",
                "suite": "task" if name == "dev" else name,
                "ids": [row["id"] for row in rows],
                "scores": [row["score"] for row in rows],
            }
        )
    return lines


def suite(recipe: Recipe, task, name: str):
    """A suite by name, cut to the recipe's limit; ``dev`` and ``task`` are splits of the task."""
    from sdft_lib.data import load_probes, task_suite

    splits = {"dev": "dev", "task": "test"}
    found = task_suite(task, splits[name]) if name in splits else load_probes(name)
    return evaluate.cut(found, (recipe.limits or {}).get(name))


def facts(seed) -> dict:
    """When, on what, by which command and code a cell was computed."""
    command = " ".join(["sdft", *sys.argv[1:]])
    return run_facts() | {
        "device": seed.device,
        "dtype": seed.dtype,
        "command": command,
        "code": VERSIONS,
    }


def read_results(paths: Sequence[Path]):
    """All items of results files: DataFrame with recipe, method, seed, checkpoint, split, suite,
    id, score.
    """
    import pandas

    return pandas.DataFrame(
        items(paths, ("recipe", "method", "seed", "checkpoint", "split", "suite"))
    )


def costs(paths: Sequence[Path]):
    """What each cell took: DataFrame with recipe, method, seed, seconds, peak_mb, steps, tokens,
    trained_tokens.
    """
    import pandas

    lines = [line for path in paths for line in read_jsonl(path) if "facts" in line]
    keys = ("recipe", "method", "seed")
    return pandas.DataFrame(
        [{key: line[key] for key in keys} | line["facts"].get("training", {}) for line in lines]
    )
