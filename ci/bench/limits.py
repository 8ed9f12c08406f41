"""What this machine can do at most, and what follows from it for a ratio that cannot be reached.

Two numbers bound every side: how many products a second the cores make (GEMM peak), and how many bytes a second the
memory delivers. Writing a token takes two operations for each weight of the body and of the vocabulary layer, whatever
the batch, and reads the keys and values of all tokens before it; at batch 1 all weights are read for each token too.
"""

import json
import time


def measure() -> dict:
    """GEMM peaks in GFLOP/s, of training (fp32) and of writing, memory reading in GB/s, and the model's weights."""
    import torch

    from sdft_lib.models import choose_dtype, torch_dtype

    dtype = choose_dtype("cpu")
    block = torch.randn(100_000_000)
    return {"dtype": dtype, "train_gflops": gemm(torch.float32), "write_gflops": gemm(torch_dtype(dtype)),
            "read_gb_s": 0.4 / best(block.sum), **weights(torch_dtype(dtype).itemsize)}  # fmt: skip


def gemm(dtype) -> float:
    """GFLOP/s of the product of two square matrices of 2048 lines."""
    import torch

    left, right = torch.randn(2048, 2048, dtype=dtype), torch.randn(2048, 2048, dtype=dtype)
    return 2 * 2048**3 / best(lambda: left @ right) / 1e9


def best(step, runs: int = 12) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return min(times)


def weights(size: int) -> dict:
    """Weights of the body and of the vocabulary layer, bytes of a token's keys and values at ``size`` bytes a number,
    from the model's config."""
    from sdft_lib.fetch import fetch

    c = json.loads((fetch(say=lambda text: None) / "config.json").read_text(encoding="utf-8"))
    width, inner = c["hidden_size"], c["intermediate_size"]
    keys = width * c["num_key_value_heads"] // c["num_attention_heads"]
    layer = 2 * width * width + 2 * width * keys + 3 * width * inner
    cache = size * 2 * c["num_hidden_layers"] * keys
    return {"body": c["num_hidden_layers"] * layer, "head": c["vocab_size"] * width, "cache_bytes": cache,
            "weight_bytes": size}  # fmt: skip


def distil_floor(facts: dict, cell: dict) -> tuple[float, float]:
    """GFLOP a row and the fewest seconds a row at both peaks, one after the other; shared starts are left out.

    Each prompt token passes the body, each written token body and vocabulary layer and reads the keys and values of the
    tokens before it; the products of attention are not even counted.
    """
    prompt = (cell["prompt_tokens"] - (cell["rows"] - 1) * cell["shared"]) / cell["rows"]
    written = cell["tokens"] / cell["rows"]
    work = 2 * ((prompt + written) * facts["body"] + written * facts["head"]) / 1e9
    before = cell["prompt_tokens"] / cell["rows"] + written / 2
    read = written * before * facts["cache_bytes"] / 1e9
    return work, work / facts["write_gflops"] + read / facts["read_gb_s"]


def train_floor(facts: dict, cell: dict) -> float:
    """The fewest seconds at the GEMM peak: forward, and backward to the activations (LoRA needs no weight gradients).

    The vocabulary layer only at the trained positions; nothing is subtracted for shared starts.
    """
    work = 4 * (cell["tokens"] * facts["body"] + cell["trained_tokens"] * facts["head"])
    return work / 1e9 / facts["train_gflops"]


def distil_profile(facts: dict, mine: dict, peer: dict, unit: str) -> str:
    """The arithmetic that bounds a distilling ratio."""
    work, floor = distil_floor(facts, mine)
    written = mine["tokens"] / mine["rows"]
    peer_row = peer["seconds"] / peer["tokens"] * written if unit == "s/token" else peer["seconds"] / peer["rows"]
    own_row = mine["seconds"] / mine["rows"]
    moved = facts["weight_bytes"] * (facts["body"] + facts["head"]) / 1e9
    return (
        f"This machine multiplies at {facts['write_gflops']:.0f} GFLOP/s at most (2048 x 2048 matrices, "
        f"{facts['dtype']}) and reads {facts['read_gb_s']:.0f} GB/s. A row takes "
        f"{work:.1f} GFLOP ({written:.0f} tokens written, 2 operations for "
        f"each of {facts['body'] / 1e6:.0f} M body and {facts['head'] / 1e6:.0f} M vocabulary weights, shared start "
        f"left out), and reads the keys and values before each written token: {floor:.3f} s at both peaks, one after "
        f"the other, whatever the batch. The peer needs "
        f"{peer_row:.3f} s for it, so no method that runs these weights can be more than {peer_row / floor:.1f} times "
        f"as fast. Ours takes {own_row:.3f} s, {floor / own_row:.0%} of the peak. (At batch 1 the {moved:.2f} GB of "
        f"weights are read for each token: {facts['read_gb_s'] / moved:.0f} tokens/s at most.)"
    )


def step_profile(facts: dict, step: dict, peer_token: float, goal: float) -> str:
    """Where the time of one decoding step goes, and how long a step may take to reach the goal."""
    rows, parts = step["rows"], step["parts"]
    work = 2 * rows * (facts["body"] + facts["head"]) / 1e9
    read = rows * step["before"] * facts["cache_bytes"] / 1e9
    rest = step["seconds"] - sum(parts.values())
    return (
        f"The profile: a step of {rows} rows half way takes {1000 * step['seconds']:.0f} ms, of which torch's products "
        f"take {1000 * parts['products']:.0f} ({work / parts['products']:.0f} GFLOP/s on thin matrices), its attention "
        f"{1000 * parts['attention']:.0f} ({read / parts['attention']:.0f} GB/s), the choice of a token "
        f"{1000 * parts['choice']:.0f}, all else {1000 * rest:.0f}. For {goal:g} times the peer's speed a step may "
        f"take {1000 * peer_token * rows / goal:.0f} ms; products and attention, which are torch's own, take "
        f"{1000 * (parts['products'] + parts['attention']):.0f} alone."
    )


def train_profile(facts: dict, mine: dict, peer: dict) -> str:
    """The arithmetic that bounds the training ratio."""
    floor = train_floor(facts, mine)
    return (
        f"This machine multiplies at {facts['train_gflops']:.0f} GFLOP/s at most (fp32). Forward and backward of "
        f"{mine['tokens']} tokens, the vocabulary layer at {mine['trained_tokens']} of them, take {floor:.1f} s at the "
        f"peak without shared starts. TRL takes {peer['seconds']:.1f} s, so without them the ratio is under "
        f"{peer['seconds'] / floor:.1f}; ours takes {mine['seconds']:.1f} s."
    )
