"""Hand-written answers for the training rows of `tickets`, and the register of `data/writers`.

    python data/generators/writers.py            write tickets-hand.jsonl, writers.json, the table
    python data/generators/writers.py --check    write nothing; exit code 1 if a file differs

The bank below has one block a scenario, in the order of `tickets.SCENARIOS["train"]`, and two or
more sentences a block; the rows of a scenario take them in turn. A sentence may name the product,
the day or the amount of its row. The model's rewrites are recorded, not made here. Plain standard
library; texts CC BY 4.0."""

import argparse
import hashlib
import json
import re
import sys
from itertools import cycle
from pathlib import Path

import tickets

FOLDER = Path(__file__).resolve().parents[1] / "writers"
SLOTS = {"p": tickets.PRODUCTS, "day": tickets.DAYS, "amount": tickets.AMOUNTS}
CHECKSUMS = re.compile(r"(?<=<!-- checksums:begin -->\n).*?(?=<!-- checksums:end -->)", re.DOTALL)
HAND = "tickets-hand"

BANK = {}
BANK["billing"] = """
This one goes to billing: the customer was charged two times for one {p}.
A double charge on a card is a mistake that billing has to undo.

The bill for the {p} is higher than agreed, so billing should correct it.
I would pass it to billing, who can compare the invoice with the agreed price.

Somebody in billing must find out where the unknown charge of {amount} comes from.
Billing, I think: the customer cannot explain a sum on the bank statement.

Since the card payment for the {p} was refused, billing is the place to ask.
Payments that fail although the card is covered belong with billing.

Billing writes the invoices, and this company wants one with its tax number.
It is a request for a business invoice, which makes it a job for billing.

The customer pays for a plan that was never ordered, and billing can stop that.
Send this to billing, please; {amount} left the bank without any agreement.

A transfer made on {day} has not been matched to its invoice, so ask billing.
Here billing has to mark an invoice as paid, because the money was sent.

The discount was lost when the {p} was paid for; let billing put it right.
Billing should look at this, as the customer paid more than the code allowed.

Questions about paying in parts are answered by the people in billing.
The customer asks how to spread the cost of the {p}, so this is for billing.

Billing needs to work out the tax again and give back what was too much.
Wrong tax on an invoice is a matter for billing and for nobody else.

The plan had ended and a fee was taken anyway, so billing owes an answer.
Let billing handle it, for no fee is due once a plan has been cancelled.

Billing keeps the receipts, and this customer needs one for the employer.
Another copy of the proof of payment for the {p} has to come from billing.

One {p} was bought and two were put on the invoice, which billing can fix.
That is for billing to mend: a line on the invoice is there once too often.

A fee that rose without warning has to be explained by billing.
The customer wonders why the plan costs {amount} more, and billing knows the reason.

Billing should take off the late fee, because the money came in time.
My choice is billing: a penalty was added although nothing was paid late.

The card on file has run out, and billing is the team that stores a new one.
Changing the card for future payments is something you do with billing.

The {p} was paid in the wrong currency, so billing has to give back the difference.
An extra cost of {amount} through a currency mix-up should be checked by billing.

One click led to two payments, and billing can cancel the second.
Give it to billing, since the web page collected the same money a second time.

The value of a gift card was forgotten in the total, so billing must subtract it.
Who deals with this? Billing, as {amount} on a gift card did not count.

Billing made out the invoice, so it can say what the service fee is for.
The unexplained fee of {amount} stands on an invoice, and those come from billing.

A reminder came for something that was settled, which billing should clear up.
The {p} is paid for, and billing must stop asking for the money again.

Billing can print the receipt again with the right name of the company.
For the tax office the name on a receipt must be right, so it is billing.

Money from a payment that did not go through is stuck, and billing can release it.
The customer waits for {amount} that is on hold, so billing should free it.

The advert named a lower price for the {p} than was charged, hence billing.
It should land with billing, because the customer paid {amount} above the offer.
"""
BANK["shipping"] = """
The {p} is overdue, and shipping can find out where the parcel is.
A parcel that did not come on the promised day is a case for shipping.

Shipping should trace this package, as its status is the same since {day}.
Nothing moves on the tracking page, so somebody in shipping has to look.

Because the {p} was dropped at a wrong address, I would choose shipping.
This is one for shipping: the courier went to the wrong door with the {p}.

The customer has a new home, and shipping can still redirect the parcel.
Where a parcel goes is up to shipping, and the {p} needs another address.

Marked as delivered but not there: shipping has to ask the driver.
A package seems to have vanished after {day}, so please tell shipping.

Only shipping can say on which day the express parcel will be there.
The customer wants a delivery date for the {p}, which shipping knows.

Let shipping plan a second try, since the driver never rang the bell.
The parcel went back without an attempt, and that concerns shipping.

Tracking numbers are given out by shipping, and this order has none yet.
Please forward it to shipping, who can send the missing number for the {p}.

Moving a delivery to {day} is easy for shipping to arrange.
Nobody will be at home earlier, so shipping should set another date.

An order that is held at the border must be followed up by shipping.
Shipping talks to the customs office, and this order has been there too long.

Half of the order is missing on its way, so shipping should search for it.
The second box has not come, and shipping can tell where it went.

After two weeks of waiting for the {p}, the customer should hear from shipping.
How long it still takes is a question that shipping has to answer.

Shipping can correct the street as long as the {p} is in the warehouse.
The address has a mistake in it, which is why shipping must act quickly.

An old address was used for the parcel, so shipping has to call it back.
That parcel is on its way to a place where nobody waits; shipping, please.

The courier lost the {p}, and it is shipping that sends out a new one.
Shipping deals with lost parcels, and the customer asks for a second one.

Collecting a package instead of waiting for it is arranged through shipping.
The customer would rather fetch the {p} at a counter, so write to shipping.

Shipping broke its promise for {day} and should explain the new date.
A delivery that slips by weeks ought to be looked into by shipping.

The number leads nowhere on the website, so shipping needs to check it.
I say shipping, as the customer cannot follow the way of the {p}.

A door code for the driver is best handed to shipping.
To get the {p} past a locked door, shipping has to pass on a code.

Somebody else took the {p}, and shipping must learn who signed for it.
Shipping ought to investigate, because the courier gave the {p} to the wrong person.

Whether the {p} is on its way already is known to shipping.
The status of the order has stood still, so shipping should have a look.

The customer was not met on {day} and needs a new slot from shipping.
Another delivery time has to be agreed, and shipping keeps that calendar.

Fast delivery was paid for and did not happen, so shipping has to hurry.
Still in the depot? Then shipping should bring the {p} out today.

The date of arrival keeps moving, and only shipping can give a firm one.
Shipping, because the customer is put off day after day and has no {p}.
"""
BANK["returns"] = """
Returns should take it, since the customer does not want the {p} any more.
A change of mind means sending the goods back, and that is what returns is for.

The {p} came with a crack, so returns will swap it for a sound one.
Damaged goods are replaced by returns, and this case was cracked on arrival.

The {p} came in the wrong colour, which is a swap for returns.
Returns, since a white {p} was wanted and a black one was in the box.

The customer asks how long one may try out the {p}, and returns knows.
Time limits for handing things back are set by returns.

The {p} does not fit the room, so returns can trade it for another size.
I would route it to returns, who exchange items that are too large.

The {p} went back on {day}, and returns should say when the money will follow.
Refunds for goods that were sent back are paid out by returns.

Returns prints the prepaid labels, and that is all the customer needs.
To post the {p} back free of charge, you need a label from returns.

Broken when it was unpacked: let returns send another {p}.
The {p} was in pieces when it was opened on {day}, so returns must replace it.

Something else was in the box, and returns will exchange it.
A {p} that nobody asked for has to go back, so I pick returns.

The gift is one too many, and returns can give the money for it.
Since the customer has a {p} already, returns should take the second.

May an opened {p} go back? That rule is kept by returns.
The box is open, and returns decides whether that matters.

The {p} is not as described, so returns has to pay the money back.
Goods that differ from their description are a typical case for returns.

Another colour is wanted, and returns does such exchanges.
This can be settled by returns: one {p} in, one of another colour out.

You have had the goods since {day}, so returns should pay the refund now.
A late refund for a {p} that was handed in is up to returns.

Returns can name the nearest place that accepts the {p}.
The customer only needs to know where to bring it, which returns can say.

A used {p} was sold as new, and returns must offer a new one or a refund.
Scratches on a new item are a good reason to involve returns.

Without its packaging the {p} needs a special yes from returns.
Here returns should say if goods are accepted without their box.

One {p} too many was ordered, and returns will accept it back.
An order by mistake can be undone, so the surplus one goes to returns.

Even the second {p} was damaged, so returns should now pay the money back.
After two damaged items in a row the customer wants a refund from returns.

A piece is missing from the set, and returns can exchange it as a whole.
Incomplete goods like this {p} are changed by returns.

An unhappy buyer wants a refund, and returns explains how that works.
The {p} was a disappointment, which makes this a matter for returns.

Who pays the postage on the way back is laid down by returns.
Better ask returns, because it is about the cost of giving back a {p}.

It was never used, so returns may well accept the {p} after a month.
The decision to take back an unused item lies with returns.

Returns made that form, so it can say which reason to tick.
The customer is stuck on the form for the {p} and should get help from returns.
"""
BANK["account"] = """
The reset email does not arrive, so account should help with the password.
A forgotten password is the everyday work of account.

Logging in fails, and the account team can check the password.
Account is right here, for the customer is shut out by a wrong password.

A new email address has to be stored, which is done by account.
The profile needs another email, so I would give it to account.

Account can erase the profile and everything that is stored with it.
Removing personal data on request is a duty of account.

A stranger got in on {day}, and account must secure the login at once.
It sounds like a stolen password, so account should act before more happens.

The codes go to a dead number, and account can enter the new one.
Without the old phone no code arrives; that is for account to change.

Three wrong tries locked the customer out, and account holds the key.
Please let account open the login that has been locked since {day}.

After the wedding the surname has to be updated by account.
A change of name in the profile belongs to account.

How to make a login safer is explained by account.
The customer wants a second step at login, and account sets that up.

Two profiles of one person can be joined by account.
Signing up twice was a slip, and account is able to merge both entries.

The link was too old, so account has to send a fresh one.
A registration that cannot be confirmed should be handed to account.

Account can look up the username that was chosen on {day}.
The user name slipped the customer's mind, and account has it on record.

The newsletter is switched off in the profile, so account can do it.
Somebody from account should find the setting and end these mails.

A second user with a login is added by account.
The wife needs access as well, and giving it is up to account.

The phone number in the profile is out of date, and account may edit it.
As the field cannot be changed by the customer, account should do it.

A password was changed by someone unknown, so alert account right away.
The customer did not touch the password on {day}; account must check who did.

The email is taken already, and account can see by whom.
Signing up fails over a known address, which account has to sort out.

Account should find out why a new password is wanted at every login.
A password that has to be set afresh every time is a fault for account to mend.

The list of devices that use this login can be shown by account.
Who is logged in and where is something account can look up.

Her login is no longer needed, so account should take it away.
Staff who leave lose their access, and account removes it.

With the mailbox gone, only account can find out who the customer is.
A reset by email is impossible here, so account must find another way.

The question was set by somebody else, and account can replace it.
A strange security question at login calls for a check by account.

Account keeps the stored data and can show them to the customer.
Anyone may ask to see their own data, and account answers such requests.

The username should become the new email, a change that account makes.
Give this to account, because it is about the name used for logging in.
"""
BANK["technical"] = """
The {p} stays off after a night on the charger, so technical should test it.
A dead device that was charged needs an expert from technical.

The wifi of the {p} keeps dropping, and technical can find the cause.
Technical would be my pick, since the {p} does not stay online.

An update made the {p} freeze, which is something for technical to solve.
It worked before {day}, so technical has to look at the new software.

Setting up the {p} fails in the app, and technical gives help with that.
The app does not see the {p}, so someone in technical should guide the customer.

Technical knows what error code 42 means and how to clear it.
A {p} that shows a code and goes dark is a fault for technical.

The menu is in a foreign language, and technical can tell how to reset it.
For a way out of the wrong language on the {p}, ask technical.

The noise points to a fault in the {p}, so technical should listen to it.
A device that hums on the mains has to be examined by technical.

Whenever the {p} is linked the app falls over, and technical can debug that.
Crashing apps are for technical, and this one does it every time.

The battery is flat far too soon, so technical should run a check.
One hour of power from a {p} is too little, and technical can say why.

Pairing over bluetooth does not succeed, which is a problem for technical.
Let technical explain how the {p} and the computer find each other.

The firmware never finishes, and technical knows another way to load it.
Halfway through, the update of the {p} hangs, so call technical.

Such heat in a {p} is not normal and should be judged by technical.
Technical, please: the {p} overheats after a short while.

A blinking red light and dead buttons are signs that technical can read.
The {p} does not react to anything, so technical has to step in.

Technical can walk the customer through a reset of the {p}.
Going back to the factory settings is a how-to question for technical.

The {p} reboots on its own since {day}, and technical should find out why.
Constant restarts hint at a defect in the {p}, which makes it technical.

A driver refuses to install, so technical is the team to help.
The new computer and the {p} do not get along; technical can sort that out.

Technical may know a setting that brings the {p} up to speed.
It became slow on {day}, and the right people to ask are in technical.

The button has a loose contact, I suppose, so technical should see it.
When a {p} switches on only sometimes, technical has to repair it.

Other devices get online and the {p} does not, so technical must help.
A network problem with a single device is what technical is there for.

The sound is bad with any cable, and technical can trace the fault.
Since changing the cable did not help, technical should examine the {p}.

Only an error appears since {day}, so technical must look into it.
The {p} broke down with a message, and technical can tell what it means.

Which cable fits the {p} is known to the people in technical.
The computer does not notice the {p}, so let technical advise on cables.

The clock of the {p} goes wrong at each restart, a bug for technical.
An hour too many or too few is a small fault that technical can correct.

Settings are lost when the {p} goes off, and technical should know a cure.
The {p} forgets everything once it is off, so it is a job for technical.
"""
BANK["sales"] = """
A beginner is looking for a first {p}, and sales can advise on models.
Advice before buying is given by sales, and no {p} has been bought so far.

A school asks for a discount on twenty pieces, so sales should make an offer.
Prices for larger numbers of the {p} are agreed with sales.

Stock and price of the new {p} are questions for sales.
Someone is about to buy a {p}, and sales can say what it costs.

Sales can explain what the premium {p} has that the basic one lacks.
The customer compares two models of the {p} first, so sales should reply.

A quote for thirty pieces is written by sales.
An office wants to equip itself with the {p}, which is good news for sales.

Whether the price will drop is something only sales could say.
The customer is waiting for a better price on the {p}, so try sales.

Before paying, the customer wants to look at the {p}, and sales runs the shops.
Sales can name a shop where the {p} is on show.

The release date of the next {p} should be asked of sales.
Ordering a model that is not out yet goes through sales.

Sales, as a person with a small flat needs help in choosing a {p}.
Nothing is bought yet, and sales knows which {p} takes little room.

Special prices for students are offered by sales.
A student would like a {p} for less, and sales can grant that.

Somebody is looking for a present, so sales may suggest a gift set.
The {p} is meant as a gift, and what sets there are is known to sales.

What the premium {p} includes is best explained by sales.
A warranty is part of the choice here, and choosing is done with sales.

A trader plans a large order, so sales should get in touch.
An offer for a whole shop full of goods has to come from sales.

The customer would buy the {p} in green, if sales has it.
The colours in which you can buy a {p} are listed by sales.

Which extras go with the {p} is a tip that sales can give.
Sales should answer, for the question is what else to put in the basket.

A company expects a call on {day}, and sales makes such calls.
Fifty pieces of the {p} for one firm is a deal for sales.

The customer asks if a child can use the {p}, and sales can advise.
Is a {p} right for children? Sales should say so before anything is bought.

Matching the price of a rival is a decision for sales.
Another shop has the {p} for less, and sales might go as low.

The {p} and a case together could be a bundle, so ask sales.
Bundles are put together by sales, which can name a price.

A demo comes before the decision to buy, and sales sets one up.
They would like to try the {p} first, so sales should arrange it.

Sales plans the special offers and knows what comes before {day}.
The customer hopes for a bargain on the {p}, hence sales.

A new restaurant asks what a {p} costs, and quoting prices is up to sales.
This could become a new client, so sales had better answer.

Keeping a {p} aside until {day} is a favour that sales can do.
Since the purchase is still to come, I would hand this to sales.

A family wants to know which plan fits, and sales compares them.
Newcomers who look for a plan are welcomed by sales.
"""

