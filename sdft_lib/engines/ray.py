"""Copies of a model on many machines, for sets that one would take too long for (lesson 10; an
extra): Ray Data hands each batch to a free copy, which answers it by our own loop or by vLLM.

The batches are those that one process would make, so Ray decides no answer and no key. A copy that
dies is started again and gets its batch again. Start Ray on the machines first (``ray start``);
else it uses this one. A folder must lie at the same path on each machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from sdft_lib.decoding.batches import BATCH_TOKENS, plan_batches, room_for_tokens
from sdft_lib.engines.vllm import Vllm, in_one_sentence
from sdft_lib.models import Seed, TorchEngine
from sdft_lib.storage.errors import SdftError
from sdft_lib.training.weights import is_full, read_adapter, read_model

TOGETHER = 64  # batches in a part, which is written to disk at once


@dataclass(frozen=True)
class OwnLoop:
    """This library's loop in each copy: the model of folder or hub id ``source``, ``commit`` there
    (None: local), and on it what was trained in ``adapters``."""

    source: str
    commit: str | None
    adapters: tuple[Path, ...] = ()

    name: ClassVar[str] = "torch"
    identity: ClassVar[dict] = {}

    @property
    def version(self) -> str:
        """Version of the package that decides an answer."""
        import torch

        return torch.__version__

    def plan(self, seed: Seed, lengths: Sequence[int], max_new_tokens: int) -> list[list[int]]:
        """Indices of rows in the batches of one process."""
        on_cpu = seed.device == "cpu"
        room = room_for_tokens(seed.model, "cpu") if on_cpu else BATCH_TOKENS
        return plan_batches(lengths, max_new_tokens, room)

    def with_adapter(self, seed: Seed, folder: Path) -> Seed:
        """The same model, and ``folder`` on it. Raises SdftError if it is of another model."""
        if not is_full(folder):
            read_adapter(seed, folder)
        return replace(seed, engine=replace(self, adapters=(*self.adapters, folder)))

    def opened(self, seed: Seed) -> Seed:
        """The seed with its weights, in the process that will answer."""
        where = {"four_bit": False, "commit": self.commit}
        model = read_model(self.source, seed.dtype, seed.device, **where)
        seed = replace(seed, model=model, engine=TorchEngine())
        for folder in self.adapters:
            seed = seed.engine.with_adapter(seed, folder)
        return seed


class SmallParts(Vllm):
    """vLLM in each copy, with batches so small that each copy gets some."""

    part: ClassVar[int] = 256


class Copy:
    """A copy of the model in a process of Ray; ``seed`` comes without weights."""

    def __init__(self, inner: OwnLoop | Vllm, seed: Seed, decoding, stops: set[int]) -> None:
        own = isinstance(inner, OwnLoop)
        self.seed = inner.opened(seed) if own else replace(seed, engine=inner)
        self.asked = decoding, stops

    def __call__(self, table: dict) -> dict:
        """Answers to the batches of a table, as JSON."""
        answered = []
        for text in table["asked"]:
            rows, names, watch = json.loads(text)
            made = self.seed.engine.answer(self.seed, rows, names, *self.asked, watch)
            answered.append(json.dumps(made))
        return {"number": table["number"], "answered": answered}


@dataclass(frozen=True)
class Ray:
    """Copies of a model on a Ray cluster, each with the engine ``inner`` on ``gpus``. It has the
    four members of ``models.TorchEngine``."""

    inner: OwnLoop | Vllm
    gpus: int = 1

    @property
    def name(self) -> str:
        return f"ray-{self.inner.name}"

    @property
    def version(self) -> str:
        """Versions of the packages at work."""
        import ray

        return f"{self.inner.version}, ray {ray.__version__}"

    @property
    def identity(self) -> dict:
        """The inner engine's part of an artefact's key."""
        return self.inner.identity

    def plan(self, seed: Seed, lengths: Sequence[int], max_new_tokens: int) -> list[list[int]]:
        """Indices of rows in parts of many batches; a job that was killed goes on with the next."""
        batches = self.inner.plan(seed, lengths, max_new_tokens)
        starts = range(0, len(batches), TOGETHER)
        return [sum(batches[start : start + TOGETHER], []) for start in starts]

    def with_adapter(self, seed: Seed, folder: Path) -> Seed:
        """The same model with what was trained in ``folder``, as the inner engine takes it."""
        inner = self.inner.with_adapter(replace(seed, engine=self.inner), folder).engine
        return replace(seed, engine=replace(self, inner=inner))

    def answer(
        self, seed: Seed, rows: list[list[int]], names: list[str], decoding, stops, watch: bool
    ) -> tuple[list[list[int]], bool]:
        """New token ids of each row, the stop token included; and whether memory ran out in a copy.
        Raises SdftError for what Ray or a copy cannot do."""
        plan = self.inner.plan(seed, [len(row) for row in rows], decoding.max_new_tokens)
        items = []
        for number, batch in enumerate(plan):
            asked = [rows[index] for index in batch], [names[index] for index in batch]
            items.append({"number": number, "asked": json.dumps((*asked, watch and not number))})
        with in_one_sentence(self):
            answered = self.ask(items, (self.inner, seed, decoding, stops))
        if missing := len(plan) - len(answered):
            raise SdftError(f"Ray left out {missing} of {len(plan)} batches; start again to go on.")
        answers: dict[int, list[int]] = {}
        for number, batch in enumerate(plan):
            answers |= zip(batch, answered[number][0], strict=True)
        split = any(one[1] for one in answered.values())
        return [answers[index] for index in range(len(rows))], split

    def ask(self, items: list[dict], given: tuple) -> dict[int, list]:
        """What the copies answered to each batch, by its number."""
        import ray

        ray.init(ignore_reinit_error=True, log_to_driver=False)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.raise_original_map_exception = True
        data = ray.data.from_items(items, override_num_blocks=len(items))
        options = {"batch_size": 1, "fn_constructor_args": given, **self.share(given[1].device)}
        made = data.map_batches(Copy, **options)
        return {int(row["number"]): json.loads(row["answered"]) for row in made.iter_rows()}

    def share(self, device: str) -> dict:
        """How many copies there are, and what each takes: on CPUs one a machine, with all of its
        cores; else as many as there are GPUs for. Raises SdftError if there is room for none."""
        import ray

        pool = ray.data.ActorPoolStrategy
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        kind, least = ("CPU", 1) if device == "cpu" else ("GPU", self.gpus)
        counts = [int(machine.get(kind, 0)) for machine in machines]
        fit = [count for count in counts if count >= least]
        if not fit:
            none = f"Ray sees no machine with {least} {kind}s"
            raise SdftError(f"{none}; add one, or leave --engine.")
        if device == "cpu":
            return {"compute": pool(size=len(fit)), "num_cpus": min(fit)}
        copies = sum(count // least for count in fit)
        return {"compute": pool(size=copies), "num_gpus": least}
