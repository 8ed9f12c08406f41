"""What a distilled set changed, whoever made it: unchanged rows, lengths, cuts, leaks (lesson 02).

A public "distilled" file in which nine of ten targets are the original ones trains what plain
fine-tuning trains; a set should say so before anyone trains on it."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
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
TEXT = """\
rows            {rows} (kind {kind})
unchanged       {unchanged} ({unchanged_share:.1%}): these train the original answer
changed         {changed}
words a row     mean {words_original:.1f} -> {words_distilled:.1f}, \
median {median_words_original:.1f} -> {median_words_distilled:.1f}
suspected cuts  {suspected_cuts} of the changed rows stop in mid-sentence{suspected_cuts_ids}
lead-ins        {leadins}{leadins_ids}
leaks           {leaks}{leaks_ids}
answer kept     {kept}{lost}"""


def audit(
    original: str | Path,
    distilled: str | Path,
    *,
    kind: str | None = None,
    columns: dict | None = None,
    drop_empty: bool = False,
    limit: int | None = None,
    filters: Mapping[str, Callable[..., Verdict]] = {},
) -> dict:
    """Compare two files row by row, by id where both give one, else by position.

    ``columns`` and ``drop_empty`` say how the original is read, as in ``load_task``; ``limit``: its
    first rows alone, as in ``distill``. The distilled file has the same ``columns``, or the usual.

    Returns ``rows``, ``unchanged`` (identical strings: rejected and copied look alike),
    ``changed``, ``unchanged_share``, ``words_original`` and ``words_distilled`` (means over all
    rows; ``median_words_...`` too), then of the changed rows: ``suspected_cuts``, ``leaks`` and
    ``leadins`` by phrase, ``answer_kept`` (share; None for open answers), and ``examples``: up to 5
    ids of the original by finding. With ``filters`` by name, functions such as ``verify.accept``,
    also ``decisions``: id, changed, and each filter's reason (never ``cut``). Raises SdftError:
    unequal counts, ids or prompts, an unreadable file, an unknown kind."""
    if kind is not None:
        check_known(kind, KINDS, "kind")
    name, given, ids = read_side(original, columns, "drop" if drop_empty else "keep")
    pairs = paired((name, given[:limit], ids), read_side(distilled, columns, distilled=True))
    rows = [row for row, _ in pairs]
    changed = [(row, text) for row, text in pairs if text != row["reference"]]
    kind = kind or guess_kind(rows)
    before = [len(row["reference"].split()) for row in rows]
    after = [len(text.split()) for _, text in pairs]
    kept, lost = answers_kept(kind, rows, changed)
    phrases = {"suspected_cuts": Counter(), "leadins": Counter(), "leaks": Counter()}
    examples: dict[str, list[str]] = {}
    for row, text in changed:
        for name, phrase in findings(row, text):
            phrases[name][phrase] += 1
            examples.setdefault(name, []).append(row["id"])
    if lost:
        examples["answer_lost"] = lost
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
        "suspected_cuts": phrases["suspected_cuts"].total(),
        "leaks": dict(phrases["leaks"].most_common()),
        "leadins": dict(phrases["leadins"].most_common()),
        "answer_kept": kept,
        "examples": {name: list(dict.fromkeys(ids))[:EXAMPLES] for name, ids in examples.items()},
    }
    return made | ({"decisions": decisions(kind, pairs, filters)} if filters else {})


def decisions(kind: str, pairs: list[tuple[dict, str]], filters: Mapping) -> list[dict]:
    """What each filter says of each row: id, changed, and a reason by the filter's name."""
    choices, made = choices_of(kind, [row for row, _ in pairs]), []
    for row, text in pairs:
        given, asked = (kind, row["reference"], text, choices), row["messages"][-1]["content"]
        reasons = {name: accept(*given, prompt=asked).reason for name, accept in filters.items()}
        made.append({"id": row["id"], "changed": text != row["reference"], **reasons})
    return made


def choices_of(kind: str, rows: list[dict]) -> list[str] | None:
    """The labels of a set, for kinds that need them."""
    if KINDS[kind].needs != "choices":
        return None
    return sorted({row["reference"].strip() for row in rows})


def read_side(
    source: str | Path, columns: dict | None, empty: str = "keep", *, distilled: bool = False
) -> tuple[str, list[dict], bool]:
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
    have = set(records[0].values)
    ours = {"messages", "reference", "text"} <= have  # a set of distill is trained on its text
    if distilled and (ours or not have.issuperset(column_names(columns))):
        columns = None  # they are those of the original alone
    rows, _ = to_rows(records, name, columns or ({"reference": "text"} if ours else None), empty)
    ids = [column for column in have if column.lower() == "id"]
    given = bool(ids) and all(record.values.get(ids[0]) not in (None, "") for record in records)
    return name, rows, given


