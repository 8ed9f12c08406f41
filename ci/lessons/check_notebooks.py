"""The quality of the lessons, checked without running them: text, code, outputs, links.

    python3 -m ci.lessons.check_notebooks                      all copies of all lessons
    python3 -m ci.lessons.check_notebooks notebooks/00*.ipynb  some of them

Needs neither torch nor a network. That the copies are fresh is what `ci/build_notebooks.py --check`
looks at; the spelling of their sources is codespell's."""

from __future__ import annotations

import sys
from pathlib import Path

from ci import bootstrap

ROOT = bootstrap.ROOT


def notebooks(folder: Path = ROOT / "notebooks") -> list[Path]:
    """Every copy of every lesson: reading copies, then those in `student/` and `instructor/`."""
    copies = []
    for part in ("", "student", "instructor"):
        copies += sorted((folder / part).glob("*.ipynb"))
    return copies


def all_checks() -> list:
    """Every check, a function (notebook, path) -> sentences."""
    from ci.lessons import checks_outputs, checks_text

    return [*checks_text.CHECKS, *checks_outputs.CHECKS]


def read(path: Path):
    """(notebook, complaint): a valid notebook, or why it is none."""
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (OSError, ValueError, AttributeError, KeyError, nbformat.ValidationError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
        return None, f"is no valid notebook ({reason})"
    return notebook, ""


def check(path: Path) -> list[str]:
    """What is wrong with one notebook, one sentence each."""
    notebook, complaint = read(path)
    if complaint:
        return [complaint]
    return [sentence for look in all_checks() for sentence in look(notebook, path)]


def shown(path: Path) -> str:
    """A path as seen from the repository."""
    full = path.resolve()
    return full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else str(path)


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all under notebooks/")
    options = parser.parse_args()
    bootstrap.ensure_venv()
    paths = options.notebooks or notebooks()
    wrong = [f"{shown(path)}: {sentence}." for path in paths for sentence in check(path)]
    fine = f"{len(paths)} notebooks pass {len(all_checks())} checks."
    print("\n".join(wrong) or fine)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
