"""Artefacts: made once, whole or not at all, made anew when a file was altered."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sdft_lib.storage import files as disk
from sdft_lib.storage import store
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256, read_jsonl, write_text
from sdft_lib.storage.processes import switch, world
from sdft_lib.training.weights import wants_four_bit


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))


def build_with(calls, text="data\n"):
    def build(folder):
        calls.append(1)
        write_text(folder / "a.txt", text)
        return {"tokens": 7}

    return build


def test_made_once_and_recorded():
    calls = []
    first = store.artefact("kind", {"x": 1}, build_with(calls))
    assert store.artefact("kind", {"x": 1}, build_with(calls)) == first
    assert len(calls) == 1
    assert store.run_record(first)["tokens"] == 7
    assert json.loads((first / "parts.json").read_text()) == {"x": 1}


def test_another_part_is_another_artefact():
    calls = []
    folders = {store.artefact("kind", {"x": value}, build_with(calls)) for value in (1, 2)}
    assert len(folders) == len(calls) == 2


@pytest.mark.parametrize(
    "harm", [lambda p: p.unlink(), lambda p: p.write_text("altered"), lambda p: p.write_bytes(b"")]
)
def test_altered_file_is_made_anew(harm, capsys):
    calls = []
    folder = store.artefact("kind", {}, build_with(calls))
    harm(folder / "a.txt")
    assert (store.artefact("kind", {}, build_with(calls)) / "a.txt").read_text() == "data\n"
    assert len(calls) == 2
    assert "made anew" in capsys.readouterr().out


def test_checksums_are_compared_once_a_process(monkeypatch):
    folder, compared = store.artefact("kind", {}, build_with([])), []
    monkeypatch.setattr(
        store, "file_sha256", lambda path: compared.append(path) or file_sha256(path)
    )
    for _ in range(3):
        store.artefact("kind", {}, build_with([]))
    assert compared == [folder / "a.txt", folder / "parts.json"]


def test_a_file_that_is_only_in_the_folder_does_no_harm():
    calls = []
    folder = store.artefact("kind", {}, build_with(calls))
    (folder / ".nfs0001").write_text("left by a network disk")
    assert store.artefact("kind", {}, build_with(calls)) == folder and len(calls) == 1


def test_whoever_may_read_the_folder_may_read_its_weights():
    def for_the_owner_alone(folder):
        (folder / "deep").mkdir(mode=0o700)
        (folder / "deep" / "weights").touch(mode=0o600)

    folder = store.artefact("kind", {}, for_the_owner_alone)
    readers = folder.stat().st_mode & 0o444
    assert (folder / "deep" / "weights").stat().st_mode & 0o444 == readers != 0
    assert (folder / "deep").stat().st_mode & 0o555 == folder.stat().st_mode & 0o555


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="a system without user ids")
@pytest.mark.parametrize("name", ["a.txt", store.MANIFEST])
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_deleted(name, tmp_path):
    """Another user's file: not altered, so not made anew in its place."""
    folder, calls = store.artefact("kind", {}, build_with([])), []
    before = {path.name for path in folder.iterdir()}
    (folder / name).chmod(0)
    if root := os.geteuid() == 0:  # root may read anything: look as a user who may not
        for path in (tmp_path, *tmp_path.parents):
            if path.stat().st_uid == 0 and len(path.parts) > 2:
                path.chmod(path.stat().st_mode | 0o055)
        os.seteuid(65534)
    try:
        with pytest.raises(SdftError, match=f"{name}: cannot be read .*Nothing was deleted"):
            store.artefact("kind", {}, build_with(calls))
    finally:
        if root:
            os.seteuid(0)
    assert {path.name for path in folder.iterdir()} == before and not calls


def test_failed_build_keeps_finished_work_and_goes_on():
    def fails(folder):
        (folder / "half.jsonl").write_text('{"index": 0}\n{"ind')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.artefact("kind", {}, fails)
    seen = []

    def goes_on(folder):
        seen.extend(read_jsonl(folder / "half.jsonl"))

    store.artefact("kind", {}, goes_on)
    assert seen == [{"index": 0}]


def test_unwritable_cache_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SdftError, match="SDFT_CACHE"):
        store.artefact("kind", {}, lambda folder: None)


def test_digest_does_not_depend_on_order():
    assert (
        store.digest({"a": 1, "b": [1, 2]})
        == store.digest({"b": [1, 2], "a": 1})
        != store.digest({"a": 1, "b": [2, 1]})
    )


def test_seconds_of_interrupted_starts_add_up_and_what_was_lost_is_not_counted():
    def hundred_seconds(folder):
        path = folder / "half.jsonl"
        path.write_text("{}\n")
        os.utime(path, (time.time() + 100, time.time() + 100))
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            store.artefact("kind", {}, hundred_seconds)
    folder = store.artefact("kind", {}, lambda folder: None)
    assert 199 < store.run_record(folder)["seconds"] < 203
    assert sorted(path.name for path in folder.iterdir()) == [
        "half.jsonl",
        "manifest.json",
        "parts.json",
        "run.json",
    ]


