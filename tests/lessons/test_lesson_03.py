"""Lesson 03 writes the method by hand; these cells and the library agree."""

import pytest
import torch

from ci.lessons import sources
from sdft_lib.chat import render
from sdft_lib.gap import nll

ROWS = [
    {"id": "a", "messages": [{"role": "user", "content": "Say yes"}], "text": "yes I do"},
    {"id": "b", "messages": [{"role": "user", "content": "Say no to it"}], "text": "no"},
]


@pytest.fixture
def by_hand(tiny_seed):
    """The names that the lesson's own cells define, with a tiny model as its seed."""
    lesson = sources.to_notebook(sources.SOURCES / "03_training.py")
    names = {"seed": tiny_seed, "tokenizer": tiny_seed.tokenizer, "render": render, "torch": torch}
    for cell in lesson.cells:
        if cell.cell_type == "code" and (
            "def loss_of" in cell.source or "def train" in cell.source
        ):
            exec(cell.source, names)
    return names


def test_the_loss_by_hand_is_that_of_the_library(by_hand, tiny_seed):
    expected = nll(tiny_seed, ROWS, "text")["nll"]
    for row, library in zip(ROWS, expected, strict=True):
        rendered = render(row["messages"], tiny_seed.tokenizer, row["text"])
        with torch.no_grad():
            mine = by_hand["loss_of"](tiny_seed.model, rendered).item()
        assert mine == pytest.approx(library, abs=1e-4)


def test_training_by_hand_lowers_the_loss_and_leaves_the_seed_alone(by_hand, tiny_seed, capsys):
    before = {name: weight.clone() for name, weight in tiny_seed.model.named_parameters()}
    by_hand["train"](ROWS * 8, "text", rate=5e-2, batch=2)
    told = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 8 and told[-1] < told[0]
    for name, weight in tiny_seed.model.named_parameters():
        assert torch.equal(weight, before[name])
