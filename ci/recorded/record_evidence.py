"""The recorded grids of methods and training seeds: figures into data/results, tables and sentences
into ci/book/evidence.md, the headline into README.md.

    python3 -m ci.recorded.record_evidence           rebuild all from the grids in data/results
    python3 -m ci.recorded.record_evidence --check   change nothing; exit 1 if the page is stale

A part of a grid is enough: what is not recorded is left out, and what is there says how many
training seeds it has."""

import sys
from pathlib import Path

from ci.bootstrap import ROOT, ensure_venv

if __name__ == "__main__":
    ensure_venv()  # what follows needs its packages

from ci.recorded.blocks import BOOK, command, markdown, with_block
from sdft_lib.data import load_task
from sdft_lib.evaluate import TWINS
from sdft_lib.experiments import continual
from sdft_lib.experiments import recorded as grids
from sdft_lib.experiments.frontier import points
from sdft_lib.experiments.methods import METHODS
from sdft_lib.lessons import claims
from sdft_lib.lessons.figures import intervals, lesson_05
from sdft_lib.lessons.figures.style import looks_of, save
from sdft_lib.settings import lesson_settings
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

RESULTS = ROOT / "data" / "results"
MAIN = "tickets"  # the task of the figures; the others have tables
OTHERS = ("sums", "calls")
HEADLINE = ("seed", "sft", "sft-sentence", "sdft")  # the methods of README's figure
WHY = {  # the declared comparisons that ask for the cause: suite, a, b
    ("facts", "sdft", "sft-reason"),
    ("facts", "sdft-shuffled", "sft-reason"),
    ("facts", "sdft", "sdft-shuffled"),
    ("facts", "sdft", "sft-other"),
    ("helpful", "sdft", "sft-other"),
}
TARGETS = (  # what the methods of WHY are trained on
    "*Fixed reason*: the same reason behind each label. *SDFT, shuffled*: the rewrite of another "
    "row with the same label. *Other model's words*: the rewrites of another model. *Higher*: "
    "the difference is larger than chance explains."
)
FACTS = {  # verdicts in the words of ``recorded.shown``
    "sdft is higher": "SDFT keeps more facts than",
    "sdft is lower": "SDFT keeps fewer facts than",
    "no difference is shown": "No difference is shown from",
    "at its floor": "Not tested, since both keep next to no facts:",
    "at its ceiling": "Not tested, since both keep nearly all facts:",
}


def figures(frame) -> dict[Path, object]:
    """The figures that the recorded runs allow, by their file."""
    ends, gentle = grids.at_end(frame), frame[frame["method"].isin(grids.GENTLE)]
    made = {}
    for name, make in {
        "scores": lambda: intervals.headline(ends[ends["method"].isin(HEADLINE)]),
        "ladder": lambda: lesson_05.ladder(ends),
        "gap": lambda: lesson_05.gap_of_targets(grids.targets(MAIN), ends),
        "muted": lambda: lesson_05.muted(grids.with_twins(frame)),
        "frontier": lambda: lesson_05.frontier(points(gentle, "facts")),
        "sweep": lambda: lesson_05.sweep_curves(grids.swept(MAIN), lesson_settings().training),
    }.items():
        try:
            made[RESULTS / f"{name}.png"] = make()
        except SdftError:  # nothing is recorded for it
            continue
    return made


def image(shown: dict[Path, object], name: str) -> list[str]:
    """A figure with its words and caption, in lines of the page; none where it is not drawn."""
    path = RESULTS / f"{name}.png"
    if path not in shown:
        return []
    return [f"![{shown[path].alt}](../../data/results/{path.name})", "", shown[path].caption, ""]


def named(method: str) -> str:
    """A method by its words, as in the figures, and by its name in commands."""
    label = looks_of([method])[method].label
    return f"`{method}`" if label == method else f"{label} (`{method}`)"


def at_the_end(ends) -> str:
    """Mean test scores with intervals before and after training, as a table."""
    counts = ends.groupby("suite")["n"].max()
    seeds = ends.groupby("method")["seeds"].max()
    table = grids.in_cells(ends)
    rows = []
    for method, cells in table.iterrows():
        rows.append([named(method), str(seeds[method]), *cells])
    return markdown(["method", "seeds", *(f"{name} ({counts[name]})" for name in table)], rows)


def difference(row) -> str:
    """The difference of a declared comparison, with its limits."""
    low, high = grids.limits(row)
    return f"{row.difference:+.2f} ({low:+.2f} to {high:+.2f})"


