"""Files that are whole or not there, and one sentence when the disk refuses them (lesson 00, "Where
things are kept").

A file is written beside its place and then renamed, so a killed writer leaves the old one. Nothing
is synced to the platter: after a power cut a file may be empty, and its checksum then says so."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from sdft_lib.storage.errors import SdftError

REFUSALS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)
GO_ON = "finished work is kept: make room or make it writable, then start again to go on"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_jsonl(path: Path) -> list[dict]:
    """Rows of one of our own JSONL files; a torn line (a killed writer) is dropped, wherever it was
    cut.
    """
    rows = []
    for line in Path(path).read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):  # not JSON, or cut inside a letter of several bytes
            rows.append(json.loads(line.decode("utf-8")))
    return rows


def write_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Write rows as UTF-8 JSONL, through a temporary file, so that a reader never sees half of
    it.
    """
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_text(path, text)


def append_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Add rows to a JSONL file, all or none: what a full disk took of them is cut off again.

    So is a torn last line, left by a killed writer: its row is not there and will be made again.
    """
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
    with refused(path, GO_ON), open(path, "ab+", buffering=0) as file:
        size = cut_torn_line(file)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise


def cut_torn_line(file) -> int:
    """End an open file behind its last whole line; returns its size in bytes then."""
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.seek(0)
            size = file.read().rfind(b"\n") + 1
            file.truncate(size)
    return size


def write_text(path: Path, text: str) -> None:
    """Atomic replacement of a text file (UTF-8, LF)."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with refused(path, GO_ON):
            temporary.write_text(text, encoding="utf-8", newline="\n")
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def refused(place: Path, hint: str):
    """Turn a refusal of the disk inside the block into one SdftError: ``place``, the reason,
    ``hint``.
    """
    try:
        yield
    except SdftError:
        raise
    except Exception as error:
        if (reason := refusal(error, Path(place))) is None:
            raise
        raise SdftError(f"{place}: cannot be written ({reason}); {hint}.") from None


def refusal(error: Exception, place: Path) -> str | None:
    """Why the disk took no more, None if the error is about something else.

    Python says it by number, safetensors (Rust) in its text, and torch.save only that writing
    failed."""
    if isinstance(error, OSError):
        return error.strerror if error.errno in REFUSALS else None
    text = str(error)
    number = re.search(r"\(os error (\d+)\)", text)
    if number and int(number.group(1)) in REFUSALS:
        return os.strerror(int(number.group(1)))
    if isinstance(error, RuntimeError) and re.search(
        "PytorchStreamWriter|inline_container|iostream error", text
    ):
        return (
            os.strerror(errno.ENOSPC)
            if room(place) < 2**20
            else "the file could not be written to its end"
        )
    return None


def room(place: Path) -> int:
    """Free bytes on the disk that holds ``place``, which itself need not be there."""
    folder = next(folder for folder in (place, *place.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(folder).free
