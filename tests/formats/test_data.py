"""Rows come out of anybody's files whole and in order; an error names file, row and column."""

import json

import pytest

from sdft_lib import data
from sdft_lib.data import PROBES, load_probes, load_task, task_suite
from sdft_lib.formats import records
from sdft_lib.own_data.split import overlap
from sdft_lib.storage.errors import SdftError

PLAIN = {"instruction": "Name a colour.", "output": "It is red."}


def quiet(source, **options):
    return load_task(source, say=lambda text: None, **options)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def write_json(path, rows):
    return write(path, json.dumps(rows, ensure_ascii=False))


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


SYSTEM = {"role": "system", "content": "Be kind."}
SHAPES = [
    (PLAIN, [user("Name a colour.")], "It is red."),
    (PLAIN | {"input": ""}, [user("Name a colour.")], "It is red."),
    (PLAIN | {"input": "Not blue."}, [user("Name a colour.\nNot blue.")], "It is red."),
    (
        PLAIN | {"system": "Be kind.", "history": [["Hi", "Hello"]]},
        [SYSTEM, user("Hi"), assistant("Hello"), user("Name a colour.")],
        "It is red.",
    ),
    ({"prompt": "Q", "completion": " A\n"}, [user("Q")], " A\n"),
    ({"question": "Q", "answer": "A"}, [user("Q")], "A"),
    ({"Question": "Q", "Answer": 12}, [user("Q")], "12"),
    ({"goal": "Q", "target": "A"}, [user("Q")], "A"),
    ({"messages": [SYSTEM, user("Q"), assistant("A")]}, [SYSTEM, user("Q")], "A"),
    ({"messages": [user("Q")], "reference": "A"}, [user("Q")], "A"),
    ({"prompt": [user("Q")], "completion": [assistant("A")]}, [user("Q")], "A"),
    (
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        [user("Q")],
        "A",
    ),
    (
        {"messages": [user("1"), assistant("2"), user("3"), assistant("4")]},
        [user("1"), assistant("2"), user("3")],
        "4",
    ),
]


@pytest.mark.parametrize("row, messages, reference", SHAPES)
def test_a_usual_shape_is_understood(tmp_path, row, messages, reference):
    task = quiet(write_json(tmp_path / "mine.json", [row]))
    assert task.train == [{"id": "mine-0001", "messages": messages, "reference": reference}]


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", 'question,answer\n"one, two\nthree",4\n'),
        ("a.csv", 'question;answer\n"one, two\nthree";4\n'),
        ("a.csv", '\ufeffquestion,answer\r\n"one, two\nthree",4\r\n'),
        ("a.tsv", 'question\tanswer\n"one, two\nthree"\t4\n'),
        ("a.jsonl", '{"question": "one, two\\nthree", "answer": "4"}\n\n'),
        ("a.json", '{"data": [{"question": "one, two\\nthree", "answer": "4"}]}'),
        ("A.JSON", '[{"question": "one, two\\nthree", "answer": "4"}]'),
    ],
)
def test_each_format_gives_the_same_row(tmp_path, name, content):
    row = quiet(write(tmp_path / name, content)).train[0]
    assert (row["messages"], row["reference"]) == ([user("one, two\nthree")], "4")


def test_a_file_is_train_in_order_with_its_duplicates(tmp_path):
    task = quiet(
        write_json(tmp_path / "mine.json", [PLAIN, PLAIN | {"output": "Blue, I say."}, PLAIN])
    )
    assert [row["reference"] for row in task.train] == ["It is red.", "Blue, I say.", "It is red."]
    assert [row["id"] for row in task.train] == ["mine-0001", "mine-0002", "mine-0003"]
    assert (task.name, task.dev, task.test) == ("mine", None, None)


def test_own_columns_are_mapped(tmp_path):
    path = write(tmp_path / "a.csv", "frage,antwort\nQ,A\n")
    assert (
        quiet(path, columns={"prompt": "frage", "reference": "antwort"}).train[0]["reference"]
        == "A"
    )


