"""The tutorial on Binder and in GitHub Codespaces: their files, made from environment.yml, and the
links in README.md and ci/book/platforms.md.

`python3 ci/build_notebooks.py` writes them with the copies of the lessons. Neither place has a GPU,
so both take the CPU build of PyTorch, and both fetch the models while they are being made. PyTorch
comes by address and SHA-256: from a second index, a package of any name could come."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

from ci.bootstrap import CPU_INDEX, ROOT, TORCH_LOCK
from ci.lessons.sources import COLAB, lesson_sources, repository

ENVIRONMENT = ROOT / "environment.yml"
BINDER = ROOT / ".binder" / "environment.yml"
CODESPACES = ROOT / ".devcontainer" / "devcontainer.json"
# The file of ci/locks/torch-cpu.txt for the Python of environment.yml.
PYTHON_312 = "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2"
HEAD = """# Made from environment.yml by ci/build_notebooks.py: change that file.
# pip looks for its paths from this folder on.
"""
UNKNOWN = (
    "Links to Colab, Binder and Codespaces appear here after the first push to GitHub: "
    "a workflow writes them (by hand: `python3 ci/build_notebooks.py --repo owner/name`)."
)
IMAGE = "mcr.microsoft.com/devcontainers/miniconda:3"


def binder() -> str:
    """environment.yml as seen from `.binder/`, with the CPU build of PyTorch."""
    text = HEAD + re.sub(r"^#.*\n", "", ENVIRONMENT.read_text(encoding="utf-8"), flags=re.M)
    pins = re.search(r"^( *- )-c constraints\.txt$", text, re.M)
    text = text.replace(pins[0], f"{pins[1]}-c ../constraints.txt")
    text = re.sub(r"^( *- )torch>=\S+", rf"\1{torch()}", text, flags=re.M)
    return re.sub(r"^( *- )-e \.(?= )", r"\1-e ..", text, flags=re.M)


def torch() -> str:
    """PyTorch's CPU build for Python 3.12 as a requirement: address and SHA-256 of its file."""
    version = re.search(r"^torch==(\S+)", TORCH_LOCK.read_text(encoding="utf-8"), re.M)[1]
    file = f"torch-{quote(version)}-cp312-cp312-manylinux_2_28_x86_64.whl"
    return f"torch @ {CPU_INDEX}/{file}#sha256={PYTHON_312}"


def codespaces() -> str:
    """A container with the conda environment that opens the first lesson in its kernel."""
    name = re.search(r"^name: (\S+)$", ENVIRONMENT.read_text(encoding="utf-8"), re.M)[1]
    place = f"/opt/conda/envs/{name}"
    container = {
        "name": name,
        "image": IMAGE,
        "hostRequirements": {"cpus": 2, "memory": "8gb"},
        "updateContentCommand": f"conda env create --yes --file {BINDER.relative_to(ROOT)}",
        "postCreateCommand": f"{place}/bin/sdft fetch",
        "customizations": {
            "codespaces": {"openFiles": [f"notebooks/student/{lesson_sources()[0].stem}.ipynb"]},
            "vscode": {
                "extensions": ["ms-python.python", "ms-toolsai.jupyter"],
                "settings": {"python.defaultInterpreterPath": f"{place}/bin/python"},
            },
        },
    }
    return json.dumps(container, indent=2) + "\n"


def links() -> str:
    """The first lesson on Colab, and both places, as Markdown; before the first push, how the links
    appear."""
    slug, branch = repository()
    if not slug:
        return UNKNOWN
    lesson = f"notebooks/student/{lesson_sources()[0].stem}.ipynb"
    lab = f"https://mybinder.org/v2/gh/{slug}/{quote(branch, safe='')}?urlpath=lab/tree"
    targets = {
        "Open in Colab": f"{COLAB}/github/{slug}/blob/{branch}/{lesson}",
        "Open in Binder": f"{lab}/notebooks/student",
        "Open in Codespaces": f"https://codespaces.new/{slug}?ref={quote(branch, safe='')}",
    }
    return " | ".join(f"[{text}]({target})" for text, target in targets.items())


def pages() -> dict[Path, str]:
    """The files of both places, with the text they should have."""
    return {BINDER: binder(), CODESPACES: codespaces()}
