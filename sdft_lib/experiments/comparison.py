"""The whole method in one call, for the report and ``sdft run``: distil, gap, train, evaluate,
compare (lesson 04).

Everything comes from the store where a lesson did it with the same settings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sdft_lib.settings import Settings

DEFAULT = ("sft", "sdft")
LEAST_KEPT = 0.3  # share of rewritten rows under which SDFT would be SFT under another name
# of a training on a file of your own: two passes over 34 rows would be 10 steps, which teach
# nothing
LEAST_STEPS = 40
# tokens a rewrite may have where the lessons set no budget: references of your own may be long
LONG = 200


@dataclass(frozen=True)
class Results:
    """Everything that the comparison rests on: task, distilled set, gap, training by method,
    per-item scores, tests.
    """

    task: Any
    distilled: Any
    gap: Any
    tuned: dict
    frame: Any
    summary: Any
    paired: Any
    dtype: str


def own_task(name: str, *, say=print, **reading):
    """A task by name or path with test rows: a file without them is split (``splits.split_task``).

    ``reading`` goes to ``load_task``: kind, columns, drop_empty. Raises SdftError for a kind that
    cannot be judged without running code."""
    from sdft_lib.data import load_task
    from sdft_lib.own_data.split import split_task
    from sdft_lib.verify import check_kind

    task = load_task(name, say=say, **reading)
    check_kind(task.kind)
    return split_task(task, say=say)


def own_settings(settings: Settings, task, template: str | None = None) -> Settings:
    """The settings for a task: a file of your own gets epochs for 40 steps (not in fast mode), and
    the template ``guide`` where its references are whole answers (kind ``open``). ``template``:
    yours, for any task."""
    from sdft_lib.data import task_names

    own, training = settings.task not in task_names(), settings.training
    if own and not settings.fast:
        steps = math.ceil(min(len(task.train), settings.train_rows) / training.batch_size)
        training = replace(training, epochs=max(training.epochs, math.ceil(LEAST_STEPS / steps)))
    chosen = template or ("guide" if own and task.kind == "open" else settings.template)
    return replace(settings, training=training, template=chosen)


def collect(
    settings: Settings, *, task=None, methods: Sequence[str] = DEFAULT, say=print
) -> Results:
    """Train each method at one budget and score it and the seed; ``task``: what ``own_task`` made
    of the settings'.
    """
    import pandas

    from sdft_lib.distill import distill
    from sdft_lib.evaluate import evaluate, suites
    from sdft_lib.experiments.methods import configured, method, training_rows
    from sdft_lib.gap import gap
    from sdft_lib.models import load_seed, with_adapter
    from sdft_lib.stats import compare, summarise
    from sdft_lib.templates import load_template
    from sdft_lib.train import check_share, fine_tune

    chosen = {name: method(name) for name in methods}
    task, template = task or own_task(settings.task, say=say), load_template(settings.template)
    seed, options = (
        load_seed(settings.model, say=say),
        {"decoding": budget(settings, task), "say": say},
    )
    distilled = distill(seed, task, template, limit=settings.train_rows, **options)
    if any(each.column == "text" and each.candidates == 1 for each in chosen.values()):
        check_share(distilled.rows, "text", LEAST_KEPT)  # before the first training, not after it
    measured = gap(seed, distilled, say=say)
    asked, tuned = suites(settings, task), {}
    frames = [evaluate(seed, asked, method="seed", say=say)]
    for name, each in chosen.items():
        rows = training_rows(
            each,
            seed,
            task,
            template,
            distilled.rows,
            limit=settings.train_rows,
            training_seed=settings.training.seed,
            **options,
        )
        config = configured(each, settings.training)
        tuned[name] = fine_tune(seed, rows, config, column=each.column, label=name, say=say)
        frames.append(
            evaluate(
                with_adapter(seed, tuned[name].adapter, label=name), asked, method=name, say=say
            )
        )
    frame = pandas.concat(frames, ignore_index=True)
    paired = compare(frame, pairs(methods))
    return Results(task, distilled, measured, tuned, frame, summarise(frame), paired, seed.dtype)


def budget(settings: Settings, task):
    """How long a rewrite may get: the lessons' budget for bundled tasks and labels, else ``LONG``
    tokens.
    """
    from sdft_lib.data import task_names
    from sdft_lib.distill import GREEDY
    from sdft_lib.generation import Decoding

    return (
        GREEDY
        if settings.task in task_names() or task.kind == "label"
        else Decoding(max_new_tokens=LONG)
    )


def pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """What is compared: each method with the seed, and with the first SDFT of the list, or else its
    first method.
    """
    others = [name for name in methods if name.startswith("sdft")] or list(methods)
    first = others[0]
    found = []
    for name in methods:
        found.append((name, "seed"))
        if name != first:
            found.append((first, name))
    return found
