"""Rises between two waves: probabilities that do not rest on one estimate of how far true values
changed.

A few dozen areas say little of how much their true values changed: the likeliest value is often "not
at all", and every stated rise then 0. So how true values are spread and how they change is not plugged
in but averaged over, by its restricted likelihood, flat on standard deviations (Gelman 2006).

Scores: nor do two waves tell whether all areas changed a little or a few changed much, and where few
did, half as many ranks rise. So all, a half, a quarter or an eighth of the areas change, the others
keep their order ("spike and slab": Mitchell and Beauchamp 1988); all of them in two of
three cases before the data speak. What is stated is the mean; beside it stand the half of the likely changes in which
ranks move least, and the half in which they move most. Errors from few PSUs are moderated as those of
rates are (`rates.moderated`): taken as known, small ones made rises too sure.

Rates: near 0 and 1 the error of a rate depends on the rate, and two waves do not show the scale on
which true rates are normal: half of the draws are made on the arcsine scale, where the error of an
effective count does not depend on its rate (`rates.effective_counts`), half on the logit scale. Beside
the mean stand both scales, each once with the covariances of least and once of most change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_
from satisfaction.ranking.pairs import TIE, Bools, Floats, Ints
from satisfaction.ranking.probability import (
    DRAWS,
    FLOOR,
    MANY,
    SEED,
    Bivariate,
    KeptOrder,
    fit_two_waves,
    mean_rank,
    rank_draws,
    two_wave_posterior,
)
from satisfaction.ranking.rates import AcrossPriors, compared_rises, effective_counts, moderated
from satisfaction.ranking.waves import Waves, two_by_two

SCORE_WAVES = N_(
    "all, a half, a quarter or an eighth of the units change by a normal law, the others keep their "
    "order; which, and how far, averaged over its restricted likelihood, flat on both standard "
    "deviations; sampling variances moderated by their df"
)
RATE_WAVES = N_(
    "bivariate normal on the arcsine and on the logit scale of moderated effective counts, half of "
    "the draws each; covariance between units averaged over its restricted likelihood, flat on both "
    "standard deviations and the angle of the correlation"
)
SPREADS = 14  # nodes of each standard deviation
ANGLES = 25  # of the correlation
LARGEST = 1.3  # standard deviation of the true values, relative to that of the estimates
SHARES = (1.0, 0.5, 0.25, 0.125)  # of the units whose score changes
ALL_CHANGE = 2 / 3  # prior probability that all of them do
RATIOS = (0.7, 1.0, 1 / 0.7)  # of the later spread of true scores to the earlier one
COVARIANCES = 200  # that are drawn on a scale
TAIL = 40  # of those, the ones with least change and the ones with most: a fifth of the likelihood
AT_ONCE = 1_000_000  # numbers held at once


@dataclass(frozen=True, slots=True, repr=False)
class DrawnRises(Brief):
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
        Posterior mean of rank before - rank after; of up to 300 scores exact, else that of the draws.
    assumed : tuple of (k,)
        Which draws are made under each other assumption: with little or much change, of rates on one
        scale.
    """

    model: Bivariate
    ranks: Ints
    expected_rise: Floats
    assumed: tuple[Ints, ...]

    def compared(self, happened: Bools) -> AcrossPriors:
        """Set the probability of an event side by side with those under the other assumptions.

        Parameters
        ----------
        happened : (draws, p) bool
        """
        chances = [happened.mean(axis=0)]
        chances += [happened[which].mean(axis=0) for which in self.assumed]
        return compared_rises(chances)


