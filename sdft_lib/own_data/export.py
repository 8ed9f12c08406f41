"""A distilled set in the forms that other trainers read: TRL, LLaMA-Factory, axolotl, Unsloth
(lesson 10).

Each form keeps the whole conversation and the text to train on, to the letter. ``provenance.jsonl``
says of each row whether its text is a rewrite and why; the data card (``card.md.jinja``) says how
the set was made and how to train on it."""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import DatasetCard, DatasetCardData

from sdft_lib.formats.toml import check_known
from sdft_lib.own_data.check import turn_counts
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import (
    file_sha256,
    new_folder,
    read_json,
    write_json,
    write_jsonl,
    write_text,
)
from sdft_lib.storage.safe import markdown, visible, without_place
from sdft_lib.storage.store import cache_dir

DATA, CARD, INFO, PROVENANCE = "train.jsonl", "README.md", "dataset_info.json", "provenance.jsonl"
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt"}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}")


def write_export(
    rows: Sequence[dict],
    form: str,
    folder: Path,
    *,
    column: str = "text",
    made: dict | None = None,
    licence: str = "",
) -> dict:
    """Write the data, its card, its provenance and, for LLaMA-Factory's forms, its description.

    ``column`` is what is trained on: ``text`` (rewrites and fallbacks) or ``reference``. ``made``:
    the parts of the artefact (``made_from``), for the card. Returns ``rows``, ``form``, ``column``,
    ``reasons``, ``files``. Raises SdftError naming a row that the form cannot hold, or for a folder
    that holds something; then nothing is written."""
    check_known(form, FORMS, "form")
    data = [FORMS[form](row, row[column]) for row in rows]
    columns = list(dict.fromkeys(name for row in data for name in row))
    if form == "alpaca":  # a file has one set of columns
        empty = {"system": "", "history": []}
        data = [{name: row.get(name, empty.get(name)) for name in columns} for row in data]
    origins = [provenance(row, column) for row in rows]
    facts = {"rows": len(rows), "form": form, "column": column, **counts(rows, origins)}
    name = re.sub(r"[^\w.-]+", "-", folder.absolute().name)
    with new_folder(folder) as partial:
        write_jsonl(partial / DATA, data)
        write_jsonl(partial / PROVENANCE, origins)
        if info := dataset_info(name, form, columns):
            write_json(partial / INFO, info)
        write_text(partial / CARD, card(name, facts, made, licence))
        files = sorted(path.name for path in partial.iterdir())
    return facts | {"files": files}


# ---- the forms
def prompt_completion(row: dict, text: str) -> dict:
    """TRL's pair of turns: nothing of ``prompt`` is trained, earlier answers included."""
    answer = {"role": "assistant", "content": text}
    return {"id": row["id"], "prompt": row["messages"], "completion": [answer]}


def messages(row: dict, text: str) -> dict:
    """One list of turns that ends with the text."""
    return {"id": row["id"], "messages": [*row["messages"], {"role": "assistant", "content": text}]}


def alpaca(row: dict, text: str) -> dict:
    """Instruction and output; ``system`` and ``history`` where a row has such turns."""
    system, *texts = by_turns(row, "alpaca")
    made = {"id": row["id"], "instruction": texts[-1], "input": "", "output": text}
    made |= {"system": system} if system else {}
    if len(texts) > 1:
        made["history"] = [list(pair) for pair in zip(texts[:-1:2], texts[1::2], strict=True)]
    return made


def sharegpt(row: dict, text: str) -> dict:
    """``conversations`` of human and gpt by turns, a system turn in front."""
    by_turns(row, "sharegpt")
    said = messages(row, text)["messages"]
    turns = [{"from": SHAREGPT[turn["role"]], "value": turn["content"]} for turn in said]
    return {"id": row["id"], "conversations": turns}


def by_turns(row: dict, form: str) -> list[str]:
    """The system text ("" if there is none), then question and answer by turns; else SdftError."""
    turns = row["messages"]
    if turns[0]["role"] != "system":
        turns = [{"role": "system", "content": ""}, *turns]
    for index, turn in enumerate(turns[1:]):
        if turn["role"] != ("user", "assistant")[index % 2]:
            problem = f"are not question and answer by turns, which --form {form} needs"
            raise SdftError(f'row "{row["id"]}": its turns {problem}; use --form messages.')
    return [turn["content"] for turn in turns]


