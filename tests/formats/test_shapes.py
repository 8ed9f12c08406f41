"""What public files do to a reader: each is read right, or refused in one sentence that names file,
row and column; no turn and no text is lost unsaid. Rebuilt small after public reports."""

import json

import pytest

from sdft_lib.data import load_task
from sdft_lib.formats.records import Record, read_table
from sdft_lib.formats.rows import to_rows
from sdft_lib.storage.errors import SdftError


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


ASKED, SAID = turn("user", "Q"), turn("assistant", "A")
CALL = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
PICTURE = {"type": "image_url", "image_url": {"url": "x.png"}}
TALK = [turn("user", "Hi"), turn("assistant", "Yes?"), ASKED]
TEXT = [{"type": "text", "text": "Q", "image_url": None}, {"type": "text", "text": None}]


def row_of(values):
    rows, _ = to_rows([Record("a.jsonl, row 1", 1, values)], "a.jsonl")
    return rows[0]["messages"], rows[0]["reference"]


READ = {
    "null keys of a round trip": (
        {"messages": [ASKED | {"tool_calls": None, "from": None}, SAID | {"tool_calls": []}]},
        ([ASKED], "A"),
    ),
    "parts of text": ({"messages": [turn("user", TEXT), SAID]}, ([ASKED], "A")),
    "plain parts": ({"messages": [turn("user", ["Q"]), SAID]}, ([ASKED], "A")),
    "answer in parts": ({"prompt": "Q", "completion": [turn("assistant", ["A"])]}, ([ASKED], "A")),
    "columns of turns": (
        {"messages": {"role": ["user", "assistant"], "content": ["Q", "A"]}},
        ([ASKED], "A"),
    ),
    "null answer beside turns": ({"messages": [ASKED, SAID], "answer": None}, ([ASKED], "A")),
    "blank answer beside turns": ({"messages": [ASKED, SAID], "answer": " "}, ([ASKED], "A")),
    "answer twice": ({"messages": [ASKED, SAID], "answer": "A"}, ([ASKED], "A")),
    "consecutive users": ({"messages": [ASKED, ASKED, SAID]}, ([ASKED, ASKED], "A")),
    "assistant first": ({"messages": [SAID, ASKED, SAID]}, ([SAID, ASKED], "A")),
    "developer": (
        {"messages": [turn("developer", "s"), ASKED, SAID]},
        ([turn("system", "s"), ASKED], "A"),
    ),
    "flags of earlier turns": (
        {"messages": [ASKED, SAID | {"weight": 0}, ASKED, SAID | {"weight": 1}]},
        ([ASKED, SAID, ASKED], "A"),
    ),
    "turns as JSON text": ({"messages": json.dumps([*TALK, SAID])}, (TALK, "A")),
    "prompt and answer as JSON text": (
        {"prompt": json.dumps(TALK), "completion": json.dumps([SAID])},
        (TALK, "A"),
    ),
    "pairs as JSON text": (
        {"question": "Q", "answer": "A", "history": '[["Hi", "Yes?"]]'},
        (TALK, "A"),
    ),
    "the whole talk as answer": ({"prompt": TALK, "completion": [*TALK, SAID]}, (TALK, "A")),
    "turns behind a mark": ({"prompt": "\ufeff" + json.dumps(TALK), "answer": "A"}, (TALK, "A")),
    "null history": ({"instruction": "Q", "history": None, "output": "A"}, ([ASKED], "A")),
    "numbers": ({"instruction": 5, "input": 21, "output": 3}, ([turn("user", "5\n21")], "3")),
    "a long number": ({"question": "Q", "answer": 10**400}, ([ASKED], "1" + "0" * 400)),
    "symbol": ({"question": "Q", "answer": "👍"}, ([ASKED], "👍")),
    "one sign": ({"question": "+", "answer": "★"}, ([turn("user", "+")], "★")),
    "label among options": (
        {"question": "Q", "choices": ["A", "B"], "answer": "A"},
        ([ASKED], "A"),
    ),
    "empty tools": ({"messages": [ASKED, SAID], "tools": "[]", "images": []}, ([ASKED], "A")),
}
SPEAKERS = [
    "human/gpt",
    "USER/ASSISTANT",
    "User /ChatGPT",
    "human/bing",
    "prompter/bot",
    "human/ai",
]
for pair in SPEAKERS:
    first, second = pair.split("/")
    said = [{"from": first, "value": "Q"}, {"from": second, "value": "A"}]
    READ[pair] = ({"conversations": said}, ([ASKED], "A"))
