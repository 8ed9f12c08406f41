"""From anybody's columns to our rows ``{"id", "messages", "reference"}``: alpaca, completion,
messages.

``messages`` is the prompt: turns ``{"role", "content"}``, history included, a system turn only in
front, the last from the user. ``reference`` is the answer to learn, kept to the letter."""

from pathlib import PurePath

from sdft_lib.formats.records import Record
from sdft_lib.formats.turns import (
    check_order,
    checked_text,
    history,
    joined,
    reference_of,
    split_turns,
    turns,
    wrong,
)
from sdft_lib.storage.errors import SdftError

# The usual names of each role, first match wins. A column map may use other programs' role names.
USUAL = {
    "id": ("id",),
    "messages": ("messages", "conversations", "conversation"),
    "prompt": ("instruction", "prompt", "question", "query", "problem", "goal", "input", "text"),
    "input": ("input", "context"),
    "reference": ("reference", "completion", "output", "answer", "response", "target", "label"),
    "history": ("history",),
    "system": ("system",),
}
ALIASES = {
    "query": "input",
    "response": "reference",
    "completion": "reference",
    "output": "reference",
    "answer": "reference",
    "instruction": "prompt",
    "question": "prompt",
    "conversations": "messages",
}


def column_map(source: str, names: list[str], columns: dict | None = None) -> dict[str, list[str]]:
    """Role to column names: what the user mapped, the rest guessed. Raises SdftError for a missing
    column.
    """
    have = f"the columns are: {', '.join(names) or 'none'}"
    chosen: dict[str, list[str]] = {}
    for role, wanted in (columns or {}).items():
        target = role if role in USUAL else ALIASES.get(role)
        if target is None:
            raise SdftError(f'columns: "{role}" is not a role; use {", ".join(USUAL)}.')
        chosen[target] = [wanted] if isinstance(wanted, str) else list(wanted)
        for column in chosen[target]:
            if column not in names:
                raise SdftError(f'{source}: the column "{column}" is missing; {have}.')
            if other := [
                role for role, taken in chosen.items() if column in taken and role != target
            ]:
                raise SdftError(
                    f'columns: "{column}" cannot be {other[0]} and {target} at once; name two columns.'
                )
    return checked_roles(source, have, with_guesses(names, chosen))


def with_guesses(names: list[str], chosen: dict[str, list[str]]) -> dict[str, list[str]]:
    """Add the roles that the user did not map, by the usual names; a column serves one role."""
    lower = {name.lower(): name for name in reversed(names)}
    for role, usual in USUAL.items():
        taken = {column for columns in chosen.values() for column in columns}
        found = [lower[name] for name in usual if name in lower and lower[name] not in taken]
        if (
            role in chosen
            or (role == "messages" and "prompt" in chosen)
            or (role in ("prompt", "input") and "messages" in chosen)
        ):
            continue
        if found:
            chosen[role] = found[:1]
    return chosen


def checked_roles(source: str, have: str, roles: dict[str, list[str]]) -> dict[str, list[str]]:
    """Refuse a map that has no prompt or no reference."""
    if "messages" in roles:
        return roles
    for role, example in (("prompt", "frage"), ("reference", "antwort")):
        if role not in roles:
            known = ", ".join(USUAL[role])
            raise SdftError(
                f"{source}: the {role} column is missing (no column is named {known}); {have}; "
                f'name yours with columns={{"{role}": "{example}"}}.'
            )
    return roles


def to_rows(
    records: list[Record], source: str, columns: dict | None = None, empty: str = "error"
) -> tuple[list[dict], int]:
    """All records as rows in order, and how many were dropped.

    ``empty`` says what happens to a row whose prompt or reference is empty: ``error``, ``drop`` or
    ``keep``."""
    names = list(dict.fromkeys(str(name) for record in records for name in record.values))
    roles = column_map(source, names, columns)
    stem, rows, places = PurePath(source.split("/")[-1].replace(":", "-")).stem, [], {}
    for record in records:
        row, blank = to_row(record, roles, f"{stem}-{record.number:04d}")
        if blank and empty == "error":
            raise SdftError(
                f'{record.where}: column "{blank}" is empty. Fill it in or drop the row (--drop-empty).'
            )
        if blank and empty == "drop":
            continue
        if row["id"] in places:
            raise SdftError(
                f'{record.where}: the id "{row["id"]}" is that of {places[row["id"]]} too; make ids unique.'
            )
        places[row["id"]] = record.where
        rows.append(row)
    if not rows:
        raise SdftError(f"{source}: every row is empty; fill in the references.")
    return rows, len(records) - len(rows)


def to_row(record: Record, roles: dict[str, list[str]], default_id: str) -> tuple[dict, str]:
    """One row, and the name of the column that is empty in it ("" if none is)."""
    given = record.values.get(roles["id"][0]) if "id" in roles else None
    if isinstance(given, dict | list | bool | float):
        raise wrong(record, roles["id"][0], given, "text or a whole number")
    if isinstance(given, str):
        checked_text(record, roles["id"][0], given)
    system = joined(record, roles.get("system", []))
    past = history(record, roles["history"][0]) if "history" in roles else []
    if "messages" in roles:
        asked, reference, blank = split_turns(record, roles)
    else:
        asked = turns(record, roles["prompt"], "user")
        if extra := joined(record, roles.get("input", [])):
            asked[-1]["content"] = "\n".join(filter(None, (asked[-1]["content"], extra)))
        reference, blank = reference_of(record, roles["reference"])
        blank = blank or ("" if asked[-1]["content"].strip() else roles["prompt"][-1])
    start = 1 if asked[0]["role"] == "system" else 0
    if system and start:
        raise SdftError(
            f'{record.where}: column "{roles["system"][0]}" and a system turn both give one; keep one.'
        )
    messages = (
        ([{"role": "system", "content": system}] if system else [])
        + asked[:start]
        + past
        + asked[start:]
    )
    check_order(record.where, messages, roles.get("messages", roles.get("prompt"))[0])
    return {
        "id": str(given) if given not in (None, "") else default_id,
        "messages": messages,
        "reference": reference,
    }, blank
