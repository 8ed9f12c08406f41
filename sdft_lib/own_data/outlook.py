"""Before any training: is SDFT likely to help on your rows? (Lesson 09; the unit of lesson 01.)

Three numbers say how hard plain fine-tuning will pull at the model's manner and how much of that
rewriting takes away. They do not say how well the task will be learnt; only scores on dev rows do.
Nor does a small distance promise that SFT forgets little: on ``calls`` it lost nearly all facts
(lesson 05).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas

from sdft_lib.distill import GREEDY, DistilledSet
from sdft_lib.evaluate import stored_answers
from sdft_lib.gap import nll
from sdft_lib.models import Seed
from sdft_lib.stats import Interval, paired_bootstrap, wilson
from sdft_lib.storage.errors import SdftError

# Nats a token: at every token e = 2.7 times less likely than what the model writes by itself.
FAR = 1.0
# Share kept: under the first SDFT is SFT under another name, over the second it is itself.
LEAST, MOST = 0.3, 0.8
REMEDIES = {
    "answer": "open the turn with the answer (template opening), or try several candidates",
    "cut": "allow more tokens, or ask for one short sentence",
    "echo": "ask for an answer in the model's own words, and do not end the prompt with a heading",
    "loop": "try several candidates, or a larger model",
    "leak": "do not call the reference a solution or a given answer in the template",
    "empty": "open the turn with some words (prefill)",
}


@dataclass(frozen=True)
class Outlook:
    """``nats``: nats a token by kind of text, one list each. ``table``: three signs with
    name, value, low, high (95 %), n and what it says. ``advice``: one sentence."""

    nats: dict[str, list[float]]
    table: pandas.DataFrame
    advice: str


def outlook(seed: Seed, distilled: DistilledSet, *, limit: int = 32, say=print) -> Outlook:
    """References, rewrites and the seed's own answers on the first ``limit`` rows, compared. Raises
    SdftError if the seed answers none of them."""
    rows = distilled.rows[:limit]
    own = own_answers(seed, rows, say)
    answered = {row["id"] for row in own}
    paired = [row for row in rows if row["id"] in answered]
    nats = {
        "references": nll(seed, paired, "reference", say=say)["nll"].tolist(),
        "rewrites": nll(seed, paired, "text", say=say)["nll"].tolist(),
        "own answers": nll(seed, own, "text", say=say)["nll"].tolist(),
    }
    distance = paired_bootstrap(nats["references"], nats["own answers"])
    closed = paired_bootstrap(nats["references"], nats["rewrites"])
    kept = wilson(distilled.report["kept"], distilled.report["rows"])
    signs = {
        "references minus own answers": distance,
        "references minus training text": closed,
        "share of rewrites kept": kept,
    }
    table = pandas.DataFrame(map(vars, signs.values())).rename(columns={"mean": "value"})
    table.insert(0, "name", list(signs))
    table["says"] = words_of(*signs.values())
    return Outlook(nats, table, advice(*signs.values()))


def own_answers(seed: Seed, rows: Sequence[dict], say: Callable[[str], None]) -> list[dict]:
    """The rows with ``text``, the seed's greedy answer, where it has a letter or digit."""
    what = f"{seed.name}: answering {len(rows)} prompts by itself"
    answers = stored_answers(seed, rows, GREEDY, what=what, say=say)
    own = []
    for row, answer in zip(rows, answers, strict=True):
        if any(character.isalnum() for character in answer["text"]):
            own.append(row | {"text": answer["text"]})
    if not own:
        none = f"{seed.name} answers none of the {len(rows)} prompts by itself"
        raise SdftError(f"{none}; look at one with inspect().")
    return own


def words_of(distance: Interval, closed: Interval, kept: Interval) -> list[str]:
    """What each sign means; of the keep rate the share itself decides, as in training."""
    far = "not clear on so few rows whether your references lie far from the model's own writing"
    if distance.low > FAR:
        far = "your references are far from the model's own writing: SFT will change it much"
    elif distance.high < FAR:
        far = "your references are near the model's own answers: SFT may still forget"
    nearer = "it is not shown that rewriting brings the training text nearer"
    if closed.low > 0:
        much = "much" if closed.low > FAR else "a little"
        nearer = f"rewriting brings the training text {much} nearer to the model"
    share = "nearly all rows train on the model's own words"
    if kept.mean < LEAST:
        share = "most rows would train on their references, so training refuses"
    elif kept.mean < MOST:
        share = "the other rows train on their references: look at the reasons first"
    return [far, nearer, share]


def advice(distance: Interval, closed: Interval, kept: Interval) -> str:
    """One sentence: mend the template, use plain SFT, or compare both on dev."""
    if kept.mean < LEAST:
        return "Mend the template first: too few rewrites are kept."
    if distance.high < FAR:
        return "There is hardly a gap to close, but SFT may still forget: compare both on dev."
    if closed.low <= 0:
        short = "its rewrites are no nearer to the model than the references"
        return f"Mend the template first: {short}."
    if distance.low > FAR:
        why = "there is a gap, and rewriting closes part of it"
        return f"SDFT is worth a try: {why}. Compare both on dev."
    return "Not clear on so few rows: compare both on dev."


def remedies(report: dict) -> list[str]:
    """For each reason that cost rewrites, the dearest first: how many, and what usually helps."""
    lines = []
    for reason, count in sorted(report["reasons"].items(), key=lambda pair: -pair[1]):
        if reason != "accepted":
            hint = REMEDIES.get(reason, "read some of them")
            lines.append(f"{reason}: {count} of {report['rows']} rewrites; {hint}")
    return lines
