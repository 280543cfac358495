"""Replicate weights: factors on PSUs (JKn, BRR, Fay, Rao-Wu), and sums under a weighting recipe replayed in each.

P PSUs, R replicates, T tally rows, C cells of the recipe, D domains. A replicate's factor counts a PSU more or less
often, so the recipe sees changed counts of equal weights. No array of respondents x replicates is ever formed.
Sources: Rust and Rao (1996) for JKn, BRR and Fay; Rao and Wu (1988) for the rescaled bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.linalg import hadamard, qr

from satisfaction.sampling.variance import DENSE_ABOVE, Clusters, Sparse

Array = np.ndarray[Any, Any]
Kind = Literal["jkn", "brr", "fay", "rao-wu"]
LARGEST_CHUNK = 500_000  # numbers held at once
DEPENDENT = 1e-5  # of the largest column: R's tolerance for the rank of replicate weights


@dataclass(frozen=True, slots=True, repr=False)
class GivenReplicates:
    """Replicate weights that came with the data: V = sum_r scale_r (theta_r - centre)^2.

    Attributes
    ----------
    weights : (n, R) float
        Of every respondent, in the rows' order.
    scale : (R,) float
        Of each replicate: R's `scale` x `rscales`.
    mse : bool
        Whether the centre is the full sample's estimate, else it is the mean of the replicates.
    df : int
        Degrees of freedom of the whole design.
    """

    weights: Array
    scale: Array
    mse: bool
    df: int

    def __repr__(self) -> str:
        respondents, replicates = self.weights.shape
        return f"GivenReplicates({replicates} of {respondents:,} respondents, df {self.df})"

    @property
    def centre(self) -> str:
        """Return what the deviations are taken from, in words."""
        return "full-sample estimate (mse)" if self.mse else "mean of the replicates"


def rank_df(weights: Array) -> int:
    """Return the rank of replicate weights (n, R) minus 1: their degrees of freedom, as R's `degf`."""
    if not weights.size:
        return 0
    if weights.shape[0] < weights.shape[1]:
        weights = weights.T
    size = np.abs(np.diag(qr(weights, mode="r", pivoting=True, check_finite=False)[0]))
    return int((size > DEPENDENT * size.max(initial=0.0)).sum()) - 1


def deviations_of_given(given: GivenReplicates, theta: Array, full: Array) -> Array:
    """Scale the deviations of given replicates from their centre, so that V = D'D: (R, Q).

    Parameters
    ----------
    theta : (R, Q) float
        nan where a replicate has no member of the domain: it then counts as the centre.
    full : (Q,) float
        Estimates of the full sample.
    """
    known = np.isfinite(theta)
    centre = full
    if not given.mse:
        # as R: a replicate of scale 0 is not part of the mean
        part = known & (given.scale > 0)[:, None]
        centre = np.where(part, theta, 0.0).sum(axis=0) / np.maximum(part.sum(axis=0), 1)
    away = np.where(known, theta - centre, 0.0)
    return np.asarray(away * np.sqrt(given.scale)[:, None])


@dataclass(frozen=True, slots=True)
class Replicates:
    """Factors of R replicates on P PSUs: V = sum_r scale_r (theta_r - mean of theta)^2.

    Attributes
    ----------
    scale : (R,) float
    unit : (R,) int, or None
        JKn: the PSU each replicate leaves out.
    factors : callable
        Replicate numbers (r,) -> factors (P, r).
    """

    scale: Array = field(repr=False)
    unit: Array | None = field(repr=False)
    factors: Callable[[Array], Array] = field(repr=False)


def jackknife(clusters: Clusters) -> Replicates:
    """JKn: each replicate leaves one PSU out and counts the others of its stratum n/(n-1) times.

    A stratum with a single PSU has no replicate, hence contributes nothing.
    """
    n = clusters.sizes()
    unit = np.flatnonzero(n[clusters.stratum] > 1)
    sizes = n[clusters.stratum[unit]]

    def factors(chosen: Array) -> Array:
        """Return the factors (P, r) of the replicates chosen."""
        left_out = unit[chosen]
        same = clusters.stratum[:, None] == clusters.stratum[left_out]
        factor = np.where(same, sizes[chosen] / (sizes[chosen] - 1), 1.0)
        factor[left_out, np.arange(len(chosen))] = 0.0
        return factor

    left = 1 - clusters.fraction[clusters.stratum[unit]]
    return Replicates(left * (sizes - 1) / sizes, unit, factors)


