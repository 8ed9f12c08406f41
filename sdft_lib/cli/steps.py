"""Commands of ``sdft`` for the steps of the method: distill, gap, train, evaluate.

Results come from the store if a lesson or an earlier command made them with the same settings."""

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, progress
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.processes import rank as process_rank

Verifier = Annotated[str | None, Option(help="Your own check, module:function; it comes last.")]
Tokens = Annotated[int | None, Option(min=1, help="Longest rewrite, in tokens.")]
Rate = Annotated[float | None, Option(help="The highest; else 5e-4, all weights 2e-5.")]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, help="Order of the rows and first weights.")]
Kept = Annotated[float, Option(min=0, max=1, help="Least share of rewritten rows.")]
Full = common.flag("--full", "Train all weights; the result is a whole model.")


def distill(
    task: common.Task = "tickets",
    model: common.Model = "smollm2-135m",
    template: common.Template = "opening",
    limit: common.Limit = None,
    kind: common.Kind = None,
    candidates: Annotated[int, Option(min=1, help="Rewrites tried for each row.")] = 1,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    max_new_tokens: Tokens = None,
    verifier: Verifier = None,
    allow_code_execution: common.AllowCode = False,
    engine: common.Engine = "torch",
    gpus: common.Gpus = 1,
    out: Annotated[Path | None, Option(help="JSONL file for the rows.")] = None,
) -> Reply:
    """Rewrite references with the seed model; a rewrite that fails a check gives way to its
    reference. --verifier names a function of yours, check(row, text) -> Verdict."""
    from sdft_lib.distill import distill, report_line
    from sdft_lib.engines.load import load

    reading = common.reading(kind, columns, drop_empty)
    rows, pattern, decoding = asked(task, template, reading, max_new_tokens)
    options = {"limit": limit, "candidates": candidates, "decoding": decoding}
    options["verifier"] = own_check(verifier, rows.kind, allow_code_execution)
    seed = load(model, engine, gpus=gpus, say=progress)
    made = distill(seed, rows, pattern, **options, say=progress)
    common.write_rows(out, made.rows)
    path = out or made.path / "rows.jsonl"
    return Reply({**made.report, "path": str(path)}, f"{report_line(made.report)}\n{path}")


def own_check(verifier: str | None, kind: str, allow_code: bool):
    """The user's verifier, or the sandbox as one for programs (None: neither)."""
    from sdft_lib.paper.rules import runs
    from sdft_lib.paper.sandbox import isolation
    from sdft_lib.storage.functions import load_function

    problem = ""
    if allow_code and kind != "program":
        problem = f"has nothing to run in rows of kind {kind}; leave it out or give --kind program"
    elif allow_code and verifier:
        problem = "is a check of its own; call sdft_lib.paper.rules.runs in your verifier instead"
    if problem:
        raise SdftError(f"--allow-code-execution {problem}.")
    if allow_code:
        progress(isolation())
        return runs
    return load_function(verifier) if verifier is not None else None


def gap(
    task: common.Task = "tickets",
    model: common.Model = "smollm2-135m",
    template: common.Template = "opening",
    limit: common.Limit = None,
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    max_new_tokens: Tokens = None,
    out: Annotated[Path | None, Option(help="JSONL file, one row an answer.")] = None,
) -> Reply:
    """How far references and rewrites lie from the seed model, in nats a token, given the prompt
    alone."""
    from sdft_lib.distill import distill
    from sdft_lib.gap import gap
    from sdft_lib.models import load_seed

    reading = common.reading(kind, columns, drop_empty)
    rows, pattern, decoding = asked(task, template, reading, max_new_tokens)
    seed = load_seed(model, say=progress)
    made = distill(seed, rows, pattern, limit=limit, decoding=decoding, say=progress)
    measured = gap(seed, made, say=progress)
    common.write_rows(out, measured.frame.to_dict("records"))
    data, table = gap_data(measured, made.report), []
    for name, key in (("references", "reference"), ("training text", "text")):
        nll, nats = data[f"nll_{key}"], data[f"nats_{key}"]
        table.append({"": name, "nats a token": nll, "nats an answer": nats})
    line = (
        f"references minus training text: {data['mean']:.3f} nats a token, 95 % interval "
        f"{data['low']:.3f} to {data['high']:.3f}, {data['n']} rows, fallbacks included"
    )
    note = "Figures a token favour long texts: look at both columns."
    return Reply(data, f"{as_text(table)}\n{line}\n{note}")


def asked(task: str, template: str, reading: dict, tokens: int | None) -> tuple:
    """Task, template and decoding, read before the model: mistakes in them cost nothing."""
    from sdft_lib.data import load_task, task_names
    from sdft_lib.distill import GREEDY
    from sdft_lib.experiments.run_one import LONG
    from sdft_lib.generation import Decoding
    from sdft_lib.kinds import judged
    from sdft_lib.templates import load_template

    pattern = load_template(template)
    rows = load_task(task, **reading, say=progress)
    judged(rows.kind)
    if task in task_names() and tokens is None:  # a bundled task: as in the lessons
        return rows, pattern, GREEDY
    return rows, pattern, Decoding(max_new_tokens=tokens or LONG)


def gap_data(measured, report: dict) -> dict:
    """The interval, the means of both columns, the mean gap of kept rows (None: none kept)."""
    frame, data = measured.frame, asdict(measured.interval)
    for name in ("nll_reference", "nll_text", "nats_reference", "nats_text"):
        data[name] = float(frame[name].mean())
    kept = frame[frame["source"] == "rewritten"]
    mean = float((kept["nll_reference"] - kept["nll_text"]).mean()) if len(kept) else None
    return data | {"kept_rows_mean": mean} | {key: report[key] for key in ("keep_rate", "template")}


