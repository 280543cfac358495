"""Scores of units on one scale: the usual normalisations of composite indicators, one function each, (p,) -> (p,).

Several scores into one: means with weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from satisfaction.declarations.combined import Aggregation, Normalisation

Array = np.ndarray[Any, Any]


def minmax(x: Array) -> Array:
    """0 for the lowest, 100 for the highest; all 50 where they are equal."""
    lowest = x.min(axis=0)
    spread = x.max(axis=0) - lowest
    differ = spread > 0
    share = (x - lowest) / np.where(differ, spread, 1)
    return np.where(differ, share * 100, 50.0)


def zscore(x: Array) -> Array:
    """Standard deviations from the mean (n - 1), put on the scale 50 + 10 z; all 50 where they are equal."""
    return 50 + 10 * standardised(x)


def standardised(x: Array) -> Array:
    """(x - mean) / standard deviation (n - 1), 0 where all are equal."""
    spread = np.asarray(x.std(axis=0, ddof=1))
    scale = np.where(spread > 0, spread, np.inf)
    return np.asarray((x - x.mean(axis=0)) / scale)


def goalposts(x: Array, worst: float, best: float) -> Array:
    """0 at the worst, 100 at the best value, cut there; `best` may be the smaller one."""
    share = (x - worst) / (best - worst)
    return np.asarray(np.clip(share, 0, 1) * 100)


def share_of_best(x: Array) -> Array:
    """Percent of the highest."""
    return np.asarray(x / x.max(axis=0) * 100)


def percentile_rank(x: Array) -> Array:
    """Share of the other units that lie below, in percent."""
    below = rankdata(x, method="min", axis=0) - 1
    return np.asarray(below / (len(x) - 1) * 100)


def normalised(
    x: Array, method: Normalisation, *, posts: tuple[float, float] | None = None
) -> Array:
    """Normalise the p units of the first axis by the method named."""
    if method == "goalposts":
        assert posts is not None
        return goalposts(x, *posts)
    if method == "none":
        return x
    without_options = {
        "minmax": minmax,
        "zscore": zscore,
        "share-of-best": share_of_best,
        "percentile-rank": percentile_rank,
    }
    return without_options[method](x)


FLOOR = 1e-9
"""A geometric mean with a 0 in it is 0, whatever the rest; its slope there is not finite."""


def aggregated(x: Array, weights: Array, aggregation: Aggregation) -> Array:
    """Combined scores, (..., k) -> (...): weighted means, arithmetic or geometric."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    if aggregation == "arithmetic":
        return np.asarray((x * share).sum(axis=-1))
    return np.asarray(np.exp((np.log(np.maximum(x, FLOOR)) * share).sum(axis=-1)))


def slopes(x: Array, weights: Array, aggregation: Aggregation) -> Array:
    """Derivative of the combined score by each component, (p, k): carries the components' errors over."""
    share = np.broadcast_to(weights / weights.sum(), x.shape)
    if aggregation == "arithmetic":
        return share
    return np.asarray(share * aggregated(x, weights, aggregation)[:, None] / np.maximum(x, FLOOR))
