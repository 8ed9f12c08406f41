"""Text bank and generator of the task `tickets`: route a customer message to one of six teams.

Every split has scenarios, openers and closers of its own; only the products and days are shared. A
scenario of the test split describes the same sort of problem as one of the train split in other
words. No message contains its team's name. Plain standard library; texts CC BY 4.0."""

import random

TEAMS = ("billing", "shipping", "returns", "account", "technical", "sales")
INSTRUCTION = (
    "Which team should handle this message: billing, shipping, returns, account, technical or "
    "sales?"
)
SIZES = {"train": 480, "dev": 120, "test": 240}

PRODUCTS = (
    "tablet",
    "camera",
    "speaker",
    "printer",
    "monitor",
    "smart watch",
    "router",
    "projector",
    "drone",
    "phone",
    "thermostat",
    "game console",
    "laptop",
    "scanner",
    "doorbell",
    "television",
    "keyboard",
    "radio",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
AMOUNTS = (
    "12 dollars",
    "19 dollars",
    "25 dollars",
    "30 dollars",
    "45 dollars",
    "60 dollars",
    "80 dollars",
)

OPENERS = {
    "train": (
        "",
        "",
        "",
        "Hello.",
        "Hi there.",
        "Good morning.",
        "I need some help.",
        "Quick question.",
        "Sorry to bother you.",
        "Dear team,",
    ),
    "dev": (
        "",
        "",
        "",
        "Hey.",
        "Good day.",
        "Could somebody look into this?",
        "A small problem here.",
    ),
    "test": (
        "",
        "",
        "",
        "Good evening.",
        "Hello again.",
        "To whom it may concern,",
        "I hope you can help me.",
        "Greetings.",
    ),
}
CLOSERS = {
    "train": (
        "",
        "",
        "",
        "Thanks a lot.",
        "Please get back to me soon.",
        "Can you help?",
        "What should I do?",
        "Thank you in advance.",
        "Please advise.",
        "Best wishes.",
    ),
    "dev": ("", "", "", "Many thanks.", "What happens next?", "I look forward to your answer."),
    "test": (
        "",
        "",
        "",
        "Kind regards.",
        "I would be grateful for a reply.",
        "How do we fix this?",
        "Thanks for looking at it.",
        "Let me know, please.",
    ),
}

SCENARIOS = {
    "train": {
        "billing": (
            "My card was charged twice for the same {p} on {day}.",
            "The invoice for my {p} shows {amount} more than the price I agreed to pay.",
            "I see a charge of {amount} on my bank statement that I do not recognise.",
            "My credit card payment for the {p} was declined, although there is enough money on "
            "it.",
            "Please send me an invoice with the tax number of my company for the {p}.",
            "You took {amount} from my bank for a monthly plan that I never signed up for.",
            "I paid for the {p} by bank transfer on {day}, but the invoice still says unpaid.",
            "The discount code was accepted, yet I was charged the full price for the {p}.",
            "I would like to pay for the {p} in three instalments. How do the payments work?",
            "The tax on my invoice is wrong. I was charged {amount} too much.",
            "I cancelled my monthly plan and the fee of {amount} was still taken on {day}.",
            "I need a copy of the receipt for the {p} so that my employer pays me back.",
            "Your last invoice lists two of the {p}, but I only bought one.",
            "Why did my monthly fee go up by {amount} without any notice?",
            "A late payment fee of {amount} was added, even though I paid on time.",
            "I want to pay with another credit card from next month on. The old card has expired.",
            "I was charged in the wrong currency for the {p}, and it cost me {amount} extra.",
            "The payment page took my money twice when I pressed the button on {day}.",
            "My gift card with {amount} on it was not deducted from the total I paid.",
            "There is a service fee of {amount} on my invoice that nobody can explain.",
            "I received a payment reminder for the {p}, but I paid that invoice on {day}.",
            "The receipt for my {p} has the wrong company name and I need it corrected for tax.",
            "My bank says you are still holding {amount} from a payment that failed on {day}.",
            "I was overcharged. The {p} was advertised for {amount} less than I paid.",
        ),
        "shipping": (
            "My parcel with the {p} was due on {day} and it still has not arrived.",
            "The tracking page has said in transit since {day}. Where is my package?",
            "The courier left my {p} at the wrong house and the neighbours do not have it.",
            "I moved last week. Please send the parcel with my {p} to my new address.",
            "Tracking says my package was delivered on {day}, but nothing is at my door.",
            "When will my {p} be delivered? I ordered it on {day} with express delivery.",
            "The driver did not ring the bell and took my parcel back to the depot.",
            "I never received a tracking number for the {p} that I ordered on {day}.",
            "Could the courier deliver my {p} on {day} instead? Nobody is at home before that.",
            "My order is stuck in customs and the tracking has not moved since {day}.",
            "Only one of the two boxes arrived on {day}. Where is the second parcel?",
            "I have waited two weeks for the delivery of my {p}. How much longer will it take?",
            "I typed the wrong street for my delivery. "
            "Can you change it before the {p} leaves the warehouse?",
            "The parcel was sent to my old address, and I no longer live there.",
            "Your courier said my {p} is lost. Will you send a new parcel?",
            "Can I pick up the package with my {p} at the post office instead of waiting at home?",
            "The delivery of my {p} was promised for {day}. Now the date is next month.",
            "The tracking number for my {p} does not work on the courier's website.",
            "How do I give the driver a door code so that the parcel with the {p} can be "
            "delivered?",
            "The package was handed to a stranger. I did not sign for my {p} on {day}.",
            "Has my {p} left the warehouse yet? The order still says preparing.",
            "The courier missed me on {day}. How can I book a new delivery time?",
            "I paid for next day delivery, but the {p} is still at your depot.",
            "The estimated arrival of my {p} changes each day, and the parcel never comes.",
        ),
        "returns": (
            "I changed my mind about the {p} and want to send it back.",
            "The {p} arrived with a cracked case, and I would like a replacement.",
            "You sent me a black {p}, but I ordered a white one. I want to exchange it.",
            "How many days do I have to send the {p} back if I do not like it?",
            "The {p} is too big for my room. Can I swap it for a smaller one?",
            "I sent the {p} back on {day}. When will I get my refund?",
            "I need a prepaid label so that I can send the {p} back to you.",
            "The {p} I unpacked on {day} was broken in the box. Please replace it.",
            "I received the wrong item. There was a {p} in the box that I never ordered.",
            "My {p} was a gift and I already own one. Can I give it back for a refund?",
            "I opened the box of the {p}. Can I still send it back for my money?",
            "The {p} does not match the description, so I want my money back.",
            "I would like to exchange my {p} for a different colour.",
            "You got my old {p} back on {day}, but the refund has not come yet.",
            "Where do I drop off the {p} that I want to give back?",
            "The {p} came scratched and clearly used. I want a new one or a refund.",
            "I threw away the packaging of the {p}. Can I still hand it back to you?",
            "I ordered two of the {p} by mistake and want to send one back.",
            "The replacement for my damaged {p} is damaged as well. I now want a refund.",
            "A part of the {p} was missing from the box. Please exchange the whole set.",
            "I am not happy with the {p}. Please tell me how to get a refund.",
            "Do I have to pay the postage when I send back an unwanted {p}?",
            "I bought the {p} last month and never used it. Will you take it back?",
            "The form for sending back my {p} asks for a reason, and I am unsure which to choose.",
        ),
        "account": (
            "I forgot my password and the reset email never comes.",
            "I cannot log in. The website says that my password is wrong.",
            "Please change the email address on my profile. I do not use the old one any more.",
            "I want to delete my profile and all personal data you have about me.",
            "Somebody logged in as me on {day}. I think my password was stolen.",
            "The code for the two-step login is sent to a phone number I no longer have.",
            "My login was blocked after three wrong attempts on {day}. Please unlock it.",
            "I married last month and need to change the surname on my profile.",
            "How do I turn on two-step login to protect my user profile?",
            "I registered twice by mistake. Can you merge my two user profiles?",
            "The link in the email to confirm my registration has expired.",
            "I do not remember which username I chose when I signed up on {day}.",
            "Please stop sending me the newsletter. I cannot find this setting in my profile.",
            "I want to add my wife as a second user, with a login of her own.",
            "My profile still shows my old phone number and I cannot edit it.",
            "I get an email that my password was changed on {day}, but I did not do it.",
            "I cannot sign up, because the website says my email is already registered.",
            "Each time I log in I am asked to set a new password again.",
            "How can I see which devices are logged in with my username?",
            "My daughter left our company. Please remove her user login.",
            "I lost access to my email and so I cannot reset my password.",
            "The security question for my login is not one that I ever set.",
            "Please send me a copy of all personal data stored in my profile.",
            "I want to change my username to my new email address.",
        ),
        "technical": (
            "My {p} does not turn on, even after a full night of charging.",
            "The {p} loses its wifi connection every few minutes.",
            "Since the software update on {day} my {p} freezes all the time.",
            "How do I set up the {p}? The app cannot find it.",
            "The {p} shows error code 42 and then switches itself off.",
            "The screen menu of my {p} is stuck in a language I cannot read. How do I reset it?",
            "My {p} makes a loud buzzing noise whenever it is plugged in.",
            "The app crashes as soon as I connect my {p} to it.",
            "The battery of the {p} is empty after only one hour of use.",
            "I cannot pair the {p} with my computer over bluetooth.",
            "The firmware update of my {p} stops at half way each time.",
            "My {p} gets very hot when it runs for more than ten minutes.",
            "A red light blinks on my {p} and none of the buttons react.",
            "How can I restore the factory settings of the {p}?",
            "The {p} restarts by itself several times a day since {day}.",
            "The driver for the {p} does not install on my new computer.",
            "My {p} is very slow since {day}. Is there a setting that makes it faster?",
            "The power button of my {p} works only now and then.",
            "The {p} cannot connect to my home network, although other devices can.",
            "The sound from my {p} is distorted at any volume. I tried another cable.",
            "My {p} worked well until {day}. Now it only shows an error message.",
            "Which cable do I use to connect the {p} to my computer? It is not detected.",
            "The clock on my {p} is always one hour off after a restart.",
            "The {p} does not save my settings when I switch it off.",
        ),
        "sales": (
            "I am thinking about buying a {p}. Which model would you recommend for a beginner?",
            "Do you offer a discount if our school buys twenty of the {p}?",
            "Is the new {p} in stock, and what does it cost?",
            "What is the difference between the basic {p} and the premium model?",
            "We would like a price quote for thirty units of the {p} for our office.",
            "Will the {p} be cheaper next week? I want to buy one.",
            "Can I see the {p} in one of your shops before I buy it?",
            "When will the new model of the {p} be available to order?",
            "Which {p} is best for a small flat? I have not bought one yet.",
            "Do you have student prices for the {p}?",
            "I would like to buy a {p} as a present. Do you sell gift sets?",
            "Does the {p} come with a longer warranty if I buy the premium version?",
            "I want to place a large order of the {p} for my shop. Who can make me an offer?",
            "Do you sell the {p} in green? I only see black in the shop.",
            "Which accessories should I buy together with the {p}?",
            "Could you call me on {day} about an offer for our company? We need fifty of the {p}.",
            "Before I buy the {p}, I want to know whether it suits children.",
            "I saw a cheaper {p} at another shop. Can you match this price?",
            "Is there a bundle offer for the {p} with a case?",
            "I would like to order a demo of the {p} before we decide to buy.",
            "Do you plan any special offers on the {p} before {day}?",
            "We are a new restaurant and want to know your prices for a {p}.",
            "Can I reserve a {p} today and buy it on {day}?",
            "Which of your plans would you recommend to a family that is new here?",
        ),
    },
    "dev": {
        "billing": (
            "There are two payments of {amount} on my card for a single {p}.",
            "I cannot find the invoice for the {p} that I paid for on {day}.",
            "Your system took a fee of {amount} after I had ended my plan.",
            "My bank refused the payment for the {p}. Can I pay another way?",
            "The amount on my receipt is {amount} higher than what the shop page said.",
            "Please correct the tax on the invoice you wrote for the {p}.",
            "The voucher worth {amount} was not taken off what I had to pay.",
            "I keep getting reminders for an invoice that was paid on {day}.",
        ),
        "shipping": (
            "It is {day} already and the package with my {p} is not here.",
            "Where is my {p} right now? The tracking link shows nothing new.",
            "Please deliver the {p} to my office, not to my home address.",
            "The driver wrote that he delivered the {p}, yet I got no parcel.",
            "How long does delivery of a {p} to an island take after I order?",
            "My parcel has been at the customs office since {day}.",
            "Half of my order came on {day}. The box with the {p} is still missing.",
            "I will be away on {day}, so the courier needs to come another time.",
        ),
        "returns": (
            "I do not need the {p} any more. How can I send it back?",
            "My {p} came out of the box broken and I want another one.",
            "Somebody packed the wrong {p}. Please exchange it for the one I chose.",
            "You have had my {p} back since {day}, so where is my refund?",
            "The {p} is not what I expected, and I want my money back.",
            "Is it possible to swap the {p} for a bigger one?",
            "Please email me the label for the {p} that I am sending back.",
            "May I give back a {p} whose box was already opened?",
        ),
        "account": (
            "My password no longer works and I cannot log in.",
            "No email arrives when I ask for a new password.",
            "Please erase my profile and my personal data for good.",
            "I have a new email and want to use it for my login.",
            "There was a login on {day} from a country that I have never visited.",
            "I got a new phone number, so the login codes do not reach me.",
            "Your website says my user name is blocked since {day}.",
            "My name is spelled wrong on my profile and I cannot change it.",
        ),
        "technical": (
            "The {p} stays dark when I press the power button.",
            "My {p} keeps dropping the wifi in the living room.",
            "After the latest update the {p} crashes whenever I start it.",
            "The app says that it cannot detect my {p}.",
            "An error message comes up on the {p} and the buttons do nothing.",
            "The battery of my {p} hardly lasts half an hour since {day}.",
            "How do I put the {p} back to its factory settings?",
            "There is a strange noise from the {p} and it gets hot.",
        ),
        "sales": (
            "Which {p} would you recommend? I would like to buy my first one.",
            "What would you charge our club for forty of the {p}? Please make an offer.",
            "Are there any {p} models in stock that come in red?",
            "How does the cheap {p} compare with the premium one? I have to choose.",
            "Are you planning a discount on the {p}? I may buy one on {day}.",
            "I want to try out a {p} in a shop before I order it.",
            "Do teachers get a lower price when they buy a {p}?",
            "When does the next {p} model come out? I want to order early.",
        ),
    },
    "test": {
        "billing": (
            "You have debited my card two times for one {p}.",
            "My statement lists {amount} to your company and I have no idea what I paid for.",
            "According to the invoice I owe {amount} more than the {p} costs.",
            "We need the invoice for our {p} made out to our company, for the tax office.",
            "Even though I stopped the monthly plan, another {amount} was charged on {day}.",
            "My credit card gets rejected when I try to pay what I owe for the {p}.",
            "The money for the {p} went out on {day}, but you still list the payment as open.",
            "The price reduction I was promised is missing on the invoice for the {p}.",
            "Can I split the payment for the {p} over a few months?",
            "I lost the receipt of the {p}. Could you print me another one?",
            "What is this extra fee of {amount} that was added to my payment?",
            "From next month, please charge the monthly fee to my new bank card.",
        ),
        "shipping": (
            "I expected the {p} last {day} and the parcel is nowhere to be seen.",
            "According to the tracking, nobody has moved my package since {day}.",
            "The package is marked as delivered, but I never got the {p}.",
            "I gave you an old address. Please redirect the parcel with the {p}.",
            "Did the warehouse send out my {p} yet, and when does it get here?",
            "The courier dropped the box with my {p} at somebody else's door.",
            "I was at work when the driver came on {day}. Could he try to deliver again?",
            "One parcel out of three has arrived so far. The {p} is not among them.",
            "You promised express delivery of the {p}, and a week later I am still waiting.",
            "No tracking number was in the email about my {p}. Could you send it?",
            "I believe my package got lost on the way. It left the depot on {day}.",
            "May I collect the parcel with the {p} from the depot myself?",
        ),
        "returns": (
            "I would rather not keep the {p}. How do I send it back to you?",
            "There is a big crack in the {p} you delivered, so I want it replaced.",
            "The {p} in the box is not the one I picked. Please swap it for the right one.",
            "A week ago I sent back the {p}, and I have seen no refund so far.",
            "Would you exchange a {p} for one in another colour?",
            "Until when can I give back a {p} that I bought on {day}?",
            "I got the same {p} twice as a birthday gift and want to hand one back for a refund.",
            "The {p} disappointed me. I am asking for my money back.",
            "How do I get the label to post the {p} back to you?",
            "My new {p} looks as if somebody had used it before. I want to exchange it.",
            "The box of my {p} is torn and pieces are missing, so please send a replacement.",
            "Will you still take back the {p} without its packaging?",
        ),
        "account": (
            "I am unable to log in since {day}, because my password is not accepted.",
            "I asked for a password reset four times and got no email.",
            "Please close my profile and wipe my personal data.",
            "Someone else seems to be using my login. There was a sign-in on {day} that was not "
            "me.",
            "My phone was stolen, so I cannot receive the code to log in.",
            "I typed the wrong password too often on {day} and am now locked out.",
            "How do I update the name and the phone number in my profile?",
            "The email I registered with is gone. I want to use another one to log in.",
            "By accident I signed up two times. Please join both profiles into one.",
            "I would like my colleague to get her own user login for our company.",
            "Which username did I register with? I cannot remember it.",
            "The link to confirm my new email address does not open any more.",
        ),
        "technical": (
            "Nothing happens when I switch on the {p}, although it is fully charged.",
            "The wifi on my {p} drops out again and again.",
            "My {p} hangs and restarts ever since I installed the new software.",
            "The app fails to find the {p} during the setup.",
            "My {p} displays an error code and turns itself off.",
            "I hear a loud hum from the {p} as soon as I plug it in.",
            "The {p} runs out of battery far too quickly since {day}.",
            "Bluetooth pairing between my computer and the {p} fails every time.",
            "How can I reset the {p}? Its buttons have stopped working.",
            "The update for my {p} never finishes. It hangs at ninety percent.",
            "After a few minutes of use the {p} overheats and shuts down.",
            "My computer does not detect the {p}, whichever cable I use.",
        ),
        "sales": (
            "I am looking for a good {p} for my parents. What do you recommend we buy?",
            "Is there a better price if we order a hundred of the {p} for our hotel?",
            "How much is the latest {p}, and is it available now?",
            "Please explain how the two {p} models differ, so I can choose one to buy.",
            "Could someone prepare a quote for our office? We want fifteen of the {p}.",
            "Should I wait for a special offer before I buy the {p}?",
            "Is there a shop near me where I can look at the {p} before buying?",
            "When can I order the new {p} that you announced on {day}?",
            "Do you give a discount to students who want to buy a {p}?",
            "Another store has the {p} for less. Would you sell it to me at that price?",
            "Do you sell the {p} together with a bag as a set?",
            "I have not decided on a {p} yet. Is the premium version worth the price?",
        ),
    },
}


def build(split: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return shuffled (message, team) pairs of `split`: equal numbers a team, no message twice."""
    share = SIZES[split] // len(TEAMS)
    pairs = [
        (text, team)
        for team in TEAMS
        for text in _messages(split, SCENARIOS[split][team], share, rng)
    ]
    rng.shuffle(pairs)
    return pairs


def _messages(split: str, scenarios: tuple[str, ...], count: int, rng: random.Random) -> list[str]:
    """Fill the scenarios in turn until there are `count` different messages."""
    seen: dict[str, None] = {}
    order = list(scenarios)
    while len(seen) < count:
        rng.shuffle(order)
        for scenario in order[: count - len(seen)]:
            seen[_message(split, scenario, rng)] = None
    return list(seen)


def _message(split: str, scenario: str, rng: random.Random) -> str:
    filled = scenario.format(
        p=rng.choice(PRODUCTS), day=rng.choice(DAYS), amount=rng.choice(AMOUNTS)
    )
    parts = (rng.choice(OPENERS[split]), filled, rng.choice(CLOSERS[split]))
    return " ".join(part for part in parts if part)


def scenarios(split: str) -> dict[str, str]:
    """Return name -> text of the scenarios that the rows of `split` were made from."""
    return {
        f"{team} {number}": text
        for team in TEAMS
        for number, text in enumerate(SCENARIOS[split][team], start=1)
    }


def rows(split: str) -> list[dict]:
    """Return the rows of `split`; the seed is fixed, so each call gives the same rows."""
    pairs = build(split, random.Random(f"tickets-{split}-1"))
    return [
        {
            "id": f"tickets-{split}-{number:04d}",
            "messages": [{"role": "user", "content": f"{INSTRUCTION}\n{message}"}],
            "reference": team,
        }
        for number, (message, team) in enumerate(pairs, start=1)
    ]
