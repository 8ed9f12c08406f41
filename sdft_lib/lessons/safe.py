"""Model text as harmless text: no character hides, none becomes markup (SECURITY.md)."""

import html
import re

from sdft_lib.storage.safe import visible

__all__ = ["escape", "visible"]


def escape(text: object, limit: int = 1200) -> str:
    """Model text for HTML: cut at ``limit`` characters (said so), escaped, and never typeset as
    mathematics."""
    text = str(text)
    cut = f" … (+{len(text) - limit} characters)" if len(text) > limit else ""
    safe = html.escape(visible(text[:limit] + cut))
    # a page with MathJax eats $5 ... $7
    return re.sub(r"[$\\]", lambda sign: f"<span>{sign.group()}</span>", safe)
