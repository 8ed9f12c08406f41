"""How far texts lie from the seed's own distribution, before training (lesson 01; paper, 5.1).

The unit is nats per token: minus the log-probability that the seed gives to a text, averaged over
its tokens, given the original prompt alone. The end-of-turn token counts: a text is also a
statement about when to stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas
import torch
from torch.nn.functional import cross_entropy

from sdft_lib.chat import Rendered, render_rows
from sdft_lib.decoding.batches import plan_batches
from sdft_lib.decoding.parity import check_finite
from sdft_lib.decoding.prefix import collate, share_prefix, shareable
from sdft_lib.models import Seed
from sdft_lib.stats import Interval, paired_bootstrap
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, digest

VERSION = 3  # raise it when a change of code changes the nats
ROWS = 16  # rows a pass: logits over a vocabulary of 49k are large


@dataclass(frozen=True)
class Gap:
    """``frame``: id, source, nll and nats of both. ``interval``: mean nll_reference - nll_text."""

    frame: pandas.DataFrame
    interval: Interval


def gap(seed: Seed, distilled, *, say: Callable[[str], None] = print) -> Gap:
    """References against what SDFT trains on (fallbacks included), by row, with an interval;
    ``distilled`` is what ``distill`` returned. Figures in nats and nats a token."""
    reference = nll(seed, distilled.rows, "reference", say=say)
    text = nll(seed, distilled.rows, "text", say=say)
    frame = reference[["id"]].assign(source=[row["source"] for row in distilled.rows])
    frame = frame.assign(nll_reference=reference["nll"], nll_text=text["nll"])
    frame = frame.assign(nats_reference=reference["nats"], nats_text=text["nats"])
    return Gap(frame, paired_bootstrap(frame["nll_reference"].tolist(), frame["nll_text"].tolist()))


def nll(
    seed: Seed, rows: Sequence[dict], column: str = "reference", *, say: Callable = print
) -> pandas.DataFrame:
    """Surprise of the seed at ``rows[i][column]``: id, tokens, nats (total), nll (nats a token)."""
    texts = [{"id": row["id"], "messages": row["messages"], "text": row[column]} for row in rows]
    parts = {"seed": seed.identity, "rows": digest(texts), "version": VERSION}

    def build(folder: Path) -> None:
        say(f"scoring {len(rows)} texts (column {column!r}) under {seed.name}")
        write_jsonl(folder / "nll.jsonl", score_rows(seed, texts))

    return pandas.DataFrame(read_jsonl(artefact("nll", parts, build) / "nll.jsonl"))


def score_rows(seed: Seed, rows: Sequence[dict]) -> list[dict]:
    """Tokens and nats of each row's ``text``, in the order of ``rows``."""
    rendered = render_rows(seed, rows)
    nats_of = {}
    for batch in plan_batches([len(row.ids) for row in rendered], 0):
        for first in range(0, len(batch), ROWS):
            piece = batch[first : first + ROWS]
            scored = token_nats(seed, [rendered[index] for index in piece])
            nats_of |= dict(zip(piece, scored, strict=True))
    totals = [sum(nats_of[index]) for index in range(len(rows))]
    check_finite(torch.tensor(totals), lambda index: rows[index]["id"])
    scores = []
    for index, (row, nats) in enumerate(zip(rows, totals, strict=True)):
        tokens = len(nats_of[index])
        line = {"tokens": tokens, "nats": round(nats, 5), "nll": round(nats / tokens, 5)}
        scores.append({"id": row["id"], **line})
    return scores


def token_nats(seed: Seed, rendered: Sequence[Rendered]) -> list[list[float]]:
    """Minus log-probability of each trained token of each row."""
    share, pad = shareable(seed.model), seed.tokenizer.pad_token_id
    batch = collate(rendered, pad, share, seed.device)
    labels = batch.pop("labels")[:, 1:]
    with torch.inference_mode():
        logits = seed.model(**share_prefix(seed.model, batch)).logits[:, :-1].float()
        nats = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    rows = zip(nats.view_as(labels), labels != -100, strict=True)
    return [row[trained].tolist() for row, trained in rows]
