"""What a long step survives: kills, a second process, a full or read-only disk, a folder that is
gone, Ctrl-C.

The steps run in processes of their own, on a tiny model of random weights, with one thread.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and signals")


def python(code, *arguments, **options):
    """Run a script that may import the library and the bench."""
    paths = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    command = [sys.executable, "-c", paths + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


ALL = ("fetch", "distill", "train", "evaluate")


def test_twenty_kills_lose_nothing(tmp_path):
    done = python(
        "from ci.bench import faults; sys.exit(faults.main(sys.argv[1:]))",
        "--quick",
        "--out",
        tmp_path / "faults.json",
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    steps = json.loads((tmp_path / "faults.json").read_text())["steps"]
    assert [step["step"] for step in steps] == [*ALL, "export", "run"]
    assert sum(step["kills"] for step in steps) >= 20
    assert all(step["identical"] and step["rows_lost"] == 0 for step in steps)
    assert all(step["compared"] >= step["rounds"] for step in steps), "a round compared no file"
    assert sum(step["amid_rows"] for step in steps) >= 4, (
        "most kills came before any row was finished"
    )


SENTENCE = "sdft_lib.storage.errors.SdftError: "


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """What tests/full_disk.py found; how: a small tmpfs, or a limit on the size of files where
    mounting is denied.
    """
    folder = tmp_path_factory.mktemp("disk")
    script = (
        f"import runpy; runpy.run_path({str(ROOT / 'tests' / 'storage' / 'full_disk.py')!r}, "
        "run_name='__main__')"
    )
    done = python(script, folder, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout) | {"tiny": folder / "tiny"}


@pytest.mark.parametrize("step", ALL)
def test_full_disk_is_one_sentence_and_the_next_start_goes_on(disk, step, record_property):
    record_property("how", disk["how"])
    found = disk["steps"][step]
    assert found["plain"] == "" and found["said"][-1] == "", found
    refused = [line for line in found["said"] if line]
    assert refused and all(
        line.startswith(SENTENCE) and "cannot be written" in line for line in refused
    ), refused
    assert all("start again" in line for line in refused)
    assert found["lost"] == 0
    if disk["how"] == "tmpfs":
        assert found["same"]
        assert all("No space left" in line for line in refused)


@pytest.mark.parametrize("step", ALL)
def test_read_only_cache_serves_what_it_holds_and_refuses_the_rest_in_one_sentence(disk, step):
    if disk["how"] != "tmpfs":
        pytest.skip("mounting is not permitted here; test_store.py refuses the writes instead")
    served, refused = disk["steps"][step]["read_only"]
    assert served == ""
    assert (
        refused.startswith(SENTENCE)
        and "Read-only file system" in refused
        and "SDFT_CACHE" in refused
    )


@pytest.mark.parametrize("step", ["distill", "evaluate"])
def test_kill_inside_a_write_changes_no_result(disk, step):
    """A batch of which some rows were written, and a torn row: the batch is done again, the rows
    are the same.
    """
    assert len(disk["torn"][step]) == 4
    assert not any(disk["torn"][step]), disk["torn"][step]


def test_interrupt_is_one_sentence_and_keeps_finished_batches(tmp_path, disk):
    row = '{"prompt": "Which team takes order %d?", "reference": "billing"}\n'
    (tmp_path / "rows.jsonl").write_text("".join(row % number for number in range(1500)))
    command = [
        sys.executable,
        "-m",
        "sdft_lib",
        "distill",
        "--model",
        disk["tiny"],
        "--task",
        tmp_path / "rows.jsonl",
        "--kind",
        "label",
        "--max-new-tokens",
        "40",
    ]
    environment = {
        **os.environ,
        "SDFT_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "env": environment,
    }
    # A shell starts what it sends to the background with Ctrl-C ignored, and its children inherit
    # that.
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, **options) as done:
        lines = []
        for line in done.stderr:
            lines.append(line)
            if "/1500 rows" in line:
                done.send_signal(signal.SIGINT)
                break
        rest = done.stderr.read()
    assert done.returncode == 130, "".join(lines) + rest
    assert rest.splitlines()[-1].startswith("Interrupted; steps that were done are kept")
    assert "Traceback" not in rest
    (kept,) = (tmp_path / "cache").rglob("candidate-0.jsonl")
    assert 0 < len(kept.read_text().splitlines()) < 1500


def test_vanished_working_folder_is_one_sentence(tmp_path):
    command = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -m sdft_lib models"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "the working folder is gone; change to another one and start again.\n"
