"""DeepSpeed itself, ZeRO stage 2, on two processes of a CPU: all weights train as by one process."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file
from sharded_job import CONFIG, ROWS

from sdft_lib.models import load_seed
from sdft_lib.train import fine_tune

HERE = Path(__file__).parents[1] / "engines"
ROOT = HERE.parents[1]


def test_two_processes_train_the_weights_of_one(small_folder, tmp_path, monkeypatch, tell):
    out = tmp_path / "two.json"
    config = ROOT / "data" / "recipes" / "accelerate" / "zero2.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    command += ["--mixed_precision", "no", "--main_process_port", str(30_911 + os.getpid() % 1000)]
    command += [str(HERE / "sharded_job.py"), str(small_folder), str(out)]
    own = {
        "SDFT_CACHE": str(tmp_path / "two"),
        "SDFT_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "DS_ACCELERATOR": "cpu",
        # a run that was killed while it compiled leaves a lock behind, for which all others wait
        "TORCH_EXTENSIONS_DIR": str(tmp_path / "compiled"),
    }
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1200, env=os.environ | own, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-6000:]
    found = json.loads(out.read_text(encoding="utf-8"))
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "one"))
    seed = load_seed(str(small_folder), device="cpu", dtype="fp32", say=lambda line: None)
    one = fine_tune(seed, ROWS, CONFIG, say=lambda line: None)
    ours, theirs = (
        load_file(Path(folder) / "model.safetensors") for folder in (one.adapter, found["folder"])
    )
    assert ours.keys() == theirs.keys()
    apart = max(float((ours[name] - theirs[name]).abs().max()) for name in ours)
    moved = float((ours["lm_head.weight"] - seed.model.lm_head.weight).abs().max())
    tell(
        f"DeepSpeed {importlib.metadata.version('deepspeed')}, ZeRO-2 in two processes: weights moved by {moved:.1e}, at most {apart:.1e} apart from one process"
    )
    assert moved > 1e-3 and apart < 1e-4
