"""One notebook in a JupyterLab page: open it, run it as a reader does, say what it shows."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden):not(.p-mod-hidden)"
CELLS = f"{NOTEBOOK} .jp-Notebook .jp-Cell"
SIZE = {"width": 1280, "height": 1600}
PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="117" height="20" style="background:#bbb"/>'
BADGE = "/assets/colab-badge.svg"
# What the console may say although nothing is wrong: (pattern, reason).
ALLOWED = [
    (
        "font at 'about:blank'|ERR_FAILED at about:blank$",
        "JupyterLab 3's MathJax tries a font without address",
    )
]
LOOK = """cells => cells.map(cell => {
  const all = what => [...cell.querySelectorAll(what)];
  const texts = what => all(what).map(one => one.textContent);
  const own = all('.jp-OutputArea-output img').filter(one => !one.closest('.jupyter-widgets'));
  const kind = name => `.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.${name}"]`;
  return {
    code: cell.classList.contains('jp-CodeCell'),
    prompt: texts('.jp-InputPrompt').join('').replace(/[^0-9*]/g, ''),
    errors: texts(kind('error')), stderr: texts(kind('stderr')),
    figures: own.map(one => one.naturalWidth), alts: own.map(one => one.alt),
    tables: all('.jp-OutputArea-output table')
      .filter(one => !one.closest('.jupyter-widgets')).length,
    pictures: all('.jp-MarkdownOutput img').map(one => one.naturalWidth),
    widgets: all('.jp-OutputArea-output')
      .filter(one => one.querySelector('.jupyter-widgets')).length,
  };
})"""


class Listener:
    """Collects a page's complaints, and the addresses outside this machine that it asks for."""

    def __init__(self, page) -> None:
        self.complaints: list[str] = []
        page.on("console", self.read)
        page.on("pageerror", lambda error: self.hear(str(error)))
        page.route("**/*", self.answer)

    def read(self, line) -> None:
        if line.type == "error":
            self.hear(f"{line.text} at {line.location['url']}")

    def hear(self, text: str) -> None:
        text = " ".join(text.split())
        if not any(re.search(pattern, text) for pattern, _ in ALLOWED):
            self.complaints.append(f"console: {text[:300]}")

    def answer(self, route) -> None:
        """Let this machine answer; a badge gets a picture of its size; all else is refused."""
        address = urlsplit(route.request.url)
        if address.hostname == "127.0.0.1" or address.scheme in ("data", "blob"):
            route.continue_()
        elif address.path == BADGE:
            route.fulfill(body=PIXEL, content_type="image/svg+xml")
        else:
            self.complaints.append(f"the page asked for {route.request.url}")
            route.abort()


def open_notebook(page, server, name: str, cells: int) -> None:
    """Show a notebook; return when all its cells are in the page and its kernel is idle."""
    page.goto(f"{server.url}lab/tree/{quote(name)}?reset&token={server.token}")
    page.wait_for_selector(f"{NOTEBOOK} .jp-Notebook", timeout=120_000)
    until(lambda: page.locator(CELLS).count() >= cells, 120, f"{name}: {cells} cells are shown")
    until(lambda: status(page) == "idle", 120, f"{name}: its kernel is idle")


def status(page) -> str | None:
    mark = page.locator(f"{NOTEBOOK} .jp-Notebook-ExecutionIndicator")
    return mark.first.get_attribute("data-status") if mark.count() else None


def until(true, seconds: float, what: str, pause: float = 0.3) -> None:
    """Return when ``true()`` is; a TimeoutError says what was waited for."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def look(page) -> list[dict]:
    """What each cell shows: see LOOK. Prompts are "" (never run), "*" (running) or the count."""
    return page.locator(CELLS).evaluate_all(LOOK)


def run_all(page, seconds: float) -> None:
    """Menu Run, entry Run All Cells; return when no cell waits any more, also after an error."""
    for attempt in range(3):  # JupyterLab drops a run that comes while it connects to the kernel
        page.locator("#jp-MainMenu li", has_text=re.compile("^Run$")).click()
        page.locator('li[data-command="runmenu:run-all"]').click()
        try:
            until(lambda: any(cell["prompt"] for cell in look(page)), 20, "the first cell runs")
            break
        except TimeoutError:
            if attempt == 2:
                raise
    until(
        lambda: not any(cell["prompt"] == "*" for cell in look(page)),
        seconds,
        "all cells have run",
        pause=2,
    )
    until(lambda: status(page) == "idle", 60, "the kernel is idle")


def run_by_keyboard(page, index: int) -> str | None:
    """Shift+Enter in a code cell; a complaint unless it ran again and the next cell is chosen."""
    cell = page.locator(CELLS).nth(index)
    before = look(page)[index]["prompt"]
    cell.locator(".jp-InputPrompt").click()
    page.keyboard.press("Shift+Enter")
    try:
        until(
            lambda: look(page)[index]["prompt"] not in (before, "*"), 120, "Shift+Enter runs a cell"
        )
        until(lambda: chosen(page) == index + 1, 10, "Shift+Enter goes on to the next cell")
    except TimeoutError as error:
        return str(error)
    return None


def chosen(page) -> int:
    """The place of the active cell."""
    return page.locator(CELLS).evaluate_all(
        "cells => cells.findIndex(cell => cell.matches('.jp-mod-active'))"
    )


def save(page) -> None:
    """Ctrl+S; return when no change is left that is not in the file."""
    page.keyboard.press("Control+s")
    until(lambda: not page.locator(".jp-mod-dirty").count(), 60, "Ctrl+S saves the notebook")


def pictures(page, stem: Path) -> list[Path]:
    """The whole notebook as pictures ``stem``-01.png, ...; earlier ones are removed."""
    for old in stem.parent.glob(f"{stem.name}-[0-9]*.png"):
        old.unlink()
    windowed = page.locator(
        f"{NOTEBOOK} .jp-WindowedPanel-outer"
    )  # JupyterLab 4; in 3 the notebook itself scrolls
    pane = windowed if windowed.count() else page.locator(f"{NOTEBOOK} .jp-Notebook")
    found, step = [], 0
    while True:
        top = pane.evaluate("(pane, top) => { pane.scrollTop = top; return pane.scrollTop; }", step)
        page.wait_for_timeout(400)
        found.append(stem.with_name(f"{stem.name}-{len(found) + 1:02d}.png"))
        page.screenshot(path=found[-1])
        high, whole = pane.evaluate("pane => [pane.clientHeight, pane.scrollHeight]")
        step = top + high - 60
        if top + high >= whole - 5 or len(found) > 40:
            return found
