"""Read JSON, JSONL, CSV, TSV and data sets of a hub into plain records: file, row, columns.

Nothing is guessed and nothing left out; ``rows`` makes our rows of the records."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import datasets

from sdft_lib.storage.errors import SdftError

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv")
HUB_PART = r"\w[\w-]*(?:\.[\w-]+)*"  # no "..": a folder is given as a folder
HUB_NAME = re.compile(f"{HUB_PART}(?:/{HUB_PART})?")
SIGNS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar |"}
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the module's own limit is 131072 characters


class Record(NamedTuple):
    """One row as it was read: ``where`` names file and row for error messages."""

    where: str
    number: int
    values: dict


def read_records(path: Path) -> list[Record]:
    """All rows of a file in order, never deduplicated. Raises SdftError: no such file, not UTF-8,
    NUL characters, broken JSON or CSV, no rows."""
    path = Path(path)
    name, suffix = path.name, path.suffix.lower()
    if suffix not in SUFFIXES and path.is_dir():
        raise SdftError(f"{path} is a folder; name a file in it.")
    if suffix not in SUFFIXES:
        raise SdftError(f"{name}: this kind of file is not known; use {', '.join(SUFFIXES)}.")
    text = read_text(path)
    if not text.strip():
        raise SdftError(f"{name} is empty; give a file with at least one row.")
    if suffix == ".json":
        records = read_json(name, text)
    elif suffix == ".jsonl":
        records = read_jsonl(name, text)
    else:
        records = read_csv(name, text, "\t" if suffix == ".tsv" else "")
    check_records(name, records)
    return records


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; a byte order mark is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SdftError(f"{path}: there is no such file; check the path.") from None
    except (OSError, ValueError) as error:  # a name with NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise SdftError(f"{path}: cannot be read ({reason}); check its name and rights.") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"{path.name}, line {line} (byte offset {error.start})"
        remedy = "save it again as UTF-8 (in Excel: CSV UTF-8)"
        raise SdftError(f"{where}: not UTF-8 text; {remedy}.") from None
    if (offset := text.find("\0")) >= 0:
        line = text.count("\n", 0, offset) + 1
        raise SdftError(f"{path.name}, line {line}: holds a NUL character; remove it.")
    return text.lstrip("\ufeff")


def read_json(name: str, text: str) -> list[Record]:
    """A list of objects, or an object that holds it under ``data``; rows count from 1."""
    try:
        content = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        remedy = "mend the file, or name it .jsonl if it holds one object a line"
        raise SdftError(f"{name}: broken JSON ({first_line(error)}); {remedy}.") from None
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        content = content["data"]
    if not isinstance(content, list):
        raise SdftError(f"{name} is not a list of objects; write [{{...}}, {{...}}].")
    return [Record(f"{name}, row {row}", row, values) for row, values in enumerate(content, 1)]


def read_jsonl(name: str, text: str) -> list[Record]:
    """One object a line, blank lines left out; lines end with CR or LF only (U+2028 is text). A
    byte order mark may open any line: files are joined with their marks."""
    records = []
    for line, content in enumerate(re.split("\r\n?|\n", text), 1):
        content = content.strip("\ufeff \t")
        if not content.strip():
            continue
        number = len(records) + 1
        where = row_and_line(name, number, line)
        try:
            values = json.loads(content, object_pairs_hook=unique)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or first_line(error)
            remedy = "mend or remove the line, or name it .json if it is one JSON list"
            raise SdftError(f"{where}: broken JSON ({reason}); {remedy}.") from None
        records.append(Record(where, number, values))
    return records


def unique(pairs: list[tuple]) -> dict:
    """A JSON object as a dict. A key that comes twice is refused; json would keep the last."""
    values = {}
    for column, value in pairs:
        if column in values:
            raise ValueError(f'the column "{column[:40]}" comes more than once')
        values[column] = value
    return values


def read_csv(name: str, text: str, delimiter: str = "") -> list[Record]:
    """A table with a header line; without a ``delimiter``, that of SIGNS which cuts the header
    into most cells, or the one that Excel's first line "sep=;" names."""
    if named := re.match(r'"?sep=(.)"?(?=[\r\n])', text):
        text, delimiter = text[named.end() :], named[1]
    unquoted = re.sub(r'"[^"]*"', "", text).lstrip("\r\n\t ,;|")
    delimiter = delimiter or max(SIGNS, key=re.split(r"[\r\n]", unquoted, maxsplit=1)[0].count)
    records, header, next_line = [], [], 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            line, next_line = next_line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            while len(cells) > len(header) and not cells[-1].strip():
                cells = cells[:-1]
            names = [cell.strip("\ufeff \t\r\n") for cell in cells]
            if not header:
                header = names
                check_header(name, header)
                continue
            number = len(records) + 1
            where = row_and_line(name, number, line)
            if names == header:
                raise SdftError(f"{where} is the header once more, of a joined file; remove it.")
            if len(cells) != len(header):
                counts = f"{len(cells)} cells, the header has {len(header)}"
                cut = f"cut at {SIGNS.get(delimiter, delimiter)}"
                raise SdftError(f"{where} has {counts}; check its quotes ({cut}).")
            records.append(Record(where, number, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        where = row_and_line(name, len(records) + 1, next_line)
        hint = 'check its quotes (a quote inside a cell is written "")'
        raise SdftError(f"{where}: broken CSV ({error}); {hint}.") from None
    return records


def check_header(name: str, header: list[str]) -> None:
    """Raise SdftError for a column that comes twice, or a header that is not cut into cells."""
    for column in header:
        if header.count(column) > 1:
            raise SdftError(f'{name}: the header has "{column}" more than once; rename one.')
    if len(header) == 1 and re.search(r"\w[^\w\s.-]\w", header[0]):
        problem = f'the header "{header[0][:60]}" is one column'
        raise SdftError(f"{name}: {problem}; separate cells by {', '.join(SIGNS.values())}.")


def row_and_line(name: str, row: int, line: int) -> str:
    """File and row, and the line where it is another number (header, blank lines, long cells)."""
    return f"{name}, row {row}" if row == line else f"{name}, row {row} (line {line})"


def read_hub(source: str) -> list[Record]:
    """Rows of ``hf:org/name[:config][:split]``; the split is ``train`` unless given."""
    name, *rest = source.removeprefix("hf:").split(":")
    split = rest.pop() if rest else "train"
    if not HUB_NAME.fullmatch(name):
        raise SdftError(f"{source[:80]} names no data set; write hf:org/name:split.")
    remedy = "check its name and split and the connection to the hub, or give a local file"
    table = fetch_table(f"{source}: the data set", remedy, name, *rest, split=split)
    return read_table(source, table)


def fetch_table(what: str, remedy: str, *names: str, **options) -> datasets.Dataset:
    """``datasets.load_dataset``; no repository's script runs. SdftError if it cannot be loaded."""
    try:
        return datasets.load_dataset(*names, **options)
    except ImportError as error:  # no connection helps
        problem = f"needs a package that is not installed ({first_line(error)})"
        raise SdftError(f"{what} {problem}; install it with pip.") from None
    except Exception as error:  # whatever the hub's client raises, the user needs one sentence
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise SdftError(f"{what} cannot be loaded ({reason}); {remedy}.") from None


def read_table(source: str, table: Iterable[dict]) -> list[Record]:
    """Rows of a ``datasets.Dataset`` or a list of dicts; class numbers become their names."""
    features = getattr(table, "features", None) or {}
    names = {column: kind.int2str for column, kind in features.items() if hasattr(kind, "int2str")}
    for column, kind in features.items():
        if re.search(r"\b(?:Image|Audio|Video|Pdf|Nifti)\(", repr(kind)):
            problem = f'column "{column}" holds pictures, sound or pages, which would be lost'
            raise SdftError(f"{source}: {problem}; give a set of texts, or one without it.")
    records = []
    for number, row in enumerate(table, 1):
        for column, name_of in names.items():
            if isinstance(number_of := row.get(column), int):
                row[column] = name_of(number_of) if number_of >= 0 else None  # -1: no label
        records.append(Record(f"{source}, row {number}", number, row))
    check_records(source, records)
    return records


def check_records(name: str, records: list[Record]) -> None:
    """Raise SdftError if there are no rows, or for a row that is no object."""
    if not records:
        raise SdftError(f"{name} has no rows; give one with at least one row.")
    for where, _, values in records:
        if not isinstance(values, dict):
            what = f"is a {type(values).__name__}, not an object with named columns"
            raise SdftError(f'{where} {what}; write {{"question": ..., "answer": ...}}.')


def first_line(error: Exception) -> str:
    """The first line of an exception's text, cut short."""
    return str(error).strip().split("\n")[0][:150].rstrip(".;")
