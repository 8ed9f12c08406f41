"""Folders of frozen files: a task with its card, or what a card names (lesson 09).

A card (``task.json``) says what the rows are (else their kind is guessed) and has each SHA-256."""

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import msgspec

from sdft_lib.answers.calls import parse_call
from sdft_lib.answers.numbers import final_number
from sdft_lib.formats.records import SUFFIXES, first_line
from sdft_lib.formats.toml import check_known, nearest
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import check_frozen, data_dir, read_json, read_jsonl

CARD = ("name", "kind", "choices", "instruction", "licence", "source", "sha256", "rows", "units")
MOST_LABELS, LABEL_WORDS, GUESS_SHARE = 20, 4, 0.8
SPLITS = {"train": ("train",), "dev": ("dev", "valid", "validation"), "test": ("test",)}


def open_folder(folder: Path, kinds: Collection[str]) -> tuple[dict, dict, dict]:
    """The card of a task's folder, its files by split, and its units; all checked."""
    if not os.access(folder, os.R_OK | os.X_OK):
        raise SdftError(f"{folder}: the folder cannot be read; check its rights.")
    card = task_card(folder, kinds)
    return card, split_files(folder, card), read_units(folder, card)


class Entries(msgspec.Struct):
    """What entries of a card may hold that decide how its rows are read; others are free."""

    kind: object = "open"
    choices: list[Annotated[str, msgspec.Meta(pattern=r"\S")]] | None = None
    sha256: dict[str, str] | None = None


def task_card(folder: Path, kinds: Collection[str]) -> dict:
    """``task.json`` of a folder, {} where there is none; its kind is one of ``kinds``."""
    path = folder / "task.json"
    if not path.exists():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8-sig"))
        entries = msgspec.convert(card, Entries)
    except (OSError, ValueError, RecursionError) as error:
        problem = f"broken JSON, or not what a card holds ({first_line(error)})"
        raise SdftError(f"{path}: {problem}; mend the file or remove it.") from None
    check_known(str(entries.kind), kinds, f"{path}: of the kinds,")
    for key in card:
        if key not in CARD and nearest(key, CARD):  # other entries are yours
            check_known(key, CARD, f"{path}: entry")
    return card


def read_units(folder: Path, card: dict) -> dict[str, str]:
    """Row id to scenario, from ``units.json`` where the card holds its checksum; else {}."""
    if "units" not in card:
        return {}
    check_frozen(path := folder / "units.json", card["units"])
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except msgspec.MsgspecError as error:
        problem = f"{path}: not an object of row ids and scenarios ({error})"
        raise SdftError(f"{problem}; mend it, or take units out of task.json.") from None


def split_files(folder: Path, card: dict) -> dict[str, Path]:
    """The files of a folder by split, checked against the checksums of its card. Raises SdftError:
    no train file, two files for one split, altered file."""
    chosen = {}
    for split, stems in SPLITS.items():
        paths = [folder / f"{stem}{suffix}" for stem in stems for suffix in SUFFIXES]
        files = [path for path in paths if path.is_file()]
        if len(files) > 1:
            names = f"{files[0].name} and {files[1].name}"
            raise SdftError(f"{folder}: {names} both hold {split} rows; keep one.")
        if files:
            chosen[split] = files[0]
    if "train" not in chosen:
        raise SdftError(f"{folder} has no train file; name its rows train.jsonl (dev, test).")
    for split, expected in (card.get("sha256") or {}).items():
        if split not in chosen:
            raise SdftError(f"{folder}: the {split} file of task.json is missing; fetch it again.")
        check_frozen(chosen[split], expected)
    return chosen


def frozen_rows(folder: Path, card: dict) -> list[dict]:
    """The rows of the file that a card names, checked against the card's checksum."""
    check_frozen(folder / card["file"], card["sha256"])
    return read_jsonl(folder / card["file"])


def listed_rows(folder: Path, name: str, what: str) -> list[dict]:
    """The frozen rows of this ``name`` in a folder whose cards lie in one file called like it;
    ``what`` says what is listed, such as "writer"."""
    cards = read_json(folder / f"{folder.name}.json")
    check_known(name, cards, what)
    return frozen_rows(folder, cards[name])


def load_alignment(name: str) -> list[dict]:
    """Requests that a seed is aligned with: harmful ones to ``refuse``, look-alikes to ``answer``.

    Rows have a ``topic``, no answer. Raises SdftError: no such list, missing or altered file."""
    return listed_rows(data_dir() / "alignment", name, "alignment list")


def load_rewrites(name: str) -> dict[str, dict]:
    """Another writer's answers for the training rows of a task, by row id: ``text`` ("" where it
    was refused), ``source``, ``reason`` (lesson 05).

    Raises SdftError: no such writer, missing or altered file."""
    return {row["id"]: row for row in listed_rows(data_dir() / "writers", name, "writer")}


def guess_kind(rows: list[dict]) -> str:
    """``label`` (few short references recur), ``call``, ``math`` (a number ends them), ``open``."""
    references = [row["reference"].strip() for row in rows]
    distinct = set(references)
    short = max(len(text.split()) for text in distinct) <= LABEL_WORDS
    numeric = all(re.fullmatch(r"[-+$\d.,/%\s]+", text) for text in distinct)
    if short and not numeric and len(distinct) <= min(MOST_LABELS, len(rows) // 2):
        return "label"
    calls = [text for text in references if parse_call(text) is not None]
    if len(calls) / len(rows) >= GUESS_SHARE:
        return "call"
    at_end = re.compile(r"\d\S*\W*$|\\boxed\{.*\}\W*$")
    tails = [text for text in references if at_end.search(text[-200:])]
    ended = [text for text in tails if final_number(text) is not None]
    return "math" if len(ended) / len(rows) >= GUESS_SHARE else "open"