# JSON that is no list of turns is text, as is a matrix or a snippet of code
for text in ('[{"id": 1}]', "[[1, 2], [3, 4]]", "[1, 2]", '{"a": [1]}', "[{'n': 1}]", "[[", "[{"):
    READ[f"text {text}"] = ({"question": text, "answer": text}, ([turn("user", text)], text))


for text in ('[{"from": "Paris", "value": 3}]', '[{"role": "admin", "content": 5}]'):
    READ[f"text {text}"] = ({"question": text, "answer": "A"}, ([turn("user", text)], "A"))
for text in ("<noinput>", "Noinput", "<no input>", None, ""):
    READ[f"input {text}"] = ({"instruction": "Q", "input": text, "output": "A"}, ([ASKED], "A"))


@pytest.mark.parametrize("values, wanted", READ.values(), ids=READ)
def test_what_can_be_read_is_read(values, wanted):
    assert row_of(values) == wanted


PYTHON = repr([turn("user", "Q"), turn("assistant", "A")])
REFUSED = {
    "call in the middle": (
        {"messages": [ASKED, turn("assistant", None, tool_calls=CALL), ASKED, SAID]},
        '"tool_calls" in turn 2',
    ),
    "call at the end": (
        {"messages": [ASKED, turn("assistant", None, tool_calls=CALL)]},
        '"tool_calls" in turn 2',
    ),
    "call beside text": (
        {"messages": [ASKED, turn("assistant", "A", function_call={"name": "f"})]},
        '"function_call" in turn 2',
    ),
    "result of a tool": ({"messages": [ASKED, turn("tool", "ok"), SAID]}, "turn 2: 'tool'"),
    "observation": (
        {"conversations": [{"from": "observation", "value": "{}"}]},
        "turn 1: 'observation'",
    ),
    "picture": ({"messages": [turn("user", [PICTURE, *TEXT]), SAID]}, '"image_url" in turn 1'),
    "sound": (
        {"messages": [turn("user", [{"type": "input_audio", "input_audio": {"data": "x"}}]), SAID]},
        '"input_audio" in turn 1',
    ),
    "picture without address": (
        {"messages": [turn("user", [{"type": "image"}, *TEXT]), SAID]},
        "type 'image' in turn 1",
    ),
    "pictures beside turns": ({"messages": [ASKED, SAID], "images": ["x"]}, '"images" beside it'),
    "tools beside turns": ({"messages": [ASKED, SAID], "tools": [{"a": 1}]}, '"tools" beside it'),
    "refusal": ({"messages": [ASKED, turn("assistant", None, refusal="No.")]}, '"refusal"'),
    "thoughts": ({"messages": [ASKED, SAID | {"reasoning_content": "hm"}]}, '"reasoning_content"'),
    "part a number": ({"messages": [turn("user", [{"type": "text", "text": 7}]), SAID]}, "int 7"),
    "part a dict": ({"messages": [turn("user", [{"text": {"value": "Q"}}]), SAID]}, "dict"),
    "content a dict": ({"messages": [turn("user", {"parts": ["Q"]}), SAID]}, "dict"),
    "null parts alone": (
        {"prompt": [ASKED], "completion": [turn("assistant", [{"type": "text", "text": None}])]},
        '"completion" is empty',
    ),
    "turns behind the answer": ({"messages": [ASKED, SAID, ASKED, ASKED]}, "after its last answer"),
    "not to be trained": ({"messages": [ASKED, SAID | {"weight": 0}]}, "not to be trained"),
    "not to be trained either": ({"messages": [ASKED, SAID | {"train": False}]}, "not to be"),
    "empty user turn": ({"messages": [turn("user", ""), SAID]}, "empty turn"),
    "empty turn between": ({"messages": [ASKED, turn("assistant", ""), ASKED, SAID]}, "empty turn"),
    "invisible turn": ({"messages": [turn("user", "\u200b\ufeff"), SAID]}, "empty turn"),
    "blank last answer": ({"messages": [ASKED, turn("assistant", " ")]}, '"messages" is empty'),
    "null in a history": (
        {"question": "Q", "answer": "A", "history": [["Hi", None]]},
        "empty turn",
    ),
    "text for a turn": ({"messages": [["Q", "A"]]}, "turn 1"),
    "lists of lists": ({"messages": [[ASKED, SAID]]}, "turn 1"),
    "unequal columns": ({"messages": {"role": ["user"], "content": ["Q", "A"]}}, "list of turns"),
    "two system turns": (
        {"messages": [turn("system", "s"), turn("system", "t"), ASKED, SAID]},
        "system turn that is not the first",
    ),
    "two answers in turns": (
        {"prompt": "Q", "completion": [SAID, ASKED, SAID]},
        "not one assistant",
    ),
    "answer by the user": ({"prompt": "Q", "completion": [ASKED]}, "not one assistant"),
    "Python's list": ({"messages": PYTHON}, "not as JSON"),
    "Python's list in a prompt": ({"prompt": PYTHON, "completion": "A"}, "not as JSON"),
    "numpy's list": ({"prompt": "Q", "completion": PYTHON.replace("}, {", "}\n {")}, "not as JSON"),
    "pandas' array": ({"prompt": f"array({PYTHON}, dtype=object)", "answer": "A"}, "not as JSON"),
    "cut list": ({"prompt": json.dumps(TALK)[:-9], "completion": "A"}, "not as JSON"),
    "answers": ({"question": "Q", "answer": ["Paris", "City of Light"]}, "one text"),
    "squad": ({"question": "Q", "answer": {"text": ["A"], "answer_start": [3]}}, "dict"),
    "index of a choice": ({"question": "Q", "choices": ["x", "y"], "answer": 0}, 'of "choices"'),
    "letter of a choice": (
        {"question": "Q", "options": {"text": ["x"]}, "answer": "B"},
        '"options"',
    ),
    "index of an ending": ({"question": "Q", "endings": ["x"], "label": "3"}, 'of "endings"'),
    "letter of columns": ({"question": "Q", "A": "x", "B": "y", "answer": "(b)"}, '"A"'),
    "infinity": ({"question": "Q", "answer": float("-inf")}, "float -inf"),
    "truth": ({"question": True, "answer": "A"}, "bool"),
    "bytes": ({"question": "Q", "answer": b"A"}, "bytes"),
    "id a float": ({"id": 1.0, "question": "Q", "answer": "A"}, '"id" holds float'),
    "id bytes": ({"id": b"1", "question": "Q", "answer": "A"}, '"id" holds bytes'),
    "id of two lines": ({"id": "a\nb", "question": "Q", "answer": "A"}, '"id" holds a line break'),
}
UNSEEN = ("\u200b", "\ufeff", "\xad", "\u3164", "\u2800", "\ufe0f", "\U000e0041", "\u034f", "\xa0")
for sign in UNSEEN:
    blank = {"question": "Q", "answer": sign}
    REFUSED[f"answer U+{ord(sign):04X}"] = (blank, '"answer" is empty')


