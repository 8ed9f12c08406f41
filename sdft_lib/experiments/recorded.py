"""Recorded runs beside your own: what is there, which seeds two methods share, and what the
intervals say (lesson 05).

``sdft run --recipe`` records cell by cell, so a file may hold some methods only, or more seeds of
one than of another."""

from collections.abc import Sequence
from pathlib import Path

from sdft_lib.experiments.frontier import COLUMNS, FEWEST_SEEDS, MATCHED, choose, matched_comparison
from sdft_lib.storage.errors import SdftError


def recorded(task: str = "tickets", model: str = "smollm2-135m", folder: Path | None = None):
    """Every recorded item of a task: the DataFrame of ``read_results``, empty where nothing fits
    task and model.

    The file is ``results/<task>.jsonl`` in ``folder`` (default: the bundled data); the recipe of
    the same name tells the model. Cells that did not come to their end are left out."""
    import pandas

    from sdft_lib.experiments.evidence import costs, read_results

    nothing = pandas.DataFrame(columns=["recipe", *COLUMNS])
    if not (path := results_file(task, model, folder, task=task)):
        return nothing
    frame, ended = read_results([path]), costs([path])
    if frame.empty or ended.empty:
        return nothing
    cells = set(zip(ended["method"], ended["seed"], strict=True))
    pairs = zip(frame["method"], frame["seed"], strict=True)
    return frame[[cell in cells for cell in pairs]].reset_index(drop=True)


def swept(task: str = "tickets", model: str = "smollm2-135m", folder: Path | None = None):
    """The recorded sweep of settings: the DataFrame of ``read_sweep``, best dev score first; empty
    where none fits.
    """
    from sdft_lib.experiments.sweeps import read_sweep

    path = results_file("sweep", model, folder, task=task)
    return read_sweep([path] if path else [])


def results_file(
    name: str, model: str, folder: Path | None = None, *, task: str | None = None
) -> Path | None:
    """The results file of a recipe, if there is one and the recipe is about this model (and task,
    if one is given).
    """
    from sdft_lib.data import data_dir
    from sdft_lib.experiments.recipes import load_recipe

    folder = Path(folder or data_dir())
    path, recipe = folder / "results" / f"{name}.jsonl", folder / "recipes" / f"{name}.toml"
    if not (path.is_file() and recipe.is_file()):
        return None
    found = load_recipe(recipe)
    return path if found.model == model and task in (None, found.task) else None


def seeds_of(frame) -> dict[str, list[int]]:
    """The training seeds of each method, the seed model left out, in the order of the file."""
    trained = frame[frame["method"] != "seed"]
    return {
        name: sorted(trained[trained["method"] == name]["seed"].unique())
        for name in trained["method"].unique()
    }


def inventory(frame) -> str:
    """One sentence: which methods and how many training seeds are recorded."""
    if not (found := seeds_of(frame)):
        return "Nothing is recorded for this task and model: the figures show your own run alone."
    told = ", ".join(
        f"{name} ({len(seeds)} seed{'s' if len(seeds) > 1 else ''})"
        for name, seeds in found.items()
    )
    fewest = min(map(len, found.values()))
    return f"Recorded: {told}. " + (
        "Intervals over training seeds are given."
        if fewest >= FEWEST_SEEDS
        else f"Intervals over training seeds need at least {FEWEST_SEEDS}: where there are fewer, none is given."
    )


def at_shared_seeds(frame, names: Sequence[str], column: str = "method"):
    """The rows of these methods (or orders) at the training seeds that all of them have; empty if
    they share none.
    """
    seeds = [set(frame[frame[column] == name]["seed"]) for name in names]
    return frame[frame[column].isin(names) & frame["seed"].isin(set.intersection(*seeds))]


def against(
    frame, a: str, suites: Sequence[str] = ("facts",), *, task: str = "task", level: float = 0.95
):
    """``matched_comparison`` of ``a`` with every other method and suite that can be compared; the
    columns are MATCHED.

    The intervals hold together: with k rows each has the level 1 - (1 - level) / k (Bonferroni). A
    suite that the chosen checkpoints were not scored on is left out. Empty if there is nothing to
    compare with."""
    import pandas

    pairs = [(b, at_shared_seeds(frame, (a, b))) for b in seeds_of(frame) if b != a]
    wanted = [
        (b, part, [suite for suite in suites if _scored(part, a, b, suite, task)])
        for b, part in pairs
    ]
    rows = sum(1 + len(names) for _, _, names in wanted if names)
    tables = []
    for b, part, names in wanted:
        for number, suite in enumerate(names):
            table = matched_comparison(part, a, b, suite, task=task, level=1 - (1 - level) / rows)
            tables.append(table if number == 0 else table[table["suite"] != task])
    return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame(columns=MATCHED)


def with_stopped(frame, method: str = "sft"):
    """The frame with early stopping as one more method: the checkpoints of ``method`` before its
    end, "sft-stopped".
    """
    import pandas

    early = frame[(frame["method"] == method) & (frame["checkpoint"] < 1)]
    return pandas.concat([frame, early.assign(method=f"{method}-stopped")], ignore_index=True)


def _scored(part, a: str, b: str, suite: str, task: str) -> bool:
    """Whether both methods have test scores of task and suite at the checkpoints that dev
    chooses.
    """
    try:
        choice = choose(part, a, b, task=task)
    except SdftError:
        return False
    test = part[part["split"] == "test"]
    known = set(zip(test["suite"], test["method"], test["seed"], test["checkpoint"], strict=True))
    return all(
        (name, method, row["seed"], row[f"checkpoint_{side}"]) in known
        for row in choice.to_dict("records")
        for name in (task, suite)
        for method, side in ((a, "a"), (b, "b"))
    )


def shown(row) -> str:
    """What the interval of one row of ``against`` shows about its method a, in a few words."""
    if row.low > 0:
        return f"{row.a} is higher"
    return f"{row.a} is lower" if row.high < 0 else "no difference is shown"


def in_words(row) -> str:
    """One row of ``against`` as a sentence that follows from its interval."""
    said = f"{row.suite}: {row.a} minus {row.b} is {row.low:+.2f} to {row.high:+.2f} (n {row.n}, seeds {row.seeds})"
    clear = row.low > 0 or row.high < 0
    return f"{said}: {shown(row)}." if clear else f"{said}: the interval covers 0, {shown(row)}."
