"""Tables that people write by hand: recipes, templates, wordings, training settings (lesson 05).

A table becomes a frozen dataclass; the types of its fields say what each entry may be (msgspec)."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar, get_type_hints

import msgspec

from sdft_lib.storage.errors import SdftError

T = TypeVar("T")
LARGEST = 10_000_000  # bytes of a table that somebody wrote by hand
TYPES = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
SIGNS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "under"}
WORDS = TYPES | {"array": "a list", "object": "a table"} | SIGNS


def read_toml(path: Path) -> dict:
    """The table in a TOML file (UTF-8, with or without a byte order mark). Raises SdftError."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)  # a device may never end
        if len(content) > LARGEST:
            raise ValueError("over 10 MB")
        return tomllib.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # a number too long is a ValueError
        reason = getattr(error, "strerror", None) or str(error).partition(";")[0]
        raise SdftError(f"{path}: this is not a TOML file that can be read ({reason}).") from None


def from_table(values: dict, kind: type[T], where: str | Path) -> T:
    """``values`` as a ``kind``, a dataclass. ``where`` is the file, or the table in it. Raises
    SdftError for an entry that is unknown, missing, of another type or out of its range."""
    for name in values:
        check_known(name, [field.name for field in fields(kind)], f"{where}: entry")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise SdftError(f"{where}: {in_words(error, values)}") from None


def check_fields(record) -> None:
    """Raise SdftError unless each field of a dataclass fits its type, as ``from_table`` does."""
    kinds, values = get_type_hints(type(record), include_extras=True), {}
    for name in kinds:
        value = getattr(record, name)
        values[name] = float(value) if isinstance(value, float) else value  # numpy's among them
    try:
        msgspec.convert(values, msgspec.defstruct("Fields", list(kinds.items())))
    except msgspec.ValidationError as error:
        raise SdftError(in_words(error, values)) from None


def check_known(name: str, known: Iterable[str], what: str) -> None:
    """Raise SdftError unless ``name`` is one of ``known``; it says the nearest one and them all."""
    if name not in (known := list(known)):
        meant = nearest(name, known)
        raise SdftError(f'{what} "{name}" is not known{meant}; use {", ".join(known)}.')


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that somebody may have meant, as a remark in brackets; "": none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def in_words(error: msgspec.ValidationError, values: dict) -> str:
    """What msgspec found wrong in ``values``, in plain words."""
    if isinstance(error.__cause__, SdftError):  # a dataclass refused itself
        return str(error.__cause__)
    problem, _, path = str(error).replace("`", "").replace(" | null", "").partition(" - at $")
    if missing := re.search("missing required field (.+)", problem):
        return f'"{missing[1]}" is missing.'
    name, item = re.match(r"\.(\w+)(.*)", path).groups()
    for word, plain in WORDS.items():
        problem = re.sub(rf" {word}(?!\S*\w)", f" {plain}", problem)
    wanted = problem.removeprefix("Expected ").replace(", got", ", not")
    wanted = wanted.replace("Number out of range", "a smaller number")
    if words := re.search(r"regex '\^\((.+)\)\$'", wanted):
        wanted = f"one of {words[1].replace('|', ', ')}"
    item = item.replace("[...]", "")  # a name in a table, which msgspec does not tell
    value = values[name]
    text = repr(value) if isinstance(value, str | list | tuple | dict) else str(value)
    shown = text if len(text) < 80 else f"{text[:60]}…"
    return f'"{name}" is {shown}; give {wanted}{f" at {name}{item}" if item else ""}.'
