"""Does one named unit belong to the last ten, or to the top twenty? And is the list as a whole
right?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from satisfaction.estimation.multiplicity import benjamini_hochberg, holm
from satisfaction.foundation.figures import Brief
from satisfaction.ranking.critical_values import largest_p_value
from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, competition_rank

Form: TypeAlias = Literal["simes", "dunnett", "bonferroni"]
Multiplicity: TypeAlias = Literal["holm", "bh"]
Side: TypeAlias = Literal["top", "bottom"]


@dataclass(frozen=True, slots=True, repr=False)
class Membership(Brief):
    """One-sided p-values of p units, each for one unit named beforehand.

    Attributes
    ----------
    p_in, p_out : (p,)
        Small p_in: proven to belong. Small p_out: proven not to belong.
    """

    p_in: Floats
    p_out: Floats


def untested(p: int) -> Membership:
    """Return what is known of p units without a probability sample: nothing."""
    return Membership(np.full(p, np.nan), np.full(p, np.nan))


@dataclass(frozen=True, slots=True, repr=False)
class ListSets(Brief):
    """What the simultaneous sets say about a list of units, all of it at once.

    Attributes
    ----------
    inner : (p,) bool
        Units whose every possible rank is in the list: all of them truly belong, with the
        confidence of the sets.
    outer : (p,) bool
        Units with at least one possible rank in the list: every true member is among them.
    """

    inner: Bools
    outer: Bools


@dataclass(frozen=True, slots=True, repr=False)
class PointList(Brief):
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


def bottom_membership(pairs: Pairs, bottom: int, form: Form = "simes") -> Membership:
    """Test "among the last `bottom`": at least p - bottom units are better; and its opposite."""
    p_in = _at_least(len(pairs.score) - bottom, pairs.other_better, pairs, form=form)
    p_out = _at_least(bottom, pairs.other_worse, pairs, form=form)
    return Membership(p_in, p_out)


def top_membership(pairs: Pairs, places: int, form: Form = "simes") -> Membership:
    """Test "rank <= places": at least p - places units are worse; and its opposite."""
    return bottom_membership(pairs.reversed(), places, form)


def _at_least(count: int, p_values: Floats, pairs: Pairs, *, form: Form) -> Floats:
    """p-value of "at least `count` alternatives hold" in each row, by the form that the pairs
    allow.
    """
    used = form_used(pairs, form)
    if used == "dunnett":
        return at_least_dunnett(count, p_values, pairs)
    p_value = at_least(count, p_values, independent=used == "simes")
    return np.minimum(p_value + pairs.spent, 1.0)


def form_used(pairs: Pairs, form: Form) -> Form:
    """Simes and Dunnett need independent units; Bonferroni replaces them otherwise."""
    return form if pairs.independent else "bonferroni"


def at_least(count: int, p_values: Floats, *, independent: bool) -> Floats:
    """Partial conjunction p-value of "at least `count` alternatives hold" in each row, (r, n) ->
    (r,).

    Tests the n - count + 1 largest p-values, which may all belong to true hypotheses: by Simes for
    independent units, by Bonferroni otherwise (Benjamini and Heller 2008).
    """
    largest = np.sort(p_values, axis=1)[:, count - 1 :]
    return of_largest(largest, independent=independent)


def of_largest(largest: Floats, *, independent: bool) -> Floats:
    """Partial conjunction p-value from the p-values, ascending, that are left without the smallest ones, (r, m) -> (r,)."""
    size = largest.shape[1]
    bonferroni: Floats = np.minimum(size * largest[:, 0], 1.0)
    simes: Floats = np.min(largest * size / np.arange(1, size + 1), axis=1)
    return simes if independent else bonferroni


def at_least_dunnett(count: int, p_values: Floats, pairs: Pairs) -> Floats:
    """Partial conjunction p-value of "at least `count` alternatives hold" by max-t, (p, p-1) ->
    (p,).

    If fewer hold, any p - count of the others contain one that does not; the smallest p-value of
    such a group is stochastically smallest for the units with the largest se, whose comparisons are
    least correlated (Slepian). So the count-th smallest p-value is compared with the smallest of
    that group (for estimated se this choice is approximate).
    """
    p = len(pairs.score)
    reached = np.partition(p_values, count - 1, axis=1)[:, count - 1]
    widest_first = np.argsort(-pairs.se, kind="stable")
    adjusted = np.empty(p)
    for unit in range(p):
        group = widest_first[widest_first != unit][: p - count]
        adjusted[unit] = largest_p_value(pairs, unit, group, p_value=float(reached[unit]))
    return adjusted


def over_the_table(tests: Membership, multiplicity: Multiplicity) -> Membership:
    """p-values adjusted for all p units, those for "in" and those for "out" as two families."""
    adjusted = {"holm": holm, "bh": benjamini_hochberg}[multiplicity]
    return Membership(adjusted(tests.p_in), adjusted(tests.p_out))


def list_sets(low: Ints, high: Ints, *, side: Side, places: int) -> ListSets:
    """Inner and outer set of the first or last `places` from (p,) simultaneous bounds (csranks'
    tau-best and tau-worst).
    """
    if side == "top":
        return ListSets(high <= places, low <= places)
    first = len(low) - places + 1
    return ListSets(low >= first, high >= first)


def decide(
    tests: Membership, alpha: float, *, words: tuple[str, str, str], provable: bool = True
) -> NDArray[np.object_]:
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
    """Take the last `bottom` units by their estimates; ties at the cut stand apart, unbroken."""
    listed = competition_rank(pairs) > len(pairs.score) - bottom
    within_reach = np.count_nonzero(pairs.t > 0, axis=1) < bottom
    return PointList(listed, within_reach & ~listed)


def verify_list(pairs: Pairs, bottom: int) -> float:
    """p-value of "these are the last `bottom`", all of them: two-sided test of the closest
    inside/outside pair.

    2 Phi(-min z), with t where the se are estimated (Goldwasser, Fithian and Hooker 2025; Sood
    2025). A tie at the cut gives 1 however it is broken.
    """
    worst_first = np.argsort(pairs.score, kind="stable")
    inside = worst_first[:bottom]
    outside = worst_first[bottom:]
    closest = float(pairs.p_better[np.ix_(outside, inside)].max())
    return min(1.0, 2 * closest + pairs.spent)
