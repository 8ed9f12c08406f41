"""Run the code of an answer without letting it touch the machine (HumanEval; lesson 08).

The code gets a process of its own with hard limits of memory, CPU time, wall time, processes, open
files and file size. It has no network and may change no file, inside its empty temporary folder or
outside. Three walls stand in each other's way: a network namespace and a filter of system calls
(Linux: ``sandbox_kernel``), and Python's audit hook, the only one of the three on macOS.
``Outcome.walls`` says which stood. It is no virtual machine: the code can read what you can read,
though it can send it nowhere. Windows is refused."""

import contextlib
import functools
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.storage.errors import SdftError

CHILD = Path(__file__).with_name("child.py")
LONGEST_WORD = 8192  # bytes of the child's report that are read
ENDS = {
    "AssertionError": "wrong",
    "MemoryError": "memory",
    "PermissionError": "blocked",
    "passed": "passed",
}


@dataclass(frozen=True)
class Limits:
    """What one program may use: bytes of memory, seconds of CPU and of wall time, open files.

    ``kernel`` and ``hook`` switch walls off to test the others; leave both on.
    """

    memory: int = 1 << 30
    seconds: int = 5
    wall: float = 10.0
    files: int = 32
    kernel: bool = True
    hook: bool = True


@dataclass(frozen=True)
class Outcome:
    """How a program ended. ``reason``: ``passed``, ``wrong`` (a test failed), ``error``,
    ``blocked``, ``memory``, ``time``, ``left`` (ended before its tests did) or ``crashed``;
    ``detail``: the exception or signal; ``walls``: the walls that stood (``namespace``, ``filter``,
    ``hook``)."""

    reason: str
    detail: str = ""
    walls: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the program ran to its end."""
        return self.reason == "passed"


DEFAULT = Limits()


def run_program(program: str, limits: Limits = DEFAULT) -> Outcome:
    """Run Python source; it passes if it comes to its end without an exception, tests included.

    Raises SdftError where the system has no such limits (Windows), never for what the program does.
    """
    if os.name != "posix":
        raise SdftError(
            "code of answers runs on Linux and macOS only; use WSL or a container on Windows."
        )
    secret = secrets.token_hex(16)
    order = {
        "program": program,
        "secret": secret,
        "memory": limits.memory,
        "seconds": limits.seconds,
        "files": limits.files,
        "kernel": limits.kernel,
        "hook": limits.hook,
    }
    with tempfile.TemporaryDirectory(prefix="answer-") as folder, tempfile.TemporaryFile() as given:
        given.write(json.dumps(order).encode("utf-8"))
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(CHILD)],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(folder),
            start_new_session=True,
        )
        try:
            code = wait(process, limits.wall)
            report = os.read(process.stdout.fileno(), LONGEST_WORD)
        finally:
            kill(process)
            process.stdout.close()
    return outcome(report.decode("utf-8", "replace").splitlines(), code, secret)


def environment(folder: str) -> dict[str, str]:
    """The few variables that the program sees; none of yours."""
    fixed = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**fixed, **threads, "HOME": folder, "TMPDIR": folder}


def wait(process: subprocess.Popen, seconds: float) -> int | None:
    """The exit code; None if the time is up first, and the process is ended then."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        return None


def kill(process: subprocess.Popen) -> None:
    """End the process and whatever it may have started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone already
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def outcome(report: list[str], code: int | None, secret: str) -> Outcome:
    """What the child's lines and its exit code say."""
    walls = standing(report[0]) if report else ()
    last = report[-1].split(" ", 1) if len(report) > 1 else [""]
    if last[0] == secret:
        name = last[1]
        return Outcome(ENDS.get(name, "error"), "" if name == "passed" else name, walls)
    if code is None or code in (-signal.SIGXCPU, -signal.SIGKILL):
        return Outcome("time", "wall" if code is None else "CPU", walls)
    if code < 0:
        return Outcome("crashed", signal.Signals(-code).name, walls)
    return Outcome("left", f"exit code {code}", walls)


def standing(line: str) -> tuple[str, ...]:
    """The walls that the child reports."""
    try:
        return tuple(name for name, up in json.loads(line).items() if up)
    except (ValueError, AttributeError):
        return ()


@functools.cache
def isolation() -> str:
    """One sentence on the walls that this machine offers, found by running an empty program."""
    walls = run_program("").walls
    network = "a network namespace of its own, " if "namespace" in walls else ""
    calls = (
        "system calls filtered (no sockets, processes, file changes)"
        if "filter" in walls
        else ("sockets, processes and file changes barred by Python's audit hook alone")
    )
    return f"code of answers runs with {network}{calls}"
