"""Critical values: of the studentized range, of one unit against all others, and of max-t by simulation.

*Studentized range*, vectorised over degrees of freedom: scipy's ``studentized_range`` needs 0.2 s
for one quantile at 88 units; a rank table asks for thousands of pairs, each with its own
Satterthwaite df. Here one spline of the range distribution serves all of them.

*One unit against others*: the distribution of its largest t by numerical integration (Dunnett's
problem, unequal se). Given the unit's own error and its own estimated variance, its differences
from the others are independent. For known se one integral over the unit's own error is left; for
estimated se its own variance is integrated as well, and each other unit's variance inside (scaled
chi-squares with the units' df). Critical values are given on the normal scale: a pair is decided
where its own t-test, at its Satterthwaite df, has a tail of at most ndtr(-critical). Independent
units only.

*Max-t by simulation*, for whole tables and for dependent units. A draw gives every unit an error
with its own se (or all of them, with their covariance); the largest standardised difference of a
draw is what chance alone would have shown. Estimated se: independent units also draw their
variances (chi-squares with their df), and differences are put on one scale by `scale`; dependent
units keep their pairs' p-values on the normal scale (Gaussian copula). Step-down as Romano and Wolf
(2005) and csranks (Mogstad, Romano, Shaikh and Wilhelm 2024), on the same draws in every step,
hence never wider than the single step. Every draw counts with both signs, and draws belong to units
in an order of their own: neither the direction of the scores nor the order of the rows matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from scipy import special
from scipy.interpolate import BarycentricInterpolator, CubicSpline

from satisfaction.estimation.multiplicity import drawn_errors, normal_scores, symmetric_root
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_
from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, spread_of

WIDEST = 16.0  # the range of 10,000 standard normals exceeds 16 with probability below 1e-20
# the log of a chi variable leaves these nodes (in its own spread) with probability below 1e-13
NODES_DF = 40
NODES = np.arange(-44.0, 9.0, 0.25)
MOST_STEPS = 200  # to a quantile; about nine are taken
CLOSE = 1e-9  # last step of its logarithm; the next one would be its square


def range_p_value(q: Floats, groups: int, df: Floats) -> Floats:
    """P(studentized range > q), one value an entry of q.

    Parameters
    ----------
    q, df : (m,)
        Studentized ranges and their degrees of freedom (inf = variance known).
    groups : int
        Number of units whose range is taken.
    """
    return _chi_nodes(df).mean_of(range_tail(groups), q)


@dataclass(frozen=True, slots=True, repr=False)
class ChiNodes(Brief):
    """Nodes of chi variables, in the units of their own root mean square, (m, nodes) each.

    Attributes
    ----------
    scale : (m, nodes)
        Values of the chi variables.
    density : (m, nodes)
        Their densities there, up to a factor.
    """

    scale: Floats
    density: Floats

    def mean_of(self, tail: CubicSpline, q: Floats) -> Floats:
        """Mean of a tail beyond (m,) values times the chi variable, (m,)."""
        beyond = tail(np.minimum(q[:, None] * self.scale, WIDEST))
        weighted = np.sum(self.density * beyond, axis=1)
        mean: Floats = weighted / np.sum(self.density, axis=1)
        return mean

    def mean_slope(self, density: CubicSpline, q: Floats) -> Floats:
        """Slope of `mean_of` in the logarithm of q, from the tail's derivative, (m,)."""
        scaled = q[:, None] * self.scale
        within = np.where(scaled < WIDEST, scaled, 0.0)
        weighted = np.sum(self.density * within * density(within), axis=1)
        slope: Floats = weighted / np.sum(self.density, axis=1)
        return slope


def _chi_nodes(df: Floats) -> ChiNodes:
    """Nodes of the chi variables of (m,) degrees of freedom."""
    inverse = np.maximum(1 / df, 1e-14)[:, None]  # beyond 1e14 df the chi variable is a constant
    log_scale = NODES * np.sqrt(inverse / 2)
    log_density = log_scale - np.expm1(2 * log_scale) / 2
    density = np.exp(log_density / inverse)
    return ChiNodes(np.exp(log_scale), density)


