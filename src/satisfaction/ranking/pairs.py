"""Every ordered pair of units: how far apart, how surely. All rank statements are counts over these
pairs.

From pairs to published ranks (tie rules) and to what is decided between units: a partial order and
its tiers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from satisfaction.estimation.intervals import satterthwaite
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_

if TYPE_CHECKING:
    from satisfaction.ranking.drawn import DrawnPairs

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Ties: TypeAlias = Literal["competition", "modified", "dense", "fractional"]

TIE = 1e-9
"""Scores closer than this are ties."""
# a correlation: jackknife replicates leave 1e-6 between counties that share nothing
NEGLIGIBLE = 1e-5
SHARES = {"competition": 0.0, "modified": 1.0, "fractional": 0.5}
"""Share of the places that tied units occupy together which is counted before each of them."""
RULES = {
    "competition": N_("competition ranks (1 2 2 4)"),
    "modified": N_("modified competition ranks (1 3 3 4)"),
    "dense": N_(
        "dense ranks (1 2 2 3), which may lie outside the rank sets: those count units, not distinct scores"
    ),
    "fractional": N_("fractional ranks (1 2.5 2.5 4)"),
}


@dataclass(frozen=True, slots=True, repr=False)
class Pairs(Brief):
    """All ordered pairs of p units; a larger score is better.

    Attributes
    ----------
    score, se, df : (p,)
        Scores, their standard errors, degrees of freedom (inf where the se is known).
    t : (p, p)
        Standardised difference, row minus column; 0 for ties and on the diagonal.
    pair_df : (p, p)
        Satterthwaite degrees of freedom of the difference; inf where the se are known.
    p_better : (p, p)
        One-sided p-value of "row is not better than column"; 0.5 for ties.
    independent : bool
        No two units have correlated errors.
    cov : (p, p)
        Sampling covariance of the scores.
    spent : float
        Error used before the comparisons, to be added to every p-value that is made of them.
    drawn : DrawnPairs or None
        Of scores that are drawn: what sets are made of; `p_better` is counted over the draws then.
    """

    score: Floats
    se: Floats
    df: Floats
    t: Floats
    pair_df: Floats
    p_better: Floats
    independent: bool
    cov: Floats
    spent: float = 0.0
    drawn: DrawnPairs | None = None

    def reversed(self) -> Pairs:
        """The same pairs with the order of the units turned round."""
        p_worse = self.p_better.T
        turned = replace(self, score=-self.score, t=-self.t, p_better=p_worse)
        return replace(turned, drawn=None)

    @property
    def other_better(self) -> Floats:
        """(p, p - 1), a row a unit: one-sided p-value of "the other is not better"."""
        return others(self.p_better.T)

    @property
    def other_worse(self) -> Floats:
        """(p, p - 1), a row a unit: one-sided p-value of "the other is not worse"."""
        return others(self.p_better)


def compare_units(score: Floats, *, cov: Floats, df: Floats) -> Pairs:
    """Compare all pairs of units.

    Parameters
    ----------
    score : (p,)
        Larger is better.
    cov : (p, p)
        Sampling covariance of the scores.
    df : (p,)
        Degrees of freedom of each unit's variance; inf where it is known.
    """
    variance = np.diag(cov).copy()
    t = _standardised(score, spread_of(cov))
    both_variances = np.stack(np.broadcast_arrays(variance[:, None], variance), axis=-1)
    both_df = np.stack(np.broadcast_arrays(df[:, None], df), axis=-1)
    pair_df = satterthwaite(both_variances, both_df)
    p_better = _p_better(t, pair_df)
    return Pairs(score, np.sqrt(variance), df, t, pair_df, p_better, not correlated(cov), cov)


def _p_better(t: Floats, df: Floats) -> Floats:
    """P(a t of (p, p) df > t): a pair's lower tail counts for both of its directions."""
    p_better = np.full_like(t, 0.5)
    row, column = np.triu_indices(len(t), 1)
    size = np.abs(t[row, column])
    below = special.stdtr(df[row, column], -size)
    is_ahead = t[row, column] > 0
    p_better[row, column] = np.where(is_ahead, below, 1 - below)
    p_better[column, row] = np.where(is_ahead, 1 - below, below)
    return p_better


def by_point(score: Floats) -> Pairs:
    """Order (p,) scores whose errors are unknown: `t` has the sign of the difference, everything
    else is missing.
    """
    p = len(score)
    missing = np.full(p, np.nan)
    unknown = np.full((p, p), np.nan)
    t = _standardised(score, unknown)
    return Pairs(score, missing, missing, t, unknown, unknown, independent=True, cov=unknown)


def _standardised(score: Floats, spread: Floats) -> Floats:
    """Differences of (p,) scores over their (p, p) spread, row minus column: 0 for ties, infinite
    where they are exact.
    """
    difference = score[:, None] - score
    difference[np.abs(difference) < TIE] = 0.0
    t = np.divide(difference, spread, out=np.copysign(np.inf, difference), where=spread > 0)
    t[difference == 0] = 0.0
    return t


