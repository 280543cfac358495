"""Many tests at once: p-values adjusted for how many there are, by Holm, Benjamini and Hochberg, or max-t.

Max-t takes all pairs of areas together, from simulated errors of the areas with their own covariance; the largest of all
standardized differences of a draw is what chance alone would have shown. Each pair keeps its own Satterthwaite df: its t is
compared on the scale of p-values, that is, the reference is the distribution of the smallest two-sided p over the pairs
under a Gaussian copula. Single-step and step-down as in Westfall and Young (1993), general parametric form as in Hothorn,
Bretz and Westfall (2008); the simulated p is (b + 1) / (draws + 1), never 0 (Phipson and Smyth 2010).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from satisfaction.estimation.intervals import standard_errors
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.language import _
from satisfaction.sampling.variance import Array

Simultaneous = Literal["single-step", "step-down"]
DRAWS = 50_000
SEED = 20_260_101
FEWEST = 1_000
CHUNK = 12_500  # draws at a time: part of what the seed means, so changing it changes the figures
INDEPENDENT = 1e-12  # correlations below are rounding
FRAGILE = 2.0  # Monte-Carlo standard errors


def holm(p: Array) -> Array:
    """Adjust p-values (..., n) after Holm (1979), each row a family: its error under any dependence.

    nan is not tested and stays nan.
    """
    tested = np.isfinite(p).sum(axis=-1, keepdims=True)
    smallest_first = np.argsort(p, axis=-1, kind="stable")  # nan last
    hypotheses_left = tested - np.arange(p.shape[-1])
    steps = np.take_along_axis(p, smallest_first, axis=-1) * hypotheses_left
    stepped_down = np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0)
    adjusted = np.empty(p.shape)
    np.put_along_axis(adjusted, smallest_first, stepped_down, axis=-1)
    return adjusted


def benjamini_hochberg(p: Array) -> Array:
    """Adjust p-values (n,) after Benjamini and Hochberg (1995): false discoveries of positively dependent tests.

    nan is not tested and stays nan.
    """
    from scipy.stats import false_discovery_control  # takes half a second to import

    tested = np.isfinite(p)
    adjusted = np.full(len(p), np.nan)
    if tested.any():
        adjusted[tested] = false_discovery_control(p[tested])
    return adjusted


@dataclass(frozen=True, slots=True, repr=False)
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
        distance = np.abs(p - (1 - level))
        return distance <= FRAGILE * error


def check_simultaneous(method: str, draws: int) -> None:
    """Refuse an unknown method (E124), or too few draws (E125)."""
    one_of(method, Simultaneous, argument="simultaneous", error=EstimatesError, code="E124")
    if draws < FEWEST:
        raise EstimatesError(
            "E125",
            _(
                "{draws} draws are too few; at least {FEWEST} are needed.",
                draws=draws,
                FEWEST=FEWEST,
            ),
            where="draws",
            hint=_("Use the default of {DRAWS}.", DRAWS=DRAWS),
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
    z = z[order]
    first = first[order]
    second = second[order]
    variance = np.diag(cov)
    pair_variance = variance[first] + variance[second] - 2 * cov[first, second]
    precision = 1 / np.sqrt(pair_variance)
    # numbers of Python's own: indexing with them is faster in the innermost loop
    pairs = [column.tolist() for column in (first, second, precision, z)]
    above = np.zeros(len(z), dtype=np.int64)
    of_draws = []
    rng = np.random.default_rng(seed)
    for errors in drawn_errors(square_root(cov), draws=draws, rng=rng, block=CHUNK):
        most = np.zeros(errors.shape[1])
        difference = np.empty(errors.shape[1])
        for k, (area, other, scale, reach) in enumerate(zip(*pairs, strict=True)):
            np.subtract(errors[area], errors[other], out=difference)
            np.abs(difference, out=difference)
            difference *= scale
            np.maximum(most, difference, out=most)
            above[k] += np.count_nonzero(most >= reach)
        of_draws.append(most)
    reached = draws - np.searchsorted(np.sort(np.concatenate(of_draws)), z, side="left")
    unadjusted = 2 * special.ndtr(-z)
    stepped = np.maximum.accumulate(above[::-1])[::-1]  # from the most significant pair on
    adjusted = np.full((2, len(t)), np.nan)
    error = np.full((2, len(t)), np.nan)
    for row, count in enumerate((reached, stepped)):
        p = (count + 1) / (draws + 1)
        adjusted[row, order] = np.maximum(p, unadjusted)
        variance = p * (1 - p) / draws
        error[row, order] = np.sqrt(variance)
    return MaxT(adjusted[0], adjusted[1], error[0], error[1], draws, seed)


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
        if root.ndim == 1:
            yield root[:, None] * standard
        else:
            yield root @ standard


def symmetric_root(cov: Array) -> Array:
    """Return the symmetric root of a covariance, which may be singular: (A, A).

    It is unique, unlike eigenvectors or a pivoted factor: every machine draws the same errors.
    """
    values, vectors = np.linalg.eigh(cov)
    roots = np.sqrt(np.maximum(values, 0))
    return np.asarray((vectors * roots) @ vectors.T)


def normal_scores(t: Array, df: Array) -> Array:
    """Return the normal deviates with the tails that t has at its df, same shape: t itself where df is inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = special.stdtr(df, -np.abs(t))
        deviate = np.copysign(special.ndtri(tail), t)
    return np.where(np.isinf(df), t, deviate)


def square_root(cov: Array) -> Array:
    """Return the symmetric root, or the standard errors (A,) where areas are independent."""
    se = standard_errors(cov)
    of_each = np.diag(np.diag(cov))
    beside = np.abs(cov - of_each)
    rounding = INDEPENDENT * np.outer(se, se)
    independent = (beside <= rounding).all()
    return se if independent else symmetric_root(cov)
