"""Array kernels of confidence limits and of degrees of freedom of linear combinations."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy import special

Array = np.ndarray[Any, Any]


def t_interval(estimate: Array, se: Array, df: Array, *, level: float) -> tuple[Array, Array]:
    """Return estimate -/+ t se; unbounded where df < 1."""
    with np.errstate(invalid="ignore"):
        half = np.where(df >= 1, special.stdtrit(np.maximum(df, 1), (1 + level) / 2), np.inf) * se
    return estimate - half, estimate + half


def logit_interval(share: Array, se: Array, df: Array, *, level: float) -> tuple[Array, Array]:
    """Return the interval of a share 0-1 that is symmetric on the logit scale (R's svyciprop method "logit")."""
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    low, high = t_interval(np.log(safe / (1 - safe)), se / (safe * (1 - safe)), df, level=level)
    with np.errstate(over="ignore"):
        limits = [np.where(inside, 1 / (1 + np.exp(-limit)), share) for limit in (low, high)]
    return limits[0], limits[1]


def korn_graubard_interval(share: Array, n_effective: Array, *, n: Array, df: Array, level: float) -> tuple[Array, Array]:
    """Return Clopper-Pearson limits at the effective sample size, corrected for df (Korn and Graubard 1998)."""
    tail = (1 - level) / 2
    effective = n_effective * (special.stdtrit(np.maximum(n - 1, 1), tail) / special.stdtrit(np.maximum(df, 1), tail)) ** 2
    x = share * effective
    low = np.where(share <= 0, 0.0, special.betaincinv(np.maximum(x, 1e-12), effective - x + 1, tail))
    high = np.where(share >= 1, 1.0, special.betaincinv(x + 1, np.maximum(effective - x, 1e-12), 1 - tail))
    return low, high


def satterthwaite(matrix: sp.csr_array, cov: Array, *, blocks: Array, df: Array) -> Array:
    """Degrees of freedom of linear combinations: (sum v_b)^2 / sum v_b^2 / df_b over the blocks they use.

    Parameters
    ----------
    matrix : (K, Q) sparse
    cov : (Q, Q)
    blocks : (Q,) int
        Block (domain) of each quantity.
    df : (Q,) float
    """
    out = np.empty(matrix.shape[0])
    for i in range(matrix.shape[0]):
        at, coefficient = (part[matrix.indptr[i] : matrix.indptr[i + 1]] for part in (matrix.indices, matrix.data))
        parts = []
        for block in np.unique(blocks[at]):
            own = blocks[at] == block
            v = coefficient[own] @ cov[np.ix_(at[own], at[own])] @ coefficient[own]
            parts.append((max(float(v), 0.0), float(df[at[own]].min())))
        spread = sum(v**2 / d if d > 0 else np.inf for v, d in parts if v > 0)
        out[i] = sum(v for v, _ in parts) ** 2 / spread if spread > 0 else min(d for _, d in parts)
    return out
