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
    read_verdict,
)
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl
from sdft_lib.storage.store import digest


class Server(ThreadingHTTPServer):
    """Answers what ``reply(prompt)`` gives: a text, or a status code, or raw bytes."""

    daemon_threads = True

    def __init__(self, reply):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply, self.seen, self.reason, self.more = reply, [], None, {}
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers, body))
        said = self.server.reply(body["messages"][-1]["content"])
        status, content = (said, b"{}") if isinstance(said, int) else (200, said)
        if isinstance(said, str | list):
            message = {"role": "assistant", "content": said}
            content = json.dumps({"choices": [{"message": message}]}).encode()
        self.send_response(status, self.server.reason)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        for name, value in self.server.more.items():
            self.send_header(name, value)
        if callable(content):
            self.end_headers()
            return content(self.wfile)
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
        (b'{"choices": null}', "not one of OpenAI's", 1),
        (b"null", "not one of OpenAI's", 1),
        (b"", "not one of OpenAI's", 1),
        (b"\xff", "not one of OpenAI's", 1),
        (b'{"choices": [{"message": {"content": [1]}}]}', "not one of OpenAI's", 1),
        (b"[" * 100_000, "not one of OpenAI's", 1),
        (b"9" * 9_000, "not one of OpenAI's", 1),
        (403, "403.*SDFT_JUDGE_KEY", 1),
        (500, "500.*look at its log", 6),
        (b"x" * 2**20 + b"x", "a reply has over 1048576 bytes", 1),
    ],
)
def test_what_a_judge_may_do_wrong(served, reply, words, asked):
    server = served(lambda prompt: reply)
    with pytest.raises(SdftError, match=words):
        ask(Judge(server.url, "m", key="k"), "x")
    assert len(server.seen) == asked


@pytest.mark.parametrize(
    "content, text",
    [(None, ""), ("", ""), ([], "")]
    + [([{"type": "text", "text": "Verdict:"}, {"type": "text", "text": " 2"}], "Verdict: 2")],
)
def test_replies_of_other_shapes(served, content, text):
    answer = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    assert ask(Judge(served(lambda prompt: json.dumps(answer).encode()).url, "m"), "x") == text


def drip(file):
    """A body that never ends, letter by letter."""
    while True:
        file.write(b" ")
        file.flush()
        threading.Event().wait(0.05)


def test_a_judge_that_never_stops_is_left(served):
    server = served(lambda prompt: drip)
    started = time.monotonic()
    with pytest.raises(SdftError, match="a reply has over .* or takes over 0 s"):
        ask(Judge(server.url, "m", seconds=0.3), "x")
    assert time.monotonic() - started < 20


def test_a_reply_is_not_unpacked(served):
    """A small body can unpack to all memory; none was asked for packed."""
    import gzip

    server = served(lambda prompt: gzip.compress(b" " * 2**24 + b"{}"))
    server.more = {"Content-Encoding": "gzip"}
    with pytest.raises(SdftError, match="not one of OpenAI's"):
        ask(Judge(server.url, "m"), "x")
    assert server.seen[0][1]["accept-encoding"] == "identity"


@pytest.mark.parametrize("value", ["nan", "-5", "1e999", "inf", "9" * 400, "soon", "", "0"])
def test_odd_times_to_wait(served, monkeypatch, value):
    waits, states = [], iter([429, "Verdict: 1"])
    server = served(lambda prompt: next(states))
    server.more = {"Retry-After": value}
    monkeypatch.setattr(time, "sleep", waits.append)
    try:
        assert ask(Judge(server.url, "m"), "x") == "Verdict: 1"
    except SdftError as error:  # it asked for more time than anybody waits
        assert "try later" in str(error)
    assert all(0 <= wait <= 60 for wait in waits)


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


FORM = "is not of the form http://localhost:8000/v1"
FAR = "a key is sent over https only, or to this machine"
ADDRESSES = {
    FORM: (
        *("localhost:8000", "ftp://x/v1", "file:///etc", "", "http://", "http:///v1", "http:/x/v1"),
        *("http://secret@host/v1", "http://" + "me:secret@host/v1", "me:secret@host/v1"),
        *("http://me:se" + "/cret@host/v1", "http://me:secret word@host/v1", "//me:secret@host"),
        *("http://host:eighty/v1", "http://host:65536/v1", "http://[::1/v1", "http://[::1]x/v1"),
        *("https://host/v1?api-key=secret", "https://host/v1#secret", "http://127.0.0.1\\@evil/v1"),
        *("http://localhost\n.evil.com/v1", "http://ｌｏｃａｌｈｏｓｔ/v1", "http://①27.0.0.1/v1"),
        *("http://localhost%2eevil.com/v1", "http://localhost/v1\0", " http://localhost/v1"),
    ),
    FAR: (
        *("http://example.org/v1", "HTTP://Example.org/v1", "http://127.0.0.1.evil.com/v1"),
        *("http://localhost.evil/v1", "http://localhost./v1", "http://xlocalhost/v1"),
        *("http://0.0.0.0:8000/v1", "http://[::]/v1", "http://10.0.0.1/v1", "http://128.0.0.1/v1"),
        *(
            "http://2130706433/v1",
            "http://0x7f.0.0.1/v1",
            "http://0177.0.0.1/v1",
            "http://127.1/v1",
        ),
        *("http://[::127.0.0.1]/v1", "http://[fe80::1]/v1", "http://[2001:db8::1]/v1"),
    ),
    "": (
        *("http://127.0.0.1:1/v1", "http://127.255.0.9/v1", "http://LOCALHOST:65535/v1"),
        *("http://[::1]:8000/v1", "http://[0:0:0:0:0:0:0:1]/v1", "https://example.org/v1"),
        *("https://127.0.0.1.evil.com/v1", "https://xn--bcher-kva.example/v1"),
    ),
}


