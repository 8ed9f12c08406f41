"""Checks of a lesson's text and code. Each takes (notebook, path) and returns sentences."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median

from ci.lessons.sources import tags_of

LONGEST, MEDIAN, SETUP = (
    25,
    10,
    12,
)  # lines of a code cell that are not blank; of a cell tagged `setup`
UNNUMBERED = {
    "Summary",
    "Check yourself",
    "Quiz",
    "Wrap-up quiz",
    "Exercises",
    "What next",
    "Further reading",
    "For instructors",
}
HEADER = ("**You will**", "**Before you start:**", "**Time:**")
TIME = re.compile(
    r"\b(?:minutes?|seconds?|hours?)\b.*\b[\d.]+ [GM]B\b|\b[\d.]+ "
    r"[GM]B\b.*\b(?:minutes?|seconds?)\b"
)
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


def prose(cell) -> str:
    """A Markdown cell without code: neither fenced blocks nor `inline`."""
    text = re.sub(r"^(```|~~~).*?^\1", "", cell.source, flags=re.M | re.S)
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def of_kind(notebook, kind: str):
    """(index, cell) of each cell of a kind."""
    return [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == kind]


def headings(notebook) -> list[tuple[int, int, str]]:
    """(cell, level, text) of every heading, those inside code left out."""
    found = []
    for index, cell in of_kind(notebook, "markdown"):
        without_code = re.sub(r"^(```|~~~).*?^\1", "", cell.source, flags=re.M | re.S)
        found += [
            (index, len(hit[1]), hit[2].strip())
            for hit in re.finditer(r"^(#{1,6}) +(.+)$", without_code, re.M)
        ]
    return found


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
    found = headings(notebook)
    wrong = [
        f"cell {index}: a second title, {text!r}" for index, level, text in found if level == 1
    ][1:]
    expected, closed = 1, False
    for index, level, text in found:
        if level != 2:
            continue
        name = text.split(":")[0]
        number = re.match(r"(\d+)\. \S", text)
        if name in UNNUMBERED:
            closed = True
        elif number and int(number[1]) == expected and not closed:
            expected += 1
        else:
            wrong.append(
                f"cell {index}: heading {text!r} should be number {expected} or one of the "
                "closing sections"
            )
    return wrong if found else ["there are no headings"]


def heading_steps(notebook, path: Path) -> list[str]:
    """No level is jumped: a screen reader's list of headings stays a tree."""
    wrong, before = [], 0
    for index, level, text in headings(notebook):
        if level > before + 1:
            wrong.append(f"cell {index}: heading {text!r} jumps from level {before} to {level}")
        before = level
    return wrong


def cell_length(notebook, path: Path) -> list[str]:
    """No cell is empty; half of the code cells have 10 lines at most, all 25 (`setup`: 12)."""
    code = of_kind(notebook, "code")
    lengths = {
        index: sum(map(bool, map(str.strip, cell.source.splitlines()))) for index, cell in code
    }
    limits = {index: SETUP if "setup" in tags_of(cell) else LONGEST for index, cell in code}
    wrong = [
        f"cell {index}: {lines} lines of code, the limit is {limits[index]}"
        for index, lines in lengths.items()
        if lines > limits[index]
    ]
    wrong += [
        f"cell {index}: is empty"
        for index, cell in enumerate(notebook.cells)
        if not cell.source.strip()
    ]
    if lengths and median(lengths.values()) > MEDIAN:
        wrong.append(
            f"the median code cell has {median(lengths.values()):g} lines, the limit is {MEDIAN}"
        )
    return wrong


def parses(notebook, path: Path) -> list[str]:
    """Code is Python without shell lines, downloads, tokens, questions; `setup` may install."""
    wrong = []
    for index, cell in of_kind(notebook, "code"):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            wrong.append(f"cell {index}: is not Python ({error.msg}, line {error.lineno})")
        signs = [sign for sign in FORBIDDEN if sign != INSTALL or "setup" not in tags_of(cell)]
        wrong += [
            f"cell {index}: {FORBIDDEN[sign]}"
            for sign in signs
            if re.search(sign, cell.source, re.M)
        ]
    return wrong


def parameters(notebook, path: Path) -> list[str]:
    """One cell tagged `parameters`, of lines `name: type = literal  # what it does`."""
    tagged = [
        (index, cell) for index, cell in of_kind(notebook, "code") if "parameters" in tags_of(cell)
    ]
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


CHECKS = (header, numbered, heading_steps, cell_length, parses, parameters)
