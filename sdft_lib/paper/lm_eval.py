"""General knowledge through lm-eval, an extra (``pip install 'sdft-tutorial[lm-eval]'``), and two
of its runs compared item by item (``sdft knowledge``, ``sdft compare-lm-eval``; paper, section 4.5;
lesson 10).

Tasks and metric keys are pinned by name, zero-shot, and the run is written as lm-eval writes its
own, with ``--log_samples``: a ``results_*.json`` and one ``samples_TASK_*.jsonl`` a task. The chat
template moves scores by points: the paper's code did without. lm-eval compares averages as if the
two models had answered different items. They answered the same ones, so the pairs are compared
here, after a check that nothing but the model differs."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas

from sdft_lib.formats.records import read_records, read_text
from sdft_lib.formats.toml import check_known
from sdft_lib.models import PRESETS, load_seed, locate, with_adapter
from sdft_lib.stats import compare
from sdft_lib.storage.devices import choose_device, choose_dtype
from sdft_lib.storage.errors import SdftError, readable
from sdft_lib.storage.hub import newest
from sdft_lib.training.weights import is_full, wants_four_bit

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
# What must agree, at the top of results_*.json and in its "config".
SETTINGS = "chat_template_sha system_instruction_sha fewshot_as_multiturn".split()
SETTINGS += ["lm_eval_version", "transformers_version"]
CONFIG = "model limit gen_kwargs model_dtype four_bit".split()
CONFIG += ["random_seed", "numpy_seed", "torch_seed", "fewshot_seed"]
TABLES = ("config", "configs", "versions", "n-shot")  # of results_*.json that are compared
HASHES = {"doc_hash": "document", "prompt_hash": "prompt", "target_hash": "target"}
WANTED = ("doc_id", "metrics", *HASHES, "filter")  # of a row of samples
# Of general knowledge.
TASKS = ("mmlu", "truthfulqa_mc1", "truthfulqa_mc2", "arc_easy", "arc_challenge")
TASKS += ("hellaswag", "winogrande")
# Task or group: metric and filter, spelled out. Others need --metric where they have several.
METRICS = dict.fromkeys(TASKS, "acc,none") | {
    "gsm8k": "exact_match,flexible-extract",
    "ifeval": "prompt_level_strict_acc,none",
}


def knowledge(
    model: str,
    out: Path,
    *,
    adapter: Path | None = None,
    tasks: Sequence[str] = TASKS,
    chat_template: bool = False,
    limit: int | None = None,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """Scores of a preset, hub id or folder: task, metric, score, stderr, n.

    ``adapter`` may also be the folder of a model that was trained whole; ``SDFT_FOUR_BIT`` counts
    here too. Results and samples go to ``out`` as lm-eval writes them. Raises SdftError: a task
    without a pinned metric, lm-eval is not there, or its results lack the metric."""
    for name in tasks:
        check_known(name, TASKS, "knowledge task")
    try:
        import lm_eval
        from lm_eval.loggers import EvaluationTracker
    except ImportError as error:
        remedy = "pip install 'sdft-tutorial[lm-eval]'"
        raise SdftError(f"lm-eval cannot be loaded ({error}); {remedy}.") from None
    device, four_bit = choose_device(), wants_four_bit(None)
    source, revision = locate(model, say)
    loaded = arguments_of(source, adapter, DTYPES[choose_dtype(device)])
    if not revision:  # a hub's model: all files of one commit, which the results name
        with readable(model, PRESETS):
            revision = loaded["revision"] = newest(source)
    tracker = EvaluationTracker(output_path=str(out))
    state = "on" if chat_template else "off"
    say(f"lm-eval {lm_eval.__version__}: {', '.join(tasks)}, zero-shot, chat template {state}")
    results = lm_eval.simple_evaluate(
        model=packed(model, adapter, say) if four_bit else "hf",
        model_args=loaded,
        tasks=list(tasks),
        num_fewshot=0,
        device=device,
        batch_size="auto",
        limit=limit,
        log_samples=True,
        apply_chat_template=chat_template,
        fewshot_as_multiturn=chat_template,
        evaluation_tracker=tracker,
    )
    samples = results.pop("samples")
    asked = {"model": model, "revision": revision, "chat_template": chat_template}
    results["sdft"] = asked | {"four_bit": four_bit}
    if four_bit:
        # lm-eval names a model that it did not load by its path: two such runs would never compare.
        results["config"] = results.get("config", {}) | {"model": "hf", "four_bit": True}
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
    return [task_line(task, results, lm_eval.__version__) for task in tasks]


def packed(model: str, adapter: Path | None, say: Callable[[str], None]):
    """The model in 4 bit, ready: transformers 5 takes no ``load_in_4bit`` from lm-eval."""
    from lm_eval.models.huggingface import HFLM

    seed = load_seed(model, four_bit=True, say=say)
    if adapter is not None:
        seed = with_adapter(seed, adapter, label=adapter.name)
    return HFLM(pretrained=seed.model, tokenizer=seed.tokenizer, batch_size="auto")


def arguments_of(source: str, adapter: Path | None, dtype: str) -> dict:
    """What lm-eval loads: the seed, an adapter on it, or a model that was trained whole."""
    arguments = {"pretrained": source, "dtype": dtype, "trust_remote_code": False}
    if adapter is None:
        return arguments
    if is_full(adapter):
        return arguments | {"pretrained": str(adapter), "tokenizer": source}
    return arguments | {"peft": str(adapter)}


def task_line(task: str, results: dict, version: str) -> dict:
    """The pinned metric of one task. SdftError where this lm-eval calls it otherwise."""
    key = METRICS[task]
    scores = (results.get("results") or {}).get(task) or {}
    if key not in scores:
        have = [name for name in scores if "," in name and "stderr" not in name]
        problem = f'reports {", ".join(have) or "no metric"}, not "{key}"'
        raise SdftError(f"{task}: lm-eval {version} {problem}; use lm-eval 0.4.8 to 0.4.13.")
    stderr = scores.get(key.replace(",", "_stderr,", 1))
    counts = results.get("n-samples") or {}
    parts = [leaf for leaf, name in outermost(counts, results).items() if name == task]
    line = {"task": task, "metric": key, "score": float(scores[key])}
    line["n"] = sum(counts[leaf].get("effective", 0) for leaf in parts)
    return line | {"stderr": float(stderr) if isinstance(stderr, int | float) else None}


def five(rows: Sequence[dict]) -> list[dict]:
    """The paper's five figures of ``knowledge``: ARC and TruthfulQA are means over the items of
    their two tasks (how the paper's version of lm-eval weighed them is not known)."""
    parts = {"truthfulqa": TASKS[1:3], "arc": TASKS[3:5]}
    made, known = [], {row["task"]: row for row in rows}
    for name in ("mmlu", "truthfulqa", "arc", "hellaswag", "winogrande"):
        own = [known[task] for task in parts.get(name, (name,))]
        count = sum(row["n"] for row in own)
        mean = sum(row["n"] * row["score"] for row in own) / count if count else float("nan")
        line = {"task": f"paper: {name}", "metric": own[0]["metric"], "score": mean, "n": count}
        made.append(line | {"stderr": None})
    return made


@dataclass(frozen=True)
class Run:
    """One run: the file of its results, their content, and a samples file for each task."""

    path: Path
    results: dict
    samples: dict[str, Path]


def compare_runs(
    a: Path,
    b: Path,
    *,
    metrics: dict[str, str] | None = None,
    despite: tuple[str, ...] = (),
    by_subtask: bool = False,
) -> pandas.DataFrame:
    """Per task: n, metric, means, difference a - b with 95 % interval, McNemar's p (graded scores:
    sign flips), Holm.

    Subtasks of a scored group such as ``mmlu`` are pooled, item by item, unless ``by_subtask``.
    Raises SdftError where the runs are not comparable."""
    first, second = read_run(a), read_run(b)
    check_alike(first, second, despite)
    chosen = METRICS | (metrics or {})
    names = outermost(first.samples, {} if by_subtask else first.results)
    keys: dict[str, str] = {}
    parts = []
    for task, name in names.items():
        pair = [task_scores(run, task, name, chosen) for run in (first, second)]
        check_same_items(task, pair[0][1], pair[1][1])
        for method, (key, items) in zip(("a", "b"), pair):
            if keys.setdefault(name, key) != key:
                raise SdftError(f"{name}: its subtasks have different metrics; say --by-subtask.")
            ids = f"{task}/" + items.index.astype(str)
            columns = {"method": method, "suite": name, "id": ids, "score": items["score"]}
            parts.append(pandas.DataFrame(columns))
    frame = pandas.concat(parts, ignore_index=True)
    means = frame.groupby(["suite", "method"])["score"].mean().unstack()
    result = compare(frame, [("a", "b")])
    for method in ("a", "b"):  # the mean in place of the name
        result[method] = result["suite"].map(means[method])
    result.insert(1, "metric", result["suite"].map(keys))
    return result.rename(columns={"suite": "task"})


def read_run(source: Path) -> Run:
    """The run of a results file, or in a folder. SdftError: none, several, or no samples."""
    source = Path(source)
    paths = [source] if source.is_file() else sorted(source.rglob("results_*.json"))
    problem = "no results_*.json; give a folder that lm-eval wrote with --log_samples"
    if paths:
        problem = f"{len(paths)} runs; give one of the files, such as {paths[-1]}"
    if len(paths) != 1:
        raise SdftError(f"{source} holds {problem}.")
    (path,) = paths
    try:
        results = json.loads(read_text(path))
    except (ValueError, RecursionError):
        results = None
    if not isinstance(results, dict) or not isinstance(results.get("results"), dict):
        raise SdftError(f"{path} is not a results file of lm-eval; run it again.")
    date, samples = path.stem.rpartition("_")[2], {}
    for file in sorted(path.parent.glob(f"samples_*_{date}.jsonl")):
        samples[file.stem.removeprefix("samples_").removesuffix(f"_{date}")] = file
    if not samples:
        absent = f"{path.parent} holds no samples_*_{date}.jsonl"
        raise SdftError(f"{absent}; run lm-eval with --log_samples.")
    return Run(path, results, samples)


def check_alike(first: Run, second: Run, despite: tuple[str, ...]) -> None:
    """Raise SdftError unless two runs agree in tasks and settings, but for ``despite``."""
    if first.path.resolve() == second.path.resolve():
        raise SdftError(f"{first.path} is both runs; give two.")
    ours, theirs = settings(first), settings(second)
    if unknown := [name for name in despite if name not in ours]:
        known = ", ".join(SETTINGS + CONFIG)
        raise SdftError(f'there is no setting "{unknown[0]}"; use one of {known}.')
    shared = [name for name in ours if name in theirs and name not in despite]
    if odd := ", ".join(name for name in shared if ours[name] != theirs[name]):
        raise SdftError(f"the runs differ in {odd}; run both alike, or say --despite for one.")
    if alone := sorted(set(first.samples) ^ set(second.samples)):
        raise SdftError(f"{alone[0]} stands in one run only; run both on the same tasks.")


def settings(run: Run) -> dict:
    """What decides a score beside the weights, by a readable name."""
    values = {name: run.results.get(name) for name in SETTINGS}
    config, configs, versions, shots = (run.results.get(name, {}) for name in TABLES)
    values |= {name: config.get(name) for name in CONFIG}
    for task in run.samples:
        chosen = dict(configs.get(task, {}))
        # The rest of its metadata names the model, which may differ.
        chosen["metadata"] = (chosen.get("metadata") or {}).get("version")
        values[f"{task}: configuration"] = chosen
        values[f"{task}: version"] = versions.get(task)
        values[f"{task}: few-shot examples"] = shots.get(task)
    return values


def outermost(tasks: Iterable[str], results: dict) -> dict[str, str]:
    """Task to the name of its outermost group with a score of its own, else its own name."""
    above, names = {}, {}
    for group, parts in results.get("group_subtasks", {}).items():
        above |= dict.fromkeys(parts, group)
    for task in tasks:
        names[task] = group = task
        for _ in above:  # as many steps as there could be, also if the file has a circle
            group = above.get(group, group)
            if group in results.get("groups", {}):
                names[task] = group
    return names


def task_scores(run: Run, task: str, name: str, chosen: dict) -> tuple[str, pandas.DataFrame]:
    """The metric of a task that is reported under ``name``, and a row for each item by its document
    number: hashes and ``score``. SdftError: odd or double rows, no metric."""
    records = read_records(run.samples[task])
    for record in records:
        if absent := [name for name in WANTED if name not in record.values]:
            raise SdftError(f'{record.where}: "{absent[0]}" is missing; use lm-eval 0.4.8 on.')
    key = metric_key(name, [record.values for record in records], chosen.get(name))
    metric, _, chosen_filter = key.partition(",")
    items: dict[int, dict] = {}
    for record in records:
        row = record.values
        if row["filter"] != chosen_filter:
            continue
        if row["doc_id"] in items:
            raise SdftError(f"{record.where}: document {row['doc_id']} comes twice; give one run.")
        value = row.get(metric)
        if not isinstance(value, int | float) or not math.isfinite(value):
            problem = f'"{metric}" is {str(value)[:40]}, no number to compare'
            raise SdftError(f"{record.where}: {problem}; run the task again.")
        items[row["doc_id"]] = {each: row[each] for each in HASHES} | {"score": float(value)}
    return key, pandas.DataFrame.from_dict(items, orient="index")


def metric_key(name: str, rows: list[dict], chosen: str | None) -> str:
    """The metric and filter to compare, "acc,none". SdftError: several, or none, fit."""
    have: list[str] = []
    for row in rows:
        for metric in row["metrics"]:
            key = f"{metric},{row['filter']}"
            if key not in have and isinstance(row.get(metric), int | float):
                have.append(key)
    if not have:
        raise SdftError(f"{name}: no metric is one number an item; leave this task out.")
    key = chosen or (have[0] if len(have) == 1 else None)
    if key not in have:
        choice = f"choose its metric with --metric {name}=KEY"
        raise SdftError(f"{name}: {choice}; it has {' and '.join(have)}.")
    return key


def check_same_items(task: str, ours: pandas.DataFrame, theirs: pandas.DataFrame) -> None:
    """Raise SdftError unless both runs answered the same items with the same prompts."""
    if alone := len(ours.index.symmetric_difference(theirs.index)):
        raise SdftError(f"{task}: {alone} items stand in one run only; run both on the same items.")
    for column, word in HASHES.items():
        differs = ours[column] != theirs[column].reindex(ours.index)
        if differs.any():
            raise SdftError(f"{task}, item {differs.idxmax()}: the {word} differs; run both alike.")
