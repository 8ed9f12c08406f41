"""Figures of lesson 05 on made-up numbers: means worked out by hand, words that hold them, no empty
figure.
"""

import pandas
import pytest

from sdft_lib.experiments.methods import METHODS
from sdft_lib.lessons.figures import lesson_05 as figures
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig

LIKE = [
    {"method": method, "id": f"h-{item}", "rouge_l": rouge, "bleu_4": rouge / 2, "cosine": cosine}
    for method, pairs in {
        "sft": ((0.0, 0.1), (0.1, 0.3)),
        "seed": ((0.2, 0.7), (0.4, 0.9)),
        "sdft": ((0.2, 0.6), (0.3, 0.8)),
    }.items()
    for item, (rouge, cosine) in enumerate(pairs)
]


def checkpoint(method, seed, share, learnt, kept, suite="facts"):
    return {
        "method": method,
        "seed": seed,
        "checkpoint": share,
        "acquisition": learnt,
        "kept": kept,
        "suite": suite,
        "n_task": 160,
        "n_kept": 120,
    }


RECORDED = [
    checkpoint("seed", 0, 0.0, 0.0, 0.7),
    *(
        checkpoint("sft", seed, *rest)
        for seed in (0, 1)
        for rest in ((0.5, 0.5, 0.6), (1.0, 0.8 + seed / 10, 0.4))
    ),
    *(checkpoint("sdft", seed, 1.0, 0.75, 0.7) for seed in (0, 1)),
    checkpoint("sft-slow", 0, 1.0, 0.5, 0.6),
]
MINE = [
    checkpoint("seed", 5, 0.0, 0.0, 0.6),
    checkpoint("sft-slow", 5, 1.0, 0.3, 0.55),
    checkpoint("sft-slow", 5, 0.25, 0.1, 0.65),
    checkpoint("sdft", 5, 1.0, 0.95, 0.68),
]


