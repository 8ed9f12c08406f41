"""The runs behind the paper's Tables 1 to 5 as small TOML files, and the wording of their
prompts (lesson 10).

A recipe is one training set for one model: the seed, a plain fine-tuning (sft) and an sdft of it. A
table is some recipes and the evaluations that are its columns. Settings are the paper's and its
code's; the wording is ours, and another TOML file swaps in another one."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from sdft_lib.data import data_dir
from sdft_lib.formats.public import PAPER_SETS
from sdft_lib.formats.toml import check_known, from_table, read_toml
from sdft_lib.generation import Decoding
from sdft_lib.storage.errors import SdftError, about
from sdft_lib.templates import DistillTemplate, fill
from sdft_lib.train import TrainConfig

FIRST = ("openfunctions", "gsm8k", "humaneval")
SECOND = ("advbench", "advbench-jailbreak", "alpaca_eval")
TABLES = {1: FIRST, 2: SECOND, 3: SECOND, 4: FIRST, 5: FIRST + SECOND}  # the paper's columns
WAYS = ("using", "refer")  # of asking for rewrites that Table 4 compares
FOLDER = data_dir() / "recipes" / "paper"


@dataclass(frozen=True)
class PaperRecipe:
    """``tuning``: lora or full. ``training``: other settings of a TrainConfig. ``decoding``: of
    rewrites. ``template``: the table of a Wording's ``distil`` that asks for them, if not that of
    the dataset. ``assumed``: settings that the paper and its code do not give, chosen by us."""

    name: str
    tables: tuple[int, ...]
    model: str
    dataset: str
    rows: int
    training: dict
    decoding: dict
    tuning: str = "lora"
    methods: tuple[str, ...] = ("seed", "sft", "sdft")
    template: str = ""
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.config()  # raises for settings that are none

    def config(self) -> TrainConfig:
        """The training settings."""
        return from_table({"full": self.tuning == "full"} | self.training, TrainConfig, "training")

    def decoding_of(self) -> Decoding:
        """How rewrites are written."""
        return from_table(self.decoding, Decoding, "decoding")


@dataclass(frozen=True)
class Wording:
    """What stands around a row. ``distil``: for each training set how a rewrite is asked for.
    ``train``, ``test``: for a set, ``system`` and ``user`` with ``{instruction}``; without an entry
    the row stays as it is. ``chat_template`` replaces the tokenizer's own, for models prompted with
    plain text. Raises SdftError for what makes no wording."""

    name: str
    distil: dict[str, dict[str, str]] = field(default_factory=dict)
    train: dict[str, dict[str, str]] = field(default_factory=dict)
    test: dict[str, dict[str, str]] = field(default_factory=dict)
    chat_template: str = ""

    def __post_init__(self) -> None:
        asked = (*PAPER_SETS, *WAYS)
        for table, known in (("distil", asked), ("train", PAPER_SETS), ("test", TABLES[5])):
            for dataset in getattr(self, table):
                check_known(dataset, known, f"in [{table}], set")
        for dataset in self.distil:
            self.template(dataset)
        for words in (*self.train.values(), *self.test.values()):
            for name in words:
                check_known(name, ("system", "user"), "in [train] or [test], entry")
            if "{instruction}" not in words.get("user", "{instruction}"):
                raise SdftError("in [train] or [test], user must hold {instruction}.")

    def template(self, dataset: str) -> DistillTemplate:
        """How a rewrite of this set is asked for; SdftError if the wording has nothing for it."""
        if dataset not in self.distil:
            raise SdftError(f'wording "{self.name}" has no [distil.{dataset}]; add it to the file.')
        fields = {"name": f"{self.name}-{dataset}"} | self.distil[dataset]
        return from_table(fields, DistillTemplate, f"[distil.{dataset}]")


def worded(messages: list[dict], words: dict[str, str]) -> list[dict]:
    """Messages with ``words`` around the last turn; an own system message stays."""
    *history, last = messages
    if words.get("system") and messages[0]["role"] != "system":
        history = [{"role": "system", "content": words["system"]}, *history]
    text = fill(words.get("user", "{instruction}"), {"instruction": last["content"]})
    return [*history, {**last, "content": text}]


def load_paper_recipe(path: Path) -> PaperRecipe:
    """Read and check a recipe; SdftError names the file and the entry that is wrong."""
    return from_table({"name": path.stem} | read_toml(path), PaperRecipe, path)


def recipes_of(table: int, names: tuple[str, ...] = ()) -> list[PaperRecipe]:
    """Our recipes for one of the paper's tables, or those of them that ``names`` chooses."""
    if table not in TABLES:
        raise SdftError(f"there is no recipe for Table {table}; use {', '.join(map(str, TABLES))}.")
    recipes = {}
    for path in sorted(FOLDER.glob("*.toml")):
        recipe = load_paper_recipe(path)
        if table in recipe.tables:
            recipes[recipe.name] = recipe
    for name in names:
        check_known(name, recipes, f"Table {table}: recipe")
    return [recipe for name, recipe in recipes.items() if not names or name in names]


def with_training(recipe: PaperRecipe, changes: dict) -> PaperRecipe:
    """The recipe with other training settings, such as ``parts``; SdftError names the recipe."""
    with about(recipe.name):
        return replace(recipe, training=recipe.training | changes)


def load_wording(path: Path | None = None) -> Wording:
    """Our wording, or one from a TOML file; SdftError names the file and what is wrong in it."""
    path = path or FOLDER / "wording" / "ours.toml"
    return from_table({"name": path.stem} | read_toml(path), Wording, path)