def train(
    data: Annotated[Path, Option(help="Rows from `sdft distill`.")],
    folder: Annotated[Path, Option("--out", help="New folder for the adapter, or the model.")],
    column: common.Column = "text",
    model: common.Model = "smollm2-135m",
    epochs: Annotated[int, Option(min=1, help="Passes over the rows.")] = 2,
    learning_rate: Rate = None,
    rank: Annotated[int, Option(min=1, help="Rank of the LoRA adapter.")] = 8,
    batch_size: Annotated[int, Option(min=1, help="Rows a step.")] = 8,
    seed: Seed = 0,
    minimum_kept: Kept = 0.3,
    full: Full = False,
    gradient_checkpointing: common.Checkpointing = False,
    parts: common.Parts = 1,
    four_bit: common.FourBit = False,
) -> Reply:
    """Train a LoRA adapter, or all weights, on one column, completion only; goes on from its last
    checkpoint after a kill. Several GPUs: accelerate launch -m sdft_lib train (see
    data/recipes/accelerate)."""
    from sdft_lib.models import load_seed
    from sdft_lib.train import TrainConfig, check_share, fine_tune

    common.check_folder(folder, new=True)
    rows = training_rows(data, column)
    check_share(rows, column, minimum_kept)
    if learning_rate is None:
        learning_rate = 2e-5 if full else 5e-4
    settings = {"rank": rank, "alpha": 2 * rank, "learning_rate": learning_rate, "seed": seed}
    settings |= {"epochs": epochs, "batch_size": batch_size, "parts": parts, "full": full}
    config = TrainConfig(**settings, checkpointing=gradient_checkpointing)
    if full and four_bit:
        remedy = "leave out --full (QLoRA), or --four-bit"
        raise SdftError(f"4-bit weights cannot be trained themselves; {remedy}.")
    label = "sdft" if column == "text" else "sft"
    loaded = load_seed(model, four_bit=four_bit or None, say=progress)
    options = {"column": column, "label": label, "minimum_kept": minimum_kept}
    tuned = fine_tune(loaded, rows, config, **options, say=progress)
    copy_folder(tuned.adapter, folder)
    line = f"{label}: {tuned.record['steps']} steps in {tuned.record['seconds']:.0f} s"
    return Reply({"adapter": str(folder), **tuned.record}, f"{line}\n{folder}")


def training_rows(path: Path, column: str) -> list[dict]:
    """Rows of a distilled set, or, for the references alone, of any task file. Raises SdftError."""
    from sdft_lib.data import load_task
    from sdft_lib.formats.records import read_records
    from sdft_lib.formats.rows import DISTILLED, distilled_rows

    if column not in ("text", "reference"):
        choice = "use text (rewrites) or reference (originals)"
        raise SdftError(f'column "{column}" is not known; {choice}.')
    records = read_records(path)
    if column == "reference" and not records[0].values.keys() >= set(DISTILLED):
        return load_task(path, say=progress).train
    return distilled_rows(records, column)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, complete or not at all; of several processes, the first does it.

    A link to an empty folder stays. What a killed copy left is removed."""
    if process_rank():
        return
    target = Path(os.path.realpath(target))
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        os.replace(partial, target)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise SdftError(f"{target}: {reason}; choose another folder.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def evaluate(
    adapter: Annotated[Path | None, Option(help="Folder from sdft train; none: the seed.")] = None,
    suite: Annotated[list[str] | None, Option(help="task, facts, helpful, ...; repeat it.")] = None,
    task: common.Task = "tickets",
    model: common.Model = "smollm2-135m",
    split: Annotated[str, Option(help="Rows of the suite `task`: dev or test.")] = "test",
    limit: common.Limit = None,
    method: Annotated[str | None, Option(help="Name of the model in the rows.")] = None,
    out: common.Items = None,
    four_bit: common.FourBit = False,
    engine: common.Engine = "torch",
    gpus: common.Gpus = 1,
) -> Reply:
    """Score the seed model or an adapter; harmful answers are scored and never written."""
    from sdft_lib.evaluate import evaluate
    from sdft_lib.stats import summarise

    common.check_adapter(adapter, out)
    label = common.model_name(method, adapter.resolve().name if adapter else "seed")
    suites = chosen_suites(suite, task, split, limit)
    options = {"engine": engine, "gpus": gpus, "four_bit": four_bit or None}
    loaded = common.load_model(model, adapter, label, **options)
    frame = evaluate(loaded, suites, method=label, say=progress)
    common.write_rows(out, frame.to_dict("records"))
    table = summarise(frame)
    return Reply(common.as_rows(table), as_text(table))


def chosen_suites(names: list[str] | None, task: str, split: str, limit: int | None) -> list:
    """The suites by name, cut to ``limit`` rows; all six if no name is given."""
    from sdft_lib.data import PROBES, load_probes, load_task, task_suite
    from sdft_lib.evaluate import cut
    from sdft_lib.formats.toml import check_known

    known = ("task", *PROBES)
    wanted = list(dict.fromkeys(names or known))
    for name in wanted:
        check_known(name, known, "suite")
    if split != "test" and "task" not in wanted:
        reason = "chooses rows of the suite task, which is not asked for"
        raise SdftError(f"--split {split} {reason}; add --suite task.")
    suites = []
    for name in wanted:
        own = name == "task"
        suite = task_suite(load_task(task, say=progress), split) if own else load_probes(name)
        suites.append(cut(suite, limit))
    return suites
