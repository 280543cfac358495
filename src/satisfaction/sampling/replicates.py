"""Replicate weights: factors on PSUs (JKn, BRR, Fay, Rao-Wu), and sums under a weighting recipe replayed in each.

P PSUs, R replicates, T tally rows, C cells of the recipe, D domains. A replicate's factor counts a PSU more or less
often, so the recipe sees changed counts of equal weights. No array of respondents x replicates is ever formed.
Sources: Rust and Rao (1996) for JKn, BRR and Fay; Rao and Wu (1988) for the rescaled bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from scipy.linalg import hadamard, qr

from satisfaction.sampling.variance import DENSE_ABOVE, Array, Clusters, Sparse, summing

LARGEST_CHUNK = 500_000  # numbers held at once
DEPENDENT = 1e-5  # of the largest column: R's tolerance for the rank of replicate weights


@dataclass(frozen=True, slots=True, repr=False, eq=False)
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


def rank_df(weights: Array) -> int:
    """Return the rank of replicate weights (n, R) minus 1: their degrees of freedom, as R's `degf`."""
    if not weights.size:
        return 0
    if weights.shape[0] < weights.shape[1]:
        weights = weights.T
    triangle = qr(weights, mode="r", pivoting=True, check_finite=False)[0]
    size = np.abs(np.diag(triangle))
    independent = size > DEPENDENT * size.max(initial=0.0)
    return int(independent.sum()) - 1


def deviations_of_given(replicates: GivenReplicates, theta: Array, full: Array) -> Array:
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
    if not replicates.mse:
        # as R: a replicate of scale 0 is not part of the mean
        part = known & (replicates.scale > 0)[:, None]
        counted = np.maximum(part.sum(axis=0), 1)
        centre = np.where(part, theta, 0.0).sum(axis=0) / counted
    away = np.where(known, theta - centre, 0.0)
    root = np.sqrt(replicates.scale)
    return away * root[:, None]


@dataclass(frozen=True, slots=True, repr=False)
class Replicates:
    """Factors of R replicates on P PSUs: V = sum_r scale_r (theta_r - mean of theta)^2, the mean over scales above 0.

    Attributes
    ----------
    scale : (R,) float
    unit : (R,) int, or None
        JKn: the PSU each replicate leaves out; it touches the PSUs of its stratum and no others.
    stratum : (P,) int, or None
        JKn: the stratum of every PSU.
    factors : callable
        Replicate numbers (r,) -> factors (P, r).
    """

    scale: Array
    unit: Array | None
    factors: Callable[[Array], Array]
    stratum: Array | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Replayed:
    """A recipe replayed on c cells in r replicates.

    Attributes
    ----------
    factor : (c, r) float
        Final / base weight.
    kept : (r,) bool
        Whether no weight left the cells; where it did, the factors are not those of the whole sample.
    """

    factor: Array
    kept: Array


class Recipe(Protocol):
    """A weighting recipe to be replayed on changed counts of its C cells."""

    @property
    def factor(self) -> Array:
        """Return final / base weight of the full sample: (C,)."""

    @property
    def block(self) -> Array:
        """Return a number for every cell, (C,) int: cells of different blocks never change each other's weights."""

    def replay(self, count: Array) -> Replayed:
        """Replay all cells: counts (C, r)."""

    def on_part(self, cells: Array) -> Callable[[Array], Replayed]:
        """Return the replay of whole blocks alone: counts (c, r) of the cells numbered `cells` -> their factors."""


@dataclass(frozen=True, slots=True)
class _Touched:
    """Replicates that can change the same cells, and no others."""

    chosen: Array
    cells: Array


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
        size = sizes[chosen]
        same = clusters.stratum[:, None] == clusters.stratum[left_out]
        factor = np.where(same, size / (size - 1), 1.0)
        factor[left_out, np.arange(len(chosen))] = 0.0
        return factor

    left = 1 - clusters.fraction[clusters.stratum[unit]]
    scale = left * (sizes - 1) / sizes
    return Replicates(scale, unit, factors, clusters.stratum)


