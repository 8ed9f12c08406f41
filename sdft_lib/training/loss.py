"""The terms of the loss that are ours: how far a model is from its seed, and which tokens count
(lessons 03 and 05)."""

import contextlib

import torch

from sdft_lib.decoding.prefix import share_prefix


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


def at_seed(model, inputs: dict, seed_model=None) -> torch.Tensor:
    """The seed's logits (tokens, vocabulary) where the next token is trained."""
    trained = inputs["labels"][:, 1:] != -100
    with torch.no_grad(), contextlib.nullcontext() if seed_model else model.disable_adapter():
        inputs = share_prefix(seed_model or model, inputs)
        del inputs["labels"]
        return (seed_model or model)(**inputs).logits[:, :-1][trained]


def distance_to_seed(
    model, inputs: dict, logits: torch.Tensor, seed_model=None, kind: str = "plain"
) -> torch.Tensor:
    """Mean KL(seed || model) in nats over the positions whose next token is trained; of kind
    "off_target" over all tokens but that one."""
    labels = inputs["labels"][:, 1:]
    trained = labels != -100
    seed, tuned, targets = (
        at_seed(model, inputs, seed_model),
        logits[:, :-1][trained],
        labels[trained],
    )
    if kind == "off_target":
        seed, tuned = off_target(seed, targets), off_target(tuned, targets)
    return token_kl(seed, tuned).mean()


def reweighted(
    model, inputs: dict, logits: torch.Tensor, seed_model=None, kind: str = "dft"
) -> torch.Tensor:
    """Mean loss over the trained tokens, each with its weight by "stm" or "dft"."""
    labels = inputs["labels"][:, 1:]
    trained = labels != -100
    tuned, targets = logits[:, :-1][trained], labels[trained]
    if kind == "stm":
        return weighted(tuned, targets, likely(at_seed(model, inputs, seed_model), targets))
    return weighted(tuned, targets, probability(tuned, targets))
