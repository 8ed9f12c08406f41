"""Kinds of tasks and probes, and which one a set of references looks like."""

import re
from collections.abc import Callable

KINDS = ("math", "call", "label", "code", "open", "fact", "constraint", "refusal", "comply")
MOST_LABELS, LABEL_WORDS, GUESS_SHARE = 20, 4, 0.8


def guess_kind(rows: list[dict]) -> str:
    """``label`` (few short references that recur), ``call``, ``math`` (a number ends them) or
    ``open``.
    """
    from sdft_lib.answers.numbers import final_number, parse_call

    references = [row["reference"].strip() for row in rows]
    distinct = set(references)
    short = max(len(text.split()) for text in distinct) <= LABEL_WORDS
    numeric = all(re.fullmatch(r"[-+$\d.,/%\s]+", text) for text in distinct)
    if short and not numeric and len(distinct) <= min(MOST_LABELS, len(rows) // 2):
        return "label"
    if share(references, lambda text: parse_call(text) is not None) >= GUESS_SHARE:
        return "call"
    ends = re.compile(r"\d\S*\W*$|\\boxed\{.*\}\W*$")
    if (
        share(references, lambda text: ends.search(text) and final_number(text) is not None)
        >= GUESS_SHARE
    ):
        return "math"
    return "open"


def share(items: list, test: Callable) -> float:
    """Share of items that pass."""
    return sum(bool(test(item)) for item in items) / max(len(items), 1)
