"""One run: rewrite, train, evaluate (lessons 03 to 05). The comparison of lesson 04, as the report
and ``sdft run`` need it, is made of such runs.

Every step comes from the store where a lesson did it with the same settings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas

from sdft_lib.data import ABILITIES, Task, load_general, load_task
from sdft_lib.distill import GREEDY, SAMPLED, DistilledSet, distill
from sdft_lib.evaluate import evaluate, stored_answers, suites
from sdft_lib.experiments import methods as known
from sdft_lib.experiments.methods import METHODS, Method, asked, method
from sdft_lib.experiments.on_policy import fine_tune_on_policy
from sdft_lib.formats.folders import load_rewrites
from sdft_lib.gap import Gap, gap, nll
from sdft_lib.generation import Decoding
from sdft_lib.kinds import KINDS, judged
from sdft_lib.models import Seed, load_seed, with_adapter
from sdft_lib.own_data.split import split_task
from sdft_lib.settings import Settings
from sdft_lib.stats import compare, summarise
from sdft_lib.storage.store import artefact
from sdft_lib.templates import DistillTemplate, load_template
from sdft_lib.train import VERSION, TrainConfig, Tuned, check_share, fine_tune
from sdft_lib.training.weights import scale_adapter, trained_identity

DEFAULT = ("sft", "sft-sentence", "sdft")
TESTED = ("task", *ABILITIES)  # suites of the declared family: the others are scored, not tested
LEAST_KEPT = 0.3  # share of rewritten rows under which SDFT would be SFT under another name
LEAST_STEPS = 40  # of a training on a file of your own: two passes over 34 rows would teach nothing
GENERAL_TOKENS = 96  # an answer to a general prompt has at most


@dataclass(frozen=True)
class Run:
    """A method's training on a task, what ``score`` said of each of its kept adapters, and the rows
    that were trained on."""

    tuned: Tuned
    scores: list[dict]
    rows: list[dict]


def run_one(
    seed: Seed,
    task: Task,
    name: str,
    config: TrainConfig,
    *,
    template: DistillTemplate | None = None,
    rows: Sequence[dict] | None = None,
    limit: int | None = None,
    decoding: Decoding | None = None,
    start: Seed | None = None,
    score: Callable[[Seed, float], list[dict]] | None = None,
    label: str = "",
    minimum_kept: float = LEAST_KEPT,
    say: Callable[[str], None] = print,
) -> Run:
    """Rewrite the first ``limit`` rows of a task, train ``name`` on them, score the adapters.

    ``rows``: a distilled set that is there already. ``start``: the model to train, where that is
    not the seed. ``score(model, share)`` returns the rows of one adapter, kept after this share of
    the training; without it nothing is scored. ``label``: what the training is called."""
    chosen, scores = method(name, METHODS), []
    general = own_answers(seed, load_general(), say=say) if chosen.replay else ()
    written = load_rewrites(f"{task.name}-{chosen.writer}") if chosen.writer else None
    if rows is None or chosen.candidates > 1:
        made = {"template": template, "limit": limit, "say": say}
        rows = rewrites(seed, task, chosen, decoding or budget(task), **made)
    rows = known.rows_for(chosen, rows, general=general, written=written, seed=config.seed)
    start, least = start or seed, minimum_kept if chosen.rewrites else 0.0
    options = {"label": label or name, "say": say}
    if chosen.on_policy:
        options["private"] = KINDS[task.kind].private
        tuned = fine_tune_on_policy(start, rows, config, chosen.on_policy, **options)
    else:
        options |= {"column": chosen.column, "minimum_kept": least}
        tuned = fine_tune(start, rows, known.configured(chosen, config), **options)
    if chosen.scaled != 1:
        tuned = scaled(tuned, chosen.scaled)
    for share, adapter in tuned.kept.items() if score else ():
        scores += score(with_adapter(start, adapter, label=name), share)
    return Run(tuned, scores, rows)


def scaled(tuned: Tuned, scale: float) -> Tuned:
    """A training whose adapters are ``scale`` times as strong; its cost is that of the training."""
    kept = {}
    for share, adapter in tuned.kept.items():
        parts = {"adapter": trained_identity(adapter), "scale": scale, "version": VERSION}
        kept[share] = artefact("adapter", parts, partial(scale_adapter, adapter, scale))
    return replace(tuned, adapter=kept[1.0], kept=kept)


def rewrites(
    seed: Seed, task: Task, chosen: Method, decoding: Decoding, *, say, **options
) -> list[dict]:
    """A distilled set: one greedy rewrite of each row, or ``best_of`` it and sampled ones, as many
    ``candidates`` as the method asks for. ``options`` go to ``distill``: template, limit."""
    sets = []
    for number in range(chosen.candidates):
        tried = replace(decoding, seed=number, **SAMPLED) if number else decoding
        sets.append(distill(seed, task, decoding=tried, say=say, **options).rows)
    if len(sets) == 1:
        return sets[0]
    costs = [nll(seed, rows, "text", say=say)["nll"].tolist() for rows in sets]
    return known.best_of(sets, costs, chosen.unlikely)


def own_answers(seed: Seed, prompts: Sequence[dict], *, say=print) -> list[dict]:
    """The seed's greedy answers to general prompts, where they ended, as distilled rows."""
    what = f"{seed.name}: answering {len(prompts)} general prompts for replay"
    decoding = Decoding(max_new_tokens=GENERAL_TOKENS)
    answers = stored_answers(seed, prompts, decoding, what=what, say=say, progress=say)
    rows = []
    for row in answers:
        if row["finish_reason"] == "stop" and row["text"]:
            made = {"id": row["id"], "messages": row["messages"], "reference": row["text"]}
            rows.append(made | {"text": row["text"], "source": "rewritten", "reason": "replay"})
    return rows


