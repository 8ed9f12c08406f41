"""The command ``sdft run``: the whole method with a report, or the cells of a recipe's grid (lessons 05 and 07)."""

from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli_io import JsonFlag, Model, Reply, Task, as_text, check_file, check_folder, progress
from sdft_lib.errors import SdftError

Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help="sft, sdft, sft-slow, ... or one of the recipe's; repeat it."),
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
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of both trainings.")] = 0,
    recipe: Annotated[Path | None, typer.Option(help="TOML file of a grid; its scores go to OUT/name.jsonl.")] = None,
    method: Methods = None,
    as_json: JsonFlag = False,
) -> Reply:
    """The whole method: rewrite, gap, SFT and SDFT, evaluation, comparison, report. Done steps are not repeated."""
    methods = list(dict.fromkeys(method or ()))
    if recipe is not None:
        return run_grid(recipe, out, methods)
    if methods:
        raise SdftError("--method chooses among the methods of a recipe; name one with --recipe.")
    from sdft_lib.data import load_task
    from sdft_lib.evaluate import suites
    from sdft_lib.report import collect, write
    from sdft_lib.settings import lesson_settings

    check_folder(out)
    for name in ("summary.json", "report.html") if out.is_dir() else ():
        check_file(out / name)
    settings = lesson_settings(fast=fast, task=task, model=model, seed=seed)
    suites(settings, load_task(task))  # a task without test rows ends here, not after the training
    collect(settings, say=progress)  # the report below then reads everything from the store
    out.mkdir(exist_ok=True)
    summary = write(out, fast=fast, settings=settings)
    reached = sum(claim["reached"] for claim in summary["claims"])
    text = f"{reached} of {len(summary['claims'])} claims hold\n{as_text(summary['scores'])}\n{out / 'report.html'}"
    return Reply(summary, text)
