"""Sobol indices: which uncertain choice the variance of an output comes from.

An output ``y = f(u_1 ... u_d)`` of independent uniform inputs; first order: what fixing an input would take away on
average; total: what would remain if only that input varied freely, interactions included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import qmc

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class SobolIndices:
    """Indices of d inputs for m outputs.

    Attributes
    ----------
    first, total : (d, m)
        NaN for outputs that do not vary.
    first_se, total_se : (d, m)
        Standard errors of the Monte-Carlo estimate, by bootstrap over the base points.
    """

    first: Array = field(repr=False)
    total: Array = field(repr=False)
    first_se: Array = field(repr=False)
    total_se: Array = field(repr=False)


def saltelli_points(n: int, d: int, *, seed: int) -> Array:
    """Points of the design, (n (d + 2), d): A, B, then A with each column from B in turn. n is a power of 2."""
    both = qmc.Sobol(2 * d, scramble=True, rng=np.random.default_rng(seed)).random(n)
    a = both[:, :d]
    b = both[:, d:]
    mixed = [np.where(np.arange(d) == i, b, a) for i in range(d)]
    return np.concatenate([a, b, *mixed])


def sobol_indices(y: Array, d: int, *, resamples: int = 200, seed: int = 0) -> SobolIndices:
    """Estimate the indices from outputs at the points of the design.

    Parameters
    ----------
    y : (n (d + 2), m)
        In the order of `saltelli_points`.
    d : int
        Number of inputs.

    Notes
    -----
    First order: Saltelli et al. (2010), mean of yB (yABi - yA) over the variance of yA and yB; total: Jansen (1999). The
    same estimators as COINr's.
    """
    n = len(y) // (d + 2)
    blocks = np.reshape(y, (d + 2, n, -1)).astype(float)
    rng = np.random.default_rng(seed)
    drawn = [_estimated(blocks[:, rng.integers(0, n, n)]) for _ in range(resamples)]
    spread = np.full((2, d, blocks.shape[2]), np.nan)
    if drawn:
        spread = np.std(np.array(drawn), axis=0, ddof=1)
    first, total = _estimated(blocks)
    return SobolIndices(first, total, spread[0], spread[1])


def _estimated(blocks: Array) -> tuple[Array, Array]:
    a = blocks[0]
    b = blocks[1]
    mixed = blocks[2:]
    variance = np.concatenate([a, b]).var(axis=0, ddof=1)
    variance = np.where(variance > 0, variance, np.nan)
    first = (b * (mixed - a)).mean(axis=1) / variance
    total = ((a - mixed) ** 2).sum(axis=1) / (2 * len(a)) / variance
    return first, total
