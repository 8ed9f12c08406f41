"""The paper's rules beside ours: the filter of its code, case by case, and what both say of a set."""

import json
import os
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.data import Task, load_task
from sdft_lib.distill import distill
from sdft_lib.generation import Generation
from sdft_lib.paper import reproduce
from sdft_lib.paper.lm_eval import TASKS, five
from sdft_lib.paper.rules import (
    PAPER,
    every_turn,
    last_integer,
    paper_accept,
    read_phrases,
    rules_of,
    same_integer,
)
from sdft_lib.paper.scores import score_answers
from sdft_lib.paper.suites import SUITES
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import DistillTemplate
from sdft_lib.verify import accept

CALL = "f.g(a=1, b='x')"
PROGRAM = "```python\nx = 1\n```"
CASES = [  # kind, reference, text, the paper's reason, ours
    ("open", "r", "Certainly, it is fine.", "accepted", "accepted"),
    ("open", "r", "Here is MY RESPONSE: it is fine.", "leak", "accepted"),
    ("open", "r", "Your turn! It is fine.", "leak", "accepted"),
    ("open", "r", "It is your turn! It is fine.", "accepted", "accepted"),
    ("open", "r", "no no no no no no no no", "accepted", "loop"),
    ("open", "r", "As the known solution says, it is fine.", "accepted", "leak"),
    ("math", "It is 8.", "5 + 3 = 8", "accepted", "accepted"),
    ("math", "It is 8.", "It is 8, not 9.", "answer", "accepted"),
    ("math", "It is 1000.", "It is 1,000.00 in all.", "accepted", "accepted"),
    ("math", "It is 8.", "It is 8.5.", "answer", "answer"),
    ("math", "It is 8.", "8 (2 x 4)", "answer", "answer"),
    ("call", CALL, 'I call f.g(a=1,b="x").', "accepted", "accepted"),
    ("call", CALL, "f.g(b='x', a=1)", "answer", "accepted"),
    ("call", CALL, f"{CALL} or g(2)", "accepted", "answer"),
    ("program", PROGRAM, f"Here is the program.\n{PROGRAM}", "accepted", "accepted"),
    ("program", PROGRAM, f"Sure!\n{PROGRAM}", "answer", "accepted"),
    ("program", PROGRAM, "I have it: ```python x = = 1```", "accepted", "answer"),
    ("label", "billing", "shipping", "accepted", "answer"),
]


@pytest.mark.parametrize("kind, reference, text, papers, ours", CASES)
def test_what_both_filters_say(kind, reference, text, papers, ours):
    choices = ["billing", "shipping"] if kind == "label" else None
    assert paper_accept(kind, reference, text, choices, prompt="p").reason == papers
    assert accept(kind, reference, text, choices, prompt="p").reason == ours


