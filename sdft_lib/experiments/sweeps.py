"""A sweep of training settings, scored on dev alone: is the baseline as strong as it can be?
(lesson 05)

A weak baseline proves nothing, so learning rate and rank are varied for SFT and for SDFT alike,
with one training seed."""

from collections.abc import Sequence
from pathlib import Path

from sdft_lib.experiments.grid import fill, lines_of
from sdft_lib.storage.files import read_jsonl

COLUMNS = ["method", "seed", "n", "dev", "seconds", "scores"]


def run_sweep(recipe, out: Path, *, methods: Sequence[str] = (), say=print) -> int:
    """Compute each (settings, method, seed) that ``out`` does not hold and append its dev scores;
    returns how many.
    """
    from sdft_lib.data import load_task
    from sdft_lib.models import load_seed
    from sdft_lib.storage.store import digest

    key = digest({name: value for name, value in recipe.settings.items() if name != "sweep"})
    done = {(digest(line["training"]), line["method"], line["seed"]) for line in lines_of(out, key)}
    wanted = [name for name in recipe.methods if not methods or name in methods]
    settings = {digest(training): training for training in recipe.sweep}
    cells = {
        (mark, name, seed): f"{name}, {training}"
        for seed in recipe.seeds
        for mark, training in settings.items()
        for name in wanted
    }

    def make():
        model, task = load_seed(recipe.model, say=say), load_task(recipe.task)

        def compute(cell) -> list[dict]:
            mark, name, seed = cell
            head = {
                "recipe": recipe.name,
                "settings": key,
                "method": name,
                "seed": seed,
                "training": settings[mark],
            }
            return [head | dev_cell(recipe, model, task, name, settings[mark], seed, say)]

        return compute

    return fill(recipe.name, out, cells, done, make, say=say)


def dev_cell(recipe, model, task, name: str, training: dict, seed: int, say) -> dict:
    """Train with some settings and score the dev items: ids, scores and facts."""
    from sdft_lib.evaluate import evaluate_suite
    from sdft_lib.experiments.evidence import facts, suite, trained

    def score(tuned, share: float) -> list[dict]:
        return evaluate_suite(tuned, suite(recipe, task, "dev"), name, say)

    run = trained(recipe, model, task, name, recipe.config(seed, **training), score, say)
    scored = run.scores
    cost = {
        key: run.tuned.record.get(key) for key in ("seconds", "peak_mb", "trainable_parameters")
    }
    return {
        "ids": [row["id"] for row in scored],
        "scores": [row["score"] for row in scored],
        "facts": facts(model) | {"training": cost},
    }


def read_sweep(paths: Sequence[Path]):
    """Dev scores of a sweep, best first: DataFrame with the settings varied, method, seed, n, dev
    (mean), seconds, and ``scores`` (of each dev item, in their order)."""
    import pandas

    rows = []
    for line in (line for path in paths for line in read_jsonl(path)):
        n = len(line["scores"])
        settings = {key: plain(value) for key, value in line["training"].items()}
        rows.append(
            settings
            | {
                "method": line["method"],
                "seed": line["seed"],
                "n": n,
                "dev": sum(line["scores"]) / n,
                "seconds": line["facts"]["training"]["seconds"],
                "scores": line["scores"],
            }
        )
    frame = pandas.DataFrame(rows)
    return (
        frame.sort_values("dev", ascending=False, ignore_index=True)
        if rows
        else pandas.DataFrame(columns=COLUMNS)
    )


def best_against_used(sweep, used) -> list[str]:
    """A sentence for each method: its best setting on dev, and how far the settings ``used``, a
    TrainConfig, lie below.

    The interval is paired by dev item; it knows nothing of the choice of the best among several,
    which flatters it."""
    from sdft_lib.stats import paired_bootstrap

    varied, lines = [name for name in sweep.columns if name not in COLUMNS], []
    for name, part in sweep.groupby("method"):
        best = part.iloc[0]
        told = ", ".join(
            f"{key} {best[key]:g}" if isinstance(best[key], float) else f"{key} {best[key]}"
            for key in varied
            if best[key] == best[key]
        )
        said = f"{name}: best on dev {best['dev']:.2f} with {told}"
        mine = part[[is_used(row, used, varied) for _, row in part.iterrows()]]
        if mine.empty:
            lines.append(f"{said}; the setting of this lesson was not swept.")
            continue
        below = paired_bootstrap(best["scores"], mine.iloc[0]["scores"])
        lines.append(
            f"{said}; the setting of this lesson: {mine.iloc[0]['dev']:.2f}, lower by {below}"
        )
    return lines


def is_used(row, used, varied: Sequence[str]) -> bool:
    """Whether a row of ``read_sweep`` has the settings ``used``; what a row does not vary is at its
    default.
    """
    from sdft_lib.train import TrainConfig

    default = TrainConfig()
    return all(
        plain(getattr(used, name))
        == (row[name] if row[name] == row[name] else plain(getattr(default, name)))
        for name in varied
    )


def plain(value):
    """A setting as one cell of a table: a list as its words."""
    return ", ".join(value) if isinstance(value, list | tuple) else value
