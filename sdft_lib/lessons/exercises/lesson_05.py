"""Checks of the exercises of lesson 05: KL, the relative shift of a matrix, matched checkpoints."""

from math import log, sqrt

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_5_1 = exercise(
    "5.1",
    case("two equal distributions", [0.5, 0.5], [0.5, 0.5], wanted=0.0),
    "log of p / q, and p / q is 1 everywhere.",
    case(
        "an even seed, a sure tuned model",
        [0.5, 0.5],
        [0.9, 0.1],
        wanted=0.5 * log(0.5 / 0.9) + 0.5 * log(5),
    ),
    "weigh by the *seed's* probabilities, and take math.log: nats, not bits.",
    case("the other direction", [0.9, 0.1], [0.5, 0.5], wanted=0.9 * log(1.8) + 0.1 * log(0.2)),
    "KL is not symmetric: the first argument gives the weights and stands above in p / q.",
    case("a token that the seed never writes", [1.0, 0.0], [0.25, 0.75], wanted=log(4)),
    "where the seed's probability is 0, nothing is added: leave that token out, log(0) is no "
    "number.",
    solved="Now ask what happens where the *tuned* model gives 0 to a token that the seed writes: "
    "the KL is infinite.",
)

exercise_5_2 = exercise(
    "5.2",
    case("nothing moved", [[3.0, 4.0]], [[3.0, 4.0]], wanted=0.0),
    "the differences are all 0.",
    case("one weight moved", [[3.0, 4.0]], [[3.0, 9.0]], wanted=1.0),
    "it moved by 5, and the matrix has the size 5.",
    case(
        "a small move of a large matrix",
        [[0.0, 0.0], [0.0, 10.0]],
        [[0.0, 1.0], [0.0, 10.0]],
        wanted=0.1,
    ),
    "take the root of both sums: 1 / 10, not 1 / 100. Sum over the whole matrix before you divide.",
    case("up and down", [[1.0, 1.0], [1.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]], wanted=sqrt(2) / 2),
    "square the differences, or +1 and -1 cancel.",
    solved="The size of the change, not the change of the size: a matrix can be turned round and "
    "keep its size.",
)

exercise_5_3 = exercise(
    "5.3",
    case(
        "b learns less",
        {0.25: 0.3, 0.5: 0.6, 1.0: 0.9},
        {0.25: 0.2, 0.5: 0.5, 1.0: 0.6},
        wanted=(0.5, 1.0),
    ),
    "both reach 0.6 and no more: min of the two best scores.",
    case(
        "a learns less",
        {0.25: 0.2, 0.5: 0.5, 1.0: 0.6},
        {0.25: 0.3, 0.5: 0.6, 1.0: 0.9},
        wanted=(1.0, 0.5),
    ),
    "the same two curves the other way round; answer for a first, then for b.",
    case("none hits it exactly", {0.25: 0.3, 0.5: 0.55, 1.0: 0.9}, {1.0: 0.6}, wanted=(0.5, 1.0)),
    "the nearest score counts, above or below: abs(score - target).",
    case("two are equally near", {1.0: 0.8, 0.5: 0.8, 0.25: 0.5}, {1.0: 0.8}, wanted=(0.5, 1.0)),
    "take the earlier one, in whatever order the dict is written: look at sorted(curve).",
    case("the best is not the last", {0.5: 0.7, 1.0: 0.6}, {1.0: 0.9}, wanted=(0.5, 1.0)),
    "the best score of a curve is max(curve.values()), wherever it stands.",
    solved="Nothing in this rule has seen a test row. That is what allows you to believe the test "
    "afterwards.",
)
