"""Rises of rates between two waves: probabilities that do not rest on one estimate of how far true rates changed.

Near 0 and 1 the error of a rate depends on the rate, and few dozen areas say little of how much their true rates changed:
the estimate is often "not at all", and every stated rise then 0. So rates are taken to the arcsine scale, where the error of
a count is 1 / (4 size) whatever the rate (`rates.effective_counts`), and the covariance of the true values over areas is not
plugged in but averaged over, by its restricted likelihood: flat on both standard deviations and on the angle whose sine is
the correlation (flat on a standard deviation: Gelman 2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from satisfaction.ranking.pairs import TIE, Floats, Ints
from satisfaction.ranking.probability import (
    DRAWS,
    FLOOR,
    SEED,
    Bivariate,
    rank_draws,
    two_wave_posterior,
)
from satisfaction.ranking.rates import effective_counts
from satisfaction.ranking.waves import Waves

RATE_WAVES = (
    "bivariate normal on the arcsine scale of moderated effective counts; covariance between units averaged over its restricted "
    "likelihood, flat on both standard deviations and the angle of the correlation"
)
SPREADS = 14  # nodes of each standard deviation
ANGLES = 25  # of the correlation
LARGEST = 1.3  # standard deviation of the true values, relative to that of the estimates
COVARIANCES = 200  # that are drawn
AT_ONCE = 1_000_000  # numbers held at once


@dataclass(frozen=True, slots=True)
class DrawnRises:
    """Two waves of p rates under the model.

    Attributes
    ----------
    model : Bivariate
        Posterior means and covariances of the rates (times the sign), earlier wave first; `between`, `centre` and `correlation`
        are posterior means on the arcsine scale.
    ranks : (draws, p, 2)
        Ranks drawn from the posterior.
    """

    model: Bivariate
    ranks: Ints = field(repr=False)

    @property
    def expected_rise(self) -> Floats:
        """Posterior mean of rank before - rank after, (p,)."""
        return np.asarray((self.ranks[:, :, 0] - self.ranks[:, :, 1]).mean(axis=0))


def rate_rises(waves: Waves, sign: float, *, draws: int = DRAWS, seed: int = SEED) -> DrawnRises:
    """Draw the ranks of both waves' ranked rates; sign -1 where a smaller rate is better."""
    ranked = waves.ranked
    at = []
    variance = []
    for units in (waves.before, waves.after):
        rate = np.clip(units.estimate[ranked], 0, 1)
        se = np.maximum(np.sqrt(np.diag(units.cov)[ranked]), TIE)
        counts = effective_counts(rate, se, units.df[ranked])
        at.append(sign * np.arcsin(np.sqrt(rate)))
        variance.append(1 / (4 * counts.size))
    errors = np.sqrt(np.diag(waves.before.cov) * np.diag(waves.after.cov))[ranked]
    correlation = np.diag(waves.cross)[ranked] / np.maximum(errors, TIE**2)
    cross = np.clip(correlation, -1, 1) * np.sqrt(variance[0] * variance[1])
    noise = np.array([[variance[0], cross], [cross, variance[1]]]).transpose(2, 0, 1)
    return _drawn(np.column_stack(at), noise, sign, draws=draws, seed=seed)


