"""A recipe is a TOML file that says which methods, seeds and settings are run and what is scored
when; its cells are computed one by one, and a results file is gone on with (lesson 05).

A cell is one method with one training seed, in one order of tasks or with one of several settings
where a recipe names these. Its lines are appended at once when it ends: one line a checkpoint and
suite with ids and scores (of requests their outcome, length and phrases of refusal, too; never an
answer), and facts (cost, versions, command), which mark it as finished."""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Annotated

import pandas
from msgspec import Meta

from sdft_lib import distill, evaluate, train
from sdft_lib.answers.outcome import OUTCOMES
from sdft_lib.data import PROBES, Suite, Task, load_probes, load_task, task_names, task_suite
from sdft_lib.experiments.methods import METHODS, ONE_TASK, TASKS_IN_A_ROW, asked
from sdft_lib.experiments.run_one import own_task, run_one
from sdft_lib.experiments.shift import sampled_answers, stored_kl
from sdft_lib.experiments.stages import stage_scores, tasks_of, train_stages
from sdft_lib.formats.folders import read_units, task_card
from sdft_lib.formats.toml import check_known, from_table, nearest, read_toml
from sdft_lib.gap import nll
from sdft_lib.kinds import KINDS
from sdft_lib.models import PRESETS, Seed, load_seed, with_adapter
from sdft_lib.storage.errors import SdftError, about
from sdft_lib.storage.files import append_jsonl, data_dir, read_jsonl
from sdft_lib.storage.safe import masked
from sdft_lib.storage.store import digest, run_facts
from sdft_lib.templates import load_template
from sdft_lib.train import Count, SeedNumber, TrainConfig

DRIFT = 40  # test prompts on which a model's drift is measured
OPENING = "The answer is"  # of each answer to facts-opened
SUITES = ("dev", "task", *PROBES, "facts-opened")
AT_END = ("dev", "task", "facts", "facts-opened", "helpful", "instructions")
CELL = ("method", "seed", "order", "training")  # what tells cells apart
HEAD = ("recipe", "method", "seed", "checkpoint", "split", "suite")  # of a line with scores
CODE = {"distill": distill.VERSION, "train": train.VERSION, "evaluate": evaluate.VERSION}
COST = ("seconds", "peak_mb", "steps", "tokens", "trained_tokens")
TOLD = {"outcomes": "outcome", "characters": "characters", "phrases": "phrases"}  # of requests
OWN = ("seed", "keep", "loss")  # settings that the cell, the recipe and the method give
SETTINGS = [each.name for each in fields(TrainConfig) if each.name not in OWN]
SWEPT = ("method", "seed", "n", "dev", "kept", "seconds", "scores")


@dataclass(frozen=True)
class Recipe:
    """``rows``: training rows. ``keep``: shares of the training after which the suites in ``along``
    are scored (``dev`` is the task's dev split), as ``suites`` are at its end. ``limits``: items a
    suite. ``training``: a TrainConfig without OWN. ``orders``: several tasks one after
    the other, such as ``tickets-sums-calls`` (lesson 07); then ``task``, ``keep`` and ``along``
    play no part, and the methods are TASKS_IN_A_ROW. ``sweep``: training settings that are tried
    one after the other and chosen on dev alone (lesson 05). ``rates``: the learning rate of a
    method for which the sweep chose another than ``training`` has."""

    name: str
    task: str = "tickets"
    model: str = "smollm2-135m"
    template: str = "opening"
    rows: Count | None = None
    methods: Annotated[tuple[str, ...], Meta(min_length=1)] = ONE_TASK
    seeds: Annotated[tuple[SeedNumber, ...], Meta(min_length=1)] = (0,)
    keep: tuple[float, ...] = ()
    along: tuple[str, ...] = ("dev", "task", "facts")
    suites: tuple[str, ...] = AT_END
    limits: dict[str, Count] | None = None
    training: dict | None = None
    orders: tuple[str, ...] = ()
    sweep: tuple[dict, ...] = ()
    rates: dict[str, float] | None = None

    def config(self, seed: int, changes: dict | None = None) -> TrainConfig:
        """The training settings of one seed; ``changes`` are those of a sweep or of a method."""
        settings = (self.training or {}) | (changes or {})
        for name in settings:
            check_known(name, SETTINGS, "training: entry")
        settings |= {"keep": () if self.orders else self.keep, "seed": seed}
        return from_table(settings, TrainConfig, "training")

    def changes(self, cell: dict) -> dict:
        """The training settings that a cell has for itself: of a sweep, or its method's rate."""
        rate = (self.rates or {}).get(cell["method"])
        return cell.get("training") or ({"learning_rate": rate} if rate else {})

    @property
    def key(self) -> str:
        """A digest of what decides a cell's scores, apart from what tells the cells apart."""
        apart = ["name", "methods", "seeds"]
        apart += ["sweep"] if self.sweep and not self.orders else []
        apart += [] if self.rates else ["rates"]  # recipes of older results had none
        # a folder may hold a hub's model
        settings = asdict(self) | {"model": Path(self.model).absolute().name}
        return digest({name: value for name, value in settings.items() if name not in apart})


