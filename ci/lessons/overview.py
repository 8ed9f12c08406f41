"""The lists of lessons, from their headers and the recorded run: short in README.md, whole in
notebooks/README.md. And the other files that `ci/build_notebooks.py` makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ci.bootstrap import ROOT
from ci.lessons.sources import NOTEBOOKS, badge, lesson_sources, repository
from ci.platforms import cloud
from ci.recorded import record_run
from ci.recorded.blocks import BOOK, markdown, with_block

INDEX = """# The lessons

<!-- This file is made by ci/build_notebooks.py. Change the lessons in src/, not this file. -->

{table}

**Read** the copies in this folder: they hold the outputs of a full run. **Work** in those in
[student](student): their exercises are open. Copy the folder to `my_work/` first, which git
ignores; then an update never touches your answers. **Teach** with those in
[instructor](instructor): solutions and notes for the class. All three are made from [src](src) by
`python3 ci/build_notebooks.py`; change a lesson there, never in a copy.

**On Colab** {colab}. It opens a student copy,
whose first code cell [installs what Colab lacks](../ci/book/platforms.md#google-colab).

**Hand out** one file: `python3 -m ci.lessons.student_bundle` packs the students' copies with
library and data, without solutions, notes and tests. The
[session plans](../ci/book/teaching/plans.md) say how to hand out your finished run as well, and how
to grade with nbgrader.

Minutes and memory are those of the recorded run on two CPU cores, everything computed anew. A
second run takes the results from the store and needs about a minute a lesson or less.
"""


def pages() -> dict[Path, str]:
    """The files with lists of lessons or links to the repository, and the text they should have."""
    readme, platforms = ROOT / "README.md", BOOK / "platforms.md"
    known = repository()[0]
    colab = "press the badge" if known else "there is a badge after the first push to GitHub"
    made = {
        readme: with_block(readme, "lessons", f"{short_list()}\n\n{cloud.links()}"),
        NOTEBOOKS / "README.md": INDEX.format(table=table(), colab=colab),
        platforms: with_block(platforms, "cloud", cloud.links()),
    }
    return made | cloud.pages()


def short_list() -> str:
    """One line a lesson for the README: its title and its minutes."""
    times = measured()
    lines = []
    for source in lesson_sources():
        title = header_of(source)["title"]
        minutes = minutes_of(times.get(source.stem))
        lines.append(f"- [{title}](notebooks/{source.stem}.ipynb), {minutes}")
    return "\n".join(lines)


def table() -> str:
    """The lessons for notebooks/README.md: what each does and takes, with its badge."""
    times = measured()
    rows = []
    for source in lesson_sources():
        head, cost = header_of(source), times.get(source.stem)
        cells = [
            f"[{head['title']}]({source.stem}.ipynb)",
            head["will"],
            minutes_of(cost),
            f"{cost['peak_mb'] / 1000:.1f} GB" if cost else "not yet measured",
            badge(source.stem, "student"),
        ]
        rows.append([cell.replace("|", "\\|") for cell in cells if cell])
    head = ["Lesson", "You will", "Time", "Memory", "Colab"]
    return markdown(head if repository()[0] else head[:-1], rows)


def header_of(source: Path) -> dict[str, str]:
    """The title up to its colon, and the sentence after `You will`, of one lesson."""
    text = source.read_text(encoding="utf-8").partition("# %% [markdown]\n")[2]
    title = re.match(r"# # ([^:\n]+)", text)
    will = re.search(r"^# \*\*You will\*\* (.+)", text, re.M)
    return {
        "title": title[1].strip() if title else source.stem,
        "will": will[1].strip() if will else "",
    }


def measured() -> dict[str, dict]:
    """Seconds and memory of each lesson in the recorded run; empty where none is recorded."""
    if not record_run.RECORD.exists():
        return {}
    rows = json.loads(record_run.RECORD.read_text(encoding="utf-8"))["lessons"]
    return {row["name"]: row for row in rows}


def minutes_of(cost: dict | None) -> str:
    """Half minutes, at least one of them."""
    if not cost:
        return "not yet measured"
    minutes = max(0.5, round(cost["seconds"] / 30) / 2)
    return "1 minute" if minutes == 1 else f"{minutes:g} minutes"
