"""Why a reference has no answer that can be read, in words (``sdft data check``; lesson 08).

The parsers (``answers``, ``calls``) return None for such a text. A rewrite of it is never kept and
a test answer to it never right, so a set should say how many there are and what is wrong with each.
"""

import ast
import re
import warnings
from collections.abc import Sequence

from sdft_lib.answers.calls import CALL_START, CHAINED, call_end
from sdft_lib.answers.numbers import final_choice, final_number, parse_call

READ = ("math", "call", "label")  # kinds whose references must hold one answer
PLACEHOLDER = re.compile(
    r"(?<=[=(,\[])\s*(<[\w. -]{1,40}>)"
)  # bare: inside quotes it is an ordinary text


def unread(kind: str, rows: Sequence[dict], choices: Sequence[str] | None = None) -> list[dict]:
    """``{"id", "reason", "reference"}`` of each row whose reference cannot be read; [] for kinds
    that are not read.
    """
    found = (
        ((row, why_unread(kind, row["reference"], choices)) for row in rows) if kind in READ else ()
    )
    return [
        {"id": row["id"], "reason": reason, "reference": row["reference"]}
        for row, reason in found
        if reason
    ]


def why_unread(kind: str, reference: str, choices: Sequence[str] | None = None) -> str:
    """What is wrong with a reference, "" if it can be read."""
    if kind == "math":
        return "" if final_number(reference) is not None else why_no_number(reference)
    if kind == "call":
        return "" if parse_call(reference) is not None else why_no_call(reference)
    return (
        ""
        if not choices or final_choice(reference, choices) is not None
        else "it names no single label"
    )


def why_no_number(text: str) -> str:
    """Why ``final_number`` found none."""
    return (
        "there is more than one number that could be final"
        if re.search(r"\d", text)
        else "there is no number"
    )


def why_no_call(text: str) -> str:
    """Why ``parse_call`` found no single call."""
    start = CALL_START.search(text)
    if not start:
        return "there is no call"
    end = call_end(text, start.end() - 1)
    if end is None:
        return "the bracket of the call is never closed"
    if hit := PLACEHOLDER.search(text, start.end() - 1, end):
        return f"the placeholder {hit[1]} stands where a value belongs"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse("f" + text[start.end() - 1 : end], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"it is not Python ({getattr(error, 'msg', None) or type(error).__name__})"
    if CHAINED.match(text, end):
        return "it goes on from the result of a call"
    names = [word.arg for word in getattr(node, "keywords", [])]
    return (
        "an argument is given twice"
        if len(set(names)) < len(names)
        else "there is more than one call"
    )
