"""Run the tutorial: install what is missing, fetch the models, execute every lesson, write the
report.

    python3 ci/run_tutorial.py               all lessons, into build/lessons/ and build/report.html
    python3 ci/run_tutorial.py --fast        the same cells and model on few rows
    python3 ci/run_tutorial.py --lesson 02   one lesson; the report stays as it is

Standard library only until the packages are installed (bootstrap.py).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `ci` and `sdft_lib`

from ci import bootstrap
from ci.bootstrap import say, stop

TIMEOUT = 3600  # seconds that one cell may take
# A kernel's warnings are not the reader's.
QUIET = "c = get_config()\nc.IPKernelApp.log_level = 50\n"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = bootstrap.command_line(__doc__)
    parser.add_argument("--fast", action="store_true", help="few rows: minutes, not an hour")
    parser.add_argument("--lesson", metavar="NN", help="run one lesson, by its number")
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder (default: build)")
    # another folder of lessons, for tests
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def chosen(folder: Path, number: str | None) -> list[Path]:
    """The sources to run, in order; an unknown number ends the program and lists the known."""
    from ci.lessons.sources import lesson_sources

    sources = lesson_sources(folder)
    numbers = [source.stem[:2] for source in sources]
    if not sources:
        stop(f"{folder} holds no lessons.")
    if number is None:
        return sources
    if number.zfill(2) not in numbers:
        stop(f"There is no lesson {number}; choose one of {', '.join(numbers)}.")
    return [sources[numbers.index(number.zfill(2))]]


def prepare(out: Path) -> None:
    """Folders and environment of the kernels: offline, no widgets, no settings of the user."""
    work = out / "work"
    profile = work / "ipython" / "profile_default"
    try:
        for folder in (profile, out / "lessons"):
            folder.mkdir(parents=True, exist_ok=True)
        (profile / "ipython_kernel_config.py").write_text(QUIET)
    except OSError as error:
        reason = f"cannot be made ({error.strerror})"
        stop(f"{error.filename}: {reason}; choose another folder with --out.")
    os.environ.update(
        SDFT_WIDGETS="0",
        TOKENIZERS_PARALLELISM="false",
        JUPYTER_PREFER_ENV_PATH="1",
        JUPYTER_DATA_DIR=str(work / "jupyter"),
        JUPYTER_CONFIG_DIR=str(work / "jupyter"),
        IPYTHONDIR=str(work / "ipython"),
        PYDEVD_DISABLE_FILE_VALIDATION="1",
    )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


def check_parameters(notebook, source: Path, parameters: dict) -> None:
    """End for a name that is not defined: papermill would only warn and run the wrong mode."""
    import papermill

    unknown = set(parameters) - set(papermill.inspect_notebook(notebook))
    if unknown:
        names = ", ".join(sorted(unknown))
        stop(f"{source.name}: the cell tagged `parameters` does not define {names}.")


def run_lesson(source: Path, out: Path, parameters: dict, progress) -> dict:
    """Execute one lesson; write NN_name.ipynb and .html; return {name, seconds, peak_mb,
    from_cache}.

    A lesson counts as from the cache when it made no new artefact. Raises what papermill raises;
    the notebook as far as it came is then on disk."""
    import papermill

    from ci.lessons import measure
    from ci.lessons.sources import to_notebook

    notebook = to_notebook(source)
    check_parameters(notebook, source, parameters)
    progress.start(source.stem, notebook)
    target = out / "lessons" / f"{source.stem}.ipynb"
    target.with_suffix(".html").unlink(missing_ok=True)
    before, start = measure.artefacts(), time.monotonic()
    with measure.PeakMemory() as memory:
        executed = papermill.execute_notebook(
            notebook,
            str(target),
            parameters=parameters,
            kernel_name="python3",
            cwd=str(out / "work"),
            progress_bar=False,
            execution_timeout=TIMEOUT,
            on_cell_start=progress.cell,
            stdout_file=progress,
        )
    record = {
        "name": source.stem,
        "seconds": round(time.monotonic() - start, 1),
        "peak_mb": memory.megabytes,
        "from_cache": measure.artefacts() == before,
    }
    measure.write_executed(executed, target, record, fast=parameters["fast"])
    return record


def run_all(sources: list[Path], out: Path, parameters: dict) -> list[dict]:
    """Run the lessons in order; the first failure ends the program with its cell and last lines."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillExecutionError

    from ci.lessons.progress import Progress

    names, mode = [source.stem for source in sources], "fast" if parameters["fast"] else "default"
    progress = Progress(out / "times.json", mode, names)
    records = []
    for source in sources:
        try:
            records.append(run_lesson(source, out, parameters, progress))
        except PapermillExecutionError as error:
            say("\n".join(str(error).rstrip().splitlines()[-12:]))
            reason = f"a cell raised {error.ename}"
        except CellTimeoutError:
            reason = f"a cell took longer than {TIMEOUT // 60} minutes"
        except DeadKernelError:
            reason = "its Python process died, most often for want of memory"
        else:
            progress.done(records[-1])
            continue
        stop(
            f"Lesson {source.stem} failed in {progress.step}: {reason}. "
            f"As far as it came: {out / 'lessons' / (source.stem + '.ipynb')}"
        )
    return records


def tutorial(
    out: Path, *, fast: bool, lesson: str | None = None, folder: Path | None = None
) -> list[dict]:
    """Fetch the models, run the lessons, write summary.json and report.html (not for one)."""
    from ci.lessons.sources import SOURCES
    from sdft_lib import models

    prepare(out)
    sources = chosen(folder or SOURCES, lesson)
    for name in ("smollm2-135m", "minilm"):
        models.fetch(name)
    records = run_all(sources, out, {"fast": fast})
    if lesson is None:
        from sdft_lib.lessons import report

        report.write(out, fast=fast, lessons=records)
        say(f"Report: {out / 'report.html'}")
    return records


def main() -> int:
    options = parse()
    options.out = options.out.absolute()
    bootstrap.ensure_venv()
    sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character shows a ?
    from sdft_lib.storage.errors import SdftError

    try:
        records = tutorial(
            options.out, fast=options.fast, lesson=options.lesson, folder=options.source
        )
    except SdftError as error:
        say(str(error))
        return 2
    say(f"{len(records)} of {len(records)} lessons ran. You find them in {options.out / 'lessons'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(
            "\nStopped. What was finished is kept: the next start goes on from there.",
            file=sys.stderr,
        )
        sys.exit(130)
