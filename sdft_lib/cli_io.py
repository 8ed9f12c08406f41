"""What all commands of ``sdft`` share: answers as text or JSON, errors as one sentence, outputs checked beforehand."""

import contextlib
import functools
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sdft_lib.errors import SdftError
from sdft_lib.tables import visible

INTERRUPTED = "Interrupted; steps that were done are kept, so the same command goes on from there."

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; progress goes to stderr.")]
Task = Annotated[str, typer.Option("--task", help="tickets, sums, calls, a folder, a file, or hf:org/name:split.")]
Model = Annotated[str, typer.Option("--model", help="A short name (`sdft models`), a hub id or a local folder.")]
Template = Annotated[str, typer.Option("--template", help="guide, explain, opening, free-opening or a TOML file.")]
Kind = Annotated[str | None, typer.Option("--kind", help="math, call, label or open; guessed if not given.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Use the first N rows.")]
Columns = Annotated[str | None, typer.Option("--columns", help="Your names: prompt=question,reference=answer.")]
DropEmpty = Annotated[bool, typer.Option("--drop-empty", help="Leave out rows without prompt or reference.")]


@dataclass(frozen=True)
class Reply:
    """What a command answers: ``data`` with --json, else ``text``; ``code`` is the exit code."""

    data: Any
    text: str
    code: int = 0


class OneSentence(TyperGroup):
    """A group of commands whose usage errors (unknown option, number out of range) are one sentence as well."""

    def main(self, *args, standalone_mode: bool = True, **more) -> None:
        """Run; a usage error is said in one line and ends with 2."""
        try:
            code = super().main(*args, standalone_mode=False, **more)
        except usage_error() as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                path = error.ctx.command_path if error.ctx else "sdft"
                complain(f"{' '.join(error.format_message().split()).rstrip('.')}; see {path} --help.")
            code = 2
        sys.exit(code or 0)


def usage_error() -> type[Exception]:
    """The class of all usage errors; typer brings its own click or takes the installed one, by its version."""
    return next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")


def complain(text: str) -> None:
    """One line on stderr in which no character can hide or move the cursor."""
    typer.echo(visible(" ".join(text.split())), err=True)


def progress(line: str) -> None:
    """One line of progress, on stderr: stdout belongs to the answer."""
    print(visible(line), file=sys.stderr, flush=True)


def command(app: typer.Typer, example: str) -> Callable:
    """Register a function that returns a Reply. Exit codes: 2 after an SdftError, 130 after an interrupt."""

    def register(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(*args, **kwargs) -> None:
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    reply = function(*args, **kwargs)
            except SdftError as error:
                complain(str(error))
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                typer.echo(INTERRUPTED, err=True)
                raise typer.Exit(130) from None
            typer.echo(json.dumps(reply.data, indent=1) if kwargs["as_json"] else visible(reply.text))
            raise typer.Exit(reply.code)

        return app.command(function.__name__, epilog=f"Example: {example}")(wrapper)

    return register


def as_text(rows) -> str:
    """A table (list of dicts or DataFrame) as aligned text, three decimals."""
    import pandas

    return pandas.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3f}")


def check_file(path: Path | None, *inputs: str | Path) -> None:
    """Raise SdftError unless ``path`` can be written; done before a model is loaded, and it leaves nothing behind."""
    if path is None:
        return
    if path.is_dir():
        raise SdftError(f"{path} is a folder; name a file in it.")
    if any(Path(source).exists() and path.resolve() == Path(source).resolve() for source in inputs):
        raise SdftError(f"{path} is also the input; choose another name for the output.")
    check_parent(path)


def check_folder(path: Path, *, new: bool = False) -> None:
    """Raise SdftError unless a folder can be made or used at ``path``; ``new``: it must not hold anything yet."""
    if path.exists() and not path.is_dir():
        raise SdftError(f"{path} is a file; choose another folder.")
    if new and path.is_dir() and any(path.iterdir()):
        raise SdftError(f"{path} is not empty; choose a new folder.")
    check_parent(path / "x" if path.is_dir() else path)


def check_parent(path: Path) -> None:
    """Raise SdftError unless a file can be made beside ``path``."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise SdftError(f"{path}: the folder {folder} does not exist; make it first or choose another.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SdftError(f"{path}: cannot be written ({error.strerror}); choose another place.") from None


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


def read_scores(path: Path):
    """Rows of `sdft evaluate` as a DataFrame with method, suite, id, score; one method a file."""
    import pandas

    from sdft_lib.files import read_records

    records = read_records(path)
    for record in records:
        for name in ("method", "suite", "id", "score"):
            if name not in record.values:
                raise SdftError(f'{record.where}: column "{name}" is missing; give a file that sdft evaluate wrote.')
        score = record.values["score"]
        if not isinstance(score, int | float) or score != score:
            raise SdftError(f'{record.where}: column "score" is not a number; give a file that sdft evaluate wrote.')
        if odd := [name for name in ("method", "suite", "id") if not isinstance(record.values[name], str | int)]:
            raise SdftError(f'{record.where}: column "{odd[0]}" is not text; give a file that sdft evaluate wrote.')
    frame = pandas.DataFrame([record.values for record in records])
    if len(found := sorted(frame["method"].astype(str).unique())) > 1:
        raise SdftError(f"{path} holds {len(found)} methods ({', '.join(found)}); give one a file.")
    return frame


def scored_pair(a: Path, b: Path):
    """Both files as one DataFrame, the two method names (file names if they agree), and the suites in both."""
    import pandas

    frames = [read_scores(a), read_scores(b)]
    names = [str(frame["method"].iloc[0]) for frame in frames]
    if names[0] == names[1]:
        names = [a.stem, b.stem] if a.stem != b.stem else [str(a), str(b)]
    if names[0] == names[1]:
        raise SdftError(f"{a} and {b} are one file; give two evaluations.")
    both = [suite for suite in frames[0]["suite"].unique() if suite in set(frames[1]["suite"])]
    if not both:
        raise SdftError(f"{a} and {b} have no suite in common; evaluate both on the same suites.")
    if alone := sorted({*frames[0]["suite"], *frames[1]["suite"]} - set(both)):
        progress(f"left out, in one file only: {', '.join(alone)}")
    frames = [frame.assign(method=name) for frame, name in zip(frames, names, strict=True)]
    return pandas.concat(frames, ignore_index=True), (names[0], names[1]), both
