"""The page of evidence and its figures follow from the recorded grids, whatever part of them is
there; checked on made-up grids whose numbers are known.
"""

import json

import PIL.Image
import pytest

from ci.bootstrap import ROOT
from ci.recorded import record_evidence as evidence
from ci.recorded.blocks import BOOK
from sdft_lib.experiments import recorded as rec

ITEMS = 20
FACTS = {
    "made": "2026-01-02T00:00:00Z",
    "machine": "a machine",
    "dtype": "fp32",
    "command": "sdft run --recipe tickets.toml --method sft",
    "code": {"train": 2},
}
SUITES = ("facts", "facts-opened", "helpful", "instructions")
DECLARED = """task = "tickets"
[[comparison]]
question = "More facts?"
suite = "facts"
a = "sdft"
b = "sft"
expected = "higher"
[[comparison]]
question = "As many facts?"
suite = "facts"
a = "sdft"
b = "sft-other"
expected = "same"
"""


def line(method, seed, share, suite, score, split="test"):
    head = {"recipe": "tickets", "method": method, "seed": seed, "settings": "x"}
    head |= {"checkpoint": share, "split": split, "suite": suite}
    ids = [
        f"{split}-{suite.partition('-')[0]}-{item}" for item in range(ITEMS)
    ]  # those of its twin
    return head | {"ids": ids, "scores": [score] * ITEMS}


def cell(method, seed=0, learnt=1.0):
    """SDFT, replay and the seed model keep all, SFT loses it at its end; half way, half is learnt
    (on test at the end, ``learnt``)."""
    lines = []
    for share in (0.0,) if method == "seed" else (0.5, 1.0):
        task = learnt if share == 1 else share
        lines.append(line(method, seed, share, "task", task))
        lines.append(line(method, seed, share, "task", share, "dev"))
        kept = float(method in ("seed", "sdft", "sft-replay") or share < 1)
        lines += [line(method, seed, share, suite, kept) for suite in SUITES]
    trained = {"seconds": 1800.0}
    made = FACTS | ({} if method == "seed" else {"training": trained, "targets": TARGETS[method]})
    return [*lines, {"recipe": "tickets", "method": method, "seed": seed, "facts": made}]


