"""The variance between areas that their sampling errors do not explain, by REML or ML.

``direct = X beta + u + e``, u ~ N(0, A) between areas, e ~ N(0, D) from sampling, D taken as known. Rankings shrink
towards one mean (X a constant); the Fay-Herriot model has covariates.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq

Array = np.ndarray[Any, Any]
Likelihood = Literal["reml", "ml"]
GRID = 80  # points between which the likelihood's highest one is sought: it may have more than one


def between_variance(
    direct: Array, variance: Array, x: Array | None = None, *, likelihood: Likelihood = "reml"
) -> float:
    """Estimate A at the highest point of the likelihood; 0 where areas differ no more than sampling explains.

    ML is smaller than REML: it does not count the degrees of freedom that the coefficients have taken.

    Parameters
    ----------
    direct, variance : (p,)
        Direct estimates and their sampling variances, > 0.
    x : (p, k), optional
        Covariates of full column rank, the constant among them. None: one mean.
    """
    slope = partial(_slope, direct=direct, variance=variance, x=x, likelihood=likelihood)
    if x is None:
        below, above = 0.0, float(np.var(direct, ddof=1))
    else:
        below, above = _around_the_top(direct, variance, x)
    if slope(below) <= 0:
        return below
    while slope(above) > 0:
        above *= 2
    return float(brentq(slope, below, above, xtol=1e-14 * above, rtol=1e-13, maxiter=500))


def weighted_least_squares(direct: Array, total: Array, x: Array) -> tuple[Array, Array]:
    """Fit with weights 1 / total: coefficients (k,) and their covariance (k, k)."""
    root = np.sqrt(total)
    _, r = np.linalg.qr(x / root[:, None])
    inverse = np.linalg.inv(r)
    cov = inverse @ inverse.T
    return cov @ (x.T @ (direct / total)), cov


def restricted_likelihood(between: float, direct: Array, variance: Array, x: Array) -> float:
    """Restricted log-likelihood of A, the constant left out."""
    total = between + variance
    beta, cov = weighted_least_squares(direct, total, x)
    distance = ((direct - x @ beta) ** 2 / total).sum()
    return float(-0.5 * (np.log(total).sum() - np.linalg.slogdet(cov)[1] + distance))


def _slope(
    between: float, *, direct: Array, variance: Array, x: Array | None, likelihood: Likelihood
) -> float:
    """Twice the likelihood's slope at A: y'PPy - tr P, P the projection that takes X out; ML: - tr V^-1."""
    total = between + variance
    weight = 1 / total
    if x is None:
        residual = direct - weight @ direct / weight.sum()
        explained = (weight**2).sum() / weight.sum()
    else:
        beta, cov = weighted_least_squares(direct, total, x)
        residual = direct - x @ beta
        explained = np.einsum("ij,jk,ik,i->", x, cov, x, weight**2)
    slope = weight**2 @ residual**2 - weight.sum()
    return float(slope + explained if likelihood == "reml" else slope)


def _around_the_top(direct: Array, variance: Array, x: Array) -> tuple[float, float]:
    """Find the points of a grid beside the one where the restricted likelihood is highest."""
    residual = direct - x @ np.linalg.lstsq(x, direct, rcond=None)[0]
    spread = float(np.var(residual)) + float(variance.max())
    grid = np.concatenate([[0.0], np.geomspace(spread * 1e-6, spread * 10, GRID)])
    top = int(np.argmax([restricted_likelihood(a, direct, variance, x) for a in grid]))
    return float(grid[max(top - 1, 0)]), float(grid[min(top + 1, GRID)])
