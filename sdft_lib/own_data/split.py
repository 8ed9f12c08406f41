"""Train, dev and test rows out of one file: seeded, in equal parts of each label, no question twice
(lesson 07).
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from sdft_lib.data import Task, as_task
from sdft_lib.kinds import KINDS
from sdft_lib.own_data.overlap import prompt_words
from sdft_lib.storage.errors import SdftError

TEST, DEV = 0.25, 0.15  # shares of the questions; the rest is trained on
MOST = {"test": 400, "dev": 200}  # more questions than these hardly narrow an interval
LEAST = 12  # questions: with fewer, no split is worth its name


def split_task(task: Task, *, seed: int = 0, say: Callable[[str], None] = print) -> Task:
    """The task with a quarter of its questions as test rows and 15 % as dev rows; as it is where it
    has test rows.

    Rows that ask the same (case and punctuation aside) stay together, so no test question is
    trained on. Labels are shared out evenly. ``seed`` and a question's own words decide where it
    goes, not its place in the file. Given dev rows stay dev. Says in one sentence what it did.
    Raises SdftError for less than 12 questions."""
    if task.test:
        return task
    groups = same_question(task.train)
    if len(groups) < LEAST:
        raise SdftError(
            f"{task.name} has {len(groups)} different questions and no test rows; give at least {LEAST}, "
            "or a folder with a test file."
        )
    order = fair_order(list(groups.items()), seed, by_label=KINDS[task.kind].needs == "choices")
    tests = min(round(TEST * len(order)), MOST["test"])
    devs = 0 if task.dev else min(round(DEV * len(order)), MOST["dev"])
    place = {
        question: "test" if rank < tests else "dev" if rank < tests + devs else "train"
        for rank, question in enumerate(order)
    }
    parts: dict[str, list[dict]] = {"train": [], "dev": list(task.dev or []), "test": []}
    for row in task.train:
        parts[place[question_of(row)]].append(row)
    say(
        f"{task.name}: no test rows, so {len(task.train)} rows were split (seed {seed}) into "
        + ", ".join(f"{len(rows)} {name}" for name, rows in parts.items())
    )
    return as_task(task.name, parts, task.kind, task.choices, say)


def question_of(row: dict) -> str:
    """A prompt's words in lower case: rows that agree in it ask the same."""
    return " ".join(prompt_words(row))


def same_question(rows: Sequence[dict]) -> dict[str, list[dict]]:
    """The rows by question, in the order of the file."""
    groups = defaultdict(list)
    for row in rows:
        groups[question_of(row)].append(row)
    return dict(groups)


def fair_order(groups: Sequence[tuple[str, list[dict]]], seed: int, *, by_label: bool) -> list[str]:
    """The questions in an order whose every beginning holds each label in nearly its share; random
    within a label.
    """
    ranked, seen = [], Counter()
    labels = {
        question: rows[0]["reference"].strip() if by_label else "" for question, rows in groups
    }
    sizes = Counter(labels.values())
    for draw, question in sorted((drawn(question, seed), question) for question in labels):
        label = labels[question]
        ranked.append(((seen[label] + 0.5) / sizes[label], draw, question))
        seen[label] += 1
    return [question for *_, question in sorted(ranked)]


def drawn(question: str, seed: int) -> str:
    """A question's lot: the same on every machine and in every Python."""
    return hashlib.sha256(f"{seed}\n{question}".encode()).hexdigest()
