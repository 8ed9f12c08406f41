"""The general prompts for replay: frozen, varied, and disjoint from everything that a model is
scored on.
"""

import functools
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from sdft_lib import data
from sdft_lib.data import PROBES, load_general, load_probes, load_task, task_names
from sdft_lib.own_data.split import overlap
from sdft_lib.storage.errors import SdftError

FOLDER = Path(__file__).resolve().parents[2] / "data" / "general"
ROWS = 240
RUN = 5  # no prompt has this many words in a row in common with a probe or a task
SHARE = 2 / 3  # and none holds this share of the content words of a probe
FUNCTION_WORDS = set(
    """a about again all am an and any are as at be been being belongs by called can could did do
    does else ever few first for from get give had has have he help her his how i if in into is
    it its keep know last let like made mainly make many may me most much my need new no not of
    off on one only or our out own people said say sentence sentences she should show simple so
    some someone tell than that the their them then there they this three to two up us use used
    usually was way we were what when where which who whose why will with word words would write
    you your answer describe explain short briefly""".split()
)
# What the questions of ``facts`` ask for, so that none of it is asked for in other words.
ASKED = r"""capitals? currenc(y|ies) continents? oceans? planets? moon solar astronaut opposites?
antonyms? colou?rs? alphabet months? seasons? weekdays? calendar triangles? squares?
hexagons? pentagons? octagons? plus minus divided multiply multiplied boils? freezes
freezing frozen oxygen hydrogen gravity magnets? pupp(y|ies) kittens? cal(f|ves) lambs?
foals? cubs? tadpoles? caterpillars? giraffes? zebras? pandas? kangaroos? penguins?
cheetahs? lions? honey nectar wool Eiffel Giza Mahal Sahara Nile Everest Amazon
Wimbledon basketball Shakespeare Romeo Lisa president how.(many|much)""".split()


def prompt(row: dict) -> str:
    return row["messages"][-1]["content"]


@functools.cache
def content(text: str) -> set[str]:
    """Lower-case words that carry meaning."""
    return set(re.findall(r"\w+", text.lower())) - FUNCTION_WORDS


def without_length(text: str) -> str:
    """A prompt less the sentence that says how long the answer may be ("Two sentences are
    enough.").
    """
    return " ".join(
        part
        for part in re.split(r"(?<=[.?!]) ", text)
        if not holds(part, "sentences?|lines?|steps?")
    )


def holds(text: str, pattern: str) -> bool:
    return bool(re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE))


def scored() -> dict[str, list[dict]]:
    """Everything that is learnt or measured, by name, system prompts aside."""
    found = {name: load_probes(name, plain=True).rows for name in PROBES}
    for name in task_names():
        task = load_task(name)
        found |= {f"{name} {split}": getattr(task, split) for split in ("train", "dev", "test")}
    return found


GENERAL, SCORED = load_general(), scored()


def test_number_and_schema():
    assert [row["id"] for row in GENERAL] == [
        f"general-{number:04d}" for number in range(1, ROWS + 1)
    ]
    for row in GENERAL:
        assert list(row) == ["id", "messages", "reference"] and row["reference"] == ""
        assert [(list(turn), turn["role"]) for turn in row["messages"]] == [
            (["role", "content"], "user")
        ]
        assert prompt(row) == " ".join(prompt(row).split()) and prompt(row).isprintable()


def test_lengths():
    lengths = sorted(len(prompt(row).split()) for row in GENERAL)
    assert 5 <= lengths[0] and lengths[-1] <= 40
    assert lengths[ROWS // 10] <= 12 and lengths[-ROWS // 10] >= 20  # short ones and long ones


def test_forms_are_mixed():
    """No opening of two words takes more than an eighth, of the first rows or of all."""
    for rows in (GENERAL, GENERAL[:60]):
        openings = [tuple(prompt(row).lower().split()[:2]) for row in rows]
        assert max(map(openings.count, openings)) <= len(rows) / 8


def test_register_card_and_file_agree():
    register = json.loads((FOLDER / "general.json").read_text(encoding="utf-8"))
    raw = (FOLDER / register["file"]).read_bytes()
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert register["rows"] == len(raw.splitlines()) == ROWS and register["licence"] == "CC BY 4.0"
    assert register["sha256"] == hashlib.sha256(raw).hexdigest()
    assert f"| `prompts.jsonl` | {ROWS} | `{register['sha256']}` |" in card
    assert (
        f"{ROWS} rows, {round(len(raw) / 1000)} kB" in card
        and "CC BY 4.0" in card
        and "Never score" in card
    )


def test_an_altered_file_is_refused(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "general")
    monkeypatch.setattr(data, "data_dir", lambda: tmp_path)
    assert load_general() == GENERAL
    with open(tmp_path / "general" / "prompts.jsonl", "ab") as file:
        file.write(b"\n")
    with pytest.raises(SdftError, match=r"prompts\.jsonl: altered"):
        load_general()
    (tmp_path / "general" / "prompts.jsonl").unlink()
    with pytest.raises(SdftError, match=r"prompts\.jsonl: the file is missing"):
        load_general()


def test_as_a_task_it_is_refused():
    """There is nothing to learn from an empty reference, and nothing to score."""
    with pytest.raises(SdftError, match='column "reference" is empty'):
        load_task(FOLDER / "prompts.jsonl")


def test_no_two_prompts_are_alike():
    assert len({" ".join(re.findall(r"\w+", prompt(row).lower())) for row in GENERAL}) == ROWS
    for number, row in enumerate(GENERAL):
        others = GENERAL[:number] + GENERAL[number + 1 :]
        assert overlap(others, [row], n=8)["ids"] == []
        words = content(prompt(row))
        for other in others:
            assert len(words & content(prompt(other))) < max(2, SHARE * len(words)), (
                prompt(row),
                prompt(other),
            )


@pytest.mark.parametrize("name", SCORED)
def test_no_prompt_and_no_run_of_words_is_shared(name):
    for first, second in ((GENERAL, SCORED[name]), (SCORED[name], GENERAL)):
        found = overlap(first, second, n=RUN)
        assert (found["duplicates"], found["ids"]) == (0, [])


@pytest.mark.parametrize("name", [name for name in PROBES if name != "facts"])
def test_no_topic_of_a_probe_is_asked_for(name):
    for probe in SCORED[name]:
        words = content(prompt(probe))
        for row in GENERAL:
            assert len(words & content(prompt(row))) < max(2, SHARE * len(words)), (
                prompt(probe),
                prompt(row),
            )


def test_no_fact_is_asked_for():
    for probe in SCORED["facts"]:
        words, answers = content(prompt(probe)), "|".join(map(re.escape, probe["reference"]))
        for row in GENERAL:
            shared = words & content(prompt(row))
            named = shared and holds(without_length(prompt(row)), answers)
            assert len(shared) < 2 and not named, (prompt(probe), prompt(row))


@pytest.mark.parametrize("pattern", ASKED)
def test_no_fact_is_asked_for_in_other_words(pattern):
    assert [prompt(row) for row in GENERAL if holds(prompt(row), pattern)] == []


def test_the_checks_find_what_they_look_for():
    """The same measures on rows that must not be in the file."""
    question = SCORED["facts"][0]
    bad = {"id": "bad", "messages": [{"role": "user", "content": f"Tell me: {prompt(question)}"}]}
    assert question["id"] in overlap([bad], SCORED["facts"], n=RUN)["ids"]
    assert len(content(prompt(bad)) & content(prompt(question))) == 2
    assert any(holds("Which town is the Capital of Spain", pattern) for pattern in ASKED)
