"""The plan of a reproduction: each run of a table with its tokens, and hours and memory on some
devices (lesson 10).

Nothing is loaded. Lengths: ``data/hardware/lengths.toml``, arithmetic: ``scale.hardware``.
Hours are a range: the low end takes mean lengths and the fast share of a device, the high end lets
every batch of answers run to its limit at the slow share."""

from collections.abc import Sequence
from dataclasses import replace

from sdft_lib.paper.recipes import TABLES, PaperRecipe
from sdft_lib.scale import hardware
from sdft_lib.scale.hardware import Device, Geometry, devices, geometry, load_table
from sdft_lib.scale.memory import FILLED, GB, Cost, Step, ways

PEAK = 2  # the longest batch of a run, in multiples of the mean row
FEW = 8  # rows written together, below which a 4-bit model is taken: it leaves room for more


def plan(table: int, recipes: Sequence[PaperRecipe]) -> list[Step]:
    """Rewriting, two trainings, evaluations of each recipe; a seed is evaluated once."""
    steps, seeds, lengths = [], set(), load_table("lengths")
    for recipe in recipes:
        row = lengths["training"][recipe.dataset]
        for method in recipe.methods:
            if method == "sdft":  # each training row is read with its reference and written anew
                names, read = (method, "rewrite", recipe.dataset), row["prompt"] + row["reference"]
                steps.append(answering(recipe, names, recipe.rows, read, row["answer"]))
            if method != "seed":
                steps.append(training(recipe, method, row))
            for name in TABLES[table]:
                if method == "seed" and (recipe.model, name) in seeds:
                    continue
                seeds.add((recipe.model, name))
                asked, names = lengths["evaluation"][name], (method, "evaluate", name)
                sizes = (asked["items"], asked["prompt"], asked["answer"])
                steps.append(answering(recipe, names, *sizes))
    return steps


def tokens(model: Geometry, characters: float) -> int:
    """Characters as tokens, rounded."""
    return round(characters / model.characters)


def answering(
    recipe: PaperRecipe, names: tuple[str, ...], rows: int, characters: float, answer: int
) -> Step:
    """A step (``names``: method, step, data) that writes ``answer`` tokens behind each of ``rows``
    prompts of so many characters."""
    model, costs = geometry(recipe.model), {}
    prompt, longest = tokens(model, characters), recipe.decoding_of().max_new_tokens
    sizes = {"rows": rows, "prompt": prompt, "answer": answer, "longest": longest}
    for device in devices():
        if cost := answered_on(device, model, sizes):
            costs[device.key] = cost
    return Step(recipe.name, *names, rows, rows * prompt, rows * answer, costs)


def answered_on(device: Device, model: Geometry, sizes: dict[str, int]) -> Cost | None:
    """A 16-bit model or, where it leaves no room for FEW rows, a 4-bit one (None: no room)."""
    row = sizes["prompt"] + sizes["longest"]
    for way, four_bit, least in (("16-bit", False, FEW), ("4-bit", True, 1)):
        together = hardware.rows_together(model, device, row, four_bit=four_bit)
        if together >= least:
            options = sizes | {"four_bit": four_bit}
            fast = hardware.generation_seconds(model, device, slow=False, **options)
            slow = hardware.generation_seconds(model, device, slow=True, **options)
            cache = together * row * hardware.cache_bytes(model)
            memory = hardware.weight_bytes(model, four_bit=four_bit) + cache + hardware.OVERHEAD
            return Cost((fast / 3600, slow / 3600), memory / GB, 1, way)
    return None


def training(recipe: PaperRecipe, method: str, row: dict[str, int]) -> Step:
    """All epochs over references (sft) or rewrites (sdft; those that failed keep their
    reference); ``row``: the set's lengths."""
    model, costs = geometry(recipe.model), {}
    target = row["answer"] if method == "sdft" else tokens(model, row["reference"])
    prompt, seen = tokens(model, row["prompt"]), recipe.rows * recipe.config().epochs
    for device in devices():
        if cost := trained_on(device, recipe, prompt + target, target):
            costs[device.key] = cost
    names = (recipe.name, method, "train", recipe.dataset)
    return Step(*names, recipe.rows, seen * prompt, seen * target, costs)


def trained_on(device: Device, recipe: PaperRecipe, length: int, target: int) -> Cost | None:
    """The first way that fits one device, a batch in as few parts as fit; all weights may be spread
    over several devices, as few as can be. None: there is no way."""
    model, config = geometry(recipe.model), recipe.config()
    trained = hardware.parameters(model)
    if not config.full:
        trained = hardware.lora_parameters(model, config.rank, config.targets)
    best = None
    for way, checkpointing, four_bit in ways(device, config.full):
        chosen = {"full": config.full, "checkpointing": checkpointing}
        for parts in (1, 2, 4, 8):
            rows = -(-config.batch_size // parts)
            sizes = {"tokens": rows * PEAK * length, "logits": rows * (PEAK * target + 1)}
            sizes |= {"trained": trained, "four_bit": four_bit}
            need = hardware.training_bytes(model, **sizes, **chosen)
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
    """A cost with the device hours of all steps; None: one does not fit."""
    costs = [step.costs.get(device) for step in steps]
    if not costs or None in costs:
        return None
    low = sum(cost.hours[0] * cost.devices for cost in costs)
    high = sum(cost.hours[1] * cost.devices for cost in costs)
    return replace(costs[0], hours=(low, high))
