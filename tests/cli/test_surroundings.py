"""Odd variables, streams and folders around a command: one sentence or the answer, no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.storage import processes
from sdft_lib.storage.files import folder_of
from sdft_lib.storage.store import cache_dir

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "variables, words",
    [
        ({"WORLD_SIZE": "many"}, "WORLD_SIZE=many"),
        ({"WORLD_SIZE": "-1"}, "unset it"),
        ({"WORLD_SIZE": "2.0"}, "WORLD_SIZE=2.0"),
        ({"WORLD_SIZE": "٣"}, "no number of processes"),
        ({"WORLD_SIZE": "9" * 5000}, "no number of processes"),
        ({"WORLD_SIZE": "2", "RANK": "x"}, "RANK=x"),
        ({"WORLD_SIZE": "2", "RANK": "-1"}, "RANK=-1"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "not below WORLD_SIZE=2"),
        ({"SDFT_CACHE": "~nobody-here/x"}, "SDFT_CACHE=~nobody-here/x"),
        ({"SDFT_CACHE": "/dev/null/x"}, "cannot be written"),
    ],
)
def test_a_variable_that_cannot_be_read_is_one_sentence(variables, words, monkeypatch):
    monkeypatch.setattr("sdft_lib.models.load_seed", lambda *args, **more: cache_dir().mkdir())
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(cli.app, ["fetch", "minilm"])
    assert done.exit_code == 2 and words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("value", ["", " ", "1"])
def test_one_process_is_one_process(value, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", value)
    monkeypatch.setenv("RANK", "7")  # left over from another job
    assert (processes.world(), processes.rank()) == (1, 0)


@pytest.mark.parametrize(
    "variables, words",
    [
        ({}, "MASTER_ADDR"),
        ({"RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "x"}, "'x'"),
        (
            {"RANK": "1", "LOCAL_RANK": "y", "MASTER_ADDR": "localhost", "MASTER_PORT": "29511"},
            "'y'",
        ),
    ],
)
def test_processes_that_cannot_meet_are_one_sentence(variables, words):
    code = "from sdft_lib.storage.processes import start\nfrom sdft_lib.storage.errors import *\n"
    code += "try:\n    start()\nexcept SdftError as error:\n    print(error)"
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        code = (
            f"import os; os.environ.pop('{name}', None)\n{code}" if name not in variables else code
        )
    said = python("-c", code, WORLD_SIZE="2", **variables).stdout
    assert words in said and "accelerate launch" in said


def test_a_folder_by_variable(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value, wanted in (("", None), (" ", None), ("x", tmp_path / "x"), ("~", Path.home())):
        monkeypatch.setenv("SDFT_CACHE", value)
        assert folder_of("SDFT_CACHE") == wanted
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("SDFT_CACHE", "")
    assert cache_dir().is_absolute()


def python(*arguments: str, shell: str = "", **variables):
    """A Python process with this project on its path; ``shell``: redirections behind it."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, *arguments]
    if shell:
        command = ["bash", "-c", f'"$0" "$@" {shell}', *command]
    options = {"capture_output": True, "text": True, "timeout": 120, "env": settings}
    return subprocess.run(command, **options, encoding="utf-8", errors="replace")


def sdft(*arguments: str, **options):
    return python("-m", "sdft_lib", *arguments, **options)


def clean(done) -> bool:
    said = done.stdout + done.stderr
    return not any(word in said for word in ("Traceback", "Exception ignored"))


posix = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="streams of Linux")


@posix
@pytest.mark.parametrize(
    "arguments, shell, codes",
    [
        (["--help"], ">/dev/full", {2}),
        (["distill", "--help"], ">/dev/full", {2}),
        (["nope"], "2>/dev/full", {2}),
        (["nope"], ">/dev/full 2>&1", {2}),
        (["--help"], ">&-", {0}),
        (["nope"], "2>&-", {2}),
        (["nope"], "<&- >&- 2>&-", {2}),
        (["--help"], "| true; exit ${PIPESTATUS[0]}", {0, 1}),  # 1: the reader was gone first
        (["compare", "a.jsonl", "b.jsonl"], ">/dev/full", {2}),
    ],
)
def test_a_stream_that_takes_nothing(arguments, shell, codes):
    done = sdft(*arguments, shell=shell)
    assert done.returncode in codes and clean(done), done.stderr


ANSWER = """
import sys
from typer import Typer
from sdft_lib.cli import main
from sdft_lib.cli.common import OneSentence, Reply, command
app = Typer(cls=OneSentence)
def say() -> Reply:
    return Reply({}, "größer ü😀 日本 \\udcff")
command(app, say, "sdft say")
app.callback()(lambda: None)
main.app, sys.argv = app, ["sdft", "say"]
main.main()
"""


@posix
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("shell", ["", ">/dev/full"])
def test_any_text_can_be_shown(encoding, shell):
    done = python("-c", ANSWER, shell=shell, PYTHONIOENCODING=encoding)
    assert done.returncode == (2 if shell else 0) and clean(done), done.stderr
    assert shell or "DCFF" in done.stdout


@pytest.mark.parametrize(
    "variables",
    [
        {"COLUMNS": "abc"},
        {"COLUMNS": "-5"},
        {"NO_COLOR": "1"},
        {"TERM": "dumb"},
        {"TMPDIR": "gone"},
    ],
    ids=str,
)
def test_help_needs_nothing_of_a_terminal(variables):
    done = sdft("distill", "--help", **variables)
    assert done.returncode == 0 and "Example:" in done.stdout and clean(done)


@posix
def test_no_file_of_ours_takes_the_number_of_a_closed_stream():
    code = "from sdft_lib.cli import main; main.prepare(); print(open('/dev/null').fileno() > 2)"
    code += "\nimport sys; sys.exit(not open('/dev/null').fileno() > 2)"
    assert python("-c", code, shell=">&- <&-").returncode == 0


@posix
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("after", [0.0, 1.0])
def test_an_interrupt_is_one_line(number, code, after):
    """In a command, while its heavy imports run or a little later."""
    slow = f"{ANSWER}".replace(
        "    return Reply",
        "    print('in', file=sys.__stdout__, flush=True)\n"
        "    import torch, time; time.sleep(60)\n    return Reply",
    )
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", slow], env=settings, **options)
    assert process.stdout.readline() == "in\n"
    time.sleep(after)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code and said.count("\n") == 1 and "Interrupted" in said, said


@pytest.mark.parametrize(
    "error, words",
    [
        (
            ImportError("libtorch_cpu.so: failed to map segment"),
            "a package cannot be loaded (libtorch",
        ),
        (MemoryError(), "not enough memory"),
        (OSError(28, "No space left on device", "x.jsonl"), "x.jsonl: No space left on device"),
    ],
)
def test_what_the_machine_lacks_is_one_sentence(error, words, monkeypatch):
    def fail(*args, **more):
        raise error

    monkeypatch.setattr("sdft_lib.storage.wheels.fetch", fail)
    done = CliRunner().invoke(cli.app, ["fetch", "minilm"])
    assert done.exit_code == 2 and words in done.stderr and done.stderr.count("\n") == 1


def test_an_unforeseen_error_is_one_sentence_too(monkeypatch):
    def fail():
        raise TypeError("no such thing\nat all")

    monkeypatch.setattr("sdft_lib.storage.wheels.fetch", lambda *args, **more: fail())
    done = CliRunner().invoke(cli.app, ["fetch", "minilm"])
    assert done.exit_code == 1 and "TypeError: no such thing at all" in done.stderr
    assert done.stderr.count("\n") == 1
