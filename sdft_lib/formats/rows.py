"""From anybody's columns (Alpaca, messages, ShareGPT) to rows ``{"id", "messages", "reference"}``.

``messages`` is the prompt: turns ``{"role", "content"}``, history included, a system turn only in
front, the last from the user. ``reference`` is the answer to learn, kept to the letter. What is no
text (a picture, a call of a tool) is refused, never left out unsaid."""

import json
import math
import re
import reprlib
from collections.abc import Sequence
from pathlib import PurePath

from sdft_lib.answers.edges import is_blank
from sdft_lib.answers.facts import from_json
from sdft_lib.formats.records import Record, unique
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
    "scenario": ("scenario",),
}
ALIASES = {"query": "input", "conversations": "messages"}
ALIASES |= dict.fromkeys(("instruction", "question"), "prompt")
ALIASES |= dict.fromkeys(("response", "completion", "output", "answer"), "reference")
SPEAKERS = {"system": "system", "developer": "system"}
SPEAKERS |= dict.fromkeys(("user", "human", "prompter"), "user")
NAMES = ("assistant", "gpt", "model", "bot", "chatgpt", "chatbot", "bing", "bard", "ai", "claude")
SPEAKERS |= dict.fromkeys(NAMES, "assistant")
# What stands beside the text of turns (in a row, in a turn) and would be lost.
BESIDE = ("tools", "functions", "image", "images", "audio", "audios", "video", "videos")
LOST = (*BESIDE, "tool_calls", "function_call", "tool_call_id", "refusal", "reasoning_content")
LOST += ("reasoning", "thinking", "image_url", "input_audio", "file", "files", "attachments")
NOTHING = (None, "", [], {}, "[]", "{}")
TEXT_PARTS = ("text", "input_text", "output_text")
UNTRAINED = ("weight", "train", "trainable", "loss")  # 0 or false: not to be trained on
OPTIONS = tuple("choices options endings a opa option_a option1 choice_a choice1 ending0".split())
POINTER = re.compile(r"\W?(?:[A-Za-z]|\d{1,2})\W?")  # an answer such as "B", "(b)" or "2"
SPEAKER = re.compile(r"""['"](?:role|from)['"]\s*:\s*['"](\w+)['"]""")
SPEECH = re.compile(r"""[\s\ufeff]*(?:array\()?\[\s*\{.*['"](?:content|value)['"]\s*:""", re.DOTALL)
NO_INPUT = re.compile(r"<?no ?input>?", re.IGNORECASE)  # how Alpaca's authors wrote "none"
DISTILLED = ("id", "messages", "reference", "text", "source")  # columns of a distilled set
LONGEST = 4_000_000  # characters of one text: more than any model reads, and slow to no end
COMMANDS = "sdft distill, gap, evaluate, run, audit, data check, data split"
FILL = f"Fill it in or remove the row ({COMMANDS}: --drop-empty)"


def to_rows(
    records: list[Record], source: str, columns: dict | None = None, empty: str = "error"
) -> tuple[list[dict], int]:
    """All records as rows in order, and how many were dropped. ``columns`` maps our roles to the
    source's columns. ``empty`` says what happens to a row whose prompt or reference is empty:
    ``error``, ``drop`` or ``keep``. Raises SdftError."""
    names = list(dict.fromkeys(str(name) for record in records for name in record.values))
    roles = column_map(source, names, columns)
    stem = PurePath(source.split("/")[-1].replace(":", "-")).stem
    rows, seen = [], {}
    for record in records:
        row, gap = to_row(record, roles, f"{stem}-{record.number:04d}")
        if gap and empty == "error":
            raise gap
        if gap and empty == "drop":
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
                raise at(record, name, f"is missing; {remedy}")
        messages = turns(record, "messages")
        check_order(record, messages, "messages")
        if is_blank(clean_text(record, column, record.values[column])):
            raise at(record, column, f"is empty; {remedy}")
        if has_gap(messages):
            raise at(record, "messages", f"holds an empty turn; {remedy}")
        identity = id_of(record, {"id": ["id"]}, f"row-{record.number:04d}")
        check_new_id(record.where, identity, seen)
        rows.append({**record.values, "id": identity, "messages": messages})
    return rows


