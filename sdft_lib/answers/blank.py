"""What counts as empty: one rule for rows, turns, references and answers (lesson 02)."""

import re

# White space, control characters, Unicode's Default_Ignorable_Code_Point, and three signs that
# are drawn as nothing: Braille blank, null notehead, Egyptian format controls.
UNSEEN = re.compile(
    "[\\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]*"
)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing. A symbol or an emoji is seen, so it is an answer."""
    return UNSEEN.fullmatch(text) is not None
