"""The decoding loop: what is finished leaves the batch, what is known is not computed again (lesson
02, "Many rows").

transformers' ``generate`` keeps a batch whole until its last row ends and copies all keys and
values for each new token. This loop drops finished rows, grows the cache in blocks, and puts the
last few rows of several parts together. In fp32, greedy answers are those of plain decoding, row by
row (tested); in 16 bit they are rounded apart."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sdft_lib.decoding.prefix import pad_behind_prefix, prefix_cache, shareable

DROP_SHARE = (
    8  # finished rows are dropped once they are an eighth of the batch: each drop copies the cache
)
FEW = 8  # of 128 rows written together, the last 16 wait for those of other parts
ROOM = 64  # tokens by which the cache grows
# prompts are read in parts of so many tokens on a CPU: what a layer works on stays in its cache
PROMPT_TOKENS = 1344


@dataclass
class Batch:
    """Rows that are being written: their places ``numbers``, tokens so far, cache, and the logits
    of the next token.
    """

    numbers: list[int]
    ids: Any  # (rows, tokens), as are attention and position of the last token (rows, 1)
    attention: Any
    place: Any
    cache: Any
    logits: Any  # (rows, vocabulary)


def decode(
    model,
    rows: Sequence[list[int]],
    choose: Callable,
    *,
    stops: Sequence[int],
    pad: int,
    max_new_tokens: int,
    together: int,
) -> list[list[int]]:
    """New token ids of each row, the stop token included; ``choose(logits, ids, numbers)`` picks
    one token a row.

    ``logits`` is (rows, vocabulary), ``ids`` what these rows hold so far, ``numbers`` their places
    in ``rows``. ``together`` rows are written at a time; the last few of each such part, the long
    answers, wait for those of the other parts: a step of few rows takes nearly as long as one of
    many."""
    import torch

    answers: list[list[int]] = [[] for _ in rows]
    waiting, joinable = [], len(rows) > together
    with torch.inference_mode():
        for first in range(0, len(rows), together):
            batch = read_prompts(model, rows[first : first + together], first, pad)
            joinable = joinable and growing(batch.cache)
            few = len(batch.numbers) // FEW if joinable else 0
            write(model, batch, answers, choose, stops, max_new_tokens, few)
            waiting += [batch] if batch.numbers else []
        if waiting:
            batch = joined(waiting, pad)
            advance(model, batch)
            write(model, batch, answers, choose, stops, max_new_tokens, 0)
    return answers


def write(model, batch: Batch, answers, choose, stops, max_new_tokens: int, few: int) -> None:
    """Write tokens until at most ``few`` rows are unfinished; they stay in the batch, their last
    token not yet read.
    """
    import torch

    stop, going = (
        torch.tensor(stops, device=model.device),
        torch.ones(len(batch.numbers), dtype=torch.bool),
    )
    while True:
        step = choose(batch.logits, batch.ids, batch.numbers)[:, None]
        ended = torch.isin(step[:, 0], stop).tolist()
        for index, (number, token) in enumerate(
            zip(batch.numbers, step[:, 0].tolist(), strict=True)
        ):
            if going[index]:
                answers[number].append(token)
                going[index] = not ended[index] and len(answers[number]) < max_new_tokens
        append(batch, step)
        left = int(going.sum())
        if (len(going) - left) * DROP_SHARE >= len(going) or left <= few:
            keep(batch, going.nonzero()[:, 0].to(model.device))
            going = torch.ones(left, dtype=torch.bool)
        if left <= few:
            return
        advance(model, batch)


def append(batch: Batch, step) -> None:
    """Put one more token behind each row, ``step`` (rows, 1); ``advance`` reads it."""
    import torch

    batch.ids = torch.cat([batch.ids, step], 1)
    batch.attention = torch.cat([batch.attention, torch.ones_like(step)], 1)
    batch.place = batch.place + 1


def advance(model, batch: Batch) -> None:
    """Read the last token of each row: its keys and values join the cache, the logits of the next
    token are there.
    """
    batch.logits = model(
        input_ids=batch.ids[:, -1:],
        attention_mask=batch.attention,
        position_ids=batch.place,
        past_key_values=batch.cache,
        logits_to_keep=1,
    ).logits[:, -1]


def keep(batch: Batch, chosen) -> None:
    """Drop all rows of a batch but the chosen ones."""
    batch.numbers = [batch.numbers[index] for index in chosen.tolist()]
    batch.ids, batch.attention, batch.place = (
        x[chosen] for x in (batch.ids, batch.attention, batch.place)
    )
    batch.cache.batch_select_indices(chosen)


def joined(batches: list[Batch], pad: int) -> Batch:
    """One batch from several; shorter ones are padded at their start, which the attention mask
    hides.
    """
    import torch
    from torch.nn.functional import pad as padded

    if len(batches) == 1:
        return batches[0]
    short = [max(b.ids.shape[1] for b in batches) - b.ids.shape[1] for b in batches]
    ids = torch.cat([padded(b.ids, (n, 0), value=pad) for b, n in zip(batches, short, strict=True)])
    attention = torch.cat(
        [padded(b.attention, (n, 0)) for b, n in zip(batches, short, strict=True)]
    )
    caches = [b.cache for b in batches]
    for layers in zip(*(cache.layers for cache in caches), strict=True):
        for layer, n in zip(layers, short, strict=True):
            layer.keys, layer.values = (padded(x, (0, 0, n, 0)) for x in (layer.keys, layer.values))
    numbers, place = sum((b.numbers for b in batches), []), torch.cat([b.place for b in batches])
    return Batch(numbers, ids, attention, place, roomy(caches), None)


def read_prompts(model, rows: Sequence[list[int]], first: int, pad: int) -> Batch:
    """The batch behind the prompts of some rows, of which the first is number ``first``; shared
    starts are run once.
    """
    import torch
    from transformers import DynamicCache

    ids, attention, shared = pad_behind_prefix(rows, pad, model.device, shareable(model))
    positions = (attention.cumsum(1) - 1).clamp_min(0)
    start = prefix_cache(model, ids[:1], shared) or DynamicCache(config=model.config)
    whole = model.device.type != "cpu" or not growing(start)
    size = len(ids) if whole else max(1, PROMPT_TOKENS // (ids.shape[1] - shared))
    caches, logits = [], []
    for number in range(0, len(ids), size):
        part = slice(number, number + size)
        caches.append(deepcopy(start))
        if shared:
            caches[-1].batch_repeat_interleave(len(ids[part]))
        logits.append(
            model(
                input_ids=ids[part, shared:],
                attention_mask=attention[part],
                position_ids=positions[part, shared:],
                past_key_values=caches[-1],
                logits_to_keep=1,
            ).logits[:, -1]
        )
    numbers = list(range(first, first + len(rows)))
    return Batch(numbers, ids, attention, positions[:, -1:], roomy(caches), torch.cat(logits))


def growing(cache) -> bool:
    """True if all layers keep the keys and values of all tokens: those of some rows can be put
    beside others.
    """
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer or hasattr(layer, "block") for layer in cache.layers)


def roomy(parts: list):
    """One cache from those of some rows each; its plain layers grow in blocks, those with a window
    stay as they are.
    """
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
                for side, states, fresh in (
                    (0, self.keys, key_states),
                    (1, self.values, value_states),
                )
            )
            self.keys, self.values = (block[:, :, :new] for block in self.block)
            return self.keys, self.values

        def batch_select_indices(self, indices):
            self.block = tuple(block[indices] for block in self.block)
            self.keys, self.values = (block[:, :, : self.keys.shape[2]] for block in self.block)

    cache, others = parts[0], parts[1:]
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer or hasattr(layer, "block"):
            layers = [layer, *(other.layers[index] for other in others)]
            cache.layers[index] = RoomyLayer()
            cache.layers[index].update(
                *(torch.cat([getattr(x, side) for x in layers]) for side in ("keys", "values"))
            )
            for other in others:
                other.layers[index] = None
    return cache


def grown(block, states, fresh, old: int, new: int):
    """The block with ``fresh`` written behind its first ``old`` tokens; a larger one if it has no
    room.
    """
    if block is None or block.shape[2] < new:
        larger = fresh.new_empty(fresh.shape[0], fresh.shape[1], new + ROOM, fresh.shape[3])
        if old:
            larger[:, :, :old] = states
        block = larger
    block[:, :, old:new] = fresh
    return block
