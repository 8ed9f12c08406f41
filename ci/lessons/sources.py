"""A lesson's source `notebooks/src/NN_name.py` as a notebook, and the hash of its code."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

from ci import bootstrap
from ci.lessons import quizzes
from ci.lessons.setup_cell import setup_cell

NOTEBOOKS = bootstrap.ROOT / "notebooks"
SOURCES = NOTEBOOKS / "src"
REPOSITORY = bootstrap.ROOT / "ci" / "repository.toml"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
INSTRUCTOR = "instructor"  # the tag of a cell that only instructors get
# Imports of the modules that show what lies in data/results.
READS_RESULTS = re.compile(r"sdft_lib\.(experiments(\.| import )recorded|lessons\.agreement)")
COLAB = "https://colab.research.google.com"


def lesson_sources(folder: Path = SOURCES) -> list[Path]:
    """The lessons in order: files named NN_name.py."""
    return sorted(path for path in folder.glob("*.py") if re.fullmatch(r"\d\d_\w+", path.stem))


def to_notebook(source: Path, place: str = "", *, notes: bool = False):
    """A source as a notebook without outputs: ids c00, c01, ..., tags kept, kernel python3, quizzes
    filled in, and the cell that sets Colab up after the header.

    ``place`` is the folder of the copy inside `notebooks/` ("", "student" or "instructor"), which
    its badge and its relative links follow. Cells for the instructor are left out unless ``notes``.
    """
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = type(notebook.metadata)(
        kernelspec=dict(KERNEL), language_info={"name": "python"}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = f"c{index:02d}"
        tags = cell.metadata.get("tags")
        cell.metadata = type(cell.metadata)({"tags": list(tags)} if tags else {})
    notebook.cells = [cell for cell in notebook.cells if notes or INSTRUCTOR not in tags_of(cell)]
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            text = with_badge(cell.source, source.stem, place) if index == 0 else cell.source
            cell.source = relinked(quizzes.fill_in(text), place)
    notebook.cells.insert(1, setup_cell(repository()[0], release()))
    return notebook


def tags_of(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def code_sha256(notebook) -> str:
    """Hash of the lesson's own code: no cells that papermill or we add, and no exercises."""
    code = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
        and not is_injected(cell)
        and not is_setup(cell)
        and not is_exercise(cell)
    ]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def results_sha256(notebook) -> str:
    """Hash of the recorded results, for a lesson that shows some of them; else empty."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    if not READS_RESULTS.search(code):
        return ""
    files = sorted((bootstrap.ROOT / "data" / "results").glob("*.jsonl"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def is_exercise(cell) -> bool:
    """Cells that stand on their own at the end of a lesson: an exercise, or the check of one."""
    return bool({"exercise", "check"} & set(tags_of(cell)))


def is_injected(cell) -> bool:
    return "injected-parameters" in tags_of(cell)


def is_setup(cell) -> bool:
    """The cell that sets Colab up and says nothing anywhere else."""
    return "setup" in tags_of(cell)


def text_of(notebook) -> str:
    """The notebook as the bytes that are committed."""
    import nbformat

    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def repository() -> tuple[str, str]:
    """(owner/name, branch) that badges point to; they stand in ci/repository.toml alone."""
    found = tomllib.loads(REPOSITORY.read_text(encoding="utf-8"))
    return found["slug"], found["branch"]


def release() -> str:
    """The tag of the release that Colab installs."""
    return tomllib.loads(REPOSITORY.read_text(encoding="utf-8"))["tag"]


def stamp(slug: str) -> None:
    """Write another owner/name into ci/repository.toml; anything else ends the program."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", slug):
        bootstrap.stop(f"{slug!r} is not the name of a repository; write owner/name.")
    text = REPOSITORY.read_text(encoding="utf-8")
    text = re.sub(r'^slug = ".*"$', f'slug = "{slug}"', text, flags=re.M)
    REPOSITORY.write_text(text, encoding="utf-8", newline="\n")


def badge(name: str, place: str = "") -> str:
    """The Markdown of the Colab badge of one copy: it opens that copy."""
    slug, branch = repository()
    path = "/".join(part for part in ("notebooks", place, f"{name}.ipynb") if part)
    return (
        "[![Open this lesson in "
        f"Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{slug}/blob/{branch}/{path})"
    )


def with_badge(text: str, name: str, place: str) -> str:
    """The header cell with the badge below its title."""
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{badge(name, place)}\n{rest}"


def relinked(text: str, place: str) -> str:
    """Relative links, written for `notebooks/`, as seen from a folder inside it."""
    if not place:
        return text
    lesson = re.compile(r"\d\d_\w+\.ipynb(#.*)?")

    def turn(found: re.Match) -> str:
        target = found.group(2)
        outside = re.match(r"[a-z]+:|#|/", target) or lesson.fullmatch(target)
        return found.group(0) if outside else f"{found.group(1)}../{target})"

    return re.sub(r"(\]\()([^)\s]+)\)", turn, text)
