"""The figures of lesson 02: which rewrites were kept, and how the gap closed."""

from sdft_lib.lessons.figures.rewrites import gap_histogram, keep_rates

__all__ = ["gap_histogram", "keep_rates"]
