"""The paper's rules beside ours: the filter of its code, case by case, and what both say of a set."""

import json

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.data import load_task
from sdft_lib.paper.rules import last_integer, paper_accept, same_integer
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


def test_the_audit_says_what_both_filters_decide_and_why(tmp_path):
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
    assert [bool(row["why"]) for row in found["decisions"]] == [True, False, False, False]
    assert found["kept"] == {"paper": 1, "ours": 2} and len(found["differences"]) == 1
    usual = json.loads(CliRunner().invoke(cli.app, [*line, "--json"]).stdout)
    assert not {"decisions", "rules"} & set(usual)
    wrong = CliRunner().invoke(cli.app, [*line, "--rules", "papers"])
    assert wrong.exit_code == 2 and 'did you mean "paper"' in wrong.stderr
