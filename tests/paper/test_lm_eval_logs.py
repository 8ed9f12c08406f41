"""Two runs of lm-eval paired item by item, on files in its own format (0.4.13), with results
counted by hand.
"""

import json
import re
from copy import deepcopy
from math import comb

import pytest
from typer.testing import CliRunner

from sdft_lib.cli import main as cli
from sdft_lib.paper.lm_eval import compare_runs, outermost, read_run
from sdft_lib.storage.errors import SdftError

DATE = "2026-05-01T10-00-00.123456"
RESULTS = {
    "results": {},
    "groups": {},
    "group_subtasks": {},
    "versions": {"arc_easy": 1.0},
    "n-shot": {"arc_easy": 0},
    "configs": {
        "arc_easy": {
            "task": "arc_easy",
            "doc_to_text": "Question",
            "num_fewshot": 0,
            "metadata": {"version": 1.0, "pretrained": "x"},
        }
    },
    "config": {
        "model": "hf",
        "model_args": {"pretrained": "x"},
        "batch_size": "auto",
        "limit": None,
        "gen_kwargs": None,
        "model_dtype": "torch.float32",
        "fewshot_seed": 1234,
    },
    "lm_eval_version": "0.4.13",
    "transformers_version": "5.23.0",
    "chat_template_sha": None,
    "system_instruction_sha": None,
    "fewshot_as_multiturn": False,
    "model_name": "x",
}


def sample(number, value, metric="acc", kept="none", **more):
    return {
        "doc_id": number,
        "doc": {},
        "target": "0",
        "arguments": {},
        "resps": [],
        "filtered_resps": [],
        "filter": kept,
        "metrics": [metric],
        "doc_hash": f"d{number}",
        "prompt_hash": f"p{number}",
        "target_hash": f"t{number}",
        metric: value,
        **more,
    }


