"""From anybody's columns to our rows: ``{"id", "messages", "reference"}`` (alpaca, prompt-completion, messages shapes).

``messages`` is the prompt: turns ``{"role", "content"}``, history included, a system turn only in front, the last from
the user. ``reference`` is the answer to learn, kept to the letter.
"""

import json
from pathlib import PurePath

from sdft_lib.errors import SdftError
from sdft_lib.files import Record

# The usual names of each role, first match wins. Other programs' role names are understood in a column map too.
USUAL = {
    "id": ("id",),
    "messages": ("messages", "conversations", "conversation"),
    "prompt": ("instruction", "prompt", "question", "query", "problem", "goal", "input", "text"),
    "input": ("input", "context"),
    "reference": ("reference", "completion", "output", "answer", "response", "target", "label"),
    "history": ("history",),
    "system": ("system",),
}
ALIASES = {"query": "input", "response": "reference", "completion": "reference", "output": "reference",
           "answer": "reference", "instruction": "prompt", "question": "prompt", "conversations": "messages"}  # fmt: skip
SPEAKERS = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
            "model": "assistant", "bot": "assistant"}  # fmt: skip


def column_map(source: str, names: list[str], columns: dict | None = None) -> dict[str, list[str]]:
    """Role to column names: what the user mapped, the rest guessed. Raises SdftError if prompt or reference is missing."""
    have = f"the columns are: {', '.join(names) or 'none'}"
    chosen: dict[str, list[str]] = {}
    for role, wanted in (columns or {}).items():
        target = role if role in USUAL else ALIASES.get(role)
        if target is None:
            raise SdftError(f'columns: "{role}" is not a role; use {", ".join(USUAL)} on the left, your names on the right.')
        chosen[target] = [wanted] if isinstance(wanted, str) else list(wanted)
        for column in chosen[target]:
            if column not in names:
                raise SdftError(f'{source}: the column "{column}" is missing; {have}.')
    return checked_roles(source, have, with_guesses(names, chosen))


def with_guesses(names: list[str], chosen: dict[str, list[str]]) -> dict[str, list[str]]:
    """Add the roles that the user did not map, by the usual names; a column serves one role."""
    lower = {name.lower(): name for name in reversed(names)}
    for role, usual in USUAL.items():
        taken = {column for columns in chosen.values() for column in columns}
        found = [lower[name] for name in usual if name in lower and lower[name] not in taken]
        if role in chosen or (role == "messages" and "prompt" in chosen) or (role in ("prompt", "input") and "messages" in chosen):
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


def to_rows(records: list[Record], source: str, columns: dict | None = None, empty: str = "error") -> tuple[list[dict], int]:
    """All records as rows in order, and how many were dropped.

    ``empty`` says what happens to a row whose prompt or reference is empty: ``error``, ``drop`` or ``keep``.
    """
    names = list(dict.fromkeys(str(name) for record in records for name in record.values))
    roles = column_map(source, names, columns)
    stem, rows, places = PurePath(source.split("/")[-1].replace(":", "-")).stem, [], {}
    for record in records:
        row, blank = to_row(record, roles, f"{stem}-{record.number:04d}")
        if blank and empty == "error":
            raise SdftError(f'{record.where}: column "{blank}" is empty. Fill it in or drop the row (--drop-empty).')
        if blank and empty == "drop":
            continue
        if row["id"] in places:
            raise SdftError(f'{record.where}: the id "{row["id"]}" is also that of {places[row["id"]]}; make each id unique.')
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
        raise SdftError(f'{record.where}: column "{roles["system"][0]}" and a system turn both give a system text; keep one.')
    messages = ([{"role": "system", "content": system}] if system else []) + asked[:start] + past + asked[start:]
    check_order(record.where, messages, roles.get("messages", roles.get("prompt"))[0])
    return {"id": str(given) if given not in (None, "") else default_id, "messages": messages, "reference": reference}, blank


