"""Probabilities of ranks under a model: true scores are normal around a common mean (normal
empirical Bayes).

These are not guarantees; they hold on average over units if the model does. The se enter as if
known. Two waves: true scores are bivariate normal; column 0 is the earlier wave, column 1 the later
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import special
from scipy.optimize import minimize

from satisfaction.estimation import small_areas
from satisfaction.foundation.figures import Brief
from satisfaction.ranking.pairs import TIE, Floats, Ints

Between: TypeAlias = small_areas.Likelihood
NODES = np.linspace(-7.0, 7.0, 281)
MANY = 300  # units up to which all pairs under all changes are counted
REACH = 8.5  # standard deviations of the units that one grid covers on either side
STEP = 0.1  # of one grid, in the smallest standard deviation: no coarser than this
CROWDED = 1.0  # and than this over the root of the number of units, among which chances turn faster
BLOCK = 6_000_000  # numbers held at a time
AT_A_TIME = 700  # nodes, of which a province's counties fit into the processor's cache
NEGLIGIBLE = 1e-18  # what a node adds to the probabilities of all units together
FLOOR = 1e-14  # added to scaled variances: exact scores without change make the likelihood infinite
CHUNK = 2_000  # draws held at once
DRAWS = 20_000
SEED = 20_260_101


@dataclass(frozen=True, slots=True, repr=False)
class Posterior(Brief):
    """Independent normal posteriors of p true scores, given tau2 and mu.

    Attributes
    ----------
    tau2, mu : float
        Variance and mean of the true scores.
    mean, sd : (p,)
        Posterior mean (shrunk score) and standard deviation.
    reliability : (p,)
        tau2 / (tau2 + se^2).
    rankability : float
        tau2 / (tau2 + median se^2).
    """

    tau2: float
    mu: float
    mean: Floats
    sd: Floats
    reliability: Floats
    rankability: float

    def probability_top(self, places: int) -> Floats:
        """P(rank <= places), (p,); the sum over units is `places`."""
        return few_ahead(self.mean, self.sd, places)

    def probability_bottom(self, places: int) -> Floats:
        """P(rank > p - places), (p,); the sum over units is `places`."""
        return few_ahead(-self.mean, self.sd, places)

    def expected_rank(self) -> Floats:
        """Posterior mean of each unit's rank, (p,)."""
        return mean_rank(self.mean, self.sd, np.ones(len(self.mean)))

    def better(self) -> Floats:
        """P(row is truly better than column), (p, p); a tie counts half."""
        spread = np.maximum(np.hypot(self.sd[:, None], self.sd), TIE)
        better: Floats = special.ndtr((self.mean[:, None] - self.mean) / spread)
        np.fill_diagonal(better, 0.5)
        return better


def fit(score: Floats, se: Floats, between: Between = "reml") -> Posterior:
    """Posterior of (p,) scores with their se, the REML or ML estimate of tau2 plugged in."""
    return posterior(score, se, tau2=between_variance(score, se, between))


def between_variance(score: Floats, se: Floats, between: Between = "reml") -> float:
    """REML or ML estimate of the variance of the true scores; 0 where the scores differ no more
    than their se allow.

    ML is smaller: it does not count the degree of freedom that the mean has taken.
    """
    variance = np.maximum(se**2, TIE**2)
    return small_areas.variance_between_areas(score, variance, likelihood=between)


def total_variance(tau2: float, se: Floats) -> Floats:
    """tau2 + se^2, never below the tie tolerance squared (exact scores without spread)."""
    return np.maximum(tau2 + se**2, TIE**2)


def posterior(score: Floats, se: Floats, *, tau2: float) -> Posterior:
    """Shrink (p,) scores with their se towards their weighted mean."""
    total = total_variance(tau2, se)
    mu = float(np.average(score, weights=1 / total))
    reliability = tau2 / total
    rankability = tau2 / float(total_variance(tau2, np.sqrt(np.median(se**2))))
    mean = mu + reliability * (score - mu)
    return Posterior(tau2, mu, mean, np.sqrt(reliability) * se, reliability, rankability)


