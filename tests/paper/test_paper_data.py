"""Every public file that the paper's repository ships is read as it is, with its own columns."""

import json

import pytest

from sdft_lib.data import load_task
from sdft_lib.own_data.split import overlap

FILES = {
    "gsm8k/gsm8k_train.json": (7473, "math"),
    "openfunction/openfunction_train.json": (2211, "call"),
    "openfunction/openfunction_test.json": (112, "call"),
    "alpaca/alpaca_train.json": (2000, "open"),
    "dolly/dolly_train.json": (2000, "open"),
    "multiarith_test.json": (180, "math"),
    "alpaca_eval.json": (805, "open"),
    "harmful_behaviors.csv": (520, "open"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_public_file_is_read_whole(paper_data, name):
    said = []
    task = load_task(paper_data / name, say=said.append)
    assert (len(task.train), task.kind) == FILES[name]
    assert (task.dev, task.test) == (None, None)
    assert task.kind in said[0]
    assert all(
        row["messages"][-1]["role"] == "user" and row["reference"].strip() for row in task.train
    )
    assert len({row["id"] for row in task.train}) == len(task.train)


def test_no_file_of_the_folder_is_left_unread(paper_data):
    data = {
        path.relative_to(paper_data).as_posix() for path in paper_data.rglob("*") if path.is_file()
    }
    assert {name for name in data if name.endswith((".json", ".csv"))} - {
        "dataset_info.json"
    } == set(FILES)


def test_the_column_maps_of_the_index_give_the_same_rows(paper_data):
    index = json.loads((paper_data / "dataset_info.json").read_text(encoding="utf-8"))
    checked = 0
    for entry in index.values():
        if entry["file_name"] in FILES:
            path = paper_data / entry["file_name"]
            mapped = load_task(path, kind="open", columns=entry["columns"])
            assert mapped.train == load_task(path, kind="open").train
            checked += 1
    assert checked == len(FILES)


def test_order_and_duplicates_are_kept(paper_data):
    path = paper_data / "openfunction/openfunction_train.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    task = load_task(path, kind="call")
    assert [row["reference"] for row in task.train] == [row["output"] for row in raw]
    assert len({row["messages"][0]["content"] for row in task.train}) < len(raw)


def test_the_input_stands_below_the_instruction(paper_data):
    path = paper_data / "alpaca/alpaca_train.json"
    raw = json.loads(path.read_text(encoding="utf-8"))[0]
    prompt = load_task(path, kind="open").train[0]["messages"]
    assert prompt == [{"role": "user", "content": f"{raw['instruction']}\n{raw['input']}"}]


def test_overlap_of_the_public_split_is_reported(paper_data):
    train = load_task(paper_data / "openfunction/openfunction_train.json", kind="call").train
    test = load_task(paper_data / "openfunction/openfunction_test.json", kind="call").train
    assert (len(train), len(test)) == (2211, 112)
    assert overlap(train, test) == {"duplicates": 0, "shared_share": 0.0, "ids": []}
    seen = overlap([*train, *test[:5]], test)
    assert (seen["duplicates"], seen["ids"][:5]) == (5, [row["id"] for row in test[:5]])
    assert overlap(test, test)["duplicates"] == 112
