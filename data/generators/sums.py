"""Text bank and generator of the task `sums`: word problems of one step, with numbers from 2 to 10.

Every split has stories of its own; names and things are shared. Half of each split adds, half takes
away. The reference is terse: the sum and its result, "5 + 3 = 8". Plain standard library; texts CC
BY 4.0."""

import random

INSTRUCTION = "Solve this problem. Finish with the result as a number."
SIZES = {"train": 480, "dev": 120, "test": 240}

NAMES = (
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Ella",
    "Felix",
    "Grace",
    "Hugo",
    "Iris",
    "Jonas",
    "Kim",
    "Leo",
    "Mia",
    "Noah",
    "Olga",
    "Paul",
    "Rosa",
    "Sam",
    "Tina",
    "Victor",
)
THINGS = (
    "apples",
    "books",
    "pens",
    "stickers",
    "coins",
    "shells",
    "cards",
    "marbles",
    "stamps",
    "buttons",
    "balloons",
    "cookies",
    "stones",
    "beads",
    "lemons",
    "candles",
)

# {n} and {m}: two names, {t}: things, {a} and {b}: the numbers.
STORIES = {
    "train": {
        "+": (
            "{n} has {a} {t}. {m} gives {n} {b} more {t}. How many {t} does {n} have now?",
            "{n} buys {a} {t} on Monday and {b} {t} on Tuesday. How many {t} does {n} buy in "
            "total?",
            "There are {a} {t} in a box. {n} puts {b} more {t} in the box. How many {t} are in "
            "the box?",
            "{n} has {a} {t} and {m} has {b} {t}. How many {t} do they have together?",
            "{n} finds {a} {t} in the morning and {b} {t} in the evening. How many {t} is that in "
            "all?",
            "A bag holds {a} {t} and another bag holds {b} {t}. How many {t} are in both bags?",
            "{n} has {a} {t}. {m} has {b} more {t} than {n}. How many {t} does {m} have?",
            "{n} gets {a} {t} from {m} and {b} {t} from a neighbour. How many {t} does {n} get?",
            "{n} sells {a} {t} before lunch and {b} {t} after lunch. How many {t} does {n} sell?",
            "There were {a} {t} on the table. Then {n} added {b} {t}. How many {t} are on the "
            "table now?",
            "{n} collected {a} {t} last week and {b} {t} this week. How many {t} did {n} collect?",
            "{n} packs {a} red {t} and {b} blue {t}. How many {t} does {n} pack altogether?",
        ),
        "-": (
            "{n} has {a} {t} and gives {b} of them to {m}. How many {t} does {n} have left?",
            "There are {a} {t} in a box. {n} takes {b} {t} out. How many {t} are still in the box?",
            "{n} had {a} {t} and lost {b} of them. How many {t} are left?",
            "{n} has {a} {t}. {m} has {b} fewer {t} than {n}. How many {t} does {m} have?",
            "A shop has {a} {t} and sells {b} of them. How many {t} remain in the shop?",
            "{n} needs {a} {t} and already has {b}. How many more {t} does {n} need?",
            "{n} has {a} {t} and {m} has {b} {t}. How many more {t} does {n} have than {m}?",
            "Of the {a} {t} on the table, {n} takes {b} away. How many {t} stay on the table?",
            "{n} brought {a} {t} to school and came home with {b} {t} fewer. How many {t} came "
            "home?",
            "{n} bought {a} {t}, and {b} of them were broken. How many {t} were not broken?",
            "There are {a} {t} in a bag and {b} of them are red. How many {t} are not red?",
            "{n} wants to sell {a} {t} and has sold {b} so far. How many {t} are there still to "
            "sell?",
        ),
    },
    "dev": {
        "+": (
            "{n} owns {a} {t} and wins {b} extra {t} at a fair. How many {t} does {n} own now?",
            "A drawer contains {a} {t}. A shelf contains {b} {t}. How many {t} are there "
            "altogether?",
            "{n} carries {a} {t} while {m} carries {b}. What is the total number of {t} they "
            "carry?",
            "After counting {a} {t}, {n} discovers {b} more. How many {t} has {n} counted in all?",
            "{m} mails {a} {t} to {n}, and later another {b}. How many {t} arrive in total?",
            "{n} lines up {a} large {t} and {b} small {t}. How many {t} are in the line?",
        ),
        "-": (
            "{n} owned {a} {t} but dropped {b} on the way home. How many {t} does {n} still own?",
            "Out of {a} {t} in a drawer, {m} uses {b}. How many {t} remain in the drawer?",
            "A basket of {a} {t} tips over and {b} {t} roll away. How many {t} stay in the basket?",
            "{n} counted {a} {t}, but {m} counted only {b}. What is the difference?",
            "{n} plans to gather {a} {t}. So far there are {b}. How many {t} are still missing?",
            "{n} sorts {a} {t} and throws {b} away. How many {t} does {n} keep?",
        ),
    },
    "test": {
        "+": (
            "{n} starts the day with {a} {t} and picks up {b} more. How many {t} does {n} end up "
            "with?",
            "In one jar there are {a} {t}, in a second jar {b}. How many {t} are in the two jars?",
            "{n} and {m} share a desk. {n} lays {a} {t} on it and {m} lays {b}. How many {t} lie "
            "there?",
            "A truck delivers {a} {t} and a van delivers {b} {t}. How many {t} were delivered?",
            "{m} already stored {a} {t}. Today {n} stores {b} as well. How many {t} are stored?",
            "{n} won {a} {t} in the first game and {b} {t} in the second. How many {t} did {n} "
            "win?",
            "For a party, {n} brings {a} {t} and {m} brings {b}. How many {t} are at the party?",
            "{n} saw {a} {t} in one window and {b} in the next. How many {t} did {n} see?",
        ),
        "-": (
            "{n} starts the day with {a} {t} and hands {b} to {m}. How many {t} does {n} end up "
            "with?",
            "A jar held {a} {t} until {m} removed {b}. How many {t} does the jar hold now?",
            "{n} borrowed {a} {t} and has returned {b}. How many {t} does {n} still have to "
            "return?",
            "A truck leaves with {a} {t}, and {b} fall off. How many {t} reach the end of the "
            "road?",
            "{n} set out {a} {t} for a party, and the guests took {b}. How many {t} are still "
            "there?",
            "{m} wrapped {b} of the {a} {t}. How many {t} are not wrapped yet?",
            "{n} won {a} {t} and {m} won {b}. By how many {t} is {n} ahead?",
            "A pile of {a} {t} gets smaller by {b}. How many {t} are in the pile now?",
        ),
    },
}


