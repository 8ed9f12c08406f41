"""Quizzes: from data/quizzes.toml into the lessons, as plain Markdown with the reasons folded away.

A Markdown cell holds the line `<!-- quiz: 01 -->` where the quiz with that name is to stand.
"""

from __future__ import annotations

import re
import tomllib
from string import ascii_lowercase

from ci import bootstrap

FILE = bootstrap.ROOT / "data" / "quizzes.toml"
MARK = re.compile(r"^<!-- quiz: ([\w-]+) -->$", re.M)


def load() -> dict[str, list[dict]]:
    """The questions of each quiz by its name."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))["quiz"] if FILE.exists() else {}


def fill_in(text: str) -> str:
    """The text with every mark replaced by its quiz; an unknown name ends the program."""
    if not MARK.search(text):
        return text
    known = load()
    for name in MARK.findall(text):
        if name not in known:
            bootstrap.stop(
                f"There is no quiz {name!r} in data/quizzes.toml; it has {', '.join(known)}."
            )
    return MARK.sub(lambda found: render(known[found.group(1)]), text)


def render(questions: list[dict]) -> str:
    """A quiz as Markdown that GitHub, Colab, JupyterLab and a screen reader can show."""
    return "\n\n".join(question(number, item) for number, item in enumerate(questions, start=1))


def question(number: int, item: dict) -> str:
    """One question, its options by letter, and a folded list that says why each is right or not."""
    options = list(zip(ascii_lowercase, item["options"]))
    several = sum(option["right"] for _, option in options) > 1
    lines = [f"**{number}.** {item['ask']}{' *(More than one is right.)*' if several else ''}", ""]
    lines += [f"- {letter}) {option['text']}" for letter, option in options]
    lines += ["", "<details><summary>Answer, and a reason for each option</summary>", ""]
    lines += [
        f"- {letter}) **{'Right' if option['right'] else 'No'}.** {option['why']}"
        for letter, option in options
    ]
    return "\n".join([*lines, "", "</details>"])
