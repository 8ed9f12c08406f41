"""The generated parts of Markdown pages: each between two marks, made anew or only compared.

A page holds `<!-- NAME:begin -->` and `<!-- NAME:end -->`. What lies between follows from recorded
results or from the code; nobody types it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ci.bootstrap import ROOT, command_line, ensure_venv

BOOK = ROOT / "ci" / "book"


def with_block(page: Path, name: str, text: str) -> str:
    """The page with ``text`` between the marks of ``name``, in place of what stood there."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{text}\n{end}{after}" if text else f"{before}{begin}\n{end}{after}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def command(description: str, pages: Callable[[], dict[Path, str]], record=None) -> int:
    """The command line of a maker of blocks: write its pages, or with ``--check`` compare them.

    ``record`` runs first, unless only compared. Returns the exit code: 1 if a page is stale."""
    parser = command_line(description)
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args()
    ensure_venv()
    if not options.check:
        if record:
            record()
        for page, text in pages().items():
            page.write_text(text, encoding="utf-8", newline="\n")
    stale = [page for page, text in pages().items() if page.read_text(encoding="utf-8") != text]
    for page in stale:
        print(f"{page.relative_to(ROOT)} differs from what it is made of: run this command.")
    if not stale:
        print("The generated parts are fresh.")
    return 1 if stale else 0


def when_and_where() -> dict:
    """Today, and the commit that is checked out."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {"recorded": time.strftime("%Y-%m-%d"), "commit": commit}
