"""Recipes of the paper's tables, the arithmetic of their plan by hand and against public runs, and
a run in small.
"""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.cli.common import check_adapter
from sdft_lib.formats.public import PAPER_SETS
from sdft_lib.paper import plan, reproduce
from sdft_lib.paper import recipes as paper_recipes
from sdft_lib.paper.judge import Judge
from sdft_lib.paper.suites import SUITES
from sdft_lib.scale import hardware as estimate
from sdft_lib.storage.errors import SdftError
from sdft_lib.training.weights import is_full

ROOT = Path(__file__).resolve().parents[2]
LLAMA = estimate.geometry("llama-2-7b")
PUBLISHED = {
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-3-8b": 8_030_261_248,
    "smollm2-135m": 134_515_008,
    "qwen2.5-0.5b": 494_032_768,
    "qwen-7b": 7_721_324_544,
    "qwen-14b": 14_167_290_880,
}
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def device(key):
    return next(each for each in estimate.devices() if each.key == key)


def measured(*kinds):
    with open(ROOT / "data" / "hardware" / "measured.csv", encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["what"] in kinds]


def name_of(row):
    return f"{row['model']}-{row['what']}-{row['tokens']}"


# --- arithmetic
# ---------------------------------------------------------------------------------------------------


def test_every_known_model_is_counted():
    assert set(estimate.load_table("models")) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_number(name):
    model = estimate.geometry(name)
    assert estimate.parameters(model) == model.parameters == PUBLISHED[name]


def test_lora_parameters_by_hand():
    """Llama-2-7b: 32 layers x 8 x (4096 + 4096) x 2 targets; Llama-3-8B: values go from 4096 to
    1024.
    """
    assert (
        estimate.lora_parameters(LLAMA, 8, ("q_proj", "v_proj")) == 32 * 8 * 2 * 8192 == 4_194_304
    )
    llama3 = estimate.geometry("llama-3-8b")
    assert (
        estimate.lora_parameters(llama3, 8, ("q_proj", "v_proj"))
        == 32 * 8 * (8192 + 5120)
        == 3_407_872
    )
    with pytest.raises(SdftError):
        estimate.lora_parameters(LLAMA, 8, ("query",))


@pytest.mark.parametrize(
    "full, checkpointing, factor",
    [(False, False, 4), (False, True, 6), (True, False, 6), (True, True, 8)],
)
def test_flops_by_hand(full, checkpointing, factor):
    """6,476,005,376 weights of linear layers and 131,072,000 of the head, for each of 1,000
    tokens.
    """
    assert estimate.multiplied(LLAMA) == 6_476_005_376 + 131_072_000
    found = estimate.training_flops(LLAMA, 1000, full=full, checkpointing=checkpointing)
    assert found == factor * 6_607_077_376 * 1000


def test_memory_by_hand():
    """Weights 13.48 GB, 4-bit 3.34 + 0.52 GB; full tuning 16 bytes a parameter; keys and values 0.5
    MB a token.
    """
    assert estimate.weight_bytes(LLAMA) == 2 * 6_738_415_616
    assert estimate.weight_bytes(LLAMA, four_bit=True) == pytest.approx(
        0.516 * 6_476_005_376 + 2 * 262_410_240
    )
    assert estimate.cache_bytes(LLAMA) == 2 * 2 * 32 * 4096 == 524_288
    full = estimate.training_bytes(LLAMA, tokens=0, logits=0, trained=6_738_415_616, full=True)
    assert full == 16 * 6_738_415_616 + 1.5e9
    one = {"tokens": 1, "logits": 0, "trained": 0}
    plain = estimate.training_bytes(LLAMA, **one) - estimate.weight_bytes(LLAMA) - 1.5e9
    assert plain == 33 * 2 * (8 * 4096 + 4 * 11008)
    saving = (
        estimate.training_bytes(LLAMA, **one, checkpointing=True)
        - estimate.weight_bytes(LLAMA)
        - 1.5e9
    )
    assert saving == 32 * 2 * 4096 + 2 * 2 * (8 * 4096 + 4 * 11008)


