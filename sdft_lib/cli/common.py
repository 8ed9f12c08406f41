"""What all commands of ``sdft`` share: options, checks of inputs and outputs before a model loads,
answers as text or JSON, errors as one sentence."""

import contextlib
import functools
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option
from typer.core import TyperGroup

from sdft_lib.storage.errors import GO_ON, SdftError
from sdft_lib.storage.files import streams, write_jsonl
from sdft_lib.storage.processes import rank
from sdft_lib.storage.safe import masked, visible

SEEDS = "Intervals cover items, not training seeds."


def flag(name: str, help: str) -> type[bool]:
    """An option without a value."""
    return Annotated[bool, Option(name, help=help)]


# Options that several commands have. Every command takes JsonFlag; `command` adds it.
JsonFlag = flag("--json", "Print JSON on stdout; progress goes to stderr.")
Task = Annotated[str, Option(help="tickets, sums, calls, a folder, a file, or hf:org/name:split.")]
Model = Annotated[str, Option(help="A short name (`sdft models`), a hub id or a local folder.")]
Kind = Annotated[str | None, Option(help="math, call, label, program or open; else guessed.")]
Columns = Annotated[str | None, Option(help="Your names: prompt=question,reference=answer.")]
DropEmpty = flag("--drop-empty", "Leave out rows without prompt or reference.")
Limit = Annotated[int | None, Option(min=1, help="Use the first N rows.")]
Engine = Annotated[str, Option(help="torch, vllm, ray-torch, ray-vllm (extras; GPUs).")]
Gpus = Annotated[int, Option(min=1, help="vllm, ray-vllm: GPUs for one copy of the model.")]
Column = Annotated[str, Option(help="text (SDFT) or reference (SFT).")]
Checkpointing = flag("--gradient-checkpointing", "Less memory, a third more time.")
FourBit = flag("--four-bit", "Keep the layers' weights in 4 bit (needs bitsandbytes).")
Parts = Annotated[int, Option(min=1, help="A batch goes through in so many parts: less memory.")]
Suffix = Annotated[str, Option(help="Goes behind each request of advbench-jailbreak.")]
AllowCode = flag("--allow-code-execution", "Run programs of answers in the sandbox.")
Items = Annotated[Path | None, Option(help="JSONL file, one row an item.")]
Rules = Annotated[str, Option(help="ours (stricter), or paper: those of the paper's code.")]
Phrases = Annotated[Path | None, Option(help="--rules paper: its eval/keyword_eval_safety.py.")]
Url = Annotated[str | None, Option(help="Address of a judge, http://localhost:8000/v1.")]
JudgeModel = Annotated[str, Option(help="The judge's model.")]


@dataclass(frozen=True)
class Reply:
    """What a command answers: ``data`` with --json, else ``text``; ``code`` is the exit code."""

    data: Any
    text: str
    code: int = 0


class OneSentence(TyperGroup):
    """A group of commands that tells whatever went wrong in one sentence."""

    def main(self, *args, standalone_mode: bool = True, **more) -> None:
        """Run. Exit codes: the reply's, 2 after an error, 1 after a fault of ours, of which
        ``python -X dev`` shows where; of a signal, ``main.end`` tells."""
        code = 2
        try:
            code = super().main(*args, standalone_mode=False, **more) or 0
        except SdftError as error:
            complain(str(error))
        except OSError as error:
            complain(f"{error.filename or 'the output'}: {error.strerror or error}; {GO_ON}.")
        except ImportError as error:
            complain(f"a package cannot be loaded ({error}); install this project once more.")
        except MemoryError:
            complain(f"there is not enough memory; {GO_ON}.")
        except Exception as error:
            # typer brings its own click or takes the installed one, by its version
            kinds = [kind.__name__ for kind in type(error).__mro__]
            if "NoArgsIsHelpError" in kinds:
                error.show()
            elif "UsageError" in kinds:
                path = error.ctx.command_path if error.ctx else "sdft"
                complain(f"{error.format_message().strip().rstrip('.')}; see {path} --help.")
            elif sys.flags.dev_mode:
                raise
            else:
                code, what = 1, f"{type(error).__name__}: {str(error)[:200]}"
                complain(f"a fault of sdft itself ({what}); please report it with the command.")
        sys.exit(code)