def mean_rank(mean: Floats, sd: Floats, weight: Floats) -> Floats:
    """Mean of each unit's rank for independent normal scores, (p,); a tie counts half.

    A unit may have several such scores, each by its `weight`, which add up to 1 for a unit: then of
    each score, the unit's other ones among those it is compared with.
    """
    spread = np.maximum(np.hypot(sd[:, None], sd), TIE)
    ahead = special.ndtr((mean - mean[:, None]) / spread)
    total: Floats = np.sum(ahead * weight, axis=1)
    return total + 0.5  # the unit itself has counted one half


def few_ahead(mean: Floats, sd: Floats, places: int) -> Floats:
    """P(fewer than `places` of the other units lie above), (p,).

    Given a unit's own value the others lie above independently, so their number is
    Poisson-binomial: exact recursion at each node. All units share one grid, as fine as the
    smallest sd and the number of units ask for, by the trapezoidal rule: accurate to 1e-13. Where
    sd differ so much that each unit needs a grid of its own, to 1e-8.
    """
    sd = np.maximum(sd, TIE)
    centred = mean - np.median(mean)
    step = min(STEP, CROWDED / np.sqrt(len(mean))) * float(sd.min())
    low = float((centred - REACH * sd).min())
    high = float((centred + REACH * sd).max())
    if (high - low) / step > len(mean) * len(NODES):
        return few_ahead_each(mean, sd[:, None], places)
    grid = low + step * np.arange(np.ceil((high - low) / step) + 1)
    return few_ahead_on_one_grid(centred, sd, places, grid=grid)


def few_ahead_each(mean: Floats, sd: Floats, places: int, *, units: Ints | None = None) -> Floats:
    """P(fewer than `places` of the other units lie above), (u,) of the `units`, default all, each on its own nodes; sd (p,
    1).
    """
    if units is None:
        units = np.arange(len(mean))
    weight = np.exp(-(NODES**2) / 2)
    ahead_count = np.zeros((places, len(units), len(NODES)))
    ahead_count[0] = 1.0
    moved = np.empty_like(ahead_count[1:])
    nodes = sd[units] * NODES
    for other in range(len(mean)):
        ahead = special.ndtr(((mean[other] - mean[units])[:, None] - nodes) / sd[other])
        ahead[units == other] = 0.0
        np.multiply(ahead_count[:-1], ahead, out=moved)
        ahead_count *= 1 - ahead
        ahead_count[1:] += moved
    probability: Floats = np.sum(ahead_count, axis=0) @ weight / weight.sum()
    return probability


