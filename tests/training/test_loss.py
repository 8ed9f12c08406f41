"""Which tokens count in the loss: by hand on two tokens of a vocabulary of two and three."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from sdft_lib.experiments.grid import load_recipe
from sdft_lib.train import TrainConfig, in_key
from sdft_lib.training.loss import likely, off_target, probability, token_kl, weighted

DATA = Path(__file__).parents[2] / "data"
LOGITS = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log()
TARGETS = torch.tensor([0, 0])


def test_losses_by_hand_and_their_gradients():
    assert likely(LOGITS, TARGETS).tolist() == [1, 0]
    assert probability(LOGITS, TARGETS).tolist() == pytest.approx([0.75, 0.25])
    plain = weighted(LOGITS, TARGETS, likely(LOGITS, TARGETS, least=0))
    assert plain == torch.nn.functional.cross_entropy(LOGITS, TARGETS)
    logits = LOGITS.clone().requires_grad_()
    loss = weighted(logits, TARGETS, probability(logits, TARGETS))
    assert float(loss) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / 2)
    loss.backward()
    # p (p - 1) / 2 at the target: the weight itself has no gradient
    assert logits.grad[:, 0].tolist() == pytest.approx([-0.09375, -0.09375])


def test_kl_without_the_target_does_not_see_its_chance():
    seed = torch.tensor([[0.2, 0.4, 0.4]]).log()
    tuned = torch.tensor([[0.8, 0.15, 0.05]]).log().requires_grad_()
    target = torch.tensor([0])
    found = token_kl(off_target(seed, target), off_target(tuned, target))
    hand = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert float(found) == pytest.approx(hand, rel=1e-5)
    found.sum().backward()
    assert tuned.grad[0, 0] == 0 and tuned.grad[0, 1] != 0


def test_recorded_lines_and_stores_stay_valid():
    with (DATA / "results" / "tickets.jsonl").open() as lines:
        assert (
            load_recipe(DATA / "recipes" / "tickets.toml").key
            == json.loads(next(lines))["settings"]
        )
    assert "loss" not in in_key(TrainConfig())
    assert in_key(TrainConfig(loss="dft")) == asdict(TrainConfig(loss="dft"))
