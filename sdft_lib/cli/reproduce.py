"""The command ``sdft reproduce``: what a table of the paper costs to run again, and the run
itself."""

from collections import Counter
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated

from typer import Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, check_file, progress

Dry = common.flag("--dry-run", "Print runs, tokens, hours and memory; load nothing.")
Names = Annotated[list[str] | None, Option(help="Only this recipe of the table; repeat it.")]
Model = Annotated[str | None, Option(help="A model in place of the recipe's, to try the steps.")]

MARKS = {"16-bit": "", "16-bit, checkpointing": "c", "4-bit": "q", "4-bit, checkpointing": "qc"}
NOTES = (
    "written: new tokens, or tokens trained on over all epochs. GB: memory used, of each device; "
    "q: 4-bit weights, c: checkpointing, /2: a batch in two parts, 2x: two devices. "
    "Answers: in the largest batch that fits.",
    "Hours: low at mean lengths and the fast share of a device, high if every batch runs to its "
    "limit at the slow share; sources and arithmetic in data/hardware.",
    "Without --dry-run say --four-bit for q, --gradient-checkpointing for c, --parts 2 for /2; "
    "for 2x start it by accelerate launch with data/recipes/accelerate/fsdp.yaml. "
    "No run of this size was made by us.",
)


def reproduce(
    table: Annotated[int, Option(help="1, 2 or 5: a table of the paper.")] = 1,
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
    out: Annotated[Path | None, Option(help="JSONL file for the cells.")] = None,
) -> Reply:
    """Run the paper's Table 1, 2 or 5 again, or print what that takes. Done steps are not
    repeated."""
    from sdft_lib.paper.recipes import load_wording, recipes_of, with_training
    from sdft_lib.paper.reproduce import Ask, reproduce

    changes = {"checkpointing": True} if gradient_checkpointing else {}
    changes |= {"parts": parts} if parts > 1 else {}
    recipes = [with_training(each, changes) for each in recipes_of(table, tuple(recipe or ()))]
    words = load_wording(wording)
    for each in recipes:
        words.template(each.dataset)
    if dry_run:
        return planned(table, recipes)
    check_file(out)
    ask = Ask(limit, suffix, allow_code_execution, four_bit)
    cells, missing = reproduce(table, recipes, words, model=model, ask=ask, say=progress)
    common.write_rows(out, cells)
    lines = [as_text(cells, hidden=("adapter",))]  # whose paths are too long for a column
    for cell in cells:
        line = f"adapter of {cell['recipe']}, {cell['method']}: {cell['adapter']}"
        if cell["adapter"] and line not in lines:
            lines.append(line)
    lines += [f"not computed: {reason}" for reason in missing.values()]
    return Reply({"table": table, "cells": cells, "missing": missing}, "\n".join(lines))


def planned(table: int, recipes) -> Reply:
    """The plan of a table as text and data."""
    from sdft_lib.paper.plan import plan, total
    from sdft_lib.scale.hardware import devices

    steps, cards = plan(table, recipes), devices()
    sums = {card.key: total(steps, card.key) for card in cards}
    counts = Counter(step.step for step in steps)
    data = {
        "table": table,
        "trainings": counts["train"],
        "steps": [asdict(step) for step in steps],
        "devices": {card.key: {"name": card.name, "trust": card.trust} for card in cards},
        "device_hours": {key: cost and list(cost.hours) for key, cost in sums.items()},
        "assumed": {each.name: list(each.assumed) for each in recipes if each.assumed},
    }
    hours = []
    for card in cards:
        low, high = data["device_hours"][card.key] or (None, None)
        whole = "does not hold every step" if low is None else f"{low:.1f} to {high:.1f}"
        hours.append(f"{card.name} {whole}")
    # the evaluations of one model share a line, every other step has its own
    groups = groupby(steps, key=lambda step: (step.recipe, step.method, step.step))
    lines = [
        f"Table {table}: {counts['train']} trainings, {counts['rewrite']} rewritings, "
        f"{counts['evaluate']} evaluations",
        as_text([plan_row(list(group), cards) for _, group in groups]),
        f"device hours in all: {'; '.join(hours)}",
        *NOTES,
        *(f"{card.key}: trust {card.trust}" for card in cards),
        *(f"{name}: assumed by us: {', '.join(which)}" for name, which in data["assumed"].items()),
    ]
    return Reply(data, "\n".join(lines))


def plan_row(group: list, cards) -> dict:
    """One line of the printed plan: tokens in millions, hours from low to high and GB on each
    device."""
    first, count = group[0], len(group)
    step = f"evaluate x{count}" if first.step == "evaluate" else first.step
    row = {"recipe": first.recipe, "method": first.method, "step": step}
    row["rows"] = sum(step.rows for step in group)
    row["read M"] = f"{sum(step.read for step in group) / 1e6:.2f}"
    row["written M"] = f"{sum(step.written for step in group) / 1e6:.2f}"
    for card in cards:
        costs = [step.costs.get(card.key) for step in group]
        row[f"{card.key} h"], row[f"{card.key} GB"] = hours_and_memory(costs)
    return row


def hours_and_memory(costs: list) -> tuple[str, str]:
    """Hours and memory of a line's steps on one device; a dash where a step does not fit."""
    if None in costs:
        return "-", "-"
    low, high = (sum(cost.hours[end] for cost in costs) for end in (0, 1))
    largest = max(costs, key=lambda cost: cost.memory_gb)
    times = f"{largest.devices}x" if largest.devices > 1 else ""
    parts = f"/{largest.parts}" if largest.parts > 1 else ""
    memory = f"{times}{largest.memory_gb:.0f}{MARKS[largest.way]}{parts}"
    return f"{low:.2f}-{high:.2f}", memory
