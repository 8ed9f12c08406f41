"""How alike two texts are: wording (ROUGE-L, BLEU-4), meaning (embedding cosine; lessons 02, 05).

The paper compares a tuned model's answers with the seed's in the same three ways (section 5.1)."""

import contextlib
import io
from collections.abc import Callable, Sequence

import pandas
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from sdft_lib.storage.errors import quiet_transformers
from sdft_lib.storage.wheels import fetch


def alike(
    rows: Sequence[dict], first: str = "reference", second: str = "text", *, say: Callable = print
) -> pandas.DataFrame:
    """What a rewrite changed, row by row: id, words of both columns, rouge_l, bleu_4, cosine."""
    a, b = [row[first] for row in rows], [row[second] for row in rows]
    table = {"id": [row["id"] for row in rows]}
    table[f"words_{first}"] = [len(text.split()) for text in a]
    table[f"words_{second}"] = [len(text.split()) for text in b]
    scores = {"rouge_l": rouge_l(b, a), "bleu_4": bleu_4(b, a), "cosine": cosine(b, a, say=say)}
    return pandas.DataFrame(table | scores)


def rouge_l(first: Sequence[str], second: Sequence[str]) -> list[float]:
    """ROUGE-L F1 of each pair, 0 to 1; two equal texts, empty ones too, count as 1."""
    scorer = RougeScorer(["rougeL"])
    scores = []
    for a, b in zip(first, second, strict=True):
        scores.append(1.0 if a == b else float(scorer.score(a, b)["rougeL"].fmeasure))
    return scores


def bleu_4(first: Sequence[str], second: Sequence[str]) -> list[float]:
    """Sentence BLEU-4 with exponential smoothing, 0 to 1; ``second`` holds the references."""
    metric = BLEU(effective_order=True, smooth_method="exp")
    scores = []
    for a, b in zip(first, second, strict=True):
        scores.append(1.0 if a == b else metric.sentence_score(a, [b]).score / 100)
    return scores


def cosine(first: Sequence[str], second: Sequence[str], *, say: Callable = print) -> list[float]:
    """Cosine of the sentence embeddings of each pair, -1 to 1."""
    if not first:
        return []
    model = encoder(say=say)
    options = {"normalize_embeddings": True, "show_progress_bar": False, "batch_size": 32}
    left, right = model.encode(list(first), **options), model.encode(list(second), **options)
    return [float(value) for value in (left * right).sum(axis=1)]


def encoder(say=print):
    """The sentence encoder all-MiniLM-L6-v2 (256 tokens at most; MIT), embedded like the seed."""
    from sentence_transformers import SentenceTransformer

    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
        return SentenceTransformer(
            str(fetch("minilm", say=say)), device="cpu", local_files_only=True
        )
