"""How alike two texts are: wording (ROUGE-L, BLEU-4), meaning (embedding cosine; lessons 02, 04).

The paper compares a tuned model's answers with the seed's in the same three ways (section 5.1)."""

from collections.abc import Callable, Sequence

import pandas

from sdft_lib.answers.likeness import bleu_4, cosine, rouge_l


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
