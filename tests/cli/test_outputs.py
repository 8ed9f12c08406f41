"""What a command may write to, and what is left of it: links stay, what is no file is written to
and never replaced, a kill leaves nothing beside the output.
"""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import append_jsonl, write_jsonl, write_text

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="pipes, links and signals of Unix")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working folder, and a `sdft distill` that has its rows at once."""
    from sdft_lib.distill import DistilledSet

    def made(*args, **options):
        row = {"id": "a", "text": "new"}
        report = {"template": "opening", "rows": 1, "kept": 1, "keep_rate": 1.0}
        report |= {"reasons": {"accepted": 1}, "tokens": 9, "seconds": 0.1}
        return DistilledSet([row], tmp_path, report)

    monkeypatch.setattr("sdft_lib.models.load_seed", lambda *args, **options: None)
    monkeypatch.setattr("sdft_lib.distill.distill", made)
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")


def distill(out: str, *more: str):
    return CliRunner().invoke(cli.app, ["distill", "--limit", "1", "--out", out, *more])


def names() -> set[str]:
    return set(os.listdir("."))


@pytest.mark.parametrize("before", [None, "old\n"])
def test_a_file_is_made_or_replaced(before):
    if before:
        Path("o.jsonl").write_text(before)
    assert distill("o.jsonl").exit_code == 0
    assert Path("o.jsonl").read_text() == '{"id": "a", "text": "new"}\n' and names() == {"o.jsonl"}


@posix
@pytest.mark.parametrize("target", ["there", "absent"])
def test_a_link_stays_and_its_target_is_replaced(target):
    os.symlink("t", "o.jsonl")
    if target == "there":
        Path("t").write_text("old")
        os.chmod("t", 0o600)
    assert distill("o.jsonl").exit_code == 0
    assert os.readlink("o.jsonl") == "t" and "new" in Path("t").read_text()
    assert target == "absent" or stat.S_IMODE(os.stat("t").st_mode) == 0o600, "opened to others"
    assert names() == {"o.jsonl", "t"}


@posix
def test_another_name_of_a_file_keeps_the_old_rows():
    Path("t").write_text("old")
    os.link("t", "o.jsonl")
    assert distill("o.jsonl").exit_code == 0
    assert Path("t").read_text() == "old" and "new" in Path("o.jsonl").read_text()


@posix
@pytest.mark.parametrize("through", ["itself", "a link"])
def test_a_pipe_is_written_to(through):
    os.mkfifo("pipe")
    os.symlink("pipe", "link")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        assert distill("pipe" if through == "itself" else "link").exit_code == 0
        assert reader.communicate(timeout=20)[0] == '{"id": "a", "text": "new"}\n'
    assert stat.S_ISFIFO(os.stat("pipe").st_mode) and names() == {"pipe", "link"}


@posix
@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root makes devices")
def test_a_device_is_written_to_and_stays():
    try:
        os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        write_text(Path("null"), "x")
    except PermissionError:
        pytest.skip("this system lets nobody make devices")
    assert distill("null").exit_code == 0
    assert stat.S_ISCHR(os.stat("null").st_mode) and names() == {"null"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_device_is_one_sentence():
    done = distill("/dev/full")
    assert done.exit_code == 2 and "/dev/full: cannot be written" in done.stderr
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@posix
@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: os.symlink("o.jsonl", "o.jsonl"), "circle"),
        (lambda: os.mkdir("o.jsonl"), "is a folder"),
        (lambda: (Path("o.jsonl").touch(), os.chmod("o.jsonl", 0o444)), "protected"),
        (lambda: socket.socket(socket.AF_UNIX).bind("o.jsonl"), "neither a file nor a pipe"),
        (lambda: os.symlink("no/such/folder", "o.jsonl"), "does not exist"),
    ],
)
def test_what_is_neither_is_refused_before_anything_runs(make, words, monkeypatch):
    monkeypatch.setattr("sdft_lib.distill.distill", lambda *args, **more: pytest.fail("it ran"))
    make()
    before = os.lstat("o.jsonl")
    done = distill("o.jsonl")
    assert done.exit_code == 2 and words in done.stderr, done.stderr
    after = os.lstat("o.jsonl")
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


@pytest.mark.parametrize("out", ["-", "/dev/fd/77", "no/such/o.jsonl", "o.jsonl/x", "a/"])
def test_what_cannot_be_written_is_refused_before_anything_runs(out, monkeypatch):
    monkeypatch.setattr("sdft_lib.distill.distill", lambda *args, **more: pytest.fail("it ran"))
    Path("o.jsonl").touch()
    os.mkdir("a")
    assert distill(out).exit_code == 2 and names() == {"o.jsonl", "a"}


ROWS = '{"question": "Q", "answer": "A"}\n'
PATTERN = 'user = "{instruction} {reference}"\n'


@posix
@pytest.mark.parametrize(
    "out, more",
    [
        ("rows.jsonl", ("--task", "rows.jsonl")),
        ("./rows.jsonl", ("--task", "rows.jsonl")),
        ("link.jsonl", ("--task", "rows.jsonl")),
        ("hard.jsonl", ("--task", "rows.jsonl")),
        ("rows.jsonl", ("--task", "link.jsonl")),
        ("t.toml", ("--template", "t.toml")),
        ("mine/train.jsonl", ("--task", "mine")),
        ("mine/task.json", ("--task", "mine")),
    ],
)
def test_no_input_is_written_over(out, more):
    os.mkdir("mine")
    for name in ("rows.jsonl", "mine/train.jsonl"):
        Path(name).write_text(ROWS)
    Path("mine/task.json").write_text("{}")
    Path("t.toml").write_text(PATTERN)
    os.symlink("rows.jsonl", "link.jsonl")
    os.link("rows.jsonl", "hard.jsonl")
    done = distill(out, *more)
    assert done.exit_code == 2 and "also the input" in done.stderr, done.stderr
    assert Path("rows.jsonl").read_text() == ROWS == Path("mine/train.jsonl").read_text()
    assert Path("t.toml").read_text() == PATTERN


def test_other_files_beside_an_input_may_be_written_again():
    os.mkdir("mine")
    Path("mine/train.jsonl").write_text(ROWS)
    for _ in range(2):
        assert distill("mine/rows.jsonl", "--task", "mine").exit_code == 0


@posix
def test_lines_are_not_added_to_what_is_no_file():
    os.mkfifo("pipe")
    done = CliRunner().invoke(
        cli.app, ["judge", "a.jsonl", "--url", "http://localhost:1/v1", "--out", "pipe"]
    )
    assert done.exit_code == 2 and "is no file" in done.stderr
    append_jsonl(Path("o.jsonl"), [{"a": 1}])
    os.symlink("o.jsonl", "link")
    append_jsonl(Path("link"), [{"a": 2}])
    assert os.readlink("link") == "o.jsonl" and len(Path("o.jsonl").read_text().split()) == 4


SLOW = """
import signal
from pathlib import Path
from sdft_lib.cli import main
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests that were started by nohup ignore it
from sdft_lib.storage import files
main.prepare()
def stop(source, target):
    print("ready", flush=True)
    import time
    time.sleep(60)
