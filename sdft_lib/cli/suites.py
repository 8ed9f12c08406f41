"""Commands of ``sdft`` for the paper's evaluations: answer, score, judge, knowledge,
compare-lm-eval (lesson 08).

Answers are made once, into a file with ids, and scored from it as often as needed. Texts of answers
to harmful requests are never written unless they refuse."""

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
    as_text,
    check_file,
    check_folder,
    command,
    progress,
)
from sdft_lib.storage.errors import SdftError

Suite = Annotated[
    str, typer.Option("--suite", help="gsm8k, multiarith, openfunctions, humaneval, advbench, ...")
]
Answers = Annotated[
    Path, typer.Argument(help="JSONL with id and text, such as `sdft answer` writes.")
]
Adapter = Annotated[
    Path | None, typer.Option("--adapter", help="Folder of an adapter; none: the seed.")
]
Out = Annotated[Path | None, typer.Option("--out", help="JSONL file, one row an item.")]


def register(app: typer.Typer) -> None:
    """Add the five commands to ``sdft``."""
    command(app, "sdft answer --suite gsm8k --model llama-2-7b --out answers.jsonl")(answer)
    command(app, "sdft score answers.jsonl --suite gsm8k --out gsm8k.jsonl")(score)
    command(app, "sdft judge answers.jsonl --outputs alpaca_outputs.json")(judge)
    command(app, "sdft knowledge --model llama-2-7b --out seed-knowledge")(knowledge)
    command(app, "sdft compare-lm-eval sdft-knowledge sft-knowledge")(compare_lm_eval)


def answer(
    suite: Suite,
    out: Annotated[Path, typer.Option("--out", help="JSONL file for the answers.")],
    model: Model = "smollm2-135m",
    adapter: Adapter = None,
    limit: Limit = None,
    suffix: Annotated[
        str, typer.Option("--suffix", help="Goes behind each request of advbench-jailbreak.")
    ] = "",
    engine: Engine = "torch",
    gpus: Gpus = 1,
    as_json: JsonFlag = False,
) -> Reply:
    """Let a model answer one of the paper's evaluation sets, greedily; `sdft score` reads the
    file.
    """
    from sdft_lib.cli.train import adapted, check_adapter
    from sdft_lib.engines.load import load
    from sdft_lib.paper.reproduce import answer_items
    from sdft_lib.paper.suites import check_suffix, load_items, paper_suite
    from sdft_lib.storage.files import write_jsonl

    chosen = paper_suite(suite)
    check_suffix(chosen, suffix)
    check_file(out)
    check_adapter(adapter, out)
    items = load_items(chosen, limit, suffix=suffix)
    seed = load(model, engine, gpus=gpus, say=progress)
    if adapter is not None:
        seed = adapted(seed, adapter, adapter.resolve().name)
    rows = answer_items(seed, chosen, items, say=progress)
    write_jsonl(out, rows)
    cut = sum(row["finish_reason"] == "length" for row in rows)
    data = {"suite": chosen.name, "answers": len(rows), "cut": cut, "path": str(out)}
    return Reply(
        data,
        f"{chosen.name}: {len(rows)} answers, {cut} cut at {chosen.max_new_tokens} tokens\n{out}",
    )


def score(
    answers: Answers,
    suite: Suite,
    limit: Limit = None,
    allow_code_execution: Annotated[
        bool,
        typer.Option("--allow-code-execution", help="humaneval: run the answers in the sandbox."),
    ] = False,
    method: Annotated[
        str | None, typer.Option("--method", help="Name of the model in the rows; the file's.")
    ] = None,
    out: Out = None,
    as_json: JsonFlag = False,
) -> Reply:
    """Score given answers to one of the paper's evaluation sets; `sdft compare` reads the rows of
    --out.
    """
    from sdft_lib.cli.train import check_method
    from sdft_lib.paper.scores import score_file, table
    from sdft_lib.paper.suites import paper_suite
    from sdft_lib.storage.files import write_jsonl

    chosen = paper_suite(suite)
    check_file(out, answers)
    check_method(method)
    if chosen.kind == "code" and allow_code_execution:
        from sdft_lib.paper.sandbox.run import isolation

        progress(isolation())
    rows = score_file(answers, chosen, limit=limit, allow_code=allow_code_execution)
    if out is not None:
        write_jsonl(out, [{"method": method or answers.stem, **row} for row in rows])
    lines = table(rows)
    shown = [{name: value for name, value in line.items() if name != "reasons"} for line in lines]
    why = "; ".join(f"{count} {reason}" for reason, count in lines[0]["reasons"].items())
    return Reply(lines, f"{as_text(shown)}\n{chosen.measure}: {why}")