def rows_to_train(rows: Sequence[dict], column: str) -> list[dict]:
    """Id, messages and, as ``text``, what a column holds. SdftError: no rows, or one without it."""
    if not rows:
        raise SdftError("there are no rows to train on; give at least one.")
    texts = []
    for row in rows:
        if not isinstance(row.get(column), str):
            problem = f'column "{column}" is missing or no text'
            raise SdftError(f"row {row['id']}: {problem}; fill it in.")
        texts.append({"id": row["id"], "messages": row["messages"], "text": row[column]})
    return texts


# ---- columns to roles
def column_map(source: str, names: list[str], columns: dict | None) -> dict[str, list[str]]:
    """Role to column names: what the user mapped, the rest guessed by the usual names. A column
    serves one role. Raises SdftError for a missing column or role."""
    have = f"the columns are: {', '.join(names) or 'none'}"
    roles: dict[str, list[str]] = {}
    for given, wanted in (columns or {}).items():
        role = given if given in USUAL else ALIASES.get(given)
        if role is None:
            raise SdftError(f'column map: "{given}" is not a role; use {", ".join(USUAL)}.')
        roles[role] = [wanted] if isinstance(wanted, str) else list(wanted)
        for column in roles[role]:
            if column not in names:
                raise SdftError(f'{source}: the column "{column}" is missing; {have}.')
            if other := [name for name in roles if column in roles[name] and name != role]:
                raise SdftError(
                    f'column map: "{column}" cannot be {other[0]} and {role}; name two.'
                )
    lower = {name.lower(): name for name in reversed(names)}
    for role, usual in USUAL.items():
        excluded = ("prompt", "input") if "messages" in roles else ()
        if role in roles or role in excluded or (role == "messages" and "prompt" in roles):
            continue
        taken = [column for mapped in roles.values() for column in mapped]
        free = [lower[name] for name in usual if name in lower and lower[name] not in taken]
        if free:
            roles[role] = free[:1]
    lacking = [role for role in ("prompt", "reference") if role not in roles]
    if lacking and "messages" not in roles:
        role, yours = lacking[0], ",".join(f"{role}=YOURS" for role in lacking)
        missing = f"the {role} column is missing (none is named {', '.join(USUAL[role])})"
        remedy = f'rename yours to "{role}", or map it ({COMMANDS}: --columns {yours})'
        raise SdftError(f"{source}: {missing}; {have}; {remedy}.")
    return roles


# ---- one record to one row
def to_row(
    record: Record, roles: dict[str, list[str]], default_id: str
) -> tuple[dict, SdftError | None]:
    """One row (with ``scenario`` where one is named), and the error if a text of it is empty."""
    system = lines_of(record, roles.get("system", []))
    past = history(record, roles["history"][0]) if "history" in roles else []
    if "messages" in roles:
        column = roles["messages"][0]
        asked, reference, answered = split_turns(record, roles)
    else:
        column, answered = roles["prompt"][-1], roles["reference"][-1]
        if len(roles["prompt"]) == 1 and as_list(record, column) is not None:
            asked = turns(record, column)
        else:
            asked = [{"role": "user", "content": lines_of(record, roles["prompt"])}]
        reference = reference_of(record, roles["reference"], asked)
        added = lines_of(record, roles.get("input", []))
        if added and not NO_INPUT.fullmatch(added):
            last = asked[-1]["content"]
            asked[-1]["content"] = f"{last}\n{added}" if last else added
    check_options(record, roles, reference)
    front = [{"role": "system", "content": system}] if system else []
    if asked[0]["role"] == "system":
        if system:
            raise at(record, roles["system"][0], "and a system turn both give one; keep one")
        front, asked = asked[:1], asked[1:]
    messages = front + past + asked
    check_order(record, messages, column)
    gap = None
    if is_blank(reference):
        gap = at(record, answered, f"is empty. {FILL}")
    elif has_gap(messages):
        is_prompt = "prompt" in roles and is_blank(messages[-1]["content"])
        what = "is empty" if is_prompt else "holds an empty turn"
        gap = at(record, column, f"{what}. {FILL}")
    row = {"id": id_of(record, roles, default_id), "messages": messages, "reference": reference}
    if scenario := lines_of(record, roles.get("scenario", [])):
        row["scenario"] = scenario
    return row, gap


