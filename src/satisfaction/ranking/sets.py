"""Guaranteed rank sets: between which ranks does a unit lie, with at least the stated probability?

A rank is a count of better units, so a set is ``1 + (proven better) ... p - (proven worse)``.
*Simultaneous* sets hold for the whole table at once, *marginal* sets for one unit named beforehand.
Each method is a kernel ``(pairs, alpha) -> RankSets`` (max-t also takes draws, seed and step_down);
a new one is a function and a line in a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import special

from satisfaction.estimation.multiplicity import holm, normal_scores
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_
from satisfaction.ranking.critical_values import (
    DRAWS,
    FRAGILE,
    SEED,
    compared,
    critical_values,
    each_unit,
    range_quantiles,
    t_critical,
    whole_table,
)
from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, others

Marginal: TypeAlias = Literal["simes", "holm", "maxt"]
Simultaneous: TypeAlias = Literal["tukey", "holm", "joint-ci", "maxt"]


MARGINAL_EXACT = N_(
    "max-t, two-sided, single step; independent units: by integration, estimated variances as chi-squares"
)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulated critical value rests on.

    Attributes
    ----------
    error : float
        Monte-Carlo standard error of the critical value; the largest, where every unit has its own.
    steps : tuple of float
        Critical values of a step-down, on the normal scale; empty without steps.
    fragile : (p,) bool
        Units whose set would change with the critical value moved by `FRAGILE` standard
        errors, up or down.
    """

    error: float
    steps: tuple[float, ...]
    fragile: Bools = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class RankSets(Brief):
    """Rank sets of p units.

    Attributes
    ----------
    low, high : (p,)
        Best and worst rank in each unit's set.
    critical : (float, float) or None
        Smallest and largest critical value over the pairs (or units); None where p-values are
        compared with steps.
    better : (p, p) bool or None
        "Row is proven better than column", all of it at once; None for marginal sets.
    simulation : Simulation or None
        None where nothing was simulated.
    method : str
        Name and form of the method, where the name asked for does not say it all.
    """

    low: Ints
    high: Ints
    critical: tuple[float, float] | None = None
    better: Bools | None = None
    simulation: Simulation | None = None
    method: str = ""


def simes_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Marginal sets by closed testing with Simes' test, alpha / 2 a side (Goeman and Solari 2011).

    Counts how many units are better rather than which, hence never wider than Hochberg's procedure.
    Needs positively dependent comparisons, which independent units give.
    """
    better = count_false(pairs.other_better, alpha / 2)
    worse = count_false(pairs.other_worse, alpha / 2)
    return RankSets(1 + better, len(better) - worse)


def count_false(p_values: Floats, alpha: float) -> Ints:
    """Lower confidence bound for the number of false hypotheses in each row, (r, n) -> (r,).

    n minus the size of the largest set of largest p-values that Simes' test does not reject.
    """
    rows, n = p_values.shape
    ordered = np.sort(p_values, axis=1)
    place = np.arange(1, n + 1)
    undecided = np.zeros(rows, dtype=np.int64)
    too_many = np.full(rows, n + 1)
    # a set of largest p-values that is not rejected has no rejected one inside: halve the sizes
    for _ in range(n.bit_length()):
        size = (undecided + too_many) // 2
        first = n - size[:, None]
        steps = alpha * (place - first) / np.maximum(size[:, None], 1)
        survives = np.all((ordered > steps) | (place <= first), axis=1)
        undecided = np.where(survives, size, undecided)
        too_many = np.where(survives, too_many, size)
    decided: Ints = n - undecided
    return decided


def marginal_holm_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Marginal sets by Holm's procedure over a unit's own 2(p-1) ordered pairs; any dependence."""
    n = len(pairs.score) - 1
    rejected = holm(np.hstack([pairs.other_worse, pairs.other_better])) <= alpha
    worse = rejected[:, :n].sum(axis=1)
    better = rejected[:, n:].sum(axis=1)
    return RankSets(1 + better, n + 1 - worse)


def holm_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Simultaneous sets by Holm's procedure over all p(p-1) ordered pairs; any dependence."""
    ordered_pairs = ~np.eye(len(pairs.score), dtype=bool)
    better = np.zeros_like(ordered_pairs)
    better[ordered_pairs] = holm(pairs.p_better[ordered_pairs]) <= alpha
    return sets_from(better)


