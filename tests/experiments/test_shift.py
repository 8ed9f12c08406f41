"""KL to the seed and parameter shift: against hand-computed cases, and on a tiny model against
itself.
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
