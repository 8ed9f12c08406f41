"""A grid of runs as a TOML file: which methods, how many seeds, what is scored when (lesson 05)."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from sdft_lib.data import PROBES, load_task
from sdft_lib.experiments.methods import ONE_TASK, TASKS_IN_A_ROW
from sdft_lib.experiments.stages import tasks_of
from sdft_lib.formats.toml import check_known, from_table, read_toml
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import Count, TrainConfig

ALONG = ("dev", "task", *PROBES)


@dataclass(frozen=True)
class Recipe:
    """``rows``: training rows. ``keep``: shares of the training after which the suites in ``along``
    are scored too (``dev`` is the task's dev split); at its end all suites are. ``limits``: items a
    suite. ``training``: a TrainConfig without seed and keep. ``orders``: several tasks one after
    the other, such as ``tickets-sums-calls`` (lesson 06); then ``task``, ``keep`` and ``along``
    play no part, and the methods are those of ``methods.TASKS_IN_A_ROW``. ``sweep``: training settings
    that are tried one after the other and scored on dev alone (lesson 05)."""

    name: str
    task: str = "tickets"
    model: str = "smollm2-135m"
    template: str = "opening"
    rows: Count | None = None
    methods: Annotated[tuple[str, ...], Meta(min_length=1)] = ONE_TASK
    seeds: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=1)] = (0,)
    keep: tuple[float, ...] = ()
    along: tuple[str, ...] = ("dev", "task", "facts", "safety")
    limits: dict[str, Count] | None = None
    training: dict | None = None
    orders: tuple[str, ...] = ()
    sweep: tuple[dict, ...] = ()

    def config(self, seed: int, **changes) -> TrainConfig:
        """The training settings of one seed; ``changes`` are those of a sweep."""
        settings = {"keep": self.keep} | (self.training or {}) | changes | {"seed": seed}
        return from_table(settings, TrainConfig, "training")

    @property
    def settings(self) -> dict:
        """What decides the scores of a cell, its method and seed left out."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in ("name", "methods", "seeds")
        }


def check_methods(recipe: Recipe, methods: Sequence[str], where: str | Path) -> None:
    """Raise SdftError for a method that a recipe does not have; ``where``: how the message names
    it.
    """
    if wrong := [name for name in methods if name not in recipe.methods]:
        raise SdftError(
            f'recipe {where} has no method "{wrong[0]}"; it has {", ".join(recipe.methods)}.'
        )


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises SdftError naming the file and the entry that is wrong."""
    path = Path(path)
    if not path.exists():
        raise SdftError(f"{path}: there is no such recipe; data/recipes holds ours.")
    values = read_toml(path)
    methods = TASKS_IN_A_ROW if values.get("orders") else ONE_TASK
    recipe = from_table({"name": path.stem, "methods": list(methods)} | values, Recipe, path)
    if not re.fullmatch(r"[\w-]+", recipe.name):
        raise SdftError(
            f'{path}: name "{recipe.name}" is to become a file name; use letters, digits, - and _.'
        )
    for name in recipe.methods:
        check_known(name, methods, f"{path}: method")
    for name in (*recipe.along, *(recipe.limits or {})):
        check_known(name, ALONG, f"{path}: suite")
    for order in recipe.orders:
        check_order(order, path)
    check_training(recipe, path)
    return recipe


def check_order(order: str, path: Path) -> None:
    """Raise SdftError, with the file's name, unless an order names several different tasks that are
    there.
    """
    try:
        for name in tasks_of(order):
            load_task(name)
    except SdftError as error:
        raise SdftError(f"{path}: {error}") from None


def check_training(recipe: Recipe, path: Path) -> None:
    """Raise SdftError unless the training settings make a TrainConfig for each seed."""
    try:
        for seed in recipe.seeds:
            for changes in recipe.sweep or ({},):
                recipe.config(seed, **changes)
    except SdftError as error:
        raise SdftError(f"{path}: {error}") from None
