"""Plain progress lines of a run: lesson, step, elapsed and remaining time."""

from __future__ import annotations

import json
import time
from pathlib import Path

QUIET = 5.0  # seconds: steps that follow each other faster under one heading share a line


class Progress:
    """Prints what runs. papermill calls `cell` before each cell and `write` with what the lesson
    prints.

    `times` is a small file of seconds by mode and lesson, from which the remaining time is
    estimated; a time from the cache does not replace one that is not."""

    def __init__(self, times: Path, mode: str, names: list[str]):
        self.times, self.mode, self.names = times, mode, names
        self.expected = read_times(times).get(mode, {})
        self.began = time.monotonic()
        self.number, self.step, self.line = 0, "its first cell", ""
        self.spent: dict[str, float] = {}

    def start(self, name: str, notebook) -> None:
        """A lesson begins."""
        self.number += 1
        self.name, self.cells, self.heading = name, len(notebook.cells) + 1, ""
        self.shown, self.lesson_began = 0.0, time.monotonic()
        print(f"Lesson {self.number} of {len(self.names)}: {name}", flush=True)

    def cell(self, cell, cell_index: int) -> None:
        """A cell begins: remember the heading above it, and print a line when there is news."""
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    self.heading, self.shown = line.lstrip("# "), 0.0
            return
        self.step = f"cell {cell_index + 1} of {self.cells}"
        self.step += f" ({self.heading})" if self.heading else ""
        if time.monotonic() - self.shown > QUIET:
            self.shown = time.monotonic()
            elapsed = f"{clock(self.shown - self.began)} elapsed"
            print(f"  {self.step} | {elapsed}, {self.remaining()}", flush=True)

    def write(self, text: str) -> None:
        """What the lesson prints, by line; of a line that redraws itself only the last state."""
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            line = line.rstrip("\r").rsplit("\r", 1)[-1]
            if line.strip():
                print(f"    {line}", flush=True)

    def flush(self) -> None:
        """Nothing is held back but an unfinished line."""

    def done(self, record: dict) -> None:
        """A lesson is finished: say so and keep its time."""
        self.write("\n" if self.line else "")
        self.spent[record["name"]] = record["seconds"]
        source = " (from the cache)" if record["from_cache"] else ""
        memory = f"up to {record['peak_mb']} MB of memory"
        print(f"  done in {clock(record['seconds'])}{source}, {memory}", flush=True)
        if not record["from_cache"] or record["name"] not in self.expected:
            times = read_times(self.times)
            times.setdefault(self.mode, {})[record["name"]] = record["seconds"]
            self.times.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")

    def remaining(self) -> str:
        """The rest by the times of earlier runs, scaled to this one; else by the mean so far."""
        rest = self.names[self.number :]
        known = [name for name in self.spent if name in self.expected]
        mean = sum(self.spent.values()) / len(self.spent) if self.spent else None
        before = max(sum(self.expected[name] for name in known), 1)
        scale = sum(self.spent[name] for name in known) / before if known else 1
        guesses = [
            self.expected[name] * scale if name in self.expected else mean
            for name in (self.name, *rest)
        ]
        if None in guesses:
            return f"lessons after this one: {len(rest)}"
        now = time.monotonic() - self.lesson_began
        return f"about {clock(max(guesses[0] - now, 0) + sum(guesses[1:]))} remaining"


def read_times(path: Path) -> dict:
    """Seconds of earlier runs, {} if there are none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
