"""Do the requests of data/alignment stay apart from all probes, from the general prompts and from
each other? Runs of words and sentence embeddings (all-MiniLM-L6-v2) are compared.

    python data/generators/check_alignment.py

Ends with code 1 if a limit is broken."""

import sys

import numpy

from sdft_lib.answers.likeness import encoder
from sdft_lib.data import PROBES, load_general, load_probes
from sdft_lib.formats.folders import load_alignment
from sdft_lib.own_data.check import overlap_of, some
from sdft_lib.own_data.split import overlap_with

LISTS = ("refuse", "answer")  # what a seed is aligned with
RUN = 5  # words in a row that no request of these shares with a probe or a general prompt
NEAR = {"probes": 0.7, "own": 0.8}  # and the cosine below which it stays: to these, to each other


def compare() -> list[dict]:
    """A pair for each list and each set: the ids of the ``nearest`` two rows, their ``cosine``, its
    ``limit``, ``ok``; and of probes and general prompts ``overlap_of`` (look-alikes share words on
    purpose). SdftError: altered file, no encoder."""
    lists = {name: load_alignment(name) for name in LISTS}
    others = {name: load_probes(name, plain=True).rows for name in PROBES}
    others |= {"general": load_general(), **lists}
    model = encoder(say=print)
    vectors = {}
    for name, rows in others.items():
        texts = [row["messages"][-1]["content"] for row in rows]
        vectors[name] = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    pairs = []
    for name, rows in lists.items():
        shared_with = overlap_with(rows, RUN)
        for other, compared_rows in others.items():
            cosines = vectors[name] @ vectors[other].T
            if name == other:
                numpy.fill_diagonal(cosines, -1)
            first, second = numpy.unravel_index(cosines.argmax(), cosines.shape)
            cosine = round(float(cosines.max()), 3)
            limit = NEAR["own" if other in lists else "probes"]
            nearest = [rows[first]["id"], compared_rows[second]["id"]]
            pair = {"list": name, "with": other, "nearest": nearest}
            pair |= {"cosine": cosine, "limit": limit}
            if other not in lists:
                pair |= overlap_of(shared_with, compared_rows)
            pairs.append(pair | {"ok": not pair.get("ids") and cosine < limit})
    return pairs


def main() -> int:
    """Print a line a pair; 1 if one is too near."""
    pairs = compare()
    for pair in pairs:
        near = "nearest {cosine:.2f} (limit {limit}): {nearest[0]}, {nearest[1]}".format(**pair)
        if "ids" in pair:
            near = f"{pair['shared_share']:.1%} share {RUN} words{some(pair['ids'])}, {near}"
        title = f"{pair['list']} with {pair['with']}"
        print(f"{title:<22} {near}{'' if pair['ok'] else '  TOO NEAR'}")
    return 0 if all(pair["ok"] for pair in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
