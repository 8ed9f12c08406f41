"""Artefacts: made once, whole or not at all, made anew when a file was altered."""

import json

import pytest

from sdft_lib import store
from sdft_lib.errors import SdftError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))


def build_with(calls, text="data\n"):
    def build(folder):
        calls.append(1)
        store.write_text(folder / "a.txt", text)
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


def test_failed_build_keeps_finished_work_and_goes_on():
    def fails(folder):
        (folder / "half.jsonl").write_text('{"index": 0}\n{"ind')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.artefact("kind", {}, fails)
    seen = []

    def goes_on(folder):
        seen.extend(store.read_jsonl(folder / "half.jsonl"))

    store.artefact("kind", {}, goes_on)
    assert seen == [{"index": 0}]


def test_unwritable_cache_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SdftError, match="SDFT_CACHE"):
        store.artefact("kind", {}, lambda folder: None)


def test_code_hash_ignores_words_but_not_code(tmp_path):
    (tmp_path / "a.py").write_text('"""One."""\nx = 1  # why\n')
    (tmp_path / "b.py").write_text('"""Another."""\nx = 1\n')
    (tmp_path / "c.py").write_text('"""One."""\nx = 2\n')
    first, second, third = (store.bare_code(tmp_path / name) for name in ("a.py", "b.py", "c.py"))
    assert first == second != third


def test_digest_does_not_depend_on_order():
    assert (
        store.digest({"a": 1, "b": [1, 2]})
        == store.digest({"b": [1, 2], "a": 1})
        != store.digest({"a": 1, "b": [2, 1]})
    )
