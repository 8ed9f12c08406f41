"""Several processes on one job: who does which rows, and how they exchange results (lesson 10).

``accelerate launch -m sdft_lib ...`` and ``torchrun`` tell each process its rank by environment
variables. Whole planned batches are dealt out, so the result is that of one process."""

import atexit
import functools
import os
from collections import ChainMap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sdft_lib.storage.errors import SdftError

SWITCH = {"": None} | dict.fromkeys(("1", "true", "yes", "on", "y", "t"), True)
SWITCH |= dict.fromkeys(("0", "false", "no", "off", "n", "f"), False)


def world() -> int:
    """Number of processes of this job."""
    return max(1, number("WORLD_SIZE", 1))


def rank() -> int:
    """Number of this process, from 0; the first one writes what all of them made."""
    if (count := world()) == 1:
        return 0
    if (own := number("RANK", 0)) >= count:
        raise SdftError(f"RANK={own} is not below WORLD_SIZE={count}; use accelerate launch.")
    return own


def number(name: str, default: int) -> int:
    """A whole number from the environment. Raises SdftError for anything else."""
    text = os.environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise SdftError(f"{name}={text}: this is no number of processes; unset it.")
    return int(text)


def switch(name: str, default: bool = False) -> bool:
    """A yes or no from the environment. Raises SdftError for a word that is neither."""
    text = os.environ.get(name, "").strip().casefold()
    if text not in SWITCH:
        raise SdftError(f"{name}={text}: this is neither yes nor no; say 1 or 0, or unset it.")
    return default if SWITCH[text] is None else SWITCH[text]


@functools.cache
def start():
    """Meet the other processes once; return the group for plain objects (gloo on any device).
    Raises SdftError if they cannot be met: a port or an address that is none, say."""
    import torch  # heavy: one process alone never comes here
    from accelerate import PartialState

    try:
        PartialState(cpu=not torch.cuda.is_available() or os.environ.get("SDFT_DEVICE") == "cpu")
        group = torch.distributed.new_group(backend="gloo")
    except (ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        remedy = "start all of them with accelerate launch, or unset WORLD_SIZE"
        raise SdftError(f"the {world()} processes cannot meet ({reason}); {remedy}.") from None
    atexit.register(leave)
    return group


def leave() -> None:
    """Part from the other processes: threads of theirs that outlive Python end it by SIGABRT."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def gather(value: Any) -> list:
    """One value of each process, by rank, in every process; all wait here for the slowest."""
    if world() == 1:
        return [value]
    import torch

    group, values = start(), [None] * world()
    torch.distributed.all_gather_object(values, value, group=group)
    return values


def union(part: dict) -> dict:
    """What all processes know together; all must call this."""
    return dict(ChainMap(*gather(part)))


def share(plan: Sequence) -> Sequence:
    """The part of a plan that this process does."""
    return plan[rank() :: world()]


def help_make(work: Path, build: Callable[[Path], object]) -> None:
    """Do this process's share of an artefact that the first one makes, in a folder of its own."""
    own = work / f"rank-{rank()}"
    gather(None)  # the first process has made the folder
    own.mkdir(parents=True, exist_ok=True)
    build(own)
    gather(None)  # nobody writes in the folder any more
    gather(None)  # what is made is in its place


def common(folder: Path) -> Path:
    """The folder that all processes share while they make an artefact."""
    return folder.parent.parent if rank() else folder