def write(folder, samples, results=RESULTS, date=DATE, **changes):
    """A run's folder as lm-eval leaves it; ``changes`` go into the results."""
    place = folder / "org__model"
    place.mkdir(parents=True)
    (place / f"results_{date}.json").write_text(json.dumps({**deepcopy(results), **changes}))
    for task, rows in samples.items():
        (place / f"samples_{task}_{date}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )
    return folder


def accuracies(values, **more):
    return [sample(number, float(value), **more) for number, value in enumerate(values)]


A = [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1]
B = [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1]


def binomial_p(wins, losses):
    """Two-sided exact McNemar, counted out."""
    total = wins + losses
    tail = sum(comb(total, k) for k in range(min(wins, losses) + 1)) / 2**total
    return min(1.0, 2 * tail)


def test_pairs_by_hand(tmp_path):
    """A is right alone 7 times, B once: a difference of 6 of 12, p = 2 * (1 + 8) / 256; the order
    of rows is free.
    """
    write(tmp_path / "a", {"arc_easy": accuracies(A)})
    write(tmp_path / "b", {"arc_easy": accuracies(B)[::-1]}, model_name="y")
    (row,) = compare_runs(tmp_path / "a", tmp_path / "b").to_dict("records")
    assert (row["task"], row["metric"], row["n"]) == ("arc_easy", "acc,none", 12)
    assert (row["a"], row["b"], row["difference"]) == (
        pytest.approx(10 / 12),
        pytest.approx(4 / 12),
        0.5,
    )
    assert (
        row["p_raw"] == pytest.approx(binomial_p(7, 1)) == row["p_holm"] == pytest.approx(18 / 256)
    )
    assert row["low"] < 0.5 < row["high"]


def test_holm_over_tasks(tmp_path):
    """Three tasks: the smallest p counts three times, the next twice."""
    tasks = {"arc_easy": (7, 0), "hellaswag": (6, 0), "winogrande": (2, 1)}
    for side, name in enumerate("ab"):
        samples = {
            task: accuracies([1 - side] * wins + [side] * losses + [1] * 5)
            for task, (wins, losses) in tasks.items()
        }
        write(tmp_path / name, samples)
    rows = {
        row["task"]: row for row in compare_runs(tmp_path / "a", tmp_path / "b").to_dict("records")
    }
    assert rows["arc_easy"]["p_holm"] == pytest.approx(3 * 2 / 2**7)
    assert rows["hellaswag"]["p_holm"] == pytest.approx(2 * 2 / 2**6)
    assert rows["winogrande"]["p_holm"] == pytest.approx(1.0)


def test_subtasks_of_a_group_are_pooled(tmp_path):
    parts = {
        "mmlu": ["mmlu_stem", "mmlu_other"],
        "mmlu_stem": ["mmlu_anatomy"],
        "mmlu_other": ["mmlu_virology"],
        "arc_easy": [],
    }
    more = {"group_subtasks": parts, "groups": {"mmlu": {}, "mmlu_stem": {}, "mmlu_other": {}}}
    for name, values in (("a", [1, 1, 0]), ("b", [1, 0, 0])):
        samples = {
            "mmlu_anatomy": accuracies(values),
            "mmlu_virology": accuracies([*values, 1]),
            "arc_easy": accuracies(values),
        }
        write(tmp_path / name, samples, **more)
    run = read_run(tmp_path / "a")
    assert outermost(run.samples, run.results) == {
        "mmlu_anatomy": "mmlu",
        "mmlu_virology": "mmlu",
        "arc_easy": "arc_easy",
    }
    rows = {
        row["task"]: row for row in compare_runs(tmp_path / "a", tmp_path / "b").to_dict("records")
    }
    assert set(rows) == {"mmlu", "arc_easy"} and rows["mmlu"]["n"] == 7
    assert rows["mmlu"]["difference"] == pytest.approx(2 / 7)
    alone = compare_runs(
        tmp_path / "a",
        tmp_path / "b",
        by_subtask=True,
        metrics={"mmlu_anatomy": "acc,none", "mmlu_virology": "acc,none"},
    )
    assert set(alone["task"]) == {"mmlu_anatomy", "mmlu_virology", "arc_easy"}


def changed(path, value):
    """RESULTS with one setting changed."""
    results, keys = deepcopy(RESULTS), path.split("/")
    place = results
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return results


@pytest.mark.parametrize(
    "path, value, words",
    [
        ("chat_template_sha", "abc", "chat_template_sha"),
        ("system_instruction_sha", "abc", "system_instruction_sha"),
        ("fewshot_as_multiturn", True, "fewshot_as_multiturn"),
        ("lm_eval_version", "0.4.8", "lm_eval_version"),
        ("config/limit", 100, "limit"),
        ("config/gen_kwargs", "temperature=1", "gen_kwargs"),
        ("config/model_dtype", "torch.float16", "model_dtype"),
        ("config/fewshot_seed", 1, "fewshot_seed"),
        ("versions/arc_easy", 2.0, "arc_easy: version"),
        ("n-shot/arc_easy", 25, "arc_easy: few-shot"),
        ("configs/arc_easy/doc_to_text", "Q", "arc_easy: configuration"),
        ("configs/arc_easy/metadata/version", 2.0, "arc_easy: configuration"),
    ],
)
def test_unlike_runs_are_refused(tmp_path, path, value, words):
    a = write(tmp_path / "a", {"arc_easy": accuracies(A)})
    b = write(tmp_path / "b", {"arc_easy": accuracies(B)}, changed(path, value))
    with pytest.raises(SdftError, match=f"differ in {words}"):
        compare_runs(a, b)


@pytest.mark.parametrize(
    "path, value",
    [
        ("config/model_args", {"pretrained": "y", "peft": "z"}),
        ("config/batch_size", 1),
        ("model_name", "y"),
        ("configs/arc_easy/metadata/pretrained", "y"),
    ],
)
def test_the_model_may_differ(tmp_path, path, value):
    a = write(tmp_path / "a", {"arc_easy": accuracies(A)})
    b = write(tmp_path / "b", {"arc_easy": accuracies(B)}, changed(path, value))
    assert len(compare_runs(a, b)) == 1


def test_a_difference_that_the_user_allows(tmp_path):
    a = write(tmp_path / "a", {"arc_easy": accuracies(A)})
    b = write(
        tmp_path / "b", {"arc_easy": accuracies(B)}, changed("transformers_version", "5.24.0")
    )
    assert len(compare_runs(a, b, despite=("transformers_version",))) == 1
    with pytest.raises(SdftError, match='no setting "colour"'):
        compare_runs(a, b, despite=("colour",))


@pytest.mark.parametrize(
    "key, word", [("doc_hash", "document"), ("prompt_hash", "prompt"), ("target_hash", "target")]
)
def test_every_item_must_be_the_same_question(tmp_path, key, word):
    a = write(tmp_path / "a", {"arc_easy": accuracies(A)})
    rows = accuracies(B)
    rows[5][key] = "other"
    with pytest.raises(SdftError, match=f"arc_easy, item 5: the {word} differs"):
        compare_runs(a, write(tmp_path / "b", {"arc_easy": rows}))


def two_filters(strict, loose):
    return accuracies(strict, metric="exact_match", kept="strict-match") + accuracies(
        loose, metric="exact_match", kept="flexible-extract"
    )


def test_a_metric_is_named_never_guessed(tmp_path):
    """gsm8k has one pinned; another task with two must be told which; each filter's rows are kept
    apart.
    """
    for name, values in (("a", ([1, 0, 0], [1, 1, 1])), ("b", ([0, 0, 0], [1, 1, 0]))):
        write(tmp_path / name, {"gsm8k": two_filters(*values), "mine": two_filters(*values)})
    with pytest.raises(
        SdftError, match="mine: choose its metric.*strict-match and exact_match,flexible-extract"
    ):
        compare_runs(tmp_path / "a", tmp_path / "b")
    found = compare_runs(
        tmp_path / "a", tmp_path / "b", metrics={"mine": "exact_match,strict-match"}
    )
    assert found["metric"].tolist() == ["exact_match,flexible-extract", "exact_match,strict-match"]
    assert found["a"].tolist() == pytest.approx([1, 1 / 3]) and found["n"].tolist() == [3, 3]
    with pytest.raises(SdftError, match="choose its metric"):
        compare_runs(tmp_path / "a", tmp_path / "b", metrics={"mine": "bleu,none"})


def test_files_that_do_not_fit(tmp_path):
    a = write(tmp_path / "a", {"arc_easy": accuracies(A)})
    cases = {
        "is both runs": a,
        "holds no results_": tmp_path / "nothing",
        "stands in one run only": write(tmp_path / "c", {"hellaswag": accuracies(A)}),
        "1 items stand in one run only": write(tmp_path / "d", {"arc_easy": accuracies(A[:-1])}),
        "comes twice": write(tmp_path / "e", {"arc_easy": [*accuracies(A), sample(3, 1.0)]}),
        "holds no samples_": write(tmp_path / "f", {}),
        '"doc_hash" is missing': write(
            tmp_path / "g", {"arc_easy": [{"doc_id": 0, "metrics": ["acc"], "acc": 1.0}]}
        ),
    }
    (tmp_path / "nothing").mkdir()
    for words, b in cases.items():
        with pytest.raises(SdftError, match=words):
            compare_runs(a, b)
    broken = write(tmp_path / "h", {"arc_easy": accuracies(A)})
    next(broken.rglob("results_*")).write_text("{")
    with pytest.raises(SdftError, match="is not a results file"):
        compare_runs(a, broken)


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize(
    "rows, changes, words",
    [
        ([sample(0, 1.0), sample(1, None)], {}, 'row 2: "acc" is None'),
        ([sample(0, 1.0), without(sample(1, 1.0), "acc")], {}, 'row 2: "acc" is None'),
        ([sample(0, 1.0), sample(1, float("nan"))], {}, 'row 2: "acc" is nan'),
        ([sample(0, 1.0), sample(1, float("inf"))], {}, 'row 2: "acc" is inf'),
        ([sample(0, 1.0), sample(1, "1")], {}, "row 2: .acc. is 1, no number"),
        ([sample(0, 1.0), sample(1, [1.0])], {}, "row 2"),
        ([sample(0, [-12.3, 7], metric="bits_per_byte")], {}, "no metric is one number an item"),
        ([without(sample(0, 1.0), "acc")], {}, "no metric is one number an item"),
        ([without(sample(0, 1.0), "metrics")], {}, '"metrics" is missing'),
        ([sample(0, 1.0), sample(0, 1.0)], {}, "comes twice"),
        ([without(sample(0, 1.0), "filter")], {}, '"filter" is missing'),
    ],
)
def test_an_odd_log_is_one_sentence(tmp_path, rows, changes, words):
    a = write(tmp_path / "a", {"arc_easy": rows}, **changes)
    b = write(tmp_path / "b", {"arc_easy": rows}, **changes)
    done = CliRunner().invoke(cli.app, ["compare-lm-eval", str(a), str(b)])
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert re.search(words, done.stderr), done.stderr


@pytest.mark.parametrize(
    "rows, changes, n",
    [
        ([sample(0, True), sample(1, False)], {}, 2),
        (accuracies(A), {"group_subtasks": {"g": ["arc_easy"], "arc_easy": ["g"]}}, 12),
    ],
)
def test_other_shapes_of_a_log_are_read(tmp_path, rows, changes, n):
    a = write(tmp_path / "a", {"arc_easy": rows}, **changes)
    b = write(tmp_path / "b", {"arc_easy": rows}, **changes)
    (row,) = compare_runs(a, b).to_dict("records")
    assert row["n"] == n and row["difference"] == 0


def test_a_folder_of_two_runs_needs_a_choice(tmp_path):
    a = write(tmp_path / "a", {"arc_easy": accuracies(A)})
    write(tmp_path / "b" / "one", {"arc_easy": accuracies(B)})
    second = write(
        tmp_path / "b" / "two", {"arc_easy": accuracies(A)}, date="2026-05-02T10-00-00.1"
    )
    with pytest.raises(SdftError, match="holds 2 runs"):
        compare_runs(a, tmp_path / "b")
    assert compare_runs(a, next(second.rglob("results_*")))["difference"].tolist() == [0]


def test_the_command(tmp_path):
    a, b = (
        write(tmp_path / name, {"arc_easy": accuracies(values)})
        for name, values in (("a", A), ("b", B))
    )
    result = CliRunner().invoke(cli.app, ["compare-lm-eval", str(a), str(b), "--json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert row["difference"] == 0.5 and row["metric"] == "acc,none"
    assert (
        "not training seeds"
        in CliRunner().invoke(cli.app, ["compare-lm-eval", str(a), str(b)]).stdout
    )
    assert (
        CliRunner()
        .invoke(cli.app, ["compare-lm-eval", str(a), str(b), "--metric", "acc"])
        .exit_code
        == 2
    )
