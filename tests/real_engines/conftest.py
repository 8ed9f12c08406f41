"""What the tests of real engines share. ``python3 ci/run_tests.py --engines`` runs them, each file in
an environment that has its packages; elsewhere none is collected.
"""

import os
from dataclasses import dataclass

import pytest

from sdft_lib.decoding.parity import likeliest
from sdft_lib.decoding.tokens import stop_ids
from sdft_lib.generation import prompt_ids

collect_ignore_glob = [] if os.environ.get("SDFT_REAL_ENGINES") == "1" else ["test_*.py"]


@pytest.fixture(scope="session")
def small_folder(tiny_seed, tmp_path_factory):
    """A random Llama that is wide enough for the kernels of vLLM and bitsandbytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny_seed.tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.3,
    )
    folder = tmp_path_factory.mktemp("small")
    LlamaForCausalLM(config).save_pretrained(folder)
    tiny_seed.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """A store for this test alone."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tell(capsys):
    """Print a line that also a test that passes shows."""

    def show(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="", flush=True)

    return show


@dataclass(frozen=True)
class Agreement:
    """Greedy answers of another engine beside ours: rows, rows with equal tokens, and the share of
    its tokens that our own plain pass finds likeliest, too, up to rounding (``parity.SLACK``).
    """

    rows: int
    equal: int
    likeliest: float

    def __str__(self) -> str:
        ties = self.rows - self.equal
        return f"{self.equal} of {self.rows} rows equal, {ties} part at a near tie; {self.likeliest:.2%} of the tokens likeliest"


@pytest.fixture
def agreement():
    """Compare two seeds of the same weights on the same prompts."""

    def compare(ours, other, prompts, decoding) -> Agreement:
        rows = prompt_ids(ours, prompts, None, decoding.max_new_tokens)
        asked = rows, [str(number) for number in range(len(rows))], decoding
        stops = stop_ids(ours.tokenizer)
        mine, theirs = (seed.engine.answer(seed, *asked, stops, False)[0] for seed in (ours, other))
        marks = []
        for row, ids in zip(rows, theirs, strict=True):
            marks += likeliest(ours, row, ids)
        equal = sum(a == b for a, b in zip(mine, theirs, strict=True))
        return Agreement(len(rows), equal, sum(marks) / len(marks))

    return compare
