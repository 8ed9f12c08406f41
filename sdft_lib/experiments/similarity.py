"""How alike two texts are: shared wording (ROUGE-L, BLEU-4) and shared meaning (embedding cosine)
(lessons 02 and 04).

The paper compares a tuned model's answers with the seed's in the same three ways (section 5.1). The
packages are rouge-score, sacrebleu and sentence-transformers with all-MiniLM-L6-v2, which reads at
most 256 tokens of a text."""

from collections.abc import Sequence


def rouge_l(first: Sequence[str], second: Sequence[str]) -> list[float]:
    """ROUGE-L F1 of each pair, 0 to 1; two empty texts count as 1."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    return [
        1.0 if a == b else float(scorer.score(a, b)["rougeL"].fmeasure)
        for a, b in zip(first, second, strict=True)
    ]


def bleu_4(first: Sequence[str], second: Sequence[str]) -> list[float]:
    """Sentence BLEU-4 of each pair with exponential smoothing, 0 to 1; ``second`` is the
    reference.
    """
    from sacrebleu.metrics import BLEU

    metric = BLEU(effective_order=True, smooth_method="exp")
    return [
        1.0 if a == b else metric.sentence_score(a, [b]).score / 100
        for a, b in zip(first, second, strict=True)
    ]


def cosine(first: Sequence[str], second: Sequence[str], *, say=print) -> list[float]:
    """Cosine of the sentence embeddings of each pair, -1 to 1."""
    from sdft_lib.models import encoder

    if not first:
        return []
    model = encoder(say=say)
    options = {"normalize_embeddings": True, "show_progress_bar": False, "batch_size": 32}
    left, right = model.encode(list(first), **options), model.encode(list(second), **options)
    return [float(value) for value in (left * right).sum(axis=1)]


def alike(rows: Sequence[dict], first: str = "reference", second: str = "text", *, say=print):
    """DataFrame with id, words of both columns, rouge_l, bleu_4 and cosine: what a rewrite changed,
    row by row.
    """
    import pandas

    a, b = [row[first] for row in rows], [row[second] for row in rows]
    return pandas.DataFrame(
        {
            "id": [row["id"] for row in rows],
            f"words_{first}": [len(text.split()) for text in a],
            f"words_{second}": [len(text.split()) for text in b],
            "rouge_l": rouge_l(b, a),
            "bleu_4": bleu_4(b, a),
            "cosine": cosine(b, a, say=say),
        }
    )


def to_seed(frame, suite: str = "helpful", *, say=print):
    """Likeness of each method's answers to the seed's, item by item: DataFrame with method, id,
    rouge_l, cosine.

    ``frame`` is what ``evaluate`` returns, for several methods that include ``seed``. A suite whose
    texts are withheld (``safety``) says nothing here."""
    import pandas

    rows = frame[frame["suite"] == suite]
    seed = rows[rows["method"] == "seed"].set_index("id")["text"]
    others = rows[rows["method"] != "seed"]
    texts, own = others["text"].tolist(), [seed[key] for key in others["id"]]
    return pandas.DataFrame(
        {
            "method": others["method"].tolist(),
            "id": others["id"].tolist(),
            "rouge_l": rouge_l(texts, own),
            "cosine": cosine(texts, own, say=say),
        }
    )
