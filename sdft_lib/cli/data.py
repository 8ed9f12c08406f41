"""Commands of ``sdft`` on files alone, no model: data check, data split,
export, audit, compare."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from sdft_lib.cli import common
from sdft_lib.cli.common import Reply, progress
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.safe import one_line

Source = Annotated[
    str, Argument(help="gsm8k, ..., tickets, ..., a folder, a file, or hf:org/name:split.")
]
Form = Annotated[str, Option(help="prompt-completion, messages, alpaca, sharegpt.")]
ScoresA = Annotated[Path, Argument(help="Rows from `sdft evaluate`.")]
ScoresB = Annotated[Path, Argument(help="Rows of another model on the same items.")]

SCORE_COLUMNS = dict.fromkeys(("method", "suite", "id"), (str | int, "text"))
SCORE_COLUMNS["score"] = (int | float, "a number from 0 to 1")
SCORE_COLUMNS |= dict.fromkeys(("unit", "rules"), (str | int | None, "text"))  # may be missing


def check(
    source: Source,
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
) -> Reply:
    """What a set holds, before you train on it. Counts, lengths, repeats, answers that cannot be
    read, overlap with what is measured."""
    from sdft_lib.own_data.check import check_data, data_text
    from sdft_lib.paper.suites import evaluation_sets

    options = common.reading(kind, columns, drop_empty)
    result = check_data(source, **options, evaluations=evaluation_sets(source), say=progress)
    return Reply(result, data_text(result))


def split(
    source: Source,
    folder: Annotated[Path, Option("--out", help="New folder: a task with its splits.")],
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    seed: Annotated[int, Option(min=0, help="Decides where a question goes.")] = 0,
) -> Reply:
    """Make train, dev and test rows of one file. A folder that every --task takes, split as `sdft
    run` splits a file: 60 % train, 15 % dev, 25 % test."""
    from sdft_lib.data import load_task
    from sdft_lib.own_data.split import split_task, write_task

    common.check_folder(folder, new=True)
    reading = common.reading(kind, columns, drop_empty)
    task = split_task(load_task(source, **reading, say=progress), seed=seed, say=progress)
    counts = write_task(task, folder)
    line = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Reply({"rows": counts, "kind": task.kind, "folder": str(folder)}, f"{line}\n{folder}")


def export(
    data: Annotated[Path, Argument(help="Rows from `sdft distill`.")],
    folder: Annotated[Path, Option("--out", help="New folder for data and card.")],
    form: Form = "prompt-completion",
    column: common.Column = "text",
    licence: Annotated[str, Option(help="Of your source, for the card: mit, cc-by-4.0, ...")] = "",
) -> Reply:
    """Write a distilled set, with a card, for other trainers. TRL, LLaMA-Factory, axolotl and
    Unsloth read it."""
    from sdft_lib.cli.steps import training_rows
    from sdft_lib.formats.toml import check_known
    from sdft_lib.own_data import export

    check_known(form, export.FORMS, "form")
    export.check_licence(licence)
    common.check_folder(folder, new=True)
    rows = training_rows(data, column)
    options = {"column": column, "made": export.made_from(data), "licence": licence}
    report = export.write_export(rows, form, folder, **options)
    told = ", ".join(f"{row['source']}: {row['reason']} {row['rows']}" for row in report["reasons"])
    line = f"{report['rows']} rows as {form} ({one_line(told)})"
    return Reply(report | {"folder": str(folder)}, f"{line}\n{folder}")


def audit(
    original: Annotated[
        str, Option(help="The set as it was: a file, a folder, hf:..., or a bundled task.")
    ],
    distilled: Annotated[str, Option(help="The rewritten set, row for row.")],
    kind: common.Kind = None,
    columns: common.Columns = None,
    drop_empty: common.DropEmpty = False,
    limit: common.Limit = None,
    rules: common.Rules = "ours",
) -> Reply:
    """What a distilled set changed, whoever made it. Unchanged rows, lengths, suspected cuts,
    leaks. With --rules paper, what the paper's filter and ours say of each row (--json: all).

    --drop-empty and --limit are for the original: give them as for `sdft distill`. --columns is for
    both files, or for the original alone if the other one lacks these columns."""
    from sdft_lib.formats.toml import check_known
    from sdft_lib.own_data.audit import audit, audit_text
    from sdft_lib.paper.rules import FILTERS, compared

    check_known(rules, FILTERS, "rules")
    reading = common.reading(kind, columns, drop_empty) | {"limit": limit}
    filters = FILTERS if rules == "paper" else {}
    result = audit(original, distilled, **reading, filters=filters)
    text = audit_text(result)
    if rules == "paper":
        result |= compared(result["decisions"])
        for name, title in (("paper", "paper's filter"), ("ours", "our filter")):
            kept = f"keeps {result['kept'][name]} of {result['changed']} changed rows"
            text += f"\n{title:<15} {kept}"
        apart = [f"{said}: {count}" for said, count in result["differences"].items()]
        text += f"\nthey differ     {'; '.join(apart) or 'nowhere'}"
    return Reply(result, text)


def compare(a: ScoresA, b: ScoresB) -> Reply:
    """Compare two models item by item (A minus B). Each suite has its 95 % interval, p, Holm's
    correction and verdict.

    Rows of one `unit` (the scenario, customer or document they come from) count as one question:
    `sdft evaluate` writes it for the bundled tasks and for rows with a `scenario`."""
    import pandas

    from sdft_lib.stats import compare

    first, second = read_scores(a), read_scores(b)
    names = [frame["method"].iloc[0] for frame in (first, second)]
    if names[0] == names[1]:
        names = [a.stem, b.stem] if a.stem != b.stem else [str(a), str(b)]
    if names[0] == names[1]:
        raise SdftError(f"{a} and {b} are one file; give two evaluations.")
    both = [suite for suite in first["suite"].unique() if suite in set(second["suite"])]
    if not both:
        raise SdftError(f"{a} and {b} have no suite in common; evaluate both on the same suites.")
    if alone := {*first["suite"], *second["suite"]} - set(both):
        progress(f"left out, in one file only: {', '.join(sorted(alone))}")
    for suite in both:
        scored = [frame[frame["suite"] == suite]["rules"] for frame in (first, second)]
        rules = [
            " and ".join(sorted(map(str, each.astype(object).fillna("ours").unique())))
            for each in scored
        ]
        if rules[0] != rules[1]:
            unlike = f"{a} was scored by the rules {rules[0]} and {b} by {rules[1]}"
            raise SdftError(f'suite "{suite}": {unlike}; score both alike.')
    frames = [first.assign(method=names[0]), second.assign(method=names[1])]
    frame = pandas.concat(frames, ignore_index=True)
    table = compare(frame, [tuple(names)], both)
    return Reply(common.as_rows(table), f"{common.as_text(table)}\n{common.SEEDS}")


def read_scores(path: Path):
    """Rows of `sdft evaluate` or `score` as a DataFrame with SCORE_COLUMNS; one method a file."""
    import pandas

    from sdft_lib.formats.records import read_records

    records = read_records(path)
    for record in records:
        for name, (kind, words) in SCORE_COLUMNS.items():
            value = record.values.get(name)
            if isinstance(value, kind) and not isinstance(value, bool):
                if name != "score" or 0 <= value <= 1:
                    continue
            problem = f"not {words}" if name in record.values else "missing"
            problem = f'{record.where}: column "{name}" is {problem}'
            raise SdftError(f"{problem}; give a file that sdft evaluate wrote.")
    frame = pandas.DataFrame([record.values for record in records])
    frame = frame.reindex(columns=list(SCORE_COLUMNS)).replace({"unit": {"": None}})
    frame = frame.astype(dict.fromkeys(("method", "suite", "id"), str))  # 7 and "7" are one id
    if len(methods := sorted(frame["method"].unique())) > 1:
        count = f"{len(methods)} methods ({', '.join(methods)})"
        raise SdftError(f"{path} holds {count}; give one a file.")
    return frame