@lru_cache(maxsize=64)
def range_tail(groups: int) -> CubicSpline:
    """P(range of `groups` independent standard normals > w) for w in 0 ... WIDEST."""
    largest = np.linspace(-8.5, 8.5, 251)
    width = largest[1] - largest[0]
    w = np.linspace(0.0, WIDEST, 1281)
    smallest = largest - w[:, None]
    below = special.ndtr(largest) - special.ndtr(smallest)
    weight = np.exp(-(largest**2) / 2)
    mass = np.sum(weight * below ** (groups - 1), axis=1)
    within = groups * mass * width / np.sqrt(2 * np.pi)
    return CubicSpline(w, 1 - within)


def range_quantiles(level: float, groups: int, df: Floats) -> Floats:
    """Quantiles of the studentized range at many degrees of freedom, (m,) ascending.

    More than NODES_DF of them are read off a polynomial in 1 / df through Chebyshev's nodes, to
    1e-8.
    """
    if len(df) <= NODES_DF:
        return _range_quantiles(level, groups, tuple(df.tolist()))
    inverse = 1 / df
    middle = (inverse[0] + inverse[-1]) / 2
    half = (inverse[0] - inverse[-1]) / 2
    of_chebyshev = np.cos(np.linspace(0, np.pi, NODES_DF))[::-1]
    nodes = middle + half * of_chebyshev
    with np.errstate(divide="ignore"):
        df_of_nodes = 1 / np.maximum(nodes, 0.0)
    at_nodes = _range_quantiles(level, groups, tuple(df_of_nodes.tolist()))
    quantiles: Floats = BarycentricInterpolator(nodes, at_nodes)(inverse)
    return quantiles


@lru_cache(maxsize=256)
def _range_quantiles(level: float, groups: int, df: tuple[float, ...]) -> Floats:
    """Quantiles of the studentized range, one a df: those of a wave's rankings are often the same.

    By Newton's steps on the logarithm of the tail, inside brackets that shrink: where a step would
    leave them, they are halved.
    """
    nodes = _chi_nodes(np.array(df))
    tail = range_tail(groups)
    density = tail.derivative()
    low = np.full(len(df), -7.0)
    high = np.full(len(df), 40.0)
    at = np.full(len(df), np.log(3.5))
    for _ in range(MOST_STEPS):
        q = np.exp(at)
        beyond = nodes.mean_of(tail, q)
        excess = beyond - (1 - level)
        low = np.where(excess > 0, at, low)
        high = np.where(excess > 0, high, at)
        slope = nodes.mean_slope(density, q)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = at - beyond / slope * np.log(beyond / (1 - level))
        inside = (step >= low) & (step <= high)
        step = np.where(inside, step, (low + high) / 2)
        moved = np.abs(step - at).max()
        at = step
        if moved < CLOSE:
            break
    quantiles = np.exp(at)
    quantiles.flags.writeable = False
    return np.asarray(quantiles)


# ---- one unit against others

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


@dataclass(frozen=True, slots=True, repr=False)
class Against(Brief):
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
    df = pairs.df[np.append(others, unit)]
    if np.isfinite(df).any():  # variances are estimated
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
    spread = others_se[:, None] ** 2 * others_variance
    pair_df = pairs.pair_df[unit, others]
    grid = np.arange(0.0, reach + step / 2, step)
    own = se**2 * variance[0]
    return Against(se, own, weight, others_se, spread, others_weight, pair_df, grid)


def chi_square_nodes(df: Floats, count: int) -> tuple[Floats, Floats]:
    """Nodes (n, count) and weights (count,) for chi-squares over their (n,) df: Gauss-Hermite on
    the normal scale.
    """
    at, weight = np.polynomial.hermite_e.hermegauss(count)
    half = np.minimum(df, 1e12)[:, None] / 2  # beyond 1e12 df a chi-square over its df is 1
    below = special.gammaincinv(half, special.ndtr(at))
    above = special.gammainccinv(half, special.ndtr(-at))
    nodes = np.where(at < 0, below, above) / half
    known = np.isinf(df)[:, None]
    return np.where(known, 1.0, nodes), weight / weight.sum()


