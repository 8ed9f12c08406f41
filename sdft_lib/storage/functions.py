"""Functions that a user brings, such as an own check of rewrites (``--verifier``; lesson 09).

They run as the user's own code, with all rights, so only the user may name them."""

import copy
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sdft_lib.storage.errors import SdftError

T = TypeVar("T")


def load_function(name: str) -> Callable:
    """The function of "module:function"; the module may lie in the working folder. Raises
    SdftError: another form, no such module or function, a module that fails."""
    module, _, function = name.partition(":")
    if not (all(map(str.isidentifier, module.split("."))) and function.isidentifier()):
        raise SdftError(f'"{name:.80}" is not of the form module:function, such as mine:check.')
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function, None)
    except BaseException as error:  # SystemExit too: whatever the file does when it is read
        if isinstance(error, KeyboardInterrupt):
            raise
        what = f"the module {module} cannot be loaded ({type(error).__name__}: {error})"
        raise SdftError(f"{what}; name one that lies in this folder, without .py.") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not inspect.isfunction(found):
        raise SdftError(f"{module} has no function {function}; give the name of one.")
    return found


def source_of(function: Callable) -> dict:
    """Module, name and SHA-256 of the source file of a function, for an artefact's key. In a
    notebook it is the hash of the function's own lines. What the function reads or imports is not
    seen. Raises SdftError for what has no name or source of its own, such as a lambda."""
    name = getattr(function, "__qualname__", "<nameless>")
    try:
        if "<" in name:
            raise TypeError("it has no name of its own")
        path = Path(inspect.getsourcefile(function) or "")
        code = path.read_bytes() if path.is_file() else inspect.getsource(function).encode()
    except (OSError, TypeError) as error:
        remedy = "define it by name in a file or a cell"
        raise SdftError(
            f"{function!r:.60} cannot be told from others ({error}); {remedy}."
        ) from None
    sha256 = hashlib.sha256(code).hexdigest()
    return {"module": function.__module__, "name": name, "sha256": sha256}


def call(function: Callable, wanted: type[T], where: str, *values: Any) -> T:
    """What a user's function returns; it gets copies, so what it changes stays its own. Raises
    SdftError, which names it and ``where``, if it fails or returns something else than a
    ``wanted``."""
    try:
        result = function(*copy.deepcopy(values))
        if isinstance(result, wanted):
            return result
        problem = f"returns {result!r:.60}, no {wanted.__name__}"
    except SdftError:
        raise
    except Exception as error:
        problem = f"raises {type(error).__name__} ({error})"
    raise SdftError(f"{where}: the function {function.__qualname__} {problem}; mend it.")
