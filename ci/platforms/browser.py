"""Every lesson in a real JupyterLab in a real browser, as a reader uses it; and the book.

    python3 ci/run_tests.py --browser          all of it, from a clean machine that has a Chromium
    python3 -m ci.platforms.browser 00 02 --only lab4    some lessons in one environment

Three environments. lab4: the project's own JupyterLab and ipywidgets. lab3: JupyterLab 3.6 with
ipywidgets 7.7.1. plain: JupyterLab without the extension for widgets, where each reading copy must
be whole. Pictures, server logs and the notebooks as they were saved lie in build/browser/. Lessons
run in fast mode and use what the cache holds."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from ci import bootstrap
from ci.bootstrap import ROOT, say
from ci.lessons.sources import reading_copies
from ci.platforms import browser_place as place

PARTS = ("checks", "plain", "lab4", "lab3", "book")
TESTS = {"checks": "tests/ci/platforms/browser", "book": "tests/ci/book/test_book.py"}


def run(numbers: list[str] | None = None, parts: tuple[str, ...] = PARTS) -> tuple[int, int]:
    """(passed, failed): one for each lesson in each environment, and for each of two test files."""
    tools = place.tools()
    results = []
    for part in parts:
        if part in TESTS:
            report, own = place.HOME / "tests.xml", {"SDFT_BROWSER": "1", "PYTHONPATH": str(tools)}
            passed = place.tests_pass(Path(sys.executable), report, TESTS[part], settings=own)
            results.append(passed)
        else:
            results += lessons(part, numbers)
    return sum(results), len(results) - sum(results)


def lessons(part: str, numbers: list[str] | None) -> list[bool]:
    """Each lesson in one environment, one line each, with what is wrong below it."""
    from playwright.sync_api import sync_playwright

    from ci.platforms import browser_lesson
    from sdft_lib.models import fetch

    for model in ("smollm2-135m", "minilm"):
        fetch(model)
    python = Path(sys.executable)
    if part == "lab3":
        python = place.environment(place.HOME / "lab3", place.LAB3, behind=False)
    out, results = place.HOME / part, []
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sdft-") as folder, sync_playwright() as play:
        folder = Path(folder) / "notebooks"
        left_out = shutil.ignore_patterns("src", "__pycache__")
        shutil.copytree(ROOT / "notebooks", folder, ignore=left_out)
        program = place.chromium(play)
        with place.server(python, out / "jupyter", folder, widgets=part != "plain") as server:
            for path in reading_copies(folder, numbers):
                start = time.monotonic()
                report = browser_lesson.attempt(program, server, path, out, runs=part != "plain")
                say(f"{part} {path.stem}: {report.summary()} ({time.monotonic() - start:.0f} s)")
                for line in report.wrong:
                    say(f"   {line}")
                results.append(not report.wrong)
        program.close()
    return results


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    parser.add_argument("numbers", nargs="*", metavar="NN", help="lessons (default: all)")
    only = parser.add_argument("--only", action="append", choices=PARTS)
    only.help = "this part; may be given again"
    options = parser.parse_args()
    bootstrap.ensure_venv()
    passed, failed = run(options.numbers, tuple(options.only or PARTS))
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
