"""The label that a free text settles on (kind ``label``): one it names and does not rule out."""

import re
from collections.abc import Sequence

import regex

from sdft_lib.answers.edges import FLAGS, folded, is_meant, whole

QUOTES = r"[\s*_`\"'“‘(\[]{0,12}"
GIVE = "rout|send|forward|pass|assign|direct|transfer|escalat|hand|belong|go|refer|mov"
SENT = "routed|sent|forwarded|passed|assigned|directed|transferred"
CHOICE_CUES = (  # the stronger first
    re.compile(
        r"(?i)(?:(?<!\w)(?:answer|label|choice)(?: is|['’]s)?|(?<!\w)final)"
        rf"[ \t]{{0,4}}[:=]?{QUOTES}(?:the )?(?=\S)"
    ),
    re.compile(
        rf"(?i)(?<!\w)(?:(?:(?:{GIVE})(?:e?s)?e?|be (?:{SENT}|escalated|handed|referred|moved))"
        r"(?: [\w-]{1,20}){0,4}? (?:to|in|with)|(?:handled|dealt with|answered|solved) by"
        r"|(?:case|job|matter|one|task|question|issue) for)"
        rf" {QUOTES}(?:the |our |your )?{QUOTES}(?=\S)"
    ),
)
OR = re.compile(r"[\s*_`\"'”’)]{0,6}(?:\bor\b|\band\b|[/,&])[\s*_`\"'“‘(]{0,6}(?:the )?", re.I)
NOR = re.compile(
    r"(?i)(?: team| department)?[\s*_`\"'”’)]{0,6}(?:\bn?or\b|/)[\s*_`\"'“‘(]{0,6}(?:the |to )?$"
)
RULED_OUT = re.compile(
    r"(?i)(?:\b(?:not|non|no|never|cannot|neither|nor|than|without)|n['’]t|\binstead of)"
    r"(?![,.;:!?])(?:[\s*_`\"'“‘(\[-]+(?:be|being|an?|the|our|your|really|actually|exactly|about"
    r"|for|to|in|by|with|from|of|related|it|this|that|them|him|her|message|ticket|request|matter|case"
    r"|question|one|belong|go|send|route|forward|pass|assign|direct|transfer|hand|handled"
    rf"|{SENT}|over|on)(?!\w))*[\s*_`\"'“‘(\[-]+$"
)
WINDOW = 90  # characters before a label in which "not" is looked for


def choice_pattern(choices: Sequence[str]) -> regex.Pattern:
    """Any choice as a whole word, the longest first: "account access" is not also "account"."""
    longest_first = sorted((folded(choice) for choice in choices), key=len, reverse=True)
    names = "|".join(whole(name) for name in longest_first if name.strip()) or r"(?!)"
    return regex.compile(names, FLAGS)


def spelled(hits, choices: Sequence[str]) -> list[str]:
    """The distinct choices behind the matches, as the caller spells them."""
    known = {plain_name(choice): choice for choice in choices}
    named = dict.fromkeys(known.get(plain_name(hit[0])) for hit in hits)
    return [choice for choice in named if choice is not None]


def plain_name(choice: str) -> str:
    """A choice, folded, in lower case, with single spaces."""
    return " ".join(folded(choice).casefold().split())


def ruled_out(text: str, hits: list[regex.Match]) -> set[int]:
    """Starts of the matches behind a "not": "non-billing", "isn't about billing"."""
    out: set[int] = set()
    last = None
    for hit in hits:
        chained = last and last.start() in out and NOR.fullmatch(text, last.end(), hit.start())
        if chained or RULED_OUT.search(text[max(0, hit.start() - WINDOW) : hit.start()]):
            out.add(hit.start())
        last = hit
    return out


def final_choice(text: str, choices: Sequence[str]) -> str | None:
    """The choice that a text settles on; a choice that it rules out ("not billing") is not named.

    It is the only one named, or the one after the last "answer: X", "answer is X", "final: X", or
    else the one that all of "send it to X", "belongs to X", "handled by X" agree on. None if it
    names none, several without such a cue, or "the answer is A or B"."""
    text, pattern = folded(text), choice_pattern(choices)
    hits = []
    for hit in pattern.finditer(text):
        if is_meant(text, *hit.span(), folded(spelled([hit], choices)[0])):
            hits.append(hit)
    out = ruled_out(text, hits)
    named = spelled((hit for hit in hits if hit.start() not in out), choices)
    if len(named) < 2:
        return named[0] if named else None
    meant = {hit.start(): hit for hit in hits if hit.start() not in out}
    for cue in CHOICE_CUES:
        after = [meant[lead.end()] for lead in cue.finditer(text) if lead.end() in meant]
        if after:
            said = after[-1:] if cue is CHOICE_CUES[0] else after
            return agreed(text, said, pattern, choices)
    return None


def agreed(text: str, hits: list, pattern: regex.Pattern, choices: Sequence[str]) -> str | None:
    """The one choice of all matches; None if they differ or one reads "A or B"."""
    for hit in hits:
        link = OR.match(text, hit.end())
        if link and pattern.match(text, link.end()):
            return None
    named = spelled(hits, choices)
    return named[0] if len(named) == 1 else None


def why_no_label(text: str) -> str:
    """What keeps ``final_choice`` from reading a reference."""
    return "it names no single label"