RECORDED = {  # what nobody can count in the files
    "tickets-qwen2.5-coder-0.5b": {
        "task": "tickets",
        "writer": "Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, dequantised, in bf16",
        "weights": "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        "licence": "Apache-2.0",
        "template": "opening",
        "decoding": "greedy, at most 40 new tokens (sdft_lib.distill.GREEDY)",
        "filter": "sdft_lib.verify.accept",
        "made": "2026-11-29",
        "versions": "torch 2.13.0+cpu, transformers 5.23.0",
        "command": "sdft distill --task tickets --template opening --model FOLDER --out rows.jsonl "
        "&& python data/generators/writers.py --take rows.jsonl",
        "nats": {"kept": 2.43, "with fallbacks": 2.83},
    },
    HAND: {
        "task": "tickets",
        "writer": "the tutorial's own, sentence by sentence (see the card, Source)",
        "weights": "",
        "licence": "CC BY 4.0",
        "template": "none",
        "decoding": "none",
        "filter": "sdft_lib.verify.accept",
        "made": "2026-11-29",
        "versions": "",
        "command": "python data/generators/writers.py",
        "nats": {"kept": 4.16, "with fallbacks": 4.16},
    },
}
MODEL = next(iter(RECORDED))  # the file that is recorded and not made here


def scenario_of(message: str) -> tuple[str, int, dict[str, str]]:
    """Team and number of the scenario that a message was made from, and what filled its slots."""
    for team, scenarios in tickets.SCENARIOS["train"].items():
        for number, scenario in enumerate(scenarios):
            if found := re.search(as_pattern(scenario), message):
                return team, number, found.groupdict()
    raise ValueError(f"no scenario fits the message {message!r}.")


