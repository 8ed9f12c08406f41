"""The plan of a reproduction: each run of a table with its tokens, and hours and memory on some
devices (lesson 08).

Nothing is loaded. Lengths are those of ``data/hardware/lengths.toml``, the arithmetic is that of
``scale.hardware``. Hours are a range: the low end takes mean lengths and the fast share of a
device, the high end lets every batch of answers run to its limit at the slow share."""

from collections.abc import Sequence
from dataclasses import replace

from sdft_lib.paper.recipes import TABLES, PaperRecipe
from sdft_lib.scale import hardware
from sdft_lib.scale.hardware import Device, Geometry, devices, geometry, load_table
from sdft_lib.scale.memory import FILLED, GB, Cost, Step, ways

PEAK = 2  # the longest batch of a run, in multiples of the mean row
FEW = 8  # rows written together, below which a 4-bit model is taken: it leaves room for more


def plan(
    table: int, recipes: Sequence[PaperRecipe], *, evaluations: Sequence[str] | None = None
) -> list[Step]:
    """The steps of a table: rewriting, two trainings and the evaluations of each recipe; a seed is
    evaluated once."""
    steps, seeds = [], set()
    for recipe in recipes:
        for method in recipe.methods:
            if method == "sdft":
                steps.append(rewriting(recipe))
            if method != "seed":
                steps.append(training(recipe, method))
            for name in TABLES[table] if evaluations is None else evaluations:
                if method == "seed" and (recipe.model, name) in seeds:
                    continue
                seeds.add((recipe.model, name))
                steps.append(evaluating(recipe, method, name))
    return steps


def tokens(model: Geometry, characters: float) -> int:
    """Characters as tokens, rounded."""
    return round(characters / model.characters)


def rewriting(recipe: PaperRecipe) -> Step:
    """Each training row is read with its reference and written anew."""
    row = load_table("lengths")["training"][recipe.dataset]
    read = row["prompt"] + row["reference"]
    step = Step(recipe.name, "sdft", "rewrite", recipe.dataset, recipe.rows, 0, 0, {})
    return answered(step, recipe, read, row["answer"])


def evaluating(recipe: PaperRecipe, method: str, name: str) -> Step:
    """Each item of a suite is answered once."""
    row = load_table("lengths")["evaluation"][name]
    step = Step(recipe.name, method, "evaluate", name, row["items"], 0, 0, {})
    return answered(step, recipe, row["prompt"], row["answer"])


def answered(step: Step, recipe: PaperRecipe, characters: float, answer: int) -> Step:
    """A step that writes ``answer`` tokens behind each prompt of ``characters``, with its costs."""
    model, longest = geometry(recipe.model), recipe.decoding_of().max_new_tokens
    prompt, costs = tokens(model, characters), {}
    for device in devices():
        if cost := answered_on(device, model, step.rows, prompt, answer, longest):
            costs[device.key] = cost
    return replace(step, read=step.rows * prompt, written=step.rows * answer, costs=costs)


def answered_on(
    device: Device, model: Geometry, rows: int, prompt: int, answer: int, longest: int
) -> Cost | None:
    """A 16-bit model or, where that leaves room for fewer than FEW rows at once, a 4-bit one. None:
    neither fits."""
    sizes = {"rows": rows, "prompt": prompt, "answer": answer, "longest": longest}
    for way, four_bit, least in (("16-bit", False, FEW), ("4-bit", True, 1)):
        together = hardware.rows_together(model, device, prompt + longest, four_bit=four_bit)
        if together < least:
            continue
        sizes["four_bit"] = four_bit
        fast = hardware.generation_seconds(model, device, slow=False, **sizes) / 3600
        slow = hardware.generation_seconds(model, device, slow=True, **sizes) / 3600
        cache = together * (prompt + longest) * hardware.cache_bytes(model)
        memory = hardware.weight_bytes(model, four_bit=four_bit) + cache + hardware.OVERHEAD
        return Cost((fast, slow), memory / GB, 1, way)
    return None


def training(recipe: PaperRecipe, method: str) -> Step:
    """All epochs over references (sft) or rewrites (sdft; those that failed keep their
    reference)."""
    model, row = geometry(recipe.model), load_table("lengths")["training"][recipe.dataset]
    target = row["answer"] if method == "sdft" else tokens(model, row["reference"])
    prompt, seen = tokens(model, row["prompt"]), recipe.rows * recipe.config().epochs
    costs = {}
    for device in devices():
        if cost := trained_on(device, recipe, model, prompt + target, target):
            costs[device.key] = cost
    read, written = seen * prompt, seen * target
    return Step(recipe.name, method, "train", recipe.dataset, recipe.rows, read, written, costs)


def trained_on(
    device: Device, recipe: PaperRecipe, model: Geometry, length: int, target: int
) -> Cost | None:
    """The first way that fits one device, a batch in as few parts as fit; all weights may be spread
    over several devices, as few as can be. None: there is no way."""
    config = recipe.config()
    trained = hardware.parameters(model)
    if not config.full:
        trained = hardware.lora_parameters(model, config.rank, config.targets)
    best = None
    for way, checkpointing, four_bit in ways(device, config.full):
        chosen = {"full": config.full, "checkpointing": checkpointing}
        for parts in (1, 2, 4, 8):
            rows = -(-config.batch_size // parts)
            sizes = {"tokens": rows * PEAK * length, "logits": rows * (PEAK * target + 1)}
            need = hardware.training_bytes(
                model, trained=trained, four_bit=four_bit, **sizes, **chosen
            )
            count = max(1, -(-int(need) // int(FILLED * device.memory)))
            if best is not None and count >= best.devices:
                continue
            flops = hardware.training_flops(model, recipe.rows * config.epochs * length, **chosen)
            hours = flops / device.flops / count / 3600
            slow, fast = device.train_4bit if four_bit else device.train
            best = Cost((hours / fast, hours / slow), need / count / GB, count, way, parts)
    if best is not None and best.devices > 1 and not config.full:
        return None
    return best


def total(steps: Sequence[Step], device: str) -> Cost | None:
    """Device hours of all steps; None where one of them does not fit. Memory and number are the
    largest."""
    costs = [step.costs.get(device) for step in steps]
    if not costs or None in costs:
        return None
    low = sum(cost.hours[0] * cost.devices for cost in costs)
    high = sum(cost.hours[1] * cost.devices for cost in costs)
    largest = max(costs, key=lambda cost: (cost.devices, cost.memory_gb))
    return replace(largest, hours=(low, high))
