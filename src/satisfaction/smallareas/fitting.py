"""The Fay-Herriot model on arrays: between-area variance by REML, composite estimates, mean squared errors.

``direct = X beta + u + e``, u ~ N(0, A) between areas, e ~ N(0, D) from sampling, D taken as known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

Array = np.ndarray[Any, Any]
GRID = 80  # points between which the likelihood's highest one is sought: it may have more than one


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model of p areas and k coefficients.

    Attributes
    ----------
    between : float
        A, the variance between areas that the covariates do not explain.
    beta : (k,)
    beta_cov : (k, k)
    log_likelihood : float
        Restricted, at `between`.
    residual : (p,)
        (direct - X beta) / sqrt(A + D): standard normal under the model.
    """

    between: float
    beta: Array
    beta_cov: Array
    log_likelihood: float
    residual: Array


@dataclass(frozen=True, slots=True)
class Prediction:
    """Composite estimates of m areas.

    Attributes
    ----------
    synthetic, composite, mse, gamma : (m,)
        X beta; gamma x direct + (1 - gamma) x synthetic; its mean squared error; share of the direct estimate (0-1).
    """

    synthetic: Array
    composite: Array
    mse: Array
    gamma: Array


def fit_reml(direct: Array, variance: Array, x: Array) -> Fit:
    """Fit by restricted maximum likelihood.

    Parameters
    ----------
    direct, variance : (p,)
        Direct estimates and their sampling variances, > 0.
    x : (p, k)
        Covariates of full column rank, the constant among them.
    """
    between = between_variance(direct, variance, x)
    beta, cov = regression(direct, between + variance, x)
    residual = (direct - x @ beta) / np.sqrt(between + variance)
    return Fit(between, beta, cov, restricted_likelihood(between, direct, variance, x), residual)


def between_variance(direct: Array, variance: Array, x: Array) -> float:
    """A at the highest point of the restricted likelihood; 0 where areas differ no more than sampling explains."""
    spread = float(np.var(direct - x @ np.linalg.lstsq(x, direct, rcond=None)[0])) + float(variance.max())
    grid = np.concatenate([[0.0], np.geomspace(spread * 1e-6, spread * 10, GRID)])
    height = [restricted_likelihood(a, direct, variance, x) for a in grid]
    top = int(np.argmax(height))
    below, above = grid[max(top - 1, 0)], grid[min(top + 1, GRID)]
    slopes = restricted_slope(below, direct, variance, x), restricted_slope(above, direct, variance, x)
    if slopes[0] <= 0 or slopes[1] >= 0:
        return float(grid[top])  # 0: it falls from there on
    return float(brentq(restricted_slope, below, above, args=(direct, variance, x), xtol=1e-15 * spread, rtol=1e-13))


def restricted_likelihood(between: float, direct: Array, variance: Array, x: Array) -> float:
    """Restricted log-likelihood of A, the constant left out."""
    total = between + variance
    beta, cov = regression(direct, total, x)
    distance = ((direct - x @ beta) ** 2 / total).sum()
    return float(-0.5 * (np.log(total).sum() - np.linalg.slogdet(cov)[1] + distance))


def restricted_slope(between: float, direct: Array, variance: Array, x: Array) -> float:
    """Twice its slope: y'PPy - tr P, P the projection that takes the covariates out."""
    weight = 1 / (between + variance)
    beta, cov = regression(direct, between + variance, x)
    explained = np.einsum("ij,jk,ik,i->", x, cov, x, weight**2)
    return float(((direct - x @ beta) ** 2 * weight**2).sum() - (weight.sum() - explained))


def regression(direct: Array, total: Array, x: Array) -> tuple[Array, Array]:
    """Weighted least squares with weights 1 / total: coefficients (k,) and their covariance (k, k)."""
    root = np.sqrt(total)
    _, r = np.linalg.qr(x / root[:, None])
    inverse = np.linalg.inv(r)
    cov = inverse @ inverse.T
    return cov @ (x.T @ (direct / total)), cov


def predict(fit: Fit, direct: Array, variance: Array, x: Array) -> Prediction:
    """Composite estimates with their mean squared errors; areas whose direct estimate is missing (NaN) are synthetic.

    Mean squared error of Prasad and Rao in the form of Datta and Lahiri (2000) for REML, g1 + g2 + 2 g3: what is left
    of the sampling error, what the coefficients add, what not knowing A adds (twice: g1 at the estimate is too small).
    """
    seen = np.isfinite(direct) & np.isfinite(variance)
    a, d = fit.between, np.where(seen, variance, np.inf)
    gamma = a / (a + d)
    synthetic = x @ fit.beta
    composite = synthetic + gamma * (np.where(seen, direct, 0) - np.where(seen, synthetic, 0))
    var_a = 2 / np.sum((a + variance[seen]) ** -2)
    g1 = np.where(seen, gamma * np.where(seen, d, 1), a)
    g2 = (1 - gamma) ** 2 * np.einsum("ij,jk,ik->i", x, fit.beta_cov, x)
    g3 = np.where(seen, (1 - gamma) ** 2 / np.where(seen, a + d, 1), 0) * var_a
    return Prediction(synthetic, composite, g1 + g2 + 2 * g3, gamma)


def smoothed_variance(variance: Array, n: Array) -> Array:
    """Sampling variances as a power of n, fitted over areas and brought to the same sum, (p,).

    A variance from a few PSUs is itself uncertain; taken as known, areas that happen to look exact would count too much.
    """
    x = np.column_stack([np.ones(len(n)), np.log(n)])
    line = np.exp(x @ np.linalg.lstsq(x, np.log(variance), rcond=None)[0])
    return np.asarray(line * variance.sum() / line.sum())
