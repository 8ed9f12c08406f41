"""The figures of lesson 09, your own data: those of the lessons before, without anything new."""

from sdft_lib.lessons.figures.intervals import scores, tradeoff
from sdft_lib.lessons.figures.rewrites import gap_histogram, keep_rates

__all__ = ["gap_histogram", "keep_rates", "scores", "tradeoff"]
