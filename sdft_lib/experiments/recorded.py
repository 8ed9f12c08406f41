"""Recorded runs beside your own: what is there, which seeds two methods share, and what the
intervals say (lessons 05 to 07).

``sdft run --recipe`` records cell by cell: a file may hold some methods only, or unlike seeds."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pandas

from sdft_lib import stats
from sdft_lib.answers.outcome import OUTCOMES
from sdft_lib.data import data_dir
from sdft_lib.evaluate import TWINS
from sdft_lib.experiments import continual, frontier
from sdft_lib.experiments.grid import SWEPT, costs, load_recipe, plain, read_results, read_sweep
from sdft_lib.formats.toml import read_toml
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig

TARGETS = ["method", "seeds", "nats", "words", "distinct"]
ENDS = [*stats.SUMMARY[:4], "seeds", *stats.SUMMARY[4:]]
# methods that learn less, or are reminded, on purpose; and what they are held against
GENTLE = ("seed", "sft", "sft-slow", "sft-replay", "sft-anchor", "sdft")
PREDICTED = ["question", *frontier.MATCHED[:-1], "expected", "outcome"]


def recorded(task: str = "tickets", model: str = "smollm2-135m") -> pandas.DataFrame:
    """Every recorded item of a task: recipe, frontier.COLUMNS and unit; empty where nothing fits
    task and model. Cells that did not come to their end are left out."""
    return items_of(grids_of(task, model))


def items_of(paths: Sequence[Path]) -> pandas.DataFrame:
    """The items of these results files, with the columns of ``recorded``."""
    frame, ended = read_results(paths), costs(paths)
    if frame.empty or ended.empty:
        return pandas.DataFrame(columns=["recipe", *frontier.COLUMNS, "unit"])
    frame = frame.merge(ended[["method", "seed"]].drop_duplicates())
    # each recipe scores the seed model
    return frame.drop_duplicates(frontier.COLUMNS[:-1], ignore_index=True)


def recorded_aligned(model: str = "smollm2-135m-aligned") -> pandas.DataFrame:
    """Every recorded item of the grid that starts from a seed taught to refuse (lesson 06), as
    ``recorded``; empty where nothing is recorded for this model."""
    return items_of(results_of("aligned", model))


def recorded_orders(model: str = "smollm2-135m") -> pandas.DataFrame:
    """Every recorded item of several tasks in a row, from ``results/continual.jsonl``: the columns
    are continual.COLUMNS; empty where nothing is recorded for this model."""
    return read_results(results_of("continual", model), continual.COLUMNS[:-2])


def swept(task: str = "tickets", model: str = "smollm2-135m") -> pandas.DataFrame:
    """The recorded sweep: that of ``read_sweep``, best dev score first; empty where none fits."""
    return read_sweep(results_of("sweep", model, task))


def results_of(name: str, model: str | None = None, task: str | None = None) -> list[Path]:
    """The results file of a recipe, if it is about this model and this task (None: any)."""
    path = data_dir() / "results" / f"{name}.jsonl"
    recipes = list((data_dir() / "recipes").rglob(f"{name}.toml"))
    if not (path.is_file() and recipes):
        return []
    about = load_recipe(recipes[0])
    fits = model in (None, about.model) and task in (None, about.task)
    return [path] if fits else []


def grids_of(task: str, model: str) -> list[Path]:
    """The results files of all recipes that compare methods on this task with this model."""
    paths = []
    for recipe in sorted((data_dir() / "recipes").glob("*.toml")):
        if recipe.stem.split("-")[0] == task:
            paths += results_of(recipe.stem, model, task)
    return paths


def targets(task: str = "tickets", model: str = "smollm2-135m") -> pandas.DataFrame:
    """What each recorded method was trained on: TARGETS, means over its training seeds, the widest
    gap first. ``nats``: nats a token under the seed model; ``words`` a text; ``distinct`` texts."""
    made = costs(grids_of(task, model)).reindex(columns=["method", *TARGETS[2:]]).dropna()
    groups = made.groupby("method", sort=False)
    table = groups.mean().assign(seeds=groups.size()).reset_index()
    return table.sort_values("nats", ascending=False, ignore_index=True)[TARGETS]


def at_end(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Test scores before training and at its end: ENDS, in order of first appearance.

    The scores of an item are averaged over the training seeds. Intervals are those of
    ``stats.summarise``, and from FEWEST_SEEDS training seeds on those of ``over_units_and_seeds``,
    cut to [0, 1]."""
    ends = frame[(frame["split"] == "test") & frame["checkpoint"].isin([0, 1])]
    if ends.empty:
        return pandas.DataFrame(columns=ENDS)
    items = ends.groupby(["method", "suite", "id"], sort=False)
    means = items.agg(score=("score", "mean"), unit=("unit", "first")).reset_index()
    table = stats.summarise(means).set_index(["method", "suite"])
    for key, part in ends.groupby(["method", "suite"], sort=False):
        scores = part.pivot(index="id", columns="seed", values="score")
        table.loc[key, "seeds"] = scores.shape[1]
        low, high, _ = frontier.over_units_and_seeds(
            scores.to_numpy(dtype=float), stats.units_of(part, scores.index)
        )
        if not pandas.isna(low):
            table.loc[key, ["low", "high"]] = max(0.0, low), min(1.0, high)
    return table.reset_index().astype({"seeds": int})[ENDS]


