"""Recorded runs beside your own: part of a grid is enough, and a sentence never says more than its
interval.
"""

import json
from types import SimpleNamespace

import pytest

from sdft_lib.data import load_task
from sdft_lib.experiments import recorded as rec
from sdft_lib.experiments.frontier import MATCHED, at_shared_seeds
from sdft_lib.experiments.grid import read_sweep
from sdft_lib.experiments.recorded import best_against_used
from sdft_lib.stats import holm
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig

ITEMS = 40


def line(method, seed, share, split, suite, right):
    """A line of a results file: the first ``right`` of ITEMS items are right."""
    ids = [f"{suite}-{split}-{item}" for item in range(ITEMS)]
    return {
        "recipe": "tickets",
        "method": method,
        "seed": seed,
        "settings": "x",
        "checkpoint": share,
        "split": split,
        "suite": suite,
        "ids": ids,
        "scores": [float(item < right) for item in range(ITEMS)],
    }


def cell(method, seed, learnt, kept, suites=("facts",), ended=True):
    """A cell with half of the training and its end; at half way, half is learnt."""
    lines = [
        line(method, seed, share, split, "task", round(learnt * share))
        for share in (0.5, 1.0)
        for split in ("dev", "test")
    ]
    lines += [
        line(method, seed, share, "test", suite, kept) for share in (0.5, 1.0) for suite in suites
    ]
    head = {"recipe": "tickets", "method": method, "seed": seed, "settings": "x"}
    return lines + ([head | {"facts": {"training": {"seconds": 1.0}}}] if ended else [])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a recipe and a writer of its results."""
    monkeypatch.setattr(rec, "data_dir", lambda: tmp_path)
    for name in ("results", "recipes"):
        (tmp_path / name).mkdir()
    (tmp_path / "recipes" / "tickets.toml").write_text(
        'methods = ["sft", "sdft"]\n', encoding="utf-8"
    )

    def write(*cells):
        text = "".join(json.dumps(row) + "\n" for rows in cells for row in rows)
        (tmp_path / "results" / "tickets.jsonl").write_text(text, encoding="utf-8")
        return rec.recorded("tickets")

    write.place = tmp_path
    return write


def test_nothing_recorded_is_no_error(folder):
    for frame in (
        rec.recorded("tickets"),
        folder(),
        rec.recorded("poems"),
    ):
        assert frame.empty and "Nothing is recorded" in rec.inventory(frame)
        assert rec.seeds_of(frame) == {} and at_shared_seeds(frame, ("sft", "sdft")).empty
        assert list(rec.against(frame, "sdft").columns) == MATCHED


def test_another_model_has_no_recorded_runs(folder):
    folder(cell("sft", 0, 20, 10))
    assert rec.recorded("tickets", "smollm2-360m").empty


def test_cells_that_did_not_end_are_left_out(folder):
    frame = folder(
        cell("sft", 0, 20, 10), cell("sft", 1, 20, 10, ended=False), cell("sdft", 0, 20, 30)
    )
    assert rec.seeds_of(frame) == {"sft": [0], "sdft": [0]}
    assert rec.inventory(frame).startswith(
        "Recorded: sft (1 seed), sdft (1 seed). Intervals over training seeds need"
    )


def test_only_common_seeds_are_compared(folder):
    frame = folder(
        cell("sft", 0, 20, 10),
        cell("sft", 1, 20, 10),
        cell("sdft", 1, 20, 30),
        cell("sft-slow", 2, 20, 9),
    )
    assert at_shared_seeds(frame, ("sft", "sdft"))["seed"].unique().tolist() == [1]
    table = rec.against(frame, "sdft")
    assert table[["suite", "b", "seeds"]].values.tolist() == [
        ["task", "sft", 1],
        ["facts", "sft", 1],
    ]
    assert table["difference"].tolist() == pytest.approx([0.0, 0.5])  # 30 of 40 against 10 of 40
    assert table["seeds_low"].isna().all()  # no interval over so few seeds


def test_the_matched_moment_is_the_one_that_dev_chooses(folder):
    frame = folder(cell("sft", 0, 40, 10), cell("sdft", 0, 20, 30))
    row = rec.against(frame, "sdft").iloc[0]
    assert row["checkpoints"] == "0: 1 / 0.5" and row["difference"] == 0.0


def test_all_rows_are_one_family(folder):
    one = rec.against(folder(cell("sft", 0, 20, 10), cell("sdft", 0, 20, 30)), "sdft").iloc[1]
    names = ("sft", "sft-slow", "sft-replay", "sft-anchor", "sft-sentence")
    cells = [cell(name, 0, 20, 10) for name in names]
    table = rec.against(folder(*cells, cell("sdft", 0, 20, 30)), "sdft")
    many = table.iloc[1]
    assert (one["low"], one["high"], one["p_raw"]) == (many["low"], many["high"], many["p_raw"])
    assert many["p_holm"] > one["p_holm"] > one["p_raw"]
    assert table["p_holm"].tolist() == pytest.approx(holm(table["p_raw"].tolist()))
    assert set(table["verdict"][table["suite"] == "facts"]) == {"higher"}


def test_a_suite_that_was_not_scored_is_left_out(folder):
    frame = folder(cell("sft", 0, 20, 10), cell("sdft", 0, 20, 30, ("facts", "safety")))
    assert rec.against(frame, "sdft", ("facts", "safety"))["suite"].tolist() == ["task", "facts"]
    assert rec.against(frame, "sdft", ("safety",)).empty


def test_five_common_seeds_give_an_interval_over_seeds(folder):
    cells = [
        cell(name, seed, 20, kept + seed)
        for seed in range(5)
        for name, kept in (("sft", 10), ("sdft", 20))
    ]
    frame = folder(*cells)
    assert "Intervals over training seeds are given." in rec.inventory(frame)
    assert not rec.against(frame, "sdft")["seeds_low"].isna().any()


def test_torn_lines_do_not_hide_the_rest(folder):
    folder(cell("sft", 0, 20, 10), cell("sdft", 0, 20, 30))
    path = folder.place / "results" / "tickets.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"recipe": "tick', encoding="utf-8")
    assert rec.seeds_of(rec.recorded("tickets")) == {"sft": [0], "sdft": [0]}


@pytest.mark.parametrize(
    "verdict, words",
    [
        ("higher", "sdft is higher."),
        ("lower", "sdft is lower."),
        ("no difference is shown", ": no difference is shown."),
        ("at its floor", ": at its floor."),
    ],
)
def test_a_sentence_follows_from_its_verdict(verdict, words):
    row = SimpleNamespace(suite="facts", a="sdft", b="sft", n=9, units=5, seeds=3, verdict=verdict)
    row.low, row.high, row.seeds_low, row.seeds_high = -0.1, 0.2, float("nan"), float("nan")
    said = rec.in_words(row)
    assert said.endswith(words) and "-0.10 to +0.20 (n 9, units 5, seeds 3)" in said
    row.seeds_low, row.seeds_high = -0.2, 0.3
    assert "-0.20 to +0.30" in rec.in_words(row)


def test_recorded_rows_know_their_scenario(folder):
    lines = cell("sft", 0, 20, 10)
    lines[0]["ids"][0] = "tickets-test-0001"
    frame = folder(lines)
    known = frame["id"] == "tickets-test-0001"
    assert set(frame[known]["unit"]) == {load_task("tickets").units["tickets-test-0001"]}
    assert (frame[~known]["unit"] == frame[~known]["id"]).all()


def test_a_sweep_is_found_for_its_task_and_model_only(folder):
    assert rec.swept("tickets").empty
    (folder.place / "recipes" / "sweep.toml").write_text(
        "[[sweep]]\nlearning_rate = 1e-3\n", encoding="utf-8"
    )
    row = {
        "method": "sft",
        "seed": 0,
        "training": {"learning_rate": 1e-3},
        "scores": [1.0, 0.0],
        "ids": ["a", "b"],
        "kept": {"ids": ["c"], "scores": [1.0]},
        "facts": {"training": {"seconds": 2.0}},
    }
    (folder.place / "results" / "sweep.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = rec.swept("tickets")
    columns = ["learning_rate", "method", "dev", "kept"]
    assert found[columns].values.tolist() == [[0.001, "sft", 0.5, 1.0]]
    assert rec.swept("sums").empty
    assert rec.swept("tickets", "smollm2-360m").empty


def swept_row(method, training, scores):
    return {
        "method": method,
        "seed": 0,
        "training": training,
        "scores": scores,
        "ids": list("abcd"),
        "kept": {"ids": ["e", "f"], "scores": [1.0, 0.0]},
        "facts": {"training": {"seconds": 2.0}},
    }


def test_the_used_setting_is_held_against_the_best_of_a_sweep(tmp_path):
    """Half of four items more; what a row of the sweep does not vary is at its default."""
    wide = {"learning_rate": 1e-4, "rank": 64, "targets": ["q_proj", "k_proj"]}
    rows = [
        swept_row("sft", {"learning_rate": 1e-3}, [1.0, 0, 0, 0]),
        swept_row("sft", wide, [1.0, 1.0, 1.0, 0]),
        swept_row("sdft", {"learning_rate": 1e-3}, [1.0, 1.0, 0, 0]),
    ]
    (tmp_path / "sweep.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    sweep = read_sweep([tmp_path / "sweep.jsonl"])
    sdft, sft = best_against_used(sweep, TrainConfig(learning_rate=1e-3))
    assert sft.startswith(
        "sft: best on dev 0.75 with learning_rate 0.0001, rank 64, targets q_proj, k_proj;"
    )
    assert (
        "the lessons: 0.25, lower by 0.50 (" in sft and "lower by 0.00 (0.00 to 0.00, n 4)" in sdft
    )
    assert all(
        "was not swept" in line
        for line in best_against_used(sweep, TrainConfig(learning_rate=1e-4))
    )
    lines = best_against_used(
        sweep, TrainConfig(learning_rate=1e-4, rank=64, targets=("q_proj", "k_proj"))
    )
    assert "0.75, lower by 0.00" in lines[1]
    assert best_against_used(read_sweep([]), TrainConfig()) == []


def test_a_broken_recipe_is_one_sentence(folder):
    folder(cell("sft", 0, 20, 10))
    (folder.place / "recipes" / "tickets.toml").write_text("rows = [", encoding="utf-8")
    with pytest.raises(SdftError, match="tickets.toml"):
        rec.recorded("tickets")
