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
from ci.recorded.blocks import BOOK
from ci.recorded.record_run import read as record
from sdft_lib import stats
from sdft_lib.lessons import claims


@pytest.mark.parametrize("pages", [record_run.pages, record_evidence.pages, house.pages])
def test_pages_follow_from_what_they_are_made_of(pages):
    for page, text in pages().items():
        assert text == page.read_text(encoding="utf-8"), page.name


def test_record_keeps_the_contract_and_says_how_it_was_made():
    assert run_tests.check_summary(record_run.RECORD) == []
    assert record()["mode"] == "default"
    assert all(record()[key] for key in ("recorded", "commit", "cpu", "dtype"))


def test_a_changed_number_changes_both_pages():
    changed = record()
    changed["scores"][0]["mean"] = 0.123
    assert "0.12 (" in record_run.whole(changed) and "seed 0.12" in record_run.short(changed)
    assert "Before training: seed 12 % and" in record_run.short(changed)
    before, after = record_run.pages(), record_run.pages(changed)
    assert len(before) == 2 and all(after[page] != before[page] for page in before)


def test_all_methods_of_the_run_stand_on_both_pages():
    more = record()
    for row in [row for row in more["scores"] if row["method"] == "sft"]:
        more["scores"].append(row | {"method": "new", "units": 7})
    for text in (record_run.whole(more), record_run.short(more)):
        assert text.count("SDFT") and "new" in text
    more["scores"][0]["units"] = 72
    assert "| task (240 in 72 scenarios) |" in record_run.whole(more)
    assert "task n = 240" in record_run.short(more)


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


def grid(methods=("sft", "sdft"), seeds=(0, 1, 2)):
    """A made-up grid: SDFT keeps all facts at every checkpoint, SFT none at its end; both learn the
    task alike.
    """
    import pandas

    rows = []
    for method, seed in [("seed", 0), *((m, s) for m in methods for s in seeds)]:
        for share in (0.0,) if method == "seed" else (0.5, 1.0):
            for split, suite in [
                ("dev", "task"),
                *(("test", name) for name in record_evidence.SUITES),
            ]:
                if split == "dev" and method == "seed":
                    continue
                score = share if suite == "task" else float(method != "sft" or share < 1)
                rows += [
                    {
                        "recipe": "tickets",
                        "method": method,
                        "seed": seed,
                        "checkpoint": share,
                        "split": split,
                        "suite": suite,
                        "id": f"{suite}-{n}",
                        "score": score,
                    }
                    for n in range(20)
                ]
    return pandas.DataFrame(rows)


def test_evidence_says_what_the_intervals_say(monkeypatch):
    facts = {
        "made": "2026-01-02T00:00:00Z",
        "machine": "m",
        "dtype": "fp32",
        "command": "sdft run --method sft",
        "code": "c0de",
    }
    monkeypatch.setattr(record_evidence, "lines_of_facts", lambda: [{"facts": facts}])
    text = record_evidence.block(grid())
    assert "| sft | facts | 20 | 20 | 3 | 1.00 | 0.00 | +1.00 (+1.00 to +1.00) |" in text
    assert "sdft is higher" in text and "`sdft run`" in text and "0 covers" not in text
    assert "| sft | 1.00 (1.00–1.00) | 0.00 (0.00–0.00) |" in text
    assert (
        "- SDFT keeps more facts than `sft`.\n"
        "- Not tested, since both keep nearly all facts: `sft-stopped`." in text
    )
    assert "1 version(s) of the code (c0de)" in text
    assert record_evidence.block(grid(methods=("sdft",))) == ""


def test_what_the_page_says_of_replay_is_recorded():
    page = (BOOK / "evidence.md").read_text(encoding="utf-8")
    assert "no difference in the\nfacts that are kept is shown" in page
    assert "after three tasks in a row no difference from replay is shown either" in page
    table = record_evidence.compared(record_evidence.recorded())
    unclear = [line for line in record_evidence.in_words(table) if "No difference" in line]
    assert len(unclear) == 1 and "`sft-replay`" in unclear[0]
    ends = [line for line in record_evidence.in_a_row() if "ACC: sdft minus replay" in line]
    assert len(ends) == 2 and all("no difference is shown" in line for line in ends)


def test_evidence_on_tasks_in_a_row_is_that_of_lesson_06():
    from sdft_lib.experiments.recorded import recorded_orders

    lines = record_evidence.in_a_row()
    orders = recorded_orders()["order"].unique()
    assert [line for line in lines if line.startswith("- ")] == [f"- {order}" for order in orders]
    assert sum("ACC: sdft minus sft lies in" in line for line in lines) == len(orders) == 2
    assert sum(line.startswith("  - ") for line in lines) == 2 * 3 * 2  # orders, pairs, measures


def test_evidence_says_where_two_methods_did_not_learn_equally_much():
    """On dev both reach 1, on test SFT has learnt nothing: what it kept was kept at another
    price.
    """
    frame = grid()
    frame.loc[
        (frame["method"] == "sft") & (frame["split"] == "test") & (frame["suite"] == "task"),
        "score",
    ] = 0.0
    table = record_evidence.compared(frame)
    task, facts, *_ = record_evidence.matched(table).splitlines()[2:]
    assert "| sft | task |" in task and "| sdft is higher | 0:" in task
    assert "| sdft is higher, but not at equal learning |" in facts
    assert record_evidence.in_words(table) == [
        "- Not compared, since the task scores differ on test: `sft`, `sft-stopped`."
    ]
