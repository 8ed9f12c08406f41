"""Functions that a user names: found in the working folder, told apart by their file."""

import hashlib
import sys

import pytest

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.functions import load_function, source_of

FILE = "def check(row, text):\n    return text\n\n\nNUMBER = 3\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with two modules, which no other test sees."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_checks_of_test.py").write_text(FILE)
    (tmp_path / "broken_of_test.py").write_text("import sys\nsys.exit('no')\n")
    yield tmp_path
    for name in ("own_checks_of_test", "broken_of_test"):
        sys.modules.pop(name, None)


def test_a_function_of_the_working_folder(folder):
    before = list(sys.path)
    function = load_function("own_checks_of_test:check")
    assert function({}, "x") == "x" and sys.path == before
    sha256 = hashlib.sha256(FILE.encode()).hexdigest()
    assert source_of(function) == {
        "module": "own_checks_of_test",
        "name": "check",
        "sha256": sha256,
    }


@pytest.mark.parametrize(
    "name, problem",
    [
        ("own_checks_of_test", "module:function"),
        ("own_checks_of_test:", "module:function"),
        ("own_checks_of_test.py:check", "cannot be loaded"),
        ("../x:check", "module:function"),
        ("no_such_of_test:check", "cannot be loaded .ModuleNotFoundError"),
        ("broken_of_test:check", "cannot be loaded .SystemExit: no"),
        ("own_checks_of_test:absent", "has no function absent"),
        ("own_checks_of_test:NUMBER", "has no function NUMBER"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(folder, name, problem):
    with pytest.raises(SdftError, match=problem):
        load_function(name)


@pytest.mark.parametrize("value", [lambda text: text, len, 3], ids=["lambda", "builtin", "number"])
def test_what_has_no_source_of_its_own_is_refused(value):
    with pytest.raises(SdftError, match="cannot be told from others"):
        source_of(value)