@pytest.mark.parametrize("values, words", REFUSED.values(), ids=REFUSED)
def test_what_is_no_text_is_refused_with_its_row(values, words):
    with pytest.raises(SdftError) as caught:
        row_of(values)
    said = str(caught.value)
    assert said.startswith('a.jsonl, row 1: column "') and words in said
    assert said.endswith(".") and "\n" not in said and len(said) < 600


def test_an_id_that_shows_nothing_is_none():
    for blank in (" ", "\u200b", "", None):
        assert (
            to_rows(
                [Record("a, row 1", 1, {"id": blank, "question": "Q", "answer": "A"})], "a.csv"
            )[0][0]["id"]
            == "a-0001"
        )


def test_a_class_number_without_a_class_is_no_label():
    class Names:
        @staticmethod
        def int2str(number):
            return ("good", "bad")[number]

    class Table(list):
        features = {"label": Names}

    records = read_table("hf:a/b", Table([{"text": "Q", "label": -1}]))
    with pytest.raises(SdftError, match='hf:a/b, row 1: column "label" is empty'):
        to_rows(records, "hf:a/b")


def test_columns_of_arrow_are_read_or_refused():
    """Decimals, times and bytes are no text; pictures and sound are refused before they are read."""
    import datetime
    import decimal

    from datasets import Audio, Dataset, Image, List, Value

    def row_of_table(answer, **more):
        table = Dataset.from_dict({"question": ["Q"], "answer": [answer], **more})
        return to_rows(read_table("hf:a/b", table), "hf:a/b")[0][0]["reference"]

    assert row_of_table(1.5) == "1.5"
    for value in (decimal.Decimal("1.50"), datetime.datetime(2024, 1, 1), b"A", ["A"], {"a": 1}):
        with pytest.raises(SdftError, match='hf:a/b, row 1: column "answer" holds .*not one text'):
            row_of_table(value)
    for kind in (Image(), Audio(), List(Image())):
        table = Dataset.from_dict({"question": ["Q"], "answer": ["A"], "extra": [None]})
        table = table.cast_column("extra", kind)
        with pytest.raises(SdftError, match='hf:a/b: column "extra" holds pictures'):
            read_table("hf:a/b", table)
    turns = {"role": ["user", "assistant"], "content": ["Q", "A"]}
    talk = Dataset.from_dict({"messages": [[ASKED, SAID]], "columns": [turns]})
    talk = talk.cast_column(
        "columns", {"role": List(Value("string")), "content": List(Value("string"))}
    )
    records = read_table("hf:a/b", talk)
    for column in ("messages", "columns"):
        rows, _ = to_rows(records, "hf:a/b", {"messages": column})
        assert (rows[0]["messages"], rows[0]["reference"]) == ([ASKED], "A")


