"""transformers' Trainer as we use it: loss over shared starts, arguments, progress (lesson 03)."""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from sdft_lib.decoding.prefix import share_prefix
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_json
from sdft_lib.storage.processes import gather, rank, world
from sdft_lib.storage.store import MANIFEST, is_complete, seal
from sdft_lib.training.loss import (
    ANCHORING,
    WEIGHING,
    distance_to_seed,
    reweighted,
    share_of_step,
    whole,
)

STATE = "trainer_state.json"


class PrefixTrainer(Trainer):
    """transformers' Trainer, with the shared start of a batch run once (``prefix.share_prefix``).

    ``anchor`` times KL(seed || model) is added to the loss; ``loss`` (``TrainConfig``) says where
    it is held, and what each token counts. The seed is ``seed_model`` or, if none is
    given, the same model with its adapter switched off, so that nothing more is kept in memory.
    The anchor on the prompt needs all logits, and for it alone nothing is shared. Raises SdftError
    for a loss that changes an anchor of weight 0."""

    def __init__(
        self,
        *,
        anchor: float = 0.0,
        loss: str = "plain",
        seed_model: PreTrainedModel | None = None,
        **arguments,
    ) -> None:
        if loss in ANCHORING and not anchor:
            raise SdftError(f'loss "{loss}" changes the anchor, whose weight is 0; set one.')
        super().__init__(**arguments)
        self.anchor, self.loss, self.seed_model = anchor, loss, seed_model

    def compute_loss(self, model, inputs, return_outputs=False, **options):
        """The Trainer's own loss or the weighted one, and the anchor's."""
        if self.loss == "prompt":
            inputs = whole(inputs)
        with self.accelerator.autocast():
            rest = share_prefix(model, inputs)
        if not self.anchor and self.loss not in WEIGHING:
            return super().compute_loss(model, rest, return_outputs=return_outputs, **options)
        loss, outputs = super().compute_loss(model, rest, return_outputs=True, **options)
        own = self.accelerator.unwrap_model(model)
        total = options.get("num_items_in_batch")
        share = share_of_step(inputs, total, self.accelerator.num_processes)
        known = (own, inputs, outputs.logits, self.seed_model, self.loss)
        with self.accelerator.autocast():
            if self.loss in WEIGHING:
                loss = share * reweighted(*known)
            if self.anchor:
                loss = loss + self.anchor * share * distance_to_seed(*known)
        return (loss, outputs) if return_outputs else loss


def trainer_arguments(seed, config, folder: Path) -> TrainingArguments:
    """TrainingArguments, all that matter spelled out; a checkpoint after each epoch."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=batch_of_each(config.batch_size, config.parts),
        gradient_accumulation_steps=config.parts,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup,
        optim="adamw_torch",
        weight_decay=0.0,
        max_grad_norm=1.0,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would log 0 for a loss that is NaN
        save_strategy="epoch",
        save_total_limit=1,
        seed=config.seed,
        data_seed=config.seed,
        bf16=seed.dtype == "bf16",
        # with a gradient scaler; a CPU trains in fp32
        fp16=seed.dtype == "fp16" and seed.device == "cuda",
        use_cpu=seed.device == "cpu",
        dataloader_pin_memory=seed.device == "cuda",
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        report_to="none",
        **checkpointing(config.checkpointing),
    )
    if world() == 1 and arguments.n_gpu > 1:
        # Each GPU would take a whole batch: here, several GPUs take several processes.
        arguments._n_gpu = 1
    return arguments


def checkpointing(wanted: bool) -> dict:
    """The Trainer's two arguments for checkpointing, by their names in this transformers."""
    names = {field.name for field in fields(TrainingArguments)}
    kind = "activation" if "activation_checkpointing" in names else "gradient"
    name = f"{kind}_checkpointing"
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}} if wanted else {}


def batch_of_each(batch_size: int, parts: int = 1) -> int:
    """Rows a pass of each process, so that all see ``batch_size`` in ``parts`` passes."""
    if batch_size % (world() * parts):
        dealt = f"dealt out to {world()} processes in {parts} parts"
        raise SdftError(f"a batch of {batch_size} rows cannot be {dealt}; choose a multiple.")
    return batch_size // world() // parts


def last_checkpoint(checkpoints: Path, kept: Path) -> str | None:
    """The latest checkpoint that was written to its end and is as it was; others are removed, and
    all if an adapter that was ``kept`` before them has changed. Every process gets the first's. The
    Trainer writes ``trainer_state.json`` last, and removes the checkpoint before only after that.
    Its checksums follow; a kill in between leaves it whole, without them."""
    if rank():
        return gather(None)[0]
    if any(map(altered, kept.glob("*"))):
        shutil.rmtree(checkpoints, ignore_errors=True)
    folders = checkpoints.glob("checkpoint-*")
    for path in sorted(folders, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        try:
            read_json(path / STATE)
            torn = altered(path)
        except SdftError:  # unreadable is not torn
            raise
        except (OSError, ValueError):
            torn = True
        if not torn:
            return gather(str(path))[0]
        shutil.rmtree(path)
    return gather(None)[0]


def altered(folder: Path) -> bool:
    """True for a sealed folder whose files are not as they were."""
    return (folder / MANIFEST).exists() and not is_complete(folder)


class Keeper(TrainerCallback):
    """Saves what shares of training have reached (``save("0.25")``); seals each checkpoint."""

    def __init__(self, shares: Sequence[float], save: Callable[[str], None]) -> None:
        self.shares, self.save = shares, save

    def on_step_end(self, args, state, control, **kwargs):
        """Save if this step is the one of a share."""
        for share in self.shares:
            if state.global_step == max(1, round(share * state.max_steps)):
                self.save(f"{share:.2f}")

    def on_save(self, args, state, control, **kwargs):
        """Seal the checkpoint that was just written, by all processes."""
        gather(None)
        if not rank():
            seal(Path(args.output_dir, f"checkpoint-{state.global_step}"))


class Printer(TrainerCallback):
    """Prints the loss in plain lines and ends a training whose loss is no number."""

    def __init__(self, label: str, say: Callable[[str], None]) -> None:
        self.label, self.say = label, say

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Say the first of every 20 steps, and the last one."""
        if not logs or "loss" not in logs:
            return
        loss, step = logs["loss"], state.global_step
        if not math.isfinite(loss):
            cause = f"lower the learning rate ({args.learning_rate})"
            if step == 1:
                cause = "check the weights of the model"
            raise SdftError(f"{self.label}: the loss became {loss} at step {step}; {cause}.")
        if (step % 20 == 1 or step == state.max_steps) and not rank():
            self.say(f"  {self.label}: step {step}/{state.max_steps}, loss {loss:.3f}")
