"""How many places did a unit rise? Guaranteed bounds and one-sided tests, from the pairs of two
waves.

Everything is a count within one wave: rank >= r is "at least r - 1 units are better", rank <= r is
"at least p - r units are worse". Each wave is given half of the error (union bound), so no
statement depends on how the waves are related.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from satisfaction.foundation.figures import Brief
from satisfaction.ranking.critical_values import critical_values
from satisfaction.ranking.membership import of_largest
from satisfaction.ranking.pairs import Floats, Ints, Pairs

Bounds: TypeAlias = Literal["simes", "dunnett"]


@dataclass(frozen=True, slots=True, repr=False)
class RankClaims(Brief):
    """One-sided p-values of every claim about every unit's rank in one wave.

    Attributes
    ----------
    at_least, at_most : (p, p)
        Column r - 1: p-value of "rank >= r" and of "rank <= r". Monotone in r, so that for one unit
        all claims with p <= alpha hold together with probability 1 - alpha, whichever r is asked
        about and whatever chose it.
    """

    at_least: Floats
    at_most: Floats


def rank_claims(pairs: Pairs) -> RankClaims:
    """Test all claims about ranks: closed testing over the number of better and of worse units."""
    better = counts(pairs.other_better, independent=pairs.independent)
    worse = counts(pairs.other_worse, independent=pairs.independent)
    certain = np.arange(better.shape[1]) == 0  # "none or more" needs no test
    spent = np.where(certain, 0.0, pairs.spent)
    better = np.minimum(better + spent, 1.0)
    worse = np.minimum(worse + spent, 1.0)
    return RankClaims(better, worse[:, ::-1])


def counts(p_values: Floats, *, independent: bool) -> Floats:
    """p-values of "at least u alternatives hold", u = 0 ... n, in each row, (r, n) -> (r, n + 1).

    Partial conjunction (Benjamini and Heller 2008) by Simes for independent units, by Bonferroni
    otherwise; made monotone in u, which is closed testing (Goeman and Solari 2011).
    """
    rows, n = p_values.shape
    ordered = np.sort(p_values, axis=1)
    claims = np.zeros((rows, n + 1))
    for at_least in range(1, n + 1):
        p_value = of_largest(ordered[:, at_least - 1 :], independent=independent)
        claims[:, at_least] = np.minimum(p_value, 1.0)
    monotone: Floats = np.maximum.accumulate(claims, axis=1)
    return monotone


def change_tests(before: RankClaims, after: RankClaims, places: int) -> tuple[Floats, Floats]:
    """p-values of "rose by at least `places`" and of "did not", (p,) each.

    A unit rose by m if, for some r, its rank was at least r + m and is at most r: twice the larger
    of the two p-values, at the best r. Searching for r costs nothing because all claims of a wave
    hold together.
    """
    p = len(after.at_most)
    rose = np.maximum(before.at_least[:, places:], after.at_most[:, : p - places])
    stayed = np.maximum(before.at_most[:, places - 1 :], after.at_least[:, : p - places + 1])
    return np.minimum(2 * rose.min(axis=1), 1.0), np.minimum(2 * stayed.min(axis=1), 1.0)


def new_rank_tests(after: RankClaims, goal: Ints) -> tuple[Floats, Floats]:
    """p-values of "rank <= goal" and of its opposite, (p,) each; goal (p,) at most p - 1, a goal
    under 1 cannot be met.

    Valid for a goal that was read off an earlier wave too, overlapping or not: the claims hold for
    all goals at once.
    """
    unit = np.arange(len(goal))
    possible = goal >= 1
    place = np.maximum(goal, 1)
    at_most_goal = after.at_most[unit, place - 1]
    beyond_goal = after.at_least[unit, place]
    met = np.where(possible, at_most_goal, 1.0)
    not_met = np.where(possible, beyond_goal, 0.0)
    return met, not_met


def project(before: tuple[Ints, Ints], after: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Bounds of the rise (rank before - rank after) from (low, high) ranks of both waves."""
    low = before[0] - after[1]
    high = before[1] - after[0]
    return low, high


def simes_ranks(pairs: Pairs, alpha: float) -> tuple[Ints, Ints]:
    """Best and worst rank of one named unit, each one-sided at alpha, by the counts of
    `rank_claims`; (p,) each.
    """
    claims = rank_claims(pairs)
    low: Ints = np.sum(claims.at_least <= alpha, axis=1)
    cut_off_below = np.sum(claims.at_most <= alpha, axis=1)
    high: Ints = len(low) + 1 - cut_off_below
    return low, high


def dunnett_ranks(pairs: Pairs, alpha: float) -> tuple[Ints, Ints]:
    """Best and worst rank of one named unit, each one-sided at alpha, by the largest of its p - 1
    differences; (p,) each.

    Independent units.
    """
    critical = critical_values(pairs, alpha, 1)
    tail = np.where(np.isnan(critical), alpha, special.ndtr(-critical))[:, None]
    low: Ints = 1 + np.sum(pairs.other_better < tail, axis=1)
    high: Ints = len(critical) - np.sum(pairs.other_worse < tail, axis=1)
    return low, high


BOUNDS: Mapping[str, Callable[[Pairs, float], tuple[Ints, Ints]]] = {
    "simes": simes_ranks,
    "dunnett": dunnett_ranks,
}
