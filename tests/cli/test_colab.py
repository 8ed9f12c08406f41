"""What a Colab session needs: the number format of its GPU, a setup cell that changes nothing, and
its simulation.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci.platforms import colab as simulation
from sdft_lib import models
from sdft_lib.cli import colab
from sdft_lib.storage import store
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.wheels import name_special_tokens
from sdft_lib.train import TrainConfig
from sdft_lib.training import trainer

WANTED = [
    "torch>=2.6",
    "gguf>=0.10",
    "transformers>=5.0,<6",
    "papermill>=2.6",
    'vllm>=0.29; extra == "vllm"',
]


@pytest.mark.parametrize(
    "gpu, compute, dtype",
    [
        ("T4", (7, 5), "fp16"),
        ("V100", (7, 0), "fp16"),
        ("A100", (8, 0), "bf16"),
        ("L4", (8, 9), "bf16"),
    ],
)
def test_a_gpu_without_bf16_computes_in_fp16(gpu, compute, dtype, monkeypatch):
    import torch

    monkeypatch.delenv("SDFT_DTYPE", raising=False)
    monkeypatch.delenv("SDFT_DEVICE", raising=False)
    kind = SimpleNamespace(name=gpu, major=compute[0], minor=compute[1])
    for name, value in (
        ("is_available", True),
        ("current_device", 0),
        ("get_device_properties", kind),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda *device, value=value: value)
    assert models.choose_device() == "cuda"
    assert models.choose_dtype("cuda") == dtype
    assert models.torch_dtype(dtype) == {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]


@pytest.mark.parametrize("dtype, scaled", [("fp16", True), ("bf16", False)])
def test_training_in_fp16_has_a_gradient_scaler(dtype, scaled, monkeypatch):
    monkeypatch.setattr(trainer, "checkpointing", lambda wanted: {})
    monkeypatch.setattr(
        trainer, "TrainingArguments", lambda **options: SimpleNamespace(n_gpu=1, **options)
    )
    options = trainer.trainer_arguments(
        SimpleNamespace(device="cuda", dtype=dtype), TrainConfig(), "x"
    )
    assert (options.fp16, options.bf16, options.use_cpu) == (scaled, not scaled, False)


@pytest.mark.parametrize(
    "found, missing, unfit",
    [
        ({"torch": "2.9", "gguf": "0.19", "transformers": "5.15.0"}, [], []),
        (
            {"torch": "2.9+cu126", "transformers": "5.0.0rc1"},
            ["gguf>=0.10"],
            ["transformers 5.0.0rc1, not <6,>=5.0"],
        ),
        (
            {"torch": "2.5", "gguf": "0.19", "transformers": "6.0"},
            [],
            ["torch 2.5, not >=2.6", "transformers 6.0, not <6,>=5.0"],
        ),
    ],
)
def test_what_colab_lacks_and_what_it_has_in_an_untested_version(
    found, missing, unfit, monkeypatch
):
    monkeypatch.setattr(colab, "requires", lambda name: WANTED)
    assert colab.lacking(found) == (missing, unfit)


def test_pip_may_add_and_change_nothing(monkeypatch):
    calls = []

    def pip(command, *arguments):
        calls.append((command, arguments, open(arguments[1], encoding="utf-8").read()))

    monkeypatch.setattr(colab, "run_pip", pip)
    colab.install(["gguf>=0.10"], {"torch": "2.9+cu126", "numpy": "2.1.3"})
    command, arguments, frozen = calls[0]
    assert (command, arguments[0], arguments[2]) == ("install", "--constraint", "gguf>=0.10")
    assert frozen == "torch==2.9+cu126\nnumpy==2.1.3\n"


@pytest.mark.parametrize(
    "installed, imported, removed, restart",
    [
        ("0.10.0", (), True, False),
        ("0.10.0", ("peft",), True, True),
        ("0.16.0", ("peft",), False, False),
        (None, ("peft",), False, False),
    ],
)
def test_an_old_torchao_goes_and_a_session_that_has_looked_for_it_is_due_a_restart(
    installed, imported, removed, restart, monkeypatch
):
    calls = []
    monkeypatch.setattr(colab, "run_pip", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(colab, "sys", SimpleNamespace(modules=dict.fromkeys(imported)))
    found = {"torchao": installed} if installed else {}
    monkeypatch.setattr(colab, "installed", lambda: found)
    monkeypatch.setattr(colab, "lacking", lambda found: ([], []))
    if restart:
        with pytest.raises(SdftError, match="A restart is due"):
            colab.set_up()
    else:
        said = []
        monkeypatch.setattr(colab, "GPU", Path("/dev/null"))
        colab.set_up(say=said.append)
        assert len(said) == 1 and "is ready" in said[0]
    assert calls == ([("uninstall", "--yes", "torchao")] if removed else [])


def test_a_session_without_a_gpu_is_told_where_one_is(monkeypatch, tmp_path):
    monkeypatch.setattr(colab, "installed", dict)
    monkeypatch.setattr(colab, "lacking", lambda found: ([], []))
    monkeypatch.setattr(colab, "GPU", tmp_path / "none")
    said = []
    colab.set_up(say=said.append)
    assert "Runtime > Change runtime type > T4 GPU" in said[1]


def google_drive(monkeypatch, mount):
    """The module `google.colab` with a drive that is mounted so."""
    for name in ("google", "google.colab", "google.colab.drive"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(mount=mount))


def test_the_cache_may_lie_on_the_users_drive(monkeypatch, tmp_path):
    google_drive(monkeypatch, lambda place: (tmp_path / "drive" / "MyDrive").mkdir(parents=True))
    monkeypatch.setattr(colab, "DRIVE", tmp_path / "drive")
    monkeypatch.setattr(colab, "installed", dict)
    monkeypatch.setattr(colab, "lacking", lambda found: ([], []))
    monkeypatch.setenv("SDFT_CACHE", "elsewhere")  # set_up sets it; this puts it back afterwards
    colab.set_up(on_drive=True, say=lambda line: None)
    assert (
        store.cache_dir() == tmp_path / "drive" / "MyDrive" / "sdft" and store.cache_dir().is_dir()
    )


def test_a_drive_that_is_refused_is_one_sentence(monkeypatch, tmp_path):
    def refuse(place):
        raise ValueError("mount failed")

    google_drive(monkeypatch, refuse)
    with pytest.raises(SdftError, match=r"\(mount failed\); allow it, or write on_drive = False"):
        colab.drive_folder()
    google_drive(monkeypatch, lambda place: None)
    monkeypatch.setattr(colab, "DRIVE", tmp_path / "nowhere")
    with pytest.raises(SdftError, match="No such file"):
        colab.drive_folder()


def test_pip_that_fails_says_why_in_one_sentence(monkeypatch):
    failed = SimpleNamespace(
        returncode=1, stdout="", stderr="WARNING: x\nERROR: No matching distribution for gguf\n"
    )
    monkeypatch.setattr(colab.subprocess, "run", lambda *command, **options: failed)
    with pytest.raises(
        SdftError, match=r"pip install failed \(No matching distribution for gguf\); run this cell"
    ):
        colab.run_pip("install", "gguf")


def test_the_tokenizer_takes_the_special_tokens_of_the_models_configuration():
    """As transformers 5.15 reads them from the default model's file: the end is the beginning,
    padding is left out.
    """
    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = SimpleNamespace(
        bos_token=words[1],
        eos_token=words[1],
        pad_token=None,
        unk_token=words[0],
        clean_up_tokenization_spaces=True,
        convert_ids_to_tokens=words.__getitem__,
    )
    name_special_tokens(
        tokenizer,
        SimpleNamespace(bos_token_id=1, eos_token_id=2, pad_token_id=2, unk_token_id=None),
    )
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        words[1],
        words[2],
        words[2],
    )
    assert tokenizer.unk_token == words[0] and not tokenizer.clean_up_tokenization_spaces


FRESH = {"torch": "2.9", "numpy": "2.1.3", "torchao": "0.10.0"}
READY = {"torch": "2.9", "numpy": "2.1.3", "sdft-tutorial": "0.1.0", "gguf": "0.19"}


@pytest.mark.parametrize(
    "after, wrong",
    [
        (READY, []),
        (READY | {"numpy": "2.4.6"}, ["numpy was 2.1.3 and is 2.4.6"]),
        ({name: READY[name] for name in READY if name != "torch"}, ["torch was removed"]),
        (READY | {"torchao": "0.10.0"}, ["torchao is still there"]),
        (FRESH | {}, ["torchao is still there", "sdft-tutorial was not installed"]),
    ],
)
def test_the_simulation_sees_what_the_cell_changed(after, wrong):
    assert simulation.changes(FRESH, after) == wrong


def test_a_new_session_has_an_empty_folder_and_the_packages_of_the_first(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(simulation, "EMPTY", tmp_path / "empty")
    monkeypatch.setattr(simulation, "packages", lambda: READY | {"numpy": "2.4.6"})
    monkeypatch.setattr(simulation, "pip", lambda *arguments: calls.append(arguments))
    for _ in range(2):
        simulation.new_session(FRESH)
        assert list(simulation.EMPTY.iterdir()) == []
        (simulation.EMPTY / "left.txt").write_text("by a lesson")
    assert (
        calls[:2]
        == calls[2:]
        == [
            ("uninstall", "--yes", "gguf", "sdft-tutorial"),
            ("install", "--no-deps", "numpy==2.1.3", "torchao==0.10.0"),
        ]
    )


def test_the_simulation_publishes_the_working_tree_and_leaves_the_index_alone(
    tmp_path, monkeypatch
):
    here = tmp_path / "here"
    run = ["git", "-C", str(here), "-c", "user.name=ann", "-c", "user.email=ann@localhost"]
    subprocess.run(["git", "init", "--quiet", str(here)], check=True)
    (here / "a.txt").write_text("committed\n")
    subprocess.run([*run, "add", "a.txt"], check=True)
    subprocess.run([*run, "commit", "--quiet", "-m", "first"], check=True)
    (here / "a.txt").write_text("changed\n")
    (here / "new.txt").write_text("not tracked\n")
    monkeypatch.setattr(simulation, "ROOT", here)
    monkeypatch.setattr(simulation, "REMOTE", tmp_path / "remote.git")
    monkeypatch.setattr(simulation, "INDEX", tmp_path / "index")
    for _ in range(2):
        simulation.publish()
    tree = ["git", "-C", str(simulation.REMOTE), "show", f"{simulation.BRANCH}:"]
    assert subprocess.run(tree, capture_output=True, text=True).stdout.split() == [
        "tree",
        tree[-1],
        "a.txt",
    ]
    tree[-1] += "a.txt"
    assert subprocess.run(tree, capture_output=True, text=True).stdout == "changed\n"
    assert not subprocess.run([*run, "diff", "--cached", "--quiet"]).returncode


def test_the_kernel_takes_our_repository_for_the_one_on_github(tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "HOME", tmp_path)
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(
            name, str(tmp_path)
        )  # write_kernel sets them; this puts them back afterwards
    simulation.write_kernel()
    kernel = json.loads(
        (tmp_path / "jupyter" / "kernels" / simulation.KERNEL / "kernel.json").read_text()
    )
    ask = [sys.executable, "-c", "import subprocess; subprocess.run(['git', 'config', '--list'])"]
    said = subprocess.run(ask, capture_output=True, text=True, env=kernel["env"]).stdout
    assert (
        f"url.{simulation.REMOTE.as_uri()}.insteadof=https://github.com/{simulation.SLUG}" in said
    )
