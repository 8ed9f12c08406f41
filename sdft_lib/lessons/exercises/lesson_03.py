"""Checks of the exercises of lesson 03: the loss mask, the masked loss, and the learning rate over
time.
"""

from math import cos, pi

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_3_1 = exercise(
    "3.1",
    case("one target token", [5, 6], [7], 2, wanted=([5, 6, 7, 2], [False, False, True, True])),
    "ids: prompt, target, end of turn. The mask is as long as the ids.",
    case(
        "the end of the turn is trained",
        [5],
        [7, 8],
        2,
        wanted=([5, 7, 8, 2], [False, True, True, True]),
    ),
    "without the last True the model never learns when to stop.",
    case(
        "no prompt token is trained",
        [1, 2, 3, 4],
        [9],
        0,
        wanted=([1, 2, 3, 4, 9, 0], [False] * 4 + [True, True]),
    ),
    "count from the front: the prompt's tokens are False, whatever their ids are.",
    solved="`sdft_lib.chat.render` also makes sure that the prompt's ids are those that the model "
    "sees when it answers.",
)

exercise_3_2 = exercise(
    "3.2",
    case("all tokens are trained", [1.0, 3.0], [True, True], wanted=2.0),
    "the mean over the trained tokens.",
    case("the prompt does not count", [9.0, 9.0, 1.0, 3.0], [False, False, True, True], wanted=2.0),
    "skip the places where the mask is False, and divide by the number of those that are left.",
    case(
        "one trained token among many",
        [5.0, 5.0, 5.0, 0.5],
        [False, False, False, True],
        wanted=0.5,
    ),
    "divide by the trained tokens, not by the length of the row.",
    case("nothing is trained", [1.0, 2.0], [False, False], wanted=0.0),
    "return 0.0 before you divide by zero.",
    solved="Divided by the whole row, a terse reference would look learnt before the first step.",
)


def rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """The schedule that the trainer uses: a straight rise, then half a cosine down to 0."""
    if step < warmup:
        return peak * step / warmup
    return peak * (1 + cos(pi * (step - warmup) / (steps - warmup))) / 2


exercise_3_3 = exercise(
    "3.3",
    case("the start", 0, 100, 0.002, 10, wanted=0.0),
    "the first step of the rise is 0.",
    case("half of the rise", 5, 100, 0.002, 10, wanted=rate(5, 100, 0.002, 10)),
    "before warmup: peak * step / warmup.",
    case("the top", 10, 100, 0.002, 10, wanted=0.002),
    "when the rise is over, the rate is the peak.",
    case("half of the way down", 55, 100, 0.002, 10, wanted=0.001),
    "measure the way down from the end of the rise: (step - warmup) / (steps - warmup).",
    case("a quarter of the way down", 30, 110, 0.002, 10, wanted=rate(30, 110, 0.002, 10)),
    "a cosine is slow at first: peak * (1 + cos(pi * way)) / 2. A straight line would be lower "
    "here.",
    case("the end", 100, 100, 0.002, 10, wanted=0.0),
    "at the last step the rate is 0.",
    case("no warmup", 0, 100, 0.002, 0, wanted=0.002),
    "without a rise, begin at the peak; mind the division by zero.",
    solved="The same curve for SFT and SDFT: that is part of the equal budget.",
)
