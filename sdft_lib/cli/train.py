"""Commands of ``sdft`` that train and score: train, evaluate. Inputs and outputs are checked before
a model loads.

Results come from the store if a lesson or an earlier command made them with the same settings.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli.common import (
    Engine,
    Gpus,
    JsonFlag,
    Limit,
    Model,
    Reply,
    Task,
    as_text,
    check_file,
    check_folder,
    progress,
)
from sdft_lib.storage import processes as ranks
from sdft_lib.storage.errors import SdftError

FourBit = Annotated[
    bool, typer.Option("--four-bit", help="Keep the layers' weights in 4 bit (needs bitsandbytes).")
]
Checkpointing = Annotated[
    bool, typer.Option("--gradient-checkpointing", help="Less memory, a third more time.")
]


def training_rows(path: Path, column: str) -> list[dict]:
    """Rows of a distilled set, or, for the references alone, of any task file."""
    from sdft_lib.data import load_task
    from sdft_lib.formats.records import read_records

    if column not in ("text", "reference"):
        raise SdftError(
            f'column "{column}" is not known; use text (rewrites) or reference (originals).'
        )
    records = read_records(path)
    needed = ("id", "messages", "reference", "text", "source")
    if column == "reference" and not all(name in records[0].values for name in needed):
        return load_task(path, say=progress).train
    rows, places = [], {}
    for record in records:
        for name in needed:
            if name not in record.values:
                raise SdftError(
                    f'{record.where}: column "{name}" is missing; make the set with sdft distill.'
                )
        rows.append(checked_row(record, column))
        if (where := places.setdefault(str(record.values["id"]), record.where)) != record.where:
            raise SdftError(
                f'{record.where}: the id "{record.values["id"]}" is that of {where} too; make ids unique.'
            )
    return rows


def checked_row(record, column: str) -> dict:
    """A row of a distilled set whose turns and text to train on are sound. Raises SdftError
    otherwise.
    """
    from sdft_lib.formats.turns import check_order, checked_text, turns

    said = turns(record, ["messages"], "")
    check_order(record.where, said, "messages")
    if not checked_text(record, column, record.values[column]).strip():
        raise SdftError(
            f'{record.where}: column "{column}" is empty; make the set with sdft distill.'
        )
    return {**record.values, "messages": said}


def train(
    data: Annotated[Path, typer.Option("--data", help="Rows from `sdft distill`.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the adapter, or the model.")],
    column: Annotated[
        str, typer.Option("--column", help="text (SDFT) or reference (SFT).")
    ] = "text",
    model: Model = "smollm2-135m",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the rows.")] = 2,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest; else 5e-4, all weights 2e-5.")
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA adapter.")] = 8,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows a step.")] = 8,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Order of the rows and first weights.")
    ] = 0,
    minimum_kept: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of rewritten rows.")
    ] = 0.3,
    full: Annotated[
        bool, typer.Option("--full", help="Train all weights; the result is a whole model.")
    ] = False,
    gradient_checkpointing: Checkpointing = False,
    parts: Annotated[
        int, typer.Option(min=1, help="A batch goes through in so many parts: less memory.")
    ] = 1,
    four_bit: FourBit = False,
    as_json: JsonFlag = False,
) -> Reply:
    """Train a LoRA adapter, or all weights, on one column, completion only; goes on from its last
    checkpoint after a kill. Several GPUs: accelerate launch -m sdft_lib train (see
    data/recipes/accelerate)."""
    from sdft_lib.models import load_seed
    from sdft_lib.train import TrainConfig, check_share, fine_tune

    check_folder(out, new=True)
    rows = training_rows(data, column)
    check_share(rows, column, minimum_kept)
    if learning_rate is None:
        learning_rate = 2e-5 if full else 5e-4
    config = TrainConfig(
        rank=rank,
        alpha=2 * rank,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        full=full,
        checkpointing=gradient_checkpointing,
        parts=parts,
    )
    if full and four_bit:
        raise SdftError(
            "4-bit weights cannot be trained themselves; leave out --full (QLoRA), or --four-bit."
        )
    label = "sdft" if column == "text" else "sft"
    loaded = load_seed(model, four_bit=four_bit or None, say=progress)
    tuned = fine_tune(
        loaded, rows, config, column=column, label=label, minimum_kept=minimum_kept, say=progress
    )
    copy_folder(tuned.adapter, out)
    steps, seconds = tuned.record["steps"], tuned.record["seconds"]
    return Reply(
        {"adapter": str(out), **tuned.record}, f"{label}: {steps} steps in {seconds:.0f} s\n{out}"
    )


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder so that ``target`` appears whole or not at all; of several processes, the first
    does it.
    """
    if ranks.rank():
        return
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        shutil.copytree(source, partial)
        os.replace(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise SdftError(
            f"{target}: cannot be written ({error.strerror or error}); choose another folder."
        ) from None


def evaluate(
    adapter: Annotated[
        Path | None, typer.Option("--adapter", help="Folder from sdft train; none: the seed.")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="task, facts, helpful, ...; repeat it.")
    ] = None,
    task: Task = "tickets",
    model: Model = "smollm2-135m",
    split: Annotated[
        str, typer.Option("--split", help="Rows of the suite `task`: dev or test.")
    ] = "test",
    limit: Limit = None,
    method: Annotated[
        str | None, typer.Option("--method", help="Name of the model in the rows.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file, one row an item.")] = None,
    four_bit: FourBit = False,
    engine: Engine = "torch",
    gpus: Gpus = 1,
    as_json: JsonFlag = False,
) -> Reply:
    """Score the seed model or an adapter; harmful answers are scored and never written."""
    import json

    from sdft_lib.engines.load import load
    from sdft_lib.evaluate import evaluate as evaluate_model
    from sdft_lib.stats import summarise
    from sdft_lib.storage.files import write_jsonl

    check_file(out, task)
    check_adapter(adapter, out)
    check_method(method)
    chosen = chosen_suites(suite, task, split, limit)
    label = method or (adapter.resolve().name if adapter else "seed")
    loaded = load(model, engine, gpus=gpus, four_bit=four_bit or None, say=progress)
    if adapter is not None:
        loaded = adapted(loaded, adapter, label)
    frame = evaluate_model(loaded, chosen, method=label, say=progress)
    if out is not None:
        write_jsonl(out, frame.to_dict("records"))
    table = summarise(frame)
    return Reply(json.loads(table.to_json(orient="records")), as_text(table))


