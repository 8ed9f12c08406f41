"""The cells that measure our side: distilling, training, the probes, two processes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from ci.bench.common import WORK, count, quiet
from ci.bench.rows import prompts, training_pairs
from ci.bootstrap import ROOT


def ours(quick: bool, *, kind: str, rows: int = 0) -> dict:
    """``sdft_lib.generation.generate`` with its defaults, all rows in one call."""
    from sdft_lib.generation import Decoding, generate
    from sdft_lib.models import load_seed

    seed = load_seed(say=quiet)
    part = prompts(seed, kind, rows or count(f"ours_{kind}", quick))
    generate(seed, part["messages"][:2], Decoding(max_new_tokens=2), openings=part["openings"][:2])
    start, started = time.time(), time.perf_counter()
    decoding = Decoding(max_new_tokens=part["max_new_tokens"])
    answers = generate(seed, part["messages"], decoding, openings=part["openings"])
    seconds = time.perf_counter() - started
    tokens = sum(answer.tokens for answer in answers)
    texts = [answer.text for answer in answers[:64]]
    lengths = [len(ids) for ids in part["ids"]]
    shared = len(os.path.commonprefix(part["ids"]))
    result = {
        "seconds": seconds,
        "rows": len(answers),
        "tokens": tokens,
        "dtype": seed.dtype,
        "texts": texts,
    }
    return result | {
        "prompt_tokens": sum(lengths),
        "shared": shared,
        "start": start,
        "end": time.time(),
    }


def step(quick: bool, *, kind: str) -> dict:
    """One decoding step half way through the tokens a row may take, its parts timed: matrix
    products, attention, the other operations of transformers' layers, the choice of a token.
    Reading the prompts comes before the clock starts."""
    import torch

    from sdft_lib.decoding.decode import advance, append, read_prompts
    from sdft_lib.decoding.sampling import chooser
    from sdft_lib.generation import Decoding
    from sdft_lib.models import load_seed

    seed, choose = load_seed(say=quiet), chooser(Decoding(), ())
    part = prompts(seed, kind, count(f"step_{kind}", quick))
    half = part["max_new_tokens"] // 2
    rows = [(row * half)[: len(row) + half] for row in part["ids"]]
    totals, runs = [], 2 if quick else 12
    with torch.inference_mode(), timed(seed.model) as spent:
        batch = read_prompts(seed.model, rows, 0, seed.tokenizer.pad_token_id, runs + 1)
        for run in range(runs + 1):
            if run == 1:  # the first step grows the cache
                spent.update(dict.fromkeys(spent, 0.0))
            started = time.perf_counter()
            chosen = choose(batch.logits, batch.ids[:, : batch.length], batch.numbers)
            spent["choice"] += time.perf_counter() - started
            append(batch, chosen)
            advance(seed.model, batch)
            totals.append(time.perf_counter() - started)
    before = (
        sum(map(len, rows)) / len(rows) + (runs + 1) / 2
    )  # each step that counts has one token more before it
    parts = {name: seconds / runs for name, seconds in spent.items()}
    parts["layers"] = parts.pop("model") - parts["products"] - parts["attention"]
    return {"seconds": sum(totals[1:]) / runs, "rows": len(rows), "before": before, "parts": parts}


@contextmanager
def timed(model):
    """Seconds that the block spends in the whole model, its linear layers, torch's attention."""
    import torch

    spent = {"model": 0.0, "products": 0.0, "attention": 0.0, "choice": 0.0}
    attention = torch.nn.functional.scaled_dot_product_attention

    def clocked(*args, **kwargs):
        started = time.perf_counter()
        made = attention(*args, **kwargs)
        spent["attention"] += time.perf_counter() - started
        return made

    def clock(name: str, sign: int):
        def tick(*_):
            spent[name] += sign * time.perf_counter()

        return tick

    parts = [
        (module, "products") for module in model.modules() if isinstance(module, torch.nn.Linear)
    ]
    hooks = []
    for module, name in [(model, "model"), *parts]:
        hooks += [
            module.register_forward_pre_hook(clock(name, -1)),
            module.register_forward_hook(clock(name, 1)),
        ]
    torch.nn.functional.scaled_dot_product_attention = clocked
    try:
        yield spent
    finally:
        torch.nn.functional.scaled_dot_product_attention = attention
        for hook in hooks:
            hook.remove()


def train_ours(quick: bool) -> dict:
    """``sdft_lib.train.run_trainer`` on the bench's rows, from rendering to the saved adapter."""
    from sdft_lib.models import load_seed
    from sdft_lib.train import TrainConfig, run_trainer
    from sdft_lib.training.weights import lora

    seed, pairs = load_seed(dtype="fp32", say=quiet), training_pairs(count("train", quick))
    config = TrainConfig(epochs=1, learning_rate=2e-3)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run_trainer(seed, pairs, config, lora(config), Path(folder), "ours", quiet)
        seconds = time.perf_counter() - started
        record = json.loads((Path(folder) / "record.json").read_text())
        losses = [
            json.loads(line)["loss"]
            for line in (Path(folder) / "loss.jsonl").read_text().splitlines()
        ]
    return {
        "seconds": seconds,
        "rows": len(pairs),
        "tokens": record["tokens"],
        "losses": losses,
        "trained_tokens": record["trained_tokens"],
    }


def evaluate(quick: bool) -> dict:
    """All probe suites of the seed model, with an empty store."""
    from sdft_lib.data import PROBES, load_probes
    from sdft_lib.evaluate import cut as first
    from sdft_lib.evaluate import evaluate as answer
    from sdft_lib.models import load_seed
    from sdft_lib.storage.store import cache_dir

    seed = load_seed(say=quiet)
    chosen = [*(load_probes(name) for name in PROBES), load_probes("safety", plain=True)]
    chosen = [first(suite, 4 if quick else None) for suite in chosen]
    home, folder = cache_dir(), Path(tempfile.mkdtemp())
    os.environ["SDFT_CACHE"] = str(folder)
    started = time.perf_counter()
    table = answer(seed, chosen, method="seed", say=quiet)
    seconds = time.perf_counter() - started
    os.environ["SDFT_CACHE"] = str(home)
    shutil.rmtree(folder, ignore_errors=True)
    return {"seconds": seconds, "rows": len(table)}


def processes(quick: bool) -> dict:
    """Two processes, half of the rows and threads each; wall time from first start to last end."""
    half = count("two", quick) // 2
    threads = str(max(1, (os.cpu_count() or 2) // 2))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    outs = [WORK / f"half-{number}.json" for number in (0, 1)]
    command = [sys.executable, "-m", "ci.bench.cells", f"scaling_{half}"]
    children = [subprocess.Popen([*command, str(out)], cwd=ROOT, env=environment) for out in outs]
    if any(child.wait() for child in children):
        sys.exit("one of the two processes failed.")
    results = [json.loads(out.read_text(encoding="utf-8")) for out in outs]
    for out in outs:
        out.unlink()
    seconds = max(part["end"] for part in results) - min(part["start"] for part in results)
    return {
        "seconds": seconds,
        "rows": 2 * half,
        "peak_mb": sum(part["peak_mb"] for part in results),
    }
