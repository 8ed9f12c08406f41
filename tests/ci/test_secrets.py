"""Nothing of the machine that made this project stands in it: no token, no home or working folder,
no host name.
"""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from ci.bootstrap import ROOT

TOKENS = re.compile(
    r"\bhf_[A-Za-z0-9]{30,}"
    r"|\bgh[oprsu]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abprs]-[\w-]{10,}|\bpypi-AgE[\w-]{20,}|\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\."
    r"|-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)"
    r"|https?://[^\s/:@\"'<>]+:[^\s/@\"'<>]+@"
)
HOMES = re.compile(
    r"/home/(?!runner/)[a-z][\w.-]*/|/Users/[A-Za-z][\w.-]*/|/root/[\w.]|[A-Z]:\\Users\\\w"
)
PLACES = re.compile(
    r"(?<![\w.:/<>~-])/(?:home|root|Users|work|workspace|tmp|var/folders|private|mnt|content)/[\w.-]"
)


def committed() -> list[Path]:
    """Files that git tracks."""
    try:
        names = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def content(path: Path) -> str:
    """A file as text, whatever it is: a PNG may carry a path as well."""
    return path.read_bytes().decode("latin-1")


def outputs() -> dict[str, str]:
    """What a run left in committed files: notebook outputs and metadata, recorded results."""
    found = {
        path.name: content(path)
        for path in committed()
        if path.is_relative_to(ROOT / "data" / "results")
    }
    for path in committed():
        if path.suffix == ".ipynb":
            notebook = json.loads(path.read_text(encoding="utf-8"))
            parts = [notebook["metadata"], *(cell.get("outputs", []) for cell in notebook["cells"])]
            found[path.name] = json.dumps(parts, ensure_ascii=False)
    return found


def hosts() -> list[str]:
    """Names of this machine that could not be ordinary words."""
    names = {socket.gethostname(), socket.getfqdn()}
    return [name for name in names if len(name) > 7 or re.search(r"\d|-", name)]


def test_there_is_something_to_check():
    assert len(committed()) > 100 and {"default_run.json", "04_evaluation.ipynb"} <= set(outputs())


def test_no_token_and_no_home_in_any_file():
    found = [
        (path.relative_to(ROOT).as_posix(), hit[0])
        for path in committed()
        for hit in (TOKENS.search(content(path)), HOMES.search(content(path)))
        if hit
    ]
    assert found == []


def test_no_place_and_no_host_in_any_output():
    for name, text in outputs().items():
        assert not (hit := PLACES.search(text)), (name, hit)
        assert not [
            host for host in hosts() if re.search(rf"(?<!\w){re.escape(host)}(?!\w)", text)
        ], name


@pytest.mark.parametrize(
    "text",
    [
        "hf_" + "aB" * 17,
        "ghp_" + "a1" * 18,
        "AKIA" + "A1" * 8,
        "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
        "sk-" + "a1" * 20,
        "https://user:pass" + "word@host/simple",
    ],
)
def test_a_token_would_be_found(text):
    assert TOKENS.search(f"x = '{text}'")


@pytest.mark.parametrize(
    "text", ["in /tmp" + "/run/x", "/home" + "/ada/x", "C:\\Users" + "\\ada", "/root" + "/.cache"]
)
def test_a_place_would_be_found(text):
    assert HOMES.search(text) or PLACES.search(text)
    assert not PLACES.search("see https://example.org/home/x and <cache>/tmp/x")
