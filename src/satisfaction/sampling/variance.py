"""Array kernels of the linearized covariance: linearized variables, totals of PSUs, their spread within strata.

T tally rows, P PSUs, H strata, Q estimated quantities. Sources: Woodruff (1971) and Binder (1983) for linearization;
Lumley (2010) for the conventions of R survey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

Array = np.ndarray[Any, Any]
Sparse: TypeAlias = sp.csr_array
LonelyPsu = Literal["fail", "adjust", "average", "certainty", "remove"]
CANCELLED = 1e-11  # of a squared mean: what a difference from it leaves is not known to four digits
DENSE_ABOVE = 0.1  # a fuller matrix is multiplied faster by the dense routines


@dataclass(frozen=True, slots=True, repr=False)
class Clusters:
    """Where the tally rows lie in one stage of the design; below the first stage, "stratum" is the unit above.

    Attributes
    ----------
    psu : (T,) int
        PSU of every tally row, 0..P-1.
    stratum : (P,) int
        Stratum of every PSU, 0..H-1.
    fraction : (H,) float
        Sampling fraction of PSUs, 0 where drawn with replacement.
    share : (H,) float
        Product of the sampling fractions of the stages above: 1 at the first stage.
    """

    psu: Array
    stratum: Array
    fraction: Array
    share: Array

    def sizes(self) -> Array:
        """Return n_h, the PSUs of each stratum: (H,) int."""
        return np.bincount(self.stratum, minlength=len(self.fraction))


@dataclass(frozen=True, slots=True, repr=False)
class Members:
    """Which PSUs hold a valid member of each of Q quantities: what their degrees of freedom count.

    Attributes
    ----------
    inside : (P, Q) sparse
        Above 0 where the PSU has one.
    stratum : (P,) int
        Stratum of every PSU.
    """

    inside: Sparse
    stratum: Array

    def of(self, at: Array) -> Members:
        """Return the members of the quantities numbered `at`."""
        return Members(self.inside[:, at], self.stratum)

    def combined(self, matrix: Sparse) -> Members:
        """Return the members of linear combinations, (K, Q) coefficients: of all quantities that one uses."""
        uses = (sp.csr_array(matrix) != 0).astype(float)
        inside = self.inside @ uses.T
        return Members(sp.csr_array(inside), self.stratum)

    def sharing(self) -> Sparse:
        """Tell which quantities share a PSU: (Q, Q), above 0 where two do."""
        return sp.csr_array(self.inside.T @ self.inside)

    def each_df(self) -> Array:
        """Return PSUs minus strata of every quantity: (Q,) int."""
        psus = sp.csc_array(self.inside > 0)
        strata = sp.csc_array(summing(self.stratum) @ self.inside > 0)
        df: Array = np.diff(psus.indptr) - np.diff(strata.indptr)
        return df.astype(np.int64)

    def df(self, at: Array) -> int:
        """Return PSUs minus strata of the union of the quantities numbered `at`."""
        members = self.inside[:, at].nonzero()[0]
        return psus_minus_strata(members, self.stratum)


def psus_minus_strata(members: Array, stratum: Array) -> int:
    """Return how many different PSUs the members lie in, minus the strata of these; `stratum` is that of every PSU."""
    psus = np.unique(members)
    strata = np.unique(stratum[psus])
    return len(psus) - len(strata)


def summing(group: Array, groups: int | None = None, values: Array | None = None) -> Sparse:
    """Return the matrix that sums T rows, or `values` (T,) times each, by their group: (G, T)."""
    rows = len(group)
    if groups is None:
        groups = int(group.max()) + 1
    if values is None:
        values = np.ones(rows)
    return sp.csr_array((values, (group, np.arange(rows))), shape=(groups, rows))


def sum_by_domain(domain: Array, values: Array, domains: int) -> Array:
    """Sum rows (T, M) by their domain (T,): (D, M)."""
    sums = [np.bincount(domain, column, domains) for column in values.T]
    return np.stack(sums, axis=1)


def linearized_means(
    domain: Array, weight: Array, *, valid: Array, total: Array, domains: int
) -> tuple[Array, Array, Sparse]:
    """Linearize weighted domain means.

    Parameters
    ----------
    domain : (T,) int
    weight : (T,) float
        Final weight of the respondents of a tally row.
    valid, total : (T, M) float
        Number of valid values and their sum.
    domains : int
        D.

    Returns
    -------
    estimate : (D, M) float
        sum w y / sum w over valid values; nan where there are none.
    size : (D, M) float
        Estimated population with a valid value.
    z : (T, D*M) sparse
        Sum over a row's respondents of (y - estimate) / size, not weighted; 0 outside the domain.
    """
    of_each = weight[:, None]
    size = sum_by_domain(domain, of_each * valid, domains)
    with np.errstate(invalid="ignore"):
        sums = sum_by_domain(domain, of_each * total, domains)
        estimate = sums / np.where(size > 0, size, np.nan)
    divisor = np.where(size > 0, size, 1.0)[domain]
    deviation = (total - estimate[domain] * valid) / divisor
    deviation = np.where(valid > 0, deviation, 0.0)
    return estimate, size, _place(domain, deviation, domains)


def linearized_totals(
    domain: Array, weight: Array, total: Array, *, domains: int
) -> tuple[Array, Sparse]:
    """Linearize weighted domain totals: estimates (D, M) and z (T, D*M), as in `linearized_means`."""
    estimate = sum_by_domain(domain, weight[:, None] * total, domains)
    return estimate, _place(domain, total, domains)


def linearized_ratios(
    domain: Array, weight: Array, *, numerator: Array, denominator: Array, domains: int
) -> tuple[Array, Sparse]:
    """Linearize ratios of weighted totals: estimates (D, M), nan where the denominator is 0, and z as `linearized_means`."""
    of_each = weight[:, None]
    bottom = sum_by_domain(domain, of_each * denominator, domains)
    safe = np.where(bottom != 0, bottom, np.nan)
    ratio = sum_by_domain(domain, of_each * numerator, domains) / safe
    residual = numerator - ratio[domain] * denominator
    deviation = np.nan_to_num(residual / safe[domain])
    return ratio, _place(domain, deviation, domains)


def psu_totals(z: Sparse, weight: Array, clusters: Clusters) -> Sparse:
    """Sum weighted z (T, Q) over the respondents of each PSU: (P, Q)."""
    return summing(clusters.psu, len(clusters.stratum), weight) @ z


def contributions(totals: Sparse | Array, clusters: Clusters, lonely: LonelyPsu) -> Sparse | Array:
    """Centre the totals of the units of one stage within their strata and scale them, so that V = D'D.

    V = sum_h c_h (1 - f_h) n_h/(n_h - 1) sum_j (z_hj - zbar_h)(z_hj - zbar_h)'; n_h counts all units of the stratum, c_h is
    `clusters.share`.

    Parameters
    ----------
    totals : (P, Q) sparse or dense
    lonely : str
        See SurveyDesign; the design has already refused lonely PSUs under "fail", and nothing but lonely PSUs under "average".

    Returns
    -------
    D : (P, Q), sparse or dense as the totals are
    """
    n = clusters.sizes()
    # a stratum taken whole has no error, so nothing is lonely in it
    lone = (n == 1) & (clusters.fraction < 1)
    left = clusters.share * (1 - clusters.fraction)
    correction = n / np.maximum(n - 1, 1)
    scale = left * np.where(lone, 0.0, correction)
    if lonely == "adjust":
        scale = np.where(lone, left, scale)
    if lonely == "average" and lone.any():
        scale = scale * len(n) / max((~lone).sum(), 1)
    around_all = np.flatnonzero(lone & (lonely == "adjust"))
    centred = _centred(totals, clusters, around_all)
    root = np.sqrt(np.maximum(scale, 0.0))[clusters.stratum]
    if isinstance(centred, np.ndarray):
        return centred * root[:, None]
    return sp.csr_array(sp.diags_array(root) @ centred)


def crossed(left: Sparse | Array, right: Sparse | Array) -> Array:
    """Return left' right, dense; for contributions D of one design, D'D is the covariance. (Q, R)."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return left.T @ right
    if min(_filled(left), _filled(right)) > DENSE_ABOVE:
        return np.asarray(left.toarray().T @ right.toarray())
    return np.asarray((left.T @ right).toarray())


