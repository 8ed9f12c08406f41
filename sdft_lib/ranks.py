"""Several processes on one job: who does which rows, and how they exchange results (lesson 08).

``accelerate launch -m sdft_lib ...`` and ``torchrun`` start the same command in each process and tell it its rank by
environment variables. Whole planned batches are dealt out, so the result is that of one process, byte for byte.
"""

import functools
import os
from collections.abc import Sequence
from typing import Any


def world() -> int:
    """Number of processes of this job."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Number of this process, from 0; the first one writes what all of them made."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


@functools.cache
def start():
    """Meet the other processes once, and return the group for plain objects (gloo, whatever the device is)."""
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available() or os.environ.get("SDFT_DEVICE") == "cpu")
    return torch.distributed.new_group(backend="gloo")


def gather(value: Any) -> list:
    """One value of each process, by rank, in every process; all wait here for the slowest."""
    if world() == 1:
        return [value]
    import torch

    group, found = start(), [None] * world()
    torch.distributed.all_gather_object(found, value, group=group)
    return found


def union(found: dict) -> dict:
    """What any process found; all must call this."""
    together: dict = {}
    for part in gather(found):
        together |= part
    return together


def share(plan: Sequence) -> Sequence:
    """The part of a plan that this process does."""
    return plan[rank() :: world()]
