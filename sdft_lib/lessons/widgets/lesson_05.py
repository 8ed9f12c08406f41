"""The widget of lesson 05: an explorer of frontiers."""

import contextlib
from collections.abc import Sequence

import pandas
from ipywidgets import Dropdown, SelectMultiple, VBox

from sdft_lib.experiments.frontier import points
from sdft_lib.lessons.figures.lesson_05 import frontier_with_yours
from sdft_lib.lessons.figures.style import image_html
from sdft_lib.lessons.widgets.base import follow
from sdft_lib.storage.errors import SdftError


def frontier_explorer(recorded: pandas.DataFrame, mine: pandas.DataFrame) -> VBox | None:
    """Choose suite and methods: the frontier, recorded and yours; None without widgets or rows."""
    both = pandas.concat([recorded, mine])
    methods = [name for name in both["method"].unique() if name != "seed"]
    suites = [name for name in both["suite"].unique() if name != "task"]
    if not methods or not suites:
        return None
    first, size = "facts" if "facts" in suites else suites[0], len(methods)
    suite = Dropdown(options=suites, value=first, description="suite")
    chosen = SelectMultiple(options=methods, value=methods, description="methods", rows=size)
    return follow(lambda *values: frontier_page(recorded, mine, *values), [suite, chosen])


def frontier_page(
    recorded: pandas.DataFrame, mine: pandas.DataFrame, suite: str, methods: Sequence[str]
) -> str:
    """The frontier of some methods on one suite as HTML; a sentence where there is nothing to draw.
    Both tables have the columns that ``frontier.points`` reads; either may be empty."""
    tables = []
    for frame in (recorded, mine):
        table = pandas.DataFrame(columns=["method"])
        with contextlib.suppress(SdftError):  # no score on this suite
            table = points(frame, suite)
        tables.append(table[table["method"].isin(("seed", *methods))])
    if not any((each["method"] != "seed").any() for each in tables):
        return "<p>Choose at least one method that has scores on this suite.</p>"
    return image_html(frontier_with_yours(*tables))