def load_recipe(path: Path, *, model: str | None = None) -> Recipe:
    """Read and check a recipe; ``model`` in place of its own, such as a folder with its weights.
    Raises SdftError naming the file and the entry that is wrong."""
    path = Path(path)
    if not path.exists():
        raise SdftError(f"{path}: there is no such recipe; data/recipes holds ours.")
    values = read_toml(path) | ({"model": model} if model else {})
    methods = TASKS_IN_A_ROW if values.get("orders") else ONE_TASK
    recipe = from_table({"name": path.stem, "methods": methods} | values, Recipe, path)
    if not re.fullmatch(r"[\w-]{1,100}", recipe.name):
        why = "is to become a file name; use up to 100 letters, digits, - and _"
        raise SdftError(f'{path}: name "{recipe.name}" {why}.')
    for name in recipe.methods:
        check_known(name, methods, f"{path}: method")
    for name in (*recipe.along, *recipe.suites, *(recipe.limits or {})):
        check_known(name, SUITES, f"{path}: suite")
    with about(str(path)):
        check_plan(recipe)
    return recipe


def check_plan(recipe: Recipe) -> None:
    """Raise SdftError unless all that a recipe names is there: what is missing would else be seen
    after hours."""
    for name in ("methods", "seeds", "keep", "along", "suites", "orders", "sweep"):
        values = getattr(recipe, name)
        if name == "keep":  # a folder has the share's two decimals as its name
            values = [round(share, 2) for share in values]
        if twice := [value for value in values if values.count(value) > 1]:
            raise SdftError(f'"{name}" holds {twice[0]!r} more than once; keep one.')
    if not re.fullmatch(r"\w[\w.-]*/[\w.-]+", recipe.model):  # which may be a hub id
        if not os.path.isdir(os.path.expanduser(recipe.model)):
            check_known(recipe.model, PRESETS, "model (a preset, a folder or a hub id org/name)")
    load_template(recipe.template)
    for changes in recipe.sweep or ({},):
        recipe.config(0, changes)
    for name in recipe.rates or {}:
        check_known(name, recipe.methods, "rates: method")
        recipe.config(0, recipe.changes({"method": name}))
    for order in recipe.orders:
        for name in tasks_of(order):
            task_suite(load_task(name))
    if not recipe.orders:
        task = own_task(recipe.task, say=lambda line: None)
        for name in ("dev", "facts") if recipe.sweep else (*recipe.along, *recipe.suites):
            suite_of(recipe, task, name)


def check_methods(recipe: Recipe, methods: Sequence[str], where: str | Path) -> None:
    """Raise SdftError for a method that a recipe does not have; ``where`` is what it is called."""
    for name in methods:
        check_known(name, recipe.methods, f"recipe {where}: method")


def run_recipe(recipe: Recipe, out: Path, *, methods: Sequence[str] = (), say=print) -> int:
    """Compute the cells that ``out`` does not hold yet and append them; returns how many.

    ``methods``: only these (and the seed model), the others in a later start."""
    check_methods(recipe, methods, recipe.name)
    done = finished(recipe, out)
    todo = [cell for cell in cells(recipe, methods) if cell not in done]
    say(f"{recipe.name}: {len(done)} cells are there, {len(todo)} to compute")
    if not todo:
        return 0
    seed, task = load_seed(recipe.model, say=say), own_task(recipe.task, say=say)
    check_targets(recipe, seed)
    for number, cell in enumerate(todo, 1):
        said = ", ".join(f"{key} {value}" for key, value in cell.items())
        say(f"cell {number} of {len(todo)}: {said}")
        head = {"recipe": recipe.name, "settings": recipe.key} | cell
        append_jsonl(out, [head | line for line in cell_lines(recipe, seed, task, cell, say)])
    return len(todo)


def check_targets(recipe: Recipe, seed: Seed) -> None:
    """Raise SdftError unless the model has the layers that are to be trained."""
    layers = [f".{name}" for name, _ in seed.model.named_modules()]
    for changes in recipe.sweep or ({},):
        for target in recipe.config(0, changes).targets:
            if not any(layer.endswith(f".{target}") for layer in layers):
                near = nearest(target, {layer.rpartition(".")[2] for layer in layers})
                problem = f'targets: {seed.name} has no layer "{target}"{near}'
                raise SdftError(f"{recipe.name}: {problem}; see the model's card.")


