"""What a distilled set changed, whoever made it: unchanged rows, lengths, suspected cuts, leaks (lesson 02).

A public "distilled" file in which nine of ten targets are the original ones trains what plain fine-tuning
trains; a set should say so before anyone trains on it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from sdft_lib.columns import to_rows
from sdft_lib.errors import SdftError
from sdft_lib.files import read_hub, read_records
from sdft_lib.kinds import guess_kind

CLOSED = tuple(".!?…:;)]}>\"'”’»`*_|$。！？")
CUT_WORDS = 30  # shorter answers often end without a full stop on purpose
OPENING = re.compile(
    r"(?:sure|certainly|of course|absolutely|great|here (?:is|are)|here's|i'd be happy)\b", re.IGNORECASE
)
CHECKED = ("math", "call", "label")  # kinds whose references hold an answer that a rewrite must keep


def audit(original: str | Path, distilled: str | Path, *, kind: str | None = None) -> dict:
    """Compare two files row by row, by id where both give one, else by position; nothing is deduplicated.

    Returns ``rows``, ``unchanged`` (identical strings: rejected and copied look alike), ``changed``,
    ``unchanged_share``, ``words_original`` and ``words_distilled`` (means over all rows), then of the
    changed rows: ``suspected_cuts``, ``leaks`` by phrase, ``leadins`` and ``answer_kept`` (share; None for
    open answers).
    Raises SdftError: unequal counts, ids or prompts, or a file that cannot be read.
    """
    pairs = joined_rows(read_side(original), read_side(distilled))
    rows = [row for row, _ in pairs]
    changed = [(row, text) for row, text in pairs if text != row["reference"]]
    kind = kind or guess_kind(rows)
    count = len(pairs)
    return {
        "rows": count,
        "unchanged": count - len(changed),
        "changed": len(changed),
        "unchanged_share": (count - len(changed)) / count,
        "kind": kind,
        "words_original": sum(len(row["reference"].split()) for row in rows) / count,
        "words_distilled": sum(len(text.split()) for _, text in pairs) / count,
        "suspected_cuts": sum(looks_cut(text) for _, text in changed),
        "leaks": leak_counts(changed),
        "leadins": sum(bool(OPENING.match(text)) and not OPENING.match(row["reference"]) for row, text in changed),
        "answer_kept": answer_kept(kind, rows, changed),
    }


def read_side(source: str | Path) -> tuple[str, list[dict], bool]:
    """Name, rows (``reference`` is what would be trained on), and whether each row has an id of its own.

    ``source`` is a file, ``hf:...``, a task (its train rows), or the folder of a set that ``distill`` made.
    """
    from sdft_lib.data import data_dir, split_files, task_names

    source, path = str(source), Path(source).expanduser()
    if source in task_names():
        path = data_dir() / "tasks" / source
    if path.is_dir():
        own = path / "rows.jsonl"
        path = own if own.is_file() else split_files(path, {})["train"]
    records = read_hub(source) if source.startswith("hf:") else read_records(path)
    name = source if source.startswith("hf:") else path.name
    names = set(records[0].values)
    ours = {"messages", "reference", "text"} <= names  # one of our distilled sets: text is what is trained on
    rows, _ = to_rows(records, name, {"reference": "text"} if ours else None, empty="keep")
    ids = [key for key in names if key.lower() == "id"]
    given = bool(ids) and all(record.values.get(ids[0]) not in (None, "") for record in records)
    return name, rows, given


def joined_rows(original: tuple, distilled: tuple) -> list[tuple[dict, str]]:
    """Original rows with their distilled texts, in the original's order. Raises SdftError for a mismatch."""
    (name, rows, ids), (other_name, others, other_ids) = original, distilled
    if len(rows) != len(others):
        raise SdftError(
            f"{name} has {len(rows)} rows and {other_name} has {len(others)}; give two files of equal rows."
        )
    if ids and other_ids:
        by_id = {row["id"]: row for row in others}
        for row in rows:
            if row["id"] not in by_id:
                raise SdftError(f'{other_name} has no row with the id "{row["id"]}" of {name}; match them.')
        others = [by_id[row["id"]] for row in rows]
    for number, (row, other) in enumerate(zip(rows, others, strict=True), 1):
        if flat_prompt(row) != flat_prompt(other):
            raise SdftError(f"{name}, row {number}: its prompt is not that of {other_name}; bring both into one order.")
    return [(row, other["reference"]) for row, other in zip(rows, others, strict=True)]


def flat_prompt(row: dict) -> list[tuple[str, str]]:
    """Turns with their white space made plain."""
    return [(turn["role"], " ".join(turn["content"].split())) for turn in row["messages"]]


def looks_cut(text: str) -> bool:
    """A long text that stops without closing punctuation, or inside a code block."""
    text = text.rstrip()
    return text.count("```") % 2 == 1 or (len(text.split()) >= CUT_WORDS and not text.endswith(CLOSED))


def leak_counts(changed: list[tuple[dict, str]], phrases: Sequence[str] | None = None) -> dict[str, int]:
    """Changed rows by leak phrase; a phrase that prompt or reference holds too is no leak."""
    if phrases is None:
        from sdft_lib.verify import LEAKS as phrases
    counts = {}
    for row, text in changed:
        known = " ".join([row["reference"], *(turn["content"] for turn in row["messages"])]).lower()
        for phrase in phrases:
            if phrase.lower() in text.lower() and phrase.lower() not in known:
                counts[phrase] = counts.get(phrase, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def answer_kept(kind: str, rows: list[dict], changed: list[tuple[dict, str]]) -> float | None:
    """Share of changed rows that score as right; rows whose own reference cannot be read are left out."""
    if kind not in CHECKED:
        return None
    from sdft_lib.score import score

    choices = sorted({row["reference"].strip() for row in rows}) if kind == "label" else None
    checked = [
        (row["reference"], text)
        for row, text in changed
        if score(kind, row["reference"], row["reference"], choices) == 1
    ]
    if not checked:
        return None
    return sum(score(kind, reference, text, choices) == 1 for reference, text in checked) / len(checked)


def audit_text(result: dict) -> str:
    """The audit as lines to read."""
    leaks = ", ".join(f'"{phrase}" {count}' for phrase, count in result["leaks"].items()) or "none"
    kept = "not checked" if result["answer_kept"] is None else f"{result['answer_kept']:.1%}"
    lines = (
        ("rows", f"{result['rows']} (kind {result['kind']})"),
        (
            "unchanged",
            f"{result['unchanged']} ({result['unchanged_share']:.1%}): these train the original answer",
        ),
        ("changed", f"{result['changed']}"),
        ("words a row", f"{result['words_original']:.1f} -> {result['words_distilled']:.1f}"),
        ("suspected cuts", f"{result['suspected_cuts']} of the changed rows stop in mid-sentence"),
        ("lead-ins", f"{result['leadins']} of the changed rows open with Sure, Here is, ..."),
        ("leaks", leaks),
        ("answer kept", f"{kept} of the changed rows" if result["answer_kept"] is not None else kept),
    )
    return "\n".join(f"{name:<15} {value}" for name, value in lines)
