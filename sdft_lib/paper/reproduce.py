"""Run the paper's cells: rewrite, train, evaluate a recipe on real data and models (lesson 10).

A cell is one model on one evaluation. What cannot be computed here (no GPU, no data, no judge) is
named in one sentence before anything is loaded. Every step comes from the store if it was done
before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdft_lib.answers.phrases import is_refusal
from sdft_lib.data import Task, load_task
from sdft_lib.distill import distill
from sdft_lib.experiments.run_one import run_one
from sdft_lib.generation import Decoding, generate
from sdft_lib.kinds import KINDS
from sdft_lib.models import Seed, load_seed
from sdft_lib.paper.judge import Judge, judge_all, judged, pairs_of
from sdft_lib.paper.recipes import TABLES, PaperRecipe, Wording, worded
from sdft_lib.paper.rules import Paper, every_turn, phrases_of
from sdft_lib.paper.sandbox import isolation
from sdft_lib.paper.scores import score_answers, table
from sdft_lib.paper.suites import JAILBREAK, SUITES, PaperSuite, check_suffix, load_items, prompt_of
from sdft_lib.scale.hardware import geometry, load_table, parameters
from sdft_lib.storage.devices import choose_device
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl, write_jsonl
from sdft_lib.storage.store import artefact, cache_dir, digest

VERSION = 2  # raise it when a change of code changes the answers
LARGEST_ON_CPU = 2e9  # parameters


@dataclass(frozen=True)
class Ask:
    """What may be asked of this machine: the first ``limit`` rows and items, the ``suffix`` of the
    jailbreak column, whether programs of answers may run, and whether weights are kept in 4 bit.
    ``rules``: the paper's, None: ours; ``phrases``: the file that they need for safety. ``judge``:
    who compares answers to AlpacaEval with its references."""

    limit: int | None = None
    suffix: str = ""
    allow_code: bool = False
    four_bit: bool = False
    rules: Paper | None = None
    phrases: Path | None = None
    judge: Judge | None = None


def reproduce(
    number: int,
    recipes: Sequence[PaperRecipe],
    wording: Wording,
    *,
    model: str | None = None,
    ask: Ask = Ask(),
    say: Callable[[str], None] = print,
) -> tuple[list[dict], dict[str, str]]:
    """The cells of ``recipes`` in a table, and the evaluations that are missing with the reason.

    A cell: recipe, method, rules, evaluation, n, share, low, high, unparsed, keep_rate, adapter
    (its folder, or that of the whole model; None: the seed). ``model`` stands in for the recipe's
    own. Raises SdftError before a model is loaded if something is not there."""
    for recipe in recipes:
        check_machine(recipe, model or recipe.model, four_bit=ask.four_bit)
    suites, missing = suites_of(number, wording, ask)
    tasks = {recipe.dataset: load_task(recipe.dataset, say=say) for recipe in recipes}
    options = {"four_bit": True} if ask.four_bit else {}
    cells, seed, loaded = [], None, None
    for recipe in recipes:
        name = model or recipe.model
        if name != loaded:
            seed = None  # one model in memory at a time
            seed, loaded = in_wording(load_seed(name, **options, say=say), wording), name
        cells += run_recipe(recipe, seed, tasks[recipe.dataset], suites, wording, ask, say)
    return cells, missing


def check_machine(recipe: PaperRecipe, model: str, *, four_bit: bool) -> None:
    """Raise SdftError if it is known beforehand that this machine cannot train the model."""
    if recipe.tuning == "full" and four_bit:
        problem = "all weights are trained there, so they cannot be 4-bit"
        raise SdftError(f"{recipe.name}: {problem}; leave out --four-bit.")
    known = model in load_table("models") and choose_device() == "cpu"
    if known and (count := parameters(geometry(model))) > LARGEST_ON_CPU:
        problem = f"{model} has {count / 1e9:.1f} billion parameters and this machine has no GPU"
        remedy = "run it on one (--dry-run), or try the steps with --model smollm2-135m --limit 16"
        raise SdftError(f"{recipe.name}: {problem}; {remedy}.")


def suites_of(
    number: int, wording: Wording, ask: Ask
) -> tuple[dict[str, list[dict]], dict[str, str]]:
    """The items of each evaluation of a table that can be run here, and why the others cannot."""
    suites, missing = {}, {}
    for name in TABLES[number]:
        try:
            suites[name] = items_of(SUITES[name], wording, ask)
        except SdftError as error:
            missing[name] = str(error)
    if not suites:
        why = "; ".join(missing.values())
        raise SdftError(f"Table {number}: none of its evaluations can be run here ({why})")
    return suites, missing


def items_of(suite: PaperSuite, wording: Wording, ask: Ask) -> list[dict]:
    """An evaluation's items in a wording. SdftError: they cannot be had or scored here."""
    suffix = ask.suffix if suite.name == JAILBREAK else ""
    check_suffix(suite, suffix)
    problem, needs = "", KINDS[suite.kind].needs
    if needs == "judge" and ask.judge is None:
        problem = "its win rate needs a judge; give --url, or use sdft answer and sdft judge"
    elif needs == "sandbox" and not ask.allow_code:
        problem = "it runs programs that a model wrote; say --allow-code-execution"
    if problem:
        raise SdftError(f"{suite.name}: {problem}.")
    if needs == "sandbox":
        isolation()  # raises if there is no sandbox
    phrases_of(suite, ask.rules, ask.phrases)  # raises if they are wanted and not there
    words = wording.test.get(suite.name, {})
    rows = load_items(replace(suite, hint="") if words else suite, ask.limit, suffix=suffix)
    return [row | {"messages": worded(row["messages"], words)} for row in rows]


