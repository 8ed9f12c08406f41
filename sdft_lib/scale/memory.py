"""What fits where: the memory of training and answering, and a plan as a table (lesson 10). The
arithmetic is that of ``hardware``; memory is in GB of 1e9 bytes, as makers count."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from sdft_lib.scale import hardware
from sdft_lib.scale.hardware import Device, Geometry, devices, geometry
from sdft_lib.storage.errors import SdftError

GB = 1e9
FILLED = 0.9  # of a device at most, in training
RANK, QUERIES_VALUES = 8, ("q_proj", "v_proj")  # the paper's LoRA


WAYS = {  # all weights, or LoRA on a base in 16 or 4 bit
    "LoRA": {},
    "LoRA, checkpointing": {"checkpointing": True},
    "QLoRA, checkpointing": {"checkpointing": True, "four_bit": True},
    "all weights, checkpointing": {"checkpointing": True, "full": True},
}


def ways(device: Device, full: bool) -> list[tuple[str, bool, bool]]:
    """What a device can do, fastest first: name, checkpointing, 4-bit. All weights need bf16."""
    plain = [("16-bit", False, False), ("16-bit, checkpointing", True, False)]
    if full:
        return plain if device.bf16 else []
    return [*plain, ("4-bit, checkpointing", True, True)]


def training_table(name: str, *, tokens: int, targets: int) -> pandas.DataFrame:
    """A row for each way to train the model ``name`` with ``tokens`` in one forward pass,
    ``targets`` of them trained on: way, ``training_parts``, total (GB), and for each device what it
    takes: "fits", "2 devices" and so on (all weights can be spread), or "no" (too large, or without
    bf16 not a way at all)."""
    model, rows = geometry(name), []
    everything = hardware.parameters(model)
    adapter = hardware.lora_parameters(model, RANK, QUERIES_VALUES)
    for way, settings in WAYS.items():
        full = "full" in settings
        sizes = {"tokens": tokens, "logits": targets, "trained": everything if full else adapter}
        parts = hardware.training_parts(model, **sizes, **settings)
        row = {"way": way, **{part: size / GB for part, size in parts.items()}}
        row["total"] = sum(parts.values()) / GB
        verdicts = {device.key: verdict(device, full, row["total"]) for device in devices()}
        rows.append(row | verdicts)
    return pandas.DataFrame(rows)


def verdict(device: Device, full: bool, total: float) -> str:
    """What a training of ``total`` GB takes on a device: "fits", a number of devices, or "no"."""
    if not ways(device, full):
        return "no"
    count = -(-int(total * GB) // int(FILLED * device.memory))
    if count == 1:
        return "fits"
    return f"{count} devices" if full else "no"


def answering_table(name: str, *, tokens: int) -> pandas.DataFrame:
    """Writing answers with the model ``name``, a row a device and number of bits: device, bits,
    weights (GB), cache (GB of keys and values of one row of ``tokens``), rows (at once; 0: the
    model does not fit)."""
    model, rows = geometry(name), []
    for device in devices():
        for bits in (16, 4):
            four_bit = bits == 4
            weights = hardware.weight_bytes(model, four_bit=four_bit)
            cache = tokens * hardware.cache_bytes(model)
            together = hardware.rows_together(model, device, tokens, four_bit=four_bit)
            rows.append((device.key, bits, weights / GB, cache / GB, together))
    return pandas.DataFrame(rows, columns=["device", "bits", "weights", "cache", "rows"])


# ---- a plan, step by step (paper.plan makes one)
@dataclass(frozen=True)
class Cost:
    """What a step takes on one kind of device: hours (low, high), memory in GB of each, how many,
    in which way, and in how many parts a batch goes through the model."""

    hours: tuple[float, float]
    memory_gb: float
    devices: int
    way: str
    parts: int = 1


@dataclass(frozen=True)
class Step:
    """One step of a plan. ``read``: tokens of prompts, ``written``: new tokens (rewrite, evaluate)
    or trained ones; ``costs`` by device."""

    recipe: str
    method: str
    step: str
    data: str
    rows: int
    read: int
    written: int
    costs: dict[str, Cost]


def plan_table(steps: Sequence[Step], device: str) -> pandas.DataFrame:
    """A plan on one device, all evaluations of a model in one row: recipe, method, step, rows,
    written (million tokens), low and high (device hours), memory (GB of each device), devices, way,
    parts. Hours and memory are missing where a step does not fit."""
    rows, nothing = [], Cost((math.nan, math.nan), math.nan, math.nan, "does not fit", math.nan)
    for step in steps:
        row = {"recipe": step.recipe, "method": step.method, "step": step.step, "rows": step.rows}
        cost = step.costs.get(device, nothing)
        low, high = (hours * cost.devices for hours in cost.hours)
        row |= {"written": step.written / 1e6, "low": low, "high": high, "memory": cost.memory_gb}
        rows.append(row | {"devices": cost.devices, "way": cost.way, "parts": cost.parts})
    groups = pandas.DataFrame(rows).groupby(["recipe", "method", "step"], sort=False)
    totals = dict.fromkeys(("rows", "written"), "sum")
    totals |= dict.fromkeys(("low", "high"), lambda hours: hours.sum(skipna=False))
    largest = dict.fromkeys(("memory", "devices"), "max")
    return groups.agg({**totals, **largest, "way": "first", "parts": "max"}).reset_index()


def skeleton(model: Geometry) -> LlamaForCausalLM:
    """The model as transformers builds it, a Llama with shapes and without numbers: it takes no
    memory. Raises SdftError for a model with biases, which is no Llama."""
    if model.bias:
        others = "llama-2-7b, llama-2-13b or llama-3-8b"
        raise SdftError(f"{model.name} is no Llama (it has biases); take {others}.")
    shape = {"vocab_size": model.vocabulary, "hidden_size": model.hidden}
    shape |= {"intermediate_size": model.intermediate, "num_hidden_layers": model.layers}
    shape |= {"num_attention_heads": model.heads, "num_key_value_heads": model.kv_heads}
    shape |= {"head_dim": model.head_size, "tie_word_embeddings": model.tied}
    with torch.device("meta"):
        return LlamaForCausalLM(LlamaConfig(**shape))
