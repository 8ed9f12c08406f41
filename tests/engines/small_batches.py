"""What test_ranks starts:  -m small_batches COMMAND ...  is  -m sdft_lib COMMAND ...  in batches of
three rows.

So that a few rows make several planned batches, and each process some of them: ``answered-RANK`` in
the working folder gets a letter for each row that this process answered."""

import runpy

from sdft_lib.decoding import batches
from sdft_lib.models import TorchEngine
from sdft_lib.storage import processes as ranks

batches.BATCH_ROWS, batches.BATCH_PARTS = 3, 1
answer = TorchEngine.answer


def counted(engine, seed, rows, *rest, **more):
    """The answers, and a note of how many were made here."""
    with open(f"answered-{ranks.rank()}", "a", encoding="utf-8") as file:
        file.write("x" * len(rows))
    return answer(engine, seed, rows, *rest, **more)


if __name__ == "__main__":
    TorchEngine.answer = counted
    runpy.run_module("sdft_lib", run_name="__main__")
