"""Every option of every command with values that make no sense: an answer or one sentence.

The list of commands and options is typer's own, so a new option is tried, too.
"""

import json

import pytest
import typer
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.storage.errors import SdftError

WRONG = ["0", "-1", "9" * 400, "nan", "1e999", "", " ", ".", "folder", "a\nb", "a\0b", "~nobody/x"]
WRONG += [
    "\udcff",
    "ü😀",
    "a" * 5000,
    "--",
    "=",
    "a=b",
    "{x}",
    "deep.toml",
    "deep.jsonl",
    "hf:",
    "../x",
]
ROW = {"id": "a", "messages": [{"role": "user", "content": "Which team?"}], "reference": "billing"}
ROW |= {"text": "It is billing.", "source": "rewritten"}
SCORE = {"method": "a", "suite": "task", "id": "1", "score": 1}
RIGHT = {
    "export": ["rows.jsonl", "--out", "o"],
    "train": ["--data", "rows.jsonl", "--out", "o"],
    "compare": ["a.jsonl", "b.jsonl"],
    "audit": ["--original", "q.csv", "--distilled", "q.csv"],
    "answer": ["--suite", "gsm8k", "--out", "o.jsonl"],
    "score": ["rows.jsonl", "--suite", "gsm8k"],
    "judge": ["rows.jsonl", "--outputs", "o.json"],
    "knowledge": ["--out", "o", "--task", "nope"],
    "compare-lm-eval": ["a", "b"],
    "check": ["q.csv"],
    "split": ["q.csv", "--out", "o"],
    "reproduce": ["--dry-run"],
    "fetch": ["nope"],
    "doctor": None,  # nothing to be wrong
    "models": None,
}


def commands(group=None) -> dict:
    """All commands by name, those of groups as well."""
    every = {}
    for name, each in (group or typer.main.get_command(cli.app)).commands.items():
        every |= commands(each) if hasattr(each, "commands") else {name: each}
    return every


def lines(name: str, parameters) -> list[list[str]]:
    """The command's right arguments, each time with one of them replaced by a wrong one."""
    right, made = RIGHT.get(name, []), []
    places = [each.name for each in parameters if each.param_type_name == "argument"]
    for each in parameters:
        for wrong in [] if getattr(each, "is_flag", False) else WRONG:
            line = list(right)
            if each.name in places:
                line[places.index(each.name) : places.index(each.name) + 1] = [wrong]
            elif (option := max(each.opts, key=len)) in line:
                line[line.index(option) + 1] = wrong
            else:
                line += [option, wrong]
            made.append(line)
    return made


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with an example of each file; no model is loaded, nothing is fetched."""

    def refuse(*args, **options):
        raise SdftError("nothing is loaded here.")

    names = ("models.load_seed", "engines.load.load", "experiments.grid.load_seed")
    names += ("experiments.run_one.load_seed", "paper.lm_eval.load_seed", "storage.wheels.fetch")
    names += ("formats.records.datasets.load_dataset", "paper.suites.download")
    for name in names:
        monkeypatch.setattr(f"sdft_lib.{name}", refuse)
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SDFT_PAPER_DATA", raising=False)
    files = {"rows.jsonl": json.dumps(ROW), "a.jsonl": json.dumps(SCORE)}
    files |= {"b.jsonl": json.dumps(SCORE | {"method": "b"}), "folder/x": ""}
    files |= {"deep.jsonl": "[" * 100_000, "deep.toml": "a = " + "[" * 100_000}
    files["q.csv"] = "question,answer\n" + "".join(f"Q{n},{n % 2}\n" for n in range(20))
    for name, text in files.items():
        path = tmp_path / "place" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path / "place")


@pytest.mark.parametrize("name", [name for name in commands() if RIGHT.get(name, 1) is not None])
def test_no_value_gives_a_traceback(name, place):
    before = ["data", name] if name in ("check", "split") else [name]
    tried = lines(name, commands()[name].params)
    for line in tried:
        done = CliRunner().invoke(cli.app, [*before, *line])
        said = done.stderr.strip().splitlines()
        assert done.exit_code in (0, 2), (line, said or done.exception)
        assert done.exit_code == 0 or (said[-1].endswith(".") and len(said[-1]) < 1000), line
    assert len(tried) >= len(WRONG)
