"""Checks of the exercises of lesson 00: the form of a prompt, and answers that name their label."""

from sdft_lib.lessons.exercises.checking import case, exercise

USER = {"role": "user", "content": "What is a router?"}
SYSTEM = {"role": "system", "content": "Answer in one sentence."}

exercise_0_1 = exercise(
    "0.1",
    case("a question alone", "What is a router?", wanted=[USER]),
    "one question is a list with one dict; its keys are role and content, its role is user.",
    case(
        "a system message goes first",
        "What is a router?",
        "Answer in one sentence.",
        wanted=[SYSTEM, USER],
    ),
    "the model reads from top to bottom: the list begins with the system message.",
    case("no empty system message", "What is a router?", "", wanted=[USER]),
    "an empty string is false: `if system:` leaves it out. Sent, it would hide the model's "
    "default.",
    solved="In this form `generate` gets every prompt.",
)

exercise_0_2 = exercise(
    "0.2",
    case(
        "one right, one not",
        ["billing", "sales"],
        ["This is billing.", "Send it to returns."],
        wanted=0.5,
    ),
    "count the answers that name their own reference, and divide by the number of answers.",
    case("capitals", ["sales"], ["Sales should take it."], wanted=1.0),
    "compare without regard to case, for example with re.IGNORECASE or .lower().",
    case("only whole words", ["technical"], ["Technically, this is about billing."], wanted=0.0),
    "a label inside a longer word does not count; \\b in a pattern is the border of a word.",
    case(
        "a label of two words", ["account access"], ["It is an account access question"], wanted=1.0
    ),
    "look for the whole reference, not for one of its words.",
    case(
        "each answer with its own reference", ["sales", "billing"], ["billing", "sales"], wanted=0.0
    ),
    "take reference and answer in pairs, as zip gives them.",
    case("no answers", [], [], wanted=0.0),
    "dividing by zero fails: return 0.0 for an empty list.",
    solved="The seed scores low by this count, and not because it is stupid. The library's `score` "
    'also asks what a text rules out: "not billing, but sales".',
)
