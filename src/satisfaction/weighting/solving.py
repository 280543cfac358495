"""Array kernels that find weights meeting margins: distances, Newton's method, its replay in replicates, feasible bounds.

One equation serves calibration and response propensities alike (Deville and Särndal 1992): find b with
sum_c size_c F(x_c'b) x_c = targets. C cells, L margin levels (or numeric totals), R replicates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp
from scipy import special
from scipy.optimize import linprog

from satisfaction.sampling.residuals import block_inverse
from satisfaction.sampling.variance import Array, Sparse

Method = Literal["poststratify", "raking", "linear", "logit"]
Bounds = tuple[float, float]
MOST_ITERATIONS = 100
MOST_REPLAYS = 40
LARGEST_STEP = 5.0  # keeps exp() within range while the start is far from the solution
HALVINGS = 12


@dataclass(frozen=True, slots=True, repr=False)
class Distance:
    """How a weight's factor depends on u = x'b.

    Attributes
    ----------
    curve, slope : callables
        F(u), with F(0) = 1 for calibrations, and its derivative; any shape.
    """

    curve: Callable[[Array], Array]
    slope: Callable[[Array], Array]


# The logistic curve: the equation is then the likelihood equation of a grouped logistic regression.
LOGISTIC = Distance(special.expit, lambda u: special.expit(u) * special.expit(-u))


@dataclass(frozen=True, slots=True, repr=False)
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
    if method == "logit":  # bounded, Deville and Särndal (1992), case 6
        assert bounds is not None
        low, high = bounds
        rate = (high - low) / ((1 - low) * (high - 1))
        shift = np.log((1 - low) / (high - 1))

        def bounded(u: Array) -> Array:
            return np.asarray(low + (high - low) * special.expit(rate * u + shift))

        def slope(u: Array) -> Array:
            share = special.expit(rate * u + shift)
            steepest = (high - low) * rate
            return np.asarray(steepest * share * (1 - share))

        return Distance(bounded, slope)
    free = Distance(lambda u: 1 + u, np.ones_like)
    if method == "raking":
        free = Distance(np.exp, np.exp)
    if bounds is None:
        return free

    low, high = bounds

    def slope_inside(u: Array) -> Array:
        factor = free.curve(u)
        inside = (factor > low) & (factor < high)
        return np.where(inside, free.slope(u), 0.0)

    return Distance(lambda u: np.clip(free.curve(u), low, high), slope_inside)


def newton(
    matrix: Sparse,
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
    matrix : (C, L) sparse
        1 where a cell belongs to a level; the value of a numeric column.
    size : (C,) float
        Sum of entering weights.
    targets : (L,) float
    tolerance : float
        On max |achieved / target - 1|.
    start : (L,) float, optional
    """
    scale = _target_scale(matrix, size[:, None], targets[:, None])[:, 0]

    def at(coefficients: Array, iterations: int) -> Solution:
        """Return the solution that coefficients give, with how far it is from the targets."""
        factor = distance.curve(matrix @ coefficients)
        achieved = matrix.T @ (size * factor)
        misses = np.abs((achieved - targets) / scale)
        gap = float(misses.max())
        if not np.isfinite(gap):
            gap = np.inf
        return Solution(coefficients, factor, achieved, iterations, gap)

    with np.errstate(over="ignore", invalid="ignore"):
        solution = at(np.zeros(len(targets)) if start is None else start, 0)
        while solution.discrepancy > tolerance and solution.iterations < MOST_ITERATIONS:
            inverse = _inverse(matrix, size, distance, coefficients=solution.coefficients)
            step = inverse @ (targets - solution.achieved)
            largest = float(np.abs(matrix @ step).max())
            length = min(1.0, LARGEST_STEP / max(largest, LARGEST_STEP))
            for _ in range(HALVINGS):
                nearer = at(solution.coefficients + length * step, solution.iterations + 1)
                if nearer.discrepancy < solution.discrepancy:
                    break
                length /= 2
            else:
                break
            solution = nearer
    return solution


