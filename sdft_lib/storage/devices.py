"""On what a model computes, and in which number format (lesson 00)."""

import os

from sdft_lib.storage.errors import SdftError


def choose_device() -> str:
    """``cuda``, else Apple's ``mps``, else ``cpu``; ``SDFT_DEVICE`` overrides."""
    import torch

    if forced := os.environ.get("SDFT_DEVICE"):
        try:
            torch.empty(0, device=forced)
        except (
            RuntimeError,
            AssertionError,
        ):  # torch's words for a name it does not know, and for one it lacks
            raise SdftError(
                f"SDFT_DEVICE={forced}: this machine has no such device; unset it or use cpu."
            ) from None
        return forced
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(device: str) -> str:
    """The number format of the weights in generation: bf16 where the processor multiplies it
    natively.

    A GPU older than Ampere (a T4) gets fp16. On a CPU without AVX-512-BF16 or AMX, bf16 is emulated
    and can be 100 times slower than fp32, so fp32 it is. ``SDFT_DTYPE`` (fp32, bf16, fp16)
    overrides."""
    import torch

    if forced := os.environ.get("SDFT_DTYPE"):
        return forced
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    native = (
        getattr(torch.cpu, name, lambda: False)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return "bf16" if device == "cpu" and any(check() for check in native) else "fp32"


def torch_dtype(name: str):
    """``fp32``, ``bf16`` or ``fp16`` as a torch dtype."""
    import torch

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name not in dtypes:
        raise SdftError(f"dtype {name!r} is unknown; choose fp32, bf16 or fp16.")
    return dtypes[name]