def score_rises(waves: Waves, sign: float, *, draws: int = DRAWS, seed: int = SEED) -> DrawnRises:
    """Draw the ranks of both waves' ranked scores; sign -1 where a smaller score is better."""
    score, sampling = waves.ranked_scores(sign)
    estimated = fit_two_waves(score, sampling)
    unit = float(np.sqrt(np.var(score, axis=0, ddof=1).mean())) or 1.0
    noise = _moderated(sampling, waves) / unit**2
    scale = _Scale(score / unit, noise, likely_changes(score / unit, noise, COVARIANCES))
    posteriors = list(_posteriors(scale))
    each = -(-draws // COVARIANCES)
    ranks = _drawn(posteriors, draws=each, seed=seed)
    gained = ranks[:, :, 0] - ranks[:, :, 1]
    moved = np.abs(gained).reshape(COVARIANCES, -1).mean(axis=1)
    order = np.argsort(moved, kind="stable")
    assumed = [_draws_of(half, each) for half in np.split(order, 2)]
    mean, cov = _moments(posteriors)
    model = replace(estimated, mean=mean * unit, cov=cov * unit**2)
    expected = gained.mean(axis=0)
    if len(score) <= MANY:  # exact as long as all pairs under all changes are few
        expected = np.mean([known.expected_rise() for known in posteriors], axis=0)
    return DrawnRises(model, ranks, expected, tuple(assumed))


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
    of_arcsine = _drawn(_posteriors(on_arcsine), draws=each, seed=seed)
    of_logit = _drawn(_posteriors(on_logit), draws=each, seed=seed + COVARIANCES)
    ranks = np.concatenate([of_arcsine, of_logit])
    assumed = []
    for start, scale in ((0, on_arcsine), (COVARIANCES, on_logit)):
        change = _change(scale.likely.changed)
        order = start + np.argsort(change, kind="stable")
        assumed.append(_draws_of(order[:TAIL], each))
        assumed.append(_draws_of(order[-TAIL:], each))
    expected = np.mean(ranks[:, :, 0] - ranks[:, :, 1], axis=0)
    return DrawnRises(_model(on_arcsine, sign), ranks, expected, tuple(assumed))


@dataclass(frozen=True, slots=True, repr=False)
class Changes(Brief):
    """Covariances of the true values over the two waves, (k, 2, 2) each.

    Attributes
    ----------
    changed, kept : (k, 2, 2)
        Of the units that changed, and of those that kept their order.
    share : (k,)
        Of the units that changed; where it is 1, `kept` counts for nothing.
    """

    changed: Floats
    kept: Floats
    share: Floats

    def of(self, chosen: Ints | slice) -> Changes:
        """Take some of them."""
        return Changes(self.changed[chosen], self.kept[chosen], self.share[chosen])

    def of_all(self) -> Floats:
        """Covariances of all units together, (k, 2, 2)."""
        share = self.share[:, None, None]
        together: Floats = share * self.changed + (1 - share) * self.kept
        return together


@dataclass(frozen=True, slots=True)
class _Scale:
    """Estimates (p, 2) of both waves on a scale, their sampling covariances (p, 2, 2), and
    COVARIANCES likely changes of the true values.
    """

    x: Floats
    noise: Floats
    likely: Changes


@dataclass(frozen=True, slots=True)
class _Posterior:
    """True values of p units under one of the likely changes, were they all to have changed; and
    those of the units that may have kept their order.
    """

    centre: Floats
    mean: Floats
    cov: Floats
    kept: KeptOrder | None

    def moments(self) -> tuple[Floats, Floats]:
        """Means (p, 2) and covariances (p, 2, 2), changed or not."""
        if self.kept is None:
            return self.mean, self.cov
        chance = self.kept.chance[:, None]
        apart = self.kept.mean - self.mean
        mean = self.mean + chance * apart
        chance = chance[:, None]
        within = self.cov + chance * (self.kept.cov - self.cov)
        between = chance * (1 - chance) * _squares(apart)
        return mean, within + between

    def expected_rise(self) -> Floats:
        """Mean of rank before - rank after, (p,), exact."""
        mean = self.mean
        variance = np.diagonal(self.cov, axis1=1, axis2=2)
        weight = np.ones(len(mean))
        if self.kept is not None:
            mean = np.concatenate([mean, self.kept.mean])
            of_kept = np.diagonal(self.kept.cov, axis1=1, axis2=2)
            variance = np.concatenate([variance, of_kept])
            weight = np.concatenate([1 - self.kept.chance, self.kept.chance])
        sd = np.sqrt(variance)
        before = mean_rank(mean[:, 0], sd[:, 0], weight)
        after = mean_rank(mean[:, 1], sd[:, 1], weight)
        gained: Floats = (weight * (before - after)).reshape(-1, len(self.mean)).sum(axis=0)
        return gained


def _moderated(sampling: Floats, waves: Waves) -> Floats:
    """Moderate (p, 2, 2) sampling covariances where they are estimated; correlations stay."""
    factor = np.ones(sampling.shape[:2])
    for wave, units in enumerate((waves.before, waves.after)):
        variance = sampling[:, wave, wave]
        df = units.df[waves.ranked]
        estimated = np.isfinite(df) & (df > 0) & (variance > TIE**2)
        if estimated.sum() < 2:
            continue
        drawn = moderated(variance[estimated], df[estimated])
        factor[estimated, wave] = np.sqrt(drawn / variance[estimated])
    return sampling * factor[:, :, None] * factor[:, None, :]


def _on_scale(at: list[Floats], variance: list[Floats], correlation: Floats) -> _Scale:
    """Put both waves' values, (p,) each, side by side."""
    x = np.column_stack(at)
    cross = correlation * np.sqrt(variance[0] * variance[1])
    noise = two_by_two(variance[0], variance[1], cross)
    covariances = likely_covariances(x, noise, COVARIANCES)
    return _Scale(x, noise, Changes(covariances, covariances, np.ones(COVARIANCES)))


def _drawn(posteriors: Iterable[_Posterior], *, draws: int, seed: int) -> Ints:
    """Draw ranks under each of the likely changes, (COVARIANCES x draws, p, 2)."""
    ranks = []
    for number, known in enumerate(posteriors):
        of_change = rank_draws(
            known.mean, known.cov, draws=draws, seed=seed + number, kept=known.kept
        )
        ranks.append(of_change)
    return np.concatenate(ranks)


def _draws_of(changes: Ints, each: int) -> Ints:
    """Which draws were made under some of the likely changes, `each` under every one."""
    first = changes * each
    return (first[:, None] + np.arange(each)).ravel()


def _posteriors(scale: _Scale) -> Iterator[_Posterior]:
    """Yield the posterior under each of the likely changes."""
    likely = scale.likely
    together = likely.of_all()
    for number, share in enumerate(likely.share):
        changed = likely.changed[number]
        if share == 1:
            yield _Posterior(*two_wave_posterior(scale.x, scale.noise, between=changed), None)
            continue
        centre, _mean, _cov = two_wave_posterior(scale.x, scale.noise, between=together[number])
        _centre, mean, cov = two_wave_posterior(
            scale.x, scale.noise, between=changed, centre=centre
        )
        _centre, kept_mean, kept_cov = two_wave_posterior(
            scale.x, scale.noise, between=likely.kept[number], centre=centre
        )
        one = likely.of(slice(number, number + 1))
        log_changed, log_kept = _log_shares(one, (scale.x - centre)[None], scale.noise)
        chance = special.expit(log_kept - log_changed)[0]
        yield _Posterior(centre, mean, cov, KeptOrder(chance, kept_mean, kept_cov))


def _moments(posteriors: list[_Posterior]) -> tuple[Floats, Floats]:
    """Posterior means (p, 2) and covariances (p, 2, 2), averaged over the likely changes."""
    means = []
    squares = []
    for known in posteriors:
        mean, cov = known.moments()
        means.append(mean)
        squares.append(cov + _squares(mean))
    of_all = np.mean(means, axis=0)
    return of_all, np.mean(squares, axis=0) - _squares(of_all)


def _squares(values: Floats) -> Floats:
    """Products of each row's values with one another, (p, 2) -> (p, 2, 2)."""
    products: Floats = np.einsum("ja,jb->jab", values, values)
    return products


def _change(between: Floats) -> Floats:
    """Variance of the true change under (k, 2, 2) covariances, (k,)."""
    later_minus_earlier = np.array([-1.0, 1.0])
    change: Floats = later_minus_earlier @ between @ later_minus_earlier
    return change


def _model(scale: _Scale, sign: float) -> Bivariate:
    """Posterior means and covariances of the rates, averaged over the covariances on the arcsine scale."""
    centres = []
    first = np.zeros_like(scale.x)
    second = np.zeros_like(scale.noise)
    for known in _posteriors(scale):
        centres.append(known.centre)
        first += _mean_rate(known.mean, known.cov) / COVARIANCES
        second += _mean_product(known.mean, known.cov) / COVARIANCES
    cov = second - _squares(first)
    between = scale.likely.changed
    variance = np.diagonal(between, axis1=1, axis2=2)
    size = np.sqrt(variance.prod(axis=1))
    correlation = float(np.mean(between[:, 0, 1] / size))
    spread = between.mean(axis=0)
    return Bivariate(spread, np.mean(centres, axis=0), sign * first, cov, correlation)


# ---- how true values changed, by likelihood


def likely_changes(x: Floats, noise: Floats, number: int) -> Changes:
    """Choose how true scores changed, `number` times, as often as it is likely.

    Parameters
    ----------
    x : (p, 2)
        Estimates in both waves, of about unit spread.
    noise : (p, 2, 2)
        Their sampling covariances.
    number : int
    """
    middle = LARGEST * (np.arange(SPREADS) + 0.5) / SPREADS
    steps = np.arange(len(RATIOS))
    axes = np.meshgrid(middle, 2 * middle, SHARES, steps, indexing="ij")
    level, change, share, ratio = (axis.ravel() for axis in axes)
    wider = np.array(RATIOS)[ratio.astype(int)]
    # the waves' spreads multiply to the same whichever of them is the wider one
    in_waves = np.stack([wider**-0.5, wider**0.5], axis=1)
    size = in_waves[:, :, None] * in_waves[:, None, :]
    apart = np.array([[1.0, -1.0], [-1.0, 1.0]]) / 4
    kept = (level**2)[:, None, None] * size
    changed = kept + (change**2)[:, None, None] * apart * size
    grid = Changes(changed, kept, share)
    log = [_log_of_changes(grid.of(part), x, noise) for part in _parts(len(share), len(x))]
    few = (1 - ALL_CHANGE) / (len(SHARES) - 1)
    prior = np.where(share == 1, ALL_CHANGE, few)
    weight = prior * _relative(log)
    order = np.lexsort((weight, np.abs(ratio - 1), level, share, change))
    return grid.of(_as_likely(weight, order, number))


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
    log = [_log_likelihood(grid[part], x, noise) for part in _parts(len(grid), len(x))]
    weight = _relative(log)
    order = _without_direction(grid, weight)
    covariances: Floats = grid[_as_likely(weight, order, number)]
    return covariances


def _relative(log: list[Floats]) -> Floats:
    """Likelihoods from parts of their logarithms, the largest 1."""
    whole = np.concatenate(log)
    likelihood: Floats = np.exp(whole - whole.max())
    return likelihood


def _as_likely(weight: Floats, order: Ints, number: int) -> Ints:
    """Which of the weighted to take, (number,), at equal steps of the weight in an order."""
    step = np.cumsum(weight[order]) / weight.sum()
    quantile = (np.arange(number) + 0.5) / number
    place = np.searchsorted(step, quantile)
    chosen: Ints = order[np.minimum(place, len(order) - 1)]
    return chosen


def _without_direction(grid: Floats, weight: Floats) -> Ints:
    """Put covariances into an order that is the same whichever wave is called the earlier one."""
    before = grid[:, 0, 0]
    after = grid[:, 1, 1]
    cross = grid[:, 0, 1]
    order: Ints = np.lexsort((weight, cross, before * after, before + after))
    return order


def _grid(x: Floats) -> Floats:
    """Covariances at the middles of equal steps of both standard deviations and of the angle, (k, 2, 2)."""
    most = LARGEST * np.std(x, axis=0, ddof=1) + TIE
    middle = (np.arange(SPREADS) + 0.5) / SPREADS
    step = (np.arange(ANGLES) + 0.5) / ANGLES
    sine = np.sin(np.pi * (step - 0.5))
    mesh = np.meshgrid(middle * most[0], middle * most[1], sine, indexing="ij")
    before, after, correlation = (part.ravel() for part in mesh)
    cross = correlation * before * after
    return two_by_two(before**2, after**2, cross)


def _parts(number: int, p: int) -> Iterator[slice]:
    size = max(1, AT_ONCE // p)
    for start in range(0, number, size):
        yield slice(start, start + size)


def _log_likelihood(between: Floats, x: Floats, noise: Floats) -> Floats:
    """Restricted log likelihood of (k, 2, 2) covariances; (k,). As `probability.deviance`, for many at once."""
    centre, log_pooled = _centres(between, x, noise)
    density = _log_density(between, x - centre[:, None], noise)
    log_likelihood: Floats = density.sum(axis=1) - log_pooled / 2
    return log_likelihood


def _log_of_changes(changes: Changes, x: Floats, noise: Floats) -> Floats:
    """Restricted log likelihood of k ways to change, (k,), about the centres of all units together."""
    centre, log_pooled = _centres(changes.of_all(), x, noise)
    log_changed, log_kept = _log_shares(changes, x - centre[:, None], noise)
    log_likelihood: Floats = np.logaddexp(log_changed, log_kept).sum(axis=1) - log_pooled / 2
    return log_likelihood


def _log_shares(changes: Changes, off: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Log densities of (k, p, 2) deviations, times the share of the units that changed, and of those
    that did not; (k, p) each.
    """
    share = changes.share[:, None]
    with np.errstate(divide="ignore"):  # nobody kept the order
        log_others = np.log1p(-share)
    log_changed = np.log(share) + _log_density(changes.changed, off, noise)
    return log_changed, log_others + _log_density(changes.kept, off, noise)


def _centres(between: Floats, x: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Centres (k, 2) of the values by generalised least squares under (k, 2, 2) covariances, and log
    determinants of what was pooled, (k,).
    """
    before, after, cross = _total(between, noise)
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
    return np.stack([centre_before, centre_after], axis=1), np.log(pooled)


def _log_density(between: Floats, off: Floats, noise: Floats) -> Floats:
    """Log density of (k, p, 2) deviations under (k, 2, 2) covariances, but for a constant; (k, p)."""
    before, after, cross = _total(between, noise)
    determinant = before * after - cross**2
    off_before = off[:, :, 0]
    off_after = off[:, :, 1]
    distance = after * off_before**2
    distance += before * off_after**2
    distance -= 2 * cross * off_before * off_after
    density: Floats = -(np.log(determinant) + distance / determinant) / 2
    return density


def _total(between: Floats, noise: Floats) -> tuple[Floats, Floats, Floats]:
    """Variances of the earlier and the later wave's estimates and their covariance, (k, p) each."""
    before = between[:, None, 0, 0] + noise[:, 0, 0] + FLOOR
    after = between[:, None, 1, 1] + noise[:, 1, 1] + FLOOR
    cross = between[:, None, 0, 1] + noise[:, 0, 1]
    return before, after, cross


def _mean_rate(mean: Floats, cov: Floats) -> Floats:
    """Mean of sin(x)^2 for normal x, (p, 2)."""
    cosine = _mean_cosine(mean, np.diagonal(cov, axis1=1, axis2=2))
    rate: Floats = (1 - cosine) / 2
    return rate


def _mean_cosine(mean: Floats, variance: Floats) -> Floats:
    """Mean of cos(2 x) for normal x, of any shape."""
    cosine: Floats = np.cos(2 * mean) * np.exp(-2 * variance)
    return cosine


def _mean_product(mean: Floats, cov: Floats) -> Floats:
    """Means of sin(x_a)^2 sin(x_b)^2 for normal x, (p, 2, 2)."""
    variance = np.diagonal(cov, axis1=1, axis2=2)
    both = variance[:, :, None] + variance[:, None, :]
    together = mean[:, :, None] + mean[:, None, :]
    apart = mean[:, :, None] - mean[:, None, :]
    of_sum = _mean_cosine(together, both + 2 * cov)
    of_difference = _mean_cosine(apart, both - 2 * cov)
    product = (of_sum + of_difference) / 2
    cosine = _mean_cosine(mean, variance)
    means: Floats = (1 - cosine[:, :, None] - cosine[:, None, :] + product) / 4
    return means