def spread_of(cov: Floats) -> Floats:
    """Standard error of every difference, (p, p)."""
    variance = np.diag(cov)
    spread: Floats = np.sqrt(np.maximum(variance[:, None] + variance - 2 * cov, 0.0))
    return spread


def correlated(cov: Floats) -> bool:
    """Whether any two units' errors are correlated beyond rounding (1e-12)."""
    se = np.sqrt(np.diag(cov))
    of_each = np.diag(np.diag(cov))
    covariance = np.abs(cov - of_each)
    negligible = NEGLIGIBLE * se[:, None] * se
    return bool(np.any(covariance > negligible))


def competition_rank(pairs: Pairs) -> Ints:
    """Rank 1 is best; tied units share the better rank and the next rank is skipped ("1224")."""
    better: Ints = np.sum(pairs.t < 0, axis=1)
    return 1 + better


def tied_rank(pairs: Pairs, ties: Ties) -> Ints | Floats:
    """Ranks of p units under a tie rule, (p,); whole numbers unless "fractional"."""
    if ties == "dense":
        return _dense_rank(pairs)
    better = np.sum(pairs.t < 0, axis=1)
    level = np.sum(pairs.t == 0, axis=1)
    ranks = integer_rank(better, level, SHARES[ties])
    if ties == "fractional":
        return ranks
    return ranks.astype(np.int64)


def integer_rank(better: Ints, tied: Ints, share: float) -> Floats:
    """Rank from how many are better and how many are level, the unit itself included (csranks'
    `irank`, share = omega).
    """
    ranks: Floats = better + share * tied + 1 - share
    return ranks


def _dense_rank(pairs: Pairs) -> Ints:
    """Rank among distinct scores: 1 + the number of better groups of ties."""
    best_first = np.argsort(-pairs.score, kind="stable")
    next_best = best_first[1:]
    begins_a_group = pairs.t[best_first[:-1], next_best] > 0
    groups_before = np.cumsum(begins_a_group)
    ranks = np.empty(len(best_first), dtype=np.int64)
    ranks[best_first] = np.append(0, groups_before) + 1
    return ranks


def others(matrix: Floats) -> Floats:
    """Each row without its diagonal entry, (p, p) -> (p, p-1)."""
    p = len(matrix)
    off_diagonal = ~np.eye(p, dtype=bool)
    return matrix[off_diagonal].reshape(p, p - 1)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Order(Brief):
    """Which units are proven better than which, all of it at once with the confidence of the
    simultaneous sets.

    Attributes
    ----------
    p_better : DataFrame
        (p, p), row and column by unit: one-sided p-value of "the row is not better than the
        column", one pair by itself; the transpose is "worse".
    decided : DataFrame
        (p, p): 1 the row is proven better than the column, -1 worse, 0 neither. Includes what
        follows from proven chains.
    steps : DataFrame
        Columns better, worse: the proven relations that follow from no others (transitive
        reduction; a Hasse diagram).
    tiers : DataFrame
        One row a ranked unit: unit, tier (1 + the longest chain of proven steps above it), better,
        worse (how many units are proven so).
    share : float
        Share of the p(p-1)/2 pairs that are decided.
    method : str
    """

    p_better: pd.DataFrame
    decided: pd.DataFrame
    steps: pd.DataFrame
    tiers: pd.DataFrame
    share: float
    method: str


def order_of(names: list[str], pairs: Pairs, better: Bools, *, method: str) -> Order:
    """Build an `Order` from the (p, p) matrix "row is proven better than column"."""
    proven = closure(better)
    decided = proven.astype(np.int8) - proven.T.astype(np.int8)
    first, second = np.nonzero(reduction(proven))
    unit = np.array(names, dtype=object)
    steps = pd.DataFrame({"better": unit[first], "worse": unit[second]})
    tiers = pd.DataFrame({"unit": names, "tier": _tiers(pairs.score, proven)})
    tiers["better"] = proven.sum(axis=0)
    tiers["worse"] = proven.sum(axis=1)
    p = len(names)
    share = float(proven.sum() / (p * (p - 1) / 2))
    p_better = pd.DataFrame(pairs.p_better, index=names, columns=names)
    matrix = pd.DataFrame(decided, index=names, columns=names)
    return Order(p_better, matrix, steps, tiers, share, method)


def closure(better: Bools) -> Bools:
    """Add what follows: if a is better than b and b than c, then a than c; with unequal se this
    adds some pairs.
    """
    reached = better
    while (longer := reached | composed(reached)).sum() > reached.sum():
        reached = longer
    return reached


def reduction(proven: Bools) -> Bools:
    """Relations of a transitive order that lead over no other unit."""
    return proven & ~composed(proven)


def composed(better: Bools) -> Bools:
    """Pairs with a unit between them: row better than it, it better than column."""
    steps = better.astype(np.float32)
    between: Bools = steps @ steps > 0.5
    return between


def _tiers(score: Floats, proven: Bools) -> Ints:
    """1 + the longest chain of proven steps above each unit, (p,)."""
    tiers = np.ones(len(score), dtype=np.int64)
    for unit in np.argsort(-score, kind="stable"):  # whoever is proven better has the larger score
        ahead = proven[:, unit]
        tiers[unit] = 1 + tiers[ahead].max(initial=0)
    return tiers
