"""Run the code of an answer without letting it touch the machine (HumanEval; lesson 10).

The walls are bubblewrap's (``bwrap``, Linux): namespaces of its own for processes, network and
messages, a file system that holds Python and nothing of yours, and no place to write. The process
in it (``sandbox_child``) limits its memory, CPU time, open files and new processes before it runs
the program; this side limits the wall time and what is read back. Without bubblewrap no code runs.
"""

import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from sdft_lib.storage.errors import SdftError

CHILD = Path(__file__).with_name("sandbox_child.py")
SYSTEM = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
LONGEST_REPORT = 8192  # bytes of the child's report that are read
OF_ROOT = (
    "--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup-try "
    "--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID"
)
PROBE = "import decimal, hashlib, math, re, typing"  # the standard library can be read


@dataclass(frozen=True)
class Limits:
    """What one program may use: bytes of memory, seconds of CPU and of wall time, open files."""

    memory: int = 1 << 30
    seconds: int = 5
    wall: float = 10.0
    files: int = 32


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    ``reason``: ``passed``, ``wrong`` (a test failed), ``error``, ``blocked``, ``memory``, ``time``,
    ``left`` (ended before its tests did) or ``crashed``; ``detail``: the exception or signal."""

    reason: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the program ran to its end."""
        return self.reason == "passed"


def run_program(program: str, limits: Limits = Limits()) -> Outcome:
    """Run Python source; it passes if it comes to its end without an exception, tests included.

    Raises SdftError where bubblewrap is absent or does not work, never for what the program
    does."""
    isolation()
    return run_inside(program, limits)[0]


@functools.cache
def isolation() -> str:
    """One sentence on the walls, tried out once. Raises SdftError where they cannot be had."""
    if shutil.which("bwrap") is None:
        problem = "bubblewrap is not on this machine, so no code was run"
        raise SdftError(f"{problem}; install it (Linux: apt install bubblewrap).")
    outcome, complaint = run_inside(PROBE, Limits())
    if not outcome.passed:
        why = complaint or f"{outcome.reason} {outcome.detail}"
        problem = f"bubblewrap does not work on this machine ({why}), so no code was run"
        remedy = "allow user namespaces, or install it anew (apt install bubblewrap)"
        raise SdftError(f"{problem}; {remedy}.")
    barred = "no network, no other process, no file but Python's own, nowhere to write"
    return f"code of answers runs in bubblewrap: {barred}"


def run_inside(program: str, limits: Limits) -> tuple[Outcome, str]:
    """How a program ended, and the last line of what bubblewrap complained about."""
    secret = secrets.token_hex(16)
    order = {"program": program, "secret": secret, **asdict(limits)}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as complaints:
        given.write(json.dumps(order).encode())
        given.seek(0)
        streams = {"stdin": given, "stdout": subprocess.PIPE, "stderr": complaints}
        process = subprocess.Popen(walls(), **streams, env={})
        try:
            code = process.wait(timeout=limits.wall)
            report = os.read(process.stdout.fileno(), LONGEST_REPORT)
        except subprocess.TimeoutExpired:
            code, report = None, b""
        finally:
            process.kill()  # and with bwrap all that runs inside
            process.wait()
            process.stdout.close()
        complaints.seek(0)
        said = complaints.read(LONGEST_REPORT).decode("utf-8", "replace").splitlines()
    return outcome_of(code, report.decode("utf-8", "replace"), secret), said[-1] if said else ""


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
    command += ["--ro-bind", str(CHILD), "/child.py"]
    command += "--remount-ro /tmp --remount-ro /dev --remount-ro /".split()
    variables = {"HOME": "/empty", "TMPDIR": "/tmp", "PATH": os.defpath, "LANG": "C.UTF-8"}
    variables |= {"LD_LIBRARY_PATH": f"{sys.base_prefix}/lib", "OPENBLAS_NUM_THREADS": "1"}
    for name, value in variables.items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", "/empty", sys.executable, "-I", "-B", "/child.py"]


def outcome_of(code: int | None, report: str, secret: str) -> Outcome:
    """What bubblewrap's exit code (None: the time is up) and the child's report say."""
    told, word, name = [*report.split(" ", 2), "", "", ""][:3]
    if told == secret:
        reasons = {"AssertionError": "wrong", "MemoryError": "memory"}
        return Outcome(word if word in ("passed", "blocked") else reasons.get(name, "error"), name)
    if code is None:
        return Outcome("time", "wall")
    if code <= 128:
        return Outcome("left", f"exit code {code}")
    if code - 128 in (signal.SIGXCPU, signal.SIGKILL):
        return Outcome("time", "CPU")
    known = {number.value: number.name for number in signal.Signals}
    return Outcome("crashed", known.get(code - 128, f"exit code {code}"))
