"""Batched generation that equals batch 1 row by row, greedily and in fp32 (lesson 02, "Many rows at
once").

Rows are sorted by length and cut into batches; the plan is a function of the full list of prompts,
so a run that was killed goes on with the next whole batch. The loop itself is in ``decode``."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sdft_lib.chat import check_room, encode, lead, prompt_text, stop_ids
from sdft_lib.decoding.decode import decode
from sdft_lib.decoding.parity import check_parity
from sdft_lib.decoding.sampling import chooser
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import append_jsonl, read_jsonl, write_jsonl
from sdft_lib.storage.processes import share, union

BATCH_ROWS = 128  # rows written together
BATCH_PARTS = (
    4  # such parts in a batch: what is written to disk at once, and gone on with after a kill
)
BATCH_TOKENS = 40_960
CACHE_BYTES = 2 << 30  # 2 GB of keys and values


@dataclass(frozen=True)
class Decoding:
    """Every decoding setting, spelled out and stored; nothing is inherited from a model's own
    defaults.

    ``temperature`` 0 is greedy. ``top_k`` 0 and ``top_p`` 1 switch those filters off.
    ``max_new_tokens`` in tokens."""

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "max_new_tokens": self.max_new_tokens >= 1,
            "temperature": 0 <= self.temperature < float("inf"),
            "top_p": 0 < self.top_p <= 1,
            "top_k": self.top_k >= 0,
            "repetition_penalty": self.repetition_penalty > 0,
        }
        for name, fine in limits.items():
            if not fine:
                raise SdftError(
                    f"Decoding: {name} is {getattr(self, name)}, which cannot be; see help(Decoding)."
                )

    @property
    def parts(self) -> dict:
        """The settings, for an artefact's key."""
        return asdict(self)


@dataclass(frozen=True)
class Generation:
    """One answer: its text without the opening, ``stop`` or ``length``, and the number of tokens
    written.

    ``split``: memory ran out and the row was decoded in a smaller batch than planned, so its last
    bits may differ."""

    text: str
    finish_reason: str
    tokens: int
    split: bool = False


def generate(
    seed,
    prompts: Sequence[list[dict]],
    decoding: Decoding,
    *,
    openings: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    path: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Generation]:
    """One answer to each list of messages, in order; ``openings`` are strings that the answers must
    go on from.

    ``names`` (row ids; default: the places in the list) seed the sampling. With ``path``, finished
    batches are appended to that JSONL file and a second call goes on behind them. Raises SdftError
    naming the row whose prompt leaves no room for an answer in the model's context."""
    names = [str(number) for number in range(1, len(prompts) + 1)] if names is None else names
    ids = prompt_ids(seed, prompts, openings, decoding.max_new_tokens, names)
    done = union(finished(path))
    room = room_for_tokens(seed)
    plan = batches([len(row) for row in ids], decoding.max_new_tokens, room)
    if seed.engine:
        plan = seed.engine.plan(len(ids))
    started, written = time.time(), 0
    for batch in share(plan):
        if all(index in done for index in batch):
            continue
        first = not written and len(ids) >= BATCH_ROWS // 2
        rows, together = (
            [ids[i] for i in batch],
            fitting(len(ids[batch[0]]) + decoding.max_new_tokens, room),
        )
        answers = answer_batch(
            seed, rows, [names[i] for i in batch], decoding, together, watch=first
        )
        if path is not None:
            append_jsonl(
                path, [{"index": i, **recorded(a)} for i, a in zip(batch, answers, strict=True)]
            )
        done |= dict(zip(batch, answers, strict=True))
        written += len(batch)
        if say and len(plan) > 1:
            rate = written / (time.time() - started)
            say(
                f"  {len(done)}/{len(ids)} rows, {rate:.1f} rows/s, about {(len(ids) - len(done)) / rate:.0f} s left"
            )
    done = union(done)
    if path is not None:  # a kill inside a write leaves part of a batch, which is then there twice
        write_jsonl(
            path, [{"index": index, **recorded(done[index])} for batch in plan for index in batch]
        )
    return [done[index] for index in range(len(ids))]


