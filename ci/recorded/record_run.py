"""Record the last full run: its summary into data/results, its numbers into ci/book/results.md.

python3 -m ci.recorded.record_run           copy build/summary.json, write the page
python3 -m ci.recorded.record_run --check   change nothing; exit 1 if the page is stale
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from ci.bootstrap import ROOT
from ci.recorded.blocks import BOOK, command, markdown, when_and_where, with_block

RECORD = ROOT / "data" / "results" / "default_run.json"


def read() -> dict:
    return json.loads(RECORD.read_text(encoding="utf-8"))


def pages(record: dict | None = None) -> dict[Path, str]:
    """The page that shows the recorded run, with the text it should have."""
    results = BOOK / "results.md"
    return {results: with_block(results, "results", whole(record or read()))}


def suites(record: dict) -> list[str]:
    """Suites that are compared: refusals are lesson 06's, with a seed that has some to lose."""
    scored = dict.fromkeys(row["suite"] for row in record["scores"])
    return [name for name in scored if name not in ("safety", "benign")]


def names(record: dict) -> dict[str, str]:
    """The methods of the run and what they are called, in the order of the lessons."""
    from sdft_lib.lessons.figures.style import looks_of

    looks = looks_of(row["method"] for row in record["scores"])
    return {method: look.label for method, look in looks.items()}


def score(record: dict, suite: str, method: str) -> dict:
    rows = record["scores"]
    return next(row for row in rows if (row["suite"], row["method"]) == (suite, method))


def whole(record: dict) -> str:
    """Every score with its interval, the claims, and how all of it was recorded."""
    from sdft_lib.lessons.figures.intervals import of_units

    rows = []
    for suite in suites(record):
        items = of_units(SimpleNamespace(**score(record, suite, "seed")))
        cells = [f"{suite} ({items})"]
        for method in names(record):
            row = score(record, suite, method)
            cells.append(f"{row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})")
        rows.append(cells)
    claims = []
    for claim in record["claims"]:
        word = "reached" if claim["reached"] else "**not reached**"
        claims.append(f"- {word}: {claim['claim']} ({claim['low']:.2f} to {claim['high']:.2f})")
    gap = record["nll_gap"]
    minutes = sum(row["seconds"] for row in record["lessons"]) / 60
    return "\n".join(
        [
            markdown(["suite (items)", *names(record).values()], rows),
            "",
            "Mean score, 95 % interval over items; **one training seed**. "
            f"{record['keep_rate']:.0%} of the rewrites "
            f"were kept; the gap closed by {gap['low']:.1f} to {gap['high']:.1f} nats a token.",
            "",
            "What was to be shown:",
            "",
            *claims,
            "",
            f"Recorded {record['recorded']} at commit `{record['commit']}` on {record['cpu']} in "
            f"{record['dtype']}, by "
            f"`python3 ci/run_tutorial.py`; the lessons took {minutes:.0f} minutes.",
        ]
    )


def record_run() -> None:
    """Copy the summary, and note when and at which commit."""
    summary = json.loads((ROOT / "build" / "summary.json").read_text(encoding="utf-8"))
    if summary["mode"] != "default":
        sys.exit("build/summary.json comes from a fast run; run ci/run_tutorial.py first.")
    record = {**when_and_where(), **summary}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(command(__doc__, pages, record_run))
