"""Exported sets come back to the letter, are refused by row where a form is too narrow, and train
in TRL.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.data import load_task
from sdft_lib.own_data import export
from sdft_lib.own_data.export import FORMS, card, dataset_info, fenced, made_from, write_export
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256, read_jsonl, write_jsonl

ASKED = [{"role": "user", "content": "Which team?\n  (billing, sales)"}]
EARLIER = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi — you?"}]
SYSTEM = [{"role": "system", "content": "Be brief."}]
MADE = {
    "reference": "billing",
    "text": "It is billing, because `money`.\n",
    "source": "rewritten",
    "reason": "accepted",
}
SINGLE = {"id": "a", "messages": ASKED, **MADE}
WITH_SYSTEM = {
    "id": "b",
    "messages": SYSTEM + ASKED,
    **MADE,
    "text": "billing",
    "source": "original",
    "reason": "loop",
}
SEVERAL = {"id": "c", "messages": EARLIER + ASKED, **MADE}
LONG = {"id": "d", "messages": SYSTEM + EARLIER + EARLIER + ASKED, **MADE}
ROWS = [SINGLE, WITH_SYSTEM, SEVERAL, LONG]
UNEVEN = {"id": "odd-7", "messages": ASKED + ASKED, **MADE}
PARTS = {
    "seed": {
        "model": "smollm2-135m",
        "revision": "bcc8",
        "dtype": "fp32",
        "device": "cpu",
        "adapter": "",
    },
    "template": {
        "name": "mine",
        "system": "",
        "user": "{instruction}\n```\n{reference}\n```",
        "prefill": "So",
    },
    "decoding": {"max_new_tokens": 40, "temperature": 0.0},
    "candidates": 2,
    "kind": "label",
}
TOOLS = {
    "prompt-completion": ["TRL and Unsloth"],
    "messages": ["axolotl", "LLaMA-Factory", "TRL and Unsloth"],
    "alpaca": ["LLaMA-Factory", "axolotl"],
    "sharegpt": ["axolotl", "LLaMA-Factory", "Unsloth"],
}


def sdft(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def back(folder):
    return load_task(folder / "train.jsonl", kind="open").train


# ---- the data
@pytest.mark.parametrize("column", ["text", "reference"])
@pytest.mark.parametrize("rows", [ROWS, [SINGLE], [SEVERAL]], ids=["all", "single", "several"])
@pytest.mark.parametrize("form", FORMS)
def test_a_set_comes_back_to_the_letter(tmp_path, form, rows, column):
    write_export(rows, form, tmp_path / "set", column=column)
    wanted = [
        {"id": row["id"], "messages": row["messages"], "reference": row[column]} for row in rows
    ]
    assert back(tmp_path / "set") == wanted


@pytest.mark.parametrize("form", FORMS)
def test_every_row_has_the_same_columns(tmp_path, form):
    write_export(ROWS, form, tmp_path / "set")
    assert len({tuple(sorted(row)) for row in read_jsonl(tmp_path / "set" / "train.jsonl")}) == 1


def test_the_forms_by_hand():
    text = SEVERAL["text"]
    assert FORMS["prompt-completion"](SINGLE, text) == {
        "id": "a",
        "prompt": ASKED,
        "completion": [{"role": "assistant", "content": text}],
    }
    assert FORMS["messages"](SINGLE, text)["messages"] == [
        *ASKED,
        {"role": "assistant", "content": text},
    ]
    assert FORMS["alpaca"](LONG, text) == {
        "id": "d",
        "instruction": ASKED[0]["content"],
        "input": "",
        "output": text,
        "system": "Be brief.",
        "history": [["Hello", "Hi — you?"]] * 2,
    }
    assert [turn["from"] for turn in FORMS["sharegpt"](LONG, text)["conversations"]] == [
        "system",
        "human",
        "gpt",
        "human",
        "gpt",
        "human",
        "gpt",
    ]


def test_a_plain_alpaca_set_has_the_plain_columns(tmp_path):
    write_export([SINGLE], "alpaca", tmp_path / "set")
    assert list(read_jsonl(tmp_path / "set" / "train.jsonl")[0]) == [
        "id",
        "instruction",
        "input",
        "output",
    ]


@pytest.mark.parametrize(
    "form, fits",
    [("alpaca", False), ("sharegpt", False), ("messages", True), ("prompt-completion", True)],
)
def test_a_row_that_a_form_cannot_hold_is_named(tmp_path, form, fits):
    if fits:
        write_export([SINGLE, UNEVEN], form, tmp_path / "set")
        return
    with pytest.raises(SdftError, match=f'row "odd-7".*--form {form}.*--form messages'):
        write_export([SINGLE, UNEVEN], form, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_provenance_says_where_each_text_comes_from(tmp_path):
    report = write_export(ROWS, "messages", tmp_path / "set")
    rows = read_jsonl(tmp_path / "set" / "provenance.jsonl")
    assert rows[1] == {"id": "b", "source": "original", "reason": "loop"} and len(rows) == 4
    assert report["reasons"] == [
        {"source": "rewritten", "reason": "accepted", "rows": 3},
        {"source": "original", "reason": "loop", "rows": 1},
    ]
    assert (report["several_turns"], report["system_turns"]) == (2, 2)
    report = write_export(ROWS, "messages", tmp_path / "sft", column="reference")
    assert report["reasons"] == [{"source": "original", "reason": "reference asked for", "rows": 4}]


# ---- the card and LLaMA-Factory's description
@pytest.mark.parametrize("form", FORMS)
def test_the_card(tmp_path, form):
    write_export(ROWS, form, tmp_path / "my-set", made=PARTS)
    text = (tmp_path / "my-set" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---\n")[1])
    assert (head["license"], head["pretty_name"], head["size_categories"]) == (
        "other",
        "my-set",
        ["n<1K"],
    )
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "train.jsonl"}]
    for words in (
        "| rewritten | accepted | 3 |",
        "| original | loop | 1 |",
        "smollm2-135m, revision bcc8, fp32",
        "max_new_tokens 40, temperature 0.0",
        "up to 2 candidates",
        "template: mine",
        "````text\n{instruction}",
        "put in the licence of your source",
        "arXiv 2402.13669",
    ):
        assert words in text, words
    assert "{{" not in text and "{%" not in text
    tools = re.findall(r"^\*\*([^*]+)\.\*\* ", text, re.MULTILINE)
    assert tools == TOOLS[form]


@pytest.mark.parametrize("form", FORMS)
def test_settings_in_the_card_can_be_parsed(tmp_path, form):
    write_export(ROWS, form, tmp_path / "my-set", made=PARTS)
    text = (tmp_path / "my-set" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|yaml)\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(TOOLS[form])
    for language, block in blocks:
        compile(block, form, "exec") if language == "python" else yaml.safe_load(block)
    settings = [yaml.safe_load(block) for language, block in blocks if language == "yaml"]
    assert all(made.get("dataset", "my-set") == "my-set" for made in settings)
    for made in settings:
        for source in made.get("datasets", []):
            assert source["type"] == ("alpaca" if form == "alpaca" else "chat_template")
            last_alone = {"roles_to_train": None, "train_on_eos": None}
            assert form == "alpaca" or last_alone.items() <= source.items()


def test_a_record_that_lacks_entries_still_makes_a_card():
    facts = {"rows": 1, "form": "messages", "column": "text", "reasons": []}
    text = card("set", facts | {"several_turns": 0, "system_turns": 0}, {"kind": "label"})
    assert "- kind of task: label\n" in text


def test_a_card_without_record_and_with_a_licence(tmp_path):
    facts = write_export([SINGLE], "messages", tmp_path / "set", licence="cc-by-4.0")
    text = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert (
        "Not recorded" in text
        and "license: cc-by-4.0" in text
        and "The exporter gave `cc-by-4.0`" in text
    )
    assert (
        yaml.safe_load(card('odd: "name"', facts, None).split("---\n")[1])["pretty_name"]
        == 'odd: "name"'
    )


@pytest.mark.parametrize(
    "text, fence", [("plain", "```"), ("a ``` b", "````"), ("`````", "``````")]
)
def test_a_fence_is_longer_than_any_inside(text, fence):
    assert fenced(text).split("text\n")[0] == fence


@pytest.mark.parametrize(
    "form, formatting, column",
    [
        ("messages", "sharegpt", {"messages": "messages"}),
        ("sharegpt", "sharegpt", {"messages": "conversations"}),
        (
            "alpaca",
            "alpaca",
            {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "system": "system",
                "history": "history",
            },
        ),
    ],
)
def test_description_for_llama_factory(tmp_path, form, formatting, column):
    write_export(ROWS, form, tmp_path / "my-set")
    info = json.loads((tmp_path / "my-set" / "dataset_info.json").read_text())["my-set"]
    assert (info["file_name"], info["formatting"], info["columns"]) == (
        "train.jsonl",
        formatting,
        column,
    )
    assert ("tags" in info) == (form == "messages")
    columns = read_jsonl(tmp_path / "my-set" / "train.jsonl")[0]
    assert set(info["columns"].values()) <= set(columns)


def test_no_description_where_it_cannot_read(tmp_path):
    write_export(ROWS, "prompt-completion", tmp_path / "set")
    assert (
        dataset_info("set", "prompt-completion", []) is None
        and not (tmp_path / "set/dataset_info.json").exists()
    )


def test_the_settings_are_found_by_the_bytes_of_the_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    stored = tmp_path / "store" / "distilled" / "key"
    stored.mkdir(parents=True)
    for path in (stored / "rows.jsonl", tmp_path / "copy.jsonl", tmp_path / "other.jsonl"):
        write_jsonl(path, ROWS if path.name != "other.jsonl" else ROWS[:1])
    (stored / "manifest.json").write_text(
        json.dumps({"rows.jsonl": file_sha256(stored / "rows.jsonl")})
    )
    (stored / "parts.json").write_text(json.dumps(PARTS))
    assert made_from(stored / "rows.jsonl") == made_from(tmp_path / "copy.jsonl") == PARTS
    assert made_from(tmp_path / "other.jsonl") is None
    (stored / "manifest.json").write_text("[")
    assert made_from(tmp_path / "copy.jsonl") is None


# ---- the command
def test_the_command(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", ROWS)
    result = sdft(
        "export", tmp_path / "rows.jsonl", "--form", "alpaca", "--out", tmp_path / "set", "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["files"] == ["README.md", "dataset_info.json", "provenance.jsonl", "train.jsonl"]
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == report["files"]
    text = sdft("export", tmp_path / "rows.jsonl", "--out", tmp_path / "other").stdout
    assert "4 rows as prompt-completion (rewritten: accepted 3, original: loop 1)" in text


def test_references_of_any_file_can_be_exported(tmp_path):
    (tmp_path / "mine.csv").write_text("question,answer\nQ?,A\n")
    result = sdft(
        "export", tmp_path / "mine.csv", "--column", "reference", "--out", tmp_path / "set"
    )
    assert result.exit_code == 0, result.output
    assert back(tmp_path / "set")[0]["reference"] == "A"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--form", "poem"), 'form "poem"'),
        (("--column", "raw"), 'column "raw"'),
        (("--licence", "my own"), "--licence"),
        (("--licence", "mit\ntags"), "--licence"),
        (("--out", "full"), "not empty"),
        (("--out", "no/such/x"), "not exist"),
        (("--out", "rows.jsonl"), "is a file"),
        (("--out", "."), "not empty"),
        (("--out", "full/.."), "not empty"),
        (("--nope",), "--nope"),
    ],
)
def test_wrong_calls_are_one_sentence(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "rows.jsonl", ROWS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    out = () if "--out" in arguments else ("--out", "set")
    refused(sdft("export", "rows.jsonl", *out, *arguments), words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "rows.jsonl"]


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "empty"),
        ("{", "broken JSON"),
        (json.dumps({"question": "Q", "answer": "A"}), "sdft distill"),
        (json.dumps({**SINGLE, "text": " "}), '"text" is empty'),
        (json.dumps({**SINGLE, "messages": "Q"}), '"messages"'),
        (json.dumps(SINGLE) + "\n" + json.dumps(SINGLE), "make ids unique"),
        (json.dumps(UNEVEN), 'row "odd-7"'),
    ],
)
def test_wrong_rows_are_one_sentence(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(content)
    refused(sdft("export", "rows.jsonl", "--form", "alpaca", "--out", "set"), words)
    assert not (tmp_path / "set").exists()


def test_a_missing_file_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(sdft("export", "gone.jsonl", "--out", "set"), "no such file")


def refused(result, words):
    assert result.exit_code == 2 and result.stdout == "", result.output
    assert len(result.stderr.strip().splitlines()) == 1 and words in result.stderr


# ---- the folder appears whole, once
def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_export_twice_gives_the_same_bytes(tmp_path, form):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        write_export(ROWS, form, tmp_path / place / "set", made=PARTS)
    assert content(tmp_path / "one" / "set") == content(tmp_path / "two" / "set")


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "set").mkdir()
    write_export(ROWS, "messages", tmp_path / "set")
    assert len(list((tmp_path / "set").iterdir())) == 4 and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_holds_something_is_kept(tmp_path):
    write_export(ROWS, "messages", tmp_path / "set")
    old = content(tmp_path / "set")
    with pytest.raises(SdftError, match="Directory not empty"):
        write_export(ROWS[:1], "messages", tmp_path / "set")
    assert content(tmp_path / "set") == old and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["file", "link to nothing", "pipe"])
def test_a_place_that_is_no_folder_is_refused(tmp_path, kind):
    place = tmp_path / "set"
    if kind == "file":
        place.write_text("x")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(tmp_path / "aim")
    write_jsonl(tmp_path / "rows.jsonl", ROWS)
    before = (place.lstat().st_ino, place.lstat().st_mode)
    result = sdft("export", tmp_path / "rows.jsonl", "--out", place)
    assert result.exit_code == 2 and "choose" in result.stderr
    assert (place.lstat().st_ino, place.lstat().st_mode) == before


STEPS = ("write_jsonl", "write_text", "card", "shutil.rmtree", "Path.mkdir", "os.replace")


def killed(step, left, monkeypatch, place) -> bool:
    """Whether an export ends without a word before, or behind, a call of a step: at the ``left``-th
    such place."""
    where, _, name = step.rpartition(".")
    where = {"Path": Path, "shutil": shutil, "os": os}.get(where, export)
    real, places = getattr(where, name), iter(range(1, 99))

    def ends(*arguments, **options):
        if next(places) == left:
            os._exit(9)
        made = real(*arguments, **options)
        if next(places) == left:
            os._exit(9)
        return made

    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    try:
        monkeypatch.setattr(where, name, ends)
        write_export(ROWS, "messages", place)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is ended in its middle")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_whole_or_nothing(tmp_path, monkeypatch, step):
    new, left = tmp_path / "new", 1
    new.mkdir()
    write_export(ROWS, "messages", new / "set")
    while killed(step, left, monkeypatch, tmp_path / "set"):
        if (tmp_path / "set").exists():
            assert content(tmp_path / "set") == content(new / "set")
            shutil.rmtree(tmp_path / "set")
        left += 1
    assert left > 1 and content(tmp_path / "set") == content(new / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "set"]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise SdftError("no room")

    monkeypatch.setattr(export, "write_text", full)
    with pytest.raises(SdftError, match="no room"):
        write_export(ROWS, "messages", tmp_path / "set")
    assert not list(tmp_path.iterdir())


# ---- text of others
EVIL = (
    "x | 9 |\n| forged | row | 1 |\n\n# Heading\n---\n<script>a</script><img src=x onerror=a> "
    "[go](javascript:a) ![i](http://x) `c` **b** {{ 7 * 777 }} {% raw %} \x1b[31m\u202e ```` $x$"
)
EVILS = {
    "reason": lambda text: ([SINGLE | {"reason": text}], PARTS),
    "source": lambda text: ([SINGLE | {"source": text}], PARTS),
    "source of a list": lambda text: ([SINGLE | {"source": [text], "reason": {"a": text}}], PARTS),
    "reason of a number": lambda text: ([SINGLE | {"reason": 7}], PARTS),
    "model": lambda text: ([SINGLE], PARTS | {"seed": PARTS["seed"] | {"model": text}}),
    "revision": lambda text: ([SINGLE], PARTS | {"seed": {"revision": text, "adapter": text}}),
    "kind": lambda text: ([SINGLE], PARTS | {"kind": text, "candidates": text}),
    "decoding": lambda text: ([SINGLE], PARTS | {"decoding": {text: text}}),
    "template name": lambda text: ([SINGLE], PARTS | {"template": {"name": text}}),
    "template text": lambda text: ([SINGLE], PARTS | {"template": {"user": text, "system": text}}),
}


@pytest.mark.parametrize("name", EVILS)
def test_text_of_others_forges_nothing_in_the_card(tmp_path, name):
    """Read as Markdown with tables, the card has the elements of a harmless one, and no HTML."""
    evil = elements(tmp_path / "evil", *EVILS[name](EVIL))
    harmless = elements(tmp_path / "harmless", *EVILS[name]("word"))
    assert evil == harmless and "html_block" not in evil and "html_inline" not in evil


def elements(folder, rows, made):
    from markdown_it import MarkdownIt

    write_export(rows, "messages", folder, made=made)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert not {"\x1b", "\u202e"} & set(text)
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(head)["tags"] == ["self-distillation", "sdft"] and "5439" not in body
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body):
        kinds = [inner.type for inner in token.children or () if inner.type != "text"]
        found += [token.type, *(kind for kind in kinds if kind != "text_special")]
    return found


@pytest.mark.parametrize("name", ["my set", "a\n---\nb: c", "<b>x", "x`|{{1}}", "été", "no", "_x_"])
def test_a_folder_of_any_name(tmp_path, name):
    """The set's name in head, heading and description; a name that YAML could read otherwise too."""
    write_export(ROWS, "messages", tmp_path / name, licence="mit")
    text = (tmp_path / name / "README.md").read_text(encoding="utf-8")
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    (called,) = json.loads((tmp_path / name / "dataset_info.json").read_text(encoding="utf-8"))
    assert yaml.safe_load(head)["pretty_name"] == called and re.fullmatch(r"[\w.-]+", called)
    block = body.split("```yaml\ndataset_dir")[1].split("```")[0]
    assert yaml.safe_load("dataset_dir" + block)["dataset"] == called


