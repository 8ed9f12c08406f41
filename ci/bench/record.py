"""Record the last bench: its rows into data/results/bench-FORMAT.json, the ratios of all records into the README.

python3 ci/bench/record.py   copy build/bench/bench.json and rebuild the README's block

FORMAT is what the machine writes answers in, fp32 or bf16: what can be gained depends on it more than on anything else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "ci")]

import record_run  # noqa: E402

RESULTS = ROOT / "data" / "results"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
NAMES = {
    "distil_short_vs_hf_b1": "rewriting short rows, against transformers row by row",
    "distil_long_vs_hf_b1": "writing 256 tokens, against transformers row by row",
    "distil_short_vs_hf_b32": "rewriting short rows, against transformers at batch 32",
    "distil_long_vs_hf_b32": "writing 256 tokens, against transformers at batch 32",
    "distil_short_vs_llamacpp_f16": "rewriting short rows, against llama.cpp, 32 slots, f16",
    "distil_long_vs_llamacpp_f16": "writing 256 tokens, against llama.cpp, 32 slots, f16",
    "train_vs_trl": "LoRA training, against TRL's SFTTrainer",
}


def records() -> list[dict]:
    """What was recorded, a machine each; none on a fresh start."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("bench-*.json"))]


def block(recorded: list[dict]) -> str:
    """The README's table of ratios, a column for each record, and what the missed goals run into."""
    if not recorded:
        return ""
    heads = [f"ratio, {record['dtype']}" for record in recorded]
    lines = [f"| The same work, weights and machine | {' | '.join(heads)} | goal |",
             "| --- |" + " --- |" * (len(heads) + 1)]  # fmt: skip
    missed = []
    for key, name in NAMES.items():
        rows = [next((row for row in record["rows"] if row["id"] == key), None) for record in recorded]
        goal = next(row["goal"] for row in rows if row)
        lines.append(f"| {name} | {' | '.join(map(ratio, rows))} | {goal:g}x |")
        missed += [f"- {name} (ours in {record['dtype']}): {row['limit_profile']}"
                   for row, record in zip(rows, recorded) if row and not row["met"]]  # fmt: skip
    lines += ["", "What the goals that were not met run into:", "", *missed] if missed else []
    where = [f"{record['dtype']} on {record['recorded']} at commit `{record['commit']}` on {record['cpu']}"
             for record in recorded]  # fmt: skip
    return "\n".join([*lines, "", f"Recorded by `python3 ci/bench/run.py`: {'; '.join(where)}."])


def ratio(row: dict | None) -> str:
    """One cell of the table."""
    return "" if row is None else f"{row['ratio']:.1f}x{'' if row['met'] else ', not met'}"


def readme_with(recorded: list[dict]) -> str:
    """The README's text with the block of these records."""
    return record_run.readme_between(BEGIN, END, block(recorded))


def main() -> None:
    from sdft_lib.models import choose_dtype
    from sdft_lib.report import cpu_name

    rows = json.loads((ROOT / "build" / "bench" / "bench.json").read_text(encoding="utf-8"))
    record = {**record_run.when_and_where(), "cpu": cpu_name(), "dtype": choose_dtype("cpu"), "rows": rows}
    path = RESULTS / f"bench-{record['dtype']}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (ROOT / "README.md").write_text(readme_with(records()), encoding="utf-8")


if __name__ == "__main__":
    main()
