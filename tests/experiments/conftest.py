"""What all grids of these tests share."""

import pytest

from sdft_lib.experiments import grid


@pytest.fixture(autouse=True)
def few_drift_prompts(monkeypatch):
    """The drift on 3 prompts in place of 40: full distributions over 49k tokens, cell after cell,
    were half the time of these tests."""
    monkeypatch.setattr(grid, "DRIFT", 3)
