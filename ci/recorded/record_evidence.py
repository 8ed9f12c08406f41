"""The recorded grid of methods and seeds: the frontier figure and the matched comparison, into
data/results and ci/book/evidence.md.

    python3 -m ci.recorded.record_evidence           rebuild both from data/results/tickets.jsonl
    python3 -m ci.recorded.record_evidence --check   change nothing; exit 1 if the page is stale
"""

import sys
from pathlib import Path

from ci.bootstrap import ROOT
from ci.recorded.blocks import BOOK, command, markdown, with_block

RECORD = ROOT / "data" / "results" / "tickets.jsonl"
FIGURE = ROOT / "data" / "results" / "frontier.png"
FEWEST = 3  # training seeds from which on a method is compared
FACTS = {  # verdicts in the words of ``recorded.shown``
    "sdft is higher": "SDFT keeps more facts than",
    "sdft is lower": "SDFT keeps fewer facts than",
    "no difference is shown": "No difference is shown from",
    "at its floor": "Not tested, since both keep next to no facts:",
    "at its ceiling": "Not tested, since both keep nearly all facts:",
}
SUITES = ("task", "facts", "helpful", "instructions", "safety", "benign")


def recorded():
    """Items of the methods that have at least FEWEST seeds, and of the seed model."""
    from sdft_lib.experiments.recorded import recorded as read

    frame = read()
    seeds = frame[frame["method"] != "seed"].groupby("method")["seed"].nunique()
    return frame[frame["method"].isin(["seed", *seeds[seeds >= FEWEST].index])]


def at_the_end(frame) -> str:
    """Mean test scores before and after training, with the lowest and highest seed, as a table."""
    last = frame[(frame["split"] == "test") & frame["checkpoint"].isin([0.0, 1.0])]
    seeds = last.groupby(["method", "suite", "seed"])["score"].mean()
    counts = last.groupby("suite")["id"].nunique()
    rows = []
    for method in frame["method"].unique():
        cells = [method]
        for suite in SUITES:
            means = seeds[method, suite]
            ends = f" ({means.min():.2f}–{means.max():.2f})" if len(means) > 1 else ""
            cells.append(f"{means.mean():.2f}{ends}")
        rows.append(cells)
    return markdown(["after training", *(f"{suite} ({counts[suite]})" for suite in SUITES)], rows)


def compared(frame):
    """SDFT against every other method, SFT stopped early among them."""
    from sdft_lib.experiments.recorded import against, with_stopped

    return against(with_stopped(frame), "sdft")


def apart(table) -> list[str]:
    """Methods whose task scores on test differ from SDFT's: what they kept cannot be compared."""
    is_task = table["suite"] == "task"
    return table[is_task & table["verdict"].isin(["higher", "lower"])]["b"].tolist()


def in_words(table) -> list[str]:
    """What a table of ``compared`` says, in sentences that follow from its verdicts."""
    from sdft_lib.experiments.recorded import shown

    aside, found = apart(table), {}
    for row in table[(table["suite"] == "facts") & ~table["b"].isin(aside)].itertuples():
        found.setdefault(shown(row), []).append(row.b)
    lines = [f"- {start} {listed(found[says])}." for says, start in FACTS.items() if says in found]
    return lines + (
        [f"- Not compared, since the task scores differ on test: {listed(aside)}."] if aside else []
    )


def listed(names) -> str:
    return ", ".join(f"`{name}`" for name in names)


def in_a_row() -> list[str]:
    """What the runs of three tasks in a row say: a sentence for each pair, order and measure."""
    from sdft_lib.experiments.continual import in_words as in_words_of
    from sdft_lib.experiments.continual import versus
    from sdft_lib.experiments.recorded import recorded_orders

    frame = recorded_orders()
    if frame.empty:
        return []
    table = versus(frame, [("sdft", "sft"), ("sdft", "replay"), ("replay", "sft")])
    lines = [
        "",
        "Three tasks one after the other (lesson 06; ACC: mean score at the end, BWT: change of "
        "earlier tasks after they were trained; each interval is a 95 % one, and Holm's correction "
        "over all rows of all measures decides what is shown):",
        "",
    ]
    for order, part in table[table["measure"].isin(["ACC", "BWT"])].groupby("order", sort=False):
        lines += [f"- {order}", *(f"  - {in_words_of(row)}" for row in part.itertuples())]
    return lines


