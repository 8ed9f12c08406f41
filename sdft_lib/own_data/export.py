"""A distilled set in the forms that other trainers read: TRL, LLaMA-Factory, axolotl, Unsloth
(lesson 08).

Each form keeps the whole conversation and the text to train on, to the letter; a row that a form
cannot hold is refused by name. ``provenance.jsonl`` says of each row whether its text is a rewrite
and why."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256, write_jsonl, write_text
from sdft_lib.storage.store import cache_dir

DATA, CARD, INFO, PROVENANCE = "train.jsonl", "README.md", "dataset_info.json", "provenance.jsonl"
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt"}


def prompt_completion(row: dict, text: str) -> dict:
    """TRL's pair of turns: nothing of ``prompt`` is trained, earlier answers included."""
    return {
        "id": row["id"],
        "prompt": row["messages"],
        "completion": [{"role": "assistant", "content": text}],
    }


def messages(row: dict, text: str) -> dict:
    """One list of turns that ends with the text."""
    return {"id": row["id"], "messages": [*row["messages"], {"role": "assistant", "content": text}]}


def alpaca(row: dict, text: str) -> dict:
    """Instruction and output; a system turn and earlier turns go to ``system`` and ``history``
    where a row has them.
    """
    system, said = by_turns(row, "alpaca")
    history = [
        [said[place]["content"], said[place + 1]["content"]] for place in range(0, len(said) - 1, 2)
    ]
    more = {"system": system} if system else {}
    more |= {"history": history} if history else {}
    return {
        "id": row["id"],
        "instruction": said[-1]["content"],
        "input": "",
        "output": text,
        **more,
    }


def sharegpt(row: dict, text: str) -> dict:
    """``conversations`` of human and gpt by turns, a system turn in front."""
    by_turns(row, "sharegpt")
    said = [*row["messages"], {"role": "assistant", "content": text}]
    turns = [{"from": SHAREGPT[turn["role"]], "value": turn["content"]} for turn in said]
    return {"id": row["id"], "conversations": turns}


def by_turns(row: dict, form: str) -> tuple[str, list[dict]]:
    """System text and the other turns, question and answer by turns. Raises SdftError if they are
    not.
    """
    first, *rest = row["messages"]
    system, said = (first["content"], rest) if first["role"] == "system" else ("", row["messages"])
    if any(turn["role"] != ("user", "assistant")[place % 2] for place, turn in enumerate(said)):
        raise SdftError(
            f'row "{row["id"]}": its turns are not question and answer by turns, which --form {form} needs; '
            "use --form messages."
        )
    return system, said


FORMS: dict[str, Callable[[dict, str], dict]] = {
    "prompt-completion": prompt_completion,
    "messages": messages,
    "alpaca": alpaca,
    "sharegpt": sharegpt,
}
TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def check_form(form: str) -> None:
    """Raise SdftError for a form that is not known."""
    if form not in FORMS:
        raise SdftError(f'form "{form}" is not known; use one of {", ".join(FORMS)}.')


def dataset_info(name: str, form: str, columns: Sequence[str]) -> dict | None:
    """LLaMA-Factory's description of the file; None for a form that it does not read."""
    if form == "alpaca":
        roles = {"prompt": "instruction", "query": "input", "response": "output"}
        roles |= {role: role for role in ("system", "history") if role in columns}
        return {name: {"file_name": DATA, "formatting": "alpaca", "columns": roles}}
    column = {"messages": "messages", "sharegpt": "conversations"}.get(form)
    if column is None:
        return None
    tags = {"tags": TAGS} if form == "messages" else {}
    return {
        name: {"file_name": DATA, "formatting": "sharegpt", "columns": {"messages": column}, **tags}
    }


def write_export(
    rows: Sequence[dict],
    form: str,
    folder: Path,
    *,
    column: str = "text",
    made: dict | None = None,
    licence: str = "",
) -> dict:
    """Write the data, its card, its provenance and, where the form is LLaMA-Factory's, its
    description.

    ``column`` is what is trained on: ``text`` (rewrites and fallbacks) or ``reference``. ``made``:
    the parts of the artefact (``made_from``), for the card. Returns ``rows``, ``form``, ``column``,
    ``reasons``, ``files``. Raises SdftError naming a row that the form cannot hold; then nothing is
    written."""
    from sdft_lib.own_data.card import card

    check_form(form)
    data = [FORMS[form](row, row[column]) for row in rows]
    columns = list(dict.fromkeys(name for row in data for name in row))
    if form == "alpaca":  # a file has one set of columns
        empty = {"system": "", "history": []}
        data = [
            row | {name: row.get(name, empty[name]) for name in empty if name in columns}
            for row in data
        ]
    facts = facts_of(rows, form, column)
    files = {DATA: data, PROVENANCE: [provenance(row, column) for row in rows]}
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        write_jsonl(folder / name, content)
    info = dataset_info(folder.resolve().name, form, columns)
    if info:
        write_text(folder / INFO, json.dumps(info, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / CARD, card(folder.resolve().name, facts, made, licence))
    return facts | {"files": sorted([*files, CARD, *([INFO] if info else [])])}


def facts_of(rows: Sequence[dict], form: str, column: str) -> dict:
    """Counts that the card shows: rows, reasons by source, rows of several turns and with a system
    turn.
    """
    told = Counter(
        (found["source"], found["reason"]) for found in (provenance(row, column) for row in rows)
    )
    several = sum(sum(turn["role"] == "user" for turn in row["messages"]) > 1 for row in rows)
    system = sum(row["messages"][0]["role"] == "system" for row in rows)
    reasons = [
        {"source": source, "reason": reason, "rows": count}
        for (source, reason), count in told.most_common()
    ]
    return {
        "rows": len(rows),
        "form": form,
        "column": column,
        "reasons": reasons,
        "several_turns": several,
        "system_turns": system,
    }


def provenance(row: dict, column: str) -> dict:
    """Where the exported text of a row comes from: ``rewritten`` or ``original``, and why."""
    if column == "reference":
        return {"id": row["id"], "source": "original", "reason": "reference asked for"}
    return {
        "id": row["id"],
        "source": row.get("source", "original"),
        "reason": str(row.get("reason", "not recorded")),
    }


def made_from(path: Path) -> dict | None:
    """The settings that made a set: beside the file in the store, or of the stored set with the
    very same bytes.
    """
    beside = path.with_name("parts.json")
    if path.name == "rows.jsonl" and beside.is_file():
        return read_parts(beside)
    mark = file_sha256(path)
    for manifest in sorted((cache_dir() / "store" / "distilled").glob("*/manifest.json")):
        if (read_parts(manifest) or {}).get("rows.jsonl") == mark:
            return read_parts(manifest.with_name("parts.json"))
    return None


def read_parts(path: Path) -> dict | None:
    """A JSON object of the store, None if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
