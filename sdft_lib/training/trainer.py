"""transformers' Trainer as we use it: its arguments, its loss over shared starts, its lines of
progress (lesson 03).
"""

import json
import math
import shutil
from pathlib import Path

from sdft_lib.decoding.prefix import share_prefix
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.processes import rank, world
from sdft_lib.training.loss import distance_to_seed, share_of_step


def trainer_arguments(seed, config, folder: Path):
    """TrainingArguments, every one that matters spelled out; a checkpoint at the end of each
    epoch.
    """
    from transformers import TrainingArguments

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
        fp16=seed.dtype == "fp16"
        and seed.device == "cuda",  # with a gradient scaler; a CPU trains in fp32
        use_cpu=seed.device == "cpu",
        dataloader_pin_memory=seed.device == "cuda",
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        report_to="none",
        **checkpointing(config.checkpointing),
    )
    if world() == 1 and arguments.n_gpu > 1:
        arguments._n_gpu = (
            1  # else each GPU would take a whole batch: several GPUs take several processes here
        )
    return arguments


def checkpointing(wanted: bool) -> dict:
    """The Trainer's two arguments for gradient checkpointing, by the name that this version of
    transformers has.
    """
    from dataclasses import fields

    from transformers import TrainingArguments

    known = {field.name for field in fields(TrainingArguments)}
    name = (
        "activation_checkpointing"
        if "activation_checkpointing" in known
        else "gradient_checkpointing"
    )
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}} if wanted else {}


def batch_of_each(batch_size: int, parts: int = 1) -> int:
    """Rows of one forward pass of each process, so that all together see ``batch_size`` in
    ``parts`` passes.
    """
    if batch_size % (world() * parts):
        raise SdftError(
            f"a batch of {batch_size} rows cannot be dealt out to {world()} processes in {parts} parts; "
            "choose a multiple."
        )
    return batch_size // world() // parts


def last_whole(checkpoints: Path) -> str | None:
    """The latest checkpoint that was written to its end; one that a kill or a full disk cut short
    is removed.

    The Trainer writes ``trainer_state.json`` last, and removes the checkpoint before only after
    that."""
    for path in sorted(
        checkpoints.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1])
    ):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            return str(path)
        except (OSError, ValueError):
            if not rank():
                shutil.rmtree(path)
    return None


def prefix_trainer(anchor: float = 0.0, seed_model=None):
    """transformers' Trainer, with the shared start of a batch run once (see
    ``prefix.share_prefix``).

    ``anchor`` times KL(seed || model) on the trained positions is added to the loss. The seed is
    ``seed_model`` or, if none is given, the same model with its adapter switched off, so that
    nothing more is kept in memory."""
    from transformers import Trainer

    class PrefixTrainer(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, **options):
            shared = share_prefix(model, inputs)
            if not anchor:
                return super().compute_loss(model, shared, return_outputs=return_outputs, **options)
            loss, outputs = super().compute_loss(model, shared, return_outputs=True, **options)
            own = self.accelerator.unwrap_model(model)
            share = share_of_step(
                inputs, options.get("num_items_in_batch"), self.accelerator.num_processes
            )
            loss = loss + anchor * share * distance_to_seed(own, inputs, outputs.logits, seed_model)
            return (loss, outputs) if return_outputs else loss

    return PrefixTrainer


def keeper(shares, save):
    """A Trainer callback that saves what several moments of training have reached: ``save("0.25")``
    and so on.
    """
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            for share in shares:
                if state.global_step == max(1, round(share * state.max_steps)):
                    save(f"{share:.2f}")

    return Keeper()


def printer(label: str, say):
    """A Trainer callback that prints the loss in plain lines and ends a training whose loss is no
    number.
    """
    from transformers import TrainerCallback

    class Printer(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if logs and not math.isfinite(logs.get("loss", 0)):
                raise SdftError(
                    f"{label}: the loss became {logs['loss']} at step {state.global_step}; "
                    f"lower the learning rate ({args.learning_rate})."
                )
            due = state.global_step % 20 == 1 or state.global_step == state.max_steps
            if logs and "loss" in logs and due and not rank():
                say(
                    f"  {label}: step {state.global_step}/{state.max_steps}, loss {logs['loss']:.3f}"
                )

    return Printer()
