"""Commands of ``sdft`` for the steps of the method: distill, gap, train, evaluate.

Results come from the store if a lesson or an earlier command made them with the same settings."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from typer import Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, progress
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import new_folder
from sdft_lib.storage.processes import rank as process_rank

Rate = Annotated[float | None, Option(help="The highest; else 5e-4, all weights 2e-5.")]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, help="Order of the rows and first weights.")]
Kept = Annotated[float, Option(min=0, max=1, help="Least share of rewritten rows.")]
PATTERN = Option(
    help="guide, explain, opening, free-opening, ours-gsm8k, ..., or a TOML file; else opening, or "
    "guide for open answers of your own."
)
CHECK = Option(help="Your own check, module:function; it comes last.")


@dataclass(frozen=True)
class Rewriting:
    """Options that decide a distilled set, of ``distill`` and ``gap`` alike."""

    task: common.Task = "tickets"
    model: common.Model = "smollm2-135m"
    template: Annotated[str | None, PATTERN] = None
    rules: common.Rules = "ours"
    limit: common.Limit = None
    kind: common.Kind = None
    columns: common.Columns = None
    drop_empty: common.DropEmpty = False
    candidates: Annotated[int, Option(min=1, help="Rewrites tried for each row.")] = 1
    max_new_tokens: Annotated[int | None, Option(min=1, help="Longest rewrite, in tokens.")] = None
    temperature: Annotated[float | None, Option(min=0, help="Of sampling; 0: greedy.")] = None
    top_p: Annotated[
        float | None, Option(min=1e-9, max=1, help="Sample from this share of probability.")
    ] = None
    top_k: Annotated[int | None, Option(min=0, help="Sample from so many tokens; 0: all.")] = None
    seed: Annotated[int | None, Option(min=0, help="Of sampled rewrites.")] = None
    verifier: Annotated[str | None, CHECK] = None
    allow_code_execution: common.AllowCode = False


def rewriting(asked: Rewriting, load: Callable):
    """The distilled set, and the model of ``load(name)``, which is read last: mistakes in the
    options cost nothing."""
    from sdft_lib.data import load_task
    from sdft_lib.distill import distill
    from sdft_lib.experiments.run_one import usual_template
    from sdft_lib.kinds import judged
    from sdft_lib.paper.rules import rules_of
    from sdft_lib.templates import load_template

    rules = rules_of(asked.rules)
    template = None if asked.template is None else named_template(asked.template)
    reading = common.reading(asked.kind, asked.columns, asked.drop_empty)
    task = load_task(asked.task, **reading, say=progress)
    judged(task.kind)
    template = template or load_template(usual_template(task))
    options = {"limit": asked.limit, "candidates": asked.candidates, "rules": rules}
    options["decoding"] = decoding_of(asked, task, rules)
    options["verifier"] = own_check(asked.verifier, task.kind, asked.allow_code_execution)
    seed = load(asked.model)
    return distill(seed, task, template, **options, say=progress), seed


def named_template(name: str):
    """A template by the name of a wording of the paper's sets, else as ``load_template`` has it."""
    from sdft_lib.paper.recipes import load_wording
    from sdft_lib.templates import load_template

    words = load_wording()
    dataset = name.removeprefix(f"{words.name}-")
    return words.template(dataset) if dataset in words.distil else load_template(name)


def decoding_of(asked: Rewriting, task, rules):
    """How rewrites are written: as long as in ``sdft run``, or as the paper's rules draw them; what
    was asked for comes before all."""
    from sdft_lib.experiments.run_one import budget
    from sdft_lib.generation import Decoding

    usual = budget(task)
    if rules:
        usual = Decoding(max_new_tokens=512, **rules.sampling)
    given = {name: getattr(asked, name) for name in asdict(usual) if hasattr(asked, name)}
    return replace(usual, **{name: value for name, value in given.items() if value is not None})


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


