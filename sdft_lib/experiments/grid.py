"""A results file that is computed cell by cell: what is there is kept, what is missing is appended
(lesson 05).

Whatever a cell is (a method and seed, an order, some settings), its lines are appended at once when
it ends, so that a later start goes on from the file. Lines of other settings may stand beside them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import append_jsonl, read_jsonl


def lines_of(out: Path, settings: str) -> list[dict]:
    """The lines of a results file, which need not be there, that were made with these settings
    (their digest).
    """
    return (
        [line for line in read_jsonl(out) if line["settings"] == settings]
        if Path(out).exists()
        else []
    )


def fill(
    name: str, out: Path, cells: Mapping, done: set, make: Callable[[], Callable], *, say=print
) -> int:
    """Compute the cells that are not ``done`` and append their lines to ``out``; returns how many
    were computed.

    ``cells`` maps each cell to how it is called. ``make()`` loads what all need, only if there is
    anything to do, and returns the function from a cell to its lines."""
    todo = [cell for cell in cells if cell not in done]
    say(f"{name}: {len(done)} cells are there, {len(todo)} to compute")
    if not todo:
        return 0
    compute = make()
    for number, cell in enumerate(todo, 1):
        say(f"cell {number} of {len(todo)}: {cells[cell]}")
        append_jsonl(out, compute(cell))
    return len(todo)


def items(paths: Sequence[Path], keys: Iterable[str]) -> Iterator[dict]:
    """Every item of results files, with ``keys`` of its line, ``id`` and ``score``.

    Raises SdftError, naming file and line, if ids and scores differ in number.
    """
    for path in paths:
        for line in read_jsonl(path):
            if "scores" not in line:
                continue
            if len(line["ids"]) != len(line["scores"]):
                what = line.get("suite") or line.get("order")
                raise SdftError(
                    f"{path}: {line['method']}, {what}: ids and scores differ in number."
                )
            head = {key: line[key] for key in keys}
            for key, value in zip(line["ids"], line["scores"]):
                yield head | {"id": key, "score": value}
