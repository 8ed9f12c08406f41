"""Tasks to learn and probes never trained on: rows ``{"id", "messages", "reference"}`` (lesson 00).

``load_task("tickets")`` is a bundled task, ``load_task("mine.csv")`` your own file,
``load_task("hf:org/name:split")`` a hub's data set, ``load_task("gsm8k")`` one of the paper's.
Bundled files are frozen: their SHA-256 is checked."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdft_lib.formats.folders import SPLITS, frozen_rows, guess_kind, open_folder
from sdft_lib.formats.public import PAPER_SETS, load_paper_set
from sdft_lib.formats.records import SUFFIXES, read_hub, read_records
from sdft_lib.formats.rows import to_rows
from sdft_lib.formats.toml import check_known
from sdft_lib.kinds import KINDS
from sdft_lib.storage.errors import SdftError, about
from sdft_lib.storage.files import data_dir, read_json
from sdft_lib.storage.store import digest

ABILITIES = ("facts", "helpful", "instructions")  # compared in lesson 04, with the task
PROBES = (*ABILITIES, "safety", "benign")
LONG, LONGEST = 200, 512  # tokens that an answer of your own task may have: at least, at most


@dataclass(frozen=True)
class Task:
    """Rows to learn from and to measure on; ``dev``, ``test`` are None where a source has none.

    ``units``: row id to scenario, where rows of one scenario are no independent questions. They
    count in intervals and tests alone, in no digest and no key. ``bundled``: it comes with the
    tutorial, so budgets are those of the lessons."""

    name: str
    kind: str
    train: list[dict] = field(repr=False)
    dev: list[dict] | None = field(default=None, repr=False)
    test: list[dict] | None = field(default=None, repr=False)
    choices: tuple[str, ...] | None = None
    digest: str = ""
    units: dict[str, str] = field(default_factory=dict, repr=False)
    bundled: bool = False

    @property
    def max_new_tokens(self) -> int:
        """Tokens that an answer may have. Those of bundled tasks and labels are short; a task of
        your own has room for a rewrite and for its longest reference, at two bytes a token."""
        usual = KINDS[self.kind].max_new_tokens
        if self.bundled or KINDS[self.kind].needs == "choices":
            return usual
        rows = [*self.train, *(self.dev or []), *(self.test or [])]
        longest = max((len(str(row["reference"]).encode()) for row in rows), default=0)
        return max(usual, LONG, min(longest // 2, LONGEST))


@dataclass(frozen=True)
class Suite:
    """Rows to answer, at most ``max_new_tokens`` each, and the ``kind`` of metric for them; every
    answer begins with ``opening``; ``units`` as in a Task."""

    name: str
    kind: str
    rows: list[dict] = field(repr=False)
    max_new_tokens: int
    choices: tuple[str, ...] | None = None
    units: dict[str, str] = field(default_factory=dict, repr=False)
    opening: str = ""


def task_names() -> list[str]:
    """Names of the bundled tasks."""
    return sorted(path.parent.name for path in (data_dir() / "tasks").glob("*/task.json"))


def load_task(
    name_or_path: str | Path,
    *,
    kind: str | None = None,
    columns: dict | None = None,
    drop_empty: bool = False,
    say: Callable = print,
) -> Task:
    """A task by name (bundled, or a set of the paper), folder, file (all rows: train) or
    ``hf:org/name:split``.

    ``columns`` maps our roles to your names: ``{"prompt": "frage", "reference": "antwort"}``. Rows
    of one ``scenario`` (a customer, a document) count as one question in intervals and tests. Rows
    keep their order, never deduplicated; ``drop_empty`` leaves out rows without prompt or reference
    (else an error). Raises SdftError: one sentence with file, row, column and what to do."""
    if kind is not None:
        check_known(kind, KINDS, "kind")
    source, path = str(name_or_path), Path(os.path.expanduser(name_or_path))
    card, units, splits = {}, {}, {}
    if source in PAPER_SETS:
        splits, usual_kind = load_paper_set(source, columns=columns, say=say)
        return as_task(source, splits, kind or usual_kind, None, say)
    if source in task_names():
        path = data_dir() / "tasks" / source
    if source.startswith("hf:"):
        name, read = source, {"train": read_hub(source)}
    elif os.path.isdir(path):
        card, files, units = open_folder(path, KINDS)
        name, read = path.resolve().name, {part: read_records(files[part]) for part in files}
    elif path.suffix.lower() in SUFFIXES:
        name, read = path.stem, {"train": read_records(path)}
    else:
        names, files = ", ".join([*task_names(), *PAPER_SETS]), f"a file ({', '.join(SUFFIXES)})"
        remedy = f"use {names}, a folder, {files} or hf:org/name:split"
        problem = f'there is no task "{source}"'
        if os.path.isfile(path):
            problem = f'"{source}" is not a kind of file that is read'
        raise SdftError(f"{problem}; {remedy}.")
    empty = "drop" if drop_empty else "error"
    for split, records in read.items():
        label = source if source.startswith("hf:") else records[0].where.split(", row")[0]
        splits[split], dropped = to_rows(records, label, columns, empty)
        if dropped:
            say(f"{label}: {dropped} of {len(records)} rows are empty and left out")
    task = as_task(name, splits, kind or card.get("kind"), card.get("choices"), say, units)
    return replace(task, bundled=source in task_names())


def as_task(
    name: str,
    splits: dict[str, list[dict]],
    kind: str | None,
    choices: Sequence[str] | None,
    say: Callable,
    units: Mapping[str, str] = {},
) -> Task:
    """Put a task together; a kind that nobody gave is guessed, and the guess is said."""
    rows = [row for split in splits.values() for row in split]
    if kind is None:
        kind, guess = guess_kind(rows), "(guessed from the references; kind= or --kind changes it)"
        say(f"{name}: {len(rows)} rows, kind {kind} {guess}")
    if KINDS[kind].needs == "choices" and not choices:
        choices = sorted({row["reference"].strip() for row in rows})
    if check := KINDS[kind].check:
        for split, held in splits.items():
            for row in held:
                with about(f'{name}, {split} row "{row["id"]}"'):
                    check(row["reference"])
    named = {row["id"]: row.pop("scenario") for row in rows if "scenario" in row}
    choices = tuple(choices) if choices else None
    mark = digest({"kind": kind, "choices": choices, **splits})
    measured = splits.get("dev"), splits.get("test")
    return Task(name, kind, splits["train"], *measured, choices, mark, {**units, **named})


def load_probes(name: str, *, plain: bool = False, opening: str = "") -> Suite:
    """A probe suite, its stored system prompt in front unless ``plain`` (then ``safety-plain``).

    ``opening``: words that every answer begins with, as if the model had said them (then
    ``facts-opened``). Raises SdftError: no such suite, an altered file."""
    folder = data_dir() / "probes"
    cards = read_json(folder / "probes.json")
    if name not in cards:
        raise SdftError(f'there is no probe suite "{name}"; use {", ".join(cards)}.')
    card, rows, label = cards[name], frozen_rows(folder, cards[name]), name
    if opening:
        label = f"{name}-opened"
    if (system := card.get("system")) and plain:
        label = f"{name}-plain"
    elif system:
        front = {"role": "system", "content": system}
        rows = [{**row, "messages": [front, *row["messages"]]} for row in rows]
    return Suite(label, card["kind"], rows, card["max_new_tokens"], opening=opening)


def load_general() -> list[dict]:
    """General prompts for replay, never scored; the seed's own answers fill ``reference``. Raises
    SdftError: missing or altered file."""
    folder = data_dir() / "general"
    return frozen_rows(folder, read_json(folder / "general.json"))


def task_suite(task: Task, split: str = "test", limit: int | None = None) -> Suite:
    """The first ``limit`` rows of a split as the suite ``task``. SdftError: no such split."""
    check_known(split, SPLITS, "split")
    if not (rows := getattr(task, split)):
        raise SdftError(f"{task.name} has no {split} rows; make some with sdft data split.")
    return Suite("task", task.kind, rows[:limit], task.max_new_tokens, task.choices, task.units)
