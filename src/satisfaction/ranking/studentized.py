"""Critical values of the studentized range, and of one unit against all others.

The studentized range, vectorised over degrees of freedom: scipy's ``studentized_range`` needs 0.2 s
for one quantile at 88 units; a rank table asks for thousands of pairs, each with its own
Satterthwaite df. Here one spline of the range distribution serves all of them.

One unit against others: the distribution of its largest t by numerical integration (Dunnett's
problem, unequal se).

Given the unit's own error and its own estimated variance, its differences from the others are
independent. For known se one integral over the unit's own error is left; for estimated se its own
variance is integrated as well, and each other unit's variance inside (scaled chi-squares with the
units' df). Critical values are given on the normal scale: a pair is decided where its own t-test,
at its Satterthwaite df, has a tail of at most ndtr(-critical). Independent units only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from scipy import special
from scipy.interpolate import BarycentricInterpolator, CubicSpline
from scipy.optimize import brentq

from satisfaction.ranking.pairs import Floats, Ints, Pairs

WIDEST = 16.0  # the range of 10,000 standard normals exceeds 16 with probability below 1e-20
# the log of a chi variable leaves these nodes (in its own spread) with probability below 1e-13
NODES_DF = 40
NODES = np.arange(-44.0, 9.0, 0.25)


def range_p_value(q: Floats, groups: int, df: Floats) -> Floats:
    """P(studentized range > q), one value an entry of q.

    Parameters
    ----------
    q, df : (m,)
        Studentized ranges and their degrees of freedom (inf = variance known).
    groups : int
        Number of units whose range is taken.
    """
    inverse = np.maximum(1 / df, 1e-14)[:, None]  # beyond 1e14 df the chi variable is a constant
    log_scale = NODES * np.sqrt(inverse / 2)
    density = np.exp((log_scale - np.expm1(2 * log_scale) / 2) / inverse)
    tail = range_tail(groups)(np.minimum(q[:, None] * np.exp(log_scale), WIDEST))
    p_value: Floats = np.sum(density * tail, axis=1) / np.sum(density, axis=1)
    return p_value


@lru_cache(maxsize=8)
def range_tail(groups: int) -> CubicSpline:
    """P(range of `groups` independent standard normals > w) for w in 0 ... WIDEST."""
    largest = np.linspace(-8.5, 8.5, 251)
    width = largest[1] - largest[0]
    w = np.linspace(0.0, WIDEST, 1281)
    below = special.ndtr(largest) - special.ndtr(largest - w[:, None])
    weight = np.exp(-(largest**2) / 2)
    mass = np.sum(weight * below ** (groups - 1), axis=1)
    return CubicSpline(w, 1 - groups * mass * width / np.sqrt(2 * np.pi))


def range_quantiles(level: float, groups: int, df: Floats) -> Floats:
    """Quantiles of the studentized range at many degrees of freedom, (m,) ascending.

    More than NODES_DF of them are read off a polynomial in 1 / df through Chebyshev's nodes, to
    1e-8.
    """
    if len(df) <= NODES_DF:
        return np.array([range_quantile(level, groups, value) for value in df.tolist()])
    inverse = 1 / df
    middle = (inverse[0] + inverse[-1]) / 2
    half = (inverse[0] - inverse[-1]) / 2
    nodes = middle + half * np.cos(np.linspace(0, np.pi, NODES_DF))[::-1]
    at_nodes = []
    for node in np.maximum(nodes, 0.0).tolist():
        df_of_node = 1 / node if node > 0 else np.inf
        at_nodes.append(range_quantile(level, groups, df_of_node))
    quantiles: Floats = BarycentricInterpolator(nodes, at_nodes)(inverse)
    return quantiles


def range_quantile(level: float, groups: int, df: float) -> float:
    """Quantile of the studentized range."""

    def excess(log_q: float) -> float:
        return float(range_p_value(np.exp([log_q]), groups, np.array([df]))[0]) - (1 - level)

    return float(np.exp(brentq(excess, -7.0, 40.0, xtol=1e-13)))


Sides: TypeAlias = Literal[1, 2]
# grid of the unit's own error, in standard errors: what lies beyond has probability 1e-15 and 1e-10
REACH_KNOWN = 8.0
REACH_ESTIMATED = 6.6
COARSE_KNOWN = 0.05  # its steps
COARSE_ESTIMATED = 0.15
# steps of the grid within the width of the sharpest of the others, whose se counts as at least
# SHARPEST of the unit's
FINER = 3.0
SHARPEST = 0.05
# of chi-squares; more of them move a critical value by 1e-6 at 15 df, 1e-4 at 8, 2e-3 at 4
OWN_NODES = 8
OTHER_NODES = 6
ACCURATE = 1e-6  # last step of a critical value; secants are far closer by then


@dataclass(frozen=True, slots=True)
class Against:
    """One unit and n others.

    Attributes
    ----------
    se : float
        The unit's own standard error.
    variance : (o,)
        Its variance at the o nodes of its chi-square, with `weight` (o,).
    others_se : (n,)
        At least SHARPEST times the unit's own.
    others_variance : (n, m)
        The others' variances at the m nodes of their chi-squares, with `others_weight` (m,).
    pair_df : (n,)
        Satterthwaite df of the differences.
    grid : (g,)
        Nodes of the unit's own error from 0 on, in standard errors, evenly spaced; the other half
        is the mirror image.
    """

    se: float
    variance: Floats
    weight: Floats
    others_se: Floats
    others_variance: Floats
    others_weight: Floats
    pair_df: Floats
    grid: Floats


def one_against(pairs: Pairs, unit: int, others: Ints) -> Against:
    """Set up one unit against others.

    The grid is as fine as the most precise of the others asks for. More than twenty times as
    precise as the unit counts as twenty times: less correlated comparisons have a larger critical
    value, so this errs on the safe side.
    """
    estimated = bool(np.isfinite(pairs.df[unit]) or np.isfinite(pairs.df[others]).any())
    if estimated:
        coarse = COARSE_ESTIMATED
        reach = REACH_ESTIMATED
        own_nodes = OWN_NODES
        other_nodes = OTHER_NODES
    else:
        coarse = COARSE_KNOWN
        reach = REACH_KNOWN
        own_nodes = other_nodes = 1
    se = float(pairs.se[unit])
    others_se = np.maximum(pairs.se[others], SHARPEST * se)
    step = coarse
    if se > 0:
        step = min(coarse, float(others_se.min()) / se / FINER)
    variance, weight = chi_square_nodes(pairs.df[[unit]], own_nodes)
    others_variance, others_weight = chi_square_nodes(pairs.df[others], other_nodes)
    return Against(
        se=se,
        variance=se**2 * variance[0],
        weight=weight,
        others_se=others_se,
        others_variance=others_se[:, None] ** 2 * others_variance,
        others_weight=others_weight,
        pair_df=pairs.pair_df[unit, others],
        grid=np.arange(0.0, reach + step / 2, step),
    )


def chi_square_nodes(df: Floats, count: int) -> tuple[Floats, Floats]:
    """Nodes (n, count) and weights (count,) for chi-squares over their (n,) df: Gauss-Hermite on
    the normal scale.
    """
    at, weight = np.polynomial.hermite_e.hermegauss(count)
    half = np.minimum(df, 1e12)[:, None] / 2  # beyond 1e12 df a chi-square over its df is 1
    below = special.gammaincinv(half, special.ndtr(at))
    above = special.gammainccinv(half, special.ndtr(-at))
    nodes = np.where(at < 0, below, above) / half
    return np.where(np.isinf(df)[:, None], 1.0, nodes), weight / weight.sum()


def exceedance(against: Against, critical: float, sides: Sides) -> float:
    """P(some t of the unit against the others is beyond its critical value); |t| for two sides."""
    # |t| does not change with the sign of the unit's own error: half the line will do
    at = against.grid if sides == 2 else np.append(-against.grid[:0:-1], against.grid)
    density = np.exp(-(at**2) / 2)
    if sides == 2:
        density[0] /= 2
    spread = np.sqrt(against.variance[:, None, None] + against.others_variance)
    limit = t_quantile(critical, against.pair_df)[:, None] * spread / against.others_se[:, None]
    shift = (against.se * at)[:, None, None, None] / against.others_se[:, None]
    beyond = special.ndtr(shift - limit)
    if sides == 2:
        beyond += special.ndtr(-shift - limit)
    each = np.minimum(beyond @ against.others_weight, 1.0)
    with np.errstate(divide="ignore"):
        some = -np.expm1(np.sum(np.log1p(-each), axis=-1))
    return float(density @ (some @ against.weight) / density.sum())


def t_quantile(critical: Floats | float, df: Floats) -> Floats:
    """The t value with the tail that `critical` has in the normal distribution, one a df."""
    quantile: Floats = np.where(
        np.isinf(df), critical, -special.stdtrit(df, special.ndtr(-critical))
    )
    return quantile


def critical_values(pairs: Pairs, alpha: float, sides: Sides = 2) -> Floats:
    """Critical value of each unit against all others, (p,), on the normal scale; nan where all
    differences are exact.
    """
    return np.array([critical_value(pairs, unit, alpha, sides) for unit in range(len(pairs.se))])


def critical_value(pairs: Pairs, unit: int, alpha: float, sides: Sides) -> float:
    """Critical value of one unit against all others, on the normal scale."""
    with_error = pairs.se + pairs.se[unit] > 0
    others = np.flatnonzero(with_error & (np.arange(len(pairs.se)) != unit))
    if not len(others):
        return np.nan
    bonferroni = -float(special.ndtri(alpha / sides / len(others)))
    infinite = np.full_like(pairs.df, np.inf)
    as_if_known = replace(pairs, df=infinite, pair_df=np.full_like(pairs.pair_df, np.inf))
    known = _solve(one_against(as_if_known, unit, others), alpha, sides, start=bonferroni)
    if np.isinf(pairs.pair_df[unit, others]).all():
        return known
    return _solve(one_against(pairs, unit, others), alpha, sides, start=known)


def _solve(against: Against, alpha: float, sides: Sides, *, start: float) -> float:
    """The critical value with exceedance alpha, by secants on the log of the exceedance, which is
    almost straight.
    """

    def gap(critical: float) -> float:
        return float(np.log(exceedance(against, critical, sides) / alpha))

    last = start
    critical = start + 0.01
    gap_last = gap(last)
    gap_now = gap(critical)
    while abs(critical - last) > ACCURATE:
        slope = (gap_now - gap_last) / (critical - last)
        last = critical
        gap_last = gap_now
        critical = critical - gap_now / slope
        gap_now = gap(critical)
    return critical


def largest_p_value(pairs: Pairs, unit: int, others: Ints, p_value: float) -> float:
    """P(the smallest one-sided p-value of the unit against these others <= `p_value`): at least it,
    at most n times it.
    """
    n = len(others)
    if not 0 < p_value < 1 or n == 1:
        return p_value
    some = exceedance(one_against(pairs, unit, others), -float(special.ndtri(p_value)), 1)
    return min(max(some, p_value), n * p_value, 1.0)