files.os.replace = stop
files.write_text(Path("o.jsonl"), "new")
"""


@posix
@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_leaves_the_old_file_alone(name, code):
    Path("o.jsonl").write_text("old")
    with killed(getattr(signal, name)) as process:
        assert process.wait(timeout=20) == code
    assert Path("o.jsonl").read_text() == "old" and names() == {"o.jsonl"}


@posix
def test_what_a_kill_leaves_goes_at_the_next_start():
    Path("o.jsonl").write_text("old")
    with killed(signal.SIGKILL) as process:
        process.wait(timeout=20)
    assert Path("o.jsonl").read_text() == "old" and len(names()) == 2
    write_jsonl(Path("o.jsonl"), [{"a": 1}])
    assert Path("o.jsonl").read_text() == '{"a": 1}\n' and names() == {"o.jsonl"}


@posix
def test_a_writer_at_work_is_left_alone():
    with killed(None) as process:
        try:
            (temporary,) = names()
            write_text(Path("o.jsonl"), "mine")
            assert names() == {"o.jsonl", temporary}
        finally:
            process.kill()


def killed(number):
    """A process that is about to rename what it wrote, and gets a signal."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": settings}
    process = subprocess.Popen([sys.executable, "-c", SLOW], **options)
    assert process.stdout.readline() == b"ready\n"
    if number is not None:
        process.send_signal(number)
    return process


@posix
@pytest.mark.parametrize("target", ["there", "absent"])
def test_a_folder_is_made_whole_or_not_at_all(target):
    from sdft_lib.storage.files import new_folder

    os.makedirs(".t.partial/left")  # by a kill
    os.symlink("t", "out")
    if target == "there":
        os.mkdir("t")
    with new_folder(Path("out")) as partial:
        (partial / "adapter_model.safetensors").write_text("x")
    assert os.readlink("out") == "t" and os.listdir("t") == ["adapter_model.safetensors"]
    with pytest.raises(SdftError, match="Directory not empty"), new_folder(Path("t")):
        pass
    with pytest.raises(ZeroDivisionError), new_folder(Path("u")):
        1 / 0  # noqa: B018
    assert names() == {"out", "t"} and os.listdir("t") == ["adapter_model.safetensors"]


@posix
def test_a_folder_is_no_link_to_nothing():
    os.symlink("gone", "out")
    done = CliRunner().invoke(cli.app, ["run", "--out", "out"])
    assert done.exit_code == 2 and "a link to nothing" in done.stderr


def test_a_name_may_be_as_long_as_the_disk_allows():
    name = "ü" * 125  # 250 bytes
    write_text(Path(name), "x")
    assert names() == {name}


def test_a_protected_file_is_an_error_in_python_too():
    Path("o.jsonl").write_text("old")
    os.chmod("o.jsonl", 0o444)
    with pytest.raises(SdftError, match="protected"):
        write_text(Path("o.jsonl"), "new")
    os.chmod("o.jsonl", 0o644)
