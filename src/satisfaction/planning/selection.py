"""Selecting with unequal probabilities and fixed size, on arrays: who is taken, and how probable it was.

`pi` are inclusion probabilities that add up to a whole number n. Every method meets them exactly; they differ in their joint
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
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


def joint_systematic(pi: Array) -> Array:
    """Joint inclusion probabilities of systematic selection in the order given, (N, N); pi on the diagonal.

    Exact: between two neighbouring breakpoints every start takes the same units.
    """
    ends = np.cumsum(pi)
    breaks = np.unique(np.concatenate([[0.0, 1.0], np.mod(ends, 1.0)]))
    joint = np.zeros((len(pi), len(pi)))
    n = round(float(pi.sum()))
    ends[-1] = n
    for low, high in pairwise(breaks):
        taken = np.searchsorted(ends, (low + high) / 2 + np.arange(n), side="right")
        joint[np.ix_(taken, taken)] += high - low
    return joint


def joint_sampford(pi: Array) -> Array:
    """Joint inclusion probabilities of Sampford's design, (N, N); pi on the diagonal. All pi lie between 0 and 1.

    A sample s has probability proportional to sum over s of (1 - pi) times the product over s of pi / (1 - pi); sums over
    samples are elementary symmetric functions of the odds.
    """
    n = round(float(pi.sum()))
    units = len(pi)
    odds = pi / (1 - pi)
    scaled = odds / odds.mean()  # powers cancel in the ratio below
    without = np.array([symmetric(np.delete(scaled, k), n) for k in range(units)])
    total = float((pi / odds.mean() * without[:, n - 1]).sum())
    joint = np.diag(pi).astype(float)
    for i in range(units):
        for j in range(i + 1, units):
            rest = np.delete(np.arange(units), [i, j])
            few = symmetric(scaled[rest], n)
            both = (2 - pi[i] - pi[j]) * few[n - 2]
            if n > 2:
                further = pi[rest] / odds.mean() * _without_each(scaled[rest], few, n - 3)
                both += float(further.sum())
            joint[i, j] = scaled[i] * scaled[j] * both / total
            joint[j, i] = joint[i, j]
    return joint


def symmetric(values: Array, most: int) -> Array:
    """Elementary symmetric functions e_0 ... e_most of some values, (most + 1,)."""
    found = np.zeros(most + 1)
    found[0] = 1.0
    for value in values:
        found[1:] = found[1:] + value * found[:-1]
    return found


def _without_each(values: Array, whole: Array, order: int) -> Array:
    """e_order of the values without each one of them, (m,), from e of all of them."""
    found = np.ones(len(values))
    for k in range(1, order + 1):
        found = whole[k] - values * found
    return found