def split_turns(record: Record, roles: dict[str, list[str]]) -> tuple[list[dict], str, str]:
    """A conversation as prompt and reference: a reference column if this row has one, else its last assistant turn."""
    column = roles["messages"][0]
    said = turns(record, [column], "")
    if "reference" in roles and roles["reference"][0] in record.values:
        reference, blank = reference_of(record, roles["reference"])
        if said[-1]["role"] == "assistant" and said[-1]["content"] == reference:
            said = said[:-1]
    else:
        answers = [number for number, turn in enumerate(said) if turn["role"] == "assistant"]
        if not answers:
            raise SdftError(f'{record.where}: column "{column}" has no assistant turn to learn from; add one or a reference.')
        said, reference = said[: answers[-1]], said[answers[-1]]["content"]
        blank = "" if reference.strip() else column
    if not said:
        raise SdftError(f'{record.where}: column "{column}" has no user turn before the answer; add one or remove the row.')
    return said, reference, blank


def reference_of(record: Record, columns: list[str]) -> tuple[str, str]:
    """The reference as text (the last assistant turn if it is a list of turns), and the column if it is empty."""
    value = record.values.get(columns[0])
    if isinstance(value, list) and len(columns) == 1:
        text = turns(record, columns, "assistant")[-1]["content"]
    elif isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        text = str(value)
    else:
        text = joined(record, columns)
    return text, "" if text.strip() else columns[-1]


def turns(record: Record, columns: list[str], speaker: str) -> list[dict]:
    """Turns of a column: a list of role/content or from/value objects, or plain text said by ``speaker``."""
    value = parsed(record.values.get(columns[0]))
    if not isinstance(value, list):
        if speaker:
            return [{"role": speaker, "content": joined(record, columns)}]
        raise wrong(record, columns[0], value, "a list of turns")
    said = []
    for turn in value:
        role = SPEAKERS.get(str(turn.get("role", turn.get("from"))).lower()) if isinstance(turn, dict) else None
        if role is None:
            raise SdftError(
                f'{record.where}: column "{columns[0]}" has a turn without a known role; '
                f"use role and content (or from and value) with {', '.join(SPEAKERS)}."
            )
        content = turn.get("content", turn.get("value"))
        if isinstance(content, list):
            content = "".join(part.get("text", "") if isinstance(part, dict) else str(part) for part in content)
        said.append({"role": role, "content": checked_text(record, columns[0], content)})
    if not said:
        raise SdftError(f'{record.where}: column "{columns[0]}" is empty. Fill it in or remove the row.')
    return said


def history(record: Record, column: str) -> list[dict]:
    """Alpaca's history: a list of [question, answer] pairs, as turns."""
    pairs = parsed(record.values.get(column)) or []
    if not isinstance(pairs, list) or any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs):
        raise wrong(record, column, pairs, "a list of [question, answer] pairs")
    said = [(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
    return [{"role": role, "content": checked_text(record, column, text)} for role, text in said]


def joined(record: Record, columns: list[str]) -> str:
    """The texts of several columns, one below the other; empty ones leave no line."""
    texts = [checked_text(record, column, record.values.get(column, "")) for column in columns]
    return "\n".join(text for text in texts if text)


def parsed(value):
    """Turns inside a CSV cell are JSON text; anything else stays as it is."""
    if isinstance(value, str) and value.lstrip().startswith("[{") or isinstance(value, str) and value.lstrip().startswith("[["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def checked_text(record: Record, column: str, value) -> str:
    """``value`` as clean text (None is empty). Raises SdftError for another type, NUL characters, broken Unicode."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(record, column, value, "text")
    if "\0" in value:
        raise SdftError(f'{record.where}: column "{column}" holds a NUL character; remove it.')
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SdftError(f'{record.where}: column "{column}" holds half a character at {error.start}; mend it.') from None
    return value


def wrong(record: Record, column: str, value, expected: str) -> SdftError:
    """The error for a value of a wrong type."""
    return SdftError(f'{record.where}: column "{column}" holds {type(value).__name__} {str(value)[:40]!r}, not {expected}.')


def check_order(where: str, messages: list[dict], column: str) -> None:
    """A system turn only in front, the last turn from the user."""
    if any(turn["role"] == "system" for turn in messages[1:]):
        raise SdftError(f'{where}: column "{column}" has a system turn that is not the first; move it to the front.')
    if messages[-1]["role"] != "user":
        raise SdftError(f'{where}: column "{column}" does not end with a user turn before the answer; add one.')
