"""Three rulers for how far training moved a model: its answers, its predictions, its weights
(lesson 05; paper, 5.1).

Thin steps around ``similarity`` and ``shift`` that keep their results in the store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sdft_lib.distill import SAMPLED
from sdft_lib.evaluate import stored_answers
from sdft_lib.experiments.shift import answer_kl
from sdft_lib.experiments.similarity import alike
from sdft_lib.generation import Decoding
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, digest

VERSION = 1  # raise it when a change of code changes the KL


def sampled_answers(
    seed,
    rows: Sequence[dict],
    *,
    sampling_seed: int,
    max_new_tokens: int = 96,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """One sampled answer to each prompt: the rows with ``text``. Another ``sampling_seed`` gives
    another draw.

    Not for harmful requests: what is answered here is kept.
    """
    decoding = replace(Decoding(max_new_tokens=max_new_tokens, seed=sampling_seed), **SAMPLED)
    what = f"{seed.label}: {len(rows)} sampled answers, sampling seed {sampling_seed}"
    return stored_answers(seed, rows, decoding, what=what, say=say)


def likeness(
    own: Sequence[dict], others: Mapping[str, Sequence[dict]], *, say: Callable[[str], None] = print
):
    """Likeness of each method's answers to the seed's: DataFrame with method, id, rouge_l, bleu_4,
    cosine.

    ``own`` are the seed's answers, ``others`` those of each method to the same prompts. Give the
    seed itself at another sampling seed under the name ``seed``: that is the ceiling, what a model
    that did not move would score."""
    texts = {row["id"]: row["text"] for row in own}
    pairs = []
    for method, rows in others.items():
        if [row["id"] for row in rows] != list(texts):
            raise SdftError(f'"{method}" answered other prompts than the seed; ask both the same.')
        pairs += [
            {"method": method, "id": row["id"], "own": texts[row["id"]], "text": row["text"]}
            for row in rows
        ]
    if not pairs:
        raise SdftError("there are no answers to compare; give those of at least one method.")
    found = alike(pairs, "own", "text", say=say)[["id", "rouge_l", "bleu_4", "cosine"]]
    found.insert(0, "method", [pair["method"] for pair in pairs])
    return found


def stored_kl(seed, tuned, rows: Sequence[dict], *, say: Callable[[str], None] = print):
    """``answer_kl`` of a tuned model on the seed's answers ``rows[i]["text"]``, from the store or
    made now.
    """
    import pandas

    asked = [{"id": row["id"], "messages": row["messages"], "text": row["text"]} for row in rows]
    parts = {
        "seed": seed.identity,
        "tuned": tuned.identity,
        "rows": digest(asked),
        "version": VERSION,
    }

    def build(folder: Path) -> None:
        say(f"KL(seed || {tuned.label}) on {len(asked)} answers of the seed")
        found = answer_kl(seed, tuned, asked).to_dict("records")
        write_jsonl(folder / "kl.jsonl", [row | {"kl": round(row["kl"], 6)} for row in found])

    return pandas.DataFrame(read_jsonl(artefact("kl", parts, build) / "kl.jsonl"))
