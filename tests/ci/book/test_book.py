"""The book: its made pages always; the built site where Sphinx is installed; in a browser where
Chromium is there too.

`python3 ci/build_book.py` installs Sphinx into .venv; Playwright and axe come with
`.venv/bin/pip install -c constraints.txt -e ".[browser]"`.
"""

import functools
import http.server
import posixpath
import re
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest

from ci import build_book
from ci.book import pages as made_pages
from ci.book.pages import LIBRARY
from ci.bootstrap import ROOT
from ci.lessons import house
from ci.lessons.sources import repository
from ci.platforms import browser_place
from ci.recorded import record_run

LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
OWN_LIST = {
    "genindex.html",
    "py-modindex.html",
    "search.html",
}  # Sphinx's own pages, reached by a form or not at all
LOOKED_AT = [
    "index",
    "notebooks/02_distillation_prompting",
    "notebooks/04_evaluation",
    "glossary",
    "commands",
    "api/core",
    "teaching/plans",
    "teaching/expected",
    "troubleshooting",
]


def test_every_module_has_one_place_in_the_reference():
    named = [name for modules in made_pages.rooms().values() for name in modules]
    known = {name.removeprefix("sdft_lib.") for name in house.modules()}
    assert sorted(named) == sorted(known - {"sdft_lib", "__main__"} - set(made_pages.rooms()))
    assert all(made_pages.about(LIBRARY / room) for room in made_pages.rooms() if room != "core")


def test_made_pages_are_whole():
    made = made_pages.pages()
    assert [
        place for place, text in made.items() if "<!--" in text or not text.startswith("# ")
    ] == []
    assert "`--adapter`" in made["commands.md"] and "## `sdft doctor`" in made["commands.md"]
    assert f"| {record_run.read()['lessons'][0]['name'][:2]} |" in made["teaching/expected.md"]


