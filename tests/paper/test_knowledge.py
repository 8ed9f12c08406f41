"""The way to lm-eval, with a stand-in for the package: what it is asked, what is read, what is
refused.
"""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from sdft_lib.paper import lm_eval as module
from sdft_lib.paper.lm_eval import METRICS, TASKS, compare_runs, knowledge
from sdft_lib.storage.errors import SdftError


class Packed(SimpleNamespace):
    """A seed in 4 bit, as far as it is handed over."""

    def __init__(self, model):
        super().__init__(model=model, tokenizer="words")


class Tracker:
    """Writes the two kinds of files as lm-eval does."""

    def __init__(self, output_path):
        self.folder = output_path

    def save_results_aggregated(self, results, samples):
        from pathlib import Path

        self.place = Path(self.folder) / "model"
        self.place.mkdir(parents=True)
        (self.place / "results_2026-01-01T00-00-00.1.json").write_text(json.dumps(results))

    def save_results_samples(self, task_name, samples):
        lines = "".join(json.dumps(row) + "\n" for row in samples)
        (self.place / f"samples_{task_name}_2026-01-01T00-00-00.1.jsonl").write_text(lines)


def results_of(tasks, right):
    row = {
        "metrics": ["acc"],
        "filter": "none",
        "doc_hash": "d",
        "prompt_hash": "p",
        "target_hash": "t",
    }
    leaves = ["mmlu_anatomy" if task == "mmlu" else task for task in tasks]
    return {
        "results": {
            task: {"alias": task, "acc,none": right / 4, "acc_stderr,none": 0.25} for task in tasks
        },
        "groups": {"mmlu": {}} if "mmlu" in tasks else {},
        "group_subtasks": {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_anatomy"]}
        if "mmlu" in tasks
        else {},
        "n-samples": {leaf: {"original": 100, "effective": 4} for leaf in leaves},
        "samples": {
            leaf: [{**row, "doc_id": n, "acc": float(n < right)} for n in range(4)]
            for leaf in leaves
        },
    }


@pytest.fixture
def fake(monkeypatch):
    """A package ``lm_eval`` that keeps what it was asked; ``right`` of 4 items."""
    asked, built, state = [], [], SimpleNamespace(right=3, drop=None)

    class HFLM:
        def __init__(self, **options):
            built.append(options)

    def simple_evaluate(**options):
        asked.append(options)
        found = results_of(options["tasks"], state.right)
        for scores in found["results"].values():
            scores.pop(state.drop, None)
        return found

    package, loggers = ModuleType("lm_eval"), ModuleType("lm_eval.loggers")
    package.simple_evaluate, package.__version__, package.loggers = (
        simple_evaluate,
        "0.4.13",
        loggers,
    )
    loggers.EvaluationTracker = Tracker
    wrapped = ModuleType("lm_eval.models.huggingface")
    wrapped.HFLM = HFLM
    monkeypatch.setitem(sys.modules, "lm_eval", package)
    monkeypatch.setitem(sys.modules, "lm_eval.loggers", loggers)
    monkeypatch.setitem(sys.modules, "lm_eval.models", ModuleType("lm_eval.models"))
    monkeypatch.setitem(sys.modules, "lm_eval.models.huggingface", wrapped)
    monkeypatch.delenv("SDFT_FOUR_BIT", raising=False)
    monkeypatch.setattr(
        "sdft_lib.paper.lm_eval.locate", lambda name, say: (f"/models/{name}", "rev")
    )
    monkeypatch.setattr("sdft_lib.paper.lm_eval.choose_device", lambda: "cpu")
    monkeypatch.setattr("sdft_lib.paper.lm_eval.choose_dtype", lambda device: "fp32")
    return SimpleNamespace(asked=asked, built=built, state=state)


def quiet(line):
    pass


def test_what_lm_eval_is_asked(fake, tmp_path):
    rows = knowledge("seed", tmp_path / "out", adapter=tmp_path / "sdft", limit=4, say=quiet)
    (asked,) = fake.asked
    assert asked["model_args"] == {
        "pretrained": "/models/seed",
        "dtype": "float32",
        "trust_remote_code": False,
        "peft": str(tmp_path / "sdft"),
    }
    assert (asked["model"], asked["num_fewshot"], asked["limit"], asked["device"]) == (
        "hf",
        0,
        4,
        "cpu",
    )
    assert asked["log_samples"] is True and asked["apply_chat_template"] is False
    assert [row["task"] for row in rows] == list(TASKS) == asked["tasks"]
    assert {(row["metric"], row["score"], row["n"], row["stderr"]) for row in rows} == {
        ("acc,none", 0.75, 4, 0.25)
    }


def test_a_model_of_a_hub_is_read_at_one_commit(fake, tmp_path, monkeypatch):
    monkeypatch.setattr("sdft_lib.paper.lm_eval.locate", lambda name, say: (name, ""))
    monkeypatch.setattr("sdft_lib.paper.lm_eval.newest", lambda hub: "4f2c")
    knowledge("org/name", tmp_path / "out", limit=4, say=quiet)
    assert fake.asked[0]["model_args"]["revision"] == "4f2c"
    kept = next((tmp_path / "out").rglob("results_*.json")).read_text()
    assert json.loads(kept)["sdft"]["revision"] == "4f2c"


def test_a_model_that_was_trained_whole_is_no_adapter(fake, tmp_path):
    """peft would look for adapter_config.json in it and stop."""
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    knowledge("seed", tmp_path / "out", adapter=folder, limit=4, say=quiet)
    assert fake.asked[-1]["model_args"] == {
        "pretrained": str(folder),
        "tokenizer": "/models/seed",
        "dtype": "float32",
        "trust_remote_code": False,
    }


@pytest.mark.parametrize("adapter", [None, "sdft"])
def test_four_bit_is_loaded_here_and_handed_over(fake, monkeypatch, tmp_path, adapter):
    """transformers 5 refuses the load_in_4bit that lm-eval would pass on."""
    knowledge("seed", tmp_path / "sixteen", say=quiet)
    assert (fake.asked[-1]["model"], fake.built) == ("hf", [])
    monkeypatch.setenv("SDFT_FOUR_BIT", "1")
    monkeypatch.setattr("sdft_lib.training.weights.importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(
        "sdft_lib.paper.lm_eval.load_seed",
        lambda name, *, four_bit, say: Packed(f"{name} {four_bit}"),
    )
    monkeypatch.setattr(
        "sdft_lib.paper.lm_eval.with_adapter",
        lambda seed, folder, label: Packed(f"{seed.model}+{label}"),
    )
    for out in ("one", "two"):
        knowledge(
            "seed", tmp_path / out, adapter=adapter and tmp_path / adapter, limit=4, say=quiet
        )
    model = f"seed True+{adapter}" if adapter else "seed True"
    assert fake.built[0] == {"pretrained": model, "tokenizer": "words", "batch_size": "auto"}
    assert isinstance(fake.asked[-1]["model"], sys.modules["lm_eval.models.huggingface"].HFLM)
    results = json.loads(next((tmp_path / "one").rglob("results_*")).read_text())
    assert (
        results["config"] == {"model": "hf", "four_bit": True}
        and results["sdft"]["four_bit"] is True
    )
    assert set(compare_runs(tmp_path / "one", tmp_path / "two")["difference"]) == {0}
    with pytest.raises(SdftError, match="four_bit"):
        compare_runs(tmp_path / "one", tmp_path / "sixteen", despite=("model", "limit"))


def test_four_bit_without_bitsandbytes_is_refused(fake, monkeypatch, tmp_path):
    monkeypatch.setenv("SDFT_FOUR_BIT", "1")
    monkeypatch.setattr("sdft_lib.training.weights.importlib.util.find_spec", lambda name: None)
    with pytest.raises(SdftError, match=r"sdft-tutorial\[qlora\]"):
        knowledge("seed", tmp_path / "out", say=quiet)
    assert fake.asked == []


def test_the_chat_template_is_asked_for_and_recorded(fake, tmp_path):
    said = []
    for name, chosen in (("with", True), ("without", False)):
        knowledge(
            "seed", tmp_path / name, tasks=["arc_easy"], chat_template=chosen, say=said.append
        )
        results = json.loads(next((tmp_path / name).rglob("results_*")).read_text())
        assert (
            results["sdft"]["chat_template"] is chosen
            and fake.asked[-1]["apply_chat_template"] is chosen
        )
    assert "chat template on" in said[0] and "chat template off" in said[1]


def test_two_runs_compare(fake, tmp_path):
    for name, right in (("a", 4), ("b", 2)):
        fake.state.right = right
        knowledge("seed", tmp_path / name, say=quiet)
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    assert found["task"].tolist() == sorted(TASKS) and set(found["difference"]) == {0.5}


def test_a_metric_that_went_away_is_refused(fake, tmp_path):
    fake.state.drop = "acc,none"
    with pytest.raises(SdftError, match='reports no metric, not "acc,none"'):
        knowledge("seed", tmp_path / "out", tasks=["hellaswag"], say=quiet)


def test_tasks_are_pinned(tmp_path):
    assert set(TASKS) <= set(METRICS)
    with pytest.raises(SdftError, match='knowledge task "mmlu_pro" is not known'):
        knowledge("seed", tmp_path, tasks=["mmlu_pro"], say=quiet)


def test_without_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(SdftError, match=r"sdft-tutorial\[lm-eval\]"):
        knowledge("seed", tmp_path / "out", say=quiet)
    assert not (tmp_path / "out").exists()


def test_every_number_format_has_a_name():
    import torch

    for ours, theirs in module.DTYPES.items():
        from sdft_lib.storage.devices import torch_dtype

        assert getattr(torch, theirs) is torch_dtype(ours)