TARGETS = {
    "sft": {"nats": 7.0, "words": 1.0, "distinct": 6},
    "sdft": {"nats": 2.0, "words": 14.5, "distinct": 300},
    "sft-reason": {"nats": 3.0, "words": 14.0, "distinct": 6},
    "sft-replay": {"nats": 2.5, "words": 9.0, "distinct": 126},
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A data folder with recipes for two tasks, and a writer of their results."""
    monkeypatch.setattr(rec, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(evidence, "RESULTS", tmp_path / "results")
    for name in ("results", "recipes"):
        (tmp_path / name).mkdir()
    for name in ("tickets", "calls"):
        text = f'task = "{name}"\n'
        (tmp_path / "recipes" / f"{name}.toml").write_text(text, encoding="utf-8")
    (tmp_path / "results" / "predictions.toml").write_text(DECLARED, encoding="utf-8")

    def writer(*cells, name="tickets"):
        text = "".join(json.dumps(row) + "\n" for rows in cells for row in rows)
        (tmp_path / "results" / f"{name}.jsonl").write_text(text, encoding="utf-8")
        return evidence.block(rec.recorded())

    return writer


def test_the_figures_are_those_of_the_record():
    """A figure's file holds its words; they hold its numbers."""
    shown = evidence.figures(rec.recorded())
    for path, figure in shown.items():
        words = PIL.Image.open(path).info["Description"]
        assert words == figure.alt.encode("latin-1", "replace").decode("latin-1"), path.name
    page = (BOOK / "evidence.md").read_text(encoding="utf-8")
    assert page.count("](../../data/results/") == len(shown) - 1  # the headline is README's
    assert "](data/results/scores.png)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_without_a_grid_only_tasks_in_a_row_are_left(write):
    assert write() == write(cell("seed")) == ""


def test_one_method_with_one_seed_is_shown_as_such(write):
    text = write(cell("seed"), cell("sft"))
    assert "ladder.png" in text
    assert "| SFT (`sft`) | 1 | 1.00 (0.84 to 1.00) | 0.00 (0.00 to 0.16) |" in text
    assert "| More facts? | higher | not recorded yet |  |  |  |  |  |" in text
    assert "With 1 methods nothing is said" in text and "## Or only less" not in text


def test_everything_on_the_page_follows_from_the_scores(write):
    names = ("sft", "sdft", "sft-reason", "sft-replay")
    cells = [cell(name, seed) for seed in (0, 1) for name in names]
    text = write(cell("seed"), *cells)
    assert "| method | seeds | task (20) | facts (20) | helpful (20) | instructions (20) |" in text
    assert "| method | seeds | facts (20) | facts-opened (20) |" in text
    held = "| More facts? | higher | held | +1.00 (+1.00 to +1.00) | < 0.001 | higher |"
    assert f"{held} 20 | 2 |" in text and "| As many facts? | same | not rec" in text
    assert (
        "| SFT (`sft`) | 2 | 7.00 | 1.0 | 6 |\n| fixed reason (`sft-reason`) | 2 | 3.00 | 14.0 | 6 |"
        in text
    )
    for name in ("ladder", "gap", "muted", "frontier"):
        assert f"](../../data/results/{name}.png)" in text
    assert "- SDFT keeps more facts than `sft`.\n- Not tested, since both keep nearly all" in text
    assert "| sft | facts | 20 | 20 | 2 | 1.00 | 0.00 | +1.00 (+1.00 to +1.00) |" in text
    assert "with a machine in fp32 (4.0 hours of training)" in text
    assert "by `sdft run --recipe tickets.toml`; versions of the steps: train: 2." in text


def test_another_task_gets_its_part(write):
    write(cell("seed"), cell("sft"), cell("sdft"), name="calls")
    text = write(cell("seed"), cell("sft"))
    part = text[text.index("## Another task: calls") :]
    assert (
        "| SDFT (`sdft`) | 1 | 2.00 | 14.5 | 300 |" in part and "- facts: sdft minus sft is" in part
    )
    assert "## Another task: sums" not in text


def test_a_sweep_gets_its_part(write, tmp_path):
    """SFT is best at twice the rate of the lessons; half of its dev rows more are right there."""
    assert "## Or a bad setting" not in write(cell("seed"), cell("sft"))
    usual = {"learning_rate": 2e-3, "rank": 8, "alpha": 16, "epochs": 2}
    lines = []
    for rate, scores in ((2e-3, [1.0, 0.0]), (4e-3, [1.0, 1.0])):
        made = {"training": usual | {"learning_rate": rate}, "ids": ["a", "b"], "scores": scores}
        made |= {"kept": {"ids": ["c"], "scores": [0.0]}, "facts": {"training": {"seconds": 2.0}}}
        lines.append({"method": "sft", "seed": 0} | made)
    sweep = "[[sweep]]\nlearning_rate = 2e-3\n"
    (tmp_path / "recipes" / "sweep.toml").write_text(sweep, encoding="utf-8")
    write(lines, name="sweep")
    text = write(cell("seed"), cell("sft"))
    part = text[text.index("## Or a bad setting for SFT?") :]
    assert "](../../data/results/sweep.png)" in part
    assert "SFT by learning rate 0.002: 0.50 and 0.00, 0.004: 1.00 and 0.00" in part
    best = (
        "- sft: best on dev 1.00 with learning_rate 0.004, rank 8, alpha 16, epochs 2; the setting"
    )
    assert f"{best} of the lessons: 0.50, lower by 0.50 (" in part


def test_evidence_says_where_two_methods_did_not_learn_equally_much(write):
    """On dev both reach 1, on test SFT has learnt nothing: what it kept was kept at another
    price.
    """
    write(cell("sft", learnt=0.0), cell("sdft"))
    table = evidence.compared(rec.recorded())
    task, facts, *_ = evidence.matched(table).splitlines()[2:]
    assert "| sft | task |" in task and "| sdft is higher | 0:" in task
    assert "| sdft is higher, but not at equal learning |" in facts
    aside = "- Not compared, since the task scores differ on test: `sft`"
    assert evidence.in_words(table)[-1].startswith(aside)


def test_evidence_on_tasks_in_a_row_is_that_of_lesson_06():
    lines = evidence.in_a_row()
    orders = rec.recorded_orders()["order"].unique()
    assert [row for row in lines if row.startswith("- ")] == [f"- {order}" for order in orders]
    assert sum("ACC: sdft minus sft lies in" in row for row in lines) == len(orders)
    assert sum(row.startswith("  - ") for row in lines) == 2 * 3 * len(orders)  # measures, pairs
