"""Array kernels of the variance after calibration: residuals from the regression on the margins.

T tally rows, P PSUs, Q estimated quantities, L margin levels. Sources: Deville and Särndal (1992) for the residuals;
Lumley (2010) for the conventions of R survey.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from satisfaction.sampling.variance import DENSE_ABOVE, Array, Sparse

SWEEPS = 10  # of R's `rake` variance


def inverse_of_margins(margins: Sparse, size: Array) -> Sparse:
    """Invert X' W X, which the regression on margins solves; X (T, L) indicators or values, W = diag(size): (L, L)."""
    return block_inverse(margins.T @ sp.diags_array(size) @ margins)


def swept_means(margins: Sparse, z: Sparse, *, n: Array, margin_of: Array) -> Sparse:
    """Margin means of z subtracted one margin after the other, `SWEEPS` times: (L, Q), as R's `rake` has it.

    Parameters
    ----------
    margins, z : (T, L), (T, Q) sparse
        Indicators of a respondent of the row; sums over the n respondents of a row, not weighted.
    n : (T,) float
    margin_of : (L,) int
        Which margin each level belongs to, in the order of the sweeps.
    """
    gram = sp.csr_array(margins.T @ sp.diags_array(n) @ margins)
    moments = (margins.T @ z).toarray()
    coefficients = np.zeros(moments.shape)
    size = gram.diagonal()
    for _ in range(SWEEPS):
        for margin in np.unique(margin_of):
            levels = np.flatnonzero(margin_of == margin)
            left = moments[levels] - gram[levels] @ coefficients
            coefficients[levels] += left / size[levels, None]
    return sp.csr_array(coefficients)


def residual_totals(observed: Sparse, of_margins: Sparse, coefficients: Sparse) -> Sparse | Array:
    """PSU totals of final weight x residual of z from its regression on the margins.

    Parameters
    ----------
    observed, of_margins : (P, Q), (P, L) sparse
        PSU totals of z and of the margins, under the final weights.
    coefficients : (L, Q) sparse

    Returns
    -------
    (P, Q) sparse, or dense where margins across all domains leave hardly a zero
    """
    if coefficients.nnz <= DENSE_ABOVE * np.prod(coefficients.shape):
        return observed - of_margins @ coefficients
    residuals = of_margins @ -coefficients.toarray()
    observed = sp.coo_array(observed)
    residuals[observed.row, observed.col] += observed.data
    return residuals


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
