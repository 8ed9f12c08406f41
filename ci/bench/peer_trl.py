"""TRL's SFTTrainer as a peer: rows, LoRA, batches and schedule are those of ``sdft_lib.train``."""

import tempfile
import time
import warnings


def train(pairs: list[dict]) -> dict:
    """Train one epoch on prompt-completion rows with loss on the completion; seconds from
    tokenising to the last step.

    fp32 and no gradient checkpointing: TRL's defaults (bf16, checkpointing) would only make it
    slower here. Tokens are counted as on our side; TRL also trains the line break behind the end of
    the turn, one token a row, almost free of loss, so its loss reads a few per cent lower."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from sdft_lib.chat import render
    from sdft_lib.models import load_seed
    from sdft_lib.train import TrainConfig
    from sdft_lib.training.weights import lora

    seed = load_seed(dtype="fp32", device="cpu", say=lambda text: None)
    config, rows = TrainConfig(epochs=1), []
    for pair in pairs:
        answer = [{"role": "assistant", "content": pair["text"]}]
        rows.append({"prompt": pair["messages"], "completion": answer})
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=config.batch_size,
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=config.warmup,
            optim="adamw_torch",
            weight_decay=0.0,
            completion_only_loss=True,
            max_length=None,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=config.seed,
        )
        started = time.perf_counter()
        trainer = SFTTrainer(
            model=seed.model,
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=seed.tokenizer,
            peft_config=lora(config),
        )
        trainer.train()
        seconds = time.perf_counter() - started
    rendered = [render(pair["messages"], seed.tokenizer, pair["text"]) for pair in pairs]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    tokens = sum(len(row.ids) for row in rendered)
    return {"seconds": seconds, "rows": len(pairs), "tokens": tokens, "losses": losses}
