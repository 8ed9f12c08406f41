"""Several tasks one after the other: stages build on each other, replay takes earlier rows, cells
are gone on with.
"""

import json
from pathlib import Path

import pytest

from sdft_lib.experiments import continual, grid, run_one, stages
from sdft_lib.experiments.methods import TASKS_IN_A_ROW
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import load_template
from sdft_lib.train import TrainConfig

CONFIG = TrainConfig(epochs=3, learning_rate=1e-2)  # the first step has a learning rate of 0
TEXT = """
rows = 8
orders = ["tickets-sums"]
methods = ["sft", "replay"]
seeds = [0]
limits = {task = 3}
[training]
epochs = 1
learning_rate = 1e-2
"""


def quiet(line: str) -> None:
    pass


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))


def test_replay_takes_rows_of_earlier_tasks_and_keeps_the_number():
    own, earlier = [{"id": f"b-{n}"} for n in range(8)], [{"id": f"a-{n}"} for n in range(8)]
    mixed = stages.rehearsed(own, earlier, 0.25, seed=1)
    assert len(mixed) == 8 and sum(row["id"].startswith("a-") for row in mixed) == 2
    assert all(row == own[place] for place, row in enumerate(mixed) if row["id"].startswith("b-"))
    assert (
        mixed
        == stages.rehearsed(own, earlier, 0.25, seed=1)
        != stages.rehearsed(own, earlier, 0.25, seed=2)
    )
    assert stages.rehearsed(own, [], 0.25) == own == stages.rehearsed(own, earlier, 0.0)


@pytest.mark.parametrize("order", ["tickets", "tickets-tickets", ""])
def test_an_order_names_several_different_tasks(order):
    with pytest.raises(SdftError, match="different tasks"):
        stages.tasks_of(order)


def test_each_stage_trains_the_model_of_the_stage_before(tiny_seed, store, monkeypatch):
    import torch

    trained = []
    real = run_one.fine_tune
    monkeypatch.setattr(
        run_one,
        "fine_tune",
        lambda model, rows, *rest, **more: (
            trained.append((model, rows)) or real(model, rows, *rest, **more)
        ),
    )
    models = list(
        stages.train_stages(
            tiny_seed,
            "tickets-sums",
            "replay",
            CONFIG,
            template=load_template("opening"),
            rows=8,
            say=quiet,
        )
    )
    assert [model for model, _ in trained] == models[:2] and models[0] is tiny_seed
    weights = [
        model.model.state_dict()["model.layers.0.self_attn.q_proj.weight"] for model in models
    ]
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])
    assert sum(row["id"].startswith("tickets") for row in trained[1][1]) == 2
    rows = stages.stage_scores(
        models, "tickets-sums", method="replay", training_seed=0, limit=3, say=quiet
    )
    assert len(rows) == 3 * 2 * 3 and set(rows[0]) == {*continual.COLUMNS, "unit"}


def test_an_unknown_method_is_refused(tiny_seed):
    with pytest.raises(SdftError, match="sft, sdft, replay"):
        next(stages.train_stages(tiny_seed, "tickets-sums", "magic", CONFIG, template=None))


def test_orders_are_computed_once_gone_on_with_and_read_back(tiny_folder, store, tmp_path):
    path, out = tmp_path / "orders.toml", tmp_path / "orders.jsonl"
    path.write_text(f'model = "{tiny_folder}"\n{TEXT}', encoding="utf-8")
    recipe = grid.load_recipe(path)
    assert grid.run_recipe(recipe, out, methods=("sft",), say=quiet) == 1
    before = out.read_text()
    assert grid.run_recipe(recipe, out, say=quiet) == 1
    assert out.read_text().startswith(before) and grid.run_recipe(recipe, out, say=quiet) == 0
    frame = grid.read_results([out], continual.COLUMNS[:-2])
    assert continual.matrix(frame[frame.method == "replay"]).shape == (3, 2)
    found = continual.versus(frame, [("sft", "replay")])
    assert set(found.measure) == set(continual.MEASURES) and (found.n <= 6).all()
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sum("facts" in line for line in lines) == 2 and "text" not in out.read_text()


def test_the_continual_recipe_names_two_orders_of_the_three_tasks():
    recipe = grid.load_recipe(Path(__file__).parents[2] / "data" / "recipes" / "continual.toml")
    assert len(recipe.orders) == 2 and {frozenset(stages.tasks_of(o)) for o in recipe.orders} == {
        frozenset(("tickets", "sums", "calls"))
    }
    assert set(recipe.methods) == set(TASKS_IN_A_ROW)
