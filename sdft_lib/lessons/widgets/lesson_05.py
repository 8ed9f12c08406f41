"""The widgets of lesson 05: an explorer of frontiers, and a slider over the mix of rewrites."""

import contextlib
from collections.abc import Sequence

import pandas
from ipywidgets import Dropdown, SelectionSlider, SelectMultiple, VBox

from sdft_lib.experiments.frontier import points
from sdft_lib.experiments.methods import mixed
from sdft_lib.lessons.figures.lesson_05 import frontier_with_yours
from sdft_lib.lessons.figures.style import image_html
from sdft_lib.lessons.safe import escape
from sdft_lib.lessons.tables import table
from sdft_lib.lessons.widgets.base import follow
from sdft_lib.storage.errors import SdftError

SHARES = [(f"{share} %", share) for share in (0, 25, 50, 75, 100)]  # of the rewrites
SHOWN = 5  # rows of a mixed set
Frame = pandas.DataFrame | None  # a table of scores, or nothing


def frontier_explorer(recorded: Frame, mine: Frame = None) -> VBox | None:
    """Choose suite and methods: the frontier, recorded and yours; None without widgets or rows."""
    parts = [part for part in (recorded, mine) if part is not None and len(part)]
    both = pandas.concat(parts) if parts else pandas.DataFrame(columns=["method", "suite"])
    methods = [name for name in both["method"].unique() if name != "seed"]
    suites = [name for name in both["suite"].unique() if name != "task"]
    if not methods or not suites:
        return None
    first, size = "facts" if "facts" in suites else suites[0], len(methods)
    suite = Dropdown(options=suites, value=first, description="suite")
    chosen = SelectMultiple(options=methods, value=methods, description="methods", rows=size)
    return follow(lambda *values: frontier_page(recorded, mine, *values), [suite, chosen])


def frontier_page(recorded: Frame, mine: Frame, suite: str, methods: Sequence[str]) -> str:
    """The frontier of some methods on one suite as HTML; a sentence where there is nothing to draw.

    Both tables have the columns that ``frontier.points`` reads; either may be empty or None."""
    tables = [_points(part, suite, ("seed", *methods)) for part in (recorded, mine)]
    if not any((each["method"] != "seed").any() for each in tables):
        return "<p>Choose at least one method that has scores on this suite.</p>"
    return image_html(frontier_with_yours(*tables))


def _points(frame: Frame, suite: str, methods: Sequence[str]) -> pandas.DataFrame:
    """Rows of ``frontier.points`` for some methods; none where they have no scores on the suite."""
    table = pandas.DataFrame(columns=["method"])
    if frame is not None and len(frame):
        with contextlib.suppress(SdftError):  # no score on this suite
            table = points(frame, suite)
    return table[table["method"].isin(methods)]


def mix_slider(rows: Sequence[dict], *, nats: Frame = None, seed: int = 0) -> VBox | None:
    """Move the share of rewrites: the targets that would be trained on."""
    how = {"value": 50, "description": "rewrites", "continuous_update": False}
    share = SelectionSlider(options=SHARES, **how)
    return follow(lambda percent: mix_page(rows, percent, nats=nats, seed=seed), [share])


def mix_page(rows: Sequence[dict], percent: int, *, nats: Frame = None, seed: int = 0) -> str:
    """A distilled set with a share of its rewrites, as HTML: counts, words, nats, some targets.

    ``nats`` is the frame of ``gap``; ``seed`` decides which rewrites are used."""
    if not rows:
        raise SdftError("There are no rows to mix.")
    used = mixed(rows, percent / 100, seed)
    rewritten = [row["source"] == "rewritten" for row in used]
    words = sum(len(row["text"].split()) for row in used) / len(used)
    facts = f"{sum(rewritten)} of {len(used)} targets are rewrites; {words:.1f} words a target"
    if nats is not None:
        costs = nats.set_index("id").loc[[row["id"] for row in used]]
        mean = costs["nll_text"].where(rewritten, costs["nll_reference"]).mean()
        facts += f"; {mean:.2f} nats a token under the seed (mean over n = {len(used)} rows)"
    keys = ("id", "source", "text")
    body = [[escape(row[key], 160) for key in keys] for row in used[:SHOWN]]
    return table(("row", "target is", "text"), body, f"{percent} % of the rewrites: {facts}.")
