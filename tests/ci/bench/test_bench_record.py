"""What ci/book/speed.md says on speed and kills follows from the records, and no quick or failed
run is
recorded.
"""

import json
import re

import pytest

from ci.bench import (
    block,
    fault_steps,
    record,
    table,
)
from ci.bench import faults as kill

# Goals that are younger than a record: take a name out once every record has it.
LATER = {"distil_short_vs_vllm", "distil_long_vs_vllm"}


def test_the_page_follows_from_the_records():
    recorded = record.records()
    for page, text in record.pages(recorded).items():
        assert text == page.read_text(encoding="utf-8")
    for each in recorded:
        assert {row["id"] for row in each["rows"]} >= set(table.GOALS) - LATER
        assert all(row["met"] or row["limit_profile"] for row in each["rows"] if row["goal"])
    recorded[0]["rows"][0]["ratio"] = 987.0
    assert "987.0x" in record.block(recorded)


def test_recorded_limits_are_claimed_only_where_the_numbers_show_them():
    """Rows that carry their numbers: the ceiling is below the goal, or a step is too slow, or the
    text says plainly that no limit is shown. Records from before the profile of a step have no
    numbers beside their text."""
    for each in record.records():
        for row in (row for row in each["rows"] if row.get("limit") and row["id"] in table.GOALS):
            limit, plain = row["limit"], "this does not show a limit" in row["limit_profile"]
            slow = "step" in limit and limit["step_allowed"] < limit["step"] <= limit["step_ours"]
            shows = limit["ceiling"] < row["goal"] or slow
            assert (
                limit["shown"] == (shows and row["id"] != "train_vs_trl")
                and plain != limit["shown"]
            ), row["id"]


def rows(**changes):
    """The rows of a record in which all goals are met, and all numbers are small."""
    size = {
        "ours_rows": 384,
        "peer_rows": 8,
        "ours_runs": 3,
        "peer_runs": 1,
        "ours_peak_mb": 900,
        "peer_peak_mb": 800,
    }
    plain = {
        "ratio": 3.0,
        "goal": 2,
        "met": True,
        "limit_profile": None,
        "limit": None,
        "runs": 3,
        **size,
    }
    made = {name: {"id": name, "ours": 1.0, "peer": 3.0, **plain} for name in block.NAMES}
    bare = plain | {"ratio": None, "goal": None, "met": None, "peer": None}
    for name, seconds in {"start_import": 0.001, "start_seed": 3.64, "evaluate": 53.1}.items():
        made[name] = {"id": name, "ours": seconds, **bare}
    made["start_seed"] |= {"peer": 3.16, "goal": 3, "met": False, "limit_profile": "the imports"}
    for count in table.SCALING:
        made[f"scaling_{count}"] = {"id": f"scaling_{count}", "ours": count / 10, **bare} | {
            "ours_rows": count
        }
    made["scaling_2_processes"] = {"id": "scaling_2_processes", "ours": 25.0, **bare} | {
        "ratio": 1.024
    }
    for name, change in changes.items():
        made[name] |= change
    return list(made.values())


def made(dtype="bf16", **changes):
    return {
        "recorded": "2026-01-02",
        "commit": "abc",
        "cpu": "some",
        "dtype": dtype,
        "rows": rows(**changes),
    }


def test_two_machines_stand_side_by_side_and_what_is_missed_is_explained():
    first, last = list(block.NAMES)[0], list(block.NAMES)[-1]
    slow = made("fp32", **{first: {"ratio": 1.04, "met": False, "limit_profile": "the wall"}})
    slow["rows"] = [row for row in slow["rows"] if row["id"] != last]
    shown = record.block([made(), slow]).splitlines()
    assert f"| {block.NAMES[first]} | 3.0x | 1.0x, not met | 2x |" in shown
    assert f"| {block.NAMES[last]} | 3.0x |  | 2x |" in shown
    assert (
        f"- {block.NAMES[first]} (ours in fp32, goal 2x): the wall" in shown
        and record.block([]) == ""
    )


def test_a_row_without_a_goal_has_none_in_the_table():
    name = "distil_short_vs_llamacpp_q4"
    assert f"| {block.NAMES[name]} | 3.0x |  |" in record.block(
        [made(**{name: {"goal": None, "met": None}})]
    )


def test_a_peer_that_is_faster_is_said_to_be():
    name = "distil_long_vs_vllm"
    slower = made(**{name: {"ratio": 0.88, "met": False}})
    assert f"| {block.NAMES[name]} | 0.9x, theirs is faster, not met |" in record.block([slower])


def test_rows_and_runs_of_both_sides_are_told():
    name = block.NAMES["train_vs_trl"]
    text = record.block([made(train_vs_trl={"ours_rows": 64, "peer_rows": 32})])
    assert "Ours ran 64 to 384 rows, the other side 8 to 32" in text
    assert f"| {name} | 64 / 32 | 3 / 1 | 900 / 800 |" in text
    old = made()
    for row in old["rows"]:
        row.pop("ours_runs")
    assert f"| {name} | 384 / 8 | at most 3 | 900 / 800 |" in record.block([old])