def test_a_reason_forges_no_line_in_the_terminal(tmp_path):
    write_jsonl(tmp_path / "rows.jsonl", [SINGLE | {"reason": "loop 1)\n/etc/x\x1b[2J"}])
    shown = sdft("export", tmp_path / "rows.jsonl", "--out", tmp_path / "set").stdout
    assert len(shown.splitlines()) == 2 and "\x1b" not in shown


def test_a_local_model_is_named_without_its_place(tmp_path):
    seed = PARTS["seed"] | {"model": str(tmp_path / "my-model")}
    whole = json.dumps(seed)
    write_export([SINGLE], "messages", tmp_path / "set", made=PARTS | {"seed": seed})
    text = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert "seed model: my-model, revision bcc8" in text and str(tmp_path) not in text
    assert json.dumps(seed) == whole  # what was given is left as it was


# ---- a trainer of others
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # TRL's own default
def test_trl_trains_the_completion_alone(tmp_path, tiny_seed):
    import copy

    import trl
    from datasets import load_dataset

    from sdft_lib.chat import render

    write_export(ROWS, "prompt-completion", tmp_path / "set")
    rows = load_dataset(
        "json",
        data_files=str(tmp_path / "set/train.jsonl"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=3,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        completion_only_loss=True,
        max_length=None,
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )
    trainer = trl.SFTTrainer(
        model=copy.deepcopy(tiny_seed.model),
        args=settings,
        train_dataset=rows,
        processing_class=copy.deepcopy(tiny_seed.tokenizer),
    )
    for row, theirs in zip(ROWS, trainer.train_dataset, strict=True):
        ours = render(row["messages"], tiny_seed.tokenizer, row["text"])
        wanted = [
            token if trained else -100 for token, trained in zip(ours.ids, ours.mask, strict=True)
        ]
        assert (
            theirs["input_ids"][: len(ours.ids)] == ours.ids
        )  # TRL also trains the line break behind the turn
        assert (
            theirs["labels"][: len(wanted)] == wanted and len(theirs["labels"]) <= len(wanted) + 1
        )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 3 and all(0 < loss < 1000 for loss in losses)
