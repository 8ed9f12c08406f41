"""vLLM in place of our own decoding: token ids in, each setting of Decoding named, token ids out
(lesson 08; an extra).

Nothing is inherited: not the model's own sampling defaults (``generation_config="vllm"``), not its
list of stop tokens (``ignore_eos`` and our ids), no code of its repository, no pickled weights."""

import atexit
import json
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from sdft_lib.decoding.sampling import row_seed
from sdft_lib.storage.devices import torch_dtype
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256
from sdft_lib.storage.store import digest
from sdft_lib.training.adapters import adapter_weights, is_whole

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # ranks of LoRA that vLLM makes room for
COOLEST, HOTTEST = 0.01, 2.0  # vLLM raises a temperature below to 0.01 and refuses one above
VERSION = 1  # raise it when a change of code changes the answers
_running: dict[str, Any] = {}


@dataclass(frozen=True)
class Vllm:
    """A model for vLLM: folder or hub id ``source``, ``commit`` there (None: local), ``gpus`` a
    copy, ``adapter``.
    """

    source: str
    commit: str | None
    dtype: str
    gpus: int = 1
    adapter: Path | None = None

    name: ClassVar[str] = "vllm"
    part: ClassVar[int] = 4096  # rows handed over, and written to disk, at once

    @property
    def version(self) -> str:
        """Versions of the packages that decide an answer."""
        import vllm

        return vllm.__version__

    @property
    def identity(self) -> dict:
        """The engine's part of an artefact's key."""
        return {
            "name": self.name,
            "version": self.version,
            "gpus": self.gpus,
            "version_of_ours": VERSION,
        }

    def plan(self, rows: int) -> list[list[int]]:
        """Places of ``rows`` rows in parts; a run that was killed goes on with the next whole
        part.
        """
        return [
            list(range(first, min(first + self.part, rows))) for first in range(0, rows, self.part)
        ]

    def with_adapter(self, folder: Path) -> "Vllm":
        """The same model with a LoRA adapter on top, or the model in ``folder`` if all weights were
        trained.
        """
        if is_whole(folder):
            return replace(self, source=str(folder), commit=None, adapter=None)
        return replace(self, adapter=folder)

    def settings(self) -> dict:
        """Arguments of vLLM's engine. ``max_model_len`` -1 is the model's context, or what the
        GPU's memory holds.
        """
        lora = (
            {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank_for(self.adapter)}
            if self.adapter
            else {}
        )
        return {
            "model": self.source,
            "revision": self.commit,
            "tokenizer": self.source,
            "tokenizer_revision": self.commit,
            "dtype": str(torch_dtype(self.dtype)).removeprefix("torch."),
            "load_format": "safetensors",
            "trust_remote_code": False,
            "generation_config": "vllm",
            "max_model_len": -1,
            "seed": 0,
            "tensor_parallel_size": self.gpus,
            **lora,
        }

    def answer(
        self, rows: Sequence[list[int]], names: Sequence[str], decoding, stops: list[int]
    ) -> list[list[int]]:
        """New token ids of each row, the stop token included. Raises SdftError for what vLLM cannot
        do.
        """
        import vllm

        asked = [vllm.SamplingParams(**sampling(decoding, name, stops)) for name in names]
        with one_sentence(self):
            model = running(self.settings())
            found = model.generate(
                [{"prompt_token_ids": row} for row in rows],
                asked,
                use_tqdm=False,
                lora_request=request(self.adapter),
            )
        answers = [list(item.outputs[0].token_ids) for item in found]
        check_whole(answers, names, decoding, stops)
        return answers


def sampling(decoding, name: str, stops: list[int]) -> dict:
    """Arguments of vLLM's ``SamplingParams``: all of Decoding, the row's own seed, and the rest
    switched off.

    vLLM orders the steps as ``sampling.chooser`` does: penalty, temperature, top k, top p.
    ``top_k`` 0 is off in both."""
    if decoding.temperature and not COOLEST <= decoding.temperature <= HOTTEST:
        raise SdftError(
            f"Decoding: temperature {decoding.temperature} is outside of what vLLM draws with, "
            f"{COOLEST} to {HOTTEST}; 0 is greedy."
        )
    return {
        "n": 1,
        "temperature": float(decoding.temperature),
        "top_p": float(decoding.top_p),
        "top_k": decoding.top_k,
        "repetition_penalty": float(decoding.repetition_penalty),
        "max_tokens": decoding.max_new_tokens,
        "seed": row_seed(decoding.seed, name),
        "stop_token_ids": list(stops),
        "ignore_eos": True,
        "min_tokens": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "detokenize": False,
        "skip_special_tokens": False,
    }


def check_whole(
    answers: Sequence[list[int]], names: Sequence[str], decoding, stops: list[int]
) -> None:
    """Raise SdftError for an answer that ended neither with a stop token nor at the wanted length
    (aborted, cut).
    """
    for name, ids in zip(names, answers, strict=True):
        if not ids or (ids[-1] not in stops and len(ids) != decoding.max_new_tokens):
            raise SdftError(
                f"prompt {name}: the engine gave {len(ids)} of {decoding.max_new_tokens} tokens without an "
                "end; start again: finished parts are kept."
            )


def running(settings: dict):
    """vLLM with these settings, started once; one at a time, since it takes nearly all of a GPU's
    memory.
    """
    import vllm

    key = digest(settings)
    if key not in _running:
        stop()
        atexit.register(stop)
        _running[key] = vllm.LLM(**settings)
    return _running[key]


def stop() -> None:
    """End the engine that runs, if there is one: its process outlives the Python object."""
    while _running:
        _running.popitem()[1].llm_engine.engine_core.shutdown()


def request(adapter: Path | None):
    """vLLM's request for a LoRA adapter, numbered by its weights; None without one."""
    if adapter is None:
        return None
    from vllm.lora.request import LoRARequest

    mark = file_sha256(adapter_weights(adapter))
    return LoRARequest(
        lora_name=mark[:16], lora_int_id=1 + int(mark[:7], 16), lora_path=str(adapter.absolute())
    )


def rank_for(adapter: Path) -> int:
    """The least rank that vLLM offers for this adapter. Raises SdftError if it has none so
    large.
    """
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    rank = max(config["r"], *(config.get("rank_pattern") or {}).values(), 0)
    if rank > RANKS[-1]:
        raise SdftError(
            f"{adapter}: vLLM takes adapters up to rank {RANKS[-1]}, this one has {rank}; use torch."
        )
    return next(offered for offered in RANKS if offered >= rank)


@contextmanager
def one_sentence(engine: Vllm):
    """Within the block, whatever the engine raises (its parts have no common error) becomes one
    sentence.
    """
    try:
        yield
    except SdftError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise SdftError(
            f"{engine.name} {engine.version} failed ({type(error).__name__}: {reason}); finished parts are "
            "kept, its log above says more."
        ) from error
