"""Commands of ``sdft`` for the paper's evaluations: answer, score, judge, knowledge,
compare-lm-eval.

Answers are made once, into a file with ids, and scored from it as often as needed. Texts of answers
to harmful requests are never written unless they refuse."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, as_text, check_adapter, check_file, check_folder, progress
from sdft_lib.storage.errors import SdftError

Suite = Annotated[str, Option(help="gsm8k, multiarith, openfunctions, humaneval, advbench, ...")]
Answers = Annotated[Path, Argument(help="JSONL with id and text, such as `sdft answer` writes.")]
Against = Annotated[Path | None, Argument(help="Another model's answers; none: the set's own.")]
Adapter = Annotated[Path | None, Option(help="Folder of an adapter; none: the seed.")]
Outputs = Annotated[Path | None, Option(help="JSON file that the alpaca_eval tool takes.")]
Generator = Annotated[str | None, Option(help="Name of the model in that file; the file's.")]
Verdicts = Annotated[Path | None, Option(help="JSONL file of verdicts; a second start goes on.")]


def answer(
    suite: Suite,
    out: Annotated[Path, Option(help="JSONL file for the answers.")],
    model: common.Model = "smollm2-135m",
    adapter: Adapter = None,
    limit: common.Limit = None,
    suffix: common.Suffix = "",
    rules: common.Rules = "ours",
    phrases: common.Phrases = None,
    engine: common.Engine = "torch",
    gpus: common.Gpus = 1,
) -> Reply:
    """Let a model answer one of the paper's evaluation sets. Greedily, or with --rules paper as its
    code draws them. `sdft score` reads the file."""
    from sdft_lib.paper.reproduce import answer_items
    from sdft_lib.paper.rules import phrases_of, rules_of
    from sdft_lib.paper.suites import check_suffix, load_items, paper_suite

    chosen = paper_suite(suite)
    check_suffix(chosen, suffix)
    check_adapter(adapter, out)
    chosen_rules = rules_of(rules)
    counted = phrases_of(chosen, chosen_rules, phrases)
    items = load_items(chosen, limit, suffix=suffix)
    label = common.model_name(None, adapter.resolve().name if adapter else "seed")
    loaded = common.load_model(model, adapter, label, engine=engine, gpus=gpus)
    drawn = {"rules": chosen_rules, "phrases": counted}
    rows = answer_items(loaded, chosen, items, **drawn, say=progress)
    common.write_rows(out, rows)
    cut = sum(row["finish_reason"] == "length" for row in rows)
    data = {"suite": suite, "answers": len(rows), "cut": cut, "rules": rules, "path": str(out)}
    line = f"{suite}: {len(rows)} answers, {cut} cut at {chosen.max_new_tokens} tokens"
    return Reply(data, f"{line}, rules: {rules}\n{out}")


def score(
    answers: Answers,
    suite: Suite,
    limit: common.Limit = None,
    allow_code_execution: common.AllowCode = False,
    rules: common.Rules = "ours",
    phrases: common.Phrases = None,
    method: Annotated[str | None, Option(help="Name of the model in the rows; the file's.")] = None,
    out: common.Items = None,
) -> Reply:
    """Score answers to one of the paper's evaluation sets. `sdft compare` reads the rows of
    --out."""
    from sdft_lib.kinds import KINDS
    from sdft_lib.paper import sandbox, scores, suites
    from sdft_lib.paper.rules import phrases_of, rules_of

    chosen = suites.paper_suite(suite)
    label = common.model_name(method, answers.stem)
    if KINDS[chosen.kind].needs == "sandbox" and allow_code_execution:
        progress(sandbox.isolation())
    counted = phrases_of(chosen, rules_of(rules), phrases)
    options = {"limit": limit, "allow_code": allow_code_execution, "phrases": counted}
    rows = scores.score_file(answers, chosen, **options)
    common.write_rows(out, [{"method": label, "rules": rules, **row} for row in rows])
    lines = [line | {"rules": rules} for line in scores.table(rows)]
    why = "; ".join(f"{count} {reason}" for reason, count in lines[0]["reasons"].items())
    measure = chosen.measure if counted is None else "rules of the paper's code"
    measure += f", {len(counted)} phrases of your checkout" if counted else ""
    return Reply(lines, f"{as_text(lines, hidden=('reasons',))}\n{measure}: {why}")


def judge(
    answers: Answers,
    against: Against = None,
    outputs: Outputs = None,
    generator: Generator = None,
    url: common.Url = None,
    judge_model: common.JudgeModel = "default",
    out: Verdicts = None,
    limit: common.Limit = None,
    workers: Annotated[int, Option(min=1, max=64, help="Questions at a time.")] = 4,
) -> Reply:
    """AlpacaEval: write the file for its tool, or ask a judge. A judge sees each pair in both
    orders. SDFT_JUDGE_KEY holds its key."""
    from sdft_lib.paper import judge, scores, suites
    from sdft_lib.storage.files import write_json

    if outputs is None and url is None:
        raise SdftError("nothing to do; give --outputs for the tool, or --url and --out.")
    if (url is None) != (out is None):
        raise SdftError("--url and --out belong together: verdicts are kept as they come.")
    check_file(out, {"outputs": outputs}, keeps=True)
    asked = judge.judge_at(url, judge_model)
    suite = suites.paper_suite("alpaca_eval")
    every = suites.load_items(suite)

    def texts_of(path: Path) -> dict[str, str]:
        pairs = scores.matched(every, scores.read_answers(path, suite), suite, limit)
        return {item["id"]: text for item, text in pairs}

    items, ours = every[:limit], texts_of(answers)
    if outputs is not None:
        rows = judge.alpaca_outputs(items, ours, common.model_name(generator, answers.stem))
        write_json(outputs, rows)
    if asked is None:
        return Reply({"items": len(ours), "outputs": str(outputs)}, f"{len(ours)} items\n{outputs}")
    theirs = texts_of(against) if against is not None else {}
    pairs = judge.pairs_of(items, ours, theirs)
    result = judge.judged(judge.judge_all(asked, pairs, out, workers=workers, say=progress))
    gain = result["front_bonus"]
    bonus = "unknown" if gain is None else f"{gain:+.3f}"
    text = (
        "win rate {win_rate:.3f}, 95 % interval {low:.3f} to {high:.3f}, n {n}\n"
        "{turned} verdicts turned with the order (bonus of the first place {bonus}), "
        "{unread} could not be read: each of these counts half"
    )
    return Reply(result, text.format(bonus=bonus, **result))


def knowledge(
    folder: Annotated[Path, Option("--out", help="For lm-eval's results and samples.")],
    model: common.Model = "smollm2-135m",
    adapter: Adapter = None,
    task: Annotated[list[str] | None, Option(help="mmlu, arc_easy, ...; repeat it.")] = None,
    chat_template: common.flag("--chat-template", "Ask through the chat template.") = False,
    limit: common.Limit = None,
    rules: common.Rules = "ours",
) -> Reply:
    """Measure general knowledge with lm-eval (an extra). Zero-shot, with pinned metrics, for `sdft
    compare-lm-eval`. With --rules paper also its five figures."""
    from sdft_lib.paper.lm_eval import TASKS, five, knowledge
    from sdft_lib.paper.rules import rules_of

    check_folder(folder)
    check_adapter(adapter)
    papers = rules_of(rules) is not None
    if papers and task:
        raise SdftError("--rules paper needs all tasks for its five figures; leave out --task.")
    options = {"tasks": task or TASKS, "chat_template": chat_template, "limit": limit}
    rows = knowledge(model, folder, adapter=adapter, **options, say=progress)
    rows = rows + five(rows) if papers else rows
    return Reply(rows, f"{as_text(rows)}\n{folder}")


def compare_lm_eval(
    a: Annotated[Path, Argument(help="Folder (or results file) of a run with --log_samples.")],
    b: Annotated[Path, Argument(help="Another model's run, in all else the same.")],
    metric: Annotated[list[str] | None, Option(help="TASK=KEY, as gsm8k=exact_match,none.")] = None,
    despite: Annotated[list[str] | None, Option(help="A setting that may differ.")] = None,
    by_subtask: common.flag("--by-subtask", "Do not pool groups such as mmlu.") = False,
) -> Reply:
    """Compare two runs of lm-eval item by item (A minus B). Intervals, McNemar's p, Holm's
    correction. Runs that differ in more than the model are refused."""
    from sdft_lib.paper.lm_eval import compare_runs

    metrics = {}
    for text in metric or ():
        task, equals, key = text.partition("=")
        if not equals:
            example = "gsm8k=exact_match,strict-match"
            raise SdftError(f'--metric "{task}" is not of the form TASK=KEY, such as {example}.')
        metrics[task] = key
    options = {"metrics": metrics, "despite": tuple(despite or ()), "by_subtask": by_subtask}
    table = compare_runs(a, b, **options)
    note = f"Allowed to differ: {', '.join(despite)}.\n" if despite else ""
    return Reply(common.as_rows(table), f"{as_text(table)}\n{note}{common.SEEDS}")
