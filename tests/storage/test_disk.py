"""Files are whole or as they were, whatever cut their writer off."""

import errno
import os

import pytest

from sdft_lib.storage import files as disk
from sdft_lib.storage.errors import SdftError


def test_torn_lines_are_dropped_and_spoil_no_other(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"text": "a"}\n{"text": "é'.encode()[:-1])  # cut inside a letter
    assert disk.read_jsonl(path) == [{"text": "a"}]
    disk.append_jsonl(path, [{"text": "b"}])
    assert path.read_text() == '{"text": "a"}\n{"text": "b"}\n'
    path.write_bytes(b'{"te')
    disk.append_jsonl(path, [{"text": "b"}])
    assert path.read_text() == '{"text": "b"}\n'


def test_full_disk_takes_a_batch_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    disk.append_jsonl(path, [{"text": "a"}])

    class Full:
        """A file on a disk with room for five bytes more."""

        def __init__(self, file):
            self.file, self.room = file, 5

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= (written := self.file.write(data[: self.room]))
            return written

    monkeypatch.setattr(
        disk, "open", lambda *args, **options: Full(open(*args, **options)), raising=False
    )
    with pytest.raises(SdftError, match="No space left on device.*kept.*start again"):
        disk.append_jsonl(path, [{"text": "b"}, {"text": "c"}])
    assert path.read_text() == '{"text": "a"}\n'
