"""The figures of lesson 05: what was kept by kind of target and by its gap, what was forgotten or
only muted, what was learnt against what was kept along training, and how far answers moved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas
from matplotlib.axes import Axes
from scipy.stats import spearmanr

from sdft_lib.lessons.figures import intervals, style
from sdft_lib.lessons.figures.intervals import COVERED, hollow, muted, seeds_in_words, sizes_of
from sdft_lib.lessons.figures.style import FONT, INK, Look, Shown, looks_of, note
from sdft_lib.stats import bootstrap_mean
from sdft_lib.storage.errors import SdftError

__all__ = ["frontier", "frontier_with_yours", "gap_in_words", "gap_of_targets", "ladder"]
__all__ += ["likeness", "muted", "remedies", "sweep_curves"]
SMALL, LARGE = 4, 8  # marker sizes in points: start and end of training
REMEDIES = {  # a panel each: lines from the seed outwards, each through these methods
    "SFT, adapter scaled": [("sft-scaled-25", "sft-scaled-50", "sft-scaled-75", "sft")],
    "SDFT, adapter scaled": [("sdft-scaled-25", "sdft-scaled-50", "sdft-scaled-75", "sdft")],
    "smaller steps, replay": [("sft-slow",), ("sft-replay",), ("sft-replaced",)],
    "anchors": [("sft-anchor",), ("sft-masked-anchor",), ("sft-prompt-anchor",)],
    "other losses": [("stm",), ("dft",), ("asft",)],
    "SDFT of 2026": [("sdft-2026",), ("sdft-2026-ema",)],
}
LADDER = ("sft", "sft-oneword", "sft-sentence", "sft-reason", "sdft-few-1", "sdft-few-5")
LADDER += ("sdft-few-25", "sdft-shuffled", "sft-other", "sft-hand")
LADDER += ("sdft-mix-25", "sdft-mix-50", "sdft-mix-75", "sdft")
FEWEST = 3  # methods from which on a rank correlation is told
NARROWEST = 0.2  # an axis shows at least this range of scores: noise must not look like a finding
VARIED = {"learning_rate": "learning rate", "rank": "rank", "epochs": "epochs"}
LIKENESS = {
    "rouge_l": ("ROUGE-L", "wording"),
    "bleu_4": ("BLEU-4", "phrases"),
    "cosine": ("cosine", "meaning"),
}


def ladder(table: Any) -> Shown:
    """What was kept by kind of target: a row a method, from the bare label to the seed's own
    rewrites, facts and helpful with their intervals. ``table`` is that of ``recorded.at_end``;
    methods outside LADDER are left out."""
    rows = intervals.cells_of(table)
    facts, helpful = rows.get("facts", {}), rows.get("helpful", {})
    methods = [name for name in LADDER if name in facts]
    style.table_of(methods, "facts kept by trained models")
    fig, ax = style.new_axes(1.4 + 0.44 * len(methods), "x")
    told = []
    for place, method in enumerate(methods):
        look = style.look(method)
        said = [f"facts {intervals.in_words(facts[method])}"]
        intervals.interval_dot(ax, facts[method], place - 0.15, look)
        if method in helpful:
            intervals.interval_dot(ax, helpful[method], place + 0.2, look, **hollow(look))
            said.append(f"helpful {intervals.in_words(helpful[method])}")
        told.append(f"{look.label} ({seeds_in_words([facts[method]])}): {', '.join(said)}")
    for suite, cells, line in (("facts", facts, "-"), ("helpful", helpful, ":")):
        if "seed" in cells:
            level = cells["seed"].mean
            ax.axvline(level, color=style.SEED.colour, linewidth=1.5, linestyle=line, zorder=1)
            told.append(f"seed: {suite} {intervals.in_words(cells['seed'])}")
    intervals.part_rows(ax, [style.look(name).label for name in methods])
    ax.set(xlim=(-0.02, 1.02), ylim=(len(methods) - 0.5, -0.5), xlabel="kept: score")
    ax.set_title("filled: facts; open: helpful", fontsize=FONT, color=INK, loc="left")
    sizes = f"facts n = {sizes_of(facts)}"
    sizes += f", helpful n = {sizes_of(helpful)}" if helpful else ""
    return Shown(
        fig,
        f"Dots with 95 % intervals, a row a kind of target. {'; '.join(told)}.",
        "What is trained on changes from row to row, the rest stays. Grey lines: the seed (solid: "
        f"facts, dotted: helpful). Scores at the end of training, {sizes}, "
        f"{seeds_in_words(facts[name] for name in methods)}. {COVERED}",
    )


def gap_of_targets(targets: Any, table: Any) -> Shown:
    """Facts kept against the gap of what was trained on, one point a method. ``targets`` is the
    table of ``recorded.targets``, ``table`` that of ``recorded.at_end``."""
    nats = dict(zip(targets["method"], targets["nats"], strict=True))
    facts = intervals.cells_of(table).get("facts", {})
    looks = looks_of(name for name in facts if name in nats)
    style.table_of(looks.items(), "methods with targets and facts")
    fig, ax = style.new_axes(5.2, "both")
    told = []
    for method, look in looks.items():
        cell = facts[method]
        intervals.interval_bar(ax, cell, nats[method], look, upright=True, width=1.5)
        style.mark(ax, nats[method], cell.mean, look)
        told.append(f"{look.label} {nats[method]:.2f} nats, facts {intervals.in_words(cell)}")
    _name_points(ax, {name: (nats[name], facts[name].mean) for name in looks}, looks)
    if "seed" in facts:
        level = {"color": style.SEED.colour, "linewidth": 1.5, "linestyle": style.SEED.line}
        ax.axhline(facts["seed"].mean, **level)
        told.append(f"seed before training: facts {intervals.in_words(facts['seed'])}")
    ax.set(xlabel="gap of the targets: nats a token under the seed", ylabel="kept: score on facts")
    ax.set_ylim(0, max(0.8, ax.get_ylim()[1]))
    said = gap_in_words([nats[name] for name in looks], [facts[name].mean for name in looks])
    return Shown(
        fig,
        f"Points of the gap of the targets against facts kept. {'; '.join(told)}. {said}",
        f"One point a method, at the end of training; facts n = {sizes_of(facts)}, "
        f"{seeds_in_words(facts[name] for name in looks)}; dotted: the seed. {said} {COVERED}",
    )


def _name_points(ax: Axes, points: Mapping[str, tuple], looks: Mapping[str, Look]) -> None:
    """Names in two columns, of the left and of the right points, with thin lines to these."""
    places = [x for x, _ in points.values()]
    first, last = min(places), max(places)
    for is_left in (True, False):
        part = {name: at for name, at in points.items() if (at[0] <= (first + last) / 2) == is_left}
        if not part:
            continue
        column = max(x for x, _ in part.values()) + 0.05 * (last - first or 1)
        heights = style.spread([y for _, y in part.values()], 0.047)
        for (name, (x, y)), height in zip(part.items(), heights, strict=True):
            colour = looks[name].colour
            ax.plot([x, column], [y, height], color=colour, linewidth=0.6, zorder=1)
            how = {"color": colour, "annotation_clip": False, "bbox": style.BOX}
            note(ax, looks[name].label, (column, height), (2, 0), **how)
    ax.set_xlim(first - 0.05 * (last - first or 1), last + 0.35 * (last - first or 1))


def gap_in_words(nats: Sequence[float], kept: Sequence[float]) -> str:
    """How far the order of the gaps is the order of what is kept: a description, not a test."""
    if len(nats) < FEWEST or len(set(nats)) == 1 or len(set(kept)) == 1:
        return f"With {len(nats)} methods nothing is said about how far the gap explains it."
    rank = spearmanr(nats, kept).statistic
    return (
        f"Over these {len(nats)} methods the rank correlation (Spearman) of gap and facts kept is "
        f"{rank:+.2f}; -1 would mean that a smaller gap always went with more facts."
    )


def frontier(points: Any) -> Shown:
    """What was learnt against what was kept along training, one thin line a training seed.
    ``points`` is the table of ``frontier.points``: method, seed, checkpoint, acquisition, kept,
    suite (one), n_task, n_kept. Rows of the method "seed", the model before training, become a
    level: it may lie far to the left."""
    table = style.table_of(points, "checkpoints")
    trained = style.table_of(table[table["method"] != "seed"], "checkpoints of a trained model")
    suite, looks, told = one_suite(table), looks_of(table["method"]), []
    fig, ax = style.new_axes(4.6 if len(looks) < 5 else 4.9, "both")
    for method, look in looks.items():
        part = table[table["method"] == method].sort_values("checkpoint", kind="stable")
        lines = part.groupby("seed", sort=False)
        draw = _level if method == "seed" else _line
        for _, line in lines:
            draw(ax, line, look)
        ends = lines[["acquisition", "kept"]].agg(["first", "last"]).mean()
        learnt, kept = f"{ends['acquisition', 'last']:.2f}", f"{ends['kept', 'last']:.2f}"
        if len(part) > len(lines):
            learnt = f"{ends['acquisition', 'first']:.2f} at first, {learnt} at the end"
            kept = f"{ends['kept', 'first']:.2f} at first, {kept} at the end"
        seeds = f" ({len(lines)} seeds)" if len(lines) > 1 else ""
        told.append(f"{look.label}{seeds}: learnt {learnt}; kept {kept}")
    ax.set(xlim=_limits(trained["acquisition"]), ylim=_limits(table["kept"]))
    corner = {"loc": "right", "x": 1.02, "ha": "left"}  # the best one: top right
    ax.set_title("better ↗", fontsize=FONT, color=INK, **corner)
    ax.set(xlabel="learnt: score on task", ylabel=f"kept: score on {suite}")
    style.method_legend(fig, looks_of(trained["method"]).values())
    sizes = f"task n = {style.span(table['n_task'])}, {suite} n = {style.span(table['n_kept'])}"
    return Shown(
        fig,
        f"Lines of learnt (score on task) against kept (score on {suite}) along training. "
        f"{'; '.join(told)}.",
        "One thin line a training seed; markers grow with training, the largest is its end. To the "
        f"right: learnt more. Higher up: kept more. Mean scores over items ({sizes}), no "
        "intervals: compare methods where they learnt equally much, on paired items.",
    )


def remedies(ends: Any) -> Shown:
    """What remedies of others learn and keep: small frontiers from the seed outwards, a panel a
    kind of remedy, SFT and SDFT in each. ``ends`` is the table of ``registered.ends_of``: by
    method, acquisition and kept (facts)."""
    points = {row.Index: (row.acquisition, row.kept) for row in pandas.DataFrame(ends).itertuples()}
    style.table_of([name for name in points if name != "seed"], "remedies")
    style.table_of([name for name in points if name == "seed"], "scores of the seed model")
    fig, panels = style.new_panels(len(REMEDIES), 8.4, "both", beside=True, lines=3)
    told = []
    for ax, (title, lines) in zip(panels, REMEDIES.items(), strict=True):
        for name in ("seed", "sft", "sdft"):
            if name in points:
                style.mark(ax, *points[name], style.look(name), markersize=7, alpha=0.6)
        said = [_outwards(ax, points, line) for line in lines]
        if any(said):
            frame = {"fancybox": False, "edgecolor": "#dddddd"}  # its markers are no points
            ax.legend(loc="best", fontsize=FONT - 2, handletextpad=0.2, **frame)
        else:
            where = {"xycoords": "axes fraction", "ha": "center", "fontsize": FONT - 2}
            note(ax, "not recorded yet", (0.4, 0.3), **where)
        told.append(f"{title}: {', '.join(each for each in said if each) or 'not recorded'}")
        ax.set_title(title, fontsize=FONT, color=INK, loc="left")
    for ax in panels[-2:]:
        ax.set(xlabel="learnt: task", xlim=(-0.06, 1.06), ylim=(-0.03, 0.78))
    for ax in panels[::2]:
        ax.set_ylabel("kept: facts")
    style.method_legend(fig, [style.look(name) for name in ("seed", "sft", "sdft")])
    return Shown(
        fig,
        f"Six small frontiers of learnt (task) against kept (facts). {'; '.join(told)}.",
        "Each line goes from the seed model to the end of a method's training, or through adapters "
        "of growing strength. To the right: learnt more. Higher up: kept more. Means over items "
        "and training seeds, no intervals. Methods that are not recorded yet are missing.",
    )


def _outwards(ax: Axes, points: Mapping[str, tuple], line: Sequence[str]) -> str:
    """One line from the seed model through methods, each with its marker and name; in words."""
    known = [name for name in line if name in points]
    if not known:
        return ""
    path = zip(*[points[name] for name in ("seed", *known)], strict=True)
    ax.plot(*path, color=style.look(known[-1]).colour, linewidth=1)
    said = []
    for name in known:
        look, (learnt, kept) = style.look(name), points[name]
        named = "_" if name in ("sft", "sdft") else look.label  # these two stand above the figure
        style.mark(ax, learnt, kept, look, label=named)
        said.append(f"{look.label} {learnt:.2f} and {kept:.2f}")
    return ", ".join(said)


def one_suite(*tables: pandas.DataFrame) -> str:
    """The suite that all tables are about; SdftError if there are several."""
    suites = pandas.concat(tables)["suite"].unique()
    if len(suites) > 1:
        raise SdftError(f"A frontier shows one suite, not {', '.join(suites)}; choose one.")
    return suites[0]


def _line(ax: Axes, line: pandas.DataFrame, look: Look) -> None:
    """One thin line; each marker's size tells the share of training."""
    x, y, shares = line["acquisition"], line["kept"], line["checkpoint"]
    ax.plot(x, y, color=look.colour, linewidth=1, linestyle=look.line, alpha=0.8)
    shares = shares.where(shares > 0, 1)  # before training: large as well
    sizes = SMALL + (LARGE - SMALL) * shares**3  # only ends are large: they lie close together
    how = {"color": look.colour, "marker": look.marker, "edgecolor": "white", "linewidth": 0.7}
    ax.scatter(x, y, sizes**2, zorder=2, **how)


