"""What all rows of a batch share at their start is computed once (lesson 03, "What makes it fast").

The prompts of one task begin with the same system prompt and instruction: for the bundled tasks
that is more than half of each row. Keys and values of that start are computed for one row and
repeated for the others, in generation, scoring and training alike. Padding goes behind the shared
start; mask and positions make that invisible to the model."""

import os
from collections.abc import Sequence


def shareable(model) -> bool:
    """True if every layer sees all tokens. A sliding window (Gemma) counts places, padding too, so
    padding behind a shared start would push that start out of the window of some rows and not of
    others."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ()
    return all(kind == "full_attention" for kind in kinds)


def pad_behind_prefix(rows: list[list[int]], pad: int, device: str, share: bool = True):
    """Tensors (rows, longest) of ids and attention, and the length of the shared start; padding
    follows that start.

    At least one token of each row stays out of the shared start, since generation needs a token to
    begin from. Not ``share``: nothing counts as shared, and padding stands at the left."""
    import torch

    shared = min(len(os.path.commonprefix(rows)), min(map(len, rows)) - 1) if len(rows) > 1 else 0
    longest = max(map(len, rows))
    shared = shared if share else 0
    ids = [row[:shared] + [pad] * (longest - len(row)) + row[shared:] for row in rows]
    mask = [[1] * shared + [0] * (longest - len(row)) + [1] * (len(row) - shared) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device), shared


def prefix_cache(model, input_ids, shared: int):
    """Keys and values of the first ``shared`` tokens, computed once and repeated for each row
    (None: nothing shared)."""
    from transformers import DynamicCache

    if shared == 0:
        return None
    cache = DynamicCache(config=model.config)
    model(input_ids=input_ids[:1, :shared], past_key_values=cache, logits_to_keep=1)
    cache.batch_repeat_interleave(len(input_ids))
    return cache


def collate(items: Sequence[dict], pad: int, share: bool = True) -> dict:
    """A batch padded behind the start that its rows share; ``shared`` is that start's length in
    tokens.

    ``logits_to_keep`` limits the vocabulary layer to the positions that are trained on.
    """
    input_ids, attention, shared = pad_behind_prefix(
        [item["ids"] for item in items], pad, "cpu", share
    )
    keep = max(sum(item["mask"]) for item in items) + 1
    shared = max(0, min(shared, input_ids.shape[1] - keep))
    targets = [sum(item["mask"]) for item in items]
    labels = input_ids[:, -keep:].clone()
    for row, count in enumerate(targets):
        labels[row, : keep - count] = -100
    positions = (attention.cumsum(1) - 1).clamp_min(0)
    return {
        "input_ids": input_ids,
        "attention_mask": attention,
        "position_ids": positions,
        "labels": labels,
        "logits_to_keep": keep,
        "shared": shared,
    }


def share_prefix(model, inputs: dict) -> dict:
    """The arguments of a forward pass over the rest of the rows, after the shared start has been
    run with gradients.

    Loss and gradients are those of the plain pass over whole rows (tested).
    """
    inputs = dict(inputs)
    shared = inputs.pop("shared")
    if shared and not hasattr(
        model, "module"
    ):  # a model dealt out to processes counts its passes: one a step
        inputs["past_key_values"] = prefix_cache(model, inputs["input_ids"], shared)
        inputs["input_ids"] = inputs["input_ids"][:, shared:]
        inputs["position_ids"] = inputs["position_ids"][:, shared:]
    return inputs
