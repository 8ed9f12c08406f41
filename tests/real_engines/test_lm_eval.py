"""lm-eval itself on a task that lies on this disk: what it writes is what ``compare-lm-eval`` reads."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.paper.lm_eval import compare_runs, knowledge
from sdft_lib.storage.files import read_jsonl

ITEMS = 24
TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc}}]
metadata: {{version: 1.0}}
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """A folder with two tasks of the same items: one of our own name, one by a name that our
    command knows."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    rows = []
    for number in range(ITEMS):
        choices = [f" {number + step}" for step in range(4)]
        rows.append({"question": f"{number} plus one is", "choices": choices, "answer": 1})
    data = tmp_path / "items.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name in ("sums", "arc_easy"):
        text = TASK.format(name=name, data=data)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def adapter(small_folder, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(small_folder)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(1)
    for name, values in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(values, std=0.5)
    tuned.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def run(tasks, model: str, out) -> None:
    """lm-eval's own command."""
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--model_args", model]
    command += ["--tasks", "sums", "--include_path", str(tasks), "--device", "cpu"]
    command += ["--batch_size", "8", "--log_samples", "--output_path", str(out)]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | offline)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_two_runs_of_its_command_are_compared_item_by_item(tasks, adapter, small_folder, tmp_path):
    base = f"pretrained={small_folder},dtype=float32"
    a, b = tmp_path / "a", tmp_path / "b"
    run(tasks, base, a)
    run(tasks, f"{base},peft={adapter}", b)
    table = compare_runs(a, b)
    (line,) = table.to_dict("records")
    own = []
    for folder in (a, b):
        (results,) = folder.rglob("results_*.json")
        own.append(json.loads(results.read_text(encoding="utf-8"))["results"]["sums"]["acc,none"])
    assert (line["task"], line["metric"], line["n"]) == ("sums", "acc,none", ITEMS)
    assert [line["a"], line["b"]] == pytest.approx(own)
    assert line["difference"] == pytest.approx(own[0] - own[1])
    (samples,) = a.rglob("samples_sums_*.jsonl")
    assert line["a"] == sum(row["acc"] for row in read_jsonl(samples)) / ITEMS
    said = CliRunner().invoke(cli.app, ["compare-lm-eval", str(a), str(b), "--json"])
    assert said.exit_code == 0 and "sums" in said.output


def test_our_command_starts_it_and_its_runs_compare(
    tasks, adapter, small_folder, tmp_path, monkeypatch, tell
):
    import lm_eval
    from lm_eval import evaluator

    local = partial(evaluator.TaskManager, include_path=str(tasks), include_defaults=False)
    monkeypatch.setattr(evaluator, "TaskManager", local)
    for name, value in (("SDFT_DEVICE", "cpu"), ("SDFT_DTYPE", "fp32")):
        monkeypatch.setenv(name, value)
    options = {"tasks": ["arc_easy"], "say": lambda line: None}
    a, b = tmp_path / "a", tmp_path / "b"
    (line,) = knowledge(str(small_folder), a, **options)
    knowledge(str(small_folder), b, adapter=adapter, **options)
    (row,) = compare_runs(a, b).to_dict("records")
    assert line["n"] == row["n"] == ITEMS and row["a"] == pytest.approx(line["score"])
    tell(f"lm-eval {lm_eval.__version__}: {ITEMS} items, {row['a']:.3f} and {row['b']:.3f}")
