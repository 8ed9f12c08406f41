"""The methods that are compared at one budget: the same number of rows, steps and settings for each
(lesson 05).

A method that learns less also forgets less, so SDFT must be held against cheaper ways of learning
less: a smaller learning rate, replay of the seed's own answers, an anchor to the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdft_lib.storage.errors import SdftError


@dataclass(frozen=True)
class Method:
    """``column`` is trained on. ``slower``: factor on the learning rate. ``replay``: share of the
    rows that give way to the seed's own answers to general prompts. ``anchor``: weight of KL(seed
    || model). ``mix``: share of the rewrites that are used, references standing in for the rest.
    ``candidates``: rewrites of which the likeliest is taken."""

    column: str
    slower: float = 1.0
    replay: float = 0.0
    anchor: float = 0.0
    mix: float = 1.0
    candidates: int = 1


METHODS = {
    "sft": Method("reference"),
    "sft-slow": Method("reference", slower=0.25),
    "sft-replay": Method("reference", replay=0.25),
    "sft-anchor": Method("reference", anchor=1.0),
    "sdft": Method("text"),
    "sdft-mix": Method("text", mix=0.5),
    "sdft-best": Method("text", candidates=4),
}


def method(name: str) -> Method:
    """A method by name; raises SdftError for an unknown one."""
    if name not in METHODS:
        raise SdftError(f'method "{name}" is not known; use one of {", ".join(METHODS)}.')
    return METHODS[name]


def configured(chosen: Method, config):
    """The TrainConfig of a method: only what the method changes differs from ``config``."""
    return replace(config, learning_rate=config.learning_rate * chosen.slower, anchor=chosen.anchor)


def rows_for(
    chosen: Method, rows: Sequence[dict], *, general: Sequence[dict] = (), seed: int = 0
) -> list[dict]:
    """The rows that a method trains on, as many as it was given, in their order.

    ``rows`` is a distilled set, ``general`` the answers of ``own_answers``; ``seed`` decides which
    rows give way."""
    rows = mixed(rows, chosen.mix, seed) if chosen.mix < 1 else list(rows)
    return with_replay(rows, general, chosen.replay, seed) if chosen.replay else rows


def mixed(rows: Sequence[dict], share: float, seed: int = 0) -> list[dict]:
    """The rows with rewrites in a random ``share`` of those that have one, and the reference in all
    others.
    """
    rewritten = [index for index, row in enumerate(rows) if row["source"] == "rewritten"]
    chosen = set(random.Random(seed).sample(rewritten, round(share * len(rewritten))))
    return [
        row
        if index in chosen or row["source"] != "rewritten"
        else row | {"text": row["reference"], "source": "original", "reason": "mix"}
        for index, row in enumerate(rows)
    ]


def with_replay(
    rows: Sequence[dict], general: Sequence[dict], share: float, seed: int = 0
) -> list[dict]:
    """The rows with a random ``share`` of them replaced by ``general`` ones: the number of steps
    stays the same.
    """
    count = round(share * len(rows))
    if count > len(general):
        raise SdftError(
            f"replay of {share:.0%} of {len(rows)} rows needs {count} general answers, there are "
            f"{len(general)}; give more general prompts or a smaller share."
        )
    source = random.Random(seed)
    places = source.sample(range(len(rows)), count)
    chosen = dict(zip(places, source.sample(list(general), count), strict=True))
    return [chosen.get(index, row) for index, row in enumerate(rows)]


def training_rows(
    chosen: Method,
    seed,
    task,
    template,
    rows: Sequence[dict],
    *,
    decoding,
    limit=None,
    training_seed: int = 0,
    say=print,
) -> list[dict]:
    """The rows that a method trains on, out of the distilled ``rows``; the replayed and the best
    are made here.
    """
    from sdft_lib.data import load_general

    if chosen.candidates > 1:
        options = {"candidates": chosen.candidates, "decoding": decoding, "limit": limit}
        return best_rewrites(seed, task, template, **options, say=say)
    general = own_answers(seed, load_general(), say=say) if chosen.replay else ()
    return rows_for(chosen, rows, general=general, seed=training_seed)


def own_answers(
    seed, prompts: Sequence[dict], *, max_new_tokens: int = 96, say=print
) -> list[dict]:
    """The seed's own greedy answers to general prompts, as rows to replay; those that did not end
    are left out.
    """
    from sdft_lib.evaluate import stored_answers
    from sdft_lib.generation import Decoding

    what = f"{seed.name}: answering {len(prompts)} general prompts for replay"
    answers = stored_answers(
        seed, prompts, Decoding(max_new_tokens=max_new_tokens), what=what, say=say, progress=say
    )
    return [
        replayed(row, row["text"])
        for row in answers
        if row["finish_reason"] == "stop" and row["text"]
    ]


def replayed(row: dict, answer: str) -> dict:
    """A general prompt with the seed's answer, in the form of a distilled row."""
    return {
        "id": row["id"],
        "messages": row["messages"],
        "reference": answer,
        "text": answer,
        "source": "rewritten",
        "reason": "replay",
    }


def best_of(sets: Sequence[Sequence[dict]], nlls: Sequence[Sequence[float]]) -> list[dict]:
    """Row by row the accepted rewrite that the seed finds likeliest (least nats a token), else the
    reference.

    ``sets`` are distilled sets of the same rows, ``nlls`` the nats a token of their texts under the
    seed."""
    best = []
    for versions, costs in zip(zip(*sets, strict=True), zip(*nlls, strict=True), strict=True):
        kept = [
            (cost, place)
            for place, (row, cost) in enumerate(zip(versions, costs))
            if row["source"] == "rewritten"
        ]
        best.append(versions[min(kept)[1]] if kept else versions[0])
    return best


def best_rewrites(
    seed, task, template, *, candidates: int, decoding, limit=None, say=print
) -> list[dict]:
    """``best_of`` one greedy and ``candidates - 1`` sampled rewrites of each row."""
    from sdft_lib.distill import SAMPLED, distill
    from sdft_lib.gap import nll

    tries = [decoding] + [
        replace(decoding, seed=number, **SAMPLED) for number in range(1, candidates)
    ]
    sets = [
        distill(seed, task, template, decoding=each, limit=limit, say=say).rows for each in tries
    ]
    return best_of(sets, [nll(seed, rows, "text", say=say)["nll"].tolist() for rows in sets])
