"""Max-t by simulation: critical values from drawn errors of the units, for whole tables and for
dependent units.

A draw gives every unit an error with its own se (or all of them, with their covariance); the
largest standardised difference of a draw is what chance alone would have shown. Estimated se:
independent units also draw their variances (chi-squares with their df), and differences are put on
one scale by `scale`; dependent units keep their pairs' p-values on the normal scale (Gaussian
copula). Step-down as Romano and Wolf (2005) and csranks (Mogstad, Romano, Shaikh and Wilhelm 2024),
on the same draws in every step, hence never wider than the single step. Every draw counts with both
signs, and draws belong to units in an order of their own: neither the direction of the scores nor
the order of the rows matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from satisfaction.estimation.max_t import drawn_errors, normal_scores, symmetric_root
from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, spread_of

DRAWS = 100_000
FEWEST = 50_000
SEED = 20_260_101
FRAGILE = 3.0  # Monte-Carlo standard errors of the critical value
# numbers a row of pairs takes at a time, to stay in the processor's cache; changes no draw
BLOCK = 100_000
ROWS = 12_500_000  # numbers kept at a time for units' own critical values: 100 MB
UNSEEN = -1e300  # in place of a draw that is not looked at
KEPT = 4.0  # times alpha: share of the draws, the largest, that a further step looks at

CHI_SQUARES = "normal errors over variances drawn from chi-squares with the units' df"
COPULA = "normal errors against the pairs' p-values (Gaussian copula)"


@dataclass(frozen=True, slots=True)
class Simulated:
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


@dataclass(frozen=True, slots=True)
class Compared:
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
    precision = np.divide(1.0, spread, out=np.zeros((p, p)), where=testable)
    errors = "normal errors" if known.all() else COPULA
    statistic = normal_scores(pairs.t, pairs.pair_df)
    scale = np.ones((p, p))
    return Compared(statistic, precision, scale, draws_variances=False, errors=errors)


def whole_table(
    pairs: Pairs, scaled: Compared, alpha: float, *, draws: int, seed: int, step_down: bool
) -> Simulated:
    """Critical value for all ordered pairs at once.

    Step-down: pairs rejected leave the family (their opposites stay) and the critical value is
    taken again. A further step looks at the draws that were largest, since with fewer pairs no draw
    grows; at all of them where these do not suffice.
    """
    family = scaled.weight > 0
    if not family.any():
        return Simulated(np.zeros(1), np.zeros(1), (0.0,))
    every_draw = np.ones(draws, dtype=bool)
    largest = largest_differences(pairs, scaled, family, every_draw, seed=seed)
    at_most = largest.max(axis=0)
    critical, error = upper_quantile(largest, alpha)
    steps = [critical]
    while step_down:
        left = (scaled.weight > 0) & (scaled.statistic <= critical)
        if left.sum() >= family.sum():
            break
        family = left
        threshold = np.quantile(at_most, max(1 - KEPT * alpha, 0.0))
        looked_at = at_most >= threshold
        largest = largest_differences(pairs, scaled, family, looked_at, seed=seed)
        critical, error = upper_quantile(largest, alpha)
        if critical - error < threshold:  # some of the draws left out may matter
            looked_at = every_draw
            largest = largest_differences(pairs, scaled, family, looked_at, seed=seed)
            critical, error = upper_quantile(largest, alpha)
        at_most[looked_at] = largest.max(axis=0)[looked_at]
        steps.append(critical)
    return Simulated(np.array([critical]), np.array([error]), tuple(steps))


def each_unit(
    pairs: Pairs, scaled: Compared, alpha: float, *, draws: int, seed: int, sides: int = 2
) -> Simulated:
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
        blocks = list(unit_differences(pairs, scaled, units, draws, seed, sides))
        largest = np.concatenate(blocks, axis=2)
        for unit, values in zip(units, largest, strict=True):
            if scaled.weight[unit].any():
                critical[unit], error[unit] = upper_quantile(values, alpha)
    return Simulated(critical, error)


def upper_quantile(largest: Floats, alpha: float) -> tuple[float, float]:
    """The 1 - alpha quantile of (k, draws) values and its Monte-Carlo standard error.

    The error is half the distance between the quantiles one binomial standard error below and
    above, over `draws` independent values: it needs no density, and counts a draw's two signs as
    one value.
    """
    off = np.sqrt(alpha * (1 - alpha) / largest.shape[1])
    shares = np.clip([1 - alpha - off, 1 - alpha, 1 - alpha + off], 0.0, 1.0)
    low, critical, high = np.quantile(largest, shares)
    return float(critical), float(high - low) / 2


def largest_differences(
    pairs: Pairs, scaled: Compared, family: Bools, looked_at: Bools, *, seed: int
) -> Floats:
    """Largest difference over a (p, p) family of ordered pairs in each draw, by sign of the draw:
    (1 or 2, draws).

    One row where every pair is in the family both ways. UNSEEN in draws that are not `looked_at`.
    """
    both = np.triu(family & family.T)
    one_way = family & ~family.T
    largest = np.full((2 if one_way.any() else 1, len(looked_at)), UNSEEN)
    for start, errors, variances in unit_errors(pairs, scaled, len(looked_at), seed):
        here = np.flatnonzero(looked_at[start : start + errors.shape[1]])
        if not len(here):
            continue
        errors = errors[:, here]
        if variances is not None:
            variances = variances[:, here]
        block = np.full((len(largest), len(here)), -np.inf)
        for unit in np.flatnonzero(both.any(axis=1) | one_way.any(axis=1)):
            two_sided = differences(unit, np.flatnonzero(both[unit]), scaled, errors, variances)
            np.abs(two_sided, out=two_sided)
            np.maximum(block, np.max(two_sided, axis=0, initial=-np.inf), out=block)
            signed = differences(unit, np.flatnonzero(one_way[unit]), scaled, errors, variances)
            if len(signed):
                np.maximum(block[0], signed.max(axis=0), out=block[0])
                np.maximum(block[1], -signed.min(axis=0), out=block[1])
        largest[:, start + here] = block
    return largest


def unit_differences(
    pairs: Pairs, scaled: Compared, units: Ints, draws: int, seed: int, sides: int
) -> Iterator[Floats]:
    """Largest difference of each of some units from all others, a block of draws at a time: (units,
    1 or 2, block).
    """
    for _, errors, variances in unit_errors(pairs, scaled, draws, seed):
        largest = np.full((len(units), 3 - sides, errors.shape[1]), -np.inf)
        for row, unit in zip(largest, units, strict=True):
            signed = differences(
                unit, np.flatnonzero(scaled.weight[unit]), scaled, errors, variances
            )
            if len(signed) and sides == 2:
                row[0] = np.abs(signed, out=signed).max(axis=0)
            elif len(signed):
                row[0] = signed.max(axis=0)
                row[1] = -signed.min(axis=0)
        yield largest


def differences(
    unit: np.intp, others: Ints, scaled: Compared, errors: Floats, variances: Floats | None
) -> Floats:
    """Drawn differences of a unit from others on the common scale, (others, block)."""
    drawn = errors[unit] - errors[others]
    if variances is not None:
        drawn /= np.sqrt(variances[unit] + variances[others])
    standardised: Floats = drawn * scaled.weight[unit, others, None]
    return standardised


def unit_errors(
    pairs: Pairs, scaled: Compared, draws: int, seed: int
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
            ratios = chi.chisquare(pairs.df[finite], (number, len(finite))) / pairs.df[finite]
            variances[finite] *= ratios.T
        yield start, errors, variances
        start += number


def canonical_order(pairs: Pairs) -> Ints:
    """An order of the units that depends neither on the order of the rows nor on the direction of
    the scores.
    """
    middle = (pairs.score.max() + pairs.score.min()) / 2
    order: Ints = np.lexsort((pairs.score, np.abs(pairs.score - middle), pairs.df, pairs.se))
    return order
