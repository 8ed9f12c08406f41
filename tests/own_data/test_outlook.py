"""The gap report before training: its words follow from the intervals, its numbers from the
seed.
"""

import pytest

from sdft_lib.distill import DistilledSet
from sdft_lib.lessons.figures.rewrites import KEPT, REASONS
from sdft_lib.own_data import outlook as o
from sdft_lib.stats import Interval
from sdft_lib.storage.errors import SdftError


def interval(low, high, mean=None):
    return Interval((low + high) / 2 if mean is None else mean, low, high, 30)


@pytest.mark.parametrize(
    "distance, closed, kept, words",
    [
        ((4, 6), (2, 3), 0.9, "SDFT is worth a try"),
        ((4, 6), (2, 3), 0.29, "too few rewrites are kept"),
        ((4, 6), (-0.1, 0.4), 0.9, "no nearer to the model"),
        ((0.2, 0.9), (0.1, 0.3), 0.9, "There is hardly a gap to close"),
        ((0.5, 1.5), (0.1, 0.3), 0.9, "Not clear"),
        ((0.2, 0.9), (0.1, 0.3), 0.1, "too few rewrites are kept"),
    ],
)
def test_the_advice_follows_from_the_intervals(distance, closed, kept, words):
    assert words in o.advice(interval(*distance), interval(*closed), interval(0, 1, kept))


@pytest.mark.parametrize(
    "sign, low, high, said",
    [
        (0, 1.1, 3, "change it much"),
        (0, 0.1, 0.9, "SFT may still forget"),
        (0, 0.9, 1.1, "not clear"),
        (1, 1.1, 2, "much nearer"),
        (1, 0.1, 2, "a little nearer"),
        (1, -0.1, 2, "not shown"),
        (2, 0.1, 0.4, "training refuses"),
        (2, 0.5, 0.9, "look at the reasons"),
        (2, 0.8, 1.0, "nearly all"),
    ],
)
def test_each_sign_is_put_in_words(sign, low, high, said):
    assert said in o.words_of(*[interval(low, high)] * 3)[sign]


def test_every_reason_of_a_rejection_has_a_remedy():
    assert set(o.REMEDIES) == set(REASONS) - {KEPT}
    lines = o.remedies({"rows": 10, "reasons": {"accepted": 5, "cut": 1, "loop": 3, "mine": 1}})
    assert [line.split(":")[0] for line in lines] == ["loop", "cut", "mine"] and "3 of 10" in lines[
        0
    ]


def test_numbers_come_from_the_same_rows(tiny_seed, tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    rows = [
        {
            "id": str(i),
            "messages": [{"role": "user", "content": f"Which desk has {i}?"}],
            "reference": "loans",
            "text": "It is loans.",
            "source": "rewritten",
        }
        for i in range(5)
    ]
    said = []
    made = o.outlook(
        tiny_seed, DistilledSet(rows, tmp_path, {"kept": 5, "rows": 5}), limit=4, say=said.append
    )
    assert {name: len(values) for name, values in made.nats.items()} == dict.fromkeys(made.nats, 4)
    assert list(made.table.n) == [4, 4, 5] and made.table.value[2] == 1.0
    wanted = sum(made.nats["references"]) / 4 - sum(made.nats["own answers"]) / 4
    assert made.table.value[0] == pytest.approx(wanted)
    o.outlook(
        tiny_seed, DistilledSet(rows, tmp_path, {"kept": 5, "rows": 5}), limit=4, say=said.append
    )
    assert sum("by itself" in line for line in said) == 1  # the second time it comes from the store


def test_a_seed_that_says_nothing_is_one_sentence(tiny_seed, tmp_path, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    silent = SimpleNamespace(text=" ", tokens=1, finish_reason="length")
    monkeypatch.setattr(
        "sdft_lib.evaluate.generate",
        lambda seed, asked, *args, **options: [silent] * len(asked),
    )
    with pytest.raises(SdftError, match="answers none of the 1 prompts"):
        o.own_answers(
            tiny_seed,
            [{"id": "a", "messages": [{"role": "user", "content": "Q"}]}],
            lambda line: None,
        )