def test_a_lesson_brings_no_picture_from_elsewhere_and_alt_texts_for_its_own():
    places = build_book.sources()
    for name in LESSONS:
        notebook = nbformat.reads(
            build_book.lesson(ROOT / "notebooks" / f"{name}.ipynb", places), as_version=4
        )
        assert "[![" not in notebook.cells[0].source, "a badge is words here"
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert not re.search(r"!\[[^\]]*\]\(http|<img", text)
        for cell in notebook.cells:
            if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
                assert len(cell.metadata["mystnb"]["image"]["alt"]) > 20


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the built site. A warning of Sphinx, such as a link that leads nowhere, fails
    the build.
    """
    if not build_book.installed():
        pytest.skip("Sphinx is not installed; python3 ci/build_book.py installs it")
    folder = tmp_path_factory.mktemp("book") / "site"
    assert build_book.build(folder) == 0, "Sphinx's warnings are in the captured output"
    return folder


@pytest.fixture(scope="session")
def pages(site) -> dict:
    """Every page by its place, as parsed HTML."""
    from bs4 import BeautifulSoup

    found = {
        path.relative_to(site).as_posix(): path
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    return {
        place: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for place, path in found.items()
    }


def test_nothing_comes_from_elsewhere(site, pages):
    """No script, style, font or picture of any page has an address on the network; the styles
    import none.
    """
    tags = {
        "script": "src",
        "link": "href",
        "img": "src",
        "iframe": "src",
        "source": "src",
        "object": "data",
    }
    found = [
        (place, tag[name])
        for place, page in pages.items()
        for kind, name in tags.items()
        for tag in page.find_all(kind)
        if re.match(r"(https?:)?//", tag.get(name) or "")
    ]
    assert found == []
    for style in site.rglob("*.css"):
        assert not re.search(
            r"(@import|url\()\s*[\"'(]*(https?:)?//", style.read_text(encoding="utf-8")
        ), style.name


def targets(place: str, page) -> list[tuple[str, str]]:
    """(page, anchor) of each link of a page that stays inside the site, seen from the site's
    top.
    """
    found = []
    for link in page.find_all("a", href=True):
        if re.match(r"[a-z]+:|//", link["href"]):
            continue
        path, anchor = urldefrag(link["href"])
        full = posixpath.join(posixpath.dirname(place), unquote(path)) if path else place
        found.append((posixpath.normpath(full), unquote(anchor)))
    return found


def test_links_and_anchors_lead_somewhere(site, pages):
    known = {place: {tag["id"] for tag in page.find_all(id=True)} for place, page in pages.items()}
    dead = [
        (place, target, anchor)
        for place, page in pages.items()
        for target, anchor in targets(place, page)
        if not (site / target).is_file() or (anchor and anchor not in known.get(target, set()))
    ]
    assert dead == []


def test_every_page_can_be_reached(pages):
    """By links alone, from the first page: each lesson, each module, and every other page."""
    seen, queue = set(), ["index.html"]
    while queue:
        place = queue.pop()
        if place in pages and place not in seen:
            seen.add(place)
            queue += [target for target, _ in targets(place, pages[place])]
    assert set(pages) - OWN_LIST - seen == set()
    assert {f"notebooks/{name}.html" for name in LESSONS} <= seen
    anchors = {tag["id"] for place in seen for tag in pages[place].find_all(id=True)}
    for modules in made_pages.rooms().values():
        assert [name for name in modules if f"module-sdft_lib.{name}" not in anchors] == []


def test_each_page_has_one_title_and_each_picture_its_words(pages):
    ours = {place: page for place, page in pages.items() if place not in OWN_LIST}
    titles = {
        place: page.select("h1") for place, page in ours.items()
    }  # the theme repeats it, for printing only
    shown = {
        place: [each for each in found if not each.find_parent(id="jb-print-docs-body")]
        for place, found in titles.items()
    }
    assert {place: found for place, found in shown.items() if len(found) != 1} == {}
    assert [
        (place, img.get("src"))
        for place, page in ours.items()
        for img in page.select("article img")
        if len(img.get("alt") or "") < 20
    ] == []


def test_a_lesson_has_its_neighbours_and_its_own_copy_in_colab(pages):
    for name in LESSONS:
        page = pages[f"notebooks/{name}.html"]
        opens = [
            link["href"]
            for link in page.find_all("a", href=re.compile("colab.research.google.com"))
        ]
        assert bool(opens) == bool(repository()[0]) and all(
            re.search(rf"/blob/[\w.-]+/notebooks/{name}\.ipynb$", address) for address in opens
        )
    pairs = zip(LESSONS, LESSONS[1:])
    assert all(
        pages[f"notebooks/{a}.html"].find("a", class_="right-next", href=f"{b}.html")
        for a, b in pairs
    )


def test_a_search_knows_the_words(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "holm" in index and "sdft_lib.gap" in index


@pytest.fixture(scope="session")
def chromium(site):
    """Playwright's handle on the Chromium of this machine."""
    driver = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed (extra browser)"
    )
    pytest.importorskip("axe_playwright_python", reason="axe is not installed (extra browser)")
    with driver.sync_playwright() as play:
        program = browser_place.chromium(play)
        yield program
        program.close()


@pytest.fixture(scope="session")
def address(site):
    """The site on a port of this machine: over file: the browser forbids what axe reads."""
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        """Say nothing."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_reads_well_in_a_browser(address, chromium, width, scheme):
    """Nothing is fetched, nothing scrolls sideways, axe finds nothing serious; screenshots to
    build/browser/book.
    """
    from axe_playwright_python.sync_playwright import Axe

    shots = ROOT / "build" / "browser" / "book"
    wrong, asked = [], []
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("request", lambda request: asked.append(request.url))

    def complain(line) -> None:
        wrong.extend([line.text] if line.type == "error" else [])

    for place in LOOKED_AT:
        page.on("console", complain)
        page.goto(f"{address}{place}.html", wait_until="load")
        page.wait_for_timeout(300)
        page.screenshot(path=shots / f"{place.replace('/', '-')}-{width}-{scheme}.png")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong.append(f"{place} scrolls sideways")
        page.remove_listener("console", complain)  # axe itself asks for styles that are not there
        found = Axe().run(page).response["violations"]
        wrong += [
            f"{place}: {each['id']}: {each['nodes'][0]['html'][:120]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert wrong == []
