"""Array kernels that find weights meeting margins: distances, Newton's method, its replay in replicates, feasible bounds.

One equation serves calibration and response propensities alike (Deville and Särndal 1992): find b with
sum_c size_c F(x_c'b) x_c = targets. C cells, L margin levels (or numeric totals), R replicates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy import special
from scipy.optimize import linprog

from satisfaction.sampling.residuals import block_inverse
from satisfaction.sampling.variance import Sparse

Array = np.ndarray[Any, Any]
Method = Literal["poststratify", "raking", "linear", "logit"]
Bounds = tuple[float, float]
MOST_ITERATIONS = 100
MOST_REPLAYS = 40
LARGEST_STEP = 5.0  # keeps exp() within range while the start is far from the solution
HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Distance:
    """How a weight's factor depends on u = x'b.

    Attributes
    ----------
    curve, slope : callables
        F(u), with F(0) = 1 for calibrations, and its derivative; any shape.
    """

    curve: Callable[[Array], Array]
    slope: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Solution:
    """Factors of C cells.

    Attributes
    ----------
    coefficients : (L,) float
    factor : (C,) float
    achieved : (L,) float
    iterations : int
    discrepancy : float
        max |achieved / target - 1|.
    """

    coefficients: Array
    factor: Array
    achieved: Array
    iterations: int
    discrepancy: float


def calibration_distance(method: Method, bounds: Bounds | None) -> Distance:
    """Return the distance of a method; bounds restrict the range of linear and raking factors and shape logit's."""
    if method == "logit":
        assert bounds is not None
        return _logit(*bounds)
    curve, slope = (np.exp, np.exp) if method == "raking" else (lambda u: 1 + u, np.ones_like)
    return Distance(curve, slope) if bounds is None else _restricted(curve, slope, bounds)


def response_distance() -> Distance:
    """Return the logistic curve: the equation is then the likelihood equation of a grouped logistic regression."""
    return Distance(special.expit, lambda u: special.expit(u) * special.expit(-u))


def newton(
    margins: Sparse,
    size: Array,
    targets: Array,
    *,
    distance: Distance,
    tolerance: float,
    start: Array | None = None,
) -> Solution:
    """Solve for the factors that meet the targets, by Newton's method with step halving.

    Parameters
    ----------
    margins : (C, L) sparse
        1 where a cell belongs to a level; the value of a numeric column.
    size : (C,) float
        Sum of entering weights.
    targets : (L,) float
    tolerance : float
        On max |achieved / target - 1|.
    start : (L,) float, optional
    """
    scale = target_scale(margins, size[:, None], targets[:, None])[:, 0]
    coefficients = np.zeros(len(targets)) if start is None else start.copy()

    def at(b: Array) -> tuple[Array, Array, float]:
        """Return factors, achieved totals and the largest gap at some coefficients."""
        factor = distance.curve(margins @ b)
        achieved = margins.T @ (size * factor)
        gap = float(np.abs((achieved - targets) / scale).max())
        return factor, achieved, gap if np.isfinite(gap) else np.inf

    with np.errstate(over="ignore", invalid="ignore"):
        factor, achieved, gap = at(coefficients)
        iterations = 0
        while gap > tolerance and iterations < MOST_ITERATIONS:
            inverse = block_inverse(
                margins.T @ sp.diags_array(size * distance.slope(margins @ coefficients)) @ margins
            )
            step = inverse @ (targets - achieved)
            length = min(1.0, LARGEST_STEP / max(float(np.abs(margins @ step).max()), LARGEST_STEP))
            for _ in range(HALVINGS):
                tried = at(coefficients + length * step)
                if tried[2] < gap:
                    break
                length /= 2
            else:
                break
            coefficients, (factor, achieved, gap) = coefficients + length * step, tried
            iterations += 1
    return Solution(coefficients, factor, achieved, iterations, gap)


