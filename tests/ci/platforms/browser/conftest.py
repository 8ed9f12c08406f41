"""Skip what needs Playwright and a Chromium, unless the browser test itself runs: it installs what
is missing.
"""

import os

import pytest

from ci.platforms import browser_place


@pytest.fixture(scope="session")
def driver():
    """Playwright's handle on a running Chromium."""
    if os.environ.get("SDFT_BROWSER") != "1":
        pytest.skip("runs with python3 ci/run_tests.py --browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        program = browser_place.chromium(play)
        yield program
        program.close()
