"""What a distilled set changed, whoever made it: unchanged rows, lengths, cuts, leaks (lesson 02).

A public "distilled" file in which nine of ten targets are the original ones trains what plain
fine-tuning trains; a set should say so before anyone trains on it."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from sdft_lib.data import task_names
from sdft_lib.formats.folders import guess_kind, split_files
from sdft_lib.formats.records import read_hub, read_records
from sdft_lib.formats.rows import to_rows
from sdft_lib.formats.toml import check_known
from sdft_lib.kinds import KINDS
from sdft_lib.score import score
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir
from sdft_lib.verify import LEAKS, Verdict

CLOSED = tuple(".!?…:;)]}>\"'”’»`*_|$。！？")
CUT_WORDS = 30  # shorter answers often end without a full stop on purpose
POLITE = r"sure|certainly|of course|absolutely|great|here (?:is|are)|here['’]s|i['’]d be happy"
OPENING = re.compile(rf"(?:{POLITE})\b", re.IGNORECASE)
EXAMPLES = 5  # ids shown for each finding


def audit(
    original: str | Path,
    distilled: str | Path,
    *,
    kind: str | None = None,
    filters: Mapping[str, Callable[..., Verdict]] = {},
) -> dict:
    """Compare two files row by row, by id where both give one, else by position; nothing is
    deduplicated.

    Returns ``rows``, ``unchanged`` (identical strings: rejected and copied look alike),
    ``changed``, ``unchanged_share``, ``words_original`` and ``words_distilled`` (means over all
    rows; ``median_words_...`` too), then of the changed rows: ``suspected_cuts``, ``leaks`` and
    ``leadins`` by phrase, ``answer_kept`` (share; None for open answers), and ``examples``: up to 5
    ids of the original by finding. With ``filters`` by name, functions such as ``verify.accept``,
    also ``decisions``: id, changed, and each filter's reason; how an answer ended is not known, so
    none is ``cut``. Raises SdftError: unequal counts or ids, unequal prompts of rows
    paired by position, an unreadable file, an unknown kind."""
    if kind is not None:
        check_known(kind, KINDS, "kind")
    pairs = paired(read_side(original), read_side(distilled))
    rows = [row for row, _ in pairs]
    changed = [(row, text) for row, text in pairs if text != row["reference"]]
    kind = kind or guess_kind(rows)
    before = [len(row["reference"].split()) for row in rows]
    after = [len(text.split()) for _, text in pairs]
    cuts = [(row["id"], "") for row, text in changed if looks_cut(text)]
    leadins, leaks = leadin_rows(changed), leak_rows(changed)
    kept, lost = answers_kept(kind, rows, changed)
    findings = {"suspected_cuts": cuts, "leadins": leadins, "leaks": leaks, "answer_lost": lost}
    made = {
        "rows": len(pairs),
        "unchanged": len(pairs) - len(changed),
        "changed": len(changed),
        "unchanged_share": (len(pairs) - len(changed)) / len(pairs),
        "kind": kind,
        "words_original": fmean(before),
        "words_distilled": fmean(after),
        "median_words_original": float(median(before)),
        "median_words_distilled": float(median(after)),
        "suspected_cuts": len(cuts),
        "leaks": by_phrase(leaks),
        "leadins": by_phrase(leadins),
        "answer_kept": kept,
        "examples": {name: first_ids(hits) for name, hits in findings.items() if hits},
    }
    return made | ({"decisions": decisions(kind, pairs, filters)} if filters else {})


def decisions(kind: str, pairs: list[tuple[dict, str]], filters: Mapping) -> list[dict]:
    """What each filter says of each row: id, changed, and a reason by the filter's name."""
    choices, made = choices_of(kind, [row for row, _ in pairs]), []
    for row, text in pairs:
        given = (kind, row["reference"], text, choices)
        line = {"id": row["id"], "changed": text != row["reference"]}
        for name, accept in filters.items():
            line[name] = accept(*given, prompt=row["messages"][-1]["content"]).reason
        made.append(line)
    return made


def choices_of(kind: str, rows: list[dict]) -> list[str] | None:
    """The labels of a set, for kinds that need them."""
    if KINDS[kind].needs != "choices":
        return None
    return sorted({row["reference"].strip() for row in rows})


def read_side(source: str | Path) -> tuple[str, list[dict], bool]:
    """Name, rows (``reference`` is what is trained on), and whether each row has an id of its own.

    ``source`` is a file, ``hf:...``, a task (its train rows), or the folder of a set that
    ``distill`` made."""
    source, path = str(source), Path(os.path.expanduser(source))
    if source in task_names():
        path = data_dir() / "tasks" / source
    if path.is_dir():
        own = path / "rows.jsonl"
        path = own if own.is_file() else split_files(path, {})["train"]
    hub = source.startswith("hf:")
    records, name = (read_hub(source), source) if hub else (read_records(path), path.name)
    columns = set(records[0].values)
    ours = {"messages", "reference", "text"} <= columns  # a set of distill is trained on its text
    rows, _ = to_rows(records, name, {"reference": "text"} if ours else None, empty="keep")
    ids = [column for column in columns if column.lower() == "id"]
    given = bool(ids) and all(record.values.get(ids[0]) not in (None, "") for record in records)
    return name, rows, given


