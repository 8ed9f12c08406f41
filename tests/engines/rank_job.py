"""What test_ranks starts in one and in two processes:  rank_job.py MODEL OUT."""

import json
import sys
import time
from pathlib import Path

from sdft_lib import data, distill, evaluate, models, templates, train
from sdft_lib.decoding import batches
from sdft_lib.storage import processes as ranks
from sdft_lib.storage import store


def main(folder: str, out: str) -> None:
    """Distil, evaluate and train with small batches; the first process writes where the results
    lie.
    """
    batches.BATCH_ROWS, batches.BATCH_PARTS = 3, 1
    seed, task = (
        models.load_seed(folder, device="cpu", dtype="fp32", say=lambda line: None),
        data.load_task("tickets"),
    )
    made = distill.distill(
        seed, task, templates.load_template("opening"), limit=16, say=lambda line: None
    )
    suites = [evaluate.cut(data.load_probes(name), 8) for name in ("facts", "safety")]
    table = evaluate.evaluate(seed, suites, method="seed", say=lambda line: None)
    config = train.TrainConfig(epochs=1, batch_size=4, learning_rate=1e-2)
    tuned = train.fine_tune(seed, made.rows, config, column="reference", say=lambda line: None)
    late = store.artefact("late", {"what": "files"}, written_late)
    if not ranks.rank():
        result = {
            "rows": str(made.path),
            "scores": table["score"].tolist(),
            "texts": table["text"].tolist(),
            "adapter": str(tuned.adapter),
            "steps": tuned.record["steps"],
            "late": str(late),
            "world": ranks.world(),
        }
        Path(out).write_text(json.dumps(result), encoding="utf-8")


def written_late(folder: Path) -> None:
    """The first process is done at once, the others are slow and still write in their folders."""
    if ranks.rank():
        time.sleep(1)
    (folder / f"made-by-{ranks.rank()}").write_text("x", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
