"""The process in which an answer's code runs: walls first, then the program, then one word on how
it ended.

``sandbox.run_program`` starts this file with ``python -I``; it reads one JSON object from stdin and
imports nothing of the library, so that the program cannot either. Its first line of output says
which walls stand, its last, after the program and led by a secret that the program was not given,
how it ended; a program that leaves early leaves none."""

import importlib.util
import json
import os
import sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
BARRED = (
    "socket.",
    "subprocess.",
    "shutil.",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "os.kill",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.utime",
    "os.setxattr",
    "os.removexattr",
    "resource.setrlimit",
    "resource.prlimit",
)


def main() -> None:
    """Read the order, build the walls, run, tell."""
    order = json.loads(sys.stdin.buffer.read())
    told = os.dup(1)
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, mode), number)
    secret = order.pop("secret")
    tell(told, json.dumps(walls(order)))
    ended = run(order["program"])
    tell(told, f"{secret} {ended}")
    os._exit(0)  # no exit handler of the program runs


def tell(number: int, line: str) -> None:
    """One line to the parent."""
    os.write(number, line.encode("utf-8") + b"\n")


def walls(order: dict) -> dict[str, bool]:
    """Put up what this system has, in the order in which one leaves the next possible."""
    kernel = sibling("kernel")
    namespace = order["kernel"] and kernel.own_network()
    kernel.limit(order["memory"], order["seconds"], order["files"])
    filtered = order["kernel"] and kernel.filter_calls()
    if order["hook"]:
        bar(BARRED if filtered else (*BARRED, "ctypes."))
    return {"namespace": namespace, "filter": filtered, "hook": order["hook"]}


def sibling(name: str):
    """The module in the file beside this one, without its folder on the path of imports."""
    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bar(events: tuple[str, ...]) -> None:
    """Refuse these events of Python's own audit, and every opening of a file for writing; for
    good.
    """

    def refuse(event: str, arguments: tuple) -> None:
        writes = (
            event == "open"
            and len(arguments) > 2
            and isinstance(arguments[2], int)
            and arguments[2] & WRITING
        )
        if writes or event.startswith(events):
            raise PermissionError(f"barred: {event}")

    sys.addaudithook(refuse)


def run(program: str) -> str:
    """``passed``, or the name of the exception that ended the program."""
    try:
        exec(compile(program, "<answer>", "exec"), {"__name__": "answer"})
    except BaseException as error:  # SystemExit and KeyboardInterrupt are an end like others
        return type(error).__name__
    return "passed"


if __name__ == "__main__":
    main()
