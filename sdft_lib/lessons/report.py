"""The comparison as a file: ``summary.json`` for programs, ``report.html`` for people (lesson 04).
Both are built from the store, where lessons with the same settings left every step."""

import html
import json
import platform
from collections.abc import Sequence
from pathlib import Path

import pandas

from sdft_lib.answers.likeness import cosine, rouge_l
from sdft_lib.experiments.run_one import Results, collect
from sdft_lib.lessons import claims
from sdft_lib.lessons.figures import intervals
from sdft_lib.lessons.figures.lesson_03 import loss_curves
from sdft_lib.lessons.figures.rewrites import gap_histogram
from sdft_lib.lessons.figures.style import image_html
from sdft_lib.settings import lesson_settings
from sdft_lib.storage.files import write_text
from sdft_lib.storage.safe import visible

COST = ("seconds", "tokens", "trained_tokens", "peak_mb")
STYLE = (
    "body{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "td,th{padding:.2em .6em;text-align:left}img{max-width:100%}"
)


def write(
    out: Path, *, fast: bool, lessons: Sequence[dict] = (), results: Results | None = None
) -> dict:
    """Write ``summary.json`` and ``report.html`` of results (else the lessons'); the summary."""
    results = results or collect(lesson_settings(fast=fast), say=lambda line: None)
    data = summary(results, fast=fast, lessons=lessons)
    write_text(Path(out) / "summary.json", json.dumps(data, indent=1) + "\n")
    write_text(Path(out) / "report.html", page(data, results))
    return data


def summary(results: Results, *, fast: bool, lessons: Sequence[dict] = ()) -> dict:
    """The dictionary that becomes ``summary.json``."""
    interval, keep_rate = results.gap.interval, results.distilled.report["keep_rate"]
    verdicts = claims.claims(interval, keep_rate, results.paired)
    missed = [row for row in verdicts if not row["reached"]]
    splits = ("train", "dev", "test")
    counts = {split: len(getattr(results.task, split) or ()) for split in splits}
    return {
        "mode": "fast" if fast else "default",
        "task": {"name": results.task.name, "kind": results.task.kind, **counts},
        "cpu": cpu_name(),
        "dtype": results.dtype,
        "lessons": list(lessons),
        "keep_rate": keep_rate,
        "nll_gap": {key: getattr(interval, key) for key in ("mean", "low", "high", "n")},
        "scores": rows_of(results.summary),
        "paired": rows_of(results.paired),
        "claims": verdicts,
        "not_reached": [{key: row[key] for key in ("claim", "value", "why")} for row in missed],
        "likeness": likeness(results.frame),
        "cost": cost(results),
    }


def rows_of(table: pandas.DataFrame) -> list[dict]:
    """A table as plain JSON rows; a missing number is null."""
    return json.loads(table.to_json(orient="records"))


def cpu_name() -> str:
    """The processor's model name on Linux, what Python knows of it elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def likeness(frame: pandas.DataFrame) -> list[dict]:
    """How much each tuned model's helpful answers share with the seed's: mean ROUGE-L and embedding
    cosine. ``frame`` is what ``evaluate`` returns, the seed's rows among them."""
    answers = frame[frame["suite"] == "helpful"]
    seed = answers[answers["method"] == "seed"].set_index("id")["text"]
    tuned = answers[answers["method"] != "seed"]
    texts, own = tuned["text"].tolist(), seed[tuned["id"]].tolist()
    scores = {"method": tuned["method"].tolist(), "rouge_l": rouge_l(texts, own)}
    scores["cosine"] = cosine(texts, own, say=lambda line: None)
    means = pandas.DataFrame(scores).groupby("method", sort=False).mean()
    return rows_of(means.round(4).reset_index())


def cost(results: Results) -> dict:
    """Seconds, tokens and peak memory of the rewriting and of each training when they were made,
    without the seed's answers for replay and the further rewrites of ``sdft-likely``."""
    steps = {"rewriting": results.distilled.report}
    steps |= {f"training {name}": run.record for name, run in results.tuned.items()}
    return {
        step: {key: facts[key] for key in COST if key in facts} for step, facts in steps.items()
    }


def page(data: dict, results: Results) -> str:
    """The report as one HTML file: the result, claims, scores, differences, figures, times."""
    said = claims.headline(data["scores"], len(results.distilled.rows), data["task"]["name"])
    nats = results.gap.frame
    surprise = {"references": nats["nll_reference"], "rewrites": nats["nll_text"]}
    shown = [
        intervals.headline(results.summary),
        gap_histogram(surprise, gap=results.gap.interval),
        loss_curves({name: run.log for name, run in results.tuned.items()}),
    ]
    costs = [{"step": step, **values} for step, values in data["cost"].items()]
    tables = {
        "The task, and how many rows there are": [data["task"]],
        "What was to be shown": data["claims"],
        "The models": data["scores"],
        "Paired differences (a minus b)": data["paired"],
        "Likeness of helpful answers to the seed's": data["likeness"],
        "Cost": costs,
    }
    parts = []
    for title, rows in tables.items():
        parts.append(f"<h2>{title}</h2>{table(rows)}")
        if title == "The models":
            parts += [image_html(figure) for figure in shown]
    if data["lessons"]:
        parts.append(table(data["lessons"]))
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>SDFT tutorial: report</title><style>{STYLE}</style>"
        "<h1>Self-distillation fine-tuning: what this run shows</h1>"
        f"<p>Mode {data['mode']}, {html.escape(visible(data['cpu']))}, {data['dtype']}. Intervals "
        f"are 95 % and draw units, whole scenarios of test items, not training seeds.</p>"
        f"<p><strong>{html.escape(visible(said))}</strong></p>{''.join(parts)}</html>\n"
    )


def table(rows: Sequence[dict]) -> str:
    """Rows of dictionaries as an escaped HTML table."""
    shown = pandas.DataFrame(rows).map(
        lambda value: value if isinstance(value, bool | int | float) else visible(value)
    )
    return shown.to_html(index=False, float_format="{:.3f}".format, border=0, escape=True)
