"""How large the library is, and how much of it a lesson pulls in; quoted in CONTRIBUTING.md.

    python3 -m ci.lessons.house           print it, and write it into CONTRIBUTING.md
    python3 -m ci.lessons.house --check   change nothing; exit 1 if CONTRIBUTING.md is stale

Everything follows from the source text: no module of the library is run."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

from ci.bootstrap import ROOT
from ci.lessons.sources import lesson_sources
from ci.recorded.blocks import command, markdown, with_block

LIBRARY = "sdft_lib"
FIRST_LESSONS = ("00", "01", "02", "03", "04")
# Directions to ruff to leave a place unformatted. In two parts, or this line would be one.
SKIP = "# fmt: " + "skip"


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Dotted name and file of every module of the library; a package is its `__init__`."""
    known = {}
    for path in sorted((root / LIBRARY).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        known[".".join(parts)] = path
    return known


def imports(text: str, known: dict[str, Path]) -> set[str]:
    """The modules of the library that a text imports, at the top or inside functions."""
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import name` may mean a module or what `__init__` holds
            imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return imported & set(known)


@cache
def graph():
    """What each module of the library imports, as import-linter sees it."""
    import grimp

    return grimp.build_graph(LIBRARY, cache_dir=None)


def closure(start: set[str]) -> set[str]:
    """All modules that are reached from some of them, those themselves included."""
    return start.union(*(graph().find_upstream_modules(name) for name in start))


def lines_of(paths) -> int:
    """Lines to the nearest hundred: a page that goes stale with each line fails for nothing."""
    return round(sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths), -2)


def packages(known: dict[str, Path]) -> dict[str, list[Path]]:
    """The files of the core, at the top of the library, and of each package."""
    rooms: dict[str, list[Path]] = {"core": []}
    for path in known.values():
        inside = path.relative_to(ROOT / LIBRARY).parts
        rooms.setdefault(inside[0] if len(inside) > 1 else "core", []).append(path)
    return rooms


def block() -> str:
    """The tables of CONTRIBUTING.md."""
    known = modules()
    sizes = [[f"`{name}`", len(paths), lines_of(paths)] for name, paths in packages(known).items()]
    sizes.append(["**all**", len(known), lines_of(known.values())])
    commands = list((ROOT / "ci").rglob("*.py"))
    sizes.append(["beside it: `ci`", len(commands), lines_of(commands)])
    pulled, every = [], set()
    for source in lesson_sources():
        if source.stem[:2] in FIRST_LESSONS:
            reached = closure(imports(source.read_text(encoding="utf-8"), known))
            every |= reached
            pulled.append([source.stem[:2], len(reached), lines_of(known[x] for x in reached)])
    pulled.append(["together", len(every), lines_of(known[name] for name in every)])
    skips = sum(path.read_text(encoding="utf-8").count(SKIP) for path in known.values())
    parts = [
        table(["Part of the library", "files", "lines, about"], sizes),
        f"Places that `ruff format` leaves alone: {skips}.",
        table(["Lesson", "modules in its closure", "lines, about"], pulled),
    ]
    return "\n\n".join(parts)


def table(head: list[str], rows: list[list]) -> str:
    """Numbers with a comma between thousands."""
    texts = [[f"{x:,}" if isinstance(x, int) else x for x in row] for row in rows]
    return markdown(head, texts)


def pages() -> dict[Path, str]:
    page = ROOT / "CONTRIBUTING.md"
    return {page: with_block(page, "house", block())}


if __name__ == "__main__":
    print(block())
    sys.exit(command(__doc__, pages))
