"""Commands of ``sdft`` that rewrite and measure: distill, gap. Inputs and outputs are checked
before a model loads.

Results come from the store if a lesson or an earlier command made them with the same settings.
"""

from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli.common import (
    Columns,
    DropEmpty,
    Engine,
    Gpus,
    JsonFlag,
    Kind,
    Limit,
    Model,
    Reply,
    Task,
    Template,
    as_text,
    check_file,
    column_map,
    progress,
)
from sdft_lib.experiments.run_one import LONG

Candidates = Annotated[
    int, typer.Option("--candidates", min=1, help="Rewrites tried for each row.")
]
Tokens = Annotated[
    int | None, typer.Option("--max-new-tokens", min=1, help="Longest rewrite, in tokens.")
]


def rewritten(
    task,
    model,
    template,
    *,
    kind,
    limit,
    columns,
    drop_empty,
    candidates=1,
    tokens=None,
    engine="torch",
    gpus=1,
):
    """Seed model and distilled set; task and template are read first, so that a mistake in them
    costs nothing.
    """
    from sdft_lib.data import load_task, task_names
    from sdft_lib.distill import GREEDY
    from sdft_lib.distill import distill as distill_task
    from sdft_lib.engines.load import load
    from sdft_lib.generation import Decoding
    from sdft_lib.templates import load_template
    from sdft_lib.verify import check_kind

    bundled = task in task_names()
    pattern = load_template(template)
    rows = load_task(
        task, kind=kind, columns=column_map(columns), drop_empty=drop_empty, say=progress
    )
    check_kind(rows.kind)
    decoding = GREEDY if bundled and tokens is None else Decoding(max_new_tokens=tokens or LONG)
    seed = load(model, engine, gpus=gpus, say=progress)
    options = {"decoding": decoding, "candidates": candidates, "limit": limit}
    return seed, distill_task(seed, rows, pattern, **options, say=progress)


def distill(
    task: Task = "tickets",
    model: Model = "smollm2-135m",
    template: Template = "opening",
    limit: Limit = None,
    kind: Kind = None,
    candidates: Candidates = 1,
    columns: Columns = None,
    drop_empty: DropEmpty = False,
    max_new_tokens: Tokens = None,
    engine: Engine = "torch",
    gpus: Gpus = 1,
    out: Annotated[Path | None, typer.Option("--out", help="JSONL file for the rows.")] = None,
    as_json: JsonFlag = False,
) -> Reply:
    """Rewrite references with the seed model; a rewrite that fails a check gives way to its
    reference.
    """
    from sdft_lib.distill import report_line
    from sdft_lib.storage.files import write_jsonl

    check_file(out, task)
    _, made = rewritten(
        task,
        model,
        template,
        kind=kind,
        limit=limit,
        columns=columns,
        drop_empty=drop_empty,
        candidates=candidates,
        tokens=max_new_tokens,
        engine=engine,
        gpus=gpus,
    )
    path = made.path / "rows.jsonl"
    if out is not None:
        write_jsonl(out, made.rows)
        path = out
    return Reply({**made.report, "path": str(path)}, f"{report_line(made.report)}\n{path}")


def gap(
    task: Task = "tickets",
    model: Model = "smollm2-135m",
    template: Template = "opening",
    limit: Limit = None,
    kind: Kind = None,
    columns: Columns = None,
    drop_empty: DropEmpty = False,
    max_new_tokens: Tokens = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSONL file, one row an answer.")
    ] = None,
    as_json: JsonFlag = False,
) -> Reply:
    """How far references and rewrites lie from the seed model, in nats a token, given the prompt
    alone.
    """
    from sdft_lib.gap import gap as measure
    from sdft_lib.storage.files import write_jsonl

    check_file(out, task)
    seed, made = rewritten(
        task,
        model,
        template,
        kind=kind,
        limit=limit,
        columns=columns,
        drop_empty=drop_empty,
        tokens=max_new_tokens,
    )
    measured = measure(seed, made, say=progress)
    if out is not None:
        write_jsonl(out, measured.frame.to_dict("records"))
    data = gap_data(measured, made.report)
    table = [
        {"": name, "nats a token": data[f"nll_{key}"], "nats an answer": data[f"nats_{key}"]}
        for name, key in (("references", "reference"), ("training text", "text"))
    ]
    line = (
        f"references minus training text: {data['mean']:.3f} nats a token, 95 % interval "
        f"{data['low']:.3f} to {data['high']:.3f}, {data['n']} rows, fallbacks included"
    )
    return Reply(
        data, f"{as_text(table)}\n{line}\nFigures a token favour long texts: look at both columns."
    )


def gap_data(measured, report: dict) -> dict:
    """The interval, the means of both columns, and the mean gap of the kept rows alone (None: none
    kept).
    """
    frame, interval = measured.frame, measured.interval
    kept = frame[frame["source"] == "rewritten"]
    means = {
        name: float(frame[name].mean())
        for name in ("nll_reference", "nll_text", "nats_reference", "nats_text")
    }
    alone = float((kept["nll_reference"] - kept["nll_text"]).mean()) if len(kept) else None
    return {
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        **means,
        "kept_rows_mean": alone,
        "keep_rate": report["keep_rate"],
        "template": report["template"],
    }
