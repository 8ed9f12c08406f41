"""What runs behind walls, in two processes that share nothing but one socket.

``sandbox`` starts this file twice inside bubblewrap with ``python -I``. The one runs the answer's
program and serves calls of its function; the other holds the tests and never runs a line of the
answer. A call goes over as a numbered line with a Python literal, and so does what came of it: the
tests see plain values of Python's own types, compared where no answer can reach. It imports nothing
of the library, so that no program can either. Each reads its order, one JSON object, from stdin."""

import ast
import json
import math
import numbers
import os
import resource
import sys
from collections.abc import Callable
from errno import EACCES, EAGAIN, EFBIG, EPERM, EROFS
from typing import BinaryIO

NOBODY = 65534
REFUSED = (EACCES, EAGAIN, EFBIG, EPERM, EROFS)  # what a wall or a limit answers
LONGEST = 1 << 20  # bytes of one call or one value
# A value of a kind, or of a class below it, as exactly that kind.
EXACT = {int: int.__int__, float: float.__float__, complex: complex.__pos__}
EXACT |= {str: str.__str__, bytes: bytes.__bytes__}
HOLDERS = {list: list, tuple: tuple, set: set, frozenset: set}


class Ended(Exception):
    """No value came back: ``failed`` or ``blocked`` with an exception's name, or ``lost``."""


def main() -> None:
    """Read the order, give up rights, then serve calls or grade and tell."""
    order = json.loads(sys.stdin.buffer.read())
    told = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    limit(order["memory"], order["seconds"], order["files"])
    with open(order["socket"], "rb") as calls, open(os.dup(calls.fileno()), "wb", 0) as replies:
        if "program" in order:
            serve(order["program"], order["entry_point"], calls, replies)
        else:
            verdict = grade(order["tests"], order["entry_point"], replies, calls)
            os.write(told, verdict.encode("ascii", "replace"))


def limit(memory: int, seconds: int, files: int) -> None:
    """Hard limits: bytes of memory, CPU seconds, open files; no process, no byte into any file."""
    limits = dict.fromkeys(("NPROC", "FSIZE", "MSGQUEUE", "CORE"), (0, 0))
    limits |= {"AS": (memory, memory), "CPU": (seconds, seconds + 1), "NOFILE": (files, files)}
    for name, (soft, hard) in limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(number)[1]
        if most != resource.RLIM_INFINITY:  # a limit that stands already cannot be raised
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(number, (soft, hard))


# ---- the process of the answer
def serve(program: str, entry_point: str, calls: BinaryIO, replies: BinaryIO) -> None:
    """Run the program (reply 0), then each call of its function, until no more come."""
    space = {"__name__": "answer"}
    replies.write(reply(0, lambda: exec(compile(program, "<answer>", "exec"), space)))
    for line in calls:
        number, values = ast.literal_eval(line.decode())
        replies.write(reply(number, space.get(entry_point), *values))


def reply(number: int, work: Callable, *values: object) -> bytes:
    """What came of some work, as one line: a value, or the name of the exception behind it."""
    try:
        told = ascii((number, "value", plain(work(*values))))
    except BaseException as error:  # SystemExit and KeyboardInterrupt are an end like others
        blocked = isinstance(error, OSError) and error.errno in REFUSED
        told = ascii((number, "blocked" if blocked else "failed", type(error).__name__))
    return f"{told}\n".encode()


def plain(value: object) -> object:
    """A value in Python's own types alone; what has no such form becomes a text with its name."""
    if type(value).__module__ == "numpy":
        value = value.item()  # of an array with more than one number: ValueError
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return f"<{value}>"  # no literal writes it
    for kind, exact in EXACT.items():
        if isinstance(value, kind):
            return exact(value)
    for kind, own in HOLDERS.items():
        if isinstance(value, kind):
            return own([plain(part) for part in kind.__iter__(value)])
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in dict.items(value)}
    if isinstance(value, numbers.Number):  # a Decimal, a Fraction
        return int(value) if int(value) == value else float(value)
    return f"<{type(value).__name__}>"


# ---- the process of the tests
def grade(tests: str, entry_point: str, calls: BinaryIO, replies: BinaryIO) -> str:
    """``passed`` if the tests run to their end and called the function, else why not, in words."""
    flags = []

    def candidate(*values: object) -> object:
        """The answer's function: its argument and its value go over as text."""
        calls.write(f"{ascii((len(flags) + 1, values))}\n".encode())
        value = result(replies, len(flags) + 1)
        flags.append(True)
        return value

    try:
        result(replies, 0)
        space = {"__name__": "tests"}
        exec(compile(tests, "<tests>", "exec"), space)
        space[entry_point] = candidate  # one of the tests names the function itself
        space["check"](candidate)
    except OSError:
        return "lost"
    except Ended as ended:
        return str(ended)
    except Exception as error:
        return f"failed {type(error).__name__}"
    return "passed" if flags else "failed NoTest"


def result(replies: BinaryIO, number: int) -> object:
    """The value that came back for a call. Raises Ended: none, or a line that is no such reply."""
    line = replies.readline(LONGEST)
    if not line:
        raise Ended("lost")
    try:
        told, word, value = ast.literal_eval(line.decode())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Ended("failed NoValue") from None
    if word in ("failed", "blocked") and type(value) is str:
        raise Ended(f"{word} {value}")
    if (told, word) != (number, "value"):
        raise Ended("failed NoValue")
    return value


if __name__ == "__main__":
    main()