def balanced(clusters: Clusters, *, fay: float) -> Replicates:
    """BRR (fay = 0) or Fay's variant: half-samples of two PSUs a stratum, balanced by a Hadamard matrix.

    The factors are fay and 2 - fay. Every stratum must have two PSUs; sampling fractions are not credited.
    """
    strata = len(clusters.fraction)
    matrix = hadamard(1 << strata.bit_length())
    signs = matrix[:, 1 : strata + 1]  # the first column is constant
    first = np.unique(clusters.stratum, return_index=True)[1]
    side = np.ones(len(clusters.stratum))
    side[first] = -1.0
    half_sample = side[:, None] * signs.T[clusters.stratum]
    factor = 1 + (1 - fay) * half_sample
    replicates = len(signs)
    scale = np.full(replicates, 1 / (replicates * (1 - fay) ** 2))
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
        alike = np.full(size, 1 / size)
        counts = random.multinomial(draws, alike, replicates).T
        shrunk = np.sqrt(1 - clusters.fraction[stratum])
        factor[psus] = 1 - shrunk + shrunk * counts * (size / draws)
    scale = np.full(replicates, 1 / replicates)
    return Replicates(scale, None, lambda chosen: factor[:, chosen])


def replicated_sums(
    replicates: Replicates, laid: LaidOverPsus, recipe: Recipe | None
) -> Iterator[tuple[Array, Array]]:
    """Sum values by domain under each replicate's weights.

    A jackknife replicate touches the PSUs of one stratum, hence the blocks of cells they lie in: the recipe is replayed on
    these alone, and all other weights are those of the full sample. Where a replicate moves weight out of its blocks after
    all, it is replayed on all cells.

    Parameters
    ----------
    laid : LaidOverPsus
        The values and the recipe's counts; see `lay`.
    recipe : Recipe, optional
        None: the base weights stay.

    Yields
    ------
    chosen : (r,) int
        Numbers of the replicates.
    sums : (K, D, r) float
    """
    everything = np.arange(len(replicates.scale))
    if recipe is None:
        yield from _on_all_cells(replicates, everything, laid, replay=None)
        return
    touched = _touched(replicates, laid, recipe.block)
    if touched is None:
        yield from _on_all_cells(replicates, everything, laid, replay=recipe.replay)
        return
    spilling = []
    psus = laid.into_cells.shape[1]
    unchanged = (laid.into_groups @ np.ones(psus)).reshape(laid.width, -1)
    unchanged *= recipe.factor[laid.cell_of_group]
    for part in touched:
        replay = recipe.on_part(part.cells)
        height = max(len(part.cells) * laid.width, psus)
        place = np.full(laid.into_cells.shape[0], -1)
        place[part.cells] = np.arange(len(part.cells))
        place_of_group = place[laid.cell_of_group]
        groups = np.flatnonzero(place_of_group >= 0)
        others = np.flatnonzero(place_of_group < 0)
        to_domains = laid.by_domain(groups)
        rest = laid.by_domain(others) @ unchanged[:, others].T
        for chosen in _chunks(part.chosen, height):
            factors = replicates.factors(chosen)
            replayed = replay(laid.into_cells[part.cells] @ factors)
            change = replayed.factor[place_of_group[groups]]
            sums = np.empty((laid.width, laid.domains, len(chosen)))
            for value in range(laid.width):
                rows = groups + value * len(place_of_group)
                sums[value] = to_domains @ ((laid.into_groups[rows] @ factors) * change)
                sums[value] += rest[:, value][:, None]
            yield chosen[replayed.kept], sums[..., replayed.kept]
            spilling.append(chosen[~replayed.kept])
    yield from _on_all_cells(replicates, np.concatenate(spilling), laid, replay=recipe.replay)


@dataclass(frozen=True, slots=True, repr=False)
class LaidOverPsus:
    """Values and counts laid over PSUs. G groups of rows of equal cell and domain, K values.

    Attributes
    ----------
    into_groups : (K G, P) sparse
        Sums of the values by group and PSU, value after value.
    into_cells : (C, P) sparse
        Counts by cell and PSU.
    cell_of_group, domain_of_group : (G,) int
    width, domains : int
        K and D.
    """

    into_groups: Sparse
    into_cells: Sparse
    cell_of_group: Array
    domain_of_group: Array
    width: int
    domains: int

    def by_domain(self, groups: Array) -> Sparse:
        """Return the matrix that sums some groups by domain: (D, g)."""
        return summing(self.domain_of_group[groups], self.domains)


