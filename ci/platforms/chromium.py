"""Find the Chromium that tests drive: one of this machine, else the one that Playwright brought."""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "No Chromium was found; install one with `apt-get install chromium` or `playwright install "
    "chromium`."
)
OPTIONS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
]  # so that it also starts as root and in a container


def on_path() -> str | None:
    """The program on the PATH, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def start(play):
    """A running browser of Playwright's handle ``play``. Ends the program where there is none."""
    from pathlib import Path

    from ci import bootstrap

    program = on_path() or play.chromium.executable_path
    if not Path(program).exists():
        bootstrap.stop(MISSING)
    return play.chromium.launch(executable_path=program, args=OPTIONS)
