"""Every method gets the same number of rows; what it changes is what its name says."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.bootstrap import ROOT
from sdft_lib.data import Task, load_task
from sdft_lib.experiments import methods, run_one
from sdft_lib.settings import lesson_settings
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


TEAMS = ("returns", "billing")
LABELLED = [
    row(number, "original" if number % 5 == 0 else "rewritten") | {"reference": TEAMS[number % 2]}
    for number in range(20)
]
WRITTEN = {
    each["id"]: {
        "id": each["id"],
        "text": "" if number == 3 else f"In other words {number}",
        "source": "original" if number == 3 else "rewritten",
        "reason": "answer" if number == 3 else "accepted",
    }
    for number, each in enumerate(LABELLED)
}
REWRITTEN = [each for each in LABELLED if each["source"] == "rewritten"]


def made_by(name, **options):
    options = {"general": GENERAL, "written": WRITTEN, "seed": 1} | options
    return methods.rows_for(methods.method(name), LABELLED, **options)


@pytest.mark.parametrize("name", methods.ONE_TASK)
def test_every_method_trains_on_the_same_rows_in_the_same_order(name):
    chosen, made = methods.method(name), made_by(name)
    kept = LABELLED[5:] if chosen.instead else LABELLED
    own = made[: len(kept)]
    assert [each["id"] for each in own] == [each["id"] for each in kept]
    assert len(made) == (25 if chosen.replay and not chosen.instead else 20)
    assert made == made_by(name)
    assert all(each[chosen.column] for each in made)
    assert [each["reference"] for each in own] == [each["reference"] for each in kept]


def test_configuration_changes_only_what_the_method_says():
    base = TrainConfig(learning_rate=1e-3)  # two epochs
    slow = methods.configured(methods.method("sft-slow"), base)
    assert (slow.learning_rate, slow.epochs) == (pytest.approx(2.5e-4), 8)
    assert methods.configured(methods.method("sft-anchor"), base).anchor == 1.0
    for name in methods.ONE_TASK:
        chosen = methods.method(name)
        wanted = replace(base, anchor=chosen.anchor, loss=chosen.loss)
        wanted = replace(wanted, learning_rate=1e-3 * chosen.slower, epochs=2 * chosen.longer)
        assert methods.configured(chosen, base) == wanted


def test_a_fixed_sentence_holds_each_reference_and_nothing_of_the_row():
    assert [each["text"] for each in made_by("sft-sentence")[:2]] == [
        "The answer is returns.",
        "The answer is billing.",
    ]
    assert len({each["text"] for each in made_by("sft-reason")}) == 2


def test_the_fixed_sentence_of_lesson_04_is_that_of_the_method():
    """Its cell writes the sentence out; equal texts and settings share one adapter in the store."""
    task = load_task("tickets")
    rows = [row | {"text": "own", "source": "rewritten"} for row in task.train[:20]]
    source = (ROOT / "notebooks" / "src" / "04_evaluation.py").read_text(encoding="utf-8")
    cell = source[source.index("fixed = []") : source.index("sentence = fine_tune(")]
    made = {"d": SimpleNamespace(rows=rows)}
    exec(cell, made)
    chosen, config = methods.METHODS["sft-sentence"], lesson_settings().training
    assert made["fixed"] == methods.rows_for(chosen, rows)
    assert methods.configured(chosen, config) == config


def test_braces_in_a_reference_are_no_place_to_fill():
    made = methods.rows_for(
        methods.method("sft-sentence"), [row(1) | {"reference": "{instruction}"}]
    )
    assert made[0]["text"] == "The answer is {instruction}."


def test_shuffled_rewrites_stay_with_their_label_and_leave_their_row():
    made = made_by("sdft-shuffled")
    for team in TEAMS:
        own = [each["text"] for each in REWRITTEN if each["reference"] == team]
        theirs = [
            each["text"]
            for each in made
            if each["reference"] == team and each["source"] == "rewritten"
        ]
        assert sorted(own) == sorted(theirs)
    for before, after in zip(LABELLED, made):
        assert (before["text"] == after["text"]) == (before["source"] == "original")
    assert made != made_by("sdft-shuffled", seed=2)


@given(st.integers(2, 30), st.integers(0, 99))
def test_a_shuffled_rewrite_is_never_its_own_rows(count, seed):
    rows = [row(number) | {"reference": "returns"} for number in range(1, count + 1)]
    made = methods.shuffled(rows, seed)
    assert all(before["text"] != after["text"] for before, after in zip(rows, made))


@pytest.mark.parametrize("name, left", [("sdft-few-1", 1), ("sdft-few-5", 5), ("sdft-few-25", 8)])
def test_few_leaves_so_many_different_rewrites_a_label(name, left):
    made = made_by(name)
    for team in TEAMS:
        texts = [
            each["text"]
            for each in made
            if each["reference"] == team and each["source"] == "rewritten"
        ]
        assert len(set(texts)) == left
        assert max(map(texts.count, texts)) - min(map(texts.count, texts)) <= 1
    assert [each["text"] for each in made if each["source"] == "original"] == [
        each["text"] for each in LABELLED if each["source"] == "original"
    ]


def test_a_mix_takes_its_share_of_rewrites_and_a_larger_share_the_same_ones():
    taken = {}
    for share in (25, 50, 75):
        made = made_by(f"sdft-mix-{share}")
        places = [at for at, each in enumerate(made) if each["text"] == LABELLED[at]["text"]]
        others = [each for at, each in enumerate(made) if at not in places]
        assert all(each["text"] == each["reference"] for each in others)
        taken[share] = set(places)
    refused = sum(each["source"] == "original" for each in LABELLED)
    assert taken[25] < taken[50] < taken[75] and len(taken[50]) >= len(LABELLED) // 2 - refused
    assert methods.mixed(LABELLED, 0.0) == [each | {"text": each["reference"]} for each in LABELLED]


def test_rewrites_of_other_rows_need_rows_with_the_same_reference():
    with pytest.raises(SdftError, match="no two rewritten rows share a reference"):
        methods.rows_for(methods.method("sdft-shuffled"), ROWS)


def test_another_writer_gives_its_words_or_the_reference():
    made = made_by("sft-other")
    assert made[2]["text"] == "In other words 2"
    assert (made[3]["text"], made[3]["source"]) == ("billing", "original")
    with pytest.raises(SdftError, match='"qwen2.5-coder-0.5b" wrote no text for the row "r0"'):
        made_by("sft-other", written={})


def test_a_word_is_asked_for_in_training_and_in_test_alike():
    chosen = methods.method("sft-oneword")
    task = Task("t", "label", LABELLED[:2], test=LABELLED[2:4], choices=TEAMS)
    asked = methods.asked(task, chosen)
    assert asked.test[0]["messages"][-1]["content"] == "Question 2 Answer with one word."
    assert asked.train[0]["messages"] == made_by("sft-oneword")[0]["messages"]
    assert asked.dev is None and methods.asked(task, methods.method("sft")) is task


def test_replay_is_added_behind_the_rows():
    made = methods.added(ROWS, GENERAL, 0.25, seed=3)
    assert made[:20] == ROWS
    assert len({each["id"] for each in made[20:]}) == 5
    assert all(each["reason"] == "replay" for each in made[20:])
    assert made != methods.added(ROWS, GENERAL, 0.25, seed=4)
    with pytest.raises(SdftError, match="needs 10 general answers, there are 8"):
        methods.added(ROWS, GENERAL, 0.5)


def test_best_of_takes_the_likeliest_or_unlikeliest_accepted_rewrite():
    first = [row(1), row(2, "original"), row(3, "original")]
    second = [row(1) | {"text": "other 1"}, row(2) | {"text": "other 2"}, row(3, "original")]
    costs = [[2.0, 0.1, 0.1], [1.0, 9.0, 0.1]]
    best = methods.best_of([first, second], costs)
    assert [each["text"] for each in best] == ["other 1", "other 2", "reference 3"]
    worst = methods.best_of([first, second], costs, unlikely=True)
    assert [each["text"] for each in worst] == ["rewrite 1", "other 2", "reference 3"]


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


LOSSES = ("sft-masked-anchor", "sft-prompt-anchor", "stm", "dft", "asft")


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_and_differs_from_plain(own_cache, name):
    chosen = methods.method(name)
    run = trained(own_cache, loss=chosen.loss, anchor=chosen.anchor)
    other = trained(own_cache, anchor=chosen.anchor)
    assert run.log["loss"].map(math.isfinite).all()
    assert run.log["loss"].tolist() != other.log["loss"].tolist()
    kept, plain = weights(run.adapter), weights(other.adapter)
    assert any((kept[name] != plain[name]).any() for name in kept)


def test_a_loss_that_is_not_there_or_has_no_anchor_is_one_sentence(own_cache):
    with pytest.raises(SdftError, match="give one of plain, stm, dft, off_target, prompt"):
        TrainConfig(loss="focal")
    with pytest.raises(SdftError, match='loss "prompt" changes the anchor, whose weight is 0'):
        trained(own_cache, loss="prompt")


# The adapter that is scaled after its training.


def logits_of(model):
    import torch

    with torch.no_grad():
        return model.model(torch.arange(1, 9)[None]).logits


def test_a_scaled_adapter_lies_between_the_seed_and_itself(own_cache):
    import torch

    from sdft_lib.models import with_adapter

    run, seed = trained(own_cache, keep=(0.5,)), logits_of(own_cache)
    tuned = {
        scale: run_one.scaled(run, scale) if scale != "own" else run
        for scale in ("own", 0.0, 0.5, 1.0)
    }
    found = {
        scale: logits_of(with_adapter(own_cache, each.adapter, label="x"))
        for scale, each in tuned.items()
    }
    assert torch.equal(found[0.0], seed) and torch.equal(found[1.0], found["own"])
    assert not torch.equal(found[0.5], seed) and not torch.equal(found[0.5], found["own"])
    assert list(tuned[0.5].kept) == [0.5, 1.0] and tuned[0.5].kept[1.0] == tuned[0.5].adapter
    model = with_adapter(own_cache, run.adapter, label="x").model
    half = with_adapter(own_cache, tuned[0.5].adapter, label="x").model
    for name, weight in own_cache.model.named_parameters():
        middle = (weight + model.get_parameter(name)) / 2
        assert torch.allclose(half.get_parameter(name), middle, atol=1e-6), name


def test_scaled_methods_share_one_training_and_are_scored_each(own_cache):
    said, scored = [], []

    def score(model, share):
        scored.append((model.label, share, model.adapter))
        return []

    config = TrainConfig(learning_rate=2e-2, epochs=1)
    options = {"rows": ROWS, "score": score, "say": said.append}
    for name in ("sft", "sft-scaled-25", "sft-scaled-75"):
        run_one.run_one(own_cache, Task("t", "open", ROWS), name, config, **options)
    assert sum("training on 20 rows" in line for line in said) == 1
    assert [label for label, _, _ in scored] == ["sft", "sft-scaled-25", "sft-scaled-75"]
    assert len({adapter for _, _, adapter in scored}) == 3


def test_all_weights_cannot_be_scaled():
    with pytest.raises(SdftError, match="there is no adapter to scale"):
        methods.configured(methods.method("sdft-scaled-50"), TrainConfig(full=True))
