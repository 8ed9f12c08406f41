"""Held-back exercises for instructors: three for each lesson, drawn by a seed, in no public file.

    python3 -m ci.lessons.variants --seed 2026

writes build/variants/instructor/NN_name.ipynb, with solutions, and build/variants/student/, to hand
out. Both are assignments for nbgrader. The same seed makes the same files, so keep it to yourself
and take another one each year. ci/lessons/variants.toml holds what is drawn from."""

from __future__ import annotations

import random
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ci import bootstrap
from ci.lessons.audiences import for_students, marks
from ci.lessons.sources import KERNEL, lesson_sources, text_of

TABLE = Path(__file__).with_suffix(".toml")
OUT = bootstrap.ROOT / "build" / "variants"
DRAWN = 5  # cases beside those that are always there
HINT = "read the text of the exercise once more, and try this call by hand."


@dataclass(frozen=True)
class Variant:
    """A drawn exercise: that of the lesson which it varies, its words, its code with the solution
    between nbgrader's marks, and its cases as (arguments, wanted)."""

    of: str
    title: str
    ask: str
    code: str
    cases: list[tuple[list, object]]


def drawn(seed: int) -> list[Variant]:
    """All variants of a seed; each has a generator of its own, so that none moves the others."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["variant"]
    return [draw(entry, random.Random(f"{seed} {entry['title']}")) for entry in table]


def draw(entry: dict, chance: random.Random) -> Variant:
    """One variant: its values first, then its cases."""
    chosen = {name: chance.choice(values) for name, values in entry["choose"].items()}

    def filled(name: str) -> str:
        return Template(entry[name]).substitute(chosen)

    code = filled("code").strip()
    function = last_function(code)
    texts = [Template(text).substitute(chosen) for text in entry["first"]]
    texts += [filled("draw")] * DRAWN
    known, cases = words(chance), []
    for text in texts:
        arguments = last_function(f"def arguments(n, x, pick, many):\n    return {text}")(**known)
        case = (arguments, function(*arguments))
        cases += [case] if case not in cases else []
    return Variant(entry["of"], entry["title"], filled("ask"), code, cases)


def words(chance: random.Random) -> dict:
    """What an expression of the table may call."""
    return {
        "n": chance.randint,
        "x": lambda low, high: round(chance.uniform(low, high), 2),
        "pick": lambda *values: chance.choice(values),
        "many": lambda low, high, one: [one() for _ in range(chance.randint(low, high))],
    }


def last_function(code: str):
    """The function that a piece of code defines last; it comes from our own table, never from
    outside."""
    names: dict = {}
    exec(code, names)
    names.pop("__builtins__")
    return [value for value in names.values() if callable(value)][-1]


def notebook(name: str, variants: list[Variant]):
    """The instructor's copy of a lesson's variants."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    rule = "Each is the idea of an exercise of the lesson with another rule. Read the text closely."
    head = f"# Lesson {name[:2]}: held-back exercises\n\n{rule}"
    cells = [new_markdown_cell(head, id="head")]
    for number, variant in enumerate(variants, start=1):
        text = f"## {number}. {variant.title[0].upper()}{variant.title[1:]}\n\n{variant.ask}"
        cells.append(new_markdown_cell(text, id=f"text{number}"))
        for kind, code in (("exercise", variant.code), ("check", check(number, variant))):
            mark = marks(f"{kind}_variant_{number}", solution=kind == "exercise")
            settings = {"tags": [kind], "nbgrader": mark}
            cells.append(new_code_cell(code, id=f"{kind}{number}", metadata=settings))
    settings = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=settings)


def check(number: int, variant: Variant) -> str:
    """The cell that checks a variant, like that of the lesson, with its cases inside."""
    lines = ["from sdft_lib.lessons.exercises import Case, Exercise", "", "cases = ["]
    for place, (arguments, wanted) in enumerate(variant.cases, start=1):
        call = ", ".join(map(repr, arguments))
        lines.append(f"    Case('case {place}', {call!r}, {repr(wanted)!r}, {HINT!r}),")
    name = last_function(variant.code).__name__
    return "\n".join([*lines, "]", f"Exercise('{variant.of}, another rule', cases, '')({name})"])


def write(seed: int, out: Path = OUT) -> int:
    """Write both copies of each lesson; the number of exercises."""
    variants = drawn(seed)
    for source in lesson_sources():
        own = [each for each in variants if int(each.of.partition(".")[0]) == int(source.stem[:2])]
        for audience in ("instructor", "student"):
            made = notebook(source.stem, own)
            made = for_students(made) if audience == "student" else made
            place = out / audience / f"{source.stem}.ipynb"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text_of(made).encode())
    return len(variants)


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    secret = "a number that the class does not know"
    parser.add_argument("--seed", type=int, required=True, help=secret)
    seed = parser.parse_args().seed
    bootstrap.ensure_venv()
    print(f"{write(seed)} exercises in build/variants: keep the seed to yourself.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
