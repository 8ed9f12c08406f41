"""Budgets that lessons, command line and report share, so that what one makes the next finds in the
store (lesson 00).

Every value was chosen on development items, never on test items."""

from dataclasses import dataclass, field
from pathlib import Path

from sdft_lib.formats.toml import check_fields
from sdft_lib.storage.store import cache_dir
from sdft_lib.train import Count, TrainConfig

FEW = ("task", "facts", "helpful", "instructions", "safety", "benign", "templates")
USUAL = {"safety": 64, "benign": 64, "templates": 48}  # refusals: the rows of the recorded runs


@dataclass(frozen=True)
class Settings:
    """One run of the tutorial. ``limits``: items a suite (missing: all), and rows for comparing
    ``templates``."""

    fast: bool
    task: str
    model: str
    template: str
    train_rows: Count
    training: TrainConfig
    limits: dict[str, Count] = field(default_factory=dict)

    def __post_init__(self):
        check_fields(self)

    @property
    def folder(self) -> Path:
        """Where everything that is fetched or computed is kept (lesson 00)."""
        return cache_dir()


def lesson_settings(
    *, fast: bool = False, task: str = "tickets", model: str = "smollm2-135m", seed: int = 0
) -> Settings:
    """The default budget (about half an hour on two cores), or ``fast``: the same on few rows."""
    training = TrainConfig(learning_rate=2e-3, epochs=1 if fast else 2, seed=seed)
    rows, limits = (32, dict.fromkeys(FEW, 8)) if fast else (480, dict(USUAL))
    return Settings(fast, task, model, "opening", rows, training, limits)