def check_adapter(folder: Path | None, out: Path | None) -> None:
    """Raise SdftError unless ``folder`` holds an adapter or a model in safetensors, which ``out``
    leaves alone.
    """
    if folder is None:
        return
    from sdft_lib.training.adapters import is_whole, whole_weights

    if is_whole(folder):
        whole_weights(folder)
    else:
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            if not (folder / name).is_file():
                raise SdftError(
                    f"{folder} is not the folder of an adapter ({name} is missing); sdft train makes one."
                )
    if out is not None and out.resolve().is_relative_to(folder.resolve()):
        raise SdftError(f"{out} lies in the adapter's folder; choose another place for the output.")


def check_method(name: str | None) -> None:
    """Raise SdftError unless the name can stand in a table, a file and a figure as it is."""
    if name is not None and not re.fullmatch(r"\w[\w .+-]{0,39}", name):
        raise SdftError(
            f"--method {name[:40]!r} is no name; use up to 40 letters, digits, spaces, dots, + and -."
        )


def adapted(seed, folder: Path, label: str):
    """The seed with the adapter; files that peft cannot read, or of another model, are one
    sentence.
    """
    from safetensors import SafetensorError

    from sdft_lib.models import with_adapter

    try:
        return with_adapter(seed, folder, label=label)
    except SdftError:
        raise
    except (KeyError, ValueError, TypeError, RuntimeError, OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise SdftError(
            f"{folder}: this adapter does not fit {seed.name} ({type(error).__name__}: {reason}); train it again."
        ) from None


def chosen_suites(names: list[str] | None, task: str, split: str, limit: int | None) -> list:
    """The suites by name, cut to ``limit`` rows; all six if no name is given."""
    from sdft_lib.data import PROBES, load_probes, load_task, task_suite
    from sdft_lib.evaluate import cut

    known = ("task", *PROBES)
    wanted = list(dict.fromkeys(names or known))
    if unknown := [name for name in wanted if name not in known]:
        raise SdftError(f'there is no suite "{unknown[0]}"; use {", ".join(known)}.')
    if split != "test" and "task" not in wanted:
        raise SdftError(
            f"--split {split} chooses rows of the suite task, which is not asked for; add --suite task."
        )
    return [
        cut(
            task_suite(load_task(task, say=progress), split)
            if name == "task"
            else load_probes(name),
            limit,
        )
        for name in wanted
    ]
