"""Text bank and generator of the task `calls`: write the one Python call that fits a request.

The row shows one function with one or two typed arguments, and a request that names every value as
it must stand in the call. All splits use the same functions; each has phrasings of its own. Plain
standard library; texts CC BY 4.0."""

import random

INSTRUCTION = (
    "Write the Python call of this function that does what the request asks. Use keyword arguments."
)
SIZES = {"train": 480, "dev": 120, "test": 240}

NUMBERS = tuple(range(2, 61))
CITIES = (
    "Paris",
    "Rome",
    "Madrid",
    "Berlin",
    "Oslo",
    "Vienna",
    "Lisbon",
    "Dublin",
    "Athens",
    "Prague",
    "Cairo",
    "Tokyo",
    "Delhi",
    "Lima",
    "Quito",
    "Boston",
    "Denver",
    "Toronto",
    "Sydney",
    "Nairobi",
)
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
ROOMS = (
    "kitchen",
    "bedroom",
    "bathroom",
    "hall",
    "office",
    "garage",
    "attic",
    "cellar",
    "nursery",
    "library",
    "studio",
    "lounge",
    "workshop",
    "pantry",
    "laundry",
    "porch",
)
FOODS = (
    "apples",
    "eggs",
    "lemons",
    "onions",
    "carrots",
    "bananas",
    "tomatoes",
    "potatoes",
    "pears",
    "peaches",
    "melons",
    "bagels",
    "muffins",
    "olives",
    "plums",
    "cherries",
)
TOPICS = (
    "jazz",
    "chess",
    "history",
    "gardening",
    "football",
    "cooking",
    "travel",
    "painting",
    "science",
    "tennis",
    "opera",
    "hiking",
    "sailing",
    "poetry",
    "cycling",
    "astronomy",
    "photography",
    "yoga",
    "robots",
    "trains",
)
WORDS = (
    "river",
    "house",
    "window",
    "bread",
    "garden",
    "cloud",
    "bridge",
    "winter",
    "friend",
    "paper",
    "mirror",
    "forest",
    "island",
    "candle",
    "pocket",
    "button",
    "flower",
    "summer",
    "silver",
    "letter",
)
LANGUAGES = (
    "French",
    "Spanish",
    "German",
    "Italian",
    "Polish",
    "Dutch",
    "Greek",
    "Turkish",
    "Danish",
    "Czech",
)
TEXTS = (
    "hello",
    "good luck",
    "see you soon",
    "thank you",
    "I am late",
    "call me",
    "well done",
    "good night",
    "welcome home",
)

