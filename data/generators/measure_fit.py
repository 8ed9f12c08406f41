"""Measure on dev whether a bundled task fits the default model, and write the three figures into
its card.

    python data/generators/measure_fit.py tickets sums calls

Needs the installed project. Takes about eight minutes a task on two cores; every step is kept in
the store, so a second start goes on. Test items are not looked at."""

import sys
from pathlib import Path

from sdft_lib.data import load_task, task_suite
from sdft_lib.distill import distill
from sdft_lib.evaluate import evaluate
from sdft_lib.models import load_seed, with_adapter
from sdft_lib.settings import lesson_settings
from sdft_lib.storage.store import run_record
from sdft_lib.templates import load_template
from sdft_lib.train import fine_tune

TASKS = Path(__file__).parent.parent / "tasks"
BEGIN, END = "<!-- fit:begin -->", "<!-- fit:end -->"


def measure(name: str, seed) -> str:
    """The card's section as Markdown: seed and SFT score on dev, greedy keep rate, and how each was
    made.
    """
    settings = lesson_settings(task=name)
    task = load_task(name)
    dev = [task_suite(task, split="dev")]
    before = evaluate(seed, dev, method="seed")["score"].mean()
    kept = distill(seed, task, load_template(settings.template), limit=settings.train_rows)
    tuned = fine_tune(seed, kept.rows, settings.training, column="reference", label="sft")
    after = evaluate(with_adapter(seed, tuned.adapter, label="sft"), dev, method="sft")[
        "score"
    ].mean()
    made = run_record(tuned.adapter)
    versions = ", ".join(f"{package} {version}" for package, version in made["versions"].items())
    return (
        f"| on dev, {len(dev[0].rows)} items | value | needed |\n| --- | --- | --- |\n"
        f"| score of the seed | {before:.2f} | |\n"
        f"| score after SFT | {after:.2f} | at least 0.50, and 0.20 above the seed |\n"
        f"| greedy keep rate, template `{settings.template}`, {len(kept.rows)} training rows "
        f"| {kept.report['keep_rate']:.2f} | at least 0.50 |\n\n"
        f"Measured {made['made'][:10]} by `python data/generators/measure_fit.py {name}` with "
        f"{seed.name} "
        f"in {seed.dtype} on {made['machine']} ({versions}); one training seed, settings of "
        "`lesson_settings`."
    )


def main() -> int:
    names = sys.argv[1:] or ["tickets", "sums", "calls"]
    seed = load_seed()
    for name in names:
        card = TASKS / name / "README.md"
        text = card.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        section = measure(name, seed)
        print(section, flush=True)
        card.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
