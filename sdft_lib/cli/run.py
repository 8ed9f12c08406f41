"""The command ``sdft run``: the whole method with a report, or the cells of recipes' grids."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, check_file, check_folder, progress
from sdft_lib.storage.errors import SdftError

FURTHER = Argument(metavar="[RECIPE]...", help="Further recipes, as a shell makes them of *.toml.")
METHOD = Option(help="sft, sdft, sft-slow, ... or one of the recipe's; repeat it.")
TEMPLATE = Option(help="As in `sdft distill`; else opening, or guide for open answers.")
RECIPE = Option(help="TOML file of a grid; its scores go to OUT/name.jsonl. Several run in turn.")
REPORT = Path("sdft-report")


def run(
    more: Annotated[list[Path] | None, FURTHER] = None,
    out: Annotated[Path, Option(help="Folder for summary.json and report.html.")] = REPORT,
    fast: Annotated[bool, Option("--fast", help="The same steps on few rows.")] = False,
    task: common.Task = "tickets",
    model: common.Model = "smollm2-135m",
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Seed of all trainings.")] = 0,
    method: Annotated[list[str] | None, METHOD] = None,
    template: Annotated[str | None, TEMPLATE] = None,
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    recipe: Annotated[list[Path] | None, RECIPE] = None,
) -> Reply:
    """The whole method: rewrite, gap, SFT and SDFT, evaluation, comparison, report. Done steps are
    not repeated.

    A file without test rows is split: 60 % train, 15 % dev, 25 % test. A short file gets epochs for
    40 steps."""
    from sdft_lib.experiments import run_one
    from sdft_lib.experiments.methods import method as check_method
    from sdft_lib.lessons.report import write
    from sdft_lib.settings import lesson_settings
    from sdft_lib.templates import load_template

    methods = list(dict.fromkeys(method or ()))
    if recipe:
        return run_grids([*recipe, *(more or ())], out, methods)
    if more:
        raise SdftError(f"{more[0]}: a recipe comes after --recipe, data of your own after --task.")
    check_folder(out)
    for name in ("summary.json", "report.html") if out.is_dir() else ():
        check_file(out / name, task)
    for name in methods:
        check_method(name)
    rows = run_one.own_task(task, **common.reading(kind, columns, drop_empty), say=progress)
    settings = lesson_settings(fast=fast, task=task, model=model, seed=seed)
    settings = run_one.own_settings(settings, rows, template)
    load_template(settings.template)
    results = run_one.collect(settings, task=rows, methods=methods or run_one.DEFAULT, say=progress)
    out.mkdir(exist_ok=True)
    summary = write(out, fast=fast, results=results)
    reached = sum(claim["reached"] for claim in summary["claims"])
    line = f"{reached} of {len(summary['claims'])} claims hold"
    return Reply(summary, f"{line}\n{as_text(summary['scores'])}\n{out / 'report.html'}")


def run_grids(paths: list[Path], folder: Path, methods: list[str]) -> Reply:
    """Compute the cells of recipes, of some ``methods`` or of all, that their results files do not
    hold yet.

    All recipes are checked before the first one takes its hours. Raises SdftError if one is wrong,
    if it lacks a method that was asked for, or if two would write to one file."""
    from sdft_lib.experiments.grid import check_methods, load_recipe, run_recipe

    check_folder(folder)
    recipes, counts = {}, {}
    for path in {path.resolve(): path for path in paths}.values():  # a path given twice counts once
        recipe = load_recipe(path)
        if recipe.name in recipes:
            remedy = "run them with different --out"
            raise SdftError(f'{path}: another recipe is named "{recipe.name}", too; {remedy}.')
        check_methods(recipe, methods, path)
        recipes[recipe.name] = recipe
    folder.mkdir(exist_ok=True)
    for name, recipe in recipes.items():
        out = folder / f"{name}.jsonl"
        counts[str(out)] = run_recipe(recipe, out, methods=methods, say=progress)
    text = "\n".join(f"{count} cells computed\n{out}" for out, count in counts.items())
    return Reply({"computed": sum(counts.values()), "results": list(counts)}, text)
