"""Rewrite the references with the seed model, keep what passes, else fall back to the reference.

Every row says where its text came from and why (lesson 02; paper, section 3.2)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas

from sdft_lib.data import Task
from sdft_lib.decoding.parity import check_language
from sdft_lib.generation import Decoding, Generation, generate
from sdft_lib.models import Seed
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_json, read_jsonl, write_json, write_jsonl
from sdft_lib.storage.functions import call, source_of
from sdft_lib.storage.store import artefact, digest, run_record
from sdft_lib.templates import DistillTemplate
from sdft_lib.verify import Verdict, accept

VERSION = 2  # raise it when a change of code changes what a distilled set holds
GREEDY = Decoding(max_new_tokens=40)
SAMPLED = {"temperature": 0.8, "top_p": 0.95}


@dataclass(frozen=True)
class DistilledSet:
    """Rows to train on, their folder, and the report: counts by reason, keep rate, cost."""

    rows: list[dict]
    path: Path
    report: dict


def distill(
    seed: Seed,
    task: Task,
    template: DistillTemplate,
    *,
    decoding: Decoding = GREEDY,
    candidates: int = 1,
    limit: int | None = None,
    verifier: Callable[[dict, str], Verdict] | None = None,
    rules=None,
    say: Callable[[str], None] = print,
) -> DistilledSet:
    """Rewrite the first ``limit`` training rows of a task; instant when the store holds the result.

    The first candidate is decoded as asked; rows that fail it get up to ``candidates - 1`` sampled
    ones, and the first that passes is taken. ``verifier(row, text)``, a check of your own, comes
    last and returns a ``Verdict``; its source file is in the key. ``rules``: the paper's in place
    of ours (``paper.rules.PAPER``). Each row holds ``text`` (trained on), ``source`` (``rewritten``
    or ``original``), ``reason``, ``raw`` (the last rewrite tried), ``finish_reason``. Raises
    SdftError: no rows, a prompt without room, a verifier that fails or returns no ``Verdict``."""
    if candidates < 1 or (limit or 1) < 1:
        raise SdftError(f"limit is {limit}, candidates {candidates}; give whole numbers from 1 on.")
    rows = task.train[:limit]
    if not rows:
        remedy = "check the file or raise the limit"
        raise SdftError(f"task {task.name}: no training rows to rewrite; {remedy}.")
    parts = {"seed": seed.identity, "rows": digest(rows), "kind": task.kind}
    parts |= {"choices": task.choices, "template": template.parts, "decoding": decoding.parts}
    parts |= {"candidates": candidates, "version": VERSION}
    parts |= {"verifier": source_of(verifier)} if verifier else {}
    parts |= {"rules": rules.parts} if rules else {}
    decide = partial(choose, task, rules, verifier)

    def build(folder: Path) -> dict:
        say(f"rewriting {len(rows)} references with template {template.name!r}")
        return rewrite(seed, rows, template, decoding, candidates, decide, folder, say)

    path = artefact("distilled", parts, build)
    report = read_json(path / "report.json")
    facts = run_record(path)
    report |= {name: facts.get(name) for name in ("seconds", "tokens", "peak_mb")}
    say(report_line(report))
    return DistilledSet(read_jsonl(path / "rows.jsonl"), path, report)


def rewrite(seed, rows, template, decoding, candidates: int, decide, folder: Path, say) -> dict:
    """Fill the artefact's folder: ``rows.jsonl``, ``report.json``; returns the tokens written."""
    built = [template.build(row["messages"], row["reference"]) for row in rows]
    made: list[dict] = [{}] * len(rows)
    open_rows, tokens = list(range(len(rows))), 0
    for number in range(candidates):
        sampled = replace(decoding, seed=decoding.seed + number, **SAMPLED)
        prompts = [built[index][0] for index in open_rows]
        options = {"openings": [built[index][1] for index in open_rows]}
        options |= {"names": [rows[index]["id"] for index in open_rows]}
        options |= {"path": folder / f"candidate-{number}.jsonl", "say": say}
        answers = generate(seed, prompts, sampled if number else decoding, **options)
        tokens += sum(answer.tokens for answer in answers)
        check_language([answer.text for answer in answers], seed.name)
        for index, answer in zip(open_rows, answers, strict=True):
            made[index] = decide(rows[index], built[index][1], answer)
        open_rows = [index for index in open_rows if made[index]["source"] == "original"]
    write_jsonl(folder / "rows.jsonl", made)
    write_json(folder / "report.json", report_of(template, made, [opening for _, opening in built]))
    return {"tokens": tokens}


def choose(task: Task, rules, verifier, row: dict, opening: str, answer: Generation) -> dict:
    """One row of a distilled set: the rewrite if it passes, else the reference; and the reason."""
    reference, judge = row["reference"], rules.accept if rules else accept
    raw = ((rules.trained(opening, row) if rules else opening) + answer.text).strip()
    known = {"prompt": row["messages"][-1]["content"], "finish_reason": answer.finish_reason}
    verdict = judge(task.kind, reference, raw, task.choices, **known)
    if verdict.ok and verifier:
        verdict = call(verifier, Verdict, f"row {row['id']}", row, raw)
    made = {"id": row["id"], "messages": row["messages"], "reference": reference}
    kept = {"text": raw, "source": "rewritten", "reason": "accepted"}  # one name, of a verifier too
    made |= (
        kept if verdict.ok else {"text": reference, "source": "original", "reason": verdict.reason}
    )
    made |= {"raw": raw, "finish_reason": answer.finish_reason}
    return made | {"split": True} if answer.split else made


def report_of(template: DistillTemplate, rows: Sequence[dict], openings: Sequence[str]) -> dict:
    """Counts for a distilled set; ``own_share``: the part of the kept text after the opening."""
    pairs = [(row["text"], opening) for row, opening in zip(rows, openings, strict=True)]
    kept = [pair for row, pair in zip(rows, pairs) if row["source"] == "rewritten"]
    letters = sum(len(text) for text, _ in kept)
    given = sum(len(opening) for text, opening in kept if text.startswith(opening.strip()))
    return {
        "template": template.name,
        "rows": len(rows),
        "kept": len(kept),
        "keep_rate": len(kept) / len(rows),
        "reasons": dict(Counter(row["reason"] for row in rows).most_common()),
        "names_answer": template.names_answer,
        "distinct_targets": len({row["text"] for row in rows}),
        "own_share": (letters - given) / letters if letters else 0.0,
    }


def report_line(report: dict) -> str:
    """The report in two lines: what was kept, or why not; and the cost."""
    counts = {name: count for name, count in report["reasons"].items() if name != "accepted"}
    lost = ", ".join(f"{reason} {count}" for reason, count in counts.items())
    return (
        f"{report['template']}: kept {report['kept']} of {report['rows']} rewrites"
        f"{f' (not kept: {lost})' if lost else ''}\n"
        f"  {report['tokens']} tokens in {report['seconds']:.0f} s, "
        f"{report.get('peak_mb') or '?'} MB of memory at most"
    )


def keep_table(sets: Sequence[DistilledSet]) -> pandas.DataFrame:
    """One row a distilled set: template, rows, kept, keep_rate, reasons, names_answer, ..."""
    return pandas.DataFrame([item.report for item in sets])
