"""A grid of runs as a TOML file: which methods, how many seeds, what is scored when (lesson 05)."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sdft_lib.data import PROBES, load_task
from sdft_lib.experiments.methods import METHODS
from sdft_lib.experiments.stages import REHEARSED, tasks_of
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig

ALONG = ("dev", "task", *PROBES)


@dataclass(frozen=True)
class Recipe:
    """``rows``: training rows. ``keep``: shares of the training after which the suites in ``along``
    are scored too (``dev`` is the task's dev split); at its end all suites are. ``limits``: items a
    suite. ``training``: a TrainConfig without seed and keep. ``orders``: several tasks one after
    the other, such as ``tickets-sums-calls`` (lesson 06); then ``task``, ``keep`` and ``along``
    play no part, and the methods are those of ``stages.REHEARSED``. ``sweep``: training settings
    that are tried one after the other and scored on dev alone (lesson 05)."""

    name: str
    task: str = "tickets"
    model: str = "smollm2-135m"
    template: str = "opening"
    rows: int | None = None
    methods: tuple[str, ...] = tuple(METHODS)
    seeds: tuple[int, ...] = (0,)
    keep: tuple[float, ...] = ()
    along: tuple[str, ...] = ("dev", "task", "facts", "safety")
    limits: dict | None = None
    training: dict | None = None
    orders: tuple[str, ...] = ()
    sweep: tuple[dict, ...] = ()

    def config(self, seed: int, **changes) -> TrainConfig:
        """The training settings of one seed; ``changes`` are those of a sweep."""
        settings = {"keep": self.keep} | (self.training or {}) | changes
        if isinstance(settings.get("targets"), list):
            settings["targets"] = tuple(settings["targets"])
        return TrainConfig(**settings, seed=seed)

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
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SdftError(f"{path}: there is no such recipe; data/recipes holds ours.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SdftError(f"{path}: this is not a TOML file that can be read ({error}).") from None
    known = {field.name for field in fields(Recipe)}
    if unknown := sorted(set(values) - known):
        raise SdftError(
            f'{path}: entry "{unknown[0]}" is not known; use {", ".join(sorted(known))}.'
        )
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    methods = {"methods": tuple(REHEARSED)} if values.get("orders") else {}
    recipe = Recipe(**{"name": path.stem} | methods | values)
    if not re.fullmatch(r"[\w-]+", recipe.name):
        raise SdftError(
            f'{path}: name "{recipe.name}" is to become a file name; use letters, digits, - and _.'
        )
    methods = REHEARSED if recipe.orders else METHODS
    if wrong := [name for name in recipe.methods if name not in methods]:
        raise SdftError(f'{path}: method "{wrong[0]}" is not known here; use {", ".join(methods)}.')
    if wrong := [name for name in recipe.along if name not in ALONG]:
        raise SdftError(f'{path}: "{wrong[0]}" in along is no suite; use {", ".join(ALONG)}.')
    if not recipe.seeds or not recipe.methods:
        raise SdftError(f"{path}: name at least one method and one seed.")
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
    except TypeError:
        known = sorted({field.name for field in fields(TrainConfig)} - {"seed", "keep"})
        raise SdftError(
            f"{path}: [training] holds an unknown entry; use {', '.join(known)}."
        ) from None
    except SdftError as error:
        raise SdftError(f"{path}: {error}") from None