def _level(ax: Axes, line: pandas.DataFrame, look: Look) -> None:
    """What the model before training keeps, across the figure, with its task score in words."""
    last = line.iloc[-1]
    ax.axhline(last["kept"], color=look.colour, linewidth=1.5, linestyle=look.line)
    words = f"{look.label}\n(learnt {last['acquisition']:.2f})"
    _name_end(ax, words, (1, last["kept"]), look, xycoords=("axes fraction", "data"))


def _name_end(ax: Axes, words: str, end: tuple, look: Look, **more) -> None:
    """Words in the right margin, where nothing is drawn, with a thin line to an end."""
    line = {"arrowstyle": "-", "color": look.colour, "linewidth": 0.6, "relpos": (0, 0.5)}
    how = {"color": look.colour, "annotation_clip": False, "arrowprops": line, "zorder": 1}
    how["textcoords"] = ("axes fraction", "data")
    note(ax, words, end, (1.02, end[1]), **(how | more))


def _limits(values: pandas.Series, others: tuple | None = None) -> tuple[float, float]:
    """Limits around the values, at least NARROWEST apart; or those of others, made wider."""
    low, high = values.min(), values.max()
    if others:
        return min(others[0], low - NARROWEST / 4), max(others[1], high + NARROWEST / 4)
    more = max(0.0, NARROWEST - (high - low)) / 2 + 0.08 * max(NARROWEST, high - low)
    return low - more, high + more


