"""Every method gets the same number of rows; what it changes is what its name says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdft_lib.experiments import methods, run_one
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig


def row(number, source="rewritten"):
    messages = [{"role": "user", "content": f"Question {number}"}]
    text = f"rewrite {number}" if source == "rewritten" else f"reference {number}"
    return {
        "id": f"r{number}",
        "messages": messages,
        "reference": f"reference {number}",
        "text": text,
        "source": source,
        "reason": "accepted" if source == "rewritten" else "answer",
    }


ROWS = [row(number, "original" if number % 5 == 0 else "rewritten") for number in range(20)]
GENERAL = [
    {
        "id": f"g{n}",
        "messages": [{"role": "user", "content": f"g {n}"}],
        "reference": f"own {n}",
        "text": f"own {n}",
        "source": "rewritten",
        "reason": "replay",
    }
    for n in range(8)
]


@pytest.mark.parametrize("name", methods.ONE_TASK)
def test_every_method_trains_on_as_many_rows(name):
    chosen = methods.method(name)
    made = methods.rows_for(chosen, ROWS, general=GENERAL, seed=1)
    assert len(made) == len(ROWS)
    assert made == methods.rows_for(chosen, ROWS, general=GENERAL, seed=1)
    assert all(each[chosen.column] for each in made)
    config = methods.configured(chosen, TrainConfig(learning_rate=1e-3))
    assert (config.epochs, config.batch_size, config.rank) == (2, 8, 8)


def test_configuration_changes_only_what_the_method_says():
    base = TrainConfig(learning_rate=1e-3)
    assert (
        methods.configured(methods.method("sft"), base)
        == base
        == methods.configured(methods.method("sdft"), base)
    )
    assert methods.configured(methods.method("sft-slow"), base).learning_rate == pytest.approx(
        2.5e-4
    )
    assert methods.configured(methods.method("sft-anchor"), base).anchor == 1.0


@given(st.floats(0, 1), st.integers(0, 99))
def test_mix_uses_its_share_of_the_rewrites(share, seed):
    made = methods.mixed(ROWS, share, seed)
    assert sum(each["source"] == "rewritten" for each in made) == round(share * 16)
    assert all(
        each["text"] == (each["reference"] if each["source"] == "original" else before["text"])
        for each, before in zip(made, ROWS)
    )
    assert [each["id"] for each in made] == [each["id"] for each in ROWS]


def test_replay_replaces_its_share_and_keeps_the_order_of_the_rest():
    made = methods.with_replay(ROWS, GENERAL, 0.25, seed=3)
    assert sum(each["reason"] == "replay" for each in made) == 5
    assert [each for each in made if each["reason"] != "replay"] == [
        each for each in ROWS if each in made
    ]
    assert made != methods.with_replay(ROWS, GENERAL, 0.25, seed=4)
    with pytest.raises(SdftError, match="needs 10 general answers, there are 8"):
        methods.with_replay(ROWS, GENERAL, 0.5)


def test_best_of_takes_the_likeliest_accepted_rewrite():
    first = [row(1), row(2, "original"), row(3, "original")]
    second = [row(1) | {"text": "other 1"}, row(2) | {"text": "other 2"}, row(3, "original")]
    best = methods.best_of([first, second], [[2.0, 0.1, 0.1], [1.0, 9.0, 0.1]])
    assert [each["text"] for each in best] == ["other 1", "other 2", "reference 3"]


def test_unknown_method_is_one_sentence():
    with pytest.raises(SdftError, match="sft-replay"):
        methods.method("dpo")


@pytest.mark.parametrize(
    "values", [{"anchor": -1.0}, {"anchor": math.nan}, {"keep": (0.0,)}, {"keep": (1.0,)}]
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(SdftError, match=next(iter(values))):
        TrainConfig(**values)


# The training itself, on a tiny model.


@pytest.fixture
def own_cache(tmp_path, monkeypatch, tiny_seed):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    return tiny_seed


def trained(seed, **settings):
    from sdft_lib.train import fine_tune

    config = TrainConfig(learning_rate=2e-2, **settings)
    return fine_tune(seed, ROWS, config, column="reference", label="sft", say=lambda line: None)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def test_adapters_are_kept_along_the_way(own_cache):
    run = trained(own_cache, keep=(0.25, 0.5))
    assert list(run.kept) == [0.25, 0.5, 1.0]
    norms = [
        sum(float(w.norm()) for name, w in weights(folder).items() if "lora_B" in name)
        for folder in run.kept.values()
    ]
    assert 0 < norms[0] < norms[1] < norms[2]
    plain = trained(own_cache)
    assert all(
        (weights(run.adapter)[name] == tensor).all()
        for name, tensor in weights(plain.adapter).items()
    )
    assert not list(run.adapter.rglob("README.md"))


def test_anchor_holds_the_model_near_the_seed(own_cache):
    from sdft_lib.experiments.shift import answer_kl
    from sdft_lib.models import with_adapter

    free, anchored = trained(own_cache), trained(own_cache, anchor=50.0)
    rows = [row | {"text": row["reference"]} for row in ROWS]
    distances = []
    for run in (free, anchored):
        tuned = with_adapter(own_cache, run.adapter, label="x")
        distances.append(answer_kl(own_cache, tuned, rows)["kl"].mean())
    assert distances[1] < distances[0] / 2


def test_anchor_is_the_plain_distance_to_the_seed(own_cache):
    import torch

    from sdft_lib.chat import render
    from sdft_lib.decoding.prefix import collate
    from sdft_lib.experiments.shift import answer_kl
    from sdft_lib.models import with_adapter
    from sdft_lib.training.trainer import distance_to_seed, share_prefix
    from sdft_lib.training.weights import lora, trainable_copy

    run = trained(own_cache)
    model = trainable_copy(own_cache, lora(TrainConfig())).eval()
    model.load_adapter(str(run.adapter), "default")
    rendered = [render(row["messages"], own_cache.tokenizer, row["reference"]) for row in ROWS[:4]]
    batch = collate(rendered, own_cache.tokenizer.pad_token_id)
    with torch.no_grad():
        logits = model(**share_prefix(model, batch)).logits
        found = distance_to_seed(model, batch, logits).item()
    tuned = with_adapter(own_cache, run.adapter, label="x")
    rows = [row | {"text": row["reference"]} for row in ROWS[:4]]
    table = answer_kl(own_cache, tuned, rows)
    assert found == pytest.approx(
        (table["kl"] * table["tokens"]).sum() / table["tokens"].sum(), rel=1e-3
    )


def test_own_answers_end_by_themselves(own_cache, monkeypatch):
    from sdft_lib import generation

    monkeypatch.setattr(generation, "stop_ids", lambda tokenizer: set(range(0, len(tokenizer), 8)))
    prompts = [{"id": f"g{n}", "messages": row["messages"]} for n, row in enumerate(ROWS)]
    monkeypatch.setattr(run_one, "GENERAL_TOKENS", 24)
    rows = run_one.own_answers(own_cache, prompts, say=lambda line: None)
    assert 0 < len(rows) <= len(prompts)
    assert all(
        each["text"] and each["text"] == each["reference"] and each["reason"] == "replay"
        for each in rows
    )
