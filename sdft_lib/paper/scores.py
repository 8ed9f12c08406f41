"""Score a file of answers to one of the paper's evaluation sets (lesson 10; paper, section 4.2).

Answers are joined to items by id, and none may be missing. The paper's own measure of function
calls, a literal match that asks for the reference's order of arguments, is kept beside ours."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdft_lib.answers.code import before, extract_code
from sdft_lib.formats.records import read_records
from sdft_lib.kinds import KINDS
from sdft_lib.paper.rules import PAPER_RIGHT, literal_match
from sdft_lib.paper.sandbox import run_tests
from sdft_lib.paper.suites import PaperSuite, load_items, prompt_of
from sdft_lib.score import score
from sdft_lib.stats import wilson
from sdft_lib.storage.errors import SdftError

LITERAL = "openfunctions-literal"
THOUGHT = "</think>"


def read_answers(path: Path, suite: PaperSuite) -> dict[str, dict]:
    """Rows with ``id`` and ``text`` by id; where rows name their suite, those of this one.

    Raises SdftError: a missing or odd column, an id that comes twice, no row of this suite."""
    answers = {}
    for record in read_records(path):
        values = record.values
        if values.get("suite", suite.name) != suite.name:
            continue
        for name in ("id", "text"):
            if not isinstance(values.get(name), str):
                raise SdftError(f'{record.where}: column "{name}" is missing or no text; add it.')
        if (identity := values["id"]) in answers:
            raise SdftError(f'{record.where}: the id "{identity}" comes twice; keep one answer.')
        answers[identity] = values
    if not answers:
        raise SdftError(f"{path} holds no answer to {suite.name}; give the file of that suite.")
    return answers


def matched(
    items: list[dict], answers: dict[str, dict], suite: PaperSuite, limit: int | None = None
) -> list[tuple[dict, str]]:
    """Each of the first ``limit`` items with its answer's text. Raises SdftError: an item lacks an
    answer, an answer has no item, or carries another prompt than the item's."""
    if odd := sorted(set(answers) - {item["id"] for item in items}):
        raise SdftError(f'{suite.name} has no item "{odd[0]}"; remove that answer or mend its id.')
    items = items[:limit]
    if absent := [item["id"] for item in items if item["id"] not in answers]:
        few = f'{len(absent)} of {len(items)} items have no answer, the first is "{absent[0]}"'
        raise SdftError(f"{suite.name}: {few}; answer all, or give --limit for the first ones.")
    for item in items if suite.name != "advbench-jailbreak" else ():  # whose suffix is the user's
        prompt = answers[item["id"]].get("prompt")
        if isinstance(prompt, str) and prompt != prompt_of(item):
            raise SdftError(f'{suite.name}: the answer "{item["id"]}" is to another prompt.')
    return [(item, spoken(answers[item["id"]]["text"])) for item in items]


def spoken(text: str) -> str:
    """The answer behind a thinking model's thoughts; nothing if it never came to its answer."""
    if THOUGHT in text:
        return text.rpartition(THOUGHT)[2]
    return "" if text.lstrip().startswith("<think>") else text


def score_file(
    path: Path,
    suite: PaperSuite,
    *,
    limit: int | None = None,
    allow_code: bool = False,
    phrases: Sequence[str] | None = None,
) -> list[dict]:
    """One row an item and measure: suite, id, score, parsed (an answer could be read), reason.

    HumanEval runs the answers' code, so it asks for ``allow_code``. ``phrases``: the paper's rules
    decide, with these phrases for safety; None: ours. Raises SdftError as ``read_answers`` and
    ``matched`` do, and for AlpacaEval, which needs a judge."""
    needs = KINDS[suite.kind].needs
    if needs == "judge":
        raise SdftError(f"{suite.name} has no right answers to compare with; use sdft judge.")
    if needs == "sandbox" and not allow_code:
        raise SdftError("humaneval runs code that a model wrote; say --allow-code-execution.")
    answers = read_answers(path, suite)
    return score_answers(suite, load_items(suite), answers, limit=limit, phrases=phrases)


def score_answers(
    suite: PaperSuite,
    items: list[dict],
    answers: dict[str, dict],
    *,
    limit: int | None = None,
    phrases: Sequence[str] | None = None,
) -> list[dict]:
    """The rows of ``score_file`` for items and answers by id; HumanEval's code is run."""
    pairs, needs = matched(items, answers, suite, limit), KINDS[suite.kind].needs
    if phrases is not None and needs != "sandbox":
        return [paper_row(suite, item, text, answers[item["id"]], phrases) for item, text in pairs]
    one = code_row if needs == "sandbox" else text_row
    rows = [one(suite, item, text) for item, text in pairs]
    for item, text in pairs if suite.name == "openfunctions" else ():
        rows.append(as_row(LITERAL, item, literal_match(item["reference"], text)))
    return rows


def paper_row(
    suite: PaperSuite, item: dict, text: str, answer: dict, phrases: Sequence[str]
) -> dict:
    """One item by the rule of the paper's code: last whole number, literal call, or one of its
    phrases; of a withheld answer ``sdft answer`` told whether it held one (``phrase``)."""
    if suite.kind in PAPER_RIGHT:
        right = PAPER_RIGHT[suite.kind](item["reference"], text.strip())
    elif (right := answer.get("phrase")) is None:
        if answer.get("withheld"):
            problem = f'the answer "{item["id"]}" was withheld before the phrases were counted'
            raise SdftError(f"{suite.name}: {problem}; answer anew with --rules paper.")
        right = any(phrase in text for phrase in phrases)
    return as_row(suite.name, item, right)


def text_row(suite: PaperSuite, item: dict, text: str) -> dict:
    """One item by the metric of its kind."""
    value, parsed = score(suite.kind, item["reference"], text), KINDS[suite.kind].reads(text)
    return as_row(suite.name, item, value, parsed, "" if value or parsed else "unparsed")


def code_row(suite: PaperSuite, item: dict, text: str) -> dict:
    """One problem of HumanEval: its code runs in the sandbox, its tests beside it, where the
    answer cannot reach; helpers of the prompt that tests call are the prompt's own."""
    name = item["entry_point"]
    code, reason = extract_code(text, item["prompt"], name), "unparsed"
    if code is not None:
        tests = f"{before(item['prompt'], name)}\n{item['test']}"
        reason = run_tests(code, name, tests).reason
    return as_row(suite.name, item, reason == "passed", code is not None, reason)


def as_row(name: str, item: dict, value: float, parsed: bool = True, reason: str = "") -> dict:
    """One line of a scores file; the ``reason`` is "right" or "wrong" where none is given."""
    reason = reason or ("right" if value else "wrong")
    return dict(suite=name, id=item["id"], score=float(value), parsed=parsed, reason=reason)


def table(rows: list[dict]) -> list[dict]:
    """One line a measure: suite, n, right, share with Wilson's 95 % interval, unparsed, reasons."""
    lines = []
    for name in dict.fromkeys(row["suite"] for row in rows):
        part = [row for row in rows if row["suite"] == name]
        right = sum(int(row["score"]) for row in part)
        interval = wilson(right, len(part))
        reasons = Counter(row["reason"] for row in part)
        line = {"suite": name, "n": len(part), "right": right, "share": interval.mean}
        line |= {"low": interval.low, "high": interval.high}
        lines.append(line | {"unparsed": reasons["unparsed"], "reasons": dict(reasons)})
    return lines
