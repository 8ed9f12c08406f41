"""Text of others can forge nothing where it is shown, and no secret is shown."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdft_lib.cli.common import model_name
from sdft_lib.experiments import grid
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.safe import markdown, masked, one_line, without_place

EVIL = (
    "a | b\n\n# head\r\n---\n| x | y |\n<script>x</script> [go](javascript:x) ![i](http://x) `c` "
    "**b** _i_ {{ 7*7 }} ~~s~~ $x$ @you\x1b[31m\u202e\u2028\0"
)


def test_one_line_is_one_line():
    shown = one_line(EVIL)
    assert not {"\n", "\r", "\x1b", "\u202e", "\u2028", "\0"} & set(shown)
    assert one_line("a\n b\t c") == "a b c" and one_line(None) == "None"


def test_markdown_is_read_as_the_text_that_it_is():
    """A reader of Markdown (GitHub's kind, with tables) finds no element but the row's two cells."""
    from html.parser import HTMLParser

    from markdown_it import MarkdownIt

    class Text(HTMLParser):
        tags: list = []
        text = ""

        def handle_starttag(self, tag, attributes):
            self.tags.append(tag)

        def handle_data(self, data):
            self.text += data

    page = Text()
    cells = f"| {markdown(EVIL)} | {markdown(EVIL)} |"
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    page.feed(reader.render(f"| a | b |\n| --- | --- |\n{cells}\n"))
    row = ["tr", "td", "td"]
    assert page.tags == ["table", "thead", "tr", "th", "th", "tbody", *row]
    assert page.text.count(one_line(EVIL)) == 2
    for plain in ("smollm2-135m", "max_new_tokens 40", "0.5", "accepted", "Qwen/Qwen3-4B"):
        assert markdown(plain) == plain


SECRETS = {
    "at https://" + "a:b@c/v1?key=x: no k3y, is it?": "at https://***@c/v1?*** no ***, is it?",
    "http://me:p" + "@ss@host": "http://***@host",
    "ftp://" + "tok@host:1/x": "ftp://***@host:1/x",
    "of hf_" + "AbCdEfGhIjKlMnOpQrStUvWx, no": "of ***, no",
    "Bearer abcdefgh.ijk": "Bearer ***",
    "sk-" + "proj-0123_456789abcdefg": "***",
    "from-env-1 is in it": "*** is in it",
    "hf_hub_download of huggingface_hub, task-specific-sentences, a@b, what? this": None,
    "hf://datasets/openai/gsm8k@740312/main/x.parquet cannot be loaded": None,
    "write to x@y.org; see https://a.org/b#c": None,
}


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_masked(monkeypatch, text):
    monkeypatch.setenv("SDFT_JUDGE_KEY", "from-env-1")
    wanted = SECRETS[text] or text
    assert masked(text, "k3y") == wanted
    assert str(SdftError(text.replace("k3y", ""))) == wanted.replace("no ***,", "no ,")


ASKED = {
    "an address as a model": ("gap", "--model", "https://" + "me:hunter22@host/m?token=hunter22"),
    "an address as a task": ("data", "check", "https://" + "me:hunter22@host/x.csv"),
    "an address as a file": ("export", "http://" + "hunter22@h/x", "--out", "x"),
    "a variable as an option": ("gap", "--hunter22-from-env"),
    "an address as a judge": ("judge", "x", "--url", "http://" + "me:hunter22@h", "--out", "y"),
}


@pytest.mark.parametrize("name", ASKED)
def test_no_command_repeats_a_secret(tmp_path, name):
    import os

    told = {"HF_TOKEN": "hunter22-from-env", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "sdft_lib", *ASKED[name]]
    environment = {**os.environ, **told, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "hunter22" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "name, shown",
    [
        ("my adapter+1.5", "my adapter+1.5"),
        ("étude", "étude"),
        ("a\nb\x1b[2Jc", "a-b-2Jc"),
        ("| x | y |", "x - y -"),
        ("<script>", "script-"),
        ("../..", "model"),
        ("-rf", "rf"),
        ("_x", "_x"),
        ("\u202e", "model"),
        ("", "model"),
        ("x" * 99, "x" * 40),
        ("{{ 7 }}", "7 -"),
    ],
)
def test_a_name_of_a_folder_becomes_the_name_of_a_model(name, shown):
    assert model_name(None, name) == shown
    assert model_name(shown, "other") == shown  # which --method takes, too


def test_the_names_of_files_in_score_rows(paper_data, tmp_path):
    """A scores file from an answers file with an odd name."""
    from typer.testing import CliRunner

    from sdft_lib.cli import main as cli

    answers, out = tmp_path / "a\n| b\x1b.jsonl", tmp_path / "scores.jsonl"
    answers.write_text(json.dumps({"id": "multiarith-0001", "text": "18"}) + "\n")
    arguments = ["score", str(answers), "--suite", "multiarith", "--limit", "1", "--out", str(out)]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["method"] == "a- b-"


def test_a_model_is_named_without_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "models" / "mine").mkdir(parents=True)
    for name in ("models/mine", "./models/mine/", "~/models/mine", str(tmp_path / "models/mine")):
        assert without_place(name) == "mine"
    for name in ("smollm2-135m", "Qwen/Qwen3-4B", ""):
        assert without_place(name) == name
    assert without_place("/gone/model") == "model" == without_place("/")


@pytest.mark.parametrize(
    "words, command",
    [
        (["run", "--recipe", "/srv/me/r.toml", "--out=/srv/x/y"], "run --recipe r.toml --out=y"),
        (["run", "~/a/b.toml", "hf:org/name", "data/recipes/c.toml"], None),
        (["run", "--model", "https://" + "me:pw@host/x"], "run --model https://***@host/x"),
    ],
)
def test_the_command_in_results_has_no_folders(monkeypatch, tiny_seed, words, command):
    monkeypatch.setattr(sys, "argv", ["sdft", *words])
    wanted = command or "run b.toml hf:org/name data/recipes/c.toml"
    assert grid.facts(tiny_seed)["command"] == f"sdft {wanted}"


@pytest.mark.parametrize("full", [False, True], ids=["adapter", "whole model"])
def test_what_is_trained_from_a_folder_does_not_say_where_it_lay(
    tiny_folder, tmp_path, monkeypatch, full
):
    from sdft_lib.models import load_seed, with_adapter
    from sdft_lib.train import TrainConfig, fine_tune

    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "private" / "my-model"))
    seed = load_seed(str(folder), device="cpu", dtype="fp32", say=lambda line: None)
    asked = [{"role": "user", "content": "Hello"}]
    rows = [{"id": "a", "messages": asked, "text": "Hi", "source": "rewritten"}]
    config = TrainConfig(epochs=1, batch_size=1, full=full)
    tuned = fine_tune(seed, rows, config, say=lambda line: None)
    for path in (tmp_path / "cache").rglob("*"):
        told = path.read_bytes() if path.is_file() else b""
        assert str(tmp_path).encode() not in told, path
    assert with_adapter(seed, tuned.adapter, label="x").adapter
    if not full:
        config = json.loads((tuned.adapter / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "my-model"
