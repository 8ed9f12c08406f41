"""A stand-in for a Colab session, in build/colab/: packages, kernel, empty folder, GitHub."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from ci import bootstrap
from ci.bootstrap import ROOT, say, stop
from ci.lessons import sources

HOME = ROOT / "build" / "colab"
VENV, EMPTY, CACHE, REMOTE, INDEX = (
    HOME / name for name in ("venv", "empty", "cache", "remote.git", "index")
)
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PINS = ROOT / "ci" / "platforms" / "colab.txt"
PRISTINE = HOME / "pristine.json"  # the packages of the environment before any setup cell
KERNEL = "colab"
STUB = (
    "import IPython, ipywidgets, matplotlib, numpy, pandas  # what Colab's own package has "
    "imported by then\n"
)


def prepare() -> dict[str, str]:
    """The packages of a new session; papermill then finds kernel `colab`."""
    made_from = fingerprint()
    if (
        not PRISTINE.exists()
        or json.loads(PRISTINE.read_text(encoding="utf-8"))["from"] != made_from
    ):
        make_venv(made_from)
    empty(HOME / "lessons")
    empty_cache()
    publish()
    write_kernel()
    return json.loads(PRISTINE.read_text(encoding="utf-8"))["packages"]


def new_session(pristine: dict[str, str]) -> None:
    """An empty folder, and the packages as they were before any setup cell."""
    empty(EMPTY)
    now = packages()
    if extra := sorted(set(now) - set(pristine)):
        pip("uninstall", "--yes", *extra)
    if lost := [
        f"{name}=={number}" for name, number in pristine.items() if now.get(name) != number
    ]:
        pip("install", "--no-deps", *lost)


def empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def fingerprint() -> str:
    """What the environment is made from."""
    parts = [
        PINS.read_text(encoding="utf-8"),
        version("torch"),
        platform.python_version(),
        str(ROOT),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def make_venv(made_from: str) -> None:
    """Colab's packages and a stub of its own, `google.colab`, in an environment of their own."""
    say(
        "Making an environment with Colab's package versions in build/colab/venv (once; a few "
        "minutes) ..."
    )
    shutil.rmtree(VENV, ignore_errors=True)
    HOME.mkdir(parents=True, exist_ok=True)
    call([sys.executable, "-m", "venv", str(VENV)])
    torch = f"torch=={version('torch')}"
    cpu = "+cpu" in torch and bootstrap.reachable(f"{bootstrap.CPU_INDEX}/torch/")
    pip("install", "--no-deps", torch, *(["--index-url", bootstrap.CPU_INDEX] if cpu else []))
    pip("install", torch, "-r", str(PINS))
    stub = (
        Path(call([str(PYTHON), "-c", "import site; print(site.getsitepackages()[0])"]).strip())
        / "google"
        / "colab"
    )
    stub.mkdir(parents=True, exist_ok=True)
    (stub / "__init__.py").write_text(STUB, encoding="utf-8")
    record = {"from": made_from, "packages": packages()}
    PRISTINE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def packages() -> dict[str, str]:
    """Version of each installed package."""
    found = json.loads(call([str(PYTHON), "-m", "pip", "list", "--format", "json"]))
    return {row["name"]: row["version"] for row in found}


def empty_cache() -> None:
    """No models and results of an earlier run; wheels stay, or are those of the usual cache."""
    from sdft_lib.storage.store import cache_dir

    for folder in ("models", "store"):
        shutil.rmtree(CACHE / folder, ignore_errors=True)
    downloads, usual = CACHE / "downloads", cache_dir() / "downloads"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not downloads.exists() and usual.is_dir():
        downloads.symlink_to(usual.resolve())


def publish() -> None:
    """A bare repository that holds what git tracks here, as it is now, under the tag of the
    release, as GitHub will.

    The commit is made in an index of its own: nobody's staged work is touched, or waits.
    """
    if not REMOTE.exists():
        git("init", "--quiet", "--bare", str(REMOTE))
        git("-C", str(REMOTE), "symbolic-ref", "HEAD", "refs/heads/main")
    git("read-tree", "HEAD", index=INDEX)
    git("add", "--update", index=INDEX)
    tree = git("write-tree", index=INDEX).strip()
    commit = git("commit-tree", tree, "-m", "The working tree").strip()
    names = f"refs/tags/{sources.release()}", "refs/heads/main"
    git("push", "--quiet", "--force", str(REMOTE), *(f"{commit}:{name}" for name in names))


def write_kernel() -> None:
    """The kernel `colab`: imports `google.colab`; git takes our repository for that on GitHub."""
    profile, spec = (
        HOME / "ipython" / "profile_default" / "startup",
        HOME / "jupyter" / "kernels" / KERNEL,
    )
    for folder in (profile, spec):
        folder.mkdir(parents=True, exist_ok=True)
    (profile / "00_colab.py").write_text("import google.colab\n", encoding="utf-8")
    settings = {
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
        "IPYTHONDIR": str(HOME / "ipython"),
        "SDFT_CACHE": str(CACHE),
        "SDFT_WIDGETS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{REMOTE.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{sources.repository()[0]}",
    }
    start = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": start, "display_name": "Colab", "language": "python", "env": settings}
    (spec / "kernel.json").write_text(json.dumps(kernel, indent=1) + "\n", encoding="utf-8")
    os.environ.update(
        JUPYTER_DATA_DIR=str(HOME / "jupyter"), JUPYTER_CONFIG_DIR=str(HOME / "jupyter")
    )


def pip(command: str, *arguments: str) -> None:
    call([str(PYTHON), "-m", "pip", command, "--quiet", *arguments])


def git(*arguments: str, index: Path | None = None) -> str:
    own = {"GIT_INDEX_FILE": str(index)} if index else {}
    return call(["git", "-c", "user.name=sdft", "-c", "user.email=sdft@localhost", *arguments], own)


def call(command: list[str], settings: dict[str, str] | None = None) -> str:
    """What a program prints; one that fails ends this one with its last lines."""
    environment = bootstrap.pip_environment() | (settings or {})
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode:
        say((done.stdout + done.stderr).strip()[-1500:])
        stop(f"{' '.join(command[:5])} failed (its last lines are above).")
    return done.stdout
