"""How alike two texts are in wording and meaning (lessons 02 and 05; paper, section 5.1)."""

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
