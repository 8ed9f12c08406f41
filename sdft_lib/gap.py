"""How far targets lie from the seed model's own distribution, in nats, before any training (lesson
01; paper, 5.1).

The unit is nats per token: minus the log-probability that the seed gives to a target, averaged over
its tokens, given the original prompt alone. The end-of-turn token counts: a target is also a
statement about when to stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdft_lib.chat import check_room, render
from sdft_lib.decoding.prefix import pad_behind_prefix, prefix_cache, shareable
from sdft_lib.generation import batches
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, digest

VERSION = 1  # raise it when a change of code changes the nats


@dataclass(frozen=True)
class Gap:
    """``frame``: id, source, nll and nats of reference and text. ``interval``: mean of
    nll_reference - nll_text.
    """

    frame: Any
    interval: Any


def nll(
    seed, rows: Sequence[dict], column: str = "reference", *, say: Callable[[str], None] = print
):
    """Surprise of the seed at ``rows[i][column]``: DataFrame with id, tokens, nats (total) and nll
    (nats per token)."""
    import pandas

    pairs = [{"id": row["id"], "messages": row["messages"], "target": row[column]} for row in rows]
    parts = {"seed": seed.identity, "rows": digest(pairs), "version": VERSION}

    def build(folder: Path) -> None:
        say(f"scoring {len(rows)} targets (column {column!r}) under {seed.name}")
        write_jsonl(folder / "nll.jsonl", score_rows(seed, pairs))

    return pandas.DataFrame(read_jsonl(artefact("nll", parts, build) / "nll.jsonl"))


def score_rows(seed, pairs: Sequence[dict]) -> list[dict]:
    """Tokens and nats of each target, in the order of ``pairs``."""
    rendered = [render(pair["messages"], seed.tokenizer, pair["target"]) for pair in pairs]
    for pair, row in zip(pairs, rendered, strict=True):
        check_room(len(row.ids), seed.model, f"row {pair['id']}")
    found: dict[int, list[float]] = {}
    for batch in batches([len(row.ids) for row in rendered], 0):
        for size in range(
            0, len(batch), 16
        ):  # logits over a 49k vocabulary: 16 rows at a time keep memory flat
            piece = batch[size : size + 16]
            found |= dict(
                zip(piece, token_nats(seed, [rendered[index] for index in piece]), strict=True)
            )
    return [
        {
            "id": pair["id"],
            "tokens": len(nats),
            "nats": round(sum(nats), 5),
            "nll": round(sum(nats) / len(nats), 5),
        }
        for pair, nats in ((pair, found[index]) for index, pair in enumerate(pairs))
    ]


def token_nats(seed, rendered: Sequence) -> list[list[float]]:
    """Minus log-probability of each trained token of each row; logits are computed for the targets
    only.
    """
    import torch

    input_ids, attention, shared = pad_behind_prefix(
        [r.ids for r in rendered], seed.tokenizer.pad_token_id, seed.device, shareable(seed.model)
    )
    lengths = [sum(row.mask) for row in rendered]
    keep = max(lengths) + 1
    shared = min(
        shared, input_ids.shape[1] - keep
    )  # the tokens before the targets must be run, not cached
    shared = max(shared, 0)
    positions = (attention.cumsum(1) - 1).clamp_min(0)
    with torch.inference_mode():
        logits = seed.model(
            input_ids=input_ids[:, shared:],
            attention_mask=attention,
            position_ids=positions[:, shared:],
            past_key_values=prefix_cache(seed.model, input_ids, shared),
            logits_to_keep=keep,
        ).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1),
            input_ids[:, 1 - keep :].flatten(),
            reduction="none",
        ).view(len(rendered), keep - 1)
    return [losses[row, keep - 1 - length :].tolist() for row, length in enumerate(lengths)]


def gap(seed, distilled, *, say: Callable[[str], None] = print) -> Gap:
    """References against the rows that SDFT trains on (fallbacks included), paired by row, with a
    bootstrap interval."""
    import pandas

    from sdft_lib.stats import paired_bootstrap

    reference = nll(seed, distilled.rows, "reference", say=say)
    text = nll(seed, distilled.rows, "text", say=say)
    frame = pandas.DataFrame(
        {
            "id": reference["id"],
            "source": [row["source"] for row in distilled.rows],
            "nll_reference": reference["nll"],
            "nll_text": text["nll"],
            "nats_reference": reference["nats"],
            "nats_text": text["nats"],
        }
    )
    return Gap(frame, paired_bootstrap(frame["nll_reference"].tolist(), frame["nll_text"].tolist()))