# name: (argument -> (type, pool), train phrasings, dev phrasings, test phrasings)
FUNCTIONS = {
    "set_timer": (
        {"minutes": ("int", NUMBERS)},
        ("Set a timer for {minutes} minutes.", "Start a timer of {minutes} minutes, please."),
        ("I need a {minutes} minute timer.",),
        ("Let a timer run for {minutes} minutes.", "Tell me when {minutes} minutes are over."),
    ),
    "set_volume": (
        {"level": ("int", NUMBERS)},
        ("Set the volume to {level}.", "Turn the sound to level {level}."),
        ("Please make the volume {level}.",),
        ("The volume should be at {level}.", "Change how loud it is to {level}."),
    ),
    "set_temperature": (
        {"room": ("str", ROOMS), "degrees": ("int", tuple(range(14, 28)))},
        ("Set the {room} to {degrees} degrees.", "Heat the {room} to {degrees} degrees, please."),
        ("I would like {degrees} degrees in the {room}.",),
        ("Make it {degrees} degrees in the {room}.", "The {room} should have {degrees} degrees."),
    ),
    "turn_on_light": (
        {"room": ("str", ROOMS), "percent": ("int", tuple(range(10, 100, 5)))},
        (
            "Turn on the {room} light at {percent} percent.",
            "Light the {room} at {percent} percent.",
        ),
        ("Switch the {room} lamp to {percent} percent.",),
        ("I want the {room} lit at {percent} percent.", "Give the {room} {percent} percent light."),
    ),
    "get_weather": (
        {"city": ("str", CITIES), "days": ("int", tuple(range(2, 11)))},
        ("Show the weather in {city} for {days} days.", "Get the {days} day weather for {city}."),
        ("What will {city} be like over the next {days} days?",),
        (
            "Will it rain in {city} in the coming {days} days?",
            "I need a {days} day forecast for {city}.",
        ),
    ),
    "book_table": (
        {"name": ("str", NAMES), "people": ("int", tuple(range(2, 13)))},
        (
            "Book a table for {people} people under the name {name}.",
            "{name} wants a table for {people}.",
        ),
        ("Please reserve a table for {people} guests. The name is {name}.",),
        (
            "Get {name} a table with {people} seats.",
            "We are {people} people, and my name is {name}.",
        ),
    ),
    "book_hotel": (
        {"city": ("str", CITIES), "nights": ("int", tuple(range(2, 15)))},
        (
            "Book a hotel in {city} for {nights} nights.",
            "I need a room in {city} for {nights} nights.",
        ),
        ("Find me somewhere to sleep in {city} for {nights} nights.",),
        ("We stay {nights} nights in {city}.", "Reserve {nights} nights at a hotel in {city}."),
    ),
    "find_flight": (
        {"origin": ("str", CITIES[:10]), "destination": ("str", CITIES[10:])},
        (
            "Find a flight from {origin} to {destination}.",
            "I want to fly from {origin} to {destination}.",
        ),
        ("Which planes go from {origin} to {destination}?",),
        (
            "Get me from {origin} to {destination} by plane.",
            "I am in {origin} and must go to {destination}.",
        ),
    ),
    "send_message": (
        {"to": ("str", NAMES), "text": ("str", TEXTS)},
        ('Send {to} the message "{text}".', 'Write "{text}" to {to}.'),
        ('Let {to} know: "{text}".',),
        ('Text "{text}" to {to}, please.', '{to} should get a note saying "{text}".'),
    ),
    "call_contact": (
        {"name": ("str", NAMES)},
        ("Call {name}.", "Please phone {name} now."),
        ("I want to talk to {name} on the phone.",),
        ("Give {name} a ring.", "Can you get {name} on the line?"),
    ),
    "add_to_list": (
        {"item": ("str", FOODS), "amount": ("int", tuple(range(2, 25)))},
        ("Add {amount} {item} to the list.", "Put {amount} {item} on my shopping list."),
        ("We have to buy {amount} {item}.",),
        ("Note that I need {amount} {item}.", "Remember {amount} {item} for the shop."),
    ),
    "order_food": (
        {"dish": ("str", FOODS), "table": ("int", tuple(range(2, 31)))},
        ("Order {dish} for table {table}.", "Table {table} would like {dish}."),
        ("Please bring {dish} to table {table}.",),
        ("The guests at table {table} want {dish}.", "Serve {dish} at table {table}."),
    ),
    "play_music": (
        {"artist": ("str", NAMES), "songs": ("int", tuple(range(2, 21)))},
        ("Play {songs} songs by {artist}.", "Start {songs} songs of the artist {artist}."),
        ("I would like to hear {songs} songs by {artist}.",),
        ("Let me listen to {songs} songs from {artist}.", "Put on {artist}, {songs} songs."),
    ),
    "search_books": (
        {"topic": ("str", TOPICS)},
        ("Search for books about {topic}.", "Find me a book on {topic}."),
        ("I would like to read something about {topic}.",),
        ("Which books deal with {topic}?", "Look up what has been written on {topic}."),
    ),
    "find_videos": (
        {"topic": ("str", TOPICS), "count": ("int", tuple(range(2, 16)))},
        ("Find {count} videos about {topic}.", "Show me {count} videos on {topic}."),
        ("I want to watch {count} clips about {topic}.",),
        ("Look for {count} films that deal with {topic}.", "Pick {count} {topic} videos for me."),
    ),
    "translate_word": (
        {"word": ("str", WORDS), "language": ("str", LANGUAGES)},
        ('Translate "{word}" into {language}.', 'What does "{word}" mean in {language}?'),
        ('How do you say "{word}" in {language}?',),
        ('I need the {language} for "{word}".', 'Tell me the word "{word}" in {language}.'),
    ),
    "define_word": (
        {"word": ("str", WORDS)},
        ('Define the word "{word}".', 'Look up the meaning of "{word}".'),
        ('What does "{word}" mean?',),
        ('Explain the word "{word}" to me.', 'I do not know what "{word}" is.'),
    ),
    "add_numbers": (
        {"a": ("int", NUMBERS), "b": ("int", NUMBERS)},
        ("Add {a} and {b}.", "What is the sum of {a} and {b}?"),
        ("How much is {a} plus {b}?",),
        ("Work out {a} + {b}.", "Put {a} and {b} together."),
    ),
    "roll_dice": (
        {"dice": ("int", tuple(range(2, 13))), "sides": ("int", (4, 6, 8, 10, 12, 20))},
        ("Roll {dice} dice with {sides} sides.", "Throw {dice} dice of {sides} sides each."),
        ("I need a roll of {dice} dice that have {sides} sides.",),
        (
            "Take {dice} dice with {sides} sides and roll.",
            "Let {dice} dice fall, {sides} sides each.",
        ),
    ),
    "convert_miles": (
        {"miles": ("int", NUMBERS)},
        ("Convert {miles} miles to kilometres.", "Turn {miles} miles into kilometres."),
        ("How many kilometres are {miles} miles?",),
        ("I ran {miles} miles. What is that in kilometres?", "Give {miles} miles in kilometres."),
    ),
    "draw_box": (
        {"width": ("int", NUMBERS), "height": ("int", NUMBERS)},
        (
            "Draw a box of width {width} and height {height}.",
            "Draw a {width} wide and {height} high box.",
        ),
        ("I need a box that is {width} wide and {height} high.",),
        (
            "Sketch a box, {width} in width and {height} in height.",
            "New box: {width} wide, {height} high.",
        ),
    ),
    "open_page": (
        {"number": ("int", NUMBERS)},
        ("Open page {number}.", "Go to page {number}, please."),
        ("Show me page {number}.",),
        ("Jump to page {number} of the book.", "I want to read page {number}."),
    ),
    "pay_person": (
        {"name": ("str", NAMES), "dollars": ("int", NUMBERS)},
        ("Pay {name} {dollars} dollars.", "Send {dollars} dollars to {name}."),
        ("{name} should get {dollars} dollars from me.",),
        ("I owe {name} {dollars} dollars. Please pay.", "Transfer {dollars} dollars to {name}."),
    ),
    "water_plants": (
        {"room": ("str", ROOMS), "seconds": ("int", NUMBERS)},
        (
            "Water the plants in the {room} for {seconds} seconds.",
            "Water the {room} for {seconds} seconds.",
        ),
        ("The plants in the {room} need {seconds} seconds of water.",),
        (
            "Run the water in the {room} for {seconds} seconds.",
            "Give the {room} {seconds} seconds of water.",
        ),
    ),
}
PLACE = {"train": 1, "dev": 2, "test": 3}


