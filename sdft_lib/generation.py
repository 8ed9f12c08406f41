"""Batched generation that equals batch 1 row by row, greedily and in fp32 (lesson 02, "Many rows at
once").

The rows go to the seed's engine in batches of its own plan. Finished batches are on disk, so a run
that was killed goes on with the next one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from sdft_lib.chat import check_room, ids_of_prompt
from sdft_lib.decoding.tokens import stop_ids
from sdft_lib.formats.toml import check_fields
from sdft_lib.models import Seed
from sdft_lib.storage.errors import about
from sdft_lib.storage.files import append_jsonl, read_jsonl, write_jsonl
from sdft_lib.storage.processes import share, union
from sdft_lib.storage.store import digest

CHECK = "sha256"  # of a line without this field
LARGE = 64  # rows from which a call has the answers of its first batch checked


@dataclass(frozen=True)
class Decoding:
    """Every decoding setting, spelled out and stored; nothing comes from a model's own defaults.

    ``temperature`` 0 is greedy. ``top_k`` 0 and ``top_p`` 1 switch those filters off.
    ``max_new_tokens`` in tokens."""

    max_new_tokens: Annotated[int, Meta(ge=1)] = 64
    temperature: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=0)] = 0
    repetition_penalty: Annotated[float, Meta(gt=0)] = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def parts(self) -> dict:
        """The settings, for an artefact's key."""
        return asdict(self)


@dataclass(frozen=True)
class Generation:
    """One answer: its text without the opening, ``stop`` or ``length``, and its number of tokens.

    ``split``: memory ran out and the row was decoded in a smaller batch than planned, so its last
    bits may differ."""

    text: str
    finish_reason: str
    tokens: int
    split: bool = False


def generate(
    seed: Seed,
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

    ``names`` (row ids; default: the numbers from 1) seed the sampling. With ``path``, finished
    batches are appended to that JSONL file and a second call goes on behind them. Raises SdftError
    naming the row whose prompt leaves no room for an answer in the model's context."""
    if names is None:
        names = [str(number) for number in range(1, len(prompts) + 1)]
    rows = prompt_ids(seed, prompts, openings, decoding.max_new_tokens, names)
    stops = stop_ids(seed.tokenizer)
    plan = seed.engine.plan(seed, [len(row) for row in rows], decoding.max_new_tokens)
    done = union(read_answers(path))
    started, written = time.time(), 0
    for batch in share(plan):
        if all(index in done for index in batch):
            continue
        asked, called = [rows[index] for index in batch], [names[index] for index in batch]
        watch = not written and len(rows) >= LARGE
        answers, split = seed.engine.answer(seed, asked, called, decoding, stops, watch)
        fresh = {}
        for index, ids in zip(batch, answers, strict=True):
            fresh[index] = read_answer(ids, stops, seed.tokenizer, split)
        if path is not None:
            append_jsonl(path, lines(fresh))
        done |= fresh
        written += len(batch)
        if say and len(plan) > 1:
            rate = written / (time.time() - started)
            left = (len(rows) - len(done)) / rate
            say(f"  {len(done)}/{len(rows)} rows, {rate:.1f} rows/s, about {left:.0f} s left")
    done = union(done)
    if path is not None:  # a kill inside a write leaves part of a batch, which is then there twice
        write_jsonl(path, lines({index: done[index] for batch in plan for index in batch}))
    return [done[index] for index in range(len(rows))]


def prompt_ids(
    seed: Seed, prompts: Sequence[list[dict]], openings, max_new_tokens: int, names=None
) -> list[list[int]]:
    """Token ids of each prompt with its opening. Raises SdftError for a row without room."""
    openings = openings or [""] * len(prompts)
    names = names or range(1, len(prompts) + 1)
    rows = []
    for name, messages, opening in zip(names, prompts, openings, strict=True):
        with about(f"prompt {name}"):
            rows.append(ids_of_prompt(messages, seed.tokenizer, opening))
            check_room(len(rows[-1]), seed.model, max_new_tokens)
    return rows


def read_answer(ids: list[int], stops: set[int], tokenizer, split: bool = False) -> Generation:
    """Text up to the first stop token; without one the answer was cut by its length."""
    for index, token in enumerate(ids):
        if token in stops:
            text = tokenizer.decode(ids[:index], skip_special_tokens=True)
            return Generation(text, "stop", index, split)
    return Generation(tokenizer.decode(ids, skip_special_tokens=True), "length", len(ids), split)


def read_answers(path: Path | None) -> dict[int, Generation]:
    """Answers that an earlier, interrupted call left in ``path``, by index; one that was altered
    since is not there."""
    answers = {}
    if path is not None and path.exists():
        for line in read_jsonl(path):
            if isinstance(line, dict) and line.pop(CHECK, None) == digest(line):
                index = line.pop("index")
                answers[index] = Generation(**line)
    return answers


def lines(answers: dict[int, Generation]) -> list[dict]:
    """Answers as lines of that file, each with its checksum; ``split`` only where it is true."""
    written = []
    for index, answer in answers.items():
        line = {"index": index, **asdict(answer)}
        if not answer.split:
            del line["split"]
        written.append(line | {CHECK: digest(line)})
    return written
