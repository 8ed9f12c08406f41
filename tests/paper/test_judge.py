"""A judge asked over HTTP, against a server of our own: both orders, broken replies, busy times,
keys.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.paper.judge import (
    WORDING,
    Judge,
    alpaca_outputs,
    ask,
    judge_all,
    judge_pair,
    judged,
    masked,
    read_verdict,
)
from sdft_lib.storage.errors import SdftError


class Server(ThreadingHTTPServer):
    """Answers what ``reply(prompt)`` gives: a text, or a status code, or raw bytes."""

    daemon_threads = True

    def __init__(self, reply):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply, self.seen, self.reason = reply, [], None
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers, body))
        said = self.server.reply(body["messages"][-1]["content"])
        status, content = (said, b"{}") if isinstance(said, int) else (200, said)
        if isinstance(said, str):
            content = json.dumps(
                {"choices": [{"message": {"role": "assistant", "content": said}}]}
            ).encode()
        self.send_response(status, self.server.reason)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def served(monkeypatch):
    """Start servers; they stop at the end. Waits between tries take no time."""
    servers = []
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def start(reply):
        servers.append(Server(reply))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answers_of(prompt: str) -> tuple[str, str]:
    """The two answers that a judge's prompt shows, first and second."""
    first, second = prompt.split("[Answer 1]\n")[1].split("\n\n[Answer 2]\n")
    return first, second.split("\n\nFinish with")[0]


def fair(prompt):
    """Prefers the answer that says "good"."""
    first, second = ("good" in text for text in answers_of(prompt))
    return "Both were read.\nVerdict: " + ("equal" if first == second else "1" if first else "2")


@pytest.mark.parametrize(
    "text, worth",
    [
        ("Verdict: 1", 1.0),
        ("Verdict: 2.", 0.0),
        ("verdict:  equal", 0.5),
        ("**Verdict: 2**", 0.0),
        ("Verdict - tie", 0.5),
        ("Verdict: 1? No. Verdict: 2", 0.0),
        ("I prefer the first", None),
        ("", None),
        ("Verdict: 12", None),
        ("Verdict: both", None),
    ],
)
def test_verdicts(text, worth):
    assert read_verdict(text) == worth


@pytest.mark.parametrize(
    "reply, ours, theirs, score, front, back",
    [
        (fair, "a good one", "a poor one", 1.0, 1.0, 1.0),
        (fair, "a poor one", "a good one", 0.0, 0.0, 0.0),
        (fair, "good", "good too", 0.5, 0.5, 0.5),
        (lambda prompt: "Verdict: 1", "good", "poor", 0.5, 1.0, 0.0),  # it likes what comes first
        (lambda prompt: "Verdict: 2", "good", "poor", 0.5, 0.0, 1.0),
        (lambda prompt: "Hm.", "good", "poor", 0.5, None, None),
        (
            lambda prompt: "Verdict: 1" if answers_of(prompt)[0] == "good" else "Hm.",
            "good",
            "poor",
            0.5,
            1.0,
            None,
        ),
        (
            lambda prompt: "Verdict: 1" if answers_of(prompt)[0] == "good" else "Verdict: equal",
            "good",
            "poor",
            0.5,
            1.0,
            0.5,
        ),
    ],
)
def test_each_answer_comes_first_once(served, reply, ours, theirs, score, front, back):
    server = served(reply)
    found = judge_pair(Judge(server.url, "m"), "What?", ours, theirs)
    assert found == {"front": front, "back": back, "score": score}
    shown = [answers_of(body["messages"][0]["content"]) for _, _, body in server.seen]
    assert shown == [(ours, theirs), (theirs, ours)]


def test_braces_in_an_answer_are_text(served):
    server = served(fair)
    assert judge_pair(Judge(server.url, "m"), "{0} {x}", "good {second}", "{request}")["score"] == 1


