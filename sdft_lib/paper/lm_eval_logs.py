"""Two runs of lm-eval, compared item by item (``sdft compare-lm-eval``; lesson 08).

lm-eval writes, with ``--log_samples``, a ``results_*.json`` and one ``samples_TASK_*.jsonl`` a
task, and compares averages as if the two models had answered different items. They answered the
same ones, so the pairs are compared here, after a check that nothing but the model differs: task
configurations and versions, few-shot examples, chat template, system prompt, limits, number format
(4 bit too), and each item's document, prompt and target by their hashes."""

import json
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.formats.records import read_records, read_text
from sdft_lib.storage.errors import SdftError

SETTINGS = (  # what must agree, and where results_*.json keeps it
    "chat_template_sha",
    "system_instruction_sha",
    "fewshot_as_multiturn",
    "lm_eval_version",
    "transformers_version",
)
CONFIG = (
    "model",
    "limit",
    "gen_kwargs",
    "model_dtype",
    "four_bit",
    "random_seed",
    "numpy_seed",
    "torch_seed",
    "fewshot_seed",
)
HASHES = {"doc_hash": "document", "prompt_hash": "prompt", "target_hash": "target"}
# task or group: metric key, spelled out; others need --metric where they have more than one
METRICS = {
    "mmlu": "acc,none",
    "arc_easy": "acc,none",
    "arc_challenge": "acc,none",
    "hellaswag": "acc,none",
    "winogrande": "acc,none",
    "truthfulqa_mc1": "acc,none",
    "truthfulqa_mc2": "acc,none",
    "gsm8k": "exact_match,flexible-extract",
    "ifeval": "prompt_level_strict_acc,none",
}


@dataclass(frozen=True)
class Run:
    """One run: the file of its results, their content, and a samples file for each task."""

    path: Path
    results: dict
    samples: dict[str, Path]


def read_run(place: Path) -> Run:
    """The run in a folder (or below it), or of a results file. SdftError: none, several, or no
    samples.
    """
    place = Path(place)
    found = [place] if place.is_file() else sorted(place.rglob("results_*.json"))
    if not found:
        raise SdftError(
            f"{place} holds no results_*.json; give a folder that lm-eval wrote with --log_samples."
        )
    if len(found) > 1:
        raise SdftError(
            f"{place} holds {len(found)} runs; give one of the files, such as {found[-1]}."
        )
    (path,) = found
    try:
        results = json.loads(read_text(path))
    except (ValueError, RecursionError):
        results = None
    if not isinstance(results, dict) or not isinstance(results.get("results"), dict):
        raise SdftError(f"{path} is not a results file of lm-eval; run it again.")
    date = path.stem.rpartition("_")[2]
    samples = {
        file.stem.removeprefix("samples_").removesuffix(f"_{date}"): file
        for file in sorted(path.parent.glob(f"samples_*_{date}.jsonl"))
    }
    if not samples:
        raise SdftError(
            f"{path.parent} holds no samples_*_{date}.jsonl; run lm-eval with --log_samples."
        )
    return Run(path, results, samples)


def settings(run: Run) -> dict:
    """What decides a score beside the weights, by a readable name."""
    results, config = run.results, run.results.get("config") or {}
    found = {name: results.get(name) for name in SETTINGS} | {
        name: config.get(name) for name in CONFIG
    }
    for task in run.samples:
        chosen = dict((results.get("configs") or {}).get(task) or {})
        chosen["metadata"] = {
            "version": (chosen.get("metadata") or {}).get("version")
        }  # the rest names the model
        found[f"{task}: configuration"] = chosen
        found[f"{task}: version"] = (results.get("versions") or {}).get(task)
        found[f"{task}: few-shot examples"] = (results.get("n-shot") or {}).get(task)
    return found


def differences(a: Run, b: Run, despite: tuple[str, ...] = ()) -> list[str]:
    """Names of the settings in which two runs differ, those in ``despite`` left out."""
    ours, theirs = settings(a), settings(b)
    names = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    if unknown := [name for name in despite if name not in ours]:
        raise SdftError(
            f'there is no setting "{unknown[0]}"; use one of {", ".join(SETTINGS + CONFIG)}.'
        )
    return [name for name in names if name not in despite]


def groups(run: Run) -> dict[str, str]:
    """Task to the name that it is reported under: its outermost group with a score of its own, else
    itself.
    """
    scored = set(run.results.get("groups") or {})
    children = run.results.get("group_subtasks") or {}
    parents = {
        child: name for name, parts in children.items() for child in parts or () if child != name
    }
    found = {}
    for task in run.samples:
        found[task], place = task, task
        for _ in parents:  # as many steps as there could be, also if the file has a circle
            place = parents.get(place, place)
            found[task] = place if place in scored else found[task]
    return found


