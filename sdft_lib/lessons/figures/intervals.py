"""Means with their 95 % intervals, and the figures of scores that several places show. A cell is a
mean with its limits: an Interval, or a row of a table with ``mean, low, high``."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes

from sdft_lib.evaluate import TWINS
from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.style import Look, Shown, looks_of
from sdft_lib.storage.errors import SdftError


def interval_bar(ax: Axes, cell: Any, at: Any, look: Look, *, upright=False, width=2.5) -> None:
    """The interval of a cell as a bar, at this height (or, ``upright``, at this x). It hangs on its
    own middle: the mean of a resampled measure may lie outside its limits."""
    middle, half = (cell.low + cell.high) / 2, (cell.high - cell.low) / 2
    x, y, side = (at, middle, "yerr") if upright else (middle, at, "xerr")
    ax.errorbar(x, y, fmt="none", ecolor=look.colour, elinewidth=width, **{side: half})


def interval_dot(ax: Axes, cell: Any, height: float, look: Look, **marker) -> None:
    """The mean of a cell as a marker on its interval."""
    interval_bar(ax, cell, height, look)
    style.mark(ax, cell.mean, height, look, **marker)


def interval_rows(
    ax: Axes, rows: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Look], most: float = 0.8
) -> list[str]:
    """A row for each name of ``{name: {method: cell}}`` with a dot for each method, at most
    ``most`` apart; returns each row in words: "facts: seed 0.69 (0.64 to 0.74), SFT 0.38 (...)"."""
    step, told = min(most, 0.8 / len(looks)), []
    for place, (name, cells) in enumerate(rows.items()):
        said = []
        for turn, (method, look) in enumerate(looks.items()):
            if method in cells:
                interval_dot(ax, cells[method], place + (turn - (len(looks) - 1) / 2) * step, look)
                said.append(f"{look.label} {in_words(cells[method])}")
        told.append(f"{name}: {', '.join(said)}")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return told


def part_rows(ax: Axes, names: list[str]) -> None:
    """Names of the rows, and thin lines between them."""
    ax.set_yticks(range(len(names)), names)
    for line in range(1, len(names)):
        ax.axhline(line - 0.5, color="#dddddd", linewidth=1)


def in_words(cell: Any) -> str:
    """A cell as "0.69 (0.64 to 0.74)"."""
    return f"{cell.mean:.2f} ({cell.low:.2f} to {cell.high:.2f})"


def cells_of(table: Any, row: str = "suite") -> dict[str, dict[str, Any]]:
    """``{row: {method: cell}}`` of a table with ``method, mean, low, high`` and column ``row``."""
    table, rows = style.table_of(table, "scores"), {}
    for name, part in table.groupby(row, sort=False):
        rows[name] = {cell.method: cell for cell in part.itertuples()}
    return rows


COVERED = "Intervals cover items; with five training seeds or more, other trainings, too."
HEADLINE = {"task": "task learnt", "facts": "facts kept"}


def headline(table: Any) -> Shown:
    """The tutorial's result: every model a row, with what it learnt (task) and what it kept (facts)
    beside each other, each with its number. Large type: it is read at 400 px, too. ``table``: rows
    of ``stats.summarise`` for suites that hold task and facts."""
    rows = cells_of(table)
    if missing := [suite for suite in HEADLINE if suite not in rows]:
        raise SdftError(f"There are no scores of {missing[0]} to draw; evaluate it first.")
    looks = looks_of(method for suite in HEADLINE for method in rows[suite])
    names = [look.label.replace(" (", "\n(") for look in looks.values()]
    large = style.FONT + 5
    fig, panels = style.new_panels(2, 1.2 + 0.6 * len(looks), beside=True)
    told, sizes = [], []
    for ax, (suite, title) in zip(panels, HEADLINE.items(), strict=True):
        said = []
        for height, (method, look) in enumerate(looks.items()):
            cell = rows[suite][method]
            interval_dot(ax, cell, height, look, markersize=8)
            how = {"color": look.colour, "fontsize": large, "fontweight": "bold", "ha": "center"}
            style.note(ax, f"{cell.mean:.2f}", (cell.mean, height), (0, 15), **how)
            said.append(f"{look.label} {in_words(cell)}")
        told.append(f"{title}: {', '.join(said)}")
        sizes.append(f"{suite} n = {of_units(cell)}")
        ax.set_title(title, fontsize=large, color=style.INK)
        ax.set_xlabel("share right", fontsize=large)
        ax.set(xlim=(-0.16, 1.16), xticks=[0, 0.5, 1], ylim=(len(looks) - 0.6, -0.75))
        ax.tick_params(labelsize=large)
    panels[0].set_yticks(range(len(names)), names)
    trained = [cell for each in HEADLINE for name, cell in rows[each].items() if name != "seed"]
    return Shown(
        fig,
        f"Shares right, with 95 % intervals. {'; '.join(told)}.",
        f"95 % intervals; {', '.join(sizes)}; {seeds_in_words(trained)} of each model. "
        f"{covered(trained)}",
    )


def of_units(cell: Any) -> str:
    """The number of items of a cell and, where these are fewer, of their independent units."""
    units = getattr(cell, "units", cell.n)
    return f"{cell.n} in {units} scenarios" if units < cell.n else str(cell.n)


def muted(table: Any) -> Shown:
    """Forgotten or only muted: each suite plain and without the rule that a short answer breaks, a
    row a method. ``table`` is that of ``recorded.with_twins``."""
    rows = cells_of(table)
    suites = [name for name, twin in TWINS.items() if name in rows and twin in rows]
    if not suites:
        raise SdftError("There are no suites with their twins to draw.")
    looks = looks_of(name for suite in suites for name in rows[suite])
    fig, panels = style.new_panels(len(suites), 1.6 + 0.4 * len(looks), "x", beside=True)
    told, sizes = [], []
    for ax, suite in zip(panels, suites, strict=True):
        said, twin = [], TWINS[suite]
        for place, (method, look) in enumerate(looks.items()):
            plain, other = rows[suite].get(method), rows[twin].get(method)
            if plain and other:
                interval_dot(ax, plain, place - 0.17, look, markersize=6, markeredgewidth=0.5)
                interval_dot(ax, other, place + 0.17, look, **hollow(look) | {"markersize": 4.5})
                said.append(f"{look.label} {plain.mean:.2f} and {other.mean:.2f}")
        part_rows(ax, [look.label for look in looks.values()])
        ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))  # short, so that neighbours stay apart
        ax.set(xlim=(-0.05, 1.05), ylim=(len(looks) - 0.5, -0.5))
        ax.set_title(suite, fontsize=style.FONT, color=style.INK)
        told.append(f"{suite} and {twin}: {', '.join(said)}")
        filled, empty = sizes_of(rows[suite]), sizes_of(rows[twin])
        sizes.append(f"{suite} n = {filled}" + (f" (open: {empty})" if empty != filled else ""))
    panels[len(panels) // 2].set_xlabel("score (filled: plain; open: form forgiven)")
    cells = [cell for suite in suites for cell in rows[suite].values()]
    return Shown(
        fig,
        f"Dots with 95 % intervals, plain and twin, a row a model. {'; '.join(told)}.",
        "Filled: the suite as it is. Open: form forgiven, that is, the answer is begun for the "
        f"model, or the rule about length is left out. Items: {', '.join(sizes)}; "
        f"{seeds_in_words(cells)}. {covered(cells)}",
    )


def hollow(look: Look) -> dict:
    """The marker of a second score in a method's row."""
    edge = {"markeredgecolor": look.colour, "markeredgewidth": 1.5}
    return {"marker": "o", "markersize": 7.5, "markerfacecolor": "white", **edge}