def test_what_is_sent(served, monkeypatch):
    """To this machine through no proxy, and nothing of what OPENAI_* variables hold."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "private")
    server = served(fair)
    ask(
        Judge(f"{server.url}/", "my-judge", key="k"),
        WORDING.format(request="q", first="a", second="b"),
    )
    ask(Judge(server.url, "my-judge"), WORDING.format(request="q", first="a", second="b"))
    (path, headers, body), (_, plain, _) = server.seen
    assert (
        path == "/v1/chat/completions"
        and headers["authorization"] == "Bearer k"
        and "authorization" not in plain
    )
    assert (body["model"], body["temperature"], len(body["messages"])) == ("my-judge", 0, 1)
    assert "private" not in str(server.seen)


def test_a_busy_judge_is_asked_again(served):
    states = iter([429, 503, "Verdict: 1"])
    server = served(lambda prompt: next(states))
    assert ask(Judge(server.url, "m"), "x") == "Verdict: 1" and len(server.seen) == 3


@pytest.mark.parametrize(
    "reply, words, asked",
    [
        (401, "401.*SDFT_JUDGE_KEY", 1),
        (404, "404.*check address and model", 1),
        (429, "try later", 6),
        (302, "302", 1),
        (b"<html>", "not one of OpenAI's", 1),
        (b'{"choices": []}', "not one of OpenAI's", 1),
        (b'{"choices": [{"message": "x"}]}', "not one of OpenAI's", 1),
    ],
)
def test_what_a_judge_may_do_wrong(served, reply, words, asked):
    server = served(lambda prompt: reply)
    with pytest.raises(SdftError, match=words):
        ask(Judge(server.url, "m", key="k"), "x")
    assert len(server.seen) == asked


def test_a_busy_judge_is_asked_later_and_later(served, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server = served(lambda prompt: 503)
    with pytest.raises(SdftError, match="503"):
        ask(Judge(server.url, "m"), "x")
    assert waits == sorted(waits) and 11 < sum(waits) < 16 and len(server.seen) == 6


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(SdftError, match=r"sdft-tutorial\[judge\]"):
        ask(Judge("http://localhost:1/v1", "m"), "x")


def test_a_key_that_the_server_repeats_is_not_shown(served):
    server = served(lambda prompt: 401)
    server.reason = "no such key secret-key"
    with pytest.raises(SdftError, match=r"no such key \*\*\*\)"):
        ask(Judge(server.url, "m", key="secret-key"), "x")


def test_no_judge_at_all(served):
    server = served(fair)
    server.shutdown()
    server.server_close()
    with pytest.raises(SdftError, match="cannot be reached"):
        ask(Judge(server.url, "m", seconds=1), "x")


@pytest.mark.parametrize(
    "url, key, words",
    [
        ("localhost:8000", "", "is not of the form"),
        ("ftp://x/v1", "", "is not of the form"),
        ("file:///etc", "", "form"),
        ("http://me@host/v1", "", "is not of the form"),
        ("http://" + "me:secret@host/v1", "", r"http://\*\*\*@host/v1' is not of the form"),
        ("me:secret@host/v1", "", r"'\*\*\*@host/v1' is not of the form"),
        ("http://host:eighty/v1", "", "is not of the form"),
        ("http://[::1/v1", "", "is not of the form"),
        ("http://example.org/v1?api-key=secret", "k", r"/v1\?\*\*\*: a key .* https only"),
        ("http://example.org/v1", "k", "https only"),
    ],
)
def test_addresses(url, key, words):
    with pytest.raises(SdftError, match=words) as refusal:
        Judge(url, "m", key)
    assert "secret" not in str(refusal.value)


def test_a_key_stays_out_of_sight():
    assert "secret" not in repr(Judge("http://localhost:1/v1", "m", "secret"))
    assert masked("at https://" + "a:b@c/v1?key=x: no k3y, is it running?", "k3y") == (
        "at https://***@c/v1?*** no ***, is it running?"
    )
    assert (
        Judge("http://127.0.0.1:1/v1", "m", "k").key
        and Judge("https://example.org/v1", "m", "k").key
    )


def test_win_rate_by_hand():
    """Two wins, a loss, a turned pair, an unreadable one: (1 + 1 + 0 + 0.5 + 0.5) / 5."""
    rows = [
        {"front": 1.0, "back": 1.0, "score": 1.0},
        {"front": 1.0, "back": 1.0, "score": 1.0},
        {"front": 0.0, "back": 0.0, "score": 0.0},
        {"front": 1.0, "back": 0.0, "score": 0.5},
        {"front": None, "back": 1.0, "score": 0.5},
    ]
    found = judged(rows)
    assert found["win_rate"] == pytest.approx(0.6) and (
        found["turned"],
        found["unread"],
        found["n"],
    ) == (1, 1, 5)
    assert found["front_bonus"] == pytest.approx(0.25) and found["low"] < 0.6 < found["high"]


def test_judging_goes_on_where_it_stopped(served, tmp_path):
    pairs = [(f"p{n}", "What?", "good" if n % 2 else "poor", "fine") for n in range(6)]
    path, count = tmp_path / "verdicts.jsonl", iter(range(100))
    broken = served(lambda prompt: fair(prompt) if next(count) < 5 else 404)
    with pytest.raises(SdftError):
        judge_all(Judge(broken.url, "m"), pairs, path, workers=1, say=lambda line: None)
    kept = path.read_text().count("\n")
    assert kept == 2  # whole pairs alone
    broken.reply = fair
    before = len(broken.seen)
    rows = judge_all(Judge(broken.url, "m"), pairs, path, workers=3, say=lambda line: None)
    assert len(broken.seen) - before == 2 * (6 - kept)
    assert [row["id"] for row in rows] == [pair[0] for pair in pairs]
    assert [row["score"] for row in rows] == [0.5, 1, 0.5, 1, 0.5, 1]
    pairs[0] = ("p0", "What?", "good now", "fine")  # another text is asked about anew
    assert judge_all(Judge(broken.url, "m"), pairs, path, say=lambda line: None)[0]["score"] == 1
    assert len(broken.seen) - before == 2 * (6 - kept) + 2


ITEMS = [
    {"id": "alpaca_eval-0001", "messages": [{"role": "user", "content": "Say é"}], "reference": "é"}
]


def test_outputs_of_the_tool():
    rows = alpaca_outputs(ITEMS, {"alpaca_eval-0001": "é!"}, "mine")
    assert rows == [{"instruction": "Say é", "output": "é!", "generator": "mine"}]


def test_the_command_on_the_public_prompts(paper_data, served, tmp_path):
    """805 rows in the tool's columns; three judged against the set's own references."""
    answers = tmp_path / "mine.jsonl"
    answers.write_text(
        "".join(
            json.dumps({"id": f"alpaca_eval-{n:04d}", "text": f"good {n}"}) + "\n"
            for n in range(1, 806)
        )
    )
    outputs, verdicts = tmp_path / "outputs.json", tmp_path / "verdicts.jsonl"
    run = CliRunner().invoke
    assert run(cli.app, ["judge", str(answers), "--outputs", str(outputs)]).exit_code == 0
    rows = json.loads(outputs.read_text(encoding="utf-8"))
    asked = json.loads((paper_data / "alpaca_eval.json").read_text(encoding="utf-8"))
    assert [row["instruction"] for row in rows] == [row["instruction"] for row in asked] and len(
        rows
    ) == 805
    assert {tuple(row) for row in rows} == {("instruction", "output", "generator")}
    assert (rows[804]["output"], rows[0]["generator"]) == ("good 805", "mine")
    server = served(
        lambda prompt: "Verdict: " + ("1" if answers_of(prompt)[0].startswith("good ") else "2")
    )
    arguments = ["--url", server.url, "--out", str(verdicts), "--limit", "3", "--json"]
    result = run(cli.app, ["judge", str(answers), *arguments])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["win_rate"] == 1 and len(server.seen) == 6
    for wrong in (["judge", str(answers)], ["judge", str(answers), "--url", server.url]):
        assert run(cli.app, wrong).exit_code == 2