@dataclass(frozen=True, slots=True, repr=False)
class SolvedEquation:
    """The equation with the full sample's solution, near which those of replicates lie.

    Attributes
    ----------
    matrix : (C, L) sparse
    distance : Distance
    tolerance : float
    coefficients : (L,) float
    inverse : (L, L) sparse
        Inverse of X' diag(size F'(u)) X at the solution.
    """

    matrix: Sparse
    distance: Distance
    tolerance: float
    coefficients: Array
    inverse: Sparse

    @classmethod
    def of(
        cls,
        matrix: Sparse,
        size: Array,
        solution: Solution,
        *,
        distance: Distance,
        tolerance: float,
    ) -> SolvedEquation:
        """Return the equation that `newton` has solved."""
        inverse = _inverse(matrix, size, distance, coefficients=solution.coefficients)
        return cls(matrix, distance, tolerance, solution.coefficients, inverse)

    def on(self, index: Array) -> SolvedEquation:
        """Return the equation on finer cells."""
        return replace(self, matrix=self.matrix[index])

    def levels_of(self, cells: Array) -> Array:
        """Return the numbers of the levels that some cells belong to."""
        return np.unique(self.matrix[cells].indices)

    def part(self, cells: Array) -> SolvedEquation:
        """Return the equation of some cells, none of which shares a level with another one."""
        levels = self.levels_of(cells)
        return replace(
            self,
            matrix=self.matrix[cells][:, levels],
            coefficients=self.coefficients[levels],
            inverse=self.inverse[levels][:, levels],
        )

    def replay(self, size: Array, targets: Array) -> Array:
        """Solve the equation for R replicates.

        The full sample's inverse serves all replicates at once (the chord method); those it does not bring to the
        tolerance are solved one by one. One that has no solution keeps the nearest factors found.

        Parameters
        ----------
        size : (C, R) float
        targets : (L, R) float

        Returns
        -------
        factor : (C, R) float
        """
        scale = _target_scale(self.matrix, size, targets)
        transposed = sp.csr_array(self.matrix.T)
        factors = np.ones(size.shape)
        active = np.arange(size.shape[1])
        coefficients = np.repeat(self.coefficients[:, None], len(active), axis=1)
        best = np.full(len(active), np.inf)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(MOST_REPLAYS):
                factor = self.distance.curve(self.matrix @ coefficients)
                factors[:, active] = factor
                gap = targets[:, active] - transposed @ (size[:, active] * factor)
                miss = np.abs(gap / scale[:, active]).max(axis=0)
                miss = np.nan_to_num(miss, nan=np.inf)
                unmet = miss > self.tolerance
                nearing = unmet & (miss < 10 * best)
                for r in active[unmet & ~nearing]:
                    factors[:, r] = self._alone(size[:, r], targets[:, r])
                best = np.minimum(best, miss)[nearing]
                active = active[nearing]
                if not len(active):
                    return factors
                coefficients = coefficients[:, nearing] + self.inverse @ gap[:, nearing]
        for r in active:
            factors[:, r] = self._alone(size[:, r], targets[:, r], start=self.coefficients)
        return factors

    def _alone(self, size: Array, targets: Array, start: Array | None = None) -> Array:
        solution = newton(
            self.matrix,
            size,
            targets,
            distance=self.distance,
            tolerance=self.tolerance,
            start=start,
        )
        return solution.factor


@dataclass(frozen=True, slots=True, repr=False)
class EquationStep:
    """A weighting step that solves an equation: margins, or a model of who answers.

    Attributes
    ----------
    equation : SolvedEquation
        Its matrix are the margins or covariates: (C, L).
    """

    equation: SolvedEquation

    def kept(self, count: Array, before: Array, after: Array) -> Array:
        """Return True for every replicate: a level is met by its own cells, (R,) bool."""
        return np.ones(count.shape[1], dtype=bool)

    @property
    def linked(self) -> Sparse:
        """Return the margins or covariates, which tie their cells together: (C, L)."""
        return self.equation.matrix


def _inverse(matrix: Sparse, size: Array, distance: Distance, *, coefficients: Array) -> Sparse:
    slope = size * distance.slope(matrix @ coefficients)
    return block_inverse(matrix.T @ sp.diags_array(slope) @ matrix)


def _target_scale(matrix: Sparse, size: Array, targets: Array) -> Array:
    """Return what a miss is measured against: the target; where that is 0, the sum of absolute values. (L, R)."""
    if np.all(targets):
        return np.abs(targets)
    sums = abs(matrix).T @ size
    instead = np.where(sums > 0, sums, 1.0)
    return np.where(targets != 0, np.abs(targets), instead)


def feasible_bounds(matrix: Sparse, size: Array, targets: Array, *, bounds: Bounds) -> list[Bounds]:
    """Return bounds that just allow weights meeting the margins, two linear programmes over the factors.

    They keep one of the bounds given and move the other as little as possible; where neither will do, the smallest
    upper bound there is and the largest lower bound that goes with it. Numbers are rounded outward to four digits, so that they can be used as they are.
    """
    weighted = sp.csr_array(matrix.T @ sp.diags_array(size))
    unit = abs(weighted).sum(axis=1)
    no_bound = sp.csr_array((len(targets), 1))
    scaled = sp.diags_array(1 / unit) @ weighted
    equal = sp.hstack([scaled, no_bound], format="csr")
    cells = len(size)

    def tightest(sign: float, low: float, high: float | None) -> float | None:
        """Return the tightest other bound, None where there is none; the last unknown is that bound."""
        bound = -sign * np.ones((cells, 1))
        within = sp.hstack([sign * sp.eye_array(cells), bound], format="csr")
        cost = np.append(np.zeros(cells), sign)
        limits = [(low, high)] * cells + [(None, None)]
        solved = linprog(
            cost,
            A_ub=within,
            b_ub=np.zeros(cells),
            A_eq=equal,
            b_eq=targets / unit,
            bounds=limits,
        )
        return _outward(float(solved.x[-1]), sign) if solved.status == 0 else None

    feasible = []
    upper = tightest(1.0, bounds[0], None)
    if upper is not None:
        feasible.append((bounds[0], upper))
    lower = tightest(-1.0, 0.0, bounds[1])
    if lower is not None:
        feasible.append((lower, bounds[1]))
    if not feasible:
        widest = tightest(1.0, 0.0, None)
        if widest is not None:
            feasible.append((tightest(-1.0, 0.0, widest) or 0.0, widest))
    return feasible


def _outward(x: float, sign: float) -> float:
    """Round to four digits, up for an upper and down for a lower bound, and a little further for rounding in between."""
    step = 10.0 ** (np.floor(np.log10(max(abs(x), 1e-9))) - 3)
    steps = np.floor(x / step) + 2 if sign > 0 else max(np.ceil(x / step) - 2, 0)
    return float(round(steps * step, 12))