@pytest.mark.parametrize(
    "references, kind, choices",
    [
        (["billing", "sales", "billing", "sales", "billing"], "label", ("billing", "sales")),
        (
            ["The answer is 4.", "So 3 apples cost $1,200", "7", "4 + 5 = 9", "\\boxed{12}"],
            "math",
            None,
        ),
        (["4", "4", "5", "5", "4"], "math", None),
        (["f(a=1)", "g.h(x='y')", "f()", "f(a=2)", "k(b=[1])"], "call", None),
        (["In 1999 it rained.", "A long story", "Red", "Yes, of course.", "No"], "open", None),
    ],
)
def test_the_kind_is_guessed_said_and_overridable(tmp_path, references, kind, choices):
    path = write_json(
        tmp_path / "a.json", [{"question": "Q", "answer": text} for text in references]
    )
    said = []
    task = load_task(path, say=said.append)
    assert (task.kind, task.choices) == (kind, choices)
    assert f"kind {kind}" in said[0] and len(said) == 1
    assert load_task(path, kind="open", say=said.append).kind == "open" and len(said) == 1


def test_unknown_names_are_said(tmp_path):
    with pytest.raises(SdftError, match='no task "ticket".*tickets'):
        quiet("ticket")
    with pytest.raises(SdftError, match="no task"):
        quiet("x" * 5000)
    with pytest.raises(SdftError, match="no such file"):
        quiet(tmp_path / "none.csv")
    with pytest.raises(SdftError, match=r"maths.* is not known .did you mean .math.*use math"):
        quiet("tickets", kind="maths")
    path = write(tmp_path / "a.csv", "question,answer\nQ,A\n")
    with pytest.raises(
        SdftError, match='column "frage" is missing; the columns are: question, answer'
    ):
        quiet(path, columns={"prompt": "frage"})
    with pytest.raises(SdftError, match='"fragen" is not a role'):
        quiet(path, columns={"fragen": "question"})


def test_empty_rows_can_be_dropped_and_the_count_is_said(tmp_path):
    said = []
    path = write(tmp_path / "a.csv", "question,answer\nQ,A\nQ, \nQ,B\n")
    task = load_task(path, drop_empty=True, kind="open", say=said.append)
    assert [row["id"] for row in task.train] == ["a-0001", "a-0003"]
    assert said == ["a.csv: 1 of 3 rows are empty and left out"]


def test_a_folder_has_splits(tmp_path):
    for split in ("train", "validation", "test"):
        write_json(tmp_path / f"{split}.json", [PLAIN])
    task = quiet(tmp_path)
    assert [rows[0]["id"] for rows in (task.train, task.dev, task.test)] == [
        "train-0001",
        "validation-0001",
        "test-0001",
    ]
    write_json(tmp_path / "dev.json", [PLAIN])
    with pytest.raises(SdftError, match="both hold dev rows"):
        quiet(tmp_path)


def test_a_folder_without_train_rows_is_refused(tmp_path):
    write_json(tmp_path / "rows.json", [PLAIN])
    with pytest.raises(SdftError, match=r"has no train file; name its rows train\.jsonl"):
        quiet(tmp_path)


@pytest.mark.parametrize("name", data.task_names())
def test_a_bundled_task_is_whole(name):
    card = json.loads((data.data_dir() / "tasks" / name / "task.json").read_text(encoding="utf-8"))
    task = load_task(name, say=pytest.fail)
    assert (task.name, task.kind, list(task.choices or [])) == (
        name,
        card["kind"],
        card["choices"] or [],
    )
    for split, count in card["rows"].items():
        assert len(getattr(task, split)) == count
    assert task.digest == quiet(name).digest != quiet(name, drop_empty=True, kind="open").digest


@pytest.mark.parametrize("name", data.task_names())
def test_dev_and_test_are_no_training_prompts(name):
    task = quiet(name)
    assert overlap(task.train, task.dev)["duplicates"] == 0
    assert overlap(task.train, task.test)["duplicates"] == 0


def copy_of_the_data(tmp_path, monkeypatch, part, name):
    import shutil

    shutil.copytree(data.data_dir() / part, tmp_path / part)
    monkeypatch.setattr(data, "data_dir", lambda: tmp_path)
    with open(tmp_path / part / name, "ab") as file:
        file.write(b"\n")


def test_an_altered_file_is_refused(tmp_path, monkeypatch):
    copy_of_the_data(tmp_path, monkeypatch, "tasks", "tickets/test.jsonl")
    with pytest.raises(SdftError, match=r"test\.jsonl: altered"):
        quiet("tickets")
    (tmp_path / "tasks/tickets/test.jsonl").unlink()
    with pytest.raises(SdftError, match="the test file of task.json is missing"):
        quiet("tickets")


def test_an_altered_probe_is_refused(tmp_path, monkeypatch):
    copy_of_the_data(tmp_path, monkeypatch, "probes", "facts.jsonl")
    with pytest.raises(SdftError, match=r"facts\.jsonl: altered"):
        load_probes("facts")
    assert load_probes("helpful").rows


