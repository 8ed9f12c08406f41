"""Checks of a lesson's text, code and links. Each takes (notebook, path), returns sentences."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median
from urllib.parse import unquote

from ci.bootstrap import ROOT
from ci.lessons.sources import COLAB, repository, tags_of

# Lines of a code cell that are not blank; of a cell tagged `setup`.
LONGEST, MEDIAN, SETUP = 25, 10, 18
UNNUMBERED = {"Summary", "Check yourself", "Quiz", "Wrap-up quiz", "Exercises"}
UNNUMBERED |= {"What next", "Further reading", "For instructors"}
HEADER = ("**You will**", "**Before you start:**", "**Time:**")
MEMORY = r"\b[\d.]+ [GM]B\b"
TIME = re.compile(rf"\b(minutes?|seconds?|hours?)\b.*{MEMORY}|{MEMORY}.*\b(minute|second)s?\b")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)|<a\b[^>]*\bhref=[\"']([^\"']+)[\"']")
HEADING = re.compile(r"^(#{1,6}) +(.+)$", re.M)
INSTALL = r"\bpip3?[\"', ]+install\b"
FORBIDDEN = {
    r"^\s*[!%]": "a shell line or magic; write Python",
    r"\binput\(": "waits for input",
    r"\.cuda\(": "needs an NVIDIA card",
    INSTALL: "installs packages",
    r"\b(?:wget|curl)\b": "downloads by hand",
    r"\bhf_[A-Za-z0-9]{20,}": "holds a token",
    r"\btrust_remote" r"_code\s*=\s*True": "runs code from a hub",
}


def unfenced(text: str) -> str:
    """Markdown without its blocks of code."""
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)


def prose(cell) -> str:
    """A Markdown cell without code: neither fenced blocks nor `inline`."""
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", unfenced(cell.source))


def of_kind(notebook, kind: str):
    """(index, cell) of each cell of a kind."""
    return [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == kind]


def headings(notebook) -> list[tuple[int, int, str]]:
    """(cell, level, text) of every heading, those inside code left out."""
    listed = []
    for index, cell in of_kind(notebook, "markdown"):
        for marks, text in HEADING.findall(unfenced(cell.source)):
            listed.append((index, len(marks), text.strip()))
    return listed


def header(notebook, path: Path) -> list[str]:
    """The first cell: numbered title, what you will do and need, time and memory."""
    cells = notebook.cells
    text = cells[0].source if cells and cells[0].cell_type == "markdown" else ""
    wrong = []
    if not re.match(rf"# {path.stem[:2]} \S", text):
        wrong.append(f"cell 0: the lesson does not open with its title, `# {path.stem[:2]} ...`")
    wrong += [f"cell 0: the header lacks {mark}" for mark in HEADER if mark not in text]
    line = re.search(r"\*\*Time:\*\*.*", text)
    if line and not TIME.search(line[0]):
        wrong.append("cell 0: the line Time names no measured time with memory in GB")
    return wrong


def numbered(notebook, path: Path) -> list[str]:
    """One title; sections `## 1.`, `## 2.`, ... without a gap; closing sections by fixed names."""
    every = headings(notebook)
    titles = [(index, text) for index, level, text in every if level == 1]
    wrong = [f"cell {index}: a second title, {text!r}" for index, text in titles[1:]]
    expected, closed = 1, False
    for index, level, text in every:
        if level != 2:
            continue
        name = text.split(":")[0]
        number = re.match(r"(\d+)\. \S", text)
        if name in UNNUMBERED:
            closed = True
        elif number and int(number[1]) == expected and not closed:
            expected += 1
        else:
            names = f"number {expected} or one of the closing sections"
            wrong.append(f"cell {index}: heading {text!r} should be {names}")
    return wrong if every else ["there are no headings"]


def heading_steps(notebook, path: Path) -> list[str]:
    """No level is jumped: a screen reader's list of headings stays a tree."""
    wrong, before = [], 0
    for index, level, text in headings(notebook):
        if level > before + 1:
            wrong.append(f"cell {index}: heading {text!r} jumps from level {before} to {level}")
        before = level
    return wrong


def cell_length(notebook, path: Path) -> list[str]:
    """No cell is empty; half of the code cells have 10 lines at most, all 25.

    The cell `setup` may have 18: it says what failed and what to do."""
    lengths, wrong = [], []
    for index, cell in enumerate(notebook.cells):
        lines = sum(bool(line.strip()) for line in cell.source.splitlines())
        limit = SETUP if "setup" in tags_of(cell) else LONGEST
        if not lines:
            wrong.append(f"cell {index}: is empty")
        if cell.cell_type == "code":
            lengths.append(lines)
            if lines > limit:
                wrong.append(f"cell {index}: {lines} lines of code, the limit is {limit}")
    if lengths and median(lengths) > MEDIAN:
        wrong.append(f"the median code cell has {median(lengths):g} lines, the limit is {MEDIAN}")
    return wrong


def parses(notebook, path: Path) -> list[str]:
    """Code is Python without shell lines, downloads, tokens, questions; `setup` may install."""
    wrong = []
    for index, cell in of_kind(notebook, "code"):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            wrong.append(f"cell {index}: is not Python ({error.msg}, line {error.lineno})")
        for sign, why in FORBIDDEN.items():
            allowed = sign == INSTALL and "setup" in tags_of(cell)
            if not allowed and re.search(sign, cell.source, re.M):
                wrong.append(f"cell {index}: {why}")
    return wrong


def parameters(notebook, path: Path) -> list[str]:
    """One cell tagged `parameters`, of lines `name: type = literal  # what it does`."""
    code = of_kind(notebook, "code")
    tagged = [(index, cell) for index, cell in code if "parameters" in tags_of(cell)]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged `parameters`; there must be one"]
    index, cell = tagged[0]
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:
        return []  # `parses` says so
    lines = cell.source.splitlines()
    wrong = [] if body else [f"cell {index}: defines no parameter"]
    for node in body:
        line = lines[node.lineno - 1]
        if not isinstance(node, ast.AnnAssign) or not is_literal(node.value):
            wrong.append(f"cell {index}: {line!r} is not `name: type = literal`")
        elif "  # " not in line:
            wrong.append(f"cell {index}: {line!r} lacks a comment that says what it does")
    return wrong


def is_literal(node) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


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
        same = re.compile(rf"{re.escape(made)}(-\d+)?")
        again = len(list(filter(same.fullmatch, github)))
        github.add(f"{made}-{again}" if again else made)
    return jupyter | github


def headings_of(path: Path) -> list[str]:
    """Heading texts of a notebook or Markdown file."""
    if path.suffix == ".ipynb":
        import nbformat

        return [text for _, _, text in headings(nbformat.read(path, as_version=4))]
    text = unfenced(path.read_text(encoding="utf-8"))
    return [text.strip() for _, text in HEADING.findall(text)]


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
    """The header has one Colab badge, and it opens this very copy in this very repository; before
    the first push there is none."""
    slug, branch = repository()
    full = path.resolve()
    inside = full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else path.name
    wanted = f"{COLAB}/github/{slug}/blob/{branch}/{inside}"
    badges = [pair for pair in links(notebook) if pair[1].startswith(f"{COLAB}/github/")]
    if slug and not [index for index, _ in badges if index == 0]:
        return ["cell 0: there is no Colab badge"]
    wrong = [pair for pair in badges if pair[1] != wanted]
    return [f"cell {index}: the badge opens {target}, not {wanted}" for index, target in wrong]


CHECKS = (header, numbered, heading_steps, cell_length, parses, parameters, resolve, badge)
