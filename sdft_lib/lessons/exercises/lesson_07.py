"""Checks of the exercises of lesson 07: questions in both splits, the score to report, rows
needed.
"""

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_7_1 = exercise(
    "7.1",
    case(
        "one of two",
        ["Where is my book?"],
        ["Where is my book?", "Is it open?"],
        wanted=["Where is my book?"],
    ),
    "return the questions of the second list that the first has too.",
    case(
        "capital letters",
        ["where is my BOOK?"],
        ["Where is my book?"],
        wanted=["Where is my book?"],
    ),
    "compare lower-case forms, and return the question as the test wrote it.",
    case("blanks at the ends", ["Is it open? "], [" Is it open?"], wanted=[" Is it open?"]),
    "strip() takes blanks from both ends; the answer keeps them.",
    case("only a part is the same", ["Is it open? I mean on Sunday."], ["Is it open?"], wanted=[]),
    "a question that is part of another is another question: compare whole questions.",
    case(
        "twice in the test, in its order",
        ["B?", "A?"],
        ["A?", "C?", "B?", "A?"],
        wanted=["A?", "B?", "A?"],
    ),
    "go through the test in its order; a set of test questions loses order and repeats.",
    solved="`split_task` keeps such rows together, so that this list stays empty.",
)

exercise_7_2 = exercise(
    "7.2",
    case("dev and test agree", {"a": 0.6, "b": 0.7}, {"a": 0.5, "b": 0.65}, wanted=("b", 0.65)),
    "the name with the best dev score, and its test score.",
    case(
        "another model is best on test",
        {"a": 0.8, "b": 0.7},
        {"a": 0.6, "b": 0.9},
        wanted=("a", 0.6),
    ),
    "b looks better on test, but test must not choose: report what dev chose.",
    case("equal on dev", {"b": 0.7, "a": 0.7}, {"a": 0.9, "b": 0.5}, wanted=("b", 0.5)),
    "among equals the first in dev; not the one with the better test score.",
    solved="It is often a little lower than the dev score. That is what a fair score looks like.",
)

exercise_7_3 = exercise(
    "7.3",
    case("half the width", 14, 0.2, 0.1, wanted=56),
    "half the width takes four times the rows.",
    case("a tenth of the width", 20, 0.5, 0.05, wanted=2000),
    "ten times narrower takes a hundred times the rows.",
    case("rounded up", 10, 0.3, 0.2, wanted=23),
    "22.5 rows are not enough: math.ceil.",
    case("wide enough already", 40, 0.1, 0.4, wanted=3),
    "fewer rows would do: 2.5, rounded up.",
    case("never none", 5, 0.01, 0.5, wanted=1),
    "at least one row: max(1, ...).",
    solved="Do this before you collect rows. Afterwards it is an excuse.",
)
