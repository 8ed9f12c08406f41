"""What a user reads when something fails: one sentence, whoever noticed it first."""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sdft_lib.storage.safe import masked

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
REFUSALS += (errno.EACCES, errno.EPERM, errno.EIO, errno.EPIPE)
GO_ON = "finished work is kept: make room or make it writable, then start again to go on"


class SdftError(ValueError):
    """One sentence: what is wrong, where (file, row, column), what to do. The CLI exits with 2. It
    holds no secret (``safe.masked``)."""

    def __init__(self, text: object) -> None:
        super().__init__(masked(str(text)))


@contextlib.contextmanager
def refused(path: Path, hint: str) -> Iterator[None]:
    """Within the block, a disk that takes no more becomes one SdftError: path, reason, ``hint``."""
    try:
        yield
    except SdftError:
        raise
    except Exception as error:
        if (reason := refusal(error)) is None:
            raise
        raise SdftError(f"{path}: cannot be written ({reason}); {hint}.") from None


def refusal(error: Exception) -> str | None:
    """Why the disk took no more, None if the error is about something else. Python says it by
    number, safetensors (Rust) in its text, torch.save only that writing failed."""
    number = getattr(error, "errno", None)
    if told := re.search(r"\(os error (\d+)\)", str(error)):
        number = int(told[1])
    if number in REFUSALS:
        return os.strerror(number)
    if re.search("PytorchStreamWriter|inline_container|iostream error", str(error)):
        return f"{os.strerror(errno.ENOSPC)}, or a fault of the disk"
    return None


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Within the block, transformers' progress bars and warnings stay out of a lesson's output."""
    from transformers.utils import logging  # heavy: only who loads a model pays for it

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def about(thing: str) -> Iterator[None]:
    """Within the block, an SdftError says what it is about: a file, a row, a recipe."""
    try:
        yield
    except SdftError as error:
        raise SdftError(f"{thing}: {error}") from None


@contextlib.contextmanager
def readable(name: str, presets: Iterable[str]) -> Iterator[None]:
    """Within the block, what transformers says of a model that it cannot read becomes one sentence:
    an SdftError that names the model, the reason and the ``presets`` to choose from."""
    try:
        with quiet_transformers():
            yield
    except Exception as error:  # of Python, safetensors and whatever else reads a model
        reason = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
        known = f"a preset ({', '.join(presets)}), a hub id that this machine can reach"
        remedy = f"give {known}, or a folder with config.json and safetensors weights"
        raise SdftError(f"model {name!r} could not be loaded ({reason}); {remedy}.") from None
