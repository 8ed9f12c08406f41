"""Batched generation that equals batch 1 row by row under greedy decoding (lesson 02, "Many rows at once").

Rows are sorted by length and cut into batches; the plan is a function of the full list of prompts, so a run that was
killed goes on with the next whole batch. What all prompts of a batch share at their start (system prompt,
instruction)
is computed once and padding goes behind it.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sdft_lib.chat import check_room, encode, prompt_text, stop_ids
from sdft_lib.errors import SdftError
from sdft_lib.prefix import pad_behind_prefix, prefix_cache

BATCH_ROWS = 64
BATCH_TOKENS = 16_384


@dataclass(frozen=True)
class Decoding:
    """Every decoding setting, spelled out and stored; nothing is inherited from a model's own defaults.

    ``temperature`` 0 is greedy. ``top_k`` 0 and ``top_p`` 1 switch those filters off. ``max_new_tokens`` in tokens.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0

    @property
    def parts(self) -> dict:
        """The settings, for an artefact's key."""
        return asdict(self)


@dataclass(frozen=True)
class Generation:
    """One answer: its text without the opening, ``stop`` or ``length``, and the number of tokens written."""

    text: str
    finish_reason: str
    tokens: int


def generate(
    seed,
    prompts: Sequence[list[dict]],
    decoding: Decoding,
    *,
    openings: Sequence[str] | None = None,
    path: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Generation]:
    """One answer to each list of messages, in order; ``openings`` are strings that the answers must go on from.

    With ``path``, finished batches are appended to that JSONL file and a second call goes on behind them. Raises
    SdftError naming the row whose prompt leaves no room for an answer in the model's context.
    """
    ids = prompt_ids(seed, prompts, openings, decoding.max_new_tokens)
    done = finished(path)
    plan = batches([len(row) for row in ids], decoding.max_new_tokens)
    started, written = time.time(), 0
    for batch in plan:
        if all(index in done for index in batch):
            continue
        answers = generate_batch(seed, [ids[index] for index in batch], batch, decoding)
        append(path, batch, answers)
        done |= dict(zip(batch, answers, strict=True))
        written += len(batch)
        if say and len(plan) > 1:
            rate = written / (time.time() - started)
            say(f"  {len(done)}/{len(ids)} rows, {rate:.1f} rows/s, about {(len(ids) - len(done)) / rate:.0f} s left")
    return [done[index] for index in range(len(ids))]


def prompt_ids(seed, prompts, openings, max_new_tokens: int) -> list[list[int]]:
    """Token ids of each prompt with its opening; rows too long for the model's context are refused, never cut."""
    openings = openings or [""] * len(prompts)
    rows = []
    for number, (messages, opening) in enumerate(zip(prompts, openings, strict=True), 1):
        rows.append(encode(prompt_text(messages, seed.tokenizer) + opening, seed.tokenizer))
        check_room(len(rows[-1]), seed.model, f"prompt {number}", max_new_tokens)
    return rows


def batches(lengths: Sequence[int], max_new_tokens: int) -> list[list[int]]:
    """Indices in batches, longest rows first, each under BATCH_ROWS rows and BATCH_TOKENS padded tokens."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    plan = []
    while order:
        room = BATCH_TOKENS // (lengths[order[0]] + max_new_tokens)
        size = max(1, min(BATCH_ROWS, room))
        plan.append(order[:size])
        order = order[size:]
    return plan


def generate_batch(seed, rows: list[list[int]], numbers: Sequence[int], decoding: Decoding) -> list[Generation]:
    """Answers to rows of token ids; ``numbers`` are the rows' places in the whole list (they seed the sampling)."""
    import torch

    stops = sorted(stop_ids(seed.tokenizer))
    input_ids, attention, shared = pad_behind_prefix(rows, seed.tokenizer.pad_token_id, seed.device)
    with torch.inference_mode():
        output = seed.model.generate(
            input_ids=input_ids,
            attention_mask=attention,
            past_key_values=prefix_cache(seed.model, input_ids, shared),
            generation_config=plain_config(decoding, stops, seed.tokenizer.pad_token_id),
            logits_processor=sampler(decoding, numbers),
        )
    return [read_answer(row, stops, seed.tokenizer) for row in output[:, input_ids.shape[1] :].tolist()]


def plain_config(decoding: Decoding, stops: list[int], pad: int):
    """A GenerationConfig from our settings alone; sampling is done by ``sampler``, so it is always greedy here."""
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=decoding.max_new_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=decoding.repetition_penalty,
        eos_token_id=stops,
        pad_token_id=pad,
        use_cache=True,
    )


def sampler(decoding: Decoding, numbers: Sequence[int]):
    """Processors that turn argmax into sampling: Gumbel noise from one generator a row, whatever batch it is in."""
    import torch
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    if decoding.temperature == 0:
        return LogitsProcessorList()
    warpers = LogitsProcessorList([TemperatureLogitsWarper(float(decoding.temperature))])
    if decoding.top_k:
        warpers.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        warpers.append(TopPLogitsWarper(decoding.top_p))
    sources = [torch.Generator().manual_seed(decoding.seed * 1_000_003 + number) for number in numbers]

    def add_noise(input_ids, scores):
        scores = warpers(input_ids, scores.float())
        noise = torch.stack([torch.rand(scores.shape[1], generator=source) for source in sources])
        return scores - torch.log(-torch.log(noise.clamp_min(1e-20))).to(scores.device)

    return LogitsProcessorList([add_noise])


def read_answer(ids: list[int], stops: list[int], tokenizer) -> Generation:
    """Text up to the first stop token; without one the answer was cut by its length."""
    end = next((index for index, token in enumerate(ids) if token in stops), None)
    kept = ids if end is None else ids[:end]
    return Generation(tokenizer.decode(kept, skip_special_tokens=True), "length" if end is None else "stop", len(kept))


def finished(path: Path | None) -> dict[int, Generation]:
    """Answers that an earlier, interrupted call left in ``path``."""
    from sdft_lib.store import read_jsonl

    if path is None or not path.exists():
        return {}
    return {row["index"]: Generation(row["text"], row["finish_reason"], row["tokens"]) for row in read_jsonl(path)}


def append(path: Path | None, batch: Sequence[int], answers: Sequence[Generation]) -> None:
    """Add one finished batch to ``path``."""
    if path is None:
        return
    lines = (
        json.dumps({"index": i, **asdict(a)}, ensure_ascii=False) + "\n" for i, a in zip(batch, answers, strict=True)
    )
    try:
        with open(path, "a", encoding="utf-8", newline="\n") as file:
            file.write("".join(lines))
    except OSError as error:
        raise SdftError(
            f"{path}: cannot be written ({error.strerror}); finished rows are kept, start again to go on."
        ) from None
