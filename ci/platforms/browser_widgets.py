"""The controls of a widget as a reader uses them: each one by mouse, and by keyboard, and the view
must change.

JupyterLab 4 takes bare ArrowDown and letters for its own commands, in a list or a dropdown too;
hence these keys."""

from __future__ import annotations

import time

from ci.platforms.browser_page import CELLS, chosen

ROOTS = ".jp-OutputArea-output:has(.jupyter-widgets)"
SLIDER = ".widget-slider"
HANDLE, TRACK = ".noUi-handle, .ui-slider-handle", ".noUi-base, .ui-slider"  # ipywidgets 8, 7
DROPDOWN, LIST, BUTTONS = (
    ".widget-dropdown select",
    ".widget-select-multiple select",
    ".widget-toggle-buttons button",
)
ANY = "select, button, input, textarea, " + HANDLE
WAIT = 20  # seconds that a view may take to change: a figure may be drawn anew


def try_widget(page, index: int) -> tuple[int, list[str]]:
    """(number of controls, complaints) of the widget in the cell at this place."""
    cell = page.locator(CELLS).nth(index)
    for _ in range(2):  # JupyterLab lays out what comes near; then the cell moves
        cell.locator(ROOTS).first.evaluate("root => root.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(500)
    view = cell.locator(".widget-html-content").last
    wrong: list[str] = []
    count = 0
    for dropdown in cell.locator(DROPDOWN).all():
        count += 1
        wrong += pick_each(page, view, dropdown)
    for slider in cell.locator(SLIDER).all():
        count += 1
        wrong += slide(page, view, slider)
    for choice in cell.locator(LIST).all():
        count += 1
        wrong += pick_fewer(page, view, choice)
    buttons = cell.locator(BUTTONS).all()
    count += bool(buttons)
    wrong += press_each(page, view, buttons) if buttons else []
    if not count:
        wrong.append("no control that the test knows")
    known = len(cell.locator(f"{DROPDOWN}, {LIST}, {BUTTONS}").all()) + len(
        cell.locator(SLIDER).all()
    )
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
        wrong += changes(
            view, lambda name=option: dropdown.select_option(label=name), f"picking {option}"
        )
    return wrong + by_keyboard(
        page, view, dropdown, ("Space ArrowDown Enter", "Home"), "the dropdown"
    )


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
    wrong = changes(
        view, lambda: choice.select_option(label=options[0]), f"choosing {options[0]} alone"
    )
    wrong += by_keyboard(page, view, choice, ("Control+ArrowDown Control+Space",), "the list")
    return wrong + changes(view, lambda: choice.select_option(label=options), "choosing all again")


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
        wrong += changes(view, lambda keys=stroke: press(page, keys), f"{stroke} on {what}")
        if chosen(page) != cell:
            wrong.append(f"{stroke} on {what} chooses another cell")
    return wrong


def press(page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)
        page.wait_for_timeout(200)  # a list takes a moment to open
