"""Stop a run whose output is garbled before it costs an hour (lesson 02, "Many rows at once").

Wrong number formats, broken caches and truncated weights raise nothing and write nonsense."""

from collections.abc import Callable, Sequence

import torch

from sdft_lib.storage.errors import SdftError

ROWS = 4
SLACK = {"fp32": 0.01, "bf16": 0.5, "fp16": 0.2}  # nats by which rounding turns two tokens about
AGREE = 0.9  # least share of tokens that a plain pass finds likeliest, too
FEWEST = 32  # rows below which nothing is concluded
MOST = 0.9  # largest share of texts that are no language


def check_parity(seed, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> None:
    """Raise SdftError unless a plain pass finds the last rows' tokens the likeliest ones, too."""
    agreed = []
    for index in [index for index in range(len(prompts)) if answers[index]][-ROWS:]:
        agreed += likeliest(seed, prompts[index], answers[index])
    share = sum(agreed) / max(1, len(agreed))
    if share < AGREE:
        few = f"only {share:.0%} of {len(agreed)} tokens are those of plain decoding"
        remedy = "set SDFT_DTYPE=fp32 or SDFT_DEVICE=cpu and start again"
        raise SdftError(f"generation is garbled on {seed.device} in {seed.dtype}: {few}; {remedy}.")


def likeliest(seed, prompt: list[int], answer: list[int]) -> list[bool]:
    """For each token of an answer: no other token is likelier, by more than rounding."""
    row = torch.tensor([prompt + answer], device=seed.device)
    with torch.inference_mode():
        logits = seed.model(input_ids=row, logits_to_keep=len(answer) + 1).logits[0, :-1].float()
    nats = logits.log_softmax(-1)
    taken = nats.gather(1, row[0, len(prompt) :, None])[:, 0]
    return (nats.max(-1).values - taken <= SLACK[seed.dtype]).tolist()


def check_finite(values: torch.Tensor, name: Callable[[int], str]) -> None:
    """Raise SdftError for the first of ``values`` (rows,) that is NaN or infinite, by its name."""
    finite = values.isfinite()
    if not finite.all():
        row, problem = name(finite.tolist().index(False)), "the model's numbers are NaN or infinite"
        remedy = "check its weights and its adapter, or set SDFT_DTYPE=fp32"
        raise SdftError(f"row {row}: {problem}; {remedy}. Nothing of it was stored.")


def check_language(texts: Sequence[str], name: str) -> None:
    """Raise SdftError if nearly all of 32 or more texts are control characters, or one word."""
    written = [text for text in texts if text.strip()]
    faults = {"characters that are no text": not_text, "one word over and over": one_word}
    for fault, has_it in faults.items() if len(written) >= FEWEST else ():
        share = sum(map(has_it, written)) / len(written)
        if share > MOST:
            garbled = f"garbled: {share:.0%} of {len(written)} answers hold {fault}"
            remedy = "check the model's files and its chat template, or set SDFT_DTYPE=fp32"
            raise SdftError(f"{name}: generation is {garbled}; {remedy} and start again.")


def not_text(text: str) -> bool:
    """More than a fifth of the characters are undecodable or control characters."""
    bad = [sign for sign in text if sign == "\ufffd" or not (sign.isprintable() or sign.isspace())]
    return len(bad) > len(text) / 5


def one_word(text: str) -> bool:
    """At least 12 words, and nine in ten of them the same."""
    words = text.split()
    return len(words) >= 12 and max(map(words.count, set(words))) >= 0.9 * len(words)
