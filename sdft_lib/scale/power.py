"""How many items a difference needs, and which difference n items show (lesson 10).

Power is the chance that a test finds a difference that is there. The share of right answers is a
number in [0, 1]. All is the usual arithmetic of the normal curve, good from some fifty items on."""

import math

import pandas
from scipy.optimize import brentq
from scipy.stats import norm

from sdft_lib.scale.published import interval
from sdft_lib.storage.errors import SdftError

POWER = 0.8  # four times out of five
SURE = float(norm.ppf(0.975))  # standard errors: the limit of a two-sided 5 %


def power(a: float, b: float, n: int) -> float:
    """The chance that two models of true shares ``a`` and ``b`` differ clearly on ``n`` items each.
    The two answer as if on different items: two published shares allow no more (Fleiss 1981)."""
    if n < 1:
        raise SdftError(f"power: {n} items; give at least one.")
    pooled, own = spreads(a, b)
    if not own:
        return 1.0 if a != b else 0.0
    return float(norm.cdf((abs(a - b) * math.sqrt(n) - SURE * pooled) / own))


def items_needed(a: float, b: float) -> int:
    """The fewest items that show ``a`` and ``b`` to differ with chance POWER (SdftError: equal)."""
    if a == b:
        raise SdftError("no number of items shows a difference of nothing; give two shares.")
    pooled, own = spreads(a, b)
    return math.ceil(((SURE * pooled + norm.ppf(POWER) * own) / (a - b)) ** 2)


def items_needed_paired(difference: float, disagree: float) -> int:
    """The same for two models on the same items, of which only a share ``disagree`` gets different
    marks (Connor 1987). Raises SdftError unless 0 < difference <= disagree <= 1: each point of
    difference is an item they disagree on."""
    if not 0 < abs(difference) <= disagree <= 1:
        least = f"items that disagree from {abs(difference)} to 1, not {disagree}"
        raise SdftError(f"a difference of {difference} needs a share of {least}.")
    pooled, own = math.sqrt(disagree), math.sqrt(disagree - difference**2)
    return math.ceil(((SURE * pooled + norm.ppf(POWER) * own) / difference) ** 2)


def detectable(share: float, n: int) -> float:
    """The smallest difference from ``share`` that ``n`` items show; inf if not even the largest.
    Taken towards one half, where the luck of the items is larger."""
    largest = 1 - share if share <= 0.5 else -share

    def surplus(difference: float) -> float:
        return power(share, share + difference, n) - POWER

    return abs(brentq(surplus, 0, largest, xtol=1e-12)) if surplus(largest) >= 0 else math.inf


def with_power(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table of ``published.sdft_minus_sft`` with what so many items can show; all in points.

    ``half``: half the width of SFT's interval; ``detectable``: the difference that so many items
    show four times out of five where SFT stands at that share; ``seen``: whether the published
    difference is as large."""
    halves, shown = [], []
    for value, n in zip(table["sft"], table["n_items"], strict=True):
        _, low, high = interval(value, n)
        halves.append((high - low) / 2)
        shown.append(100 * detectable(value / 100, n))
    table = table.assign(half=halves, detectable=shown)
    return table.assign(seen=table["difference"].abs() >= table["detectable"])


def spreads(a: float, b: float) -> tuple[float, float]:
    """Standard deviations of a - b of two answers: if both had the mean share, and as they are.
    Raises SdftError for what is no share."""
    if not (0 <= a <= 1 and 0 <= b <= 1):
        raise SdftError(f"{a} and {b} are not two shares; give numbers from 0 to 1.")
    mean = (a + b) / 2
    return math.sqrt(2 * mean * (1 - mean)), math.sqrt(a * (1 - a) + b * (1 - b))
