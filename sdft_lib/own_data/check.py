"""What a fine-tuning set holds, before anyone trains on it (``sdft data check``; lesson 09).

Counts, lengths, repeats, references without an answer, overlap with what is measured."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median

import pandas

from sdft_lib.data import PROBES, Task, load_probes, load_task
from sdft_lib.decoding.tokens import KNOWN
from sdft_lib.formats.public import PAPER_SETS
from sdft_lib.kinds import KINDS
from sdft_lib.own_data.split import overlap_with

EXAMPLES = 5  # ids shown for each finding
MOST_UNREAD = 20  # references shown that cannot be read


def check_data(
    source: str | Path,
    *,
    kind: str | None = None,
    columns: dict | None = None,
    drop_empty: bool = False,
    evaluations: Mapping[str, list[dict] | None] | None = None,
    say: Callable = print,
) -> dict:
    """Read a task (as ``load_task`` does) and describe its training rows.

    ``evaluations``: further sets to compare with, by name (``paper.suites.evaluation_sets``); None
    for one that is not at hand.

    Returns ``name``, ``kind``, ``rows``, ``paper_rows``, ``licence`` and ``note`` (None for other
    than the paper's sets), ``digest``, and what the functions below find: ``turns``, ``lengths``,
    ``duplicates``, ``marked``, ``references`` and the ``overlap`` with dev, test, probes and
    ``evaluations``; ``absent``: those that are not at hand. Raises SdftError as ``load_task``."""
    task = load_task(source, kind=kind, columns=columns, drop_empty=drop_empty, say=say)
    known = PAPER_SETS.get(str(source))
    measured = {split: rows for split in ("dev", "test") if (rows := getattr(task, split))}
    measured |= {name: load_probes(name, plain=True).rows for name in PROBES}
    at_hand = {name: rows for name, rows in (evaluations or {}).items() if rows is not None}
    if measured.get("test") in at_hand.values():  # the same file, which goes by the set's name
        del measured["test"]
    measured |= at_hand
    compare = overlap_with(task.train)
    return {
        "name": task.name,
        "kind": task.kind,
        "rows": len(task.train),
        "paper_rows": known and known.size,
        "licence": known and known.licence,
        "note": known and (known.note or None),
        "digest": task.digest[:16],
        "turns": turn_counts(task.train),
        "lengths": lengths(task.train),
        "duplicates": duplicates(task.train),
        "marked": marked(task.train),
        "references": references(task),
        "overlap": {name: overlap_of(compare, rows) for name, rows in measured.items()},
        "absent": [name for name in evaluations or {} if name not in at_hand],
    }


def turn_counts(rows: Sequence[dict]) -> dict:
    """Rows by number of questions, and rows with a system turn."""
    asked = [sum(turn["role"] == "user" for turn in row["messages"]) for row in rows]
    system = sum(row["messages"][0]["role"] == "system" for row in rows)
    several = sum(count > 1 for count in asked)
    return {"single": asked.count(1), "several": several, "system": system}


def lengths(rows: Sequence[dict]) -> dict:
    """Mean (one decimal), median and longest prompt and reference, in words."""
    summary = {}
    prompts = ["\n".join(turn["content"] for turn in row["messages"]) for row in rows]
    for part, texts in (("prompt", prompts), ("reference", [row["reference"] for row in rows])):
        sizes = [len(text.split()) for text in texts]
        middle, longest = float(median(sizes)), max(sizes)
        summary[part] = {"mean": round(mean(sizes), 1), "median": middle, "longest": longest}
    return summary


def duplicates(rows: Sequence[dict]) -> dict:
    """Rows that repeat an earlier prompt (``prompts``, ``ids``), with its reference (``rows``)."""
    asked = [(json.dumps(row["messages"]), row["reference"]) for row in rows]
    frame = pandas.DataFrame(asked, columns=["prompt", "reference"])
    again = frame.duplicated("prompt")
    ids = [rows[index]["id"] for index in frame.index[again][:EXAMPLES]]
    return {"prompts": int(again.sum()), "rows": int(frame.duplicated().sum()), "ids": ids}


def marked(rows: Sequence[dict]) -> list[str]:
    """Ids of rows whose texts spell a marker of some chat template, such as ``<|im_end|>``."""
    ids = []
    for row in rows:
        texts = [row["reference"], *(turn["content"] for turn in row["messages"])]
        if any(map(KNOWN.search, texts)):
            ids.append(row["id"])
    return ids


def references(task: Task) -> dict | None:
    """How many references hold one answer that can be read, and each that does not, with why: a
    rewrite of it is never kept, a test answer to it never right. None: free text."""
    kind = KINDS[task.kind]
    if kind.read is None:
        return None
    unread = []
    for row in task.train:
        text = row["reference"]
        if not kind.reads(text, task.choices):
            unread.append({"id": row["id"], "reason": kind.why_unread(text), "reference": text})
    reasons = dict(Counter(row["reason"] for row in unread).most_common())
    return {"read": len(task.train) - len(unread), "reasons": reasons, "unread": unread}


def overlap_of(compare: Callable, rows: Sequence[dict]) -> dict:
    """Items of a measured set that are training prompts, and the share with 8 words of one."""
    seen = compare(rows)
    ids, share = seen["ids"][:EXAMPLES], round(seen["shared_share"], 4)
    return {"items": len(rows), **seen, "shared_share": share, "ids": ids}


def data_text(result: dict) -> str:
    """The check as lines to read, with ids to look up."""
    paper = f"; the paper trains on {result['paper_rows']}" if result["paper_rows"] else ""
    turns = "{single} of one question, {several} of several, {system} with a system turn"
    lines = [
        ("rows", f"{result['rows']} in {result['name']} (kind {result['kind']}{paper})"),
        ("turns", turns.format(**result["turns"])),
        ("digest", result["digest"]),
    ]
    lines += [(name, result[name]) for name in ("licence", "note") if result[name]]
    for part in ("prompt", "reference"):
        numbers = "mean {mean}, median {median:.0f}, longest {longest}"
        lines.append((f"{part} length", numbers.format(**result["lengths"][part]) + " (words)"))
    repeats = "{prompts} rows repeat an earlier prompt, {rows} with its reference"
    twice = result["duplicates"]
    lines.append(("duplicates", repeats.format(**twice) + some(twice["ids"])))
    if ids := result["marked"]:
        rest = "rows spell them: plain text, refused in an answer where one ends a turn"
        lines.append(("chat markers", f"{len(ids)} {rest}{some(ids[:EXAMPLES])}"))
    read = f"not read: an answer of kind {result['kind']} is free text"
    if readable := result["references"]:
        read = f"{readable['read']} of {result['rows']} hold one answer that can be read"
    lines.append(("references", read))
    for row in readable["unread"][:MOST_UNREAD] if readable else ():
        told = f"{row['id']}: {row['reason']}: {row['reference'][:120]}"
        lines.append(("  cannot be read", told))
    for name, seen in result["overlap"].items():
        same = "{duplicates} of {items} items are training prompts, ".format(**seen)
        shared = f"{seen['shared_share']:.1%} share 8 words with one"
        lines.append((f"in {name}", same + shared + some(seen["ids"])))
    if result["absent"]:
        absent = f"{', '.join(result['absent'])}: no such file in SDFT_PAPER_DATA"
        lines.append(("not compared", absent))
    return "\n".join(f"{name:<22} {value}" for name, value in lines)


def some(ids: Sequence[str]) -> str:
    """Some ids in brackets."""
    return f" (e.g. {', '.join(ids)})" if ids else ""
