"""The peer's way in plain numpy: rank sets from simulated differences (csranks; Mogstad, Romano, Shaikh and Wilhelm 2024).

Written from the paper: errors are drawn from normals with the se as if known, the critical value is a quantile of the
largest standardised difference over a family of ordered pairs, pairs beyond it leave the family and the value is taken
again from fresh draws (step-down). A marginal set is the same call with the pairs of one unit. p units, R draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
DRAWS = 1_000  # csranks' default
BLOCK = 4_000_000  # differences held at a time


def critical_value(
    se: Array, first: Array, second: Array, *, alpha: float, random: np.random.Generator
) -> float:
    """The 1 - alpha quantile of the largest drawn difference over pairs (first minus second), both (m,) int."""
    errors = (random.standard_normal((DRAWS, len(se))) * se).T
    largest = np.full(DRAWS, -np.inf)
    for start in range(0, len(first), BLOCK // DRAWS):
        one, other = first[start : start + BLOCK // DRAWS], second[start : start + BLOCK // DRAWS]
        drawn = (errors[one] - errors[other]) / np.hypot(se[one], se[other])[:, None]
        np.maximum(largest, drawn.max(axis=0), out=largest)
    return float(np.quantile(largest, 1 - alpha))


def rejected(
    score: Array,
    se: Array,
    first: Array,
    second: Array,
    *,
    alpha: float,
    random: np.random.Generator,
    step_down: bool = True,
) -> Array:
    """Pairs of which the first is proven better, (m,) bool; the step-down's draws are fresh in every step."""
    t = (score[first] - score[second]) / np.hypot(se[first], se[second])
    proven = np.zeros(len(t), dtype=bool)
    while not proven.all():
        left = ~proven
        more = t > critical_value(se, first[left], second[left], alpha=alpha, random=random)
        if not (more & left).any():
            break
        proven |= more
        if not step_down:
            break
    return proven


def marginal_low(
    score: Array,
    se: Array,
    unit: int,
    *,
    alpha: float,
    random: np.random.Generator,
    step_down: bool = True,
) -> int:
    """Best rank of one unit, one-sided: only "another unit is better" is tested."""
    others = np.delete(np.arange(len(score)), unit)
    own = np.full_like(others, unit)
    return 1 + int(
        rejected(score, se, others, own, alpha=alpha, random=random, step_down=step_down).sum()
    )


def marginal_set(
    score: Array, se: Array, unit: int, *, alpha: float, random: np.random.Generator
) -> tuple[int, int]:
    """Best and worst rank of one unit, two-sided."""
    others = np.delete(np.arange(len(score)), unit)
    own = np.full_like(others, unit)
    first, second = np.append(others, own), np.append(own, others)
    better, worse = np.split(rejected(score, se, first, second, alpha=alpha, random=random), 2)
    return 1 + int(better.sum()), len(score) - int(worse.sum())


def simultaneous_sets(
    score: Array, se: Array, *, alpha: float, random: np.random.Generator
) -> tuple[Array, Array]:
    """Best and worst ranks of all units at once, (p,) each."""
    first, second = np.nonzero(~np.eye(len(score), dtype=bool))
    proven = rejected(score, se, first, second, alpha=alpha, random=random)
    better, worse = (np.bincount(side[proven], minlength=len(score)) for side in (second, first))
    return 1 + better, len(score) - worse
