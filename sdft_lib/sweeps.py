"""A sweep of training settings, scored on dev alone: is the baseline as strong as it can be? (lesson 05)

A weak baseline proves nothing, so learning rate and rank are varied for SFT and for SDFT alike, with one training seed.
"""

from collections.abc import Sequence
from pathlib import Path

from sdft_lib.disk import append_jsonl, read_jsonl

COLUMNS = ["method", "seed", "n", "dev", "seconds"]


def run_sweep(recipe, out: Path, *, methods: Sequence[str] = (), say=print) -> int:
    """Compute each (settings, method, seed) that ``out`` does not hold and append its dev scores; returns how many."""
    from sdft_lib.data import load_task
    from sdft_lib.models import load_seed
    from sdft_lib.store import digest

    key = digest({name: value for name, value in recipe.settings.items() if name != "sweep"})
    done = set()
    if Path(out).exists():
        done = {(digest(x["training"]), x["method"], x["seed"]) for x in read_jsonl(out) if x["settings"] == key}
    wanted = [name for name in recipe.methods if not methods or name in methods]
    cells = [(training, name, seed) for seed in recipe.seeds for training in recipe.sweep for name in wanted]
    todo = [(training, name, seed) for training, name, seed in cells if (digest(training), name, seed) not in done]
    say(f"{recipe.name}: {len(cells) - len(todo)} cells are there, {len(todo)} to compute")
    model, task = (load_seed(recipe.model, say=say), load_task(recipe.task)) if todo else (None, None)
    for number, (training, name, seed) in enumerate(todo, 1):
        say(f"cell {number} of {len(todo)}: {name}, {training}")
        head = {"recipe": recipe.name, "settings": key, "method": name, "seed": seed, "training": training}
        append_jsonl(out, [head | dev_cell(recipe, model, task, name, training, seed, say)])
    return len(todo)


def dev_cell(recipe, model, task, name: str, training: dict, seed: int, say) -> dict:
    """Train with some settings and score the dev items: ids, scores and facts."""
    from sdft_lib.evaluate import evaluate_suite
    from sdft_lib.evidence import facts, suite, training_rows
    from sdft_lib.methods import configured, method
    from sdft_lib.models import with_adapter
    from sdft_lib.train import fine_tune

    chosen = method(name)
    rows = training_rows(recipe, model, task, chosen, seed, say)
    config = configured(chosen, recipe.config(seed, **training))
    tuned = fine_tune(model, rows, config, column=chosen.column, label=name, say=say)
    scored = evaluate_suite(with_adapter(model, tuned.adapter, label=name), suite(recipe, task, "dev"), name, say)
    cost = {key: tuned.record.get(key) for key in ("seconds", "peak_mb", "trainable_parameters")}
    return {"ids": [row["id"] for row in scored], "scores": [row["score"] for row in scored],
            "facts": facts(model) | {"training": cost}}  # fmt: skip


def read_sweep(paths: Sequence[Path]):
    """Dev scores of a sweep, best first: DataFrame with the settings varied, method, seed, n, dev (mean), seconds."""
    import pandas

    rows = []
    for line in (line for path in paths for line in read_jsonl(path)):
        n = len(line["scores"])
        settings = {key: ", ".join(value) if isinstance(value, list) else value for key, value in
                    line["training"].items()}  # fmt: skip
        rows.append(settings | {"method": line["method"], "seed": line["seed"], "n": n, "dev": sum(line["scores"]) / n,
                                "seconds": line["facts"]["training"]["seconds"]})  # fmt: skip
    frame = pandas.DataFrame(rows)
    return frame.sort_values("dev", ascending=False, ignore_index=True) if rows else pandas.DataFrame(columns=COLUMNS)
