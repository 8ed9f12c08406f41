"""The table of pinned packages, without a network."""

import ast
import io
import json
import sys
from pathlib import Path

import pytest

import release_notes
from release_notes import ask, pins, summary, table, vulnerabilities

OLD = {
    "id": "PYSEC-2024-1",
    "aliases": ["GHSA-aaaa", "CVE-2024-0001"],
    "fixed_in": ["3.1.3", "4.0"],
    "withdrawn": None,
}
OPEN = {"id": "GHSA-bbbb", "aliases": [], "fixed_in": []}
GONE = {
    "id": "PYSEC-2020-2",
    "aliases": ["CVE-2020-0002"],
    "fixed_in": ["1"],
    "withdrawn": "2021-01-01T00:00:00Z",
}


def test_pins_are_read():
    text = "# the tested set\nabc==1.0\n\nx-y == 2.0rc1 ; python_version < '3.12'\nz==3  # why\nnot-pinned>=1\n"
    assert pins(text) == [("abc", "1.0"), ("x-y", "2.0rc1"), ("z", "3")]
    assert len(pins(release_notes.CONSTRAINTS.read_text(encoding="utf-8"))) > 100


@pytest.mark.parametrize(
    "answer, found",
    [
        ({"vulnerabilities": [OLD, GONE]}, ["CVE-2024-0001 (fixed in 3.1.3, 4.0)"]),
        ({"vulnerabilities": [OPEN]}, ["GHSA-bbbb (no fix yet)"]),
        ({"vulnerabilities": []}, []),
        ({"vulnerabilities": None}, []),
        ({"info": {}}, []),
    ],
)
def test_vulnerabilities_are_read(answer, found):
    assert vulnerabilities(answer) == found


def answering(monkeypatch, pages: dict) -> list[str]:
    """Put an index in place that answers from ``pages`` by package name; returns the list of what
    was asked.
    """
    asked = []

    def urlopen(url, timeout):
        asked.append(name := url.split("/")[4])
        if not isinstance(page := pages.get(name), str | dict):
            raise page or OSError("no network")
        return io.BytesIO((page if isinstance(page, str) else json.dumps(page)).encode())

    monkeypatch.setattr(release_notes.urllib.request, "urlopen", urlopen)
    return asked


def test_a_known_vulnerability_ends_with_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(release_notes, "CONSTRAINTS", tmp_path / "constraints.txt")
    release_notes.CONSTRAINTS.write_text("pytest==9.0\nbad==1\nodd==2\n")
    answering(
        monkeypatch,
        {"pytest": {"vulnerabilities": []}, "bad": {"vulnerabilities": [OLD]}, "odd": "<html>"},
    )
    assert release_notes.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| pytest | 9.0 | MIT | none |"
    assert lines[3] == "| bad | 1 | not installed here | CVE-2024-0001 (fixed in 3.1.3, 4.0) |"
    assert lines[4].endswith("| not asked |")
    assert lines[-1] == "3 packages, 2 answers of the index, 1 with a known vulnerability."


def test_no_network_is_one_sentence_and_one_question(monkeypatch, capsys):
    asked = answering(monkeypatch, {})
    assert release_notes.main([]) == 0 and len(asked) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "gave no answer" in last and last.endswith(".")
    assert release_notes.main(["--offline"]) == 0 and len(asked) == 1


@pytest.mark.parametrize("page", ["[1]", "{", TimeoutError(), ConnectionResetError()])
def test_an_odd_answer_is_none(monkeypatch, page):
    answering(monkeypatch, {"abc": page})
    assert ask(("abc", "1")) is None


def test_metadata_cannot_break_the_table(monkeypatch):
    monkeypatch.setattr(release_notes, "licence", lambda name: "MIT | <script>\nline")
    assert (
        table([("abc", "1")], [[]]).splitlines()[2]
        == "| abc | 1 | MIT \\| &lt;script> line | none |"
    )
    assert summary([]).startswith("0 packages")


def test_it_needs_only_the_standard_library():
    tree = ast.parse(Path(release_notes.__file__).read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
