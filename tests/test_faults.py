"""What a long step survives: kills, a second process, a full or read-only disk, a folder that is gone, Ctrl-C.

The steps run in processes of their own, on a tiny model of random weights, with one thread.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and signals")


def python(code, *arguments, **options):
    """Run a script that may import the library and the bench."""
    paths = f"import sys; sys.path[:0] = {[str(ROOT / name) for name in ('', 'ci', 'ci/bench')]}\n"
    command = [sys.executable, "-c", paths + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_twenty_kills_lose_nothing(tmp_path):
    done = python("import faults; sys.exit(faults.main(sys.argv[1:]))", "--quick", "--out", tmp_path / "faults.json")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    steps = json.loads((tmp_path / "faults.json").read_text())["steps"]
    assert [step["step"] for step in steps] == ["fetch", "distill", "train", "evaluate"]
    assert sum(step["kills"] for step in steps) >= 20
    assert all(step["identical"] and step["rows_lost"] == 0 for step in steps)
    assert sum(step["amid_rows"] for step in steps) >= 4, "most kills came before any row was finished"
