"""Recipes and their grids: read and checked, computed cell by cell, gone on with, read back item by
item.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sdft_lib.experiments import grid
from sdft_lib.experiments.methods import METHODS
from sdft_lib.experiments.run_one import budget
from sdft_lib.models import load_seed
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

ROOT = Path(__file__).parents[2]
SMALL = """
rows = 8
methods = ["sft", "sft-anchor"]
seeds = [0]
keep = [0.5]
along = ["dev", "facts"]
suites = ["dev", "task", "facts", "facts-opened", "helpful", "instructions"]
limits = {dev = 3, task = 4, facts = 3, facts-opened = 3, helpful = 2, instructions = 2}
[training]
epochs = 1
learning_rate = 1e-2
"""


def quiet(line):
    pass


def write(folder: Path, text: str) -> Path:
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_our_recipes_are_valid():
    paths = sorted((ROOT / "data" / "recipes").glob("*.toml"))
    assert paths
    for path in paths:
        recipe = grid.load_recipe(path)
        assert recipe.name == path.stem and len(recipe.seeds) >= (
            1 if recipe.sweep else 2 if recipe.orders else 3
        )


@pytest.mark.parametrize(
    "text, words",
    [
        ("rows = [", "TOML"),
        ("lines = 3", '"lines" is not known'),
        ("row = 3", 'did you mean "rows"?'),
        ("rows = -5", '"rows" is -5; give a whole number of at least 1'),
        ("rows = true", '"rows" is True; give a whole number'),
        ('methods = ["dpo"]', '"dpo" is not known'),
        ('methods = ["sdf"]', 'did you mean "sdft"?'),
        ("methods = []", '"methods" is []'),
        ('along = ["poems"]', '"poems"'),
        ("limits = {poems = 3}", '"poems"'),
        ("limits = {facts = 0}", "at least 1"),
        ("seeds = []", "at least 1"),
        ('seeds = "abc"', "give a list, not text"),
        ("seeds = [0, -1]", "at least 0 at seeds[1]"),
        ("[training]\nspeed = 3", 'training: entry "speed" is not known'),
        ('[training]\nloss = "dft"', 'training: entry "loss" is not known'),
        ("[training]\nlearning_rates = 0.1", 'did you mean "learning_rate"?'),
        ("[training]\nlearning_rate = -1.0", '"learning_rate" is -1.0; give a number above 0'),
        ("[training]\nlearning_rate = 3", '"learning_rate" is 3; give a number of at most 1'),
        ("[training]\nlearning_rate = nan", "learning_rate"),
        ('[training]\nfull = "no"', "\"full\" is 'no'; give true or false, not text"),
        ("[training]\nepochs = true", '"epochs" is True; give a whole number'),
        ("[training]\ntargets = []", '"targets" is []'),
        ("training = 3", "give a table"),
        ("keep = [1.5]", "keep"),
        ('name = "../up"', "file name"),
        ('orders = ["tickets"]', "two or more"),
        ('orders = ["tickets-tickets"]', "different"),
        ('orders = ["tickets-poems"]', "poems"),
        ('orders = ["tickets-sums"]\nmethods = ["sft-slow"]', '"sft-slow" is not known'),
        ('methods = ["replay"]', '"replay" is not known'),
        ('methods = ["sft"]\n[rates]\nsdft = 1e-3', 'rates: method "sdft" is not known'),
        ("[rates]\nsft = 3.0", '"learning_rate" is 3.0; give a number of at most 1'),
    ],
)
def test_a_wrong_recipe_is_one_sentence(tmp_path, text, words):
    with pytest.raises(SdftError, match="small.toml") as caught:
        grid.load_recipe(write(tmp_path, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cells_go_seed_by_seed():
    recipe = grid.Recipe("x", methods=("sft", "sdft"), seeds=(0, 1))
    assert [tuple(cell.values()) for cell in grid.cells(recipe)] == [
        ("seed", 0),
        ("sft", 0),
        ("sdft", 0),
        ("sft", 1),
        ("sdft", 1),
    ]


def test_a_grid_is_computed_once_and_goes_on(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    text = f'model = "{tiny_folder}"\n{SMALL}'
    recipe, out = grid.load_recipe(write(tmp_path, text)), tmp_path / "out.jsonl"
    assert grid.run_recipe(recipe, out, say=quiet) == 3
    before = out.read_text()
    assert grid.run_recipe(recipe, out, say=quiet) == 0
    more = grid.load_recipe(write(tmp_path, text.replace("seeds = [0]", "seeds = [0, 1]")))
    assert grid.run_recipe(more, out, say=quiet) == 2
    assert out.read_text().startswith(before)

    frame = grid.read_results([out])
    runs = frame[frame.method == "sft"].groupby(["seed", "checkpoint", "split", "suite"]).size()
    assert (
        runs[0, 0.5].to_dict()
        == {("dev", "task"): 3, ("test", "facts"): 3}
        == runs[1, 0.5].to_dict()
    )
    assert runs[0, 1.0]["test", "task"] == 4 and len(runs[0, 1.0]) == 8
    assert set(frame[frame.method == "seed"].checkpoint) == {0.0}
    assert (
        frame.score.between(0, 1).all()
        and not frame.duplicated(["method", "seed", "checkpoint", "split", "suite", "id"]).any()
    )
    costs = grid.costs([out]).set_index(["method", "seed"])
    assert costs.loc[("sft-anchor", 0), "steps"] == 1
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    facts = [line["facts"] for line in lines if "facts" in line]
    assert len(facts) == 5 and all(
        each["versions"]["torch"] and each["code"] and each["made"] for each in facts
    )
    assert not any(key in out.read_text() for key in ("text", "raw"))


def test_a_scaled_adapter_shares_its_training_and_each_cell_has_its_drift(
    tiny_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    text = SMALL.replace('["sft", "sft-anchor"]', '["sft", "sft-scaled-25", "sft-scaled-75"]')
    text = (
        text.replace("keep = [0.5]\n", "")
        .replace("1e-2", "0.5")
        .replace("epochs = 1", "epochs = 4")
    )
    text = f'model = "{tiny_folder}"\n{text}[rates]\nsft-scaled-25 = 0.5\n'
    recipe, out, said = grid.load_recipe(write(tmp_path, text)), tmp_path / "out.jsonl", []
    grid.run_recipe(recipe, out, say=said.append)
    assert sum("training on 8 rows" in line for line in said) == 1
    costs = grid.costs([out]).set_index("method")
    assert costs["steps"].tolist()[1:] == [4, 4, 4] and costs["seconds"].nunique() == 1
    drift = costs["drift"].drop("seed")
    assert 0 < drift["sft-scaled-25"] < drift["sft-scaled-75"] < drift["sft"]


def test_a_method_may_have_a_rate_of_its_own(tmp_path):
    recipe = grid.load_recipe(
        write(
            tmp_path,
            'methods = ["sft", "sdft"]\n[training]\nlearning_rate = 2e-3\n[rates]\nsdft = 1e-3',
        )
    )
    rates = []
    for cell in grid.cells(recipe)[1:]:
        rates.append(recipe.config(0, recipe.changes(cell)).learning_rate)
    assert rates == [2e-3, 1e-3]
    plain = replace(recipe, rates=None)
    assert plain.key == grid.Recipe("y", training={"learning_rate": 2e-3}).key != recipe.key


def test_scaled_adapters_have_the_rate_of_what_they_scale():
    """Else they would be another training; and a recorded sweep chose the rates."""
    recipes = {}
    for name in ("frontier", "frontier-rates"):
        recipes[name] = grid.load_recipe(ROOT / "data" / "recipes" / f"{name}.toml")
    rates = {}
    for name in recipes["frontier"].methods:
        changes = recipes["frontier"].changes({"method": name})
        rates[name] = recipes["frontier"].config(0, changes).learning_rate
    for name in METHODS:
        base, _, scale = name.partition("-scaled-")
        if scale:
            assert rates[name] == rates[base]
    assert rates["sdft-2026-ema"] == rates["sdft-2026"]
    sweep = grid.read_sweep([p for p in [ROOT / "data/results/frontier-rates.jsonl"] if p.exists()])
    for name, part in sweep.groupby("method"):
        best = part[part["dev"] == part["dev"].max()]
        assert rates[name] == best["learning_rate"].min()


def test_each_outcome_is_a_suite_more(tmp_path):
    out = tmp_path / "out.jsonl"
    line = {"recipe": "x", "method": "sft", "seed": 0, "checkpoint": 1.0, "split": "test"}
    told = {"outcomes": ["refused", "neither", "complied"], "characters": [9, 8, 7]}
    told |= {"phrases": [2, 0, 0], "ids": ["a", "b", "c"], "scores": [1.0, 0.0, 0.0]}
    facts = {"suite": "facts", "ids": ["d"], "scores": [1.0]}
    lines = [line | {"suite": "safety"} | told, line | facts]
    out.write_text("".join(json.dumps(each) + "\n" for each in lines))
    frame = grid.read_results([out])
    scores = frame.groupby("suite", sort=False)["score"].apply(list).to_dict()
    assert scores == {
        "safety": [1, 0, 0],
        "safety-refused": [1, 0, 0],
        "safety-complied": [0, 0, 1],
        "safety-neither": [0, 1, 0],
        "facts": [1],
    }
    assert list(frame["id"][3:6]) == ["a", "b", "c"]


def test_other_settings_are_other_cells(tmp_path):
    out = tmp_path / "out.jsonl"
    recipe = grid.Recipe("x", methods=("sft",), rows=8)
    line = {"method": "sft", "seed": 0, "settings": recipe.key, "facts": {}}
    out.write_text(json.dumps(line) + "\n")
    assert grid.finished(recipe, out) == [{"method": "sft", "seed": 0}]
    assert grid.finished(grid.Recipe("x", methods=("sft",), rows=9), out) == []


def test_command_says_what_is_wrong_with_a_recipe(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from sdft_lib.cli import main as cli

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        cli.app, ["run", "--recipe", str(write(tmp_path, "seeds = []")), "--out", "results"]
    )
    assert (
        done.exit_code == 2
        and '"seeds" is []' in done.stderr
        and not (tmp_path / "results").exists()
    )


def command(*arguments):
    """What `sdft run` answers."""
    from typer.testing import CliRunner

    from sdft_lib.cli import main as cli

    return CliRunner().invoke(cli.app, ["run", *map(str, arguments)])


@pytest.mark.parametrize("form", ["plain arguments", "repeated option"])
def test_command_runs_several_recipes_in_turn_and_goes_on(tiny_folder, tmp_path, monkeypatch, form):
    """As a shell expands ``--recipe recipes/*.toml``: the first path belongs to the option, the
    others stand alone.
    """
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    folder, out = tmp_path / "recipes", tmp_path / "results"
    folder.mkdir()
    text = f'model = "{tiny_folder}"\nrows = 8\nmethods = ["sft"]\nlimits = {{dev = 2}}\n'
    text += "[training]\nepochs = 1\n"
    for name, rate in (("a", 1e-2), ("b", 1e-3)):
        sweep = f"[[sweep]]\nlearning_rate = {rate}\n"
        (folder / f"{name}.toml").write_text(text + sweep, encoding="utf-8")
    paths = sorted(folder.glob("*.toml"))
    given = [paths[0], *(paths[1:] if form == "plain arguments" else ("--recipe", paths[1]))]
    done = command("--recipe", *given, "--out", out, "--json")
    assert done.exit_code == 0, done.stderr
    found = {"computed": 2, "results": [str(out / "a.jsonl"), str(out / "b.jsonl")]}
    assert json.loads(done.stdout) == found and len((out / "b.jsonl").read_text().splitlines()) == 1
    (out / "b.jsonl").unlink()
    assert json.loads(command("--recipe", *given, "--out", out, "--json").stdout) == found | {
        "computed": 1
    }


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["small.toml"], "small.toml: a recipe comes after --recipe"),
        (["--recipe", "small.toml", "rows.csv"], "rows.csv: this is not a TOML file"),
        (["--recipe", "small.toml", "gone.toml"], "gone.toml: there is no such recipe"),
        (
            ["--recipe", "small.toml", "--recipe", "other/small.toml"],
            'another recipe is named "small", too',
        ),
        (
            ["--recipe", "small.toml", "other.toml", "--method", "sft-anchor"],
            'other.toml: method "sft-anchor" is not known',
        ),
    ],
)
def test_command_refuses_wrong_recipes_before_the_first_one_runs(
    tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grid, "run_recipe", lambda *args, **options: pytest.fail("a recipe ran"))
    (tmp_path / "other").mkdir()
    for path in (write(tmp_path, SMALL), write(tmp_path / "other", SMALL)):
        assert path.exists()
    (tmp_path / "other.toml").write_text('methods = ["sft"]\n', encoding="utf-8")
    (tmp_path / "rows.csv").write_text("prompt,reference\nHi,Hello\n", encoding="utf-8")
    done = command(*arguments, "--out", "results")
    assert done.exit_code == 2 and words in done.stderr and not (tmp_path / "results").exists()
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_sweep_is_chosen_on_dev_shows_facts_and_is_gone_on_with(
    tiny_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    text = (
        f'model = "{tiny_folder}"\nrows = 8\nmethods = ["sft"]\nseeds = [0]\nlimits = {{dev = 3, facts = 2}}\n'
        "[training]\nepochs = 1\n[[sweep]]\nlearning_rate = 1e-2\n"
    )
    out, quiet = tmp_path / "sweep.jsonl", lambda line: None
    assert grid.run_recipe(grid.load_recipe(write(tmp_path, text)), out, say=quiet) == 1
    more = text + '[[sweep]]\nlearning_rate = 1e-3\nrank = 16\ntargets = ["q_proj"]\n'
    recipe = grid.load_recipe(write(tmp_path, more))
    assert (
        grid.run_recipe(recipe, out, say=quiet) == 1
        and grid.run_recipe(recipe, out, say=quiet) == 0
    )
    table = grid.read_sweep([out])
    assert (
        set(table.learning_rate) == {1e-2, 1e-3}
        and set(table.n) == {3}
        and "q_proj" in set(table.targets)
    )
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    dev = {
        row["id"]
        for row in map(json.loads, (ROOT / "data/tasks/tickets/dev.jsonl").read_text().splitlines())
    }
    assert all(set(line["ids"]) <= dev for line in lines)
    assert [len(line["kept"]["scores"]) for line in lines] == [2, 2] and set(table.kept) <= {
        0,
        0.5,
        1,
    }
    small, large = (line["facts"]["training"]["trainable_parameters"] for line in lines)
    assert small != large


def test_a_sweep_with_an_unknown_setting_is_refused(tmp_path):
    with pytest.raises(SdftError, match='entry "speed" is not known'):
        grid.load_recipe(write(tmp_path, "[[sweep]]\nspeed = 3\n"))


def test_only_the_methods_asked_for_are_computed(tmp_path):
    recipe = grid.Recipe("x", methods=("sft", "sdft"))
    with pytest.raises(SdftError, match='method "dpo" is not known'):
        grid.run_recipe(recipe, tmp_path / "out.jsonl", methods=("dpo",))


def test_a_file_of_your_own_is_split_and_another_folder_may_hold_the_weights(
    tiny_folder, tmp_path, monkeypatch
):
    """Answers to it may be as long as its references, in rewriting and in tests."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    lines = [
        f'"What is {n} + 1?","{"We count on. " * 40}The answer is {n + 1}."' for n in range(20)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["prompt,reference", *lines]), encoding="utf-8")
    text = (
        'task = "mine.csv"\nmethods = ["sft"]\nsuites = ["dev", "task"]\n[training]\nepochs = 1\n'
    )
    path, out = write(tmp_path, f'model = "{tiny_folder.name}"\n{text}'), tmp_path / "out.jsonl"
    with pytest.raises(SdftError, match="model"):
        grid.load_recipe(path)
    recipe = grid.load_recipe(path, model=str(tiny_folder))
    for name in (tiny_folder.name, f"org/{tiny_folder.name}"):  # a preset, and a hub's
        assert recipe.key == replace(recipe, model=name).key
    task = grid.own_task("mine.csv", say=quiet)
    assert [len(rows) for rows in (task.train, task.dev, task.test)] == [12, 3, 5]
    assert task.max_new_tokens == len(task.train[0]["reference"].encode()) // 2 > 200
    assert budget(task).max_new_tokens == grid.suite_of(recipe, task, "dev").max_new_tokens
    short = [row | {"reference": "The answer is 4."} for row in task.train]
    assert replace(task, train=short, dev=None, test=None).max_new_tokens == 200
    huge = [row | {"reference": "no " * 900 + "4"} for row in task.train]
    assert replace(task, train=huge).max_new_tokens == 512
    monkeypatch.setattr("sdft_lib.data.LONG", 8)
    monkeypatch.setattr("sdft_lib.data.LONGEST", 8)
    assert grid.run_recipe(recipe, out, say=quiet) == 2
    lines = read_jsonl(out)
    assert {line["facts"]["weights"] for line in lines if "facts" in line} == {
        load_seed(str(tiny_folder), say=quiet).revision
    }
    assert [len(line["ids"]) for line in lines if "ids" in line] == [3, 5, 3, 5]
