"""Read one of the paper's sets: from the folder SDFT_PAPER_DATA, else from its public source
(lesson 08).

``SDFT_PAPER_DATA`` names the ``data/`` folder of a checkout of the paper's repository. Elsewhere
the whole public set is read and cut to the paper's size; which rows the authors drew is not known,
so ours are others of the same number."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from sdft_lib.formats.paper_sets import PAPER_SETS, PaperSet
from sdft_lib.storage.errors import SdftError

VARIABLE = "SDFT_PAPER_DATA"
SEED = 42  # of our draw; the paper's own is not known
POINTER = b"version https://git-lfs.github.com/spec/"
BUILDERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}


def paper_file(name: str) -> Path | None:
    """A file of the folder SDFT_PAPER_DATA, None if it is not there. Raises SdftError: no folder, a
    Git LFS pointer.
    """
    folder = os.environ.get(VARIABLE)
    if not folder or not name:
        return None
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise SdftError(
            f"{VARIABLE}={folder} is not a folder; name the data folder of the paper's repository."
        )
    path = root / name
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise SdftError(
                f"{path} is a Git LFS pointer, not the data; run git lfs pull in that checkout."
            )
    return path


def drawn(count: int, size: int, seed: int = SEED) -> list[int]:
    """``size`` of ``count`` places in rising order, by the SHA-256 of seed and place: the same on
    every machine.
    """
    marks = sorted(
        (hashlib.sha256(f"{seed}:{place}".encode()).digest(), place) for place in range(count)
    )
    return sorted(place for _, place in marks[:size])


def load_paper_set(
    name: str, *, columns: dict | None = None, say: Callable = print
) -> tuple[dict[str, list[dict]], str]:
    """A paper's set: rows by split, and its kind; ``test`` where the same source holds one. ``say`` gets where the
    rows come from.

    Raises SdftError: a column map (these sets have theirs), a source that cannot be read or has
    changed."""
    chosen = PAPER_SETS[name]
    if columns:
        raise SdftError(
            f"{name} has its own column map; leave out --columns, or give a file of your own."
        )
    if path := paper_file(chosen.local):
        splits = {"train": local_rows(path)}
        if test := paper_file(chosen.local_test):
            splits["test"] = local_rows(test)
        say(
            f"{name}: {len(splits['train'])} rows of {chosen.local} in {VARIABLE} (the paper: {chosen.size})"
        )
    else:
        splits = {"train": public_rows(chosen, chosen.file, say)}
        if chosen.test:
            splits["test"] = public_rows(chosen, chosen.test, say)
    return splits, chosen.kind


def local_rows(path: Path) -> list[dict]:
    """All rows of a local file, ids and columns as for any file."""
    from sdft_lib.formats.records import read_records
    from sdft_lib.formats.rows import to_rows

    return to_rows(read_records(path), path.name)[0]


def public_rows(chosen: PaperSet, file: str, say: Callable) -> list[dict]:
    """Rows of a file of the public source, the training file cut to the paper's size; ids keep the
    source's count.
    """
    from sdft_lib.formats.rows import to_rows

    train, address = file == chosen.file, chosen.address(file)
    records = read_public(chosen, address)
    if train and chosen.whole not in (None, len(records)):
        raise SdftError(
            f"{address} has {len(records)} rows, not {chosen.whole}: the source has changed; give a local file instead."
        )
    total = len(records)
    if chosen.only:
        records = [
            record for record in records if record.values.get(chosen.only[0]) == chosen.only[1]
        ]
    if chosen.prepare:
        records = [record._replace(values=chosen.prepare(record.values)) for record in records]
    rows, empty = to_rows(
        records, chosen.name if train else f"{chosen.name}-test", chosen.columns, "drop"
    )
    if train and chosen.whole and len(rows) > chosen.size:
        rows = [rows[place] for place in drawn(len(rows), chosen.size)]
    say(f"{chosen.name}: {len(rows)} of {total} rows ({empty} empty), seed {SEED}, {address}")
    return rows


def read_public(chosen: PaperSet, address: str) -> list:
    """Records of one file through ``datasets``; no repository's script runs. Raises SdftError if it
    cannot be read.
    """
    from sdft_lib.formats.records import first_line, read_table

    try:
        from datasets import load_dataset

        table = load_dataset(BUILDERS[Path(address).suffix], data_files=address, split="train")
    except Exception as error:  # whatever the client raises, the user needs one sentence
        raise SdftError(
            f"{chosen.name}: {address} cannot be loaded ({type(error).__name__}: {first_line(error)}); check the "
            f"connection, log in if the set is gated, or set {VARIABLE} to a folder that holds {chosen.local}."
        ) from None
    return read_table(address, table)