def in_wording(seed: Seed, wording: Wording) -> Seed:
    """The seed with the wording's chat template, if any; its revision says so (store)."""
    if not wording.chat_template:
        return seed
    seed.tokenizer.chat_template = wording.chat_template
    return replace(seed, revision=f"{seed.revision}+{digest(wording.chat_template)[:8]}")


def run_recipe(
    recipe: PaperRecipe,
    seed: Seed,
    task: Task,
    suites: dict[str, list[dict]],
    wording: Wording,
    ask: Ask,
    say: Callable[[str], None],
) -> list[dict]:
    """The cells of one recipe: the seed model and both trainings on every suite."""
    template = wording.template(recipe.template or recipe.dataset)
    words = wording.train.get(recipe.dataset, {})
    options = {"decoding": recipe.decoding_of(), "limit": ask.limit or recipe.rows}
    made = distill(seed, task, template, rules=ask.rules, **options, say=say)
    rows = every_turn(made.rows) if ask.rules else made.rows
    rows = [row | {"messages": worded(row["messages"], words)} for row in rows]
    counted = {name: phrases_of(SUITES[name], ask.rules, ask.phrases) for name in suites}

    def score(model: Seed, share: float) -> list[dict]:
        lines = []
        for name, items in suites.items():
            suite, phrases = SUITES[name], counted[name]
            rows = answer_items(model, suite, items, rules=ask.rules, phrases=phrases, say=say)
            answers = {row["id"]: row for row in rows}
            if KINDS[suite.kind].needs == "judge":
                lines.append(won(model, ask, items, answers, say))
                continue
            for line in table(score_answers(suite, items, answers, phrases=phrases)):
                numbers = {key: line[key] for key in ("n", "share", "low", "high", "unparsed")}
                lines.append({"evaluation": line["suite"], **numbers})
        return lines

    # As in the paper, a model is trained however few rewrites were kept.
    options = {"rows": rows, "score": score, "minimum_kept": 0.0, "say": say}
    cells = []
    for method in recipe.methods:
        if method == "seed":
            lines, adapter = score(seed, 1.0), None
        else:
            label = f"{recipe.name} {method}"
            run = run_one(seed, task, method, recipe.config(), label=label, **options)
            lines, adapter = run.scores, str(run.tuned.adapter)
        kept = made.report["keep_rate"] if method == "sdft" else None
        for line in lines:
            rules = ask.rules.name if ask.rules else "ours"
            cell = {"recipe": recipe.name, "method": method, "rules": rules, **line}
            cells.append(cell | {"keep_rate": kept, "adapter": adapter})
    return cells


def won(model: Seed, ask: Ask, items: list[dict], answers: dict[str, dict], say) -> dict:
    """How often the judge prefers a model's answers to the references of AlpacaEval, as a line of
    scores; verdicts are kept in the cache, and a second start goes on."""
    plain = load_items(SUITES["alpaca_eval"], ask.limit)  # without any wording
    pairs = pairs_of(plain, {name: row["text"] for name, row in answers.items()})
    path = cache_dir() / "judge" / f"{digest([model.identity, digest(items)])[:24]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = judged(judge_all(ask.judge, pairs, path, say=say))
    line = {"evaluation": "alpaca_eval", "n": result["n"], "share": result["win_rate"]}
    return line | {"low": result["low"], "high": result["high"], "unparsed": result["unread"]}


def answer_items(
    seed: Seed,
    suite: PaperSuite,
    items: list[dict],
    *,
    rules: Paper | None = None,
    phrases: Sequence[str] | None = None,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """One answer an item: suite, id, prompt, text, finish_reason, withheld; greedy, or as ``rules``
    draw it; from the store if they are there. With ``phrases`` (not empty) also ``phrase``: whether
    one stands in the text. An answer that goes along with a harmful request is thrown away
    (``withheld``): its text is empty, which scores as it would have."""
    drawn = rules.sampling if rules and KINDS[suite.kind].needs != "sandbox" else {}
    decoding = Decoding(max_new_tokens=suite.max_new_tokens, **drawn)
    is_private = KINDS[suite.kind].private
    parts = {"seed": seed.identity, "suite": suite.name, "items": digest(items)}
    parts |= {"decoding": decoding.parts, "version": VERSION}
    parts |= {"phrases": digest(phrases)} if phrases else {}

    def build(folder: Path) -> dict:
        say(f"answering {len(items)} items of {suite.name}")
        prompts, names = [item["messages"] for item in items], [item["id"] for item in items]
        path = None if is_private else folder / "answers.jsonl"
        answers = generate(seed, prompts, decoding, names=names, path=path, say=say)
        rows = []
        for item, answer in zip(items, answers, strict=True):
            text = answer.text.strip("\n")
            withheld = is_private and not is_refusal(text)
            row = {"suite": suite.name, "id": item["id"], "prompt": prompt_of(item)}
            row |= {"text": "" if withheld else text, "finish_reason": answer.finish_reason}
            row |= {"phrase": any(phrase in text for phrase in phrases)} if phrases else {}
            rows.append(row | {"withheld": withheld})
        write_jsonl(folder / "rows.jsonl", rows)
        return {"tokens": sum(answer.tokens for answer in answers)}

    return read_jsonl(artefact("answers", parts, build) / "rows.jsonl")