def few_ahead_on_one_grid(mean: Floats, sd: Floats, places: int, *, grid: Floats) -> Floats:
    """P(fewer than `places` of the other units lie above), (p,), all units on one even grid (g,)
    that covers them: p recursions, not p^2.
    """
    probability = np.zeros(len(mean))
    step = grid[1] - grid[0]
    size = max(1, BLOCK // len(mean))
    for start in range(0, len(grid), size):
        at = (mean[:, None] - grid[start : start + size]) / sd[:, None]
        mass = np.exp(-(at**2) / 2) * (step / np.sqrt(2 * np.pi) / sd[:, None])
        (of_part,) = mean_few([Ahead(special.ndtr(at), mass)], places)
        probability += of_part
    return probability


@dataclass(frozen=True, slots=True, repr=False)
class Ahead(Brief):
    """Independent units on one grid.

    Attributes
    ----------
    chance : (p, g)
        Probability that a unit is ahead of a node.
    mass : (p, g)
        Probability that it is at the node.
    """

    chance: Floats
    mass: Floats

    def where_it_matters(self, places: int) -> Ahead:
        """Leave out the nodes where no unit is, or surely at least `places` of the others ahead."""
        last = places - 1
        expected = np.maximum(self.chance.sum(axis=0) - 1, last)  # a unit is not ahead of itself
        few_at_most = last - expected + last * np.log(np.maximum(expected, 1) / max(last, 1))
        added = self.mass.sum(axis=0) * np.exp(few_at_most)  # Chernoff's bound
        matters = added > NEGLIGIBLE
        return Ahead(self.chance[:, matters], self.mass[:, matters])


def mean_few(models: Sequence[Ahead], places: int) -> list[Floats]:
    """P(fewer than `places` of the other units ahead), (p,) under each of several models of the same
    units: one recursion for the nodes of all of them.
    """
    kept = [model.where_it_matters(places) for model in models]
    chance = np.concatenate([model.chance for model in kept], axis=1)
    few = np.empty_like(chance)
    size = min(AT_A_TIME, max(1, BLOCK // (len(chance) * places)))
    for start in range(0, chance.shape[1], size):
        part = slice(start, start + size)
        few[:, part] = few_without_each(chance[:, part], places)
    probabilities = []
    end = 0
    for model in kept:
        start = end
        end = start + model.mass.shape[1]
        probabilities.append(np.sum(few[:, start:end] * model.mass, axis=1))
    return probabilities


def few_without_each(ahead: Floats, places: int) -> Floats:
    """P(fewer than `places` of the others ahead) at every node, from (p, b) probabilities to be
    ahead; same shape.

    At a node the numbers ahead among the units before and after a given one are counted apart and
    then added, which leaves the unit itself out without a division.
    """
    before = np.zeros((len(ahead), places, ahead.shape[1]))
    before[0, 0] = 1.0
    for unit in range(len(ahead) - 1):
        before[unit + 1] = one_more(before[unit], ahead[unit])
    few = np.empty_like(ahead)
    at_most = np.ones_like(before[0])  # P(at most 0, 1, ... of the units after this one ahead)
    for unit in range(len(ahead) - 1, -1, -1):
        few[unit] = np.einsum("kb,kb->b", before[unit], at_most[::-1])
        at_most = one_more(at_most, ahead[unit])
    return few


def one_more(count: Floats, ahead: Floats) -> Floats:
    """Distribution (places, b) of the number ahead, or its sums, after one more unit; larger ones
    are dropped.
    """
    moved = count * (1 - ahead)
    moved[1:] += count[:-1] * ahead
    return moved


# ---- two waves


@dataclass(frozen=True, slots=True, repr=False)
class Bivariate(Brief):
    """Independent bivariate normal posteriors of p units' true scores in two waves, given `between`
    and `centre`.

    Attributes
    ----------
    between : (2, 2)
        Covariance of the true scores over units, by REML.
    centre : (2,)
        Mean of the true scores, by generalised least squares.
    mean : (p, 2)
        Posterior means (shrunk scores).
    cov : (p, 2, 2)
        Posterior covariances.
    correlation : float
        Of the true scores of the two waves; nan where one of them does not vary.
    """

    between: Floats
    centre: Floats
    mean: Floats
    cov: Floats
    correlation: float


def fit_two_waves(score: Floats, sampling: Floats) -> Bivariate:
    """Posterior of (p, 2) scores with their (p, 2, 2) sampling covariances, the REML estimate
    plugged in.
    """
    scale = float(np.sqrt(np.var(score, axis=0, ddof=1).mean())) or 1.0
    x = score / scale
    noise = sampling / scale**2
    between = between_covariance(x, noise)
    centre, mean, cov = two_wave_posterior(x, noise, between=between)
    variance = np.diag(between)
    correlation = np.nan
    if variance.min() > FLOOR:
        correlation = float(between[0, 1] / np.sqrt(variance.prod()))
    return Bivariate(between * scale**2, centre * scale, mean * scale, cov * scale**2, correlation)


def between_covariance(x: Floats, noise: Floats) -> Floats:
    """REML estimate of the (2, 2) covariance of the true scores, from scores of about unit spread.

    The symmetric square root is what is searched over: the estimate is then never indefinite, may
    be singular (no true change), and does not depend on which wave comes first. The best of three
    starts (moments; their variances with correlation 0 and 0.98) is taken.
    """
    moments = np.cov(x.T) - noise.mean(axis=0)
    spread = np.sqrt(np.maximum(np.diag(moments), 0.01))
    apart = np.diag(spread**2)
    together = 0.98 * np.outer(spread, spread) + 0.02 * apart
    optima = []
    for start in (definite(moments), apart, together):
        half = root(start)[[0, 0, 1], [0, 1, 1]]
        optima.append(minimize(deviance, half, args=(x, noise), jac=True, method="BFGS"))
    best = square(min(optima, key=lambda optimum: optimum.fun).x)
    between: Floats = best @ best
    return between


def deviance(half: Floats, x: Floats, noise: Floats) -> tuple[float, Floats]:
    """Minus the restricted log likelihood and its gradient, in the three entries of the symmetric
    square root.
    """
    matrix = square(half)
    total = matrix @ matrix + noise + FLOOR * np.eye(2)
    weight = np.asarray(np.linalg.inv(total), dtype=np.float64)
    pooled = np.linalg.inv(weight.sum(axis=0))
    centre = pooled @ weighted(weight, x).sum(axis=0)
    pulled = weighted(weight, x - centre)
    spread = np.log(np.linalg.det(total)).sum() - np.log(np.linalg.det(pooled))
    value = spread + np.sum(x * pulled)
    slope = (weight - weight @ pooled @ weight).sum(axis=0) - pulled.T @ pulled
    of_half = slope @ matrix + matrix @ slope
    gradient = np.array([of_half[0, 0], of_half[0, 1] + of_half[1, 0], of_half[1, 1]])
    return float(value) / 2, gradient / 2


def two_wave_posterior(
    x: Floats, noise: Floats, *, between: Floats, centre: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Shrink (p, 2) scores towards a centre, unless given their weighted mean; returns centre (2,),
    mean (p, 2), cov (p, 2, 2).
    """
    weight = np.asarray(np.linalg.inv(between + noise + FLOOR * np.eye(2)), dtype=np.float64)
    if centre is None:
        centre = np.linalg.solve(weight.sum(axis=0), weighted(weight, x).sum(axis=0))
    pull = between @ weight
    rest = np.eye(2) - pull
    cov = pull @ noise @ pull.transpose(0, 2, 1) + rest @ between @ rest.transpose(0, 2, 1)
    return centre, centre + weighted(pull, x - centre), cov


@dataclass(frozen=True, slots=True, repr=False)
class KeptOrder(Brief):
    """Posteriors of p units that may have kept their order: the probability that they did (p,), and
    their means (p, w) and covariances (p, w, w) if so.
    """

    chance: Floats
    mean: Floats
    cov: Floats


def rank_draws(
    mean: Floats,
    cov: Floats,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    kept: KeptOrder | None = None,
) -> Ints:
    """Ranks of p units in w waves, drawn from their posterior: (p, w), (p, w, w) -> (draws, p, w).

    Units are drawn in the order of their scores, so that the order of the rows does not matter.
    """
    from scipy.stats import rankdata  # a third of a second, which nothing else needs

    random = np.random.default_rng(seed)
    order = np.lexsort(mean.T)
    halves = root(cov[order])
    kept_halves = halves if kept is None else root(kept.cov[order])
    ranks = np.empty((draws, *mean.shape), dtype=np.int64)
    for start in range(0, draws, CHUNK):
        normal = random.standard_normal((min(CHUNK, draws - start), *mean.shape))
        scores = mean[order] + np.einsum("jab,rjb->rja", halves, normal)
        if kept is not None:
            as_before = kept.mean[order] + np.einsum("jab,rjb->rja", kept_halves, normal)
            is_kept = random.random(normal.shape[:2]) < kept.chance[order]
            scores = np.where(is_kept[:, :, None], as_before, scores)
        ranked = rankdata(-np.round(scores / TIE), method="min", axis=1)
        ranks[start : start + CHUNK, order] = ranked
    return ranks


def frequencies(values: Ints, low: int, high: int) -> Floats:
    """Share of draws with each value low ... high, by unit: (draws, p) -> (p, high - low + 1)."""
    width = high - low + 1
    p = values.shape[1]
    cell = (values - low) + width * np.arange(p)
    return np.bincount(cell.ravel(), minlength=width * p).reshape(p, width) / len(values)


def weighted(matrices: Floats, vectors: Floats) -> Floats:
    """Multiply (p, 2, 2) matrices with (p, 2) vectors, one by one."""
    product: Floats = np.einsum("jab,jb->ja", matrices, vectors)
    return product


def square(half: Floats) -> Floats:
    """Symmetric (2, 2) matrix from its three entries."""
    return half[[0, 1, 1, 2]].reshape(2, 2)


def root(matrices: Floats) -> Floats:
    """Symmetric square roots of (..., w, w) matrices; negative rounding is cut."""
    value, vector = np.linalg.eigh(matrices)
    scaled = vector * np.sqrt(np.maximum(value, 0.0))[..., None, :]
    halves: Floats = scaled @ np.swapaxes(vector, -1, -2)
    return halves


def definite(matrix: Floats) -> Floats:
    """Nearest matrix whose eigenvalues are not negative, nor zero."""
    value, vector = np.linalg.eigh(matrix)
    nearest: Floats = (vector * np.maximum(value, 1e-8)) @ vector.T
    return nearest
