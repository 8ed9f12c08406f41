"""The project files agree: pyproject.toml, constraints.txt, environment.yml, the workflow and
.ci/run.
"""

import ast
import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ci import bootstrap, lock, run_tests
from ci.bootstrap import ROOT
from ci.platforms import cloud, engines

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = (ROOT / "environment.yml").read_text(encoding="utf-8")
TESTED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]

# Modules that we import by name and that a declared package brings along because it needs them
# itself.
BROUGHT_BY = {
    **dict.fromkeys(["nbformat", "nbclient", "yaml"], "papermill"),
    **dict.fromkeys(["psutil", "IPython", "jupyter_client"], "ipykernel"),
    **dict.fromkeys(
        ["tqdm", "huggingface_hub", "packaging", "regex", "tokenizers"], "transformers"
    ),
    "numpy": "scipy",
    "PIL": "matplotlib",
    "sklearn": "sentence-transformers",
    "docutils": "sphinx",
    "bs4": "nbconvert",
    "grimp": "import-linter",
}
IMPORT_NAMES = {"llama_cpp": "llama-cpp-python"}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def conda_requirements() -> list[str]:
    parts = yaml.safe_load(ENVIRONMENT)["dependencies"]
    return next(part["pip"] for part in parts if isinstance(part, dict))


@pytest.mark.parametrize("requirement", TESTED)
def test_tested_version_is_in_the_range(requirement):
    wanted = Requirement(requirement)
    pinned = {canonicalize_name(name): version for name, version in pins().items()}
    assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)])


def test_pins_have_no_local_suffix_and_no_path():
    assert [name for name, version in pins().items() if not re.fullmatch(r"[\w.!]+", version)] == []


def test_conda_users_get_the_same():
    conda = conda_requirements()
    assert conda[0] == "-c constraints.txt" and conda[-1] == "-e ."
    assert sorted(conda[1:-1]) == sorted(TESTED)


def test_each_conda_package_says_what_needs_it():
    lines = [line.strip() for line in ENVIRONMENT.split("dependencies:")[1].splitlines()]
    assert [line for line in lines if "  # " not in line] == ["", "- pip:", "- -c constraints.txt"]


def test_binder_gets_the_same():
    """Its file lies in a folder of its own, so that paths differ; and it takes the CPU build of
    PyTorch.
    """
    theirs = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text(encoding="utf-8"))
    ours = conda_requirements()
    packages = theirs["dependencies"][-1]["pip"]
    assert theirs["dependencies"][:-1] == yaml.safe_load(ENVIRONMENT)["dependencies"][:-1]
    assert packages[2:-1] == ours[2:-1]
    address, _, sha256 = packages[1].partition("#sha256=")
    assert address.startswith(f"torch @ {bootstrap.CPU_INDEX}/torch-{pins()['torch']}%2Bcpu-cp312-")
    assert f"--hash=sha256:{sha256}" in bootstrap.TORCH_LOCK.read_text(encoding="utf-8")
    for line, own in ((packages[0], ours[0]), (packages[-1], ours[-1])):
        assert line.split()[0] == own.split()[0]
        assert (ROOT / ".binder" / line.split()[1]).resolve() == (ROOT / own.split()[1]).resolve()
    assert (ROOT / ".binder" / "postBuild").stat().st_mode & stat.S_IXUSR


