"""General knowledge through lm-eval, an extra (``pip install 'sdft-tutorial[lm-eval]'``; paper,
section 4.5; lesson 08).

Tasks and metric keys are pinned by name, zero-shot, and the run is written as lm-eval writes its
own, with samples, so that ``sdft compare-lm-eval`` reads it. Whether the chat template was applied
moves scores by points: the paper's code did without, it is stored either way, and runs that differ
in it, or in 4 bit and not, are not compared."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sdft_lib.formats.toml import check_known
from sdft_lib.models import load_seed, locate, with_adapter
from sdft_lib.paper.lm_eval_logs import METRICS, TASKS, groups
from sdft_lib.storage.devices import choose_device, choose_dtype
from sdft_lib.storage.errors import SdftError
from sdft_lib.training.weights import is_full, wants_four_bit

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


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
    """Scores of a preset, hub id or folder, with an adapter or without: task, metric, score,
    stderr, n.

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
    tracker = EvaluationTracker(output_path=str(out))
    state = "on" if chat_template else "off"
    say(f"lm-eval {lm_eval.__version__}: {', '.join(tasks)}, zero-shot, chat template {state}")
    results = lm_eval.simple_evaluate(
        model=packed(model, adapter, say) if four_bit else "hf",
        model_args=arguments_of(source, adapter, DTYPES[choose_dtype(device)]),
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
    """The model with weights in 4 bit, read as for every other step and handed over ready.

    lm-eval's own ``load_in_4bit`` goes to ``from_pretrained`` as it is, and transformers 5 takes it
    no more."""
    from lm_eval.models.huggingface import HFLM

    seed = load_seed(model, four_bit=True, say=say)
    if adapter is not None:
        seed = with_adapter(seed, adapter, label=adapter.name)
    return HFLM(pretrained=seed.model, tokenizer=seed.tokenizer, batch_size="auto")


def arguments_of(source: str, adapter: Path | None, dtype: str) -> dict:
    """What lm-eval loads: the seed, an adapter on it, or a model that was trained whole, with the
    seed's tokenizer."""
    arguments = {"pretrained": source, "dtype": dtype, "trust_remote_code": False}
    if adapter is None:
        return arguments
    if is_full(adapter):
        return arguments | {"pretrained": str(adapter), "tokenizer": source}
    return arguments | {"peft": str(adapter)}


def task_line(task: str, results: dict, version: str) -> dict:
    """The pinned metric of one task. Raises SdftError where this version of lm-eval calls it
    otherwise."""
    key = METRICS[task]
    scores = (results.get("results") or {}).get(task) or {}
    if key not in scores:
        have = [name for name in scores if "," in name and "stderr" not in name]
        problem = f'reports {", ".join(have) or "no metric"}, not "{key}"'
        raise SdftError(f"{task}: lm-eval {version} {problem}; use lm-eval 0.4.8 to 0.4.13.")
    stderr = scores.get(key.replace(",", "_stderr,", 1))
    counts = results.get("n-samples") or {}
    parts = [leaf for leaf, name in groups(results, counts).items() if name == task]
    line = {"task": task, "metric": key, "score": float(scores[key])}
    line["n"] = sum(counts[leaf].get("effective", 0) for leaf in parts)
    return line | {"stderr": float(stderr) if isinstance(stderr, int | float) else None}
