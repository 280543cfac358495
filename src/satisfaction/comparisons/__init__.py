"""Contrasts and design-based tests; each result states its null, its df and its method."""

from .contingency import rao_scott
from .pairs import Comparisons, against_rest, all_pairs, mean_and_rest, pair_matrix
from .ranktests import rank_test
from .regression import Regression, regression
from .results import HypothesisTest
from .simultaneous import MaxT, max_t_p
from .ttests import t_test
from .wald import wald
from .waves import change, combine_waves

__all__ = [
    "Comparisons",
    "HypothesisTest",
    "MaxT",
    "Regression",
    "against_rest",
    "all_pairs",
    "change",
    "combine_waves",
    "max_t_p",
    "mean_and_rest",
    "pair_matrix",
    "rank_test",
    "rao_scott",
    "regression",
    "t_test",
    "wald",
]
