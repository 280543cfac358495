"""Max-t: p-values of all pairs together, from simulated errors of the areas with their own covariance.

The errors of A areas are drawn from a normal distribution with their estimated covariance; the largest of all standardized
differences of a draw is what chance alone would have shown. Each pair keeps its own Satterthwaite df: its t is compared on
the scale of p-values, that is, the reference is the distribution of the smallest two-sided p over the pairs under a Gaussian
copula. Single-step and step-down as in Westfall and Young (1993), general parametric form as in Hothorn, Bretz and
Westfall (2008); the simulated p is (b + 1) / (draws + 1), never 0 (Phipson and Smyth 2010).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy import special

from satisfaction.foundation.errors import EstimatesError, one_of

Array = np.ndarray[Any, Any]
Simultaneous = Literal["single-step", "step-down"]
DRAWS, SEED = 50_000, 20_260_101
FEWEST = 1_000
CHUNK = 12_500  # draws at a time: part of what the seed means, so changing it changes the figures
INDEPENDENT = 1e-12  # correlations below are rounding
FRAGILE = 2.0  # Monte-Carlo standard errors


@dataclass(frozen=True, slots=True)
class MaxT:
    """Adjusted p-values of K pairs; nan where a pair is not tested.

    Attributes
    ----------
    single_step, step_down : (K,) float
        Family-wise adjusted two-sided p, at least the pair's own p and at least 1 / (draws + 1).
    single_step_error, step_down_error : (K,) float
        Monte-Carlo standard errors of these.
    draws, seed : int
    """

    single_step: Array
    step_down: Array
    single_step_error: Array
    step_down_error: Array
    draws: int
    seed: int

    def chosen(self, method: Simultaneous) -> tuple[Array, Array]:
        """Return the adjusted p and their Monte-Carlo standard errors by one of the two methods: (K,) each."""
        if method == "single-step":
            return self.single_step, self.single_step_error
        return self.step_down, self.step_down_error

    def fragile(self, method: Simultaneous, *, level: float = 0.95) -> Array:
        """Return where other draws could move p across 1 - level (within 2 Monte-Carlo errors): (K,) bool."""
        p, error = self.chosen(method)
        return np.asarray(np.abs(p - (1 - level)) <= FRAGILE * error)


def check_simultaneous(method: str, draws: int) -> None:
    """Refuse an unknown method, or too few draws.

    Raises
    ------
    EstimatesError
        E124, E125.
    """
    one_of(
        method, get_args(Simultaneous), argument="simultaneous", error=EstimatesError, code="E124"
    )
    if draws < FEWEST:
        raise EstimatesError(
            "E125",
            f"模拟次数 {draws} 太少，至少 {FEWEST}。",
            f"{draws} draws are too few; at least {FEWEST} are needed.",
            where="draws",
            hint=(f"用默认的 {DRAWS} 次。", f"Use the default of {DRAWS}."),
        )


def max_t_p(
    t: Array,
    df: Array,
    *,
    first: Array,
    second: Array,
    cov: Array,
    draws: int = DRAWS,
    seed: int = SEED,
) -> MaxT:
    """Adjust the t statistics of pairs of areas for their number, by simulation.

    Parameters
    ----------
    t, df : (K,) float
        Difference / se, and its degrees of freedom (inf where the variance is known). nan in t: not tested, not in the family.
    first, second : (K,) int
        The two areas of each pair.
    cov : (A, A) float
        Covariance of the areas' estimates; may be singular.
    draws, seed : int
        The same seed gives the same p.
    """
    z = np.abs(normal_scores(t, df))
    tested = np.flatnonzero(np.isfinite(t))
    order = tested[np.argsort(z[tested], kind="stable")]  # least significant first
    above, largest = _exceedances(z[order], (first[order], second[order]), cov, draws, seed)
    reached = draws - np.searchsorted(np.sort(largest), z[order], side="left")
    own = 2 * special.ndtr(-z[order])
    stepped = np.maximum.accumulate(above[::-1])[::-1]  # from the most significant pair on
    parts = []
    for count in (reached, stepped):
        p = (count + 1) / (draws + 1)
        parts += [np.maximum(p, own), np.sqrt(p * (1 - p) / draws)]
    single, single_error, step, step_error = (_spread(part, order, len(t)) for part in parts)
    return MaxT(single, step, single_error, step_error, draws, seed)


def drawn_errors(
    root: Array, *, draws: int, rng: np.random.Generator, block: int, order: Array | None = None
) -> Iterator[Array]:
    """Draw normal errors of A units, a block of draws at a time: (A, draws in the block).

    Parameters
    ----------
    root : (A, A) or (A,)
        Root of their covariance; (A,) standard errors of independent units.
    order : (A,) int, optional
        Each draw takes the units in this order, so that neither the block nor the number of draws changes the first
        draws. None: the stream runs unit by unit inside a block, and the block is part of what the seed means.
    """
    units = len(root)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        if order is None:
            standard = rng.standard_normal((units, size))
        else:
            standard = np.empty((units, size))
            standard[order] = rng.standard_normal((size, units)).T
        yield root[:, None] * standard if root.ndim == 1 else root @ standard


def symmetric_root(cov: Array) -> Array:
    """Return the symmetric root of a covariance, which may be singular: (A, A).

    It is unique, unlike eigenvectors or a pivoted factor: every machine draws the same errors.
    """
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def normal_scores(t: Array, df: Array) -> Array:
    """Return the normal deviates with the tails that t has at its df, same shape: t itself where df is inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        deviate = special.ndtri(special.stdtr(df, -np.abs(t)))
    return np.where(np.isinf(df), t, np.copysign(deviate, t))


def square_root(cov: Array) -> Array:
    """Return the symmetric root, or the standard errors (A,) where areas are independent."""
    se = np.sqrt(np.maximum(np.diag(cov), 0))
    beside = np.abs(cov - np.diag(np.diag(cov)))
    independent = (beside <= INDEPENDENT * se[:, None] * se).all()
    return se if independent else symmetric_root(cov)


def _exceedances(
    z: Array, pairs: tuple[Array, Array], cov: Array, draws: int, seed: int
) -> tuple[Array, Array]:
    """Count the draws whose largest difference among the pairs up to each one reaches its z; pairs least significant first.

    Returns
    -------
    above : (K,) int
    largest : (draws,) float
        Over all pairs.
    """
    first, second = pairs
    variance = np.diag(cov)[first] + np.diag(cov)[second] - 2 * cov[first, second]
    steps = list(
        zip(
            first.tolist(),
            second.tolist(),
            (1 / np.sqrt(variance)).tolist(),
            z.tolist(),
            strict=True,
        )
    )
    above, largest = np.zeros(len(z), dtype=np.int64), []
    rng = np.random.default_rng(seed)
    for errors in drawn_errors(square_root(cov), draws=draws, rng=rng, block=CHUNK):
        most, work = np.zeros(errors.shape[1]), np.empty(errors.shape[1])
        for k, (one, other, precision, reach) in enumerate(steps):
            np.subtract(errors[one], errors[other], out=work)
            np.abs(work, out=work)
            work *= precision
            np.maximum(most, work, out=most)
            above[k] += np.count_nonzero(most >= reach)
        largest.append(most)
    return above, np.concatenate(largest)


def _spread(values: Array, order: Array, size: int) -> Array:
    out = np.full(size, np.nan)
    out[order] = values
    return out
