"""Record the last bench: its rows into data/results/bench-FORMAT.json, what all records say into
ci/book/speed.md.

    python3 -m ci.bench.record            copy build/bench/bench.json and rebuild the page's block
    python3 -m ci.bench.record --faults   the same for build/bench/faults.json, the 50 kills

FORMAT is what the machine writes answers in, fp32 or bf16: what can be gained depends on it more
than on anything else. A quick run, and kills that lost anything, are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ci.bench.block import STEPS, block
from ci.bootstrap import ROOT, ensure_venv
from ci.recorded.blocks import BOOK, when_and_where, with_block

RESULTS, WORK = ROOT / "data" / "results", ROOT / "build" / "bench"
KILLS = 50


def records() -> list[dict]:
    """What was recorded, a machine each; none on a fresh start."""
    return [read(path) for path in sorted(RESULTS.glob("bench-*.json"))]


def killed() -> dict | None:
    """The recorded kills, if there are any."""
    path = RESULTS / "faults.json"
    return read(path) if path.exists() else None


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, record: dict) -> None:
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def pages(recorded: list[dict] | None = None) -> dict[Path, str]:
    """The page that shows the records, with the text it should have."""
    page = BOOK / "speed.md"
    text = block(records() if recorded is None else recorded, killed())
    return {page: with_block(page, "bench", text)}


def bench_record(work: Path) -> dict:
    """The last bench with when and where, and its minutes if whole. Exits if it was quick."""
    from sdft_lib.lessons.report import cpu_name
    from sdft_lib.storage.devices import choose_dtype

    took = read(work / "wall.json") if (work / "wall.json").exists() else {}
    if took.get("quick"):
        sys.exit("build/bench/bench.json comes from a quick run; run ci/bench/run.py first.")
    facts = when_and_where() | {"cpu": cpu_name(), "dtype": choose_dtype("cpu")}
    if took.get("whole"):
        facts["minutes"] = round(took["minutes"], 1)
    return facts | {"rows": read(work / "bench.json")}


def faults_record(work: Path) -> dict:
    """The last kills with when and where. Exits if anything was lost or a kill is missing."""
    from sdft_lib.lessons.report import cpu_name
    from sdft_lib.storage.store import run_facts

    killed = read(work / "faults.json")
    if reason := trouble(killed):
        sys.exit(f"build/bench/faults.json: {reason}, so it is not recorded.")
    facts = {"cpu": cpu_name()} | {key: run_facts()[key] for key in ("python", "versions")}
    return {**when_and_where(), **facts, **killed}


def trouble(record: dict) -> str | None:
    """Why kills cannot be recorded as survived; None if they can."""
    steps = record["steps"]
    if record["quick"] or [step["step"] for step in steps] != list(STEPS):
        return "this is a quick or a partial run"
    if (count := sum(step["kills"] for step in steps)) < KILLS:
        return f"{count} kills are fewer than {KILLS}"
    for step in steps:
        if step["different"] or step["rows_lost"] or not step["compared"]:
            lost = f"{step['step']} lost {step['rows_lost']} rows"
            return f"{lost}, and {step['different']} files are different"
    return None


def main(arguments: list[str]) -> None:
    if arguments == ["--faults"]:
        write(RESULTS / "faults.json", faults_record(WORK))
    elif arguments:
        sys.exit(__doc__)
    else:
        record = bench_record(WORK)
        write(RESULTS / f"bench-{record['dtype']}.json", record)
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    ensure_venv()
    main(sys.argv[1:])
