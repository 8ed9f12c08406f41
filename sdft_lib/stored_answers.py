"""What a model answers to some prompts, asked once and kept in the store (lessons 05 and 07).

For replay, for the rulers of a model's shift, and for the gap report. Not for harmful requests: what is
answered is kept.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from sdft_lib.generation import CODE, Decoding, generate
from sdft_lib.store import artefact, code_hash, digest, read_jsonl, write_jsonl


def stored_answers(
    seed, rows: Sequence[dict], decoding: Decoding, *, what: str, say: Callable[[str], None] = print,
    progress: Callable[[str], None] | None = None,
) -> list[dict]:  # fmt: skip
    """One answer to each row's messages: id, messages, text (stripped) and finish_reason, from the store or made now.

    ``what`` is said before anything is made, ``progress`` gets the lines of ``generate``.
    """
    asked = [{"id": row["id"], "messages": row["messages"]} for row in rows]
    parts = {"seed": seed.identity, "rows": digest(asked), "decoding": decoding.parts,
             "code": code_hash(*CODE, "stored_answers")}  # fmt: skip

    def build(folder: Path) -> dict:
        say(what)
        messages, names = [row["messages"] for row in asked], [row["id"] for row in asked]
        found = generate(seed, messages, decoding, names=names, path=folder / "answers.jsonl", say=progress)
        made = [row | {"text": answer.text.strip(), "finish_reason": answer.finish_reason}
                for row, answer in zip(asked, found, strict=True)]  # fmt: skip
        write_jsonl(folder / "rows.jsonl", made)
        return {"tokens": sum(answer.tokens for answer in found)}

    return read_jsonl(artefact("own-answers", parts, build) / "rows.jsonl")
