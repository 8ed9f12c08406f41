"""Code of answers runs behind bubblewrap's walls: each attempt to leave or to hurt is stopped."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.paper import sandbox
from sdft_lib.paper.sandbox import Limits, Outcome, isolation, outcome_of, run_program
from sdft_lib.storage.errors import SdftError

ROOT = Path(__file__).resolve().parents[2]
SHORT = Limits(seconds=1, wall=20.0)


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "program, reason, detail",
    [
        ("assert sum([1, 2]) == 3", "passed", ""),
        ("import math, re, typing, hashlib, itertools, collections", "passed", ""),
        ("print('x' * 10**6)", "passed", ""),
        ("assert False", "wrong", "AssertionError"),
        ("def f(:", "error", "SyntaxError"),
        ("x = 'a\\0b\\ud800'; y = z", "error", "NameError"),
        ("def f():\n    f()\nf()", "error", "RecursionError"),
        ("input()", "error", "EOFError"),
        ("import sdft_lib", "error", "ModuleNotFoundError"),
        ("import child", "error", "ModuleNotFoundError"),
        ("raise SystemExit(0)", "error", "SystemExit"),
        ("class passed(Exception): pass\nraise passed", "error", "passed"),
        ("raise type('x passed', (Exception,), {})", "error", "x passed"),
        ("if __name__ == '__main__': raise ValueError", "passed", ""),
    ],
)
def test_how_a_program_ends(program, reason, detail):
    outcome = run_program(program, SHORT)
    assert (outcome.reason, outcome.detail) == (reason, detail)
    assert outcome.passed == (reason == "passed")


FORGED = (
    "import os\nfor n in range(3, 9):\n  try: os.write(n, b'passed\\n')\n  except OSError: pass\n"
)


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("program", ["import os\n", FORGED, "import os\nos.write = print\n"])
def test_a_program_that_leaves_before_its_tests_has_not_passed(program):
    """An exit code of 0 proves nothing, and neither does a line that looks like the verdict."""
    outcome = run_program(f"{program}os._exit(0)\nassert False", SHORT)
    assert (outcome.reason, outcome.detail) == ("left", "exit code 0")


@pytest.mark.usefixtures("bubblewrap")
def test_a_crash_is_told():
    outcome = run_program("import os\nos.kill(os.getpid(), 11)", SHORT)
    assert (outcome.reason, outcome.detail) == ("crashed", signal.Signals(11).name)


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("target", ["{pid}", "os.getppid()", "-1"])
def test_no_signal_reaches_another_process(target):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        program = f"import os\nos.kill({target.format(pid=other.pid)}, 9)"
        run_program(program, SHORT)
        assert other.poll() is None and psutil.pid_exists(os.getpid())
        other.kill()


@pytest.mark.usefixtures("bubblewrap")
def test_other_processes_are_not_seen():
    names = "[name for name in os.listdir('/proc') if name.isdigit()]"
    assert run_program(f"import os\nassert len({names}) <= 3", SHORT).passed


@pytest.mark.usefixtures("bubblewrap")
def test_a_fork_bomb_starts_no_process():
    bomb = "import os\nwhile True:\n    if os.fork() == 0:\n        os.setsid()\n"
    assert run_program(bomb, SHORT).reason == "blocked"


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "attempt",
    [
        "import os; os.system('true') and 1 / 0",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.execv('/proc/self/exe', ['python', '-c', ''])",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import multiprocessing as m; p = m.get_context('fork').Process(target=print); p.start()",
    ],
)
def test_no_other_program_is_started(attempt):
    assert not run_program(attempt, SHORT).passed


OUTSIDE = {
    "read": "open({kept!r}).read()",
    "list": "import os; assert os.listdir({folder!r}) == []",
    "write": "open({new!r}, 'w').write('x')",
    "append": "open({kept!r}, 'a').write('x')",
    "descriptor": "import os; os.write(os.open({new!r}, os.O_CREAT | os.O_WRONLY), b'x')",
    "pathlib": "from pathlib import Path; Path({new!r}).write_text('x')",
    "folder": "import os; os.mkdir({new!r})",
    "link": "import os; os.symlink('/etc', {new!r})",
    "remove": "import os; os.remove({kept!r})",
    "rename": "import os; os.rename({kept!r}, {new!r})",
    "rights": "import os; os.chmod({kept!r}, 0)",
    "truncate": "import os; os.truncate({kept!r}, 0)",
    "read and write": "open({kept!r}, 'r+').write('x')",
    "times": "import os; os.utime({kept!r}, (0, 0))",
}


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_file_of_yours_is_read_or_changed(name, tmp_path):
    kept, new = tmp_path / "kept", tmp_path / "new"
    kept.write_text("mine")
    before = kept.stat()
    attempt = OUTSIDE[name].format(new=str(new), kept=str(kept), folder=str(tmp_path))
    assert not run_program(attempt, SHORT).passed
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and kept.read_text() == "mine"
    after = kept.stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "path", [str(ROOT / "README.md"), "/etc/passwd", "/bin/sh", "/proc/1/environ"]
)
def test_files_of_the_machine_are_out_of_reach(path):
    assert not run_program(f"assert open({path!r}, 'rb').read()", SHORT).passed


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("folder", [".", "/", "/tmp", "/dev", "/dev/shm", "/usr/lib", sys.prefix])
def test_there_is_nowhere_to_write(folder):
    program = f"import os; assert os.listdir('.') == []; open({folder!r} + '/x', 'w')"
    assert run_program(program, SHORT).reason == "blocked"


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}', timeout=1)",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}')",
    ],
)
def test_no_socket_reaches_a_listener(attempt):
    name = f"sdft-{os.getpid()}"  # of a socket without a file, which a network namespace hides
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{name}")
        local.listen()
        attempt = attempt.format(port=server.getsockname()[1], name=name)
        assert not run_program(attempt, SHORT).passed
        for listener in (server, local):
            listener.settimeout(0.01)
            with pytest.raises(TimeoutError):
                listener.accept()


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import signal\nfor n in (signal.SIGXCPU, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)"
        "\nwhile True: pass",
        "sum(range(10**12))",
    ],
)
def test_an_endless_loop_ends(program):
    outcome = run_program(program, Limits(seconds=1, wall=60.0))
    assert (outcome.reason, outcome.detail) == ("time", "CPU")


@pytest.mark.usefixtures("bubblewrap")
def test_waiting_ends_too():
    outcome = run_program("import time; time.sleep(60)", Limits(wall=0.7))
    assert (outcome.reason, outcome.detail) == ("time", "wall")


@pytest.mark.usefixtures("bubblewrap")
def test_endless_output_ends():
    """The program finds the pipe to us and fills it; no more than a report is read."""
    flood = "import os\nwhile True:\n  for n in range(3, 9):\n    try: os.write(n, b'x' * 4096)\n"
    outcome = run_program(f"{flood}    except OSError: pass", Limits(seconds=1, wall=3.0))
    assert outcome.reason == "time"


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(10 * 2**30)",
        "x = []\nwhile True: x.append(bytearray(2**24))",
        "x = 'a' * 10**10",
    ],
)
def test_ten_gigabytes_are_not_given(program):
    assert run_program(program, Limits(seconds=30, wall=60.0)).reason == "memory"


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("name", ["AS", "CPU", "NPROC", "FSIZE", "NOFILE"])
def test_limits_cannot_be_raised(name):
    raised = f"r.setrlimit(r.RLIMIT_{name}, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert not run_program(f"import resource as r\n{raised}", SHORT).passed


@pytest.mark.usefixtures("bubblewrap")
def test_nothing_of_yours_is_in_the_environment(monkeypatch):
    monkeypatch.setenv("MY_SECRET", "x")
    hidden = "'MY_SECRET' not in os.environ and os.path.samefile(os.environ['HOME'], '.')"
    assert run_program(f"import os\nassert {hidden}", SHORT).passed
    read = "open('/proc/1/environ').read()"
    program = f"try: text = {read}\nexcept OSError: text = ''\nassert 'MY_SECRET' not in text"
    assert run_program(program, SHORT).passed


@pytest.mark.usefixtures("bubblewrap")
def test_no_root_behind_the_walls():
    assert run_program("import os\nassert os.getuid() != 0 != os.geteuid()", SHORT).passed or (
        os.geteuid() != 0
    )
    assert not run_program("import os\nos.setuid(0)", SHORT).passed


@pytest.mark.usefixtures("bubblewrap")
def test_the_program_dies_with_its_parent():
    code = (
        "from sdft_lib.paper.sandbox import Limits, run_program\n"
        "run_program('import time; time.sleep(60)', Limits(wall=60.0))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as parent:
        watched, deadline = [], time.monotonic() + 30
        while len(watched) < 3 and time.monotonic() < deadline:  # two of bwrap and the program
            watched = psutil.Process(parent.pid).children(recursive=True)
            time.sleep(0.05)
        parent.kill()
        assert watched and psutil.wait_procs(watched, timeout=10)[1] == []


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="we are no root")
def test_it_works_for_an_ordinary_user(tmp_path):
    """The library's files are copied to where that user can read them."""
    python = next(filter(readable_by_all, ["/usr/bin/python3", sys.executable]), None)
    if python is None:
        pytest.skip("no Python here that an ordinary user may run")
    folder = Path("/tmp") / f"sandbox-test-{os.getpid()}"
    package = folder / "sdft_lib"
    try:
        for name in ("paper/sandbox.py", "paper/sandbox_child.py", "storage/errors.py"):
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "sdft_lib" / name, package / name)
        code = (
            "import sys; from sdft_lib.paper.sandbox import run_program\n"
            "for program in sys.argv[1:]: print(run_program(program).reason)"
        )
        programs = ["assert True", "assert False", "open('x', 'w')", "import os; os.fork()"]
        done = subprocess.run(
            [python, "-B", "-c", code, *programs],
            user=12345,
            group=12345,
            extra_groups=[],
            cwd=folder,
            env={"PYTHONPATH": str(folder), "PATH": os.defpath},
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(folder)
    assert done.stdout.split() == ["passed", "wrong", "blocked", "blocked"], done.stderr


def readable_by_all(path: str) -> bool:
    """Whether every user may read a program and the folders on its way."""
    real = Path(path).resolve()
    return real.is_file() and all(
        part.stat().st_mode & 0o005 == 5 for part in (real, *real.parents)
    )


@pytest.mark.usefixtures("bubblewrap")
def test_the_walls_are_named():
    assert "bubblewrap" in isolation() and "no network" in isolation()


@pytest.fixture
def unknown():
    """Nothing is known yet of this machine's bubblewrap."""
    isolation.cache_clear()
    yield
    isolation.cache_clear()


def test_without_bubblewrap_no_code_runs(unknown, monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    monkeypatch.setattr(sandbox, "run_inside", lambda *given: pytest.fail("code ran"))
    with pytest.raises(SdftError, match="apt install bubblewrap"):
        run_program("pass")
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"id": "HumanEval/0", "text": "pass"}) + "\n")
    asked = ["score", str(answers), "--suite", "humaneval", "--allow-code-execution"]
    result = CliRunner().invoke(cli.app, asked)
    assert result.exit_code == 2 and "apt install bubblewrap" in result.output


def test_a_bubblewrap_that_does_not_work_is_told(unknown, monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: str(broken))
    with pytest.raises(SdftError, match="No permissions to create.*apt install bubblewrap"):
        run_program("pass")


@pytest.mark.parametrize("report", ["", "passed", "other passed", "s", "s failed passed", "s x"])
def test_a_broken_report_is_no_pass(report):
    assert not outcome_of(0, report, "s").passed


def test_a_report_with_the_secret_is_believed():
    assert outcome_of(0, "s passed", "s") == Outcome("passed")
    assert outcome_of(0, "s blocked OSError", "s") == Outcome("blocked", "OSError")
