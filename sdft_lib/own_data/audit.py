"""What a distilled set changed, whoever made it: unchanged rows, lengths, suspected cuts, leaks
(lesson 02).

A public "distilled" file in which nine of ten targets are the original ones trains what plain
fine-tuning trains; a set should say so before anyone trains on it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sdft_lib.formats.records import read_hub, read_records
from sdft_lib.formats.rows import to_rows
from sdft_lib.kinds import guess_kind
from sdft_lib.storage.errors import SdftError

CLOSED = tuple(".!?…:;)]}>\"'”’»`*_|$。！？")
CUT_WORDS = 30  # shorter answers often end without a full stop on purpose
OPENING = re.compile(
    r"(?:sure|certainly|of course|absolutely|great|here (?:is|are)|here['’]s|i['’]d be happy)\b",
    re.IGNORECASE,
)
EXAMPLES = 5  # ids shown for each finding
CHECKED = (
    "math",
    "call",
    "label",
)  # kinds whose references hold an answer that a rewrite must keep


def audit(original: str | Path, distilled: str | Path, *, kind: str | None = None) -> dict:
    """Compare two files row by row, by id where both give one, else by position; nothing is
    deduplicated.

    Returns ``rows``, ``unchanged`` (identical strings: rejected and copied look alike),
    ``changed``, ``unchanged_share``, ``words_original`` and ``words_distilled`` (means over all
    rows; ``median_words_...`` too), then of the changed rows: ``suspected_cuts``, ``leaks`` and
    ``leadins`` by phrase, ``answer_kept`` (share; None for open answers), and ``examples``: up to 5
    ids of the original by finding. Raises SdftError: unequal counts or ids, unequal prompts of rows
    joined by position, an unreadable file."""
    pairs = joined_rows(read_side(original), read_side(distilled))
    rows = [row for row, _ in pairs]
    changed = [(row, text) for row, text in pairs if text != row["reference"]]
    kind = kind or guess_kind(rows)
    words = [(len(row["reference"].split()), len(text.split())) for row, text in pairs]
    cuts = [(row["id"], "") for row, text in changed if looks_cut(text)]
    leadins, leaks, (kept, lost) = (
        leadin_rows(changed),
        leak_rows(changed),
        answers_kept(kind, rows, changed),
    )
    found = {"suspected_cuts": cuts, "leadins": leadins, "leaks": leaks, "answer_lost": lost}
    return {
        "rows": len(pairs),
        "unchanged": len(pairs) - len(changed),
        "changed": len(changed),
        "unchanged_share": (len(pairs) - len(changed)) / len(pairs),
        "kind": kind,
        "words_original": sum(before for before, _ in words) / len(pairs),
        "words_distilled": sum(after for _, after in words) / len(pairs),
        "median_words_original": float(median(before for before, _ in words)),
        "median_words_distilled": float(median(after for _, after in words)),
        "suspected_cuts": len(cuts),
        "leaks": by_phrase(leaks),
        "leadins": by_phrase(leadins),
        "answer_kept": kept,
        "examples": {name: examples(pairs) for name, pairs in found.items() if pairs},
    }


def examples(found: list[tuple[str, str]]) -> list[str]:
    """The first ids of (id, phrase) pairs, each once."""
    return list(dict.fromkeys(identity for identity, _ in found))[:EXAMPLES]


def by_phrase(found: list[tuple[str, str]]) -> dict[str, int]:
    """How many rows hold each phrase, the most frequent first."""
    counts = {}
    for _, phrase in found:
        counts[phrase] = counts.get(phrase, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def read_side(source: str | Path) -> tuple[str, list[dict], bool]:
    """Name, rows (``reference`` is what would be trained on), and whether each row has an id of its
    own.

    ``source`` is a file, ``hf:...``, a task (its train rows), or the folder of a set that
    ``distill`` made."""
    from sdft_lib.data import data_dir, split_files, task_names

    source, path = str(source), Path(os.path.expanduser(source))
    if source in task_names():
        path = data_dir() / "tasks" / source
    if path.is_dir():
        own = path / "rows.jsonl"
        path = own if own.is_file() else split_files(path, {})["train"]
    records = read_hub(source) if source.startswith("hf:") else read_records(path)
    name = source if source.startswith("hf:") else path.name
    names = set(records[0].values)
    ours = {
        "messages",
        "reference",
        "text",
    } <= names  # one of our distilled sets: text is what is trained on
    rows, _ = to_rows(records, name, {"reference": "text"} if ours else None, empty="keep")
    ids = [key for key in names if key.lower() == "id"]
    given = bool(ids) and all(record.values.get(ids[0]) not in (None, "") for record in records)
    return name, rows, given


def joined_rows(original: tuple, distilled: tuple) -> list[tuple[dict, str]]:
    """Original rows with their distilled texts, in the original's order. Raises SdftError for a
    mismatch.

    Ids say which rows belong together whatever the prompts (a set may keep the rewriting prompt);
    without ids in both files, the prompts must agree."""
    (name, rows, ids), (other_name, others, other_ids) = original, distilled
    if len(rows) != len(others):
        raise SdftError(
            f"{name} has {len(rows)} rows and {other_name} has {len(others)}; give two files of equal rows."
        )
    if ids and other_ids:
        by_id = {row["id"]: row for row in others}
        for row in rows:
            if row["id"] not in by_id:
                raise SdftError(
                    f'{other_name} has no row with the id "{row["id"]}" of {name}; match them.'
                )
        return [(row, by_id[row["id"]]["reference"]) for row in rows]
    for number, (row, other) in enumerate(zip(rows, others, strict=True), 1):
        if flat_prompt(row) != flat_prompt(other):
            raise SdftError(
                f"{name}, row {number}: its prompt is not that of {other_name}; bring both into one order."
            )
    return [(row, other["reference"]) for row, other in zip(rows, others, strict=True)]


def flat_prompt(row: dict) -> list[tuple[str, str]]:
    """Turns with their white space made plain."""
    return [(turn["role"], " ".join(turn["content"].split())) for turn in row["messages"]]


def looks_cut(text: str) -> bool:
    """A long text that stops without closing punctuation, or inside a code block."""
    text = text.rstrip()
    return text.count("```") % 2 == 1 or (
        len(text.split()) >= CUT_WORDS and not text.endswith(CLOSED)
    )


def leadin_rows(changed: list[tuple[dict, str]]) -> list[tuple[str, str]]:
    """(id, phrase) of changed rows that open with "Sure", "Here is", ... where the original does
    not.
    """
    opened = ((row, OPENING.match(text.lstrip())) for row, text in changed)
    return [
        (row["id"], hit[0].lower().replace("’", "'"))
        for row, hit in opened
        if hit and not OPENING.match(row["reference"].lstrip())
    ]


def leak_rows(
    changed: list[tuple[dict, str]], phrases: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """(id, phrase) of changed rows with a leak phrase; one that prompt or reference holds too is no
    leak.
    """
    if phrases is None:
        from sdft_lib.verify import LEAKS as phrases
    found = []
    for row, text in changed:
        known = " ".join([row["reference"], *(turn["content"] for turn in row["messages"])]).lower()
        lower = text.lower()
        found += [
            (row["id"], phrase)
            for phrase in phrases
            if phrase.lower() in lower and phrase.lower() not in known
        ]
    return found


def answers_kept(
    kind: str, rows: list[dict], changed: list[tuple[dict, str]]
) -> tuple[float | None, list]:
    """Share of changed rows that score as right, and (id, "") of the others.

    Rows whose own reference cannot be read are left out; the share is None if none is left or
    nothing is checked."""
    if kind not in CHECKED:
        return None, []
    from sdft_lib.score import score

    choices = sorted({row["reference"].strip() for row in rows}) if kind == "label" else None
    right = {
        row["id"]: score(kind, row["reference"], text, choices) == 1
        for row, text in changed
        if score(kind, row["reference"], row["reference"], choices) == 1
    }
    lost = [(identity, "") for identity, kept in right.items() if not kept]
    return (1 - len(lost) / len(right) if right else None), lost


def audit_text(result: dict) -> str:
    """The audit as lines to read, with ids to look up."""
    shown = {name: f" (e.g. {', '.join(ids)})" for name, ids in result["examples"].items()}
    phrases = {
        name: ", ".join(f'"{phrase}" {count}' for phrase, count in result[name].items()) or "none"
        for name in ("leadins", "leaks")
    }
    kept = (
        "not checked"
        if result["answer_kept"] is None
        else f"{result['answer_kept']:.1%} of the changed rows"
    )
    means = f"{result['words_original']:.1f} -> {result['words_distilled']:.1f}"
    medians = f"{result['median_words_original']:.1f} -> {result['median_words_distilled']:.1f}"
    cuts = f"{result['suspected_cuts']} of the changed rows stop in mid-sentence"
    same = (
        f"{result['unchanged']} ({result['unchanged_share']:.1%}): these train the original answer"
    )
    lines = (
        ("rows", f"{result['rows']} (kind {result['kind']})"),
        ("unchanged", same),
        ("changed", f"{result['changed']}"),
        ("words a row", f"mean {means}, median {medians}"),
        ("suspected cuts", cuts + shown.get("suspected_cuts", "")),
        ("lead-ins", phrases["leadins"] + shown.get("leadins", "")),
        ("leaks", phrases["leaks"] + shown.get("leaks", "")),
        ("answer kept", kept + shown.get("answer_lost", "").replace("e.g.", "lost e.g.")),
    )
    return "\n".join(f"{name:<15} {value}" for name, value in lines)
