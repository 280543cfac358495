"""Contrasts and design-based tests; each result states its null, its df and its method."""

from .pairs import Comparisons, against_rest, all_pairs, mean_and_rest, pair_matrix

__all__ = ["Comparisons", "against_rest", "all_pairs", "mean_and_rest", "pair_matrix"]
