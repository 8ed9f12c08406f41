"""Is this machine ready? One line a check, each failure with its remedy (command ``sdft
doctor``).
"""

import platform
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from sdft_lib.storage.errors import SdftError

PACKAGES = (
    "transformers",
    "peft",
    "datasets",
    "accelerate",
    "gguf",
    "pandas",
    "scipy",
    "matplotlib",
    "sentence-transformers",
)


class Check(NamedTuple):
    """A check's name, whether it passed, and what was found."""

    name: str
    ok: bool
    found: str


def examine() -> list[Check]:
    """All checks in order; one that fails does not stop the others."""
    return [examine_one(name, look) for name, look in CHECKS]


def examine_one(name: str, look: Callable[[], str]) -> Check:
    """Run one check: it returns what it found or raises what is wrong."""
    try:
        return Check(name, True, look())
    except (SdftError, ImportError, OSError, RuntimeError) as error:
        return Check(name, False, " ".join(str(error).split()))


def python() -> str:
    if sys.version_info < (3, 11):  # noqa: UP036 - a check, not a branch for old versions
        raise SdftError(f"{platform.python_version()} is too old; use 3.11 or newer.")
    return f"{platform.python_version()} ({platform.system()} {platform.machine()})"


def torch() -> str:
    import torch

    return torch.__version__


def packages() -> str:
    from importlib.metadata import PackageNotFoundError, version

    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        raise SdftError(
            f"missing: {', '.join(missing)}; run pip install -c constraints.txt -e . once more."
        )
    return ", ".join(found)


def device() -> str:
    import torch

    from sdft_lib.storage.devices import choose_device

    name = choose_device()
    torch.ones(1, device=name)
    return f"{name}, {torch.get_num_threads()} threads"


def dtype() -> str:
    from sdft_lib.storage.devices import choose_device, choose_dtype, torch_dtype

    name = choose_dtype(choose_device())
    torch_dtype(name)
    return name


def cache() -> str:
    from sdft_lib.storage.store import cache_dir

    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SdftError(
            f"{folder} cannot be written ({error.strerror}); set SDFT_CACHE to a folder that you own."
        ) from None
    return f"{folder} can be written"


def models() -> str:
    from sdft_lib.storage.store import is_complete
    from sdft_lib.storage.wheels import WHEELS, model_folder

    missing = [name for name in WHEELS if not is_complete(model_folder(name))]
    if missing:
        raise SdftError(f"not fetched, or altered since: {', '.join(missing)}; run sdft fetch.")
    return f"{', '.join(WHEELS)} are there"


CHECKS = (
    ("python", python),
    ("torch", torch),
    ("packages", packages),
    ("device", device),
    ("dtype", dtype),
    ("cache", cache),
    ("models", models),
)
