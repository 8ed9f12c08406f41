"""What fits where: the parts of the memory that training and answering take, and the plan as a
table (lesson 08).

The arithmetic is that of ``estimate``; here it is taken apart. Memory is in GB of 1e9 bytes, as
makers count it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sdft_lib.paper.plan import FILLED, GB, Step, ways
from sdft_lib.scale.hardware import (
    OVERHEAD,
    Device,
    Geometry,
    cache_bytes,
    devices,
    geometry,
    lora_parameters,
    parameters,
    rows_together,
    training_bytes,
    weight_bytes,
)

PARTS = ("frozen weights", "trained weights", "activations", "logits", "device")
QUERIES_VALUES = ("q_proj", "v_proj")  # what the paper's LoRA trains


@dataclass(frozen=True)
class Way:
    """A way to train: all weights or LoRA (rank 8 on queries and values), the base in 16 or 4
    bit.
    """

    name: str
    full: bool = False
    checkpointing: bool = False
    four_bit: bool = False


WAYS = (
    Way("LoRA"),
    Way("LoRA, checkpointing", checkpointing=True),
    Way("QLoRA, checkpointing", checkpointing=True, four_bit=True),
    Way("all weights, checkpointing", full=True, checkpointing=True),
)


def training_parts(
    model: Geometry, way: Way, *, tokens: int, targets: int, rank: int = 8
) -> dict[str, float]:
    """GB of each of PARTS at the peak of a step with ``tokens`` in one forward pass, ``targets`` of
    them trained on.

    The parts add up to ``estimate.training_bytes``.
    """
    trained = parameters(model) if way.full else lora_parameters(model, rank, QUERIES_VALUES)
    common = {"full": way.full, "checkpointing": way.checkpointing, "four_bit": way.four_bit}

    def need(trained: int = 0, tokens: int = 0, logits: int = 0) -> float:
        return training_bytes(model, trained=trained, tokens=tokens, logits=logits, **common)

    empty = need()
    found = (
        empty - OVERHEAD,
        need(trained=trained) - empty,
        need(tokens=tokens) - empty,
        need(logits=targets) - empty,
        OVERHEAD,
    )
    return {name: size / GB for name, size in zip(PARTS, found, strict=True)}


def training_table(
    name: str, *, tokens: int, targets: int, rank: int = 8, which: Sequence[Way] = WAYS
):
    """A row for each way to train the model ``name``: way, PARTS, total (GB), and for each device
    what it takes.

    "fits", "2 devices" and so on (all weights can be spread), or "no": too large, or without bf16
    not a way at all."""
    import pandas

    model, cards, rows = geometry(name), devices(), []
    for way in which:
        parts = training_parts(model, way, tokens=tokens, targets=targets, rank=rank)
        total = sum(parts.values())
        rows.append(
            {
                "way": way.name,
                **parts,
                "total": total,
                **{c.key: verdict(c, way, total) for c in cards},
            }
        )
    return pandas.DataFrame(rows)


def verdict(device: Device, way: Way, total: float) -> str:
    """What a way of ``total`` GB takes on a device: "fits", a number of devices, or "no"."""
    if (way.checkpointing, way.four_bit) not in [found[1:] for found in ways(device, way.full)]:
        return "no"
    count = -(-int(total * GB) // int(FILLED * device.memory))
    if count == 1:
        return "fits"
    return f"{count} devices" if way.full else "no"


def answering_table(name: str, *, tokens: int):
    """Writing answers with the model ``name``: a row a device and number of bits.

    Columns: device, bits, weights (GB), cache (GB of keys and values of one row of ``tokens``),
    rows (at once; 0: the model does not fit)."""
    import pandas

    model = geometry(name)
    return pandas.DataFrame(
        [
            {
                "device": card.key,
                "bits": 4 if four_bit else 16,
                "weights": weight_bytes(model, four_bit=four_bit) / GB,
                "cache": tokens * cache_bytes(model) / GB,
                "rows": rows_together(model, card, tokens, four_bit=four_bit),
            }
            for card in devices()
            for four_bit in (False, True)
        ]
    )


def plan_table(steps: Sequence[Step], device: str):
    """A plan on one device, all evaluations of a model in one row: recipe, method, step, rows,
    written (million tokens), low and high (device hours), memory (GB of each device), devices, way,
    parts.

    Hours and memory are missing where a step does not fit.
    """
    import pandas

    frame = pandas.DataFrame([row_of(step, device) for step in steps])
    together = {
        "rows": "sum",
        "written": "sum",
        "low": joint,
        "high": joint,
        "memory": "max",
        "devices": "max",
        "way": "first",
        "parts": "max",
    }
    return frame.groupby(["recipe", "method", "step"], sort=False, as_index=False).agg(together)


def joint(values):
    """The sum of a column, missing if any of it is."""
    return values.sum(min_count=len(values))


def row_of(step: Step, device: str) -> dict:
    """One step of a plan as a row of ``plan_table``."""
    cost = step.costs.get(device)
    low, high = (hours * cost.devices for hours in cost.hours) if cost else (None, None)
    said = (
        {"memory": cost.memory_gb, "devices": cost.devices, "way": cost.way, "parts": cost.parts}
        if cost
        else {"memory": None, "devices": None, "way": "does not fit", "parts": None}
    )
    return {
        "recipe": step.recipe,
        "method": step.method,
        "step": step.step,
        "rows": step.rows,
        "written": step.written / 1e6,
        "low": low,
        "high": high,
        **said,
    }


def skeleton(model: Geometry):
    """The model as transformers builds it, a Llama with shapes and without numbers: it takes no
    memory.

    Raises SdftError for a model with biases, which is no Llama.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from sdft_lib.storage.errors import SdftError

    if model.bias:
        raise SdftError(
            f"{model.name} is no Llama (it has biases); take llama-2-7b, llama-2-13b or llama-3-8b."
        )
    config = LlamaConfig(
        vocab_size=model.vocabulary,
        hidden_size=model.hidden,
        intermediate_size=model.intermediate,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.kv_heads,
        head_dim=model.head_size,
        tie_word_embeddings=model.tied,
    )
    with torch.device("meta"):
        return LlamaForCausalLM(config)