def replay(
    margins: Sparse,
    size: Array,
    targets: Array,
    *,
    distance: Distance,
    tolerance: float,
    start: Array,
    inverse: Sparse,
) -> Array:
    """Solve the same equation for R replicates near the full sample's solution.

    The full sample's inverse serves all replicates at once (the chord method); those it does not bring to the tolerance
    are solved one by one. One that has no solution keeps the nearest factors found.

    Parameters
    ----------
    size : (C, R) float
    targets : (L, R) float
    start : (L,) float
        The full sample's coefficients.
    inverse : (L, L) sparse
        Inverse of X' diag(size F'(u)) X at the full sample's solution.

    Returns
    -------
    factor : (C, R) float
    """
    scale = target_scale(margins, size, targets)
    out, active = np.ones(size.shape), np.arange(size.shape[1])
    coefficients = np.repeat(start[:, None], len(active), axis=1)
    across = sp.csr_array(margins.T)
    best = np.full(len(active), np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(MOST_REPLAYS):
            factor = distance.curve(margins @ coefficients)
            gap = targets[:, active] - across @ (size[:, active] * factor)
            off = np.nan_to_num(np.abs(gap / scale[:, active]).max(axis=0), nan=np.inf)
            out[:, active] = factor
            going = (off > tolerance) & (off < 10 * best)
            best = np.minimum(best, off)[going]
            lost = active[(off > tolerance) & ~going]
            for r in lost:
                out[:, r] = newton(
                    margins, size[:, r], targets[:, r], distance=distance, tolerance=tolerance
                ).factor
            active, gap, coefficients = active[going], gap[:, going], coefficients[:, going]
            if not len(active):
                return out
            coefficients = coefficients + inverse @ gap
    for r in active:
        out[:, r] = newton(
            margins, size[:, r], targets[:, r], distance=distance, tolerance=tolerance, start=start
        ).factor
    return out


def target_scale(margins: Sparse, size: Array, targets: Array) -> Array:
    """Return what a miss is measured against: the target; where that is 0, the sum of absolute values. (L, R)."""
    if np.all(targets):
        return np.abs(targets)
    sums = abs(margins).T @ size
    return np.where(targets != 0, np.abs(targets), np.where(sums > 0, sums, 1.0))


def feasible_bounds(
    margins: Sparse, size: Array, targets: Array, bounds: Bounds
) -> tuple[Bounds, ...]:
    """Return bounds that just allow weights meeting the margins, two linear programmes over the factors.

    They keep one of the bounds given and move the other as little as possible; where neither will do, the upper bound that
    goes with 0 is the only answer. Numbers are rounded outward to four digits, so that they can be used as they are.
    """
    weighted = sp.csr_array(margins.T @ sp.diags_array(size))
    unit = abs(weighted).sum(axis=1)
    equal = sp.hstack(
        [sp.diags_array(1 / unit) @ weighted, sp.csr_array((len(targets), 1))], format="csr"
    )

    def outermost(sign: float, low: float, high: float | None) -> float | None:
        """Return the tightest other bound, None where there is none."""
        limits = sp.hstack(
            [sign * sp.eye_array(len(size)), -sign * np.ones((len(size), 1))], format="csr"
        )
        ranges = [(low, high)] * len(size) + [(None, None)]
        cost = np.append(np.zeros(len(size)), sign)
        solved = linprog(
            cost,
            A_ub=limits,
            b_ub=np.zeros(len(size)),
            A_eq=equal,
            b_eq=targets / unit,
            bounds=ranges,
        )
        return _outward(float(solved.x[-1]), sign) if solved.status == 0 else None

    upper, lower = outermost(1.0, bounds[0], None), outermost(-1.0, 0.0, bounds[1])
    found = [(bounds[0], upper)] if upper is not None else []
    found += [(lower, bounds[1])] if lower is not None else []
    if not found and (widest := outermost(1.0, 0.0, None)) is not None:
        found = [(0.0, widest)]
    return tuple(found)


def _outward(x: float, sign: float) -> float:
    """Round to four digits, up for an upper and down for a lower bound, and a little further for rounding in between."""
    step = 10.0 ** (np.floor(np.log10(max(abs(x), 1e-9))) - 3)
    return float(
        round((np.floor(x / step) + 2 if sign > 0 else max(np.ceil(x / step) - 2, 0)) * step, 12)
    )


def _logit(low: float, high: float) -> Distance:
    """Bounded logit distance (Deville and Särndal 1992, case 6)."""
    rate = (high - low) / ((1 - low) * (high - 1))

    def share(u: Array) -> Array:
        return np.asarray(special.expit(rate * u + np.log((1 - low) / (high - 1))))

    return Distance(
        lambda u: low + (high - low) * share(u),
        lambda u: (high - low) * rate * share(u) * (1 - share(u)),
    )


def _restricted(
    curve: Callable[[Array], Array], slope: Callable[[Array], Array], bounds: Bounds
) -> Distance:
    low, high = bounds
    return Distance(
        lambda u: np.clip(curve(u), low, high),
        lambda u: np.where((curve(u) > low) & (curve(u) < high), slope(u), 0.0),
    )
