"""Content-addressed artefacts: a step that was done once is never done twice (lesson 00).

An artefact is a folder ``<cache>/store/<kind>/<key>/``. The key is a hash of everything that
decides its bytes: model, data, template, decoding, settings and the step's ``VERSION``, which its
author raises when a change of code changes results (tests/test_versions.py asks). Times and the
host's class go to ``run.json`` beside the files. The manifest is written last: a folder that has
one is finished. Its checksums are compared once a process."""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from sdft_lib.storage.errors import GO_ON, SdftError, refused
from sdft_lib.storage.files import file_sha256, folder_of, read_json, write_json
from sdft_lib.storage.processes import gather, help_make, rank, world

MANIFEST = "manifest.json"
RUN = "run.json"
WORK = "work"  # what the next start of a half-made artefact goes on from; the finished one has none
CLOCK = "clock.json"
_compared: set[Path] = set()  # finished folders whose checksums this process has compared


def cache_dir() -> Path:
    """The one folder for everything fetched or made: ``$SDFT_CACHE``, else the user's cache."""
    return folder_of("SDFT_CACHE") or Path(user_cache_dir("sdft", appauthor=False))


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of ``value``: sorted keys, no spaces, no dataclasses."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def artefact(kind: str, parts: dict, build: Callable[[Path], dict | None]) -> Path:
    """Return the folder of an artefact; make it first if it is not there, whole and unaltered.
    ``build(folder)`` writes into ``<key>.partial``, which outlives a kill: the next call gets the
    same folder and may go on from what it holds, also below ``work``, which is no part of the
    result. What ``build`` returns is added to ``run.json`` (tokens, memory: facts about this run).
    Raises SdftError for a disk that takes no more and for a finished file that cannot be read."""
    key = digest({"kind": kind, **parts})[:24]
    folder = cache_dir() / "store" / kind / key
    partial = Path(f"{folder}.partial")
    # No lock before this look: a finished artefact serves from a read-only cache too.
    if all(gather(is_complete(folder))):
        return folder
    if rank():
        help_make(partial / WORK, build)
        return folder
    with locked(folder), refused(folder, GO_ON):
        if is_complete(folder) and world() == 1:
            return folder
        if folder.exists():
            print(f"{kind}/{key}: a file is missing or altered, so it is made anew", flush=True)
        make(partial, parts, build)
        gather(None)  # the others still write below ``work``
        move_in(partial, folder)
        gather(None)
    return folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of one folder; a second process waits here and then finds the work done."""
    lock = FileLock(f"{folder}.lock")
    name = f"{folder.parent.name}/{folder.name}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            print(f"another process is making {name}: waiting for it", flush=True)
            lock.acquire()
    except OSError as error:
        problem = f"{folder.parent}: the cache cannot be written ({error.strerror or error})"
        raise SdftError(f"{problem}; set SDFT_CACHE to a folder that you own.") from None
    try:
        yield
    finally:
        lock.release()


def make(partial: Path, parts: dict, build: Callable[[Path], dict | None]) -> None:
    """Make, or go on making, an artefact's files; a kill after the last of them costs nothing."""
    (partial / WORK).mkdir(parents=True, exist_ok=True)
    for torn in partial.rglob("*.tmp"):
        torn.unlink()
    if is_complete(partial) and world() == 1:
        return
    earlier = earlier_seconds(partial)
    gather(None)  # from here on the others write below ``work``
    started = time.time()
    write_json(partial / WORK / CLOCK, {"earlier": earlier, "started": started})
    facts = build(partial) or {}
    write_json(partial / "parts.json", dict(sorted(parts.items())))
    seconds = round(earlier + time.time() - started, 1)
    write_json(partial / RUN, {"seconds": seconds} | run_facts() | facts)
    seal(partial)


def earlier_seconds(partial: Path) -> float:
    """Seconds that interrupted starts worked up to the last file they left; the rest is done again,
    so a run costs the same however often it was interrupted."""
    try:
        last = read_json(partial / WORK / CLOCK)
        earlier, started = float(last["earlier"]), float(last["started"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0.0
    latest = max(path.stat().st_mtime for path in partial.rglob("*") if path.is_file())
    return earlier + max(0.0, latest - started)


def seal(folder: Path) -> None:
    """Write the manifest, checksum by file, last of all: the folder is finished. Whoever may read
    the folder may read its files: some libraries write for their owner alone."""
    readers = folder.stat().st_mode & 0o555
    checksums = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] == WORK:
            continue
        path.chmod(path.stat().st_mode | (readers if path.is_dir() else readers & 0o444))
        if path.is_file() and path.name not in (MANIFEST, RUN):
            checksums[name.as_posix()] = file_sha256(path)
    write_json(folder / MANIFEST, checksums)


def move_in(partial: Path, folder: Path) -> None:
    """Put a sealed folder in its place, in that of an altered one if need be."""
    shutil.rmtree(partial / WORK, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(partial, folder)


def is_complete(folder: Path) -> bool:
    """True if the manifest is there and all its files are as they were; compared once a process.
    Raises SdftError for a file that cannot be read: it is not altered, and stays."""
    try:
        manifest = read_json(folder / MANIFEST)
        if folder not in _compared:
            if any(file_sha256(folder / name) != manifest[name] for name in manifest):
                return False
            _compared.add(folder)
        return bool(manifest)
    except SdftError:
        raise
    except (OSError, ValueError, TypeError):  # missing, empty, cut short, or no manifest
        return False


def run_facts() -> dict:
    """When, on what and with which versions an artefact was made (goes to ``run.json``)."""
    versions = {}
    for package in ("torch", "transformers", "peft", "datasets", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    facts = {"made": made, "python": platform.python_version(), "machine": machine}
    return facts | {"versions": versions, "peak_mb": peak_mb()}


def peak_mb() -> int | None:
    """Most memory this process has held, in MB (2**20 bytes); None where the system hides it."""
    if os.name == "nt":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> (20 if platform.system() == "Darwin" else 10)


def run_record(folder: Path) -> dict:
    """The ``run.json`` of an artefact: what it cost. One that was lost ends no later run."""
    lost = {"seconds": 0.0, "tokens": 0}
    try:
        return lost | read_json(folder / RUN)
    except SdftError:
        raise
    except (OSError, ValueError, TypeError):
        name = f"{folder.parent.name}/{folder.name}"
        print(f"{name}: {RUN} is lost, so what it cost counts as 0", flush=True)
        return lost