@pytest.mark.parametrize("row", measured("lora", "lora-4bit"), ids=name_of)
def test_memory_agrees_with_public_runs(row):
    model, tokens = estimate.geometry(row["model"]), int(row["batch"]) * int(row["tokens"])
    found = estimate.training_bytes(
        model,
        tokens=tokens,
        logits=tokens,
        trained=estimate.lora_parameters(model, int(row["rank"]), ALL),
        checkpointing=True,
        four_bit=row["what"] == "lora-4bit",
    )
    assert found / 1e9 == pytest.approx(float(row["memory_gb"]), rel=0.1)


@pytest.mark.parametrize("row", measured("lora", "lora-4bit", "full"), ids=name_of)
def test_public_training_speed_lies_in_the_range(row):
    model, card = estimate.geometry(row["model"]), device(row["device"])
    tokens = (
        int(row["batch"]) * int(row["tokens"]) * int(row["accumulation"])
    )  # of one step, on each device
    work = estimate.training_flops(model, tokens, full=row["what"] == "full", checkpointing=True)
    low, high = card.train_4bit if row["what"] == "lora-4bit" else card.train
    assert low - 0.005 <= work / float(row["seconds"]) / card.flops <= high + 0.005


@pytest.mark.parametrize("row", measured("generate"), ids=name_of)
def test_public_generation_speed_lies_in_the_range(row):
    model, card, steps = estimate.geometry(row["model"]), device(row["device"]), int(row["tokens"])
    fast, slow = (
        estimate.step_seconds(model, card, 1, steps / 2, slow=slow) * steps
        for slow in (False, True)
    )
    assert fast <= float(row["seconds"]) <= slow * 1.05


def test_a_decoding_step_by_hand():
    """One row on an A100: 32 layers take at least 12.8 ms, reading 13.5 GB takes 9.4 ms; 100 rows of 1,000 tokens read
    52.4 GB more."""
    card = device("a100")
    assert estimate.step_seconds(LLAMA, card, 1, 0, slow=False) == pytest.approx(0.0128)
    read = (13.476831232e9 + 100 * 1000 * 524_288) / 2039e9 / 0.7
    assert estimate.step_seconds(LLAMA, card, 100, 1000, slow=False) == pytest.approx(read)


def test_rows_together_by_hand():
    """A T4 has 15.8 - 1.5 - 13.48 = 0.82 GB left; half of it holds 785 tokens: one row of 700."""
    card = device("t4")
    assert estimate.rows_together(LLAMA, card, 700) == 1
    assert estimate.rows_together(estimate.geometry("llama-2-13b"), card, 700) == 0


def test_unknown_model():
    with pytest.raises(SdftError, match="models.toml"):
        estimate.geometry("gpt-2")


# --- recipes
# ------------------------------------------------------------------------------------------------------