def cells(recipe: Recipe, methods: Sequence[str] = ()) -> list[dict]:
    """The cells in the order of computing: the seed model first, then seed by seed, so that an
    early stop leaves every method with the same seeds."""
    orders = [{"order": order} for order in recipe.orders]
    variants = orders or [{"training": changes} for changes in recipe.sweep]
    wanted = [name for name in recipe.methods if not methods or name in methods]
    planned = [] if variants else [{"method": "seed", "seed": 0}]
    for number in recipe.seeds:
        for variant in variants or [{}]:
            planned += [{"method": name, "seed": number, **variant} for name in wanted]
    return planned


def finished(recipe: Recipe, out: Path) -> list[dict]:
    """The cells that a results file, which need not be there, holds with this recipe's settings."""
    done = []
    for line in read_jsonl(out) if Path(out).exists() else ():
        if line["settings"] == recipe.key and "facts" in line:
            done.append({key: line[key] for key in CELL if key in line})
    return done


def cell_lines(recipe: Recipe, seed: Seed, task: Task, cell: dict, say) -> list[dict]:
    """One cell computed: its lines, of which the last one holds the facts."""
    if cell["method"] == "seed":
        return [*suite_lines(recipe, seed, task, 0.0, say), {"facts": facts(seed)}]
    if "order" in cell:
        return [*order_lines(recipe, seed, cell, say), {"facts": facts(seed)}]
    swept = "training" in cell

    def score(model: Seed, share: float) -> list[dict]:
        if swept:
            return [swept_line(recipe, model, own, cell["method"], say)]
        return suite_lines(recipe, model, own, share, say)

    chosen = METHODS[cell["method"]]
    own = asked(task, chosen)
    config = recipe.config(cell["seed"], recipe.changes(cell))
    options = {"template": load_template(recipe.template), "limit": recipe.rows, "score": score}
    run = run_one(seed, task, cell["method"], config, **options, say=say)
    kept = (*COST[:2], "trainable_parameters") if swept else COST
    made = facts(seed) | {"training": {key: run.tuned.record.get(key) for key in kept}}
    if swept:
        return [run.scores[0] | {"facts": made}]
    if not chosen.on_policy:  # which has no texts before the training
        made["targets"] = targets(seed, run.rows, chosen.column, say)
    if not KINDS[task.kind].private:  # nats a token, on answers of the seed
        answers = sampled_answers(seed, own.test[:DRIFT], sampling_seed=0, say=say)
        tuned = with_adapter(seed, run.tuned.adapter, label=run.tuned.adapter.name)
        made["drift"] = round(stored_kl(seed, tuned, answers, say=say)["kl"].mean(), 5)
    return [*run.scores, {"facts": made}]


def targets(seed: Seed, rows: Sequence[dict], column: str, say) -> dict:
    """What was trained on: mean nats a token under the seed, words a text, different texts."""
    texts = [row[column] for row in rows]
    nats = nll(seed, rows, column, say=say)["nll"].mean()
    words = sum(len(text.split()) for text in texts) / len(texts)
    return {"nats": round(nats, 4), "words": round(words, 2), "distinct": len(set(texts))}


def suite_lines(recipe: Recipe, model: Seed, task: Task, share: float, say) -> list[dict]:
    """One line a suite with ids and scores: ``along`` within the training, ``suites`` before it and
    at its end; and their twins without a rule about length (``evaluate.any_length``)."""
    lines = []
    for name in recipe.along if 0 < share < 1 else recipe.suites:
        suite = suite_of(recipe, task, name)
        rows = evaluate.evaluate_suite(model, suite, f"{share:.0%} of training", say)
        split, called = ("dev", "task") if name == "dev" else ("test", name)
        head = {"checkpoint": share, "split": split, "suite": called}
        lines.append(head | ids_and_scores(rows))
        if twin := evaluate.any_length(suite, rows):
            lines.append(head | {"suite": f"{name}-any-length"} | ids_and_scores(twin))
    return lines


def swept_line(recipe: Recipe, model: Seed, task: Task, label: str, say) -> dict:
    """Dev items with their scores, by which a setting is chosen, and those of facts (``kept``),
    which are looked at alone."""
    lines = []
    for name in ("dev", "facts"):
        rows = evaluate.evaluate_suite(model, suite_of(recipe, task, name), label, say)
        lines.append(ids_and_scores(rows))
    return lines[0] | {"kept": lines[1]}


def suite_of(recipe: Recipe, task: Task, name: str) -> Suite:
    """A suite by name, cut to the recipe's limit; ``dev`` and ``task`` are splits of the task."""
    if name in ("dev", "task"):
        suite = task_suite(task, "dev" if name == "dev" else "test")
    elif name == "facts-opened":
        suite = load_probes("facts", opening=OPENING)
    else:
        suite = load_probes(name)
    return evaluate.cut(suite, (recipe.limits or {}).get(name))


