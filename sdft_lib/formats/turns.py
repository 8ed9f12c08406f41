"""Turns out of one record's columns, each text checked; sdft_lib.formats.rows makes rows of
them.
"""

import json

from sdft_lib.formats.records import Record
from sdft_lib.storage.errors import SdftError

SPEAKERS = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
LONGEST = 4_000_000  # characters of one text: more than any model reads, and slow to no end


def split_turns(record: Record, roles: dict[str, list[str]]) -> tuple[list[dict], str, str]:
    """Prompt and reference: a reference column if this row has one, else the last assistant
    turn.
    """
    column = roles["messages"][0]
    said = turns(record, [column], "")
    if "reference" in roles and roles["reference"][0] in record.values:
        reference, blank = reference_of(record, roles["reference"])
        if said[-1]["role"] == "assistant" and said[-1]["content"] == reference:
            said = said[:-1]
    else:
        answers = [number for number, turn in enumerate(said) if turn["role"] == "assistant"]
        if not answers:
            raise SdftError(
                f'{record.where}: column "{column}" has no assistant turn; add one or a reference.'
            )
        said, reference = said[: answers[-1]], said[answers[-1]]["content"]
        blank = "" if reference.strip() else column
    if not said:
        raise SdftError(
            f'{record.where}: column "{column}" has no user turn before the answer; add one.'
        )
    return said, reference, blank


def reference_of(record: Record, columns: list[str]) -> tuple[str, str]:
    """The reference as text (of a list of turns: the last one), and the column if it is empty."""
    value = record.values.get(columns[0])
    if isinstance(value, list) and len(columns) == 1:
        text = turns(record, columns, "assistant")[-1]["content"]
    elif isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        text = str(value)
    else:
        text = joined(record, columns)
    return text, "" if text.strip() else columns[-1]


def turns(record: Record, columns: list[str], speaker: str) -> list[dict]:
    """Turns of a column: a list of role/content or from/value objects, or plain text said by
    ``speaker``.
    """
    value = parsed(record.values.get(columns[0]))
    if not isinstance(value, list):
        if speaker:
            return [{"role": speaker, "content": joined(record, columns)}]
        raise wrong(record, columns[0], value, "a list of turns")
    said = []
    for turn in value:
        role = (
            SPEAKERS.get(str(turn.get("role", turn.get("from"))).lower())
            if isinstance(turn, dict)
            else None
        )
        if role is None:
            raise SdftError(
                f'{record.where}: column "{columns[0]}" has a turn without a known role; '
                f"use role and content (or from and value) with {', '.join(SPEAKERS)}."
            )
        content = turn.get("content", turn.get("value"))
        if isinstance(content, list):
            content = "".join(
                part.get("text", "") if isinstance(part, dict) else str(part) for part in content
            )
        said.append({"role": role, "content": checked_text(record, columns[0], content)})
    if not said:
        raise SdftError(
            f'{record.where}: column "{columns[0]}" is empty. Fill it in or remove the row.'
        )
    return said


def history(record: Record, column: str) -> list[dict]:
    """Alpaca's history: a list of [question, answer] pairs, as turns."""
    pairs = parsed(record.values.get(column)) or []
    if not isinstance(pairs, list) or any(
        not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs
    ):
        raise wrong(record, column, pairs, "a list of [question, answer] pairs")
    said = [
        (role, text)
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    return [{"role": role, "content": checked_text(record, column, text)} for role, text in said]


def joined(record: Record, columns: list[str]) -> str:
    """The texts of several columns, one below the other; empty ones leave no line."""
    texts = [checked_text(record, column, record.values.get(column, "")) for column in columns]
    return "\n".join(text for text in texts if text)


def parsed(value):
    """Turns inside a CSV cell are JSON text; anything else stays as it is."""
    if (
        isinstance(value, str)
        and value.lstrip().startswith("[{")
        or isinstance(value, str)
        and value.lstrip().startswith("[[")
    ):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def checked_text(record: Record, column: str, value) -> str:
    """``value`` as clean text (None is empty). Raises SdftError: another type, NUL, broken Unicode,
    far too long.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(record, column, value, "text")
    if len(value) > LONGEST:
        raise SdftError(
            f'{record.where}: column "{column}" holds {len(value):,} characters, more than any model reads '
            f"({LONGEST:,}); shorten it."
        )
    if "\0" in value:
        raise SdftError(f'{record.where}: column "{column}" holds a NUL character; remove it.')
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SdftError(
            f'{record.where}: column "{column}" holds half a character at {error.start}; mend it.'
        ) from None
    return value


def wrong(record: Record, column: str, value, expected: str) -> SdftError:
    """The error for a value of a wrong type."""
    return SdftError(
        f'{record.where}: column "{column}" holds {type(value).__name__} {str(value)[:40]!r}, not {expected}.'
    )


def check_order(where: str, messages: list[dict], column: str) -> None:
    """A system turn only in front, the last turn from the user."""
    if any(turn["role"] == "system" for turn in messages[1:]):
        raise SdftError(
            f'{where}: column "{column}" has a system turn that is not the first; move it to the front.'
        )
    if messages[-1]["role"] != "user":
        raise SdftError(
            f'{where}: column "{column}" does not end with a user turn before the answer; add one.'
        )
