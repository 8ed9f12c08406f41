"""The table of the paper's seven fine-tuning sets (lesson 08; paper, section 4.2).

``paper_load`` reads them: the ``local`` file where there is one (these are the very rows that the
paper trained on), else the whole public set, cut to the paper's size."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

REPOSITORY = "https://raw.githubusercontent.com/sail-sg/sdft"


def plain_gsm8k(values: dict) -> dict:
    """GSM8K's answer as the paper trains it: no <<calculator>> marks, "The answer is N." in place
    of "#### N".
    """
    answer = re.sub(r"<<[^<>\n]*>>", "", values["answer"])
    return {**values, "answer": re.sub(r"\n####[ \t]*(\S+)\s*$", r"\nThe answer is \1.", answer)}


def turns_of_lima(values: dict) -> dict:
    """LIMA's list of texts as turns, user first; a last question that nobody answers is left
    out.
    """
    texts = values["conversations"]
    roles = ("user", "assistant")
    said = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
    return {"conversations": said[: len(said) - len(said) % 2]}


@dataclass(frozen=True)
class PaperSet:
    """One fine-tuning set.

    ``size``: rows the paper trains on; ``whole``: rows of the public source (None: not checked).
    ``local`` and ``local_test``: files under SDFT_PAPER_DATA. ``hub``, ``revision``, ``file``,
    ``test``: the public source. ``columns``: our roles to its columns; ``only``: (column, value) of
    the rows taken; ``prepare``: applied to each record first."""

    name: str
    kind: str
    size: int
    local: str
    hub: str
    revision: str
    file: str
    columns: dict = field(hash=False)
    licence: str
    whole: int | None = None
    local_test: str = ""
    test: str = ""
    only: tuple[str, str] | None = None
    prepare: Callable[[dict], dict] | None = None
    note: str = ""

    def address(self, file: str) -> str:
        """Where ``datasets`` reads a file, revision included."""
        if self.hub.startswith("https://"):
            return f"{self.hub}/{self.revision}/{file}"
        return f"hf://datasets/{self.hub}@{self.revision}/{file}"


PAPER_SETS = {
    chosen.name: chosen
    for chosen in (
        PaperSet(
            "gsm8k",
            "math",
            7473,
            "gsm8k/gsm8k_train.json",
            "openai/gsm8k",
            "740312add88f781978c0658806c59bc2815b9866",
            "main/train-00000-of-00001.parquet",
            {"prompt": "question", "reference": "answer"},
            "MIT",
            whole=7473,
            local_test="gsm8k/gsm8k_test.json",
            test="main/test-00000-of-00001.parquet",
            prepare=plain_gsm8k,
        ),
        PaperSet(
            "openfunctions",
            "call",
            2211,
            "openfunction/openfunction_train.json",
            REPOSITORY,
            "10a06038c188df0f601d10e5ddab3dc8e19330e5",
            "data/openfunction/openfunction_train.json",
            {"prompt": "instruction", "reference": "output"},
            "Apache-2.0",
            whole=2211,
            local_test="openfunction/openfunction_test.json",
            test="data/openfunction/openfunction_test.json",
            note="no data set of the hub holds these prompts, so the source is the file of the paper's repository",
        ),
        PaperSet(
            "magicoder",
            "open",
            2000,
            "magicoder/magicoder_train.json",
            "ise-uiuc/Magicoder-OSS-Instruct-75K",
            "5f839b1f368a76b161028bb9edff055db34022b2",
            "data-oss_instruct-decontaminated.jsonl",
            {"prompt": "problem", "reference": "solution"},
            "MIT",
            whole=75197,
            only=("lang", "python"),
            note="Python rows alone, as the paper's filter asks for Python; kind open, as code would have to be run",
        ),
        PaperSet(
            "alpaca",
            "open",
            2000,
            "alpaca/alpaca_train.json",
            "tatsu-lab/alpaca",
            "dce01c9b08f87459cf36a430d809084718273017",
            "data/train-00000-of-00001-a09b74b3ef9c3b56.parquet",
            {"prompt": "instruction", "input": "input", "reference": "output"},
            "CC BY-NC 4.0",
            whole=52002,
        ),
        PaperSet(
            "dolly",
            "open",
            2000,
            "dolly/dolly_train.json",
            "databricks/databricks-dolly-15k",
            "bdd27f4d94b9c1f951818a7da7fd7aeea5dbff1a",
            "databricks-dolly-15k.jsonl",
            {"prompt": "instruction", "input": "context", "reference": "response"},
            "CC BY-SA 3.0",
            whole=15011,
        ),
        PaperSet(
            "lima",
            "open",
            1029,
            "lima/lima_train.json",
            "GAIR/lima",
            "68958e98267f5fb4a52a03ebcdae4ae59213fa7c",
            "train.jsonl",
            {"messages": "conversations"},
            "its own (gated; see its card)",
            prepare=turns_of_lima,
            note="several turns in 29 rows of the paper's file; the public one is taken whole, without a draw",
        ),
        PaperSet(
            "openhermes",
            "open",
            20000,
            "openhermes/openhermes_train.json",
            "teknium/openhermes",
            "cbba06aea4dd066d19dc0985a930c13f803d3db3",
            "openhermes.json",
            {"prompt": "instruction", "input": "input", "reference": "output"},
            "several (see its card)",
            whole=242831,
        ),
    )
}
