"""The decoding loop: what is finished leaves the batch, what is known is not computed again.

transformers' ``generate`` keeps a batch whole until its last row ends and copies all keys and
values for each token. This loop drops finished rows, grows the cache in blocks, and puts the last
few rows of several parts together. In fp32, greedy answers are those of plain decoding (tested)."""

from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch.nn.functional import pad as pad_sides
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from sdft_lib.decoding.prefix import pad_behind_prefix, prefix_cache, shareable

# Finished rows leave once they are this share of the batch: each time, the cache is copied.
DROP_SHARE = 1 / 8
# This share of the rows written together, the last ones, waits for those of other parts.
WAIT_SHARE = 1 / 8
ROOM = 64  # tokens by which the cache grows
# On a CPU, prompts are read in parts of so many tokens: what a layer works on stays in its cache.
PROMPT_TOKENS = 1344


@dataclass
class Batch:
    """Rows that are being written: ``length`` tokens each so far, padding included, and room for
    new ones behind. ``numbers`` says which of all rows they are."""

    numbers: list[int]
    ids: torch.Tensor  # (rows, room)
    attention: torch.Tensor  # (rows, room), 1 for each token that is no padding
    length: int
    positions: torch.Tensor  # (rows, 1), of the last token
    cache: DynamicCache
    logits: torch.Tensor | None  # (rows, vocabulary), of the next token


def decode(
    model: PreTrainedModel,
    rows: Sequence[list[int]],
    choose: Callable,
    *,
    stops: Collection[int],
    pad: int,
    max_new_tokens: int,
    together: int,
) -> list[list[int]]:
    """New token ids of each row, the stop token included; ``choose(logits, ids, numbers)`` picks
    one token a row: of (rows, vocabulary), what the rows hold so far, and which of ``rows`` they
    are. ``together`` rows are written at a time; the last few of each such part wait for those of
    the other parts, as a step of few rows takes nearly as long as one of many."""
    answers: list[list[int]] = [[] for _ in rows]
    waiting = []
    with torch.inference_mode():
        for first in range(0, len(rows), together):
            batch = read_prompts(model, rows[first : first + together], first, pad, max_new_tokens)
            few = 0
            if len(rows) > together and all(map(grows, batch.cache.layers)):
                few = int(len(batch.numbers) * WAIT_SHARE)
            write(model, batch, answers, choose, stops, max_new_tokens, few)
            if batch.numbers:
                waiting.append(batch)
        if waiting:
            batch = merge(waiting, pad)
            advance(model, batch)
            write(model, batch, answers, choose, stops, max_new_tokens, few=0)
    return answers


