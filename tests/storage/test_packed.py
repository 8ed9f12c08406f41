"""A warm cache as one file: packed here, opened by others, refused when it is damaged."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from sdft_lib.storage import packed, store, wheels
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import write_text

WHEEL = b"a wheel"


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Change between caches by name; there is one small wheel."""
    sha256 = hashlib.sha256(WHEEL).hexdigest()
    wheel = wheels.Wheel("tiny==1", "tiny-1.whl", sha256, "tiny/", "MIT")
    for module in (packed, wheels):
        monkeypatch.setattr(module, "WHEELS", {"tiny": wheel})
    monkeypatch.setenv("SDFT_DEVICE", "cpu")
    monkeypatch.setenv("SDFT_DTYPE", "fp32")

    def change(name: str) -> Path:
        monkeypatch.setenv("SDFT_CACHE", str(tmp_path / name))
        return tmp_path / name

    return change


def result(x: int) -> tuple[Path, bool]:
    """The artefact of x, and whether it was computed now."""
    calls = []

    def build(folder):
        calls.append(x)
        write_text(folder / "deep" / "a.txt", f"{x}\n")

    def build_in(folder):
        (folder / "deep").mkdir(exist_ok=True)
        build(folder)

    return store.artefact("kind", {"x": x}, build_in), bool(calls)


@pytest.fixture
def handed_out(caches, tmp_path) -> Path:
    """The file of a cache with one wheel and two results; one more is not finished."""
    home = caches("teacher")
    (home / "downloads").mkdir(parents=True)
    (home / "downloads" / "tiny-1.whl").write_bytes(WHEEL)
    folder, _ = result(1)
    result(2)
    (folder.parent / "begun.partial").mkdir()
    made = packed.pack(tmp_path / "class.zip")
    assert (made["models"], made["results"], made["dtype"]) == (1, 2, "fp32")
    assert not (tmp_path / "class.zip.partial").exists()
    return tmp_path / "class.zip"


def test_what_was_packed_is_not_computed_again(caches, handed_out):
    home = caches("student")
    own, _ = result(3)
    begun = own.parent / f"{store.digest({'kind': 'kind', 'x': 1})[:24]}.partial"
    begun.mkdir()
    opened = packed.open_pack(handed_out)
    assert (opened["models"], opened["new"], opened["device"]) == (1, 2, "cpu")
    assert [result(x)[1] for x in (1, 2, 3)] == [False] * 3
    assert (result(1)[0] / "deep" / "a.txt").read_text() == "1\n" and not begun.exists()
    assert wheels.downloaded(packed.WHEELS["tiny"])
    assert [path.name for path in home.iterdir() if path.name.startswith("tmp")] == []
    again = packed.open_pack(handed_out)
    assert (again["models"], again["new"]) == (0, 0)


def test_there_must_be_something_to_hand_out(caches, tmp_path, monkeypatch):
    home = caches("empty")
    with pytest.raises(SdftError, match="has no results: run the lessons"):
        packed.pack(tmp_path / "class.zip")
    result(1)
    monkeypatch.setattr(wheels, "pip_download", lambda wheel, folder: home / "not there")
    with pytest.raises(OSError):
        packed.pack(tmp_path / "class.zip")
    assert list(tmp_path.glob("class*")) == []


def changed(path: Path, name: str, data: bytes) -> Path:
    """The file with one member altered; "" adds one that leads out of the folder."""
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, data if name and entry.endswith(name) else old.read(entry))
        if not name:
            new.writestr("../../out.txt", data)
    return other


@pytest.mark.parametrize(
    "name, said",
    [("a.txt", "is damaged"), ("tiny-1.whl", "altered"), ("made.json", "no file that")],
)
def test_an_altered_file_is_refused(name, said, caches, handed_out):
    home = caches("student")
    with pytest.raises(SdftError, match=said):
        packed.open_pack(changed(handed_out, name, b"x"))
    assert list(home.rglob("a.txt")) == []


def test_another_file_is_refused_and_no_name_leads_out(caches, handed_out, tmp_path):
    caches("student")
    for text in (b"", b"not a zip", json.dumps({}).encode()):
        (tmp_path / "other.zip").write_bytes(text)
        with pytest.raises(SdftError, match="no file that sdft pack wrote"):
            packed.open_pack(tmp_path / "other.zip")
    with pytest.raises(SdftError, match="ask for it again"):
        packed.open_pack(tmp_path / "missing.zip")
    packed.open_pack(changed(handed_out, "", b"x"))
    assert list(tmp_path.rglob("out.txt")) == []
