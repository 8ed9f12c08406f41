"""The bench:  python3 -m ci.bench.run  -> a table, build/bench/bench.json and wall.json (what it
took).

    --only ID,...  only these rows (ids of bench.json)
    --quick        a few rows in each cell: shows that everything runs, says nothing about speed

Each cell is a process of its own. Finished cells are kept in build/bench/cells, so a second start
goes on; delete that folder to measure anew. The two sides of a ratio run in turn. llama.cpp is
built from source once (a C++ compiler and 5 minutes), vLLM gets an environment of its own (3 GB);
where that fails, the rows are left out and the reason is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib

from ci import bootstrap
from ci.bootstrap import ROOT, say

HERE, WORK = ROOT / "ci" / "bench", ROOT / "build" / "bench"
# What of the library a cell of ours runs.
MEASURED = "chat.py distill.py generation.py models.py templates.py train.py verify.py".split()
MEASURED += ["answers", "decoding", "storage", "training"]
NOT_OURS = ("prepare", "limits", "hf_", "llamacpp_", "vllm_", "train_trl", "start_bare")
NOT_OURS += ("start_alone",)
SIDES = ("ours", "step", "hf_b1", "hf_b32", "llamacpp_f16", "llamacpp_q4", "vllm")
# Cells that run in turn, and how often. Cells over two minutes run once.
GROUPS = [
    ([f"{side}_short" for side in SIDES], 3),
    ([f"{side}_long" for side in SIDES], 2),
    (["train_ours", "train_trl"], 2),
    (["start_import", "start_bare", "start_alone", "start_seed"], 1),
    (["evaluate", "scaling_64", "scaling_256", "scaling_1024", "scaling_4096", "two_processes"], 1),
]
ONCE = "step_short step_long hf_b1_long hf_b32_long llamacpp_q4_short llamacpp_q4_long".split()
LARGE = ("scaling_256", "scaling_1024", "scaling_4096")  # not for --quick
# Rows that are made of other cells than the one of their own name.
CELLS_OF = {
    "train_vs_trl": ["train_ours", "train_trl"],
    "start_seed": ["start_seed", "start_bare", "start_alone"],
    "scaling_2_processes": ["scaling_256", "two_processes"],
}
BUILD_OPTIONS = "-DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DGGML_NATIVE=ON"


def plan(only: set[str], missing: set[str], quick: bool) -> list[tuple[str, int]]:
    """(cell, run) in the order of running; ``missing`` are peers that could not be installed."""
    asked = {cell for row in only for cell in cells_of(row)}
    steps = [("prepare", 1), ("limits", 1)]
    for cells, runs in GROUPS:
        for run in range(1, 2 if quick else runs + 1):
            for cell in cells:
                left_out = only and cell not in asked or quick and cell in LARGE
                again = run > 1 and cell in ONCE
                if not left_out and not again and not any(name in cell for name in missing):
                    steps.append((cell, run))
    return steps


def cells_of(row: str) -> list[str]:
    """The cells that a row of bench.json is made of."""
    if row.startswith("distil_"):
        _, kind, _, peer = row.split("_", 3)
        return [f"ours_{kind}", f"step_{kind}", f"{peer}_{kind}"]
    return CELLS_OF.get(row, [row])


def install() -> set[str]:
    """Install the extra ``bench`` into .venv, pinned, and vLLM beside it; names of the peers that
    failed."""
    from ci.platforms import engines

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    missing = set()
    os.environ["CMAKE_ARGS"] = f"{BUILD_OPTIONS} {os.environ.get('CMAKE_ARGS', '')}".strip()
    os.environ.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 2))
    for requirement in wanted["project"]["optional-dependencies"]["bench"]:
        name = requirement.split(">")[0]
        if installed(name):
            continue
        say(f"Installing {name} for the bench (once; compiling llama-cpp-python: 5 minutes) ...")
        try:
            bootstrap.run_pip(["install", "-c", "constraints.txt", requirement])
        except SystemExit:
            missing.add({"llama-cpp-python": "llamacpp"}.get(name, name))
            say(f"{name} could not be installed (reason above), so its rows are left out.")
    try:
        engines.environment("serving")
    except SystemExit as error:
        missing.add("vllm")
        say(f"{error or 'Reason above.'} So the rows of vLLM are left out.")
    return missing


def installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def code_key(cell: str, quick: bool) -> str:
    """What decides a cell's numbers: the cells, versions, the library (a peer: what it is fed)."""
    from importlib.metadata import version

    from sdft_lib.storage.store import digest

    library = ROOT / "sdft_lib"
    files = [*HERE.glob("peer_*.py"), HERE / "cells.py", HERE / "rows.py"]
    if cell.startswith(NOT_OURS):
        files += [library / "chat.py", library / "templates.py", library / "data.py"]
    else:
        files += [
            path for path in library.rglob("*.py") if path.relative_to(library).parts[0] in MEASURED
        ]
    parts = [path.name + path.read_text(encoding="utf-8") for path in sorted(files)]
    versions = [version(name) for name in ("torch", "transformers", "peft")]
    return digest([parts, versions, quick])[:16]


