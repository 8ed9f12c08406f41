"""What test_launch starts in two processes of a CPU:  sharded_job.py MODEL OUT.

accelerate deals a model out (FSDP) only where it sees GPUs, so it is told that these two processes
have some; all else is the real path: DTensors, collective gradients, gathering on saving."""

import json
import sys
from pathlib import Path

from accelerate import state
from accelerate.utils import DistributedType

from sdft_lib import models, train
from sdft_lib.storage import processes as ranks
from sdft_lib.training import weights

ROWS = [
    {
        "id": f"r{n}",
        "messages": [{"role": "user", "content": f"Name a colour. Number {n}."}],
        "reference": "red",
        "text": f"blue {n} sky",
        "source": "rewritten",
    }
    for n in range(12)
]
CONFIG = train.TrainConfig(
    epochs=1, batch_size=4, learning_rate=1e-3, warmup=0.0, full=True, keep=(0.5,)
)


def claim_gpus() -> None:
    """Let accelerate believe that the processes of a CPU are those of several GPUs."""
    real = state.PartialState.__init__

    def init(self, *args, **more):
        real(self, *args, **more)
        if self._shared_state.get("distributed_type") == DistributedType.MULTI_CPU:
            self._shared_state["distributed_type"] = DistributedType.MULTI_GPU

    state.PartialState.__init__ = init


def main(folder: str, out: str) -> None:
    """Train all weights, dealt out; the first process writes where they lie and what type they
    had.
    """
    claim_gpus()
    kinds, save = [], weights.save_trained

    def watched(trainer, *rest):
        kinds.append(type(next(iter(trainer.model_wrapped.parameters()))).__name__)
        save(trainer, *rest)

    train.save_trained = watched
    seed = models.load_seed(folder, device="cpu", dtype="fp32", say=lambda line: None)
    tuned = train.fine_tune(seed, ROWS, CONFIG, say=lambda line: None)
    if not ranks.rank():
        found = {
            "folder": str(tuned.adapter),
            "kinds": kinds,
            "trainable": tuned.record["trainable_parameters"],
        }
        Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
