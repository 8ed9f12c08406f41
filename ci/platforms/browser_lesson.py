"""One lesson in the browser: opened, run, used, saved; and what a reader would complain about."""

from __future__ import annotations

import re
import shutil
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from ci.lessons.outputs import WIDGET
from ci.platforms import browser_page as lab

RUN_LIMIT = 3600  # seconds that a lesson may take in fast mode, from an empty cache


@dataclass
class Report:
    """What was seen of a lesson, counted, and what was wrong with it."""

    cells: int = 0
    figures: int = 0
    widgets: int = 0
    controls: int = 0
    wrong: list[str] = field(default_factory=list)

    def summary(self) -> str:
        seen = f"{self.cells} cells, {self.figures} figures, {self.widgets} widgets"
        return f"{'FAILED, ' if self.wrong else ''}{seen}, {self.controls} controls"


def attempt(program, server, path: Path, out: Path, *, runs: bool) -> Report:
    """Show a reading copy in a new page; with ``runs``, run it in fast mode, use its widgets."""
    from playwright.sync_api import Error

    report = Report()
    context = program.new_context(viewport=lab.SIZE)
    page = context.new_page()
    heard, failed = lab.Listener(page), out / f"{path.stem}-failed.png"
    failed.unlink(missing_ok=True)
    try:
        (run_lesson if runs else read_lesson)(page, server, path, out, report)
    except (TimeoutError, Error) as error:
        report.wrong.append(str(error).splitlines()[0][:300])
        page.screenshot(path=failed)
    finally:
        context.close()
        server.close_kernels()
    report.wrong += heard.complaints
    return report


def read_lesson(page, server, path: Path, out: Path, report: Report) -> None:
    """As it lies there, without running: every figure and table of the file is in the page."""
    notebook = nbformat.read(path, as_version=4)
    lab.open_notebook(page, server, path.name, len(notebook.cells))
    lab.pictures(page, out / path.stem)  # scrolling also lets the browser decode all pictures
    note(lab.look(page), notebook, report)


def run_lesson(page, server, path: Path, out: Path, report: Report) -> None:
    """Run a copy without outputs, compare it with the reading copy, use the widgets, save."""
    reading = prepare(path)
    lab.open_notebook(page, server, path.name, len(reading.cells))
    lab.run_all(page, RUN_LIMIT)
    lab.pictures(page, out / path.stem)
    cells = lab.look(page)
    note(cells, reading, report)
    report.wrong += not_run(cells)
    for index in [place for place, cell in enumerate(cells) if cell["widgets"]]:
        count, wrong = lab.try_widget(page, index)
        page.screenshot(path=out / f"{path.stem}-widget-{index}.png")
        report.controls += count
        report.wrong += wrong
    first = next(place for place, cell in enumerate(cells) if cell["code"])
    report.wrong += filter(None, [lab.run_by_keyboard(page, first)])
    lab.save(page)
    shutil.copy(path, out / path.name)
    saved = nbformat.read(path, as_version=4)
    outputs = [output for cell in saved.cells for output in cell.get("outputs", [])]
    made = sum(WIDGET in output.get("data", {}) for output in outputs)
    if made != report.widgets:
        report.wrong.append(f"{made} widgets were made, and the page shows {report.widgets}")
    report.wrong += not_whole(saved)


def prepare(path: Path):
    """Make the file a copy without outputs in fast mode, as papermill does it, and return the
    reading copy with the cell that papermill added, so that the two match cell by cell."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    from ci.run_tutorial import check_parameters

    reading = load_notebook_node(str(path))
    check_parameters(reading, path, {"fast": True})
    reading = parameterize_notebook(reading, {"fast": True})
    fresh = deepcopy(reading)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(fresh, path)
    return reading


def note(cells: list[dict], notebook, report: Report) -> None:
    """Count what the page shows; complain about broken pictures and missing figures or tables."""
    report.cells, report.widgets = len(cells), sum(cell["widgets"] for cell in cells)
    report.figures = sum(len(cell["figures"]) for cell in cells)
    for index, (shown, cell) in enumerate(zip(cells, notebook.cells)):
        broken = [width for width in shown["figures"] + shown["pictures"] if not width]
        report.wrong += [f"cell {index}: {len(broken)} broken pictures"] if broken else []
        outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
        figures = sum(any(kind.startswith("image/") for kind in data) for data in outputs)
        tables = sum("<table" in str(data.get("text/html", "")) for data in outputs)
        seen = {"figures": (len(shown["figures"]), figures), "tables": (shown["tables"], tables)}
        for what, (count, wanted) in seen.items():
            if count < wanted:
                report.wrong.append(f"cell {index}: {count} {what}, the reading copy has {wanted}")


def not_run(cells: list[dict]) -> list[str]:
    """Code cells that did not run, or said something that no reader should see."""
    wrong = []
    for index, cell in enumerate(cells):
        wrong += [f"cell {index} raised: {text.strip()[-200:]}" for text in cell["errors"]]
        wrong += [f"cell {index} warned: {text.strip()[:200]}" for text in cell["stderr"]]
        if cell["code"] and not cell["prompt"].isdigit():
            wrong.append(f"cell {index} did not run")
    return wrong


def not_whole(executed) -> list[str]:
    """Widgets of a saved notebook with no static figure or table in or above their cell."""
    wrong, above = [], ""
    for index, cell in enumerate(executed.cells):
        if cell.cell_type != "code":
            continue
        outputs = [output.get("data", {}) for output in cell.outputs]
        static = ""
        for data in outputs:
            if WIDGET not in data:
                static += f"{data.get('text/html', '')}{'image/png' if 'image/png' in data else ''}"
        has_widget = any(WIDGET in data for data in outputs)
        if has_widget and not re.search("image/png|<table", static + above):
            wrong.append(f"the widget in cell {index} has no static figure or table before it")
        above = static
    return wrong
