"""Probabilities of rank changes under a model: true scores of two waves are bivariate normal around a common mean.

These are not guarantees; they hold on average over units if the model does. The sampling covariances enter as if known.
Column 0 is the earlier wave, column 1 the later one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.optimize import minimize

from satisfaction.ranking.pairs import TIE, Floats, Ints

FLOOR = 1e-14  # added to scaled variances: exact scores without change would make the likelihood infinite
CHUNK = 2_000  # draws held at once


@dataclass(frozen=True, slots=True)
class Bivariate:
    """Independent bivariate normal posteriors of p units' true scores in two waves, given `between` and `centre`.

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


def fit(score: Floats, sampling: Floats) -> Bivariate:
    """Posterior of (p, 2) scores with their (p, 2, 2) sampling covariances, the REML estimate plugged in."""
    scale = float(np.sqrt(np.var(score, axis=0, ddof=1).mean())) or 1.0
    x, noise = score / scale, sampling / scale**2
    between = between_covariance(x, noise)
    centre, mean, cov = posterior(x, noise, between=between)
    variance = np.diag(between)
    correlation = (
        float(between[0, 1] / np.sqrt(variance.prod())) if variance.min() > FLOOR else float("nan")
    )
    return Bivariate(between * scale**2, centre * scale, mean * scale, cov * scale**2, correlation)


def between_covariance(x: Floats, noise: Floats) -> Floats:
    """REML estimate of the (2, 2) covariance of the true scores, from scores of about unit spread.

    The symmetric square root is what is searched over: the estimate is then never indefinite, may be singular (no true
    change), and does not depend on which wave comes first. The best of three starts (moments; their variances with
    correlation 0 and 0.98) is taken.
    """
    moments = np.cov(x.T) - noise.mean(axis=0)
    spread = np.sqrt(np.maximum(np.diag(moments), 0.01))
    apart = np.diag(spread**2)
    together = 0.98 * np.outer(spread, spread) + 0.02 * apart
    starts = (definite(moments), apart, together)
    found = [
        minimize(
            deviance, root(start)[[0, 0, 1], [0, 1, 1]], args=(x, noise), jac=True, method="BFGS"
        )
        for start in starts
    ]
    half = square(min(found, key=lambda one: one.fun).x)
    between: Floats = half @ half
    return between


def deviance(half: Floats, x: Floats, noise: Floats) -> tuple[float, Floats]:
    """Minus the restricted log likelihood and its gradient, in the three entries of the symmetric square root."""
    matrix = square(half)
    total = matrix @ matrix + noise + FLOOR * np.eye(2)
    weight = np.asarray(np.linalg.inv(total), dtype=np.float64)
    pooled = np.linalg.inv(weight.sum(axis=0))
    pulled = weighted(weight, x - pooled @ weighted(weight, x).sum(axis=0))
    value = np.log(np.linalg.det(total)).sum() - np.log(np.linalg.det(pooled)) + np.sum(x * pulled)
    slope = (weight - weight @ pooled @ weight).sum(axis=0) - pulled.T @ pulled
    turned = slope @ matrix + matrix @ slope
    return float(value) / 2, np.array([turned[0, 0], turned[0, 1] + turned[1, 0], turned[1, 1]]) / 2


def posterior(x: Floats, noise: Floats, *, between: Floats) -> tuple[Floats, Floats, Floats]:
    """Shrink (p, 2) scores towards their weighted mean; returns centre (2,), mean (p, 2), cov (p, 2, 2)."""
    weight = np.asarray(np.linalg.inv(between + noise + FLOOR * np.eye(2)), dtype=np.float64)
    centre = np.linalg.solve(weight.sum(axis=0), weighted(weight, x).sum(axis=0))
    kept = between @ weight
    left = np.eye(2) - kept
    cov = kept @ noise @ kept.transpose(0, 2, 1) + left @ between @ left.transpose(0, 2, 1)
    return centre, centre + weighted(kept, x - centre), cov


def expected_rise(known: Bivariate) -> Floats:
    """Posterior mean of rank before - rank after, (p,); exact."""
    before, after = (expected_rank(known.mean[:, w], np.sqrt(known.cov[:, w, w])) for w in (0, 1))
    return before - after


def expected_rank(mean: Floats, sd: Floats) -> Floats:
    """Mean of each unit's rank for independent normal scores, (p,); a tie counts half."""
    spread = np.maximum(np.hypot(sd[:, None], sd), TIE)
    total: Floats = np.sum(special.ndtr((mean - mean[:, None]) / spread), axis=1)
    return total + 0.5  # the unit itself has counted one half


def rank_draws(mean: Floats, cov: Floats, *, draws: int, seed: int) -> Ints:
    """Ranks of p units in w waves, drawn from their posterior: (p, w), (p, w, w) -> (draws, p, w).

    Units are drawn in the order of their scores, so that the order of the rows does not matter.
    """
    from scipy.stats import rankdata  # a third of a second, which nothing else needs

    random, order = np.random.default_rng(seed), np.lexsort(mean.T)
    halves = root(cov[order])
    out = np.empty((draws, *mean.shape), dtype=np.int64)
    for start in range(0, draws, CHUNK):
        normal = random.standard_normal((min(CHUNK, draws - start), *mean.shape))
        drawn = mean[order] + np.einsum("jab,rjb->rja", halves, normal)
        out[start : start + CHUNK, order] = rankdata(-np.round(drawn / TIE), method="min", axis=1)
    return out


def frequencies(values: Ints, low: int, high: int) -> Floats:
    """Share of draws with each value low ... high, by unit: (draws, p) -> (p, high - low + 1)."""
    width, p = high - low + 1, values.shape[1]
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
    halves: Floats = (vector * np.sqrt(np.maximum(value, 0.0))[..., None, :]) @ np.swapaxes(
        vector, -1, -2
    )
    return halves


def definite(matrix: Floats) -> Floats:
    """Nearest matrix whose eigenvalues are not negative, nor zero."""
    value, vector = np.linalg.eigh(matrix)
    nearest: Floats = (vector * np.maximum(value, 1e-8)) @ vector.T
    return nearest