def order_lines(recipe: Recipe, seed: Seed, cell: dict, say) -> list[dict]:
    """One line a stage and task with ids and scores."""
    order, method, number = cell["order"], cell["method"], cell["seed"]
    options = {"template": load_template(recipe.template), "rows": recipe.rows, "say": say}
    models = train_stages(seed, order, method, recipe.config(number), **options)
    limit = (recipe.limits or {}).get("task")
    scored = stage_scores(models, order, method=method, training_seed=number, limit=limit, say=say)
    lines = []
    for (stage, task), rows in groupby(scored, key=itemgetter("stage", "task")):
        lines.append({"stage": stage, "task": task, **ids_and_scores(list(rows))})
    return lines


def ids_and_scores(rows: Sequence[dict]) -> dict:
    """Ids and scores of one suite's items; of requests what is told without an answer's text."""
    made = {"ids": [row["id"] for row in rows], "scores": [row["score"] for row in rows]}
    if rows[0].get("outcome"):
        for told, name in TOLD.items():
            made[told] = [row[name] for row in rows]
    return made


def facts(seed: Seed) -> dict:
    """When, on what, by which command and code a cell was computed."""
    made = {"device": seed.device, "dtype": seed.dtype, "weights": seed.revision}
    command = re.sub(r"(?<![^ =])[~/]\S*/", "", " ".join(["sdft", *sys.argv[1:]]))  # no folders
    return run_facts() | made | {"command": masked(command), "code": CODE}


def bundled_units() -> dict[str, str]:
    """Row id to scenario of all bundled tasks: results files hold ids alone."""
    units = {}
    for name in task_names():
        folder = data_dir() / "tasks" / name
        units |= read_units(folder, task_card(folder, KINDS))
    return units


def read_results(paths: Sequence[Path], keys: Sequence[str] = HEAD) -> pandas.DataFrame:
    """All items of results files: ``keys`` of their lines, then id, score and unit.

    Of requests each outcome is a suite more, such as "safety-refused": 1 where it came, else 0."""
    parts, units = [pandas.DataFrame(columns=[*keys, "id", "score", "unit"])], bundled_units()
    for path in paths:
        for line in read_jsonl(path):
            if "scores" not in line:
                continue
            head = {key: line[key] for key in keys} | {"id": line["ids"], "score": line["scores"]}
            head["unit"] = [units.get(name, name) for name in line["ids"]]
            parts.append(pandas.DataFrame(head))
            for came in OUTCOMES if "outcomes" in line else ():
                scores = [float(each == came) for each in line["outcomes"]]
                twin = head | {"suite": f"{line['suite']}-{came}", "score": scores}
                parts.append(pandas.DataFrame(twin))
    return pandas.concat(parts[1:] or parts, ignore_index=True)


def costs(paths: Sequence[Path]) -> pandas.DataFrame:
    """What each cell took and trained on: recipe, method, seed, then seconds, peak_mb, steps and
    tokens, nats, words and distinct of its targets, and drift."""
    rows = []
    for path in paths:
        for line in read_jsonl(path):
            if "facts" in line:
                head = {key: line[key] for key in ("recipe", "method", "seed")}
                known = line["facts"]
                head |= {"drift": known["drift"]} if "drift" in known else {}
                rows.append(head | known.get("training", {}) | known.get("targets", {}))
    return pandas.DataFrame(rows)


def read_sweep(paths: Sequence[Path]) -> pandas.DataFrame:
    """Dev scores of a sweep, best first: the settings varied, method, seed, n, dev (mean), kept
    (mean of facts), seconds, and ``scores`` (of each dev item, in their order, with its unit as
    index)."""
    rows, units = [], bundled_units()
    for path in paths:
        for line in read_jsonl(path):
            row = {key: plain(value) for key, value in line["training"].items()}
            row |= {"method": line["method"], "seed": line["seed"], "n": len(line["scores"])}
            row |= {"dev": fmean(line["scores"]), "kept": fmean(line["kept"]["scores"])}
            row["seconds"] = line["facts"]["training"]["seconds"]
            named = [units.get(name, name) for name in line["ids"]]
            rows.append(row | {"scores": pandas.Series(line["scores"], named)})
    if not rows:
        return pandas.DataFrame(columns=list(SWEPT))
    return pandas.DataFrame(rows).sort_values("dev", ascending=False, ignore_index=True)


def plain(value):
    """A setting as one cell of a table: a list as its words."""
    return ", ".join(value) if isinstance(value, list | tuple) else value