def with_twins(frame: pandas.DataFrame) -> pandas.DataFrame:
    """``at_end`` of the suites of TWINS and of their twins, on the items that both have: some items
    are about nothing but a length, and have no twin."""
    parts = [frame.head(0)]
    for suite, twin in TWINS.items():
        shared = set(frame[frame["suite"] == twin]["id"])
        parts.append(frame[frame["suite"].isin([suite, twin]) & frame["id"].isin(shared)])
    return at_end(pandas.concat(parts))


def with_outcomes(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of ``evaluate``, and the outcomes of its requests as suites of their own, as
    ``read_results`` has them: "safety-refused" scores 1 where that came, else 0."""
    parts, told = [frame], frame[frame["outcome"] != ""]
    for came in OUTCOMES:
        scores = (told["outcome"] == came).astype(float)
        parts.append(told.assign(suite=told["suite"] + f"-{came}", score=scores))
    return pandas.concat(parts, ignore_index=True)


def in_cells(ends: pandas.DataFrame) -> pandas.DataFrame:
    """The table of ``at_end`` as one to read, a row a method, a column a suite: "0.59 (0.53 to
    0.65)"."""
    said = []
    for row in ends.itertuples():
        said.append(f"{row.mean:.2f} ({row.low:.2f} to {row.high:.2f})")
    wide = ends.assign(said=said).pivot(index="method", columns="suite", values="said")
    return wide.reindex(ends["method"].unique())[list(ends["suite"].unique())].fillna("")


def predictions(model: str | None = "smollm2-135m", name: str = "predictions") -> pandas.DataFrame:
    """The primary comparisons, declared before the first run, and what became of them: PREDICTED.

    ``name``: the file in data/results; it may name the one recipe that it is about. Each is
    ``compared`` and tested as in ``frontier.difference``; all that are recorded are one family
    (Holm). ``outcome``: held, failed, not recorded yet, or cannot be told (at an edge).
    ``model`` None: whichever the recipe is about."""
    declared = read_toml(data_dir() / "results" / f"{name}.toml")
    recipe, task, rows = declared.get("recipe"), declared["task"], []
    frame = items_of(results_of(recipe, model, task) if recipe else grids_of(task, model))
    for each in declared["comparison"]:
        names = (each["suite"], each["a"], each["b"])
        changed = each.get("share", 1.0), each.get("minus", 0.0)
        rows.append(each | compared(frame, *names, *changed))
    table = stats.family(pandas.DataFrame(rows, columns=PREDICTED))
    table = table.astype(dict.fromkeys(("n", "units", "seeds"), "Int64"))  # some may be missing
    return table.assign(outcome=[outcome(row) for row in table.itertuples()])


def compared(
    frame: pandas.DataFrame, suite: str, a: str, b: str, share: float = 1.0, minus: float = 0.0
) -> dict:
    """``frontier.difference`` of a and b at the end of training, over the seeds that both have;
    empty where there are none. b may be the seed model. Each of b's scores is taken times ``share``
    and less ``minus``."""
    test = frame[(frame["suite"] == suite) & (frame["split"] == "test")]
    ends = test[test["checkpoint"] == 1]
    before = test[test["method"] == "seed"].drop(columns="seed").assign(checkpoint=1.0)
    before = before.merge(ends[["seed"]].drop_duplicates(), how="cross")  # beside each training
    part = frontier.at_shared_seeds(pandas.concat([ends, before]), (a, b))
    held_against = share * part["score"] - minus
    part = part.assign(score=part["score"].where(part["method"] == a, held_against))
    pairs = [(seed, 1.0) for seed in sorted(part["seed"].unique())]
    return frontier.difference(part, suite, (a, pairs), (b, pairs)) if pairs else {}


