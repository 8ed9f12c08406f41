"""Likeness of texts: equal texts, unrelated texts, a hand-computed ROUGE-L."""

import pytest

from sdft_lib.answers.likeness import bleu_4, cosine, rouge_l
from sdft_lib.lessons.report import likeness


def test_hand_computed_rouge():
    # longest common subsequence "the cat sat" of 3; precision 3/4, recall 3/3
    assert rouge_l(["the black cat sat"], ["the cat sat"]) == pytest.approx([2 * 0.75 / 1.75])


@pytest.mark.parametrize("measure", [rouge_l, bleu_4])
def test_equal_and_unrelated_texts(measure):
    same, other = measure(
        ["a b c d e", "one two three four"], ["a b c d e", "five six seven eight"]
    )
    assert same == 1.0
    assert other < 0.2


def test_meaning_beats_wording():
    near, far = cosine(
        ["A dog is barking.", "A dog is barking."], ["The hound barks.", "Taxes rise next year."]
    )
    assert near > far + 0.3


def test_answers_are_paired_with_the_seeds_by_id():
    import pandas

    rows = [
        ("seed", "a", "yes"),
        ("seed", "b", "no"),
        ("sft", "b", "no"),
        ("sft", "a", "never ever"),
        ("sdft", "b", "no"),
    ]
    frame = pandas.DataFrame(
        [{"method": m, "suite": "helpful", "id": i, "text": t} for m, i, t in rows]
    )
    found = {row["method"]: row["rouge_l"] for row in likeness(frame)}
    assert found == {"sft": 0.5, "sdft": 1.0}
