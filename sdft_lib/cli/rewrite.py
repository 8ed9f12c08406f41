"""Commands of ``sdft`` that rewrite and measure: distill, gap.

Results come from the store if a lesson or an earlier command made them with the same settings."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, check_file, progress

Tokens = Annotated[int | None, Option(min=1, help="Longest rewrite, in tokens.")]


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
    engine: common.Engine = "torch",
    gpus: common.Gpus = 1,
    out: Annotated[Path | None, Option(help="JSONL file for the rows.")] = None,
) -> Reply:
    """Rewrite references with the seed model; a rewrite that fails a check gives way to its
    reference."""
    from sdft_lib.distill import report_line

    check_file(out, task)
    reading = common.reading(kind, columns, drop_empty)
    options = {"limit": limit, "candidates": candidates, "engine": engine, "gpus": gpus}
    _, made = rewritten(task, model, template, reading, max_new_tokens, **options)
    common.write_rows(out, made.rows)
    path = out or made.path / "rows.jsonl"
    return Reply({**made.report, "path": str(path)}, f"{report_line(made.report)}\n{path}")


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
    from sdft_lib.gap import gap

    check_file(out, task)
    reading = common.reading(kind, columns, drop_empty)
    seed, made = rewritten(task, model, template, reading, max_new_tokens, limit=limit)
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


def rewritten(
    task: str,
    model: str,
    template: str,
    reading: dict,
    tokens: int | None,
    *,
    limit: int | None,
    candidates: int = 1,
    engine: str = "torch",
    gpus: int = 1,
):
    """Seed model and distilled set; task and template are read first, so that a mistake in them
    costs nothing."""
    from sdft_lib.data import load_task, task_names
    from sdft_lib.distill import GREEDY, distill
    from sdft_lib.engines.load import load
    from sdft_lib.experiments.run_one import LONG
    from sdft_lib.generation import Decoding
    from sdft_lib.kinds import judged
    from sdft_lib.templates import load_template

    pattern = load_template(template)
    rows = load_task(task, **reading, say=progress)
    judged(rows.kind)
    decoding = Decoding(max_new_tokens=tokens or LONG)
    if task in task_names() and tokens is None:  # a bundled task: as in the lessons
        decoding = GREEDY
    seed = load(model, engine, gpus=gpus, say=progress)
    options = {"limit": limit, "candidates": candidates, "decoding": decoding}
    return seed, distill(seed, rows, pattern, **options, say=progress)


def gap_data(measured, report: dict) -> dict:
    """The interval, the means of both columns, and the mean gap of the kept rows alone (None: none
    kept)."""
    frame, data = measured.frame, asdict(measured.interval)
    for name in ("nll_reference", "nll_text", "nats_reference", "nats_text"):
        data[name] = float(frame[name].mean())
    kept = frame[frame["source"] == "rewritten"]
    mean = float((kept["nll_reference"] - kept["nll_text"]).mean()) if len(kept) else None
    return data | {"kept_rows_mean": mean} | {key: report[key] for key in ("keep_rate", "template")}
