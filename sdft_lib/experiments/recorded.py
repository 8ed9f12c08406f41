"""Recorded runs beside your own: what is there, which seeds two methods share, and what the
intervals say (lessons 05 and 06).

``sdft run --recipe`` records cell by cell, so a file may hold some methods only, or more seeds of
one than of another."""

from collections.abc import Sequence
from pathlib import Path

import pandas

from sdft_lib.data import data_dir
from sdft_lib.experiments import continual
from sdft_lib.experiments.frontier import (
    COLUMNS,
    FEWEST_SEEDS,
    MATCHED,
    at_shared_seeds,
    choose,
    matched_comparison,
)
from sdft_lib.experiments.grid import SWEPT, costs, load_recipe, plain, read_results, read_sweep
from sdft_lib.stats import paired_bootstrap
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig


def recorded(
    task: str = "tickets", model: str = "smollm2-135m", folder: Path | None = None
) -> pandas.DataFrame:
    """Every recorded item of a task: recipe, then frontier.COLUMNS; empty where nothing fits task
    and model.

    The file is ``results/<task>.jsonl`` in ``folder`` (default: the bundled data); the recipe of
    the same name tells the model. Cells that did not come to their end are left out."""
    nothing = pandas.DataFrame(columns=["recipe", *COLUMNS])
    if not (path := results_file(task, model, folder, task=task)):
        return nothing
    frame, ended = read_results([path]), costs([path])
    if frame.empty or ended.empty:
        return nothing
    cells = set(zip(ended["method"], ended["seed"], strict=True))
    pairs = zip(frame["method"], frame["seed"], strict=True)
    return frame[[cell in cells for cell in pairs]].reset_index(drop=True)


def recorded_orders(model: str = "smollm2-135m", folder: Path | None = None) -> pandas.DataFrame:
    """Every recorded item of several tasks in a row, from ``results/continual.jsonl``: the columns
    are continual.COLUMNS; empty where nothing is recorded for this model."""
    path = results_file("continual", model, folder)
    return read_results([path] if path else [], continual.COLUMNS[:-2])


def swept(
    task: str = "tickets", model: str = "smollm2-135m", folder: Path | None = None
) -> pandas.DataFrame:
    """The recorded sweep of settings: the table of ``read_sweep``, best dev score first; empty
    where none fits."""
    path = results_file("sweep", model, folder, task=task)
    return read_sweep([path] if path else [])


def results_file(
    name: str, model: str, folder: Path | None = None, *, task: str | None = None
) -> Path | None:
    """The results file of a recipe about this model (and task, if given), if there is one."""
    folder = Path(folder or data_dir())
    path, recipe = folder / "results" / f"{name}.jsonl", folder / "recipes" / f"{name}.toml"
    if not (path.is_file() and recipe.is_file()):
        return None
    about = load_recipe(recipe)
    return path if about.model == model and task in (None, about.task) else None


def seeds_of(frame: pandas.DataFrame) -> dict[str, list[int]]:
    """The training seeds of each method, the seed model left out, in the order of the file."""
    trained = frame[frame["method"] != "seed"]
    seeds = trained.groupby("method", sort=False)["seed"].unique()
    return {name: sorted(each) for name, each in seeds.items()}


def inventory(frame: pandas.DataFrame) -> str:
    """One sentence: which methods and how many training seeds are recorded."""
    recorded_seeds = seeds_of(frame)
    if not recorded_seeds:
        return "Nothing is recorded for this task and model: the figures show your own run alone."
    parts = []
    for name, seeds in recorded_seeds.items():
        parts.append(f"{name} ({len(seeds)} seed{'s' if len(seeds) > 1 else ''})")
    said = f"Recorded: {', '.join(parts)}. "
    if min(map(len, recorded_seeds.values())) >= FEWEST_SEEDS:
        return said + "Intervals over training seeds are given."
    need = f"need at least {FEWEST_SEEDS}: where there are fewer, none is given"
    return f"{said}Intervals over training seeds {need}."


def inventory_of_orders(frame: pandas.DataFrame) -> str:
    """Which methods, orders and training seeds are recorded, one sentence a method and order."""
    if frame.empty:
        return "Nothing is recorded for this model: the figures show your own run alone."
    lines = []
    for (method, order), part in frame.groupby(["method", "order"], sort=False):
        seeds = ", ".join(map(str, sorted(part["seed"].unique())))
        items = part.groupby("task")["id"].nunique().max()
        known = f"{method}, {order}, training seeds {seeds}"
        lines.append(f"Recorded: {known}, up to {items} test items a task.")
    return "\n".join(lines)


