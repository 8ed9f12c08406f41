"""Make a Google Colab session ready without changing what Colab brought (first cell of every
lesson).

The cell installs this package alone. Here follow the few small packages that Colab lacks, under
constraints made of all that is installed, so that torch, numpy and ipywidgets cannot change below a
running session. This file imports nothing that Colab itself does not hold."""

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
from importlib.metadata import distributions, requires, version
from pathlib import Path

from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from sdft_lib.storage.errors import SdftError

PACKAGE = "sdft-tutorial"
LOCAL = {"jupyterlab", "ipykernel", "papermill", "jupytext", "nbconvert"}  # for one's own machine
TORCHAO = "0.16"  # peft refuses to make an adapter beside an older one
HOLD_TORCHAO = ("torchao", "peft", "transformers")  # once imported, they have looked for torchao
DRIVE = Path("/content/drive")
GPU = Path("/dev/nvidia0")


def set_up(on_drive: bool = False, say=print) -> None:
    """Add what is missing, remove a torchao that peft would refuse, say in one line what was done,
    and where a GPU is to be had. ``on_drive`` keeps models and results on the user's Google Drive.

    Raises SdftError when pip fails, when a restart is due, and for a Drive that takes no files."""
    if on_drive:
        os.environ["SDFT_CACHE"] = str(drive_folder())
    versions = installed()
    missing, unfit = lacking(versions)
    if missing:
        install(missing, versions)
    held = remove_torchao(versions)
    importlib.invalidate_caches()
    if held:
        remedy = "choose Runtime > Restart session, then run the notebook again from its top"
        raise SdftError(f"A restart is due: {remedy}.")
    if unfit:
        remedy = "should a lesson fail, choose another runtime version"
        say(f"Colab has {', '.join(unfit)} as tested: {remedy}.")
    added = f"added {', '.join(missing)}; " if missing else ""
    say(f"{PACKAGE} {version(PACKAGE)} is ready; {added}the rest is Colab's own.")
    if not GPU.exists():
        say("No GPU here. Runtime > Change runtime type > T4 GPU is faster; a CPU works as well.")


def drive_folder() -> Path:
    """The folder ``sdft`` on the user's Drive, mounted. It has to take files and locks."""
    drive = importlib.import_module("google.colab.drive")  # is there in Colab alone
    folder = DRIVE / "MyDrive" / "sdft"
    try:
        drive.mount(str(DRIVE))
        folder.mkdir(exist_ok=True)
        with FileLock(folder / "try.lock", timeout=60):
            pass
    except Exception as error:  # Google's own for a refusal, OSError, or no locks
        reason = f"Google Drive cannot be used ({str(error).strip() or type(error).__name__})"
        remedy = "allow it, or write on_drive = False, then run this cell again"
        raise SdftError(f"{reason}; {remedy}.") from None
    return folder


def installed() -> dict[str, str]:
    """Version of every package, by normalised name; of two copies the one that Python takes."""
    versions: dict[str, str] = {}
    for package in distributions():
        name = canonicalize_name(package.metadata["Name"] or "")
        # a broken entry has no version that a constraint could name
        with contextlib.suppress(InvalidVersion, TypeError):
            versions.setdefault(name, str(Version(package.version)))
    return versions


def lacking(versions: dict[str, str]) -> tuple[list[str], list[str]]:
    """Requirements of this package that are absent, and those in a version outside their range."""
    missing, unfit = [], []
    for line in requires(PACKAGE) or []:
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        if name in LOCAL or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        if name not in versions:
            missing.append(f"{wanted.name}{wanted.specifier}")
        elif not wanted.specifier.contains(versions[name], prereleases=True):
            unfit.append(f"{wanted.name} {versions[name]}, not {wanted.specifier}")
    return missing, unfit


def install(missing: list[str], versions: dict[str, str]) -> None:
    """Let pip add packages; one that would change an installed version fails instead."""
    lines = [f"{name}=={number}\n" for name, number in versions.items() if name]
    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder) / "constraints.txt"
        frozen.write_text("".join(lines), encoding="utf-8")
        run_pip("install", "--constraint", str(frozen), *missing)


def remove_torchao(versions: dict[str, str]) -> bool:
    """Uninstall a torchao that peft refuses. True: the session looked for it, so restart."""
    if "torchao" not in versions or Version(versions["torchao"]) >= Version(TORCHAO):
        return False
    run_pip("uninstall", "--yes", "torchao")
    return any(name in sys.modules for name in HOLD_TORCHAO)


def run_pip(command: str, *arguments: str) -> None:
    """Run pip in this Python; its last error becomes the sentence that a reader sees."""
    call = [sys.executable, "-m", "pip", command, "--quiet", *arguments]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
        raise SdftError(f"pip {command} failed ({reason}); run this cell again.")
