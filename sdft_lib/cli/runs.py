"""Commands of ``sdft`` for whole runs: ``run``, the method with a report or the cells of recipes'
grids, and ``reproduce``, a table of the paper, or what it costs to run it again."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, check_file, check_folder, progress
from sdft_lib.storage.errors import SdftError

FURTHER = Argument(metavar="[RECIPE]...", help="Further recipes, as a shell makes them of *.toml.")
METHOD = Option(help="sft, sdft, sft-slow, ... or one of the recipe's; repeat it.")
TEMPLATE = Option(help="As in `sdft distill`.")
RECIPE = Option(help="TOML file of a grid; its scores go to OUT/name.jsonl. Several run in turn.")
MODEL = Option(help="A short name, a hub id or a folder; else smollm2-135m, or the recipe's own.")
REPORT = Path("sdft-report")
Dry = common.flag("--dry-run", "Print runs, tokens, hours and memory; load nothing.")
Names = Annotated[list[str] | None, Option(help="Only this recipe of the table; repeat it.")]
Model = Annotated[str | None, Option(help="A model in place of the recipe's, to try the steps.")]

NOTE = (
    "written: million new tokens, or trained ones over all epochs. low, high: device hours at mean "
    "lengths and the fast share of a device, and if every batch runs to its limit at the slow one; "
    "sources and arithmetic in data/hardware. memory: GB of each device, answers in the largest "
    "batch that fits. A run asks for its way by --four-bit, --gradient-checkpointing, --parts 2; "
    "for 2 devices start it by accelerate launch with data/recipes/accelerate/fsdp.yaml. "
    "No run of this size was made by us."
)


def run(
    more: Annotated[list[Path] | None, FURTHER] = None,
    folder: Annotated[Path, Option("--out", help="For summary.json and report.html.")] = REPORT,
    fast: common.flag("--fast", "The same steps on few rows.") = False,
    task: common.Task = "tickets",
    model: Annotated[str | None, MODEL] = None,
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Seed of all trainings.")] = 0,
    method: Annotated[list[str] | None, METHOD] = None,
    template: Annotated[str | None, TEMPLATE] = None,
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    recipe: Annotated[list[Path] | None, RECIPE] = None,
) -> Reply:
    """The whole method: rewrite, gap, three trainings, report. It trains SFT, a fixed sentence and
    SDFT, or what --method names. Done steps are not repeated.

    A file without test rows is split: 60 % train, 15 % dev, 25 % test. A short file gets epochs for
    40 steps."""
    from sdft_lib.experiments import run_one
    from sdft_lib.experiments.methods import method as check_method
    from sdft_lib.lessons.report import write
    from sdft_lib.settings import lesson_settings
    from sdft_lib.templates import load_template

    methods = list(dict.fromkeys(method or ()))
    if recipe:
        others = {"fast": fast, "task": task != "tickets", "seed": seed, "template": template}
        others |= {"kind": kind, "columns": columns, "drop-empty": drop_empty}
        if given := [name for name, value in others.items() if value]:
            raise SdftError(
                f"--{given[0]} does not go with --recipe; {recipe[0]} says what is run."
            )
        return run_grids([*recipe, *(more or ())], folder, methods, model)
    if more:
        raise SdftError(f"{more[0]}: a recipe comes after --recipe, data of your own after --task.")
    check_folder(folder)
    for name in ("summary.json", "report.html") if folder.is_dir() else ():
        check_file(folder / name, {"task": task})
    for name in methods:
        check_method(name)
    rows = run_one.own_task(task, **common.reading(kind, columns, drop_empty), say=progress)
    settings = lesson_settings(fast=fast, task=task, model=model or "smollm2-135m", seed=seed)
    settings = run_one.own_settings(settings, rows, template)
    load_template(settings.template)
    results = run_one.collect(settings, task=rows, methods=methods or run_one.DEFAULT, say=progress)
    folder.mkdir(exist_ok=True)
    summary = write(folder, fast=fast, results=results)
    reached = sum(claim["reached"] for claim in summary["claims"])
    line = f"{reached} of {len(summary['claims'])} claims hold"
    return Reply(summary, f"{line}\n{as_text(summary['scores'])}\n{folder / 'report.html'}")


def run_grids(
    paths: list[Path], folder: Path, methods: list[str], model: str | None = None
) -> Reply:
    """Compute the cells of recipes, of some ``methods`` or of all, that their results files do not
    hold yet. All recipes are checked before the first one takes its hours."""
    from sdft_lib.experiments.grid import check_methods, load_recipe, run_recipe

    check_folder(folder)
    recipes, counts = {}, {}
    for path in {path.resolve(): path for path in paths}.values():  # a path given twice counts once
        recipe = load_recipe(path, model=model)
        if recipe.name in recipes:
            twice = f'{path}: another recipe is named "{recipe.name}", too'
            raise SdftError(f"{twice}; run them with different --out.")
        check_methods(recipe, methods, path)
        recipes[recipe.name] = recipe
        if folder.is_dir():
            check_file(folder / f"{recipe.name}.jsonl", {"recipe": path}, keeps=True)
    folder.mkdir(exist_ok=True)
    for name, recipe in recipes.items():
        out = folder / f"{name}.jsonl"
        counts[str(out)] = run_recipe(recipe, out, methods=methods, say=progress)
    text = "\n".join(f"{count} cells computed\n{out}" for out, count in counts.items())
    return Reply({"computed": sum(counts.values()), "results": list(counts)}, text)


def reproduce(
    table: Annotated[int, Option(help="1 to 5: a table of the paper.")] = 1,
    dry_run: Dry = False,
    recipe: Names = None,
    wording: Annotated[Path | None, Option(help="TOML file with other prompts than ours.")] = None,
    model: Model = None,
    limit: common.Limit = None,
    suffix: common.Suffix = "",
    allow_code_execution: common.AllowCode = False,
    gradient_checkpointing: common.Checkpointing = False,
    parts: common.Parts = 1,
    four_bit: common.FourBit = False,
    rules: common.Rules = "ours",
    phrases: common.Phrases = None,
    url: common.Url = None,
    judge_model: common.JudgeModel = "default",
    out: Annotated[Path | None, Option(help="JSONL file for the cells.")] = None,
) -> Reply:
    """Run a table of the paper again, or print what that takes. Done steps are not repeated. --url
    asks a judge for AlpacaEval."""
    from sdft_lib.paper.judge import judge_at
    from sdft_lib.paper.recipes import load_wording, recipes_of, with_training
    from sdft_lib.paper.reproduce import Ask, reproduce
    from sdft_lib.paper.rules import rules_of

    changes = {"checkpointing": True} if gradient_checkpointing else {}
    changes |= {"parts": parts} if parts > 1 else {}
    recipes = [with_training(each, changes) for each in recipes_of(table, tuple(recipe or ()))]
    words = load_wording(wording)
    for each in recipes:
        words.template(each.template or each.dataset)
    if dry_run:
        return planned(table, recipes)
    how = (rules_of(rules), phrases, judge_at(url, judge_model))
    ask = Ask(limit, suffix, allow_code_execution, four_bit, *how)
    cells, missing = reproduce(table, recipes, words, model=model, ask=ask, say=progress)
    common.write_rows(out, cells)
    lines = [f"rules: {ask.rules.says if ask.rules else 'ours'}"]
    lines += [as_text(cells, hidden=("adapter",))]  # whose paths are too long for a column
    for cell in cells:
        line = f"adapter of {cell['recipe']}, {cell['method']}: {cell['adapter']}"
        if cell["adapter"] and line not in lines:
            lines.append(line)
    lines += [f"not computed: {reason}" for reason in missing.values()]
    data = {"table": table, "rules": rules, "cells": cells, "missing": missing}
    return Reply(data, "\n".join(lines))


def planned(table: int, recipes) -> Reply:
    """The plan of a table as text, one part a device, and as data."""
    from sdft_lib.paper.plan import plan, total
    from sdft_lib.scale.hardware import devices
    from sdft_lib.scale.memory import plan_table

    steps, cards = plan(table, recipes), devices()
    counts, hours = Counter(step.step for step in steps), {}
    runs = f"{counts['train']} trainings, {counts['rewrite']} rewritings"
    lines = [f"Table {table}: {runs}, {counts['evaluate']} evaluations", NOTE]
    for card in cards:
        cost = total(steps, card.key)
        hours[card.key] = cost and list(cost.hours)
        told = "{:.1f} to {:.1f}".format(*cost.hours) if cost else "does not hold every step"
        lines += ["", f"{card.name}, device hours in all: {told} (trust {card.trust})"]
        lines += [as_text(plan_table(steps, card.key))]
    data = {
        "table": table,
        "trainings": counts["train"],
        "steps": [asdict(step) for step in steps],
        "devices": {card.key: {"name": card.name, "trust": card.trust} for card in cards},
        "device_hours": hours,
        "assumed": {each.name: list(each.assumed) for each in recipes if each.assumed},
    }
    for name, which in data["assumed"].items():
        lines.append(f"{name}: assumed by us: {', '.join(which)}")
    return Reply(data, "\n".join(lines))
