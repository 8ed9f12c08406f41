"""The terms of the loss that are ours: distance from the seed, and which tokens count (lesson 05).

``TrainConfig.loss`` names one. *plain*: each token counts as much, and the anchor is held on the
trained positions. *stm* and *dft* weigh the tokens. *off_target* and *prompt* change the anchor: it
leaves out the target token, or is held on the prompt."""

import contextlib

import torch

from sdft_lib.decoding.prefix import share_prefix

WEIGHING = ("stm", "dft")
ANCHORING = ("off_target", "prompt")


def token_kl(seed_logits: torch.Tensor, tuned_logits: torch.Tensor) -> torch.Tensor:
    """KL(seed || tuned) in nats at each position; both (..., vocabulary), computed in fp32."""
    seed, tuned = seed_logits.float().log_softmax(-1), tuned_logits.float().log_softmax(-1)
    return (seed.exp() * (seed - tuned)).sum(-1)


def off_target(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The logits (..., vocabulary) with no chance left to the target token (...), so that a KL of
    such logits does not pull against learning it (Mask the Target, arXiv 2605.29498)."""
    return logits.float().scatter(-1, targets[..., None], -1e4)


def likely(seed_logits: torch.Tensor, targets: torch.Tensor, least: float = 0.4) -> torch.Tensor:
    """1 for each target that the seed gives a probability of at least ``least``, else 0: the others
    are not trained (STM, arXiv 2501.14315: a perplexity over 2.5)."""
    return (probability(seed_logits, targets) >= least).float()


def probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The probability of each target, in fp32, without a gradient. As a token's weight it makes
    DFT (arXiv 2508.05629), which with an anchor is ASFT (arXiv 2509.23753)."""
    return logits.detach().float().softmax(-1).gather(-1, targets[..., None])[..., 0]


def weighted(logits: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean over all tokens, (tokens, vocabulary) and (tokens,), of weight times nats."""
    nats = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return (weight * nats).mean()


def share_of_step(
    inputs: dict, total: int | torch.Tensor | None, processes: int
) -> torch.Tensor | float:
    """How much of a step's ``total`` trained tokens is in this part of its batch, times the
    processes, whose gradients are averaged: the shares of all parts and processes, so averaged,
    make 1. Without ``total`` the Trainer does it."""
    return 1.0 if total is None else (inputs["labels"][:, 1:] != -100).sum() / total * processes


def whole(inputs: dict) -> dict:
    """A batch of which no start is shared, with labels and logits (rows, all positions)."""
    missing = inputs["input_ids"].shape[1] - inputs["labels"].shape[1]
    labels = torch.nn.functional.pad(inputs["labels"], (missing, 0), value=-100)
    return {**inputs, "labels": labels, "logits_to_keep": 0, "shared": 0}  # 0 keeps all


def on_prompt(inputs: dict) -> torch.Tensor:
    """Weights (rows, positions) of the prompt's positions in a ``whole`` batch, which make 1: equal
    within a row, whose sum is its share of the trained tokens, so that parts of a batch add up. The
    last of them, which says the answer's first token, is one, as in the code of SelfAug."""
    trained = inputs["labels"] != -100
    prompt = ~trained & (inputs["attention_mask"] == 1)
    share = trained.sum(1, keepdim=True) / trained.sum()
    return prompt / prompt.sum(1, keepdim=True) * share


def seed_logits(model, inputs: dict, seed_model=None) -> torch.Tensor:
    """The seed's logits (rows, positions, vocabulary), where the batch keeps them."""
    with torch.no_grad(), contextlib.nullcontext() if seed_model else model.disable_adapter():
        inputs = share_prefix(seed_model or model, inputs)
        del inputs["labels"]
        return (seed_model or model)(**inputs).logits


def distance_to_seed(
    model, inputs: dict, logits: torch.Tensor, seed_model=None, loss: str = "plain"
) -> torch.Tensor:
    """Mean KL(seed || model) in nats over the positions whose next token is trained. ``loss``
    "off_target": without the target token (Mask the Target, arXiv 2605.29498). "prompt": over the
    prompt's positions instead, weighed by ``on_prompt`` (SelfAug, arXiv 2509.03934); then
    ``inputs`` are a ``whole`` batch."""
    seed = seed_logits(model, inputs, seed_model)
    if loss == "prompt":
        weights = on_prompt(inputs)
        held = weights > 0
        return (weights[held] * token_kl(seed[held], logits[held])).sum()
    labels = inputs["labels"][:, 1:]
    trained = labels != -100
    seed, tuned = seed[:, :-1][trained], logits[:, :-1][trained]
    if loss == "off_target":
        seed, tuned = off_target(seed, labels[trained]), off_target(tuned, labels[trained])
    return token_kl(seed, tuned).mean()


def reweighted(
    model, inputs: dict, logits: torch.Tensor, seed_model=None, loss: str = "dft"
) -> torch.Tensor:
    """Mean loss in nats over all trained tokens, each with its weight by "stm" or "dft"."""
    labels = inputs["labels"][:, 1:]
    trained = labels != -100
    tuned, targets = logits[:, :-1][trained], labels[trained]
    if loss == "stm":
        seed = seed_logits(model, inputs, seed_model)[:, :-1][trained]
        return weighted(tuned, targets, likely(seed, targets))
    return weighted(tuned, targets, probability(tuned, targets))