def spec(name: str) -> str:
    """Return the signature a row shows, such as `set_timer(minutes: int)`."""
    arguments = [f"{argument}: {kind}" for argument, (kind, _) in FUNCTIONS[name][0].items()]
    return f"{name}({', '.join(arguments)})"


def build(split: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return shuffled (spec and request, call) pairs of `split`: equal numbers a function, none
    twice.
    """
    share = SIZES[split] // len(FUNCTIONS)
    pairs = [pair for name in FUNCTIONS for pair in _requests(name, split, share, rng)]
    rng.shuffle(pairs)
    return pairs


def _requests(name: str, split: str, count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Fill the phrasings in turn until there are `count` different requests."""
    arguments, phrasings = FUNCTIONS[name][0], FUNCTIONS[name][PLACE[split]]
    seen: dict[str, str] = {}
    while len(seen) < count:
        values = {argument: rng.choice(pool) for argument, (_, pool) in arguments.items()}
        request = phrasings[len(seen) % len(phrasings)].format(**values)
        written = ", ".join(f"{key}={_literal(value)}" for key, value in values.items())
        seen[f"Function: {spec(name)}\nRequest: {request}"] = f"{name}({written})"
    return list(seen.items())


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def scenarios(split: str) -> dict[str, str]:
    """Return name -> text of the phrasings that the rows of `split` were made from."""
    return {
        f"{name} {number}": f"Function: {spec(name)}\nRequest: {text}"
        for name in FUNCTIONS
        for number, text in enumerate(FUNCTIONS[name][PLACE[split]], start=1)
    }


def rows(split: str) -> list[dict]:
    """Return the rows of `split`; the seed is fixed, so each call gives the same rows."""
    pairs = build(split, random.Random(f"calls-{split}-1"))
    return [
        {
            "id": f"calls-{split}-{number:04d}",
            "messages": [{"role": "user", "content": f"{INSTRUCTION}\n{request}"}],
            "reference": call,
        }
        for number, (request, call) in enumerate(pairs, start=1)
    ]
