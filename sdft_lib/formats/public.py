"""The paper's seven fine-tuning sets by name: data/published/training_sets.toml (lesson 10).

``SDFT_PAPER_DATA`` names the ``data/`` folder of a checkout of the paper's repository: its files
hold the very rows that the paper trained on. Elsewhere the whole public set is read and cut to the
paper's size; which rows the authors drew is not known, so ours are others of the same number."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import get_session

from sdft_lib.formats.records import Record, fetch_table, first_line, read_records, read_table
from sdft_lib.formats.rows import to_rows
from sdft_lib.formats.toml import read_toml
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import check_frozen, data_dir, file_sha256, folder_of, write_text
from sdft_lib.storage.store import cache_dir, digest

VARIABLE = "SDFT_PAPER_DATA"
SEED = 42  # of our draw; the paper's own is not known
POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class PaperSet:
    """One fine-tuning set; the head of the table says what each entry means."""

    name: str
    kind: str
    size: int
    licence: str
    local: str
    hub: str
    revision: str
    file: str
    columns: dict[str, str]
    whole: int | None = None
    local_test: str = ""
    test: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    only: tuple[str, str] | None = None
    note: str = ""

    def address(self, file: str) -> str:
        """Where ``datasets`` reads a file, revision included."""
        if self.hub.startswith("https://"):
            return f"{self.hub}/{self.revision}/{file}"
        return f"hf://datasets/{self.hub}@{self.revision}/{file}"


ROWS = read_toml(data_dir() / "published" / "training_sets.toml")
PAPER_SETS = {name: PaperSet(name, **row) for name, row in ROWS.items()}


def load_paper_set(
    name: str, *, columns: dict | None = None, say: Callable = print
) -> tuple[dict[str, list[dict]], str]:
    """A paper's set: rows by split, and its kind; ``test`` where the same source holds one. Raises
    SdftError: a column map (these sets have theirs), a source that is not there or has changed."""
    chosen = PAPER_SETS[name]
    if columns:
        raise SdftError(f"{name} has its own column map; leave out --columns.")
    if path := paper_file(chosen.local, chosen.sha256.get(chosen.file, "")):
        splits = {"train": local_rows(path)}
        if test := paper_file(chosen.local_test, chosen.sha256.get(chosen.test, "")):
            splits["test"] = local_rows(test)
        count = len(splits["train"])
        say(f"{name}: {count} rows of {chosen.local} in {VARIABLE} (the paper: {chosen.size})")
    else:
        splits = {"train": public_rows(chosen, chosen.file, say)}
        if chosen.test:
            splits["test"] = public_rows(chosen, chosen.test, say)
    return splits, chosen.kind


def paper_file(name: str, sha256: str = "") -> Path | None:
    """A file of the folder SDFT_PAPER_DATA, None if it is not there. Raises SdftError: no folder, a
    Git LFS pointer, another file than the pinned one."""
    root = folder_of(VARIABLE)
    if root is None or not name:
        return None
    if not root.is_dir():
        raise SdftError(f"{VARIABLE}={root} is not a folder; name the paper's data folder.")
    path = root / name
    if not path.is_file():
        return None
    if path.read_bytes().startswith(POINTER):
        raise SdftError(f"{path} is a Git LFS pointer, not the data; run git lfs pull there.")
    if sha256:
        check_frozen(path, sha256)
    return path


def local_rows(path: Path) -> list[dict]:
    """All rows of a local file, ids and columns as for any file."""
    return to_rows(read_records(path), path.name)[0]


def public_rows(chosen: PaperSet, file: str, say: Callable) -> list[dict]:
    """Rows of a public file, of training cut to the paper's size; ids keep the source's count."""
    address = chosen.address(file)
    records = read_public(chosen, address, chosen.sha256.get(file, ""))
    total, is_train = len(records), file == chosen.file
    if is_train and chosen.whole not in (None, total):
        changed = f"{total} rows, not {chosen.whole}: the source has changed"
        raise SdftError(f"{address} has {changed}; give a local file instead.")
    if chosen.only:
        column, value = chosen.only
        records = [record for record in records if record.values.get(column) == value]
    if prepare := PREPARE.get(chosen.name):
        records = [record._replace(values=prepare(record.values)) for record in records]
    source = chosen.name if is_train else f"{chosen.name}-test"
    rows, empty = to_rows(records, source, chosen.columns, "drop")
    if is_train and chosen.whole and len(rows) > chosen.size:
        rows = [rows[index] for index in drawn(len(rows), chosen.size)]
    say(f"{chosen.name}: {len(rows)} of {total} rows ({empty} empty), seed {SEED}, {address}")
    return rows


def read_public(chosen, address: str, sha256: str = "") -> list[Record]:
    """Records of one file of a source (of anything with ``name`` and ``local``)."""
    remedy = f"or set {VARIABLE} to a folder that holds {chosen.local}"
    if address.startswith("http"):
        return read_records(public_file(address, sha256, remedy))
    remedy = f"check the connection, log in if the set is gated, {remedy}"
    builder = Path(address).suffix.removeprefix(".").replace("jsonl", "json")
    what, options = f"{chosen.name}: {address}", {"data_files": address, "split": "train"}
    return read_table(address, fetch_table(what, remedy, builder, **options))


def public_file(address: str, sha256: str, remedy: str) -> Path:
    """A text file of the web: fetched into the cache once, and never used unless it is that file.
    Raises SdftError: no connection, a refusal of the server, another file."""
    path = cache_dir() / "downloads" / digest(address)[:12] / address.rpartition("/")[2]
    if path.is_file() and file_sha256(path) == sha256:
        return path
    try:
        reply = get_session().get(address, follow_redirects=True, timeout=60)
    except Exception as error:  # the client's own kinds; offline mode is one
        problem = f"{type(error).__name__}: {first_line(error)}"
        remedy = f"check the connection, {remedy}"
        raise SdftError(f"{address} cannot be fetched ({problem}); {remedy}.") from None
    if reply.status_code != 200 or hashlib.sha256(reply.content).hexdigest() != sha256:
        problem = f"the server answers {reply.status_code} and not with the file of this SHA-256"
        raise SdftError(f"{address} cannot be fetched ({problem}); try again later, {remedy}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, reply.content.decode("utf-8"))
    return path


def plain_gsm8k(values: dict) -> dict:
    """GSM8K's answer as the paper has it: no <<calculator>>, "The answer is N." for "#### N"."""
    answer = re.sub(r"<<[^<>\n]*>>", "", values["answer"])
    return {**values, "answer": re.sub(r"\n####[ \t]*(\S+)\s*$", r"\nThe answer is \1.", answer)}


def turns_of_lima(values: dict) -> dict:
    """LIMA's list of texts as turns, user first; a last question without an answer is left out."""
    texts = values["conversations"]
    said = []
    for question, answer in zip(texts[::2], texts[1::2]):
        said.append({"role": "user", "content": question})
        said.append({"role": "assistant", "content": answer})
    return {"conversations": said}


PREPARE = {"gsm8k": plain_gsm8k, "lima": turns_of_lima}  # applied to each record first


def drawn(count: int, size: int, seed: int = SEED) -> list[int]:
    """``size`` of ``count`` indices in rising order, by SHA-256: the same on every machine."""
    lots = [(hashlib.sha256(f"{seed}:{index}".encode()).digest(), index) for index in range(count)]
    return sorted(index for _, index in sorted(lots)[:size])
