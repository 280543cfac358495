"""Array kernels of regression on tally rows: estimating equations, coefficients and their influence.

T tally rows, K coefficients. A row stands for `valid` respondents with equal covariates; the sum of their outcomes
suffices. Sources: Binder (1983) for the influence, Fuller (1975) for least squares, McCullagh and Nelder (1989) for
Newton's method in the logistic case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, special

Array = np.ndarray[Any, Any]
DEPENDENT = 1e-10  # of a column's length: what is left of it after regression on the columns before it
NO_RESIDUAL = 1e-11  # of the largest sum of outcomes: rounding
MOST_ITERATIONS = 30
CONVERGED = 1e-10  # largest change of a linear predictor
MOST_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted regression.

    Attributes
    ----------
    coefficient : (K,) float
    influence : (T, K) float
        Sum over a row's respondents of the linearized coefficient, not weighted.
    residual : (T,) float
        Sum of outcomes minus fitted values.
    growing : int
        Logistic: the coefficient that still grows after the last iteration (separation), or -1.
    """

    coefficient: Array
    influence: Array
    residual: Array
    growing: int = -1


def least_squares(x: Array, *, weight: Array, valid: Array, total: Array) -> Fit:
    """Solve sum w x (y - x'b) = 0.

    Parameters
    ----------
    x : (T, K) float
        Of full rank over the rows with valid > 0; finite everywhere.
    weight, valid, total : (T,) float
        Final weight, valid outcomes, their sum (0 where there are none).
    """
    root = np.sqrt(weight * valid)
    mean = np.divide(total, valid, out=np.zeros(len(total)), where=valid > 0)
    q, r = linalg.qr(root[:, None] * x, mode="economic")
    coefficient = linalg.solve_triangular(r, q.T @ (root * mean))
    residual = total - valid * (x @ coefficient)
    return Fit(coefficient, _influence(x, residual, r), residual)


def logistic(x: Array, *, weight: Array, valid: Array, total: Array) -> Fit:
    """Solve sum w x (y - 1 / (1 + exp(-x'b))) = 0 by Newton's method with halved steps; parameters as `least_squares`."""
    basis = linalg.qr(np.sqrt(weight * valid)[:, None] * x, mode="r")[0][: x.shape[1]]
    u = linalg.solve_triangular(basis, x.T, trans="T").T  # orthonormal under the weights, whatever the units of x
    coefficient, growing = np.zeros(x.shape[1]), -1
    for _ in range(MOST_ITERATIONS):
        residual, r = _newton(u, coefficient, weight, valid, total)
        if np.abs(np.diag(r)).min() <= DEPENDENT:
            break  # fitted shares of 0 and 1 only: nothing is left to weight by
        step = linalg.cho_solve((r, False), u.T @ (weight * residual))
        coefficient = _descend(u, coefficient, step, weight, valid, total)
        growing = int(np.argmax(np.abs(linalg.solve_triangular(basis, step)) * np.abs(x).max(axis=0)))
        if np.abs(u @ step).max() <= CONVERGED:
            growing = -1
            break
    found = linalg.solve_triangular(basis, coefficient)
    if growing >= 0:
        return Fit(found, np.zeros_like(x), residual, growing)
    residual, r = _newton(u, coefficient, weight, valid, total)
    return Fit(found, linalg.solve_triangular(basis, _influence(u, residual, r).T).T, residual)


def dependent_columns(x: Array, size: Array) -> Array:
    """Return the columns that are linear combinations of earlier ones over the rows with size > 0: (...,) int."""
    there = x[size > 0]
    length = np.sqrt((there**2).sum(axis=0))
    left = np.abs(np.diag(linalg.qr(there / np.where(length > 0, length, 1.0), mode="r")[0]))
    left = np.pad(left, (0, x.shape[1] - len(left)))
    return np.flatnonzero(left <= DEPENDENT)


def no_variation(fit: Fit, total: Array) -> bool:
    """Return whether the residuals are rounding only: a constant outcome, or one the covariates determine."""
    return bool(np.abs(fit.residual).max() <= NO_RESIDUAL * max(float(np.abs(total).max()), 1e-300))


def _influence(x: Array, residual: Array, r: Array) -> Array:
    return np.asarray(linalg.cho_solve((r, False), (x * residual[:, None]).T).T)


def _newton(x: Array, coefficient: Array, weight: Array, valid: Array, total: Array) -> tuple[Array, Array]:
    """Return the residuals and the triangular root of the information."""
    share = special.expit(x @ coefficient)
    root = np.sqrt(weight * valid * share * (1 - share))
    return total - valid * share, linalg.qr(root[:, None] * x, mode="r")[0][: x.shape[1]]


def _deviance(predictor: Array, weight: Array, valid: Array, total: Array) -> float:
    return float(-2 * (weight * (total * predictor - valid * np.logaddexp(0, predictor))).sum())


def _descend(x: Array, start: Array, step: Array, *parts: Array) -> Array:
    """Take the step, halved as often as the deviance would rise by more than rounding."""
    deviance = _deviance(x @ start, *parts)
    for halving in range(MOST_HALVINGS):
        new = start + step * 0.5**halving
        if _deviance(x @ new, *parts) <= deviance + 1e-9 * abs(deviance):
            break
    return np.asarray(new)
