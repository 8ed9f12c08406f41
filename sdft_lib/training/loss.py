"""The terms of the loss that are ours: how far a model is from its seed (lessons 03 and 05)."""

import contextlib

import torch

from sdft_lib.decoding.prefix import share_prefix


def token_kl(seed_logits: torch.Tensor, tuned_logits: torch.Tensor) -> torch.Tensor:
    """KL(seed || tuned) in nats at each position; both (..., vocabulary), computed in fp32."""
    seed, tuned = seed_logits.float().log_softmax(-1), tuned_logits.float().log_softmax(-1)
    return (seed.exp() * (seed - tuned)).sum(-1)


def share_of_step(
    inputs: dict, total: int | torch.Tensor | None, processes: int
) -> torch.Tensor | float:
    """How much of a step's ``total`` trained tokens is in this part of its batch, times the
    processes, whose gradients are averaged: the shares of all parts and processes, so averaged,
    make 1. Without ``total`` the Trainer does it."""
    return 1.0 if total is None else (inputs["labels"][:, 1:] != -100).sum() / total * processes


def distance_to_seed(model, inputs: dict, logits: torch.Tensor, seed_model=None) -> torch.Tensor:
    """Mean KL(seed || model) in nats over the positions whose next token is trained."""
    trained = inputs["labels"][:, 1:] != -100
    with torch.no_grad(), contextlib.nullcontext() if seed_model else model.disable_adapter():
        inputs = share_prefix(seed_model or model, inputs)
        del inputs["labels"]
        seed_logits = (seed_model or model)(**inputs).logits
    return token_kl(seed_logits[:, :-1][trained], logits[:, :-1][trained]).mean()
