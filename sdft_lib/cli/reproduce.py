"""The command ``sdft reproduce``: what a table of the paper costs to run again, and the run itself
(lesson 08).
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli.common import JsonFlag, Limit, Reply, as_text, check_file, progress
from sdft_lib.cli.train import Checkpointing, FourBit

Table = Annotated[int, typer.Option("--table", help="1, 2 or 5: a table of the paper.")]
Names = Annotated[
    list[str] | None, typer.Option("--recipe", help="Only this recipe of the table; repeat it.")
]
Dry = Annotated[
    bool, typer.Option("--dry-run", help="Print runs, tokens, hours and memory; load nothing.")
]
Words = Annotated[
    Path | None, typer.Option("--wording", help="TOML file with other prompts than ours.")
]
Code = Annotated[
    bool, typer.Option("--allow-code-execution", help="humaneval: run the answers in the sandbox.")
]
Parts = Annotated[
    int, typer.Option("--parts", min=1, help="A batch goes through in so many parts: less memory.")
]
Other = Annotated[
    str | None, typer.Option("--model", help="A model in place of the recipe's, to try the steps.")
]


def reproduce(
    table: Table = 1,
    dry_run: Dry = False,
    recipe: Names = None,
    wording: Words = None,
    model: Other = None,
    limit: Limit = None,
    suffix: Annotated[
        str, typer.Option("--suffix", help="Goes behind each request of advbench-jailbreak.")
    ] = "",
    allow_code_execution: Code = False,
    gradient_checkpointing: Checkpointing = False,
    parts: Parts = 1,
    four_bit: FourBit = False,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file for the cells.")] = None,
    as_json: JsonFlag = False,
) -> Reply:
    """Run the paper's Table 1, 2 or 5 again, or print what that takes. Done steps are not
    repeated.
    """
    from sdft_lib.paper.recipes import load_wording, recipes_of, with_training

    recipes = recipes_of(table, tuple(recipe or ()))
    asked = ({"checkpointing": True} if gradient_checkpointing else {}) | (
        {"parts": parts} if parts > 1 else {}
    )
    recipes = [with_training(each, asked) for each in recipes]
    words = load_wording(wording)
    for each in recipes:
        words.template(each.dataset)
    if dry_run:
        return planned(table, recipes)
    check_file(out)
    from sdft_lib.paper.reproduce import Ask
    from sdft_lib.paper.reproduce import reproduce as run
    from sdft_lib.storage.files import write_jsonl

    ask = Ask(limit, suffix, allow_code_execution, four_bit)
    cells, missing = run(table, recipes, words, model=model, ask=ask, say=progress)
    if out is not None:
        write_jsonl(out, cells)
    lines = [*table_of(cells), *(f"not computed: {reason}" for reason in missing.values())]
    return Reply({"table": table, "cells": cells, "missing": missing}, "\n".join(lines))


def table_of(cells: list[dict]) -> list[str]:
    """The cells as a table, and below it the adapters, whose paths are too long for a column."""
    paths = {(cell["recipe"], cell["method"]): cell["adapter"] for cell in cells if cell["adapter"]}
    shown = [{name: value for name, value in cell.items() if name != "adapter"} for cell in cells]
    return [
        as_text(shown),
        *(f"adapter of {recipe}, {method}: {path}" for (recipe, method), path in paths.items()),
    ]


def planned(table: int, recipes) -> Reply:
    """The plan of a table as text and data."""
    from sdft_lib.paper.plan import plan, total
    from sdft_lib.scale.hardware import devices

    steps, cards = plan(table, recipes), devices()
    sums = {card.key: total(steps, card.key) for card in cards}
    runs = sum(step.step == "train" for step in steps)
    data = {
        "table": table,
        "trainings": runs,
        "steps": [asdict(step) for step in steps],
        "devices": {card.key: {"name": card.name, "trust": card.trust} for card in cards},
        "device_hours": {key: cost and list(cost.hours) for key, cost in sums.items()},
        "assumed": {each.name: list(each.assumed) for each in recipes if each.assumed},
    }
    head = (
        f"Table {table}: {runs} trainings, {sum(step.step == 'rewrite' for step in steps)} rewritings, "
        f"{sum(step.step == 'evaluate' for step in steps)} evaluations"
    )
    lines = [
        head,
        as_text([row_of(group, cards) for group in grouped(steps)]),
        totals(sums, cards),
        *notes(data),
    ]
    return Reply(data, "\n".join(lines))


def grouped(steps) -> list[list]:
    """The evaluations of one model together, every other step alone."""
    groups: list[list] = []
    for step in steps:
        last = groups[-1][-1] if groups else None
        if (
            last
            and step.step == last.step == "evaluate"
            and (step.recipe, step.method) == (last.recipe, last.method)
        ):
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def row_of(group: list, cards) -> dict:
    """One line of the printed plan: tokens in millions, hours from low to high and GB on each
    device.
    """
    first = group[0]
    what = first.step if first.step != "evaluate" else f"evaluate x{len(group)}"
    row = {
        "recipe": first.recipe,
        "method": first.method,
        "step": what,
        "rows": sum(step.rows for step in group),
        "read M": f"{sum(s.read for s in group) / 1e6:.2f}",
        "written M": f"{sum(s.written for s in group) / 1e6:.2f}",
    }
    for card in cards:
        costs = [step.costs.get(card.key) for step in group]
        row[f"{card.key} h"], row[f"{card.key} GB"] = in_words(costs)
    return row


def in_words(costs: list) -> tuple[str, str]:
    """Hours and memory as text; a dash where a step does not fit."""
    if None in costs:
        return "-", "-"
    hours = [sum(cost.hours[end] for cost in costs) for end in (0, 1)]
    largest = max(costs, key=lambda cost: cost.memory_gb)
    marks = {
        "16-bit": "",
        "16-bit, checkpointing": "c",
        "4-bit": "q",
        "4-bit, checkpointing": "qc",
    }[largest.way]
    times = f"{largest.devices}x" if largest.devices > 1 else ""
    parts = f"/{largest.parts}" if largest.parts > 1 else ""
    return f"{hours[0]:.2f}-{hours[1]:.2f}", f"{times}{largest.memory_gb:.0f}{marks}{parts}"


def totals(sums: dict, cards) -> str:
    """Device hours of the whole table, by device."""
    said = [
        f"{card.name} {sums[card.key].hours[0]:.1f} to {sums[card.key].hours[1]:.1f}"
        if sums[card.key]
        else f"{card.name} does not hold every step"
        for card in cards
    ]
    return f"device hours in all: {'; '.join(said)}"


def notes(data: dict) -> list[str]:
    """What the numbers mean and how far they can be trusted."""
    lines = [
        "written: new tokens, or tokens trained on over all epochs. GB: memory used, of each device; q: 4-bit weights, "
        "c: checkpointing, /2: a batch in two parts, 2x: two devices. Answers: in the largest batch that fits.",
        "Hours: low at mean lengths and the fast share of a device, high if every batch runs to its limit at the slow "
        "share; sources and arithmetic in data/hardware.",
        "Without --dry-run say --four-bit for q, --gradient-checkpointing for c, --parts 2 for /2; for 2x start it by "
        "accelerate launch with data/recipes/accelerate/fsdp.yaml. No run of this size was made by us.",
        *(f"{key}: trust {card['trust']}" for key, card in data["devices"].items()),
    ]
    return lines + [
        f"{name}: assumed by us: {', '.join(which)}" for name, which in data["assumed"].items()
    ]