def test_an_opened_suite_asks_the_same_and_has_its_own_name():
    suite, opened = load_probes("facts"), load_probes("facts", opening="The answer is")
    assert (opened.name, opened.opening) == ("facts-opened", "The answer is")
    assert opened.rows == suite.rows and suite.opening == ""


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_suite_loads(name):
    suite, plain = load_probes(name), load_probes(name, plain=True)
    assert suite.name == name and len(suite.rows) == len(plain.rows) >= 60
    assert {row["messages"][0]["role"] for row in plain.rows} == {"user"}
    stored = name in ("safety", "benign")
    assert plain.name == (f"{name}-plain" if stored else name)
    assert {row["messages"][0]["role"] for row in suite.rows} == {"system" if stored else "user"}
    assert 0 < suite.max_new_tokens <= 200


def test_an_unknown_probe_is_said():
    with pytest.raises(SdftError, match='no probe suite "fact"; use facts, helpful'):
        load_probes("fact")


def test_a_task_is_a_suite(tmp_path):
    suite = task_suite(quiet("tickets"), "dev", 5)
    assert (suite.name, suite.kind, len(suite.rows), suite.max_new_tokens) == (
        "task",
        "label",
        5,
        24,
    )
    assert "billing" in suite.choices
    task = quiet(write_json(tmp_path / "a.json", [PLAIN]), kind="open")
    assert task_suite(task, "train").max_new_tokens == 200
    with pytest.raises(SdftError, match="a has no test rows"):
        task_suite(task)


def prompts(*texts, start=1):
    return [
        {"id": f"r{number}", "messages": [user(text)]} for number, text in enumerate(texts, start)
    ]


def test_overlap_counts_prompts_and_word_sequences():
    rule = "Say in one word which of the three teams should answer this: "
    train = prompts(rule + "my parcel is late", rule + "a b c d e f g h i j")
    other = prompts(
        rule + "My  parcel is late!",
        rule + "x B c d e f g h i y",
        rule + "nothing alike in here at all, really no",
    )
    assert overlap(train, other) == {
        "duplicates": 1,
        "shared_share": pytest.approx(1 / 3),
        "ids": ["r1", "r2"],
    }
    assert overlap(train, []) == {"duplicates": 0, "shared_share": 0.0, "ids": []}
    assert overlap([], other)["ids"] == []


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch):
    class Unreachable:
        @staticmethod
        def load_dataset(*_, **__):
            raise ConnectionError("no route\nto host")

    monkeypatch.setattr(records, "datasets", Unreachable)
    with pytest.raises(
        SdftError, match="hf:org/name:test: the data set cannot be loaded"
    ) as caught:
        quiet("hf:org/name:test")
    assert "\n" not in str(caught.value)


def test_hub_rows_are_train_and_class_numbers_become_names(monkeypatch):
    class Names:
        @staticmethod
        def int2str(number):
            return ("good", "bad")[number]

    class Table(list):
        features = {"label": Names}

    class Hub:
        @staticmethod
        def load_dataset(name, split):
            assert (name, split) == ("org/name", "test")
            return Table(
                [{"text": "Fine film.", "label": 0}, {"text": "Dull film.", "label": 1}] * 2
            )

    monkeypatch.setattr(records, "datasets", Hub)
    task = quiet("hf:org/name:test")
    assert (task.kind, task.choices, task.train[1]["reference"]) == (
        "label",
        ("bad", "good"),
        "bad",
    )


def test_a_task_of_the_data_folder_needs_no_more_than_any_folder(tmp_path, monkeypatch):
    """What CONTRIBUTING asks of a new task: rows, a task.json that may say the kind alone, a card.
    ``choices`` was asked for, in a KeyError; rows had to have our columns, in JSONL."""
    folder = tmp_path / "tasks" / "toy"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("question,answer\nQ,ja\nR,nein\n", encoding="utf-8")
    (folder / "task.json").write_text('{"kind": "label"}', encoding="utf-8")
    monkeypatch.setattr("sdft_lib.data.data_dir", lambda: tmp_path)
    task = load_task("toy")
    assert (task.name, task.kind, task.choices) == ("toy", "label", ("ja", "nein"))
    asked = [{"role": "user", "content": "Q"}]
    assert task.train[0] == {"id": "train-0001", "messages": asked, "reference": "ja"}