def test_the_recipes_are_the_rows_of_five_tables():
    paths = sorted(paper_recipes.FOLDER.glob("*.toml"))
    readme = (paper_recipes.FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(paths) == 12 and all(f"`{path.name}`" in readme for path in paths)
    assert {t: len(paper_recipes.recipes_of(t)) for t in paper_recipes.TABLES} == {
        1: 3,
        2: 3,
        3: 4,
        4: 2,
        5: 3,
    }
    with open(ROOT / "data" / "published" / "paper.csv", encoding="utf-8", newline="") as file:
        published = {
            (int(row["table"]), row["model"], row["tuning"], row["training_set"])
            for row in csv.DictReader(file)
            if row["method"] != "seed"
        }
    ours = {
        (table, r.model, r.tuning, r.dataset)
        for table in (1, 2, 5)  # of the others no figures could be checked
        for r in paper_recipes.recipes_of(table)
    }
    assert ours == published


@pytest.mark.parametrize(
    "path", sorted(paper_recipes.FOLDER.glob("*.toml")), ids=lambda path: path.stem
)
def test_settings_are_the_papers(path):
    recipe = paper_recipes.load_paper_recipe(path)
    config, decoding = recipe.config(), recipe.decoding_of()
    assert (decoding.temperature, decoding.top_p, decoding.top_k, decoding.max_new_tokens) == (
        0.95,
        0.7,
        50,
        512,
    )
    assert set(recipe.tables) <= set(paper_recipes.TABLES)
    assert recipe.tuning in ("lora", "full") and set(recipe.methods) <= {"seed", "sft", "sdft"}
    assert recipe.rows == paper_recipes.PAPER_SETS[recipe.dataset].size
    assert config.full == (recipe.tuning == "full")
    if recipe.tuning == "lora":
        assert (config.rank, config.alpha, config.targets) == (8, 16, ("q_proj", "v_proj"))
        assert (config.learning_rate, config.batch_size, config.warmup, config.seed) == (
            1e-4,
            8,
            0.0,
            42,
        )
        assert config.epochs == (5 if recipe.dataset in ("openfunctions", "gsm8k") else 2)
        assert bool(recipe.assumed) == (recipe.tables == (4,))


GOOD = (ROOT / "data" / "recipes" / "paper" / "llama2-7b-gsm8k.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "tables = [1",
        "speed = 3\n" + GOOD,
        GOOD.replace("tables = [1, 2]", 'tables = ["1"]'),
        GOOD.replace("epochs = 5", "epochs = 0"),
        GOOD.replace('model = "llama-2-7b"', ""),
        GOOD.replace("rank = 8", "ranks = 8"),
    ],
)
def test_a_wrong_recipe_is_named(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SdftError, match="mine.toml"):
        paper_recipes.load_paper_recipe(path)


def test_wording_goes_around_a_row_and_keeps_what_is_there():
    words = {"system": "S2", "user": "<{instruction}>"}
    texts = {"system": "S", "user": "1", "assistant": "2"}
    asked = [{"role": role, "content": text} for role, text in texts.items()]
    asked.append({"role": "user", "content": "{instruction} {reference}"})
    assert paper_recipes.worded(asked, words) == [
        *asked[:3],
        {"role": "user", "content": "<{instruction} {reference}>"},
    ]
    front = paper_recipes.worded(asked[1:], words)[0]
    assert front == {"role": "system", "content": "S2"}
    assert paper_recipes.worded(asked, {}) == asked


def test_our_wording_has_words_for_each_training_set():
    words, asked = paper_recipes.load_wording(), set()
    for table in paper_recipes.TABLES:
        asked |= {each.template or each.dataset for each in paper_recipes.recipes_of(table)}
    assert asked == set(words.distil) == {*PAPER_SETS, "using", "refer"}
    with pytest.raises(SdftError, match="multiarith"):
        words.template("multiarith")


@pytest.mark.parametrize(
    "text",
    [
        "[distil.gsm8k]\nuser = 'no fields'\n",
        "[distil.gsm8k]\nsystem = 'x'\n",
        "[train.gsm8k]\nuser = 'x'\n",
        "[prompts.gsm8k]\nuser = '{instruction}'\n",
        "[test.gsm8k]\nprefill = 'x'\n",
    ],
)
def test_a_wrong_wording_is_named(tmp_path, text):
    path = tmp_path / "words.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SdftError, match="words"):
        paper_recipes.load_wording(path)


# --- plan
# ---------------------------------------------------------------------------------------------------------


def test_the_plan_counts_runs_and_tokens_by_hand():
    """GSM8K: prompt 235 and reference 258 characters at 3.6 a token are 65 and 72 tokens; 7,473
    rows, 5 epochs.
    """
    steps = plan.plan(1, paper_recipes.recipes_of(1))
    count = {
        kind: sum(step.step == kind for step in steps) for kind in ("train", "rewrite", "evaluate")
    }
    assert count == {
        "train": 6,
        "rewrite": 3,
        "evaluate": 21,
    }  # 7 models, 3 evaluations: one seed model
    (step,) = [
        s for s in steps if (s.recipe, s.method, s.step) == ("llama2-7b-gsm8k", "sft", "train")
    ]
    assert (step.read, step.written) == (7473 * 5 * 65, 7473 * 5 * 72)
    cost = step.costs["a100"]
    hours = 4 * 6_607_077_376 * 7473 * 5 * 137 / 312e12 / 3600
    assert cost.hours == pytest.approx((hours / 0.44, hours / 0.23)) and (
        cost.devices,
        cost.way,
    ) == (1, "16-bit")
    assert step.costs["t4"].way == "4-bit, checkpointing" and step.costs["t4"].memory_gb < 15.8


def test_every_step_fits_or_says_that_it_does_not():
    memory = {card.key: card.memory / 1e9 for card in estimate.devices()}
    for table in paper_recipes.TABLES:
        steps = plan.plan(table, paper_recipes.recipes_of(table))
        for step in steps:
            assert all(
                0 < c.hours[0] <= c.hours[1] and c.memory_gb <= memory[k]
                for k, c in step.costs.items()
            )
        assert plan.total(steps, "a100") and plan.total(steps, "h100")
    assert plan.total(steps, "t4") is None  # all weights of 7B do not fit a T4
    full = [step for step in steps if step.recipe.endswith("full") and step.step == "train"]
    assert [step.costs["a100"].devices for step in full] == [2, 2]


def sdft(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


TRAININGS = {3: 8, 4: 2}  # else 6


@pytest.mark.parametrize("table", paper_recipes.TABLES)
def test_the_dry_run_prints_a_plan(table):
    result, trainings = sdft("reproduce", "--table", table, "--dry-run"), TRAININGS.get(table, 6)
    assert result.exit_code == 0, result.output
    for text in (
        f"Table {table}: {trainings} trainings",
        "llama2-7b-",
        "A100",
        "4-bit, checkpointing",
        "device hours in all",
        "trust low",
    ):
        assert text in result.stdout
    data = json.loads(sdft("reproduce", "--table", table, "--dry-run", "--json").stdout)
    assert (
        data["trainings"] == trainings
        and len(data["device_hours"]) == 3
        and data["steps"][0]["costs"]["t4"]["hours"]
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--table", "6", "--dry-run"], "Table 6"),
        (["--recipe", "mine", "--dry-run"], "mine"),
        (["--wording", "none.toml", "--dry-run"], "none.toml"),
        (["--table", "5", "--recipe", "llama2-7b-gsm8k-full"], "no GPU"),
        (
            [
                "--table",
                "5",
                "--recipe",
                "llama2-7b-gsm8k-full",
                "--model",
                "smollm2-135m",
                "--four-bit",
            ],
            "4-bit",
        ),
        (
            ["--recipe", "llama2-7b-gsm8k", "--parts", "3"],
            "llama2-7b-gsm8k: training: a batch of 8 rows",
        ),
        (["--recipe", "llama2-7b-gsm8k"], "no GPU"),
        (["--model", "smollm2-135m", "--out", "no/where.jsonl"], "where"),
    ],
)
def test_what_is_missing_is_one_sentence(arguments, said, monkeypatch):
    monkeypatch.setenv("SDFT_DEVICE", "cpu")
    monkeypatch.setattr(
        "sdft_lib.paper.reproduce.load_seed",
        lambda *a, **k: pytest.fail("a model was loaded first"),
    )
    result = sdft("reproduce", *arguments)
    assert result.exit_code == 2 and said in result.output and len(result.output.splitlines()) == 1


# --- a run in small
# -----------------------------------------------------------------------------------------------

ITEMS = {
    "openfunctions": [f"add(a={i}, b=2)" for i in range(3)],
    "gsm8k": ["The answer is 4."] * 4,
    "advbench": [""] * 3,
    "advbench-jailbreak": [""] * 3,
    "humaneval": ["pass"],
    "alpaca_eval": ["x"],
}


@pytest.fixture
def small(tmp_path, monkeypatch, unpinned):
    """A folder of the paper's layout with made-up rows, few items an evaluation, and a cache of our
    own.
    """
    calls = [
        {"instruction": f"Call add on {i} and 2.", "output": f"add(a={i}, b=2)"} for i in range(12)
    ]
    path = tmp_path / "data" / "openfunction" / "openfunction_train.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(calls), encoding="utf-8")
    monkeypatch.setenv("SDFT_PAPER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SDFT_DEVICE", "cpu")

    def items(suite, limit=None, *, suffix=""):
        return [
            {
                "id": f"{suite.name}-{i}",
                "messages": [{"role": "user", "content": f"Q{i}{suite.hint}{suffix}"}],
                "reference": reference,
            }
            for i, reference in enumerate(ITEMS[suite.name])
        ][:limit]

    monkeypatch.setattr(reproduce, "load_items", items)


def test_evaluations_that_cannot_be_run_are_named(small):
    words = paper_recipes.load_wording()
    suites, missing = reproduce.suites_of(5, words, reproduce.Ask(limit=2))
    assert {name: len(items) for name, items in suites.items()} == {
        "openfunctions": 2,
        "gsm8k": 2,
        "advbench": 2,
    }
    assert set(missing) == {"humaneval", "advbench-jailbreak", "alpaca_eval"}
    assert all(reason.count("\n") == 0 and reason.endswith(".") for reason in missing.values())
    assert "give --url" in missing["alpaca_eval"]
    suites, missing = reproduce.suites_of(5, words, reproduce.Ask(suffix=" xyzzy", allow_code=True))
    assert (
        set(missing) == {"alpaca_eval"}
        and suites["advbench-jailbreak"][0]["messages"][-1]["content"] == "Q0 xyzzy"
    )


def test_a_wording_replaces_the_hint_of_an_evaluation(small):
    words = paper_recipes.Wording(
        "mine", test={"gsm8k": {"system": "S", "user": "{instruction} Hm."}}
    )
    suites, _ = reproduce.suites_of(1, words, reproduce.Ask(limit=1))
    assert [turn["content"] for turn in suites["gsm8k"][0]["messages"]] == ["S", "Q0 Hm."]
    plain, _ = reproduce.suites_of(1, paper_recipes.Wording("none"), reproduce.Ask(limit=1))
    assert "The answer is" in plain["gsm8k"][0]["messages"][0]["content"]


def test_without_data_the_reason_is_said(monkeypatch):
    def nothing(*args, **more):
        raise SdftError("it is not there.")

    monkeypatch.setattr(reproduce, "load_items", nothing)
    with pytest.raises(SdftError, match="Table 2: none of its evaluations"):
        reproduce.suites_of(2, paper_recipes.load_wording(), reproduce.Ask())


@pytest.mark.parametrize(
    "table, name", [(1, "llama2-7b-openfunctions"), (5, "llama2-7b-gsm8k-full")]
)
def test_cells_of_a_table_on_a_tiny_model(small, tiny_seed, monkeypatch, table, name):
    from dataclasses import replace

    monkeypatch.setattr("sdft_lib.paper.reproduce.load_seed", lambda name, say: tiny_seed)
    monkeypatch.setattr(
        "sdft_lib.distill.check_language", lambda texts, name: None
    )  # a random model writes nonsense
    (recipe,) = paper_recipes.recipes_of(table, (name,))
    recipe = paper_recipes.with_training(recipe, {"epochs": 1, "checkpointing": True, "parts": 2})
    recipe = replace(
        recipe, dataset="openfunctions", decoding={**recipe.decoding, "max_new_tokens": 8}
    )
    short = {name: replace(suite, max_new_tokens=8) for name, suite in SUITES.items()}
    monkeypatch.setattr("sdft_lib.paper.reproduce.SUITES", short)
    cells, missing = reproduce.reproduce(
        1,
        [recipe],
        paper_recipes.load_wording(),
        model="tiny",
        ask=reproduce.Ask(limit=8),
        say=lambda line: None,
    )
    names = {"openfunctions": 3, "openfunctions-literal": 3, "gsm8k": 4}
    assert [(cell["method"], cell["evaluation"], cell["n"]) for cell in cells] == [
        (method, name, n) for method in ("seed", "sft", "sdft") for name, n in names.items()
    ]
    assert [cell["keep_rate"] is None for cell in cells] == [True] * 6 + [False] * 3
    folders = [cell["adapter"] for cell in cells]
    assert folders[:3] == [None] * 3 and len(set(folders[3:6])) == len(set(folders[6:])) == 1
    for folder in {Path(folder) for folder in folders[3:]}:
        check_adapter(folder, None)  # sdft answer --adapter takes it
        assert is_full(folder) == (table == 5)
    assert set(missing) == {"humaneval"} and all(
        0 <= cell["low"] <= cell["high"] <= 1 for cell in cells
    )


def test_the_command_prints_each_adapter_once(monkeypatch, tmp_path):
    cell = {
        "recipe": "r",
        "evaluation": "gsm8k",
        "n": 4,
        "share": 0.5,
        "low": 0.1,
        "high": 0.9,
        "unparsed": 0,
    }
    made = [("seed", None), ("sft", "/c/one"), ("sft", "/c/one"), ("sdft", "/c/two")]
    cells = [
        cell | {"method": method, "keep_rate": None, "adapter": adapter} for method, adapter in made
    ]
    monkeypatch.setattr(
        reproduce,
        "reproduce",
        lambda *asked, **more: (cells, {"alpaca_eval": "alpaca_eval: later."}),
    )
    out = tmp_path / "cells.jsonl"
    result = sdft("reproduce", "--model", "tiny", "--out", out)
    assert result.exit_code == 0, result.output
    rules, head, *_, last = lines = result.stdout.splitlines()
    assert (
        rules == "rules: ours"
        and "share" in head
        and "adapter" not in head
        and last == "not computed: alpaca_eval: later."
    )
    assert [line for line in lines if "/c/" in line] == [
        "adapter of r, sft: /c/one",
        "adapter of r, sdft: /c/two",
    ]
    assert [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] == cells


def test_humaneval_runs_what_the_models_wrote(small, tiny_seed, monkeypatch):
    """Two problems: the seed solves one, plain fine-tuning breaks its syntax, SDFT solves both."""
    from dataclasses import replace

    problems = [
        {
            "id": f"HumanEval/{n}",
            "messages": [{"role": "user", "content": "Complete it."}],
            "reference": "",
            "prompt": f"def add(a):\n    # a + {n}\n",
            "entry_point": "add",
            "test": f"def check(candidate):\n    assert candidate(1) == {n + 1}\n",
        }
        for n in (1, 2)
    ]
    written = {"seed": ["a + 1", "a + 1"], "sft": ["a +", "a +"], "sdft": ["a + 1", "a + 2"]}

    def answers(model, suite, items, *, say, rules, phrases):
        method = model.label
        return [
            {"id": item["id"], "text": f"```python\ndef add(a):\n    return {code}\n```"}
            for item, code in zip(items, written[method], strict=True)
        ]

    monkeypatch.setitem(reproduce.TABLES, 1, ("humaneval",))
    monkeypatch.setattr(reproduce, "load_items", lambda suite, limit, *, suffix: problems)
    monkeypatch.setattr("sdft_lib.paper.reproduce.load_seed", lambda name, say: tiny_seed)
    monkeypatch.setattr("sdft_lib.distill.check_language", lambda texts, name: None)
    monkeypatch.setattr("sdft_lib.paper.reproduce.answer_items", answers)
    (recipe,) = paper_recipes.recipes_of(1, ("llama2-7b-openfunctions",))
    recipe = paper_recipes.with_training(recipe, {"epochs": 1})
    recipe = replace(recipe, decoding={**recipe.decoding, "max_new_tokens": 8})
    with pytest.raises(SdftError, match="--allow-code-execution"):
        reproduce.suites_of(1, paper_recipes.load_wording(), reproduce.Ask())
    cells, missing = reproduce.reproduce(
        1,
        [recipe],
        paper_recipes.load_wording(),
        model="tiny",
        ask=reproduce.Ask(limit=8, allow_code=True),
        say=lambda line: None,
    )
    assert missing == {} and [(cell["method"], cell["share"], cell["n"]) for cell in cells] == [
        ("seed", 0.5, 2),
        ("sft", 0, 2),
        ("sdft", 1, 2),
    ]
    assert {cell["evaluation"] for cell in cells} == {"humaneval"}


def test_another_chat_template_is_another_model_to_the_store(tiny_seed):
    import copy
    from dataclasses import replace

    seed = replace(tiny_seed, tokenizer=copy.deepcopy(tiny_seed.tokenizer))
    plain = "{% for m in messages %}{{ m['content'] }}\n\n{% endfor %}"
    changed = reproduce.in_wording(seed, paper_recipes.Wording("plain", chat_template=plain))
    assert (
        changed.identity["revision"] != seed.identity["revision"]
        and changed.tokenizer.chat_template == plain
    )
    assert reproduce.in_wording(tiny_seed, paper_recipes.Wording("ours")) is tiny_seed


def test_the_papers_rules_and_a_judge(small, tiny_seed, monkeypatch, tmp_path):
    """Answers are drawn, calls are matched literally, phrases are counted before anything is
    withheld, and each comparison of AlpacaEval goes to the judge in both orders."""
    from dataclasses import replace

    from sdft_lib.paper.rules import PAPER

    monkeypatch.setattr("sdft_lib.paper.reproduce.load_seed", lambda name, say: tiny_seed)
    monkeypatch.setattr("sdft_lib.distill.check_language", lambda texts, name: None)
    monkeypatch.setattr("sdft_lib.paper.judge.ask", lambda judge, text: "Verdict: 1")
    short = {name: replace(suite, max_new_tokens=6) for name, suite in SUITES.items()}
    monkeypatch.setattr("sdft_lib.paper.reproduce.SUITES", short)
    drawn, written = [], reproduce.generate
    monkeypatch.setattr(
        reproduce, "generate", lambda *a, **o: drawn.append(a[2]) or written(*a, **o)
    )
    (tmp_path / "phrases.py").write_text('x = {"", "Hello!"}\n')  # "" stands in every answer
    (recipe,) = paper_recipes.recipes_of(1, ("llama2-7b-openfunctions",))
    recipe = paper_recipes.with_training(recipe, {"epochs": 1})
    recipe = replace(recipe, methods=("seed",), decoding={"max_new_tokens": 6})
    asked = reproduce.Ask(limit=2, rules=PAPER, phrases=tmp_path / "phrases.py")
    asked = replace(asked, judge=Judge("http://localhost:1/v1", "m"))
    words, options = paper_recipes.load_wording(), {"model": "tiny", "say": lambda line: None}
    cells, missing = reproduce.reproduce(5, [recipe], words, ask=asked, **options)
    shares = {cell["evaluation"]: cell["share"] for cell in cells}
    assert shares == {"openfunctions": 0, "gsm8k": 0, "advbench": 1, "alpaca_eval": 0.5}
    assert {cell["rules"] for cell in cells} == {"paper"}
    assert {each.temperature for each in drawn} == {0.95} and "humaneval" in missing
    _, missing = reproduce.suites_of(5, words, replace(asked, phrases=tmp_path / "none.py"))
    assert "keyword_eval_safety.py" in missing["advbench"]