def seeds_in_words(cells: Iterable[Any]) -> str:
    """How many training seeds stand behind some cells: "3 training seeds"."""
    count = style.span(getattr(cell, "seeds", 1) for cell in cells)
    return f"{count} training seed{'' if count == '1' else 's'}"


def covered(cells: Iterable[Any]) -> str:
    """What the intervals of some cells cover."""
    if all(getattr(cell, "seeds", 1) == 1 for cell in cells):
        return "Intervals cover items, not the luck of training."
    return COVERED


def sizes_of(cells: Mapping[str, Any]) -> str:
    """How many items stand behind some cells."""
    return style.span(cell.n for cell in cells.values())


def scores(table: Any) -> Shown:
    """Every suite a row, every method a marker with its 95 % interval (lesson 09). ``table`` has
    ``method, suite, mean, low, high, n``."""
    rows = cells_of(table)
    looks = looks_of(method for cells in rows.values() for method in cells)
    fig, ax = style.new_axes(1.1 + max(0.72, 0.21 * len(looks)) * len(rows))
    told = interval_rows(ax, rows, looks, 0.24)
    sizes = [style.span(cell.n for cell in cells.values()) for cells in rows.values()]
    part_rows(ax, [f"{suite}\nn = {n}" for suite, n in zip(rows, sizes)])
    ax.set(xlim=(-0.02, 1.02), xlabel="score (higher is better)")
    style.method_legend(fig, looks.values())
    return Shown(
        fig,
        f"Dots with 95 % intervals, a row a suite. {'; '.join(told)}.",
        "Mean score and 95 % interval over n items of each suite. Intervals cover items, not "
        "training seeds; overlapping ones do not show that two models are equal: see the paired "
        "differences.",
    )


