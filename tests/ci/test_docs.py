"""The written pages: each link leads somewhere, each generated part has both its marks, and the
README stays on one screen."""

import re
from urllib.parse import unquote

import pytest

from ci.book import pages as made_pages
from ci.bootstrap import ROOT
from ci.lessons.checks_text import anchors, headings_of

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "notebooks" / "README.md",
    *sorted((ROOT / "ci" / "book").rglob("*.md")),
    *sorted((ROOT / "data").rglob("*.md")),
]
MODULES = {made_pages.anchor(name) for modules in made_pages.rooms().values() for name in modules}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = unquote(target).partition("#")
        if anchor.startswith("sdft-"):  # a module, in the book's reference
            assert anchor in MODULES, target
            continue
        if re.match(r"[a-z]+:", file) or file == "notes.md":
            continue  # elsewhere, or made with the book
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(headings_of(other)), target


def test_paths_that_pages_name_are_there():
    """In code font, below the folders of the project."""
    named = re.compile(r"`((?:ci|data|sdft_lib|tests|notebooks)/[\w./-]+)`")
    for page in PAGES:
        for path in named.findall(page.read_text(encoding="utf-8")):
            if not re.search(r"NN|NAME", path):
                assert (ROOT / path).exists() or list(ROOT.glob(path)), f"{page.name}: {path}"


def test_modules_that_pages_name_are_there():
    for page in PAGES:
        for module in re.findall(r"python3 -m (ci[\w.]+)", page.read_text(encoding="utf-8")):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), f"{page.name}: {module}"


def test_the_readme_is_one_screen():
    assert len((ROOT / "README.md").read_bytes()) <= 6_000


def test_every_page_has_a_place_in_the_book():
    contents = (ROOT / "ci" / "book" / "index.md").read_text(encoding="utf-8")
    made = [place for place in made_pages.pages() if not place.startswith("api/")]
    for page in (ROOT / "ci" / "book").rglob("*.md"):
        made.append(page.relative_to(ROOT / "ci" / "book").as_posix())
    for place in {*made, "api/index.md", "security.md", "contributing.md"} - {"index.md"}:
        assert f"\n{place.removesuffix('.md')}\n" in contents, place


def test_the_tests_that_pages_name_are_there():
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    defined = set(re.findall(r"^ *def (test_\w+)", code, flags=re.M))
    for page in PAGES:
        named = re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
        assert not set(named) - defined, page.name