@pytest.mark.parametrize("words, url", [(key, url) for key in ADDRESSES for url in ADDRESSES[key]])
def test_where_a_key_may_go(words, url):
    if not words:
        assert Judge(url, "m", "k3y").key
        return
    with pytest.raises(SdftError, match=words) as refusal:
        Judge(url, "m", "k3y")
    assert not any(word in str(refusal.value) for word in ("secret", "cret@", "k3y"))


@pytest.mark.parametrize("key", ["sec\nret", "sec\rret", "secret\x7f", "sécret", "сек", "sec\0ret"])
def test_a_key_that_cannot_be_sent_is_not_shown(key):
    with pytest.raises(SdftError, match="SDFT_JUDGE_KEY holds") as refusal:
        Judge("http://localhost:1/v1", "m", key)
    assert key not in str(refusal.value) and "ret" not in str(refusal.value)


def test_a_key_stays_out_of_sight():
    assert "secret" not in repr(Judge("http://localhost:1/v1", "m", "secret"))


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_sees_what_goes_to_this_machine(served, monkeypatch, proxy, host):
    server, spy = served(fair), served(fair)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(proxy, spy.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "example.org")
    text = WORDING.format(request="q", first="good", second="b")
    judge = Judge(server.url.replace("127.0.0.1", host), "m", key="k")
    assert ask(judge, text).endswith("1") and (len(server.seen), spy.seen) == (1, [])


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


PAIRS = [(f"p{n}", "What?", "good", "fine") for n in range(3)]


@pytest.fixture
def verdicts(served, tmp_path):
    """A file of three verdicts, and a server that counts what it is asked."""
    server, path = served(fair), tmp_path / "verdicts.jsonl"
    judge_all(Judge(server.url, "m"), PAIRS, path, say=lambda line: None)
    server.seen.clear()
    return server, path


def again(server, path):
    return judge_all(Judge(server.url, "m"), PAIRS, path, say=lambda line: None)


def test_a_file_without_its_last_line_end_loses_nothing(verdicts):
    server, path = verdicts
    path.write_text(path.read_text().rstrip("\n"))
    more = [*PAIRS, ("p3", "Why?", "good", "fine")]
    assert len(judge_all(Judge(server.url, "m"), more, path, say=lambda line: None)) == 4
    assert len(server.seen) == 2 and len(read_jsonl(path)) == 4 == path.read_text().count("\n")


@pytest.mark.parametrize("cut", [1, 9, 40, 120])
def test_a_line_that_a_kill_cut_is_judged_again(verdicts, cut):
    server, path = verdicts
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole[:-1]) + whole[-1][:cut])
    assert len(again(server, path)) == 3 and len(server.seen) == 2
    assert sorted(path.read_text().splitlines(keepends=True)) == sorted(whole)


CHANGES = {
    "score": ({"score": 0.0}, {"score": 7}, {"score": True}, {"score": None}, {"score": "1"}),
    "verdict": ({"front": 0.0, "back": 0.0, "score": 0.0}, {"front": None}, {"back": 1}),
    "pair": ({"id": "p9"}, {"mark": "0" * 24}, {"suite": "gsm8k"}, {"id": "\ud800"}),
    "column": ({"text": "x"}, {"seal": "0" * 24}, {"seal": None}, {"seal": 7}),
}


@pytest.mark.parametrize("change", [change for kind in CHANGES.values() for change in kind])
def test_an_altered_verdict_is_refused_by_row(verdicts, change):
    server, path = verdicts
    rows = read_jsonl(path)
    rows[1] |= change
    before = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(before)
    with pytest.raises(SdftError, match=r"verdicts.jsonl, row 2: this (was altered|is no verdict)"):
        again(server, path)
    assert path.read_text() == before and not server.seen


FOREIGN = ["notes", "{}", "[]", "1", '"x"', "", "{", "[" * 99_999, '{"suite": "alpaca_eval"}']


@pytest.mark.parametrize("line", [*FOREIGN, json.dumps({"seal": digest({})[:24]})])
@pytest.mark.parametrize("row", [1, 2])
def test_what_is_no_verdict_is_refused_and_kept(verdicts, line, row):
    server, path = verdicts
    lines = path.read_text().splitlines()
    before = "\n".join([*lines[: row - 1], line, *lines[row - 1 :], ""])
    path.write_text(before)
    with pytest.raises(SdftError, match=f"row {row}: this is no verdict of sdft judge; remove"):
        again(server, path)
    assert path.read_text() == before and not server.seen


def test_a_file_of_others_without_line_end_is_kept(verdicts):
    server, path = verdicts
    path.write_text("my notes")
    with pytest.raises(SdftError, match="row 1"):
        again(server, path)
    assert path.read_text() == "my notes"


def test_a_verdict_that_is_there_twice_is_refused(verdicts):
    server, path = verdicts
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises(SdftError, match="row 4: this judges a pair that an earlier row judges"):
        again(server, path)


def test_what_others_were_asked_when_one_failed_is_kept(served, tmp_path):
    """The first pair fails while the second is still being judged: its verdict is not lost."""
    failed = threading.Event()

    def reply(prompt):
        if "first pair" in prompt:
            failed.set()
            return 404
        failed.wait(5)
        threading.Event().wait(0.2)
        return "Verdict: 1"

    server, path = served(reply), tmp_path / "verdicts.jsonl"
    pairs = [("a", "first pair", "x", "y"), ("b", "second pair", "x", "y")]
    with pytest.raises(SdftError, match="404"):
        judge_all(Judge(server.url, "m"), pairs, path, workers=2, say=lambda line: None)
    assert [row["id"] for row in read_jsonl(path)] == ["b"]


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
