"""Every figure of the tutorial, under one name: ``show(figures.gap_histogram({"reference": ...,
"rewrite": ...}))``."""

from sdft_lib.plots_data import gap_histogram, lengths, token_surprise
from sdft_lib.plots_evidence import frontier, stage_matrix
from sdft_lib.plots_results import scores, tradeoff
from sdft_lib.plots_rewrites import keep_rates
from sdft_lib.plots_training import cost_bars, loss_curves
from sdft_lib.plotstyle import Shown, save, show

__all__ = [
    "Shown",
    "cost_bars",
    "frontier",
    "gap_histogram",
    "keep_rates",
    "lengths",
    "loss_curves",
    "save",
    "scores",
    "show",
    "stage_matrix",
    "token_surprise",
    "tradeoff",
]
