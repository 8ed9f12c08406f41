"""Which rows are decoded together, and what happens when memory runs out (lesson 02, "Many rows at
once"). The plan depends on the rows' lengths alone, so a killed run goes on with the next batch."""

import math
from collections.abc import Sequence

import torch

from sdft_lib.decoding.decode import decode
from sdft_lib.decoding.sampling import chooser
from sdft_lib.storage.errors import SdftError

BATCH_ROWS = 128  # rows written together
BATCH_PARTS = 4  # such parts in a batch, which is written to disk at once
BATCH_TOKENS = 40_960
CACHE_BYTES = 2 << 30  # 2 GB of keys and values


def plan_batches(
    lengths: Sequence[int], max_new_tokens: int, tokens: int = BATCH_TOKENS
) -> list[list[int]]:
    """Indices in batches, longest rows first: at most BATCH_PARTS parts that fit ``tokens``."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    plan = []
    while order:
        size = BATCH_PARTS * rows_together(lengths[order[0]] + max_new_tokens, tokens)
        plan.append(order[:size])
        order = order[size:]
    return plan


def rows_together(longest: int, tokens: int) -> int:
    """Rows of ``longest`` tokens written together: at most BATCH_ROWS, and ``tokens`` in all."""
    return max(1, min(BATCH_ROWS, tokens // longest))


def room_for_tokens(model, device: str) -> int:
    """Tokens whose keys and values fit: 2 GB, on a larger GPU half of what the weights leave."""
    config = getattr(model.config, "text_config", model.config)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    room = CACHE_BYTES
    if device == "cuda":
        weights = model.num_parameters() * model.dtype.itemsize
        room = max(room, (torch.cuda.get_device_properties(0).total_memory - weights) // 2)
    return min(BATCH_TOKENS, room // token)


def decode_batch(
    seed, rows: Sequence[list[int]], names: Sequence[str], decoding, stops: set[int], together: int
) -> tuple[list[list[int]], bool]:
    """New token ids of each row, ``together`` at a time; in halves if memory runs out, and then
    True stands beside them. Raises SdftError if there is no memory for even one row."""
    equal_parts = math.ceil(len(rows) / together)
    options = {"stops": stops, "pad": seed.tokenizer.pad_token_id}
    options |= {"max_new_tokens": decoding.max_new_tokens}
    options |= {"together": math.ceil(len(rows) / equal_parts)}
    try:
        return decode(seed.model, rows, chooser(decoding, names), **options), False
    except (RuntimeError, MemoryError) as error:
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not known and "can't allocate memory" not in str(error):  # torch on a CPU
            raise
        if len(rows) == 1:
            problem = "there is not enough memory for even this one row"
            remedy = "use a smaller model or fewer new tokens; finished rows are kept"
            raise SdftError(f"prompt {names[0]}: {problem}; {remedy}.") from None
    torch.cuda.empty_cache()
    half = len(rows) // 2
    fewer = max(1, min(half, together // 2))
    answers = []
    for part in (slice(half), slice(half, None)):
        answers += decode_batch(seed, rows[part], names[part], decoding, stops, fewer)[0]
    return answers, True
