"""The first code cell of every lesson: on Colab it installs this package from a tagged release,
elsewhere it is idle.

Slug and tag come from ci/repository.toml. What follows the download is `sdft_lib/cli/colab.py`.
"""

from __future__ import annotations

TAGS = ("setup", "remove-cell")  # a book leaves it out
CELL = """# On Google Colab this installs the library of the lessons. Anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    import subprocess

    release = "git+https://github.com/{slug}@{tag}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", release], check=True)
    from sdft_lib.cli.colab import set_up

    set_up()"""


def setup_cell(slug: str, tag: str):
    """The cell, for the place after a lesson's header."""
    from nbformat.v4 import new_code_cell

    return new_code_cell(CELL.format(slug=slug, tag=tag), id="setup", metadata={"tags": list(TAGS)})
