"""Configurations for `accelerate launch`: accelerate reads them, and weights dealt out train as on
one device.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "data" / "recipes" / "accelerate"
KINDS = {
    "cpu-2": "MULTI_GPU",
    "ddp": "MULTI_GPU",
    "fsdp": "FSDP",
    "zero2": "DEEPSPEED",
    "zero3": "DEEPSPEED",
}


def environment(name: str) -> dict[str, str]:
    """What accelerate's launcher tells each process when it is given a file of ours."""
    from accelerate.commands import launch

    path = str(FOLDER / f"{name}.yaml")
    arguments = launch.launch_command_parser().parse_args(
        ["--config_file", path, "-m", "sdft_lib", "doctor"]
    )
    arguments, defaults, _ = launch._validate_launch_command(arguments)
    arguments.deepspeed_fields_from_accelerate_config = list(
        defaults.deepspeed_config
    )  # as the launcher itself does
    if arguments.use_deepspeed:
        return launch.prepare_deepspeed_cmd_env(arguments)[1]
    return launch.prepare_multi_gpu_env(arguments)


def test_each_file_stands_in_the_card():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(KINDS)
    assert all(f"`{name}.yaml`" in card for name in KINDS)


def test_the_card_names_the_test_of_what_it_says_was_run():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    said = card.partition("## What was tested")[2].partition("## Licence")[0]
    points = [" ".join(point.split()) for point in said.split("\n- ")[1:]]
    defined = "".join(path.read_text(encoding="utf-8") for path in HERE.parent.rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", said)
    assert len(named) >= 4 and all(f"def {name}(" in defined for name in named)
    assert all("`test_" in point for point in points[:-1])


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_the_file(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    assert (config.distributed_type.value, config.num_processes) == (KINDS[name], 2)
    told = environment(name)
    if name == "fsdp":
        assert (told["FSDP_VERSION"], told["FSDP_CPU_RAM_EFFICIENT_LOADING"]) == ("2", "false")
    if name.startswith("zero"):
        assert (
            told["ACCELERATE_DEEPSPEED_ZERO_STAGE"] == name[-1]
            and told["ACCELERATE_USE_DEEPSPEED"] == "true"
        )
        assert told["ACCELERATE_DEEPSPEED_ZERO3_INIT"] == "false"
        assert told["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"] == "auto"
    assert told.get("ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL") == (
        "true" if name == "zero3" else None
    )


def test_all_weights_dealt_out_become_those_of_one_process(
    tiny_seed, tiny_folder, tmp_path, monkeypatch
):
    """FSDP by our file in two processes, in fp32."""
    from safetensors.torch import load_file
    from sharded_job import CONFIG, ROWS

    from sdft_lib.train import fine_tune

    told, out = environment("fsdp"), tmp_path / "two.json"
    told |= {
        "ACCELERATE_MIXED_PRECISION": "no",
        "SDFT_CACHE": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE.parents[1]),
    }
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        str(30_611 + os.getpid() % 1000),
        str(HERE / "sharded_job.py"),
        str(tiny_folder),
        str(out),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=told, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["kinds"] == ["DTensor"] * 2  # it was dealt out, when halfway and when done
    assert found["trainable"] == sum(p.numel() for p in tiny_seed.model.parameters())
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "one"))
    one = fine_tune(tiny_seed, ROWS, CONFIG, say=lambda line: None)
    for part in ("", "kept/0.50"):
        ours, theirs = (
            load_file(Path(folder) / part / "model.safetensors")
            for folder in (one.adapter, found["folder"])
        )
        assert ours.keys() == theirs.keys()
        assert all((ours[name] - theirs[name]).abs().max() < 1e-4 for name in ours)
    moved = (
        load_file(one.adapter / "model.safetensors")["lm_head.weight"]
        - tiny_seed.model.lm_head.weight
    )
    assert moved.abs().max() > 1e-3
    config = json.loads((Path(found["folder"]) / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