def exceedance(against: Against, critical: float, sides: Sides) -> float:
    """P(some t of the unit against the others is beyond its critical value); |t| for two sides."""
    at = against.grid
    if sides == 1:
        at = np.append(-against.grid[:0:-1], against.grid)
    density = np.exp(-(at**2) / 2)
    if (
        sides == 2
    ):  # |t| does not change with the sign of the unit's own error: half the line will do
        density[0] /= 2
    others_se = against.others_se[:, None]
    spread = np.sqrt(against.variance[:, None, None] + against.others_variance)
    quantile = t_critical(critical, against.pair_df)
    limit = quantile[:, None] * spread / others_se
    shift = (against.se * at)[:, None, None, None] / others_se
    beyond = special.ndtr(shift - limit)
    if sides == 2:
        beyond += special.ndtr(-shift - limit)
    each = np.minimum(beyond @ against.others_weight, 1.0)
    with np.errstate(divide="ignore"):
        none = np.sum(np.log1p(-each), axis=-1)
    some = -np.expm1(none) @ against.weight
    return float(density @ some / density.sum())


def t_critical(critical: Floats | float, df: Floats) -> Floats:
    """The t value with the tail that `critical` has in the normal distribution, one a df."""
    tail = special.ndtr(-critical)
    of_t = -special.stdtrit(df, tail)
    quantile: Floats = np.where(np.isinf(df), critical, of_t)
    return quantile


def critical_values(pairs: Pairs, alpha: float, sides: Sides = 2) -> Floats:
    """Critical value of each unit against all others, (p,), on the normal scale; nan where all
    differences are exact.
    """
    units = range(len(pairs.se))
    return np.array([critical_value(pairs, unit, alpha, sides=sides) for unit in units])


def critical_value(pairs: Pairs, unit: int, alpha: float, *, sides: Sides) -> float:
    """Critical value of one unit against all others, on the normal scale."""
    uncertain = pairs.se + pairs.se[unit] > 0
    uncertain[unit] = False
    others = np.flatnonzero(uncertain)
    if not len(others):
        return np.nan
    bonferroni = -float(special.ndtri(alpha / sides / len(others)))
    infinite = np.full_like(pairs.df, np.inf)
    infinite_for_pairs = np.full_like(pairs.pair_df, np.inf)
    as_if_known = replace(pairs, df=infinite, pair_df=infinite_for_pairs)
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


def largest_p_value(pairs: Pairs, unit: int, others: Ints, *, p_value: float) -> float:
    """P(the smallest one-sided p-value of the unit against these others <= `p_value`): at least it,
    at most n times it.
    """
    n = len(others)
    if not 0 < p_value < 1 or n == 1:
        return p_value
    critical = -float(special.ndtri(p_value))
    some = exceedance(one_against(pairs, unit, others), critical, 1)
    return min(max(some, p_value), n * p_value, 1.0)


# ---- max-t by simulation

DRAWS = 100_000
FEWEST = 50_000
SEED = 20_260_101
FRAGILE = 3.0  # Monte-Carlo standard errors of the critical value
# numbers a row of pairs takes at a time, to stay in the processor's cache; changes no draw
BLOCK = 100_000
ROWS = 12_500_000  # numbers kept at a time for units' own critical values: 100 MB
UNSEEN = -1e300  # in place of a draw that is not looked at
KEPT = 4.0  # times alpha: share of the draws, the largest, that a further step looks at

CHI_SQUARES = N_("normal errors over variances drawn from chi-squares with the units' df")
COPULA = N_("normal errors against the pairs' p-values (Gaussian copula)")


@dataclass(frozen=True, slots=True, repr=False)
class SimulatedValue(Brief):
    """A critical value (or one a unit) from simulation.

    Attributes
    ----------
    critical, error : (k,)
        Critical values on the normal scale and their Monte-Carlo standard errors; k = 1 for a whole
        table, p for units.
    steps : tuple of float
        Critical values of a step-down in order, the last one the one that holds; empty for units.
    """

    critical: Floats
    error: Floats
    steps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Compared(Brief):
    """Differences on one scale, and how to put drawn ones on it.

    Attributes
    ----------
    statistic : (p, p)
        Observed differences, row minus column, on a scale that is the normal one for known se.
    weight : (p, p)
        What a drawn difference is multiplied by; 0 where there is no error, that is, nothing to
        test.
    scale : (p, p)
        Statistic times scale is t.
    draws_variances : bool
        Drawn differences are then divided by the root of the drawn variances.
    errors : str
        What was drawn, in words.
    """

    statistic: Floats
    weight: Floats
    scale: Floats
    draws_variances: bool
    errors: str


