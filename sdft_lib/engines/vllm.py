"""vLLM in place of our own decoding: token ids in, each setting of Decoding named, token ids out
(lesson 10; an extra).

Nothing is inherited: not the model's own sampling defaults, not its list of stop tokens, no code of
its repository, no pickled weights. vLLM starts a process, so a script that uses it needs
``if __name__ == "__main__":``. tests/real_engines holds it against our own loop, on a CPU."""

import atexit
import contextlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from peft import LoraConfig

from sdft_lib.decoding.batches import CACHE_BYTES
from sdft_lib.decoding.sampling import row_seed
from sdft_lib.models import Seed
from sdft_lib.storage.devices import torch_dtype
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_json
from sdft_lib.storage.store import digest
from sdft_lib.training.weights import is_full, read_adapter, trained_identity

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # ranks of LoRA that vLLM makes room for
COOLEST, HOTTEST = 0.01, 2.0  # vLLM raises a temperature below to 0.01 and refuses one above
VERSION = 1  # raise it when a change of code changes the answers
# what an adapter's configuration may say; and the names of the tensors that it may hold
COMPUTED = {"r", "lora_alpha", "lora_dropout", "use_rslora", "fan_in_fan_out", "target_modules"}
COMPUTED |= {"layers_to_transform", "layers_pattern", "exclude_modules", "base_model_name_or_path"}
COMPUTED |= {"peft_version", "revision", "task_type", "inference_mode", "auto_mapping"}
INSIDE = re.compile(r".+\.\d+\..+\.lora_[AB]\.weight")
_running: dict[str, Any] = {}


@dataclass(frozen=True)
class Vllm:
    """A model for vLLM: folder or hub id ``source``, ``commit`` there (None: local), ``gpus`` a
    copy, ``adapter``, ``device``. It has the four members of ``models.TorchEngine``."""

    source: str
    commit: str | None
    dtype: str
    gpus: int = 1
    adapter: Path | None = None
    device: str = "cuda"

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
        facts = {"name": self.name, "version": self.version, "gpus": self.gpus}
        return {"engine": facts | {"version_of_ours": VERSION}}

    def plan(self, seed: Seed, lengths: Sequence[int], max_new_tokens: int) -> list[list[int]]:
        """Indices of rows in parts, in their order: vLLM makes batches itself."""
        rows = list(range(len(lengths)))
        return [rows[first : first + self.part] for first in range(0, len(rows), self.part)]

    def with_adapter(self, seed: Seed, folder: Path) -> Seed:
        """The same model with a LoRA adapter on top, or the model in ``folder`` if it is full.
        Raises SdftError for an adapter that vLLM would take for another one."""
        changes = {"adapter": folder}
        if is_full(folder):
            changes = {"source": str(folder), "commit": None, "adapter": None}
        elif self.adapter:
            raise SdftError(f"{folder}: {self.name} takes one adapter; leave --engine out.")
        else:
            check_plain(folder, seed)
        return replace(seed, engine=replace(self, **changes))

    def answer(
        self, seed: Seed, rows: list[list[int]], names: list[str], decoding, stops, watch: bool
    ) -> tuple[list[list[int]], bool]:
        """New token ids of each row, the stop token included; they are never split. Raises
        SdftError for what the engine cannot do."""
        asked = [sampling(decoding, name, stops) for name in names]
        with in_one_sentence(self):
            answers = self.ask(rows, asked)
        check_ends(answers, names, decoding, stops)
        return answers, False

    def ask(self, rows: Sequence[list[int]], asked: Sequence[dict]) -> list[list[int]]:
        """New token ids of each row, by the arguments of its ``SamplingParams``."""
        import vllm

        options = {"use_tqdm": False, "lora_request": None}
        if self.adapter:  # numbered by its identity
            from vllm.lora.request import LoRARequest

            identity, path = trained_identity(self.adapter), str(self.adapter.absolute())
            number = 1 + int(identity[:7], 16)
            options["lora_request"] = LoRARequest(identity, number, path)
        prompts = [{"prompt_token_ids": row} for row in rows]
        settings = [vllm.SamplingParams(**arguments) for arguments in asked]
        outputs = running(self.settings()).generate(prompts, settings, **options)
        return [list(output.outputs[0].token_ids) for output in outputs]

    def settings(self) -> dict:
        """Arguments of vLLM's engine. ``max_model_len`` -1: the context, or what memory holds."""
        settings = {
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
        }
        if self.adapter:
            rank = rank_for(self.adapter)
            settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        if self.device == "cpu":  # vLLM would take nine tenths of the memory, and compile
            settings |= {"kv_cache_memory_bytes": CACHE_BYTES, "enforce_eager": True}
        return settings