# ---- files
FILES = {
    "mark on each joined line": ("a.jsonl", '\ufeff{"question": "Q", "answer": "A"}\n' * 2, 2),
    "mark twice": ("a.csv", "\ufeff\ufeffquestion,answer\nQ,A\n", 1),
    "CR alone": ("a.jsonl", '{"question": "Q", "answer": "A"}\r' * 2, 2),
    "CR alone in csv": ("a.csv", "question,answer\rQ,A\r", 1),
    "Excel's first line": ("a.csv", "sep=;\r\nquestion;answer\r\nQ;A\r\n", 1),
    "Excel's first line in quotes": ("a.csv", '"sep=|"\nquestion|answer\nQ|A\n', 1),
    "tabs": ("a.csv", "question\tanswer\nQ\tA\n", 1),
    "bars": ("a.csv", "question|answer\nQ|A\n", 1),
    "comma in a header cell": ("a.csv", '"remark, short";question;answer\nx;Q;A\n', 1),
    "semicolon in a header cell": ("a.csv", '"remark; short",question,answer\nx,Q,A\n', 1),
    "line break in a header cell": ("a.csv", '"remark\nshort",question,answer\nx,Q,A\n', 1),
    "empty columns behind": ("a.csv", "question,answer,,\nQ,A,,\n", 1),
    "empty cells behind": ("a.csv", "question,answer\nQ,A,\nQ,A,,,\n", 2),
    "numbered rows": ("a.csv", ",question,answer\n0,Q,A\n1,Q,A\n", 2),
    "blank lines first": ("a.csv", "\n\n;;\nquestion;answer\nQ;A\n", 1),
}


@pytest.mark.parametrize("name, content, count", FILES.values(), ids=FILES)
def test_a_file_of_any_program_is_read(tmp_path, name, content, count):
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8"))
    rows = load_task(path, say=lambda line: None).train
    assert [(row["messages"], row["reference"]) for row in rows] == [([ASKED], "A")] * count
    assert [row["id"] for row in rows] == [f"a-{number:04d}" for number in range(1, count + 1)]


BROKEN = {
    "joined tables": (
        "a.csv",
        "question,answer\nQ,A\n\ufeffquestion,answer\nQ,A\n",
        "row 2 (line 3)",
    ),
    "another delimiter": ("a.csv", "question:answer\nQ:A\n", "a comma, a semicolon, a tab"),
    "a cell behind": ("a.csv", "question,answer,\nQ,A,B\n", "3 cells"),
    "a backslash for a quote": ("a.csv", 'question,answer\n"a \\"b\\" c",A\n', 'is written ""'),
    "a list in jsonl": ("a.jsonl", '[\n{"question": "Q", "answer": "A"}\n]\n', "name it .json"),
    "a comma behind": ("a.jsonl", '{"question": "Q", "answer": "A"},\n', "row 1: broken JSON"),
    "packed": ("a.jsonl.gz", b"\x1f\x8b\x08", "not a kind of file"),
    "parquet": ("a.parquet", b"PAR1", "not a kind of file"),
    "German columns": ("a.csv", "frage,antwort\nQ,A\n", 'rename yours to "prompt"'),
    "no header": ("a.csv", "Q1,A1\nQ2,A2\n", "the columns are: Q1, A1"),
    "deep value": (
        "a.jsonl",
        '{"question": "Q", "answer": ' + "[" * 900 + "]" * 900 + "}",
        "row 1",
    ),
}


@pytest.mark.parametrize("name, content, words", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_sentence(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with pytest.raises(SdftError) as caught:
        load_task(path, say=lambda line: None)
    said = str(caught.value)
    assert name in said and words in said and said.endswith(".") and "\n" not in said
    assert "columns=" not in said  # Python's spelling helps nobody at a command line


def test_a_card_may_open_with_a_mark(tmp_path):
    (tmp_path / "task.json").write_text(
        '\ufeff{"kind": "label", "choices": ["yes", "no"]}', "utf-8"
    )
    (tmp_path / "train.jsonl").write_text('{"question": "Q", "answer": "yes"}\n', "utf-8")
    assert load_task(tmp_path, say=lambda line: None).choices == ("yes", "no")
