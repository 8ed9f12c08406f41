"""The command line without any model: help, exit codes, JSON that a program can read (mistakes:
test_bad_inputs).
"""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.storage.errors import SdftError

COMMANDS = (
    "doctor",
    "fetch",
    "models",
    "pack",
    "unpack",
    "distill",
    "gap",
    "train",
    "evaluate",
    "compare",
    "audit",
    "export",
    "run",
    "reproduce",
    "answer",
    "score",
    "judge",
    "knowledge",
    "compare-lm-eval",
)
ROW = {"messages": [{"role": "user", "content": "Which team?"}], "reference": "billing"}


@pytest.fixture(autouse=True)
def no_model(monkeypatch, tmp_path):
    """Every mistake below must be found before a model is loaded; the cache is empty and ours."""

    def refuse(*args, **kwargs):
        raise AssertionError("a model was loaded before the input was checked")

    monkeypatch.setattr("sdft_lib.models.load_seed", refuse)
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def sdft(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_commands_are_the_documented_ones():
    assert {command.name for command in cli.app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_one_example(name):
    result = sdft(name, "--help")
    assert result.exit_code == 0
    assert result.output.count("Example:") == 1
    assert f"sdft {name}" in result.output.split("Example:")[1]
    assert "--json" in result.output


def test_audit_as_json(tmp_path):
    rows = [
        {"id": str(i), "prompt": f"Which team has {i}?", "reference": "billing"} for i in range(4)
    ]
    changed = [{**rows[0], "reference": "It is billing, because money is meant."}, *rows[1:]]
    original, distilled = jsonl(tmp_path / "a.jsonl", rows), jsonl(tmp_path / "b.jsonl", changed)
    result = sdft("audit", "--original", original, "--distilled", distilled, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert (data["rows"], data["unchanged"]) == (4, 3)
    assert "unchanged" in sdft("audit", "--original", original, "--distilled", distilled).stdout


def scores(path, method, values, suite="task"):
    head = {"method": method, "suite": suite}
    return jsonl(path, [{**head, "id": str(i), "score": value} for i, value in enumerate(values)])


@pytest.mark.parametrize(
    "methods, names", [(("sdft", "sft"), ("sdft", "sft")), (("mine", "mine"), ("a", "b"))]
)
def test_compare_is_a_minus_b(tmp_path, methods, names):
    a = scores(tmp_path / "a.jsonl", methods[0], [1, 1, 1, 0])
    b = scores(tmp_path / "b.jsonl", methods[1], [1, 0, 0, 0])
    result = sdft("compare", a, b, "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert (row["a"], row["b"], row["n"], row["difference"]) == (*names, 4, 0.5)
    assert row["low"] <= 0.5 <= row["high"]


def test_numbers_name_suites_and_items_as_their_texts_do(tmp_path):
    a, b = scores(tmp_path / "a.jsonl", "a", [1, 0]), tmp_path / "b.jsonl"
    rows = [
        {"method": 7, "suite": suite, "id": i, "score": 0} for suite in ("task", 5) for i in (0, 1)
    ]
    result = sdft("compare", a, jsonl(b, rows), "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)[0]["n"] == 2, result.output
    assert "left out, in one file only: 5" in result.stderr


def test_rows_of_one_unit_are_one_question(tmp_path):
    units = ["s1", "s1", "s1", "", None, "s2"]
    rows = [{"suite": "task", "id": str(i), "unit": unit} for i, unit in enumerate(units)]
    a = [{**row, "method": "a", "score": 1} for row in rows]
    b = [{"method": "b", "suite": "task", "id": row["id"], "score": 0} for row in rows]  # no units
    files = jsonl(tmp_path / "a.jsonl", a), jsonl(tmp_path / "b.jsonl", b)
    (row,) = json.loads(sdft("compare", *files, "--json").stdout)
    assert (row["n"], row["units"], row["p_raw"]) == (6, 4, 0.125)
    assert row["verdict"] == "no difference is shown"
    text = sdft("compare", *files).stdout
    assert "units" in text and "verdict" in text and "no difference is shown" in text
    worse = jsonl(tmp_path / "c.jsonl", [{**row, "method": "c"} for row in b])
    (row,) = json.loads(sdft("compare", files[1], worse, "--json").stdout)
    assert (row["p_holm"], row["verdict"]) == (None, "at its floor")


def test_models_as_json():
    data = json.loads(sdft("models", "--json").stdout)
    assert data[0]["name"] == "smollm2-135m" and data[0]["hub"] == "embedded"


def test_doctor_names_what_is_missing():
    result = sdft("doctor")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1  # the cache of this test holds no model
    assert all(line.startswith(("OK ", "FAIL ")) for line in lines) and len(lines) == 5
    assert "sdft fetch" in lines[-1]
    data = {check["name"]: check["ok"] for check in json.loads(sdft("doctor", "--json").stdout)}
    assert data["python"] and data["cache"] and not data["models"]


def test_an_error_inside_a_step_is_one_line(monkeypatch):
    def fail(*args, **kwargs):
        raise SdftError("rows.csv is\nempty; fill it.")

    monkeypatch.setattr("sdft_lib.models.load_seed", fail)
    result = sdft("distill", "--limit", 1)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr == "rows.csv is empty; fill it.\n"


def test_answers_of_a_step_go_to_stdout_and_progress_to_stderr(monkeypatch, tmp_path):
    from sdft_lib.distill import DistilledSet

    report = {
        "template": "opening",
        "rows": 1,
        "kept": 1,
        "keep_rate": 1.0,
        "reasons": {"accepted": 1},
        "tokens": 9,
        "seconds": 0.1,
    }
    row = {"id": "a", **ROW, "text": "It is billing.", "source": "rewritten"}

    def made(seed, task, template, *, say, **options):
        say("rewriting")
        print("waiting for the lock")
        return DistilledSet([row], tmp_path, report)

    monkeypatch.setattr("sdft_lib.models.load_seed", lambda *args, **kwargs: None)
    monkeypatch.setattr("sdft_lib.distill.distill", made)
    result = sdft("distill", "--limit", 1, "--out", "rows.jsonl", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {**report, "rules": "ours", "path": "rows.jsonl"}
    assert "rewriting" in result.stderr and "waiting" in result.stderr
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == row


def test_a_verifier_of_ones_own_reaches_the_library(monkeypatch, tmp_path):
    """The function that is named, and the sandbox for programs, go to ``distill`` as they are."""
    got = []

    def made(seed, task, template, *, verifier, **options):
        got.append(verifier)
        raise SdftError("enough.")

    (tmp_path / "checks_of_cli.py").write_text("def check(row, text):\n    return 1\n")
    jsonl(tmp_path / "mine.jsonl", [{"question": "Say x.", "answer": "```python\nx = 1\n```"}] * 2)
    monkeypatch.setattr("sdft_lib.models.load_seed", lambda *args, **kwargs: None)
    monkeypatch.setattr("sdft_lib.distill.distill", made)
    monkeypatch.setattr("sdft_lib.paper.sandbox.isolation", lambda: "walls")
    sdft("distill", "--verifier", "checks_of_cli:check")
    sdft("distill", "--task", "mine.jsonl", "--kind", "program", "--allow-code-execution")
    sdft("distill")
    assert [each and each.__qualname__ for each in got] == ["check", "runs", None]
    for line, problem in (
        (["--verifier", "checks_of_cli"], "module:function"),
        (["--allow-code-execution"], "nothing to run in rows of kind label"),
    ):
        done = sdft("distill", *line)
        assert done.exit_code == 2 and problem in done.stderr


def test_commands_make_the_rows_and_settings_of_a_recipe(monkeypatch):
    """The book's steps one by one at full scale: key by key what the library call does."""
    from sdft_lib import distill, train
    from sdft_lib.data import Task
    from sdft_lib.paper.recipes import load_wording, recipes_of

    (recipe,) = recipes_of(1, ("llama2-7b-openfunctions",))
    task = Task("openfunctions", "call", [{"id": "a", **ROW, "reference": "f(a=1)"}])
    seed, parts = SimpleNamespace(identity={"model": "made-up"}), []

    def artefact(kind, given, build):
        parts.append((kind, given))
        raise SdftError("enough.")

    monkeypatch.setattr("sdft_lib.data.load_task", lambda *args, **options: task)
    monkeypatch.setattr("sdft_lib.models.load_seed", lambda *args, **options: seed)
    monkeypatch.setattr(distill, "artefact", artefact)
    monkeypatch.setattr(train, "artefact", artefact)
    monkeypatch.setattr(train, "check_four_bit", lambda *args, **options: None)
    rows = [{"id": "a", **ROW, "text": "It is billing.", "source": "rewritten"}]
    template, decoding = load_wording().template("openfunctions"), recipe.decoding_of()
    with pytest.raises(SdftError, match="enough"):
        distill.distill(seed, task, template, decoding=decoding, limit=recipe.rows)
    with pytest.raises(SdftError, match="enough"):
        train.fine_tune(seed, rows, recipe.config())
    rewrite = "distill --task openfunctions --model llama-2-7b --template ours-openfunctions "
    rewrite += "--max-new-tokens 512 --temperature 0.95 --top-p 0.7 --top-k 50 --seed 42"
    tune = "train --data rows.jsonl --model llama-2-7b --learning-rate 1e-4 --epochs 5 --out a "
    tune += "--dropout 0.1 --warmup 0 --seed 42"
    jsonl(Path("rows.jsonl"), rows)
    for line in (rewrite, f"{rewrite} --rules paper", tune):
        assert "enough." in sdft(*line.split()).stderr
    distilled, adapter, by_command, by_rules, trained = parts
    assert by_command == distilled and trained == adapter
    assert by_rules[1].pop("rules")["name"] == "paper" and by_rules == distilled


def test_scores_by_unlike_rules_are_not_compared(tmp_path):
    rows = [{"method": "a", "suite": "gsm8k", "id": str(n), "score": n % 2} for n in range(4)]
    ours = jsonl(tmp_path / "ours.jsonl", rows)
    papers = jsonl(tmp_path / "p.jsonl", [row | {"method": "b", "rules": "paper"} for row in rows])
    more = jsonl(tmp_path / "q.jsonl", [row | {"method": "c", "rules": "paper"} for row in rows])
    both = jsonl(
        tmp_path / "both.jsonl", [rows[0], *[row | {"rules": "paper"} for row in rows[1:]]]
    )
    for other, told in ((papers, "paper"), (both, "ours and paper")):
        done = sdft("compare", ours, other)
        assert done.exit_code == 2 and f"by {told}; score both" in done.stderr
    assert sdft("compare", papers, more).exit_code == 0
