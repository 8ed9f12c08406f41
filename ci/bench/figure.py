"""The bench as one figure: how many times faster than each peer, with the goals as marks."""

from pathlib import Path


def draw(rows: list[dict], path: Path) -> None:
    """Bars on a logarithmic axis, one for each row with a ratio; no file where there is none."""
    from sdft_lib.lessons.figures import style as plotstyle

    shown = [row for row in rows if row["ratio"]]
    if not shown:
        return
    fig, ax = plotstyle.new_axes(1.2 + 0.42 * len(shown))
    places = range(len(shown))
    ax.barh(
        places, [row["ratio"] for row in shown], color=plotstyle.look("sdft").colour, height=0.6
    )
    for place, row in enumerate(shown):
        ax.annotate(
            f"{row['ratio']:.1f}x",
            (max(row["ratio"], 1), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=plotstyle.FONT,
            color=plotstyle.INK,
        )
        if row["goal"]:
            ax.plot(
                [row["goal"]] * 2,
                [place - 0.4, place + 0.4],
                color=plotstyle.look("sft").colour,
                linewidth=3,
            )
    ax.set_xscale("log")
    ax.set_xlim(
        min(0.5, *(row["ratio"] * 0.8 for row in shown)), 2.5 * max(row["ratio"] for row in shown)
    )
    ax.axvline(1, color=plotstyle.INK, linewidth=1)
    ax.set_yticks(list(places), [row["id"].replace("_", " ") for row in shown])
    ax.invert_yaxis()
    ax.set_xlabel("times as fast as the peer (orange: goal)")
    words = "; ".join(f"{row['id']} {row['ratio']:.2g}" for row in shown)
    plotstyle.save(
        plotstyle.Shown(fig, f"Speed ratios: {words}.", "Same machine, weights and prompts."), path
    )