def compared(pairs: Pairs, alpha: float) -> Compared:
    """Put all differences on one scale.

    Independent units with estimated se: t over the ratio of the pair's t quantile to the normal
    one, both at the Bonferroni level, where the critical value is to be expected; so every pair has
    about the same share in the error.
    """
    p = len(pairs.score)
    spread = spread_of(pairs.cov)
    testable = (spread > 0) & ~np.eye(p, dtype=bool)
    known = np.isinf(pairs.pair_df)
    if pairs.independent and not known.all():
        tail = alpha / (p * (p - 1))
        ratio = special.stdtrit(pairs.pair_df, tail) / special.ndtri(tail)
        scale = np.where(known, 1.0, ratio)
        statistic = pairs.t / scale
        return Compared(
            statistic, testable / scale, scale, draws_variances=True, errors=CHI_SQUARES
        )
    no_precision = np.zeros((p, p))
    precision = np.divide(1.0, spread, out=no_precision, where=testable)
    errors = N_("normal errors") if known.all() else COPULA
    statistic = normal_scores(pairs.t, pairs.pair_df)
    scale = np.ones((p, p))
    return Compared(statistic, precision, scale, draws_variances=False, errors=errors)


def whole_table(
    pairs: Pairs, scaled: Compared, alpha: float, *, draws: int, seed: int, step_down: bool
) -> SimulatedValue:
    """Critical value for all ordered pairs at once.

    Step-down: pairs rejected leave the family (their opposites stay) and the critical value is
    taken again. A further step looks at the draws that were largest, since with fewer pairs no draw
    grows; at all of them where these do not suffice.
    """
    family = scaled.weight > 0
    if not family.any():
        return SimulatedValue(np.zeros(1), np.zeros(1), (0.0,))
    every_draw = np.ones(draws, dtype=bool)
    largest = largest_differences(pairs, scaled, family, looked_at=every_draw, seed=seed)
    at_most = largest.max(axis=0)
    critical, error = upper_quantile(largest, alpha)
    steps = [critical]
    while step_down:
        not_rejected = scaled.statistic <= critical
        left = (scaled.weight > 0) & not_rejected
        if left.sum() >= family.sum():
            break
        family = left
        left_out = max(1 - KEPT * alpha, 0.0)
        threshold = np.quantile(at_most, left_out)
        looked_at = at_most >= threshold
        largest = largest_differences(pairs, scaled, family, looked_at=looked_at, seed=seed)
        critical, error = upper_quantile(largest, alpha)
        if critical - error < threshold:  # some of the draws left out may matter
            looked_at = every_draw
            largest = largest_differences(pairs, scaled, family, looked_at=looked_at, seed=seed)
            critical, error = upper_quantile(largest, alpha)
        of_draw = largest.max(axis=0)
        at_most[looked_at] = of_draw[looked_at]
        steps.append(critical)
    return SimulatedValue(np.array([critical]), np.array([error]), tuple(steps))