@contextlib.contextmanager
def in_one_sentence(engine) -> Iterator[None]:
    """Within the block, whatever an engine raises is one SdftError: its parts have no common
    one."""
    try:
        yield
    except SdftError:
        raise
    except Exception as error:
        fault = getattr(error, "cause", error)  # what a copy raised, before Ray's own advice
        reason = " ".join(str(fault).split())[:300]
        problem = f"{engine.name} {engine.version} failed ({type(fault).__name__}: {reason})"
        raise SdftError(f"{problem}; finished parts are kept, see its log.") from error


def sampling(decoding, name: str, stops: Collection[int]) -> dict:
    """Arguments of vLLM's ``SamplingParams``: all of Decoding, the row's own seed, and the rest
    switched off. vLLM orders the steps as ``sampling.chooser`` does: penalty, temperature, top k,
    top p. ``top_k`` 0 is off in both."""
    if decoding.temperature and not COOLEST <= decoding.temperature <= HOTTEST:
        outside = f"outside of what vLLM draws with, {COOLEST} to {HOTTEST}"
        raise SdftError(f"Decoding: temperature {decoding.temperature} is {outside}; 0 is greedy.")
    asked = {"n": 1, "max_tokens": decoding.max_new_tokens, "seed": row_seed(decoding.seed, name)}
    asked |= {"stop_token_ids": sorted(stops), "ignore_eos": True, "top_k": decoding.top_k}
    for setting in ("temperature", "top_p", "repetition_penalty"):
        asked[setting] = float(getattr(decoding, setting))
    asked |= {"min_tokens": 0, "min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    return asked | {"detokenize": False, "skip_special_tokens": False}


def check_ends(
    answers: Sequence[list[int]], names: Sequence[str], decoding, stops: Collection[int]
) -> None:
    """Raise SdftError for an answer that was aborted: no stop token, nor the wanted length."""
    for name, ids in zip(names, answers, strict=True):
        if not ids or (ids[-1] not in stops and len(ids) != decoding.max_new_tokens):
            gave = f"gave {len(ids)} of {decoding.max_new_tokens} tokens without an end"
            raise SdftError(f"prompt {name}: the engine {gave}; start again to go on.")


def running(settings: dict):
    """vLLM with these settings, started once; one at a time, as it fills a GPU's memory."""
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


def check_plain(folder: Path, seed: Seed) -> None:
    """Raise SdftError unless an adapter is plain LoRA inside the layers, which is all that vLLM
    computes: it scales by one rank, starts from the base as it is, and ties head to embedding."""
    config, names = read_adapter(seed, folder)
    given, plain = config.to_dict(), LoraConfig().to_dict()
    odd = [name for name in given if given[name] != plain.get(name) and name not in COMPUTED]
    odd += [name for name in names if not INSIDE.fullmatch(name)]
    if odd:
        raise SdftError(f"{folder}: vLLM does not compute its {odd[0]}; leave --engine out.")


def rank_for(adapter: Path) -> int:
    """The least rank that vLLM offers for this adapter. Raises SdftError if there is none."""
    rank = read_json(adapter / "adapter_config.json")["r"]
    if rank > RANKS[-1]:
        raise SdftError(f"{adapter}: vLLM goes up to rank {RANKS[-1]}, not {rank}; use torch.")
    return next(offered for offered in RANKS if offered >= rank)
