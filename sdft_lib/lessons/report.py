"""The comparison as a file: ``summary.json`` for programs, ``report.html`` for people (lesson 04).

Both are built from the store: a lesson with the same settings did every step below, so nothing is
computed twice."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path

from sdft_lib.experiments.comparison import Results, collect
from sdft_lib.lessons.tables import visible
from sdft_lib.settings import lesson_settings
from sdft_lib.storage.files import write_text

CLAIMS = {  # claim: (suite, a, b) and what the interval of a minus b must do
    "SFT knows fewer facts than the seed": (
        ("facts", "sft", "seed"),
        lambda m, low, high: high < 0,
    ),
    "SDFT knows more facts than SFT": (("facts", "sdft", "sft"), lambda m, low, high: low > 0),
    "SDFT loses less than 0.10 of the seed's facts": (
        ("facts", "sdft", "seed"),
        lambda m, low, high: low > -0.1,
    ),
    "SDFT learns the task to within 0.10 of SFT": (
        ("task", "sdft", "sft"),
        lambda m, low, high: low > -0.1,
    ),
}


def claims(gap_interval, keep_rate: float, paired) -> list[dict]:
    """What this tutorial sets out to show, each with its value, its interval and whether it was
    reached.

    ``paired`` is the DataFrame of ``stats.compare``; a claim about a method that was not run is
    left out. The intervals cover test items, not training seeds."""
    rows = [
        verdict(
            "at least 90 % of the rewrites are kept",
            (keep_rate,) * 3,
            lambda m, low, high: m >= 0.9,
        ),
        verdict(
            "the gap closes by more than 2 nats a token",
            (gap_interval.mean, gap_interval.low, gap_interval.high),
            lambda m, low, high: m > 2 and low > 0,
        ),
    ]
    found = {
        (row.suite, row.a, row.b): (row.difference, row.low, row.high)
        for row in paired.itertuples()
    }
    rows += [
        verdict(claim, found[key], test) for claim, (key, test) in CLAIMS.items() if key in found
    ]
    return rows


def verdict(claim: str, values: tuple, test) -> dict:
    """One claim as a row; ``why`` says in words what the interval allows."""
    value, low, high = (round(float(number), 4) for number in values)
    reached = bool(test(value, low, high))
    why = (
        "holds"
        if reached
        else f"measured {value:.2f}, 95 % interval {low:.2f} to {high:.2f}, does not carry it"
    )
    return {
        "claim": claim,
        "value": value,
        "low": low,
        "high": high,
        "reached": reached,
        "why": why,
    }


def summary(results: Results, *, fast: bool, lessons: Sequence[dict] = ()) -> dict:
    """The dictionary that becomes ``summary.json``."""
    import platform

    verdicts = claims(results.gap.interval, results.distilled.report["keep_rate"], results.paired)
    interval = results.gap.interval
    return {
        "mode": "fast" if fast else "default",
        "task": task_facts(results.task),
        "cpu": cpu_name() or platform.processor() or platform.machine(),
        "dtype": results.dtype,
        "lessons": list(lessons),
        "keep_rate": results.distilled.report["keep_rate"],
        "nll_gap": {
            "mean": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "n": interval.n,
        },
        "scores": json.loads(results.summary.to_json(orient="records")),
        "paired": json.loads(results.paired.to_json(orient="records")),
        "claims": verdicts,
        "not_reached": [
            {key: row[key] for key in ("claim", "value", "why")}
            for row in verdicts
            if not row["reached"]
        ],
        "likeness": likeness(results.frame),
        "cost": cost(results),
    }


def task_facts(task) -> dict:
    """Name, kind and the number of rows of each split: what was learnt, and on how much."""
    rows = {split: len(getattr(task, split) or ()) for split in ("train", "dev", "test")}
    return {"name": task.name, "kind": task.kind, **rows}


def likeness(frame) -> list[dict]:
    """How much each tuned model's helpful answers share with the seed's: mean ROUGE-L and embedding
    cosine.
    """
    from sdft_lib.experiments.similarity import to_seed

    means = (
        to_seed(frame, say=lambda line: None)
        .groupby("method", sort=False)[["rouge_l", "cosine"]]
        .mean()
    )
    return json.loads(means.round(4).reset_index().to_json(orient="records"))


def cost(results: Results) -> dict:
    """Seconds, tokens and peak memory of the rewriting and of each training, when the artefacts
    were made.

    The seed's answers for replay and the further rewrites of ``sdft-best`` are not in it.
    """
    keys = ("seconds", "tokens", "trained_tokens", "peak_mb")
    steps = {"rewriting": results.distilled.report}
    steps |= {f"training {name}": run.record for name, run in results.tuned.items()}
    return {
        step: {key: facts[key] for key in keys if key in facts} for step, facts in steps.items()
    }


def cpu_name() -> str:
    """The processor's model name on Linux; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), ""
    )


