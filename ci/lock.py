"""Write ci/locks/: the packages of constraints.txt with the SHA-256 of each of their files.

    python3 ci/lock.py

Run it after a change of pyproject.toml or constraints.txt, with a network. uv does the work; it is
made ready in build/lock, from the lock of the tools. Each lock fits Linux on x86_64 and Python 3.11
to 3.13; ci/bootstrap.py installs it there, and the pins alone elsewhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `ci`

from ci import bootstrap
from ci.bootstrap import CPU_INDEX, LOCKS, ROOT, TORCH_LOCK, say

TOOLS = ["pip-audit==2.10.1", "uv==0.13.9", "zizmor==1.32.0"]  # of this file and the workflows
# A package's own code runs while it is built. So wheels alone, but for the one package without.
HEAD = "# Made by ci/lock.py.\n--only-binary :all:\n--no-binary rouge-score\n"
# uv reads this in build/lock. The CPU build of PyTorch needs less than PyPI's build: no CUDA.
SETTINGS = """\
[project]
name = "lock"
version = "0"
requires-python = ">=3.11,<3.14"
[tool.uv]
environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
[[tool.uv.dependency-metadata]]
name = "torch"
requires-dist = [
    "filelock", "typing-extensions", "setuptools", "sympy", "networkx", "jinja2", "fsspec",
]
"""
OPTIONS = """
--generate-hashes --no-annotate --no-header --upgrade --quiet --universal --python-version 3.11
--only-binary :all: --no-binary rouge-score
"""
FOLDER = ROOT / "build" / "lock"


def wanted() -> dict[str, list[str]]:
    """What each lock holds, with all that it needs: the builder of packages, the project and its
    extras, the tools.

    setuptools builds rouge-score, the one package without a wheel.
    """
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    extras = settings["project"]["optional-dependencies"]
    return {
        "build": [*settings["build-system"]["requires"], "setuptools"],
        "dev": [*settings["project"]["dependencies"], *extras["dev"]],
        "book": extras["book"],
        "browser": extras["browser"],
        "tools": TOOLS,
    }


def pinned(name: str) -> str:
    """The version of a package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.split("==")[1] for line in lines if line.startswith(f"{name}=="))


def compile_lock(python: Path, requirements: list[str], target: Path, *options: str) -> None:
    """Let uv find the files of these requirements, and write their names, versions and hashes."""
    command = [str(python), "-m", "uv", "pip", "compile", "-", *OPTIONS.split(), *options]
    text = "\n".join(requirements)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=FOLDER)
    if done.returncode:
        bootstrap.stop(f"{target.name} stays as it was: {done.stderr.strip()[-1500:]}")
    target.write_text(HEAD + done.stdout, encoding="utf-8")
    packages = re.findall(r"^\w.*==", done.stdout, re.M)
    say(f"{target.relative_to(ROOT)}: {len(packages)} packages")


def main() -> None:
    bootstrap.command_line(__doc__).parse_args()
    python = bootstrap.make_venv(FOLDER / "tools")
    bootstrap.run_pip(["install", "--require-hashes", "-r", "ci/locks/tools.txt"], python)
    (FOLDER / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    for name, requirements in wanted().items():
        pins = [] if name == "tools" else ["-c", str(ROOT / "constraints.txt")]
        compile_lock(python, requirements, LOCKS / f"{name}.txt", *pins)
    if bootstrap.reachable(f"{CPU_INDEX}/torch/"):
        torch = [f"torch=={pinned('torch')}"]
        compile_lock(python, torch, TORCH_LOCK, "--no-deps", "--index-url", CPU_INDEX)
    else:
        say(f"{TORCH_LOCK.relative_to(ROOT)} stays as it is: {CPU_INDEX} does not answer.")


if __name__ == "__main__":
    main()