def test_codespaces_makes_the_conda_environment():
    container = json.loads(
        (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    )
    assert container["updateContentCommand"].endswith(" .binder/environment.yml")
    place = f"/envs/{yaml.safe_load(ENVIRONMENT)['name']}/bin/"
    assert place in container["postCreateCommand"]
    assert (
        place in container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    )
    assert all(
        (ROOT / file).exists() for file in container["customizations"]["codespaces"]["openFiles"]
    )


def test_links_open_both_for_this_repository():
    page = ROOT / "ci" / "book" / "platforms.md"
    for file in (page, ROOT / "README.md"):
        assert cloud.links() in file.read_text(encoding="utf-8")


def test_extras():
    assert (
        list(PROJECT["optional-dependencies"])
        == "dev book readability browser bench vllm ray lm-eval qlora judge".split()
    )


def test_an_extra_is_used_by_something():
    """Or named where a user is told to install it; the first group is what tests need."""
    files = [
        path for folder in ("sdft_lib", "ci", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    text = "".join(path.read_text(encoding="utf-8") for path in files if path != Path(__file__))
    modules = {name: module for module, name in IMPORT_NAMES.items()} | {"lm-eval": "lm_eval"}
    for extra, items in PROJECT["optional-dependencies"].items():
        for name in [
            Requirement(item).name
            for item in items
            if extra not in ("dev", "book", "browser", "judge")
        ]:
            module = modules.get(name, name)
            assert re.search(rf"(import|from) {module}\b|[\"']{module}[\"'.]", text), (
                f"{extra}: {name}"
            )


def test_a_trainer_of_others_is_there_for_the_tests():
    """Else the test that TRL trains on an export would be passed over on a clean clone."""
    groups = PROJECT["optional-dependencies"]
    assert [item for item in groups["bench"] if item.startswith("trl")] == [
        "trl>=1.0"
    ] and "trl>=1.0" in groups["dev"]
    assert 'importorskip("trl"' not in (ROOT / "tests" / "own_data" / "test_export.py").read_text(
        encoding="utf-8"
    )


def imported_modules() -> set[tuple[str, str]]:
    files = [
        path
        for folder in ("sdft_lib", "ci", "notebooks/src")
        for path in (ROOT / folder).rglob("*.py")
    ]
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {(name.split(".")[0], path.name) for name in names}
    ours = {path.stem for path in files} | {"ci", "sdft_lib"}
    return {
        (name, file)
        for name, file in found
        if name not in sys.stdlib_module_names and name not in ours
    }


def test_every_import_is_declared():
    extras = [item for group in PROJECT["optional-dependencies"].values() for item in group]
    declared = {
        canonicalize_name(Requirement(item).name) for item in [*PROJECT["dependencies"], *extras]
    }
    names = BROUGHT_BY | IMPORT_NAMES
    found = imported_modules()
    assert [
        pair for pair in found if canonicalize_name(names.get(pair[0], pair[0])) not in declared
    ] == []


def test_bootstrap_needs_only_the_standard_library():
    tree = ast.parse((ROOT / "ci" / "bootstrap.py").read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_one_command_everywhere():
    script = ROOT / ".ci" / "run"
    assert "python3 ci/run_tests.py" in script.read_text(encoding="utf-8")
    assert script.stat().st_mode & stat.S_IXUSR
    workflow = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    )
    job = workflow["jobs"]["tests"]
    assert "python3 ci/run_tests.py" in [step.get("run") for step in job["steps"]]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


SANDBOX = (
    "sudo apt-get install -y bubblewrap",
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
)
AUDITS = (
    "python3 -m pip install --require-hashes -r ci/locks/tools.txt",
    "pip-audit -r constraints.txt --no-deps --disable-pip",
    "zizmor --offline --persona pedantic .github",
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_is_there_and_ask_for_little(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow[True], "YAML reads the key `on` as true"
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 120, name
        if "permissions" in job:
            used = {step.get("uses", "").partition("@")[0] for step in job["steps"]} - {""}
            assert used <= {"actions/deploy-pages", "actions/checkout"}, "it may write"
            assert not any("pip " in step.get("run", "") for step in job["steps"]), "no packages"
        for command in [step["run"] for step in job["steps"] if "run" in step]:
            assert "${{" not in command, "a value becomes code of the shell"
            if command not in (*AUDITS, *SANDBOX) and "git push" not in command:
                script = re.fullmatch(
                    r'python3 (ci/\w+\.py)( --\w+ "\$\w+"| --\S+| "--\$\w+")*', command
                )
                assert script and (ROOT / script[1]).is_file(), command


def used_actions() -> list[str]:
    """The lines of all workflows that name an action."""
    texts = [path.read_text(encoding="utf-8") for path in WORKFLOWS]
    return [line.strip("- ") for line in "\n".join(texts).splitlines() if "uses:" in line]


@pytest.mark.parametrize("line", sorted(set(used_actions())))
def test_an_action_is_pinned_by_its_commit_and_says_its_version(line):
    """A tag can be moved to other code."""
    assert re.fullmatch(r"uses: actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_an_action_has_one_version_everywhere():
    names = [line.partition("@")[0] for line in set(used_actions())]
    assert len(names) == len(set(names)) >= 6


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_checkout_leaves_its_token_behind(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_new_versions_are_asked_for_once_they_are_a_week_old():
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    updates = yaml.safe_load(text)["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions"}
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)


def test_each_test_that_stands_alone_runs_every_week():
    text = (ROOT / ".github" / "workflows" / "weekly.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    job = workflow["jobs"]["places"]
    places = [name for name in run_tests.ALONE if name != "engines"]
    assert job["strategy"]["matrix"]["place"] == places
    step = next(step for step in job["steps"] if "run" in step)
    assert step["run"] == 'python3 ci/run_tests.py "--$PLACE"'
    assert step["env"] == {"PLACE": "${{ matrix.place }}"}
    modules = [ROOT / "ci" / "platforms" / f"{name}.py" for name in run_tests.ALONE]
    assert all(module.is_file() for module in modules)
    assert {"schedule", "workflow_dispatch"} <= set(workflow[True])


def test_the_engines_run_every_week_and_with_each_change_of_theirs():
    text = (ROOT / ".github" / "workflows" / "engines.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["engines"]["steps"]
    assert "python3 ci/run_tests.py --engines" in [step.get("run") for step in steps]
    assert {"schedule", "push", "pull_request", "workflow_dispatch"} <= set(workflow[True])
    for event in ("push", "pull_request"):
        paths = workflow[True][event]["paths"]
        assert "sdft_lib/engines/**" in paths
        assert all((ROOT / path.removesuffix("/**")).exists() for path in paths)


def test_packages_and_workflows_are_audited_every_week():
    text = (ROOT / ".github" / "workflows" / "weekly.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["audit"]
    assert tuple(step["run"] for step in job["steps"] if "run" in step) == AUDITS


def locked(name: str) -> dict[str, str]:
    """Version of each package in a lock; every one has at least one SHA-256."""
    text = (ROOT / "ci" / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.findall(
        r"^(\w[\w.-]*)==(\S+).*?\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)*)", text, re.M
    )
    assert entries and all(hashes for _, _, hashes in entries)
    assert len(entries) == len(re.findall(r"^\w", text, re.M)), (
        "an address, or a line of no package"
    )
    return {canonicalize_name(package): version for package, version, _ in entries}


# What the bench alone needs is compiled here; ci/bench/run.py takes it by its pin.
UNLOCKED = {"llama-cpp-python", "diskcache"}


def test_the_locks_hold_the_tested_set():
    found: dict[str, str] = {}
    for name in ("build", "dev", "book", "browser"):
        found |= locked(name)
    tested = {canonicalize_name(name): version for name, version in pins().items()}
    assert found == {name: tested[name] for name in tested if name not in UNLOCKED}
    assert locked("torch-cpu") == {"torch": f"{tested['torch']}+cpu"}


@pytest.mark.parametrize("name", ["build", "dev", "book", "browser", "tools"])
def test_a_lock_holds_what_is_asked_for(name):
    held = locked(name)
    for requirement in map(Requirement, lock.wanted()[name]):
        version = held[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("name", lock.FRONT)
def test_what_stands_in_front_is_locked_and_torch_is_not_among_it(name):
    """And each file of tests is run in one of these environments."""
    held = locked(name)
    for requirement in map(Requirement, lock.FRONT[name]):
        assert requirement.specifier.contains(held[canonicalize_name(requirement.name)])
    assert not set(lock.LEFT_OUT) & set(held)
    files = {path.stem.removeprefix("test_") for path in engines.TESTS.glob("test_*.py")}
    assert files == {file for part in engines.FILES.values() for file in part}
    assert set(engines.FILES) == set(lock.FRONT)


def test_the_build_backend_is_pinned():
    (backend,) = lock.wanted()["build"][:-1]
    assert backend == f"hatchling=={pins()['hatchling']}"


def test_no_second_index():
    """pip takes the highest version of all indexes: who owns a name in one of them is trusted with
    it in all.
    """
    files = [
        path
        for folder in ("ci", ".github", ".binder", ".devcontainer", "sdft_lib")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yml", ".json", ".txt", ".md")
    ]
    files += [ROOT / "environment.yml", ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    named = re.compile("extra.index.url", re.I)
    assert [path for path in files if named.search(path.read_text(encoding="utf-8"))] == []


def test_tests_find_no_index(monkeypatch, tmp_path):
    """What they read is fetched before; a pip that one of them starts is told to look nowhere."""
    ran = []
    monkeypatch.setattr(run_tests, "OUT", tmp_path)

    def note(title, *command, settings=None):
        ran.append((title, settings))
        return True

    monkeypatch.setattr(run_tests, "run", note)
    run_tests.usual(quick=True)
    (fetched, before), (tested, own) = ran[-2:]
    assert (fetched, before, tested) == ("models and problems for tests", None, "tests")
    assert own.items() >= run_tests.NO_INDEX.items()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "wheel"]
    own = os.environ | run_tests.NO_INDEX
    found = subprocess.run(command, capture_output=True, text=True, env=own, cwd=tmp_path)
    assert found.returncode and "No matching distribution" in found.stderr
