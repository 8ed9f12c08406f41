"""The bundled tasks: sizes, balance, no overlap of splits, right references, cards and
checksums.
"""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sdft_lib.data import load_task, task_suite
from sdft_lib.storage.errors import SdftError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
TASKS = {"tickets": "label", "sums": "math", "calls": "call"}
SIZES = {"train": 480, "dev": 120, "test": 240}
TYPES = {"int": int, "str": str}
# at most this share of dev or test rows may have eight words in a row in common with train
SHARED = 0.05


def rows(task: str, split: str) -> list[dict]:
    path = DATA / "tasks" / task / f"{split}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def everything(task: str) -> list[dict]:
    return [row for split in SIZES for row in rows(task, split)]


def record(task: str) -> dict:
    return json.loads((DATA / "tasks" / task / "task.json").read_text(encoding="utf-8"))


def prompt(row: dict) -> str:
    return row["messages"][-1]["content"]


def normalised(text: str) -> str:
    """Lower case, words and numbers only."""
    return " ".join(re.findall(r"\w+", text.lower()))


def skeleton(row: dict, names: set[str]) -> str:
    """The prompt without its numbers, names and things: what is left is the story or the
    phrasing.
    """
    words = normalised(prompt(row)).split()
    return " ".join("_" if word in names or word.isdigit() else word for word in words)


def module(name: str):
    folder = str(DATA / "generators")
    sys.path.insert(0, folder)
    try:
        return __import__(name)
    finally:
        sys.path.remove(folder)


@pytest.mark.parametrize("task", TASKS)
def test_rows_have_the_shape_and_number_the_card_says(task):
    for split, size in SIZES.items():
        found = rows(task, split)
        assert len(found) == size == record(task)["rows"][split]
        assert [row["id"] for row in found] == [
            f"{task}-{split}-{n:04d}" for n in range(1, size + 1)
        ]
        for row in found:
            assert list(row) == ["id", "messages", "reference"]
            assert [message["role"] for message in row["messages"]] == ["user"]
            assert row["reference"] == row["reference"].strip() != ""
            assert prompt(row).splitlines()[0] == record(task)["instruction"]


@pytest.mark.parametrize("task", TASKS)
def test_no_prompt_occurs_twice_in_a_split_or_across_splits(task):
    counts = Counter(normalised(prompt(row)) for row in everything(task))
    assert [text for text, number in counts.items() if number > 1] == []


def shingles(row: dict, size: int = 8) -> set[str]:
    """Runs of `size` words of the prompt, without its first line (the instruction, the same in all
    rows).
    """
    words = normalised(prompt(row).split("\n", 1)[1]).split()
    return {" ".join(words[start : start + size]) for start in range(len(words) - size + 1)}


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("task", TASKS)
def test_few_rows_share_eight_words_in_a_row_with_train(task, split):
    known = set.union(*(shingles(row) for row in rows(task, "train")))
    found = rows(task, split)
    assert sum(bool(shingles(row) & known) for row in found) / len(found) <= SHARED


@pytest.mark.parametrize("task", TASKS)
def test_checksums_kind_and_card_agree_with_the_files(task):
    about = record(task)
    card = (DATA / "tasks" / task / "README.md").read_text(encoding="utf-8")
    assert (about["name"], about["kind"], about["licence"]) == (task, TASKS[task], "CC BY 4.0")
    for split in SIZES:
        found = hashlib.sha256((DATA / "tasks" / task / f"{split}.jsonl").read_bytes()).hexdigest()
        assert about["sha256"][split] == found
        assert f"| {split} | {SIZES[split]} | `{found}` |" in card
    units = hashlib.sha256((DATA / "tasks" / task / "units.json").read_bytes()).hexdigest()
    assert about["units"] == units and f"| units | | `{units}` |" in card
    assert "CC BY 4.0" in card
    assert re.search(r"<!-- fit:begin -->\n.+\n<!-- fit:end -->", card, re.DOTALL)


@pytest.mark.parametrize(
    "task, number",
    [
        ("tickets", {"dev": 48, "test": 72}),
        ("sums", {"dev": 12, "test": 16}),
        ("calls", {"dev": 24, "test": 48}),
    ],
)
def test_every_measured_row_has_the_scenario_it_was_made_from(task, number):
    units = load_task(task).units
    assert set(units) == {row["id"] for split in number for row in rows(task, split)}
    for split, scenarios in number.items():
        texts = module(task).scenarios(split)
        found = Counter(units[row["id"]] for row in rows(task, split))
        assert set(found) == {f"{split} {name}" for name in texts} and len(found) == scenarios
        for row in rows(task, split):  # the words of the scenario stand in the row, in its order
            rest = prompt(row)
            for part in re.split(r"\{\w+\}", texts[units[row["id"]].removeprefix(f"{split} ")]):
                assert part in rest
                rest = rest.split(part, 1)[1] if part else rest