@dataclass(frozen=True)
class Results:
    """What the comparison rests on; ``tuned``: training by method, ``frame``: scores by item."""

    task: Task
    distilled: DistilledSet
    gap: Gap
    tuned: dict[str, Tuned]
    frame: pandas.DataFrame
    summary: pandas.DataFrame
    paired: pandas.DataFrame
    dtype: str


def collect(
    settings: Settings, *, task: Task | None = None, methods: Sequence[str] = DEFAULT, say=print
) -> Results:
    """Train each method at one budget and score it and the seed; ``task``: that of ``own_task``."""
    chosen = [method(name) for name in methods]
    task, template = task or own_task(settings.task, say=say), load_template(settings.template)
    seed, decoding = load_seed(settings.model, say=say), budget(task)
    options = {"template": template, "limit": settings.train_rows, "decoding": decoding, "say": say}
    distilled = distill(seed, task, **options)
    if any(each.rewrites and each.candidates == 1 for each in chosen):
        check_share(distilled.rows, "text", LEAST_KEPT)  # before the first training, not after it
    measured = gap(seed, distilled, say=say)
    tuned = {}

    def score(model: Seed, share: float) -> list[dict]:
        own = suites(settings, asked(task, METHODS[model.label]) if share else task)
        return evaluate(model, own, method=model.label, say=say).to_dict("records")

    options |= {"rows": distilled.rows, "score": score}
    rows = score(seed, 0.0)
    for name in methods:
        run = run_one(seed, task, name, settings.training, **options)
        tuned[name] = run.tuned
        rows += run.scores
    frame = pandas.DataFrame(rows)
    paired = compare(frame, pairs(methods), TESTED)
    return Results(task, distilled, measured, tuned, frame, summarise(frame), paired, seed.dtype)


def own_task(name: str, *, say: Callable[[str], None] = print, **reading) -> Task:
    """A task by name or path with test rows: a file without them is split (``split_task``).

    ``reading`` goes to ``load_task``: kind, columns, drop_empty. Raises SdftError for a kind that
    cannot be judged without running code."""
    task = load_task(name, say=say, **reading)
    judged(task.kind)
    return split_task(task, say=say)


def own_settings(settings: Settings, task: Task, template: str | None = None) -> Settings:
    """The settings for a task: a file of your own gets epochs for 40 steps (not in fast mode), and
    its ``usual_template``. ``template``: yours, for any task."""
    training = settings.training
    if not task.bundled and not settings.fast:
        steps = math.ceil(min(len(task.train), settings.train_rows) / training.batch_size)
        training = replace(training, epochs=max(training.epochs, math.ceil(LEAST_STEPS / steps)))
    template = template or usual_template(task, settings.template)
    return replace(settings, training=training, template=template)


def usual_template(task: Task, lessons: str = "opening") -> str:
    """The template where none is named: ``guide`` if the references of a file of your own are whole
    answers (kinds ``open`` and ``program``), else that of the ``lessons``."""
    whole = KINDS[task.kind].needs == "judge"
    return "guide" if whole and not task.bundled else lessons


def budget(task: Task) -> Decoding:
    """How a rewrite is written: as in the lessons for bundled tasks and labels, else it may be as
    long as an answer to the task."""
    as_usual = task.bundled or KINDS[task.kind].needs == "choices"
    return GREEDY if as_usual else Decoding(max_new_tokens=task.max_new_tokens)


def pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """What is compared, declared before any score: each method with the seed, and with the first
    SDFT (or else the first)."""
    first = next((name for name in methods if name.startswith("sdft")), methods[0])
    compared = []
    for name in methods:
        compared.append((name, "seed"))
        if name != first:
            compared.append((first, name))
    return compared
