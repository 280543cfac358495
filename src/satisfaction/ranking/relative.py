"""Did a score change more or less than the field? t tests from the covariance of both waves."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy import special

from satisfaction.ranking.pairs import TIE, Floats
from satisfaction.ranking.two_waves import Waves

NO_ERROR = 1e-12  # a se under this is rounding


def tests_of_change(waves: Waves) -> dict[str, Floats]:
    """Test each ranked unit's change relative to the mean change of all of them; missing without a probability sample."""
    p, kept = int(waves.kept.sum()), waves.kept
    centred = np.eye(p) - 1 / p
    matrix = np.hstack([centred, -centred])
    score = np.concatenate([waves.after.estimate[kept], waves.before.estimate[kept]])
    df = np.concatenate([waves.after.df[kept], waves.before.df[kept]])
    cov = waves.covariance()
    relative, se = matrix @ score, np.sqrt(np.maximum(np.sum((matrix @ cov) * matrix, axis=1), 0.0))
    freedom = shared_freedom(waves, matrix, cov, df) if waves.shared_psus else satterthwaite(matrix, np.diag(cov), df)
    found = {"change": score[:p] - score[p:], "relative_change": relative, "se": se, "df": freedom}
    if waves.selection != "probability":
        unknown = np.full(p, np.nan)
        return found | dict.fromkeys(("se", "df", "t", "p", "p_bh", "p_holm"), unknown)
    return found | two_sided(relative, se, freedom)


def shared_freedom(waves: Waves, matrix: Floats, cov: Floats, df: Floats) -> Floats:
    """Degrees of freedom of (k, 2p) combinations of waves that share PSUs: a unit's two estimates are one block."""
    from satisfaction import estimates  # here: a plain ranking does not need it

    both = np.flatnonzero(np.concatenate([waves.kept, waves.kept]))
    one_each = np.arange(len(both))
    return estimates.satterthwaite(sp.csr_array(matrix), cov, domain=one_each, df=df, members=waves.members.of(both))


def two_sided(difference: Floats, se: Floats, df: Floats) -> dict[str, Floats]:
    """Test (p,) differences by t, adjusted over all of them; a difference under 1e-9 is none."""
    from statsmodels.stats.multitest import multipletests  # here: it loads much that a plain ranking does not need

    difference = np.where(np.abs(difference) < TIE, 0.0, difference)
    exact = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    t = np.divide(difference, se, out=exact, where=(se > NO_ERROR) & (difference != 0))
    p = 2 * special.stdtr(df, -np.abs(t))
    return {"t": t, "p": p, "p_bh": multipletests(p, method="fdr_bh")[1], "p_holm": multipletests(p, method="holm")[1]}


def satterthwaite(matrix: Floats, variance: Floats, df: Floats) -> Floats:
    """Degrees of freedom of (k, q) combinations of q estimates: (sum v)^2 / sum v^2 / df, v = coefficient^2 variance."""
    parts = matrix**2 * variance
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = parts.sum(axis=1) ** 2 / (parts**2 / df).sum(axis=1)
    return np.where(np.isnan(freedom), np.inf, freedom)
