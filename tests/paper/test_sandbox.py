"""Code of answers runs behind walls: each attempt to leave is stopped, by every wall that should
stop it alone.
"""

import os
import platform
import struct

import pytest

from sdft_lib.paper.sandbox import kernel as sandbox_kernel
from sdft_lib.paper.sandbox import run as sandbox
from sdft_lib.paper.sandbox.run import Limits, isolation, run_program

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="code of answers runs on Linux and macOS only"
)
SHORT = {"memory": 1 << 30, "seconds": 1, "wall": 20.0}
KERNEL, HOOK, ALL = Limits(**SHORT, hook=False), Limits(**SHORT, kernel=False), Limits(**SHORT)
LAYERS = {"kernel": KERNEL, "hook": HOOK, "both": ALL}
NO_FILTER = platform.system() != "Linux" or platform.machine() not in sandbox_kernel.MACHINES


@pytest.fixture(params=LAYERS)
def limits(request):
    if request.param == "kernel" and NO_FILTER:
        pytest.skip("no filter of system calls on this machine")
    return LAYERS[request.param]


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
        ("import sandbox_kernel", "error", "ModuleNotFoundError"),
        ("raise SystemExit(0)", "error", "SystemExit"),
        ("if __name__ == '__main__': raise ValueError", "passed", ""),
    ],
)
def test_how_a_program_ends(program, reason, detail):
    found = run_program(program, ALL)
    assert (found.reason, found.detail) == (reason, detail)
    assert found.passed == (reason == "passed")


def test_a_program_that_leaves_before_its_tests_has_not_passed():
    """An exit code of 0 proves nothing, and neither does a line that looks like the verdict."""
    found = run_program("import os\nos._exit(0)\nassert False", ALL)
    assert (found.reason, found.detail) == ("left", "exit code 0")
    forged = "import os\nfor n in range(3, 9):\n  try: os.write(n, b'passed\\n')\n  except OSError: pass\n"
    assert run_program(f"{forged}os._exit(0)", ALL).reason == "left"


def test_a_crash_is_told(limits):
    import signal

    found = run_program(
        "import os\nos.kill(os.getpid(), 11)", Limits(**SHORT, kernel=False, hook=False)
    )
    assert (found.reason, found.detail) == ("crashed", signal.Signals(11).name)
    assert run_program("import os\nos.kill(os.getppid(), 9)", limits).reason == "blocked"


def test_a_fork_bomb_starts_no_process(limits):
    bomb = "import os\nwhile True:\n    if os.fork() == 0:\n        os.setsid()\n"
    found = run_program(bomb, limits)
    assert found.reason == "blocked", found


@pytest.mark.parametrize(
    "attempt",
    [
        "import os; os.system('true') and 1 / 0",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import multiprocessing as m; p = m.get_context('fork').Process(target=print); p.start()",
    ],
)
def test_no_other_program_is_started(attempt, limits):
    assert not run_program(attempt, limits).passed


OUTSIDE = {
    "write": "open({place!r}, 'w').write('x')",
    "append": "open({place!r}, 'a').write('x')",
    "descriptor": "import os; os.write(os.open({place!r}, os.O_CREAT | os.O_WRONLY), b'x')",
    "pathlib": "from pathlib import Path; Path({place!r}).write_text('x')",
    "folder": "import os; os.mkdir({place!r})",
    "link": "import os; os.symlink('/etc', {place!r})",
    "remove": "import os; os.remove({kept!r})",
    "rename": "import os; os.rename({kept!r}, {place!r})",
    "rights": "import os; os.chmod({kept!r}, 0)",
    "truncate": "import os; os.truncate({kept!r}, 0)",
    "read and write": "open({kept!r}, 'r+').write('x')",
    "times": "import os; os.utime({kept!r}, (0, 0))",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_file_is_changed_outside(name, tmp_path, limits):
    kept, place = tmp_path / "kept", tmp_path / "new"
    kept.write_text("mine")
    before = kept.stat()
    found = run_program(OUTSIDE[name].format(place=str(place), kept=str(kept)), limits)
    assert found.reason == "blocked", found
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and kept.read_text() == "mine"
    after = kept.stat()
    assert (after.st_mode, after.st_mtime, after.st_size) == (
        before.st_mode,
        before.st_mtime,
        before.st_size,
    )


def test_its_own_folder_is_empty_and_goes_away(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert (
        run_program("import os; assert os.listdir() == []; open('x', 'w')", ALL).reason == "blocked"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}', timeout=1)",
    ],
)
def test_no_socket_reaches_a_listener(attempt, limits):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.01)
        assert not run_program(attempt.format(port=server.getsockname()[1]), limits).passed
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import signal\nfor n in (signal.SIGXCPU, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
        "sum(range(10**12))",
    ],
)
def test_an_endless_loop_ends(program):
    found = run_program(program, Limits(seconds=1, wall=60.0))
    assert (found.reason, found.detail) == ("time", "CPU")


