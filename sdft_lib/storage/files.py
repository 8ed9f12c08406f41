"""Files that are whole or not there (lesson 00, "Where things are kept").

A file is written beside its place and then renamed, so a killed writer leaves the old one. Nothing
is synced to the platter: after a power cut a file may be empty, and its checksum then says so."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sdft_lib.storage.errors import GO_ON, SdftError, refused


def data_dir() -> Path:
    """The bundled data: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_data"
    return inside if inside.is_dir() else package.parent / "data"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks. SdftError for a file that may not be read."""
    with told(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Within the block, a file that is there and cannot be read becomes one SdftError: what another
    user keeps to himself is neither missing nor altered."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise
    except OSError as error:
        remedy = "ask its owner for the right to read it, or set SDFT_CACHE to a folder of your own"
        raise SdftError(
            f"{path}: cannot be read ({error.strerror}); {remedy}. Nothing was deleted."
        ) from None


def read_jsonl(path: Path) -> list[dict]:
    """Rows of one of our own JSONL files; a torn line (a killed writer) is dropped."""
    rows = []
    with told(path):
        data = Path(path).read_bytes()
    for line in data.split(b"\n"):
        with contextlib.suppress(ValueError):  # not JSON, or cut inside a letter of several bytes
            rows.append(json.loads(line.decode("utf-8")))
    return rows


def write_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Write rows as UTF-8 JSONL; a reader never sees half of it."""
    write_text(path, as_lines(rows))


def append_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Add rows to a JSONL file, all or none: what a full disk took of them is cut off again.

    So is a torn last line, left by a killed writer: its row is not there and will be made again."""
    data = as_lines(rows).encode("utf-8")
    with refused(path, GO_ON), open(path, "ab+", buffering=0) as file:
        size = end_last_line(file)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise


def as_lines(rows: Iterable[dict]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def end_last_line(file: BinaryIO) -> int:
    """Make an open file end with a whole line; returns its size in bytes then.

    A row that lacks its line's end alone is whole and gets it; a torn one is cut off."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return 0
    file.seek(-1, os.SEEK_END)
    if file.read(1) == b"\n":
        return size
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    try:
        json.loads(content[start:].decode("utf-8"))
    except (ValueError, RecursionError):
        file.truncate(start)
        return start
    return size + file.write(b"\n")


def write_text(path: Path, text: str) -> None:
    """Replace a text file (UTF-8, LF) in one step."""
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


def write_json(path: Path, value: dict) -> None:
    """Replace a JSON file in one step."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
