"""What is decided between units: the matrix of pairs, the partial order it makes, and its tiers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Which units are proven better than which, all of it at once with the confidence of the simultaneous sets.

    Attributes
    ----------
    p_better : DataFrame
        (p, p), row and column by unit: one-sided p-value of "the row is not better than the column", one pair by itself;
        the transpose is "worse".
    decided : DataFrame
        (p, p): 1 the row is proven better than the column, -1 worse, 0 neither. Includes what follows from proven chains.
    steps : DataFrame
        Columns better, worse: the proven relations that follow from no others (transitive reduction; a Hasse diagram).
    tiers : DataFrame
        One row a ranked unit: unit, tier (1 + the longest chain of proven steps above it), better, worse (how many units
        are proven so).
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
    first, second = np.nonzero(reduction(proven))
    unit = np.array(names, dtype=object)
    tiers = {"unit": names, "tier": tier(pairs.score, proven), "better": proven.sum(axis=0), "worse": proven.sum(axis=1)}
    return Order(
        p_better=pd.DataFrame(pairs.p_better, index=names, columns=names),
        decided=pd.DataFrame(proven.astype(np.int8) - proven.T.astype(np.int8), index=names, columns=names),
        steps=pd.DataFrame({"better": unit[first], "worse": unit[second]}),
        tiers=pd.DataFrame(tiers),
        share=float(proven.sum() / (len(names) * (len(names) - 1) / 2)),
        method=method,
    )


def closure(better: Bools) -> Bools:
    """Add what follows: if a is better than b and b than c, then a than c; with unequal se this adds some pairs."""
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


def tier(score: Floats, proven: Bools) -> Ints:
    """1 + the longest chain of proven steps above each unit, (p,)."""
    tiers = np.ones(len(score), dtype=np.int64)
    for unit in np.argsort(-score, kind="stable"):  # whoever is proven better has the larger score
        tiers[unit] = 1 + tiers[proven[:, unit]].max(initial=0)
    return tiers