def test_seconds_and_memory_are_told():
    shown = record.block([made()]).splitlines()
    seed = "start: imports, and the seed model from the cache"
    assert "| start: `import sdft_lib` | under 0.01 s, 900 MB |  |" in shown
    assert f"| {seed} | 3.6 s (bare imports: 3.2 s), 900 MB, not met | 3 s at most |" in shown
    assert f"- {seed} (ours in bf16, goal 3 s): the imports" in shown
    assert "| rewriting 4,096 short rows | 410 s, 900 MB |  |" in shown


@pytest.mark.parametrize(
    "changes, words",
    [
        (
            {},
            "a row takes 100, 100, 100, 100 ms among 64 to 4,096 rows, among more at most 1.00 "
            "times as long",
        ),
        (
            {"scaling_64": {"ours": 12.8}},
            "200, 100, 100, 100 ms among 64 to 4,096 rows, among more at most 1.00 times",
        ),
        ({}, "as among fewer: time grows in line with the rows"),
        (
            {"scaling_4096": {"ours": 819.2}},
            "at most 2.00 times as long as among fewer: time grows faster than the rows",
        ),
        ({}, "beyond 1,024 rows memory is flat (+0%)"),
        ({"scaling_4096": {"ours_peak_mb": 1080}}, "beyond 1,024 rows memory is not flat (+20%)"),
        ({}, "two processes do not help (1.02 times the speed of one)"),
        (
            {"scaling_2_processes": {"ratio": 1.6}},
            "two processes help (1.60 times the speed of one)",
        ),
    ],
)
def test_scaling_is_judged_by_its_rows(changes, words):
    assert words in record.block([made(**changes)])


def test_minutes_are_told_where_they_are_known():
    assert "on some, which took 38 minutes." in record.block([made() | {"minutes": 37.6}])
    assert "on some." in record.block([made()])


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with the results of a bench, and a commit to record."""
    monkeypatch.setattr(
        record, "when_and_where", lambda: {"recorded": "2026-01-02", "commit": "abc"}
    )
    (tmp_path / "bench.json").write_text(json.dumps(rows()), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "took, minutes",
    [
        ({"minutes": 37.64, "whole": True, "quick": False}, 37.6),
        ({"minutes": 3.0, "whole": False, "quick": False}, None),
        (None, None),
    ],
)
def test_minutes_are_recorded_of_a_whole_bench_alone(work, took, minutes):
    if took:
        (work / "wall.json").write_text(json.dumps(took), encoding="utf-8")
    found = record.bench_record(work)
    assert found.get("minutes") == minutes and found["rows"] == rows() and found["commit"] == "abc"


def test_a_quick_bench_is_not_recorded(work):
    (work / "wall.json").write_text(
        json.dumps({"minutes": 1, "whole": True, "quick": True}), encoding="utf-8"
    )
    with pytest.raises(SystemExit, match="quick run"):
        record.bench_record(work)


def faults(quick=False, **changes):
    """What faults.py writes after 54 kills that lost nothing; ``changes`` are those of one step."""
    step = {"kills": 9, "compared": 40, "different": 0, "rows_lost": 0, "identical": True}
    steps = {name: {"step": name, **step} for name in block.STEPS}
    for name, change in changes.items():
        steps[name] |= change
    return {"kills": 54, "quick": quick, "steps": list(steps.values())}


def test_kills_are_recorded_with_date_commit_processor_and_versions(work):
    (work / "faults.json").write_text(json.dumps(faults()), encoding="utf-8")
    found = record.faults_record(work)
    assert (
        found["steps"] == faults()["steps"]
        and found["recorded"] == "2026-01-02"
        and found["commit"] == "abc"
    )
    assert found["cpu"] and found["versions"]["torch"] and found["python"]
    assert not re.search(r"/home|/root|/tmp", json.dumps(found))


@pytest.mark.parametrize(
    "found, words",
    [
        (faults(quick=True), "quick or a partial run"),
        (faults() | {"steps": faults()["steps"][:3]}, "partial run"),
        (faults(train={"kills": 1}), "46 kills are fewer than 50"),
        (faults(train={"rows_lost": 2}), "train lost 2 rows"),
        (faults(fetch={"different": 3}), "3 files are different"),
        (faults(fetch={"compared": 0}), "fetch"),
    ],
)
def test_kills_that_failed_or_were_too_few_are_not_recorded(work, found, words):
    (work / "faults.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(SystemExit, match=words):
        record.faults_record(work)


def test_a_step_that_fails_leaves_no_earlier_result_to_record(work, monkeypatch):
    path = work / "faults.json"
    path.write_text(json.dumps(faults()), encoding="utf-8")
    monkeypatch.setattr(fault_steps, "preload", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        kill.main(["--out", str(path)])
    assert not path.exists()


def test_kills_stand_in_the_readme_only_once_recorded():
    facts = {"recorded": "2026-01-02", "commit": "abc", "cpu": "some", "versions": {"torch": "2.0"}}
    text = record.block([], facts | faults())
    assert "| fetching | 9 | 40 | 0 | 0 |" in text and "lost or different: 0. Recorded" in text
    assert "Killed 54 times" in text and "with torch 2.0." in text
    assert "lost or different: 5." in record.block(
        [], facts | faults(train={"rows_lost": 2, "different": 3})
    )
    assert "Killed" not in record.block([made()], None)


def test_recorded_kills_lost_nothing():
    if (killed := record.killed()) is None:
        pytest.skip("no kills are recorded yet")
    assert record.trouble(killed) is None