def test_waiting_ends_too():
    found = run_program("import time; time.sleep(60)", Limits(wall=0.7))
    assert (found.reason, found.detail) == ("time", "wall")


@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(10 * 2**30)",
        "x = []\nwhile True: x.append(bytearray(2**24))",
        "x = 'a' * 10**10",
    ],
)
def test_ten_gigabytes_are_not_given(program):
    if platform.system() == "Darwin":
        pytest.skip("macOS limits no address space")
    assert run_program(program, Limits(seconds=30, wall=60.0)).reason == "memory"


def test_limits_cannot_be_raised(limits):
    raised = "import resource as r\nr.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert not run_program(raised, limits).passed


def test_nothing_of_yours_is_in_the_environment(monkeypatch):
    monkeypatch.setenv("MY_SECRET", "x")
    program = "import os\nassert 'MY_SECRET' not in os.environ and os.path.samefile(os.environ['HOME'], '.')"
    assert run_program(program, ALL).passed


def test_the_walls_are_named():
    walls = run_program("", ALL).walls
    assert "hook" in walls and run_program("", KERNEL).walls == tuple(
        wall for wall in walls if wall != "hook"
    )
    assert ("namespace" in isolation()) == ("namespace" in walls)
    assert ("filtered" in isolation()) == ("filter" in walls)


def test_a_broken_report_is_no_pass():
    secret = "s"
    for report in ([], ["{}"], ["nonsense", "passed"], ["{}", "other passed"], ["[]", "s"]):
        assert not sandbox.outcome([line for line in report if line != "s"], 0, secret).passed
    assert sandbox.outcome(['{"filter": true}', "s passed"], 0, secret) == sandbox.Outcome(
        "passed", "", ("filter",)
    )


def test_windows_is_refused(monkeypatch):
    monkeypatch.setattr(sandbox.os, "name", "nt")
    with pytest.raises(sandbox.SdftError, match="Linux and macOS only"):
        run_program("pass")


def verdict(machine, number, arguments=(0, 0, 0, 0, 0, 0), arch=None):
    """What the filter answers to a call: the packet-filter machine's few instructions, carried
    out.
    """
    wanted = sandbox_kernel.MACHINES[machine][1]
    record = struct.pack("<iIQ6Q", number, wanted if arch is None else arch, 0, *arguments)
    program, place, value = sandbox_kernel.filter_program(machine), 0, 0
    while True:
        code, true, false, operand = program[place]
        place += 1
        if code == sandbox_kernel.RETURN:
            return operand
        if code == sandbox_kernel.LOAD:
            (value,) = struct.unpack_from("<I", record, operand)
            continue
        holds = {
            sandbox_kernel.EQUAL: value == operand,
            sandbox_kernel.AT_LEAST: value >= operand,
            sandbox_kernel.ANY_BIT: bool(value & operand),
        }[code]
        place += true if holds else false


@pytest.mark.parametrize("machine", sandbox_kernel.MACHINES)
def test_the_filter_refuses_what_it_names_and_allows_the_rest(machine):
    """The rules on both machines, whichever this one is."""
    k, column = sandbox_kernel, sandbox_kernel.MACHINES[machine][0]
    refused, missing = k.REFUSE | k.EPERM, k.REFUSE | k.ENOSYS
    numbers = [numbers[column] for numbers in k.REFUSED.values() if numbers[column] is not None]
    assert len(set(numbers)) == len(numbers)
    assert {verdict(machine, number) for number in numbers} == {refused}
    assert verdict(machine, k.CLONE3[column]) == missing
    openat, clone, prlimit = k.OPENAT[column], k.CLONE[column], k.PRLIMIT[column]
    for flags, wanted in (
        (os.O_RDONLY, k.ALLOW),
        (os.O_RDONLY | os.O_CLOEXEC, k.ALLOW),
        (os.O_WRONLY, refused),
        (os.O_RDWR, refused),
        (os.O_RDONLY | os.O_TRUNC, refused),
    ):
        assert verdict(machine, openat, (0, 0, flags, 0, 0, 0)) == wanted
    assert verdict(machine, clone, (17, 0, 0, 0, 0, 0)) == refused  # a child process
    assert verdict(machine, clone, (k.CLONE_THREAD | 0x100, 0, 0, 0, 0, 0)) == k.ALLOW
    assert verdict(machine, prlimit, (0, 9, 0, 0, 0, 0)) == k.ALLOW  # asks for a limit
    assert verdict(machine, prlimit, (0, 9, 0x7F0012345678, 0, 0, 0)) == refused  # sets one
    known = {*numbers, *(each[column] for each in (k.OPEN, k.OPENAT, k.CLONE, k.CLONE3, k.PRLIMIT))}
    assert {verdict(machine, number) for number in set(range(500)) - known} == {k.ALLOW}
    assert verdict(machine, 0, arch=0x40000003) == refused  # the 32-bit calls of the same processor
    if machine == "x86_64":
        assert verdict(machine, k.X32 + 1) == refused
        assert verdict(machine, k.OPEN[0], (0, os.O_WRONLY, 0, 0, 0, 0)) == refused
