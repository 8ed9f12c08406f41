"""On what a model computes, and in which number format (lesson 00)."""

import os

import torch

from sdft_lib.storage.errors import SdftError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device() -> str:
    """``cuda``, else Apple's ``mps``, else ``cpu``; ``SDFT_DEVICE`` overrides. Raises SdftError for
    a device that this machine does not have."""
    if forced := os.environ.get("SDFT_DEVICE"):
        try:
            torch.zeros(1, device=forced).item()  # the device "meta" computes nothing
        except (RuntimeError, AssertionError):  # a name that torch does not know, or one it lacks
            raise SdftError(f"no device SDFT_DEVICE={forced} here; unset it or use cpu.") from None
        return forced
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(device: str) -> str:
    """The number format of the weights in generation: bf16 where the processor multiplies it. A GPU
    older than Ampere (a T4) gets fp16. On a CPU without AVX-512-BF16 or AMX, bf16 is emulated and
    can be 100 times slower than fp32, so fp32 it is. ``SDFT_DTYPE`` overrides."""
    if forced := os.environ.get("SDFT_DTYPE"):
        return forced
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device != "cpu":
        return "fp32"
    for instructions in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        if getattr(torch.cpu, instructions, bool)():
            return "bf16"
    return "fp32"


def torch_dtype(name: str) -> torch.dtype:
    """``fp32``, ``bf16`` or ``fp16`` as a torch dtype. Raises SdftError for any other name."""
    if name not in DTYPES:
        raise SdftError(f"dtype {name!r} is unknown; choose fp32, bf16 or fp16.")
    return DTYPES[name]
