"""One file for a class: the students' copies with the library and the data, without solutions and
notes.

    python3 -m ci.lessons.student_bundle               writes build/students.zip
    python3 -m ci.lessons.student_bundle sdft-2026.zip

Solutions are public in the repository all the same; the bundle only keeps them out of sight.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from ci import bootstrap

ROOT = bootstrap.ROOT
FILES = ("LICENSE", "pyproject.toml", "constraints.txt", "environment.yml")
FOLDERS = ("sdft_lib/**/*.py", "data/**/*", "notebooks/student/*.ipynb")
LEFT_OUT = ("data/quizzes.toml", "data/generators/")
WHEN = (2020, 1, 1, 0, 0, 0)  # one date for all, so that equal files make an equal bundle
README = """# Self-distillation fine-tuning: the class

You need Python 3.11 or newer, about 3 GB of memory, and a network for the first start.

```
python3 -m venv .venv
.venv/bin/pip install -c constraints.txt -e .
.venv/bin/sdft doctor
.venv/bin/jupyter lab notebooks/student
```

On Windows, write `.venv\\Scripts\\` in place of `.venv/bin/`. With conda:
`conda env create -f environment.yml`.

Begin with lesson 00. Each lesson ends with a quiz and exercises; the check below an
exercise says what to look at.
"""


def contents() -> dict[str, bytes]:
    """Name in the bundle and bytes of every file, in order of the names."""
    paths = [ROOT / name for name in FILES]
    paths += [path for pattern in FOLDERS for path in ROOT.glob(pattern) if path.is_file()]
    files = {"README.md": README.encode()}
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(LEFT_OUT) and "__pycache__" not in name:
            files[name] = path.read_bytes()
    return dict(sorted(files.items()))


def write(target: Path) -> int:
    """Write the bundle; returns the number of files in it."""
    files = contents()
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in files.items():
            bundle.writestr(zipfile.ZipInfo(f"sdft-class/{name}", WHEN), data, zipfile.ZIP_DEFLATED)
    return len(files)


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build" / "students.zip")
    target = parser.parse_args().target
    try:
        number = write(target)
    except OSError as error:
        bootstrap.stop(f"{target}: cannot be written ({error.strerror}); give another place.")
    print(f"{target}: {number} files, {target.stat().st_size / 1e6:.1f} MB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
