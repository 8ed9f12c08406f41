"""Checks of links, without a network: files, headings, and a badge that opens its own copy."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from ci import bootstrap
from ci.lessons.checks_text import headings, of_kind, prose
from ci.lessons.sources import COLAB, repository

LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)|<a\b[^>]*\bhref=[\"']([^\"']+)[\"']")


def links(notebook) -> list[tuple[int, str]]:
    """(cell, target) of every link and image in the text."""
    return [
        (index, hit[1] or hit[2])
        for index, cell in of_kind(notebook, "markdown")
        for hit in LINK.finditer(prose(cell))
    ]


def anchors(names: list[str]) -> set[str]:
    """The anchors of headings as JupyterLab (`A-heading`) and GitHub (`a-heading`) make them."""
    jupyter = {name.replace(" ", "-") for name in names}
    github: set[str] = set()
    for name in names:
        made = re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
        again = sum(
            re.fullmatch(rf"{re.escape(made)}(-\d+)?", known) is not None for known in github
        )
        github.add(f"{made}-{again}" if again else made)
    return jupyter | github


def headings_of(path: Path) -> list[str]:
    """Heading texts of a notebook or Markdown file."""
    if path.suffix == ".ipynb":
        import nbformat

        return [text for _, _, text in headings(nbformat.read(path, as_version=4))]
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [hit[1].strip() for hit in re.finditer(r"^#{1,6} +(.+)$", text, re.M)]


def resolve(notebook, path: Path) -> list[str]:
    """Every relative link leads to a file, every anchor to a heading."""
    own = anchors([text for _, _, text in headings(notebook)])
    wrong = []
    for index, target in links(notebook):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            if target.startswith("http:"):
                wrong.append(f"cell {index}: {target} is not https")
            continue
        file, _, anchor = unquote(target).partition("#")
        place = path.parent / file if file else path
        if file and (file.startswith("/") or not place.exists()):
            wrong.append(f"cell {index}: the link {target!r} leads nowhere")
        elif anchor and anchor not in (own if not file else anchors(headings_of(place))):
            wrong.append(f"cell {index}: the link {target!r} names a heading that is not there")
    return wrong


def badge(notebook, path: Path) -> list[str]:
    """The header has one Colab badge, and it opens this very copy in this very repository."""
    slug, branch = repository()
    shown = path.resolve()
    inside = (
        shown.relative_to(bootstrap.ROOT).as_posix()
        if shown.is_relative_to(bootstrap.ROOT)
        else path.name
    )
    wanted = f"{COLAB}/github/{slug}/blob/{branch}/{inside}"
    found = [
        (index, target)
        for index, target in links(notebook)
        if target.startswith(f"{COLAB}/github/")
    ]
    if not [index for index, _ in found if index == 0]:
        return ["cell 0: there is no Colab badge"]
    return [
        f"cell {index}: the badge opens {target}, not {wanted}"
        for index, target in found
        if target != wanted
    ]


CHECKS = (resolve, badge)
