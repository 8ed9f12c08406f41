"""What each step of a method costs in seconds (lessons 04 and 08)."""

from collections.abc import Mapping

from sdft_lib.lessons.figures import style
from sdft_lib.lessons.figures.style import Shown
from sdft_lib.storage.errors import SdftError


def cost_bars(seconds: Mapping[str, Mapping[str, float]]) -> Shown:
    """What each step costs, ``{method: {step: seconds}}``, and the total below several steps."""
    looks = style.looks_of(seconds)
    if not looks:
        raise SdftError("There are no times to draw.")
    steps: dict[str, dict[str, float]] = {}
    for method in sorted(looks, key=lambda name: -len(seconds[name])):  # all steps come first
        for step in seconds[method]:
            steps[step] = {name: seconds[name][step] for name in looks if step in seconds[name]}
    totals = {method: sum(seconds[method].values()) for method in looks}
    if len(steps) > 1:
        steps["total"] = totals
    fig, ax = style.new_axes(1.1 + (0.2 + 0.24 * len(looks)) * len(steps))
    thick, parts = 0.8 / len(looks), []
    for place, (step, times) in enumerate(steps.items()):
        said = []
        for turn, (method, value) in enumerate(times.items()):
            height, look = place + (turn - (len(times) - 1) / 2) * thick, looks[method]
            bar = ax.barh(height, value, height=thick * 0.9, color=look.colour)
            ax.bar_label(bar, [duration(value)], padding=5, fontsize=11, color=look.colour)
            said.append(f"{look.label} {duration(value)}")
        parts.append(f"{step}: {', '.join(said)}")
    ax.set_yticks(range(len(steps)), list(steps))
    ax.invert_yaxis()
    ax.set(xlim=(0, max(totals.values()) * 1.28 or 1), xlabel="seconds on this machine")
    style.method_legend(fig, looks.values())
    return Shown(
        fig,
        f"Bars of time by step. {'; '.join(parts)}.",
        "Wall-clock time of each step, one run on this machine (n = 1, so no interval); steps are "
        "on the left.",
    )


def duration(seconds: float) -> str:
    """Seconds as a reader says them: ``0.4 s``, ``48 s``, ``3 min 20 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds else "none"
    rounded = round(seconds)
    minutes, rest = divmod(rounded, 60)
    return f"{rounded} s" if rounded < 120 else f"{minutes} min {rest:02d} s"
