"""Content-addressed artefacts: a step that was done once is never done twice (lesson 00, "Where
things are kept").

An artefact is a folder ``<cache>/store/<kind>/<key>/``. The key is a hash of everything that
decides its bytes: model, data, template, decoding, settings and the ``VERSION`` of the step that
makes it, which its author raises when a change of code changes results (tests/test_versions.py
asks). Times and the host's class go to ``run.json`` beside the files, never into them."""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import GO_ON, file_sha256, refused, write_text
from sdft_lib.storage.files import (
    read_jsonl as read_jsonl,  # the store's other half: steps import both from here
)
from sdft_lib.storage.files import write_jsonl as write_jsonl
from sdft_lib.storage.processes import gather, help_make, rank, world

MANIFEST = "manifest.json"
RUN = "run.json"
# folder of a half-made artefact for what its next start goes on from; the finished one has none
WORK = "work"
CLOCK = "clock.json"


def cache_dir() -> Path:
    """The one folder for everything fetched or made: ``$SDFT_CACHE``, else the user's cache
    (platformdirs).
    """
    if root := os.environ.get("SDFT_CACHE"):
        return Path(root).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("sdft", appauthor=False))


def digest(value) -> str:
    """SHA-256 of the canonical JSON of ``value``: sorted keys, no spaces, dataclasses not
    allowed.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@contextlib.contextmanager
def locked(folder: Path):
    """Hold the lock of one artefact; a second process waits here and then finds the work done."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{folder}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            print(
                f"another process is making {folder.parent.name}/{folder.name}: waiting for it",
                flush=True,
            )
            lock.acquire()
    except OSError as error:
        raise SdftError(
            f"{folder.parent}: the cache cannot be written ({error.strerror or error}); "
            "set SDFT_CACHE to a folder that you own."
        ) from None
    try:
        yield
    finally:
        lock.release()


def artefact(kind: str, parts: dict, build: Callable[[Path], dict | None]) -> Path:
    """Return the folder of an artefact and make it first if it is not there, whole and unaltered.

    ``build(folder)`` writes into ``<key>.partial``, which outlives a kill: the next call gets the
    same folder and may go on from what it holds, also below ``work``, which is no part of the
    result. What ``build`` returns is added to ``run.json`` (tokens, memory: facts about this run).
    """
    key = digest({"kind": kind, **parts})[:24]
    folder = cache_dir() / "store" / kind / key
    if all(
        gather(is_whole(folder))
    ):  # no lock: a finished artefact serves from a read-only cache too
        return folder
    if rank():
        help_make(folder.with_name(f"{key}.partial") / WORK, build)
        return folder
    with locked(folder), refused(folder, GO_ON):
        if is_whole(folder) and world() == 1:
            return folder
        if folder.exists():
            print(f"{kind}/{key}: a file is missing or altered, so it is made anew", flush=True)
            shutil.rmtree(folder)
        partial = folder.with_name(f"{key}.partial")
        finish(partial, parts, build)
        gather(None)  # the others still write below ``work``
        shutil.rmtree(partial / WORK, ignore_errors=True)
        os.replace(partial, folder)
        gather(None)
    return folder


def finish(partial: Path, parts: dict, build: Callable[[Path], dict | None]) -> None:
    """Make, or go on making, the files of an artefact; a kill after the last of them costs
    nothing.
    """
    (partial / WORK).mkdir(parents=True, exist_ok=True)
    for torn in partial.rglob("*.tmp"):
        torn.unlink()
    if is_whole(partial) and world() == 1:
        return
    earlier = earlier_seconds(partial)
    gather(None)  # from here on the others write below ``work``
    started = time.time()
    write_text(partial / WORK / CLOCK, json.dumps({"earlier": earlier, "started": started}))
    facts = build(partial) or {}
    write_text(
        partial / "parts.json",
        json.dumps(parts, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
    )
    seconds = {"seconds": round(earlier + time.time() - started, 1)}
    write_text(partial / RUN, json.dumps(seconds | run_facts() | facts, indent=1) + "\n")
    write_text(partial / MANIFEST, json.dumps(checksums(partial), indent=1) + "\n")


def earlier_seconds(partial: Path) -> float:
    """Seconds that earlier, interrupted starts worked up to the last file they left.

    What they did after it was lost and is done again, so a run costs the same however often it was
    interrupted."""
    clock = partial / WORK / CLOCK
    try:
        last = json.loads(clock.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0
    latest = max(path.stat().st_mtime for path in partial.rglob("*") if path.is_file())
    return last["earlier"] + max(0.0, latest - last["started"])


def checksums(folder: Path) -> dict[str, str]:
    """Relative path to SHA-256 of each file of an artefact."""
    return {name: file_sha256(folder / name) for name in file_names(folder)}


def file_names(folder: Path) -> list[str]:
    """Relative paths of an artefact's files; ``run.json``, the manifest itself and ``work`` are
    left out.
    """
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        name.as_posix()
        for name in names
        if name.name not in (MANIFEST, RUN) and name.parts[0] != WORK
    ]


def is_whole(folder: Path) -> bool:
    """True if every file of the manifest is there with the checksum it had."""
    try:
        expected = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return expected == checksums(folder)
    except (OSError, ValueError):
        return False


def run_facts() -> dict:
    """When, on what and with which versions an artefact was made (goes to ``run.json``)."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in ("torch", "transformers", "peft", "datasets", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> int | None:
    """Most memory that this process has held so far, in MB (2**20 bytes); None where the system
    does not tell.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> (20 if platform.system() == "Darwin" else 10)


def run_record(folder: Path) -> dict:
    """The ``run.json`` of an artefact: the cost of the run that made it."""
    return json.loads((folder / RUN).read_text(encoding="utf-8"))