def frontier_with_yours(recorded: Any, yours: Any) -> Shown:
    """The recorded frontier with your own run on top, in black edges, without its seed model. Both
    are tables of ``frontier.points`` of one suite; either may be empty."""
    theirs, mine = pandas.DataFrame(recorded), pandas.DataFrame(yours)
    shown = frontier(mine if theirs.empty else theirs)
    if theirs.empty:
        caption = f"{shown.caption} Your own run alone: nothing is recorded for it."
        return Shown(shown.fig, f"Your own run: {shown.alt}", caption)
    if len(mine):
        mine = mine[mine["method"] != "seed"]
    if mine.empty:
        caption = f"{shown.caption} All runs are recorded ones."
        return Shown(shown.fig, f"Recorded runs: {shown.alt}", caption)
    one_suite(theirs, mine)
    ax = shown.fig.axes[0]
    ax.set_xlim(_limits(mine["acquisition"], ax.get_xlim()))
    low, high = ax.set_ylim(_limits(mine["kept"], ax.get_ylim()))
    ends = mine.sort_values("checkpoint").groupby("method", sort=False).last()
    ends = ends.loc[mine["method"].unique()]
    told = []
    for turn, end in enumerate(ends.itertuples()):
        look = style.look(end.Index, turn)
        line = mine[mine["method"] == end.Index].sort_values("checkpoint")
        edge = {"markersize": 10, "markeredgecolor": INK, "markeredgewidth": 1.8}
        ax.plot(line["acquisition"], line["kept"], color=INK, linewidth=1, zorder=5)
        style.mark(ax, line["acquisition"], line["kept"], look, zorder=6, **edge)
        _name_end(ax, look.label, (end.acquisition, end.kept), look, fontweight="bold")
        told.append(f"{look.label} learnt {end.acquisition:.2f}, kept {end.kept:.2f}")
    names = list(ax.texts)  # that of the seed's level has two lines
    heights = style.spread([name.xy[1] for name in names], 0.08 * (high - low))
    for name, height in zip(names, heights, strict=True):
        name.set_y(height)
    ax.set_title("thin lines: recorded; black edges: yours", fontsize=FONT, color=INK, loc="left")
    return Shown(
        shown.fig,
        f"Recorded: {shown.alt} Yours: {'; '.join(told)}.",
        f"Recorded runs in thin lines; your own run with black edges and names. {shown.caption}",
    )


