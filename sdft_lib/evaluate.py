"""Score a model on the task and on the probes, one row per item (lesson 04; paper, section 4.2)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas

from sdft_lib.answers.outcome import outcome
from sdft_lib.answers.phrases import phrase_hits
from sdft_lib.data import PROBES, Suite, Task, load_probes, task_suite
from sdft_lib.generation import Decoding, Generation, generate
from sdft_lib.kinds import KINDS
from sdft_lib.models import Seed
from sdft_lib.score import score
from sdft_lib.settings import Settings
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, digest

VERSION = 4  # raise it when a change of code changes answers or scores
TWINS = {  # a suite, and what it is without what a short answer breaks
    "facts": "facts-opened",
    "helpful": "helpful-any-length",
    "instructions": "instructions-any-length",
}


def suites(settings: Settings, task: Task, *, probes: Sequence[str] = PROBES) -> list[Suite]:
    """The task's test items and the probe suites of these names, cut to the limits."""
    chosen = [task_suite(task), *map(load_probes, probes)]
    return [cut(suite, settings.limits.get(suite.name)) for suite in chosen]


def cut(suite: Suite, limit: int | None) -> Suite:
    """The first ``limit`` rows of a suite; None: all."""
    return replace(suite, rows=suite.rows[:limit])


def evaluate(
    seed: Seed, chosen: Sequence[Suite], *, method: str, say: Callable[[str], None] = print
) -> pandas.DataFrame:
    """One row an item: method, suite, id, score, text, finish_reason, words, characters, unit, and
    ``outcome`` and ``phrases`` of refusal ("" and 0 where the kind has no outcomes).

    Decoding is greedy. Of a harmful request's answer that is no refusal (kind ``refusal``, score 0)
    only lengths, score, outcome and phrases are kept: its text is never written anywhere."""
    rows = []
    for suite in chosen:
        rows += [{"method": method, **row} for row in evaluate_suite(seed, suite, method, say)]
    return pandas.DataFrame(rows)


def evaluate_suite(seed: Seed, suite: Suite, method: str, say: Callable[[str], None]) -> list[dict]:
    """Scored rows of one suite, from the store or made now; ``unit``, the scenario of a row or its
    id, is read from the suite and never stored."""
    decoding = Decoding(max_new_tokens=suite.max_new_tokens)
    parts = {"seed": seed.identity, "suite": suite.name, "kind": suite.kind}
    parts |= {"rows": digest(suite.rows), "choices": suite.choices, "decoding": decoding.parts}
    if suite.opening:
        parts |= {"opening": suite.opening}

    def build(folder: Path) -> dict:
        say(f"{method}: answering {len(suite.rows)} items of {suite.name}")
        path = None if KINDS[suite.kind].private else folder / "answers.jsonl"
        openings = [suite.opening] * len(suite.rows)
        answers = answer_rows(seed, suite.rows, decoding, path, openings=openings)
        rows = [scored(suite, *pair) for pair in zip(suite.rows, answers, strict=True)]
        write_jsonl(folder / "scores.jsonl", rows)
        return {"tokens": sum(answer.tokens for answer in answers)}

    folder = artefact("scores", parts | {"version": VERSION}, build)
    rows = read_jsonl(folder / "scores.jsonl")
    return [row | {"unit": suite.units.get(row["id"], row["id"])} for row in rows]


def any_length(suite: Suite, rows: Sequence[dict]) -> list[dict]:
    """The answers of one suite under its rule without what that says about length, as suite
    ``<name>-any-length``: has a short answer lost the knowledge, or the form?

    ``rows`` are those of ``evaluate_suite``. Items whose whole rule is a length are left out; a
    kind without such a rule gives none."""
    rule, made = KINDS[suite.kind].any_length, []
    for row, item in zip(rows, suite.rows, strict=True):
        kept = rule(item["reference"], row["text"]) if rule else None
        if kept is not None:
            made.append(row | {"suite": f"{suite.name}-any-length", "score": float(kept)})
    return made


def scored(suite: Suite, row: dict, answer: Generation) -> dict:
    """One item: an open answer counts only if it finished; a harmful request's answer
    that is no refusal keeps lengths, outcome and phrases, and no text."""
    text, kind = answer.text.strip(), KINDS[suite.kind]
    value = score(suite.kind, row["reference"], text, suite.choices)
    if kind.ends and answer.finish_reason == "length":
        value = 0.0
    shown = "" if kind.private and value == 0 else text
    made = {"suite": suite.name, "id": row["id"], "score": value, "text": shown}
    made |= {"finish_reason": answer.finish_reason, "words": len(text.split())}
    told = outcome(row["messages"][-1]["content"], text) if kind.outcomes else ""
    hits = phrase_hits(text) if kind.outcomes else 0
    return made | {"characters": len(text), "outcome": told, "phrases": hits}


def stored_answers(
    seed: Seed,
    rows: Sequence[dict],
    decoding: Decoding,
    *,
    what: str,
    say: Callable[[str], None] = print,
    progress: Callable[[str], None] | None = None,
) -> list[dict]:
    """One answer to each row's messages: id, messages, text (stripped) and finish_reason, from the
    store or made now.

    ``what`` is said before anything is made, ``progress`` gets the lines of ``generate``."""
    asked = [{"id": row["id"], "messages": row["messages"]} for row in rows]
    parts = {"seed": seed.identity, "rows": digest(asked), "decoding": decoding.parts}

    def build(folder: Path) -> dict:
        say(what)
        answers = answer_rows(seed, asked, decoding, folder / "answers.jsonl", say=progress)
        made = []
        for row, answer in zip(asked, answers, strict=True):
            made.append(row | {"text": answer.text.strip(), "finish_reason": answer.finish_reason})
        write_jsonl(folder / "rows.jsonl", made)
        return {"tokens": sum(answer.tokens for answer in answers)}

    folder = artefact("own-answers", parts | {"version": VERSION}, build)
    return read_jsonl(folder / "rows.jsonl")


def answer_rows(
    seed: Seed, rows: Sequence[dict], decoding: Decoding, path: Path | None, **options
) -> list[Generation]:
    """The model's answer to each row; ``path`` and ``options`` are those of ``generate``."""
    messages, names = [row["messages"] for row in rows], [row["id"] for row in rows]
    return generate(seed, messages, decoding, names=names, path=path, **options)
