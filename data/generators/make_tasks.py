"""Write the bundled tasks, or check that the committed files are what the generators make.

    python data/generators/make_tasks.py            the files of each task: rows, units, task.json
    python data/generators/make_tasks.py --check    write nothing; exit code 1 if a file differs

Plain standard library. The cards (README.md) are written by hand; only their checksums are filled
in here."""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import calls
import sums
import tickets

TASKS = Path(__file__).resolve().parents[1] / "tasks"
SPLITS = ("train", "dev", "test")
MEASURED = ("dev", "test")  # splits whose rows are scored
GENERATORS = {
    "tickets": (tickets, "label", list(tickets.TEAMS)),
    "sums": (sums, "math", None),
    "calls": (calls, "call", None),
}
GAP = re.compile(r"\{\w+\}")  # what a generator fills in
CHECKSUMS = re.compile(r"(?<=<!-- checksums:begin -->\n).*?(?=<!-- checksums:end -->)", re.DOTALL)


def files(name: str) -> dict[str, str]:
    """Return file name -> text for one task: three JSONL files, units.json and task.json."""
    module, kind, choices = GENERATORS[name]
    rows = {split: module.rows(split) for split in SPLITS}
    made = {f"{split}.jsonl": _jsonl(rows[split]) for split in SPLITS}
    units = {}
    for split in MEASURED:
        units |= units_of(rows[split], split, module.scenarios(split))
    made["units.json"] = json.dumps(units, indent=0) + "\n"
    record = {
        "name": name,
        "kind": kind,
        "choices": choices,
        "instruction": module.INSTRUCTION,
        "licence": "CC BY 4.0",
        "source": f"written for this project; data/generators/{name}.py",
        "sha256": {
            split: hashlib.sha256(made[f"{split}.jsonl"].encode()).hexdigest() for split in SPLITS
        },
        "rows": {split: len(rows[split]) for split in SPLITS},
        "units": hashlib.sha256(made["units.json"].encode()).hexdigest(),
    }
    made["task.json"] = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    card = TASKS / name / "README.md"
    if card.exists():
        made["README.md"] = CHECKSUMS.sub(_table(record), card.read_text(encoding="utf-8"))
    return made


def units_of(rows: list[dict], split: str, scenarios: dict[str, str]) -> dict[str, str]:
    """Return row id -> scenario: rows of one scenario are not independent of each other.

    A row belongs to the one scenario whose text, with words or numbers in its gaps, it holds.
    """
    patterns = {}
    for name, text in scenarios.items():
        fixed = [re.escape(part) for part in GAP.split(text)]
        patterns[f"{split} {name}"] = re.compile(r"[\w ]+".join(fixed))
    units = {}
    for row in rows:
        prompt = row["messages"][-1]["content"]
        (units[row["id"]],) = [name for name, one in patterns.items() if one.search(prompt)]
    return units


def _jsonl(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _table(record: dict) -> str:
    lines = [
        f"| {split} | {record['rows'][split]} | `{record['sha256'][split]}` |" for split in SPLITS
    ]
    lines.append(f"| units | | `{record['units']}` |")
    return "\n".join(["| split | rows | sha256 of the file |", "|---|---|---|", *lines]) + "\n"


def differing(name: str) -> list[Path]:
    """Return the files of the task that are missing or differ from what its generator makes."""
    made = {TASKS / name / file: text.encode() for file, text in files(name).items()}
    return [path for path, data in made.items() if not path.exists() or path.read_bytes() != data]


def main(arguments: list[str] | None = None) -> int:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file differs"
    )
    check = parser.parse_args(arguments).check
    changed = [path for name in GENERATORS for path in differing(name)]
    for path in changed:
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(TASKS.parents[1])}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files(path.parent.name)[path.name].encode())
    if not changed:
        print("data/tasks: all files are what the generators make")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