def distill(
    asked: Rewriting,
    engine: common.Engine = "torch",
    gpus: common.Gpus = 1,
    out: Annotated[Path | None, Option(help="JSONL file for the rows.")] = None,
) -> Reply:
    """Rewrite references with the seed model. A rewrite that fails a check gives way to its
    reference. --verifier names a function of yours, check(row, text) -> Verdict."""
    from sdft_lib.distill import report_line
    from sdft_lib.engines.load import load
    from sdft_lib.paper.rules import every_turn

    made, _ = rewriting(asked, lambda name: load(name, engine, gpus=gpus, say=progress))
    common.write_rows(out, every_turn(made.rows) if asked.rules == "paper" else made.rows)
    path = out or made.path / "rows.jsonl"
    text = f"{report_line(made.report)}\nrules: {asked.rules}\n{path}"
    return Reply({**made.report, "rules": asked.rules, "path": str(path)}, text)


def gap(
    asked: Rewriting,
    out: Annotated[Path | None, Option(help="JSONL file, one row an answer.")] = None,
) -> Reply:
    """How much references and rewrites surprise the seed. In nats a token, given the prompt
    alone."""
    from sdft_lib.gap import gap
    from sdft_lib.models import load_seed

    made, seed = rewriting(asked, lambda name: load_seed(name, say=progress))
    measured = gap(seed, made, say=progress)
    frame, data, table = measured.frame, asdict(measured.interval), []
    common.write_rows(out, frame.to_dict("records"))
    for name, key in (("references", "reference"), ("training text", "text")):
        data[f"nll_{key}"] = nll = float(frame[f"nll_{key}"].mean())
        data[f"nats_{key}"] = nats = float(frame[f"nats_{key}"].mean())
        table.append({"": name, "nats a token": nll, "nats an answer": nats})
    own = frame[frame["source"] == "rewritten"]
    mean = float((own["nll_reference"] - own["nll_text"]).mean()) if len(own) else None
    data |= {"kept_rows_mean": mean, "keep_rate": made.report["keep_rate"]}
    data["template"] = made.report["template"]
    line = (
        f"references minus training text: {data['mean']:.3f} nats a token, 95 % interval "
        f"{data['low']:.3f} to {data['high']:.3f}, {data['n']} rows, fallbacks included\n"
        "Figures a token favour long texts: look at both columns."
    )
    return Reply(data, f"{as_text(table)}\n{line}")


def train(
    data: Annotated[Path, Option(help="Rows from `sdft distill`.")],
    folder: Annotated[Path, Option("--out", help="New folder for the adapter, or the model.")],
    column: common.Column = "text",
    model: common.Model = "smollm2-135m",
    epochs: Annotated[int, Option(min=1, help="Passes over the rows.")] = 2,
    learning_rate: Rate = None,
    rank: Annotated[int, Option(min=1, help="Rank of the LoRA adapter.")] = 8,
    alpha: Annotated[int | None, Option(min=1, help="Its scale; else twice the rank.")] = None,
    dropout: Annotated[float, Option(min=0, max=0.99, help="Of the adapter's input.")] = 0.0,
    warmup: Annotated[float, Option(min=0, max=0.99, help="Share of the steps.")] = 0.05,
    batch_size: Annotated[int, Option(min=1, help="Rows a step.")] = 8,
    seed: Seed = 0,
    minimum_kept: Kept = 0.3,
    full: common.flag("--full", "Train all weights; the result is a whole model.") = False,
    gradient_checkpointing: common.Checkpointing = False,
    parts: common.Parts = 1,
    four_bit: common.FourBit = False,
) -> Reply:
    """Train a LoRA adapter, or all weights, on one column. Only answers are trained. After a kill
    it goes on from its last checkpoint. Several GPUs: accelerate launch -m sdft_lib train (see
    data/recipes/accelerate)."""
    from sdft_lib.models import load_seed
    from sdft_lib.train import TrainConfig, check_share, fine_tune

    common.check_folder(folder, new=True)
    rows = training_rows(data, column)
    check_share(rows, column, minimum_kept)
    if learning_rate is None:
        learning_rate = 2e-5 if full else 5e-4
    settings = {"rank": rank, "alpha": alpha or 2 * rank, "learning_rate": learning_rate}
    settings |= {"dropout": dropout, "warmup": warmup, "seed": seed}
    settings |= {"epochs": epochs, "batch_size": batch_size, "parts": parts, "full": full}
    config = TrainConfig(**settings, checkpointing=gradient_checkpointing)
    if full and four_bit:
        raise SdftError("4-bit weights cannot be trained; leave out --full (QLoRA), or --four-bit.")
    label = "sdft" if column == "text" else "sft"
    loaded = load_seed(model, four_bit=four_bit or None, say=progress)
    options = {"column": column, "label": label, "minimum_kept": minimum_kept}
    tuned = fine_tune(loaded, rows, config, **options, say=progress)
    if not process_rank():
        with new_folder(folder) as partial:
            shutil.copytree(tuned.adapter, partial, dirs_exist_ok=True)
    line = f"{label}: {tuned.record['steps']} steps in {tuned.record['seconds']:.0f} s"
    return Reply({"adapter": str(folder), **tuned.record}, f"{line}\n{folder}")


