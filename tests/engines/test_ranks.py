"""Several processes on one job: the same rows as one process makes, byte for byte (CPU, gloo)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from sdft_lib.decoding import batches
from sdft_lib.storage import processes as ranks
from sdft_lib.storage.errors import SdftError
from sdft_lib.training.trainer import batch_of_each

HERE = Path(__file__).parent
LAUNCH = [
    sys.executable,
    "-m",
    "accelerate.commands.launch",
    "--config_file",
    str(HERE.parents[1] / "data" / "recipes" / "accelerate" / "cpu-2.yaml"),
]


def started(command, cache: Path, port: int = 29_611) -> None:
    environment = {
        **os.environ,
        "SDFT_CACHE": str(cache),
        "SDFT_DTYPE": "fp32",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(HERE.parents[1]), str(HERE))),
    }
    if "accelerate.commands.launch" in command:
        place = command.index("accelerate.commands.launch") + 1
        command = [
            *command[:place],
            "--main_process_port",
            str(port + os.getpid() % 1000),
            *command[place:],
        ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment, cwd=cache
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[:3000]}"


def test_two_processes_make_what_one_makes(tiny_folder, tmp_path):
    results = []
    for name, head in (("one", [sys.executable]), ("two", LAUNCH)):
        cache, out = tmp_path / name, tmp_path / f"{name}.json"
        cache.mkdir()
        started([*head, str(HERE / "rank_job.py"), str(tiny_folder), str(out)], cache)
        results.append(json.loads(out.read_text(encoding="utf-8")))
    one, two = results
    assert one["scores"] == two["scores"] and one["texts"] == two["texts"]
    files = [
        {path.name: path.read_bytes() for path in Path(result["rows"]).glob("*.json*")}
        for result in results
    ]
    for part in files:
        part.pop("run.json")
    assert files[0] == files[1] and "rows.jsonl" in files[0]
    assert one["steps"] == two["steps"] == 4 and (one["world"], two["world"]) == (1, 2)
    assert apart(*(Path(result["adapter"]) for result in results)) < 1e-4
    assert not list((tmp_path / "two").rglob("*.partial"))
    assert (Path(two["late"]) / "made-by-0").exists()  # nobody was sawn off, see ``written_late``


def test_the_command_line_in_two_processes_does_what_one_does(tiny_folder, tmp_path, monkeypatch):
    """distill, train and evaluate, eight rows in three batches; training to rounding, all else byte
    for byte.
    """
    from sdft_lib.cli import main as cli

    monkeypatch.setattr(batches, "BATCH_ROWS", 3)
    monkeypatch.setattr(batches, "BATCH_PARTS", 1)
    one, two = tmp_path / "one", tmp_path / "two"
    for name, value in {"SDFT_CACHE": one, "SDFT_DEVICE": "cpu", "SDFT_DTYPE": "fp32"}.items():
        monkeypatch.setenv(name, str(value))
    for place in (one, two):
        place.mkdir()
        model, rows = ["--model", str(tiny_folder)], str(place / "rows.jsonl")
        for command in (
            ["distill", *model, "--limit", "8", "--out", rows],
            [
                "train",
                *model,
                "--data",
                rows,
                "--column",
                "reference",
                "--epochs",
                "1",
                "--batch-size",
                "4",
                "--learning-rate",
                "1e-2",
                "--out",
                str(place / "adapter"),
            ],
            [
                "evaluate",
                *model,
                "--adapter",
                str(one / "adapter"),
                "--method",
                "sft",
                "--suite",
                "facts",
                "--limit",
                "8",
                "--out",
                str(place / "scores.jsonl"),
            ],
        ):
            if place == two:
                started([*LAUNCH, "-m", "small_batches", *command], two)
            else:
                result = CliRunner().invoke(cli.app, command)
                assert result.exit_code == 0, result.output
    for file in ("rows.jsonl", "scores.jsonl"):
        assert (one / file).read_bytes() == (two / file).read_bytes() and (
            one / file
        ).read_bytes().count(b"\n") == 8
    assert apart(one / "adapter", two / "adapter") < 1e-4
    # batches of 3, 3 and 2 rows, twice: the first process makes the first and the third
    assert {path.name: path.stat().st_size for path in two.glob("answered-*")} == {
        "answered-0": 10,
        "answered-1": 6,
    }


def apart(one: Path, two: Path) -> float:
    """The largest difference between the numbers of two adapters, both of which were trained."""
    ours, theirs = (load_file(folder / "adapter_model.safetensors") for folder in (one, two))
    assert ours.keys() == theirs.keys() and ours
    assert all(
        tensor.abs().max() > 1e-3 for name, tensor in ours.items() if "lora_B" in name
    )  # zero before training
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def test_one_process_needs_nobody(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (
        ranks.world() == 1
        and ranks.rank() == 0
        and ranks.gather("x") == ["x"]
        and ranks.union({1: 2}) == {1: 2}
    )


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_plan_is_dealt_out_whole(monkeypatch, rank):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", str(rank))
    assert ranks.share(list(range(8))) == list(range(rank, 8, 3))
    assert batch_of_each(6) == 2
    with pytest.raises(SdftError, match="3 processes"):
        batch_of_each(8)
