"""Rises between two waves: probabilities that do not rest on one estimate of how far true values
changed.

A few dozen areas say little of how much their true values changed: the likeliest value is often "not
at all", and every stated rise then 0. So the covariance of the true values over areas is not plugged
in but averaged over, by its restricted likelihood: flat on both standard deviations and on the angle
whose sine is the correlation (flat on a standard deviation: Gelman 2006).

Near 0 and 1 the error of a rate depends on the rate, and two waves do not show the scale on which true
rates are normal: half of the draws are made on the arcsine scale, where the error of an effective count
does not depend on its rate (`rates.effective_counts`), half on the logit scale. What is stated is the
mean; beside it stand both scales, each once with the covariances of least and once of most change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from satisfaction.ranking.pairs import TIE, Bools, Floats, Ints
from satisfaction.ranking.probability import (
    DRAWS,
    FLOOR,
    SEED,
    Bivariate,
    expected_rise,
    fit_two_waves,
    rank_draws,
    two_wave_posterior,
)
from satisfaction.ranking.rates import Compared, compared, effective_counts
from satisfaction.ranking.waves import Waves

SCORE_WAVES = (
    "bivariate normal; covariance between units averaged over its restricted likelihood, flat on "
    "both standard deviations and the angle of the correlation; sampling covariance as if known"
)
RATE_WAVES = (
    "bivariate normal on the arcsine and on the logit scale of moderated effective counts, half of "
    "the draws each; covariance between units averaged over its restricted likelihood, flat on both "
    "standard deviations and the angle of the correlation"
)
SPREADS = 14  # nodes of each standard deviation
ANGLES = 25  # of the correlation
LARGEST = 1.3  # standard deviation of the true values, relative to that of the estimates
COVARIANCES = 200  # that are drawn on a scale
TAIL = 40  # of those, the ones with least change and the ones with most: a fifth of the likelihood
AT_ONCE = 1_000_000  # numbers held at once


@dataclass(frozen=True, slots=True)
class DrawnRises:
    """Two waves of p scores or rates under the model.

    Attributes
    ----------
    model : Bivariate
        Posterior means and covariances of the values (times the sign), earlier wave first. Of scores,
        `between`, `centre` and `correlation` are the REML estimates; of rates, posterior means on the
        arcsine scale.
    ranks : (draws, p, 2)
        Ranks drawn from the posterior, of rates on both scales alike; as many as asked for or a few
        more.
    expected_rise : (p,)
        Posterior mean of rank before - rank after; of scores exact, of rates that of the draws.
    assumed : tuple of (k,)
        Of rates, which draws are made under each other assumption: on one scale, with little or much
        change.
    """

    model: Bivariate
    ranks: Ints = field(repr=False)
    expected_rise: Floats = field(repr=False)
    assumed: tuple[Ints, ...] = field(repr=False)

    def compared(self, happened: Bools) -> Compared:
        """Set the probability of an event side by side with those under the other assumptions.

        Parameters
        ----------
        happened : (draws, p) bool
        """
        chances = [happened.mean(axis=0)]
        chances += [happened[which].mean(axis=0) for which in self.assumed]
        return compared(chances, equal=None)


def score_rises(waves: Waves, sign: float, *, draws: int = DRAWS, seed: int = SEED) -> DrawnRises:
    """Draw the ranks of both waves' ranked scores; sign -1 where a smaller score is better."""
    score, sampling = waves.ranked_scores(sign)
    estimated = fit_two_waves(score, sampling)
    unit = float(np.sqrt(np.var(score, axis=0, ddof=1).mean())) or 1.0
    noise = sampling / unit**2
    scale = _Scale(score / unit, noise, likely_covariances(score / unit, noise, COVARIANCES))
    ranks = _drawn(scale, draws=-(-draws // COVARIANCES), seed=seed)
    means = []
    within = []
    expected = []
    for covariance in scale.between:
        _centre, mean, cov = two_wave_posterior(scale.x, scale.noise, between=covariance)
        means.append(mean)
        within.append(cov)
        expected.append(expected_rise(mean, cov))
    mean = np.mean(means, axis=0)
    off = np.array(means) - mean
    cov = np.mean(within, axis=0) + np.mean(off[..., :, None] * off[..., None, :], axis=0)
    model = replace(estimated, mean=mean * unit, cov=cov * unit**2)
    return DrawnRises(model, ranks, np.mean(expected, axis=0), ())


def rate_rises(waves: Waves, sign: float, *, draws: int = DRAWS, seed: int = SEED) -> DrawnRises:
    """Draw the ranks of both waves' ranked rates; sign -1 where a smaller rate is better."""
    ranked = waves.ranked
    arcsine = []
    logit = []
    arcsine_variance = []
    logit_variance = []
    for units in (waves.before, waves.after):
        rate = np.clip(units.estimate[ranked], 0, 1)
        se = np.maximum(np.sqrt(np.diag(units.cov)[ranked]), TIE)
        counts = effective_counts(rate, se, units.df[ranked])
        arcsine.append(sign * np.arcsin(np.sqrt(rate)))
        arcsine_variance.append(1 / (4 * counts.size))
        # half an answer more on either side: logits stay finite
        inside = (counts.yes + 0.5) / (counts.size + 1)
        logit.append(sign * special.logit(inside))
        logit_variance.append(1 / (counts.size * inside * (1 - inside)))
    errors = np.sqrt(np.diag(waves.before.cov) * np.diag(waves.after.cov))[ranked]
    correlation = np.clip(np.diag(waves.cross)[ranked] / np.maximum(errors, TIE**2), -1, 1)
    on_arcsine = _on_scale(arcsine, arcsine_variance, correlation)
    on_logit = _on_scale(logit, logit_variance, correlation)
    each = -(-draws // (2 * COVARIANCES))
    ranks = np.concatenate(
        [
            _drawn(on_arcsine, draws=each, seed=seed),
            _drawn(on_logit, draws=each, seed=seed + COVARIANCES),
        ]
    )
    assumed = []
    for start, scale in enumerate((on_arcsine, on_logit)):
        order = start * COVARIANCES + np.argsort(_change(scale.between), kind="stable")
        for tail in (order[:TAIL], order[-TAIL:]):
            first = tail * each
            assumed.append((first[:, None] + np.arange(each)).ravel())
    expected = np.mean(ranks[:, :, 0] - ranks[:, :, 1], axis=0)
    return DrawnRises(_model(on_arcsine, sign), ranks, expected, tuple(assumed))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Estimates (p, 2) of both waves on a scale, their sampling covariances (p, 2, 2), and likely
    covariances of the true values (COVARIANCES, 2, 2).
    """

    x: Floats
    noise: Floats
    between: Floats


def _on_scale(at: list[Floats], variance: list[Floats], correlation: Floats) -> _Scale:
    """Put both waves' values, (p,) each, side by side."""
    x = np.column_stack(at)
    cross = correlation * np.sqrt(variance[0] * variance[1])
    noise = np.array([[variance[0], cross], [cross, variance[1]]]).transpose(2, 0, 1)
    return _Scale(x, noise, likely_covariances(x, noise, COVARIANCES))


def _drawn(scale: _Scale, *, draws: int, seed: int) -> Ints:
    """Draw ranks under each covariance, (COVARIANCES x draws, p, 2)."""
    ranks = []
    for number, covariance in enumerate(scale.between):
        _centre, mean, cov = two_wave_posterior(scale.x, scale.noise, between=covariance)
        ranks.append(rank_draws(mean, cov, draws=draws, seed=seed + number))
    return np.concatenate(ranks)


def _change(between: Floats) -> Floats:
    """Variance of the true change under (k, 2, 2) covariances, (k,)."""
    change: Floats = between[:, 0, 0] + between[:, 1, 1] - 2 * between[:, 0, 1]
    return change


def _model(scale: _Scale, sign: float) -> Bivariate:
    """Posterior means and covariances of the rates, averaged over the covariances on the arcsine scale."""
    centres = []
    first = np.zeros_like(scale.x)
    second = np.zeros_like(scale.noise)
    for covariance in scale.between:
        centre, mean, cov = two_wave_posterior(scale.x, scale.noise, between=covariance)
        centres.append(centre)
        first += _mean_rate(mean, cov) / COVARIANCES
        second += _mean_product(mean, cov) / COVARIANCES
    cov = second - first[:, :, None] * first[:, None, :]
    size = np.sqrt(scale.between[:, 0, 0] * scale.between[:, 1, 1])
    correlation = float(np.mean(scale.between[:, 0, 1] / size))
    spread = scale.between.mean(axis=0)
    return Bivariate(spread, np.mean(centres, axis=0), sign * first, cov, correlation)


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
    order = _without_direction(grid, weight)
    grid = grid[order]
    step = np.cumsum(weight[order]) / weight.sum()
    quantile = (np.arange(number) + 0.5) / number
    chosen = np.minimum(np.searchsorted(step, quantile), len(grid) - 1)
    covariances: Floats = grid[chosen]
    return covariances


def _without_direction(grid: Floats, weight: Floats) -> Ints:
    """Put covariances into an order that is the same whichever wave is called the earlier one."""
    before = grid[:, 0, 0]
    after = grid[:, 1, 1]
    order: Ints = np.lexsort((weight, grid[:, 0, 1], before * after, before + after))
    return order


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
