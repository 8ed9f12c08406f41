"""Files that are whole or not there (lesson 00, "Where things are kept").

A file is written beside its place and then renamed, so a killed writer leaves the old one. Nothing
is synced to the platter: after a power cut a file may be empty, and its checksum then says so. What
is no file, a device or a pipe, has no old content to save: it is written to as it is."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sdft_lib.storage.errors import GO_ON, SdftError, refused

DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,6})")
STREAMS = {"/dev/stdout": "/dev/fd/1", "/dev/stderr": "/dev/fd/2"}


def data_dir() -> Path:
    """The bundled data: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_data"
    return inside if inside.is_dir() else package.parent / "data"


def folder_of(variable: str) -> Path | None:
    """The folder that an environment variable names, absolute; None where it is not set or empty.
    Raises SdftError for the home of a user that this machine does not know."""
    value = os.environ.get(variable, "").strip()
    path = os.path.expanduser(value)
    if path.startswith("~"):
        raise SdftError(f"{variable}={value}: there is no such user; name a folder.")
    return Path(path).absolute() if value else None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks. SdftError for a file that may not be read."""
    with told(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_frozen(path: Path, expected: str) -> None:
    """Raise SdftError if a frozen file is missing or not what its card says."""
    if not path.is_file():
        raise SdftError(f"{path}: the file is missing; fetch the data again.")
    if file_sha256(path) != expected:
        raise SdftError(f"{path}: altered (not the SHA-256 of its card); fetch the data again.")


def frozen_adapter(name: str) -> Path:
    """The folder of an adapter that comes with the tutorial (lesson 06). Raises SdftError if a file
    is missing or not what ``data/adapters/adapters.json`` says."""
    folder = data_dir() / "adapters"
    for file, sha256 in read_json(folder / "adapters.json")[name].items():
        check_frozen(folder / name / file, sha256)
    return folder / name


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Within the block, a file that is there and cannot be read becomes one SdftError: what another
    user keeps to himself is neither missing nor altered."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise
    except OSError as error:
        problem = f"{path}: cannot be read ({error.strerror})"
        remedy = "ask its owner for the right to read it, or set SDFT_CACHE to a folder of your own"
        raise SdftError(f"{problem}; {remedy}. Nothing was deleted.") from None


def read_jsonl(path: Path) -> list[dict]:
    """Rows of one of our own JSONL files; a torn line (a killed writer) is dropped."""
    rows = []
    with told(path), open(path, "rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):  # not JSON, or cut inside a letter
                rows.append(json.loads(line.decode("utf-8")))
    return rows


def read_json(path: Path) -> Any:
    """What a JSON file of ours holds. Raises ValueError for a broken one."""
    with told(path):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def write_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Write rows as UTF-8 JSONL; a reader never sees half of it."""
    write_text(path, as_lines(rows))


def append_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """Add rows to a JSONL file, all or none: what a full disk took of them is cut off again. So is
    a torn last line, left by a killed writer: its row is not there and will be made again."""
    data = as_lines(rows).encode("utf-8")
    with refused(path, GO_ON), open(path, "ab+", buffering=0) as file:
        file.seek(0)
        content = file.read()
        size = content.rfind(b"\n") + 1
        try:
            json.loads(content[size:].decode("utf-8"))
            size += len(content[size:]) + file.write(b"\n")  # whole, but for its line's end
        except (ValueError, RecursionError):  # torn, or nothing
            file.truncate(size)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise


def as_lines(rows: Iterable[dict]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_text(path: Path, text: str) -> None:
    """Write a text (UTF-8, LF): a file is replaced in one step, a device or a pipe written to. A
    link stays and its target is replaced; the new file keeps the rights of the old one. Raises
    SdftError for a target that is neither, and for a disk that takes no more."""
    path, data = str(path), text.encode("utf-8", "backslashreplace")
    with refused(Path(path), GO_ON):
        if streams(path):  # an open descriptor goes on where it stands
            number = DESCRIPTOR.fullmatch(STREAMS.get(path, path))
            with open(os.dup(int(number[1])) if number else path, "wb") as file:
                file.write(data)
        else:
            replace_file(Path(os.path.realpath(path)), data)


def streams(path: str | Path) -> bool:
    """Whether a path is a device, a pipe or an open descriptor, whose content is not replaced.
    Raises SdftError for a disk, a socket, a circle of links, and what is protected from writing."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SdftError(f"{path}: its links lead in a circle; choose another name.") from None
        return False
    if DESCRIPTOR.fullmatch(STREAMS.get(str(path), str(path))):
        return True
    if not mode & 0o222 or not os.access(path, os.W_OK):
        raise SdftError(f"{path}: is protected from writing; choose another name.")
    if stat.S_ISREG(mode):
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    raise SdftError(f"{path}: is neither a file nor a pipe; choose another name.")


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in the place of another, or of none; its reader sees the old or the new one. What
    killed writers of it left is removed; that of a process that lives stays."""
    start = f".{path.name[:50]}."  # so that no name gets too long
    for left in path.parent.glob(f"{glob.escape(start)}*.tmp"):
        import psutil  # seldom needed

        writer = left.name.split(".")[-2]
        if writer.isdecimal() and not psutil.pid_exists(int(writer)):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f"{start}{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: dict | list) -> None:
    """Replace a JSON file in one step."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of ``path`` (nothing, or an empty folder) when the
    block ends well. Raises SdftError where it cannot."""
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        os.replace(partial, target)
    except OSError as error:
        problem = f"{target}: cannot be written ({error.strerror or error})"
        raise SdftError(f"{problem}; choose another folder.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