def prompt_ids(seed, prompts, openings, max_new_tokens: int, names=None) -> list[list[int]]:
    """Token ids of each prompt with its opening; rows too long for the model's context are refused,
    never cut.
    """
    openings = openings or [""] * len(prompts)
    names = names or range(1, len(prompts) + 1)
    rows = []
    for name, messages, opening in zip(names, prompts, openings, strict=True):
        prompt = prompt_text(messages, seed.tokenizer)
        start = lead(messages, seed.tokenizer, prompt) + opening if opening else ""
        rows.append(encode(prompt + start, seed.tokenizer))
        check_room(len(rows[-1]), seed.model, f"prompt {name}", max_new_tokens)
    return rows


def room_for_tokens(seed) -> int:
    """Tokens of a batch whose keys and values fit: 2 GB of them, on a larger GPU half of what the
    weights leave.
    """
    if seed.engine:
        return BATCH_TOKENS
    config = getattr(seed.model.config, "text_config", seed.model.config)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * heads * size * seed.model.dtype.itemsize
    room = CACHE_BYTES
    if seed.device == "cuda":
        import torch

        weights = seed.model.num_parameters() * seed.model.dtype.itemsize
        room = max(room, (torch.cuda.get_device_properties(0).total_memory - weights) // 2)
    return min(BATCH_TOKENS, room // token)


def batches(
    lengths: Sequence[int], max_new_tokens: int, tokens: int = BATCH_TOKENS
) -> list[list[int]]:
    """Indices in batches, longest rows first, each of at most BATCH_PARTS parts that fit ``tokens``
    padded tokens.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    plan = []
    while order:
        size = BATCH_PARTS * fitting(lengths[order[0]] + max_new_tokens, tokens)
        plan.append(order[:size])
        order = order[size:]
    return plan


def fitting(longest: int, tokens: int) -> int:
    """Rows of ``longest`` tokens that are written together: at most BATCH_ROWS, and ``tokens`` in
    all.
    """
    return max(1, min(BATCH_ROWS, tokens // longest))


def answer_batch(
    seed,
    rows: list[list[int]],
    names: Sequence[str],
    decoding: Decoding,
    together: int,
    *,
    watch=False,
):
    """Answers to rows of token ids, in halves if memory runs out; ``watch``: four of them are
    checked for parity.
    """
    stops = sorted(stop_ids(seed.tokenizer))
    if seed.engine:
        return [
            read_answer(row, stops, seed.tokenizer)
            for row in seed.engine.answer(rows, names, decoding, stops)
        ]
    try:
        answers = decode(
            seed.model,
            rows,
            chooser(decoding, names),
            stops=stops,
            pad=seed.tokenizer.pad_token_id,
            max_new_tokens=decoding.max_new_tokens,
            together=-(-len(rows) // -(-len(rows) // together)),
        )
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        if len(rows) == 1:
            raise SdftError(
                f"prompt {names[0]}: there is not enough memory for even this one row; use a smaller model "
                "or fewer new tokens; finished rows are kept."
            ) from None
        half = len(rows) // 2
        fewer = max(1, min(half, together // 2))
        parts = [
            answer_batch(seed, rows[c], names[c], decoding, fewer)
            for c in (slice(half), slice(half, None))
        ]
        return [replace(answer, split=True) for part in parts for answer in part]
    if watch and decoding.temperature == 0 and decoding.repetition_penalty == 1:
        check_parity(seed, rows, answers)
    return [read_answer(row, stops, seed.tokenizer) for row in answers]


def out_of_memory(error: BaseException) -> bool:
    """True if an allocation failed, on a GPU or on a CPU (where torch has no error class of its own
    for it).
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def read_answer(ids: list[int], stops: list[int], tokenizer) -> Generation:
    """Text up to the first stop token; without one the answer was cut by its length."""
    end = next((index for index, token in enumerate(ids) if token in stops), None)
    kept = ids if end is None else ids[:end]
    return Generation(
        tokenizer.decode(kept, skip_special_tokens=True),
        "length" if end is None else "stop",
        len(kept),
    )


def finished(path: Path | None) -> dict[int, Generation]:
    """Answers that an earlier, interrupted call left in ``path``."""
    if path is None or not path.exists():
        return {}
    return {
        row["index"]: Generation(**{key: row[key] for key in row if key != "index"})
        for row in read_jsonl(path)
    }


def recorded(answer: Generation) -> dict:
    """An answer as a line of the file; ``split`` only where it is true."""
    return {key: value for key, value in asdict(answer).items() if key != "split" or value}
