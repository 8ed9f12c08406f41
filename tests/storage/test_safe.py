"""Text of others can forge nothing where it is shown, and no secret is shown."""

import subprocess
import sys

import pytest

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.safe import markdown, masked, one_line

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
