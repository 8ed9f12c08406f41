"""The pages of the book that are made, not written: API, commands, the lessons' teaching notes,
expected values.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib

from ci.bootstrap import ROOT
from ci.lessons import overview
from ci.lessons.sources import INSTRUCTOR, lesson_sources, tags_of, to_notebook
from ci.recorded import record_run
from ci.recorded.record_run import markdown

GROUPS = ROOT / "ci" / "book" / "api.toml"
LIBRARY = ROOT / "sdft_lib"


def pages() -> dict[str, str]:
    """Every made page by its place in the book."""
    made = {
        "commands.md": commands(),
        "teaching/notes.md": notes(),
        "teaching/expected.md": expected(),
    }
    return {**made, **api()}


def public_modules() -> list[str]:
    """The modules of the library, `__init__` and `__main__` left out."""
    return sorted(path.stem for path in LIBRARY.glob("*.py") if not path.stem.startswith("_"))


def grouped() -> list[dict]:
    """The groups of api.toml with the modules that exist; what no group names goes to the last
    one.
    """
    groups = tomllib.loads(GROUPS.read_text(encoding="utf-8"))["group"]
    left = public_modules()
    for group in groups:
        found = [name for pattern in group["modules"] for name in fnmatch.filter(left, pattern)]
        group["modules"] = list(dict.fromkeys(found))
        left = [name for name in left if name not in group["modules"]]
    groups[-1]["modules"] += left
    return [group for group in groups if group["modules"]]


def api() -> dict[str, str]:
    """One page a group, and one that leads to them."""
    groups = grouped()
    head = "Made from the docstrings. Importing a module is cheap: the functions import heavy packages when they run."
    lines = ["# Reference", "", head]
    for group in groups:
        names = ", ".join(f"[`{name}`](#sdft-{name})" for name in group["modules"])
        lines += [
            "",
            f"**[{group['title']}]({group['name']}.md).** {group['text']} Modules: {names}.",
        ]
    contents = "\n".join(group["name"] for group in groups)
    lines += ["", f"```{{toctree}}\n:hidden:\n\n{contents}\n```", ""]
    made = {f"api/{group['name']}.md": api_page(group) for group in groups}
    return {"api/index.md": "\n".join(lines), **made}


def api_page(group: dict) -> str:
    """The modules of one group, each under its own heading. Commands are described elsewhere, by
    their help.
    """
    parts = [f"# {group['title']}", group["text"]]
    for name in group["modules"]:
        members = "" if name.startswith("cli") else "   :members:\n   :ignore-module-all:\n"
        body = f"```{{eval-rst}}\n.. automodule:: sdft_lib.{name}\n{members}```"
        parts += [f"(sdft-{name})=\n## `sdft_lib.{name}`", body]
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """What `sdft COMMAND --help` says, for all commands."""
    import typer

    from sdft_lib.cli.main import app

    head = "What `sdft COMMAND --help` prints. Every command takes `--json`; an error is one sentence and exit code 2."
    parts = ["# Commands", head]
    for name, command in typer.main.get_command(app).commands.items():
        parts += [f"## `sdft {name}`", " ".join((command.help or "").split())]
        rows = [option(each) for each in command.params]
        parts += ["\n".join(["| Option | Meaning |", "| --- | --- |", *rows])] if rows else []
        parts += [f"```console\n$ {(command.epilog or '').removeprefix('Example: ')}\n```"]
    return "\n\n".join(parts) + "\n"


def option(parameter) -> str:
    """One line of the table of a command's options."""
    names = " ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    words = (getattr(parameter, "help", "") or "").strip()
    given = parameter.default
    if parameter.required:
        words += " Required."
    elif isinstance(given, str | int | float) and not isinstance(given, bool) and given != "":
        words += f" Default: `{given}`."
    return f"| {names} | {words.strip().replace('|', chr(92) + '|')} |"


def notes() -> str:
    """The cells for instructors, out of the lessons' sources."""
    head = "Timing, the mistakes that come most often, answers for the discussion and what to expect, lesson by lesson."
    parts = [
        "# Notes on each lesson",
        f"{head} They stand in the copies in `notebooks/instructor/` as well.",
    ]
    for source in lesson_sources():
        cells = to_notebook(source, "instructor", notes=True).cells
        texts = [cell.source for cell in cells if INSTRUCTOR in tags_of(cell)]
        if texts:
            parts.append(f"## {overview.header_of(source)['title']}")
            parts += [text.replace("## For instructors", "", 1).strip() for text in texts]
    return "\n\n".join(parts) + "\n"


def expected() -> str:
    """The recorded full run as tables, with the page's text around them."""
    record = json.loads(record_run.RECORD.read_text(encoding="utf-8"))
    text = (ROOT / "ci" / "book" / "teaching" / "expected.md").read_text(encoding="utf-8")
    tables = {
        "facts": facts(record),
        "scores": scores(record),
        "paired": paired(record),
        "times": times(record),
        "machine": f"{record['cpu']}, {record['dtype']}",
    }
    for name, table in tables.items():
        text = text.replace(f"<!-- {name} -->", table)
    return text


def interval(row: dict) -> str:
    return f"{row['low']:+.2f} to {row['high']:+.2f}"


def facts(record: dict) -> str:
    """What the run measured besides scores."""
    gap, cost = record["nll_gap"], record["cost"]
    closed = f"{gap['mean']:.1f} ({gap['low']:.1f} to {gap['high']:.1f})"
    sft, sdft = (cost[f"training {name}"] for name in ("sft", "sdft"))
    rows = [
        ["Share of rewrites kept", f"{record['keep_rate']:.2f}", "lesson 02, section 6"],
        ["Gap closed, nats a token", closed, "lesson 02, section 7"],
        [
            "Trained tokens, SDFT to SFT",
            f"{sdft['trained_tokens'] / sft['trained_tokens']:.1f} times",
            "lesson 03",
        ],
        [
            "Seconds of training, SDFT to SFT",
            f"{sdft['seconds'] / sft['seconds']:.1f} times",
            "lesson 03",
        ],
        ["Seconds of rewriting", f"{cost['rewriting']['seconds']:.0f}", "lesson 02"],
    ]
    return markdown(["Measure", "Recorded", "Where"], rows)


def scores(record: dict) -> str:
    """Recorded mean and interval of each model on each suite: the table of the README."""
    return "\n".join(line for line in record_run.block(record).split("\n") if line.startswith("|"))


def paired(record: dict) -> str:
    """Paired differences that survive Holm's correction."""
    clear = [row for row in record["paired"] if row["p_holm"] < 0.05]
    names = record_run.NAMES
    rows = [
        [row["suite"], f"{names[row['a']]} minus {names[row['b']]}", interval(row)] for row in clear
    ]
    return markdown(["Suite", "Difference", "95 % interval"], rows)


def times(record: dict) -> str:
    """Minutes and memory of each lesson."""
    rows = [
        [row["name"][:2], f"{row['seconds'] / 60:.1f}", f"{row['peak_mb'] / 1000:.1f} GB"]
        for row in record["lessons"]
    ]
    return markdown(["Lesson", "Minutes", "Memory"], rows)
