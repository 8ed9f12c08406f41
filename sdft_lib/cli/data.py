"""Commands of ``sdft`` on data alone, no model: data check, export (lesson 08)."""

from pathlib import Path
from typing import Annotated

import typer

from sdft_lib.cli.common import (
    Columns,
    DropEmpty,
    JsonFlag,
    Kind,
    OneSentence,
    Reply,
    check_folder,
    check_kind,
    column_map,
    command,
    progress,
)

group = typer.Typer(
    name="data",
    cls=OneSentence,
    help="Look at a set of rows before training on it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add these commands to ``sdft``."""
    app.add_typer(group)
    command(app, "sdft export rows.jsonl --form prompt-completion --out my-set")(export)


@command(group, "sdft data check gsm8k --json")
def check(
    source: Annotated[
        str, typer.Argument(help="gsm8k, openfunctions, ..., tickets, a file, hf:org/name:split.")
    ],
    kind: Kind = None,
    columns: Columns = None,
    drop_empty: DropEmpty = False,
    as_json: JsonFlag = False,
) -> Reply:
    """What a set holds: counts, lengths, repeats, answers that cannot be read, overlap with what is
    measured.
    """
    from sdft_lib.own_data.check import check_data, check_text
    from sdft_lib.paper.suites import evaluation_sets

    check_kind(kind)
    result = check_data(
        source,
        kind=kind,
        columns=column_map(columns),
        drop_empty=drop_empty,
        evaluations=evaluation_sets(source),
        say=progress,
    )
    return Reply(result, check_text(result))


def export(
    data: Annotated[Path, typer.Argument(help="Rows from `sdft distill`.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for data and card.")],
    form: Annotated[
        str, typer.Option("--form", help="prompt-completion, messages, alpaca, sharegpt.")
    ] = ("prompt-completion"),
    column: Annotated[
        str, typer.Option("--column", help="text (SDFT) or reference (SFT).")
    ] = "text",
    licence: Annotated[
        str, typer.Option("--licence", help="Of your source, for the card: mit, cc-by-4.0, ...")
    ] = "",
    as_json: JsonFlag = False,
) -> Reply:
    """A distilled set in the form that TRL, LLaMA-Factory, axolotl or Unsloth reads, with a data
    card.
    """
    from sdft_lib.cli.train import training_rows
    from sdft_lib.own_data.card import check_licence
    from sdft_lib.own_data.export import check_form, made_from, write_export

    check_form(form)
    check_licence(licence)
    check_folder(out, new=True)
    rows = training_rows(data, column)
    report = write_export(rows, form, out, column=column, made=made_from(data), licence=licence)
    told = ", ".join(f"{row['source']}: {row['reason']} {row['rows']}" for row in report["reasons"])
    return Reply(report | {"folder": str(out)}, f"{report['rows']} rows as {form} ({told})\n{out}")
