"""Selecting with unequal probabilities and fixed size, on arrays: who is taken, and how probable it was.

`pi` are inclusion probabilities that add up to a whole number n. Every method meets them exactly; they differ in their joint
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

Array = np.ndarray[Any, Any]
Method: TypeAlias = Literal["systematic", "brewer", "sampford"]
CERTAIN = 1 - 1e-12
ATTEMPTS = 100_000  # of Sampford's rejective procedure


def inclusion_probabilities(size: Array, n: int) -> Array:
    """N x size / sum, (N,); units whose share exceeds 1 are taken for certain and the rest is shared among the others."""
    certain = np.zeros(len(size), dtype=bool)
    while True:
        rest = ~certain & (size > 0)
        left = n - int(certain.sum())
        pi = np.where(certain, 1.0, 0.0)
        if left > 0 and rest.any():
            pi[rest] = left * size[rest] / size[rest].sum()
        over = (pi >= CERTAIN) & ~certain
        if not over.any():
            return pi
        certain |= over


def systematic(pi: Array, rng: np.random.Generator) -> Array:
    """Take every unit whose cumulated probability passes start + 0, 1, 2, ...; places of the units, in order (Madow 1949).

    The order of the units matters: neighbours are rarely taken together, which stratifies by whatever they are sorted by.
    """
    n = round(float(pi.sum()))
    ends = np.cumsum(pi)
    ends[-1] = n  # without rounding
    return np.searchsorted(ends, rng.random() + np.arange(n), side="right")


def brewer(pi: Array, rng: np.random.Generator) -> Array:
    """Take unit after unit with the probabilities that keep pi exact (Brewer 1975; Tille 2006, algorithm 6.10)."""
    n = round(float(pi.sum()))
    chosen = np.zeros(len(pi), dtype=bool)
    for step in range(n):
        left = n - float(pi[chosen].sum())
        open_ = ~chosen & (pi > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(open_, pi * (left - pi) / (left - pi * (n - step)), 0.0)
        weight = np.where(open_ & ~np.isfinite(weight), 1e300, np.maximum(weight, 0.0))
        chosen[rng.choice(len(pi), p=weight / weight.sum())] = True
    return np.flatnonzero(chosen)


def sampford(pi: Array, rng: np.random.Generator) -> Array:
    """Draw with replacement until all n are different: the first with pi, the others with pi / (1 - pi) (Sampford 1967).

    Raises
    ------
    RuntimeError
        After `ATTEMPTS`: n is large, and nearly every draw repeats a unit.
    """
    sure = np.flatnonzero(pi >= CERTAIN)
    rest = np.flatnonzero((pi > 0) & (pi < CERTAIN))
    n = round(float(pi[rest].sum()))
    if not n:
        return sure
    p = pi[rest] / n
    p = p / p.sum()
    odds = pi[rest] / (1 - pi[rest])
    odds = odds / odds.sum()
    for _attempt in range(ATTEMPTS):
        taken = np.append(rng.choice(len(rest), p=p), rng.choice(len(rest), size=n - 1, p=odds))
        if len(set(taken.tolist())) == n:
            return np.sort(np.append(sure, rest[taken]))
    raise RuntimeError("Sampford's procedure repeats units in nearly every draw")


METHODS: dict[Method, Callable[[Array, np.random.Generator], Array]] = {
    "systematic": systematic,
    "brewer": brewer,
    "sampford": sampford,
}
