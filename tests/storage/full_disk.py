"""Run by test_faults.py in a process of its own: steps on a disk that is too small, too small
again, and then not.

The disk is a tmpfs that grows. Where mounting is not permitted, files may not grow beyond a limit
instead."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from ci.bench import fault_steps, faults
from sdft_lib.storage.errors import SdftError

# Size of the disk in KB (tmpfs), and of the largest file in KB (limit): each start but the last
# must be refused.
SIZES = {
    "fetch": ((8_000, 20_000, 80_000), (500, 900, None)),
    "distill": ((8, 12, 24, 4_000), (2, 4, None)),
    "train": ((8, 60, 150, 8_000), (3, 20, None)),
    "evaluate": ((8, 12, 4_000), (2, None)),
}


TORN = {"distill": "candidate-0.jsonl", "evaluate": "answers.jsonl"}


def mount(folder: Path, size: int) -> bool:
    """Put a tmpfs of so many KB there, or change the size of the one that is there; False if not
    permitted.
    """
    again = "remount," if folder.is_mount() else ""
    command = ["mount", "-t", "tmpfs", "-o", f"{again}size={size}k", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def attempt(work, cache: Path) -> str:
    """The last line that a start left: "" if it came to its end."""
    Path(f"{cache}.log").unlink(missing_ok=True)
    try:
        faults.finish(faults.start(work, cache, 1), cache)
        return ""
    except RuntimeError:
        return Path(f"{cache}.log").read_text().rstrip().splitlines()[-1]


def limited(work, size: int | None):
    """The work in a process whose files may hold at most `size` KB."""

    def small():
        if size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size * 1024, size * 1024))
        try:
            work()
        except (
            SdftError
        ) as error:  # one line: the log is a file, too, and must stay under the limit
            os.write(2, f"sdft_lib.storage.errors.SdftError: {error}\n".encode())
            os._exit(1)

    return small


def squeeze(step: str, folder: Path, tiny: Path, mounted: bool) -> dict:
    """Start a step on one disk after another; what it said, what was kept, and whether the end is
    the right one.
    """
    plain, cache = folder / f"{step}-plain", folder / f"{step}-disk"

    def work():
        fault_steps.STEPS[step](tiny)

    fault_steps.prepare(plain, step, tiny, plain)
    result = {"plain": attempt(work, plain), "said": [], "lost": 0, "read_only": None}
    fault_steps.prepare(cache, step, tiny, plain)
    sizes, before = SIZES[step][0 if mounted else 1], {}
    for number, size in enumerate(sizes):
        if mounted and not (mount(cache, size) and number):
            fault_steps.prepare(cache / "new", step, tiny, plain)
            for path in (cache / "new").iterdir():
                path.rename(cache / path.name)
            (cache / "new").rmdir()
        result["said"].append(attempt(work if mounted else limited(work, size), cache))
        result["lost"] += faults.lost_rows(before, before := faults.finished_rows(cache))
    result["same"] = faults.contents(plain) == faults.contents(cache)
    if mounted:
        read_only(cache)
        another = next(name for name in fault_steps.STEPS if name not in ("fetch", step))
        result["read_only"] = [
            attempt(work, cache),
            attempt(lambda: fault_steps.STEPS[another](tiny), cache),
        ]
        subprocess.run(["umount", str(cache)], check=True)
    return result


def torn(step: str, folder: Path, tiny: Path) -> list[list[str]]:
    """Files that end otherwise after a kill in the middle of a write: between two rows of a batch,
    and inside rows.
    """

    def work():
        fault_steps.STEPS[step](tiny)

    source = next((folder / f"{step}-plain" / "store").rglob(TORN[step]))
    wanted, data, different = faults.contents(source.parent), source.read_bytes(), []
    rows = data.splitlines(keepends=True)
    for size in (len(b"".join(rows[:6])), len(b"".join(rows[:6])) + 9, 5, len(data) - 1):
        cache = folder / f"{step}-torn-{size}"
        fault_steps.prepare(cache, step, tiny, cache)
        target = cache / source.relative_to(folder / f"{step}-plain").parent
        partial = target.with_name(f"{target.name}.partial")
        partial.mkdir(parents=True)
        (partial / TORN[step]).write_bytes(data[:size])
        faults.finish(faults.start(work, cache, 1), cache)
        found = faults.contents(target)
        different.append(sorted(name for name in wanted if wanted[name] != found.get(name)))
    return different


def main(folder: Path, how: str = "") -> None:
    fault_steps.preload()
    tiny, probe = folder / "tiny", folder / "probe"
    made = folder / "made"
    faults.finish(
        faults.start(lambda: fault_steps.small_wheel(fault_steps.tiny_model(tiny)), made, 1), made
    )
    probe.mkdir()
    if mounted := how != "limit" and mount(probe, 100):
        subprocess.run(["umount", str(probe)], check=True)
    results = {step: squeeze(step, folder, tiny, mounted) for step in SIZES}
    cut = {step: torn(step, folder, tiny) for step in TORN}
    print(
        json.dumps(
            {"how": "tmpfs" if mounted else "limit", "steps": results, "torn": cut}, indent=1
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
