"""From anybody's columns to our rows ``{"id", "messages", "reference"}``: alpaca, prompt and
completion, messages, ShareGPT.

``messages`` is the prompt: turns ``{"role", "content"}``, history included, a system turn only in
front, the last from the user. ``reference`` is the answer to learn, kept to the letter."""

import json
from pathlib import PurePath

from sdft_lib.formats.records import Record
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
ALIASES = {"query": "input", "conversations": "messages"}
ALIASES |= dict.fromkeys(("instruction", "question"), "prompt")
ALIASES |= dict.fromkeys(("response", "completion", "output", "answer"), "reference")
SPEAKERS = {"system": "system", "user": "user", "human": "user"}
SPEAKERS |= dict.fromkeys(("assistant", "gpt", "model", "bot"), "assistant")
DISTILLED = ("id", "messages", "reference", "text", "source")  # columns of a distilled set
LONGEST = 4_000_000  # characters of one text: more than any model reads, and slow to no end


def to_rows(
    records: list[Record], source: str, columns: dict | None = None, empty: str = "error"
) -> tuple[list[dict], int]:
    """All records as rows in order, and how many were dropped.

    ``columns`` maps our roles to the source's columns. ``empty`` says what happens to a row whose
    prompt or reference is empty: ``error``, ``drop`` or ``keep``. Raises SdftError."""
    names = list(dict.fromkeys(str(name) for record in records for name in record.values))
    roles = column_map(source, names, columns)
    stem = PurePath(source.split("/")[-1].replace(":", "-")).stem
    rows, seen = [], {}
    for record in records:
        row, blank = to_row(record, roles, f"{stem}-{record.number:04d}")
        if blank and empty == "error":
            raise at(record, blank, "is empty. Fill it in or drop the row (--drop-empty)")
        if blank and empty == "drop":
            continue
        check_new_id(record.where, row["id"], seen)
        rows.append(row)
    if not rows:
        raise SdftError(f"{source}: every row is empty; fill in the references.")
    return rows, len(records) - len(rows)


def check_new_id(where: str, identity: str, seen: dict[str, str]) -> None:
    """Note where an id stands; raise SdftError if it stands in ``seen`` already."""
    if identity in seen:
        twice = f'the id "{identity}" is that of {seen[identity]} too'
        raise SdftError(f"{where}: {twice}; make ids unique.")
    seen[identity] = where


def distilled_rows(records: list[Record], column: str) -> list[dict]:
    """Rows that ``sdft distill`` wrote, to train on ``column``. SdftError unless each has the
    columns DISTILLED, sound turns, a text to train on and an id of its own."""
    remedy = "make the set with sdft distill"
    rows, seen = [], {}
    for record in records:
        for name in DISTILLED:
            if name not in record.values:
                raise SdftError(f'{record.where}: column "{name}" is missing; {remedy}.')
        messages = turns(record, ["messages"])
        check_order(record.where, messages, "messages")
        if not clean_text(record, column, record.values[column]).strip():
            raise SdftError(f'{record.where}: column "{column}" is empty; {remedy}.')
        check_new_id(record.where, str(record.values["id"]), seen)
        rows.append({**record.values, "messages": messages})
    return rows


# ---- columns to roles
def column_map(source: str, names: list[str], columns: dict | None) -> dict[str, list[str]]:
    """Role to column names: what the user mapped, the rest guessed by the usual names.

    A column serves one role. Raises SdftError for a missing column or role."""
    have = f"the columns are: {', '.join(names) or 'none'}"
    roles: dict[str, list[str]] = {}
    for given, wanted in (columns or {}).items():
        role = given if given in USUAL else ALIASES.get(given)
        if role is None:
            raise SdftError(f'columns: "{given}" is not a role; use {", ".join(USUAL)}.')
        roles[role] = [wanted] if isinstance(wanted, str) else list(wanted)
        for column in roles[role]:
            if column not in names:
                raise SdftError(f'{source}: the column "{column}" is missing; {have}.')
            if other := [name for name in roles if column in roles[name] and name != role]:
                both = f"{other[0]} and {role} at once"
                raise SdftError(f'columns: "{column}" cannot be {both}; name two columns.')
    lower = {name.lower(): name for name in reversed(names)}
    for role, usual in USUAL.items():
        excluded = ("prompt", "input") if "messages" in roles else ()
        if role in roles or role in excluded or (role == "messages" and "prompt" in roles):
            continue
        taken = [column for mapped in roles.values() for column in mapped]
        free = [lower[name] for name in usual if name in lower and lower[name] not in taken]
        if free:
            roles[role] = free[:1]
    for role, example in (("prompt", "frage"), ("reference", "antwort")):
        if role not in roles and "messages" not in roles:
            missing = f"the {role} column is missing (no column is named {', '.join(USUAL[role])})"
            remedy = f'name yours with columns={{"{role}": "{example}"}}'
            raise SdftError(f"{source}: {missing}; {have}; {remedy}.")
    return roles


