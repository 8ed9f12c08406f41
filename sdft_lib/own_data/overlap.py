"""Did training see the questions it is measured on? Exact prompts and shared word sequences (lesson
04).
"""

import re
from dataclasses import dataclass
from os.path import commonprefix


@dataclass(frozen=True)
class Seen:
    """The training prompts, ready to be compared: whole ones, their word sequences, the fixed words
    around them.
    """

    whole: set
    known: set
    opening: list[str]
    ending: list[str]
    n: int


def overlap(train_rows: list[dict], other_rows: list[dict], n: int = 8) -> dict:
    """Compare the prompts of two sets of rows.

    Returns ``duplicates`` (other rows whose whole prompt is a training prompt, case, punctuation
    and spaces aside), ``shared_share`` (share of other rows with ``n`` consecutive words of some
    training prompt) and ``ids`` (of the other rows that are either). Words that open or end every
    training prompt, such as a fixed instruction, do not count: they would make any two rows of one
    task alike."""
    return compared(seen_prompts(train_rows, n), other_rows)


def seen_prompts(train_rows: list[dict], n: int = 8) -> Seen:
    """What ``compared`` needs to know of the training rows, worked out once for several other
    sets.
    """
    seen = [prompt_words(row) for row in train_rows]
    front = len(commonprefix(seen)) if len(seen) > 1 else 0
    back = len(commonprefix([words[front:][::-1] for words in seen])) if len(seen) > 1 else 0
    opening, ending = (seen[0][:front], seen[0][len(seen[0]) - back :]) if seen else ([], [])
    known = {gram for words in seen for gram in grams(without(words, opening, ending), n)}
    return Seen({tuple(words) for words in seen}, known, opening, ending, n)


def compared(seen: Seen, other_rows: list[dict]) -> dict:
    """``overlap`` of one other set with training prompts that ``seen_prompts`` has read."""
    other = [prompt_words(row) for row in other_rows]
    same = [tuple(words) in seen.whole for words in other]
    bare = [without(words, seen.opening, seen.ending) for words in other]
    shares = [not seen.known.isdisjoint(grams(words, seen.n)) for words in bare]
    ids = [row["id"] for row, a, b in zip(other_rows, same, shares, strict=True) if a or b]
    return {"duplicates": sum(same), "shared_share": sum(shares) / max(len(other), 1), "ids": ids}


def prompt_words(row: dict) -> list[str]:
    """Lower-case words of all turns of a prompt."""
    return re.findall(r"\w+", " ".join(turn["content"] for turn in row["messages"]).lower())


def without(words: list[str], opening: list[str], ending: list[str]) -> list[str]:
    """Words less a fixed opening and a fixed ending, where they are there."""
    if opening and words[: len(opening)] == opening:
        words = words[len(opening) :]
    if ending and words[-len(ending) :] == ending:
        words = words[: -len(ending)]
    return words


def grams(words: list[str], n: int) -> set[tuple[str, ...]]:
    """All sequences of ``n`` consecutive words."""
    return {tuple(words[start : start + n]) for start in range(len(words) - n + 1)}