def read_prompts(
    model: PreTrainedModel, rows: Sequence[list[int]], first: int, pad: int, room: int
) -> Batch:
    """The batch behind the prompts of some rows, of which the first is number ``first``, with room
    for ``room`` new tokens; a shared start is run once."""
    inputs, shared = pad_behind_prefix(rows, pad, model.device, shareable(model))
    ids, attention, positions = inputs.values()
    length = ids.shape[1]
    start = prefix_cache(model, ids[:1], shared) or DynamicCache(config=model.config)
    size = len(rows)
    if model.device.type == "cpu" and all(map(grows, start.layers)):
        size = max(1, PROMPT_TOKENS // (length - shared))
    caches, logits = [], []
    for begin in range(0, len(rows), size):
        part = slice(begin, begin + size)
        cache = deepcopy(start)
        if shared:
            cache.batch_repeat_interleave(len(ids[part]))
        output = model(
            input_ids=ids[part, shared:],
            attention_mask=attention[part],
            position_ids=positions[part, shared:],
            past_key_values=cache,
            logits_to_keep=1,
        )
        caches.append(cache)
        logits.append(output.logits[:, -1])
    return Batch(
        list(range(first, first + len(rows))),
        pad_sides(ids, (0, room), value=pad),
        pad_sides(attention, (0, room)),
        length,
        positions[:, -1:],
        side_by_side(caches),
        torch.cat(logits),
    )


def write(
    model: PreTrainedModel,
    batch: Batch,
    answers: list[list[int]],
    choose: Callable,
    stops: Collection[int],
    max_new_tokens: int,
    few: int,
) -> None:
    """Write until at most ``few`` rows are unfinished; they stay, their last token not yet read."""
    going = set(range(len(batch.numbers)))  # rows of the batch that are not finished
    while True:
        chosen = choose(batch.logits, batch.ids[:, : batch.length], batch.numbers)
        for row, token in enumerate(chosen.tolist()):
            if row in going:
                answer = answers[batch.numbers[row]]
                answer.append(token)
                if token in stops or len(answer) == max_new_tokens:
                    going.remove(row)
        append(batch, chosen)
        finished = len(batch.numbers) - len(going)
        if finished >= len(batch.numbers) * DROP_SHARE or len(going) <= few:
            keep(batch, sorted(going))
            going = set(range(len(going)))
        if len(going) <= few:
            return
        advance(model, batch)


def append(batch: Batch, chosen: torch.Tensor) -> None:
    """Put one more token behind each row, ``chosen`` (rows,); ``advance`` reads it."""
    batch.ids[:, batch.length] = chosen
    batch.attention[:, batch.length] = 1
    batch.length += 1
    batch.positions = batch.positions + 1


def advance(model: PreTrainedModel, batch: Batch) -> None:
    """Read each row's last token: the cache grows by it, and the next token's logits are there."""
    batch.logits = model(
        input_ids=batch.ids[:, batch.length - 1 : batch.length],
        attention_mask=batch.attention[:, : batch.length],
        position_ids=batch.positions,
        past_key_values=batch.cache,
        logits_to_keep=1,
    ).logits[:, -1]


def keep(batch: Batch, rows: list[int]) -> None:
    """Drop all rows of a batch but these."""
    index = torch.tensor(rows, dtype=torch.long, device=batch.ids.device)
    batch.numbers = [batch.numbers[row] for row in rows]
    batch.ids, batch.attention = batch.ids[index], batch.attention[index]
    batch.positions = batch.positions[index]
    batch.cache.batch_select_indices(index)


def merge(batches: list[Batch], pad: int) -> Batch:
    """One batch from several; shorter ones are padded at their start, which the mask hides."""
    if len(batches) == 1:
        return batches[0]
    length = max(batch.length for batch in batches)
    room = max(batch.ids.shape[1] - batch.length for batch in batches)
    numbers, ids, attention = [], [], []
    for batch in batches:
        short = length - batch.length
        sides = (short, length + room - short - batch.ids.shape[1])
        numbers += batch.numbers
        ids.append(pad_sides(batch.ids, sides, value=pad))
        attention.append(pad_sides(batch.attention, sides))
        for layer in batch.cache.layers:
            layer.keys = pad_sides(layer.keys, (0, 0, short, 0))
            layer.values = pad_sides(layer.values, (0, 0, short, 0))
    positions = torch.cat([batch.positions for batch in batches])
    cache = side_by_side([batch.cache for batch in batches])
    return Batch(numbers, torch.cat(ids), torch.cat(attention), length, positions, cache, None)


def side_by_side(caches: list[DynamicCache]) -> DynamicCache:
    """One cache from those of some rows each. Layers that grow get room; those with a window stay
    as they are, and then there is one cache."""
    cache, *others = caches
    for index, layer in enumerate(cache.layers):
        if grows(layer):
            layers = [layer, *(other.layers[index] for other in others)]
            keys = torch.cat([each.keys for each in layers])
            values = torch.cat([each.values for each in layers])
            cache.layers[index] = RoomyLayer(keys, values)
            for other in others:
                other.layers[index] = None  # frees its memory
    return cache


def grows(layer: DynamicLayer) -> bool:
    """True if a layer of a cache keeps all tokens: those of some rows can be put beside others."""
    return type(layer) in (DynamicLayer, RoomyLayer)


class RoomyLayer(DynamicLayer):
    """Keys and values (rows, heads, tokens, size) at the start of larger blocks."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.blocks = [with_room(keys), with_room(values)]
        self.show(keys.shape[2])

    def show(self, tokens: int) -> None:
        """Let ``keys`` and ``values`` be the first ``tokens`` of the blocks."""
        self.keys, self.values = (block[:, :, :tokens] for block in self.blocks)

    def update(self, key_states, value_states, *args, **kwargs):
        """Write new tokens behind the old ones; return all."""
        old = self.keys.shape[2]
        new = old + key_states.shape[2]
        if new > self.blocks[0].shape[2]:
            self.blocks = [with_room(self.keys), with_room(self.values)]
        self.blocks[0][:, :, old:new] = key_states
        self.blocks[1][:, :, old:new] = value_states
        self.show(new)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows with these indices."""
        tokens = self.keys.shape[2]
        self.blocks = [block[indices] for block in self.blocks]
        self.show(tokens)


def with_room(states: torch.Tensor) -> torch.Tensor:
    """A block with room for more tokens behind these (rows, heads, tokens, size)."""
    rows, heads, tokens, size = states.shape
    block = states.new_empty(rows, heads, tokens + ROOM, size)
    block[:, :, :tokens] = states
    return block
