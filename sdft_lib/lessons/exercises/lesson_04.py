"""Checks of the exercises of lesson 04: wins and losses, Wilson's interval, Holm's correction, a
verdict.
"""

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_4_1 = exercise(
    "4.1",
    case("one won, one tied", {"q1": 1, "q2": 1}, {"q1": 0, "q2": 1}, wanted=(1, 0)),
    "a win is an item that a got right and b did not; a tie counts for neither.",
    case("another order", {"q1": 1, "q2": 0, "q3": 0}, {"q3": 0, "q2": 1, "q1": 1}, wanted=(0, 1)),
    "look items up by their id: the order of a dict is not the order of the test.",
    case(
        "an item that only one answered",
        {"q1": 1, "q2": 0, "q3": 1},
        {"q1": 1, "q2": 1},
        wanted=(0, 1),
    ),
    "use the ids that both have: a.keys() & b.keys(). What only one answered is no pair.",
    case("many ties", {n: 1 for n in range(9)}, {n: 1 for n in range(9)}, wanted=(0, 0)),
    "items that both got right say nothing about which is better.",
    solved="The mean difference is (wins - losses) / n, and McNemar's test in `sdft_lib.stats` "
    "looks at nothing but these two numbers.",
)

exercise_4_2 = exercise(
    "4.2",
    case("half of 100", 50, 100, wanted=(0.4038, 0.5962)),
    "centre and half width, both divided by 1 + z*z/n.",
    case("none of 20", 0, 20, wanted=(0.0, 0.1611)),
    "0 of 20 does not prove 0: the plain formula, share plus and minus z * error, has no width "
    "here.",
    case("all of 64", 64, 64, wanted=(0.9434, 1.0)),
    "the upper end is 1: cut both ends to 0 and 1.",
    case("27 of 240", 27, 240, wanted=(0.0785, 0.1587)),
    "z is 1.96 for 95 %; under the root stand share*(1-share)/n and z*z/(4*n*n).",
    solved="Now you know why a score of 0.00 in the figure still has a whisker.",
    close=2e-3,
)

exercise_4_3 = exercise(
    "4.3",
    case("one test", [0.03], wanted=[0.03]),
    "a single test needs no correction.",
    case("the smallest is multiplied by all", [0.01, 0.5], wanted=[0.02, 0.5]),
    "the smallest p times the number of tests, the next times one less, and so on.",
    case("in the order given", [0.5, 0.01], wanted=[0.5, 0.02]),
    "sort places, not values; answer in the old order.",
    case("never smaller than the one before", [0.02, 0.021, 0.022], wanted=[0.06, 0.06, 0.06]),
    "go from the smallest up and keep the largest so far.",
    case("at most 1", [0.6, 0.7], wanted=[1.0, 1.0]),
    "a probability above 1 is none: min(1.0, ...).",
    solved="With 21 tests the smallest p must be under 0.0024 to count.",
)

exercise_4_4 = exercise(
    "4.4",
    case("wholly above 0", 0.02, 0.11, 0.1, wanted="better"),
    "low > 0: the whole interval is on the good side.",
    case("wholly below 0", -0.49, -0.33, 0.1, wanted="worse"),
    "high < 0: the whole interval is on the bad side.",
    case("no loss beyond the margin", -0.05, 0.03, 0.1, wanted="no worse"),
    "0 is inside, and the lower end is above -margin: a loss that matters is ruled out.",
    case("a loss may hide", -0.17, 0.06, 0.1, wanted="unclear"),
    "the interval reaches below -margin: this run does not tell. That is not the same as equal.",
    case("worse, but by little", -0.06, -0.01, 0.1, wanted="worse"),
    "a sure small loss is a loss; say so, and let the reader judge its size.",
    case("exactly at the margin", -0.1, 0.02, 0.1, wanted="unclear"),
    "low must be greater than -margin.",
    solved="Write the margin down before you look at the test items. Afterwards, every margin "
    "fits.",
)