def each_unit(
    pairs: Pairs, scaled: Compared, alpha: float, *, draws: int, seed: int, sides: int = 2
) -> SimulatedValue:
    """Critical value of each unit against all others, nan where its differences are exact; single
    step.

    One-sided: the largest of "another unit is better" and, by the draws' signs, of "is worse" have
    one distribution.
    """
    p = len(pairs.score)
    critical = np.full(p, np.nan)
    error = np.full(p, np.nan)
    rows = max(1, ROWS // draws)
    for start in range(0, p, rows):
        units = np.arange(start, min(start + rows, p))
        blocks = list(unit_differences(pairs, scaled, units, draws=draws, seed=seed, sides=sides))
        largest = np.concatenate(blocks, axis=2)
        for unit, values in zip(units, largest, strict=True):
            if scaled.weight[unit].any():
                critical[unit], error[unit] = upper_quantile(values, alpha)
    return SimulatedValue(critical, error)


def upper_quantile(largest: Floats, alpha: float) -> tuple[float, float]:
    """The 1 - alpha quantile of (k, draws) values and its Monte-Carlo standard error.

    The error is half the distance between the quantiles one binomial standard error below and
    above, over `draws` independent values: it needs no density, and counts a draw's two signs as
    one value.
    """
    number = largest.shape[1]
    share = 1 - alpha
    off = np.sqrt(alpha * share / number)
    shares = np.clip([share - off, share, share + off], 0.0, 1.0)
    low, critical, high = np.quantile(largest, shares)
    return float(critical), float(high - low) / 2


def largest_differences(
    pairs: Pairs, scaled: Compared, family: Bools, *, looked_at: Bools, seed: int
) -> Floats:
    """Largest difference over a (p, p) family of ordered pairs in each draw, by sign of the draw:
    (1 or 2, draws).

    One row where every pair is in the family both ways. UNSEEN in draws that are not `looked_at`.
    """
    both = np.triu(family & family.T)
    one_way = family & ~family.T
    units = np.flatnonzero((both | one_way).any(axis=1))
    signs = 2 if one_way.any() else 1
    largest = np.full((signs, len(looked_at)), UNSEEN)
    for start, errors, variances in unit_errors(pairs, scaled, len(looked_at), seed=seed):
        here = np.flatnonzero(looked_at[start : start + errors.shape[1]])
        if not len(here):
            continue
        errors = errors[:, here]
        if variances is not None:
            variances = variances[:, here]
        block = np.full((len(largest), len(here)), -np.inf)
        for unit in units:
            others = np.flatnonzero(both[unit])
            two_sided = differences(unit, others, scaled, errors=errors, variances=variances)
            np.abs(two_sided, out=two_sided)
            np.maximum(block, np.max(two_sided, axis=0, initial=-np.inf), out=block)
            others = np.flatnonzero(one_way[unit])
            signed = differences(unit, others, scaled, errors=errors, variances=variances)
            if len(signed):
                np.maximum(block[0], signed.max(axis=0), out=block[0])
                np.maximum(block[1], -signed.min(axis=0), out=block[1])
        largest[:, start + here] = block
    return largest


def unit_differences(
    pairs: Pairs, scaled: Compared, units: Ints, *, draws: int, seed: int, sides: int
) -> Iterator[Floats]:
    """Largest difference of each of some units from all others, a block of draws at a time: (units,
    1 or 2, block).
    """
    for _, errors, variances in unit_errors(pairs, scaled, draws, seed=seed):
        shape = (len(units), 3 - sides, errors.shape[1])
        largest = np.full(shape, -np.inf)
        for row, unit in zip(largest, units, strict=True):
            others = np.flatnonzero(scaled.weight[unit])
            signed = differences(unit, others, scaled, errors=errors, variances=variances)
            if len(signed) and sides == 2:
                row[0] = np.abs(signed, out=signed).max(axis=0)
            elif len(signed):
                row[0] = signed.max(axis=0)
                row[1] = -signed.min(axis=0)
        yield largest


def differences(
    unit: np.intp, others: Ints, scaled: Compared, *, errors: Floats, variances: Floats | None
) -> Floats:
    """Drawn differences of a unit from others on the common scale, (others, block)."""
    drawn = errors[unit] - errors[others]
    if variances is not None:
        drawn /= np.sqrt(variances[unit] + variances[others])
    standardised: Floats = drawn * scaled.weight[unit, others, None]
    return standardised


def unit_errors(
    pairs: Pairs, scaled: Compared, draws: int, *, seed: int
) -> Iterator[tuple[int, Floats, Floats | None]]:
    """Draw errors and variances of all units, a block of draws at a time: start, (p, block), (p,
    block) or None.

    The stream runs draw by draw, so neither the size of a block nor the number of draws changes the
    first ones; variances have a stream of their own, so estimated se with large df give the draws
    of known se.
    """
    p = len(pairs.se)
    order = canonical_order(pairs)
    finite = order[np.isfinite(pairs.df[order])]
    root = pairs.se if pairs.independent else symmetric_root(pairs.cov)
    for_errors, for_variances = np.random.SeedSequence(seed).spawn(2)
    normal = np.random.default_rng(for_errors)
    chi = np.random.default_rng(for_variances)
    block = int(np.clip(BLOCK // p, 50, 5_000))
    start = 0
    for errors in drawn_errors(root, draws=draws, rng=normal, block=block, order=order):
        number = errors.shape[1]
        variances = None
        if scaled.draws_variances:
            variances = np.repeat(pairs.se[:, None] ** 2, number, axis=1)
            df = pairs.df[finite]
            ratios = chi.chisquare(df, (number, len(finite))) / df
            variances[finite] *= ratios.T
        yield start, errors, variances
        start += number


def canonical_order(pairs: Pairs) -> Ints:
    """An order of the units that depends neither on the order of the rows nor on the direction of
    the scores.
    """
    middle = (pairs.score.max() + pairs.score.min()) / 2
    from_middle = np.abs(pairs.score - middle)
    order: Ints = np.lexsort((pairs.score, from_middle, pairs.df, pairs.se))
    return order