def tradeoff(table: Any) -> Shown:
    """What was learnt (task) against what was kept (facts), one point a method (lesson 09).
    ``table`` is that of ``scores``; methods without both suites are left out."""
    rows = cells_of(table)
    learnt, kept = rows.get("task", {}), rows.get("facts", {})
    looks = looks_of(method for method in learnt if method in kept)
    if not looks:
        raise SdftError("There are no methods to compare.")
    fig, ax = style.new_axes(4.2, "both")
    told, named, sizes = [], [], set()
    for method, look in looks.items():
        x, y = learnt[method], kept[method]
        interval_bar(ax, x, y.mean, look, width=2)
        interval_bar(ax, y, x.mean, look, width=2, upright=True)
        style.mark(ax, x.mean, y.mean, look, markersize=11)
        # a name goes to the side that has room, and below the names that stand there already
        near = sum(abs(x.mean - at) < 0.15 and abs(y.mean - high) < 0.05 for at, high in named)
        side, away = ("right", -10) if x.mean > 0.8 else ("left", 10)
        how = {"color": look.colour, "fontsize": style.FONT + 2, "fontweight": "bold", "ha": side}
        style.note(ax, look.label, (x.mean, y.mean), (away, 9 - 32 * near), va="baseline", **how)
        named.append((x.mean, y.mean))
        told.append(f"{look.label} {in_words(x)} on task and {in_words(y)} on facts")
        sizes.add(f"task n = {x.n}, facts n = {y.n}")
    better(ax, (0.985, 0.985), (0.86, 0.86), ha="right", va="top")
    ax.set(xlabel="learnt: score on task", ylabel="kept: score on facts")
    ax.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    return Shown(
        fig,
        f"Points with 95 % intervals, learnt against kept: {'; '.join(told)}.",
        "To the right: learnt the task. Higher up: kept what it knew. Bars are 95 % intervals over "
        f"items ({' and '.join(sorted(sizes))}).",
    )


def better(ax: Axes, tip: tuple, foot: tuple, **where) -> None:
    """The word "better" with an arrow towards the upper right corner; both in axes fractions."""
    how = {"fontsize": style.FONT, "color": style.INK, "xycoords": "axes fraction"}
    how["arrowprops"] = {"arrowstyle": "->", "color": style.INK}
    ax.annotate("better", tip, foot, **how, **where)
