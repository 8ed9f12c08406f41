"""Fine-tuning with transformers' Trainer and peft (lesson 03; paper, section 4.1).

SFT and SDFT differ in the column that is trained on, in no row, order, step or setting."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import pandas
from msgspec import Meta
from peft import PeftConfig
from transformers import PreTrainedModel, PrinterCallback, Trainer, set_seed

from sdft_lib.chat import Rendered, render_rows
from sdft_lib.decoding.prefix import collate, shareable
from sdft_lib.formats.rows import rows_to_train
from sdft_lib.formats.toml import check_fields
from sdft_lib.models import Seed
from sdft_lib.storage.errors import SdftError, quiet_transformers
from sdft_lib.storage.files import read_json, read_jsonl, write_json, write_jsonl
from sdft_lib.storage.processes import common, rank, world
from sdft_lib.storage.store import WORK, artefact, digest, run_record, seal
from sdft_lib.training.trainer import (
    Keeper,
    PrefixTrainer,
    Printer,
    last_checkpoint,
    trainer_arguments,
)
from sdft_lib.training.weights import (
    check_four_bit,
    describe,
    save_trained,
    set_aside,
    trainable_copy,
    tuner,
)

VERSION = 3  # raise it when a change of code changes what is trained
# Tokens of a row up to which a CPU trains faster with attention that keeps its weights in memory.
SHORT = 256
LOGGED = ("step", "loss", "samples", "clipped")  # the last two by SDFT of 2026 alone
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
SeedNumber = Annotated[int, Meta(ge=0, lt=2**32)]  # what numpy takes
Share = Annotated[float, Meta(ge=0, lt=1)]


@dataclass(frozen=True)
class TrainConfig:
    """Every training setting. ``learning_rate`` falls to 0 along a cosine after ``warmup`` (a share
    of all steps).

    ``anchor``: weight of KL(seed || model) in the loss. ``loss``: see ``training/loss.py``.
    ``keep``: shares of the training after which the adapter is kept as well, such as (0.25, 0.5),
    for the acquisition-forgetting frontier (lesson 05). ``full``: all weights are trained, and
    rank, alpha, dropout and targets play no part; take a learning rate near 2e-5. Two settings save
    memory and change the result by rounding alone (lesson 10): ``checkpointing`` computes a layer's
    activations again when they are needed, ``parts`` is how many parts of a batch go through the
    model one after the other."""

    rank: Count = 8
    alpha: Count = 16
    dropout: Share = 0.0
    targets: Annotated[tuple[str, ...], Meta(min_length=1)] = ("q_proj", "v_proj")
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 5e-4
    epochs: Count = 2
    batch_size: Count = 8
    warmup: Share = 0.05
    seed: SeedNumber = 0
    anchor: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    keep: tuple[Annotated[float, Meta(gt=0, lt=1)], ...] = ()
    full: bool = False
    checkpointing: bool = False
    parts: Count = 1
    loss: Annotated[str, Meta(pattern="^(plain|stm|dft|off_target|prompt)$")] = "plain"

    def __post_init__(self):
        check_fields(self)
        if self.batch_size % self.parts:
            unequal = f"a batch of {self.batch_size} rows has no {self.parts} equal parts"
            raise SdftError(f"{unequal}; choose a divisor.")


@dataclass(frozen=True)
class Tuned:
    """``adapter``: folder of the adapter, or of the whole model (``full``). ``log``: DataFrame with
    LOGGED. ``record``: cost and settings. ``kept``: adapters along the way, by share of the
    training, the last one under 1.0."""

    adapter: Path
    log: pandas.DataFrame
    record: dict
    kept: dict[float, Path]


def fine_tune(
    seed: Seed,
    rows: Sequence[dict],
    config: TrainConfig,
    *,
    column: str = "text",
    label: str = "sdft",
    minimum_kept: float = 0.3,
    peft_config: PeftConfig | None = None,
    say: Callable[[str], None] = print,
) -> Tuned:
    """Train a LoRA adapter, or all weights, on ``rows[i][column]``, completion only; instant if the
    store holds it.

    ``peft_config`` is any peft configuration, in place of rank, alpha, dropout and targets.
    Raises SdftError if less than ``minimum_kept`` of the rows were rewritten (column ``text``):
    training on such a set would be SFT under another name. The run goes on from its last
    checkpoint after a kill."""
    check_share(rows, column, minimum_kept)
    tuned_by = tuner(config, peft_config)
    check_four_bit(seed, full=config.full)
    texts = rows_to_train(rows, column)
    parts = {"seed": seed.identity, "rows": digest(texts), "config": in_key(config)}
    parts |= {"peft": describe(peft_config) if peft_config else None, "version": VERSION}

    def build(folder: Path) -> None:
        say(f"{label}: training on {len(rows)} rows, column {column!r}")
        run_trainer(seed, texts, config, tuned_by, folder, label, say)

    return tuned_in(artefact("adapter", parts, build), config)


def in_key(config: TrainConfig) -> dict:
    """The settings in a training's key: a plain loss is left out, as before there were others."""
    return {name: v for name, v in asdict(config).items() if (name, v) != ("loss", "plain")}


