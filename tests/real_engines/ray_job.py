"""What test_ray starts, and kills: answers to some prompts in small parts, kept in a file.

ray_job.py MODEL FILE NOTES   each batch that was answered leaves a file in NOTES
"""

import sys
from pathlib import Path

import ray

from sdft_lib.decoding import batches
from sdft_lib.engines import load as engines
from sdft_lib.engines import ray as engine_ray
from sdft_lib.generation import Decoding, generate

ROWS, DECODING = 24, Decoding(max_new_tokens=6)
PROMPTS = [[{"role": "user", "content": f"Say {n} things about {n * n}."}] for n in range(ROWS)]


def small() -> None:
    """Batches of three rows, two batches a part."""
    batches.BATCH_ROWS, batches.BATCH_PARTS, engine_ray.TOGETHER = 3, 1, 2


def main(model: str, path: str, notes: str) -> None:
    class Noted(engine_ray.Copy):
        def __call__(self, table):
            import time
            import uuid

            time.sleep(0.5)
            made = super().__call__(table)
            Path(notes, uuid.uuid4().hex).touch()
            return made

    engine_ray.Copy = Noted
    small()
    # a cluster of its own, although that of test_ray runs
    ray.init(address="local", num_cpus=1, log_to_driver=False, include_dashboard=False)
    seed = engines.load(model, "ray-torch", say=print)
    generate(seed, PROMPTS, DECODING, path=Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
