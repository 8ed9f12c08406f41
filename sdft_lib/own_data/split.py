"""Train, dev and test rows out of one file, a folder of them, and the overlap of two sets (lesson
09)."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from os.path import commonprefix
from pathlib import Path

from sdft_lib.data import Task, as_task
from sdft_lib.formats.folders import SPLITS
from sdft_lib.kinds import KINDS
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import new_folder, write_json, write_jsonl

TEST, DEV = 0.25, 0.15  # shares of the questions; the rest is trained on
MOST = {"test": 400, "dev": 200}  # more questions than these hardly narrow an interval
LEAST = 12  # questions: with fewer, no split is worth its name
WORDS_AND_SIGNS = re.compile(r"\w+|[+*/=<>^%×÷]|[\u2190-\u2bff\U0001f000-\U0001faff]")


def split_task(task: Task, *, seed: int = 0, say: Callable[[str], None] = print) -> Task:
    """The task with a quarter of its questions as test rows and 15 % as dev rows; as it is where it
    has test rows. Given dev rows stay dev.

    Rows that ask the same (case and punctuation aside) stay together, so no test question is
    trained on; so do rows of one scenario, which count as one question. Labels are shared out
    evenly. ``seed`` and a question's own words decide where it goes, not its position in the file.
    Raises SdftError for less than 12 questions."""
    if task.test:
        return task
    groups = defaultdict(list)
    homes: dict[str, str] = {}  # a question's own words, or its (first) scenario
    for row in task.train:
        question = question_of(row)
        groups[homes.setdefault(question, task.units.get(row["id"], question))].append(row)
    if len(groups) < LEAST:
        what = "scenarios" if task.units else "different questions"
        few = f"{task.name} has {len(groups)} {what} and no test rows"
        raise SdftError(f"{few}; give at least {LEAST}, or a folder with a test file.")
    labels = dict.fromkeys(groups, "")
    if KINDS[task.kind].needs == "choices":
        labels = {question: rows[0]["reference"].strip() for question, rows in groups.items()}
    order = fair_order(labels, seed)
    tests = min(round(TEST * len(order)), MOST["test"])
    devs = 0 if task.dev else min(round(DEV * len(order)), MOST["dev"])
    test, dev = set(order[:tests]), set(order[tests : tests + devs])
    parts: dict[str, list[dict]] = {"train": [], "dev": list(task.dev or []), "test": []}
    for row in task.train:
        question = homes[question_of(row)]
        part = "test" if question in test else "dev" if question in dev else "train"
        parts[part].append(row)
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in parts.items())
    count = f"{len(task.train)} rows were split (seed {seed})"
    say(f"{task.name}: no test rows, so {count} into {sizes}")
    return as_task(task.name, parts, task.kind, task.choices, say, task.units)


def write_task(task: Task, folder: Path) -> dict[str, int]:
    """The task as a new folder that ``load_task`` reads as the same task: a file for each split,
    scenarios in it, and ``task.json``. Returns counts by split. Raises SdftError for a folder that
    holds something."""
    counts = {}
    with new_folder(folder) as partial:
        for split in SPLITS:
            rows = []
            for row in getattr(task, split) or ():
                scenario = task.units.get(row["id"])
                rows.append(row | {"scenario": scenario} if scenario else row)
            if rows:
                write_jsonl(partial / f"{split}.jsonl", rows)
                counts[split] = len(rows)
        card = {"name": task.name, "kind": task.kind, "rows": counts}
        card |= {"choices": list(task.choices)} if task.choices else {}
        write_json(partial / "task.json", card)
    return counts


def question_of(row: dict) -> str:
    """A prompt's words and signs in lower case: rows that agree in it ask the same. Punctuation
    plays no part, yet 3 + 4 is not 3 * 4, C is not C++, and one emoji is not another."""
    return " ".join(WORDS_AND_SIGNS.findall(prompt_text(row)))


def prompt_text(row: dict) -> str:
    """All turns of a prompt in lower case."""
    return " ".join(turn["content"] for turn in row["messages"]).lower()


def prompt_words(row: dict) -> list[str]:
    """Lower-case words of all turns of a prompt."""
    return re.findall(r"\w+", prompt_text(row))


def fair_order(labels: dict[str, str], seed: int) -> list[str]:
    """The questions (keys of ``labels``) in an order whose every beginning holds each label in
    nearly its share; random within a label."""
    ranked, seen, sizes = [], Counter(), Counter(labels.values())
    lots = {name: hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest() for name in labels}
    for question in sorted(labels, key=lots.get):
        label = labels[question]
        ranked.append(((seen[label] + 0.5) / sizes[label], lots[question], question))
        seen[label] += 1
    return [question for *_, question in sorted(ranked)]


# ---- overlap
def overlap(train_rows: list[dict], other_rows: Sequence[dict], n: int = 8) -> dict:
    """Did training see the questions that another set asks?

    Returns ``duplicates`` (other rows whose prompt is a training prompt, case, punctuation and
    spaces aside), ``shared_share`` (share of other rows with ``n`` consecutive words of some
    training prompt) and ``ids`` (of either). Words that open or end every training prompt, such as
    a fixed instruction, do not count: they would make any two rows of one task alike."""
    return overlap_with(train_rows, n)(other_rows)


def overlap_with(train_rows: list[dict], n: int = 8) -> Callable[[Sequence[dict]], dict]:
    """``overlap`` with these rows, as a function of the other ones: they are read once."""
    prompts = [prompt_words(row) for row in train_rows]
    opening, ending = [], []
    if len(prompts) > 1:
        opening = list(commonprefix(prompts))
        endings = [words[len(opening) :][::-1] for words in prompts]
        ending = list(commonprefix(endings))[::-1]
    known, sequences = {question_of(row) for row in train_rows}, set()
    for words in prompts:
        sequences |= grams(without(words, opening, ending), n)

    def compare(other_rows: Sequence[dict]) -> dict:
        same, shared, ids = 0, 0, []
        for row in other_rows:
            words = prompt_words(row)
            is_same = question_of(row) in known
            is_shared = not sequences.isdisjoint(grams(without(words, opening, ending), n))
            same += is_same
            shared += is_shared
            if is_same or is_shared:
                ids.append(row["id"])
        share = shared / max(len(other_rows), 1)
        return {"duplicates": same, "shared_share": share, "ids": ids}

    return compare


def without(words: list[str], opening: list[str], ending: list[str]) -> list[str]:
    """Words less a fixed opening and a fixed ending, where they are there."""
    if words[: len(opening)] == opening:
        words = words[len(opening) :]
    if ending and words[-len(ending) :] == ending:
        words = words[: -len(ending)]
    return words


def grams(words: list[str], n: int) -> set[tuple[str, ...]]:
    """All sequences of ``n`` consecutive words."""
    return {tuple(words[start : start + n]) for start in range(len(words) - n + 1)}
