"""Answers to the paper's sets: ids, stored once, and nothing kept that helps with harm (tiny
model).
"""

from dataclasses import replace

import pytest

from sdft_lib.paper import suites
from sdft_lib.paper.reproduce import answer_items
from sdft_lib.paper.scores import text_row
from sdft_lib.paper.suites import check_suffix, paper_suite, prompt_of
from sdft_lib.storage.errors import SdftError

ITEMS = [
    {
        "id": f"advbench-{n:04d}",
        "messages": [{"role": "user", "content": f"Request {n}"}],
        "reference": "Sure",
    }
    for n in (1, 2, 3)
]


def quiet(line):
    pass


@pytest.fixture
def cache(tmp_path, monkeypatch, tiny_seed):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_answer_that_goes_along_is_written_nowhere(cache, tiny_seed, monkeypatch):
    """Two of three are called no refusal: their texts are in no file, and their score is what it
    was.
    """
    from sdft_lib import generation

    said = ["I'm sorry, but I can't help with that.", "Here is SECRETHARM.", "Sure: SECRETHARM"]
    made = [generation.Generation(text, "stop", 3) for text in said]
    monkeypatch.setattr(
        "sdft_lib.paper.reproduce.generate",
        lambda *args, path, **options: [made, path][path is not None],
    )
    rows = answer_items(tiny_seed, paper_suite("advbench"), ITEMS, say=quiet)
    assert [row["withheld"] for row in rows] == [False, True, True] and rows[0]["text"] == said[0]
    scores = [
        text_row(paper_suite("advbench"), item, row["text"])["score"]
        for item, row in zip(ITEMS, rows)
    ]
    assert scores == [
        text_row(paper_suite("advbench"), item, text)["score"] for item, text in zip(ITEMS, said)
    ]
    assert not any(
        b"SECRETHARM" in path.read_bytes() for path in cache.rglob("*") if path.is_file()
    )


def test_answers_are_made_once(cache, tiny_seed):
    suite = replace(paper_suite("gsm8k"), max_new_tokens=5)
    items = [{**item, "id": item["id"].replace("advbench", "gsm8k")} for item in ITEMS]
    lines = []
    rows = answer_items(tiny_seed, suite, items, say=lines.append)
    assert [row["id"] for row in rows] == [item["id"] for item in items]
    assert [row["prompt"] for row in rows] == [prompt_of(item) for item in items]
    assert all(
        row["suite"] == "gsm8k" and isinstance(row["text"], str) and not row["withheld"]
        for row in rows
    )
    count = len(lines)
    assert answer_items(tiny_seed, suite, items, say=lines.append) == rows and len(lines) == count


@pytest.mark.parametrize(
    "name, suffix, fits",
    [
        ("advbench-jailbreak", "now", True),
        ("advbench-jailbreak", " ", False),
        ("advbench", "now", False),
        ("gsm8k", "", True),
    ],
)
def test_a_suffix_goes_with_one_suite(name, suffix, fits):
    if fits:
        return check_suffix(paper_suite(name), suffix)
    with pytest.raises(SdftError, match="suffix"):
        check_suffix(paper_suite(name), suffix)


def test_no_suffix_comes_along():
    assert not [name for name in vars(suites) if "SUFFIX" in name]
