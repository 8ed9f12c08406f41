"""Record the last bench: its rows into data/results/bench.json, its ratios into the README.

python3 ci/bench/record.py   copy build/bench/bench.json and rebuild the README's block from it
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "ci")]

import record_run  # noqa: E402

RECORD = ROOT / "data" / "results" / "bench.json"
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


def block(record: dict) -> str:
    """The README's table of ratios, from the record alone."""
    rows = {row["id"]: row for row in record["rows"]}
    lines = ["| The same work, weights and machine | ratio | goal |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {rows[key]['ratio']:.1f}x | {rows[key]['goal']:g}x{'' if rows[key]['met'] else ', not met'} |"
        for key, name in NAMES.items()
        if key in rows
    ]
    missed = [rows[key] for key in NAMES if key in rows and not rows[key]["met"]]
    if missed:
        lines += ["", "What the goals that were not met run into:", ""]
        lines += [f"- {NAMES[row['id']]}: {row['limit_profile']}" for row in missed]
    lines += ["", f"Recorded {record['recorded']} at commit `{record['commit']}` on {record['cpu']} in fp32, by "
                  "`python3 ci/bench/run.py`."]  # fmt: skip
    return "\n".join(lines)


def readme_with(record: dict) -> str:
    """The README's text with the block of a record."""
    return record_run.readme_between(BEGIN, END, block(record))


def main() -> None:
    from sdft_lib.report import cpu_name

    rows = json.loads((ROOT / "build" / "bench" / "bench.json").read_text(encoding="utf-8"))
    record = {**record_run.when_and_where(), "cpu": cpu_name(), "rows": rows}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (ROOT / "README.md").write_text(readme_with(record), encoding="utf-8")


if __name__ == "__main__":
    main()
