"""Make `.venv` with the tested packages and start the script in it. Standard library only."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "sdft-installed"
LOCKS = ROOT / "ci" / "locks"  # made by ci/lock.py
TORCH_LOCK = LOCKS / "torch-cpu.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


PYTHON = python_of(VENV)


def command_line(description: str) -> argparse.ArgumentParser:
    """A command's parser; its help shows the file's docstring as it is written."""
    layout = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=description, formatter_class=layout)


def ensure_venv() -> None:
    """Return when this process has everything installed; else install, and start the script anew in
    .venv.

    Inside the conda environment of environment.yml (named `sdft`) nothing is made: all is there
    already."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file also starts under older ones, to say so
        stop(f"Python 3.11 or newer is needed, and this is {platform.python_version()}.")
    if os.environ.get("CONDA_DEFAULT_ENV") == "sdft":
        return
    installed = STAMP.exists() and works(PYTHON) and STAMP.read_text() == fingerprint()
    if installed and Path(sys.prefix).resolve() == VENV.resolve():
        return
    if not installed:
        install()
    command = [str(PYTHON), *sys.orig_argv[1:]]  # keeps `-m ci.bench.run`, too
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    sys.stdout.flush()
    os.execv(command[0], command)


def fingerprint() -> str:
    """What .venv was made from: project, pins, lock, place, Python. A change installs again."""
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt", TORCH_LOCK, LOCKS / "dev.txt"]
    settings = (VENV / "pyvenv.cfg").read_text().splitlines()
    version = "".join(line for line in settings if line.startswith("version"))
    parts = [*(file.read_bytes() for file in files), str(ROOT).encode(), version.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def works(python: Path) -> bool:
    """True if this interpreter starts and has pip (a moved or half-made .venv has not)."""
    command = [str(python), "-m", "pip", "--version"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def install() -> None:
    """Create .venv where it is missing or broken, and install the project with its packages."""
    start = time.monotonic()
    if not works(PYTHON):
        say(f"Making the virtual environment {VENV.name} with Python {platform.python_version()}.")
        make_venv(VENV)
    STAMP.unlink(missing_ok=True)
    say(f"Installing the project and its packages into {VENV.name} (once; a few minutes) ...")
    install_torch()
    if is_locked():
        run_pip(["install", "--require-hashes", "-r", "ci/locks/build.txt"], PYTHON)
    install_extra("dev", PYTHON)
    if is_locked():
        run_pip(["install", "--no-deps", "--no-build-isolation", "-e", "."], PYTHON)
    STAMP.write_text(fingerprint())
    say(f"Installed in {time.monotonic() - start:.0f} s.")


def make_venv(folder: Path) -> Path:
    """A new environment in this folder, with pip and nothing else; its Python."""
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not works(python_of(folder)):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        say((done.stdout + done.stderr).strip()[-1500:])
        stop(
            f"Python could not make {folder}: check that the folder is writable and that the "
            f"module venv is there (Debian and Ubuntu: sudo apt install python{version}-venv)."
        )
    return python_of(folder)


def lock_fits() -> bool:
    """True on the machines that the files of ci/locks are made for."""
    here = sys.platform, platform.machine(), platform.python_implementation()
    return here == ("linux", "x86_64", "CPython") and sys.version_info[:2] <= (3, 13)


def cpu_torch() -> Path | None:
    """What tells that .venv holds the CPU build of PyTorch of this version, if it does."""
    version = TORCH_LOCK.read_text(encoding="utf-8").partition("torch==")[2].split()[0]
    return next(VENV.glob(f"lib*/python*/site-packages/torch-{version}.dist-info"), None)


def is_locked() -> bool:
    """True where packages are installed by ci/locks, with hashes; elsewhere by the pins alone.

    The build of PyTorch with CUDA needs packages that no lock holds.
    """
    return lock_fits() and cpu_torch() is not None


def install_extra(extra: str, python: Path | None = None) -> None:
    """Install what an extra of pyproject.toml asks for, here or there; with hashes if a lock fits.

    Without build isolation, for pip would fetch what builds a package unchecked.
    """
    if is_locked():
        lock = f"ci/locks/{extra}.txt"
        run_pip(["install", "--require-hashes", "--no-build-isolation", "-r", lock], python)
    else:
        run_pip(["install", "-c", "constraints.txt", "-e", f".[{extra}]"], python)


def install_torch() -> None:
    """Avoid a CUDA build of PyTorch on Linux without an NVIDIA driver.

    The CPU build is installed alone and from one index: a package of another name can never come
    from there.
    """
    if sys.platform != "linux" or has_nvidia() or cpu_torch():
        return
    planned = planned_torch()
    index: list[str] = []
    if "+cpu" not in planned and "%2Bcpu" not in planned:
        if not planned or not reachable(f"{CPU_INDEX}/torch/"):
            say("pip sees no CPU build of PyTorch here: CUDA and its libraries, several GB.")
            return
        say(f"No NVIDIA driver here: taking the CPU build of PyTorch from {CPU_INDEX}.")
        index = ["--index-url", CPU_INDEX]
    hashed = ["--require-hashes", "-r", str(TORCH_LOCK)]
    wanted = hashed if lock_fits() else ["-c", "constraints.txt", "torch"]
    run_pip(["install", "--no-deps", *index, *wanted], PYTHON)


def has_nvidia() -> bool:
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def planned_torch() -> str:
    """The address of the file that pip would take for PyTorch; empty if pip cannot say."""
    command = [str(PYTHON), "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--report", "-", "--no-deps", "-c", "constraints.txt", "torch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=pip_environment())
    try:
        return json.loads(done.stdout)["install"][0]["download_info"]["url"]
    except (ValueError, KeyError, IndexError):
        return ""


def reachable(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=8) as answer:
            return answer.status == 200
    except (OSError, ValueError):
        return False


def pip_environment() -> dict[str, str]:
    """The user's settings, less those that would send the packages elsewhere than into .venv."""
    unwanted = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def run_pip(arguments: list[str], python: Path | None = None) -> None:
    """Run the pip of this or that Python; show large downloads, the last step, or why it failed."""
    command = [str(python or sys.executable), "-m", "pip", *arguments, "--progress-bar", "off"]
    lines: list[str] = []
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    own = {"cwd": ROOT, "env": pip_environment(), "errors": "replace"}
    with subprocess.Popen(command, **pipe, **own) as pip:
        for line in pip.stdout:
            lines.append(line.rstrip())
            shown = summary(lines[-1])
            if shown:
                say(f"  {shown}")
    if pip.returncode:
        say("\n".join(lines[-15:]))
        stop(
            "pip could not install the packages (its last lines are above): check the network and "
            "the free disk space, then start again."
        )


def summary(line: str) -> str:
    """The short form of a line that pip printed, empty for lines not worth showing."""
    words = line.split()
    if words[:1] == ["Downloading"] and words[-1] in ("MB)", "GB)"):
        if words[-1] == "GB)" or float(words[-2].strip("(")) >= 10:
            return f"downloading {words[1].rsplit('/', 1)[-1]} {' '.join(words[2:])}"
    if line.startswith("Installing collected packages:"):
        return f"installing {line.count(',') + 1} packages"
    return ""


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def say(text: str) -> None:
    print(text, flush=True)


def stop(sentence: str) -> None:
    sys.stdout.flush()
    sys.exit(sentence)
