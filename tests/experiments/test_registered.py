"""Predictions with bounds: each kind of number by hand, from grids that hold a part or all."""

import json

import pandas
import pytest

from sdft_lib.data import data_dir
from sdft_lib.experiments import registered as reg
from sdft_lib.experiments.grid import load_recipe
from sdft_lib.experiments.recorded import items_of
from sdft_lib.formats.toml import read_toml

ITEMS = 10


def items(method, task, facts, seed=0):
    """Rows of one training's end, or of the seed model: so many of ITEMS are right."""
    head = {"method": method, "seed": seed, "checkpoint": float(method != "seed"), "split": "test"}
    rows = []
    for suite, right in (("task", task), ("facts", facts)):
        for item in range(ITEMS):
            name = f"{suite}-{item}"
            rows.append(head | {"suite": suite, "id": name, "unit": name, "score": item < right})
    return rows


def grid(*cells):
    frame = pandas.DataFrame([row for cell in cells for row in cell])
    return frame.astype({"score": float})


def ended(**columns):
    return pandas.DataFrame({"recipe": "frontier", **columns})


def found(part, frame, costs=None):
    made = reg.measure(part, frame, ended(method=[], seed=[]) if costs is None else costs)
    return made, reg.outcome_of(part, made)


FRAME = grid(
    items("seed", 0, 6),
    items("half", 4, 4),
    items("sft", 8, 1),
    items("sft", 10, 1, seed=1),
    items("sdft", 6, 5),
)


def test_a_difference_over_shared_seeds_is_held_against_its_bounds():
    part = {"suite": "task", "a": "sdft", "b": "sft", "most": -0.1}
    made, outcome = found(part, FRAME)
    assert made["found"] == pytest.approx(-0.2) and made["seeds"] == 1 and outcome == "held"
    assert made["low"] < -0.2 < made["high"]
    assert found(part | {"most": -0.3}, FRAME)[1] == "failed"
    assert found({**part, "least": -0.25, "most": 0.25}, FRAME)[1] == "held"
    assert found(part | {"b": "stm"}, FRAME) == ({}, "not recorded yet")


def test_a_method_alone():
    made, outcome = found({"suite": "task", "a": "sft", "most": 0.3}, FRAME)
    assert made["found"] == pytest.approx(0.9) and made["seeds"] == 2 and outcome == "failed"


def test_the_line_is_read_where_as_much_was_learnt():
    """The line goes through (0, .6), (.4, .4) and (.9, .1); at .6 it has kept .28."""
    part = {"suite": "facts", "a": "sdft", "along": ["half", "sft"], "least": 0.0}
    made, outcome = found(part, FRAME)
    assert made["found"] == pytest.approx(0.5 - 0.28) and outcome == "held"
    beyond = pandas.concat([FRAME, grid(items("more", 10, 1))])
    assert found(part | {"a": "more"}, beyond)[1] == "cannot be told"
    assert found(part | {"along": ["quarter", "sft"]}, FRAME)[1] == "not recorded yet"


def test_seconds_are_divided():
    costs = ended(method=["sft", "sft", "slow"], seed=[0, 1, 1], seconds=[100.0, 50.0, 200.0])
    part = {"suite": "seconds", "a": "slow", "b": "sft", "least": 4.0}
    assert found(part, FRAME, costs) == ({"found": 4.0, "seeds": 1}, "held")
    assert found(part | {"a": "stm"}, FRAME, costs)[1] == "not recorded yet"


def test_the_rank_of_drift_and_loss():
    """Facts lost .2, .5, .1 by half, sft and sdft; drift puts half before sdft."""
    costs = ended(method=["half", "sft", "sdft", "seed"], seed=0, drift=[0.1, 3.0, 0.2, None])
    part = {"suite": "drift", "least": 0.8}
    made, outcome = found(part, FRAME, costs)
    assert made["found"] == pytest.approx(0.5) and outcome == "failed"
    assert found(part, FRAME, costs.assign(drift=[0.2, 3.0, 0.1, None]))[0]["found"] == 1
    assert found(part, FRAME, costs.drop(columns="drift"))[1] == "not recorded yet"


