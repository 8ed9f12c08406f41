"""Every figure of the tutorial, under one name: ``show(figures.gap_histogram({"reference": ...,
"rewrite": ...}))``."""

from sdft_lib.lessons.figures.data import gap_histogram, lengths, token_surprise
from sdft_lib.lessons.figures.evidence import frontier, stage_matrix
from sdft_lib.lessons.figures.power import items_and_differences
from sdft_lib.lessons.figures.published import published_differences, published_scores
from sdft_lib.lessons.figures.recorded import frontier_with_yours, mix_ratio
from sdft_lib.lessons.figures.results import scores, tradeoff
from sdft_lib.lessons.figures.rewrites import keep_rates
from sdft_lib.lessons.figures.scale import memory_parts, plan_hours
from sdft_lib.lessons.figures.shift import kl_by_method, likeness, shift_by_layer
from sdft_lib.lessons.figures.stages import stage_measures, stage_paths
from sdft_lib.lessons.figures.style import Shown, save, show
from sdft_lib.lessons.figures.training import cost_bars, loss_curves

__all__ = [
    "Shown",
    "cost_bars",
    "frontier",
    "frontier_with_yours",
    "gap_histogram",
    "items_and_differences",
    "keep_rates",
    "kl_by_method",
    "lengths",
    "likeness",
    "loss_curves",
    "memory_parts",
    "mix_ratio",
    "plan_hours",
    "published_differences",
    "published_scores",
    "save",
    "scores",
    "shift_by_layer",
    "show",
    "stage_matrix",
    "stage_measures",
    "stage_paths",
    "token_surprise",
    "tradeoff",
]
