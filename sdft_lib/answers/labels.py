"""The label that a free text settles on (kind ``label``): one it names and does not rule out."""

import re
from collections.abc import Sequence

from sdft_lib.answers.edges import folded, is_meant, places

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
LONGEST = 20_000  # characters from the end in which a label is looked for
WINDOW = 90  # characters before a label in which "not" is looked for


def named_choices(text: str, choices: Sequence[str]) -> dict[int, tuple[int, str]]:
    """By start: end and choice of each that a folded text names, the longest that is there."""
    hits: dict[int, tuple[int, str]] = {}
    taken: set[int] = set()
    for choice in sorted(choices, key=len, reverse=True):
        name = folded(choice)
        for start, end in places(text, name):
            if start not in taken and is_meant(text, start, end, name):
                taken.update(range(start, end))
                hits[start] = (end, choice)
    return dict(sorted(hits.items()))


def not_ruled_out(text: str, hits: dict[int, tuple[int, str]]) -> dict[int, tuple[int, str]]:
    """The hits without those behind a "not": "non-billing", "isn't about billing"."""
    meant, last, was_out = {}, 0, False
    for start, (end, choice) in hits.items():
        was_out = was_out and NOR.fullmatch(text, last, start) is not None
        was_out = was_out or RULED_OUT.search(text[max(0, start - WINDOW) : start]) is not None
        if not was_out:
            meant[start] = (end, choice)
        last = end
    return meant


def final_choice(text: str, choices: Sequence[str]) -> str | None:
    """The choice that a text settles on; a choice that it rules out ("not billing") is not named.
    It is the only one named, or the one after the last "answer: X", "answer is X", "final: X", or
    else the one that all of "send it to X", "belongs to X", "handled by X" agree on. None if it
    names none, several without such a cue, or "the answer is A or B"."""
    text = folded(text)[-LONGEST:]
    hits = named_choices(text, choices)
    meant = not_ruled_out(text, hits)
    if len({choice for _, choice in meant.values()}) < 2:
        return next((choice for _, choice in meant.values()), None)
    for cue in CHOICE_CUES:
        after = [meant[lead.end()] for lead in cue.finditer(text) if lead.end() in meant]
        if after:
            said = after[-1:] if cue is CHOICE_CUES[0] else after
            links = [OR.match(text, end) for end, _ in said]
            either = any(link and link.end() in hits for link in links)
            return None if either or len({choice for _, choice in said}) > 1 else said[0][1]
    return None


def why_no_label(text: str) -> str:
    """What keeps ``final_choice`` from reading a reference."""
    return "it names no single label"
