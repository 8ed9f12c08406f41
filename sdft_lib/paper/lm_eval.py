"""General knowledge through lm-eval, an extra (``pip install 'sdft-tutorial[lm-eval]'``; paper,
section 4.5).

Tasks and metric keys are pinned by name, zero-shot, and the run is written as lm-eval writes its
own, with samples, so that ``sdft compare-lm-eval`` reads it. Whether the chat template was applied
moves scores by points: the paper's code did without, it is stored either way, and runs that differ
in it, or in 4 bit and not, are not compared. Lesson 08."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sdft_lib.paper.lm_eval_logs import METRICS
from sdft_lib.storage.errors import SdftError
from sdft_lib.training.weights import is_full, wants_four_bit

TASKS = (
    "mmlu",
    "truthfulqa_mc1",
    "truthfulqa_mc2",
    "arc_easy",
    "arc_challenge",
    "hellaswag",
    "winogrande",
)
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def harness():
    """The module ``lm_eval`` and its tracker. Raises SdftError if it is not installed."""
    try:
        import lm_eval
        from lm_eval.loggers import EvaluationTracker
    except ImportError as error:
        raise SdftError(
            f"lm-eval cannot be loaded ({error}); pip install 'sdft-tutorial[lm-eval]'."
        ) from None
    return lm_eval, EvaluationTracker


def check_tasks(tasks: Sequence[str]) -> None:
    """Raise SdftError for a task whose metric is not pinned here; lm-eval itself runs any."""
    if unknown := [name for name in tasks if name not in TASKS]:
        raise SdftError(f'"{unknown[0]}" is none of the knowledge tasks; use {", ".join(TASKS)}.')


def knowledge(
    model: str,
    out: Path,
    *,
    adapter: Path | None = None,
    tasks: Sequence[str] = TASKS,
    chat_template: bool = False,
    limit: int | None = None,
    batch_size: str = "auto",
    say: Callable[[str], None] = print,
) -> list[dict]:
    """Scores of a preset, hub id or folder, with an adapter or without: task, metric, score,
    stderr, n.

    ``adapter`` may also be the folder of a model that was trained whole; ``SDFT_FOUR_BIT`` counts
    here too. Results and samples go to ``out`` as lm-eval writes them. Raises SdftError: lm-eval is
    not there, or its results lack a pinned metric."""
    check_tasks(tasks)
    lm_eval, tracker_class = harness()
    from sdft_lib.models import locate
    from sdft_lib.storage.devices import choose_device, choose_dtype

    device, four_bit = choose_device(), wants_four_bit(None)
    source, revision = locate(model, say)
    arguments = arguments_of(source, adapter, DTYPES[choose_dtype(device)])
    tracker = tracker_class(output_path=str(out))
    state = "on" if chat_template else "off"
    say(f"lm-eval {lm_eval.__version__}: {', '.join(tasks)}, zero-shot, chat template {state}")
    results = lm_eval.simple_evaluate(
        model=packed(model, adapter, batch_size, say) if four_bit else "hf",
        model_args=arguments,
        tasks=list(tasks),
        num_fewshot=0,
        device=device,
        batch_size=batch_size,
        limit=limit,
        log_samples=True,
        apply_chat_template=chat_template,
        fewshot_as_multiturn=chat_template,
        evaluation_tracker=tracker,
    )
    samples = results.pop("samples")
    results["sdft"] = {
        "model": model,
        "revision": revision,
        "chat_template": chat_template,
        "four_bit": four_bit,
    }
    # lm-eval names a model that it did not load by its path, and runs of two paths would not be
    # compared
    if four_bit:
        results["config"] = results.get("config", {}) | {"model": "hf", "four_bit": True}
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
    return [line(task, results, lm_eval.__version__) for task in tasks]


def arguments_of(source: str, adapter: Path | None, dtype: str) -> dict:
    """What lm-eval loads: the seed, an adapter on it, or a model that was trained whole, with the
    seed's tokenizer.
    """
    arguments = {"pretrained": source, "dtype": dtype, "trust_remote_code": False}
    if adapter is None:
        return arguments
    if is_full(adapter):
        return arguments | {"pretrained": str(adapter), "tokenizer": source}
    return arguments | {"peft": str(adapter)}


def packed(model: str, adapter: Path | None, batch_size: str, say: Callable[[str], None]):
    """The model with weights in 4 bit, read as for every other step and handed over ready.

    lm-eval's own ``load_in_4bit`` goes to ``from_pretrained`` as it is, and transformers 5 takes it
    no more."""
    from lm_eval.models.huggingface import HFLM

    from sdft_lib.models import load_seed, with_adapter

    seed = load_seed(model, four_bit=True, say=say)
    if adapter is not None:
        seed = with_adapter(seed, adapter, label=adapter.name)
    return HFLM(pretrained=seed.model, tokenizer=seed.tokenizer, batch_size=batch_size)


def line(task: str, results: dict, version: str) -> dict:
    """The pinned metric of one task. Raises SdftError where this version of lm-eval calls it
    otherwise.
    """
    key = METRICS[task]
    found = (results.get("results") or {}).get(task) or {}
    if key not in found:
        have = (
            ", ".join(name for name in found if "," in name and "stderr" not in name) or "no metric"
        )
        raise SdftError(
            f'{task}: lm-eval {version} reports {have}, not "{key}"; use lm-eval 0.4.8 to 0.4.13.'
        )
    stderr = found.get(key.replace(",", "_stderr,", 1))
    count = sum(
        (results.get("n-samples") or {}).get(name, {}).get("effective", 0)
        for name in leaves(task, results)
    )
    return {
        "task": task,
        "metric": key,
        "score": float(found[key]),
        "n": count,
        "stderr": float(stderr) if isinstance(stderr, int | float) else None,
    }


def leaves(task: str, results: dict) -> list[str]:
    """The tasks with items below a group; the task itself if it is none."""
    parts = (results.get("group_subtasks") or {}).get(task) or []
    return [leaf for part in parts for leaf in leaves(part, results)] if parts else [task]
