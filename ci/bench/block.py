"""The part of ci/book/speed.md on speed and kills, from the records in data/results alone."""

from __future__ import annotations

from itertools import combinations

from ci.bench.table import SCALING
from ci.recorded.blocks import markdown

WORK = {"short": "rewriting short rows", "long": "writing 256 tokens"}
PEERS = {
    "hf_b1": "transformers row by row",
    "hf_b32": "transformers at batch 32",
    "llamacpp_f16": "llama.cpp, 32 slots, f16",
    "llamacpp_q4": "llama.cpp, 32 slots, its own Q4_1",
    "vllm": "vLLM's build for CPUs",
}
NAMES = {}
for peer, words in PEERS.items():
    for kind, work in WORK.items():
        NAMES[f"distil_{kind}_vs_{peer}"] = f"{work}, against {words}"
NAMES["train_vs_trl"] = "LoRA training, against TRL's SFTTrainer"
SECONDS = {
    "start_import": "start: `import sdft_lib`",
    "start_seed": "start: imports, and the seed model from the cache",
    "evaluate": "answering all probes",
    **{f"scaling_{count}": f"rewriting {count:,} short rows" for count in SCALING},
    "scaling_2_processes": "rewriting 256 short rows in two processes, one thread each",
}
STEPS = {"fetch": "fetching", "distill": "rewriting", "train": "training", "evaluate": "evaluating"}
STEPS |= {"export": "exporting", "run": "a whole run"}
# factor by which a row among many may be dearer than one among fewer, for time in line with rows
STEADY = 1.25
FLAT = 0.1  # growth of the peak memory that counts as none
FASTER = 1.05  # ratio from which on two processes count as a help


def block(recorded: list[dict], killed: dict | None = None) -> str:
    """The part on the bench, a column for each record, and on kills where they were recorded."""
    parts = []
    if recorded:
        parts = [ratios(recorded), behind(recorded), seconds(recorded)]
        parts += [scaling(recorded), missed(recorded), where(recorded)]
    if killed:
        parts.append(kills(killed))
    return "\n\n".join("\n".join(part) for part in parts if part)


def line(record: dict, name: str) -> dict | None:
    """One row of a record."""
    return next((row for row in record["rows"] if row["id"] == name), None)


def held(recorded: list[dict], names: dict[str, str]) -> list[tuple[str, list[dict | None]]]:
    """(words, its row in each record) of the names that at least one record holds."""
    lines = [(words, [line(record, name) for record in recorded]) for name, words in names.items()]
    return [(words, rows) for words, rows in lines if any(rows)]


def goal(rows: list[dict | None], unit: str) -> str:
    """The goal that the records share; nothing where there is none."""
    asked = next(row["goal"] for row in rows if row)
    return "" if asked is None else f"{asked:g}{unit}"


def mark(row: dict) -> str:
    return ", not met" if row["met"] is False else ""


def ratios(recorded: list[dict]) -> list[str]:
    """How many times as fast as each peer; said in words where the peer is faster."""
    heads = [f"ratio, {record['dtype']}" for record in recorded]
    cells = []
    for words, rows in held(recorded, NAMES):
        each = [times(row) if row else "" for row in rows]
        cells.append([words, *each, goal(rows, "x")])
    return [markdown(["The same work, weights and machine", *heads, "goal"], cells)]


def times(row: dict) -> str:
    slower = ", theirs is faster" if row["ratio"] < 1 else ""
    return f"{row['ratio']:.1f}x{slower}{mark(row)}"


def behind(recorded: list[dict]) -> list[str]:
    """What each ratio was measured on: rows, runs and peak memory of both sides."""
    memory = [f"peak memory in MB, {record['dtype']}" for record in recorded]
    heads = ["ours / theirs", "rows", "runs", *memory]
    cells, every = [], []
    for words, rows in held(recorded, NAMES):
        each = [f"{row['ours_peak_mb']} / {row['peer_peak_mb']}" if row else "" for row in rows]
        counts = apart(rows, lambda row: f"{row['ours_rows']} / {row['peer_rows']}")
        cells.append([words, counts, apart(rows, runs), *each])
        every += filter(None, rows)
    ours, theirs = spread(every, "ours_rows"), spread(every, "peer_rows")
    says = (
        "A ratio is the median over pairs of runs; a cell that takes minutes ran once, and that "
        f"run stands in each pair. Ours ran {ours} rows, the other side {theirs}, so seconds are "
        "compared a row (short rows) or a token (long rows and training)."
    )
    summary = "<summary>Rows, runs and peak memory behind each ratio</summary>"
    return [says, "", "<details>", summary, "", markdown(heads, cells), "", "</details>"]


def spread(rows: list[dict], column: str) -> str:
    values = [row[column] for row in rows]
    return f"{min(values)} to {max(values)}"


def runs(row: dict) -> str:
    """Runs of both sides; older records only say how many the side had that ran more often."""
    if "ours_runs" in row:
        return f"{row['ours_runs']} / {row['peer_runs']}"
    return f"at most {row['runs']}"


def apart(rows: list[dict | None], words) -> str:
    """What the records say, once where they agree."""
    return ", ".join(dict.fromkeys(words(row) for row in rows if row))


