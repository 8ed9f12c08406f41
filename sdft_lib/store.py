"""Content-addressed artefacts: a step that was done once is never done twice (lesson 00, "Where things are kept").

An artefact is a folder ``<cache>/store/<kind>/<key>/``. The key is a hash of everything that decides its bytes:
model, data, template, decoding, settings and the source of the modules that make it. Times and the host's class go to
``run.json`` beside the files, never into them.
"""

import ast
import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sdft_lib.errors import SdftError

MANIFEST = "manifest.json"
RUN = "run.json"


def cache_dir() -> Path:
    """The one folder for everything fetched or made: ``$SDFT_CACHE``, else the user's cache (platformdirs)."""
    if root := os.environ.get("SDFT_CACHE"):
        return Path(root).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("sdft", appauthor=False))


def digest(value) -> str:
    """SHA-256 of the canonical JSON of ``value``: sorted keys, no spaces, dataclasses not allowed."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_hash(*modules: str) -> str:
    """Hash of the named ``sdft_lib`` modules: the code version inside an artefact's key.

    Comments, docstrings and layout do not count: a better explanation must not cost a reader an hour of training.
    """
    folder = Path(__file__).parent
    return digest({name: bare_code(folder / f"{name}.py") for name in modules})[:16]


def bare_code(path: Path) -> str:
    """A module's syntax tree as text, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            del body[0]
    return ast.dump(tree)


def read_jsonl(path: Path) -> list[dict]:
    """Rows of one of our own JSONL files; a torn last line (a killed writer) is dropped."""
    rows = []
    for line in Path(path).read_text(encoding="utf-8").split("\n"):
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def write_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Write rows as UTF-8 JSONL, through a temporary file, so that a reader never sees half of it."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Atomic replacement of a text file (UTF-8, LF)."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SdftError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another place."
        ) from None


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
            print(f"another process is making {folder.parent.name}/{folder.name}: waiting for it", flush=True)
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

    ``build(folder)`` writes into ``<key>.partial``, which outlives a kill: the next call gets the same folder and may
    go on from what it holds. What ``build`` returns is added to ``run.json`` (seconds, tokens: facts about this run).
    """
    key = digest({"kind": kind, **parts})[:24]
    folder = cache_dir() / "store" / kind / key
    with locked(folder):
        if is_whole(folder):
            return folder
        if folder.exists():
            print(f"{kind}/{key}: a file is missing or altered, so it is made anew", flush=True)
            shutil.rmtree(folder)
        partial = folder.with_name(f"{key}.partial")
        partial.mkdir(exist_ok=True)
        started = time.time()
        facts = build(partial) or {}
        write_text(partial / "parts.json", json.dumps(parts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        write_text(partial / RUN, json.dumps(run_facts(started) | facts, indent=1) + "\n")
        write_text(partial / MANIFEST, json.dumps(checksums(partial), indent=1) + "\n")
        os.replace(partial, folder)
    return folder


def checksums(folder: Path) -> dict[str, str]:
    """Relative path to SHA-256 of each file of an artefact, ``run.json`` and the manifest itself left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in (MANIFEST, RUN))
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def is_whole(folder: Path) -> bool:
    """True if every file of the manifest is there with the checksum it had."""
    try:
        expected = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return expected == checksums(folder)
    except (OSError, json.JSONDecodeError):
        return False


def run_facts(started: float) -> dict:
    """When, on what and with which versions an artefact was made (goes to ``run.json``)."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for package in ("torch", "transformers", "peft", "datasets", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "seconds": round(time.time() - started, 1),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
    }


def run_record(folder: Path) -> dict:
    """The ``run.json`` of an artefact: the cost of the run that made it."""
    return json.loads((folder / RUN).read_text(encoding="utf-8"))
