"""The command ``sdft run``: the whole method with a report, or the cells of a recipe's grid (lessons 05 and 07)."""

from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli_io import (
    Columns,
    DropEmpty,
    JsonFlag,
    Kind,
    Model,
    Reply,
    Task,
    as_text,
    check_file,
    check_folder,
    column_map,
    progress,
)

Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help="sft, sdft, sft-slow, ... or one of the recipe's; repeat it."),
]
Template = Annotated[
    str | None, typer.Option("--template", help="As in `sdft distill`; else opening, or guide for open answers.")
]


def run_grid(path: Path, folder: Path, methods: list[str]) -> Reply:
    """Compute a recipe's cells, of some ``methods`` or of all, that the results file does not hold yet."""
    from sdft_lib.evidence import run_recipe
    from sdft_lib.recipes import load_recipe

    check_folder(folder)
    recipe = load_recipe(path)
    folder.mkdir(exist_ok=True)
    out = folder / f"{recipe.name}.jsonl"
    count = run_recipe(recipe, out, methods=methods, say=progress)
    return Reply({"computed": count, "results": str(out)}, f"{count} cells computed\n{out}")


def run(
    out: Annotated[Path, typer.Option(help="Folder for summary.json and report.html.")] = Path("sdft-report"),
    fast: Annotated[bool, typer.Option("--fast", help="The same steps on few rows.")] = False,
    task: Task = "tickets",
    model: Model = "smollm2-135m",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all trainings.")] = 0,
    method: Methods = None,
    template: Template = None,
    kind: Kind = None,
    columns: Columns = None,
    drop_empty: DropEmpty = False,
    recipe: Annotated[Path | None, typer.Option(help="TOML file of a grid; its scores go to OUT/name.jsonl.")] = None,
    as_json: JsonFlag = False,
) -> Reply:
    """The whole method: rewrite, gap, SFT and SDFT, evaluation, comparison, report. Done steps are not repeated.

    A file without test rows is split: 60 % train, 15 % dev, 25 % test. A short file gets epochs for 40 steps.
    """
    methods = list(dict.fromkeys(method or ()))
    if recipe is not None:
        return run_grid(recipe, out, methods)
    from sdft_lib import comparison
    from sdft_lib.methods import method as check_method
    from sdft_lib.report import write
    from sdft_lib.settings import lesson_settings
    from sdft_lib.templates import load_template

    check_folder(out)
    for name in ("summary.json", "report.html") if out.is_dir() else ():
        check_file(out / name, task)
    for name in methods:
        check_method(name)
    reading = {"kind": kind, "columns": column_map(columns), "drop_empty": drop_empty}
    rows = comparison.own_task(task, **reading, say=progress)
    settings = lesson_settings(fast=fast, task=task, model=model, seed=seed)
    settings = comparison.own_settings(settings, rows, template)
    load_template(settings.template)
    results = comparison.collect(settings, task=rows, methods=methods or comparison.DEFAULT, say=progress)
    out.mkdir(exist_ok=True)
    summary = write(out, fast=fast, results=results)
    reached = sum(claim["reached"] for claim in summary["claims"])
    text = f"{reached} of {len(summary['claims'])} claims hold\n{as_text(summary['scores'])}\n{out / 'report.html'}"
    return Reply(summary, text)
