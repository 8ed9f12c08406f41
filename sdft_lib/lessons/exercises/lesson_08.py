"""Checks of the exercises of lesson 08: memory of training, rows at once, hours, items for a
difference.
"""

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_8_1 = exercise(
    "8.1",
    case("LoRA on 16-bit weights", 6.74e9, 16, 4.2e6, 5e9, wanted=20.0472),
    "13.48 GB frozen, 0.07 GB trained, 5 GB of activations, 1.5 GB for the device itself.",
    case("the same weights in 4 bit", 6.74e9, 4, 4.2e6, 5e9, wanted=9.9372),
    "half a byte for each frozen weight: bits / 8.",
    case("all weights", 0, 16, 6.74e9, 5e9, wanted=114.34),
    "nothing is frozen; a trained weight takes 16 bytes, whatever the bits of the frozen ones.",
    case("an empty device", 0, 16, 0, 0, wanted=1.5),
    "the device's own 1.5 GB are always there.",
    solved="Makers count a GB as 1e9 bytes. Some tools show 2**30 instead, and then a 16 GB card "
    "has 14.9.",
)

exercise_8_2 = exercise(
    "8.2",
    case("as many cached heads as heads", 40.0, 32, 32, 128, 1024, wanted=74),
    "a token takes 2 x 2 bytes x 32 x 32 x 128 = 524,288 bytes: keys and values, 2 bytes each.",
    case("a quarter of the heads cached", 40.0, 32, 8, 128, 1024, wanted=298),
    "only the heads of keys and values count: a quarter of them, four times the rows.",
    case("rows four times as long", 40.0, 32, 32, 128, 4096, wanted=18),
    "a row must fit whole: 18.6 are 18.",
    case("not even one", 0.1, 32, 32, 128, 1024, wanted=0),
    "half a GB for a row, a tenth there: 0 rows.",
    solved="This is why newer models share keys and values among heads.",
)

exercise_8_3 = exercise(
    "8.3",
    case("two speeds", 6.6e9, 4e6, 312e12, (0.25, 0.5), wanted=(0.188034, 0.376068)),
    "the fast share gives the few hours: 4 x weights x tokens / flops / share / 3600.",
    case("one speed", 1e9, 9e9, 100e12, (0.4, 0.4), wanted=(250.0, 250.0)),
    "with one share both ends are the same.",
    case("twice the tokens", 6.6e9, 8e6, 312e12, (0.25, 0.5), wanted=(0.376068, 0.752137)),
    "twice the hours.",
    solved="With checkpointing it is 6 in place of 4, and for all weights 2 more.",
    close=1e-4,
)

exercise_8_4 = exercise(
    "8.4",
    case("five points at one half", 0.5, 0.05, wanted=769),
    "768.3 items are not enough: math.ceil. Two models have two errors, hence the 2 below the "
    "root.",
    case("five points at 35 %", 0.35, 0.05, wanted=700),
    "p (1 - p) is a little smaller than at one half.",
    case("ten points at 35 %", 0.35, 0.10, wanted=175),
    "twice the difference takes a quarter of the items.",
    case("near 0", 0.02, 0.05, wanted=61),
    "close to 0 and to 1 luck is smaller, and fewer items do.",
    case("never none", 0.0, 0.05, wanted=1),
    "at least one item: max(1, ...).",
    solved="That many items *just* reach the limit, so half of all runs would miss it. "
    "`power.items_needed` asks for more.",
)
