"""Model text as harmless text: no character hides, none becomes markup (SECURITY.md)."""

import html
import re
import unicodedata

JOINERS = "\u200c\u200d"  # needed by emoji and several scripts
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories of what cannot be seen


def visible(text: object) -> str:
    """Text in which no character can hide: control characters get a picture, direction marks their
    code point."""
    return "".join(_seen(character) for character in str(text).replace("\r\n", "\n"))


def _seen(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or character in JOINERS:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if unicodedata.category(character) in HIDDEN:
        return f"⟨U+{code:04X}⟩"
    return character


def escape(text: object, limit: int = 1200) -> str:
    """Model text for HTML: cut at ``limit`` characters (said so), escaped, and never typeset as
    mathematics."""
    text = str(text)
    cut = f" … (+{len(text) - limit} characters)" if len(text) > limit else ""
    safe = html.escape(visible(text[:limit] + cut))
    # a page with MathJax eats $5 ... $7
    return re.sub(r"[$\\]", lambda sign: f"<span>{sign.group()}</span>", safe)
