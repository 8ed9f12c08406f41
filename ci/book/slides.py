"""Slides for a class: a deck a lesson, from the headings, first words, questions and figures of its
reading copy. `ci/build_book.py` makes them with the book; reveal.js shows them without a network.

A section goes right, its figures down. The words of a figure are the speaker's notes (key S)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ci.lessons.sources import NOTEBOOKS, lesson_sources

TEMPLATES = Path(__file__).resolve().parent / "templates"
PARTS = ("reveal.js", "reveal.css", "reset.css", "plugin/notes/notes.js")
LEFT_OUT = ("Check yourself", "Quiz", "What next", "Wrap-up")
WHOLE = ("Summary",)  # sections of which every paragraph is shown
FOLDED = re.compile(r"<details>.*</details>", re.S)


def write(folder: Path) -> None:
    """Write all decks and the parts of reveal.js that they need."""
    import sphinx_revealjs  # the package that brings reveal.js along

    library = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs"
    (folder / "reveal").mkdir(parents=True)
    for part in PARTS:
        place = library / part if "/" in part else library / "dist" / part
        shutil.copy(place, folder / "reveal" / place.name)
    for source in lesson_sources():
        page = folder / f"{source.stem}.html"
        page.write_text(deck(NOTEBOOKS / f"{source.stem}.ipynb"), encoding="utf-8")


def deck(copy: Path) -> str:
    """The deck of a lesson as HTML."""
    import nbformat
    from nbconvert import SlidesExporter

    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_input_prompt=True,
        exclude_anchor_links=True,
    )
    html, _ = exporter.from_notebook_node(slides(nbformat.read(copy, as_version=4)))
    return html


def slides(notebook):
    """A notebook that holds one Markdown cell a slide, and one for the notes of a figure."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    cells, section, skip = [], None, False

    def add(text: str, kind: str):
        cells.append(new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}}))
        return cells[-1]

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = plain(cell.source)
            if heading := re.match(r"##? (.+)", text):
                skip = heading[1].startswith(LEFT_OUT)
                if not skip:
                    section = add(opening(text), "slide")
            elif not skip and (asked := questions(text)):
                add(asked, "subslide")
            elif not skip and (title := re.match(r"### (E\w+ \d.+)", text)):
                section.source += f"\n- {title[1]}"
            continue
        for picture, words in [] if skip else figures(cell):
            add(picture, "subslide")
            add(words, "notes")
    title = re.match(r"# (.+)", cells[0].source)[1]
    return new_notebook(cells=cells, metadata={"title": title})


def plain(text: str) -> str:
    """Markdown without badge, folded answers and links, with formulas as MathML."""
    from latex2mathml.converter import convert

    text = FOLDED.sub("", re.sub(r"\[!\[.*", "", text))
    text = re.sub(r"\[([^\[\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\$\$(.+?)\$\$", lambda f: convert(f[1], display="block"), text, flags=re.S)
    return re.sub(r"\$([^$\n]+)\$", lambda f: convert(f[1]), text)


def opening(text: str) -> str:
    """The heading of a section, its first paragraph, its formulas and its questions; of the lesson
    what the reader will do; of the exercises their titles."""
    heading, *paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    if heading.startswith("# "):
        return f"{heading}\n\n{paragraphs[0]}"
    name = heading.removeprefix("## ")
    if name.startswith("Exercises"):
        titles = re.findall(r"^### (.+)", text, re.M)
        return "\n".join([heading, "", *(f"- {title}" for title in titles)])
    announces_list = paragraphs and paragraphs[0].endswith(":")
    shown = paragraphs if name.startswith(WHOLE) else paragraphs[: 2 if announces_list else 1]
    shown += [part for part in paragraphs[len(shown) :] if worth(part)]
    return "\n\n".join([heading, *shown])


def worth(paragraph: str) -> bool:
    """Questions and formulas are shown wherever they stand in a section."""
    return paragraph.startswith("**Question") or 'display="block"' in paragraph


def questions(text: str) -> str:
    """The questions of a cell without a heading; empty if there is none."""
    return "\n\n".join(part.strip() for part in re.split(r"\n\s*\n", text) if worth(part.strip()))


def figures(cell) -> list[tuple[str, str]]:
    """(picture as Markdown, its words) of each figure that a code cell shows."""
    shown = []
    for output in cell.get("outputs", []):
        if png := output.get("data", {}).get("image/png"):
            words = output["metadata"]["image/png"]["alt"]
            quoted = words.replace("&", "&amp;").replace('"', "&quot;")
            data = "".join(png.split())
            shown.append((f'<img alt="{quoted}" src="data:image/png;base64,{data}">', words))
    return shown