def column_names(columns: dict | None) -> list[str]:
    """All names in a column map, whose values are a name or a list of them."""
    names = []
    for each in (columns or {}).values():
        names += [each] if isinstance(each, str) else each
    return names


def paired(original: tuple, distilled: tuple) -> list[tuple[dict, str]]:
    """Original rows with their distilled texts, in the original's order. Ids say which rows belong
    together whatever the prompts (a set may keep the rewriting prompt); without ids in both files,
    the prompts must agree. Raises SdftError where rows do not match."""
    (name, rows, ids), (other_name, others, other_ids) = original, distilled
    if len(rows) != len(others):
        sizes = f"{name} has {len(rows)} rows and {other_name} has {len(others)}"
        remedy = "give two files of equal rows, or --limit and --drop-empty as for sdft distill"
        raise SdftError(f"{sizes}; {remedy}.")
    if ids and other_ids:
        texts = {row["id"]: row["reference"] for row in others}
        for row in rows:
            if row["id"] not in texts:
                lack = f'{other_name} has no row with the id "{row["id"]}" of {name}'
                raise SdftError(f"{lack}; match them.")
        return [(row, texts[row["id"]]) for row in rows]
    for number, (row, other) in enumerate(zip(rows, others, strict=True), 1):
        if words_of(row) != words_of(other):
            odd = f"{name}, row {number}: its prompt is not that of {other_name}"
            raise SdftError(f"{odd}; bring both into one order.")
    return [(row, other["reference"]) for row, other in zip(rows, others, strict=True)]


def words_of(row: dict) -> list[tuple]:
    """The turns of a prompt, spaces aside."""
    return [(turn["role"], turn["content"].split()) for turn in row["messages"]]


def findings(row: dict, text: str) -> list[tuple[str, str]]:
    """What is odd in a changed text, as (finding, phrase): it looks cut, it opens with "Sure",
    "Here is", ... where the original does not, or it holds a leak phrase that neither prompt nor
    reference holds."""
    found = [("suspected_cuts", "")] if looks_cut(text) else []
    opening = OPENING.match(text.lstrip())
    if opening and not OPENING.match(row["reference"].lstrip()):
        found.append(("leadins", opening[0].lower().replace("’", "'")))
    known = " ".join([row["reference"], *(turn["content"] for turn in row["messages"])]).lower()
    for phrase in map(str.lower, LEAKS):
        if phrase in text.lower() and phrase not in known:
            found.append(("leaks", phrase))
    return found


def looks_cut(text: str) -> bool:
    """A long text that stops without closing punctuation, or inside a code block."""
    text = text.rstrip()
    long = len(text.split()) >= CUT_WORDS
    return text.count("```") % 2 == 1 or (long and not text.endswith(CLOSED))


def answers_kept(
    kind: str, rows: list[dict], changed: list[tuple[dict, str]]
) -> tuple[float | None, list[str]]:
    """Share of changed rows that score as right, and the ids of the others. Rows whose own
    reference is not right are left out; the share is None if none is left, and for kinds of free
    text."""
    if KINDS[kind].read is None:
        return None, []
    choices, checked, lost = choices_of(kind, rows), 0, []
    for row, text in changed:
        if score(kind, row["reference"], row["reference"], choices) == 1:
            checked += 1
            if score(kind, row["reference"], text, choices) != 1:
                lost.append(row["id"])
    return (1 - len(lost) / checked if checked else None), lost


def audit_text(result: dict) -> str:
    """The audit as lines to read, with ids to look up."""
    told = dict(result, kept="not checked", lost="")
    for name in ("suspected_cuts", "leadins", "leaks", "answer_lost"):
        ids = ", ".join(result["examples"].get(name, ()))
        told[f"{name}_ids"] = f" (e.g. {ids})" if ids else ""
    for name in ("leadins", "leaks"):
        counts = [f'"{phrase}" {count}' for phrase, count in result[name].items()]
        told[name] = ", ".join(counts) or "none"
    if result["answer_kept"] is not None:
        told["kept"] = f"{result['answer_kept']:.1%} of the changed rows"
        told["lost"] = told["answer_lost_ids"].replace("e.g.", "lost e.g.")
    return TEXT.format(**told)
