"""Which tokens count in the loss and where the anchor is held: by hand on vocabularies of two and
three tokens, and row by row on a tiny model.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from sdft_lib.chat import render
from sdft_lib.decoding.prefix import collate, share_prefix
from sdft_lib.experiments.grid import load_recipe
from sdft_lib.storage.store import digest
from sdft_lib.train import TrainConfig, in_key
from sdft_lib.training import loss as losses
from sdft_lib.training.loss import likely, off_target, probability, token_kl, weighted
from sdft_lib.training.weights import lora, trainable_copy

DATA = Path(__file__).parents[2] / "data"
LOGITS = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log()
TARGETS = torch.tensor([0, 0])


def test_unlikely_tokens_are_not_trained_and_at_threshold_0_all_are():
    assert likely(LOGITS, TARGETS).tolist() == [1, 0]
    logits = LOGITS.clone().requires_grad_()
    masked = weighted(logits, TARGETS, likely(LOGITS, TARGETS))
    assert float(masked) == pytest.approx(-math.log(0.75) / 2)
    masked.backward()
    assert logits.grad[0].tolist() == pytest.approx([-0.125, 0.125])
    assert logits.grad[1].tolist() == [0, 0]
    every = weighted(LOGITS, TARGETS, likely(LOGITS, TARGETS, least=0))
    assert every == torch.nn.functional.cross_entropy(LOGITS, TARGETS)


def test_a_tokens_own_probability_is_its_weight_without_a_gradient():
    assert probability(LOGITS, TARGETS).tolist() == pytest.approx([0.75, 0.25])
    logits = LOGITS.clone().requires_grad_()
    found = weighted(logits, TARGETS, probability(logits, TARGETS))
    assert float(found) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / 2)
    found.backward()
    # p (p - 1) / 2 at the target: the weight itself has no gradient
    assert logits.grad[:, 0].tolist() == pytest.approx([-0.09375, -0.09375])


def test_tokens_that_are_certain_weigh_as_in_the_plain_loss_and_pull_nowhere():
    logits = torch.tensor([[60.0, 0.0]]).requires_grad_()
    found = weighted(logits, TARGETS[:1], probability(logits, TARGETS[:1]))
    found.backward()
    assert float(found) == float(torch.nn.functional.cross_entropy(logits, TARGETS[:1])) == 0
    assert logits.grad.abs().max() < 1e-20


def test_kl_without_the_target_does_not_see_its_chance():
    seed = torch.tensor([[0.2, 0.4, 0.4]]).log()
    tuned = torch.tensor([[0.8, 0.15, 0.05]]).log().requires_grad_()
    target = torch.tensor([0])
    found = token_kl(off_target(seed, target), off_target(tuned, target))
    hand = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert float(found) == pytest.approx(hand, rel=1e-5)
    found.sum().backward()
    assert tuned.grad[0, 0] == 0 and tuned.grad[0, 1] != 0


def test_the_prompts_positions_weigh_by_row():
    """Two rows, padded behind a shared first token: prompts of 3 and 2, answers of 1 and 3."""
    inputs = {
        "input_ids": torch.ones(2, 5, dtype=torch.long),
        "attention_mask": torch.tensor([[1, 0, 1, 1, 1], [1, 1, 1, 1, 1]]),
        "labels": torch.tensor([[-100, -100, -100, 7], [-100, 7, 7, 7]]),
    }
    found = losses.on_prompt(losses.whole(inputs))
    third, half = 1 / 4 / 3, 3 / 4 / 2
    hand = torch.tensor([[third, 0, third, third, 0], [half, half, 0, 0, 0]])
    assert torch.allclose(found, hand) and float(found.sum()) == pytest.approx(1)


@pytest.fixture(scope="module")
def drifted(tiny_seed):
    """A tiny model whose adapter is not zero, and two rows of it with a shared start."""
    torch.manual_seed(1)
    model = trainable_copy(tiny_seed, lora(TrainConfig())).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    rows = []
    for asked, answer in (("Who?", "Me"), ("Who was it, and when?", "You, at noon")):
        rows.append(render([{"role": "user", "content": asked}], tiny_seed.tokenizer, answer))
    return model, rows, tiny_seed.tokenizer.pad_token_id


def test_the_anchor_on_the_prompt_is_that_of_each_row_alone(drifted):
    model, rows, pad = drifted
    inputs = collate(rows, pad)
    assert inputs["shared"] > 0 and (inputs["attention_mask"] == 0).any()
    inputs = losses.whole(inputs)
    found = losses.distance_to_seed(
        model, inputs, model(**share_prefix(model, inputs)).logits, loss="prompt"
    )
    hand, trained = 0.0, sum(sum(row.mask) for row in rows)
    for row in rows:
        ids, prompt = torch.tensor([row.ids]), len(row.ids) - sum(row.mask)
        tuned = model(input_ids=ids).logits[0, :prompt]
        with torch.no_grad(), model.disable_adapter():
            seed = model(input_ids=ids).logits[0, :prompt]
        hand = hand + token_kl(seed, tuned).mean() * sum(row.mask) / trained
    assert float(found) == pytest.approx(float(hand), rel=1e-4) and float(found) > 0.01
    own = [p for p in model.parameters() if p.requires_grad]
    for one, other in zip(torch.autograd.grad(found, own), torch.autograd.grad(hand, own)):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", ["stm", "dft", "off_target", "plain"])
def test_no_shared_start_changes_a_loss(drifted, loss):
    model, rows, pad = drifted
    term = losses.reweighted if loss in losses.WEIGHING else losses.distance_to_seed
    found = []
    for inputs in (collate(rows, pad), losses.whole(collate(rows, pad))):
        logits = model(**share_prefix(model, inputs)).logits
        found.append(float(term(model, inputs, logits, loss=loss)))
    assert found[0] == pytest.approx(found[1], rel=1e-4, abs=1e-6)


def test_recorded_lines_and_stores_stay_valid():
    with (DATA / "results" / "tickets.jsonl").open(encoding="utf-8") as lines:
        settings = {json.loads(line)["settings"] for line in lines}
    assert settings == {load_recipe(DATA / "recipes" / "tickets.toml").key}
    # the key's settings as they were before there was another loss
    before = {name: value for name, value in asdict(TrainConfig()).items() if name != "loss"}
    assert digest(in_key(TrainConfig())) == digest(before)
    assert in_key(TrainConfig(loss="dft")) == asdict(TrainConfig(loss="dft"))
