"""The README's results are made from the recorded run, not typed; the record keeps the summary's contract."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "ci"))

import record_evidence  # noqa: E402
import record_run  # noqa: E402
import run_tests  # noqa: E402


def record() -> dict:
    return json.loads(record_run.RECORD.read_text(encoding="utf-8"))


def test_readme_follows_from_the_record():
    assert record_run.readme_with(record()) == (ROOT / "README.md").read_text(encoding="utf-8")


def test_record_keeps_the_contract_and_says_how_it_was_made():
    assert run_tests.check_summary(record_run.RECORD) == []
    assert record()["mode"] == "default"
    assert all(record()[key] for key in ("recorded", "commit", "cpu", "dtype"))


def test_a_changed_number_changes_the_readme():
    changed = record()
    changed["scores"][0]["mean"] = 0.123
    assert "0.12 (" in record_run.block(changed)
    assert record_run.readme_with(changed) != record_run.readme_with(record())


def test_claims_follow_from_their_intervals():
    rules = {
        "SFT knows fewer facts than the seed": lambda c: c["high"] < 0,
        "SDFT knows more facts than SFT": lambda c: c["low"] > 0,
        "SDFT loses less than 0.10 of the seed's facts": lambda c: c["low"] > -0.1,
        "SDFT learns the task to within 0.10 of SFT": lambda c: c["low"] > -0.1,
    }
    found = {claim["claim"]: claim for claim in record()["claims"]}
    assert set(rules) <= set(found)
    for name, rule in rules.items():
        assert found[name]["reached"] == rule(found[name])
    missed = [claim["claim"] for claim in found.values() if not claim["reached"]]
    assert [row["claim"] for row in record()["not_reached"]] == missed


def grid(methods=("sft", "sdft"), seeds=(0, 1, 2)):
    """A made-up grid: SDFT keeps all facts at every checkpoint, SFT none at its end; both learn the task alike."""
    import pandas

    rows = []
    for method, seed in [("seed", 0), *((m, s) for m in methods for s in seeds)]:
        for share in (0.0,) if method == "seed" else (0.5, 1.0):
            for split, suite in [("dev", "task"), *(("test", name) for name in record_evidence.SUITES)]:
                if split == "dev" and method == "seed":
                    continue
                score = share if suite == "task" else float(method != "sft" or share < 1)
                rows += [{"recipe": "tickets", "method": method, "seed": seed, "checkpoint": share, "split": split,
                          "suite": suite, "id": f"{suite}-{n}", "score": score} for n in range(20)]  # fmt: skip
    return pandas.DataFrame(rows)


def test_evidence_in_the_readme_follows_from_the_recorded_grid():
    assert record_evidence.readme_with(record_evidence.recorded()) == (ROOT / "README.md").read_text(encoding="utf-8")


def test_evidence_says_what_the_intervals_say(monkeypatch):
    facts = {"made": "2026-01-02T00:00:00Z", "machine": "m", "dtype": "fp32", "command": "sdft run --method sft"}
    monkeypatch.setattr(record_evidence, "lines_of_facts", lambda: [{"facts": facts}])
    text = record_evidence.block(grid())
    assert "| sft | facts | 20 | 3 | 1.00 | 0.00 | +1.00 (+1.00 to +1.00) |" in text
    assert "sdft is higher" in text and "`sdft run`" in text and "0 covers" not in text
    assert "| sft | 1.00 (1.00–1.00) | 0.00 (0.00–0.00) |" in text
    assert record_evidence.block(grid(methods=("sdft",))) == ""


def test_evidence_says_where_two_methods_did_not_learn_equally_much():
    """On dev both reach 1, on test SFT has learnt nothing: what it kept was kept at another price."""
    frame = grid()
    frame.loc[(frame["method"] == "sft") & (frame["split"] == "test") & (frame["suite"] == "task"), "score"] = 0.0
    task, facts = record_evidence.matched(frame)[2:]
    assert "| sft | task |" in task and "| sdft is higher | 0:" in task
    assert "| sdft is higher, but not at equal learning |" in facts
