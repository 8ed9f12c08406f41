"""The book: a static site from the reading copies of the lessons, the docstrings and the pages in
ci/book.

    python3 ci/build_book.py    then open build/book/index.html

With it comes a deck of slides for each lesson, in build/book/slides. The first start installs the
extra `book` into .venv. Building needs no network: no lesson runs, and every script, style and
picture of the site lies in its folder. A warning of Sphinx is an error."""

from __future__ import annotations

import importlib.util
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `ci` and `sdft_lib`

from ci import bootstrap
from ci.bootstrap import ROOT, say, write

TEXTS = ROOT / "ci" / "book"
OUT = ROOT / "build" / "book"
BADGE = re.compile(r"\[!\[[^\]]*\]\([^)]*\)\]\((https://colab[^)]*)\)")


def installed() -> bool:
    """True if Sphinx and what it needs for the book can be imported."""
    names = ("sphinx", "myst_nb", "sphinx_book_theme", "latex2mathml", "sphinx_revealjs")
    return all(importlib.util.find_spec(name) for name in names)


def stage(folder: Path) -> None:
    """Lay out the sources of all pages in an empty folder: written, made, and the lessons."""
    from ci.book import pages

    shutil.rmtree(folder, ignore_errors=True)
    places = sources()
    for path, place in places.items():
        target = folder / place
        if path.suffix == ".md":
            write(target, relinked(path.read_text(encoding="utf-8"), path, places))
        elif path.suffix == ".ipynb":
            write(target, lesson(path, places))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for place, text in pages.pages().items():
        write(folder / place, text)


def sources() -> dict[Path, str]:
    """Every written file that the book shows, and its place in the book."""
    places = {ROOT / "README.md": "_readme.md"}
    for name in ("CONTRIBUTING", "SECURITY"):
        places[ROOT / f"{name}.md"] = f"{name.lower()}.md"
    for path in sorted(TEXTS.rglob("*.md")):
        places[path] = path.relative_to(TEXTS).as_posix()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        places[path] = f"notebooks/{path.name}"
    for path in sorted((ROOT / "data" / "results").glob("*.png")):
        places[path] = f"data/results/{path.name}"
    return places


def relinked(text: str, page: Path, places: dict[Path, str]) -> str:
    """The text of a page with relative links that lead to places in the book, or else to the
    repository's page on GitHub; before the first push the words stay without a link."""
    from ci.lessons.sources import repository

    slug, branch = repository()
    here = posixpath.dirname(places[page])

    def turn(link: re.Match) -> str:
        words, target = link.groups()
        file, mark, anchor = target.partition("#")
        if not file or re.match(r"[a-z]+:", file):
            return link[0]
        path = (page.parent / file).resolve()
        place = "index.md" if path == ROOT / "README.md" else places.get(path)
        if place:
            return f"[{words}]({posixpath.relpath(place, here)}{mark}{anchor})"
        if not slug:
            return words
        kind = "tree" if path.is_dir() else "blob"
        address = f"https://github.com/{slug}/{kind}/{branch}/{path.relative_to(ROOT).as_posix()}"
        return f"[{words}]({address}{mark}{anchor})"

    return re.sub(r"\[([^\[\]]*)\]\(([^)\s]+)\)", turn, text)


def lesson(path: Path, places: dict[Path, str]) -> str:
    """A reading copy for the site: its badge as words, links into the book, and alt texts where
    Sphinx looks."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    head = notebook.cells[0]
    head.source = BADGE.sub(r"[Open this lesson in Colab](\1)", head.source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, path, places)
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt and "mystnb" not in cell.metadata:
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return nbformat.writes(notebook)


def build(out: Path = OUT) -> int:
    """Sphinx's exit code; it writes to the terminal. Nothing of an earlier build stays. The slides
    lie beside the pages."""
    from ci.book import slides

    source = out.with_name(out.name + "-src")
    stage(source)
    shutil.rmtree(out, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", TEXTS, "-d", source / ".doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, source, out]
    done = subprocess.run(command, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    slides.write(out / "slides")
    return done.returncode


def main() -> int:
    bootstrap.command_line(__doc__).parse_args()
    bootstrap.ensure_venv()
    if not installed():
        say("Installing Sphinx and its theme (once) ...")
        bootstrap.install_extra("book")
    code = build()
    if code:
        say("The book was not built; Sphinx's words are above.")
    else:
        say(f"The book is built: open {(OUT / 'index.html').relative_to(ROOT)}.")
    return code


if __name__ == "__main__":
    sys.exit(main())