def measure(cell: str, run: int, quick: bool, key: str) -> dict | None:
    """The result of one cell, kept from before or measured in a new process; None if it failed."""
    path = WORK / "cells" / f"{cell}.{run}.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.get("key") == key:
            return kept
    started = time.monotonic()
    command = [sys.executable, "-m", "ci.bench.cells", cell, str(path)]
    command += ["--quick"] if quick else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment())
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-8:]
        say("\n".join([f"  {cell}: FAILED", *last]))
        return None
    took = time.monotonic() - started
    result = json.loads(path.read_text(encoding="utf-8")) | {"key": key, "wall": took}
    path.write_text(json.dumps(result), encoding="utf-8")
    facts = [f"{result['seconds']:.2f} s"] if result.get("seconds") else []
    facts += [f"{result['rows']} rows"] if "rows" in result else []
    facts += [f"{result['tokens'] / result['seconds']:.0f} tokens/s"] if "tokens" in result else []
    say(f"  {cell} {run}: {', '.join([*facts, str(result['peak_mb']) + ' MB'])} ({took:.0f} s)")
    return result


def environment() -> dict[str, str]:
    """The library importable, no progress bars, no lookup of anything at a model hub."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "HF_HUB_OFFLINE": "1"}
    return os.environ | own | {"TOKENIZERS_PARALLELISM": "false"}


def write(rows: list[dict]) -> None:
    """bench.json and the table."""
    from ci.bench import table

    (WORK / "bench.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    say(f"\n{table.for_terminal(rows)}\n")
    for line in rows:
        if line["limit_profile"]:
            say(f"{line['id']}: {line['limit_profile']}\n")
    say("Written: build/bench/bench.json")


def wall(cells: dict[str, list[dict]], *, whole: bool, quick: bool) -> dict:
    """Minutes of all cells, of earlier starts too; ``whole``: nothing failed or was left out."""
    runs = [run for results in cells.values() for run in results]
    minutes = sum(run["wall"] for run in runs) / 60
    return {"minutes": minutes, "cells": len(runs), "whole": whole, "quick": quick}


def main() -> int:
    parser = bootstrap.command_line(__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    bootstrap.ensure_venv()
    started = time.monotonic()
    missing = install()
    from ci.bench import table

    only = set(filter(None, chosen.only.split(",")))
    (WORK / "cells").mkdir(parents=True, exist_ok=True)
    (WORK / "wall.json").unlink(missing_ok=True)
    cells, failed = {}, 0
    for cell, run in plan(only, missing, chosen.quick):
        result = measure(cell, run, chosen.quick, code_key(cell, chosen.quick))
        failed += result is None
        if result:
            cells.setdefault(cell, []).append(result)
    write([line for line in table.build(cells) if not only or line["id"] in only])
    took = wall(cells, whole=not (only or missing or failed), quick=chosen.quick)
    (WORK / "wall.json").write_text(json.dumps(took) + "\n", encoding="utf-8")
    say(f"{took['cells']} cells took {took['minutes']:.1f} min, {failed} failed.")
    say(f"This start took {(time.monotonic() - started) / 60:.1f} min.")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