def with_stopped(frame: pandas.DataFrame, method: str = "sft") -> pandas.DataFrame:
    """The frame with one more method, "sft-stopped": checkpoints of ``method`` before its end."""
    early = frame[(frame["method"] == method) & (frame["checkpoint"] < 1)]
    return pandas.concat([frame, early.assign(method=f"{method}-stopped")], ignore_index=True)


def against(
    frame: pandas.DataFrame,
    a: str,
    suites: Sequence[str] = ("facts",),
    *,
    task: str = "task",
    level: float = 0.95,
) -> pandas.DataFrame:
    """``matched_comparison`` of ``a`` with every other method and suite that can be compared; the
    columns are MATCHED.

    The intervals hold together: with k rows each has the level 1 - (1 - level) / k (Bonferroni). A
    suite that the chosen checkpoints were not scored on is left out. Empty if there is nothing to
    compare with."""
    wanted = []
    for b in seeds_of(frame):
        if b != a:
            part = at_shared_seeds(frame, (a, b))
            names = [suite for suite in suites if _scored(part, a, b, suite, task)]
            wanted.append((b, part, names))
    rows = sum(1 + len(names) for _, _, names in wanted if names)
    tables = []
    for b, part, names in wanted:
        for number, suite in enumerate(names):
            table = matched_comparison(part, a, b, suite, task=task, level=1 - (1 - level) / rows)
            tables.append(table if number == 0 else table[table["suite"] != task])
    return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame(columns=MATCHED)


def _scored(part: pandas.DataFrame, a: str, b: str, suite: str, task: str) -> bool:
    """Whether both methods have test scores of both suites at the checkpoints that dev chooses."""
    try:
        choice = choose(part, a, b, task=task)
    except SdftError:
        return False
    test = part[part["split"] == "test"]
    known = set(zip(test["suite"], test["method"], test["seed"], test["checkpoint"], strict=True))
    wanted = set()
    for row in choice.itertuples():
        for name in (task, suite):
            wanted.add((name, a, row.seed, row.checkpoint_a))
            wanted.add((name, b, row.seed, row.checkpoint_b))
    return wanted <= known


def shown(row) -> str:
    """What the interval of one row of ``against`` shows about its method a, in a few words."""
    if row.low > 0:
        return f"{row.a} is higher"
    return f"{row.a} is lower" if row.high < 0 else "no difference is shown"


def in_words(row) -> str:
    """One row of ``against`` as a sentence that follows from its interval."""
    covers = "" if row.low > 0 or row.high < 0 else "the interval covers 0, "
    return (
        f"{row.suite}: {row.a} minus {row.b} is {row.low:+.2f} to {row.high:+.2f} "
        f"(n {row.n}, seeds {row.seeds}): {covers}{shown(row)}."
    )


def best_against_used(sweep: pandas.DataFrame, used: TrainConfig) -> list[str]:
    """A sentence for each method: its best setting on dev, and how far the settings ``used`` lie
    below.

    The interval is paired by dev item; it knows nothing of the choice of the best among several,
    which flatters it."""
    varied, lines = [name for name in sweep.columns if name not in SWEPT], []
    for name, part in sweep.groupby("method"):
        best = part.iloc[0]
        settings = []
        for key in varied:
            if best[key] == best[key]:  # NaN: this setting was not varied
                value = f"{best[key]:g}" if isinstance(best[key], float) else best[key]
                settings.append(f"{key} {value}")
        said = f"{name}: best on dev {best['dev']:.2f} with {', '.join(settings)}"
        mine = part[[is_used(row, used, varied) for _, row in part.iterrows()]]
        if mine.empty:
            lines.append(f"{said}; the setting of this lesson was not swept.")
            continue
        below = paired_bootstrap(best["scores"], mine.iloc[0]["scores"])
        dev = mine.iloc[0]["dev"]
        lines.append(f"{said}; the setting of this lesson: {dev:.2f}, lower by {below}")
    return lines


def is_used(row: pandas.Series, used: TrainConfig, varied: Sequence[str]) -> bool:
    """Whether a row of ``read_sweep`` has the settings ``used``; one not varied is at default."""
    default = TrainConfig()
    for name in varied:
        value = row[name] if row[name] == row[name] else plain(getattr(default, name))
        if plain(getattr(used, name)) != value:
            return False
    return True
