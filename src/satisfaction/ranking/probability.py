"""Probabilities of ranks under a model: true scores are normal around a common mean (normal empirical Bayes).

These are not guarantees; they hold on average over units if the model does. The se enter as if known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import special

from satisfaction.estimation import between_areas
from satisfaction.ranking.pairs import TIE, Floats

Between: TypeAlias = between_areas.Likelihood
NODES = np.linspace(-7.0, 7.0, 281)
MANY = 300  # units from which on one grid serves all of them
WIDEST_GRID = (
    20_000  # nodes; se that differ more than such a grid can hold keep a grid for each unit
)
BLOCK = 6_000_000  # numbers held at a time


@dataclass(frozen=True, slots=True)
class Posterior:
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


def fit(score: Floats, se: Floats, between: Between = "reml") -> Posterior:
    """Posterior of (p,) scores with their se, the REML or ML estimate of tau2 plugged in."""
    return posterior(score, se, tau2=between_variance(score, se, between))


def between_variance(score: Floats, se: Floats, between: Between = "reml") -> float:
    """REML or ML estimate of the variance of the true scores; 0 where the scores differ no more than their se allow.

    ML is smaller: it does not count the degree of freedom that the mean has taken.
    """
    variance = np.maximum(se**2, TIE**2)
    return between_areas.between_variance(score, variance, likelihood=between)


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


def expected_rank(known: Posterior) -> Floats:
    """Posterior mean of each unit's rank, (p,)."""
    spread = np.hypot(known.sd[:, None], known.sd)
    ahead = special.ndtr((known.mean - known.mean[:, None]) / np.maximum(spread, TIE))
    total: Floats = np.sum(ahead, axis=1)
    return total + 0.5  # the unit itself has counted one half


def probability_top(known: Posterior, places: int) -> Floats:
    """P(rank <= places), (p,); the sum over units is `places`."""
    return few_ahead(known.mean, known.sd, places)


def probability_bottom(known: Posterior, places: int) -> Floats:
    """P(rank > p - places), (p,); the sum over units is `places`."""
    return few_ahead(-known.mean, known.sd, places)


def few_ahead(mean: Floats, sd: Floats, places: int) -> Floats:
    """P(fewer than `places` of the other units lie above), (p,).

    Given a unit's own value the others lie above independently, so their number is Poisson-binomial: exact recursion
    over the others at each of 281 nodes of the unit's own normal. Accurate to 1e-8 while posterior sd differ by less
    than a factor of 20. More than 300 units share one grid, as fine as the smallest sd asks for.
    """
    sd = np.maximum(sd, TIE)
    step = (NODES[1] - NODES[0]) * float(sd.min())
    grid_size = (np.ptp(mean) + 2 * NODES[-1] * float(sd.max())) / step
    if len(mean) > MANY and grid_size <= WIDEST_GRID:
        low = float(mean.min()) + NODES[0] * float(sd.max())
        return few_ahead_on_one_grid(
            mean, sd, places, low + step * np.arange(np.ceil(grid_size) + 1)
        )
    return few_ahead_each(mean, sd[:, None], places)


def few_ahead_each(mean: Floats, sd: Floats, places: int) -> Floats:
    """P(fewer than `places` of the other units lie above), (p,), each unit on its own nodes; sd (p, 1)."""
    weight = np.exp(-(NODES**2) / 2)
    ahead_count = np.zeros((places, len(mean), len(NODES)))
    ahead_count[0] = 1.0
    for other in range(len(mean)):
        ahead = special.ndtr(((mean[other] - mean)[:, None] - sd * NODES) / sd[other])
        ahead[other] = 0.0
        moved = ahead_count[:-1] * ahead
        ahead_count *= 1 - ahead
        ahead_count[1:] += moved
    probability: Floats = np.sum(ahead_count, axis=0) @ weight / weight.sum()
    return probability


def few_ahead_on_one_grid(mean: Floats, sd: Floats, places: int, grid: Floats) -> Floats:
    """P(fewer than `places` of the other units lie above), (p,), all units on one grid (g,): p recursions, not p^2.

    At a node the numbers ahead among the units before and after a given one are counted apart and then added, which leaves
    the unit itself out without a division.
    """
    inside, mass = np.zeros(len(mean)), np.zeros(len(mean))
    size = max(1, BLOCK // (len(mean) * places))
    for start in range(0, len(grid), size):
        at = (mean[:, None] - grid[start : start + size]) / sd[:, None]
        weight = np.exp(-(at**2) / 2)
        mass += weight.sum(axis=1)
        inside += np.sum(weight * few_without_each(special.ndtr(at), places), axis=1)
    probability: Floats = inside / mass
    return probability


def few_without_each(ahead: Floats, places: int) -> Floats:
    """P(fewer than `places` of the others ahead) at every node, from (p, b) probabilities to be ahead; same shape."""
    before = np.zeros((len(ahead), places, ahead.shape[1]))
    before[0, 0] = 1.0
    for unit in range(len(ahead) - 1):
        before[unit + 1] = one_more(before[unit], ahead[unit])
    after, few = before[0].copy(), np.empty_like(ahead)
    for unit in range(len(ahead) - 1, -1, -1):
        few[unit] = np.sum(before[unit] * np.cumsum(after, axis=0)[::-1], axis=0)
        after = one_more(after, ahead[unit])
    return few


def one_more(count: Floats, ahead: Floats) -> Floats:
    """Distribution (places, b) of the number ahead after one more unit; larger numbers are dropped."""
    moved = count * (1 - ahead)
    moved[1:] += count[:-1] * ahead
    return moved