def judge(
    answers: Answers,
    against: Annotated[
        Path | None, typer.Argument(help="Another model's answers; none: the set's own.")
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option(help="JSON file that the alpaca_eval tool takes.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Name of the model in that file; the file's.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of a judge, http://localhost:8000/v1.")
    ] = None,
    judge_model: Annotated[str, typer.Option(help="The judge's model.")] = "default",
    out: Annotated[
        Path | None, typer.Option("--out", help="JSONL file of verdicts; a second start goes on.")
    ] = None,
    limit: Limit = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Questions at a time.")] = 4,
    as_json: JsonFlag = False,
) -> Reply:
    """AlpacaEval: write the outputs file of its tool, or ask a judge, twice a pair. SDFT_JUDGE_KEY
    holds its key.
    """
    from sdft_lib.paper.judge import (
        Judge,
        alpaca_outputs,
        judge_all,
        judged,
        key_from_environment,
        write_outputs,
    )
    from sdft_lib.paper.suites import load_items, paper_suite

    if outputs is None and url is None:
        raise SdftError(
            "nothing to do; give --outputs for the alpaca_eval tool, or --url and --out for a judge."
        )
    if (url is None) != (out is None):
        raise SdftError(
            "--url and --out belong together: verdicts are kept as they come; give both."
        )
    check_file(outputs, answers)
    check_file(out, answers, *([against] if against else []))
    asked = Judge(url, judge_model, key_from_environment()) if url else None
    items = load_items(paper_suite("alpaca_eval"))
    ours = texts_of(items, answers, limit)
    if outputs is not None:
        write_outputs(outputs, alpaca_outputs(items[:limit], ours, generator or answers.stem))
    if asked is None:
        return Reply({"items": len(ours), "outputs": str(outputs)}, f"{len(ours)} items\n{outputs}")
    items = items[:limit]
    theirs = (
        texts_of(items, against, limit)
        if against
        else {item["id"]: item["reference"] for item in items}
    )
    pairs = [
        (item["id"], item["messages"][-1]["content"], ours[item["id"]], theirs[item["id"]])
        for item in items
    ]
    found = judged(judge_all(asked, pairs, out, workers=workers, say=progress))
    return Reply(found, judged_text(found))


def texts_of(items: list[dict], path: Path, limit: int | None) -> dict[str, str]:
    """The texts of an answers file to the first ``limit`` items of AlpacaEval, by id."""
    from sdft_lib.paper.scores import matched, read_answers
    from sdft_lib.paper.suites import paper_suite

    suite = paper_suite("alpaca_eval")
    return {
        item["id"]: text for item, text in matched(items, read_answers(path, suite), suite, limit)
    }


def judged_text(found: dict) -> str:
    """A judge's verdicts as two lines."""
    low, high = found["low"], found["high"]
    bonus = "unknown" if found["front_bonus"] is None else f"{found['front_bonus']:+.3f}"
    return (
        f"win rate {found['win_rate']:.3f}, 95 % interval {low:.3f} to {high:.3f}, n {found['n']}\n"
        f"{found['turned']} verdicts turned with the order (bonus of the first place {bonus}), {found['unread']} "
        "could not be read: each of these counts half"
    )


def knowledge(
    out: Annotated[Path, typer.Option("--out", help="Folder for lm-eval's results and samples.")],
    model: Model = "smollm2-135m",
    adapter: Adapter = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="mmlu, arc_easy, ...; repeat it.")
    ] = None,
    chat_template: Annotated[
        bool, typer.Option("--chat-template", help="Ask through the chat template.")
    ] = False,
    limit: Limit = None,
    as_json: JsonFlag = False,
) -> Reply:
    """General knowledge through lm-eval (extra), zero-shot, pinned metrics; for `sdft
    compare-lm-eval`.
    """
    from sdft_lib.cli.train import check_adapter
    from sdft_lib.paper.lm_eval import TASKS
    from sdft_lib.paper.lm_eval import knowledge as run

    check_folder(out)
    check_adapter(adapter, None)
    rows = run(
        model,
        out,
        adapter=adapter,
        tasks=task or TASKS,
        chat_template=chat_template,
        limit=limit,
        say=progress,
    )
    return Reply(rows, f"{as_text(rows)}\n{out}")


def compare_lm_eval(
    a: Annotated[
        Path, typer.Argument(help="Folder (or results file) of a run with --log_samples.")
    ],
    b: Annotated[Path, typer.Argument(help="Another model's run, in all else the same.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="TASK=KEY, as gsm8k=exact_match,none.")
    ] = None,
    despite: Annotated[
        list[str] | None, typer.Option("--despite", help="A setting that may differ.")
    ] = None,
    by_subtask: Annotated[
        bool, typer.Option("--by-subtask", help="Do not pool groups such as mmlu.")
    ] = False,
    as_json: JsonFlag = False,
) -> Reply:
    """Two runs of lm-eval item by item (A minus B): intervals, McNemar's p, Holm's correction;
    refuses unlike runs.
    """
    import json

    from sdft_lib.paper.lm_eval_logs import compare_runs as compare

    pairs = [text.split("=", 1) for text in metric or ()]
    if odd := [pair[0] for pair in pairs if len(pair) != 2]:
        raise SdftError(
            f'--metric "{odd[0]}" is not of the form TASK=KEY, such as gsm8k=exact_match,strict-match.'
        )
    found = compare(a, b, metrics=dict(pairs), despite=tuple(despite or ()), by_subtask=by_subtask)
    note = f"Allowed to differ: {', '.join(despite)}.\n" if despite else ""
    text = f"{as_text(found)}\n{note}Intervals cover items, not training seeds."
    return Reply(json.loads(found.to_json(orient="records")), text)
