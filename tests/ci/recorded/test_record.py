"""Results on pages are made from the recorded runs, not typed; the record keeps the summary's
contract.
"""

import re

import pandas
import pytest

from ci import run_tests
from ci.bootstrap import ROOT
from ci.lessons import house
from ci.recorded import record_evidence, record_run
from ci.recorded.record_run import read as record
from sdft_lib import stats
from sdft_lib.experiments.recorded import recorded
from sdft_lib.lessons import claims


@pytest.mark.parametrize("pages", [record_run.pages, record_evidence.pages, house.pages])
def test_pages_follow_from_what_they_are_made_of(pages):
    for page, text in pages().items():
        assert text == page.read_text(encoding="utf-8"), page.name


def test_record_keeps_the_contract_and_says_how_it_was_made():
    assert run_tests.check_summary(record_run.RECORD) == []
    assert record()["mode"] == "default"
    assert all(record()[key] for key in ("recorded", "commit", "cpu", "dtype"))


def test_a_changed_number_changes_the_page():
    changed = record()
    changed["scores"][0]["mean"] = 0.123
    assert "0.12 (" in record_run.whole(changed)
    before, after = record_run.pages(), record_run.pages(changed)
    assert len(before) == 1 and all(after[page] != before[page] for page in before)


def test_all_methods_of_the_run_stand_on_the_page():
    more = record()
    for row in [row for row in more["scores"] if row["method"] == "sft"]:
        more["scores"].append(row | {"method": "new", "units": 7})
    assert "SDFT" in record_run.whole(more) and "new" in record_run.whole(more)
    more["scores"][0]["units"] = 72
    assert "| task (240 in 72 scenarios) |" in record_run.whole(more)


def test_the_readme_shows_the_recorded_grid():
    frame = recorded("tickets")
    worse = (frame["method"] == "sft") & (frame["suite"] == "facts") & (frame["split"] == "test")
    zeros = frame.assign(score=frame["score"].where(~worse, 0.0))
    before, after = record_evidence.short(frame), record_evidence.short(zeros)
    assert "SFT 0.00 (0.00 to 0.00)" in after and "SFT 0.00 (0.00 to 0.00)" not in before
    assert "5 training seeds of each model" in before and "facts n = 241" in before


def test_claims_follow_from_the_table_of_differences():
    table = pandas.DataFrame(record()["paired"])
    verdicts = [stats.verdict(row.difference, row.p_holm) for row in table.itertuples()]
    measured = claims.claims(
        stats.Interval(**record()["nll_gap"]),
        record()["keep_rate"],
        table.assign(verdict=verdicts),
    )
    assert measured == record()["claims"]
    missed = [claim["claim"] for claim in measured if not claim["reached"]]
    assert [row["claim"] for row in record()["not_reached"]] == missed


def test_headers_of_lessons_tell_the_memory_and_minutes_that_were_recorded():
    """Within a factor of 1.6: other machines, other formats of numbers."""
    words = {"half a": 0.5, "a": 1, "two": 2, "three": 3}
    for lesson in record()["lessons"]:
        source = (ROOT / "notebooks" / "src" / f"{lesson['name']}.py").read_text(encoding="utf-8")
        time = next(line for line in source.splitlines() if line.startswith("# **Time:**"))
        said, measured = float(re.search(r"([\d.]+) GB", time)[1]), lesson["peak_mb"] / 1000
        assert 1 / 1.6 < said / measured < 1.6, (lesson["name"], said, measured)
        fewest = re.search(r"(half a|a|two|three|\d+)(?: to \w+)? minutes?", time)[1]
        low, minutes = words.get(fewest) or float(fewest), lesson["seconds"] / 60
        assert minutes < 1 or 1 / 1.6 < low / minutes < 1.6, (lesson["name"], fewest, minutes)
