"""Make every copy of the lessons from `notebooks/src/NN_name.py`, and the table of lessons in both
READMEs.

    notebooks/NN_name.ipynb             to read: solutions in place, outputs of a full run
    notebooks/student/NN_name.ipynb     to work in: exercises open, no outputs
    notebooks/instructor/NN_name.ipynb  to teach with: solutions and notes for the class, no outputs

python ci/build_notebooks.py            text and code anew; outputs stay where the code is unchanged
    --execute           take the outputs of the last full run from build/lessons/
    --execute FOLDER    those of another run; of one in fast mode only where there is no other
    --check             change nothing; exit 1 if a copy is missing, stale or left over
    --repo owner/name   lead all links to another repository; needs no package and touches no text
    --branch main       and to this branch of it
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `ci` and `sdft_lib`

from ci import bootstrap
from ci.lessons import audiences, overview
from ci.lessons.outputs import run_exercises, with_outputs
from ci.lessons.sources import NOTEBOOKS, code_sha256, lesson_sources, stamp, text_of, to_notebook

EXECUTED = bootstrap.ROOT / "build" / "lessons"
PLACES = ("", "student", "instructor")
FAST = (
    "\n\n**The outputs below are those of fast mode**, on few rows: a full run of this lesson has "
    "not been recorded yet. Recorded results that it shows are whole; from its own numbers nothing "
    "can be concluded."
)


def reading_copy(source: Path, executed_folder: Path | None, *, run: bool = True):
    """(notebook, complaint): the copy of one lesson, with outputs from a run, else those it already
    has.

    Exercises that the run does not hold are run now, or with ``run`` off complained about.
    """
    import nbformat

    notebook = audiences.for_readers(to_notebook(source))
    place = (executed_folder or NOTEBOOKS) / f"{source.stem}.ipynb"
    if not place.exists():
        return notebook, f"{place} is missing: run ci/run_tutorial.py"
    executed = nbformat.read(place, as_version=4)
    record = executed.metadata.get("sdft", {})
    if record.get("mode") not in ("default", "fast"):
        return notebook, f"{place} does not come from a complete run: run ci/run_tutorial.py"
    if record["mode"] == "fast":
        if executed_folder and recorded_mode(NOTEBOOKS / f"{source.stem}.ipynb") == "default":
            complaint = "comes from a fast run, and the copy from a full one, which stays"
            return notebook, f"{place} {complaint}"
        notebook.cells[0].source += FAST
    if not record.get("code_sha256") == code_sha256(executed) == code_sha256(notebook):
        complaint = f"ran other code than {source.name} holds now: run ci/run_tutorial.py"
        return notebook, f"{place} {complaint}"
    try:
        return with_outputs(notebook, executed), ""
    except KeyError:
        if not run:
            return notebook, f"{place} lacks outputs of exercises: run ci/build_notebooks.py"
    return with_outputs(notebook, run_exercises(notebook, executed)), ""


def recorded_mode(copy: Path) -> str | None:
    """The mode of the run whose outputs a reading copy holds."""
    import nbformat

    if not copy.exists():
        return None
    return nbformat.read(copy, as_version=4).metadata.get("sdft", {}).get("mode")


def other_copies(source: Path) -> dict[Path, str]:
    """The student's and the instructor's copy of one lesson; unpaired marks end the program."""
    try:
        student = audiences.for_students(to_notebook(source, "student"))
    except ValueError as error:
        bootstrap.stop(f"{source.name}: {error}; each {audiences.BEGIN} needs its {audiences.END}.")
    instructor = audiences.graded(to_notebook(source, "instructor", notes=True))
    copies = {"student": student, "instructor": instructor}
    return {NOTEBOOKS / place / f"{source.stem}.ipynb": text_of(copies[place]) for place in copies}


def unexecuted() -> dict[Path, str]:
    """Every made file that holds no outputs, with the text it should have."""
    files = overview.pages()
    for source in lesson_sources():
        files |= other_copies(source)
    return files


def left_over() -> list[Path]:
    """Copies without a source."""
    names = {source.stem for source in lesson_sources()}
    copies = [path for place in PLACES for path in sorted((NOTEBOOKS / place).glob("*.ipynb"))]
    return [path for path in copies if path.stem not in names]


def check() -> list[str]:
    """What is wrong with the committed copies, one sentence each."""
    wrong = [f"{shown(copy)} has no source in notebooks/src: delete it." for copy in left_over()]
    for source in lesson_sources():
        notebook, complaint = reading_copy(source, None, run=False)
        if complaint:
            wrong.append(f"{complaint} and then ci/build_notebooks.py --execute.")
        elif differs(NOTEBOOKS / f"{source.stem}.ipynb", text_of(notebook)):
            wrong.append(f"{source.stem}.ipynb differs from its source: run ci/build_notebooks.py.")
    for path, text in unexecuted().items():
        if differs(path, text):
            wrong.append(f"{shown(path)} differs from its source: run ci/build_notebooks.py.")
    return wrong


def differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_bytes() != text.encode()


def shown(path: Path) -> str:
    """A path as seen from `notebooks/`, or the file's name alone."""
    return path.relative_to(NOTEBOOKS).as_posix() if path.is_relative_to(NOTEBOOKS) else path.name


def build(executed_folder: Path | None) -> list[str]:
    """Write every copy; the complaints. A reading copy with a complaint stays as it was."""
    complaints = []
    for source in lesson_sources():
        notebook, complaint = reading_copy(source, executed_folder)
        copy = NOTEBOOKS / f"{source.stem}.ipynb"
        if complaint:
            complaints.append(f"{complaint}.")
        else:
            write(copy, text_of(notebook))
    for path, text in unexecuted().items():
        write(path, text)
    return complaints


def write(path: Path, text: str) -> None:
    """Write a file where its text changed."""
    if differs(path, text):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="only compare; exit 1 if one is stale")
    run = choice.add_argument("--execute", nargs="?", const=EXECUTED, type=Path, metavar="FOLDER")
    run.help = "take the outputs of a run, by default from build/lessons"
    choice.add_argument("--repo", metavar="owner/name", help="the repository that all links open")
    parser.add_argument("--branch", default="main", help="the branch of --repo; default: main")
    options = parser.parse_args()
    if options.repo:
        return lead_to(options.repo, options.branch)
    bootstrap.ensure_venv()
    complaints = check() if options.check else build(options.execute)
    done = f"Three copies of {len(lesson_sources())} lessons are fresh."
    print("\n".join(complaints) or done)
    return 1 if complaints else 0


def lead_to(slug: str, branch: str) -> int:
    """Lead all links to a repository on GitHub, as its first push does; 0, the exit code."""
    stamp(slug, branch)
    for path, text in overview.pages().items():
        write(path, text)
    print(f"All badges, links and setup cells lead to {slug}, branch {branch}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
