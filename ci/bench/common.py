"""Where the bench keeps its files, and how many rows each cell runs."""

from ci.bootstrap import ROOT

WORK = ROOT / "build" / "bench"
# Rows of each side; the second number is for --quick.
ROWS = {
    "ours_short": (384, 16),
    "ours_long": (128, 2),
    "step_short": (128, 16),
    "step_long": (128, 2),
    "hf_b1_short": (8, 2),
    "hf_b1_long": (4, 1),
    "hf_b32_short": (64, 16),
    "hf_b32_long": (32, 2),
    "llamacpp_short": (192, 16),
    "llamacpp_long": (32, 2),
    "train": (64, 16),
    "two": (256, 16),
}
FILES = {"f16": "model-f16.gguf", "q4": "model-q4_1.gguf"}


def count(name: str, quick: bool) -> int:
    return ROWS[name][1 if quick else 0]


def quiet(*_) -> None:
    """Takes the place of print for functions that say what they do."""
