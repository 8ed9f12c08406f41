"""How far training moved a model from the seed: in its predictions (KL) and in its weights (lesson
05; paper, 5.1).

KL is measured from the seed to the tuned model, KL(seed || tuned), on answers that the seed itself
wrote: where the seed puts its mass and the tuned model does not, the model has forgotten. The other
direction would weigh what is new."""

import re
from collections.abc import Sequence

from sdft_lib.chat import check_room, render
from sdft_lib.decoding.prefix import collate, shareable
from sdft_lib.storage.errors import SdftError
from sdft_lib.training.loss import token_kl

LAYER = re.compile(r"layers\.(\d+)\.(.+)\.weight$")
ROWS = 4  # rows a pass: full distributions over 49k tokens are large


def answer_kl(seed, tuned, rows: Sequence[dict], column: str = "text"):
    """KL(seed || tuned) on ``rows[i][column]``, given the prompt: DataFrame with id, tokens and kl
    (nats a token).

    ``rows`` are dicts with id, messages and the seed's own answer; the end-of-turn token counts.
    Raises SdftError if the two models do not share a vocabulary, or if a row is too long for the
    model."""
    import pandas

    if seed.tokenizer.get_vocab() != tuned.tokenizer.get_vocab():
        raise SdftError(
            f"{seed.name} and {tuned.name} have different vocabularies; compare a model with its own seed."
        )
    rendered = [render(row["messages"], seed.tokenizer, row[column]) for row in rows]
    for row, text in zip(rows, rendered, strict=True):
        check_room(len(text.ids), seed.model, f"row {row['id']}")
    found = []
    for start in range(0, len(rows), ROWS):
        found += batch_kl(seed, tuned, rendered[start : start + ROWS])
    table = zip(rows, found, strict=True)
    return pandas.DataFrame(
        [{"id": row["id"], "tokens": len(kl), "kl": sum(kl) / len(kl)} for row, kl in table]
    )


def batch_kl(seed, tuned, rendered: Sequence) -> list[list[float]]:
    """KL at each trained token of each row."""
    import torch

    inputs = collate(rendered, seed.tokenizer.pad_token_id, shareable(seed.model), seed.device)
    trained = inputs.pop("labels")[:, 1:] != -100
    del inputs["shared"]  # rows are run whole
    with torch.inference_mode():
        kl = token_kl(seed.model(**inputs).logits[:, :-1], tuned.model(**inputs).logits[:, :-1])
    return [row[on].tolist() for row, on in zip(kl, trained, strict=True)]


def parameter_shift(seed, tuned):
    """How far each weight matrix moved: DataFrame with layer, module, shift = ||tuned - seed|| /
    ||seed|| (Frobenius).

    Matrices outside the layers (embeddings) have layer -1. Raises SdftError if the models differ in
    shape."""
    import pandas

    before, after = dict(seed.model.named_parameters()), dict(tuned.model.named_parameters())
    if {name: tensor.shape for name, tensor in before.items()} != {
        name: t.shape for name, t in after.items()
    }:
        raise SdftError(
            f"{seed.name} and {tuned.name} have different weights; compare a model with its own seed."
        )
    rows = []
    for name, old in before.items():
        if old.ndim < 2:
            continue
        place = LAYER.search(name)
        size = old.float().norm().item()
        moved = (after[name].float() - old.float()).norm().item()
        layer, module = (int(place[1]), place[2]) if place else (-1, name.removesuffix(".weight"))
        rows.append({"layer": layer, "module": module, "shift": moved / size if size else 0.0})
    return pandas.DataFrame(rows)
