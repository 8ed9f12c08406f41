"""How alike two texts are, by rouge-score, sacrebleu and sentence-transformers (lesson 02)."""

import contextlib
import io
from collections.abc import Callable, Sequence

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from sdft_lib.storage.errors import quiet_transformers
from sdft_lib.storage.wheels import fetch


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
