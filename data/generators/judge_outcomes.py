"""Measure how far the judge of three outcomes can be trusted: answers to label, and the labels put
together (lesson 06).

    python data/generators/judge_outcomes.py answer FOLDER [NAME=ADAPTER ...]  writes answers.jsonl
    python data/generators/judge_outcomes.py sample FOLDER   writes first and second sheet, and key
    python data/generators/judge_outcomes.py merge FOLDER    reads first.txt and second.txt as well

The answers are those of the default model, and of it with each of the adapters (several joined by
"," are merged one after the other), to every third or fourth request. Keep FOLDER outside the
project, and remove it afterwards: it holds answers to harmful requests. A reader sees a sheet
alone, without verdicts and models, and writes one line a row, "number class", the class being r, c
or n. Of what is merged, only refusals and answers to harmless requests keep their text."""

import random
import sys
from pathlib import Path

from sdft_lib.answers.outcome import LEAST_WORDS, outcome, words_of
from sdft_lib.lessons.agreement import agreement, by_class
from sdft_lib.storage.files import read_jsonl, write_jsonl

OUT = Path(__file__).parent.parent / "results" / "outcome_labels.jsonl"
CARD = OUT.parent / "README.md"
MARKS = (
    "<!-- outcome labels: written by data/generators/judge_outcomes.py -->\n",
    "<!-- end of outcome labels -->\n",
)
EVERY = {"safety": 3, "benign": 4}
MOST = 70  # answers of each verdict that are labelled
CLASSES = {"r": "refused", "c": "complied", "n": "neither"}
READINGS = ("first", "second")


def answer(folder: Path, adapters: list[str]) -> None:
    """All answers of the pool with the judge's verdict."""
    from sdft_lib.data import load_probes
    from sdft_lib.generation import Decoding, generate
    from sdft_lib.models import load_seed, with_adapter

    folder.mkdir(parents=True, exist_ok=True)
    seed, rows = load_seed(), []
    for turn, named in enumerate(["seed=", *adapters]):
        (name, _, paths), model = named.partition("="), seed
        for path in filter(None, paths.split(",")):
            model = with_adapter(model, Path(path), label=name)
        for suite, step in EVERY.items():
            items = load_probes(suite).rows[turn % 2 :: step]
            prompts, names = [item["messages"] for item in items], [item["id"] for item in items]
            answers = generate(model, prompts, Decoding(max_new_tokens=40), names=names)
            for item, each in zip(items, answers, strict=True):
                row = {"id": item["id"], "suite": suite, "model": name, "text": each.text.strip()}
                request = item["messages"][-1]["content"]
                rows.append(row | {"request": request, "verdict": outcome(request, row["text"])})
    write_jsonl(folder / "answers.jsonl", rows)


def sample(folder: Path) -> None:
    """Up to MOST answers of each verdict, in one order for each reading.

    Answers of fewer than five words are left out: by the rule they are neither, without a doubt."""
    source, chosen = random.Random(0), []
    pool = read_jsonl(folder / "answers.jsonl")
    pool = [row for row in pool if len(words_of(row["text"])) >= LEAST_WORDS]
    for verdict in CLASSES.values():
        stratum = [row for row in pool if row["verdict"] == verdict]
        some = source.sample(stratum, min(MOST, len(stratum)))
        chosen += [row | {"weight": len(stratum) / len(some)} for row in some]
        print(f"{verdict}: {len(stratum)} answers, {len(some)} to label")
    source.shuffle(chosen)
    write_jsonl(folder / "key.jsonl", chosen)
    for reading in READINGS:
        numbers = source.sample(range(len(chosen)), len(chosen))
        lines = []
        for number in numbers:
            row = chosen[number]
            lines.append(f"{number}\t{row['request']}\t{' '.join(row['text'].split())}\n")
        (folder / f"{reading}-sheet.tsv").write_text("".join(lines), encoding="utf-8")


def labels(path: Path) -> dict[int, str]:
    """Class by number."""
    pairs = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {int(number): CLASSES[letter] for number, letter in pairs}


def merge(folder: Path) -> None:
    """Join both readings with the key; write the public file, and what it says into its card."""
    first, second = (labels(folder / f"{reading}.txt") for reading in READINGS)
    rows = []
    for number, row in enumerate(read_jsonl(folder / "key.jsonl")):
        said = {"first": first[number], "second": second[number]}
        made = {"id": f"{row['id']}/{row['model']}", "suite": row["suite"], "model": row["model"]}
        made |= {"verdict": row["verdict"], **said, "weight": row["weight"]}
        made |= {"characters": len(row["text"])}
        refused = {row["verdict"], *said.values()} == {"refused"}
        rows.append(made | ({"text": row["text"]} if refused or row["suite"] == "benign" else {}))
    rows.sort(key=lambda row: row["id"])
    write_jsonl(OUT, rows)
    text = CARD.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    CARD.write_text(f"{before}{MARKS[0]}{table(rows)}{MARKS[1]}{after}", encoding="utf-8")


def table(rows: list[dict]) -> str:
    """What the labels say, for the card (Markdown)."""
    steady = agreement(rows)
    head = f"{steady['n']} answers; both readings agree on {steady['equal']:.2f} (kappa "
    lines = [f"{head}{steady['kappa']:.2f}). Held against the first reading:", ""]
    lines += ["| outcome | called so | labelled so | precision | recall, weighted | missed as |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for row in by_class(rows).reset_index().to_dict("records"):
        lines.append(f"| {' | '.join(map(str, row.values()))} |")
    return "\n".join(["", *lines, ""])


if __name__ == "__main__":
    command, folder, *adapters = sys.argv[1:]
    if command == "answer":
        answer(Path(folder), adapters)
    else:
        {"sample": sample, "merge": merge}[command](Path(folder))
