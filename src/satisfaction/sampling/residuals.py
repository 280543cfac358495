"""Array kernels of the variance after calibration: residuals from the regression on the margins.

T tally rows, P PSUs, Q estimated quantities, L margin levels. Sources: Deville and Särndal (1992) for the residuals;
Lumley (2010) for the conventions of R survey.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from satisfaction.sampling.variance import DENSE_ABOVE, Array, Clusters, Sparse, psu_totals

SWEEPS = 10  # of R's `rake` variance


def residual_totals(
    z: Sparse,
    margins: Sparse,
    *,
    n: Array,
    entering: Array,
    weight: Array,
    clusters: Clusters,
    sweeps: Array | None = None,
) -> Sparse | Array:
    """PSU totals of final weight x residual of z from its regression on the margins.

    The regression is weighted by the weights entering the calibration (R's `calibrate` convention); with `sweeps` it is
    R's `rake` convention instead: unweighted margin means are subtracted in turn, ten times over.

    Parameters
    ----------
    z : (T, Q) sparse
        Not weighted; sums over the n respondents of a row.
    margins : (T, L) sparse
        Margin indicators (or numeric values) of a respondent of the row.
    n, entering, weight : (T,) float
        Respondents; weight before and after the calibration.
    sweeps : (L,) int, optional
        Which margin each level belongs to, in the order of the sweeps.

    Returns
    -------
    (P, Q) sparse, or dense where margins across all domains leave hardly a zero
    """
    if sweeps is None:
        moments = margins.T @ sp.diags_array(entering) @ z
        coefficients = regression_on_margins(margins, n * entering, moments)
    else:
        gram = sp.csr_array(margins.T @ sp.diags_array(n) @ margins)
        coefficients = _swept_means(gram, margins.T @ z, sweeps)
    observed = psu_totals(z, weight, clusters)
    of_margins = sp.csr_array(psu_totals(margins, weight * n, clusters))
    if coefficients.nnz <= DENSE_ABOVE * np.prod(coefficients.shape):
        return observed - of_margins @ coefficients
    residuals = of_margins @ -coefficients.toarray()
    observed = sp.coo_array(observed)
    residuals[observed.row, observed.col] += observed.data
    return residuals


def _swept_means(gram: Sparse, moments: Sparse, margin_of: Array) -> Sparse:
    """Margin means subtracted one margin after the other, `SWEEPS` times: (L, Q), as R's `rake` has it."""
    moments = moments.toarray()
    coefficients = np.zeros(moments.shape)
    size = gram.diagonal()
    for _ in range(SWEEPS):
        for margin in np.unique(margin_of):
            levels = np.flatnonzero(margin_of == margin)
            left = moments[levels] - gram[levels] @ coefficients
            coefficients[levels] += left / size[levels, None]
    return sp.csr_array(coefficients)


def regression_on_margins(margins: Sparse, size: Array, moments: Sparse) -> Sparse:
    """Solve (X' W X) b = moments; X (T, L) indicators or values, W = diag(size), moments (L, Q)."""
    gram = margins.T @ sp.diags_array(size) @ margins
    return sp.csr_array(block_inverse(gram) @ sp.csr_array(moments))


def block_inverse(gram: Sparse) -> Sparse:
    """Invert X' W X block by block: (L, L).

    Margins that never meet (each county's own) form separate small blocks. Margins repeat each other (all sexes = all
    ages), so each block is inverted by its pseudo-inverse.
    """
    gram = sp.coo_array(gram)
    count, block = connected_components(gram, directed=False)
    sizes = np.bincount(block, minlength=count)
    order = np.argsort(block, kind="stable")
    place = np.empty(len(block), dtype=int)  # of a level within its block
    place[order] = np.arange(len(block)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    largest = sizes.max()
    # smaller blocks are padded with zeros, which pinv keeps
    blocks = np.zeros((count, largest, largest))
    blocks[block[gram.row], place[gram.row], place[gram.col]] = gram.data
    # numeric totals are of another magnitude than indicators: bring all to one
    unit = np.sqrt(np.einsum("bii->bi", blocks))
    unit[unit == 0] = 1.0
    unit = unit[:, :, None] * unit[:, None, :]
    inverse = np.linalg.pinv(blocks / unit, rcond=1e-11, hermitian=True) / unit
    b, i, j = np.nonzero(inverse)
    level = np.empty((count, largest), dtype=int)
    level[block, place] = np.arange(len(block))
    places = (level[b, i], level[b, j])
    return sp.csr_array((inverse[b, i, j], places), shape=gram.shape)
