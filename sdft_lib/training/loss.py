"""The terms of the loss that are ours: how far a model is from its seed (lessons 03 and 05)."""

from sdft_lib.decoding.prefix import share_prefix


def token_kl(seed_logits, tuned_logits):
    """KL(seed || tuned) in nats at each position; both (..., vocabulary), computed in fp32."""
    seed, tuned = seed_logits.float().log_softmax(-1), tuned_logits.float().log_softmax(-1)
    return (seed.exp() * (seed - tuned)).sum(-1)


def share_of_step(inputs: dict, total, processes: int):
    """How much of a step's ``total`` trained tokens is in this part of its batch, times the
    processes, whose gradients are averaged: the shares of all parts and processes, so averaged,
    make 1. Without ``total`` the Trainer does it."""
    return 1.0 if total is None else (inputs["labels"][:, 1:] != -100).sum() / total * processes


def distance_to_seed(model, inputs: dict, logits, seed_model=None):
    """Mean KL(seed || model) in nats over the positions whose next token is trained."""
    import contextlib

    import torch

    trained = inputs["labels"][:, 1:] != -100
    with torch.no_grad(), contextlib.nullcontext() if seed_model else model.disable_adapter():
        model = seed_model or model
        seed = model(
            **{key: value for key, value in share_prefix(model, inputs).items() if key != "labels"}
        ).logits
    return token_kl(seed[:, :-1][trained], logits[:, :-1][trained]).mean()
