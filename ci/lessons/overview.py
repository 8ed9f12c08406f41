"""The table of lessons, from their headers and the recorded run, in README.md and as
notebooks/README.md; and what else is made from the repository's name and its environment."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ci import bootstrap
from ci.lessons.sources import NOTEBOOKS, badge, lesson_sources, to_notebook
from ci.platforms import cloud
from ci.recorded import record_run

BEGIN, END = "<!-- lessons:begin -->", "<!-- lessons:end -->"
INDEX = """# The lessons

<!-- This file is made by ci/build_notebooks.py. Change the lessons in src/, not this file. -->

{table}

**Read** the copies in this folder: they hold the outputs of a full run. **Work** in those in [student](student): their
exercises are open. Copy the folder to `my_work/` first, which git ignores; then an update never touches your answers.
**Teach** with those in [instructor](instructor): solutions and notes for the class. All three are made from
[src](src) by `python3 ci/build_notebooks.py`; change a lesson there, never in a copy.

**On Colab** the badge opens a student copy, whose first code cell installs what Colab lacks and changes nothing else.
`python3 ci/run_tests.py --colab` runs every lesson so, in `build/colab/`, with Colab's published package versions. That
is a simulation: Colab itself, its Python (3.12 or 3.13), its torch and its T4 were not used.

**Hand out** one file: `python3 -m ci.lessons.student_bundle` packs the students' copies with library and data, without
solutions, notes and tests.

**Grade** with nbgrader: the copies in [instructor](instructor) are sources of assignments, with its solution marks and
cell metadata, and `instructor/nbgrader_config.py` is the configuration of the course: released copies are without notes
and solutions, and grading runs the exercises without the lesson above them. A filled-in student copy can be handed in
as it is. `python3 ci/run_tests.py --classroom` lets nbgrader release, collect and grade every lesson, in
`build/classroom/`. The solutions are public here, so give points for other things too.

Minutes and memory are those of the recorded run on two CPU cores, everything computed anew. A second run takes the
results from the store and needs well under a minute a lesson.
"""


def header_of(source: Path) -> dict[str, str]:
    """The title up to its colon, and the sentence after `You will`, of one lesson."""
    text = to_notebook(source).cells[0].source
    title = re.search(r"^# ([^:\n]+)", text)
    will = re.search(r"\*\*You will\*\* (.+)", text)
    return {
        "title": title[1].strip() if title else source.stem,
        "will": will[1].strip() if will else "",
    }


def measured() -> dict[str, dict]:
    """Seconds and memory of each lesson in the recorded full run; empty where nothing is
    recorded.
    """
    if not record_run.RECORD.exists():
        return {}
    return {
        row["name"]: row
        for row in json.loads(record_run.RECORD.read_text(encoding="utf-8"))["lessons"]
    }


def table(folder: str) -> str:
    """The lessons as Markdown; ``folder`` is the way from the reader's file to `notebooks/`."""
    times = measured()
    lines = ["| Lesson | You will | Minutes | Memory | Colab |", "| --- | --- | --- | --- | --- |"]
    for source in lesson_sources():
        name, head = source.stem, header_of(source)
        cost = times.get(name)
        minutes = f"{max(0.5, round(cost['seconds'] / 30) / 2):g}" if cost else "not yet measured"
        memory = f"{cost['peak_mb'] / 1000:.1f} GB" if cost else "not yet measured"
        cells = [
            f"[{head['title']}]({folder}{name}.ipynb)",
            head["will"],
            minutes,
            memory,
            badge(name, "student"),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """The files that hold the table or links to the repository, with the text they should have."""
    readme = record_run.readme_between(BEGIN, END, table("notebooks/"))
    readme = record_run.readme_between(cloud.BEGIN, cloud.END, cloud.links(), readme)
    made = {
        bootstrap.ROOT / "README.md": readme,
        NOTEBOOKS / "README.md": INDEX.format(table=table("")),
    }
    return made | cloud.pages()