def end(method, suite, mean, seeds=1, n=40):
    """A row of ``recorded.at_end``, with an interval of 0.1 to both sides."""
    row = {"method": method, "suite": suite, "n": n, "units": n, "seeds": seeds}
    return row | {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


ENDS = [
    end("seed", "facts", 0.6),
    end("seed", "helpful", 0.5, n=8),
    end("sdft", "facts", 0.55, seeds=5),
    end("sdft", "helpful", 0.4, seeds=5, n=8),
    end("sft", "facts", 0.1, seeds=3),
    end("sft-slow", "facts", 0.2),
    end("sft-reason", "facts", 0.3),
    end("seed", "facts-opened", 0.5),
    end("sft", "facts-opened", 0.2, seeds=3),
]
TARGETS = pandas.DataFrame(
    {
        "method": ["sft", "sdft", "sft-reason", "sft-slow", "sft-hand"],
        "nats": [7.0, 2.0, 3.0, 7.0, 2.5],
    }
)
POINT = {"method": "sft", "seed": 0, "n": 10, "learning_rate": 1e-3, "rank": 8, "epochs": 2}
SWEEP = [
    POINT | {"dev": 0.8, "kept": 0.2},
    POINT | {"learning_rate": 5e-4, "dev": 0.4, "kept": 0.5},
    POINT | {"rank": 4, "dev": 0.7, "kept": 0.3},
]
CASES = {
    "ladder": (
        lambda: figures.ladder(ENDS),
        (
            "SFT (3 training seeds): facts 0.10 (0.00 to 0.20); fixed reason (1 training seed)",
            "SDFT (5 training seeds): facts 0.55 (0.45 to 0.65), helpful 0.40 (0.30 to 0.50)",
            "seed: facts 0.60 (0.50 to 0.70); seed: helpful 0.50",
        ),
    ),
    "gap of targets": (
        lambda: figures.gap_of_targets(TARGETS, ENDS),
        (
            "SFT 7.00 nats, facts 0.10 (0.00 to 0.20); SDFT 2.00 nats, facts 0.55",
            # ranks of nats 1, 2, 3.5, 3.5, of facts 4, 3, 1, 2: -4.5 / sqrt(4.5 * 5)
            "Over these 4 methods the rank correlation (Spearman) of gap and facts kept is -0.95;",
        ),
    ),
    "muted": (
        lambda: figures.muted(ENDS),
        ("facts and facts-opened: seed 0.60 and 0.50, SFT 0.10 and 0.20.",),
    ),
    "sweep": (
        lambda: figures.sweep_curves(SWEEP, TrainConfig(learning_rate=1e-3)),
        (
            "SFT by learning rate 0.0005: 0.40 and 0.50, 0.001: 0.80 and 0.20;",
            "SFT by rank 4: 0.70 and 0.30, 8: 0.80 and 0.20;",
            "SFT by epochs 2: 0.80 and 0.20",
        ),
    ),
    "likeness": (
        lambda: figures.likeness(LIKE),
        (
            "ROUGE-L: seed (ceiling) 0.30 (0.20 to 0.40), SFT 0.05 (0.00 to 0.10), SDFT 0.25",
            "cosine: seed (ceiling) 0.80 (0.70 to 0.90), SFT 0.20",
        ),
    ),
    "frontier": (
        lambda: figures.frontier_with_yours(RECORDED, MINE),
        (
            "Recorded: ",
            "SFT (2 seeds)",
            "Yours: SFT, slow learnt 0.30, kept 0.55; SDFT learnt 0.95, kept 0.68.",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_says_its_numbers_and_draws(name, check_figure):
    make, said = CASES[name]
    check_figure(make(), said)


@pytest.mark.parametrize(
    "make",
    [
        lambda: figures.likeness([]),
        lambda: figures.ladder([]),
        lambda: figures.ladder(ENDS[:1]),
        lambda: figures.gap_of_targets(TARGETS[:0], ENDS),
        lambda: figures.muted(ENDS[:2]),
        lambda: figures.sweep_curves([], TrainConfig()),
        lambda: figures.frontier_with_yours([], []),
        lambda: figures.frontier_with_yours(RECORDED, [MINE[1] | {"suite": "safety"}]),
    ],
)
def test_nothing_to_draw_is_one_sentence(make):
    with pytest.raises(SdftError) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_frames_and_dicts_say_the_same():
    assert figures.likeness(pandas.DataFrame(LIKE)).alt == figures.likeness(LIKE).alt


def test_the_ladder_goes_from_the_label_to_the_own_words_whatever_came_first():
    shown = figures.ladder(ENDS)
    names = [label.get_text() for label in shown.fig.axes[0].get_yticklabels()]
    assert names == ["SFT", "fixed reason", "SDFT"]  # SFT, slow has the same targets as SFT
    assert "facts n = 40, helpful n = 8, 1–5 training seeds" in shown.caption


def test_every_kind_of_target_stands_on_the_ladder_once():
    changed = ("slower", "longer", "replay", "rehearsal", "anchor", "candidates", "on_policy")
    changed += ("loss", "scaled")
    kinds = [name for name, each in METHODS.items() if not set(changed) & set(each.changes)]
    assert sorted(figures.LADDER) == sorted(kinds)


def test_too_few_methods_or_no_spread_are_not_correlated():
    for nats, kept in (([7.0, 2.0], [0.1, 0.5]), ([2.0] * 3, [0.1, 0.2, 0.3])):
        assert "nothing is said" in figures.gap_in_words(nats, kept)
    assert "is -1.00; " in figures.gap_in_words([3.0, 2.0, 1.0], [0.1, 0.2, 0.3])


def test_the_ceiling_is_drawn_through_each_measure():
    ax = figures.likeness(LIKE).fig.axes[0]
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == pytest.approx([0.3, 0.15, 0.8])
    without = figures.likeness([row for row in LIKE if row["method"] != "seed"])
    assert "ceiling" not in without.alt + without.caption


def test_your_own_run_lies_inside_and_can_be_told_apart():
    ax = figures.frontier_with_yours(RECORDED, MINE).fig.axes[0]
    assert ax.get_xlim()[0] < 0.1 and ax.get_xlim()[1] > 0.95
    names = [text.get_text() for text in ax.texts]
    assert names == ["seed\n(learnt 0.00)", "SFT, slow", "SDFT"]
    heights = [text.get_position()[1] for text in ax.texts]  # 0.7, 0.55, 0.68: moved apart
    low, high = ax.get_ylim()
    assert abs(heights[0] - heights[2]) == pytest.approx(0.08 * (high - low))
    line = next(
        line
        for line in ax.lines
        if line.get_markeredgewidth() == 1.8 and len(line.get_xdata()) == 2
    )
    assert list(line.get_xdata()) == [0.1, 0.3]  # in the order of training


def test_the_words_say_whose_runs_are_shown():
    theirs, mine = figures.frontier_with_yours(RECORDED, []), figures.frontier_with_yours([], MINE)
    assert theirs.alt.startswith("Recorded runs: ") and "recorded" in theirs.caption
    assert mine.alt.startswith("Your own run: ") and "nothing is recorded" in mine.caption


def test_remedies_name_their_points_beside_them_and_say_what_is_not_recorded():
    """STM and DFT once lay under their own names; a panel without a run was simply empty."""
    ends = {"seed": (0.03, 0.55), "sft": (0.8, 0.22), "stm": (0.16, 0.22), "dft": (0.17, 0.04)}
    ends["sft-scaled-50"] = (0.5, 0.35)
    table = pandas.DataFrame.from_dict(ends, "index", columns=["acquisition", "kept"])
    fig = figures.remedies(table).fig
    fig.canvas.draw()
    said = [[text.get_text() for text in ax.texts] for ax in fig.axes]
    assert said == [[], *[["not recorded yet"]] * 3, [], ["not recorded yet"]]
    losses = fig.axes[4]
    frame = losses.get_legend().get_window_extent()
    assert not any(frame.contains(*losses.transData.transform(at)) for at in ends.values())
