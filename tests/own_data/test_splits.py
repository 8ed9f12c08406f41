"""One file becomes train, dev and test rows: fair to each label, no question in two splits, the
same everywhere.
"""

import json
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from sdft_lib.data import Task, load_task, task_suite
from sdft_lib.own_data.split import overlap, question_of, split_task, write_task
from sdft_lib.storage.errors import SdftError


def task(count, labels=("loans", "rooms"), kind="label", **more):
    rows = [
        {
            "id": str(i),
            "messages": [{"role": "user", "content": f"Where does request {i} go?"}],
            "reference": labels[i % len(labels)],
        }
        for i in range(count)
    ]
    return Task("mine", kind, rows, choices=tuple(labels), **more)


def ids(rows):
    return [row["id"] for row in rows]


def test_each_row_is_in_one_split_and_the_sentence_says_how_many():
    said = []
    made = split_task(task(56, ("a", "b", "c", "d")), say=said.append)
    assert (len(made.train), len(made.dev), len(made.test)) == (34, 8, 14)
    assert sorted(ids(made.train + made.dev + made.test), key=int) == [str(i) for i in range(56)]
    assert said == [
        "mine: no test rows, so 56 rows were split (seed 0) into 34 train, 8 dev, 14 test"
    ]
    assert made.digest and made.choices == ("a", "b", "c", "d")
    assert ids(made.train) == sorted(ids(made.train), key=int)  # the order of the file stays


@pytest.mark.parametrize("sizes", [(28, 28), (50, 6), (40, 9, 7)])
def test_labels_are_shared_out_evenly(sizes):
    labels = [label for label, size in zip("abc", sizes, strict=False) for _ in range(size)]
    made = split_task(task(len(labels), labels), say=lambda line: None)
    for split in (made.train, made.dev, made.test):
        found = Counter(row["reference"] for row in split)
        for label, size in zip("abc", sizes, strict=False):
            assert abs(found[label] - size * len(split) / len(labels)) <= 1


def test_place_follows_from_the_words_and_the_seed_alone():
    one, rows = task(40), task(40).train
    turned = split_task(
        Task("mine", "label", rows[::-1], choices=one.choices), say=lambda line: None
    )
    first, other = (split_task(one, seed=seed, say=lambda line: None) for seed in (0, 1))
    assert set(ids(first.test)) == set(ids(turned.test)) != set(ids(other.test))


def test_the_same_question_is_never_in_two_splits():
    rows = task(40).train
    again = [
        row
        | {
            "id": f"x{row['id']}",
            "messages": [{"role": "user", "content": row["messages"][0]["content"].upper() + "!"}],
        }
        for row in rows
    ]
    made = split_task(Task("mine", "label", rows + again), say=lambda line: None)
    assert overlap(made.train, made.dev + made.test)["duplicates"] == 0
    assert len(made.train) == 2 * len({question_of(row) for row in made.train})


def test_rows_of_one_scenario_are_never_in_two_splits(tmp_path):
    rows = [
        {"prompt": f"Where does {n} go?", "reference": "ab"[n % 2], "customer": n // 4}
        for n in range(80)
    ]
    rows += [{"prompt": "where does 0 go", "reference": "a", "customer": 19}]  # asked again
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = {"kind": "label", "say": lambda line: None}
    whole = load_task(path, columns={"scenario": "customer"}, **options)
    assert list(whole.units.values()) == [str(row["customer"]) for row in rows]
    assert all(set(row) == {"id", "messages", "reference"} for row in whole.train)
    assert (
        whole.digest == load_task(path, **options).digest and not load_task(path, **options).units
    )
    made = split_task(whole, say=lambda line: None)
    assert made.units == whole.units and len(made.dev) >= 12 and len(made.test) >= 20
    parts = [made.train, made.dev, made.test]
    for one, other in combinations(parts, 2):  # the one question of two scenarios goes with one
        assert {made.units[name] for name in ids(one)} & {made.units[n] for n in ids(other)} <= {
            "19"
        }
        assert not {question_of(row) for row in one} & {question_of(row) for row in other}


def test_signs_tell_questions_apart_and_punctuation_does_not():
    asked = ["3 + 4", "3 * 4", "3 / 4", "🙂", "🙃"]
    rows = [{"id": text, "messages": [{"role": "user", "content": text}]} for text in asked]
    assert overlap(rows[:1], rows[1:])["ids"] == overlap(rows[3:4], rows[4:])["ids"] == []
    again = {"id": "again", "messages": [{"role": "user", "content": "(3) + 4?!"}]}
    assert overlap(rows, [again])["duplicates"] == 1


def test_given_test_rows_stay_and_given_dev_rows_stay_dev():
    whole = task(4, test=task(2).train)
    assert split_task(whole) is whole
    made = split_task(task(20, dev=[{**task(1).train[0], "id": "d"}]), say=lambda line: None)
    assert ids(made.dev) == ["d"] and (len(made.train), len(made.test)) == (15, 5)


def test_large_files_keep_most_rows_for_training():
    made = split_task(task(4000, kind="open"), say=lambda line: None)
    assert (len(made.dev), len(made.test)) == (200, 400)


def test_too_few_questions_are_one_sentence():
    with pytest.raises(
        SdftError, match="mine has 11 different questions and no test rows; give at least 12"
    ):
        split_task(task(11))
    whole = task(40)
    with pytest.raises(SdftError, match="mine has 1 scenarios and no test rows"):
        split_task(replace(whole, units=dict.fromkeys(ids(whole.train), "x")))


def test_a_split_is_written_as_a_folder_that_is_read_as_the_same_task(tmp_path):
    """40 questions of 20 customers, two labels: the folder keeps splits, labels and customers."""
    lines = ["question,answer,scenario\n"]
    for number in range(40):
        lines.append(f"Frage {number},{'ja' if number % 4 < 2 else 'nein'},K{number // 2}\n")
    mine = tmp_path / "mine.csv"
    mine.write_text("".join(lines), encoding="utf-8")
    whole = load_task(mine, kind="label")
    with pytest.raises(SdftError, match="mine has no test rows; make some with sdft data split"):
        task_suite(whole)
    made = split_task(whole)
    assert write_task(made, tmp_path / "task") == {"train": 24, "dev": 6, "test": 10}
    again = load_task(tmp_path / "task")
    assert (again.train, again.dev, again.test) == (made.train, made.dev, made.test)
    assert (again.kind, again.choices) == ("label", ("ja", "nein"))
    assert len(set(again.units.values())) == 20
    assert (again.units, again.digest) == (made.units, made.digest)
    with pytest.raises(SdftError, match="cannot be written"):
        write_task(made, tmp_path / "task")


def test_a_folder_without_rights_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(SdftError, match="the folder cannot be read; check its rights"):
        load_task(tmp_path)
