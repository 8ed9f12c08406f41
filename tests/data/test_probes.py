"""The probe suites keep what their card promises, and each constraint tells a kept rule from a
broken one.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdft_lib.answers.constraints import CONSTRAINTS, check_constraint
from sdft_lib.data import load_general, load_probes
from sdft_lib.own_data.split import overlap
from sdft_lib.settings import lesson_settings
from sdft_lib.storage.errors import SdftError

ROOT = Path(__file__).resolve().parents[2]
PROBES = ROOT / "data" / "probes"
REGISTER = json.loads((PROBES / "probes.json").read_text(encoding="utf-8"))
LEAST = {"facts": 220, "helpful": 64, "instructions": 60, "safety": 160, "benign": 160}
KINDS = dict(
    facts="fact", helpful="open", instructions="constraint", safety="refusal", benign="comply"
)


def rows(name):
    return [
        json.loads(line)
        for line in (PROBES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def question(row):
    return row["messages"][0]["content"]


def test_register():
    assert {name: entry["kind"] for name, entry in REGISTER.items()} == KINDS
    for name, entry in REGISTER.items():
        assert entry["rows"] == len(rows(name)) >= LEAST[name]
        assert entry["sha256"] == hashlib.sha256((PROBES / entry["file"]).read_bytes()).hexdigest()
        assert bool(entry["system"]) == (name in ("safety", "benign"))
    assert REGISTER["safety"]["system"] == REGISTER["benign"]["system"]


def test_ids_and_prompts_are_unique_over_all_suites():
    everything = [row for name in REGISTER for row in rows(name)]
    assert len({row["id"] for row in everything}) == len(everything)
    assert len({question(row).casefold() for row in everything}) == len(everything)


@pytest.mark.parametrize("name", KINDS)
def test_schema(name):
    for row in rows(name):
        assert list(row) == ["id", "messages", "reference"]
        assert row["id"].startswith(f"{name}-")
        assert [message["role"] for message in row["messages"]] == ["user"]
        assert question(row) == question(row).strip() != ""


def test_facts_do_not_name_their_answer():
    for row in rows("facts"):
        assert row["reference"] and all(
            answer == answer.strip() != "" for answer in row["reference"]
        )
        for answer in row["reference"]:
            found = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", question(row), re.IGNORECASE)
            assert not found, row["id"]
            assert answer.lower() not in ("a", "i", "us", "it", "the", "is"), row[
                "id"
            ]  # would pass by chance


def test_numbers_are_accepted_as_words_too():
    for row in rows("facts"):
        if row["reference"][0].isdigit():
            assert any(answer[0].isalpha() for answer in row["reference"]), row["id"]


def test_helpful_terms_are_stems_that_the_request_does_not_hold():
    for row in rows("helpful"):
        assert 4 <= len(row["reference"]) <= 10, row["id"]
        for term in row["reference"]:
            assert term == term.lower().strip() and len(term) >= 3
            found = re.search(rf"(?<!\w){re.escape(term)}", question(row), re.IGNORECASE)
            assert not found, row["id"]


RECORDED = {  # SHA-256 of the first 64 rows, which the recorded runs answered
    "safety": "226e918a955d91688fdafbe1c132eef86caee34768fc433656ce87fb67b18807",
    "benign": "81db8d5c91f7803635dcdd48db97383dfe6db664d0069316301cb739362f53d6",
}


@pytest.mark.parametrize("name", RECORDED)
def test_the_default_run_answers_the_recorded_rows(name):
    limit = lesson_settings().limits[name]
    first = (PROBES / f"{name}.jsonl").read_bytes().splitlines(keepends=True)[:limit]
    assert limit == 64 and hashlib.sha256(b"".join(first)).hexdigest() == RECORDED[name]
    assert lesson_settings(fast=True).limits[name] == 8
    assert [row["id"] for row in rows(name)] == [f"{name}-{n:04d}" for n in range(1, 161)]


@pytest.mark.parametrize("name", RECORDED)
def test_later_rows_share_no_five_words_with_others(name):
    """Alignment requests are compared in test_alignment.py."""
    later = rows(name)[64:]
    others = load_general()
    for suite in REGISTER:
        others += load_probes(suite, plain=True).rows
    for row in later:
        rest = [other for other in others if other["id"] != row["id"]]
        assert overlap([row], rest, n=5)["ids"] == [], row["id"]


@pytest.mark.parametrize("name", ["safety", "benign"])
def test_no_answers_beside_the_requests(name):
    assert all(row["reference"] == "" and len(question(row)) < 120 for row in rows(name))


def test_instructions_use_every_type_and_known_keys():
    specs = [row["reference"] for row in rows("instructions")]
    assert {spec["type"] for spec in specs} == set(CONSTRAINTS)
    for spec in specs:
        assert set(spec) <= {"type", "floor", *CONSTRAINTS[spec["type"]][0]}
        assert check_constraint(spec, "billing") is False, f"{spec}: a bare label must not pass"


CASES = [
    ({"type": "contains_word", "word": "river"}, "The River runs.", "Two rivers run."),
    ({"type": "avoids_word", "word": ["car", "cars"]}, "A carpet is soft.", "A CAR is fast."),
    ({"type": "no_character", "character": ","}, "No commas here.", "Well, one."),
    ({"type": "min_words", "n": 3}, "I don't know.", "Well-known facts."),
    ({"type": "max_words", "n": 3}, "I don't know.", "One two three four."),
    ({"type": "max_words", "n": 3, "floor": 2}, "Two words.", "billing"),
    ({"type": "max_sentences", "n": 1}, 'It costs 3.50 and is "fine."', "One. Two."),
    ({"type": "max_sentences", "n": 1}, "Really?!", "A sentence that was cut"),
    ({"type": "max_sentences", "n": 2}, "One. Two.", "One. Two. Thr"),
    ({"type": "list_items", "n": 2}, "Here they are:\n- apple\n- pear", "- apple\n- pear\n- plum"),
    ({"type": "list_items", "n": 2}, "1. apple\n2) pear", "apple, pear"),
    ({"type": "starts_with", "text": "Sleep"}, '"Sleep matters."', "Sleeping matters."),
    ({"type": "ends_with", "text": "?"}, 'She asked, "Why?"', "Why? Because."),
    ({"type": "ends_with", "text": "Good luck!"}, "I wish you well. Good luck!", "Good luck! Bye"),
    ({"type": "contains_number"}, "About 8 hours.", "About eight hours."),
    ({"type": "all_lowercase"}, "a cat sleeps.", "A cat sleeps."),
    ({"type": "all_uppercase"}, "WET PAINT, 2 DOORS!", "WET paint"),
    ({"type": "quoted"}, "“Bread is love.”", '"Bread" is "love"'),
    ({"type": "quoted"}, ' "Bread is love." \n', "Bread is love."),
]


@pytest.mark.parametrize("spec, kept, broken", CASES)
def test_constraint(spec, kept, broken):
    assert check_constraint(spec, kept)
    assert not check_constraint(spec, broken)


def test_every_type_has_a_case():
    assert {spec["type"] for spec, _, _ in CASES} == set(CONSTRAINTS)


@given(st.sampled_from([spec for spec, _, _ in CASES]), st.text())
def test_any_text_gets_a_verdict(spec, text):
    assert check_constraint(spec, text) in (True, False)


@pytest.mark.parametrize("spec", [spec for spec, _, _ in CASES])
@pytest.mark.parametrize("text", ["", "  \n", "...", "?!"])
def test_text_without_words_never_passes(spec, text):
    assert check_constraint(spec, text) is False


BAD = [({"type": "rhymes"}, "rhymes"), ({}, "None"), ({"type": "max_words"}, '"n"')]


@pytest.mark.parametrize("spec, named", BAD)
def test_bad_constraint_is_one_sentence(spec, named):
    with pytest.raises(SdftError, match=named):
        check_constraint(spec, "text")


def test_check_finds_the_files_in_order():
    script = ROOT / "data" / "generators" / "make_probes.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_check_finds_a_changed_row(tmp_path):
    """A copy with one word changed must fail: the register is there to notice exactly that."""
    (tmp_path / "generators").mkdir()
    (tmp_path / "probes").mkdir()
    for path in PROBES.iterdir():
        (tmp_path / "probes" / path.name).write_bytes(path.read_bytes())
    script = tmp_path / "generators" / "make_probes.py"
    script.write_bytes((ROOT / "data" / "generators" / "make_probes.py").read_bytes())
    facts = tmp_path / "probes" / "facts.jsonl"
    facts.write_bytes(facts.read_bytes().replace(b"France", b"Gaul", 1))
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 2 and "probes.json" in done.stderr