FORMS: dict[str, Callable[[dict, str], dict]] = {"prompt-completion": prompt_completion}
FORMS |= {"messages": messages, "alpaca": alpaca, "sharegpt": sharegpt}


def dataset_info(name: str, form: str, columns: Sequence[str]) -> dict | None:
    """LLaMA-Factory's description of the file; None for a form that it does not read."""
    if form == "prompt-completion":
        return None
    info = {"file_name": DATA, "formatting": "sharegpt", "columns": {"messages": "conversations"}}
    if form == "alpaca":
        roles = {"prompt": "instruction", "query": "input", "response": "output"}
        roles |= {role: role for role in ("system", "history") if role in columns}
        info |= {"formatting": "alpaca", "columns": roles}
    elif form == "messages":
        tags = ("role", "content", "user", "assistant", "system")
        info |= {"columns": {"messages": "messages"}, "tags": {f"{tag}_tag": tag for tag in tags}}
    return {name: info}


# ---- where the rows come from
def provenance(row: dict, column: str) -> dict:
    """Where the exported text of a row comes from: ``rewritten`` or ``original``, and why."""
    source, reason = "original", "reference asked for"
    if column == "text":
        source, reason = row.get("source", source), row.get("reason", "not recorded")
    return {"id": row["id"], "source": str(source), "reason": str(reason)}


def counts(rows: Sequence[dict], origins: list[dict]) -> dict:
    """What the card shows: reasons by source, rows of several turns and with a system turn."""
    told, turns = Counter((each["source"], each["reason"]) for each in origins), turn_counts(rows)
    reasons = []
    for (source, reason), count in told.most_common():
        reasons.append({"source": source, "reason": reason, "rows": count})
    return {"reasons": reasons, "several_turns": turns["several"], "system_turns": turns["system"]}


def made_from(path: Path) -> dict | None:
    """The settings of the stored set whose rows are equal to those of a file, byte for byte."""
    mark = file_sha256(path)
    for manifest in sorted((cache_dir() / "store" / "distilled").glob("*/manifest.json")):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # one that is broken
            if read_json(manifest).get("rows.jsonl") == mark:
                return read_json(manifest.with_name("parts.json"))
    return None


# ---- the card
def card(name: str, facts: dict, made: dict | None, licence: str = "") -> str:
    """The data card as Markdown with a YAML head; ``made`` is what ``made_from`` gives."""
    size = next((label for limit, label in SIZES if facts["rows"] < limit), "n>1M")
    files = [{"split": "train", "path": DATA}]
    head = DatasetCardData(
        license=licence or "other",
        pretty_name=name,
        task_categories=["text-generation"],
        tags=["self-distillation", "sdft"],
        size_categories=[size],
        configs=[{"config_name": "default", "data_files": files}],
    )
    texts = {}
    if made:
        made = {"seed": {}, "template": {}, "decoding": {}} | made
        made["seed"] = made["seed"] | {"model": without_place(made["seed"].get("model", ""))}
        texts, made = made["template"], harmless(made)
    facts = facts | {"reasons": [harmless(row) for row in facts["reasons"]]}
    facts |= {"made": made, "texts": texts, "licence": licence, "fenced": fenced}
    template = str(Path(__file__).with_name("card.md.jinja"))
    whole = DatasetCard.from_template(head, template, **facts, name=name, title=harmless(name))
    return f"{whole}\n"


def harmless(value: object) -> object:
    """Text of others, also in a dictionary, that is nothing else in Markdown."""
    if isinstance(value, dict):
        return {markdown(key): harmless(inner) for key, inner in value.items()}
    return markdown(value)


def fenced(text: object) -> str:
    """A block of text whose fence is longer than any in the text."""
    text = visible(text)
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def check_licence(licence: str) -> None:
    """Raise SdftError unless the licence can stand in the card's head."""
    if licence and not LICENCE.fullmatch(licence):
        raise SdftError(f"--licence {licence[:40]!r} is no identifier; give mit or cc-by-4.0, say.")
