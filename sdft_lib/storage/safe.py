"""Text of others as harmless text (SECURITY.md): one function for each place where it is shown, a
terminal, one line of it, Markdown, HTML. Secrets are masked here alone."""

import html
import os
import re
import unicodedata
from pathlib import Path

HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories of what cannot be seen
KEPT = "\n\t\u200c\u200d"  # the joiners are needed by emoji and several scripts
OF_SECRETS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")  # ends of the variables that hold some
TOKENS = re.compile(r"\b(?:hf_|gh[pousr]_)[A-Za-z0-9]{16,}|\bsk-[\w-]{16,}|(?<=Bearer )\S{8,}")


def visible(text: object) -> str:
    """Text in which no character can hide: controls get a picture, others their code point."""
    shown = []
    for character in str(text).replace("\r\n", "\n"):
        if unicodedata.category(character) in HIDDEN and character not in KEPT:
            code = ord(character)
            character = chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"
        shown.append(character)
    return "".join(shown)


def one_line(text: object) -> str:
    """Visible text that starts no line of its own."""
    return visible(" ".join(str(text).split()))


def markdown(text: object) -> str:
    """A line of text that no Markdown sign and no HTML changes, in a table, too."""
    plain = html.escape(one_line(text), quote=False)
    return re.sub(r"[\\`*{}\[\]#!|~$:@]|(?<!\w)_|_(?!\w)", r"\\\g<0>", plain)


def escape(text: object, limit: int = 1200) -> str:
    """Model text for HTML: cut at ``limit`` characters (said so), escaped, never typeset as TeX."""
    text = str(text)
    cut = f" … (+{len(text) - limit} characters)" if len(text) > limit else ""
    safe = html.escape(visible(text[:limit] + cut))
    # a page with MathJax eats $5 ... $7
    return re.sub(r"[$\\]", lambda sign: f"<span>{sign.group()}</span>", safe)


def without_place(name: str) -> str:
    """A model's name as others may read it: of a folder of this machine, the last part alone."""
    path = Path(os.path.expanduser(name))
    is_place = path.is_absolute() or (name and os.path.isdir(path))
    return (path.resolve().name or "model") if is_place else name


def masked(text: str, *secrets: str) -> str:
    """A text to show, without ``secrets``, those of the environment, tokens that are known by their
    form, and the password and query of an address."""
    values = [value for name, value in os.environ.items() if name.endswith(OF_SECRETS)]
    for secret in sorted([*secrets, *filter(lambda value: len(value) > 5, values)], key=len):
        text = text.replace(secret, "***") if secret else text
    text = re.sub(r"(?<!\bhf)(:/+)\S*@", r"\1***@", text)  # in hf://, @ names a revision
    text = re.sub(r"(\w:/+[^\s?]*\?)\S+", r"\1***", text)
    return TOKENS.sub("***", text)