# ---- one record to one row
def to_row(record: Record, roles: dict[str, list[str]], default_id: str) -> tuple[dict, str]:
    """One row, and the name of the column that is empty in it ("" if none is)."""
    identity = record.values.get(roles["id"][0]) if "id" in roles else None
    if isinstance(identity, dict | list | bool | float):
        raise wrong(record, roles["id"][0], identity, "text or a whole number")
    if isinstance(identity, str):
        clean_text(record, roles["id"][0], identity)
    system = lines_of(record, roles.get("system", []))
    past = history(record, roles["history"][0]) if "history" in roles else []
    if "messages" in roles:
        asked, reference, blank = split_turns(record, roles)
    else:
        asked = turns(record, roles["prompt"], "user")
        parts = [asked[-1]["content"], lines_of(record, roles.get("input", []))]
        asked[-1]["content"] = "\n".join(filter(None, parts))
        reference, blank = reference_of(record, roles["reference"])
        if not blank and not asked[-1]["content"].strip():
            blank = roles["prompt"][-1]
    front = [{"role": "system", "content": system}] if system else []
    if asked[0]["role"] == "system":
        if system:
            raise at(record, roles["system"][0], "and a system turn both give one; keep one")
        front, asked = asked[:1], asked[1:]
    messages = front + past + asked
    check_order(record.where, messages, roles.get("messages", roles.get("prompt"))[0])
    row_id = str(identity) if identity not in (None, "") else default_id
    return {"id": row_id, "messages": messages, "reference": reference}, blank


def split_turns(record: Record, roles: dict[str, list[str]]) -> tuple[list[dict], str, str]:
    """Prompt, reference and the column that is empty. The reference is a column of its own where
    this row has one, else the last assistant turn."""
    column = roles["messages"][0]
    said = turns(record, [column])
    if "reference" in roles and roles["reference"][0] in record.values:
        reference, blank = reference_of(record, roles["reference"])
        if said[-1] == {"role": "assistant", "content": reference}:
            said = said[:-1]
    else:
        answers = [number for number, turn in enumerate(said) if turn["role"] == "assistant"]
        if not answers:
            raise at(record, column, "has no assistant turn; add one or a reference")
        said, reference = said[: answers[-1]], said[answers[-1]]["content"]
        blank = "" if reference.strip() else column
    if not said:
        raise at(record, column, "has no user turn before the answer; add one")
    return said, reference, blank


def reference_of(record: Record, columns: list[str]) -> tuple[str, str]:
    """The reference as text (of a list of turns: the last one), and the column if it is empty."""
    value = record.values.get(columns[0])
    if isinstance(value, list) and len(columns) == 1:
        text = turns(record, columns)[-1]["content"]
    elif isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        text = str(value)
    else:
        text = lines_of(record, columns)
    return text, "" if text.strip() else columns[-1]


def turns(record: Record, columns: list[str], speaker: str = "") -> list[dict]:
    """Turns of a column: a list of role/content or from/value objects, or, with a ``speaker``,
    plain text that he says.
    """
    value = from_cell(record.values.get(columns[0]))
    if not isinstance(value, list):
        if not speaker:
            raise wrong(record, columns[0], value, "a list of turns")
        return [{"role": speaker, "content": lines_of(record, columns)}]
    said = []
    for turn in value:
        is_turn = isinstance(turn, dict)
        role = SPEAKERS.get(str(turn.get("role", turn.get("from"))).lower()) if is_turn else None
        if role is None:
            remedy = f"use role and content (or from and value) with {', '.join(SPEAKERS)}"
            raise at(record, columns[0], f"has a turn without a known role; {remedy}")
        content = turn.get("content", turn.get("value"))
        if isinstance(content, list):  # the parts of a multimodal chat
            texts = [part.get("text", "") if isinstance(part, dict) else part for part in content]
            content = "".join(str(text) for text in texts)
        said.append({"role": role, "content": clean_text(record, columns[0], content)})
    if not said:
        raise at(record, columns[0], "is empty. Fill it in or remove the row")
    return said


def history(record: Record, column: str) -> list[dict]:
    """Alpaca's history: a list of [question, answer] pairs, as turns."""
    pairs = from_cell(record.values.get(column)) or []
    said = []
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise wrong(record, column, pairs, "a list of [question, answer] pairs")
        for role, text in zip(("user", "assistant"), pair, strict=True):
            said.append({"role": role, "content": clean_text(record, column, text)})
    return said


def from_cell(value: object) -> object:
    """Turns inside a CSV cell are JSON text; anything else stays as it is."""
    if isinstance(value, str) and value.lstrip().startswith(("[{", "[[")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


# ---- texts
def lines_of(record: Record, columns: list[str]) -> str:
    """The texts of several columns, one below the other; empty ones leave no line."""
    texts = [clean_text(record, column, record.values.get(column, "")) for column in columns]
    return "\n".join(text for text in texts if text)


def clean_text(record: Record, column: str, value: object) -> str:
    """``value`` as text; None is empty. SdftError for another type, a text far too long, a NUL
    character, broken Unicode."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(record, column, value, "text")
    if len(value) > LONGEST:
        limit = f"more than any model reads ({LONGEST:,})"
        raise at(record, column, f"holds {len(value):,} characters, {limit}; shorten it")
    if "\0" in value:
        raise at(record, column, "holds a NUL character; remove it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise at(record, column, f"holds half a character at {error.start}; mend it") from None
    return value


def wrong(record: Record, column: str, value: object, expected: str) -> SdftError:
    """The error for a value of a wrong type."""
    shown = f"{type(value).__name__} {str(value)[:40]!r}"
    return at(record, column, f"holds {shown}, not {expected}")


def at(record: Record, column: str, problem: str) -> SdftError:
    """The error for a problem of one column of one row."""
    return SdftError(f'{record.where}: column "{column}" {problem}.')


def check_order(where: str, messages: list[dict], column: str) -> None:
    """A system turn only in front, the last turn from the user."""
    problem = ""
    if any(turn["role"] == "system" for turn in messages[1:]):
        problem = "has a system turn that is not the first; move it to the front"
    elif messages[-1]["role"] != "user":
        problem = "does not end with a user turn before the answer; add one"
    if problem:
        raise SdftError(f'{where}: column "{column}" {problem}.')
