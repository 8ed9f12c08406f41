"""Sampled answers, likeness and KL of lesson 05 on a tiny model: kept in the store, and no KL
without training.
"""

from dataclasses import replace

import pytest

from sdft_lib.experiments import drift
from sdft_lib.storage.errors import SdftError

ROWS = [
    {"id": f"h-{n}", "messages": [{"role": "user", "content": text}], "reference": ""}
    for n, text in enumerate(("Why do leaves fall?", "Name a bird.", "How do I bake bread?"))
]


@pytest.fixture
def lines(monkeypatch, tmp_path):
    """A store of its own, and the lines that the steps say; the models stay where they are."""
    import sdft_lib.storage.store as store

    monkeypatch.setattr(store, "cache_dir", lambda: tmp_path)
    return []


def draw(seed, number, lines):
    return drift.sampled_answers(
        seed, ROWS, sampling_seed=number, max_new_tokens=6, say=lines.append
    )


def test_answers_are_drawn_once_and_differ_by_sampling_seed(tiny_seed, lines):
    first, again, other = (draw(tiny_seed, number, lines) for number in (1, 1, 2))
    assert first == again != other and len(lines) == 2
    assert [row["id"] for row in first] == [row["id"] for row in ROWS] and "reference" not in first[
        0
    ]


def test_a_model_that_did_not_move_draws_the_ceiling_and_has_no_kl(tiny_seed, lines):
    unmoved = replace(tiny_seed, adapter="copy:0")
    assert draw(unmoved, 2, lines) == draw(tiny_seed, 2, lines)
    own = draw(tiny_seed, 1, lines)
    found = drift.stored_kl(tiny_seed, unmoved, own, say=lines.append)
    assert found["kl"].abs().max() < 1e-5 and found["id"].tolist() == [row["id"] for row in ROWS]
    said = len(lines)
    assert (
        drift.stored_kl(tiny_seed, unmoved, own, say=lines.append).equals(found)
        and len(lines) == said
    )


def test_likeness_is_taken_prompt_by_prompt(monkeypatch):
    monkeypatch.setattr("sdft_lib.experiments.similarity.cosine", lambda a, b, say: [0.5] * len(a))
    own = [{"id": "x", "text": "a b c d e"}, {"id": "y", "text": "f g h i j"}]
    other = [{"id": "x", "text": "a b c d e"}, {"id": "y", "text": "k l m n o"}]
    table = drift.likeness(own, {"seed": own, "sft": other})
    assert list(table.columns) == ["method", "id", "rouge_l", "bleu_4", "cosine"]
    assert table["method"].tolist() == ["seed", "seed", "sft", "sft"]
    assert table["rouge_l"].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_other_prompts_are_refused():
    own = [{"id": "x", "text": "a"}]
    with pytest.raises(SdftError, match="other prompts"):
        drift.likeness(own, {"sft": [{"id": "y", "text": "a"}]})
    with pytest.raises(SdftError, match="no answers"):
        drift.likeness(own, {})
