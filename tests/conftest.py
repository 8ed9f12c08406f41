"""Fixtures that more than one test file uses."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def paper_data() -> Path:
    """The folder of public files: skipped if SDFT_PAPER_DATA is unset, a failure if it is no folder."""
    folder = os.environ.get("SDFT_PAPER_DATA")
    if not folder:
        pytest.skip("SDFT_PAPER_DATA is not set")
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        pytest.fail(f"SDFT_PAPER_DATA={folder} is not a folder")
    return path