def predicted() -> str:
    """The primary comparisons, what was expected and what came, as a table."""
    rows = []
    for row in grids.predictions().itertuples():
        cells = [row.question, row.expected, row.outcome]
        if row.outcome == "not recorded yet":
            rows.append([*cells, "", "", "", "", ""])
            continue
        p = "" if row.p_holm != row.p_holm else f"{row.p_holm:.3f}".replace("0.000", "< 0.001")
        counts = [intervals.of_units(row), str(row.seeds)]
        rows.append([*cells, difference(row), p, row.verdict, *counts])
    head = "question|expected|outcome|difference|p (Holm)|shown|items|training seeds"
    return markdown(head.split("|"), rows)


def trained_on(task: str) -> str:
    """What each method was trained on, as a table."""
    rows = []
    for row in grids.targets(task).itertuples():
        cells = [f"{row.nats:.2f}", f"{row.words:.1f}", f"{row.distinct:.0f}"]
        rows.append([named(row.method), str(row.seeds), *cells])
    return markdown("trained on|seeds|nats a token|words|different texts".split("|"), rows)


def compared(frame):
    """SDFT against the methods that learn less on purpose, and SFT stopped where SDFT is met."""
    return grids.against(frame[frame["method"].isin(grids.GENTLE)], "sdft")


def apart(table) -> list[str]:
    """Methods whose task scores on test differ from SDFT's: what they kept cannot be compared."""
    is_task = table["suite"] == "task"
    return table[is_task & table["verdict"].isin(["higher", "lower"])]["b"].tolist()


def in_words(table) -> list[str]:
    """What a table of ``compared`` says, in sentences that follow from its verdicts."""
    aside = apart(table)
    facts = table[(table["suite"] == "facts") & ~table["b"].isin(aside)]
    lines = []
    for verdict, start in FACTS.items():
        names = [row.b for row in facts.itertuples() if grids.shown(row) == verdict]
        if names:
            lines.append(f"- {start} {listed(names)}.")
    if aside:
        lines.append(f"- Not compared, since the task scores differ on test: {listed(aside)}.")
    return lines


def listed(names) -> str:
    return ", ".join(f"`{name}`" for name in names)


def in_a_row() -> list[str]:
    """What the runs of three tasks in a row say: a sentence for each pair, order and measure."""
    frame = grids.recorded_orders()
    if frame.empty:
        return []
    table = continual.versus(frame, [("sdft", "sft"), ("sdft", "replay"), ("replay", "sft")])
    lines = [
        "## Three tasks in a row",
        "",
        "Three tasks, trained one after the other (lesson 07). ACC is the mean score on all tasks "
        "at the end. BWT is how much later training changed the scores on earlier tasks. Intervals "
        "are 95 % intervals. Holm's correction over all rows and measures decides what is shown.",
        "",
    ]
    for order, part in table[table["measure"].isin(["ACC", "BWT"])].groupby("order", sort=False):
        lines += [f"- {order}", *(f"  - {continual.in_words(row)}" for row in part.itertuples())]
    return [*lines, ""]


def matched(table) -> str:
    """SDFT minus each method where both learnt equally much on dev, with what each row shows."""
    aside, rows = apart(table), []
    for r in table.itertuples():
        says = grids.shown(r)
        if r.b in aside and r.suite != "task":
            says += ", but not at equal learning"
        means = [f"{r.mean_a:.2f}", f"{r.mean_b:.2f}"]
        counts = [str(r.n), str(r.units), str(r.seeds)]
        rows.append([r.b, r.suite, *counts, *means, difference(r), says, r.checkpoints])
    head = "SDFT minus|suite|items|units|seeds|SDFT|other|difference|shows|shares of training"
    return markdown(head.split("|"), rows)


def less_learning(frame, shown) -> list[str]:
    """The part on methods that learn less on purpose; empty without SDFT and another one."""
    table = compared(frame)
    if table.empty:
        return []
    return [
        "## Or only less learning?",
        "",
        *image(shown, "frontier"),
        "Each row compares two methods where both have learnt equally much on dev. The last column "
        "says after which share of the training that was, for each training seed. Intervals are "
        "95 % intervals. Holm's correction over all rows decides what is shown.",
        "",
        matched(table),
        "",
        "`sft` is stopped there, too. In words, where both learnt equally much:",
        "",
        *in_words(table),
        "",
    ]


def other_settings(shown) -> list[str]:
    """The part on learning rate, rank and epochs; empty where no sweep is recorded."""
    drawn = image(shown, "sweep")
    if not drawn:
        return []
    lines = grids.best_against_used(grids.swept(MAIN), lesson_settings().training)
    return [
        "## Or a bad setting for SFT?",
        "",
        *drawn,
        "The best setting of each method by its score on dev, and that of the lessons. Intervals "
        "are 95 % intervals over dev rows. The best of several looks better than it is.",
        "",
        *(f"- {line}" for line in lines),
        "",
    ]


