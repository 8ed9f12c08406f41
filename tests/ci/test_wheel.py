"""The wheel alone is enough: in a new environment and an empty folder, lesson 00 runs and finds its
data.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ci.bootstrap import ROOT

SCRIPT = """
import pathlib, sys
import jupytext, papermill, sdft_lib
place = pathlib.Path(sdft_lib.__file__)
assert place.is_relative_to(sys.prefix), f"{place} is not the installed wheel"
assert (place.parent / "_data" / "tasks" / "tickets" / "train.jsonl").is_file()
jupytext.write(jupytext.read(sys.argv[1]), "lesson.ipynb")
papermill.execute_notebook("lesson.ipynb", "done.ipynb", {"fast": True}, progress_bar=False)
"""


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


@pytest.fixture
def new_environment(tmp_path):
    """A virtual environment that holds the wheel; third-party packages are seen through a path
    file.
    """
    pip = [sys.executable, "-m", "pip"]
    alone = ["--no-deps", "--no-index", "--quiet"]  # hatchling is installed: nothing is fetched
    run(*pip, "wheel", *alone, "--no-build-isolation", "--wheel-dir", tmp_path / "wheel", ROOT)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env")
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(*pip, "--python", python, "install", *alone, wheel)
    site = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")})
    # A path file inside this folder is not read, so the project's own editable install stays out of
    # sight.
    (Path(site) / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_wheel_runs_lesson_00_in_an_empty_folder(new_environment, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "SDFT_WIDGETS": "0"
    }
    run(
        new_environment,
        "-c",
        SCRIPT,
        ROOT / "notebooks" / "src" / "00_start_here.py",
        cwd=empty,
        env=environment,
    )
    assert "shipping" in (empty / "done.ipynb").read_text(encoding="utf-8")
