"""Does one named unit belong to the last ten, or to the top twenty? And is the list as a whole right?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfaction.ranking.pairs import Bools, Floats, Pairs, competition_rank, others


@dataclass(frozen=True, slots=True)
class Membership:
    """One-sided p-values of p units, each for one unit named beforehand.

    Attributes
    ----------
    p_in, p_out : (p,)
        Small p_in: proven to belong. Small p_out: proven not to belong.
    """

    p_in: Floats
    p_out: Floats


@dataclass(frozen=True, slots=True)
class PointList:
    """The last ten as the estimates have them.

    Attributes
    ----------
    listed : (p,) bool
        In the list however ties are broken.
    tied : (p,) bool
        Tied at the cut: in or out of the list depending on how ties are broken.
    """

    listed: Bools
    tied: Bools


def bottom_membership(pairs: Pairs, bottom: int) -> Membership:
    """Test "among the last `bottom`": at least p - bottom units are better; and its opposite."""
    p = len(pairs.score)
    return Membership(
        at_least(p - bottom, others(pairs.p_better.T), independent=pairs.independent),
        at_least(bottom, others(pairs.p_better), independent=pairs.independent),
    )


def top_membership(pairs: Pairs, places: int) -> Membership:
    """Test "rank <= places": at least p - places units are worse; and its opposite."""
    p = len(pairs.score)
    return Membership(
        at_least(p - places, others(pairs.p_better), independent=pairs.independent),
        at_least(places, others(pairs.p_better.T), independent=pairs.independent),
    )


def at_least(count: int, p_values: Floats, *, independent: bool) -> Floats:
    """Partial conjunction p-value of "at least `count` alternatives hold" in each row, (r, n) -> (r,).

    Tests the n - count + 1 largest p-values, which may all belong to true hypotheses: by Simes for independent units,
    by Bonferroni otherwise (Benjamini and Heller 2008).
    """
    largest = np.sort(p_values, axis=1)[:, count - 1 :]
    size = largest.shape[1]
    bonferroni: Floats = np.minimum(size * largest[:, 0], 1.0)
    simes: Floats = np.min(largest * size / np.arange(1, size + 1), axis=1)
    return simes if independent else bonferroni


def decide(tests: Membership, alpha: float, *, words: tuple[str, str, str], provable: bool = True) -> NDArray[np.object_]:
    """Name each unit's standing, (p,): words are (proven in, proven out, neither).

    Nothing is proven where the sample has no design error (quota, open link): `provable` False.
    """
    proven_in, proven_out, neither = words
    standing = np.full(len(tests.p_in), neither, dtype=object)
    if provable:
        standing[tests.p_in <= alpha] = proven_in
        standing[tests.p_out <= alpha] = proven_out
    return standing


def point_list(pairs: Pairs, bottom: int) -> PointList:
    """Take the last `bottom` units by their estimates; ties at the cut are kept apart, not broken."""
    listed = competition_rank(pairs) > len(pairs.score) - bottom
    within_reach = np.count_nonzero(pairs.t > 0, axis=1) < bottom
    return PointList(listed, within_reach & ~listed)


def verify_list(pairs: Pairs, bottom: int) -> float:
    """p-value of "these are the last `bottom`", all of them: two-sided test of the closest inside/outside pair.

    2 Phi(-min z), with t where the se are estimated (Goldwasser, Fithian and Hooker 2025; Sood 2025). A tie at the cut
    gives 1 however it is broken.
    """
    order = np.argsort(pairs.score, kind="stable")
    inside, outside = order[:bottom], order[bottom:]
    return min(1.0, 2 * float(pairs.p_better[np.ix_(outside, inside)].max()))
