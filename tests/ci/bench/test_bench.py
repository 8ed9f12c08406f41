"""The bench's arithmetic and table on stored cells, and the clock on the parts of a step."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci.bench import cells as bench_cells
from ci.bench import limits, peer_llamacpp, table
from ci.bench import rows as bench_rows
from ci.bench import run as bench_run

FACTS = {
    "dtype": "fp32",
    "train_gflops": 200.0,
    "write_gflops": 200.0,
    "read_gb_s": 20.0,
    "body": 106e6,
    "head": 28e6,
    "cache_bytes": 40_000,
    "weight_bytes": 4,
}


def distil_cell(seconds, rows, tokens, **extra):
    plain = {
        "seconds": seconds,
        "rows": rows,
        "tokens": tokens,
        "peak_mb": 900,
        "dtype": "fp32",
        "texts": ["a b c"],
    }
    return {**plain, "prompt_tokens": rows * 100, "shared": 60, **extra}


def train_cell(seconds):
    return {
        "seconds": seconds,
        "rows": 16,
        "tokens": 2000,
        "trained_tokens": 500,
        "peak_mb": 2000,
        "losses": [1.0],
    }


def cells():
    return {
        "limits": [FACTS],
        "ours_short": [
            distil_cell(10, 100, 2000),
            distil_cell(12, 100, 2000),
            distil_cell(11, 100, 2000),
        ],
        "hf_b1_short": [distil_cell(20, 8, 160, texts=["a b d"])] * 3,
        "ours_long": [distil_cell(100, 64, 16384)],
        "hf_b1_long": [distil_cell(40, 4, 800)],
        "train_ours": [train_cell(10.0)],
        "train_trl": [train_cell(30.0)],
        "start_import": [{"seconds": 0.1, "peak_mb": 30}],
        "start_seed": [{"seconds": 4.0, "peak_mb": 800}],
        "start_bare": [{"seconds": 2.5, "peak_mb": 500}],
        "start_alone": [{"seconds": 3.5, "peak_mb": 700}],
        "evaluate": [{"seconds": 100, "rows": 500, "peak_mb": 900}],
        "scaling_64": [distil_cell(6, 64, 1000)],
        "scaling_256": [distil_cell(24, 256, 4000)],
        "two_processes": [{"seconds": 20, "rows": 256, "peak_mb": 1800}],
    }


def made() -> dict[str, dict]:
    return {row["id"]: row for row in table.build(cells())}


def test_ratio_is_the_median_of_paired_runs():
    row = made()["distil_short_vs_hf_b1"]
    assert (
        row["unit"] == "s/row"
        and row["ours"] == pytest.approx(0.11)
        and row["peer"] == pytest.approx(2.5)
    )
    assert row["ratio"] == pytest.approx(2.5 / 0.11)
    assert row["goal"] == 15 and row["met"] is True and row["limit_profile"] is None
    assert (row["ours_runs"], row["peer_runs"], row["ours_rows"], row["peer_rows"]) == (
        3,
        3,
        100,
        8,
    )


def test_a_run_that_stands_for_others_counts_once():
    once = {
        row["id"]: row for row in table.build(cells() | {"hf_b1_short": [distil_cell(20, 8, 160)]})
    }
    row = once["distil_short_vs_hf_b1"]
    assert (row["ours_runs"], row["peer_runs"], row["runs"]) == (3, 1, 3)
    assert row["ratio"] == pytest.approx(2.5 / 0.11) and made()["start_import"]["peer_runs"] is None


def test_long_rows_count_written_tokens():
    row = made()["distil_long_vs_hf_b1"]
    assert row["unit"] == "s/token" and row["ratio"] == pytest.approx((40 / 800) / (100 / 16384))


def test_a_missed_goal_carries_its_arithmetic():
    row = made()["distil_long_vs_hf_b1"]
    work = 2 * ((100 - 63 * 60 / 64 + 256) * 106e6 + 256 * 28e6) / 1e9
    assert row["met"] is False
    assert f"{work:.1f} GFLOP" in row["limit_profile"]
    read = 256 * (100 + 128) * 40_000 / 1e9 / 20
    assert f"{work / 200:.3f} s at that peak" in row["limit_profile"]
    assert f"{read:.3f} s of reading keys" in row["limit_profile"]
    ceiling = (40 / 800 * 256) / max(work / 200, read)
    assert f"more than {ceiling:.1f} times" in row["limit_profile"] and ceiling < 40
    assert row["limit"] == {"ceiling": pytest.approx(ceiling), "shown": True}
    assert row["limit_profile"].endswith("So a goal of 40 times is out of reach on this machine.")


def stepped(kind, peer, products=0.5, attention=0.3, layers=0.1, **slower):
    """The row of a missed goal whose step was profiled; ``slower``: cells that take another
    time.
    """
    parts = {"products": products, "attention": attention, "layers": layers, "choice": 0.02}
    step = {
        "seconds": sum(parts.values()) + 0.08,
        "rows": 64,
        "before": 200,
        "parts": parts,
        "peak_mb": 900,
    }
    found = table.build(cells() | {f"step_{kind}": [step]} | slower)
    return {row["id"]: row for row in found}[f"distil_{kind}_vs_{peer}"]


def test_a_missed_goal_of_long_rows_shows_where_a_step_spends_its_time():
    row = stepped("long", "hf_b1")
    text, limit = row["limit_profile"], row["limit"]
    assert (
        f"products take 500 ({2 * 64 * 134e6 / 1e9 / 0.5:.0f} GFLOP/s" in text
        and "all else 80." in text
    )
    assert f"attention 300 ({64 * 200 * 40_000 / 1e9 / 0.3:.0f} GB/s), the other operations" in text
    assert "of transformers' layers 100, the choice of a token 20, all" in text
    prompts = 2 * (100 - 63 * 60 / 64) * 106e6 / 1e9 / 200
    assert limit["step_allowed"] == pytest.approx((40 / 800 * 256 / 40 - prompts) * 64 / 256)
    assert f"a step may take {1000 * limit['step_allowed']:.0f} ms; a pass" in text
    assert "takes 900 alone, products and attention 800 of them." in text and limit[
        "step"
    ] == pytest.approx(0.9)


def test_the_profile_of_short_rows_says_that_reading_prompts_is_not_in_it():
    row = stepped("short", "hf_b1", hf_b1_short=[distil_cell(9, 8, 160)])
    assert row["met"] is False and row["limit"]["step"] == pytest.approx(0.9)
    prompts = 2 * (100 - 99 * 60 / 100) * 106e6 / 1e9 / 200
    assert row["limit"]["step_allowed"] == pytest.approx((9 / 8 / 15 - prompts) * 64 / 20)
    assert row["limit"]["step_ours"] == pytest.approx((0.11 - prompts) * 64 / 20)
    assert (
        "share of 0.312 s in such steps, a whole row of ours takes 0.110 s" in row["limit_profile"]
    )
    assert (
        "reading its prompt, and steps of fewer rows, is not in the profile" in row["limit_profile"]
    )
    assert (
        row["limit"]["shown"] is False
        and "our run had faster steps than this one" in row["limit_profile"]
    )


@pytest.mark.parametrize(
    "ceiling, step, shown, words",
    [
        (30, (), True, "So a goal of 40 times is out of reach on this machine."),
        (70, (), False, "The ceiling lies above the goal of 40 times: this does not show a limit."),
        (70, (0.3, 0.2, 0.4), True, "out of reach at this batch with transformers' own layers."),
        (
            70,
            (0.3, 0.2, 0.25),
            False,
            "our run had faster steps than this one: this does not show a limit.",
        ),
        (
            70,
            (0.1, 0.2, 0.4),
            False,
            "such a step would be fast enough: this does not show a limit.",
        ),
    ],
)
def test_a_limit_is_claimed_only_where_the_numbers_show_one(ceiling, step, shown, words):
    measured = dict(zip(("step", "step_allowed", "step_ours"), step, strict=False))
    limit = limits.judged({"ceiling": ceiling} | measured, 40)
    assert limit["shown"] is shown and limits.verdict(limit, 40).endswith(words)


def test_a_step_that_would_fit_shows_no_limit():
    peer = {"llamacpp_f16_long": [distil_cell(45, 32, 8192)]}
    row = stepped("long", "llamacpp_f16", products=0.1, attention=0.05, layers=0.01, **peer)
    assert row["met"] is False and row["limit"]["shown"] is False
    assert row["limit_profile"].endswith("this does not show a limit.")


def test_training_and_start_claim_no_limit_that_is_not_there():
    text, limit = limits.train_profile(FACTS, train_cell(20), train_cell(21))
    assert limit["shown"] is False and text.endswith("this does not show a limit.")
    text, limit = limits.start_profile(2.0, 2.8, 4.0, 3)
    assert limit["shown"] is False and text.endswith("this does not show a limit.")
    assert limits.start_profile(2.0, 3.5, 4.0, 3)[1]["shown"] is True


@pytest.mark.parametrize("kind, half", [("short", 20), ("long", 128)])
def test_a_step_is_profiled_half_way_through_the_tokens_of_its_rows(
    tiny_seed, monkeypatch, kind, half
):
    from sdft_lib import models

    monkeypatch.setattr(models, "load_seed", lambda say: tiny_seed)
    lengths = [
        len(row) for row in bench_rows.prompts(tiny_seed, kind, 16 if kind == "short" else 2)["ids"]
    ]
    step = bench_cells.step(True, kind=kind)
    assert (
        step["rows"] == len(lengths) and step["before"] == sum(lengths) / len(lengths) + half + 1.5
    )
    assert 0 < sum(step["parts"].values()) < step["seconds"] and all(step["parts"].values())


def test_parts_of_a_step_are_timed(tiny_seed):
    """The model, all its linear layers and each call of torch's attention; nothing stays behind in
    torch or in it.
    """
    import torch

    attention = torch.nn.functional.scaled_dot_product_attention
    with torch.inference_mode(), bench_cells.timed(tiny_seed.model) as spent:
        started = time.perf_counter()
        tiny_seed.model(torch.tensor([[5, 6, 7, 8]]))
        seconds = time.perf_counter() - started
    assert min(spent["attention"], spent["products"]) > 0 == spent["choice"]
    assert spent["attention"] + spent["products"] < spent["model"] < seconds
    assert torch.nn.functional.scaled_dot_product_attention is attention
    assert not any(module._forward_hooks for module in tiny_seed.model.modules())


def test_training_is_told_in_tokens_a_second():
    row = made()["train_vs_trl"]
    assert (row["ours"], row["peer"], row["ratio"], row["met"]) == pytest.approx(
        (200, 2000 / 30, 3, True)
    )
    assert limits.train_floor(FACTS, train_cell(1)) == pytest.approx(
        4 * (2000 * 0.106 + 500 * 0.028) / 200
    )


def test_start_up_has_a_most_seconds_goal():
    rows = made()
    assert rows["start_import"]["met"] is True and rows["start_seed"]["met"] is False
    assert rows["start_seed"]["limit"] == {"bare": 2.5, "alone": 3.5, "shown": True}
    assert (
        "takes 2.5 s; with" in rows["start_seed"]["limit_profile"]
        and rows["start_seed"]["peer"] == 2.5
    )


def test_a_crash_of_llama_cpp_is_told_and_it_runs_again_with_plain_weights(tmp_path, monkeypatch):
    """The stand-in crashes as long as weights are packed anew."""
    stand_in = tmp_path / "peer_llamacpp.py"
    stand_in.write_text(
        "import os, sys\nif sys.argv[-1] != 'as-is': os.kill(os.getpid(), 11)\n"
        "import json\njson.dump({'seconds': 1, 'rows': 1, 'tokens': 1, 'answers': [[1]]}, "
        "open(sys.argv[3], 'w'))\n"
    )
    monkeypatch.setattr(bench_cells, "LLAMACPP", [sys.executable, str(stand_in)])
    monkeypatch.setattr(bench_cells, "WORK", tmp_path)
    found = bench_cells.llamacpp(True, kind="short", weights="q4")
    assert found["note"].startswith(
        "weights as they lie in the file, as llama.cpp crashes (signal 11)"
    )
    stand_in.write_text("raise SystemExit('no such file')")
    with pytest.raises(SystemExit, match="failed"):
        bench_cells.llamacpp(True, kind="short", weights="q4")


def test_two_processes_against_one():
    assert made()["scaling_2_processes"]["ratio"] == pytest.approx(1.2)


def test_answers_are_compared():
    assert (
        "0 of 1 answers equal to ours, 67% of the leading words"
        in made()["distil_short_vs_hf_b1"]["note"]
    )
    assert table.common_start([], []) == 0 and table.common_start(["a"], ["a"]) == 1


def test_every_goal_has_cells_that_measure_it():
    planned = {cell for cell, _ in bench_run.plan(set(), set(), False)}
    for name in table.GOALS:
        only = {cell for cell, _ in bench_run.plan({name}, set(), False)} - {"prepare", "limits"}
        assert len(only - {"step_short", "step_long"}) == 2 and only <= planned
        for kind in ("short", "long"):
            assert (f"step_{kind}" in only) == name.startswith(f"distil_{kind}")


def test_a_peer_that_is_missing_is_left_out():
    assert not any(
        "llamacpp" in cell or "trl" in cell
        for cell, _ in bench_run.plan(set(), {"llamacpp", "trl"}, False)
    )


def test_minutes_are_those_of_all_cells():
    runs = {"a": [{"wall": 60}, {"wall": 90}], "b": [{"wall": 30}]}
    assert bench_run.wall(runs, whole=True, quick=False) == {
        "minutes": 3,
        "cells": 3,
        "whole": True,
        "quick": False,
    }


def test_a_cell_keeps_what_it_took(tmp_path, monkeypatch):
    def cell(command, **options):
        Path(command[4]).write_text(json.dumps({"seconds": 2.0, "peak_mb": 5}))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(bench_run, "WORK", tmp_path)
    (tmp_path / "cells").mkdir()
    monkeypatch.setattr(bench_run.subprocess, "run", cell)
    first = bench_run.measure("evaluate", 1, False, "key")
    monkeypatch.setattr(bench_run.subprocess, "run", None)
    assert first["wall"] > 0 and bench_run.measure("evaluate", 1, False, "key") == first


def test_table_and_json():
    rows = table.build(cells())
    shown = table.for_terminal(rows).splitlines()
    assert len(shown) == 1 + len(rows) and not any("None" in line for line in shown)
    assert json.loads(json.dumps(rows)) == rows
    assert all(
        {"id", "ours", "peer", "unit", "ratio", "goal", "limit_profile"} <= set(row) for row in rows
    )


def test_prompts_never_come_twice():
    short = [(row[0][-1]["content"], row[1]) for row in bench_rows.short_rows(1000)]
    assert len(set(short[480:])) == 520
    assert len({row[0][0]["content"] for row in bench_rows.long_rows(64)}) == 64


class FakeEngine:
    """Counts up from the last token of each sequence; 9 in the last place is the stop token."""

    slots = 2

    def __init__(self):
        self.started = []

    def decode(self, entries):
        return [token + 1 for token, _, _, logits in entries if logits]

    def hold_prefix(self, ids):
        self.prefix = ids

    def start(self, slot):
        self.started.append(slot)


def test_slots_are_filled_again_and_answers_keep_their_order():
    engine = FakeEngine()
    prompts = [[1, 1, 7], [1, 1, 3, 5], [1, 1, 2], [1, 1, 8]]
    assert peer_llamacpp.generate(engine, prompts, {9}, 3) == [[8], [6, 7, 8], [3, 4, 5], []]
    assert engine.prefix == [1, 1] and len(engine.started) == 4
