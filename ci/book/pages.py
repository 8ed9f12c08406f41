"""The pages of the book that are made: reference, commands, teaching notes, expected values."""

from __future__ import annotations

import ast
from pathlib import Path

from ci.bootstrap import ROOT
from ci.lessons import house, overview
from ci.lessons.sources import INSTRUCTOR, lesson_sources, tags_of, to_notebook
from ci.recorded import record_run
from ci.recorded.blocks import BOOK, markdown

LIBRARY = ROOT / "sdft_lib"


def pages() -> dict[str, str]:
    """Every made page by its place in the book."""
    teaching = {"teaching/notes.md": notes(), "teaching/slides.md": slides()}
    return {
        "commands.md": commands(),
        "teaching/expected.md": expected(),
        **teaching,
        **reference(),
    }


def rooms() -> dict[str, list[str]]:
    """The modules of the core, at the top of the library, and of each package under it."""
    made: dict[str, list[str]] = {"core": []}
    for full_name in house.modules():
        name = full_name.removeprefix("sdft_lib").removeprefix(".")
        room, _, rest = name.partition(".")
        if rest:
            made.setdefault(room, []).append(name)
        elif name not in ("", "__main__") and not (LIBRARY / name).is_dir():
            made["core"].append(name)
    made["core"].sort(key=reading_order)
    return made


def reading_order(name: str) -> int:
    """Where the library's own docstring lists a module of the core; the end if it does not."""
    text = about(LIBRARY)
    entry = f"    {name} "
    return text.index(entry) if entry in text else len(text)


def about(package: Path) -> str:
    """What a package says of itself: the docstring of its `__init__`."""
    text = (package / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def anchor(module: str) -> str:
    return "sdft-" + module.replace(".", "-").replace("_", "-")


def reference() -> dict[str, str]:
    """One page a room of the library, and one that leads to them."""
    lines = ["# Reference", "", "Made from the folders of the library and their docstrings."]
    made = {}
    for room, modules in rooms().items():
        title = "The core" if room == "core" else f"`sdft_lib.{room}`"
        text = about(LIBRARY if room == "core" else LIBRARY / room).replace("``", "`")
        text = text.split("\n\n")[0]
        names = ", ".join(f"[`{name}`](#{anchor(name)})" for name in modules)
        lines += ["", f"**[{title}]({room}.md).** {text.splitlines()[0]} Modules: {names}."]
        made[f"api/{room}.md"] = reference_page(title, text, modules)
    contents = "\n".join(rooms())
    lines += ["", f"```{{toctree}}\n:hidden:\n\n{contents}\n```", ""]
    return {"api/index.md": "\n".join(lines), **made}


def reference_page(title: str, text: str, modules: list[str]) -> str:
    """The modules of one room, each under its own heading; commands are described by their help."""
    parts = [f"# {title}", text]
    for name in modules:
        members = "" if name.startswith("cli.") else "   :members:\n   :ignore-module-all:\n"
        body = f"```{{eval-rst}}\n.. automodule:: sdft_lib.{name}\n{members}```"
        parts += [f"({anchor(name)})=\n## `sdft_lib.{name}`", body]
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """What `sdft COMMAND --help` says, for all commands."""
    import typer

    from sdft_lib.cli.main import app

    head = (
        "What `sdft COMMAND --help` prints. Every command takes `--json`; an error is one "
        "sentence and exit code 2."
    )
    parts = ["# Commands", head]
    known = dict(typer.main.get_command(app).commands)
    group = known.pop("data")
    known |= {f"data {name}": each for name, each in group.commands.items()}
    for name, command in known.items():
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


def slides() -> str:
    """The decks of all lessons."""
    head = (
        "A deck for each lesson: its headings, questions and figures. Sections go right, their "
        "figures down. Press `S` for the words of a figure, `F` for the full screen, `?` for all "
        "keys. The decks need no network: copy the folder `build/book` to the classroom's machine."
    )
    lines = ["# Slides", "", head, ""]
    for source in lesson_sources():
        title = overview.header_of(source)["title"]
        lines.append(f'- <a href="../slides/{source.stem}.html">{title}</a>')
    return "\n".join(lines) + "\n"


def notes() -> str:
    """The cells for instructors, out of the lessons' sources."""
    head = (
        "Timing, the mistakes that come most often, answers for the discussion and what to "
        "expect, lesson by lesson. They stand in the copies in `notebooks/instructor/` as well."
    )
    parts = ["# Notes on each lesson", head]
    for source in lesson_sources():
        cells = to_notebook(source, "instructor", notes=True).cells
        texts = [cell.source for cell in cells if INSTRUCTOR in tags_of(cell)]
        if texts:
            parts.append(f"## {overview.header_of(source)['title']}")
            parts += [text.replace("## For instructors", "", 1).strip() for text in texts]
    return "\n\n".join(parts) + "\n"


def expected() -> str:
    """The recorded full run as tables, with the page's text around them."""
    record = record_run.read()
    text = (BOOK / "teaching" / "expected.md").read_text(encoding="utf-8")
    text = text.replace("<!-- machine -->", f"{record['cpu']}, {record['dtype']}")
    for table in (facts, paired, times):
        text = text.replace(f"<!-- {table.__name__} -->", table(record))
    return text


def facts(record: dict) -> str:
    """What the run measured besides scores."""
    gap, cost = record["nll_gap"], record["cost"]
    closed = f"{gap['mean']:.1f} ({gap['low']:.1f} to {gap['high']:.1f})"
    sft, sdft = cost["training sft"], cost["training sdft"]
    tokens = f"{sdft['trained_tokens'] / sft['trained_tokens']:.1f} times"
    seconds = f"{sdft['seconds'] / sft['seconds']:.1f} times"
    rows = [
        ["Share of rewrites kept", f"{record['keep_rate']:.2f}", "lesson 02, section 6"],
        ["Gap closed, nats a token", closed, "lesson 02, section 7"],
        ["Trained tokens, SDFT to SFT", tokens, "lesson 03"],
        ["Seconds of training, SDFT to SFT", seconds, "lesson 03"],
        ["Seconds of rewriting", f"{cost['rewriting']['seconds']:.0f}", "lesson 02"],
    ]
    return markdown(["Measure", "Recorded", "Where"], rows)


def paired(record: dict) -> str:
    """Paired differences that survive Holm's correction."""
    from sdft_lib.stats import UNCLEAR, verdict

    names, rows = record_run.names(record), []
    for row in record["paired"]:
        if verdict(row["difference"], row["p_holm"]) != UNCLEAR:
            pair = f"{names[row['a']]} minus {names[row['b']]}"
            rows.append([row["suite"], pair, f"{row['low']:+.2f} to {row['high']:+.2f}"])
    return markdown(["Suite", "Difference", "95 % interval"], rows)


def times(record: dict) -> str:
    """Minutes and memory of each lesson."""
    rows = []
    for row in record["lessons"]:
        memory = f"{row['peak_mb'] / 1000:.1f} GB"
        rows.append([row["name"][:2], f"{row['seconds'] / 60:.1f}", memory])
    return markdown(["Lesson", "Minutes", "Memory"], rows)