def tukey_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Simultaneous sets by the studentized range: Tukey-Kramer, or Dunnett's C where the se are
    estimated.

    Exact for equal se, conservative otherwise (Hayter 1984; Dunnett 1980). Games and Howell's
    quantile at each pair's own df would be narrower, but covers 92 to 94% of such tables where
    95% is asked for (tests/coverage_study).
    """
    critical = tukey_critical(pairs, alpha)
    return sets_from(pairs.t > critical, critical=extremes(others(critical)))


def tukey_critical(pairs: Pairs, alpha: float) -> Floats:
    """Critical value of every difference in its own se, (p, p).

    That of the studentized range at each unit's df, averaged over the two units with their
    variances as weights.
    """
    df, of_unit = np.unique(pairs.df, return_inverse=True)
    quantile = range_quantiles(1 - alpha, len(pairs.score), df)[of_unit] / np.sqrt(2)
    variance = pairs.se**2
    both = variance[:, None] + variance
    share = np.divide(variance[:, None], both, out=np.full_like(both, 0.5), where=both > 0)
    critical: Floats = share * quantile[:, None] + (1 - share) * quantile
    return critical


def joint_interval_sets(pairs: Pairs, alpha: float) -> RankSets:
    """Simultaneous sets from joint confidence intervals that do not overlap (Klein, Wright and
    Wieczorek 2020).

    Limits at level (1 - alpha)^(1/p) for independent units, 1 - alpha / p otherwise. Intervals that
    touch are separate.
    """
    p = len(pairs.score)
    miss = -np.expm1(np.log1p(-alpha) / p) if pairs.independent else alpha / p
    quantile = -special.stdtrit(pairs.df, miss / 2)
    low = pairs.score - quantile * pairs.se
    high = pairs.score + quantile * pairs.se
    separate = low[:, None] >= high
    return sets_from(separate & (pairs.t > 0), critical=extremes(quantile))


def sets_from(better: Bools, *, critical: tuple[float, float] | None = None) -> RankSets:
    """Rank sets from a (p, p) matrix "row is proven better than column"."""
    return RankSets(1 + better.sum(axis=0), len(better) - better.sum(axis=1), critical, better)


def maxt_sets(
    pairs: Pairs,
    alpha: float,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    step_down: bool = True,
) -> RankSets:
    """Simultaneous sets by max-t of simulated differences (see `critical_values`)."""
    scaled = compared(pairs, alpha)
    run = whole_table(pairs, scaled, alpha, draws=draws, seed=seed, step_down=step_down)
    critical = float(run.critical[0])
    form = "step-down" if step_down else "single step"
    sets = simulated_sets(
        lambda value: sets_from(scaled.statistic > value),
        critical,
        error=float(run.error[0]),
        in_t=extremes(critical * others(scaled.scale)),
        method=f"max-t, {form}; {scaled.errors}",
    )
    assert sets.simulation is not None
    return replace(sets, simulation=replace(sets.simulation, steps=run.steps))


def marginal_maxt_sets(
    pairs: Pairs,
    alpha: float,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    step_down: bool = False,
) -> RankSets:
    """Marginal sets by two-sided max-t, single step: an integral for independent units, simulation
    otherwise.

    `step_down` belongs to simultaneous sets and changes nothing here.
    """
    scores = normal_scores(pairs.t, pairs.pair_df)
    if pairs.independent:
        critical = critical_values(pairs, alpha)
        sets = marginal_sets(scores, critical)
        return replace(sets, critical=_in_t(pairs, critical), method=MARGINAL_EXACT)
    scaled = compared(pairs, alpha)
    run = each_unit(pairs, scaled, alpha, draws=draws, seed=seed)
    return simulated_sets(
        lambda critical: marginal_sets(scores, critical),
        run.critical,
        error=run.error,
        in_t=_in_t(pairs, run.critical),
        method=f"max-t, two-sided, single step; {scaled.errors}",
    )


def simulated_sets(
    sets_at: Callable[[Any], RankSets],
    critical: Floats | float,
    *,
    error: Floats | float,
    in_t: tuple[float, float],
    method: str,
) -> RankSets:
    """Sets at a critical value from simulation, with the units whose sets its error would move.

    Parameters
    ----------
    sets_at : callable
        The sets at a critical value.
    critical, error : float or (p,)
        Critical value, of all units or one a unit, and its Monte-Carlo standard error; nan: all differences are exact.
    in_t : tuple of float
        Smallest and largest t that decides a pair.
    method : str
    """
    margin = FRAGILE * error
    fewest = sets_at(critical + margin)
    most = sets_at(critical - margin)
    fragile = (fewest.low != most.low) | (fewest.high != most.high)
    simulation = Simulation(float(np.nanmax(error, initial=0.0)), (), fragile)
    return replace(sets_at(critical), critical=in_t, simulation=simulation, method=method)


def marginal_sets(scores: Floats, critical: Floats) -> RankSets:
    """Sets of units with a critical value each, (p,); nan = all its differences are exact."""
    reach = np.nan_to_num(critical, nan=0.0)[:, None]
    better = (scores < -reach).sum(axis=1)
    worse = (scores > reach).sum(axis=1)
    return RankSets(1 + better, len(scores) - worse)


def _in_t(pairs: Pairs, critical: Floats) -> tuple[float, float]:
    """Smallest and largest t that decides a pair, from (p,) critical values on the normal scale."""
    quantiles = others(t_critical(np.nan_to_num(critical, nan=0.0)[:, None], pairs.pair_df))
    return extremes(quantiles)


def extremes(values: Floats) -> tuple[float, float]:
    """Smallest and largest value."""
    return float(values.min()), float(values.max())


MARGINAL: Mapping[str, Callable[..., RankSets]] = {
    "simes": simes_sets,
    "holm": marginal_holm_sets,
    "maxt": marginal_maxt_sets,
}
SIMULTANEOUS: Mapping[str, Callable[..., RankSets]] = {
    "tukey": tukey_sets,
    "holm": holm_sets,
    "joint-ci": joint_interval_sets,
    "maxt": maxt_sets,
}
