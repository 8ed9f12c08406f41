"""The figure of lesson 02: which rewrites were kept, and why the others were not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdft_lib.lessons.figures.style import FONT, INK, Shown, label_axes, new_axes
from sdft_lib.lessons.tables import records
from sdft_lib.storage.errors import SdftError

KEPT = "accepted"
REASONS = {  # colour and hatch of each reason; the order is that of the checks
    KEPT: ("#0072b2", ""),
    "answer": ("#e8c9dc", ""),
    "leak": ("#f0e442", "//"),
    "loop": ("#56b4e9", "xx"),
    "echo": ("#009e73", "\\\\"),
    "cut": ("#999999", ".."),
    "empty": ("#eeeeee", "++"),
}
OTHER = ("#ffffff", "oo")


def reason_counts(table: Any) -> dict[str, dict[str, int]]:
    """Rows by template and reason, from ``{template: {reason: rows}}`` or a frame.

    A frame has ``template`` and ``reasons`` (counts, as ``distill.keep_table`` has it), or one row
    a verdict with ``reason`` (and ``rows`` where counted) or ``kept`` (true or false)."""
    if isinstance(table, Mapping):
        return {
            str(name): {str(r): int(c) for r, c in counts.items() if c}
            for name, counts in table.items()
        }
    found: dict[str, dict[str, int]] = {}
    for row in records(table):
        if isinstance(row.get("reasons"), Mapping):
            found[str(row["template"])] = {str(r): int(c) for r, c in row["reasons"].items() if c}
            continue
        reason = str(row["reason"]) if "reason" in row else (KEPT if row["kept"] else "rejected")
        counts = found.setdefault(str(row["template"]), {})
        if row.get("rows", 1):
            counts[reason] = counts.get(reason, 0) + int(row.get("rows", 1))
    return found


def keep_rates(table: Any) -> Shown:
    """Share of rewrites kept by each template, and why the others were not (lesson 02): one bar a
    template.
    """
    from sdft_lib.stats import wilson

    counts = reason_counts(table)
    if not counts or not all(sum(reasons.values()) for reasons in counts.values()):
        raise SdftError("Keep rates need at least one row for each template.")
    present = [r for r in REASONS if any(r in c for c in counts.values())]
    present += sorted({r for c in counts.values() for r in c} - set(REASONS))
    fig, ax = new_axes(1.5 + 0.62 * len(counts))
    _stack(ax, counts, lambda reason: REASONS.get(reason, OTHER), present)
    ax.set_yticks(range(len(counts)), list(counts), parse_math=False)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    label_axes(ax, "share of rows (%)")
    handles, names = ax.get_legend_handles_labels()
    fig.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=4,
        frameon=False,
        fontsize=FONT,
        handlelength=1.4,
        columnspacing=1.2,
        handletextpad=0.5,
    )
    told, short = [], []
    for name, reasons in counts.items():
        n, kept = sum(reasons.values()), reasons.get(KEPT, 0)
        rate = wilson(kept, n)
        lost = max((r for r in reasons if r != KEPT), key=lambda r: reasons[r], default="")
        told.append(
            f"{name} keeps {100 * kept / n:.0f} % ({kept} of {n})"
            + (f", most often lost to “{lost}” ({reasons[lost]})" if lost else "")
        )
        short.append(f"{name} {100 * rate.low:.0f} to {100 * rate.high:.0f} %, n = {n}")
    return Shown(
        fig,
        "Bars of rewrites kept and rejected by template. " + "; ".join(told) + ".",
        "Rewrites kept, and why others were not. 95 % intervals of the share kept: "
        + "; ".join(short)
        + ".",
    )


def _stack(
    ax: Any, counts: Mapping[str, Mapping[str, int]], paint: Callable, present: Sequence[str]
) -> None:
    starts = [0.0] * len(counts)
    for reason in present:
        colour, hatch = paint(reason)
        widths = [100 * c.get(reason, 0) / sum(c.values()) for c in counts.values()]
        ax.barh(
            range(len(counts)),
            widths,
            left=starts,
            color=colour,
            hatch=hatch,
            edgecolor=INK,
            linewidth=0.6,
            height=0.66,
            label="kept" if reason == KEPT else reason,
        )
        for place, width in enumerate(widths):
            if width >= 12:
                ax.text(
                    starts[place] + width / 2,
                    place,
                    f"{width:.0f} %",
                    ha="center",
                    va="center",
                    fontsize=FONT,
                    color="white" if reason == KEPT else INK,
                    fontweight="bold",
                    bbox=None
                    if not hatch
                    else {"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