def outcome(row) -> str:
    """What became of one row of ``predictions``."""
    if pandas.isna(row.difference):
        return "not recorded yet"
    if row.verdict in (stats.AT_FLOOR, stats.AT_CEILING):
        return "cannot be told"
    came = "same" if row.verdict == stats.UNCLEAR else row.verdict
    wanted = ("higher", "same") if row.expected == "not lower" else (row.expected,)
    return "held" if came in wanted else "failed"


def seeds_of(frame: pandas.DataFrame) -> dict[str, list[int]]:
    """The training seeds of each method, the seed model left out, in the order of the file."""
    trained = frame[frame["method"] != "seed"]
    seeds = trained.groupby("method", sort=False)["seed"].unique()
    return {name: sorted(each) for name, each in seeds.items()}


def inventory(frame: pandas.DataFrame) -> str:
    """One sentence: which methods and how many training seeds are recorded."""
    counts = {name: len(seeds) for name, seeds in seeds_of(frame).items()}
    if not counts:
        return "Nothing is recorded for this task and model: the figures show your own run alone."
    parts = [f"{name} ({n} seed{'s' if n > 1 else ''})" for name, n in counts.items()]
    need = "are given"
    if min(counts.values()) < frontier.FEWEST_SEEDS:
        need = f"need at least {frontier.FEWEST_SEEDS}: where there are fewer, none is given"
    return f"Recorded: {', '.join(parts)}. Intervals over training seeds {need}."


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


def against(
    frame: pandas.DataFrame, a: str, suites: Sequence[str] = ("facts",)
) -> pandas.DataFrame:
    """``matched_comparison`` (MATCHED) of ``a`` with every other method and suite that can be.

    All rows are one family: Holm's correction covers them. A suite that the chosen checkpoints were
    not scored on is left out. Empty if there is nothing to compare with."""
    tables = []
    for b in seeds_of(frame):
        part = frontier.at_shared_seeds(frame, (a, b))
        told = []  # the row of the task, once
        for suite in suites if b != a else ():
            with contextlib.suppress(SdftError):
                table = frontier.matched_comparison(part, a, b, suite)
                told.append(table[table["suite"] != "task"] if told else table)
        tables += told
    return frontier.one_family(tables, frontier.MATCHED)


def shown(row) -> str:
    """The verdict of one row of ``against`` about its method a, in a few words."""
    return f"{row.a} is {row.verdict}" if row.verdict in ("higher", "lower") else row.verdict


def limits(row) -> tuple[float, float]:
    """The interval of one row of ``against``: over training seeds too, where there is one."""
    over_units = pandas.isna(row.seeds_low)
    return (row.low, row.high) if over_units else (row.seeds_low, row.seeds_high)


def in_words(row) -> str:
    """One row of ``against`` as a sentence: its interval and its verdict."""
    low, high = limits(row)
    said = f"{row.suite}: {row.a} minus {row.b} is {low:+.2f} to {high:+.2f}"
    return f"{said} (n {row.n}, units {row.units}, seeds {row.seeds}): {shown(row)}."


def best_against_used(sweep: pandas.DataFrame, used: TrainConfig) -> list[str]:
    """A sentence for each method: its best setting on dev, and how far ``used`` lies below.

    The interval is paired by dev item; the choice of the best among several flatters it."""
    varied, lines = [name for name in sweep.columns if name not in SWEPT], []
    default = {name: plain(getattr(TrainConfig(), name)) for name in varied}
    wanted = {name: plain(getattr(used, name)) for name in varied}
    is_used = (sweep[varied].fillna(default) == pandas.Series(wanted)).all(axis=1)
    for name, part in sweep.groupby("method"):
        best, mine = part.iloc[0], part[is_used[part.index]]
        settings = []
        for key, value in best[varied].dropna().items():  # missing: this setting was not varied
            settings.append(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}")
        said = f"{name}: best on dev {best['dev']:.2f} with {', '.join(settings)}"
        if mine.empty:
            lines.append(f"{said}; the setting of the lessons was not swept.")
            continue
        scores, dev = mine.iloc[0][["scores", "dev"]]
        below = stats.paired_bootstrap(best["scores"], scores, best["scores"].index)
        lines.append(f"{said}; the setting of the lessons: {dev:.2f}, lower by {below}")
    return lines
