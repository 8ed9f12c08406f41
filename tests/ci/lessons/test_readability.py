"""The text that is measured is what a reader reads as sentences."""

import pytest

from ci.lessons import readability

LESSON = """# %% [markdown]
# # A heading
#
# You see **two humps**. The model, by [a link](x.md), says `f(x)` and $x^2$.
# <details><summary>Why?</summary>It is <code>a b c</code> after all.</details>
#
# | a | table |
#
# - First of all items
# - Then the other one

# %%
x = "code is no sentence. It is not measured."
"""


def test_prose_is_the_sentences_of_markdown_cells():
    assert readability.prose(LESSON) == [
        "You see two humps.",
        "The model, by a link, says it and it.",
        "It is it after all.",
        "First of all items",
        "Then the other one",
    ]


def test_shorter_words_and_sentences_read_easier():
    pytest.importorskip("textstat", reason="the extra `readability`")
    easy = readability.figures(["The cat sat on the mat.", "It was fat."])
    hard = readability.figures([f"Notwithstanding {'considerable heterogeneity, ' * 12}it failed."])
    assert float(easy[0]) > float(hard[0]) and float(easy[1]) < float(hard[1])
    assert (easy[2:], hard[3]) == (["4.5", "0%", "2"], "100%")