def matched(table) -> str:
    """SDFT minus each method where both learnt equally much on dev, with what each row shows."""
    from sdft_lib.experiments.recorded import limits, shown

    aside, rows = apart(table), []
    for r in table.itertuples():
        low, high = limits(r)
        says = shown(r)
        if r.b in aside and r.suite != "task":
            says += ", but not at equal learning"
        means = [f"{r.mean_a:.2f}", f"{r.mean_b:.2f}"]
        difference = f"{r.difference:+.2f} ({low:+.2f} to {high:+.2f})"
        counts = [str(r.n), str(r.units), str(r.seeds)]
        rows.append([r.b, r.suite, *counts, *means, difference, says, r.checkpoints])
    head = "SDFT minus|suite|items|units|seeds|SDFT|other|difference|shows|shares of training"
    return markdown(head.split("|"), rows)


def block(frame) -> str:
    """The part on the recorded grid; empty until two methods have enough seeds."""
    if frame["method"].nunique() < 3:
        return ""
    from sdft_lib.experiments.frontier import points
    from sdft_lib.lessons.figures.lesson_05 import frontier

    table, facts = compared(frame), [line["facts"] for line in lines_of_facts()]
    seeds = sorted(frame[frame["method"] != "seed"]["seed"].unique())
    hours = sum(each.get("training", {}).get("seconds") or 0 for each in facts) / 3600
    codes = sorted({each["code"] for each in facts})
    days = sorted({each["made"][:10] for each in facts})
    days = list(dict.fromkeys((days[0], days[-1])))
    return "\n".join(
        [
            f"![{frontier(points(frame, 'facts')).alt}](../../data/results/frontier.png)",
            "",
            f"Each method was trained with {len(seeds)} training seeds on the same rows and "
            "scored along the way.",
            "",
            at_the_end(frame),
            "",
            "Means over items and seeds; in brackets the lowest and the highest seed. Where two "
            "methods have learnt equally much (the share of training is chosen on dev, for each "
            "seed; each interval is a 95 % one, Holm's correction over all rows decides what is "
            "shown):",
            "",
            matched(table),
            "",
            "`sft-stopped` is SFT at a quarter or half of its training. In words, where both "
            "learnt equally much:",
            "",
            *in_words(table),
            *in_a_row(),
            "",
            "Intervals draw units: whole scenarios of items. From five training seeds on they "
            f"cover other training seeds, too. Recorded {' to '.join(days)} with "
            f"{facts[0]['machine']} in {facts[0]['dtype']} ({hours:.1f} hours of training), "
            f"by `{facts[0]['command'].split(' --method')[0]}`; the cells were made by "
            f"{len(codes)} version(s) of the code "
            f"({', '.join(codes)}). This part is made by `python3 -m ci.recorded.record_evidence`.",
        ]
    )


def pages() -> dict[Path, str]:
    """The page that shows the grid, with the text it should have."""
    page = BOOK / "evidence.md"
    return {page: with_block(page, "evidence", block(recorded()))}


def draw_frontier() -> None:
    """Draw the figure anew, where there is enough to draw."""
    from sdft_lib.experiments.frontier import points
    from sdft_lib.lessons.figures.lesson_05 import frontier
    from sdft_lib.lessons.figures.style import save

    frame = recorded()
    if block(frame):
        save(frontier(points(frame, "facts")), FIGURE)


def lines_of_facts() -> list[dict]:
    from sdft_lib.storage.files import read_jsonl

    return [line for line in read_jsonl(RECORD) if "facts" in line]


if __name__ == "__main__":
    sys.exit(command(__doc__, pages, draw_frontier))