def test_kill_after_the_last_file_costs_nothing(monkeypatch):
    calls = []
    with monkeypatch.context() as patch:
        patch.setattr(
            store.shutil,
            "rmtree",
            lambda *args, **options: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            store.artefact("kind", {}, build_with(calls))
    folder = store.artefact("kind", {}, build_with(calls))
    assert len(calls) == 1
    assert store.is_complete(folder) and not (folder / store.WORK).exists()


def test_temporary_files_of_a_killed_writer_do_not_stay():
    def torn(folder):
        (folder / "a.txt.99.tmp").write_text("ha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.artefact("kind", {}, torn)
    assert not list(store.artefact("kind", {}, build_with([])).glob("*.tmp"))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EROFS, os.strerror(errno.EROFS)),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError(
            "[enforce fail at inline_container.cc:778] . PytorchStreamWriter failed writing file "
            "data/0"
        ),
    ],
)
def test_refusal_of_the_disk_inside_a_build_is_one_sentence(error):
    def fails(folder):
        raise error

    with pytest.raises(
        SdftError, match="kind/.*cannot be written.*finished work is kept.*start again"
    ):
        store.artefact("kind", {}, fails)
    calls = []
    store.artefact("kind", {}, build_with(calls))
    assert calls == [1]


def test_other_errors_of_a_build_keep_their_name():
    def fails(folder):
        raise KeyError("x")

    with pytest.raises(KeyError):
        store.artefact("kind", {}, fails)


def test_whole_artefact_is_served_where_no_lock_can_be_made(monkeypatch):
    folder = store.artefact("kind", {}, build_with([]))
    monkeypatch.setattr(store, "locked", lambda folder: pytest.fail("a lock was asked for"))
    assert store.artefact("kind", {}, build_with([])) == folder


TWO = """
import sys, time
from pathlib import Path
from sdft_lib.storage import store
from sdft_lib.storage.files import write_text

def build(folder):
    with open(sys.argv[1], "a") as file:
        file.write("built\\n")
    time.sleep(1)
    write_text(folder / "a.txt", "data\\n")

print(store.artefact("kind", {}, build))
"""


def test_two_processes_one_works_one_waits_both_get_it(tmp_path):
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", TWO, str(log)]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    said = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][-1] == said[1][-1] and store.is_complete(Path(said[0][-1]))
    assert log.read_text() == "built\n"
    assert sum("waiting for it" in line for lines in said for line in lines) == 1


def test_peak_memory_is_recorded():
    assert (
        10 < store.run_record(store.artefact("kind", {"y": 1}, build_with([])))["peak_mb"] < 100_000
    )


@pytest.mark.parametrize("text", [None, "", "{", "null", "[1]", '"x"', "\0\0\0"])
def test_lost_costs_end_no_later_run(text, capsys):
    """Of a whole result: it is not made anew, and what it cost counts as 0."""
    calls = []
    folder = store.artefact("kind", {}, build_with(calls))
    (folder / store.RUN).unlink()
    if text is not None:
        (folder / store.RUN).write_text(text)
    record = store.run_record(store.artefact("kind", {}, build_with(calls)))
    assert (record["seconds"], record["tokens"], len(calls)) == (0.0, 0, 1)
    assert "run.json is lost" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{", "{}", "null", "[]", "3", '["a.txt"]', "\0\0\0"])
def test_a_manifest_that_is_none_is_made_anew(text):
    calls = []
    folder = store.artefact("kind", {}, build_with(calls))
    (folder / store.MANIFEST).write_text(text)
    store.artefact("kind", {}, build_with(calls))
    assert len(calls) == 2 and store.is_complete(folder)


@pytest.mark.parametrize("text", ["", "{", "{}", "null", "[]", '{"earlier": "x", "started": 1}'])
def test_a_clock_that_was_cut_heals(text):
    def cut(folder):
        (folder / store.WORK / store.CLOCK).write_text(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.artefact("kind", {}, cut)
    calls = []
    assert store.run_record(store.artefact("kind", {}, build_with(calls)))["seconds"] < 5
    assert calls == [1]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("name", ["a.txt", store.MANIFEST])
def test_a_disk_that_cannot_be_read_deletes_nothing(name, number, monkeypatch):
    folder, calls = store.artefact("kind", {}, build_with([])), []

    def fails(path, *args, **options):
        if Path(path).name == name:
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *args, **options)

    real = open if name == "a.txt" else Path.read_text
    where = (disk, "open") if name == "a.txt" else (Path, "read_text")
    monkeypatch.setattr(*where, fails, raising=False)
    with pytest.raises(SdftError, match=f"{name}: cannot be read .*Nothing was deleted"):
        store.artefact("kind", {}, build_with(calls))
    assert (folder / "a.txt").exists() and not calls


def test_a_cache_of_nobody_is_one_sentence(monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(SdftError, match="SDFT_CACHE=~nobody.*no such user"):
        store.cache_dir()


WORDS = [("", False), ("0", False), ("no", False), ("False", False), (" OFF ", False), ("n", False)]
WORDS += [("1", True), ("yes", True), ("TRUE", True), ("on", True), ("t", True)]


@pytest.mark.parametrize("word, meant", WORDS)
def test_yes_and_no_of_the_environment(word, meant, monkeypatch):
    monkeypatch.setenv("SDFT_FOUR_BIT", word)
    assert switch("SDFT_FOUR_BIT") is meant
    assert switch("SDFT_FOUR_BIT", True) is (meant or not word)


@pytest.mark.parametrize("word", ["maybe", "2", "-1", "nein", "none", "yes please"])
def test_other_words_of_the_environment_are_refused(word, monkeypatch):
    monkeypatch.setenv("SDFT_FOUR_BIT", word)
    with pytest.raises(SdftError, match=f"SDFT_FOUR_BIT={word}: this is neither yes nor no"):
        wants_four_bit(None)
    monkeypatch.setenv("WORLD_SIZE", word)
    if word != "2":
        with pytest.raises(SdftError, match=f"WORLD_SIZE={word}: .*unset it"):
            world()