def test_units_are_in_no_digest_and_an_altered_file_is_refused(tmp_path):
    folder = shutil.copytree(DATA / "tasks" / "tickets", tmp_path / "tickets")
    card = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    whole = load_task(folder)
    assert whole.units == load_task("tickets").units == task_suite(whole).units
    (folder / "task.json").write_text(json.dumps(card | {"units": None}), encoding="utf-8")
    with pytest.raises(SdftError, match="units.json: altered"):
        load_task(folder)
    del card["units"]
    (folder / "task.json").write_text(json.dumps(card), encoding="utf-8")
    assert load_task(folder).units == {} and load_task(folder).digest == whole.digest
    text = '{"tickets-dev-0001": 1}'
    (folder / "units.json").write_text(text, encoding="utf-8")
    card["units"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "task.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(SdftError, match="units.json: not an object of row ids and scenarios"):
        load_task(folder)


def test_tickets_are_balanced_and_never_name_a_team():
    teams = record("tickets")["choices"]
    for split, size in SIZES.items():
        counts = Counter(row["reference"] for row in rows("tickets", split))
        assert counts == {team: size // len(teams) for team in teams}
    for row in everything("tickets"):
        message = prompt(row).split("\n", 1)[1].lower()
        assert [team for team in teams if team in message] == []


def test_sums_are_right_small_balanced_and_use_the_numbers_of_the_story():
    for split, size in SIZES.items():
        signs = Counter()
        for row in rows("sums", split):
            a, sign, b, result = re.fullmatch(
                r"(\d+) ([+-]) (\d+) = (\d+)", row["reference"]
            ).groups()
            assert int(a) + (int(b) if sign == "+" else -int(b)) == int(result) > 0
            assert 2 <= min(int(a), int(b)) and max(int(a), int(b)) <= 10
            assert sorted(re.findall(r"\d+", prompt(row))) == sorted([a, b])
            signs[sign] += 1
        assert signs == {"+": size // 2, "-": size // 2}


def test_no_story_of_sums_is_in_two_splits():
    sums = module("sums")
    words = {word.lower() for word in (*sums.NAMES, *sums.THINGS)}
    stories = {split: {skeleton(row, words) for row in rows("sums", split)} for split in SIZES}
    assert {split: len(found) for split, found in stories.items()} == {
        "train": 24,
        "dev": 12,
        "test": 16,
    }
    assert len(set.union(*stories.values())) == 24 + 12 + 16


def test_calls_parse_and_match_the_signature_and_the_request():
    for row in everything("calls"):
        _, shown, request = prompt(row).split("\n")
        signature = ast.parse(f"def {shown.removeprefix('Function: ')}: pass").body[0]
        call = ast.parse(row["reference"], mode="eval").body
        assert call.func.id == signature.name and not call.args
        values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        wanted = {argument.arg: TYPES[argument.annotation.id] for argument in signature.args.args}
        assert {name: type(value) for name, value in values.items()} == wanted
        assert len(values) in (1, 2)
        for value in values.values():
            assert re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", request), row


def test_calls_are_balanced_and_each_split_has_phrasings_of_its_own():
    calls = module("calls")
    for split, size in SIZES.items():
        counts = Counter(row["reference"].split("(")[0] for row in rows("calls", split))
        assert counts == {name: size // len(calls.FUNCTIONS) for name in calls.FUNCTIONS}
    for name, (_, *phrasings) in calls.FUNCTIONS.items():
        together = [normalised(text) for split in phrasings for text in split]
        assert len(set(together)) == len(together) == 5, name


def test_every_prompt_comes_from_the_text_bank_of_its_own_split():
    calls = module("calls")
    for split in SIZES:
        for row in rows("calls", split):
            request = prompt(row).split("Request: ")[1]
            call = ast.parse(row["reference"], mode="eval").body
            values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
            own = calls.FUNCTIONS[call.func.id][calls.PLACE[split]]
            assert request in [phrasing.format(**values) for phrasing in own]


def test_tickets_splits_share_no_scenario_opener_or_closer():
    tickets = module("tickets")
    scenarios = {split: sum(tickets.SCENARIOS[split].values(), ()) for split in SIZES}
    for bank in (scenarios, tickets.OPENERS, tickets.CLOSERS):
        texts = [{normalised(text) for text in bank[split]} - {""} for split in SIZES]
        assert len(set.union(*texts)) == sum(len(part) for part in texts)


def test_check_passes_and_fails_on_a_changed_file(tmp_path):
    shutil.copytree(DATA / "generators", tmp_path / "data" / "generators")
    shutil.copytree(DATA / "tasks", tmp_path / "data" / "tasks")
    command = [sys.executable, str(tmp_path / "data" / "generators" / "make_tasks.py"), "--check"]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0, good.stdout + good.stderr
    with (tmp_path / "data" / "tasks" / "sums" / "dev.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1 and "differs: data/tasks/sums/dev.jsonl" in bad.stdout