def other_task(name: str) -> list[str]:
    """The part on a second or third task; empty where nothing is recorded for it."""
    frame = grids.recorded(name)
    if frame.empty:
        return []
    compared_rows = grids.against(frame, "sdft", ("facts", "helpful"))
    ends = at_the_end(grids.at_end(frame))
    lines = [f"## Another task: {name}", "", ends, "", trained_on(name), ""]
    said = [f"- {grids.in_words(row)}" for row in compared_rows.itertuples()]
    if said:
        lines += ["Where both learnt equally much:", "", *said, ""]
    return lines


def provenance() -> str:
    """When, on what, by which commands and versions of the code the grids were made."""
    facts = []
    for path in sorted(RESULTS.glob("*.jsonl")):
        if path.stem.split("-")[0] in (MAIN, *OTHERS):
            facts += [line["facts"] for line in read_jsonl(path) if "facts" in line]
    days = sorted({each["made"][:10] for each in facts})
    days = " to ".join(dict.fromkeys((days[0], days[-1])))
    places = {f"{each['machine']} in {each['dtype']}" for each in facts}
    commands = {each["command"].split(" --method")[0] for each in facts}
    codes = {str(each["code"]).strip("{}").replace("'", "") for each in facts}
    hours = sum(each.get("training", {}).get("seconds") or 0 for each in facts) / 3600
    return (
        f"Recorded {days} with {'; '.join(sorted(places))} ({hours:.1f} hours of training), by "
        f"{listed(sorted(commands))}; versions of the steps: {'; '.join(sorted(codes))}. "
        "`python3 -m ci.recorded.record_evidence` makes this part."
    )


def block(frame) -> str:
    """The part on the recorded grids; without any only that on tasks in a row."""
    if not grids.seeds_of(frame):
        return "\n".join(in_a_row())
    shown, ends = figures(frame), grids.at_end(frame)
    lines = [
        *image(shown, "ladder"),
        at_the_end(ends[~ends["suite"].isin(TWINS.values())]),
        "",
        "Means over items and training seeds at the end of training, with 95 % intervals. All rows "
        "of a scenario count as one question.",
        "",
        "## What was expected beforehand",
        "",
        predicted(),
        "",
        "All rows were declared in `data/results/predictions.toml` before the first run. Each "
        "difference is the first method minus the second, at the end of training. Holm's "
        "correction covers all rows that are recorded.",
        "",
        "## The gap of the targets",
        "",
        *image(shown, "gap"),
        trained_on(MAIN),
        "",
        "## Forgotten or muted?",
        "",
        *image(shown, "muted"),
        at_the_end(grids.with_twins(frame)),
        "",
        *less_learning(frame, shown),
        *other_settings(shown),
    ]
    for name in OTHERS:
        lines += other_task(name)
    return "\n".join([*lines, *in_a_row(), provenance()])


def short(frame) -> str:
    """The README's part: the figure with its words, and the result in one sentence."""
    ends = grids.at_end(frame[frame["method"].isin(HEADLINE)])
    shown = intervals.headline(ends)
    said = claims.headline(ends, len(load_task(MAIN).train), MAIN)
    more = "[More methods, and what was expected](ci/book/evidence.md)."
    figure = f"![{shown.alt}](data/results/scores.png)\n\n{said} {shown.caption} {more}"
    return "\n\n".join(filter(None, [figure, why()]))


def why() -> str:
    """README's table of what the declared comparisons say about the cause, as far as recorded."""
    rows = []
    for row in grids.predictions().itertuples():
        if (row.suite, row.a, row.b) in WHY and row.outcome != "not recorded yet":
            pair = f"{METHODS[row.a].look.label} minus {METHODS[row.b].look.label}"
            rows.append([row.question, pair, difference(row), row.verdict])
    table = markdown(["Question", "compared", "difference", "shown"], rows)
    return f"{table}\n\n{TARGETS}" if rows else ""


def pages() -> dict[Path, str]:
    """The pages that show the grids, with the text they should have."""
    readme, page, frame = ROOT / "README.md", BOOK / "evidence.md", grids.recorded(MAIN)
    return {
        readme: with_block(readme, "results", short(frame)),
        page: with_block(page, "evidence", block(frame)),
    }


def draw() -> None:
    """Draw the figures anew, where there is enough to draw."""
    for path, shown in figures(grids.recorded(MAIN)).items():
        save(shown, path)


if __name__ == "__main__":
    sys.exit(command(__doc__, pages, draw))
