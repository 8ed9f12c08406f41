"""`sdft run`: a file of your own from end to end, the methods asked for, mistakes found before a
model loads.
"""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.data import LONG, load_probes, load_task, task_suite
from sdft_lib.evaluate import cut
from sdft_lib.experiments import grid, run_one
from sdft_lib.experiments.methods import ONE_TASK
from sdft_lib.storage.errors import SdftError

EXAMPLE = Path(__file__).parents[2] / "data" / "examples" / "desks.csv"


def sdft(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A CSV of 50 rows in an empty working folder, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "my.csv"
    path.write_text(
        "".join(EXAMPLE.read_text(encoding="utf-8").splitlines(True)[:51]), encoding="utf-8"
    )
    return path


def suites_of(monkeypatch, items):
    """Score only so many items of each suite: the steps of a run stay the same."""

    def few(settings, task):
        suites = []
        for name, count in items.items():
            suite = task_suite(task) if name == "task" else load_probes(name)
            suites.append(cut(suite, count))
        return suites

    monkeypatch.setattr("sdft_lib.experiments.run_one.suites", few)


@pytest.fixture
def few_suites(monkeypatch):
    """Some items of the compared suites and of one more."""
    items = {"task": 6, "facts": 4, "helpful": 2, "instructions": 2, "benign": 2}
    suites_of(monkeypatch, items)


def test_the_example_file_needs_no_hints(capsys):
    task = load_task(EXAMPLE)
    assert (task.kind, task.choices) == ("label", ("accounts", "loans", "printing", "rooms"))
    assert len(task.train) == 56 and "guessed" in capsys.readouterr().out
    for row in task.train:
        message = row["messages"][0]["content"].split("\n")[1].lower()
        assert not any(choice[:-1] in message for choice in task.choices)


def test_own_file_and_chosen_methods_on_a_tiny_model(mine, tiny_seed, few_suites, monkeypatch):
    from sdft_lib.verify import Verdict

    monkeypatch.setattr(
        "sdft_lib.experiments.run_one.load_seed", lambda *args, **options: tiny_seed
    )
    monkeypatch.setattr(
        "sdft_lib.distill.accept", lambda *args, **options: Verdict(True, "accepted")
    )
    monkeypatch.setattr("sdft_lib.lessons.report.likeness", lambda frame: [])
    names = ("sft", "sft-slow", "sdft", "sft-sentence", "sdft-2026")
    wanted = [part for name in names for part in ("--method", name)]
    done = sdft("run", "--task", mine, "--fast", "--out", "report", "--json", *wanted)
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert "split (seed 0) into 30 train, 8 dev, 12 test" in done.stderr
    assert data["task"] == {"name": "my", "kind": "label", "train": 30, "dev": 8, "test": 12}
    assert {row["method"] for row in data["scores"]} == {"seed", *names}
    assert {(row["a"], row["b"]) for row in data["paired"]} == set(run_one.pairs(names))
    assert {row["suite"] for row in data["paired"]} == set(run_one.TESTED)
    assert "benign" in {row["suite"] for row in data["scores"]}
    assert list(data["cost"]) == ["rewriting", *(f"training {name}" for name in names)]
    assert len(data["claims"]) == 8 and json.loads(Path("report/summary.json").read_text()) == data
    page = Path("report/report.html").read_text(encoding="utf-8")
    assert "my</td>" in page and page.count("<img") == 3
    assert "After training on 30 rows of my: SFT " in page


def test_own_file_with_the_default_model(mine, tmp_path, monkeypatch):
    """The real thing, in fast mode: 30 rows rewritten, three trainings, four models scored, one
    page. One item of each suite with long answers: they were more than half the time of this test.
    """
    from sdft_lib.storage import store

    suites_of(monkeypatch, {"task": 6, "facts": 4, "helpful": 1, "instructions": 1})
    monkeypatch.delenv("SDFT_CACHE")
    real = store.cache_dir()
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for name in ("models", "downloads"):
        if (real / name).is_dir():
            (tmp_path / "cache" / name).symlink_to(real / name)
    done = sdft("run", "--task", mine, "--fast", "--out", "report", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["keep_rate"] >= run_one.LEAST_KEPT and data["nll_gap"]["n"] == 30
    assert {row["method"] for row in data["scores"]} == {"seed", *run_one.DEFAULT}
    assert data["mode"] == "fast"
    again = sdft("run", "--task", mine, "--fast", "--out", "report")
    assert (
        again.exit_code == 0
        and "training on" not in again.stderr
        and "of 8 claims hold" in again.stdout
    )


def test_too_few_rewrites_end_the_run_before_a_training(mine, tiny_seed, few_suites, monkeypatch):
    monkeypatch.setattr(
        "sdft_lib.experiments.run_one.load_seed", lambda *args, **options: tiny_seed
    )
    done = sdft("run", "--task", mine, "--fast", "--out", "report")
    assert done.exit_code == 2 and "under the floor of 30 %" in done.stderr.replace("30%", "30 %")
    assert "training on" not in done.stderr and not Path("report").exists()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--method", "dpo"], 'method "dpo" is not known; use sft'),
        (["--kind", "code"], "judged by running it"),
        (["--template", "nope"], "template 'nope'"),
        (["--columns", "prompt=frage"], '"frage" is missing'),
        (["--out", "my.csv"], "is a file"),
        (
            ["--task", "short.csv"],
            "short has 3 different questions and no test rows; give at least 12",
        ),
        (["--recipe", "r.toml"], "--task does not go with --recipe; r.toml says what is run."),
    ],
)
def test_mistakes_are_found_before_a_model_loads(mine, monkeypatch, options, words):
    def refuse(*args, **kwargs):
        raise AssertionError("a model was loaded before the input was checked")

    monkeypatch.setattr("sdft_lib.experiments.run_one.load_seed", refuse)
    Path("short.csv").write_text("question,answer\nA,x\nB,y\nC,x\n", encoding="utf-8")
    Path("r.toml").write_text('methods = ["sft"]\n', encoding="utf-8")
    done = sdft("run", "--task", mine, *options)
    assert (
        done.exit_code == 2
        and words in done.stderr
        and len(done.stderr.strip().splitlines()[-1:]) == 1
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options, words",
    [
        (["--method", "sft-slow"], 'r.toml: method "sft-slow" is not known; use sft'),
        (["--fast"], "--fast does not go with --recipe; r.toml says what is run."),
        (["--seed", "1"], "--seed does not go with --recipe; r.toml says what is run."),
        (["--drop-empty"], "--drop-empty does not go with --recipe; r.toml says what is run."),
    ],
)
def test_a_recipe_alone_says_what_is_run(tmp_path, monkeypatch, options, words):
    """These options were taken in silence, and the grid was another than the one asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grid, "run_recipe", lambda *args, **kwargs: pytest.fail("it ran"))
    Path("r.toml").write_text('methods = ["sft"]\n', encoding="utf-8")
    done = sdft("run", "--recipe", "r.toml", *options)
    assert done.exit_code == 2 and words in done.stderr


def test_a_recipe_is_computed_for_the_methods_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = {}
    monkeypatch.setattr(
        grid,
        "run_recipe",
        lambda recipe, out, *, methods, say: seen.update(methods=methods) or 3,
    )
    Path("r.toml").write_text('methods = ["sft", "sdft", "sft-slow"]\n', encoding="utf-8")
    done = sdft(
        "run",
        "--recipe",
        "r.toml",
        "--out",
        "here",
        "--method",
        "sft",
        "--method",
        "sdft",
        "--method",
        "sft",
    )
    assert (
        done.exit_code == 0
        and seen["methods"] == ["sft", "sdft"]
        and "3 cells computed" in done.stdout
    )


@pytest.mark.parametrize(
    "methods, wanted",
    [
        (("sft", "sdft"), [("sft", "seed"), ("sdft", "sft"), ("sdft", "seed")]),
        (("sft",), [("sft", "seed")]),
        (("sft", "sft-replay"), [("sft", "seed"), ("sft-replay", "seed"), ("sft", "sft-replay")]),
        (ONE_TASK, None),
    ],
)
def test_every_method_is_held_against_the_seed_and_the_first_sdft(methods, wanted):
    found = run_one.pairs(methods)
    assert wanted is None or found == wanted
    assert len(set(found)) == len(found) == 2 * len(methods) - 1
    assert all(a != b for a, b in found)


def test_open_answers_of_your_own_get_room(mine):
    assert run_one.budget(load_task(mine)).max_new_tokens == 40
    assert run_one.budget(load_task(mine, kind="open")).max_new_tokens == LONG
    assert run_one.budget(load_task("sums")).max_new_tokens == 40


@pytest.mark.parametrize("command", ["distill", "gap"])
@pytest.mark.parametrize(
    "source, kind, template, tokens",
    [
        ("mine", None, "opening", 40),  # labels: no room to ramble
        ("mine", "open", "guide", LONG),  # "The answer is <a paragraph>, because" was kept
        ("sums", None, "opening", 40),
    ],
)
def test_distill_and_gap_rewrite_as_run_does(
    monkeypatch, mine, command, source, kind, template, tokens
):
    """One file, one set: what ``run`` finds in the store is what ``distill`` made."""
    asked = []

    def note(seed, task, template, *, decoding, **options):
        asked.append((template.name, decoding.max_new_tokens))
        raise SdftError("enough.")

    monkeypatch.setattr("sdft_lib.models.load_seed", lambda *args, **kwargs: None)
    monkeypatch.setattr("sdft_lib.distill.distill", note)
    source = str(mine) if source == "mine" else source
    sdft(command, "--task", source, *(["--kind", kind] if kind else []))
    sdft(command, "--task", source, "--template", "explain", "--max-new-tokens", 7)
    assert asked == [(template, tokens), ("explain", 7)]


def test_evaluate_reads_columns_of_ones_own_as_distill_does(monkeypatch, tmp_path):
    """A folder with German columns: the kind is given, not guessed, and an empty row left out."""
    asked = []

    def note(seed, suites, **options):
        asked.extend(suites)
        raise SdftError("enough.")

    monkeypatch.setattr("sdft_lib.cli.common.load_model", lambda *args, **kwargs: None)
    monkeypatch.setattr("sdft_lib.evaluate.evaluate", note)
    for name in ("train", "test"):
        text = f"frage,antwort\nA {name}?,ja\nB {name}?,\nC {name}?,nein\n"
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    line = ("evaluate", "--task", tmp_path, "--suite", "task")
    assert "the prompt column is missing" in sdft(*line).stderr
    own = ("--columns", "prompt=frage,reference=antwort", "--kind", "fact")
    assert "--drop-empty" in sdft(*line, *own).stderr
    assert "enough." in sdft(*line, *own, "--drop-empty").stderr
    (suite,) = asked
    assert (suite.kind, [row["reference"] for row in suite.rows]) == ("fact", ["ja", "nein"])


def test_a_training_on_references_guesses_no_kind_aloud(mine, capsys):
    """`sdft train` has no --kind, and none is needed."""
    from sdft_lib.cli.steps import training_rows

    assert len(training_rows(mine, "reference")) == 50
    assert capsys.readouterr() == ("", "")


def test_settings_follow_from_the_file(mine):
    from sdft_lib.settings import lesson_settings

    task = run_one.own_task(str(mine), say=lambda line: None)
    made = run_one.own_settings(lesson_settings(task=str(mine)), task)
    assert (made.training.epochs, made.template) == (10, "opening")  # 30 rows: 4 steps an epoch
    assert (
        run_one.own_settings(lesson_settings(fast=True, task=str(mine)), task).training.epochs == 1
    )
    bundled = lesson_settings(task="sums")
    assert run_one.own_settings(bundled, load_task("sums")) == bundled
    assert run_one.own_settings(bundled, load_task("sums"), "guide").template == "guide"
    whole = load_task(mine, kind="open", say=lambda line: None)
    assert run_one.own_settings(lesson_settings(task=str(mine)), whole).template == "guide"


def test_own_task_takes_the_hints_of_load_task(tmp_path):
    path = tmp_path / "fragen.csv"
    path.write_text(
        "frage,antwort\n"
        + "".join(f"Wohin mit {i}?,{'ab'[i % 2]}\n" for i in range(20))
        + "leer,\n"
    )
    hints = {"columns": {"prompt": "frage", "reference": "antwort"}, "drop_empty": True}
    task = run_one.own_task(str(path), say=lambda line: None, **hints)
    assert (len(task.train), len(task.dev), len(task.test)) == (12, 3, 5)
    with pytest.raises(SdftError, match="empty"):
        run_one.own_task(str(path), say=lambda line: None, columns=hints["columns"])
