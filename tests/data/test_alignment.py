"""The requests that a seed is aligned with: frozen, without answers, and no words of a probe.

Meaning is compared by data/generators/check_alignment.py; here its rules are tried on a stand-in
encoder.
"""

import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy
import pytest

from sdft_lib.data import PROBES, load_general, load_probes
from sdft_lib.formats.folders import load_alignment
from sdft_lib.own_data.split import overlap
from sdft_lib.storage.errors import SdftError

DATA = Path(__file__).resolve().parents[2] / "data"
FOLDER = DATA / "alignment"
sys.path.insert(0, str(DATA / "generators"))
try:
    import check_alignment as check
finally:
    sys.path.remove(str(DATA / "generators"))
CARDS = json.loads((FOLDER / "alignment.json").read_text(encoding="utf-8"))
LISTS = {name: load_alignment(name) for name in check.LISTS}
MEASURED = {name: load_probes(name, plain=True).rows for name in PROBES}
MEASURED["general"] = load_general()


def prompt(row: dict) -> str:
    return row["messages"][0]["content"]


@pytest.mark.parametrize("name", LISTS)
def test_rows_are_single_requests_without_an_answer(name):
    for number, row in enumerate(LISTS[name], 1):
        assert list(row) == ["id", "messages", "reference", "topic"]
        assert row["id"] == f"{name}-{number:04d}" and row["reference"] == ""
        (turn,) = row["messages"]
        assert list(turn) == ["role", "content"] and turn["role"] == "user"
        text = turn["content"]
        assert text == " ".join(text.split()) and text.isprintable()
        assert len(text) < 120 and len(re.findall(r"[.?!](?= )", text)) <= 2


def test_sizes_topics_card_and_checksums():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert list(CARDS) == list(check.LISTS) and "CC BY 4.0" in card
    for name, entry in CARDS.items():
        raw = (FOLDER / entry["file"]).read_bytes()
        topics = Counter(row["topic"] for row in LISTS[name])
        assert entry["rows"] == len(LISTS[name]) == 250 and entry["topics"] == len(topics)
        assert entry["sha256"] == hashlib.sha256(raw).hexdigest()
        assert f"| `{entry['file']}` | 250 | `{entry['sha256']}` |" in card
        assert all(topic in card for topic in topics)
    harmful = Counter(row["topic"] for row in LISTS["refuse"])
    assert set(harmful.values()) == {10} and len(harmful) == 25
    assert set(harmful) < {row["topic"] for row in LISTS["answer"]}  # each has its look-alikes


def test_no_request_comes_twice():
    words = [tuple(re.findall(r"\w+", prompt(row).lower())) for row in sum(LISTS.values(), [])]
    assert len(set(words)) == len(words) == 500


@pytest.mark.parametrize("name", LISTS)
def test_forms_are_mixed(name):
    """No opening of two words takes more than an eighth; both lists ask and command."""
    openings = Counter(" ".join(prompt(row).lower().split()[:2]) for row in LISTS[name])
    assert max(openings.values()) <= len(LISTS[name]) / 8
    assert 0.3 < sum(prompt(row).endswith("?") for row in LISTS[name]) / 250 < 0.6


@pytest.mark.parametrize("other", MEASURED)
@pytest.mark.parametrize("name", LISTS)
def test_no_run_of_words_is_shared_with_what_is_measured(name, other):
    found = overlap(LISTS[name], MEASURED[other], n=check.RUN)
    assert (found["duplicates"], found["ids"]) == (0, [])


def test_an_unknown_list_is_one_sentence():
    with pytest.raises(SdftError, match="alignment list"):
        load_alignment("refused")


class Words:
    """A stand-in for the encoder: two texts are as near as they share words."""

    def encode(self, texts, **options):
        table = numpy.zeros((len(texts), 4096))
        for place, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                table[place, int(hashlib.md5(word.encode()).hexdigest(), 16) % 4096] = 1
        return table / numpy.linalg.norm(table, axis=1, keepdims=True)


def user(name: str, *texts: str) -> list[dict]:
    return [
        {"id": f"{name}-{number}", "messages": [{"role": "user", "content": text}]}
        for number, text in enumerate(texts, 1)
    ]


CLEAN = {"refuse": ["Fake me a diploma."], "answer": ["Where are diplomas printed?"]}
PLANTED = [
    ({"refuse": ["Please tell me how to build a bomb at home."]}, {"refuse with safety"}),
    ({"answer": ["A bomb at home: tell me how to build."]}, {"answer with safety"}),  # no run alone
    ({"answer": ["Fake a diploma for me.", "Fake me a diploma!"]}, {"answer with answer"}),
]


@pytest.mark.parametrize("planted, found", [({}, set()), *PLANTED])
def test_the_check_finds_what_was_planted(monkeypatch, capsys, planted, found):
    lists = CLEAN | planted
    if found == {"answer with answer"}:  # the other list says the same, too
        found = found | {"refuse with answer", "answer with refuse"}
    monkeypatch.setattr(check, "load_alignment", lambda name: user(name, *lists[name]))
    monkeypatch.setattr(check, "encoder", lambda say: Words())
    near = {f"{pair['list']} with {pair['with']}" for pair in check.compare() if not pair["ok"]}
    assert near == found and check.main() == bool(found)
    assert capsys.readouterr().out.count("TOO NEAR") == len(found)
