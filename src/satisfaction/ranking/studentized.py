"""The studentized range, vectorised over degrees of freedom.

scipy's ``studentized_range`` needs 0.2 s for one quantile at 88 units; a rank table asks for thousands of pairs, each
with its own Satterthwaite df. Here one spline of the range distribution serves all of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special
from scipy.interpolate import BarycentricInterpolator, CubicSpline
from scipy.optimize import brentq

from satisfaction.ranking.pairs import Floats

WIDEST = 16.0  # the range of 10,000 standard normals exceeds 16 with probability below 1e-20
# the log of a chi variable leaves these nodes (in units of its own spread) with probability below 1e-13, at df = 1 too
NODES_DF = 40
NODES = np.arange(-44.0, 9.0, 0.25)


def range_p_value(q: Floats, groups: int, df: Floats) -> Floats:
    """P(studentized range > q), one value an entry of q.

    Parameters
    ----------
    q, df : (m,)
        Studentized ranges and their degrees of freedom (inf = variance known).
    groups : int
        Number of units whose range is taken.
    """
    inverse = np.maximum(1 / df, 1e-14)[:, None]  # beyond 1e14 df the chi variable is a constant
    log_scale = NODES * np.sqrt(inverse / 2)
    density = np.exp((log_scale - np.expm1(2 * log_scale) / 2) / inverse)
    tail = range_tail(groups)(np.minimum(q[:, None] * np.exp(log_scale), WIDEST))
    p_value: Floats = np.sum(density * tail, axis=1) / np.sum(density, axis=1)
    return p_value


@lru_cache(maxsize=8)
def range_tail(groups: int) -> CubicSpline:
    """P(range of `groups` independent standard normals > w) for w in 0 ... WIDEST."""
    largest = np.linspace(-8.5, 8.5, 251)
    w = np.linspace(0.0, WIDEST, 1281)
    below = special.ndtr(largest) - special.ndtr(largest - w[:, None])
    weight = np.exp(-(largest**2) / 2)
    inside = groups * np.sum(weight * below ** (groups - 1), axis=1) * (largest[1] - largest[0]) / np.sqrt(2 * np.pi)
    return CubicSpline(w, 1 - inside)


def range_quantiles(level: float, groups: int, df: Floats) -> Floats:
    """Quantiles of the studentized range at many degrees of freedom, (m,) ascending.

    More than NODES_DF of them are read off a polynomial in 1 / df through Chebyshev's nodes, to 1e-8.
    """
    if len(df) <= NODES_DF:
        return np.array([range_quantile(level, groups, one) for one in df.tolist()])
    inverse = 1 / df
    middle, half = (inverse[0] + inverse[-1]) / 2, (inverse[0] - inverse[-1]) / 2
    nodes = middle + half * np.cos(np.linspace(0, np.pi, NODES_DF))[::-1]
    at_nodes = [range_quantile(level, groups, 1 / one if one > 0 else np.inf) for one in np.maximum(nodes, 0.0).tolist()]
    quantiles: Floats = BarycentricInterpolator(nodes, at_nodes)(inverse)
    return quantiles


def range_quantile(level: float, groups: int, df: float) -> float:
    """Quantile of the studentized range."""

    def excess(log_q: float) -> float:
        return float(range_p_value(np.exp([log_q]), groups, np.array([df]))[0]) - (1 - level)

    return float(np.exp(brentq(excess, -7.0, 40.0, xtol=1e-13)))
