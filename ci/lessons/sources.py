"""A lesson's source `notebooks/src/NN_name.py` as a notebook, and the hash of its code."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from string import ascii_lowercase

from ci import bootstrap

NOTEBOOKS = bootstrap.ROOT / "notebooks"
SOURCES = NOTEBOOKS / "src"
REPOSITORY = bootstrap.ROOT / "ci" / "repository.toml"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
INSTRUCTOR = "instructor"  # the tag of a cell that only instructors get
# The imports that show a file of data/results, by its name; all the others are grids.
SHOWN_BY = {"continual": r"\brecorded_orders\b", "aligned": r"\brecorded_aligned\b"}
SHOWN_BY |= dict.fromkeys(("refusal_labels", "outcome_labels"), r"lessons\.agreement\b")
SHOWN_BY |= dict.fromkeys(("frontier", "frontier-rates"), r"experiments\.registered\b")
GRID_SHOWN_BY = r"import (?:\w+, )*(?:recorded|swept|targets)\b"
SHOWN_BY["tickets"] = rf"{GRID_SHOWN_BY}|\bin_the_recorded_run\b"
for larger in (bootstrap.ROOT / "data" / "recipes" / "larger").glob("*.toml"):
    SHOWN_BY[larger.stem] = re.escape(larger.stem)  # a grid that a lesson names
QUIZZES = bootstrap.ROOT / "data" / "quizzes.toml"
# A Markdown cell holds the line `<!-- quiz: 01 -->` where the quiz with that name is to stand.
QUIZ = re.compile(r"^<!-- quiz: ([\w-]+) -->$", re.M)
# The first code cell of every lesson. What follows its download is `sdft_lib/cli/colab.py`.
CELL = """# On Google Colab this installs the library. Elsewhere it does nothing.
# Faster there: Runtime > Change runtime type > T4 GPU, then run it.
import sys

if "google.colab" in sys.modules:
    import subprocess

    on_drive = False  # True: keep models and results on Google Drive
    repository, branch = "{slug}", "{branch}"
    url = f"git+https://github.com/{{repository}}@{{branch}}"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    if subprocess.run([*pip, url]).returncode:
        sys.exit(
            f"pip could not install {{url}} (its reason stands above): "
            "check the network, and that the line `repository` names "
            "a public repository, then run this cell again."
        )
    from sdft_lib.cli.colab import set_up

    set_up(on_drive)"""
COLAB = "https://colab.research.google.com"
PICTURE = f"![Open this lesson in Colab]({COLAB}/assets/colab-badge.svg)"
BADGE = re.compile(rf"\n\[{re.escape(PICTURE)}\]\([^)]*\)\n")


def lesson_sources(folder: Path = SOURCES) -> list[Path]:
    """The lessons in order: files named NN_name.py."""
    return sorted(path for path in folder.glob("*.py") if re.fullmatch(r"\d\d_\w+", path.stem))


def reading_copies(folder: Path, numbers: list[str] | None) -> list[Path]:
    """The reading copies in a folder, in order, of the lessons with these numbers, or of all."""
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    return [path for path in paths if not numbers or path.stem[:2] in numbers]


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
            cell.source = relinked(with_quiz(text), place)
    notebook.cells.insert(1, setup_cell())
    return notebook


def setup_cell():
    """On Colab it installs this package from the repository's branch, elsewhere it is idle."""
    from nbformat.v4 import new_code_cell

    return new_code_cell(setup_code(), id="setup", metadata={"tags": ["setup", "remove-cell"]})


def setup_code() -> str:
    slug, branch = repository()
    return CELL.format(slug=slug, branch=branch)


def quizzes() -> dict[str, list[dict]]:
    """The questions of each quiz by its name."""
    return tomllib.loads(QUIZZES.read_text(encoding="utf-8"))["quiz"] if QUIZZES.exists() else {}


def with_quiz(text: str) -> str:
    """The text with every mark replaced by its quiz; an unknown name ends the program."""
    if not QUIZ.search(text):
        return text
    known = quizzes()
    for name in QUIZ.findall(text):
        if name not in known:
            names = ", ".join(known)
            bootstrap.stop(f"There is no quiz {name!r} in data/quizzes.toml; it has {names}.")
    return QUIZ.sub(lambda mark: quiz(known[mark.group(1)]), text)


def quiz(questions: list[dict]) -> str:
    """A quiz as Markdown that GitHub, Colab, JupyterLab and a screen reader can show."""
    return "\n\n".join(question(number, item) for number, item in enumerate(questions, start=1))