def tuned_in(path: Path, config: TrainConfig) -> Tuned:
    """What a finished training left in its folder."""
    record = read_json(path / "record.json")
    facts = run_record(path)
    record |= {"seconds": facts["seconds"], "peak_mb": facts.get("peak_mb")}
    kept = {share: path / "kept" / f"{share:.2f}" for share in config.keep} | {1.0: path}
    return Tuned(path, pandas.DataFrame(read_jsonl(path / "loss.jsonl")), record, kept)


def check_share(rows: Sequence[dict], column: str, minimum_kept: float) -> None:
    """Raise SdftError for a distilled set that is mostly references, or a share that is none."""
    if not 0 <= minimum_kept <= 1:
        problem = f"the least share of rewritten rows is {minimum_kept}"
        raise SdftError(f"{problem}; give a number from 0 to 1.")
    kept = [row.get("source") == "rewritten" for row in rows]
    if column == "text" and kept and sum(kept) < minimum_kept * len(kept):
        few = f"only {sum(kept)} of {len(kept)} rows were rewritten"
        remedy = "choose a better template, or a lower floor (sdft train: --minimum-kept)"
        raise SdftError(f"{few}, under the floor of {minimum_kept:.0%}; {remedy}.")


def run_trainer(
    seed, rows: Sequence[dict], config: TrainConfig, peft_config, folder: Path, label: str, say
) -> None:
    """Train on each row's ``text`` and leave the adapter, ``loss.jsonl`` and ``record.json`` in
    ``folder``; checkpoints go below ``work``."""
    set_seed(config.seed)
    rendered = render_rows(seed, rows)
    # the anchor asks the seed at each step; else a GPU need not hold it beside all its weights
    away = seed.device == "cuda" and config.full and not config.anchor and config.loss != "stm"
    with quiet_transformers(), set_aside(seed, away):
        model = trainable_copy(seed, peft_config)
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        trainer = make_trainer(seed, model, rendered, config, common(folder) / WORK / "checkpoints")
        train_and_save(trainer, seed, config, folder, label, say)
    steps, epochs = trainer.state.global_step, config.epochs
    record = {"config": asdict(config), "rows": len(rows), "steps": steps}
    record["tokens"] = epochs * sum(len(row.ids) for row in rendered)
    record["trained_tokens"] = epochs * sum(sum(row.mask) for row in rendered)
    write_json(folder / "record.json", record | {"trainable_parameters": trainable})


def train_and_save(
    trainer: Trainer, seed: Seed, config: TrainConfig, folder: Path, label: str, say
) -> None:
    """Train from the last checkpoint on; leave adapters and ``loss.jsonl`` in ``folder``."""
    checkpoints, shares = Path(trainer.args.output_dir), folder / "kept"

    def keep(share: str) -> None:
        save_trained(trainer, seed, shares / share, label)
        if not rank():
            seal(shares / share)

    trainer.add_callback(Keeper(config.keep, keep))
    trainer.add_callback(Printer(label, say))
    trainer.train(resume_from_checkpoint=last_checkpoint(checkpoints, shares))
    save_trained(trainer, seed, folder, label)
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    kept = [{name: entry[name] for name in LOGGED if name in entry} for entry in history]
    write_jsonl(folder / "loss.jsonl", kept)


def make_trainer(
    seed: Seed,
    model: PreTrainedModel,
    rendered: Sequence[Rendered],
    config: TrainConfig,
    checkpoints: Path,
) -> PrefixTrainer:
    """The Trainer over rendered rows. What rows share is run once only where a cache can be used:
    checkpointing drops it, and a model that is spread over processes counts its passes."""
    share = shareable(seed.model) and not config.checkpointing and world() == 1
    if seed.device == "cpu" and max(len(row.ids) for row in rendered) <= SHORT:
        model.set_attn_implementation("eager")
    trainer = PrefixTrainer(
        anchor=config.anchor,
        loss=config.loss,
        seed_model=seed.model if config.full else None,
        model=model,
        args=trainer_arguments(seed, config, checkpoints),
        train_dataset=rendered,
        data_collator=lambda rows: collate(rows, seed.tokenizer.pad_token_id, share),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
