"""Three rulers for how far training moved a model from the seed: its answers, its predictions, its
weights (lesson 05; paper, 5.1).

KL is measured from the seed to the tuned model, KL(seed || tuned), on answers that the seed itself
wrote: where the seed puts its mass and the tuned model does not, the model has forgotten. The other
direction would weigh what is new."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas
import torch

from sdft_lib.chat import render_rows
from sdft_lib.decoding.parity import check_finite
from sdft_lib.decoding.prefix import collate, shareable
from sdft_lib.distill import SAMPLED
from sdft_lib.evaluate import stored_answers
from sdft_lib.generation import Decoding
from sdft_lib.models import Seed
from sdft_lib.similarity import alike
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, digest
from sdft_lib.training.loss import token_kl

VERSION = 2  # raise it when a change of code changes the KL
LAYER = re.compile(r"layers\.(\d+)\.(.+)\.weight$")
ROWS = 4  # rows a pass: full distributions over 49k tokens are large


def sampled_answers(
    seed: Seed, rows: Sequence[dict], *, sampling_seed: int, max_new_tokens: int = 96, say=print
) -> list[dict]:
    """A sampled answer to each prompt, as ``text``; another ``sampling_seed`` gives another.

    Not for harmful requests: what is answered here is kept."""
    decoding = replace(Decoding(max_new_tokens=max_new_tokens, seed=sampling_seed), **SAMPLED)
    what = f"{seed.label}: {len(rows)} sampled answers, sampling seed {sampling_seed}"
    return stored_answers(seed, rows, decoding, what=what, say=say)


def likeness(
    own: Sequence[dict], others: Mapping[str, Sequence[dict]], *, say=print
) -> pandas.DataFrame:
    """Likeness of each method's answers to the seed's: method, id, rouge_l, bleu_4, cosine.

    ``own`` are the seed's answers, ``others`` those of each method to the same prompts. Give the
    seed itself at another sampling seed under the name ``seed``: that is the ceiling, what a model
    that did not move would score."""
    texts = {row["id"]: row["text"] for row in own}
    pairs = []
    for method, rows in others.items():
        if [row["id"] for row in rows] != list(texts):
            raise SdftError(f'"{method}" answered other prompts than the seed; ask both the same.')
        pairs += [row | {"method": method, "own": texts[row["id"]]} for row in rows]
    if not pairs:
        raise SdftError("there are no answers to compare; give those of at least one method.")
    table = alike(pairs, "own", "text", say=say)[["id", "rouge_l", "bleu_4", "cosine"]]
    table.insert(0, "method", [pair["method"] for pair in pairs])
    return table


def stored_kl(seed: Seed, tuned: Seed, rows: Sequence[dict], *, say=print) -> pandas.DataFrame:
    """``answer_kl`` on the seed's answers ``rows[i]["text"]``, from the store or made now."""
    asked = [{"id": row["id"], "messages": row["messages"], "text": row["text"]} for row in rows]
    parts = {"seed": seed.identity, "tuned": tuned.identity}
    parts |= {"rows": digest(asked), "version": VERSION}

    def build(folder: Path) -> None:
        say(f"KL(seed || {tuned.label}) on {len(asked)} answers of the seed")
        made = answer_kl(seed, tuned, asked).to_dict("records")
        write_jsonl(folder / "kl.jsonl", [row | {"kl": round(row["kl"], 6)} for row in made])

    return pandas.DataFrame(read_jsonl(artefact("kl", parts, build) / "kl.jsonl"))


def answer_kl(seed: Seed, tuned: Seed, rows: Sequence[dict]) -> pandas.DataFrame:
    """KL(seed || tuned) on the seed's answers ``rows[i]["text"]``, given the prompt: id, tokens and
    kl (nats a token); the end-of-turn token counts.

    Raises SdftError if the models do not share a vocabulary, or if a row is too long for them."""
    if seed.tokenizer.get_vocab() != tuned.tokenizer.get_vocab():
        raise SdftError(f"{seed.name} and {tuned.name} have different vocabularies.")
    rendered, nats = render_rows(seed, rows), []
    for start in range(0, len(rows), ROWS):
        batch, pad = rendered[start : start + ROWS], seed.tokenizer.pad_token_id
        inputs = collate(batch, pad, shareable(seed.model), seed.device)
        trained = inputs.pop("labels")[:, 1:] != -100
        del inputs["shared"]  # rows are run whole
        with torch.inference_mode():
            logits = [model(**inputs).logits[:, :-1] for model in (seed.model, tuned.model)]
            kl = token_kl(*logits)
        nats += [row[on].tolist() for row, on in zip(kl, trained, strict=True)]
    check_finite(torch.tensor([sum(kl) for kl in nats]), lambda index: rows[index]["id"])
    table = []
    for row, kl in zip(rows, nats, strict=True):
        table.append({"id": row["id"], "tokens": len(kl), "kl": sum(kl) / len(kl)})
    return pandas.DataFrame(table)


def parameter_shift(seed: Seed, tuned: Seed) -> pandas.DataFrame:
    """How far each matrix moved: layer, module, shift = ||tuned - seed|| / ||seed|| (Frobenius).

    Embeddings, outside the layers, have layer -1. Raises SdftError if the shapes differ."""
    before, after = dict(seed.model.named_parameters()), dict(tuned.model.named_parameters())
    shapes = {name: tensor.shape for name, tensor in before.items()}
    if shapes != {name: tensor.shape for name, tensor in after.items()}:
        raise SdftError(f"{seed.name} and {tuned.name} have different weights; take its own seed.")
    rows = []
    for name, old in before.items():
        if old.ndim < 2:
            continue
        match = LAYER.search(name)
        layer, module = (int(match[1]), match[2]) if match else (-1, name.removesuffix(".weight"))
        size = old.float().norm().item()
        moved = (after[name].float() - old.float()).norm().item()
        rows.append({"layer": layer, "module": module, "shift": moved / size if size else 0.0})
    return pandas.DataFrame(rows)
