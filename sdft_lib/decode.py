"""The decoding loop: what is finished leaves the batch, what is known is not computed again (lesson 02, "Many rows").

transformers' ``generate`` keeps a batch whole until its last row ends and copies all keys and values for each new
token. This loop drops finished rows and grows the cache in blocks. Under greedy decoding its answers are those of plain
decoding, row by row (tested).
"""

from collections.abc import Callable, Sequence
from copy import deepcopy

from sdft_lib.prefix import pad_behind_prefix, prefix_cache
from sdft_lib.products import weights_first

DROP_SHARE = 8  # finished rows are dropped once they are an eighth of the batch: each drop copies the cache
ROOM = 64  # tokens by which the cache grows
PROMPT_TOKENS = 1344  # prompts are read in parts of so many tokens on a CPU: what a layer works on stays in its cache


def decode(
    model, rows: Sequence[list[int]], choose: Callable, *, stops: Sequence[int], pad: int, max_new_tokens: int
) -> list[list[int]]:
    """New token ids of each row, the stop token included; ``choose(logits, ids, numbers)`` picks one token a row.

    ``logits`` is (rows, vocabulary), ``ids`` what these rows hold so far, ``numbers`` their places in ``rows``.
    """
    import torch

    ids, attention, shared = pad_behind_prefix(rows, pad, model.device)
    answers: list[list[int]] = [[] for _ in rows]
    numbers, stop = list(range(len(rows))), torch.tensor(stops, device=model.device)
    going = torch.ones(len(rows), dtype=torch.bool, device=model.device)
    positions = (attention.cumsum(1) - 1).clamp_min(0)
    with torch.inference_mode(), weights_first(model):
        cache, logits = read_prompts(model, ids, attention, positions, shared)
        step, place = ids[:, -1:], positions[:, -1:]
        for count in range(max_new_tokens):
            if count:
                logits = model(input_ids=step, attention_mask=attention, position_ids=place, past_key_values=cache,
                               logits_to_keep=1).logits[:, -1]  # fmt: skip
            step = choose(logits, ids, numbers)[:, None]
            for number, token, unfinished in zip(numbers, step[:, 0].tolist(), going.tolist(), strict=True):
                if unfinished:
                    answers[number].append(token)
            going &= ~torch.isin(step[:, 0], stop)
            if not going.any() or count + 1 == max_new_tokens:
                break
            ids = torch.cat([ids, step], 1)
            attention = torch.cat([attention, torch.ones_like(step)], 1)
            place = place + 1
            if (~going).sum() * DROP_SHARE >= len(numbers):
                keep = going.nonzero()[:, 0]
                cache.batch_select_indices(keep)
                numbers = [numbers[index] for index in keep.tolist()]
                ids, attention, step, place, going = (x[keep] for x in (ids, attention, step, place, going))
    return answers


def read_prompts(model, ids, attention, positions, shared: int):
    """Cache and logits (rows, vocabulary) behind the prompts; their shared start is computed once."""
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    start = prefix_cache(model, ids[:1], shared) or DynamicCache(config=model.config)
    plain = all(type(layer) is DynamicLayer for layer in start.layers)
    rows = max(1, PROMPT_TOKENS // (ids.shape[1] - shared)) if plain and model.device.type == "cpu" else len(ids)
    parts, logits = [], []
    for first in range(0, len(ids), rows):
        part = slice(first, first + rows)
        parts.append(deepcopy(start))
        if shared:
            parts[-1].batch_repeat_interleave(len(ids[part]))
        logits.append(model(
            input_ids=ids[part, shared:], attention_mask=attention[part], position_ids=positions[part, shared:],
            past_key_values=parts[-1], logits_to_keep=1,
        ).logits[:, -1])  # fmt: skip
    return roomy(parts), torch.cat(logits)


def roomy(parts: list):
    """One cache from those of some rows each; its plain layers grow in blocks, those with a window stay as they are."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):
        """Keys and values (rows, heads, tokens, size) at the start of a larger block."""

        def update(self, key_states, value_states, *args, **kwargs):
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            old, new = self.get_seq_length(), self.get_seq_length() + key_states.shape[2]
            self.block = tuple(
                grown(getattr(self, "block", (None, None))[side], states, fresh, old, new)
                for side, states, fresh in ((0, self.keys, key_states), (1, self.values, value_states))
            )
            self.keys, self.values = (block[:, :, :new] for block in self.block)
            return self.keys, self.values

        def batch_select_indices(self, indices):
            self.block = tuple(block[indices] for block in self.block)
            self.keys, self.values = (block[:, :, : self.keys.shape[2]] for block in self.block)

    cache, others = parts[0], parts[1:]
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            layers = [layer, *(other.layers[index] for other in others)]
            cache.layers[index] = RoomyLayer()
            cache.layers[index].update(*(torch.cat([getattr(x, side) for x in layers]) for side in ("keys", "values")))
            for other in others:
                other.layers[index] = None
    return cache


def grown(block, states, fresh, old: int, new: int):
    """The block with ``fresh`` written behind its first ``old`` tokens; a larger one if it has no room."""
    if block is None or block.shape[2] < new:
        larger = fresh.new_empty(fresh.shape[0], fresh.shape[1], new + ROOM, fresh.shape[3])
        if old:
            larger[:, :, :old] = states
        block = larger
    block[:, :, old:new] = fresh
    return block
