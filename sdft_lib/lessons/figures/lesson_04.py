"""The figures of lesson 04: the headline, forgotten or muted, and the cost."""

from sdft_lib.lessons.figures.costs import cost_bars
from sdft_lib.lessons.figures.intervals import headline, muted

__all__ = ["cost_bars", "headline", "muted"]
