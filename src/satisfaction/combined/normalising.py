"""Scores of units on one scale: the usual normalisations of composite indicators, one function each, (p,) -> (p,)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.stats import rankdata

Array = np.ndarray[Any, Any]
Normalisation: TypeAlias = Literal["none", "minmax", "zscore", "goalposts", "share-of-best", "percentile-rank"]


def minmax(x: Array) -> Array:
    """0 for the lowest, 100 for the highest; all 50 where they are equal."""
    spread = x.max(axis=0) - x.min(axis=0)
    return np.where(spread > 0, (x - x.min(axis=0)) / np.where(spread > 0, spread, 1) * 100, 50.0)


def zscore(x: Array) -> Array:
    """Standard deviations from the mean (n - 1), put on the scale 50 + 10 z; all 50 where they are equal."""
    return 50 + 10 * standardised(x)


def standardised(x: Array) -> Array:
    """(x - mean) / standard deviation (n - 1), 0 where all are equal."""
    spread = np.asarray(x.std(axis=0, ddof=1))
    return np.asarray((x - x.mean(axis=0)) / np.where(spread > 0, spread, np.inf))


def goalposts(x: Array, worst: float, best: float) -> Array:
    """0 at the worst, 100 at the best value, cut there; `best` may be the smaller one."""
    return np.asarray(np.clip((x - worst) / (best - worst), 0, 1) * 100)


def share_of_best(x: Array) -> Array:
    """Percent of the highest."""
    return np.asarray(x / x.max(axis=0) * 100)


def distance_to(x: Array, reference: Array) -> Array:
    """1 at a reference value, 0 at the lowest: 1 - (reference - x) / (reference - min)."""
    return np.asarray(1 - (reference - x) / (reference - x.min(axis=0)))


def ascending_rank(x: Array) -> Array:
    """1 for the lowest; tied units share the lower number."""
    return np.asarray(rankdata(x, method="min", axis=0), dtype=float)


def borda(x: Array) -> Array:
    """How many units lie below."""
    return ascending_rank(x) - 1


def percentile_rank(x: Array) -> Array:
    """Share of the other units that lie below, in percent."""
    return borda(x) / (len(x) - 1) * 100


def normalised(x: Array, method: Normalisation, *, posts: tuple[float, float] | None = None) -> Array:
    """Normalise the p units of the first axis by the method named."""
    if method == "goalposts":
        assert posts is not None
        return goalposts(x, *posts)
    plain = {"minmax": minmax, "zscore": zscore, "share-of-best": share_of_best, "percentile-rank": percentile_rank}
    return plain[method](x) if method in plain else x