def paired(original: tuple, distilled: tuple) -> list[tuple[dict, str]]:
    """Original rows with their distilled texts, in the original's order.

    Ids say which rows belong together whatever the prompts (a set may keep the rewriting prompt);
    without ids in both files, the prompts must agree. Raises SdftError where rows do not match."""
    (name, rows, ids), (other_name, others, other_ids) = original, distilled
    if len(rows) != len(others):
        sizes = f"{name} has {len(rows)} rows and {other_name} has {len(others)}"
        raise SdftError(f"{sizes}; give two files of equal rows.")
    if ids and other_ids:
        texts = {row["id"]: row["reference"] for row in others}
        if absent := [row["id"] for row in rows if row["id"] not in texts]:
            lack = f'{other_name} has no row with the id "{absent[0]}"'
            raise SdftError(f"{lack} of {name}; match them.")
        return [(row, texts[row["id"]]) for row in rows]
    for number, (row, other) in enumerate(zip(rows, others, strict=True), 1):
        if flat_prompt(row) != flat_prompt(other):
            odd = f"{name}, row {number}: its prompt is not that of {other_name}"
            raise SdftError(f"{odd}; bring both into one order.")
    return [(row, other["reference"]) for row, other in zip(rows, others, strict=True)]


def flat_prompt(row: dict) -> list[tuple[str, str]]:
    """Turns with their white space made plain."""
    return [(turn["role"], " ".join(turn["content"].split())) for turn in row["messages"]]


def looks_cut(text: str) -> bool:
    """A long text that stops without closing punctuation, or inside a code block."""
    text = text.rstrip()
    long = len(text.split()) >= CUT_WORDS
    return text.count("```") % 2 == 1 or (long and not text.endswith(CLOSED))


def leadin_rows(changed: list[tuple[dict, str]]) -> list[tuple[str, str]]:
    """(id, phrase) of rows that open with "Sure", "Here is", ... where the original does not."""
    hits = []
    for row, text in changed:
        opening = OPENING.match(text.lstrip())
        if opening and not OPENING.match(row["reference"].lstrip()):
            hits.append((row["id"], opening[0].lower().replace("’", "'")))
    return hits


def leak_rows(
    changed: list[tuple[dict, str]], phrases: Sequence[str] = LEAKS
) -> list[tuple[str, str]]:
    """(id, phrase) of rows with a leak phrase that neither prompt nor reference holds."""
    hits = []
    for row, text in changed:
        known = " ".join([row["reference"], *(turn["content"] for turn in row["messages"])]).lower()
        for phrase in phrases:
            if phrase.lower() in text.lower() and phrase.lower() not in known:
                hits.append((row["id"], phrase))
    return hits


def answers_kept(
    kind: str, rows: list[dict], changed: list[tuple[dict, str]]
) -> tuple[float | None, list[tuple[str, str]]]:
    """Share of changed rows that score as right, and (id, "") of the others.

    Rows whose own reference is not right are left out; the share is None if none is left, and for
    kinds of free text."""
    if KINDS[kind].read is None:
        return None, []
    choices, right = choices_of(kind, rows), {}
    for row, text in changed:
        if score(kind, row["reference"], row["reference"], choices) == 1:
            right[row["id"]] = score(kind, row["reference"], text, choices) == 1
    lost = [(identity, "") for identity, kept in right.items() if not kept]
    return (1 - len(lost) / len(right) if right else None), lost


def by_phrase(hits: list[tuple[str, str]]) -> dict[str, int]:
    """How many rows hold each phrase, the most frequent first."""
    return dict(Counter(phrase for _, phrase in hits).most_common())


def first_ids(hits: list[tuple[str, str]]) -> list[str]:
    """The first ids of (id, phrase) pairs, each once."""
    return list(dict.fromkeys(identity for identity, _ in hits))[:EXAMPLES]


def audit_text(result: dict) -> str:
    """The audit as lines to read, with ids to look up."""
    shown = {name: f" (e.g. {', '.join(ids)})" for name, ids in result["examples"].items()}
    phrases = {}
    for name in ("leadins", "leaks"):
        counts = [f'"{phrase}" {count}' for phrase, count in result[name].items()]
        phrases[name] = (", ".join(counts) or "none") + shown.get(name, "")
    kept = "not checked"
    if result["answer_kept"] is not None:
        kept = f"{result['answer_kept']:.1%} of the changed rows"
    means = "mean {words_original:.1f} -> {words_distilled:.1f}"
    medians = "median {median_words_original:.1f} -> {median_words_distilled:.1f}"
    same = "{unchanged} ({unchanged_share:.1%}): these train the original answer"
    cuts = f"{result['suspected_cuts']} of the changed rows stop in mid-sentence"
    lines = (
        ("rows", f"{result['rows']} (kind {result['kind']})"),
        ("unchanged", same.format(**result)),
        ("changed", f"{result['changed']}"),
        ("words a row", f"{means}, {medians}".format(**result)),
        ("suspected cuts", cuts + shown.get("suspected_cuts", "")),
        ("lead-ins", phrases["leadins"]),
        ("leaks", phrases["leaks"]),
        ("answer kept", kept + shown.get("answer_lost", "").replace("e.g.", "lost e.g.")),
    )
    return "\n".join(f"{name:<15} {value}" for name, value in lines)
