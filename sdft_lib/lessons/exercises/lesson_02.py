"""Checks of the exercises of lesson 02: filling in a template, the first failed check, and the
fallback.
"""

from sdft_lib.lessons.exercises.checking import case, exercise

exercise_2_1 = exercise(
    "2.1",
    case(
        "both are filled in",
        "{instruction} ({reference})",
        "Which team?",
        "billing",
        wanted="Which team? (billing)",
    ),
    "every {instruction} and {reference} in the pattern gives way to its value.",
    case(
        "the same one twice",
        "{reference}, yes: {reference}",
        "x",
        "billing",
        wanted="billing, yes: billing",
    ),
    "replace all of them, not only the first.",
    case(
        "braces in the instruction",
        "{instruction} {reference}",
        "Call {1}",
        "f()",
        wanted="Call {1} f()",
    ),
    "nobody promised you instructions without braces.",
    case(
        "braces in the pattern",
        '{instruction} -> {"answer": "{reference}"}',
        "Q",
        "A",
        wanted='Q -> {"answer": "A"}',
    ),
    "str.format reads every brace as a field. re.sub with a function replaces just the two that "
    "you name.",
    case(
        "an instruction that says {reference}",
        "{instruction}: {reference}",
        "Explain {reference}",
        "billing",
        wanted="Explain {reference}: billing",
    ),
    "the second of two replace calls also changes what the first one put in. Do it in one pass.",
    solved="One pass, as in `sdft_lib.templates.fill`. Code instructions hold braces all the time.",
)

exercise_2_2 = exercise(
    "2.2",
    case(
        "a good rewrite",
        "shipping",
        "It is shipping, as the parcel is late.",
        "stop",
        wanted="accepted",
    ),
    "when no check fails, the reason is accepted.",
    case("nothing written", "shipping", "  \n", "stop", wanted="empty"),
    "a text of blanks is empty: text.strip().",
    case("another label", "shipping", "It is billing.", "stop", wanted="answer"),
    "the reference must be named as a whole word, in any case.",
    case(
        "cut, with the right label",
        "shipping",
        "It is shipping, because the",
        "length",
        wanted="cut",
    ),
    "finish_reason length: the model had not ended, whatever it said so far.",
    case("cut, with a wrong label", "shipping", "It is billing, because", "length", wanted="cut"),
    "the first check that fails gives the reason: empty, then cut, then answer.",
    case("capitals", "shipping", "Shipping.", "stop", wanted="accepted"),
    "compare without regard to case.",
    case("part of a word", "ship", "Ask shipping.", "stop", wanted="answer"),
    "ship is no word of its own here.",
    solved="The library's `accept` has three checks more, for leaks, echoes and loops, in a table "
    "of the same kind.",
)

ROWS = [
    {"id": "a", "reference": "billing", "rewrite": "It is billing.", "ok": True},
    {"id": "b", "reference": "sales", "rewrite": "It is shipping.", "ok": False},
]
exercise_2_3 = exercise(
    "2.3",
    case(
        "an accepted row",
        ROWS[:1],
        wanted=[{"id": "a", "text": "It is billing.", "source": "rewritten"}],
    ),
    "an accepted row trains on its rewrite, and its source says rewritten.",
    case("a rejected row", ROWS[1:], wanted=[{"id": "b", "text": "sales", "source": "original"}]),
    "a rejected row trains on its reference, and its source says original.",
    case(
        "both, in order",
        ROWS,
        wanted=[
            {"id": "a", "text": "It is billing.", "source": "rewritten"},
            {"id": "b", "text": "sales", "source": "original"},
        ],
    ),
    "nothing is dropped: SFT and SDFT must see the same prompts, in the same order.",
    case("no rows", [], wanted=[]),
    "an empty list gives an empty list.",
    solved="Dropping the rejected rows would have made the SDFT set easier than the SFT set: "
    "another experiment.",
)
