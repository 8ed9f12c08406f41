"""Own and recorded runs of several tasks: tables, sentences and figures on made-up scores."""

import json

import pandas
import pytest

from sdft_lib.experiments import continual, recorded, stages
from sdft_lib.lessons.figures import lesson_07 as figures
from sdft_lib.lessons.figures.style import save
from sdft_lib.stats import AT_FLOOR, UNCLEAR
from sdft_lib.storage.errors import SdftError

ORDERS = ("tickets-sums", "sums-tickets")
MEANS = {  # method: chance of a right answer for (just trained, afterwards)
    "sft": (0.9, 0.3),
    "sdft": (0.8, 0.7),
    "replay": (0.85, 0.75),
}


def scores(methods=("sft", "sdft"), orders=ORDERS[:1], seeds=(0,), n=40):
    """Right answers to the first share of the items; before its training a task scores 0."""
    rows = []
    for method in methods:
        for order in orders:
            for stage in range(3):
                for task in order.split("-"):
                    since = stage - order.split("-").index(task) - 1
                    share = 0 if since < 0 else MEANS[method][min(since, 1)]
                    rows += [
                        (method, seed, order, stage, task, f"{task}-{i:02d}", float(i < share * n))
                        for i in range(n)
                        for seed in seeds
                    ]
    return pandas.DataFrame(rows, columns=continual.COLUMNS)


@pytest.fixture
def both():
    theirs = scores(("sft", "sdft", "replay"), ORDERS, (0, 1))
    return continual.together({"yours": scores(), "recorded": theirs})


def test_the_cards_say_what_each_task_reaches_alone():
    found = stages.alone(["tickets", "sums", "calls", "no-such-task"])
    assert list(found["task"]) == ["tickets", "sums", "calls"]
    assert ((found["sft"] > found["seed"]) & (found["sft"] <= 1)).all()


def test_runs_keep_their_source_in_their_name(both):
    assert list(both["method"].unique()) == [
        "SFT (yours)",
        "SDFT (yours)",
        "SFT (recorded)",
        "SDFT (recorded)",
        "replay (recorded)",
    ]
    alone = continual.together({"yours": scores(), "recorded": scores()[:0]})
    assert list(alone["method"].unique()) == ["SFT (yours)", "SDFT (yours)"]


def test_what_is_recorded_is_said():
    assert "Nothing is recorded" in recorded.inventory_of_orders(scores()[:0])
    said = recorded.inventory_of_orders(scores(("sft",), ORDERS, (0, 1))).splitlines()
    assert (
        len(said) == 2 and "sft, tickets-sums, training seeds 0, 1, up to 40 test items" in said[0]
    )


def test_recorded_runs_are_those_of_this_model(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "data_dir", lambda: tmp_path)
    for name in ("results", "recipes"):
        (tmp_path / name).mkdir()
    assert recorded.recorded_orders("smollm2-135m").empty
    head = {"recipe": "continual", "settings": "x", "method": "sft", "seed": 0, "order": ORDERS[0]}
    lines = [
        head | {"stage": 0, "task": "sums", "ids": ["a", "b"], "scores": [0, 1]},
        head | {"facts": {}},
    ]
    (tmp_path / "results" / "continual.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in lines)
    )
    (tmp_path / "recipes" / "continual.toml").write_text(f'orders = ["{ORDERS[0]}"]\n')
    assert recorded.recorded_orders("smollm2-135m")["id"].tolist() == ["a", "b"]
    found = recorded.recorded_orders("another-model")
    assert found.empty and list(found.columns) == [*continual.COLUMNS, "unit"]


def test_differences_are_paired_corrected_and_said(both):
    pairs = [("SDFT (yours)", "SFT (yours)"), ("SDFT (recorded)", "SFT (recorded)"), ("no", "such")]
    found = continual.versus(both, pairs)
    assert len(found) == 4 * 3 and list(found.columns) == continual.DIFFERENCES
    own = found[found["a"] == "SDFT (yours)"].set_index("measure")
    assert (
        own.loc["BWT", "difference"] == pytest.approx(0.5)
        and own.loc["forgetting", "difference"] < 0
    )
    narrow = continual.versus(both[both["method"].str.contains("yours")], pairs[:1]).set_index(
        "measure"
    )
    for name in ("low", "high", "p_raw"):
        assert own.loc["BWT", name] == narrow.loc["BWT", name]
    assert (
        own.loc["BWT", "p_raw"] == pytest.approx(2 / 10_001)
        and (own["p_holm"] >= own["p_raw"]).all()
    )
    words = {
        row.measure: continual.in_words(row)
        for row in found[found["a"] == "SDFT (yours)"].itertuples()
    }
    assert words["BWT"].endswith("SDFT (yours) lost less to later tasks.")
    assert "(40 items, 1 training seed)" in words["BWT"]
    assert words["forgetting"].endswith("SDFT (yours) forgot less.")
    assert words["FWT"].endswith("no difference is shown.")
    assert continual.versus(both[:0], pairs).empty