def command(app: typer.Typer, function: Callable[..., Reply], example: str) -> None:
    """Make a function the command of its name, with --json. Its ``out`` and ``outputs`` are files
    to write, checked before anything else; all other values may be inputs. A parameter that is a
    dataclass stands for the options that are its fields."""
    parameters, groups = [], {}
    for each in signature(function).parameters.values():
        if is_dataclass(each.annotation):
            groups[each.name] = each.annotation
            parameters += signature(each.annotation).parameters.values()
        else:
            parameters.append(each)

    @functools.wraps(function)
    def wrapper(as_json: bool, **options) -> None:
        check_surroundings()
        for name in ("out", "outputs"):
            check_file(options.get(name), options)
        with contextlib.redirect_stdout(sys.stderr):
            for name, group in groups.items():
                options[name] = group(**{f.name: options.pop(f.name) for f in fields(group)})
            try:
                reply = function(**options)
            except SdftError as error:
                raise SdftError(as_typed(str(error), [each.name for each in parameters])) from error
        if not rank():
            text = json.dumps(reply.data, indent=1) if as_json else visible(reply.text)
            print(text, flush=True)
        raise typer.Exit(reply.code)

    named = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
    named.append(Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=JsonFlag))
    wrapper.__signature__ = Signature(named)
    wrapper.__annotations__ = {each.name: each.annotation for each in named}
    app.command(function.__name__.replace("_", "-"), epilog=f"Example: {example}")(wrapper)


def as_typed(text: str, names: list[str]) -> str:
    """What ``check_fields`` says of a setting, with the option if one of these ``names`` is it."""
    setting = re.match(r'"(\w+)"(?= is .*; give )', text)
    if setting is None or setting[1] not in names:
        return text
    return f"--{setting[1].replace('_', '-')}{text[setting.end() :]}"


def complain(text: str) -> None:
    """One line on stderr: no word is endless, no character hides or moves the cursor."""
    words = (word if len(word) < 300 else f"{word[:80]}…" for word in masked(text).split())
    with contextlib.suppress(OSError, RuntimeError):  # nobody can be told, or a line is half out
        print(visible(" ".join(words)), file=sys.stderr, flush=True)


def progress(line: str) -> None:
    """One line of progress, on stderr: stdout belongs to the answer."""
    if not rank():
        print(visible(masked(line)), file=sys.stderr, flush=True)


def as_text(rows, hidden: tuple[str, ...] = ()) -> str:
    """A table (list of dicts or DataFrame) without its ``hidden`` columns, three decimals."""
    import pandas

    frame = pandas.DataFrame(rows).drop(columns=list(hidden))
    return frame.to_string(index=False, float_format=lambda value: f"{value:.3f}")


def as_rows(frame) -> list[dict]:
    """A DataFrame as JSON can hold it: NaN is null."""
    return json.loads(frame.to_json(orient="records"))


def write_rows(path: Path | None, rows: list[dict]) -> None:
    """Write rows as JSONL if there is a path; of several processes, the first does it."""
    if path is not None and not rank():
        write_jsonl(path, rows)


def reading(kind: str | None, columns: str | None, drop_empty: bool) -> dict:
    """How a user's rows are read, as ``load_task`` and ``check_data`` take it. ``columns``:
    ``prompt=question,reference=answer``."""
    names = {}
    for pair in [] if columns is None else columns.split(","):
        role, _, name = (part.strip() for part in pair.partition("="))
        if not role or not name:
            form = "prompt=question,reference=answer"
            raise SdftError(f'--columns "{columns}" is not of the form {form}.')
        if role in names:
            raise SdftError(f'--columns "{columns}" gives {role} more than once; keep one.')
        names[role] = name
    return {"kind": kind, "columns": names or None, "drop_empty": drop_empty}


