"""The paper's seven sets, from a folder and from their public source."""

import hashlib
import json
import re
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.data import load_task
from sdft_lib.formats.public import (
    PAPER_SETS,
    VARIABLE,
    PaperSet,
    drawn,
    plain_gsm8k,
    turns_of_lima,
)
from sdft_lib.paper.suites import SUITES, load_items
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.store import cache_dir

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
def public(monkeypatch, nowhere, tmp_path):
    """A fake ``datasets.load_dataset`` that gives ten rows of any source and notes what it was
    asked for, and the same for files that lie on no hub.
    """
    import datasets

    asked = []

    def load_dataset(builder, *, data_files, split):
        asked.append((builder, data_files, split))
        name = next(name for name, chosen in PAPER_SETS.items() if chosen.hub in data_files)
        return [SOURCE[name](n) for n in range(10)]

    def public_file(address, sha256, remedy):
        asked.append(("json", address, "train"))
        path = tmp_path / "public.json"
        path.write_text(json.dumps([SOURCE["openfunctions"](n) for n in range(10)]))
        return path

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("sdft_lib.formats.public.public_file", public_file)
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


def test_a_missing_package_is_not_blamed_on_the_connection(monkeypatch, nowhere):
    import datasets

    def refuse(*args, **kwargs):
        raise ImportError('HTTPFileSystem requires "requests" and "aiohttp" to be installed')

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(SdftError, match="needs a package that is not installed .*aiohttp") as told:
        load_task("lima")
    assert "connection" not in str(told.value)


CALLS = json.dumps([SOURCE["openfunctions"](n) for n in range(4)]).encode()


@pytest.fixture
def server(monkeypatch, nowhere, tmp_path):
    """Answers of a server on this machine by path, and what it was asked for; no file system of
    fsspec is needed for them.
    """
    import fsspec

    answers, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, content = answers.get(self.path, (404, b"no such file"))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", content.decode())
                content = b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *given):
            pass

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(fsspec, "filesystem", lambda *given, **more: pytest.fail("fsspec was used"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_port}", answers, asked
        listener.shutdown()


def sets_at(monkeypatch, address, content):
    """A suite and a training set whose pinned public file lies at an address."""
    digest = hashlib.sha256(content).hexdigest()
    suite = replace(SUITES["openfunctions"], public=address, sha256=digest, items=4)
    root, _, file = address.rpartition("/")
    changed = {"hub": root.rpartition("/")[0], "revision": root.rpartition("/")[2], "file": file}
    changed |= {"whole": 4, "size": 4, "test": "", "sha256": {file: digest}}
    monkeypatch.setattr(PaperSet, "address", lambda self, name: address)
    monkeypatch.setitem(
        PAPER_SETS, "openfunctions", replace(PAPER_SETS["openfunctions"], **changed)
    )
    return suite


def test_a_public_file_is_fetched_once_and_checked(monkeypatch, server):
    address, answers, asked = server
    answers["/rev/calls.json"] = (302, f"{address}/there".encode())
    answers["/there"] = (200, CALLS)
    suite = sets_at(monkeypatch, f"{address}/rev/calls.json", CALLS)
    items = load_items(suite)
    assert [item["reference"] for item in items] == [f"f(a={n})" for n in range(4)]
    assert load_items(suite) == items and asked == ["/rev/calls.json", "/there"]
    train = load_task("openfunctions", say=lambda line: None).train
    assert [row["reference"] for row in train] == [f"f(a={n})" for n in range(4)]
    assert len(asked) == 2
    (kept,) = (cache_dir() / "downloads").rglob("calls.json")
    kept.write_bytes(b"[]")  # a damaged file of the cache is fetched again
    assert load_items(suite) == items and len(asked) == 4 and kept.read_bytes() == CALLS


@pytest.mark.parametrize(
    "answer, words",
    [
        ((200, CALLS.replace(b"1", b"2")), "answers 200 and not with the file"),
        ((200, b"<html>log in</html>"), "answers 200 and not with the file"),
        ((200, b""), "answers 200 and not with the file"),
        ((404, CALLS), "answers 404"),
        ((503, b""), "answers 503"),
        (None, "answers 404"),
    ],
)
def test_another_file_is_never_kept(monkeypatch, server, answer, words):
    address, answers, _ = server
    if answer:
        answers["/rev/calls.json"] = answer
    suite = sets_at(monkeypatch, f"{address}/rev/calls.json", CALLS)
    with pytest.raises(SdftError, match=f"{words}.*try again later.*SDFT_PAPER_DATA") as told:
        load_items(suite)
    assert "connection" not in str(told.value)
    assert not list((cache_dir() / "downloads").rglob("*"))
    answers["/rev/calls.json"] = (200, CALLS)
    assert len(load_items(suite)) == 4


def test_no_connection_is_called_so(monkeypatch, server):
    address, _, _ = server
    monkeypatch.delenv(VARIABLE, raising=False)
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    suite = sets_at(monkeypatch, f"http://127.0.0.1:{port}/rev/calls.json", CALLS)
    with pytest.raises(SdftError, match="ConnectError.*check the connection.*SDFT_PAPER_DATA"):
        load_items(suite)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SdftError, match="offline mode is enabled"):
        load_items(suite)


@pytest.mark.parametrize("name", SUITES)
def test_each_public_set_is_read_without_a_file_system_of_the_web(name):
    """Addresses of a hub go through its own client, others are pinned by their SHA-256."""
    suite = SUITES[name]
    if suite.kind != "code" and not suite.public.startswith("hf://datasets/"):
        assert suite.public.startswith("https://") and re.fullmatch("[0-9a-f]{64}", suite.sha256)


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