def seconds(recorded: list[dict]) -> list[str]:
    """What takes how long and how much memory at most, no peer beside it."""
    heads = ["Seconds and peak memory", *(record["dtype"] for record in recorded), "goal"]
    cells = [
        [words, *(cost(row) if row else "" for row in rows), goal(rows, " s at most")]
        for words, rows in held(recorded, SECONDS)
    ]
    return [markdown(heads, cells)]


def cost(row: dict) -> str:
    """Seconds, for the start with those of the bare imports, and memory."""
    bare = ""
    if row["id"] == "start_seed" and row["peer"]:
        bare = f" (bare imports: {told(row['peer'])})"
    return f"{told(row['ours'])}{bare}, {row['ours_peak_mb']} MB{mark(row)}"


def told(number: float) -> str:
    """Seconds with as many digits as they are worth."""
    if number < 0.01:
        return "under 0.01 s"
    digits = 0 if number >= 100 else 1 if number >= 1 else 2
    return f"{number:.{digits}f} s"


def scaling(recorded: list[dict]) -> list[str]:
    """What the rows show on time, memory and processes, a sentence for each record."""
    said = []
    for record in recorded:
        if sentence := scaling_of(record):
            said.append(f"- {record['dtype']}: {sentence}")
    head = (
        "A start is the median of three fresh processes; the other cells of this table ran once. "
        "What they show:"
    )
    return [head, "", *said] if said else []


def scaling_of(record: dict) -> str:
    """The verdict of one record; empty where it holds fewer than two sizes."""
    sizes = [row for count in SCALING if (row := line(record, f"scaling_{count}"))]
    if len(sizes) < 2:
        return ""
    each = [1000 * row["ours"] / row["ours_rows"] for row in sizes]
    dearer = max(many / few for few, many in combinations(each, 2))
    grows = "in line with" if dearer <= STEADY else "faster than"
    parts = [
        f"a row takes {', '.join(f'{ms:.0f}' for ms in each)} ms among {sizes[0]['ours_rows']:,} "
        f"to {sizes[-1]['ours_rows']:,} rows, among more at most {dearer:.2f} times as long as "
        f"among fewer: time grows {grows} the rows"
    ]
    large = [row for row in sizes if row["ours_rows"] >= 1024]
    if len(large) > 1:
        growth = large[-1]["ours_peak_mb"] / large[0]["ours_peak_mb"] - 1
        flat = "flat" if growth <= FLAT else "not flat"
        parts.append(f"beyond {large[0]['ours_rows']:,} rows memory is {flat} ({growth:+.0%})")
    if (two := line(record, "scaling_2_processes")) and two["ratio"]:
        verdict = "help" if two["ratio"] >= FASTER else "do not help"
        parts.append(f"two processes {verdict} ({two['ratio']:.2f} times the speed of one)")
    return f"{'; '.join(parts)}."


def missed(recorded: list[dict]) -> list[str]:
    """The arithmetic beside each goal that was not met."""
    lines = []
    for words, rows in held(recorded, NAMES | SECONDS):
        for row, record in zip(rows, recorded, strict=True):
            if row and row["limit_profile"]:
                asked = f"{row['goal']:g}{'x' if row['ratio'] else ' s'}"
                ours = f"{words} (ours in {record['dtype']}, goal {asked})"
                lines.append(f"- {ours}: {row['limit_profile']}")
    if not lines:
        return []
    says = (
        "A goal is out of reach where the ceiling lies below it, where a pass of transformers' own "
        "layers takes longer than a step may, or where transformers alone takes longer than a "
        "start may. Otherwise these numbers do not show a limit."
    )
    summary = "The goals that were not met: what the machine can do at most, and what was measured"
    head = ["<details>", f"<summary>{summary}</summary>", "", says, ""]
    return [*head, *lines, "", "</details>"]


def where(recorded: list[dict]) -> list[str]:
    """By which command, when, where, and how long the whole bench took where that is known."""
    made = []
    for each in recorded:
        took = f", which took {each['minutes']:.0f} minutes" if each.get("minutes") else ""
        when = f"on {each['recorded']} at commit `{each['commit']}` on {each['cpu']}"
        made.append(f"{each['dtype']} {when}{took}")
    return [f"Recorded by `python3 -m ci.bench.run`: {'; '.join(made)}."]


def kills(killed: dict) -> list[str]:
    """What `faults.py` found: a line a step, and the sum of what was lost or different."""
    keys = ("kills", "compared", "different", "rows_lost")
    cells = [[STEPS[step["step"]], *(f"{step[key]:,}" for key in keys)] for step in killed["steps"]]
    total = sum(step["kills"] for step in killed["steps"])
    bad = sum(step["different"] + step["rows_lost"] for step in killed["steps"])
    versions = ", ".join(f"{name} {number}" for name, number in killed["versions"].items())
    says = (
        f"Killed {total} times at random moments and started again; lost or different: {bad}. "
        f"Recorded by `python3 -m ci.bench.faults` on {killed['recorded']} at commit "
        f"`{killed['commit']}` on {killed['cpu']} with {versions}."
    )
    heads = ["step", "kills", "files compared", "different", "finished rows lost"]
    return [markdown(heads, cells), "", says]
