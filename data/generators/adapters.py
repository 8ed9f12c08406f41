"""The two adapters that lesson 00 shows, trained as lesson 03 trains them.

    python data/generators/adapters.py

Seed 0, the settings of the lessons; bf16 in place of fp32, to halve their size. With the store of a
default run this takes seconds, else a quarter of an hour."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from sdft_lib.data import load_task
from sdft_lib.distill import distill
from sdft_lib.models import load_seed
from sdft_lib.settings import lesson_settings
from sdft_lib.storage.files import file_sha256, read_json, write_json
from sdft_lib.templates import TEMPLATES
from sdft_lib.train import fine_tune
from sdft_lib.training.weights import CONFIG, WEIGHTS, in_dtype, scale_adapter

ADAPTERS = Path(__file__).resolve().parents[1] / "adapters"


def in_bf16(trained: Path, folder: Path, scale: float = 1) -> Path:
    """A copy of an adapter as it ships: in bf16, with its change of the weights scaled."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scale_adapter(trained, scale, folder)
    small = in_dtype(load_file(folder / WEIGHTS), torch.bfloat16)
    save_file(small, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # a file that is read by all who may read the folder
    return folder


def ship(name: str, trained: Path, base: str, scale: float = 1) -> None:
    """Copy a trained adapter in bf16 to data/adapters and note its hashes there."""
    folder = in_bf16(trained, ADAPTERS / name, scale)
    config = read_json(folder / CONFIG) | {"base_model_name_or_path": base}
    write_json(folder / CONFIG, config)
    listed = ADAPTERS / "adapters.json"
    cards = read_json(listed) if listed.exists() else {}
    hashes = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    write_json(listed, cards | {name: hashes})


def main() -> None:
    s = lesson_settings()
    seed, task = load_seed(s.model), load_task(s.task)
    rows = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows).rows
    for method, column in (("sft", "reference"), ("sdft", "text")):
        tuned = fine_tune(seed, rows, s.training, column=column, label=method)
        ship(f"{task.name}-{method}", tuned.adapter, seed.name)


if __name__ == "__main__":
    main()