def build(split: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return shuffled (problem, reference) pairs of `split`: half sums, half differences, none
    twice.
    """
    share = SIZES[split] // 2
    pairs = [pair for sign in "+-" for pair in _problems(STORIES[split][sign], sign, share, rng)]
    rng.shuffle(pairs)
    return pairs


def _problems(
    stories: tuple[str, ...], sign: str, count: int, rng: random.Random
) -> list[tuple[str, str]]:
    """Fill the stories in turn until there are `count` different problems."""
    seen: dict[str, str] = {}
    while len(seen) < count:
        story = stories[len(seen) % len(stories)]
        a, b = _numbers(sign, rng)
        n, m = rng.sample(NAMES, 2)
        text = story.format(n=n, m=m, t=rng.choice(THINGS), a=a, b=b)
        seen[text] = f"{a} {sign} {b} = {a + b if sign == '+' else a - b}"
    return list(seen.items())


def _numbers(sign: str, rng: random.Random) -> tuple[int, int]:
    """Return two numbers from 2 to 10; for a difference the first is the larger."""
    if sign == "+":
        return rng.randint(2, 10), rng.randint(2, 10)
    a = rng.randint(3, 10)
    return a, rng.randint(2, a - 1)


def scenarios(split: str) -> dict[str, str]:
    """Return name -> text of the stories that the rows of `split` were made from."""
    return {
        f"{sign} {number}": text
        for sign in "+-"
        for number, text in enumerate(STORIES[split][sign], start=1)
    }


def rows(split: str) -> list[dict]:
    """Return the rows of `split`; the seed is fixed, so each call gives the same rows."""
    pairs = build(split, random.Random(f"sums-{split}-1"))
    return [
        {
            "id": f"sums-{split}-{number:04d}",
            "messages": [{"role": "user", "content": f"{INSTRUCTION}\n{problem}"}],
            "reference": reference,
        }
        for number, (problem, reference) in enumerate(pairs, start=1)
    ]