def question(number: int, item: dict) -> str:
    """One question, its options by letter, and a folded list that says why each is right or not."""
    options = list(zip(ascii_lowercase, item["options"]))
    several = sum(option["right"] for _, option in options) > 1
    lines = [f"**{number}.** {item['ask']}{' *(More than one is right.)*' if several else ''}", ""]
    lines += [f"- {letter}) {option['text']}" for letter, option in options]
    lines += ["", "<details><summary>Answer, and a reason for each option</summary>", ""]
    for letter, option in options:
        lines.append(f"- {letter}) **{'Right' if option['right'] else 'No'}.** {option['why']}")
    return "\n".join([*lines, "", "</details>"])


def tags_of(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def code_sha256(notebook) -> str:
    """Hash of the lesson's own code: no cells that papermill or we add, and no exercises."""
    others = (is_injected, is_setup, is_exercise)
    cells = [cell for cell in notebook.cells if not any(test(cell) for test in others)]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def results_sha256(notebook) -> str:
    """Hash of the recorded results that a lesson shows; empty if it shows none."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    shown = []
    for path in sorted((bootstrap.ROOT / "data" / "results").glob("*.jsonl")):
        if re.search(SHOWN_BY.get(path.stem, GRID_SHOWN_BY), code):
            shown.append(path.read_bytes())
    return hashlib.sha256(b"\0".join(shown)).hexdigest() if shown else ""


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
    """(owner/name, branch) that all links lead to; they stand in ci/repository.toml alone. The name
    is empty before the first push."""
    settings = tomllib.loads(REPOSITORY.read_text(encoding="utf-8"))
    return settings["slug"], settings["branch"]


def stamp(slug: str, branch: str) -> None:
    """Write owner/name and branch into ci/repository.toml and into every copy of a lesson, with
    nothing but the standard library. Names that no repository has end the program."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", slug):
        bootstrap.stop(f"{slug!r} is not the name of a repository; write owner/name.")
    if not re.fullmatch(r"[\w./-]+", branch):
        bootstrap.stop(f"{branch!r} is not the name of a branch; write one such as main.")
    text = REPOSITORY.read_text(encoding="utf-8")
    for name, value in (("slug", slug), ("branch", branch)):
        text = re.sub(rf'^{name} = ".*"$', f'{name} = "{value}"', text, flags=re.M)
    REPOSITORY.write_text(text, encoding="utf-8", newline="\n")
    for copy in sorted(NOTEBOOKS.rglob("[0-9][0-9]_*.ipynb")):
        stamp_copy(copy)


def stamp_copy(copy: Path) -> None:
    """Put the badge and the setup cell of this repository into one copy of a lesson."""
    notebook = json.loads(copy.read_text(encoding="utf-8"))
    head, setup = notebook["cells"][:2]
    place = copy.parent.relative_to(NOTEBOOKS).as_posix().removeprefix(".")
    header = with_badge(BADGE.sub("", "".join(head["source"])), copy.stem, place)
    head["source"] = header.splitlines(keepends=True)
    setup["source"] = setup_code().splitlines(keepends=True)
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)  # as nbformat does
    copy.write_bytes(f"{text}\n".encode())


def badge(name: str, place: str = "") -> str:
    """The Markdown of the Colab badge of one copy, which it opens; empty before the first push."""
    slug, branch = repository()
    path = "/".join(part for part in ("notebooks", place, f"{name}.ipynb") if part)
    return f"[{PICTURE}]({COLAB}/github/{slug}/blob/{branch}/{path})" if slug else ""


def with_badge(text: str, name: str, place: str) -> str:
    """The header cell with the badge below its title, if there is one."""
    title, _, rest = text.partition("\n")
    link = badge(name, place)
    return f"{title}\n\n{link}\n{rest}" if link else text


def relinked(text: str, place: str) -> str:
    """Relative links, written for `notebooks/`, as seen from a folder inside it."""
    if not place:
        return text
    lesson = re.compile(r"\d\d_\w+\.ipynb(#.*)?")

    def turn(link: re.Match) -> str:
        target = link.group(2)
        outside = re.match(r"[a-z]+:|#|/", target) or lesson.fullmatch(target)
        return link.group(0) if outside else f"{link.group(1)}../{target})"

    return re.sub(r"(\]\()([^)\s]+)\)", turn, text)
