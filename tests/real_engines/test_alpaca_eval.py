"""The tool ``alpaca_eval`` itself reads our outputs file and scores it; the annotator is a rule."""

import importlib.metadata
import json

from sdft_lib.paper.judge import alpaca_outputs
from sdft_lib.storage.files import write_json

PROMPT = "Which is best?\n\n# (a)\n{output_1}\n\n# (b)\n{output_2}\n\n# {instruction}\n"
CONFIG = """\
shorter:
  prompt_template: {prompt}
  fn_completions: shorter
  completions_kwargs: {{model_name: shorter}}
  fn_completion_parser: regex_parser
  completion_parser_kwargs: {{outputs_to_match: {{1: 'best: a', 2: 'best: b'}}}}
  batch_size: 1
"""


def shorter(prompts, **more) -> dict:
    """The annotator: the shorter answer is best."""
    completions = []
    for prompt in prompts:
        first, second = prompt.partition("# (a)\n")[2].split("\n\n# ")[:2]
        second = second.removeprefix("(b)\n")
        completions.append("best: a" if len(first) < len(second) else "best: b")
    none = [0] * len(completions)
    return {"completions": completions, "price_per_example": none, "time_per_example": none}


def test_its_scorer_counts_our_answers(tmp_path, monkeypatch, tell):
    from alpaca_eval import evaluate
    from alpaca_eval.annotators import base

    real = base.get_fn_completions
    monkeypatch.setattr(
        base, "get_fn_completions", lambda name: shorter if name == "shorter" else real(name)
    )
    items, ours, theirs = [], {}, {}
    for number in range(20):
        name = f"alpaca_eval-{number + 1:04d}"
        items.append({"id": name, "messages": [{"role": "user", "content": f"Question {number}"}]})
        ours[name] = "x" * (5 if number < 13 else 15)  # shorter in 13 of 20
        theirs[name] = "y" * 10
    files = []
    for generator, answers in (("sdft", ours), ("reference", theirs)):
        files.append(tmp_path / f"{generator}.json")
        write_json(files[-1], alpaca_outputs(items, answers, generator))
    folder = tmp_path / "annotators" / "shorter"
    folder.mkdir(parents=True)
    (folder / "prompt.txt").write_text(PROMPT, encoding="utf-8")
    config = CONFIG.format(prompt=folder / "prompt.txt")
    (folder / "configs.yaml").write_text(config, encoding="utf-8")
    board, annotations = evaluate(
        model_outputs=str(files[0]),
        reference_outputs=str(files[1]),
        annotators_config=str(folder),
        fn_metric="get_winrate",  # the length-controlled rate needs tables from the tool's hub
        sort_by="win_rate",
        precomputed_leaderboard=None,
        output_path=str(tmp_path / "out"),
        is_return_instead_of_print=True,
        caching_path=None,
    )
    line = board.loc["sdft"]
    assert (line["win_rate"], line["n_total"], line["n_wins"]) == (65.0, 20, 13)
    orders = {row["output_1"][0] for row in annotations}
    assert len(annotations) == 20 and orders == {"y"}, "the reference is the first output"
    stored = json.loads(next((tmp_path / "out").rglob("annotations.json")).read_text())
    assert len(stored) == 20
    tell(
        f"alpaca_eval {importlib.metadata.version('alpaca-eval')}: win rate {line['win_rate']} of 13 in 20"
    )
