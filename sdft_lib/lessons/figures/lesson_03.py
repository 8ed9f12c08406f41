"""The figure of lesson 03: the training loss of each method."""

from collections.abc import Mapping
from typing import Any

import numpy
import pandas

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.style import Shown
from sdft_lib.storage.errors import SdftError


def loss_curves(logs: Mapping[str, Any]) -> Shown:
    """Training loss of each method: tables with ``step`` and ``loss``; finite ones are drawn."""
    fig, ax = style.new_axes(3.6)
    looks, ends, told = style.looks_of(logs), [], []
    for turn, (method, look) in enumerate(looks.items()):
        log = pandas.DataFrame(logs[method], columns=["step", "loss"]).sort_values("step")
        log = log[numpy.isfinite(log["loss"].astype(float))]
        if log.empty:
            raise SdftError(f"The log of '{method}' holds no loss.")
        how = {"linestyle": look.line, "linewidth": 2, "markersize": 6, "markeredgecolor": None}
        every = max(1, len(log) // 8)  # each method has its markers at other steps
        at = (turn * every // len(looks), every)
        style.mark(ax, log["step"], log["loss"], look, markevery=at, **how)
        first, last = log.iloc[0], log.iloc[-1]
        ends.append((last["step"], last["loss"], log["loss"].max()))
        start, end = (f"{row['loss']:.2f} at step {row['step']:g}" for row in (first, last))
        told.append(f"{look.label} from {start} to {end}")
    steps, losses, highest = zip(*ends)
    end, top = max(steps), max(highest)
    for look, height in zip(looks.values(), style.spread(losses, 0.09 * top), strict=True):
        how = {"color": look.colour, "fontweight": "bold", "annotation_clip": False}
        style.note(ax, look.label, (end * 1.02, height), **how)
    ax.set(xlim=(0, end * 1.16), ylim=(-0.08 * top, top * 1.08))
    ax.set(xlabel="optimiser step", ylabel="loss (nats per trained token)")
    return Shown(
        fig,
        f"Lines of training loss: {'; '.join(told)}.",
        f"Training loss: {'; '.join(told)}. One run each, so no interval. The two methods learn "
        "different texts: a lower line means texts that are easier for the model, not a better "
        "model.",
    )
