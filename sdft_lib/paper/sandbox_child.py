"""The process behind the walls: limits first, then the program, then one line on how it ended.

``sandbox`` starts this file inside bubblewrap with ``python -I``. It imports nothing of the
library, so that the program cannot either. It reads one JSON object from stdin. What it reports
holds a secret that the program was not given; a program that leaves early leaves no report."""

import json
import os
import resource
import sys
from errno import EACCES, EAGAIN, EFBIG, EPERM, EROFS

NOBODY = 65534
REFUSED = (EACCES, EAGAIN, EFBIG, EPERM, EROFS)  # what a wall or a limit answers


def main() -> None:
    """Read the order, give up rights, run, tell."""
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
    write, leave = os.write, os._exit  # the program may put others in their places
    ended = run(order["program"])
    write(told, f"{order['secret']} {ended}".encode())
    leave(0)  # no exit handler of the program runs


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


def run(program: str) -> str:
    """``passed``, or ``blocked`` or ``failed`` with the name of the exception behind it."""
    try:
        exec(compile(program, "<answer>", "exec"), {"__name__": "answer"})
    except BaseException as error:  # SystemExit and KeyboardInterrupt are an end like others
        blocked = isinstance(error, OSError) and error.errno in REFUSED
        return f"{'blocked' if blocked else 'failed'} {type(error).__name__}"
    return "passed"


if __name__ == "__main__":
    main()
