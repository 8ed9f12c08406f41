"""Kind answers to the exercises: ``check.exercise_1_1(nats_per_token)`` says what passed and what
to look at.

Each name is an ``Exercise`` of ``sdft_lib.lessons.exercises.checking``; call it with your function.
It needs no model."""

from sdft_lib.lessons.exercises.lesson_00 import exercise_0_1, exercise_0_2
from sdft_lib.lessons.exercises.lesson_01 import exercise_1_1, exercise_1_2, exercise_1_3
from sdft_lib.lessons.exercises.lesson_02 import exercise_2_1, exercise_2_2, exercise_2_3
from sdft_lib.lessons.exercises.lesson_03 import exercise_3_1, exercise_3_2, exercise_3_3
from sdft_lib.lessons.exercises.lesson_04 import (
    exercise_4_1,
    exercise_4_2,
    exercise_4_3,
    exercise_4_4,
)
from sdft_lib.lessons.exercises.lesson_05 import exercise_5_1, exercise_5_2, exercise_5_3
from sdft_lib.lessons.exercises.lesson_06 import exercise_6_1, exercise_6_2, exercise_6_3
from sdft_lib.lessons.exercises.lesson_07 import exercise_7_1, exercise_7_2, exercise_7_3
from sdft_lib.lessons.exercises.lesson_08 import (
    exercise_8_1,
    exercise_8_2,
    exercise_8_3,
    exercise_8_4,
)

__all__ = [
    "exercise_0_1",
    "exercise_0_2",
    "exercise_1_1",
    "exercise_1_2",
    "exercise_1_3",
    "exercise_2_1",
    "exercise_2_2",
    "exercise_2_3",
    "exercise_3_1",
    "exercise_3_2",
    "exercise_3_3",
    "exercise_4_1",
    "exercise_4_2",
    "exercise_4_3",
    "exercise_4_4",
    "exercise_5_1",
    "exercise_5_2",
    "exercise_5_3",
    "exercise_6_1",
    "exercise_6_2",
    "exercise_6_3",
    "exercise_7_1",
    "exercise_7_2",
    "exercise_7_3",
    "exercise_8_1",
    "exercise_8_2",
    "exercise_8_3",
    "exercise_8_4",
]
