"""Checks of the exercises of lesson 01: nats per token, two means, and rows in the overlap."""

from math import log

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_1_1 = exercise(
    "1.1",
    case("a token that was certain", [1.0], wanted=0.0),
    "the logarithm of 1 is 0: no surprise.",
    case("one chance in ten", [0.1], wanted=log(10)),
    "nats are natural logarithms: math.log, not log2 or log10.",
    case("two unlike tokens", [0.1, 0.01], wanted=(log(10) + log(100)) / 2),
    "take the logarithm of each probability first, then the mean. The other order gives too "
    "little.",
    case("three tokens", [0.5, 0.5, 0.125], wanted=5 * log(2) / 3),
    "per token: divide the sum by the number of tokens.",
    solved="`sdft_lib.gap.nll` does this with the model's own probabilities.",
)

exercise_1_2 = exercise(
    "1.2",
    case("answers of one length", [4.0, 8.0], [2, 2], wanted=(3.0, 3.0)),
    "with equal lengths both means agree: 2 and 4 nats a token.",
    case("a short dear answer and a long cheap one", [20.0, 20.0], [2, 40], wanted=(5.25, 40 / 42)),
    "the first mean gives each answer one vote (10 and 0.5), the second each token: all nats by "
    "all tokens.",
    case("one answer", [6.0], [3], wanted=(2.0, 2.0)),
    "one answer has one value.",
    solved="Lesson 03 shows the second mean, as training loss; `gap` uses the first, so the two "
    "need not agree.",
)

exercise_1_3 = exercise(
    "1.3",
    case("one of three", [7.0, 1.5, 9.0], [0.5, 2.0], wanted=[1]),
    "compare each reference with the dearest own answer, here 2.0.",
    case("cheapest first", [1.8, 7.0, 0.9, 1.2], [2.0, 1.0], wanted=[2, 3, 0]),
    "sort the places by their values: sorted(places, key=lambda i: references[i]).",
    case("no overlap", [7.0, 8.0], [0.5, 1.0], wanted=[]),
    "nothing below the border is an empty list, not None.",
    case("just as dear as the dearest", [2.0, 3.0], [2.0, 0.1], wanted=[0]),
    "`at most` includes equal: <=.",
    solved="Such rows move the model least. With label-only references there are few.",
)
