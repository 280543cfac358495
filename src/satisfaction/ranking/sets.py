"""Guaranteed rank sets: between which ranks does a unit lie, with at least the stated probability?

A rank is a count of better units, so a set is ``1 + (proven better) ... p - (proven worse)``. *Simultaneous* sets hold
for the whole table at once, *marginal* sets for one unit named beforehand. Each method is a kernel
``(pairs, alpha) -> RankSets``; a new one is a function and a line in a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, others
from satisfaction.ranking.studentized import range_p_value, range_quantile

Marginal: TypeAlias = Literal["simes", "holm"]
Simultaneous: TypeAlias = Literal["tukey", "holm", "joint-ci"]


@dataclass(frozen=True, slots=True)
class RankSets:
    """Rank sets of p units.

    Attributes
    ----------
    low, high : (p,)
        Best and worst rank in each unit's set.
    critical : (float, float) or None
        Smallest and largest critical value over the pairs (or units); None where p-values are compared with steps.
    """

    low: Ints
    high: Ints
    critical: tuple[float, float] | None = None


def simes_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Marginal sets by closed testing with Simes' test, alpha / 2 a side (Goeman and Solari 2011).

    Counts how many units are better rather than which, hence never wider than Hochberg's procedure. Needs positively
    dependent comparisons, which independent units give.
    """
    better = count_false(others(pairs.p_better.T), alpha / 2)
    worse = count_false(others(pairs.p_better), alpha / 2)
    return RankSets(1 + better, len(better) - worse)


def count_false(p_values: Floats, alpha: float) -> Ints:
    """Lower confidence bound for the number of false hypotheses in each row, (r, n) -> (r,).

    n minus the size of the largest set of largest p-values that Simes' test does not reject.
    """
    rows, n = p_values.shape
    ordered = np.sort(p_values, axis=1)
    undecided = np.zeros(rows, dtype=np.int64)
    for size in range(1, n + 1):
        steps = alpha * np.arange(1, size + 1) / size
        undecided[np.all(ordered[:, n - size :] > steps, axis=1)] = size
    decided: Ints = n - undecided
    return decided


def marginal_holm_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Marginal sets by Holm's procedure over each unit's own 2(p-1) ordered pairs; any dependence."""
    n = len(pairs.score) - 1
    rejected = holm(np.hstack([others(pairs.p_better), others(pairs.p_better.T)]), alpha)
    worse, better = rejected[:, :n].sum(axis=1), rejected[:, n:].sum(axis=1)
    return RankSets(1 + better, n + 1 - worse)


def holm_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Simultaneous sets by Holm's procedure over all p(p-1) ordered pairs; any dependence."""
    ordered_pairs = ~np.eye(len(pairs.score), dtype=bool)
    better = np.zeros_like(ordered_pairs)
    better[ordered_pairs] = holm(pairs.p_better[ordered_pairs], alpha)
    return sets_from(better)


def holm(p_values: Floats, alpha: float) -> Bools:
    """Holm's step-down rejections within each row (last axis); same shape."""
    order = np.argsort(p_values, axis=-1, kind="stable")
    steps = alpha / np.arange(p_values.shape[-1], 0, -1)
    passed = np.take_along_axis(p_values, order, axis=-1) <= steps
    rejected = np.zeros_like(passed)
    np.put_along_axis(rejected, order, np.logical_and.accumulate(passed, axis=-1), axis=-1)
    return rejected


def tukey_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Simultaneous sets by the studentized range: Tukey-Kramer, or Games-Howell where the se are estimated.

    Exact for equal se, slightly conservative otherwise (Hayter 1984).
    """
    p = len(pairs.score)
    better = np.zeros((p, p), dtype=bool)
    for row, ahead in enumerate(pairs.t > 0):
        q = np.sqrt(2) * pairs.t[row, ahead]
        better[row, ahead] = range_p_value(q, p, pairs.pair_df[row, ahead]) < alpha
    least, most = (range_quantile(1 - alpha, p, df) / 2**0.5 for df in extremes(others(pairs.pair_df)))
    return sets_from(better, critical=(most, least))


def joint_interval_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Simultaneous sets from joint confidence intervals that do not overlap (Klein, Wright and Wieczorek 2020).

    Limits at level (1 - alpha)^(1/p) for independent units, 1 - alpha / p otherwise. Intervals that touch are separate.
    """
    p = len(pairs.score)
    miss = -np.expm1(np.log1p(-alpha) / p) if pairs.independent else alpha / p
    quantile = -special.stdtrit(pairs.df, miss / 2)
    low, high = pairs.score - quantile * pairs.se, pairs.score + quantile * pairs.se
    return sets_from((low[:, None] >= high) & (pairs.t > 0), critical=extremes(quantile))


def sets_from(better: Bools, *, critical: tuple[float, float] | None = None) -> RankSets:
    """Rank sets from a (p, p) matrix "row is proven better than column"."""
    return RankSets(1 + better.sum(axis=0), len(better) - better.sum(axis=1), critical)


def extremes(values: Floats) -> tuple[float, float]:
    """Smallest and largest value."""
    return float(values.min()), float(values.max())


MARGINAL: Mapping[str, Callable[[Pairs, float], RankSets]] = {"simes": simes_sets, "holm": marginal_holm_sets}
SIMULTANEOUS: Mapping[str, Callable[[Pairs, float], RankSets]] = {
    "tukey": tukey_sets,
    "holm": holm_sets,
    "joint-ci": joint_interval_sets,
}
