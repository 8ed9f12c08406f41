"""Kill each long step at random moments, start it again until it is done, and compare with an
undisturbed run.

    python3 -m ci.bench.faults             50 kills, the embedded model: 40 minutes on two cores
    python3 -m ci.bench.faults --quick     20 kills, a tiny model of random weights (under a minute)

Every file must be the same byte for byte, but for times (`run.json`, the report of `run`) and lock
files, and no finished row may be lost. Writes build/bench/faults.json, which `record.py --faults`
records; exit code 1 if anything differs. Linux and macOS (it forks)."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from ci.bench import fault_steps
from ci.bootstrap import ROOT, command_line, ensure_venv, write

OUT = ROOT / "build" / "bench" / "faults.json"
TIMED = ("run.json", "summary.json", "report.html")
MOST_KILLS = 4  # in one round: fetch begins anew after each, so that more would never end


def start(work, cache: Path, threads: int) -> int:
    """Fork a child that does the work in this cache; its process id. It writes `<cache>.log`."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(f"{cache}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["SDFT_CACHE"] = str(cache)
        import torch

        torch.set_num_threads(threads)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finish(child: int, cache: Path, patience: float | None = None) -> bool:
    """Wait for a child; kill it if it lives after `patience` seconds. True if it was killed."""
    deadline = None if patience is None else time.monotonic() + patience
    while True:
        ended, status = os.waitpid(child, 0 if deadline is None else os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.002)
    if deadline is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status:
        raise RuntimeError(f"a step failed:\n{Path(f'{cache}.log').read_text()[-3000:]}")
    return False


def contents(cache: Path) -> dict[str, str]:
    """Path to SHA-256 of a cache's files; "timed" for those that hold times. No lock files, nothing
    in linked folders."""
    digests = {}
    for folder, _, names in os.walk(cache):
        for name in names:
            if not name.endswith(".lock"):
                path = Path(folder, name)
                content = b"timed" if name in TIMED else path.read_bytes()
                digests[str(path.relative_to(cache))] = hashlib.sha256(content).hexdigest()
    return digests


def finished_rows(cache: Path) -> dict[str, set[str]]:
    """A cache's finished work: lines of its JSONL files, steps of its last whole checkpoint."""
    rows: dict[str, set[str]] = {}
    for path in (cache / "store").rglob("*.jsonl"):
        name = str(path.relative_to(cache)).replace(".partial", "")
        lines = path.read_bytes().split(b"\n")[:-1]
        rows[name] = {hashlib.sha256(line).hexdigest() for line in lines}
    for path in (cache / "store").rglob("trainer_state.json"):
        try:
            history = json.loads(path.read_text())["log_history"]
        except ValueError:
            continue
        name = f"{str(path.relative_to(cache)).split('.partial')[0]}/loss.jsonl"
        for entry in history:
            if "loss" in entry:
                line = json.dumps({"step": entry["step"], "loss": entry["loss"]})
                rows.setdefault(name, set()).add(hashlib.sha256(line.encode()).hexdigest())
    return rows


def lost_rows(before: dict, after: dict) -> int:
    """Rows that were finished before and are not there now."""
    return sum(len(lines - after[name]) for name, lines in before.items() if name in after)


def disturbed(work, cache: Path, threads: int, seconds: float, kills: int, chance) -> dict:
    """One round: kill at moments drawn from the undisturbed duration, up to `kills` times, and then
    let it end.

    `amid_rows` counts the kills that found rows finished and others not.
    """
    count, amid, lost, before = 0, 0, 0, {}
    while True:
        patience = chance.uniform(0, seconds) if count < kills else None
        killed = finish(start(work, cache, threads), cache, patience)
        after = finished_rows(cache)
        lost += lost_rows(before, after)
        if not killed:
            return {"kills": count, "amid_rows": amid, "rows_lost": lost}
        count, amid, before = count + 1, amid + any(after.values()), after


def torture(
    step: str, kills: int, folder: Path, tiny: Path | None, user_cache: Path, threads: int, chance
) -> dict:
    """Rounds of one step until it was killed `kills` times, each compared with the undisturbed."""
    plain = folder / f"{step}-plain"

    def work():
        fault_steps.STEPS[step](tiny)

    fault_steps.prepare(plain, step, tiny, user_cache)
    started = time.monotonic()
    finish(start(work, plain, threads), plain)
    seconds, wanted = time.monotonic() - started, contents(plain)
    counts = ("kills", "amid_rows", "rows_lost", "rounds", "compared", "different")
    result = Counter(dict.fromkeys(counts, 0))
    while result["kills"] < kills:
        cache = folder / f"{step}-{result['rounds']}"
        fault_steps.prepare(cache, step, tiny, user_cache)
        most = min(MOST_KILLS, kills - result["kills"])
        started = time.monotonic()
        done = disturbed(work, cache, threads, seconds, most, chance)
        if not done["kills"]:  # the undisturbed run had a slower moment
            seconds = min(seconds, time.monotonic() - started)
        after = contents(cache)
        every = {*wanted, *after}
        different = sorted(name for name in every if wanted.get(name) != after.get(name))
        if different:
            print(f"{step}: {', '.join(different)} differ", flush=True)
        result.update(done, rounds=1, compared=len(every), different=len(different))
        shutil.rmtree(cache)
    facts = {"restarts": result["kills"], "identical": not result["different"]}
    return {"step": step, **result, **facts, "undisturbed_seconds": round(seconds, 2)}


def main(arguments: list[str] | None = None) -> int:
    parser = command_line(__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny model of random weights")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    # a step that fails ends all of it: nothing of an earlier run may stay
    options.out.unlink(missing_ok=True)
    fault_steps.preload()
    from sdft_lib.storage.store import cache_dir

    total = 20 if options.quick else 50
    chance, results = random.Random(0), []
    threads = 1 if options.quick else os.cpu_count()
    with tempfile.TemporaryDirectory() as name:
        folder, tiny = Path(name), Path(name, "tiny") if options.quick else None
        if tiny:
            made = folder / "made"

            def make():
                fault_steps.small_wheel(fault_steps.tiny_model(tiny))

            finish(start(make, made, 1), made)
        print(f"{'step':<10}{'kills':>6}{'restarts':>9}  identical  rows lost", flush=True)
        for number, step in enumerate(fault_steps.STEPS):
            steps = len(fault_steps.STEPS)
            share = total // steps + (number < total % steps)
            done = torture(step, share, folder, tiny, cache_dir(), threads, chance)
            results.append(done)
            same = "yes" if done["identical"] else "no"
            counts = f"{done['kills']:>6}{done['restarts']:>9}"
            print(f"{step:<10}{counts}  {same:<11}{done['rows_lost']}", flush=True)
    fine = all(done["identical"] and not done["rows_lost"] for done in results)
    record = {"kills": total, "quick": options.quick, "steps": results}
    write(options.out, json.dumps(record, indent=1) + "\n")
    return 0 if fine else 1


if __name__ == "__main__":
    ensure_venv()
    sys.exit(main())