def id_of(record: Record, roles: dict[str, list[str]], default: str) -> str:
    """A row's own id as text, ``default`` where it has none. SdftError for one that is no id."""
    if "id" not in roles:
        return default
    value = record.values.get(column := roles["id"][0])
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise wrong(record, column, value, "text or a whole number")
    text = clean_text(record, column, str("" if value is None else value))
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        raise at(record, column, "holds a line break or control character; give a plain id")
    return default if is_blank(text) else text


def split_turns(record: Record, roles: dict[str, list[str]]) -> tuple[list[dict], str, str]:
    """Prompt, reference and the reference's column: a column of its own where this row has one,
    else the last turn, which must be the assistant's."""
    column = roles["messages"][0]
    said = turns(record, column)
    check_lost(record, column, record.values, BESIDE, "beside it")
    reference, answered = "", column
    if "reference" in roles and roles["reference"][0] in record.values:
        reference, answered = reference_of(record, roles["reference"], said), roles["reference"][-1]
    last = said[-1]
    if last["role"] == "assistant" and (is_blank(reference) or reference == last["content"]):
        said, reference = said[:-1], last["content"]
    elif answered == column and any(turn["role"] == "assistant" for turn in said):
        raise at(record, column, "goes on after its last answer; remove those turns or answer them")
    elif answered == column:
        raise at(record, column, "has no assistant turn; add one or a reference")
    if not said:
        raise at(record, column, "has no user turn before the answer; add one")
    return said, reference, answered


def reference_of(record: Record, columns: list[str], asked: list[dict]) -> str:
    """The reference as text: of turns, the one answer, which may stand behind the prompt."""
    if len(columns) > 1 or as_list(record, columns[0]) is None:
        return lines_of(record, columns)
    *before, last = turns(record, columns[0])
    if last["role"] != "assistant" or before not in ([], asked):
        raise at(record, columns[0], "is not one assistant turn; keep the last answer alone")
    return last["content"]


def check_options(record: Record, roles: dict[str, list[str]], reference: str) -> None:
    """Refuse an answer that only points ("B", 2) to options which no role gives to the model."""
    used = [column for mapped in roles.values() for column in mapped]
    if "prompt" not in roles or not POINTER.fullmatch(reference.strip()):
        return
    for column, value in record.values.items():
        is_free = str(column).lower() in OPTIONS and column not in used
        if is_free and value and reference not in (value if isinstance(value, list) else ()):
            problem = f'only points to the options of "{column}"; write them into the prompt'
            raise at(record, roles["reference"][0], problem)


# ---- turns
def as_list(record: Record, column: str) -> list | None:
    """The list of turns in a cell, which may be JSON text or a dict of columns (``datasets``). None
    if it holds anything else: that is text. SdftError for turns in Python's spelling or cut off."""
    value = record.values.get(column)
    if isinstance(value, str):
        names = SPEAKER.findall(value) if SPEECH.match(value) else ()
        if not any(name.lower() in SPEAKERS for name in names):
            return None
        try:
            value = json.loads(value.strip("\ufeff"), object_pairs_hook=unique)
        except (ValueError, RecursionError):
            problem = "holds turns, but not as JSON (Python's spelling, or cut off)"
            raise at(record, column, f"{problem}; write them with json.dumps") from None
    if isinstance(value, dict) and all(isinstance(part, list) for part in value.values()):
        if len({len(part) for part in value.values()}) == 1:
            value = [dict(zip(value, parts)) for parts in zip(*value.values())]
    pairs = ({"role", "content"}, {"from", "value"})
    if isinstance(value, list) and all(isinstance(turn, dict) for turn in value):
        if any(pair <= turn.keys() for turn in value for pair in pairs):
            return value
    return None