def sweep_curves(sweep: Any, used: Any) -> Shown:
    """What was learnt on dev and what was kept of facts against learning rate, rank and epochs, a
    panel each; every curve goes through the lessons' own point. ``sweep`` is the table of
    ``recorded.swept``, ``used`` the TrainConfig of that point."""
    table = style.table_of(sweep, "settings of a sweep")
    looks, told = looks_of(sorted(table["method"].unique())), []
    fig, panels = style.new_panels(len(VARIED), 4.0, "y", beside=True)
    for ax, (name, title) in zip(panels, VARIED.items(), strict=True):
        fixed = {other: getattr(used, other) for other in VARIED if other != name}
        line = table[(table[list(fixed)] == pandas.Series(fixed)).all(axis=1)].sort_values(name)
        for method, look in looks.items():
            part = line[line["method"] == method]
            style.mark(ax, part[name], part["dev"], look, linestyle="-")
            style.mark(ax, part[name], part["kept"], look, linestyle=":", **hollow(look))
            points = part[[name, "dev", "kept"]].itertuples(index=False)
            said = [f"{value:g}: {dev:.2f} and {kept:.2f}" for value, dev, kept in points]
            told.append(f"{look.label} by {title} {', '.join(said)}")
        ax.set_xscale("log", base=2)
        ticks = sorted(line[name].unique())
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=45)
        ax.minorticks_off()
        ax.set(xlabel=title, ylim=(-0.03, 1.03))
    panels[0].set_ylabel("score")
    style.method_legend(fig, looks.values())
    return Shown(
        fig,
        f"Curves of learnt (dev) and kept (facts). {'; '.join(told)}.",
        "Filled, solid: learnt, the score on dev, by which a setting is chosen. Open, dotted: "
        f"kept, the score on facts. One training seed, dev n = {style.span(table['n'])}. In each "
        "panel the other two settings are those of the lessons.",
    )


