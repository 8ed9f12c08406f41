"""The README's results are made from the recorded run, not typed; the record keeps the summary's contract."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "ci"))

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
