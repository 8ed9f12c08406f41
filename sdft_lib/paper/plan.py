"""The plan of a reproduction: each run of a table with its tokens, and hours and memory on some
devices (lesson 08).

Nothing is loaded. Lengths are those of ``data/hardware/lengths.toml``, the arithmetic is that of
``estimate``. Hours are a range: the low end takes mean lengths and the fast share of a device, the
high end lets every batch of answers run to its limit at the slow share."""

from collections.abc import Sequence
from dataclasses import replace

from sdft_lib.paper.recipes import TABLES, PaperRecipe
from sdft_lib.scale.hardware import (
    OVERHEAD,
    Device,
    Geometry,
    cache_bytes,
    devices,
    generation_seconds,
    geometry,
    load_table,
    lora_parameters,
    parameters,
    rows_together,
    training_bytes,
    training_flops,
    weight_bytes,
)
from sdft_lib.scale.memory import FILLED, GB, Cost, Step, ways

PEAK = 2  # the longest batch of a run, in multiples of the mean row
FEW = 8  # rows written together, below which a 4-bit model is taken: it leaves room for more


def plan(
    table: int, recipes: Sequence[PaperRecipe], *, evaluations: Sequence[str] | None = None
) -> list[Step]:
    """The steps of a table: rewriting, two trainings and the evaluations of each recipe; a seed is
    evaluated once.
    """
    steps, seeds = [], set()
    for recipe in recipes:
        model = geometry(recipe.model)
        for method in recipe.methods:
            if method == "sdft":
                steps.append(rewriting(recipe, model))
            if method != "seed":
                steps.append(training(recipe, model, method))
            for name in TABLES[table] if evaluations is None else evaluations:
                if method == "seed" and (recipe.model, name) in seeds:
                    continue
                seeds.add((recipe.model, name))
                steps.append(evaluating(recipe, model, method, name))
    return steps


def tokens(model: Geometry, characters: float) -> int:
    """Characters as tokens, rounded."""
    return round(characters / model.characters)


def rewriting(recipe: PaperRecipe, model: Geometry) -> Step:
    """Each training row is read with its reference and written anew."""
    row = load_table("lengths")["training"][recipe.dataset]
    prompt = tokens(model, row["prompt"] + row["reference"])
    return answering(
        recipe, model, "sdft", "rewrite", recipe.dataset, recipe.rows, prompt, row["answer"]
    )


def evaluating(recipe: PaperRecipe, model: Geometry, method: str, name: str) -> Step:
    """Each item of a suite is answered once."""
    row = load_table("lengths")["evaluation"][name]
    prompt = tokens(model, row["prompt"])
    return answering(recipe, model, method, "evaluate", name, row["items"], prompt, row["answer"])


def answering(
    recipe, model: Geometry, method, step, data, rows: int, prompt: int, answer: int
) -> Step:
    """A step that generates: ``rows`` prompts of ``prompt`` tokens, ``answer`` new tokens each."""
    sizes = {
        "rows": rows,
        "prompt": prompt,
        "answer": answer,
        "longest": recipe.decoding["max_new_tokens"],
    }
    costs = {
        device.key: cost for device in devices() if (cost := answered_on(device, model, **sizes))
    }
    return Step(recipe.name, method, step, data, rows, rows * prompt, rows * answer, costs)


def answered_on(
    device: Device, model: Geometry, *, rows: int, prompt: int, answer: int, longest: int
) -> Cost | None:
    """A 16-bit model or, where that leaves room for fewer than FEW rows at once, a 4-bit one. None:
    neither fits.
    """
    for way, four_bit, least in (("16-bit", False, FEW), ("4-bit", True, 1)):
        together = rows_together(model, device, prompt + longest, four_bit=four_bit)
        if together < least:
            continue
        sizes = {
            "rows": rows,
            "prompt": prompt,
            "answer": answer,
            "longest": longest,
            "four_bit": four_bit,
        }
        hours = tuple(
            generation_seconds(model, device, slow=slow, **sizes) / 3600 for slow in (False, True)
        )
        cache = together * (prompt + longest) * cache_bytes(model)
        memory = weight_bytes(model, four_bit=four_bit) + cache + OVERHEAD
        return Cost(hours, memory / GB, 1, way)
    return None


def training(recipe: PaperRecipe, model: Geometry, method: str) -> Step:
    """All epochs over references (sft) or rewrites (sdft; those that failed keep their
    reference).
    """
    row = load_table("lengths")["training"][recipe.dataset]
    target = row["answer"] if method == "sdft" else tokens(model, row["reference"])
    length, seen = tokens(model, row["prompt"]) + target, recipe.rows * recipe.training["epochs"]
    costs = {
        device.key: cost
        for device in devices()
        if (cost := trained_on(device, recipe, model, length, target))
    }
    read, written = seen * (length - target), seen * target
    return Step(recipe.name, method, "train", recipe.dataset, recipe.rows, read, written, costs)


def trained_on(
    device: Device, recipe: PaperRecipe, model: Geometry, length: int, target: int
) -> Cost | None:
    """The first way that fits one device, a batch in as few parts as fit; all weights may be spread
    over several devices. None: there is no way."""
    full, settings = recipe.tuning == "full", recipe.training
    trained = (
        parameters(model) if full else lora_parameters(model, settings["rank"], settings["targets"])
    )
    found = []
    for way, checkpointing, four_bit in ways(device, full):
        for parts in (1, 2, 4, 8):
            rows = -(-settings["batch_size"] // parts)
            need = training_bytes(
                model,
                tokens=rows * PEAK * length,
                logits=rows * (PEAK * target + 1),
                trained=trained,
                full=full,
                checkpointing=checkpointing,
                four_bit=four_bit,
            )
            count = max(1, -(-int(need) // int(FILLED * device.memory)))
            found.append((count, len(found), need / count, way, checkpointing, four_bit, parts))
    count, _, need, way, checkpointing, four_bit, parts = min(
        found, default=(0,) * 7
    )  # fewest devices, then first way
    if count != 1 and not (full and count):
        return None
    seen = recipe.rows * settings["epochs"] * length
    work = (
        training_flops(model, seen, full=full, checkpointing=checkpointing)
        / device.flops
        / count
        / 3600
    )
    slow, fast = device.train_4bit if four_bit else device.train
    return Cost((work / fast, work / slow), need / GB, count, way, parts)


def total(steps: Sequence[Step], device: str) -> Cost | None:
    """Device hours of all steps; None where one of them does not fit. Memory and number are the
    largest.
    """
    costs = [step.costs.get(device) for step in steps]
    if not costs or None in costs:
        return None
    hours = tuple(sum(cost.hours[end] * cost.devices for cost in costs) for end in (0, 1))
    largest = max(costs, key=lambda cost: (cost.devices, cost.memory_gb))
    return replace(largest, hours=hours)
