"""The figures of lesson 08: what a teacher knows and says, and paired differences of methods."""

from collections.abc import Sequence
from typing import Any

import pandas
import torch

from sdft_lib.lessons.figures import intervals, style
from sdft_lib.lessons.figures.costs import cost_bars
from sdft_lib.lessons.figures.intervals import headline, tradeoff
from sdft_lib.lessons.figures.style import Shown, look, token_label

__all__ = ["ceiling", "corrections", "cost_bars", "differences", "headline", "tradeoff"]


def ceiling(table: Any) -> Shown:
    """How well the seed does when its prompt holds more and more: a row for each, with intervals.
    ``table``: rows of ``stats.summarise`` on the task; ``method`` says what the prompt holds."""
    table = style.table_of(table, "answers of teachers")
    fig, ax = style.new_axes(1.0 + 0.55 * len(table), "x")
    told = []
    for place, row in enumerate(table.itertuples()):
        intervals.interval_dot(ax, row, place, look("seed" if place == 0 else "sdft-2026"))
        told.append(f"{row.method} {intervals.in_words(row)}")
    intervals.part_rows(ax, list(table["method"]))
    ax.set(xlim=(-0.02, 1.02), ylim=(len(table) - 0.5, -0.5), xlabel="score of the seed on task")
    return Shown(
        fig,
        f"Dots with 95 % intervals of the seed's score on the task. {'; '.join(told)}.",
        "The same test items each time; only the prompt holds more. The last row is the teacher of "
        f"SDFT 2026, about the most that a student can reach. n = {intervals.of_units(row)}, "
        "intervals over items.",
    )


def corrections(
    tokenizer: Any, ids: Sequence[int], teacher: torch.Tensor, kl: torch.Tensor
) -> pandas.DataFrame:
    """What a teacher says about an answer, a row a token: what the student wrote, what the teacher
    finds likeliest there, and their KL in nats. ``teacher``: logits (tokens, vocabulary)."""
    tokens = {"student wrote": ids, "teacher's likeliest": teacher.argmax(-1).tolist()}
    table = pandas.DataFrame(tokens).map(lambda token: token_label(tokenizer.decode([token])))
    return table.assign(**{"KL, nats": [round(value, 2) for value in kl.tolist()]})


def differences(table: Any) -> Shown:
    """Paired differences (``stats.compare``) with intervals, a row a pair, a panel a suite; hollow
    where the verdict is that none is shown."""
    table = style.table_of(table, "paired differences").rename(columns={"difference": "mean"})
    suites = list(table["suite"].unique())
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    fig, panels = style.new_panels(len(suites), 1.0 + 0.5 * len(pairs), "x", beside=True)
    told = []
    for ax, suite in zip(panels, suites, strict=True):
        for row in table[table["suite"] == suite].itertuples():
            hollow = {"markerfacecolor": "white", "markeredgecolor": look(row.a).colour}
            how = {} if row.verdict in ("higher", "lower") else hollow
            intervals.interval_dot(ax, row, pairs.index((row.a, row.b)), look(row.a), **how)
            said = f"{row.mean:+.2f} ({row.low:+.2f} to {row.high:+.2f}), {row.verdict}"
            told.append(f"{suite}: {look(row.a).label} minus {look(row.b).label} {said}")
        ax.axvline(0, color=style.INK, linewidth=1, zorder=1)
        ax.set(ylim=(len(pairs) - 0.5, -0.5), xlabel=f"difference on {suite}")
    names = [f"{look(a).label}\nminus {look(b).label}" for a, b in pairs]
    panels[0].set_yticks(range(len(pairs)), names)
    return Shown(
        fig,
        f"Dots with 95 % intervals of paired differences. {'; '.join(told)}.",
        "To the right of the line: the first of the two scored more. Hollow: no difference is "
        "shown after Holm's correction. 95 % intervals over scenarios, paired by item; one "
        "training of each model.",
    )
