"""vLLM's build for CPUs as a peer, in the environment `serving` of ci/platforms/engines.py.

Started as a process of its own: peer_vllm.py FOLDER PROMPTS.json OUT.json DTYPE. FOLDER holds the
weights that our side reads too, PROMPTS.json the same token ids, ``stops`` and ``max_new_tokens``.
Decoding is greedy, batches are vLLM's own; it keeps what prompts share, too. Keys and values get as
much memory as on our side. Starting it, and two short answers, come before the clock.
"""

import json
import os
import sys
import time
from pathlib import Path

CACHE_BYTES = 2 << 30  # as sdft_lib.decoding.batches has
QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}


def peak_mb() -> int:
    """Peak memory of this process and all that it started: a sum of peaks, of which what they share
    counts in each."""
    import psutil

    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        total += int(status.partition("VmHWM:")[2].split()[0])
    return total // 1024


def main(folder: str, prompts: str, out: str, dtype: str) -> None:
    """Time one run and write seconds, tokens, peak memory and the answers' token ids."""
    os.environ |= QUIET
    import vllm

    task = json.loads(Path(prompts).read_text(encoding="utf-8"))
    settings = {"dtype": dtype, "enable_prefix_caching": True, "kv_cache_memory_bytes": CACHE_BYTES}
    settings |= {"generation_config": "vllm", "load_format": "safetensors"}
    longest = max(map(len, task["ids"])) + task["max_new_tokens"]
    engine = vllm.LLM(folder, max_model_len=longest, **settings)
    fixed = {"temperature": 0.0, "stop_token_ids": task["stops"], "ignore_eos": True}

    def answer(rows: list[list[int]], tokens: int) -> list[list[int]]:
        asked = vllm.SamplingParams(max_tokens=tokens, detokenize=False, **fixed)
        made = engine.generate([{"prompt_token_ids": row} for row in rows], asked, use_tqdm=False)
        return [[id for id in one.outputs[0].token_ids if id not in task["stops"]] for one in made]

    answer([row[::-1] for row in task["ids"][:2]], 2)  # other prompts, so that nothing is kept
    started = time.perf_counter()
    answers = answer(task["ids"], task["max_new_tokens"])
    seconds = time.perf_counter() - started
    result = {"seconds": seconds, "rows": len(answers), "peak_mb": peak_mb()}
    result |= {"tokens": sum(map(len, answers)), "answers": answers, "version": vllm.__version__}
    Path(out).write_text(json.dumps(result), encoding="utf-8")
    engine.llm_engine.engine_core.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
