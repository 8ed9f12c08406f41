"""Ray itself, on a local cluster of two machines of one core each: rows, kills, resuming."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray_job import DECODING, PROMPTS, ROWS, main, small

from sdft_lib import models
from sdft_lib.decoding import batches
from sdft_lib.engines import load as engines
from sdft_lib.engines import ray as engine_ray
from sdft_lib.engines import vllm as engine_vllm
from sdft_lib.generation import generate
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

LIMIT = 600  # seconds that Ray may take to start, on a machine that is busy


@pytest.fixture(scope="module")
def cluster():
    """Two machines, as Ray sees them, of one core each."""
    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    machines.add_node(num_cpus=1)
    ray.init(address=machines.address, log_to_driver=False)
    yield machines
    ray.shutdown()
    machines.shutdown()


@pytest.fixture(autouse=True)
def on_cpus(monkeypatch, own_cache):
    for name, value in (("SDFT_DEVICE", "cpu"), ("SDFT_DTYPE", "fp32")):
        monkeypatch.setenv(name, value)
    for module, name in (
        (batches, "BATCH_ROWS"),
        (batches, "BATCH_PARTS"),
        (engine_ray, "TOGETHER"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back afterwards
    small()
    yield
    engine_vllm.stop()


@pytest.fixture
def copies(monkeypatch, tmp_path):
    """Copies that leave a note with their process for each batch that they answer; with ``fault``
    the first one does that to itself."""

    def install(fault="", pause=0.3):
        class Noted(engine_ray.Copy):
            def __call__(self, table):
                import os
                import signal
                import time

                notes = tmp_path / "notes"
                notes.mkdir(exist_ok=True)
                (marker := tmp_path / "fault").touch(exist_ok=True)
                if fault and not marker.read_text():
                    marker.write_text(str(os.getpid()))
                    if fault == "killed":
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise RuntimeError("the disk of this machine is full")
                time.sleep(pause)  # so that the other copy gets its share
                made = super().__call__(table)
                (notes / f"{int(table['number'][0])}-{os.getpid()}-{time.time_ns()}").touch()
                return made

        monkeypatch.setattr(engine_ray, "Copy", Noted)
        return tmp_path / "notes"

    return install


def loaded(folder, engine):
    return engines.load(str(folder), engine, say=lambda line: None)


def processes(notes: Path) -> set[str]:
    return {path.name.split("-")[1] for path in notes.iterdir()}


def test_two_workers_make_the_rows_of_one_process(cluster, copies, tell, monkeypatch, small_folder):
    monkeypatch.setattr(engine_ray, "TOGETHER", ROWS)  # one part: each part starts copies anew
    notes = copies(pause=3)
    one = models.load_seed(str(small_folder), device="cpu", dtype="fp32", say=lambda line: None)
    seed = loaded(small_folder, "ray-torch")
    assert generate(seed, PROMPTS, DECODING) == generate(one, PROMPTS, DECODING)
    assert len(processes(notes)) == 2 and len(list(notes.iterdir())) == ROWS // 3
    assert seed.identity == one.identity, "what Ray made is found by one process"
    tell(f"{seed.engine.version}: {ROWS} rows of two workers equal to one process")


def test_two_workers_with_vllm_make_the_rows_of_one(cluster, copies, monkeypatch, small_folder):
    monkeypatch.setattr(engine_ray.SmallParts, "part", ROWS // 8)
    monkeypatch.setattr(engine_ray, "TOGETHER", ROWS)
    notes = copies(pause=3)
    one, two = (loaded(small_folder, engine) for engine in ("vllm", "ray-vllm"))
    alone = generate(one, PROMPTS, DECODING)
    engine_vllm.stop()
    together = generate(two, PROMPTS, DECODING)
    equal = sum(a == b for a, b in zip(alone, together, strict=True))
    assert equal >= 0.9 * ROWS and len(processes(notes)) == 2


def test_a_killed_worker_loses_nothing(cluster, copies, tmp_path, small_folder):
    one = models.load_seed(str(small_folder), device="cpu", dtype="fp32", say=lambda line: None)
    notes = copies("killed")
    assert generate(loaded(small_folder, "ray-torch"), PROMPTS, DECODING) == generate(
        one, PROMPTS, DECODING
    )
    dead = (tmp_path / "fault").read_text()
    assert dead and dead not in processes(notes)


def test_a_job_that_failed_goes_on_with_the_next_part(cluster, copies, tmp_path, small_folder):
    seed, path = loaded(small_folder, "ray-torch"), tmp_path / "answers.jsonl"
    copies("raised")
    with pytest.raises(SdftError, match="ray-torch .* failed .*the disk of this machine is full"):
        generate(seed, PROMPTS, DECODING, path=path)
    again = generate(seed, PROMPTS, DECODING, path=path)
    one = models.load_seed(str(small_folder), device="cpu", dtype="fp32", say=lambda line: None)
    assert again == generate(one, PROMPTS, DECODING)


def test_a_killed_job_goes_on_with_the_next_part(small_folder, tmp_path):
    """The process that started the job is killed, and its cluster with it."""
    notes, path = tmp_path / "notes", tmp_path / "answers.jsonl"
    notes.mkdir()
    command = [sys.executable, main.__code__.co_filename, str(small_folder), str(path), str(notes)]
    job = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    end = time.monotonic() + LIMIT
    while not path.exists() and time.monotonic() < end and job.poll() is None:
        time.sleep(0.2)
    too_late = job.poll() is not None
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert path.exists() and not too_late, f"no part was finished in {LIMIT} s"
    kept = read_jsonl(path)
    before = len(list(notes.iterdir()))
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 0, done.stderr[-2000:]
    again = len(list(notes.iterdir())) - before
    assert 0 < len(kept) < ROWS and again == (ROWS - len(kept)) // 3
    rows = read_jsonl(path)
    assert [row["index"] for row in rows] and sorted(row["index"] for row in rows) == list(
        range(ROWS)
    )
    assert all(row in rows for row in kept)


def test_a_cluster_without_gpus_is_one_sentence(cluster, monkeypatch, small_folder):
    monkeypatch.setenv("SDFT_DEVICE", "cuda")
    with pytest.raises(SdftError, match="Ray sees no machine with 1 GPUs"):
        generate(loaded(small_folder, "ray-torch"), PROMPTS, DECODING)