def test_only_shared_training_seeds_are_compared():
    seeds = {"sft": (0, 1), "sdft": (1, 2), "replay": (5,)}
    frame = pandas.concat([scores((method,), seeds=those) for method, those in seeds.items()])
    found = continual.versus(frame, [("sdft", "sft"), ("replay", "sft")])
    assert set(found["a"]) == {"sdft"} and set(found["seeds"]) == {1}


def test_what_was_learnt_stands_beside_what_was_kept(both):
    table = continual.learnt(both)
    row = table.loc["SFT (yours)", ORDERS[0]]
    assert row["tickets", "own"] == pytest.approx(0.9) and row["tickets", "end"] == pytest.approx(
        0.3
    )
    assert row["sums", "own"] == row["sums", "end"] == pytest.approx(0.9)
    found = continual.learnt_versus(
        both, [("SDFT (yours)", "SFT (yours)"), ("SDFT (recorded)", "SFT (recorded)")]
    )
    assert (
        len(found) == 2 * 3
        and (found["difference"] < 0).all()
        and (found["p_holm"] >= found["p_raw"]).all()
    )
    assert continual.learnt_versus(both[:0], [("a", "b")]).empty


def test_orders_are_compared_at_the_end():
    found = continual.order_effect(scores(("sft", "sdft"), ORDERS, (0, 1)))
    sft = found[found["method"] == "sft"].set_index("suite")
    assert sft["difference"].round(2).to_dict() == {"tickets": -0.6, "sums": 0.6}
    words = [continual.order_in_words(row) for row in found.itertuples()]
    assert words[0].startswith(
        f"sft, tickets (place 1 of {ORDERS[0]} minus place 2 of {ORDERS[1]})"
    )
    known = found.assign(verdict=AT_FLOOR).iloc[0]
    assert continual.order_in_words(known).endswith(f"n {known['n']}: at its floor.")
    assert words[0].endswith(f"lower at the end in the order {ORDERS[0]}.")
    assert "no difference" in continual.order_in_words(found.assign(verdict=UNCLEAR).iloc[0])
    for nothing in (scores(), scores()[:0]):
        assert continual.order_effect(nothing).empty


def test_paths_hold_every_run_of_one_order(both):
    here = both[both["order"] == ORDERS[0]]
    matrices = [continual.matrix(part) for _, part in here.groupby("method", sort=False)]
    shown = figures.stage_paths(matrices)
    assert "SFT (yours): tickets 0.00, 0.90, 0.30; sums 0.00, 0.00, 0.90" in shown.alt
    assert (
        "replay (recorded)" in shown.alt
        and "seeds: 2" in shown.caption
        and "0.15 to each side" in shown.caption
    )
    legend = shown.fig.legends[0]
    marks = zip(legend.get_texts(), legend.legend_handles, strict=True)
    faces = {text.get_text(): mark.get_markerfacecolor() for text, mark in marks}
    assert len(shown.fig.axes) == 2 and len(faces) == 5
    assert faces["SFT (recorded)"] == "white" != faces["SFT (yours)"]
    other = continual.matrix(
        both[(both["order"] == ORDERS[1]) & (both["method"] == "SFT (recorded)")]
    )
    for wrong in ([], [matrices[0], other]):
        with pytest.raises(SdftError):
            figures.stage_paths(wrong)


def test_measures_are_drawn_with_their_intervals(both, tmp_path):
    found = continual.measures(both)
    shown = figures.stage_measures(found[found["order"] == ORDERS[0]])
    assert "BWT: SFT (yours) -0.60 (" in shown.alt and "forgetting: SFT (yours) 0.60" in shown.alt
    assert "n = 40–80" in shown.caption and "training seeds: 1–2" in shown.caption
    assert save(shown, tmp_path / "measures.png").stat().st_size < 150_000
    for wrong in (found, found[:0]):
        with pytest.raises(SdftError):
            figures.stage_measures(wrong)
