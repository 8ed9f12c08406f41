"""Checks of outputs, images and metadata. Each returns what is wrong, in sentences."""

from __future__ import annotations

import re
from pathlib import Path

from bs4 import BeautifulSoup

from ci.lessons.checks_text import of_kind, prose
from ci.lessons.outputs import WIDGET
from ci.lessons.sources import code_sha256, results_sha256

PATHS = re.compile(
    r"(?<![\w.~:/<>-])/(?:home|Users|root|tmp|mnt|opt|srv|var|work|workspace|content|usr|private|data)/[\w.-]+"
    r"|\b[A-Za-z]:\\+(?:Users|Windows|Program|Temp)\w*"
)
LARGEST = 500_000  # bytes of a notebook
LARGEST_IMAGE = 200_000  # characters of an image in base64 (150 kB)
MARKDOWN_IMAGE = re.compile(r"!\[([^\]]*)\]\(")
ALLOWED = {"kernelspec", "language_info", "sdft"}
ALLOWED_CELL = {"tags", "nbgrader"}
EMPTY_ALT = {"", "image", "figure", "no description has been provided for this image"}


def images(html: str) -> list:
    """Every <img> of a piece of HTML or Markdown."""
    return BeautifulSoup(html, "html.parser").find_all("img") if "<img" in html else []


def is_reading(path: Path) -> bool:
    """Reading copies carry outputs; those in `student/` and `instructor/` do not."""
    return path.parent.name not in ("student", "instructor")


def outputs(notebook):
    """(cell index, output) of every output."""
    pairs = []
    for index, cell in of_kind(notebook, "code"):
        pairs += [(index, output) for output in cell.get("outputs", [])]
    return pairs


def said(alt) -> bool:
    """Whether an alternative text says anything."""
    return str(alt or "").strip().lower() not in EMPTY_ALT


def alt_text(notebook, path: Path) -> list[str]:
    """Every image has words: in an output's metadata and plain text, in Markdown, in HTML."""
    wrong = []
    for index, output in outputs(notebook):
        data, about = output.get("data", {}), output.get("metadata", {})
        for kind in data:
            if kind.startswith("image/") and not said(about.get(kind, {}).get("alt")):
                wrong.append(f"cell {index}: an image among the outputs has no alternative text")
            elif kind.startswith("image/") and not said(data.get("text/plain")):
                wrong.append(f"cell {index}: an image among the outputs has no plain text")
        if any(not said(image.get("alt")) for image in images(data.get("text/html", ""))):
            wrong.append(f"cell {index}: an <img> among the outputs has no alt")
    for index, cell in of_kind(notebook, "markdown"):
        text = prose(cell)
        if any(not said(hit[1]) for hit in MARKDOWN_IMAGE.finditer(text)):
            wrong.append(f"cell {index}: an image in the text has no alternative text")
        if any(not said(image.get("alt")) for image in images(text)):
            wrong.append(f"cell {index}: an <img> in the text has no alt")
    return wrong


def no_widgets(notebook, path: Path) -> list[str]:
    """No widget state and no widget output: GitHub cannot show them."""
    wrong = ["the notebook holds the state of widgets"] if "widgets" in notebook.metadata else []
    for index, output in outputs(notebook):
        if WIDGET in output.get("data", {}):
            wrong.append(f"cell {index}: a widget among the outputs")
    return wrong


def metadata(notebook, path: Path) -> list[str]:
    """Only metadata that somebody needs: anything else makes needless differences."""
    unknown = sorted(set(notebook.metadata) - ALLOWED - {"widgets"})
    wrong = [f"the notebook's metadata hold {name!r}" for name in unknown]
    for index, cell in enumerate(notebook.cells):
        unknown = sorted(set(cell.metadata) - ALLOWED_CELL)
        wrong += [f"cell {index}: its metadata hold {name!r}" for name in unknown]
    return wrong


def no_paths(notebook, path: Path) -> list[str]:
    """No absolute path of any machine, neither in cells nor in outputs."""
    wrong = []
    for index, cell in enumerate(notebook.cells):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts += [output.get("text", ""), *(data[kind] for kind in data if "text/" in kind)]
        hits = PATHS.finditer("\n".join(map(str, texts)))
        wrong += [f"cell {index}: the absolute path {hit[0]!r}" for hit in hits]
    return wrong


def fresh(notebook, path: Path) -> list[str]:
    """The outputs come from this code and these results, of a complete run; a fast one says so."""
    record = notebook.metadata.get("sdft")
    if not is_reading(path):
        return ["a copy without outputs carries the record of a run"] if record else []
    if not record:
        return ["there is no record of a run: execute the lesson and build the copies"]
    said = "outputs below are those of fast mode" in notebook.cells[0].source
    mode, wrong = record.get("mode"), []
    if mode != "default" and not (mode == "fast" and said):
        wrong.append(f"the run was made in {mode} mode, which its header does not say")
    if record.get("code_sha256") != code_sha256(notebook):
        wrong.append("the outputs are stale: the code has changed since the run")
    if record.get("results_sha256") != results_sha256(notebook):
        wrong.append("the outputs are stale: data/results has changed since the run")
    return wrong


def run_order(notebook, path: Path) -> list[str]:
    """Reading copies: cells ran from 1 to n and none failed. The others: nothing ran."""
    code = [cell for _, cell in of_kind(notebook, "code")]
    counts = [cell.get("execution_count") for cell in code]
    if not is_reading(path):
        ran = any(counts) or any(cell.get("outputs") for cell in code)
        return ["a copy without outputs holds outputs or counts"] if ran else []
    wrong = []
    if counts != list(range(1, len(code) + 1)):
        wrong.append("the cells did not run in order from 1 to n")
    for index, output in outputs(notebook):
        if output.output_type == "error":
            wrong.append(f"cell {index}: ended with {output.get('ename')}")
    return wrong


def size(notebook, path: Path) -> list[str]:
    """Small enough for GitHub to show: 500 kB a notebook, 150 kB an image."""
    wrong, bytes_ = [], path.stat().st_size if path.exists() else 0
    if bytes_ > LARGEST:
        wrong.append(f"the notebook has {bytes_ // 1000} kB, the limit is {LARGEST // 1000}")
    for index, output in outputs(notebook):
        for kind, value in output.get("data", {}).items():
            if kind.startswith("image/") and len(value) > LARGEST_IMAGE:
                wrong.append(f"cell {index}: an image of more than {LARGEST_IMAGE * 3 // 4000} kB")
    return wrong


CHECKS = (alt_text, no_widgets, metadata, no_paths, fresh, run_order, size)
