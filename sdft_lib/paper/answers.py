"""Let a model answer one of the paper's evaluation sets, once, into rows that can be scored again
(lesson 08).
"""

from collections.abc import Callable

from sdft_lib.paper.suites import PaperSuite, prompt_of
from sdft_lib.storage.errors import SdftError

JAILBREAK = "advbench-jailbreak"

VERSION = 1  # raise it when a change of code changes the answers


def check_suffix(suite: PaperSuite, suffix: str) -> None:
    """Raise SdftError unless a suffix is given to advbench-jailbreak, and to it alone; we bring
    none along.
    """
    if suite.name == JAILBREAK and not suffix.strip():
        raise SdftError(f"{JAILBREAK} needs --suffix: the text to put behind each request.")
    if suite.name != JAILBREAK and suffix:
        raise SdftError(f"--suffix goes with {JAILBREAK} alone; use that suite.")


def answer_items(
    seed, suite: PaperSuite, items: list[dict], *, say: Callable[[str], None] = print
) -> list[dict]:
    """One greedy answer an item: suite, id, prompt, text, finish_reason, withheld.

    An answer that goes along with a harmful request is thrown away (``withheld``): its text is
    empty, which scores as it would have. Answers come from the store if they were made before with
    the same settings."""
    from sdft_lib.answers.phrases import is_refusal
    from sdft_lib.generation import Decoding, generate
    from sdft_lib.storage.files import read_jsonl, write_jsonl
    from sdft_lib.storage.store import artefact, digest

    decoding = Decoding(max_new_tokens=suite.max_new_tokens)
    private = suite.kind == "refusal"
    parts = {
        "seed": seed.identity,
        "suite": suite.name,
        "items": digest(items),
        "decoding": decoding.parts,
        "version": VERSION,
    }

    def build(folder) -> dict:
        say(f"answering {len(items)} items of {suite.name}")
        path = None if private else folder / "answers.jsonl"
        found = generate(
            seed,
            [item["messages"] for item in items],
            decoding,
            names=[item["id"] for item in items],
            path=path,
            say=say,
        )
        rows = []
        for item, answer in zip(items, found, strict=True):
            text = answer.text.strip("\n")
            withheld = private and not is_refusal(text)
            rows.append(
                {
                    "suite": suite.name,
                    "id": item["id"],
                    "prompt": prompt_of(item),
                    "text": "" if withheld else text,
                    "finish_reason": answer.finish_reason,
                    "withheld": withheld,
                }
            )
        write_jsonl(folder / "rows.jsonl", rows)
        return {"tokens": sum(answer.tokens for answer in found)}

    return read_jsonl(artefact("answers", parts, build) / "rows.jsonl")
