"""Thin ipywidgets of lesson 05: an explorer of frontiers and a slider over the mix of references
and rewrites.

Each is optional: the lesson shows the static figure or table first. Works on ipywidgets 7.7 (Colab)
and 8."""

import base64
import html
from collections.abc import Sequence
from typing import Any

from sdft_lib.experiments.methods import mixed
from sdft_lib.lessons.figures.style import Shown, caption_html, png
from sdft_lib.lessons.tables import escape, records, table, visible
from sdft_lib.lessons.widgets.base import widgets_enabled
from sdft_lib.storage.errors import SdftError

SHARES = (0, 25, 50, 75, 100)  # % of the rewrites


def image_html(shown: Shown) -> str:
    """A figure as HTML with its alternative text and caption, for a widget's page."""
    data = base64.b64encode(png(shown)).decode("ascii")
    image = f'<img alt="{html.escape(visible(shown.alt))}" style="max-width:100%" src="data:image/png;base64,{data}">'
    return f'{image}<div style="line-height:1.4">{caption_html(shown)}</div>'


def frontier_page(frame: Any, mine: Any, suite: str, methods: Sequence[str]) -> str:
    """The frontier of some methods on one suite as HTML; a sentence where there is nothing to draw.

    ``frame`` (recorded) and ``mine`` hold the columns of ``frontier.points``'s input; either may be
    empty or None."""
    from sdft_lib.lessons.figures.recorded import frontier_with_yours

    chosen = ("seed", *methods)
    tables = [_points(part, suite, chosen) for part in (frame, mine)]
    if not methods or not any(row["method"] != "seed" for found in tables for row in found):
        return "<p>Choose at least one method that has scores on this suite.</p>"
    return image_html(frontier_with_yours(*tables))


def _points(frame: Any, suite: str, methods: Sequence[str]) -> list[dict]:
    """Rows of ``frontier.points`` for some methods; none where they have no scores on the suite."""
    from sdft_lib.experiments.frontier import points

    if frame is None or not len(frame):
        return []
    try:
        found = points(frame, suite)
    except SdftError:
        return []
    return [row for row in records(found) if row["method"] in methods]


def frontier_explorer(frame: Any, mine: Any = None, *, enabled: bool | None = None) -> Any:
    """Choose a suite and methods: the frontier, recorded and yours. None where widgets are off or
    nothing is there.
    """
    if not widgets_enabled(enabled):
        return None
    import ipywidgets

    parts = [part for part in (frame, mine) if part is not None and len(part)]
    names = list(dict.fromkeys(name for part in parts for name in part["method"] if name != "seed"))
    suites = list(dict.fromkeys(name for part in parts for name in part["suite"] if name != "task"))
    if not names or not suites:
        return None
    first = "facts" if "facts" in suites else suites[0]
    suite = ipywidgets.Dropdown(options=suites, value=first, description="suite")
    methods = ipywidgets.SelectMultiple(
        options=names, value=tuple(names), description="methods", rows=len(names)
    )
    view = ipywidgets.HTML(value=frontier_page(frame, mine, first, names))

    def turn(change: Any = None) -> None:
        view.value = frontier_page(frame, mine, suite.value, methods.value)

    suite.observe(turn, names="value")
    methods.observe(turn, names="value")
    return ipywidgets.VBox([ipywidgets.HBox([suite, methods]), view])


def mix_page(
    rows: Sequence[dict], percent: int, *, nats: Any = None, seed: int = 0, shown: int = 5
) -> str:
    """What a share of the rewrites makes of a distilled set, as HTML: counts, words, nats a token,
    some targets.

    ``nats`` is the frame of ``gap`` (id, nll_reference, nll_text); ``seed`` decides which rewrites
    are used."""
    if not rows:
        raise SdftError("There are no rows to mix.")
    used = mixed(rows, percent / 100, seed)
    rewritten = sum(row["source"] == "rewritten" for row in used)
    words = sum(len(row["text"].split()) for row in used) / len(used)
    facts = [f"{rewritten} of {len(used)} targets are rewrites", f"{words:.1f} words a target"]
    if nats is not None:
        cost = {row["id"]: row for row in records(nats)}
        by_row = [
            cost[row["id"]]["nll_text" if row["source"] == "rewritten" else "nll_reference"]
            for row in used
        ]
        facts.append(
            f"{sum(by_row) / len(by_row):.2f} nats a token under the seed (mean over n = {len(by_row)} rows)"
        )
    body = [
        (escape(row["id"]), escape(row["source"]), escape(row["text"], 160)) for row in used[:shown]
    ]
    return table(
        ("row", "target is", "text"), body, f"{percent} % of the rewrites: {'; '.join(facts)}."
    )


def mix_slider(
    rows: Sequence[dict], *, nats: Any = None, seed: int = 0, enabled: bool | None = None
) -> Any:
    """Move the share of rewrites: the targets that would be trained on. None where widgets are
    off.
    """
    if not widgets_enabled(enabled):
        return None
    import ipywidgets

    place = ipywidgets.SelectionSlider(
        options=[(f"{share} %", share) for share in SHARES],
        value=50,
        description="rewrites",
        continuous_update=False,
    )
    view = ipywidgets.HTML(value=mix_page(rows, 50, nats=nats, seed=seed))

    def turn(change: Any = None) -> None:
        view.value = mix_page(rows, place.value, nats=nats, seed=seed)

    place.observe(turn, names="value")
    return ipywidgets.VBox([place, view])
