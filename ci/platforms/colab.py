"""Every lesson as on Google Colab: its package versions, an empty folder, and the setup cell word
for word.

    python3 ci/run_tests.py --colab   all lessons, fast mode, from a clean machine
    python3 -m ci.platforms.colab 00 03         some of them

Each lesson begins a new session. Its reading copy runs whole; then, as after a restart of that
session, its student copy up to the first open exercise. Models and results are made anew in each
run and shared by the lessons. Everything lies in build/colab/: an environment from
ci/platforms/colab.txt, a
bare clone of this repository that git takes for the one on GitHub, a cache. Colab's Python and
torch are not those of this machine, and there is no GPU: a session on Colab itself shows what this
cannot."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from ci import bootstrap
from ci.bootstrap import ROOT, say
from ci.platforms import colab_place as place

RUN_LIMIT = 3600  # seconds that one cell may take
MAY_GO = {"torchao"}  # what the setup cell may remove; it may change nothing


def run(numbers: list[str] | None = None) -> tuple[int, int]:
    """(passed, failed): the copies of the lessons, and what the setup cell changed."""
    say(
        f"Colab's versions (ci/platforms/colab.txt), but Python {platform.python_version()} and "
        f"torch {version('torch')}."
    )
    before = place.prepare()
    results, wrong = [], []
    for copy in copies(numbers):
        place.new_session(before)
        results += [attempt(copy, kind) for kind in ("reading", "student")]
        wrong += [f"{copy.stem}: {line}" for line in changes(before, place.packages())]
    say("\n".join(wrong) or f"The setup cell changed nothing: {kept(before)}.")
    results.append(not wrong)
    return sum(results), len(results) - sum(results)


def copies(numbers: list[str] | None) -> list[Path]:
    """The reading copies, in order, of the lessons with these numbers (None: of all)."""
    found = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [path for path in found if not numbers or path.stem[:2] in numbers]


def attempt(copy: Path, kind: str) -> bool:
    """Run one copy of a lesson; one line says how it went, and of an error the last lines."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillExecutionError

    start, target = time.monotonic(), place.HOME / "lessons" / f"{copy.stem}-{kind}.ipynb"
    try:
        execute(copy, kind, target)
    except (PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        say("\n".join(str(error).rstrip().splitlines()[-12:]))
        say(f"{copy.stem}, {kind} copy: FAILED; as far as it came: {target.relative_to(ROOT)}")
        return False
    say(f"{copy.stem}, {kind} copy: ran in {time.monotonic() - start:.0f} s")
    return True


def execute(copy: Path, kind: str, target: Path) -> None:
    """Let papermill run a copy, of a student's up to the first exercise, in the empty folder."""
    import nbformat
    import papermill

    from ci.lessons.sources import is_exercise

    notebook = nbformat.read(
        copy if kind == "reading" else copy.parent / "student" / copy.name, as_version=4
    )
    if kind == "student":
        last = next(index for index, cell in enumerate(notebook.cells) if is_exercise(cell))
        notebook.cells = notebook.cells[: last + 1]
    papermill.execute_notebook(
        notebook,
        str(target),
        parameters={"fast": True},
        kernel_name=place.KERNEL,
        cwd=str(place.EMPTY),
        progress_bar=False,
        execution_timeout=RUN_LIMIT,
    )


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What the setup cell should not have done to packages, and what it left undone."""
    wrong = [
        f"{name} was {number} and is {after[name]}"
        for name, number in before.items()
        if name in after and after[name] != number
    ]
    wrong += [f"{name} was removed" for name in before if name not in after and name not in MAY_GO]
    wrong += ["torchao is still there" for name in MAY_GO if name in after]
    return wrong + ([] if "sdft-tutorial" in after else ["sdft-tutorial was not installed"])


def kept(before: dict[str, str]) -> str:
    return ", ".join(f"{name} {before[name]}" for name in ("torch", "numpy", "ipywidgets"))


def main() -> int:
    bootstrap.ensure_venv()
    passed, failed = run(sys.argv[1:])
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
