"""Checks of the exercises of lesson 04: wins and losses, Wilson's interval, Holm's correction, a
verdict.
"""

from sdft_lib.lessons.exercises.checking import Case, Exercise

exercise_4_1 = Exercise(
    "4.1",
    (
        Case(
            "one won, one tied",
            ({"q1": 1, "q2": 1}, {"q1": 0, "q2": 1}),
            (1, 0),
            "a win is an item that a got right and b did not; a tie counts for neither.",
        ),
        Case(
            "another order",
            ({"q1": 1, "q2": 0, "q3": 0}, {"q3": 0, "q2": 1, "q1": 1}),
            (0, 1),
            "look items up by their id: the order of a dict is not the order of the test.",
        ),
        Case(
            "an item that only one answered",
            ({"q1": 1, "q2": 0, "q3": 1}, {"q1": 1, "q2": 1}),
            (0, 1),
            "use the ids that both have: a.keys() & b.keys(). What only one answered is no pair.",
        ),
        Case(
            "many ties",
            ({n: 1 for n in range(9)}, {n: 1 for n in range(9)}),
            (0, 0),
            "items that both got right say nothing about which is better.",
        ),
    ),
    "The mean difference is (wins - losses) / n, and McNemar's test in `sdft_lib.stats` looks at nothing but these two "
    "numbers.",
)

exercise_4_2 = Exercise(
    "4.2",
    (
        Case(
            "half of 100",
            (50, 100),
            (0.4038, 0.5962),
            "centre and half width, both divided by 1 + z*z/n.",
        ),
        Case(
            "none of 20",
            (0, 20),
            (0.0, 0.1611),
            "0 of 20 does not prove 0: the plain formula, share plus and minus z * error, has no width here.",
        ),
        Case("all of 64", (64, 64), (0.9434, 1.0), "the upper end is 1: cut both ends to 0 and 1."),
        Case(
            "27 of 240",
            (27, 240),
            (0.0785, 0.1587),
            "z is 1.96 for 95 %; under the root stand share*(1-share)/n and z*z/(4*n*n).",
        ),
    ),
    "Now you know why a score of 0.00 in the figure still has a whisker.",
    close=2e-3,
)

exercise_4_3 = Exercise(
    "4.3",
    (
        Case("one test", ([0.03],), [0.03], "a single test needs no correction."),
        Case(
            "the smallest is multiplied by all",
            ([0.01, 0.5],),
            [0.02, 0.5],
            "the smallest p times the number of tests, the next times one less, and so on.",
        ),
        Case(
            "in the order given",
            ([0.5, 0.01],),
            [0.5, 0.02],
            "sort places, not values; answer in the old order.",
        ),
        Case(
            "never smaller than the one before",
            ([0.02, 0.021, 0.022],),
            [0.06, 0.06, 0.06],
            "go from the smallest up and keep the largest so far.",
        ),
        Case(
            "at most 1", ([0.6, 0.7],), [1.0, 1.0], "a probability above 1 is none: min(1.0, ...)."
        ),
    ),
    "With 21 tests the smallest p must be under 0.0024 to count.",
)

exercise_4_4 = Exercise(
    "4.4",
    (
        Case(
            "wholly above 0",
            (0.02, 0.11, 0.1),
            "better",
            "low > 0: the whole interval is on the good side.",
        ),
        Case(
            "wholly below 0",
            (-0.49, -0.33, 0.1),
            "worse",
            "high < 0: the whole interval is on the bad side.",
        ),
        Case(
            "no loss beyond the margin",
            (-0.05, 0.03, 0.1),
            "no worse",
            "0 is inside, and the lower end is above -margin: a loss that matters is ruled out.",
        ),
        Case(
            "a loss may hide",
            (-0.17, 0.06, 0.1),
            "unclear",
            "the interval reaches below -margin: this run does not tell. That is not the same as equal.",
        ),
        Case(
            "worse, but by little",
            (-0.06, -0.01, 0.1),
            "worse",
            "a sure small loss is a loss; say so, and let the reader judge its size.",
        ),
        Case(
            "exactly at the margin",
            (-0.1, 0.02, 0.1),
            "unclear",
            "low must be greater than -margin.",
        ),
    ),
    "Write the margin down before you look at the test items. Afterwards, every margin fits.",
)
