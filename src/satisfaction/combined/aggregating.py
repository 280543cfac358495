"""Several scores into one: means with weights, and Copeland's count of victories."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

Array = np.ndarray[Any, Any]
Aggregation: TypeAlias = Literal["arithmetic", "geometric"]
FLOOR = 1e-9  # a geometric mean with a 0 in it is 0, whatever the rest; its slope there is not finite


def power_mean(x: Array, weights: Array, power: float) -> Array:
    """Weighted mean of order `power` over the last axis, (..., k) -> (...): 1 arithmetic, 0 geometric, -1 harmonic."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    if power == 1:
        return np.asarray((x * share).sum(axis=-1))
    positive = np.maximum(x, FLOOR)
    if power == 0:
        return np.asarray(np.exp((np.log(positive) * share).sum(axis=-1)))
    return np.asarray(((positive**power) * share).sum(axis=-1) ** (1 / power))


def aggregated(x: Array, weights: Array, aggregation: Aggregation) -> Array:
    """Combined scores, (..., k) -> (...), by the aggregation named."""
    return power_mean(x, weights, {"arithmetic": 1.0, "geometric": 0.0}[aggregation])


def slopes(x: Array, weights: Array, aggregation: Aggregation) -> Array:
    """Derivative of the combined score by each component, (p, k): carries the components' errors over."""
    share = np.broadcast_to(weights / weights.sum(), x.shape)
    if aggregation == "arithmetic":
        return share
    return np.asarray(share * power_mean(x, weights, 0)[:, None] / np.maximum(x, FLOOR))


def copeland(x: Array, weights: Array) -> Array:
    """Pairs won minus pairs lost, (p, k) -> (p,); a pair is won with more than half of the weight, ties count half."""
    share = weights / weights.sum()
    difference = x[:, None, :] - x[None, :, :]
    ahead = ((difference > 0) * share).sum(axis=-1) + 0.5 * ((difference == 0) * share).sum(axis=-1)
    margin = ahead - 0.5
    return np.asarray(np.where(np.abs(margin) < 1e-12, 0, np.sign(margin)).sum(axis=1))
