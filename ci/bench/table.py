"""From measured cells to the rows of bench.json: ratios, goals, limits. Only arithmetic."""

import os
from statistics import median

from ci.bench import limits

GOALS = {
    "distil_short_vs_hf_b1": 15,
    "distil_long_vs_hf_b1": 40,
    "distil_short_vs_hf_b32": 2,
    "distil_long_vs_hf_b32": 1.5,
    "distil_short_vs_llamacpp_f16": 1,
    "distil_long_vs_llamacpp_f16": 1,
    "distil_short_vs_vllm": 1.3,
    "distil_long_vs_vllm": 1.1,
    "train_vs_trl": 1.5,
}
NOTES = {
    "hf_b1": "transformers generate, batch 1, fp32",
    "hf_b32": "transformers generate, batch 32, unsorted, left padded",
    "llamacpp_f16": "llama.cpp, 32 parallel slots, f16 file of the same dequantised weights",
    "llamacpp_q4": "llama.cpp, 32 parallel slots, its native 4-bit file (reported, no goal)",
    "vllm": "vLLM's build for CPUs, its own batches, keys and values in 2 GB as ours",
}
SCALING = (64, 256, 1024, 4096)


def build(cells: dict[str, list[dict]]) -> list[dict]:
    """All rows that the cells allow. ``cells`` maps a cell's name to its runs, in order."""
    made = [distil(cells, kind, peer) for peer in NOTES for kind in ("short", "long")]
    made += [train(cells), *starts(cells), *reported(cells)]
    return [row for row in made if row]


def row(name: str, ours, peer, unit: str, **extra) -> dict:
    """One row; ``ratio`` says how many times better ours is, None where there is no peer."""
    empty = dict.fromkeys(("ratio", "goal", "met", "limit_profile", "limit"))
    return {"id": name, "ours": ours, "peer": peer, "unit": unit, **empty, **extra}


def paired(mine: list[dict], peers: list[dict]) -> list[tuple[dict, dict]]:
    """The runs of two cells side by side; the last run of the shorter stands for missing ones."""
    runs = max(len(mine), len(peers))
    return [(mine[min(n, len(mine) - 1)], peers[min(n, len(peers) - 1)]) for n in range(runs)]


