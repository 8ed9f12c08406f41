"""How easy the lessons' text is to read: a commit beside the working tree, by textstat.

    pip install -e ".[readability]"
    python3 -m ci.lessons.readability 12ab674

Of each lesson the sentences of its Markdown cells are measured, without headings, tables, formulas,
code and addresses. *Flesch* is the reading ease, 0 to 100, higher is easier; *grade* the years of
school by Flesch and Kincaid; *words* those of a mean sentence; *long* the share of sentences with
more than 25 words."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys

from ci.bootstrap import ROOT, command_line, stop
from ci.lessons.sources import SOURCES, lesson_sources
from ci.recorded.blocks import markdown

CELL = re.compile(r"^# %% \[markdown\].*\n((?:#.*\n)*)", re.M)
NO_PROSE = (
    (r"(?s)<!--.*?-->|```.*?```|\$\$.*?\$\$", " "),
    (r"^\s*(#+ |\||!\[).*$", ""),  # headings, tables, pictures
    (r"\[([^\]]*)\]\([^)]*\)", r"\1"),  # a link is its words
    (r"</?(?:summary|details|p|li|br)[^>]*>", "\n\n"),
    (
        r"<code>.*?</code>|`[^`]*`|\$[^$]*\$",
        "it",
    ),  # code and formulas: nobody can count their words
    (r"<[^>]*>|[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", ""),
    (r"^\s*(?:[-*]|\d+\.)\s+", "\n\n"),  # each item of a list
)
LONG = 25  # words


def main() -> int:
    parser = command_line(__doc__)
    parser.add_argument("commit", help="the lessons before, such as 12ab674")
    commit = parser.parse_args().commit
    now = {path.stem: path.read_text(encoding="utf-8") for path in lesson_sources()}
    before = at(commit)
    rows = [
        row(name[:2], before.get(name, ""), now.get(name, "")) for name in sorted({*before, *now})
    ]
    rows.append(row("all", "\n".join(before.values()), "\n".join(now.values())))
    units = ("Flesch", "grade", "words", "long", "sentences")
    head = [f"{unit} {when}" for when in ("before", "now") for unit in units]
    print(markdown(["Lesson", *head], rows))
    return 0


def at(commit: str) -> dict[str, str]:
    """The sources of all lessons at a commit, by name."""
    folder = SOURCES.relative_to(ROOT).as_posix()
    names = git("ls-tree", "--name-only", f"{commit}:{folder}").split()
    kept = [name for name in names if re.fullmatch(r"\d\d_\w+\.py", name)]
    return {name.removesuffix(".py"): git("show", f"{commit}:{folder}/{name}") for name in kept}


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        stop(f"git {' '.join(arguments)}: {done.stderr.strip()}; name a commit of this repository.")
    return done.stdout


def row(name: str, *sources: str) -> list[str]:
    """A line of the table: the figures of a lesson before and now."""
    return [name, *(cell for source in sources for cell in figures(prose(source)))]


def prose(source: str) -> list[str]:
    """The sentences of a lesson's Markdown cells, without what is no prose."""
    kept = []
    for cell in CELL.findall(source):
        text = re.sub(r"^# ?", "", cell, flags=re.M)
        for pattern, put in NO_PROSE:
            text = re.sub(pattern, put, text, flags=re.M)
        for paragraph in re.split(r"\n\s*\n", text):
            sentences = re.split(r"(?<=[.!?])[\"”)]*\s+(?=\S)", " ".join(paragraph.split()))
            kept += [each for each in sentences if len(each.split()) > 2]
    return kept


def figures(sentences: list[str]) -> list[str]:
    """Reading ease, grade, words of a mean sentence, share of long ones, number of sentences."""
    import textstat

    if not sentences:
        return ["-"] * 5
    lengths = [len(sentence.split()) for sentence in sentences]
    text = " ".join(re.sub(r"[.!?:;,]+$", "", sentence) + "." for sentence in sentences)
    return [
        f"{textstat.flesch_reading_ease(text):.1f}",
        f"{textstat.flesch_kincaid_grade(text):.1f}",
        f"{statistics.mean(lengths):.1f}",
        f"{sum(length > LONG for length in lengths) / len(lengths):.0%}",
        str(len(lengths)),
    ]


if __name__ == "__main__":
    sys.exit(main())
