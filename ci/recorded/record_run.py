"""Record the last full run: its summary into data/results/, its figure and its table into the
README.

python3 -m ci.recorded.record_run           copy build/summary.json and rebuild figure and table from it
python3 -m ci.recorded.record_run --check   change nothing; exit 1 if the README's table does not follow from the recorded run
"""

import argparse
import json
import subprocess
import sys
import time

from ci import bootstrap

ROOT = bootstrap.ROOT
RECORD = ROOT / "data" / "results" / "default_run.json"
FIGURE = ROOT / "data" / "results" / "scores.png"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
NAMES = {"seed": "seed", "sft": "SFT", "sdft": "SDFT"}


def cell(rows: list[dict], suite: str, method: str) -> str:
    """One score with its interval, two digits."""
    row = next(row for row in rows if (row["suite"], row["method"]) == (suite, method))
    return f"{row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def alt_text(record: dict) -> str:
    """The figure in words."""
    suites = list(dict.fromkeys(row["suite"] for row in record["scores"]))
    parts = [
        f"{s}: " + ", ".join(f"{NAMES[m]} {cell(record['scores'], s, m)[:4]}" for m in NAMES)
        for s in suites
    ]
    return "Scores of three models with intervals. " + "; ".join(parts) + "."


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def block(record: dict) -> str:
    """The README's part on results, from the record alone."""
    suites = list(dict.fromkeys(row["suite"] for row in record["scores"]))
    counts = {row["suite"]: row["n"] for row in record["scores"]}
    lines = [
        f"![{alt_text(record)}](data/results/scores.png)",
        "",
        "| suite (items) | seed | SFT | SDFT |",
        "| --- | --- | --- | --- |",
        *(
            f"| {s} ({counts[s]}) | "
            + " | ".join(cell(record["scores"], s, m) for m in NAMES)
            + " |"
            for s in suites
        ),
        "",
        f"Mean score, 95 % interval over items; **one training seed**. {record['keep_rate']:.0%} of the rewrites were "
        f"kept; the gap closed by {record['nll_gap']['low']:.1f} to {record['nll_gap']['high']:.1f} nats a token.",
        "",
        "What was claimed beforehand:",
        "",
        *(
            f"- {'reached' if c['reached'] else '**not reached**'}: {c['claim']} "
            f"({c['low']:.2f} to {c['high']:.2f})"
            for c in record["claims"]
        ),
        "",
        f"Recorded {record['recorded']} at commit `{record['commit']}` on {record['cpu']} in {record['dtype']}, by "
        f"`python3 ci/run_tutorial.py`; the lessons took {sum(row['seconds'] for row in record['lessons']) / 60:.0f} "
        "minutes.",
    ]
    return "\n".join(lines)


def readme_with(record: dict) -> str:
    """The README's text with the results block of a record."""
    return readme_between(BEGIN, END, block(record))


def readme_between(begin: str, end: str, text: str, readme: str = "") -> str:
    """The README, or the text given for it, with ``text`` between two marks in place of what stood
    there.
    """
    before, rest = (readme or (ROOT / "README.md").read_text(encoding="utf-8")).split(begin)
    return f"{before}{begin}\n{text}{chr(10) if text else ''}{end}{rest.split(end)[1]}"


def when_and_where() -> dict:
    """Today, and the commit that is checked out."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return {"recorded": time.strftime("%Y-%m-%d"), "commit": head.stdout.strip()}


def record_run() -> None:
    """Copy the summary, note when and at which commit, draw the figure, rebuild the README's
    block.
    """
    import pandas

    from sdft_lib.lessons.figures.intervals import scores
    from sdft_lib.lessons.figures.style import save

    summary = json.loads((ROOT / "build" / "summary.json").read_text(encoding="utf-8"))
    if summary["mode"] != "default":
        sys.exit("build/summary.json comes from a fast run; run ci/run_tutorial.py first.")
    record = {**when_and_where(), **summary}
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8", newline="\n")
    save(scores(pandas.DataFrame(record["scores"])), FIGURE)
    (ROOT / "README.md").write_text(readme_with(record), encoding="utf-8", newline="\n")


def only_check(description: str) -> bool:
    """Whether ``--check`` was given; the environment is there afterwards."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args()
    bootstrap.ensure_venv()
    return options.check


def compared(readme: str, same: str, other: str) -> int:
    """Say one of two sentences, by whether the README's text is ``readme``; the exit code."""
    fresh = readme == (ROOT / "README.md").read_text(encoding="utf-8")
    print(same if fresh else other)
    return 0 if fresh else 1


def main() -> int:
    if not only_check(__doc__):
        record_run()
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return compared(
        readme_with(record),
        "The README's results follow from data/results/default_run.json.",
        "README.md: the results differ from data/results/default_run.json: run ci/recorded/record_run.py.",
    )


if __name__ == "__main__":
    sys.exit(main())
