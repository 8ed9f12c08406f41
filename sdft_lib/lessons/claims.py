"""What this tutorial sets out to show, written down before the test was run (lesson 04)."""

import pandas

from sdft_lib.stats import Interval

CLAIMS = {  # claim: (suite, a, b), and what the row of a minus b must show: a verdict, a margin
    "SFT knows fewer facts than the seed": (
        ("facts", "sft", "seed"),
        lambda x: x.verdict == "lower",
    ),
    "SDFT knows more facts than SFT": (("facts", "sdft", "sft"), lambda x: x.verdict == "higher"),
    "SDFT loses less than 0.10 of the seed's facts": (
        ("facts", "sdft", "seed"),
        lambda x: x.low > -0.1,
    ),
    "SDFT learns the task to within 0.10 of SFT": (("task", "sdft", "sft"), lambda x: x.low > -0.1),
}


def claims(gap: Interval, keep_rate: float, paired: pandas.DataFrame) -> list[dict]:
    """Each claim with its value, its interval and whether it was reached.

    ``paired`` is the table of ``stats.compare``; a claim about a method that was not run is left
    out. The intervals cover test items, not training seeds."""
    kept = Interval(keep_rate, keep_rate, keep_rate, 1)  # a plain count: its two ends are equal
    wide = "the gap closes by more than 2 nats a token"
    rows = [
        judged("at least 90 % of the rewrites are kept", kept, keep_rate >= 0.9),
        judged(wide, gap, gap.mean > 2 and gap.low > 0),
    ]
    measured = {(row.suite, row.a, row.b): row for row in paired.itertuples()}
    for claim, (key, test) in CLAIMS.items():
        if key in measured:
            row = measured[key]
            difference = Interval(row.difference, row.low, row.high, row.n)
            rows.append(judged(claim, difference, test(row)))
    return rows


def judged(claim: str, interval: Interval, reached: bool) -> dict:
    """One claim as a row; ``why`` says in words what the interval allows."""
    value, low, high = (round(float(x), 4) for x in (interval.mean, interval.low, interval.high))
    row = {"claim": claim, "value": value, "low": low, "high": high}
    if reached:
        return row | {"reached": True, "why": "holds"}
    why = f"measured {value:.2f}, 95 % interval {low:.2f} to {high:.2f}, does not carry it"
    return row | {"reached": False, "why": why}