def write(
    out: Path, *, fast: bool, lessons: Sequence[dict] = (), results: Results | None = None
) -> dict:
    """Write ``summary.json`` and ``report.html`` into ``out`` and return the summary; ``results``:
    the lessons'.
    """
    results = results or collect(lesson_settings(fast=fast), say=lambda line: None)
    data = summary(results, fast=fast, lessons=lessons)
    write_text(Path(out) / "summary.json", json.dumps(data, indent=1) + "\n")
    write_text(Path(out) / "report.html", page(data, results))
    return data


def page(data: dict, results: Results) -> str:
    """The report as one HTML file: claims, scores, paired differences, figures, times."""
    from sdft_lib.lessons.figures import all as figures

    rows = results.gap.frame
    shown = [
        figures.scores(results.summary),
        figures.gap_histogram(
            {"references": list(rows.nll_reference), "rewrites": list(rows.nll_text)},
            gap=results.gap.interval,
        ),
        figures.loss_curves({name: run.log for name, run in results.tuned.items()}),
    ]
    cost_rows = [{"step": step, **values} for step, values in data["cost"].items()]
    parts = [
        f"<p>Mode {data['mode']}, {html.escape(visible(data['cpu']))}, {data['dtype']}. Intervals are 95 % and cover "
        "test items, not training seeds.</p>",
        "<h2>The task, and how many rows there are</h2>" + table([data["task"]]),
        "<h2>What was to be shown</h2>" + table(data["claims"]),
        "<h2>The models</h2>" + table(data["scores"]),
        "".join(figure_html(item) for item in shown),
        "<h2>Paired differences (a minus b)</h2>" + table(data["paired"]),
        "<h2>Likeness of helpful answers to the seed's</h2>" + table(data["likeness"]),
        "<h2>Cost</h2>" + table(cost_rows) + (table(data["lessons"]) if data["lessons"] else ""),
    ]
    style = (
        "body{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "td,th{padding:.2em .6em;text-align:left}img{max-width:100%}"
    )
    head = "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
    return (
        f"{head}<title>SDFT tutorial: report</title><style>{style}</style>"
        f"<h1>Self-distillation fine-tuning: what this run shows</h1>{''.join(parts)}</html>\n"
    )


def table(rows: Sequence[dict]) -> str:
    """Rows of dictionaries as an escaped HTML table."""
    import pandas

    shown = pandas.DataFrame(rows).map(
        lambda value: value if isinstance(value, bool | int | float) else visible(value)
    )
    return shown.to_html(
        index=False, float_format=lambda value: f"{value:.3f}", border=0, escape=True
    )


def figure_html(shown) -> str:
    """A figure as an inline PNG with its alternative text and caption."""
    buffer = io.BytesIO()
    shown.fig.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    image = base64.b64encode(buffer.getvalue()).decode()
    return (
        f"<figure><img alt='{html.escape(visible(shown.alt))}' src='data:image/png;base64,{image}'>"
        f"<figcaption>{html.escape(visible(shown.caption))}</figcaption></figure>"
    )
