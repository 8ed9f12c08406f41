"""What this tutorial sets out to show, and results in one sentence (lessons 00, 04, 05 and 07).

The claims about SFT and SDFT were written down before the test was run, those about the fixed
sentence after a pilot with one training seed."""

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas

from sdft_lib.experiments.continual import matrix
from sdft_lib.experiments.recorded import at_end, recorded, recorded_orders
from sdft_lib.lessons.figures.style import look, looks_of, span
from sdft_lib.stats import Interval

MARGIN = 0.10  # a loss under this is small
SMALL = "loses little"  # the interval stays above -MARGIN; the other words are those of stats
CLAIMS = {  # claim: suite, a, b, and what must hold of a minus b
    "SFT knows fewer facts than the seed": ("facts", "sft", "seed", "lower"),
    "SDFT knows more facts than SFT": ("facts", "sdft", "sft", "higher"),
    "SDFT knows more facts than the fixed sentence": ("facts", "sdft", "sft-sentence", "higher"),
    "SDFT loses less than 0.10 of the seed's facts": ("facts", "sdft", "seed", SMALL),
    "SDFT learns the task to within 0.10 of SFT": ("task", "sdft", "sft", SMALL),
    "SDFT learns the task to within 0.10 of the fixed sentence": (
        "task",
        "sdft",
        "sft-sentence",
        SMALL,
    ),
}


def claims(gap: Interval, keep_rate: float, paired: pandas.DataFrame) -> list[dict]:
    """Each claim with its value, its interval (over test items) and whether it was reached. A claim
    about a method that was not run is left out. ``paired`` is the table of ``stats.compare``: its
    verdict says what is higher or lower."""
    kept = Interval(keep_rate, keep_rate, keep_rate, 1)  # a plain count: its two ends are equal
    closes = "the gap closes by more than 2 nats a token"
    rows = [
        claim_row("at least 90 % of the rewrites are kept", kept, keep_rate >= 0.9),
        claim_row(closes, gap, gap.mean > 2 and gap.low > 0),
    ]
    measured = {(row.suite, row.a, row.b): row for row in paired.itertuples()}
    for claim, (*key, wanted) in CLAIMS.items():
        if row := measured.get(tuple(key)):
            interval = Interval(row.difference, row.low, row.high, row.n)
            reached = row.low > -MARGIN if wanted == SMALL else row.verdict == wanted
            rows.append(claim_row(claim, interval, reached))
    return rows


def claim_row(claim: str, interval: Interval, reached: bool) -> dict:
    """One claim as a row; ``why`` says in words what was measured."""
    value, low, high = (round(float(x), 4) for x in (interval.mean, interval.low, interval.high))
    row = {"claim": claim, "value": value, "low": low, "high": high, "reached": bool(reached)}
    missed = f"measured {value:.2f}, 95 % interval {low:.2f} to {high:.2f}, which does not show it"
    return row | {"why": "holds" if reached else missed}


def headline(scores: Any, rows: int, task: str) -> str:
    """The result in words that claim no more than their numbers: how each model does on new items
    and on facts, before and after training on so many ``rows`` of a ``task``. ``scores``: rows of
    ``stats.summarise``, the seed's among them."""
    shares: dict[str, dict[str, str]] = {}
    for row in pandas.DataFrame(scores).itertuples():
        shares.setdefault(row.method, {})[row.suite] = f"{100 * row.mean:.0f} %"
    told = []
    for method, style in looks_of(shares).items():
        told.append(f"{style.label} {shares[method]['task']} and {shares[method]['facts']}")
    before, *after = told  # the seed comes first
    return (
        f"Share right on new items of the task and on easy facts. Before training: {before}. "
        f"After training on {rows} rows of {task}: {', '.join(after)}."
    )


def in_the_recorded_run(
    suite: str, methods: Sequence[str], task: str = "tickets", model: str = "smollm2-135m"
) -> str:
    """What the recorded run of a task says of a suite, as a sentence in lines of 72 characters: the
    seed's score and that of each method after training (lessons 00, 04 and 05)."""
    runs = recorded(task, model)
    own = runs[(runs["suite"] == suite) & runs["method"].isin(["seed", *methods])]
    rows = {row.method: row for row in at_end(own).itertuples()}
    if missing := [name for name in (*methods, "seed") if name not in rows]:
        return f"No recorded run of {task} has {suite} of {missing[0]} yet."
    told = [f"{look(name).label} {rows[name].mean:.2f}" for name in methods]
    count = span(rows[name].seeds for name in methods)
    often = "one training" if count == "1" else f"{count} trainings"
    said = (
        f"In the recorded run the seed scored {rows['seed'].mean:.2f} on {suite}, and after "
        f"training {'; '.join(told)} ({rows['seed'].n} items, {often} of each method)."
    )
    return textwrap.fill(said, 72, break_on_hyphens=False)


def in_the_recorded_order(task: str, order: str, model: str = "smollm2-135m") -> str:
    """What the recorded runs of several tasks in a row say of one of them, as a sentence in lines
    of 72 characters: each method's score just after its training and at the end (lesson 07)."""
    runs = recorded_orders(model)
    runs = runs[runs["order"] == order]
    if task not in set(runs["task"]):
        return f"No recorded run has {task} in the order {order} yet."
    stage, told = order.split("-").index(task) + 1, []
    for method, part in runs.groupby("method", sort=False):
        r = matrix(part)
        told.append(f"{look(method).label} {r[task][stage]:.2f} to {r[task].iloc[-1]:.2f}")
    items, seeds = r.attrs["n"][task], r.attrs["seeds"]
    said = (
        f"In the recorded runs of {order}, the score on {task} changed from just after its "
        f"training to the end: {'; '.join(told)} ({items} items, {seeds} trainings of each method)."
    )
    return textwrap.fill(said, 72, break_on_hyphens=False)