def _drawn(x: Floats, noise: Floats, sign: float, *, draws: int, seed: int) -> DrawnRises:
    """Draw covariances by their likelihood, and ranks under each."""
    between = likely_covariances(x, noise, COVARIANCES)
    each = -(-draws // COVARIANCES)
    ranks = []
    centres = []
    first = np.zeros_like(x)
    second = np.zeros((len(x), 2, 2))
    for number, covariance in enumerate(between):
        centre, mean, cov = two_wave_posterior(x, noise, between=covariance)
        ranks.append(rank_draws(mean, cov, draws=each, seed=seed + number))
        centres.append(centre)
        first += _mean_rate(mean, cov) / COVARIANCES
        second += _mean_product(mean, cov) / COVARIANCES
    cov = second - first[:, :, None] * first[:, None, :]
    spread = between.mean(axis=0)
    size = np.sqrt(between[:, 0, 0] * between[:, 1, 1])
    correlation = float(np.mean(between[:, 0, 1] / size))
    model = Bivariate(spread, np.mean(centres, axis=0), sign * first, cov, correlation)
    return DrawnRises(model, np.concatenate(ranks)[:draws])


def likely_covariances(x: Floats, noise: Floats, number: int) -> Floats:
    """Choose covariances of the true values, (number, 2, 2), as often as they are likely.

    Parameters
    ----------
    x : (p, 2)
        Estimates in both waves.
    noise : (p, 2, 2)
        Their sampling covariances.
    number : int
    """
    grid = _grid(x)
    log = np.concatenate([_log_likelihood(part, x, noise) for part in _parts(grid, len(x))])
    weight = np.exp(log - log.max())
    step = np.cumsum(weight) / weight.sum()
    quantile = (np.arange(number) + 0.5) / number
    chosen = np.minimum(np.searchsorted(step, quantile), len(grid) - 1)
    covariances: Floats = grid[chosen]
    return covariances


def _grid(x: Floats) -> Floats:
    """Covariances at the middles of equal steps of both standard deviations and of the angle, (k, 2, 2)."""
    most = LARGEST * np.std(x, axis=0, ddof=1) + TIE
    middle = (np.arange(SPREADS) + 0.5) / SPREADS
    angle = np.pi * ((np.arange(ANGLES) + 0.5) / ANGLES - 0.5)
    mesh = np.meshgrid(middle * most[0], middle * most[1], np.sin(angle), indexing="ij")
    before, after, correlation = (part.ravel() for part in mesh)
    cross = correlation * before * after
    return np.array([[before**2, cross], [cross, after**2]]).transpose(2, 0, 1)


def _parts(grid: Floats, p: int) -> Iterator[Floats]:
    size = max(1, AT_ONCE // p)
    for start in range(0, len(grid), size):
        yield grid[start : start + size]


def _log_likelihood(between: Floats, x: Floats, noise: Floats) -> Floats:
    """Restricted log likelihood of (k, 2, 2) covariances; (k,). As `probability.deviance`, for many at once."""
    before = between[:, None, 0, 0] + noise[:, 0, 0] + FLOOR
    after = between[:, None, 1, 1] + noise[:, 1, 1] + FLOOR
    cross = between[:, None, 0, 1] + noise[:, 0, 1]
    determinant = before * after - cross**2
    w_before = after / determinant
    w_after = before / determinant
    w_cross = -cross / determinant
    sum_before = (w_before * x[:, 0] + w_cross * x[:, 1]).sum(axis=1)
    sum_after = (w_cross * x[:, 0] + w_after * x[:, 1]).sum(axis=1)
    all_before = w_before.sum(axis=1)
    all_after = w_after.sum(axis=1)
    all_cross = w_cross.sum(axis=1)
    pooled = all_before * all_after - all_cross**2
    centre_before = (all_after * sum_before - all_cross * sum_after) / pooled
    centre_after = (all_before * sum_after - all_cross * sum_before) / pooled
    off_before = x[:, 0] - centre_before[:, None]
    off_after = x[:, 1] - centre_after[:, None]
    distance = w_before * off_before**2 + w_after * off_after**2
    distance += 2 * w_cross * off_before * off_after
    value = np.log(determinant).sum(axis=1) + np.log(pooled) + distance.sum(axis=1)
    log_likelihood: Floats = -value / 2
    return log_likelihood


def _mean_rate(mean: Floats, cov: Floats) -> Floats:
    """Mean of sin(x)^2 for normal x, (p, 2)."""
    variance = np.stack([cov[:, 0, 0], cov[:, 1, 1]], axis=1)
    rate: Floats = (1 - np.cos(2 * mean) * np.exp(-2 * variance)) / 2
    return rate


def _mean_product(mean: Floats, cov: Floats) -> Floats:
    """Means of sin(x_a)^2 sin(x_b)^2 for normal x, (p, 2, 2)."""
    variance = np.stack([cov[:, 0, 0], cov[:, 1, 1]], axis=1)
    cosine = np.cos(2 * mean) * np.exp(-2 * variance)
    both = variance[:, :, None] + variance[:, None, :]
    together = mean[:, :, None] + mean[:, None, :]
    apart = mean[:, :, None] - mean[:, None, :]
    of_sum = np.cos(2 * together) * np.exp(-2 * (both + 2 * cov))
    of_difference = np.cos(2 * apart) * np.exp(-2 * (both - 2 * cov))
    product = (of_sum + of_difference) / 2
    means: Floats = (1 - cosine[:, :, None] - cosine[:, None, :] + product) / 4
    return means
