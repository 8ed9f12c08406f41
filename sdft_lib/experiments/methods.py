"""The methods that are compared, one row each (lesson 05).

Two questions stand behind them. *Is it the own words?* The controls change the targets: a fixed
sentence, another row's rewrite, another writer's. *Is it less learning?* A method that learns less
also forgets less, so SDFT must be held against cheaper ways of learning less or of being reminded:
smaller steps, the seed's own answers to other prompts, an anchor to the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdft_lib.data import Task
from sdft_lib.experiments.on_policy import OnPolicy
from sdft_lib.formats.toml import check_known
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import fill
from sdft_lib.train import TrainConfig

SENTENCE = "The answer is {reference}."
REASON = "The answer is {reference}, because this is the one that fits what is asked."


@dataclass(frozen=True)
class Look:
    """How one model, or one kind of text, looks in every lesson: colour, marker, line and hatch (in
    matplotlib's words) tell it apart."""

    label: str
    colour: str
    marker: str | tuple
    line: str | tuple
    hatch: str = ""

    @property
    def face(self) -> str:
        """The inside of a marker: white for a recorded run, which is not the reader's own."""
        return "white" if "(recorded)" in self.label else self.colour


@dataclass(frozen=True)
class Method:
    """What a method changes, and how it looks in every figure.

    What is trained on: ``column``, the "reference" or the "text" of a distilled set. ``wording``:
    this sentence around each reference instead. ``writer``: rewrites of the same references by
    another writer (``load_rewrites``). ``shuffled``: each rewrite goes to another row with the
    same reference. ``distinct``: so many of the rewrites are left for each reference. ``mixed``:
    share of the rows that take their rewrites, the others their references (paper, section 5.1).
    ``candidates``: rewrites of which the likeliest under the seed is taken, or with ``unlikely``
    the least likely. ``ask``: is added to the prompt, in training and in the task's test.

    What else is changed. ``slower``: factor on the learning rate. ``longer``: factor on the epochs.
    ``replay``: rows with the seed's own answers to general prompts that are added, as a share of
    the rows; with ``instead`` as many rows, the first, give way to them. ``rehearsal``: share of a
    later task's rows that give way to rows of the tasks before (lesson 07). ``anchor``: weight of
    KL(seed || model). ``loss``: which tokens count, and where the anchor is held
    (``training/loss.py``). ``scaled``: factor on the finished adapter; the training is that of the
    same row without it. ``on_policy``: options of SDFT of 2026, whose teacher sees the ``column``
    and which trains on the model's own answers (lesson 08)."""

    column: str
    look: Look
    wording: str = ""
    writer: str = ""
    shuffled: bool = False
    distinct: int = 0
    mixed: float = 1.0
    candidates: int = 1
    unlikely: bool = False
    ask: str = ""
    slower: float = 1.0
    longer: int = 1
    replay: float = 0.0
    instead: bool = False
    rehearsal: float = 0.0
    anchor: float = 0.0
    loss: str = "plain"
    scaled: float = 1.0
    on_policy: OnPolicy | None = None

    @property
    def changes(self) -> dict:
        """In what it differs from plain training on its column: names and values."""
        plain = vars(Method(self.column, self.look))
        return {name: value for name, value in vars(self).items() if value != plain[name]}

    @property
    def rewrites(self) -> bool:
        """Whether the seed's own rewrites are trained on."""
        return self.column == "text" and not (self.wording or self.writer)


LOOKS = {
    "sft": Look("SFT", "#d55e00", "s", "-", "//"),
    "sft-sentence": Look("fixed sentence", "#b8860b", "h", (0, (3, 1)), ".."),
    "sft-reason": Look("fixed reason", "#8a6d1a", "H", (0, (4, 1, 1, 1)), "oo"),
    "sft-oneword": Look("one word asked", "#e08050", "8", (0, (1, 2)), "//"),
    "sft-other": Look("other model's words", "#5b3a9c", "d", (0, (6, 2)), "||"),
    "sft-hand": Look("hand-written", "#9467bd", "*", (0, (2, 2)), "OO"),
    "sft-slow": Look("SFT, slow", "#b07a00", "v", "-.", "xx"),
    "sft-replay": Look("SFT + replay", "#a8488a", "D", (0, (5, 1)), "++"),
    "sft-replaced": Look("SFT, rows replaced", "#d08fc0", (7, 0, 0), (0, (5, 3)), "+."),
    "sft-anchor": Look("SFT + anchor", "#7a4a1f", "X", (0, (3, 1, 1, 1)), "--"),
    "sft-masked-anchor": Look("SFT + masked anchor", "#4d3319", (4, 1, 0), (0, (3, 2, 1, 2)), "-x"),
    "sft-prompt-anchor": Look("SFT + prompt anchor", "#a67c52", (5, 1, 0), (0, (3, 3, 1, 3)), "-o"),
    "sft-scaled-25": Look("SFT x 0.25", "#f0b48a", (3, 0, 60), (0, (1, 4)), "/"),
    "sft-scaled-50": Look("SFT x 0.5", "#e8925a", (4, 0, 15), (0, (2, 4)), "/-"),
    "sft-scaled-75": Look("SFT x 0.75", "#de7829", (6, 0, 0), (0, (3, 4)), "/|"),
    "stm": Look("STM", "#6b8e23", (6, 1, 0), (0, (8, 2)), "/."),
    "dft": Look("DFT", "#c2185b", (8, 1, 0), (0, (2, 1)), "\\."),
    "asft": Look("ASFT", "#7f1d4f", (3, 1, 0), (0, (6, 1, 1, 1)), "+o"),
    "sdft": Look("SDFT", "#0072b2", "^", "--", "\\\\"),
    "sdft-shuffled": Look("SDFT, shuffled", "#3a9bd0", "P", (0, (1, 1)), "oo"),
    "sdft-few-1": Look("SDFT, 1 reason", "#6aa9cc", ">", (0, (1, 3)), "-"),
    "sdft-few-5": Look("SDFT, 5 reasons", "#4b9bc8", (4, 1, 45), (0, (2, 3)), "x"),
    "sdft-few-25": Look("SDFT, 25 reasons", "#2f8fc4", (7, 1, 0), (0, (3, 3)), "+"),
    "sdft-mix-25": Look("SDFT, 25 % mixed", "#9d8fc4", (3, 1, 60), (0, (4, 3)), "/x"),
    "sdft-mix-50": Look("SDFT, 50 % mixed", "#7c85c4", (4, 1, 20), (0, (5, 2)), "-."),
    "sdft-mix-75": Look("SDFT, 75 % mixed", "#4f7cc0", (9, 1, 0), (0, (6, 1)), "|x"),
    "sdft-likely": Look("SDFT, likeliest", "#00805e", "p", (0, (4, 2)), "**"),
    "sdft-unlikely": Look("SDFT, unlikeliest", "#4f9d7f", "<", (0, (4, 4)), "*"),
    "sdft-scaled-25": Look("SDFT x 0.25", "#8fb8de", (3, 0, 30), (0, (5, 4)), "\\"),
    "sdft-scaled-50": Look("SDFT x 0.5", "#5b8fc4", (4, 0, 0), (0, (6, 4)), "\\-"),
    "sdft-scaled-75": Look("SDFT x 0.75", "#2c6ca8", (5, 0, 36), (0, (7, 4)), "\\|"),
    "sdft-2026": Look("SDFT 2026", "#17a2a2", (5, 0, 0), (0, (7, 2, 1, 2)), "|"),
    "sdft-2026-ema": Look("SDFT 2026, EMA", "#0e6b6b", (6, 0, 30), (0, (7, 2, 1, 2, 1, 2)), "|."),
}
METHODS = {
    "sft": Method("reference", LOOKS["sft"]),
    "sft-sentence": Method("text", LOOKS["sft-sentence"], wording=SENTENCE),
    "sft-reason": Method("text", LOOKS["sft-reason"], wording=REASON),
    "sft-oneword": Method("reference", LOOKS["sft-oneword"], ask=" Answer with one word."),
    "sft-other": Method("text", LOOKS["sft-other"], writer="qwen2.5-coder-0.5b"),
    "sft-hand": Method("text", LOOKS["sft-hand"], writer="hand"),
    "sft-slow": Method("reference", LOOKS["sft-slow"], slower=0.25, longer=4),
    "sft-replay": Method("reference", LOOKS["sft-replay"], replay=0.25),
    "sft-replaced": Method("reference", LOOKS["sft-replaced"], replay=0.25, instead=True),
    "sft-anchor": Method("reference", LOOKS["sft-anchor"], anchor=1.0),
    "sft-masked-anchor": Method(
        "reference", LOOKS["sft-masked-anchor"], anchor=1.0, loss="off_target"
    ),
    "sft-prompt-anchor": Method("reference", LOOKS["sft-prompt-anchor"], anchor=0.5, loss="prompt"),
    "sft-scaled-25": Method("reference", LOOKS["sft-scaled-25"], scaled=0.25),
    "sft-scaled-50": Method("reference", LOOKS["sft-scaled-50"], scaled=0.5),
    "sft-scaled-75": Method("reference", LOOKS["sft-scaled-75"], scaled=0.75),
    "stm": Method("reference", LOOKS["stm"], loss="stm"),
    "dft": Method("reference", LOOKS["dft"], loss="dft"),
    "asft": Method("reference", LOOKS["asft"], anchor=0.1, loss="dft"),
    "sdft": Method("text", LOOKS["sdft"]),
    "sdft-shuffled": Method("text", LOOKS["sdft-shuffled"], shuffled=True),
    "sdft-few-1": Method("text", LOOKS["sdft-few-1"], distinct=1),
    "sdft-few-5": Method("text", LOOKS["sdft-few-5"], distinct=5),
    "sdft-few-25": Method("text", LOOKS["sdft-few-25"], distinct=25),
    "sdft-mix-25": Method("text", LOOKS["sdft-mix-25"], mixed=0.25),
    "sdft-mix-50": Method("text", LOOKS["sdft-mix-50"], mixed=0.5),
    "sdft-mix-75": Method("text", LOOKS["sdft-mix-75"], mixed=0.75),
    "sdft-likely": Method("text", LOOKS["sdft-likely"], candidates=4),
    "sdft-unlikely": Method("text", LOOKS["sdft-unlikely"], candidates=4, unlikely=True),
    "sdft-scaled-25": Method("text", LOOKS["sdft-scaled-25"], scaled=0.25),
    "sdft-scaled-50": Method("text", LOOKS["sdft-scaled-50"], scaled=0.5),
    "sdft-scaled-75": Method("text", LOOKS["sdft-scaled-75"], scaled=0.75),
    "sdft-2026": Method("reference", LOOKS["sdft-2026"], on_policy=OnPolicy()),
    "sdft-2026-ema": Method("reference", LOOKS["sdft-2026-ema"], on_policy=OnPolicy(ema=0.05)),
    "replay": Method("reference", LOOKS["sft-replay"], rehearsal=0.25),
}
ONE_TASK = tuple(name for name, each in METHODS.items() if not each.rehearsal)
TASKS_IN_A_ROW = ("sft", "sdft", "replay")


def method(name: str, known: Sequence[str] = ONE_TASK) -> Method:
    """A method by name; raises SdftError unless it is one of ``known``."""
    check_known(name, known, "method")
    return METHODS[name]


def configured(chosen: Method, config: TrainConfig) -> TrainConfig:
    """The TrainConfig of a method: only what the method changes differs from ``config``. Raises
    SdftError where no adapter is trained that the method could scale."""
    if chosen.scaled != 1 and config.full:
        raise SdftError("all weights are trained, so there is no adapter to scale; leave one out.")
    changed = {"learning_rate": config.learning_rate * chosen.slower, "anchor": chosen.anchor}
    changed |= {"loss": chosen.loss, "epochs": config.epochs * chosen.longer}
    return replace(config, **changed)


def asked(task: Task, chosen: Method) -> Task:
    """The task with what a method adds to every prompt, in all splits."""
    splits = {}
    for split in ("train", "dev", "test") if chosen.ask else ():
        rows = getattr(task, split)
        splits[split] = rows and [with_words(row, chosen.ask) for row in rows]
    return replace(task, **splits) if splits else task


def with_words(row: dict, words: str) -> dict:
    """A row whose last message ends in these words, too."""
    *before, last = row["messages"]
    return row | {"messages": [*before, last | {"content": last["content"] + words}]}


def rows_for(
    chosen: Method,
    rows: Sequence[dict],
    *,
    general: Sequence[dict] = (),
    written: dict[str, dict] | None = None,
    seed: int = 0,
) -> list[dict]:
    """The rows that a method trains on, in their order; added ones come last.

    ``rows``: a distilled set; ``general``: ``own_answers``; ``written``: another writer's rewrites
    by row id; ``seed`` decides what is drawn. Raises SdftError where rows cannot give what the
    method needs."""
    made = []
    for row in rows:
        row = with_words(row, chosen.ask) if chosen.ask else row
        if chosen.wording:
            row = row | {"text": fill(chosen.wording, {"reference": row["reference"]})}
        made.append(row)
    if chosen.writer:
        made = in_other_words(made, written or {}, chosen.writer)
    if chosen.shuffled:
        made = shuffled(made, seed)
    if chosen.distinct:
        made = few(made, chosen.distinct, seed)
    if chosen.mixed != 1:
        made = mixed(made, chosen.mixed, seed)
    if not chosen.replay:
        return made
    made = added(made, general, chosen.replay, seed)
    return made[len(made) - len(rows) :] if chosen.instead else made


def in_other_words(rows: Sequence[dict], written: dict[str, dict], writer: str) -> list[dict]:
    """The rows with the text of another writer, or the reference where that was refused."""
    made = []
    for row in rows:
        own = written.get(row["id"])
        if own is None:
            raise SdftError(f'"{writer}" wrote no text for the row "{row["id"]}"; take its rows.')
        kept = own["source"] == "rewritten"
        made.append(row | own | {"text": own["text"] if kept else row["reference"]})
    return made


def of_one_reference(rows: Sequence[dict]) -> dict[str, list[int]]:
    """Indices of the rewritten rows, by reference, in order. Raises SdftError if no two share one:
    then no rewrite fits another row."""
    indices: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row["source"] == "rewritten":
            indices.setdefault(row["reference"], []).append(index)
    if not any(len(same) > 1 for same in indices.values()):
        problem = "no two rewritten rows share a reference, so no rewrite fits another row"
        raise SdftError(f"{problem}; take a task with labels for this method.")
    return indices


def shuffled(rows: Sequence[dict], seed: int = 0) -> list[dict]:
    """Each rewrite goes to another row with the same reference; one that is alone stays."""
    made, source = list(rows), random.Random(seed)
    for indices in of_one_reference(rows).values():
        order = source.sample(indices, len(indices))
        for index, giver in zip(order, order[1:] + order[:1], strict=True):
            made[index] = rows[index] | {"text": rows[giver]["text"]}
    return made


def few(rows: Sequence[dict], distinct: int, seed: int = 0) -> list[dict]:
    """Of the rewrites of each reference so many different ones are left, and dealt out in turn."""
    made, source = list(rows), random.Random(seed)
    for indices in of_one_reference(rows).values():
        texts = sorted({rows[index]["text"] for index in indices})
        left = source.sample(texts, min(distinct, len(texts)))
        for turn, index in enumerate(indices):
            made[index] = rows[index] | {"text": left[turn % len(left)]}
    return made


def mixed(rows: Sequence[dict], share: float, seed: int = 0) -> list[dict]:
    """``share`` of the rows take their rewrites, the others their references. With one ``seed`` the
    rewrites of a smaller share are among those of a larger one."""
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    rewritten = set(order[: round(share * len(rows))])
    made = []
    for index, row in enumerate(rows):
        made.append(row if index in rewritten else row | {"text": row["reference"]})
    return made


def added(rows: Sequence[dict], general: Sequence[dict], share: float, seed: int = 0) -> list[dict]:
    """The rows and, behind them, ``share`` times as many ``general`` ones, drawn without return."""
    count = round(share * len(rows))
    if count > len(general):
        needed = f"replay of {share:.0%} of {len(rows)} rows needs {count} general answers"
        raise SdftError(f"{needed}, there are {len(general)}; give more, or a smaller share.")
    return [*rows, *random.Random(seed).sample(list(general), count)]


def best_of(
    sets: Sequence[Sequence[dict]], nlls: Sequence[Sequence[float]], unlikely: bool = False
) -> list[dict]:
    """Row by row the accepted rewrite with the least nats a token, else the reference.

    ``sets``: distilled sets of the same rows; ``nlls``: nats a token of their texts; ``unlikely``:
    the one with the most."""
    best = []
    for versions, costs in zip(zip(*sets, strict=True), zip(*nlls, strict=True), strict=True):
        kept = [index for index, row in enumerate(versions) if row["source"] == "rewritten"]
        kept.sort(key=lambda index: costs[index], reverse=unlikely)
        best.append(versions[kept[0] if kept else 0])
    return best