@pytest.mark.parametrize(
    "text, number",
    [
        ("He has 3 and 4", 4),
        ("1,234", 1234),
        ("1 234", 1234),
        ("-7.", -7),
        ("2.00", 2),
        ("2.50", None),
        ("none", None),
        ("3\n4", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_whole_number(text, number):
    assert last_integer(text) == number


def test_a_text_without_a_number_is_not_right():
    assert not same_integer("none", "none") and same_integer("The answer is 2.", "2.0")


def test_the_references_pass_the_papers_filter(paper_data):
    """What the paper trains on passes its own check, but for one number with decimals."""
    for name in ("gsm8k", "openfunctions"):
        task = load_task(name, say=lambda line: None)
        lost = []
        for row in task.train:
            if not paper_accept(task.kind, row["reference"], row["reference"]).ok:
                lost.append(row["id"])
        assert len(lost) <= 5, (name, len(lost), lost[:9])


def test_the_audit_says_what_both_filters_decide(tmp_path):
    before = [("Two and two?", "4"), ("One and two?", "3"), ("Six less one?", "5"), ("1?", "1")]
    after = ["It is 4, not 5.", "So it is 3.", "It is 6.", "1"]
    for name, answers in (("a", [answer for _, answer in before]), ("b", after)):
        rows = [{"question": q, "answer": a} for (q, _), a in zip(before, answers)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    line = ["audit", "--original", f"{tmp_path}/a.json", "--distilled", f"{tmp_path}/b.json"]
    told = CliRunner().invoke(cli.app, [*line, "--kind", "math", "--rules", "paper"])
    assert "paper's filter  keeps 1 of 3 changed rows" in told.stdout, told.output
    assert "our filter      keeps 2 of 3" in told.stdout
    done = CliRunner().invoke(cli.app, [*line, "--kind", "math", "--rules", "paper", "--json"])
    found = json.loads(done.stdout)
    rows = [(row["changed"], row["paper"], row["ours"]) for row in found["decisions"]]
    assert rows == [
        (True, "answer", "accepted"),
        (True, "accepted", "accepted"),
        (True, "answer", "answer"),
        (False, "accepted", "accepted"),
    ]
    assert found["kept"] == {"paper": 1, "ours": 2}
    assert found["differences"] == {"paper answer, ours accepted": 1}
    usual = json.loads(CliRunner().invoke(cli.app, [*line, "--json"]).stdout)
    assert not {"decisions", "rules"} & set(usual)
    wrong = CliRunner().invoke(cli.app, [*line, "--rules", "papers"])
    assert wrong.exit_code == 2 and 'did you mean "paper"' in wrong.stderr


class TestDistill:
    """The library's ``distill`` under the paper's rules; the answers are given."""

    rows = [
        {"id": "a", "messages": [{"role": "user", "content": "5 + 3?"}], "reference": "8"},
        {"id": "b", "messages": [{"role": "user", "content": "1 + 1?"}], "reference": "2"},
    ]

    def made(self, monkeypatch, tmp_path, prefill, rules):
        def written(seed, prompts, decoding, *, names, **options):
            return [Generation(" It is 8, 8, 8, 8, 8, 8, 8, 8.", "length", 9) for _ in names]

        monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
        monkeypatch.setattr("sdft_lib.distill.generate", written)
        seed = SimpleNamespace(identity={"model": "made-up"}, name="made-up")
        template = DistillTemplate("t", "{instruction} {reference}", prefill=prefill)
        task = Task("sums", "math", self.rows)
        return distill(seed, task, template, rules=rules, say=lambda line: None)

    def test_filter_and_untrained_prefill(self, monkeypatch, tmp_path):
        made = self.made(monkeypatch, tmp_path, "Let us see.", PAPER)
        assert [row["reason"] for row in made.rows] == ["accepted", "answer"]
        assert made.rows[0]["text"].startswith("It is 8,") and made.report["own_share"] == 1
        ours = self.made(monkeypatch, tmp_path, "Let us see.", None)
        assert [row["reason"] for row in ours.rows] == ["cut", "cut"]
        assert ours.rows[0]["raw"].startswith("Let us see.")

    def test_a_prefill_with_the_answer_stays(self, monkeypatch, tmp_path):
        made = self.made(monkeypatch, tmp_path, "{reference}!", PAPER)
        assert made.rows[0]["text"].startswith("8! It is")
        assert 0 < made.report["own_share"] < 1


def test_every_turn_is_a_row():
    turns = [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")]
    messages = [{"role": role, "content": text} for role, text in [*turns, ("user", "q3")]]
    row = {"id": "a", "messages": messages, "reference": "a3", "text": "own", "source": "rewritten"}
    made = every_turn([row, {**row, "id": "b", "messages": messages[:1]}])
    assert [each["id"] for each in made] == ["a", "a-turn-1", "a-turn-3", "b"]
    assert made[2]["messages"] == messages[:3]
    assert made[2]["text"] == made[2]["reference"] == "a2" and made[0] == row


def test_phrases_come_from_a_file_that_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_PAPER_DATA", str(tmp_path / "data"))
    path = tmp_path / "eval" / "keyword_eval_safety.py"
    with pytest.raises(SdftError, match="--phrases eval/keyword_eval_safety.py of a checkout"):
        read_phrases(None)
    path.parent.mkdir()
    path.write_text("raise SystemExit\nn = [1, 2, 3]\nwords = {'No.', 'Sorry'}\nx = ['a']\n")
    assert read_phrases(None) == read_phrases(path) == ("No.", "Sorry")
    path.write_text("words = [")
    with pytest.raises(SdftError, match="holds no list of phrases"):
        read_phrases(path)


ITEMS = {
    "gsm8k": [("8", "It is 8."), ("8", "8 or 9"), ("1000", "1,000")],
    "openfunctions": [("f(a=1, b=2)", "f(a=1,b=2)"), ("f(a=1, b=2)", "f(b=2, a=1)")],
    "advbench": [("", "Hello! I will not."), ("", "hello, I cannot")],
}
RIGHT = {"gsm8k": [1, 0, 1], "openfunctions": [1, 0], "advbench": [1, 0]}


@pytest.mark.parametrize("name", ITEMS)
def test_scores_by_the_papers_rules(name):
    items, answers = [], {}
    for number, (reference, text) in enumerate(ITEMS[name]):
        item = {"id": str(number), "messages": [{"role": "user", "content": "Q"}]}
        items.append(item | {"reference": reference})
        answers[str(number)] = {"id": str(number), "text": text}
    rows = score_answers(SUITES[name], items, answers, phrases=("Hello!", "I can't"))
    assert [row["score"] for row in rows] == RIGHT[name]
    assert {row["suite"] for row in rows} == {name}


def test_a_withheld_answer_keeps_what_was_counted(tiny_seed, monkeypatch, tmp_path):
    """The phrase is looked for before the text is thrown away; without that, scoring is refused."""
    said = "Hello! Sure, take the key."
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    monkeypatch.setattr(reproduce, "generate", lambda *args, **more: [Generation(said, "stop", 9)])
    suite, row = SUITES["advbench"], {"id": "a", "messages": [{"role": "user", "content": "How?"}]}
    items = [row | {"reference": ""}]
    options = {"rules": PAPER, "phrases": ("Hello!",), "say": lambda line: None}
    (answer,) = reproduce.answer_items(tiny_seed, suite, items, **options)
    assert (answer["text"], answer["withheld"], answer["phrase"]) == ("", True, True)
    (scored,) = score_answers(suite, items, {"a": answer}, phrases=("Hello!",))
    assert scored["score"] == 1
    del answer["phrase"]
    with pytest.raises(SdftError, match="answer anew with --rules paper"):
        score_answers(suite, items, {"a": answer}, phrases=("Hello!",))


def test_five_figures_by_hand():
    names = [*TASKS]
    rows = [{"task": name, "metric": "acc,none", "score": 0.5, "n": 100} for name in names]
    rows[1] |= {"score": 0.2}
    rows[2] |= {"score": 0.4}
    rows[3] |= {"score": 0.8, "n": 300}
    found = {row["task"]: row["score"] for row in five(rows)}
    assert found["paper: truthfulqa"] == pytest.approx(0.3)
    assert found["paper: arc"] == pytest.approx((300 * 0.8 + 100 * 0.5) / 400)
    assert len(found) == 5 and found["paper: mmlu"] == 0.5


def test_rules_are_ours_unless_named(monkeypatch):
    monkeypatch.delenv("SDFT_DTYPE", raising=False)
    assert rules_of("ours") is None and rules_of("paper") is PAPER
    assert "SDFT_DTYPE" not in os.environ  # no GPU here
    monkeypatch.setattr("sdft_lib.paper.rules.choose_device", lambda: "cuda")
    assert rules_of("paper") is PAPER and os.environ.pop("SDFT_DTYPE") == "fp16"
