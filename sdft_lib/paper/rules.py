"""Two sets of rules: ours, and those of the paper's code (``--rules paper``; lesson 10).

Ours are stricter and stay the default. The paper's filter was read from its code (github.com
sail-sg/sdft, ``eval/``) and is put here in our words: five phrases, and one check for each of three
sets."""

import ast
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdft_lib.answers.code import program_of
from sdft_lib.formats.records import read_text
from sdft_lib.formats.toml import check_known
from sdft_lib.kinds import KINDS
from sdft_lib.paper.sandbox import CHECK, PROBE, run_tests
from sdft_lib.storage.devices import choose_device
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import folder_of
from sdft_lib.verify import Verdict, accept

VERSION = 1  # raise it when a change of code changes what the paper's rules keep or train
PHRASES_FILE = "keyword_eval_safety.py"
GIVEN_AWAY = ("reference answer", "your response", "my response", "your own response")
GIVEN_AWAY += ("now it's your turn",)
ANNOUNCED = ("I have", "Here is", "I implemented")  # how a kept answer to MagiCoder begins
# Digits in groups, as the paper's code reads them, with their decimals.
NUMBER = re.compile(r"(-?\d+(?:[,\s]\d+)*)(?:\.(\d+))?")


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


class Paper:
    """The paper's rules for ``distill``, test answers and scores; None in its place: ours.

    ``sampling``: how rewrites and test answers are drawn, once each (programs for HumanEval are
    greedy). ``says``: what a report says of them."""

    name = "paper"
    parts = {"name": "paper", "version": VERSION}
    sampling = {"temperature": 0.95, "top_p": 0.7, "top_k": 50, "seed": 42}
    says = (
        "the paper's filter, a prefill that is not trained, one sampled answer an item, last whole "
        "numbers, calls letter for letter, its phrases for safety, every turn trained"
    )
    accept = staticmethod(paper_accept)

    def trained(self, opening: str, row: dict) -> str:
        """What of a prefill stays in the target: all of one that holds the answer, which would else
        be lost; nothing of "Let's think step by step"."""
        return opening if row["reference"] in opening else ""


def rules_of(name: str) -> Paper | None:
    """PAPER or None (ours) by name, and fp16 on a GPU as in the paper's code, unless ``SDFT_DTYPE``
    is set. Raises SdftError for another name."""
    check_known(name, FILTERS, "rules")
    if name == "paper" and choose_device() == "cuda":
        os.environ.setdefault("SDFT_DTYPE", "fp16")
    return PAPER if name == "paper" else None


def every_turn(rows: Sequence[dict]) -> list[dict]:
    """The rows and, behind each that has earlier answers of the assistant, one row for each of
    these (LIMA): the paper trains all turns of a row, we the last one."""
    made = []
    for row in rows:
        made.append(row)
        for number, turn in enumerate(row["messages"]):
            if turn["role"] == "assistant":
                text, head = turn["content"], {"id": f"{row['id']}-turn-{number}"}
                head |= {"messages": row["messages"][:number], "reference": text, "text": text}
                made.append(head | {"source": "original", "reason": "turn", "raw": ""})
    return made


def phrases_of(suite, rules: Paper | None, path: Path | None) -> tuple[str, ...] | None:
    """The paper's phrases for a suite whose score is their count, () for others; None: our rules.
    Raises SdftError as ``read_phrases`` does."""
    if rules is None:
        return None
    return read_phrases(path) if KINDS[suite.kind].private else ()


def read_phrases(path: Path | None) -> tuple[str, ...]:
    """The phrases that make an answer safe to the paper's code, out of the user's own checkout: the
    longest collection of texts in ``path`` (None: the file beside SDFT_PAPER_DATA), which is parsed
    and never run. Its repository names no licence, so the list is not copied here."""
    data = folder_of("SDFT_PAPER_DATA")
    if path is None:
        path = data and data.parent / "eval" / PHRASES_FILE
    if path is None or not path.is_file():
        problem = f"the paper's rule counts phrases of its own code, and {path} is not there"
        remedy = f"give --phrases eval/{PHRASES_FILE} of a checkout of github.com/sail-sg/sdft"
        raise SdftError(f"{problem}; {remedy}.")
    phrases: tuple[str, ...] = ()
    try:
        nodes = list(ast.walk(ast.parse(read_text(path))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        nodes = []
    for node in nodes:
        if isinstance(node, ast.Set | ast.List | ast.Tuple):
            texts = [part.value for part in node.elts if isinstance(part, ast.Constant)]
            if len(texts) > len(phrases) and all(isinstance(text, str) for text in texts):
                phrases = tuple(texts)
    if not phrases:
        raise SdftError(f"{path} holds no list of phrases; give the paper's {PHRASES_FILE}.")
    return phrases


PAPER = Paper()
PAPER_RIGHT = {"math": same_integer, "call": literal_match, "program": announced}
FILTERS = {"paper": paper_accept, "ours": accept}


def compared(decisions: list[dict]) -> dict:
    """Of the changed rows in the decisions of ``audit``: how many each filter ``kept``, and the
    ``differences``, by what either said of a row that only one keeps."""
    changed = [row for row in decisions if row["changed"]]
    kept = {name: sum(row[name] == "accepted" for row in changed) for name in FILTERS}
    differences = Counter()
    for row in changed:
        if (row["ours"] == "accepted") != (row["paper"] == "accepted"):
            differences[f"paper {row['paper']}, ours {row['ours']}"] += 1
    return {"rules": "paper", "kept": kept, "differences": dict(differences.most_common())}


def runs(row: dict, text: str) -> Verdict:
    """A verifier for ``distill``: the programs of a text run to their end, without any test
    (MagiCoder). Raises SdftError where there is no sandbox."""
    program = program_of(text)
    if program is None:
        return Verdict(False, "answer")
    outcome = run_tests(f"{program}\n{PROBE}", "probe", CHECK)
    return Verdict(True, "accepted") if outcome.passed else Verdict(False, f"run: {outcome.reason}")
