"""The methods that are compared at one budget: the same number of rows, steps and settings for each
(lesson 05).

A method that learns less also forgets less, so SDFT must be held against cheaper ways of learning
less: a smaller learning rate, replay of the seed's own answers, an anchor to the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdft_lib.formats.toml import check_known
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig


@dataclass(frozen=True)
class Look:
    """How one model, or one kind of text, looks in every lesson: colour, marker, line and hatch (in
    matplotlib's words) tell it apart."""

    label: str
    colour: str
    marker: str
    line: str | tuple
    hatch: str = ""

    @property
    def face(self) -> str:
        """The inside of a marker: white for a recorded run, which is not the reader's own."""
        return "white" if "(recorded)" in self.label else self.colour


@dataclass(frozen=True)
class Method:
    """What a method changes, and how it looks in every figure.

    ``column`` is trained on. ``slower``: factor on the learning rate. ``replay``: share of the rows
    that give way to the seed's own answers to general prompts. ``rehearsal``: share of a later
    task's rows that give way to rows of the tasks before (lesson 06). ``anchor``: weight of KL(seed
    || model). ``mix``: share of the rewrites that are used, references standing in for the rest.
    ``candidates``: rewrites of which the likeliest is taken."""

    column: str
    look: Look
    slower: float = 1.0
    replay: float = 0.0
    anchor: float = 0.0
    mix: float = 1.0
    candidates: int = 1
    rehearsal: float = 0.0

    @property
    def changes(self) -> dict:
        """In what it differs from plain training on its column: names and values."""
        plain = vars(Method(self.column, self.look))
        return {name: value for name, value in vars(self).items() if value != plain[name]}


SFT = Look("SFT", "#d55e00", "s", "-", "//")
SLOW = Look("SFT, slow", "#b07a00", "v", "-.", "xx")
REPLAY = Look("SFT + replay", "#a8488a", "D", (0, (5, 1)), "++")
ANCHOR = Look("SFT + anchor", "#7a4a1f", "X", (0, (3, 1, 1, 1)), "--")
SDFT = Look("SDFT", "#0072b2", "^", "--", "\\\\")
MIXED = Look("SDFT, mixed", "#3a9bd0", "P", (0, (1, 1)), "oo")
BEST = Look("SDFT, best", "#00805e", "p", (0, (4, 2)), "**")
METHODS = {
    "sft": Method("reference", SFT),
    "sft-slow": Method("reference", SLOW, slower=0.25),
    "sft-replay": Method("reference", REPLAY, replay=0.25),
    "sft-anchor": Method("reference", ANCHOR, anchor=1.0),
    "sdft": Method("text", SDFT),
    "sdft-mix": Method("text", MIXED, mix=0.5),
    "sdft-best": Method("text", BEST, candidates=4),
    "replay": Method("reference", REPLAY, rehearsal=0.25),
}
ONE_TASK = tuple(name for name, each in METHODS.items() if not each.rehearsal)
TASKS_IN_A_ROW = ("sft", "sdft", "replay")


def method(name: str, known: Sequence[str] = ONE_TASK) -> Method:
    """A method by name; raises SdftError unless it is one of ``known``."""
    check_known(name, known, "method")
    return METHODS[name]


def configured(chosen: Method, config: TrainConfig) -> TrainConfig:
    """The TrainConfig of a method: only what the method changes differs from ``config``."""
    return replace(config, learning_rate=config.learning_rate * chosen.slower, anchor=chosen.anchor)


def rows_for(
    chosen: Method, rows: Sequence[dict], *, general: Sequence[dict] = (), seed: int = 0
) -> list[dict]:
    """The rows that a method trains on, as many as it was given, in their order.

    ``rows``: a distilled set; ``general``: ``own_answers``; ``seed`` says which rows give way."""
    rows = mixed(rows, chosen.mix, seed) if chosen.mix < 1 else list(rows)
    return with_replay(rows, general, chosen.replay, seed) if chosen.replay else rows


def mixed(rows: Sequence[dict], share: float, seed: int = 0) -> list[dict]:
    """The rows with a random ``share`` of their rewrites, and the reference in all others."""
    rewritten = [index for index, row in enumerate(rows) if row["source"] == "rewritten"]
    chosen = set(random.Random(seed).sample(rewritten, round(share * len(rewritten))))
    made = list(rows)
    for index in set(rewritten) - chosen:
        row = made[index]
        made[index] = row | {"text": row["reference"], "source": "original", "reason": "mix"}
    return made


def with_replay(
    rows: Sequence[dict], general: Sequence[dict], share: float, seed: int = 0
) -> list[dict]:
    """The rows with a random ``share`` replaced by ``general`` ones: the steps stay as many."""
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


def best_of(sets: Sequence[Sequence[dict]], nlls: Sequence[Sequence[float]]) -> list[dict]:
    """Row by row the accepted rewrite with the least nats a token, else the reference.

    ``sets``: distilled sets of the same rows; ``nlls``: nats a token of their texts."""
    best = []
    for versions, costs in zip(zip(*sets, strict=True), zip(*nlls, strict=True), strict=True):
        pairs = zip(costs, versions)
        kept = [(cost, row) for cost, row in pairs if row["source"] == "rewritten"]
        best.append(min(kept, key=lambda pair: pair[0])[1] if kept else versions[0])
    return best
