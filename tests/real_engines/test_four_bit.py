"""bitsandbytes itself on a CPU: weights in 4 bit are loaded, trained beside, and answer."""

import importlib.metadata

import pytest
import torch

from sdft_lib import data, evaluate, models, train
from sdft_lib.storage.errors import SdftError

ROWS = [
    {
        "id": f"r{number}",
        "messages": [{"role": "user", "content": f"Name a colour. Number {number}."}],
        "reference": "red",
        "text": f"blue {number}",
        "source": "rewritten",
    }
    for number in range(8)
]


@pytest.fixture
def load(own_cache, small_folder):
    """The small model, whole or in 4 bit."""

    def read(four_bit=True):
        settings = {"device": "cpu", "dtype": "fp32", "say": lambda line: None}
        return models.load_seed(str(small_folder), four_bit=four_bit, **settings)

    return read


def trained(seed, **changes):
    """Two steps on the same rows."""
    settings = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "warmup": 0.0} | changes
    return train.fine_tune(seed, ROWS, train.TrainConfig(**settings), say=lambda line: None)


def logits(seed):
    with torch.no_grad():
        return seed.model(torch.tensor([[5, 6, 7, 8]])).logits


def test_load_train_two_steps_evaluate(load, tell):
    whole, seed = load(four_bit=False), load()
    packed = [p for p in seed.model.parameters() if type(p).__name__ == "Params4bit"]
    assert len(packed) == 14, "seven matrices in each of two layers"
    assert seed.identity["four_bit"] is True and "four_bit" not in whole.identity
    apart = (logits(seed) - logits(whole)).abs().max()
    assert 0 < apart < logits(whole).abs().max()
    before = [values.clone() for values in seed.model.parameters()]
    run = trained(seed)
    losses = run.log["loss"].tolist()
    assert run.record["steps"] == 2 == len(losses) and losses[1] < losses[0]
    after = list(seed.model.parameters())
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    answers, tuned = logits(seed), models.with_adapter(seed, run.adapter, label="sdft")
    assert not torch.equal(logits(tuned), answers) and torch.equal(logits(seed), answers)
    assert {id(p) for p in packed} <= {id(p) for p in tuned.model.parameters()}
    suite = evaluate.cut(data.load_probes("facts"), 4)
    texts = []
    for one in (whole, seed, tuned):
        table = evaluate.evaluate(one, [suite], method="m", say=lambda line: None)
        texts.append(table["text"].tolist())
    assert [len(part) for part in texts] == [4, 4, 4]
    assert texts[0] != texts[1] != texts[2], "4 bit rounds, and the adapter changes answers"
    version = importlib.metadata.version("bitsandbytes")
    tell(f"bitsandbytes {version}: two steps, loss {losses[0]:.2f} to {losses[1]:.2f}")
    with pytest.raises(SdftError, match="16 bit"):
        trained(tuned)
    with pytest.raises(SdftError, match="QLoRA"):
        trained(seed, full=True)


def test_a_model_that_has_answered_trains_as_before(load, tmp_path, monkeypatch):
    """On a processor with AVX-512-BF16 bitsandbytes packed the weights anew for answers. Nothing
    was trained from then on, and nothing said so."""
    from safetensors.torch import load_file

    made = []
    for answers_first in (False, True):
        monkeypatch.setenv("SDFT_CACHE", str(tmp_path / str(answers_first)))
        seed = load()
        if answers_first:
            logits(seed)
        made.append(load_file(trained(seed).adapter / "adapter_model.safetensors"))
    assert all(made[0][name].any() for name in made[0])
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


def test_checkpointing_and_parts_change_the_result_by_rounding_alone(load):
    seed = load()
    plain, run = trained(seed), trained(seed, checkpointing=True, parts=2)
    answers = [logits(models.with_adapter(seed, one.adapter, label="x")) for one in (plain, run)]
    assert (answers[0] - answers[1]).abs().max() < 0.01 * answers[0].abs().max()
    assert not torch.equal(answers[0], logits(seed))
