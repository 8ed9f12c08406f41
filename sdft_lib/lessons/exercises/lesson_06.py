"""Checks of the exercises of lesson 06: backward transfer, forgetting, replay."""

from sdft_lib.lessons.exercises.checking import case, exercise

LOST = [[0.0, 0.2], [0.9, 0.1], [0.5, 0.8]]
THREE = [[0.1, 0.2, 0.0], [0.8, 0.1, 0.1], [0.6, 0.9, 0.0], [0.7, 0.5, 1.0]]
HALVES = [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.75, 0.5, 0.0], [0.25, 0.75, 0.5]]

exercise_6_1 = exercise(
    "6.1",
    case("two tasks", LOST, wanted=-0.4),
    "the first task: 0.5 at the end, 0.9 when it had just been trained.",
    case("three tasks", THREE, wanted=-0.25),
    "(0.7 - 0.8) and (0.5 - 0.9), divided by two: the last task has nothing after it and does "
    "not count.",
    case("a gain beside a loss", HALVES, wanted=0.0),
    "-0.25 and +0.25: keep the signs, take no absolute values.",
    solved="BWT of 0 can also mean that nothing was learnt: always read it beside the scores in "
    "the frames.",
)

exercise_6_2 = exercise(
    "6.2",
    case("two tasks", LOST, wanted=0.4),
    "with two tasks there is one stage to look back at, the first.",
    case("three tasks", THREE, wanted=0.25),
    "(0.8 - 0.7) and (0.9 - 0.5), divided by two.",
    case("best after another task", HALVES, wanted=0.125),
    "the first task was best at stage 2 (0.75), not at its own. Look at all stages from 1 to T-1.",
    case("better than ever at the end", [[0.0, 0.0], [0.4, 0.1], [0.6, 0.9]], wanted=-0.2),
    "the last stage is no candidate for the best, so a gain counts as forgetting below 0.",
    case("the seed model was best", [[0.9, 0.0], [0.5, 0.1], [0.4, 0.9]], wanted=0.1),
    "stage 0 is the seed model, trained on none of them: start at stage 1.",
    solved="The largest of several noisy scores is too high on average, so this measure is hardly "
    "ever found to be 0.",
)

exercise_6_3 = exercise(
    "6.3",
    case(
        "every second of four",
        ["b1", "b2", "b3", "b4"],
        ["a1", "a2"],
        2,
        wanted=["b1", "a1", "b3", "a2"],
    ),
    "the second row gives way to the first of the earlier ones, the fourth to the next.",
    case("as many rows as before", ["b1", "b2", "b3"], ["a1", "a2"], 3, wanted=["b1", "b2", "a1"]),
    "replace rows, do not add any: else replay trains for more steps than the method beside it.",
    case(
        "more places than earlier rows",
        ["b1", "b2", "b3", "b4"],
        ["a1"],
        2,
        wanted=["b1", "a1", "b3", "a1"],
    ),
    "when the earlier rows are used up, begin with the first again: number % len(earlier).",
    case("the first task has none before it", ["b1", "b2"], [], 2, wanted=["b1", "b2"]),
    "without earlier rows the list stays as it is.",
    solved="`stages.rehearsed` draws rows and places at random, so that no order of the file comes "
    "through.",
)
