"""One notebook in a JupyterLab page: open it, run it as a reader does, say what it shows."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden):not(.p-mod-hidden)"
CELLS = f"{NOTEBOOK} .jp-Notebook .jp-Cell"
SIZE = {"width": 1280, "height": 1600}
PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="117" height="20" style="background:#bbb"/>'
BADGE = "/assets/colab-badge.svg"
# What the console may say: MathJax of JupyterLab 3 tries a font without an address.
ALLOWED = re.compile("font at 'about:blank'|ERR_FAILED at about:blank$")
ROOTS = ".jp-OutputArea-output:has(.jupyter-widgets)"
SLIDER = ".widget-slider"
HANDLE, TRACK = ".noUi-handle, .ui-slider-handle", ".noUi-base, .ui-slider"  # ipywidgets 8, 7
DROPDOWN, LIST = ".widget-dropdown select", ".widget-select-multiple select"
BUTTONS = ".widget-toggle-buttons button"
ANY = "select, button, input, textarea, " + HANDLE
WAIT = 20  # seconds that a view may take to change: a figure may be drawn anew
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
        if not ALLOWED.search(text):
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

    def all_ran() -> bool:
        return not any(cell["prompt"] == "*" for cell in look(page))

    until(all_ran, seconds, "all cells have run", pause=2)
    until(lambda: status(page) == "idle", 60, "the kernel is idle")


def run_by_keyboard(page, index: int) -> str | None:
    """Shift+Enter in a code cell; a complaint unless it ran again and the next cell is chosen."""
    cell = page.locator(CELLS).nth(index)
    before = look(page)[index]["prompt"]
    cell.locator(".jp-InputPrompt").click()
    page.keyboard.press("Shift+Enter")

    def ran_again() -> bool:
        return look(page)[index]["prompt"] not in (before, "*")

    try:
        until(ran_again, 120, "Shift+Enter runs a cell")
        until(lambda: chosen(page) == index + 1, 10, "Shift+Enter goes on to the next cell")
    except TimeoutError as error:
        return str(error)
    return None


def chosen(page) -> int:
    """The place of the active cell."""
    script = "cells => cells.findIndex(cell => cell.matches('.jp-mod-active'))"
    return page.locator(CELLS).evaluate_all(script)


def save(page) -> None:
    """Ctrl+S; return when no change is left that is not in the file."""
    page.keyboard.press("Control+s")
    until(lambda: not page.locator(".jp-mod-dirty").count(), 60, "Ctrl+S saves the notebook")


def pictures(page, stem: Path) -> list[Path]:
    """The whole notebook as pictures ``stem``-01.png, ...; earlier ones are removed."""
    for old in stem.parent.glob(f"{stem.name}-[0-9]*.png"):
        old.unlink()
    # in JupyterLab 4; in 3 the notebook itself scrolls
    windowed = page.locator(f"{NOTEBOOK} .jp-WindowedPanel-outer")
    pane = windowed if windowed.count() else page.locator(f"{NOTEBOOK} .jp-Notebook")
    taken, step = [], 0
    while True:
        top = pane.evaluate("(pane, top) => { pane.scrollTop = top; return pane.scrollTop; }", step)
        page.wait_for_timeout(400)
        taken.append(stem.with_name(f"{stem.name}-{len(taken) + 1:02d}.png"))
        page.screenshot(path=taken[-1])
        high, whole = pane.evaluate("pane => [pane.clientHeight, pane.scrollHeight]")
        step = top + high - 60
        if top + high >= whole - 5 or len(taken) > 40:
            return taken


def try_widget(page, index: int) -> tuple[int, list[str]]:
    """(number of controls, complaints) of the widget in the cell at this place.

    Each control is used by mouse and by keyboard, and the view must change. JupyterLab 4 takes bare
    ArrowDown and letters for its own commands, in a list or a dropdown too; hence the keys below.
    """
    cell = page.locator(CELLS).nth(index)
    for _ in range(2):  # JupyterLab lays out what comes near; then the cell moves
        cell.locator(ROOTS).first.evaluate("root => root.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(500)
    view = cell.locator(".widget-html-content").last
    wrong: list[str] = []
    count = 0
    for selector, use in ((DROPDOWN, pick_each), (SLIDER, slide), (LIST, pick_fewer)):
        for control in cell.locator(selector).all():
            count += 1
            wrong += use(page, view, control)
    buttons = cell.locator(BUTTONS).all()
    count += bool(buttons)
    wrong += press_each(page, view, buttons) if buttons else []
    if not count:
        wrong.append("no control that the test knows")
    known = len(cell.locator(f"{DROPDOWN}, {LIST}, {BUTTONS}, {SLIDER}").all())
    if known != len(cell.locator(ROOTS).first.locator(ANY).all()):
        wrong.append("a control that the test does not know")
    if view.locator("img").evaluate_all("all => all.some(one => !one.naturalWidth || !one.alt)"):
        wrong.append("a figure in the widget is broken or has no alt text")
    return count, [f"widget in cell {index}: {line}" for line in wrong]


def changes(view, act, what: str) -> list[str]:
    """A complaint unless the view differs after ``act()``: other text or other image bytes."""
    before = view.inner_html()
    act()
    end = time.monotonic() + WAIT
    while view.inner_html() == before:
        if time.monotonic() > end:
            return [f"{what} changes nothing"]
        time.sleep(0.1)
    return []


def pick_each(page, view, dropdown) -> list[str]:
    """Every option once, the first one last; then by keyboard the next option, and back."""
    options = dropdown.locator("option").all_text_contents()
    if len(options) < 2:
        return []
    wrong = []
    for option in [*options[1:], options[0]]:
        pick = partial(dropdown.select_option, label=option)
        wrong += changes(view, pick, f"picking {option}")
    keys = ("Space ArrowDown Enter", "Home")
    return wrong + by_keyboard(page, view, dropdown, keys, "the dropdown")


def slide(page, view, slider) -> list[str]:
    """To the farther end with the mouse, one step back with the arrow key, and on again."""
    handle, track = slider.locator(HANDLE).first, slider.locator(TRACK).first
    name = slider.inner_text().split("\n")[0] or "the slider"
    handle.scroll_into_view_if_needed()
    start, room = handle.bounding_box(), track.bounding_box()
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    right = x < room["x"] + room["width"] / 2

    def drag() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(room["x"] + room["width"] / 2, y, steps=4)
        page.mouse.move(room["x"] + (room["width"] + 2 if right else -2), y, steps=4)
        page.mouse.up()

    keys = ("ArrowLeft", "ArrowRight") if right else ("ArrowRight", "ArrowLeft")
    return changes(view, drag, f"dragging {name}") + by_keyboard(page, view, handle, keys, name)


def pick_fewer(page, view, choice) -> list[str]:
    """The first option alone, then by keyboard two, then all again."""
    options = choice.locator("option").all_text_contents()
    if len(options) < 2:
        return []
    first, every = (partial(choice.select_option, label=label) for label in (options[0], options))
    wrong = changes(view, first, f"choosing {options[0]} alone")
    wrong += by_keyboard(page, view, choice, ("Control+ArrowDown Control+Space",), "the list")
    return wrong + changes(view, every, "choosing all again")


def press_each(page, view, buttons) -> list[str]:
    """Every button once, the first one last; then the second by keyboard."""
    wrong = []
    for button in [*buttons[1:], buttons[0]]:
        wrong += changes(view, button.click, f"pressing {button.inner_text().strip()}")
    return wrong + by_keyboard(page, view, buttons[1], ("Enter",), "a button")


def by_keyboard(page, view, control, strokes: tuple[str, ...], what: str) -> list[str]:
    """Each stroke (keys in a row) changes the view, and does not choose another cell."""
    wrong = []
    for stroke in strokes:
        control.focus()
        cell = chosen(page)
        wrong += changes(view, partial(press, page, stroke), f"{stroke} on {what}")
        if chosen(page) != cell:
            wrong.append(f"{stroke} on {what} chooses another cell")
    return wrong


def press(page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)
        page.wait_for_timeout(200)  # a list takes a moment to open