def training_rows(path: Path, column: str) -> list[dict]:
    """Rows of a distilled set, or, for the references alone, of any task file. Raises SdftError."""
    from sdft_lib.data import load_task
    from sdft_lib.formats.records import read_records
    from sdft_lib.formats.rows import DISTILLED, distilled_rows

    if column not in ("text", "reference"):
        raise SdftError(f'column "{column}" is not known; use text (rewrites) or reference.')
    records = read_records(path)
    if column == "reference" and not records[0].values.keys() >= set(DISTILLED):
        return load_task(path, say=lambda line: None).train  # no kind plays a part here
    return distilled_rows(records, column)


def evaluate(
    adapter: Annotated[Path | None, Option(help="Folder from sdft train; none: the seed.")] = None,
    suite: Annotated[list[str] | None, Option(help="task, facts, helpful, ...; repeat it.")] = None,
    task: common.Task = "tickets",
    model: common.Model = "smollm2-135m",
    split: Annotated[str, Option(help="Rows of the suite `task`: train, dev or test.")] = "test",
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    limit: common.Limit = None,
    method: Annotated[str | None, Option(help="Name of the model in the rows.")] = None,
    out: common.Items = None,
    four_bit: common.FourBit = False,
    engine: common.Engine = "torch",
    gpus: common.Gpus = 1,
) -> Reply:
    """Score the seed model or an adapter. Harmful answers are scored and never written."""
    from sdft_lib.evaluate import evaluate
    from sdft_lib.stats import summarise

    common.check_adapter(adapter, out)
    label = common.model_name(method, adapter.resolve().name if adapter else "seed")
    reading = common.reading(kind, columns, drop_empty)
    suites = chosen_suites(suite, task, split, limit, reading)
    options = {"engine": engine, "gpus": gpus, "four_bit": four_bit or None}
    loaded = common.load_model(model, adapter, label, **options)
    frame = evaluate(loaded, suites, method=label, say=progress)
    common.write_rows(out, frame.to_dict("records"))
    table = summarise(frame)
    return Reply(common.as_rows(table), as_text(table))


def chosen_suites(
    names: list[str] | None, task: str, split: str, limit: int | None, reading: dict
) -> list:
    """The suites by name, cut to ``limit`` rows; all six if no name is given. ``reading`` says how
    the task is read."""
    from sdft_lib.data import PROBES, load_probes, load_task, task_suite
    from sdft_lib.evaluate import cut
    from sdft_lib.formats.toml import check_known

    known = ("task", *PROBES)
    wanted = list(dict.fromkeys(names or known))
    for name in wanted:
        check_known(name, known, "suite")
    if "task" not in wanted and (split != "test" or any(reading.values())):
        options = "--split, --kind, --columns and --drop-empty"
        raise SdftError(f"{options} are for the suite task; add --suite task.")
    suites = []
    for name in wanted:
        if name == "task":
            suite = task_suite(load_task(task, **reading, say=progress), split)
        else:
            suite = load_probes(name)
        suites.append(cut(suite, limit))
    return suites
