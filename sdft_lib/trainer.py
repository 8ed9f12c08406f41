"""transformers' Trainer as we use it: its arguments, its loss over shared starts, its lines of progress (lesson 03)."""

import json
import math
import shutil
from pathlib import Path

from sdft_lib.errors import SdftError
from sdft_lib.prefix import share_prefix


def trainer_arguments(seed, config, folder: Path):
    """TrainingArguments, every one that matters spelled out; a checkpoint at the end of each epoch."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
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
        fp16=seed.dtype == "fp16",
        use_cpu=seed.device == "cpu",
        dataloader_pin_memory=seed.device == "cuda",
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
    )


def last_whole(checkpoints: Path) -> str | None:
    """The latest checkpoint that was written to its end; one that a kill or a full disk cut short is removed.

    The Trainer writes ``trainer_state.json`` last, and removes the checkpoint before only after that.
    """
    for path in sorted(checkpoints.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1])):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            return str(path)
        except (OSError, ValueError):
            shutil.rmtree(path)
    return None


def prefix_trainer():
    """transformers' Trainer, with the shared start of a batch run once (see ``prefix.share_prefix``)."""
    from transformers import Trainer

    class PrefixTrainer(Trainer):
        def compute_loss(self, model, inputs, **options):
            return super().compute_loss(model, share_prefix(model, inputs), **options)

    return PrefixTrainer


def printer(label: str, say):
    """A Trainer callback that prints the loss in plain lines and ends a training whose loss is no number."""
    from transformers import TrainerCallback

    class Printer(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if logs and not math.isfinite(logs.get("loss", 0)):
                raise SdftError(
                    f"{label}: the loss became {logs['loss']} at step {state.global_step}; "
                    f"lower the learning rate ({args.learning_rate})."
                )
            if logs and "loss" in logs and (state.global_step % 20 == 1 or state.global_step == state.max_steps):
                say(f"  {label}: step {state.global_step}/{state.max_steps}, loss {logs['loss']:.3f}")

    return Printer()
