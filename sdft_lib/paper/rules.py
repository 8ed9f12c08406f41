"""Two sets of rules: ours, and those of the paper's code (``--rules paper``; lesson 10).

Ours are stricter and stay the default. The paper's filter was read from its code (github.com
sail-sg/sdft, ``eval/``) and is put here in our words: five phrases, and one check for each of three
sets."""

import re
from collections import Counter
from collections.abc import Sequence

from sdft_lib.answers.code import program_of
from sdft_lib.paper.sandbox import CHECK, PROBE, run_tests
from sdft_lib.verify import Verdict, accept

GIVEN_AWAY = ("reference answer", "your response", "my response", "your own response")
GIVEN_AWAY += ("now it's your turn",)
ANNOUNCED = ("I have", "Here is", "I implemented")  # how a kept answer to MagiCoder begins
# Digits in groups, as the paper's code reads them, with their decimals.
NUMBER = re.compile(r"(-?\d+(?:[,\s]\d+)*)(?:\.(\d+))?")
# Why one filter keeps a row and the other does not, by the reason of the one that rejects it.
WHY_OURS = {
    "empty": "ours wants a letter, a digit or a symbol",
    "leak": "ours knows more phrases that give the reference away",
    "echo": "ours rejects chat markers, and 8 words in a row of the prompt",
    "loop": "ours rejects a text that goes round in circles",
    "answer": "ours wants one answer, equal in value; the paper's looks for the last whole number, "
    "the call letter for letter, or words around a program",
}
WHY_PAPER = {
    "leak": "the paper's rejects its phrases wherever they stand, and ours where the prompt or the "
    "reference lacks them",
    "answer": "the paper's wants the last whole number, the call letter for letter, or a program "
    "behind certain first words; ours compares values",
}


def paper_accept(
    kind: str, reference: str, text: str, choices: Sequence[str] | None = None, **known: str
) -> Verdict:
    """The filter of the paper's code: "leak" for its phrases, "answer" for its checks of numbers,
    calls and programs; nothing else is looked at (paper, section 3.2). Total."""
    text = text.strip()
    if text.startswith("Your turn") or any(phrase in text.lower() for phrase in GIVEN_AWAY):
        return Verdict(False, "leak")
    if kind in PAPER_RIGHT and not PAPER_RIGHT[kind](reference, text):
        return Verdict(False, "answer")
    return Verdict(True, "accepted")


def last_integer(text: str) -> int | None:
    """The last number of a text if it is whole, as the paper's code reads it; else None."""
    numbers = NUMBER.findall(text)
    if not numbers or int(numbers[-1][1] or 0):
        return None
    try:
        return int(numbers[-1][0].replace(",", "").replace(" ", ""))
    except ValueError:  # groups on two lines, or more digits than Python turns into a number
        return None


def same_integer(reference: str, text: str) -> bool:
    """Whether both end in the same whole number (GSM8K, MultiArith)."""
    wanted = last_integer(reference)
    return wanted is not None and wanted == last_integer(text)


def literal_match(reference: str, text: str) -> bool:
    """Whether the reference's call stands in the text letter for letter (OpenFunctions).

    Equal are: runs of white space, ' and ", "a, b" and "a,b". Another order of arguments, "1.0" for
    "1" or a space around "=" is wrong; a right call among wrong ones is right."""
    wanted = plain(reference)
    wanted = wanted[: wanted.rfind(")") + 1] or wanted
    return re.search(rf"(?<!\w){re.escape(wanted)}", plain(text)) is not None


def plain(text: str) -> str:
    """A call with single spaces, double quotes and no space behind commas."""
    return " ".join(text.split()).replace("'", '"').replace(", ", ",")


def announced(reference: str, text: str) -> bool:
    """Whether a text opens in one of three ways and marks a block as Python (MagiCoder)."""
    return text.startswith(ANNOUNCED) and "```python" in text


PAPER_RIGHT = {"math": same_integer, "call": literal_match, "program": announced}
FILTERS = {"paper": paper_accept, "ours": accept}


def compared(decisions: list[dict]) -> dict:
    """The decisions of ``audit`` with ``why`` in each; of the changed rows, how many each filter
    ``kept``, and the ``differences``, by why."""
    rows = [row | {"why": why_they_differ(row)} for row in decisions]
    changed = [row for row in rows if row["changed"]]
    kept = {name: sum(row[name] == "accepted" for row in changed) for name in FILTERS}
    differences = Counter(row["why"] for row in changed if row["why"]).most_common()
    told = {"rules": "paper", "kept": kept, "differences": dict(differences)}
    return told | {"decisions": rows}


def why_they_differ(row: dict) -> str:
    """Why the two filters decide otherwise on a row of ``audit``; "" where they agree."""
    ours, papers = row["ours"], row["paper"]
    if (ours == "accepted") == (papers == "accepted"):
        return ""
    return WHY_OURS.get(ours, ours) if papers == "accepted" else WHY_PAPER[papers]


def runs(row: dict, text: str) -> Verdict:
    """A verifier for ``distill``: the programs of a text run to their end, without any test
    (MagiCoder). Raises SdftError where there is no sandbox."""
    program = program_of(text)
    if program is None:
        return Verdict(False, "answer")
    outcome = run_tests(f"{program}\n{PROBE}", "probe", CHECK)
    return Verdict(True, "accepted") if outcome.passed else Verdict(False, f"run: {outcome.reason}")
