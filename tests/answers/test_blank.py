"""Nothing to see is empty; one sign to see is an answer."""

import unicodedata

import pytest

from sdft_lib.answers.edges import is_blank

UNSEEN = {
    "nothing": "",
    "spaces": " \t\r\n\u3000\xa0\u2009",
    "line separators": "\u2028\u2029\x85",
    "zero width space": "\u200b",
    "byte order mark": "\ufeff \ufeff",
    "soft hyphen": "\xad\xad",
    "word joiner": "\u2060",
    "joiners": "\u200c\u200d",
    "direction marks": "\u200e\u200f\u202a\u202e\u2066\u2069\u061c",
    "variation selectors": "\ufe0e\ufe0f\U000e0100",
    "Mongolian selectors": "\u180b\u180e\u180f",
    "Hangul fillers": "\u3164\uffa0\u115f\u1160",
    "Braille blank": "\u2800\u2800",
    "grapheme joiner": "\u034f",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "invisible times": "\u2062\u2063",
    "Khmer vowels": "\u17b4\u17b5",
    "controls": "\x01\x1b\x7f\x9f",
    "null notehead": "\U0001d159",
    "annotation marks": "\ufff9\ufffb",
}
SEEN = ["a", "7", "+", "-", ".", "★", "👍", "❤️", "👩\u200d💻", "🏳", "≥", "→", "答", "か", "ا"]
SEEN += ["\u0600", "\u3131", "\u2801", "\ufffd", "№", "_", "\u200bx\u200b", "☐", "│", "¿"]


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_what_shows_nothing_is_blank(text):
    assert is_blank(text) and is_blank(f" {text}\n{text}")


@pytest.mark.parametrize("text", SEEN)
def test_one_sign_to_see_is_an_answer(text):
    assert not is_blank(text) and not is_blank(f"\ufeff{text}\u3164")


def test_every_letter_digit_and_symbol_is_seen():
    """Those of all scripts, save the six letters and signs that are drawn as nothing."""
    unseen = []
    for number in range(0x110000):
        kind = unicodedata.category(chr(number))
        if kind[0] in "LNPS" and is_blank(chr(number)):
            unseen.append(number)
    assert unseen == [0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, 0x1D159]