def turns(record: Record, column: str) -> list[dict]:
    """The turns of a column as role and content. Raises SdftError for what is none, or no text."""
    value = as_list(record, column)
    if value is None:
        value = record.values.get(column)
    if not isinstance(value, list):
        raise wrong(record, column, value, "a list of turns")
    if not value:
        raise at(record, column, "is empty. Fill it in or remove the row")
    said = []
    for number, turn in enumerate(value, 1):
        turn = turn if isinstance(turn, dict) else {"role": turn}
        name = turn.get("from") if turn.get("role") is None else turn["role"]
        role = SPEAKERS.get(str(name).strip().lower())
        if role is None:
            shown = f"turn {number}: {reprlib.repr(name)[:60]}"
            remedy = f"use role and content (or from and value) with {', '.join(SPEAKERS)}"
            raise at(record, column, f"has a turn without a known role ({shown}); {remedy}")
        check_lost(record, column, turn, LOST, f"in turn {number}")
        content = turn.get("value") if turn.get("content") is None else turn["content"]
        if isinstance(content, list):  # the parts of a multimodal chat
            content = "".join(text_of(record, column, part, number) for part in content)
        said.append({"role": role, "content": clean_text(record, column, content)})
    flags = [turn[name] for name in UNTRAINED if turn.get(name) is not None]
    if role == "assistant" and 0 in flags:
        raise at(record, column, "marks its last answer as not to be trained; remove the row")
    return said


def text_of(record: Record, column: str, part: object, number: int) -> str:
    """The text of one part of a turn."""
    if isinstance(part, dict):
        check_lost(record, column, part, LOST, f"in turn {number}")
        if part.get("type", "text") not in TEXT_PARTS or "text" not in part:
            problem = f"has a part of type {part.get('type')!r} in turn {number}, which is no text"
            raise at(record, column, f"{problem}; remove the row")
        part = part["text"]
    return clean_text(record, column, part)


def check_lost(record: Record, column: str, values: dict, names: tuple, place: str) -> None:
    """Raise SdftError if ``values`` hold under these names what plain text cannot show."""
    for name in names:
        if values.get(name) not in NOTHING:
            raise at(record, column, f'would lose "{name}" {place}; write it out or remove the row')


def history(record: Record, column: str) -> list[dict]:
    """Alpaca's history: a list of [question, answer] pairs, as turns; JSON text in a CSV cell."""
    pairs = from_json(record.values.get(column)) or []
    said = []
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise wrong(record, column, record.values[column], "a list of [question, answer] pairs")
        for role, text in zip(("user", "assistant"), pair, strict=True):
            said.append({"role": role, "content": clean_text(record, column, text)})
    return said


# ---- texts
def lines_of(record: Record, columns: list[str]) -> str:
    """The texts of several columns, one below the other; empty ones leave no line. A number is
    text, as it was written in JSON."""
    texts = []
    for column in columns:
        value = record.values.get(column)
        if type(value) is int or (isinstance(value, float) and math.isfinite(value)):
            value = str(value)
        texts.append(clean_text(record, column, value))
    return "\n".join(text for text in texts if text)


def clean_text(record: Record, column: str, value: object) -> str:
    """``value`` as text; None is empty. SdftError for another type, or what no text may hold."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(record, column, value, "one text, or turns with role and content")
    if len(value) > LONGEST:
        raise at(record, column, f"holds {len(value):,} characters; shorten it to {LONGEST:,}")
    if "\0" in value:
        raise at(record, column, "holds a NUL character; remove it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise at(record, column, f"holds half a character at {error.start}; mend it") from None
    return value


def wrong(record: Record, column: str, value: object, expected: str) -> SdftError:
    """The error for a value of a wrong type."""
    shown = f"{type(value).__name__} {reprlib.repr(value)[:60]}"
    return at(record, column, f"holds {shown}, not {expected}; correct the row")


def at(record: Record, column: str, problem: str) -> SdftError:
    """The error for a problem of one column of one row."""
    return SdftError(f'{record.where}: column "{column}" {problem}.')


def has_gap(messages: list[dict]) -> bool:
    """Whether a turn other than the system's is empty."""
    return any(is_blank(turn["content"]) for turn in messages if turn["role"] != "system")


def check_order(record: Record, messages: list[dict], column: str) -> None:
    """A system turn only in front, the last turn from the user."""
    if any(turn["role"] == "system" for turn in messages[1:]):
        raise at(record, column, "has a system turn that is not the first; move it to the front")
    if messages[-1]["role"] != "user":
        raise at(record, column, "does not end with a user turn before the answer; add one")
