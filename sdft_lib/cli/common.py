"""What all commands of ``sdft`` share: answers as text or JSON, errors as one sentence, outputs
checked beforehand.
"""

import contextlib
import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sdft_lib.lessons.safe import visible
from sdft_lib.storage.errors import GO_ON, SdftError
from sdft_lib.storage.processes import rank

INTERRUPTED = "Interrupted; steps that were done are kept, so the same command goes on from there."

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout; progress goes to stderr.")
]
Task = Annotated[
    str,
    typer.Option("--task", help="tickets, sums, calls, a folder, a file, or hf:org/name:split."),
]
Model = Annotated[
    str, typer.Option("--model", help="A short name (`sdft models`), a hub id or a local folder.")
]
Template = Annotated[
    str, typer.Option("--template", help="guide, explain, opening, free-opening or a TOML file.")
]
Kind = Annotated[
    str | None, typer.Option("--kind", help="math, call, label or open; guessed if not given.")
]
Engine = Annotated[
    str, typer.Option("--engine", help="torch, or the extras vllm and ray-vllm (GPUs).")
]
Gpus = Annotated[
    int, typer.Option("--gpus", min=1, help="vllm, ray-vllm: GPUs for one copy of the model.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Use the first N rows.")]
Columns = Annotated[
    str | None, typer.Option("--columns", help="Your names: prompt=question,reference=answer.")
]
DropEmpty = Annotated[
    bool, typer.Option("--drop-empty", help="Leave out rows without prompt or reference.")
]


@dataclass(frozen=True)
class Reply:
    """What a command answers: ``data`` with --json, else ``text``; ``code`` is the exit code."""

    data: Any
    text: str
    code: int = 0


class OneSentence(TyperGroup):
    """A group of commands whose usage errors (unknown option, number out of range) are one sentence
    as well.
    """

    def main(self, *args, standalone_mode: bool = True, **more) -> None:
        """Run; a usage error is said in one line and ends with 2."""
        try:
            code = super().main(*args, standalone_mode=False, **more)
        except usage_error() as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                path = error.ctx.command_path if error.ctx else "sdft"
                complain(
                    f"{' '.join(error.format_message().split()).rstrip('.')}; see {path} --help."
                )
            code = 2
        sys.exit(code or 0)


def usage_error() -> type[Exception]:
    """The class of all usage errors; typer brings its own click or takes the installed one, by its
    version.
    """
    return next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")


def complain(text: str) -> None:
    """One line on stderr in which no character can hide or move the cursor, and no word is
    endless.
    """
    words = (word if len(word) < 300 else f"{word[:80]}…" for word in text.split())
    typer.echo(visible(" ".join(words)), err=True)


def progress(line: str) -> None:
    """One line of progress, on stderr: stdout belongs to the answer."""
    if not rank():
        print(visible(line), file=sys.stderr, flush=True)


def command(app: typer.Typer, example: str) -> Callable:
    """Register a function that returns a Reply. Exit codes: 2 after an SdftError, 130 after an
    interrupt.
    """

    def register(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(*args, **kwargs) -> None:
            try:
                check_working_folder()
                with contextlib.redirect_stdout(sys.stderr):
                    reply = function(*args, **kwargs)
            except SdftError as error:
                complain(str(error))
                raise typer.Exit(2) from None
            except OSError as error:
                complain(f"{error.filename or 'a file'}: {error.strerror or error}; {GO_ON}.")
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                typer.echo(INTERRUPTED, err=True)
                raise typer.Exit(130) from None
            if not rank():
                typer.echo(
                    json.dumps(reply.data, indent=1) if kwargs["as_json"] else visible(reply.text)
                )
            raise typer.Exit(reply.code)

        return app.command(function.__name__.replace("_", "-"), epilog=f"Example: {example}")(
            wrapper
        )

    return register


def check_working_folder() -> None:
    """Raise SdftError if the folder that the shell is in was removed meanwhile."""
    try:
        os.getcwd()
    except OSError:
        raise SdftError(
            "the working folder is gone; change to another one and start again."
        ) from None


def as_text(rows) -> str:
    """A table (list of dicts or DataFrame) as aligned text, three decimals."""
    import pandas

    return pandas.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3f}")


def check_file(path: Path | None, *inputs: str | Path) -> None:
    """Raise SdftError unless ``path`` can be written; done before a model is loaded, and it leaves
    nothing behind.
    """
    if path is None:
        return
    if os.path.isdir(path):  # unlike Path.is_dir, it answers for a name of any length
        raise SdftError(f"{path} is a folder; name a file in it.")
    if any(Path(source).exists() and path.resolve() == Path(source).resolve() for source in inputs):
        raise SdftError(f"{path} is also the input; choose another name for the output.")
    check_parent(path)


def check_folder(path: Path, *, new: bool = False) -> None:
    """Raise SdftError unless a folder can be made or used at ``path``; ``new``: it must not hold
    anything yet.
    """
    if path.exists() and not path.is_dir():
        raise SdftError(f"{path} is a file; choose another folder.")
    if new and path.is_dir() and any(path.iterdir()):
        raise SdftError(f"{path} is not empty; choose a new folder.")
    check_parent(path / "x" if path.is_dir() else path)


def check_parent(path: Path) -> None:
    """Raise SdftError unless a file can be made beside ``path``."""
    folder = path.absolute().parent
    if not os.path.isdir(folder):
        raise SdftError(
            f"{path}: the folder {folder} does not exist; make it first or choose another."
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SdftError(
            f"{path}: cannot be written ({error.strerror}); choose another place."
        ) from None


def check_kind(kind: str | None) -> None:
    """Raise SdftError for a kind that is not known."""
    from sdft_lib.kinds import KINDS

    if kind is not None and kind not in KINDS:
        raise SdftError(f'kind "{kind}" is not known; use one of {", ".join(KINDS)}.')


def column_map(text: str | None) -> dict | None:
    """``"prompt=question,reference=answer"`` as a dictionary; None stays None."""
    if text is None:
        return None
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 or not pair[0].strip() or not pair[1].strip() for pair in pairs):
        raise SdftError(f'--columns "{text}" is not of the form prompt=question,reference=answer.')
    roles = [role.strip() for role, _ in pairs]
    if twice := [role for role in roles if roles.count(role) > 1]:
        raise SdftError(f'--columns "{text}" gives {twice[0]} more than once; keep one.')
    return {role.strip(): name.strip() for role, name in pairs}