def load_model(model: str, adapter: Path | None, label: str, **options):
    """The seed model, with an adapter if there is one; ``options`` of ``engines.load.load``."""
    from sdft_lib.engines.load import load
    from sdft_lib.models import with_adapter

    seed = load(model, say=progress, **options)
    return seed if adapter is None else with_adapter(seed, adapter, label=label)


def check_surroundings() -> None:
    """Raise SdftError if the working folder was removed, or variables tell no process number."""
    rank()
    try:
        os.getcwd()
    except OSError:
        gone = "the working folder is gone; change to another one and start again."
        raise SdftError(gone) from None


def check_file(path: Path | None, options: dict[str, Any], *, keeps: bool = False) -> None:
    """Raise SdftError unless ``path`` can be written and is no input, nor another output, that
    ``options`` name. ``keeps``: lines are added to what it holds. Leaves nothing behind."""
    if path is None:
        return
    if str(path) == "-":
        raise SdftError("- is no file here; name one, or /dev/stdout for the screen.")
    if os.path.isdir(path):  # unlike Path.is_dir, it answers for a name of any length
        raise SdftError(f"{path} is a folder; name a file in it.")
    for value in options.values():
        for source in value if isinstance(value, list) else [value]:
            if isinstance(source, str | Path) and source is not path and is_part(path, source):
                raise SdftError(f"{path} is also the input; choose another name for the output.")
    if not streams(path):
        check_parent(path)
    elif keeps:
        raise SdftError(f"{path} is no file; lines are added as they come, so name a file.")


def is_part(path: Path, source: str | Path) -> bool:
    """Whether a file is an input, or a file of a task, model or adapter whose folder is one."""
    from sdft_lib.formats.folders import SPLITS

    name = os.path.expanduser(source)
    if not os.path.exists(path):
        return path == source
    if not os.path.isdir(name):
        return os.path.exists(name) and os.path.samefile(path, name)
    parts = path.suffix != ".jsonl" or path.stem in sum(SPLITS.values(), ())
    return parts and os.path.samefile(path.parent, name)


def check_folder(path: Path, *, new: bool = False) -> None:
    """Raise SdftError unless ``path`` can be a folder; ``new``: one that holds nothing yet."""
    if os.path.lexists(path) and not path.is_dir():
        raise SdftError(f"{path} is a file or a link to nothing; choose another folder.")
    if new and path.is_dir() and any(path.iterdir()):
        raise SdftError(f"{path} is not empty; choose a new folder.")
    check_parent(path / "x" if path.is_dir() else path)


def check_parent(path: Path) -> None:
    """Raise SdftError unless a file can be made beside ``path``, or beside what it is a link to."""
    folder = Path(os.path.realpath(path)).parent
    if not os.path.isdir(folder):
        raise SdftError(f"{path}: the folder {folder} does not exist; make it or take another.")
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        problem = f"{path}: cannot be written ({error.strerror})"
        raise SdftError(f"{problem}; choose another place.") from None


def model_name(method: str | None, name: str) -> str:
    """A model's name in rows, tables and figures: ``method``, or else what of the ``name`` of its
    folder or file can stand there. Raises SdftError for a ``method`` that cannot."""
    if method is None:
        return re.sub(r"^\W+|[^\w .+-]+", "-", name).lstrip("-")[:40] or "model"
    if not re.fullmatch(r"\w[\w .+-]{0,39}", method):
        allowed = "up to 40 letters, digits, spaces, dots, + and -"
        raise SdftError(f"--method {method[:40]!r} is no name; use {allowed}.")
    return method


def check_adapter(folder: Path | None, out: Path | None = None) -> None:
    """Raise SdftError unless ``folder`` holds an adapter or a model in safetensors, which ``out``
    leaves alone."""
    from sdft_lib.training.weights import trained_files

    if folder is None:
        return
    trained_files(folder)
    if out is not None and out.resolve().is_relative_to(folder.resolve()):
        raise SdftError(f"{out} lies in the adapter's folder; choose another place for the output.")
