"""Make a Google Colab session ready without changing what Colab brought (first cell of every
lesson; README, "Colab").

The cell installs this package alone. Here follow the few small packages that Colab lacks, under
constraints made of all that is installed, so that torch, numpy and ipywidgets cannot change below a
running session."""

import importlib
import subprocess
import sys
import tempfile
from importlib.metadata import distributions, requires, version
from pathlib import Path

from sdft_lib.storage.errors import SdftError

PACKAGE = "sdft-tutorial"
LOCAL = {
    "jupyterlab",
    "ipykernel",
    "papermill",
    "jupytext",
    "nbconvert",
}  # they serve a machine of one's own
TORCHAO = "0.16"  # peft refuses to make an adapter beside an older one
HOLD_TORCHAO = (
    "torchao",
    "peft",
    "transformers",
)  # modules that, once imported, have looked for torchao


def set_up(say=print) -> None:
    """Add what is missing, remove a torchao that peft would refuse, and say what was done in one
    line.

    Raises SdftError when pip fails, and when a restart is due.
    """
    found = installed()
    missing, unfit = lacking(found)
    if missing:
        install(missing, found)
    held = remove_torchao(found)
    importlib.invalidate_caches()
    if held:
        raise SdftError(
            "A restart is due: choose Runtime > Restart session, then run the notebook again from its top."
        )
    if unfit:
        say(
            f"Colab has {', '.join(unfit)} as tested: should a lesson fail, choose another runtime version."
        )
    added = f"added {', '.join(missing)}; " if missing else ""
    say(f"{PACKAGE} {version(PACKAGE)} is ready; {added}the rest is Colab's own.")


def installed() -> dict[str, str]:
    """Version of every package, by normalised name; of two copies the one that Python finds
    first.
    """
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    found: dict[str, str] = {}
    for package in distributions():
        name = canonicalize_name(package.metadata["Name"] or "")
        try:
            found.setdefault(name, str(Version(package.version)))
        except (InvalidVersion, TypeError):  # a broken entry, which no constraint can name
            continue
    return found


def lacking(found: dict[str, str]) -> tuple[list[str], list[str]]:
    """(requirements of this package that are absent, those present in a version outside their
    range).
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    missing, unfit = [], []
    for line in requires(PACKAGE) or []:
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        if name in LOCAL or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        if name not in found:
            missing.append(f"{wanted.name}{wanted.specifier}")
        elif not wanted.specifier.contains(found[name], prereleases=True):
            unfit.append(f"{wanted.name} {found[name]}, not {wanted.specifier}")
    return missing, unfit


def install(missing: list[str], found: dict[str, str]) -> None:
    """Let pip add packages; one that would change an installed version fails instead."""
    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder) / "constraints.txt"
        frozen.write_text(
            "".join(f"{name}=={number}\n" for name, number in found.items() if name),
            encoding="utf-8",
        )
        run_pip("install", "--constraint", str(frozen), *missing)


def remove_torchao(found: dict[str, str]) -> bool:
    """Uninstall a torchao older than peft accepts; True if the session has looked for it, so that a
    restart is due.
    """
    from packaging.version import Version

    if "torchao" not in found or Version(found["torchao"]) >= Version(TORCHAO):
        return False
    run_pip("uninstall", "--yes", "torchao")
    return any(name in sys.modules for name in HOLD_TORCHAO)


def run_pip(command: str, *arguments: str) -> None:
    """Run pip in this Python; its last error becomes the sentence that a reader sees."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", *arguments],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            "no reason given"
        ]
        raise SdftError(
            f"pip {command} failed ({errors[-1].removeprefix('ERROR: ')}); run this cell again."
        )