def balanced(clusters: Clusters, *, fay: float) -> Replicates:
    """BRR (fay = 0) or Fay's variant: half-samples of two PSUs a stratum, balanced by a Hadamard matrix.

    The factors are fay and 2 - fay. Every stratum must have two PSUs; sampling fractions are not credited.
    """
    strata = len(clusters.fraction)
    signs = hadamard(1 << strata.bit_length())[:, 1 : strata + 1]  # its first column is constant
    first = np.unique(clusters.stratum, return_index=True)[1]
    side = np.ones(len(clusters.stratum))
    side[first] = -1.0
    factor = 1 + (1 - fay) * side[:, None] * signs.T[clusters.stratum]
    scale = np.full(len(signs), 1 / (len(signs) * (1 - fay) ** 2))
    return Replicates(scale, None, lambda chosen: factor[:, chosen])


def rao_wu(clusters: Clusters, *, replicates: int, seed: int) -> Replicates:
    """Rao-Wu rescaled bootstrap: n - 1 PSUs drawn with replacement in each stratum, rescaled for the sampling fraction."""
    random = np.random.default_rng(seed)
    factor = np.empty((len(clusters.stratum), replicates))
    by_stratum = np.argsort(clusters.stratum, kind="stable")
    ends = np.cumsum(clusters.sizes())
    for stratum, psus in enumerate(np.split(by_stratum, ends[:-1])):
        size = len(psus)
        draws = max(size - 1, 1)
        counts = random.multinomial(draws, np.full(size, 1 / size), replicates).T
        shrunk = np.sqrt(1 - clusters.fraction[stratum])
        factor[psus] = 1 - shrunk + shrunk * counts * (size / draws)
    scale = np.full(replicates, 1 / replicates)
    return Replicates(scale, None, lambda chosen: factor[:, chosen])


def replicated_sums(
    replicates: Replicates,
    values: Array,
    *,
    psu: Array,
    psus: int,
    domain: Array,
    domains: int,
    cell: Array,
    counts: Array,
    cells: int,
    reweight: Callable[[Array], Array] | None,
) -> Iterator[tuple[Array, Array]]:
    """Sum values by domain under each replicate's weights.

    Parameters
    ----------
    values : (T, K) float
        Sums over the respondents of a row, times their base weight.
    psu, domain, cell : (T,) int
    counts : (T,) float
        What a row adds to its cell's count (Weighting.count).
    reweight : callable, optional
        Counts (C, r) -> final / base weight (C, r); None: the base weights stay.

    Yields
    ------
    chosen : (r,) int
        Numbers of the replicates.
    sums : (K, D, r) float
    """
    width = values.shape[1]
    pairs, group = np.unique(cell * np.int64(domains) + domain, return_inverse=True)
    groups = len(pairs)
    into_cells = sp.csr_array((counts, (cell, psu)), shape=(cells, psus))
    stacked = (group + groups * np.arange(width)[:, None]).ravel()
    into_groups = sp.csr_array(
        (values.T.ravel(), (stacked, np.tile(psu, width))), shape=(groups * width, psus)
    )
    of_domain = (np.ones(groups), (pairs % domains, np.arange(groups)))
    to_domain = sp.csr_array(of_domain, shape=(domains, groups))
    to_domains = sp.kron(sp.eye_array(width), to_domain, format="csr")
    chunk = max(1, LARGEST_CHUNK // max(groups * width, cells, psus))
    total = len(replicates.scale)
    for begin in range(0, total, chunk):
        chosen = np.arange(begin, min(begin + chunk, total))
        factors = replicates.factors(chosen)
        sums = into_groups @ factors
        if reweight is not None:
            change = reweight(into_cells @ factors)[pairs // domains]
            sums *= np.tile(change, (width, 1))
        yield chosen, (to_domains @ sums).reshape(width, domains, len(chosen))


def deviations(replicates: Replicates, theta: Array, psus: int) -> Sparse | Array:
    """Scale the replicates' deviations from their mean, so that V = D'D.

    Parameters
    ----------
    theta : (R, Q) float
        nan where a replicate has no member of the domain: it then counts as the mean.

    Returns
    -------
    (P, Q) or (R, Q), sparse where most are 0
        For JKn one row a PSU, with the sign of linearization.
    """
    unknown = ~np.isfinite(theta)
    away = np.where(unknown, 0.0, theta)
    away -= away.sum(axis=0) / np.maximum((~unknown).sum(axis=0), 1)
    away[unknown] = 0.0
    away *= np.sqrt(np.maximum(replicates.scale, 0.0))[:, None]
    if replicates.unit is not None:
        placed = np.zeros((psus, theta.shape[1]))
        placed[replicates.unit] = np.negative(away, out=away)
        away = placed
    return away if np.count_nonzero(away) > DENSE_ABOVE * away.size else sp.csr_array(away)