def metric_key(name: str, rows: list[dict], chosen: dict[str, str]) -> str:
    """The metric and filter to compare, "acc,none". Raises SdftError if several could be meant, or
    none fits.
    """
    have = list(
        dict.fromkeys(
            f"{metric},{row.get('filter', 'none')}"
            for row in rows
            for metric in row["metrics"]
            if isinstance(row.get(metric), int | float)
        )
    )
    key = chosen.get(name) or METRICS.get(name) or (have[0] if len(have) == 1 else None)
    if key is None or key not in have:
        raise SdftError(
            f"{name}: choose its metric with --metric {name}=KEY; it has {' and '.join(have) or 'none'}."
        )
    return key


def task_rows(run: Run, task: str, name: str, chosen: dict[str, str]) -> tuple[str, dict]:
    """The metric key, and each item's row of that filter by document number. SdftError: broken or
    double rows.
    """
    records = read_records(run.samples[task])
    for record in records:
        if absent := [key for key in ("doc_id", "metrics", *HASHES) if key not in record.values]:
            raise SdftError(
                f'{record.where}: "{absent[0]}" is missing; use lm-eval 0.4.8 or later.'
            )
    key = metric_key(name, [record.values for record in records], chosen)
    metric, _, kept = key.partition(",")
    found = {}
    for record in records:
        if record.values.get("filter", "none") == kept:
            if record.values["doc_id"] in found:
                raise SdftError(
                    f"{record.where}: document {record.values['doc_id']} comes twice; give one run."
                )
            found[record.values["doc_id"]] = {
                **record.values,
                "value": float(record.values[metric]),
            }
    return key, found


def paired(task: str, ours: dict, theirs: dict) -> None:
    """Raise SdftError unless both runs answered the same items with the same prompts."""
    if alone := len(set(ours) ^ set(theirs)):
        raise SdftError(f"{task}: {alone} items stand in one run only; run both on the same items.")
    for number, row in ours.items():
        for key, word in HASHES.items():
            if row[key] != theirs[number][key]:
                raise SdftError(
                    f"{task}, item {number}: the {word} differs between the runs; run both alike."
                )


def compare_runs(
    a: Path,
    b: Path,
    *,
    metrics: dict[str, str] | None = None,
    despite: tuple[str, ...] = (),
    by_subtask: bool = False,
):
    """Per task: n, metric, means, difference a - b with 95 % interval, McNemar's p (graded scores:
    sign flips), Holm.

    Subtasks of a scored group such as ``mmlu`` are pooled, item by item, unless ``by_subtask``.
    Raises SdftError where the runs are not comparable."""
    import pandas

    from sdft_lib.stats import compare

    first, second = read_run(a), read_run(b)
    check_alike(first, second, despite)
    names = {task: task for task in first.samples} if by_subtask else groups(first)
    rows, keys = paired_rows(first, second, names, metrics or {})
    frame = pandas.DataFrame(rows)
    result = compare(frame, [("a", "b")]).rename(columns={"suite": "task"}).drop(columns=["a", "b"])
    means = frame.groupby(["suite", "method"], sort=False)["score"].mean()
    for place, method in ((1, "a"), (2, "b")):
        result.insert(1 + place, method, [means[name, method] for name in result["task"]])
    result.insert(1, "metric", [keys[name] for name in result["task"]])
    return result


def check_alike(first: Run, second: Run, despite: tuple[str, ...]) -> None:
    """Raise SdftError unless these are two runs of the same tasks with the same settings."""
    if first.path.resolve() == second.path.resolve():
        raise SdftError(f"{first.path} is both runs; give two.")
    if odd := differences(first, second, despite):
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        raise SdftError(
            f"the runs differ in {', '.join(odd[:3])}{more}; run both alike, or say --despite for one."
        )
    if alone := sorted(set(first.samples) ^ set(second.samples)):
        raise SdftError(f"{alone[0]} stands in one run only; run both on the same tasks.")


def paired_rows(
    first: Run, second: Run, names: dict[str, str], chosen: dict[str, str]
) -> tuple[list[dict], dict]:
    """Scores of both runs (methods a and b) as rows of ``stats.compare``, and the metric key of
    each name.
    """
    rows, keys = [], {}
    for task, name in names.items():
        (key, ours), (other, theirs) = (
            task_rows(run, task, name, chosen) for run in (first, second)
        )
        paired(task, ours, theirs)
        if keys.setdefault(name, key) != key or other != key:
            raise SdftError(
                f"{name}: its subtasks have different metrics; compare them with --by-subtask."
            )
        rows += [
            {"method": method, "suite": name, "id": f"{task}/{number}", "score": row["value"]}
            for method, found in (("a", ours), ("b", theirs))
            for number, row in found.items()
        ]
    return rows, keys