def test_the_same_is_what_shows_no_difference():
    part = {"suite": "facts", "a": "half", "b": "sdft", "same": True}
    assert found(part, FRAME)[1] == "held"
    assert found(part | {"a": "ten", "b": "none"}, grid(items("ten", 9, 9), items("none", 0, 1)))[
        1
    ] == ("failed")
    low = grid(items("half", 0, 0), items("sdft", 0, 0))
    assert found(part, low)[1] == "cannot be told"


def test_a_prediction_fails_with_any_of_its_parts(monkeypatch):
    monkeypatch.setattr(reg, "frontier_runs", lambda model: FRAME)
    costs = ended(method=["sft"], seed=[0], seconds=[1.0])
    monkeypatch.setattr(reg, "frontier_costs", lambda model: costs)
    declared = {"number": 1, "says": "both"}
    declared["part"] = [
        {"suite": "task", "a": "sdft", "b": "sft", "most": -0.1},
        {"suite": "facts", "a": "sdft", "b": "sft", "most": 0.0},
        {"suite": "seconds", "a": "sdft", "b": "sft", "least": 4.0},
    ]
    monkeypatch.setattr(reg, "read_toml", lambda path: {"prediction": [declared]})
    parts = reg.registered()
    assert parts["outcome"].tolist() == ["held", "failed", "not recorded yet"]
    assert parts["wanted"].tolist() == ["at most -0.1", "at most 0", "at least 4"]
    assert reg.by_prediction(parts).values.tolist() == [[1, "both", "failed"]]
    assert reg.by_prediction(parts.drop(1))["outcome"].tolist() == ["not recorded yet"]
    assert reg.by_prediction(parts[:1])["outcome"].tolist() == ["held"]


def test_rates_stand_side_by_side(monkeypatch, tmp_path):
    lines = []
    for rate, method, right in ((1e-3, "sft", 1), (2e-3, "sft", 2), (1e-3, "sdft", 0)):
        line = {"method": method, "seed": 0, "training": {"learning_rate": rate}, "ids": ["a", "b"]}
        line |= {"scores": [right > 0, right > 1], "kept": {"ids": ["c"], "scores": [1.0]}}
        lines.append(json.dumps(line | {"facts": {"training": {"seconds": 1.0}}}))
    path = tmp_path / "frontier-rates.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(reg, "results_of", lambda name, model: [path])
    table = reg.rates()
    assert table["dev", "sft"].to_dict() == {1e-3: 0.5, 2e-3: 1.0}
    assert table["dev", "sdft"][1e-3] == 0 and table["kept", "sft"][2e-3] == 1
    monkeypatch.setattr(reg, "results_of", lambda name, model: [])
    assert reg.rates().empty


def test_what_is_declared_can_be_computed(monkeypatch):
    """Eight predictions about methods and suites of the recipe, each part with a bound."""
    declared = read_toml(data_dir() / "results" / "frontier-predictions.toml")
    recipe = load_recipe(data_dir() / "recipes" / f"{declared['recipe']}.toml")
    assert [each["number"] for each in declared["prediction"]] == list(range(1, 9))
    for part in [part for each in declared["prediction"] for part in each["part"]]:
        named = {part.get("a", "sft"), part.get("b", "sft"), *part.get("along", [])}
        assert named <= set(recipe.methods) and {"least", "most", "same"} & set(part)
        assert part["suite"] in (*recipe.suites, "seconds", "drift")
    monkeypatch.setattr(reg, "frontier_runs", lambda model: items_of([]))
    parts = reg.registered()
    assert len(parts) == 15 and set(parts["outcome"]) == {"not recorded yet"}
    cells = [items("seed", 0, 6)]
    cells += [
        items(name, place % 9 + 1, 5 - place % 5) for place, name in enumerate(recipe.methods)
    ]
    monkeypatch.setattr(reg, "frontier_runs", lambda model: grid(*cells))
    costs = ended(method=recipe.methods, seed=0, seconds=1.0, drift=range(len(recipe.methods)))
    monkeypatch.setattr(reg, "frontier_costs", lambda model: costs)
    assert "not recorded yet" not in set(reg.registered()["outcome"])
