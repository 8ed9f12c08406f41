"""Every lesson as on Google Colab: its package versions, an empty folder, and the setup cell word
for word.

    python3 ci/run_tests.py --colab         all lessons, fast mode, from a clean machine
    python3 ci/run_tests.py --colab 00 03   some of them

Each lesson begins a new session. Its reading copy runs whole; then, as after a restart of that
session, its student copy up to the first open exercise. Models and results are made anew in each
run and shared by the lessons. Everything lies in build/colab/: an environment from
ci/platforms/colab.txt, a cache, and a bare repository that git takes for one on GitHub. The working
tree is pushed there, the steps of .github/workflows/links.yml run on a clone and push the stamped
copies, and the lessons are those of that clone. Colab's Python and torch are not those of this
machine, and there is no GPU: a session on Colab itself shows what this cannot."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import nbformat

from ci import bootstrap
from ci.bootstrap import ROOT, say, stop, write
from ci.lessons import sources

HOME = ROOT / "build" / "colab"
VENV, EMPTY, CACHE, REMOTE, CLONE, INDEX = (
    HOME / name for name in ("venv", "empty", "cache", "remote.git", "clone", "index")
)
SLUG, BRANCH = "somebody/sdft-tutorial", "main"  # the repository that REMOTE stands in for
WORKFLOW = Path(".github", "workflows", "links.yml")
PYTHON = bootstrap.python_of(VENV)
PINS = ROOT / "ci" / "platforms" / "colab.txt"
PRISTINE = HOME / "pristine.json"  # the packages of the environment before any setup cell
KERNEL = "colab"
# what Colab's own package has imported by then
STUB = "import IPython, ipywidgets, matplotlib, numpy, pandas\n"
RUN_LIMIT = 3600  # seconds that one cell may take
MAY_GO = {"torchao"}  # what the setup cell may remove; it may change nothing


def run(numbers: list[str] | None = None) -> tuple[int, int]:
    """(passed, failed): the copies of the lessons, and what the setup cell changed."""
    say(
        f"Colab's versions (ci/platforms/colab.txt), but Python {platform.python_version()} and "
        f"torch {version('torch')}."
    )
    before = prepare()
    results, wrong = [], []
    for copy in sources.reading_copies(CLONE / "notebooks", numbers):
        new_session(before)
        results += [attempt(copy, kind) for kind in ("reading", "student")]
        wrong += [f"{copy.stem}: {line}" for line in changes(before, packages())]
    say("\n".join(wrong) or "The setup cell changed nothing.")
    results.append(not wrong)
    return sum(results), len(results) - sum(results)


def attempt(copy: Path, kind: str) -> bool:
    """Run one copy of a lesson; one line says how it went, and of an error the last lines."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillExecutionError

    start, target = time.monotonic(), HOME / "lessons" / f"{copy.stem}-{kind}.ipynb"
    try:
        execute(copy, kind, target)
    except (PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        say("\n".join(str(error).rstrip().splitlines()[-12:]))
        say(f"{copy.stem}, {kind} copy: FAILED; as far as it came: {target.relative_to(ROOT)}")
        return False
    say(f"{copy.stem}, {kind} copy: ran in {time.monotonic() - start:.0f} s")
    return True


def execute(copy: Path, kind: str, target: Path) -> None:
    """Let papermill run a copy, of a student's up to the first exercise, in the empty folder."""
    import papermill

    if kind == "student":
        copy = copy.parent / "student" / copy.name
    notebook = nbformat.read(copy, as_version=4)
    if kind == "student":
        last = next(index for index, cell in enumerate(notebook.cells) if sources.is_exercise(cell))
        notebook.cells = notebook.cells[: last + 1]
    papermill.execute_notebook(
        notebook,
        str(target),
        parameters={"fast": True},
        kernel_name=KERNEL,
        cwd=str(EMPTY),
        progress_bar=False,
        execution_timeout=RUN_LIMIT,
    )


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What the setup cell should not have done to packages, and what it left undone."""
    wrong = []
    for name, number in before.items():
        if name not in after and name not in MAY_GO:
            wrong.append(f"{name} was removed")
        elif after.get(name, number) != number:
            wrong.append(f"{name} was {number} and is {after[name]}")
    wrong += [f"{name} is still there" for name in MAY_GO if name in after]
    if "sdft-tutorial" not in after:
        wrong.append("sdft-tutorial was not installed")
    return wrong


def prepare() -> dict[str, str]:
    """The packages of a new session; papermill then finds kernel `colab`."""
    made_from = fingerprint()
    known = json.loads(PRISTINE.read_text(encoding="utf-8")) if PRISTINE.exists() else {}
    if known.get("from") != made_from:
        make_venv(made_from)
    empty(HOME / "lessons")
    empty_cache()
    publish()
    workflow()
    write_kernel()
    return json.loads(PRISTINE.read_text(encoding="utf-8"))["packages"]


def new_session(pristine: dict[str, str]) -> None:
    """An empty folder, and the packages as they were before any setup cell."""
    empty(EMPTY)
    now = packages()
    if extra := sorted(set(now) - set(pristine)):
        pip("uninstall", "--yes", *extra)
    lost = [name for name, number in pristine.items() if now.get(name) != number]
    if lost:
        pip("install", "--no-deps", *(f"{name}=={pristine[name]}" for name in lost))


def empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def fingerprint() -> str:
    """What the environment is made from."""
    pins = PINS.read_text(encoding="utf-8")
    parts = [pins, version("torch"), platform.python_version(), str(ROOT)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def make_venv(made_from: str) -> None:
    """Colab's packages and a stub of its own, `google.colab`, in an environment of their own."""
    say("Making an environment with Colab's packages in build/colab/venv (once; a few minutes) ...")
    bootstrap.make_venv(VENV)
    torch = f"torch=={version('torch')}"
    cpu = "+cpu" in torch and bootstrap.reachable(f"{bootstrap.CPU_INDEX}/torch/")
    pip("install", "--no-deps", torch, *(["--index-url", bootstrap.CPU_INDEX] if cpu else []))
    pip("install", torch, "-r", str(PINS))
    site = call([str(PYTHON), "-c", "import site; print(site.getsitepackages()[0])"]).strip()
    write(Path(site, "google", "colab", "__init__.py"), STUB)
    write(PRISTINE, json.dumps({"from": made_from, "packages": packages()}))


def packages() -> dict[str, str]:
    """Version of each installed package."""
    rows = json.loads(call([str(PYTHON), "-m", "pip", "list", "--format", "json"]))
    return {row["name"]: row["version"] for row in rows}


def empty_cache() -> None:
    """No models and results of an earlier run; wheels stay, or are those of the usual cache."""
    from sdft_lib.storage.store import cache_dir

    for folder in ("models", "store"):
        shutil.rmtree(CACHE / folder, ignore_errors=True)
    downloads, usual = CACHE / "downloads", cache_dir() / "downloads"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not downloads.exists() and usual.is_dir():
        downloads.symlink_to(usual.resolve())


def publish() -> None:
    """A bare repository that holds what git tracks here, as it is now, as GitHub does after a push.

    The commit is made in an index of its own: nobody's staged work is touched, or waits.
    """
    if not REMOTE.exists():
        git("init", "--quiet", "--bare", str(REMOTE))
        git("-C", str(REMOTE), "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
    git("read-tree", "HEAD", index=INDEX)
    git("add", "--update", index=INDEX)
    tree = git("write-tree", index=INDEX).strip()
    commit = git("commit-tree", tree, "-m", "The working tree").strip()
    git("push", "--quiet", "--force", str(REMOTE), f"{commit}:refs/heads/{BRANCH}")


def workflow(slug: str = SLUG) -> None:
    """Check the remote out and run the commands of the workflow there, as GitHub does after a push
    to a repository of this name."""
    import yaml

    shutil.rmtree(CLONE, ignore_errors=True)
    git("clone", "--quiet", str(REMOTE), str(CLONE))
    known = {"github.repository": slug, "github.ref_name": BRANCH, "github.token": "none"}
    job = yaml.safe_load((CLONE / WORKFLOW).read_text(encoding="utf-8"))["jobs"]["stamp"]
    for step in job["steps"]:
        if "run" in step:
            own = {name: known[text[3:-2].strip()] for name, text in step["env"].items()}
            call(["bash", "-e", "-c", step["run"]], own, folder=CLONE)


def write_kernel() -> None:
    """The kernel `colab`: imports `google.colab`; git takes our repository for that on GitHub."""
    startup = HOME / "ipython" / "profile_default" / "startup"
    write(startup / "00_colab.py", "import google.colab\n")
    settings = {
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
        "IPYTHONDIR": str(HOME / "ipython"),
        "SDFT_CACHE": str(CACHE),
        "SDFT_WIDGETS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{REMOTE.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{SLUG}",
    }
    start = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": start, "display_name": "Colab", "language": "python", "env": settings}
    write(HOME / "jupyter" / "kernels" / KERNEL / "kernel.json", json.dumps(kernel, indent=1))
    os.environ |= dict.fromkeys(("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"), str(HOME / "jupyter"))


def pip(command: str, *arguments: str) -> None:
    call([str(PYTHON), "-m", "pip", command, "--quiet", *arguments])


def git(*arguments: str, index: Path | None = None) -> str:
    own = {"GIT_INDEX_FILE": str(index)} if index else {}
    return call(["git", "-c", "user.name=sdft", "-c", "user.email=sdft@localhost", *arguments], own)


def call(command: list[str], settings: dict | None = None, folder: Path | None = None) -> str:
    """What a program prints; one that fails ends this one with its last lines."""
    environment = bootstrap.pip_environment() | (settings or {})
    done = subprocess.run(
        command, cwd=folder or ROOT, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        say((done.stdout + done.stderr).strip()[-1500:])
        stop(f"{' '.join(command[:5])} failed (its last lines are above).")
    return done.stdout
