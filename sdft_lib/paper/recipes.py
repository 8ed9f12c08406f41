"""The runs behind the paper's Tables 1, 2 and 5 as small TOML files, and the wording of their
prompts (lesson 08).

A recipe is one training set for one model: the seed, a plain fine-tuning (sft) and an sdft of it. A
table is some recipes and the evaluations that are its columns. Settings are the paper's and its
code's; the wording is ours, and another TOML file swaps in another one."""

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from sdft_lib.formats.paper_sets import PAPER_SETS
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import DistillTemplate, fill
from sdft_lib.train import TrainConfig

FIRST, SECOND = (
    ("openfunctions", "gsm8k", "humaneval"),
    ("advbench", "advbench-jailbreak", "alpaca_eval"),
)
TABLES = {1: FIRST, 2: SECOND, 5: FIRST + SECOND}  # the paper's columns
METHODS = ("seed", "sft", "sdft")


@dataclass(frozen=True)
class PaperRecipe:
    """``tuning``: lora or full. ``training``: other settings of a TrainConfig, and a seed.
    ``decoding``: of rewrites. ``assumed``: settings that the paper and its code do not give, chosen
    by us."""

    name: str
    tables: tuple[int, ...]
    model: str
    dataset: str
    rows: int
    training: dict
    decoding: dict
    tuning: str = "lora"
    methods: tuple[str, ...] = METHODS
    assumed: tuple[str, ...] = ()

    def config(self) -> TrainConfig:
        """The training settings."""
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in self.training.items()
        }
        return TrainConfig(full=self.tuning == "full", **settings)

    def decoding_of(self, **changes):
        """The Decoding of rewrites; ``changes`` may shorten it."""
        from sdft_lib.generation import Decoding

        return Decoding(**self.decoding | changes)


def with_training(recipe: PaperRecipe, changes: dict) -> PaperRecipe:
    """The recipe with other training settings, such as ``parts``. Raises SdftError for what makes
    no TrainConfig.
    """
    changed = replace(recipe, training=recipe.training | changes)
    try:
        changed.config()
    except SdftError as error:
        raise SdftError(f"{recipe.name}: {error}") from None
    return changed


@dataclass(frozen=True)
class Wording:
    """What stands around a row. ``distil``: for each training set how a rewrite is asked for.
    ``train``, ``test``: for a set, ``system`` and ``user`` with ``{instruction}``; without an entry
    the row stays as it is. ``chat_template`` replaces the tokenizer's own, for models prompted with
    plain text."""

    name: str
    distil: dict[str, DistillTemplate] = field(default_factory=dict)
    train: dict[str, dict] = field(default_factory=dict)
    test: dict[str, dict] = field(default_factory=dict)
    chat_template: str = ""

    def trained(self, name: str, messages: list[dict]) -> list[dict]:
        """The messages of a training row in this wording."""
        return around(messages, self.train.get(name, {}))

    def tested(self, name: str, messages: list[dict]) -> list[dict]:
        """The messages of a test item in this wording."""
        return around(messages, self.test.get(name, {}))

    def template(self, dataset: str) -> DistillTemplate:
        """How a rewrite of this set is asked for; SdftError if the wording has nothing for it."""
        if dataset not in self.distil:
            raise SdftError(f'wording "{self.name}" has no [distil.{dataset}]; add it to the file.')
        return self.distil[dataset]


def around(messages: list[dict], words: dict) -> list[dict]:
    """Messages with a wording around the last turn; earlier turns and an own system message
    stay.
    """
    *history, last = messages
    text = fill(words.get("user", "{instruction}"), {"instruction": last["content"]})
    own = messages[0]["role"] == "system"
    system = (
        [{"role": "system", "content": words["system"]}] if words.get("system") and not own else []
    )
    return [*system, *history, {**last, "content": text}]


def folder() -> Path:
    """Where the recipes lie."""
    from sdft_lib.data import data_dir

    return data_dir() / "recipes" / "paper"


def read_toml(path: Path) -> dict:
    """A TOML file; SdftError with its name if it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise SdftError(f"{path}: this is not a TOML file that can be read ({error}).") from None


def load_paper_recipe(path: Path) -> PaperRecipe:
    """Read and check a recipe; raises SdftError with the file's name and the entry that is
    wrong.
    """
    values, known = read_toml(Path(path)), {each.name for each in fields(PaperRecipe)}
    if unknown := sorted(set(values) - known):
        raise SdftError(
            f'{path}: entry "{unknown[0]}" is not known; use {", ".join(sorted(known))}.'
        )
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    try:
        recipe = PaperRecipe(**{"name": Path(path).stem} | values)
        recipe.config()
        recipe.decoding_of()
    except TypeError as error:
        raise SdftError(f"{path}: an entry is missing or not known ({error}).") from None
    except SdftError as error:
        raise SdftError(f"{path}: {error}") from None
    allowed = {
        "tables": TABLES,
        "methods": METHODS,
        "tuning": ("lora", "full"),
        "dataset": PAPER_SETS,
    }
    for name, choices in allowed.items():
        given = getattr(recipe, name)
        if wrong := [
            each
            for each in (given if isinstance(given, tuple) else (given,))
            if each not in choices
        ]:
            raise SdftError(
                f"{path}: {name} holds {wrong[0]!r}; use {', '.join(map(str, choices))}."
            )
    return recipe


def recipes_of(table: int, names=()) -> list[PaperRecipe]:
    """Our recipes for one of the paper's tables, or those of them that ``names`` chooses."""
    if table not in TABLES:
        raise SdftError(f"there is no recipe for Table {table}; use {', '.join(map(str, TABLES))}.")
    found = [load_paper_recipe(path) for path in sorted(folder().glob("*.toml"))]
    found = [recipe for recipe in found if table in recipe.tables]
    if wrong := sorted(set(names) - {recipe.name for recipe in found}):
        raise SdftError(
            f'Table {table} has no recipe "{wrong[0]}"; use {", ".join(r.name for r in found)}.'
        )
    return [recipe for recipe in found if not names or recipe.name in names]


def load_wording(path: Path | None = None) -> Wording:
    """Our wording, or one from a TOML file; SdftError names the file and what is wrong in it."""
    path = Path(path) if path else folder() / "wording" / "ours.toml"
    values, known = read_toml(path), ("name", "distil", "train", "test", "chat_template")
    if unknown := sorted(set(values) - set(known)):
        raise SdftError(f'{path}: entry "{unknown[0]}" is not known; use {", ".join(known)}.')
    try:
        distil = {
            key: DistillTemplate(**{"name": f"{path.stem}-{key}"} | row)
            for key, row in values.get("distil", {}).items()
        }
    except (TypeError, AttributeError):
        raise SdftError(
            f"{path}: each [distil.NAME] holds user, and system and prefill if wanted."
        ) from None
    except SdftError as error:
        raise SdftError(f"{path}: {error}") from None
    for part in ("train", "test"):
        for key, row in values.get(part, {}).items():
            if set(row) - {"system", "user"} or "{instruction}" not in row.get(
                "user", "{instruction}"
            ):
                raise SdftError(
                    f"{path}: [{part}.{key}] holds system and user, and user must hold {{instruction}}."
                )
    return Wording(**{"name": path.stem} | values | {"distil": distil})
