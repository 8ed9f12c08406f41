"""How alike two texts are: wording (ROUGE-L, BLEU-4), meaning (embedding cosine; lessons 02, 04).

The paper compares a tuned model's answers with the seed's in the same three ways (section 5.1). The
packages are rouge-score, sacrebleu and sentence-transformers with all-MiniLM-L6-v2, which reads at
most 256 tokens of a text."""

from collections.abc import Callable, Sequence

import pandas
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from sdft_lib.models import encoder


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


def to_seed(
    frame: pandas.DataFrame, suite: str = "helpful", *, say: Callable = print
) -> pandas.DataFrame:
    """Likeness of each method's answers to the seed's: method, id, rouge_l, cosine.

    ``frame`` is what ``evaluate`` returns, for several methods that include ``seed``. A suite whose
    texts are withheld (``safety``) says nothing here."""
    rows = frame[frame["suite"] == suite]
    seed = rows[rows["method"] == "seed"].set_index("id")["text"]
    others = rows[rows["method"] != "seed"]
    texts, own = others["text"].tolist(), [seed[key] for key in others["id"]]
    scores = {"rouge_l": rouge_l(texts, own), "cosine": cosine(texts, own, say=say)}
    table = {"method": others["method"].tolist(), "id": others["id"].tolist()}
    return pandas.DataFrame(table | scores)