def likeness(table: Any) -> Shown:
    """How much each method's answers share with the seed's. ``table`` is that of
    ``shift.likeness``: method, id, rouge_l, bleu_4, cosine; rows of ``seed`` are the ceiling."""
    table = style.table_of(table, "answers")
    looks, ceiling = looks_of(table["method"]), ""
    if "seed" in looks:
        looks["seed"] = replace(looks["seed"], label="seed (ceiling)")
        ceiling = " The dotted line is the ceiling: the seed against itself, drawn twice."
    answers = {method: table[table["method"] == method] for method in looks}
    rows = {}
    for key, (name, _) in LIKENESS.items():
        rows[name] = {method: bootstrap_mean(part[key]) for method, part in answers.items()}
    fig, ax = style.new_axes(1.0 + (0.35 + 0.25 * len(looks)) * len(rows), "x")
    told = intervals.interval_rows(ax, rows, looks)
    for place, cells in enumerate(rows.values()):
        if "seed" in cells:
            how = {"color": looks["seed"].colour, "linestyle": ":", "linewidth": 2}
            ax.plot([cells["seed"].mean] * 2, [place - 0.45, place + 0.45], **how)
    ax.set_yticks(range(len(rows)), [f"{name}\n({what})" for name, what in LIKENESS.values()])
    ax.set_xlim(min(0.0, ax.get_xlim()[0]), 1.02)
    ax.set_xlabel("likeness to the seed's answer (1: the same text)")
    style.method_legend(fig, looks.values())
    n = len(next(iter(answers.values())))
    return Shown(
        fig,
        f"Dots with 95 % intervals of the likeness to the seed's answers. {'; '.join(told)}.",
        f"Mean over n = {n} prompts with 95 % bootstrap intervals over prompts; one trained model "
        f"each.{ceiling}",
    )
