"""How a row's next token is chosen: the likeliest, or a draw of its own (lesson 02)."""

import hashlib
from collections.abc import Callable, Sequence

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from sdft_lib.decoding.parity import check_finite


def chooser(decoding, names: Sequence[str]) -> Callable:
    """What picks a token for each row of logits (rows, vocabulary): the likeliest, or a draw by the
    row's own generator. It raises SdftError for numbers that are NaN or infinite."""
    steps = LogitsProcessorList()
    if decoding.repetition_penalty != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(float(decoding.repetition_penalty)))

    def likeliest(logits: torch.Tensor, ids: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
        # of equal ones the first, as argmax says it, in a third of its time on a CPU
        top = steps(ids, logits.float()).max(-1)
        check_finite(top.values, lambda row: names[numbers[row]])  # NaN is its own maximum
        return top.indices

    if decoding.temperature == 0:
        return likeliest
    steps.append(TemperatureLogitsWarper(float(decoding.temperature)))
    if decoding.top_k:
        steps.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        steps.append(TopPLogitsWarper(decoding.top_p))
    sources = [torch.Generator().manual_seed(row_seed(decoding.seed, name)) for name in names]

    def draw(logits: torch.Tensor, ids: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
        shares = steps(ids, logits.float()).softmax(-1).cumsum(-1)
        check_finite(shares[:, -1], lambda row: names[numbers[row]])
        draws = [torch.rand(1, generator=sources[number]) for number in numbers]
        point = (1 - torch.stack(draws)).to(shares.device)  # (rows, 1), in (0, 1]
        return (shares < point * shares[:, -1:]).sum(-1)

    return draw


def row_seed(seed: int, name: str) -> int:
    """A row's sampling seed, from the decoding's (another for each candidate) and the row's id."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:7], "big")
