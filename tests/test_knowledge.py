"""The way to lm-eval, with a stand-in for the package: what it is asked, what is read, what is refused."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from sdft_lib import knowledge as module
from sdft_lib.errors import SdftError
from sdft_lib.knowledge import TASKS, knowledge
from sdft_lib.lm_eval_logs import METRICS, compare_runs


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
    row = {"metrics": ["acc"], "filter": "none", "doc_hash": "d", "prompt_hash": "p", "target_hash": "t"}
    leaves = ["mmlu_anatomy" if task == "mmlu" else task for task in tasks]
    return {
        "results": {task: {"alias": task, "acc,none": right / 4, "acc_stderr,none": 0.25} for task in tasks},
        "groups": {"mmlu": {}} if "mmlu" in tasks else {},
        "group_subtasks": {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_anatomy"]} if "mmlu" in tasks else {},
        "n-samples": {leaf: {"original": 100, "effective": 4} for leaf in leaves},
        "samples": {leaf: [{**row, "doc_id": n, "acc": float(n < right)} for n in range(4)] for leaf in leaves},
    }  # fmt: skip


@pytest.fixture
def fake(monkeypatch):
    """A package ``lm_eval`` that keeps what it was asked; ``right`` of 4 items."""
    asked, state = [], SimpleNamespace(right=3, drop=None)

    def simple_evaluate(**options):
        asked.append(options)
        found = results_of(options["tasks"], state.right)
        for scores in found["results"].values():
            scores.pop(state.drop, None)
        return found

    package, loggers = ModuleType("lm_eval"), ModuleType("lm_eval.loggers")
    package.simple_evaluate, package.__version__, package.loggers = simple_evaluate, "0.4.13", loggers
    loggers.EvaluationTracker = Tracker
    monkeypatch.setitem(sys.modules, "lm_eval", package)
    monkeypatch.setitem(sys.modules, "lm_eval.loggers", loggers)
    monkeypatch.setattr("sdft_lib.models.locate", lambda name, say: (f"/models/{name}", "rev"))
    monkeypatch.setattr("sdft_lib.models.choose_device", lambda: "cpu")
    monkeypatch.setattr("sdft_lib.models.choose_dtype", lambda device: "fp32")
    return SimpleNamespace(asked=asked, state=state)


def quiet(line):
    pass


def test_what_lm_eval_is_asked(fake, tmp_path):
    rows = knowledge("seed", tmp_path / "out", adapter=tmp_path / "sdft", limit=4, say=quiet)
    (asked,) = fake.asked
    assert asked["model_args"] == {"pretrained": "/models/seed", "dtype": "float32", "trust_remote_code": False,
                                   "peft": str(tmp_path / "sdft")}  # fmt: skip
    assert (asked["model"], asked["num_fewshot"], asked["limit"], asked["device"]) == ("hf", 0, 4, "cpu")
    assert asked["log_samples"] is True and asked["apply_chat_template"] is False
    assert [row["task"] for row in rows] == list(TASKS) == asked["tasks"]
    assert {(row["metric"], row["score"], row["n"], row["stderr"]) for row in rows} == {("acc,none", 0.75, 4, 0.25)}


def test_the_chat_template_is_asked_for_and_recorded(fake, tmp_path):
    said = []
    for name, chosen in (("with", True), ("without", False)):
        knowledge("seed", tmp_path / name, tasks=["arc_easy"], chat_template=chosen, say=said.append)
        results = json.loads(next((tmp_path / name).rglob("results_*")).read_text())
        assert results["sdft"]["chat_template"] is chosen and fake.asked[-1]["apply_chat_template"] is chosen
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
    with pytest.raises(SdftError, match="none of the knowledge tasks"):
        knowledge("seed", tmp_path, tasks=["mmlu_pro"], say=quiet)


def test_without_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(SdftError, match=r"sdft-tutorial\[lm-eval\]"):
        knowledge("seed", tmp_path / "out", say=quiet)
    assert not (tmp_path / "out").exists()


def test_every_number_format_has_a_name():
    import torch

    for ours, theirs in module.DTYPES.items():
        from sdft_lib.models import torch_dtype

        assert getattr(torch, theirs) is torch_dtype(ours)