def compared(
    name: str, mine: list[dict], peers: list[dict], cost, unit: str, profile, note: str
) -> dict:
    """A row with ratio and goal; ``cost(run)`` is lower for the faster. A miss gets its limit."""
    pairs = paired(mine, peers)
    ratio = median(cost(peer) / cost(own) for own, peer in pairs)
    goal = GOALS.get(name)
    met = None if goal is None else ratio >= goal
    middle = sorted(pairs, key=lambda pair: cost(pair[1]) / cost(pair[0]))[len(pairs) // 2]
    text, limit = profile(*middle) if met is False else (None, None)
    made = row(name, median(map(cost, mine)), median(map(cost, peers)), unit)
    made |= memory(mine, peers) | {"note": note, "ratio": ratio, "goal": goal, "met": met}
    return made | {"limit_profile": text, "limit": limit}


def memory(mine: list[dict], peers: list[dict]) -> dict:
    """Peak memory, rows and number of runs of both sides; ``runs`` counts pairs."""
    return {
        "ours_peak_mb": max(run["peak_mb"] for run in mine),
        "peer_peak_mb": max((run["peak_mb"] for run in peers), default=None),
        "ours_rows": mine[0].get("rows"),
        "peer_rows": peers[0].get("rows") if peers else None,
        "ours_runs": len(mine),
        "peer_runs": len(peers) or None,
        "runs": max(len(mine), len(peers)),
    }


def distil(cells: dict, kind: str, peer: str) -> dict | None:
    """Seconds a row for short rows, seconds a written token for long ones."""
    mine, peers = cells.get(f"ours_{kind}"), cells.get(f"{peer}_{kind}")
    if not mine or not peers:
        return None
    name, unit = f"distil_{kind}_vs_{peer}", "s/row" if kind == "short" else "s/token"
    per = "rows" if kind == "short" else "tokens"
    facts, step = cells["limits"][0], cells.get(f"step_{kind}", [None])[0]

    def profile(own, other):
        return limits.distil_profile(facts, own, other, unit, GOALS[name], step)

    note = f"{NOTES[peer]} ({peers[0]['dtype']}); {peers[0].get('note', '')}"
    note += agreement((mine[0], peers[0]))
    return compared(name, mine, peers, lambda run: run["seconds"] / run[per], unit, profile, note)


def agreement(pair: tuple[dict, dict]) -> str:
    """How many answers are the same on both sides, and the share of leading words in common."""
    texts = list(zip(pair[0]["texts"], pair[1]["texts"], strict=False))
    same = sum(left.strip() == right.strip() for left, right in texts)
    shares = [common_start(left.split(), right.split()) for left, right in texts]
    share = f"{sum(shares) / len(shares):.0%} of the leading words"
    return f"{same} of {len(texts)} answers equal to ours, {share}"


def common_start(left: list[str], right: list[str]) -> float:
    """Share of the longer list's words that both lists begin with."""
    same = len(os.path.commonprefix([left, right]))
    return same / max(len(left), len(right), 1)


def train(cells: dict) -> dict | None:
    """Tokens a second, prompts included, counted in the same way on both sides."""
    mine, peers = cells.get("train_ours"), cells.get("train_trl")
    if not mine or not peers:
        return None
    facts = cells["limits"][0]
    note = (
        "TRL SFTTrainer, same LoRA, batch 8, same rows, fp32, no gradient checkpointing; last loss "
        f"{mine[0]['losses'][-1]:.3f} and {peers[0]['losses'][-1]:.3f}"
    )

    def profile(own, other):
        return limits.train_profile(facts, own, other)

    def cost(run):
        return run["seconds"] / run["tokens"]

    made = compared("train_vs_trl", mine, peers, cost, "tokens/s", profile, note)
    return made | {"ours": 1 / made["ours"], "peer": 1 / made["peer"]}


def starts(cells: dict) -> list[dict]:
    """Seconds of a fresh process; here the goal is the most seconds it may take."""
    made = []
    for name, goal, peer in (("start_import", 0.3, ""), ("start_seed", 3, "start_bare")):
        if name not in cells:
            continue
        bare, alone = cells.get(peer, []), cells.get("start_alone", [])
        seconds = cells[name][0]["seconds"]
        line = row(name, seconds, bare[0]["seconds"] if bare else None, "s")
        line |= memory(cells[name], bare)
        line |= {"goal": goal, "met": seconds <= goal, "note": "goal: seconds at most"}
        if bare and alone and not line["met"]:
            others = (bare[0]["seconds"], alone[0]["seconds"])
            line["limit_profile"], line["limit"] = limits.start_profile(*others, seconds, goal)
        made.append(line)
    return made


def reported(cells: dict) -> list[dict]:
    """Evaluation, and how time and memory grow with the rows."""
    made = []
    if "evaluate" in cells:
        run = cells["evaluate"][0]
        note = f"all probes, {run['rows'] / run['seconds']:.1f} rows/s"
        made.append(row("evaluate", run["seconds"], None, "s", **memory([run], []), note=note))
    for count in SCALING:
        if run := cells.get(f"scaling_{count}", [None])[0]:
            name, note = f"scaling_{count}", f"{run['rows'] / run['seconds']:.1f} rows/s"
            made.append(row(name, run["seconds"], None, "s", **memory([run], []), note=note))
    if "two_processes" in cells:
        two, one = cells["two_processes"][0], cells.get("scaling_256", [None])[0]
        line = row("scaling_2_processes", two["seconds"], one and one["seconds"], "s")
        line |= memory([two], [one] if one else [])
        halves = f"{two['rows']} rows, half in each of two processes, one thread each"
        line["note"] = f"{halves}; the peer is one process"
        made.append(line | {"ratio": one["seconds"] / two["seconds"] if one else None})
    return made


def for_terminal(rows: list[dict]) -> str:
    """The rows as a table with one line each."""
    import pandas

    columns = ["id", "ours", "peer", "unit", "ratio", "goal", "met", "ours_peak_mb", "peer_peak_mb"]
    table = pandas.DataFrame(rows)[[*columns, "runs"]].astype(object)
    return table.where(table.notna(), "").to_string(index=False, float_format="{:.4g}".format)