def as_pattern(scenario: str) -> str:
    """A regular expression for a scenario, with a named group a slot."""
    pattern = re.escape(scenario)
    for slot, values in SLOTS.items():
        pattern = pattern.replace(rf"\{{{slot}\}}", f"(?P<{slot}>{'|'.join(values)})")
    return pattern


def hand_rows() -> list[dict]:
    """The hand-written answers in the order of the training rows."""
    turns = {}
    for team, bank in BANK.items():
        blocks = bank.strip().split("\n\n")
        if len(blocks) != len(tickets.SCENARIOS["train"][team]):
            raise ValueError(f"{team}: {len(blocks)} blocks of sentences, not one a scenario.")
        for number, block in enumerate(blocks):
            turns[team, number] = cycle(block.splitlines())
    rows = []
    for row in tickets.rows("train"):
        team, number, slots = scenario_of(row["messages"][0]["content"])
        text = next(turns[team, number]).format(**slots)
        rows.append({"id": row["id"], "text": text, "source": "rewritten", "reason": "accepted"})
    return rows


def taken_rows(path: Path) -> list[dict]:
    """A distilled set without what the task holds already; a refused rewrite leaves no text."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = row["text"] if row["source"] == "rewritten" else ""
        rows.append({"id": row["id"], "text": text, **{k: row[k] for k in ("source", "reason")}})
    return rows


def as_lines(rows: list[dict]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def entry(name: str, content: str) -> dict:
    """What the register says about one file: recorded facts, counts, checksum."""
    rows = [json.loads(line) for line in content.splitlines()]
    kept = [row["text"] for row in rows if row["source"] == "rewritten"]
    return {
        "file": f"{name}.jsonl",
        **RECORDED[name],
        "rows": len(rows),
        "kept": len(kept),
        "distinct": len(set(kept)),
        "words": round(sum(len(text.split()) for text in kept) / len(kept), 1),
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
    }


def files(model_lines: str) -> dict[Path, str]:
    """Everything in the folder, by path; ``model_lines`` is the model's file, made elsewhere."""
    lines = {MODEL: model_lines, HAND: as_lines(hand_rows())}
    register = {name: entry(name, content) for name, content in lines.items()}
    made = {FOLDER / f"{name}.jsonl": content for name, content in lines.items()}
    made[FOLDER / "writers.json"] = json.dumps(register, indent=1, ensure_ascii=False) + "\n"
    table = "| file | kept | distinct | words a text | SHA-256 |\n|---|---|---|---|---|\n"
    for each in register.values():
        counts = f"{each['kept']} of {each['rows']} | {each['distinct']} | {each['words']}"
        table += f"| `{each['file']}` | {counts} | `{each['sha256']}` |\n"
    card = FOLDER / "README.md"
    made[card] = CHECKSUMS.sub(lambda _: table, card.read_text(encoding="utf-8"))
    return made


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with --check compare them; returns the exit code."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if stale")
    parser.add_argument("--take", type=Path, help="rows of `sdft distill` by the other model")
    options = parser.parse_args(arguments)
    if options.take:
        model_lines = as_lines(taken_rows(options.take))
    else:
        model_lines = (FOLDER / f"{MODEL}.jsonl").read_text(encoding="utf-8")
    stale = 0
    for path, content in files(model_lines).items():
        if path.is_file() and path.read_bytes() == content.encode():
            continue
        stale += 1
        print(f"{'differs' if options.check else 'wrote'}: {path.name}")
        if not options.check:
            path.write_bytes(content.encode())
    if not stale:
        print("data/writers: all files are what the generator makes")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
