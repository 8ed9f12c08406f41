"""Several processes on one job: the same rows as one process makes, byte for byte (CPU, gloo)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdft_lib import ranks
from sdft_lib.errors import SdftError
from sdft_lib.trainer import batch_of_each

HERE = Path(__file__).parent
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1",
          "--mixed_precision", "no", "--dynamo_backend", "no"]  # fmt: skip


def started(command, cache: Path, port: int = 29_611) -> None:
    environment = {**os.environ, "SDFT_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}
    if "accelerate.commands.launch" in command:
        place = command.index("accelerate.commands.launch") + 1
        command = [*command[:place], "--main_process_port", str(port + os.getpid() % 1000), *command[place:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=cache)
    assert done.returncode == 0, done.stderr[-2000:]


def test_two_processes_make_what_one_makes(tiny_folder, tmp_path):
    results = []
    for name, head in (("one", [sys.executable]), ("two", LAUNCH)):
        cache, out = tmp_path / name, tmp_path / f"{name}.json"
        cache.mkdir()
        started([*head, str(HERE / "rank_job.py"), str(tiny_folder), str(out)], cache)
        results.append(json.loads(out.read_text(encoding="utf-8")))
    one, two = results
    assert one["scores"] == two["scores"] and one["texts"] == two["texts"]
    files = [{path.name: path.read_bytes() for path in Path(result["rows"]).glob("*.json*")} for result in results]
    for part in files:
        part.pop("run.json")
    assert files[0] == files[1] and "rows.jsonl" in files[0]
    assert one["steps"] == two["steps"] == 4 and (Path(two["adapter"]) / "adapter_model.safetensors").exists()
    assert not list((tmp_path / "two").rglob("*.partial"))


def test_the_command_line_runs_in_two_processes(tiny_folder, tmp_path):
    out = tmp_path / "rows.jsonl"
    cache = tmp_path / "cache"
    cache.mkdir()
    command = ["-m", "sdft_lib", "distill", "--model", str(tiny_folder), "--limit", "8", "--out", str(out)]
    started([*LAUNCH, *command], cache)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 8


def test_one_process_needs_nobody(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert ranks.world() == 1 and ranks.rank() == 0 and ranks.gather("x") == ["x"] and ranks.union({1: 2}) == {1: 2}


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_plan_is_dealt_out_whole(monkeypatch, rank):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", str(rank))
    assert ranks.share(list(range(8))) == list(range(rank, 8, 3))
    assert batch_of_each(6) == 2
    with pytest.raises(SdftError, match="3 processes"):
        batch_of_each(8)