def _filled(matrix: Sparse) -> float:
    return float(matrix.nnz / max(np.prod(matrix.shape), 1))


def domain_members(domain: Array, valid: Array, clusters: Clusters, *, domains: int) -> Members:
    """Find the PSUs with a valid member of each domain and measure; quantities are domain-major."""
    members = _place(domain, (valid > 0).astype(float), domains)
    inside = psu_totals(members, np.ones(len(domain)), clusters)
    inside.eliminate_zeros()
    return Members(sp.csr_array(inside), clusters.stratum)


def simple_variance(
    estimate: Array, size: Array, squares: Array, *, n: Array, population: Array, replacement: bool
) -> Array:
    """Variance of a mean from a simple random sample of the same size, the denominator of deff (R's `deff`).

    Parameters
    ----------
    estimate, size, squares, n : (D, M) float
        Weighted mean, sum of weights, weighted sum of squares, number of valid values.
    population : (D, M) float
        Size of the population; with `replacement` it does not matter.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = squares / size - estimate**2
        spread = np.where(spread > CANCELLED * estimate**2, spread, np.nan)
        variance = spread * n / (n - 1) / n
        if not replacement:
            not_drawn = np.maximum(population - n, 0.0)
            variance = variance * not_drawn / population
    return np.asarray(variance)


def _centred(totals: Sparse | Array, clusters: Clusters, grand: Array) -> Sparse | Array:
    """Subtract each stratum's mean (for the strata in `grand` the mean of all PSUs), keeping the pattern sparse."""
    n = clusters.sizes()
    by_stratum = summing(clusters.stratum, len(n))
    if isinstance(totals, np.ndarray):
        dense = np.asarray((by_stratum @ totals) / n[:, None])
        dense[grand] = totals.mean(axis=0)
        return totals - dense[clusters.stratum]
    sums = by_stratum @ totals
    means = sp.csr_array(sp.diags_array(1 / n) @ sums)
    if len(grand):
        means = sp.lil_array(means)
        of_all = np.asarray(totals.sum(axis=0)).ravel()
        means[grand] = of_all / totals.shape[0]
        means = sp.csr_array(means)
    return sp.csr_array(totals - by_stratum.T @ means)


def _place(domain: Array, values: Array, domains: int) -> Sparse:
    """Put row t's M values into the columns of its domain: (T, D*M), domain-major."""
    rows, width = values.shape
    first = domain[:, None] * width
    columns = first + np.arange(width)
    starts = np.arange(0, rows * width + 1, width)
    placed = (values.ravel(), columns.ravel(), starts)
    return sp.csr_array(placed, shape=(rows, domains * width))
