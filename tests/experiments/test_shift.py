"""KL to the seed and parameter shift: against hand-computed cases, and on a tiny model against
itself; sampled answers, likeness and KL are kept in the store, and there is no KL without training.
"""

import copy
import math
from dataclasses import replace

import pytest

from sdft_lib.experiments import shift
from sdft_lib.storage.errors import SdftError

ROWS = [
    {
        "id": "a",
        "messages": [{"role": "user", "content": "Name a colour."}],
        "text": "Blue is a colour.",
    },
    {
        "id": "b",
        "messages": [{"role": "user", "content": "Say hello to the whole class."}],
        "text": "Hello!",
    },
]


@pytest.fixture
def seed(tiny_seed):
    return tiny_seed


@pytest.fixture
def tuned(seed):
    import torch

    model = copy.deepcopy(seed.model)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight *= 1.5
    return replace(seed, model=model, adapter="tuned")


def test_kl_is_the_hand_computed_one_and_has_a_direction():
    import torch

    p, q = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.25, 0.5, 0.25])
    forward = shift.token_kl(p.log(), q.log()).item()
    assert forward == pytest.approx(0.5 * math.log(2) + 0.25 * math.log(0.5), abs=1e-6)
    skewed = torch.tensor([0.98, 0.01, 0.01])
    there, back = (
        shift.token_kl(p.log(), skewed.log()).item(),
        shift.token_kl(skewed.log(), p.log()).item(),
    )
    assert there == pytest.approx(0.5 * math.log(0.5 / 0.98) + 0.5 * math.log(25), abs=1e-5)
    assert back == pytest.approx(0.98 * math.log(1.96) + 0.02 * math.log(0.04), abs=1e-5)
    assert shift.token_kl(p.log() + 3, q.log() - 7).item() == pytest.approx(
        forward, abs=1e-6
    )  # logits, any offset


def test_a_model_has_no_kl_to_itself_and_the_end_of_turn_counts(seed):
    table = shift.answer_kl(seed, seed, ROWS)
    assert table["kl"].tolist() == pytest.approx([0, 0], abs=1e-5)
    words = [
        len(seed.tokenizer(row["text"], add_special_tokens=False)["input_ids"]) for row in ROWS
    ]
    assert table["tokens"].tolist() == [count + 1 for count in words]


def test_kl_of_a_row_does_not_depend_on_its_batch(seed, tuned):
    together = shift.answer_kl(seed, tuned, ROWS)["kl"].tolist()
    alone = [shift.answer_kl(seed, tuned, [row])["kl"].item() for row in ROWS]
    assert min(together) > 1e-4
    assert together == pytest.approx(alone, rel=1e-3)


def test_kl_equals_a_plain_pass(seed, tuned):
    import torch

    from sdft_lib.chat import render

    row = render(ROWS[0]["messages"], seed.tokenizer, ROWS[0]["text"])
    with torch.inference_mode():
        logits = [each.model(torch.tensor([row.ids])).logits[0, :-1] for each in (seed, tuned)]
    first = row.mask.index(True)
    reference = torch.nn.functional.kl_div(
        logits[1].log_softmax(-1), logits[0].log_softmax(-1), reduction="none", log_target=True
    ).sum(-1)
    assert shift.answer_kl(seed, tuned, ROWS[:1])["kl"].item() == pytest.approx(
        reference[first - 1 :].mean().item(), rel=1e-4
    )


def test_parameter_shift_names_the_matrix_that_moved(seed, tuned):
    table = shift.parameter_shift(seed, tuned)
    moved = table[table["shift"] > 0]
    assert moved[["layer", "module"]].values.tolist() == [[1, "mlp.up_proj"]]
    assert moved["shift"].item() == pytest.approx(0.5, rel=1e-5)
    assert -1 in set(table["layer"])  # the embeddings


def test_models_of_other_shapes_are_refused(seed):
    import torch

    model = copy.deepcopy(seed.model)
    model.lm_head = torch.nn.Linear(32, 7, bias=False)
    with pytest.raises(SdftError, match="different weights"):
        shift.parameter_shift(seed, replace(seed, model=model))


# Steps that keep their results.


PROMPTS = [
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
    return shift.sampled_answers(
        seed, PROMPTS, sampling_seed=number, max_new_tokens=6, say=lines.append
    )


def test_answers_are_drawn_once_and_differ_by_sampling_seed(tiny_seed, lines):
    first, again, other = (draw(tiny_seed, number, lines) for number in (1, 1, 2))
    assert first == again != other and len(lines) == 2
    assert [row["id"] for row in first] == [
        row["id"] for row in PROMPTS
    ] and "reference" not in first[0]


def test_a_model_that_did_not_move_draws_the_ceiling_and_has_no_kl(tiny_seed, lines):
    unmoved = replace(tiny_seed, adapter="copy:0")
    assert draw(unmoved, 2, lines) == draw(tiny_seed, 2, lines)
    own = draw(tiny_seed, 1, lines)
    found = shift.stored_kl(tiny_seed, unmoved, own, say=lines.append)
    assert found["kl"].abs().max() < 1e-5 and found["id"].tolist() == [row["id"] for row in PROMPTS]
    said = len(lines)
    assert (
        shift.stored_kl(tiny_seed, unmoved, own, say=lines.append).equals(found)
        and len(lines) == said
    )


def test_likeness_is_taken_prompt_by_prompt(monkeypatch):
    monkeypatch.setattr("sdft_lib.similarity.cosine", lambda a, b, say: [0.5] * len(a))
    own = [{"id": "x", "text": "a b c d e"}, {"id": "y", "text": "f g h i j"}]
    other = [{"id": "x", "text": "a b c d e"}, {"id": "y", "text": "k l m n o"}]
    table = shift.likeness(own, {"seed": own, "sft": other})
    assert list(table.columns) == ["method", "id", "rouge_l", "bleu_4", "cosine"]
    assert table["method"].tolist() == ["seed", "seed", "sft", "sft"]
    assert table["rouge_l"].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_other_prompts_are_refused():
    own = [{"id": "x", "text": "a"}]
    with pytest.raises(SdftError, match="other prompts"):
        shift.likeness(own, {"sft": [{"id": "y", "text": "a"}]})
    with pytest.raises(SdftError, match="no answers"):
        shift.likeness(own, {})
