"""Checks of the exercises of lesson 02: filling in a template, the first failed check, and the
fallback.
"""

from sdft_lib.lessons.exercises.checking import Case, Exercise

exercise_2_1 = Exercise(
    "2.1",
    (
        Case(
            "both are filled in",
            ("{instruction} ({reference})", "Which team?", "billing"),
            "Which team? (billing)",
            "every {instruction} and {reference} in the pattern gives way to its value.",
        ),
        Case(
            "the same one twice",
            ("{reference}, yes: {reference}", "x", "billing"),
            "billing, yes: billing",
            "replace all of them, not only the first.",
        ),
        Case(
            "braces in the instruction",
            ("{instruction} {reference}", "Call {1}", "f()"),
            "Call {1} f()",
            "nobody promised you instructions without braces.",
        ),
        Case(
            "braces in the pattern",
            ('{instruction} -> {"answer": "{reference}"}', "Q", "A"),
            'Q -> {"answer": "A"}',
            "str.format reads every brace as a field. re.sub with a function replaces just the two that you name.",
        ),
        Case(
            "an instruction that says {reference}",
            ("{instruction}: {reference}", "Explain {reference}", "billing"),
            "Explain {reference}: billing",
            "the second of two replace calls also changes what the first one put in. Do it in one pass.",
        ),
    ),
    "One pass, as in `sdft_lib.templates.fill`. Code instructions hold braces all the time.",
)

exercise_2_2 = Exercise(
    "2.2",
    (
        Case(
            "a good rewrite",
            ("shipping", "It is shipping, as the parcel is late.", "stop"),
            "accepted",
            "when no check fails, the reason is accepted.",
        ),
        Case(
            "nothing written",
            ("shipping", "  \n", "stop"),
            "empty",
            "a text of blanks is empty: text.strip().",
        ),
        Case(
            "another label",
            ("shipping", "It is billing.", "stop"),
            "answer",
            "the reference must be named as a whole word, in any case.",
        ),
        Case(
            "cut, with the right label",
            ("shipping", "It is shipping, because the", "length"),
            "cut",
            "finish_reason length: the model had not ended, whatever it said so far.",
        ),
        Case(
            "cut, with a wrong label",
            ("shipping", "It is billing, because", "length"),
            "cut",
            "the first check that fails gives the reason: empty, then cut, then answer.",
        ),
        Case(
            "capitals",
            ("shipping", "Shipping.", "stop"),
            "accepted",
            "compare without regard to case.",
        ),
        Case(
            "part of a word",
            ("ship", "Ask shipping.", "stop"),
            "answer",
            "ship is no word of its own here.",
        ),
    ),
    "The library's `accept` has three checks more, for leaks, echoes and loops, in a table of the same kind.",
)

ROWS = [
    {"id": "a", "reference": "billing", "rewrite": "It is billing.", "ok": True},
    {"id": "b", "reference": "sales", "rewrite": "It is shipping.", "ok": False},
]
exercise_2_3 = Exercise(
    "2.3",
    (
        Case(
            "an accepted row",
            (ROWS[:1],),
            [{"id": "a", "text": "It is billing.", "source": "rewritten"}],
            "an accepted row trains on its rewrite, and its source says rewritten.",
        ),
        Case(
            "a rejected row",
            (ROWS[1:],),
            [{"id": "b", "text": "sales", "source": "original"}],
            "a rejected row trains on its reference, and its source says original.",
        ),
        Case(
            "both, in order",
            (ROWS,),
            [
                {"id": "a", "text": "It is billing.", "source": "rewritten"},
                {"id": "b", "text": "sales", "source": "original"},
            ],
            "nothing is dropped: SFT and SDFT must see the same prompts, in the same order.",
        ),
        Case("no rows", ([],), [], "an empty list gives an empty list."),
    ),
    "Dropping the rejected rows would have made the SDFT set easier than the SFT set: another experiment.",
)