def lay(
    values: Array,
    *,
    psu: Array,
    psus: int,
    domain: Array,
    domains: int,
    cell: Array,
    counts: Array,
    cells: int,
) -> LaidOverPsus:
    """Lay values and counts over PSUs.

    Parameters
    ----------
    values : (T, K) float
        Sums over the respondents of a row, times their base weight.
    psu, domain, cell : (T,) int
    counts : (T,) float
        What a row adds to its cell's count (Weighting.count).
    """
    width = values.shape[1]
    pair = cell * np.int64(domains) + domain
    pairs, group = np.unique(pair, return_inverse=True)
    groups = len(pairs)
    into_cells = sp.csr_array((counts, (cell, psu)), shape=(cells, psus))
    group_of_value = group + groups * np.arange(width)[:, None]
    places = (group_of_value.ravel(), np.tile(psu, width))
    into_groups = sp.csr_array((values.T.ravel(), places), shape=(groups * width, psus))
    return LaidOverPsus(into_groups, into_cells, pairs // domains, pairs % domains, width, domains)


def _chunks(chosen: Array, height: int) -> list[Array]:
    """Cut replicates into chunks that hold no more than `LARGEST_CHUNK` numbers each at once."""
    size = max(1, LARGEST_CHUNK // height)
    return [chosen[begin : begin + size] for begin in range(0, len(chosen), size)]


def _on_all_cells(
    replicates: Replicates,
    everything: Array,
    laid: LaidOverPsus,
    *,
    replay: Callable[[Array], Replayed] | None,
) -> Iterator[tuple[Array, Array]]:
    """Sum the values by domain with the recipe replayed on all cells."""
    groups = np.arange(len(laid.cell_of_group))
    to_domains = sp.kron(sp.eye_array(laid.width), laid.by_domain(groups), format="csr")
    height = max(laid.into_groups.shape[0], *laid.into_cells.shape)
    for chosen in _chunks(everything, height):
        factors = replicates.factors(chosen)
        sums = laid.into_groups @ factors
        if replay is not None:
            change = replay(laid.into_cells @ factors).factor[laid.cell_of_group]
            sums *= np.tile(change, (laid.width, 1))
        yield chosen, (to_domains @ sums).reshape(laid.width, laid.domains, len(chosen))


def _touched(replicates: Replicates, laid: LaidOverPsus, block: Array) -> list[_Touched] | None:
    """Sort jackknife replicates by the blocks they can change; None where one of them can change all cells."""
    if replicates.unit is None or replicates.stratum is None:
        return None
    stratum = replicates.stratum
    counted = laid.into_cells.tocoo()
    shape = (int(stratum.max()) + 1, int(block.max()) + 1)
    places = (stratum[counted.col], block[counted.row])
    touching = sp.csr_array((np.ones(counted.nnz), places), shape=shape)
    touching.sum_duplicates()
    touching.sort_indices()
    by_blocks: dict[tuple[int, ...], list[int]] = {}
    for number, left_out in enumerate(replicates.unit):
        row = stratum[left_out]
        blocks = touching.indices[touching.indptr[row] : touching.indptr[row + 1]]
        by_blocks.setdefault(tuple(blocks), []).append(number)
    touched = []
    for blocks_touched, chosen in by_blocks.items():
        cells = np.flatnonzero(np.isin(block, blocks_touched))
        if len(cells) == len(block):
            return None
        touched.append(_Touched(np.array(chosen), cells))
    return touched or None


def deviations(replicates: Replicates, theta: Array, psus: int) -> Sparse | Array:
    """Scale the replicates' deviations from their mean, so that V = D'D.

    Parameters
    ----------
    theta : (R, Q) float
        nan where a replicate has no member of the domain: it then counts as the mean, as does one of scale 0.

    Returns
    -------
    (P, Q) or (R, Q), sparse where most are 0
        For JKn one row a PSU, with the sign of linearization.
    """
    # as R: a replicate of scale 0 (of a stratum taken whole) is not part of the mean
    counted = np.isfinite(theta) & (replicates.scale > 0)[:, None]
    away = np.where(counted, theta, 0.0)
    away -= away.sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    away[~counted] = 0.0
    root = np.sqrt(np.maximum(replicates.scale, 0.0))
    away *= root[:, None]
    if replicates.unit is not None:
        placed = np.zeros((psus, theta.shape[1]))
        placed[replicates.unit] = np.negative(away, out=away)
        away = placed
    if np.count_nonzero(away) > DENSE_ABOVE * away.size:
        return away
    return sp.csr_array(away)
