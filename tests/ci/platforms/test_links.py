"""A push to a bare repository in GitHub's place: the steps of .github/workflows/links.yml, run on a
clone of it, lead every badge, link and setup cell there."""

import json
import os
import re
import subprocess
import sys

import pytest

from ci.bootstrap import ROOT
from ci.platforms import colab

PLACES = r"https://(colab\.research\.google\.com/github|mybinder\.org/v2/gh|codespaces\.new)/"
LINK = re.compile(PLACES + r"([\w.-]+/[\w.-]+)([^)\s\"\\]*)")


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """The clone of a repository called ann/sdft after its first push."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository: nothing to push")
    home = tmp_path_factory.mktemp("links")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REMOTE", "CLONE", "INDEX"):
            patch.setattr(colab, name, home / name.lower())
        colab.publish()
        colab.workflow("ann/sdft")
        yield colab.CLONE


def commits() -> int:
    return int(colab.git("-C", str(colab.REMOTE), "rev-list", "--count", colab.BRANCH))


def tracked(clone) -> dict[str, str]:
    """The text of every file that may hold a link, by its name, as it was pushed."""
    names = colab.git("-C", str(clone), "ls-files").splitlines()
    kept = [name for name in names if name.endswith((".md", ".ipynb", ".toml", ".json", ".yml"))]
    return {name: (clone / name).read_text(encoding="utf-8") for name in kept}


def linked(clone) -> list[tuple[str, ...]]:
    return [found for text in tracked(clone).values() for found in LINK.findall(text)]


def test_the_push_stamps_every_link(pushed):
    found = linked(pushed)
    copies = len(list((pushed / "notebooks").rglob("[0-9]*.ipynb")))
    assert len(found) == copies + copies // 3 + 2 * 3, "badges, their table, README and platforms"
    assert {slug for _, slug, _ in found} == {"ann/sdft"}
    for place, _, rest in found:
        if place.startswith("colab"):
            assert rest.startswith("/blob/main/") and (pushed / rest[11:]).is_file()


def test_no_owner_is_left_and_nothing_waits_for_a_push(pushed):
    for name, text in tracked(pushed).items():
        assert "OWNER" not in text, name
        assert "after the first push to GitHub" not in text or name == "ci/book/index.md", name


def test_the_setup_cells_install_that_branch(pushed):
    for copy in (pushed / "notebooks").rglob("[0-9]*.ipynb"):
        setup = json.loads(copy.read_text(encoding="utf-8"))["cells"][1]
        assert 'repository, branch = "ann/sdft", "main"' in "".join(setup["source"])


def test_the_stamped_copies_are_those_that_the_builder_makes(pushed):
    own = os.environ | {"CONDA_DEFAULT_ENV": "sdft", "PYTHONPATH": str(pushed)}
    command = [sys.executable, "ci/build_notebooks.py", "--check"]
    done = subprocess.run(command, cwd=pushed, env=own, capture_output=True, text=True)
    assert done.stderr == "" and "differs from its source" not in done.stdout


def test_a_second_push_changes_nothing_and_a_fork_gets_its_own_links(pushed):
    before = commits()
    colab.workflow("ann/sdft")
    assert commits() == before
    colab.workflow("ben/course")
    assert commits() == before + 1
    assert {slug for _, slug, _ in linked(pushed)} == {"ben/course"}
