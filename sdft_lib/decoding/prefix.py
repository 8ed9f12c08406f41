"""What all rows of a batch share at their start is computed once (lesson 03, "What makes it fast").

The prompts of one task begin alike: for the bundled tasks that is more than half of each row. Keys
and values of that start are computed for one row and repeated for the others. Padding goes behind
the shared start; mask and positions make that invisible to the model."""

import os
from collections.abc import Sequence

import torch
from transformers import DynamicCache, PreTrainedModel


def shareable(model: PreTrainedModel) -> bool:
    """True if every layer sees all tokens. A sliding window (Gemma) counts padding too, so it would
    push a shared start out of the window of some rows and not of others."""
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ()
    return all(kind == "full_attention" for kind in kinds)


def pad_behind_prefix(
    rows: Sequence[list[int]],
    pad: int,
    device: str | torch.device,
    share: bool = True,
    bound: int | None = None,
) -> tuple[dict[str, torch.Tensor], int]:
    """``input_ids``, ``attention_mask`` and ``position_ids`` (rows, longest) for a model, and the
    length of the shared start, ``bound`` at most; padding follows that start.

    At least one token of each row stays out of the shared start, since generation needs a token to
    begin from. Not ``share``: nothing counts as shared, and padding stands at the left."""
    longest = max(map(len, rows))
    shared = 0
    if share and len(rows) > 1:
        bound = min(map(len, rows)) - 1 if bound is None else bound
        shared = min(len(os.path.commonprefix(rows)), bound)
    ids, mask = [], []
    for row in rows:
        missing = longest - len(row)
        ids.append(row[:shared] + [pad] * missing + row[shared:])
        mask.append([1] * shared + [0] * missing + [1] * (len(row) - shared))
    attention = torch.tensor(mask, device=device)
    inputs = {
        "input_ids": torch.tensor(ids, device=device),
        "attention_mask": attention,
        "position_ids": (attention.cumsum(1) - 1).clamp_min(0),
    }
    return inputs, shared


def collate(
    rows: Sequence, pad: int, share: bool = True, device: str | torch.device = "cpu"
) -> dict:
    """Rendered rows (``chat.Rendered``) as one batch, padded behind the start that they share;
    ``shared`` is that start's length in tokens.

    ``labels`` hold the trained tokens at the end of the rows, and -100 elsewhere; for them alone
    ``logits_to_keep`` has the vocabulary layer computed, from the token before the first one."""
    # each prompt's last token predicts the first trained one: it is run, and no padding follows it
    bound = max(0, min(row.prompt_length for row in rows) - 1)
    inputs, shared = pad_behind_prefix([row.ids for row in rows], pad, device, share, bound)
    trained = [sum(row.mask) for row in rows]
    kept = max(trained) + 1
    labels = inputs["input_ids"][:, -kept:].clone()
    for number, count in enumerate(trained):
        labels[number, : kept - count] = -100
    return {**inputs, "labels": labels, "logits_to_keep": kept, "shared": shared}


def share_prefix(model: PreTrainedModel, batch: dict) -> dict:
    """The arguments of a forward pass over the rest of the rows, after the shared start has been
    run with gradients. Loss and gradients are those of the plain pass over whole rows (tested)."""
    inputs = dict(batch)
    if shared := inputs.pop("shared"):
        inputs["past_key_values"] = prefix_cache(model, inputs["input_ids"], shared)
        inputs["input_ids"] = inputs["input_ids"][:, shared:]
        inputs["position_ids"] = inputs["position_ids"][:, shared:]
    return inputs


def prefix_cache(model: PreTrainedModel, ids: torch.Tensor, shared: int) -> DynamicCache | None:
    """Keys and values of the shared start, computed once, repeated for each row (None: none)."""
    if shared == 0:
        return None
    cache = DynamicCache(config=model.config)
    # the layers alone: no token is to be guessed here
    model.get_decoder()(input_ids=ids[:1, :shared], past_key_values=cache)
    cache.batch_repeat_interleave(len(ids))
    return cache
