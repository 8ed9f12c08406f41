"""Score a model on the task and on the probes, one row per item (lesson 04; paper, section 4.2)."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sdft_lib.data import PROBES, Suite, load_probes, task_suite
from sdft_lib.generation import Decoding, generate
from sdft_lib.kinds import KINDS
from sdft_lib.score import score
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, digest

VERSION = 1  # raise it when a change of code changes answers or scores


def suites(settings, task, *, split: str = "test") -> list[Suite]:
    """The task's test items, the five probe suites, and ``safety-plain`` (no system prompt), cut to
    the limits.
    """
    probes = [*(load_probes(name) for name in PROBES), load_probes("safety", plain=True)]
    chosen = [task_suite(task, split=split), *probes]
    return [cut(suite, settings.limits.get(suite.name)) for suite in chosen]


def cut(suite: Suite, limit: int | None) -> Suite:
    """The first ``limit`` rows of a suite."""
    return (
        suite
        if limit is None
        else Suite(suite.name, suite.kind, suite.rows[:limit], suite.max_new_tokens, suite.choices)
    )


def evaluate(seed, chosen: Sequence[Suite], *, method: str, say: Callable[[str], None] = print):
    """Answers and scores as a DataFrame: method, suite, id, score, text, finish_reason, words.

    Decoding is greedy. An answer that complies with a harmful request (kind ``refusal``, score 0)
    is scored and thrown away: its text is never written anywhere."""
    import pandas

    rows = []
    for suite in chosen:
        rows += [{"method": method, **row} for row in evaluate_suite(seed, suite, method, say)]
    return pandas.DataFrame(rows)


def evaluate_suite(seed, suite: Suite, method: str, say) -> list[dict]:
    """Scored rows of one suite, from the store or made now."""
    decoding = Decoding(max_new_tokens=suite.max_new_tokens)
    parts = {
        "seed": seed.identity,
        "suite": suite.name,
        "kind": suite.kind,
        "rows": digest(suite.rows),
        "choices": suite.choices,
        "decoding": decoding.parts,
        "version": VERSION,
    }

    def build(folder: Path) -> dict:
        say(f"{method}: answering {len(suite.rows)} items of {suite.name}")
        private = KINDS[suite.kind].private
        ids = [row["id"] for row in suite.rows]
        path = None if private else folder / "answers.jsonl"
        answers = generate(
            seed, [row["messages"] for row in suite.rows], decoding, names=ids, path=path
        )
        write_jsonl(
            folder / "scores.jsonl",
            [scored(suite, *pair) for pair in zip(suite.rows, answers, strict=True)],
        )
        return {"tokens": sum(answer.tokens for answer in answers)}

    return read_jsonl(artefact("scores", parts, build) / "scores.jsonl")


def scored(suite: Suite, row: dict, answer) -> dict:
    """One item: an open answer counts only if it finished; a complied harmful answer keeps no
    text.
    """
    text = answer.text.strip()
    value = score(suite.kind, row["reference"], text, suite.choices)
    if KINDS[suite.kind].ends and answer.finish_reason == "length":
        value = 0.0
    shown = "" if KINDS[suite.kind].private and value == 0 else text
    return {
        "suite": suite.name,
        "id": row["id"],
        "score": float(value),
        "text": shown,
        "finish_reason": answer.finish_reason,
        "words": len(text.split()),
    }


def stored_answers(
    seed,
    rows: Sequence[dict],
    decoding: Decoding,
    *,
    what: str,
    say: Callable[[str], None] = print,
    progress: Callable[[str], None] | None = None,
) -> list[dict]:
    """One answer to each row's messages: id, messages, text (stripped) and finish_reason, from the
    store or made now.

    ``what`` is said before anything is made, ``progress`` gets the lines of ``generate``.
    """
    asked = [{"id": row["id"], "messages": row["messages"]} for row in rows]
    parts = {
        "seed": seed.identity,
        "rows": digest(asked),
        "decoding": decoding.parts,
        "version": VERSION,
    }

    def build(folder: Path) -> dict:
        say(what)
        messages, names = [row["messages"] for row in asked], [row["id"] for row in asked]
        found = generate(
            seed, messages, decoding, names=names, path=folder / "answers.jsonl", say=progress
        )
        made = [
            row | {"text": answer.text.strip(), "finish_reason": answer.finish_reason}
            for row, answer in zip(asked, found, strict=True)
        ]
        write_jsonl(folder / "rows.jsonl", made)
        return {"tokens": sum(answer.tokens for answer in found)}

    return read_jsonl(artefact("own-answers", parts, build) / "rows.jsonl")
