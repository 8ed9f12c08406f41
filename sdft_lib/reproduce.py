"""Run the paper's cells: rewrite, train, evaluate a recipe on real data and models (lesson 08).

A cell is one model on one evaluation. What cannot be computed here (no GPU, no data, no judge) is named in one
sentence before anything is loaded. Every step comes from the store if it was done before.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sdft_lib.data import Suite, Task
from sdft_lib.errors import SdftError
from sdft_lib.estimate import load_table, parameters
from sdft_lib.paper_load import load_paper_set, local_rows, paper_file
from sdft_lib.paper_recipes import TABLES, PaperRecipe, Wording
from sdft_lib.paper_sets import EVALUATIONS

SUFFIXED = "advbench-jailbreak"
ELSEWHERE = {  # evaluations that need more than a model and rows
    "humaneval": "its answers are programs and must be run; evaluate the adapter on HumanEval by itself",
    "alpaca_eval": "its win rate needs a judge; write the answers and give them to the alpaca_eval tool",
}
LARGEST_ON_CPU = 2e9  # parameters


def check_machine(recipe: PaperRecipe, model: str) -> None:
    """Raise SdftError unless this machine can train the recipe's model, as far as that is known beforehand."""
    from sdft_lib.estimate import geometry
    from sdft_lib.models import choose_device

    if recipe.tuning == "full":
        raise SdftError(
            f"{recipe.name}: all weights are trained there, which this library cannot do yet; choose another --recipe."
        )
    if model not in load_table("models") or choose_device() != "cpu":
        return
    if (count := parameters(geometry(model))) > LARGEST_ON_CPU:
        raise SdftError(
            f"{recipe.name}: {model} has {count / 1e9:.1f} billion parameters and this machine has no GPU; "
            "run it on one (--dry-run shows which), or try the steps with --model smollm2-135m --limit 16."
        )


def suite(name: str, wording: Wording, longest: int, limit: int | None, say: Callable) -> Suite:
    """The items of an evaluation in a wording. Raises SdftError if they cannot be had or scored here."""
    if name in ELSEWHERE:
        raise SdftError(f"{name}: {ELSEWHERE[name]}.")
    if name.startswith("advbench"):
        if name == SUFFIXED and name not in wording.prompt:
            raise SdftError(f"{name}: no suffix is bundled; put one into the wording as [prompt.{name}] user.")
        path = paper_file(EVALUATIONS["advbench"])
        if path is None:
            raise SdftError(f"{name}: its requests are not bundled; set SDFT_PAPER_DATA to a folder that holds "
                            f"{EVALUATIONS['advbench']}.")  # fmt: skip
        kind, rows = "refusal", local_rows(path)
    else:
        task = load_paper_set(name, say=say)
        kind, rows = task.kind, task.test
        if not rows:
            raise SdftError(f"{name}: its test items are not there; put them into SDFT_PAPER_DATA as "
                            f"{EVALUATIONS[f'{name}-test']}.")  # fmt: skip
    worded = [row | {"messages": wording.messages(name, row["messages"])} for row in rows[:limit]]
    return Suite(name, kind, worded, longest)


def suites_of(table: int, wording: Wording, longest: int, limit, say) -> tuple[list[Suite], dict[str, str]]:
    """The evaluations of a table that can be run here, and why the others cannot."""
    found, missing = [], {}
    for name in TABLES[table]:
        try:
            found.append(suite(name, wording, longest, limit, say))
        except SdftError as error:
            missing[name] = str(error)
    if not found:
        raise SdftError(f"Table {table}: none of its evaluations can be run here ({'; '.join(missing.values())})")
    return found, missing


def reproduce(
    table: int,
    recipes: Sequence[PaperRecipe],
    wording: Wording,
    *,
    model: str | None = None,
    limit: int | None = None,
    say: Callable[[str], None] = print,
) -> tuple[list[dict], dict[str, str]]:
    """The cells of ``recipes`` in a table, and the evaluations that are missing with the reason.

    A cell: recipe, method, evaluation, n, mean, low, high, keep_rate. ``model`` stands in for the recipe's own,
    ``limit`` cuts training rows and items. Raises SdftError before a model is loaded if something is not there.
    """
    from sdft_lib.models import load_seed

    for recipe in recipes:
        check_machine(recipe, model or recipe.model)
    longest = max(recipe.decoding["max_new_tokens"] for recipe in recipes)
    suites, missing = suites_of(table, wording, longest, limit, say)
    tasks = {recipe.dataset: load_paper_set(recipe.dataset, say=say) for recipe in recipes}
    cells, seeds = [], {}
    for recipe in recipes:
        name = model or recipe.model
        if name not in seeds:
            seeds = {name: in_wording(load_seed(name, say=say), wording)}  # one model in memory at a time
        cells += run_recipe(recipe, seeds[name], tasks[recipe.dataset], suites, wording, limit, say)
    return cells, missing


def in_wording(seed: Any, wording: Wording) -> Any:
    """The seed with the wording's chat template, if it has one; its revision says so, for the store."""
    if not wording.chat_template:
        return seed
    from sdft_lib.store import digest

    seed.tokenizer.chat_template = wording.chat_template
    return replace(seed, revision=f"{seed.revision}+{digest(wording.chat_template)[:8]}")


def run_recipe(recipe: PaperRecipe, seed, task: Task, suites, wording: Wording, limit: int | None, say) -> list[dict]:
    """The cells of one recipe: the seed model and both trainings on every suite."""
    from sdft_lib.distill import distill
    from sdft_lib.evaluate import evaluate
    from sdft_lib.models import with_adapter
    from sdft_lib.stats import summarise
    from sdft_lib.train import fine_tune

    made = distill(
        seed, task, wording.template(recipe.dataset), decoding=recipe.decoding_of(), limit=limit or recipe.rows, say=say
    )
    rows = [row | {"messages": wording.messages(recipe.dataset, row["messages"])} for row in made.rows]
    cells = []
    for method in recipe.methods:
        model = seed
        if method != "seed":
            column = "text" if method == "sdft" else "reference"
            options = {"column": column, "label": f"{recipe.name} {method}", "minimum_kept": 0.0}
            tuned = fine_tune(seed, rows, recipe.config(), **options, say=say)  # as in the paper, however few were kept
            model = with_adapter(seed, tuned.adapter, label=method)
        table = summarise(evaluate(model, suites, method=method, say=say))
        for line in table.to_dict("records"):
            cells.append({"recipe": recipe.name, "method": method, "evaluation": line["suite"]}
                         | {key: line[key] for key in ("n", "mean", "low", "high")}
                         | {"keep_rate": made.report["keep_rate"] if method == "sdft" else None})  # fmt: skip
    return cells
