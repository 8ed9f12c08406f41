"""What test_ranks starts:  -m small_batches COMMAND ...  is  -m sdft_lib COMMAND ...  in batches of
three rows.

So that a few rows make several planned batches, and each process some of them: ``answered-RANK`` in
the working folder gets a letter for each row that this process answered."""

import runpy

from sdft_lib import generation
from sdft_lib.storage import processes as ranks

generation.BATCH_ROWS, generation.BATCH_PARTS = 3, 1
answer_batch = generation.answer_batch


def counted(seed, rows, *rest, **more):
    """The answers, and a note of how many were made here."""
    with open(f"answered-{ranks.rank()}", "a", encoding="utf-8") as file:
        file.write("x" * len(rows))
    return answer_batch(seed, rows, *rest, **more)


if __name__ == "__main__":
    generation.answer_batch = counted
    runpy.run_module("sdft_lib", run_name="__main__")
