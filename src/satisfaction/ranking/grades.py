"""Grades with an error that is promised: units in one grade are not told apart, and among the
pairs that are, the expected share in the wrong order stays under a bound.

Kline, Rose and Walters (2024). A grading pays 1 for a pair in the wrong order and is paid lambda
for every pair it orders rightly net of those it does not: placing i above j costs (1 - p_ij) -
lambda p_ij, p_ij = P(i is truly better than j). Least loss over all gradings is an integer
programme. It is solved from both sides: an exact cut of one order into grades, improved by moves of
single units and new orders until nothing improves; and, where asked, a lower bound from the linear
relaxation, which tells how far from the optimum the grading may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from satisfaction.foundation.figures import Brief
from satisfaction.ranking.pairs import Bools, Floats, Ints

PROMISED = 0.05
"""Largest expected share of wrongly ordered pairs, over the pairs in different grades."""
FEW_ORDERED = 0.05
"""Where grades order a smaller share of the pairs than this, the promise was kept least in simulations."""
PRECISION = 1e-4  # of lambda, which lies between 0 and 1
BETTER = 1e-10  # what a change of a grading must gain at least
MANY = 300  # units from which on one order is cut, and only the last grading is improved
RELAXED = 120  # units up to which the linear relaxation gives the lower bound
EACH = 3  # violated constraints added for a pair and round
VIOLATED = 1e-7


@dataclass(frozen=True, slots=True, repr=False)
class Grading(Brief):
    """A grading of p units.

    Attributes
    ----------
    grade : (p,) int
        1 is the best.
    price : float
        lambda: what a rightly ordered pair is worth, in wrongly ordered ones (0-1).
    ordered : int
        Pairs in different grades.
    wrong : float
        Expected share of those in the wrong order (0-1); 0 where no pair is ordered.
    loss : float
        Loss per pair of units.
    """

    grade: Ints
    price: float
    ordered: int
    wrong: float
    loss: float

    @property
    def right(self) -> float:
        """Expected number of pairs in the right order."""
        return self.ordered * (1 - self.wrong)

    def loss_at(self, price: float) -> float:
        """Loss per pair of units at another lambda."""
        pairs = max(len(self.grade) * (len(self.grade) - 1) / 2, 1)
        return (self.ordered - (1 + price) * self.right) / pairs


def grade_units(better: Floats, promised: float = PROMISED) -> Grading:
    """Grade units so that the expected share of wrongly ordered pairs keeps what is promised.

    Parameters
    ----------
    better : (p, p)
        P(row is truly better than column); a tie counts half, so that p_ij + p_ji = 1.
    promised : float
        Largest expected share of wrongly ordered pairs among those in different grades (0-1).

    Returns
    -------
    Grading
        Of the gradings of least loss for some lambda the one that orders most pairs within the
        promise; lambda by bisection, every second step at the lambda where the gradings on both
        sides lose as much: where nothing loses less there, nothing lies between them.

    Examples
    --------
    >>> import numpy as np
    >>> surely = np.array([[0.5, 0.6, 0.99], [0.4, 0.5, 0.98], [0.01, 0.02, 0.5]])
    >>> grade_units(surely).grade.tolist()
    [1, 1, 2]
    """
    search = _Search(better)
    within = search.least_loss(0.0)
    beyond = search.least_loss(1.0)
    if beyond.wrong <= promised:
        return search.improved(beyond)
    low = 0.0
    high = 1.0
    halve = True
    while high - low > PRECISION:
        price = (low + high) / 2
        if not halve:
            price = min(max(_equal_loss(within, beyond), low), high)
        grading = search.least_loss(price)
        if not halve and grading.loss > within.loss_at(price) - BETTER:
            break  # no grading lies between the two
        if grading.wrong > promised:
            high = price
            beyond = grading
        else:
            low = price
            within = grading
        halve = not halve
    improved = search.improved(within)
    return improved if improved.wrong <= promised else within


def _equal_loss(within: Grading, beyond: Grading) -> float:
    """The lambda at which two gradings lose as much; 1 where the second orders no more rightly."""
    more_right = beyond.right - within.right
    if more_right <= 0:
        return 1.0
    more_wrong = (beyond.ordered - beyond.right) - (within.ordered - within.right)
    return more_wrong / more_right


def less_sure(better: Floats, other: Floats) -> Floats:
    """P(row is truly better than column), (p, p), under whichever of two models is less sure of a
    pair; 1/2 where they order it differently.

    Examples
    --------
    >>> import numpy as np
    >>> less_sure(np.array([0.9, 0.7, 0.2]), np.array([0.8, 0.4, 0.1])).tolist()
    [0.8, 0.5, 0.2]
    """
    nearer = np.where(np.abs(better - 0.5) <= np.abs(other - 0.5), better, other)
    agree = (better - 0.5) * (other - 0.5) >= 0
    return np.where(agree, nearer, 0.5)


def least_loss(better: Floats, price: float) -> Grading:
    """Grade units with the least loss at one lambda, `price` (0-1); `better` as in `grade_units`."""
    search = _Search(better)
    return search.improved(search.least_loss(price))


def graded(better: Floats, grade: Ints, price: float) -> Grading:
    """State what a grading orders and how much of it is wrong."""
    above = grade[:, None] < grade
    pairs = len(grade) * (len(grade) - 1) / 2
    ordered = int(np.count_nonzero(above))
    right = float(better[above].sum())
    wrong = ordered - right
    loss = (wrong - price * right) / max(pairs, 1)
    return Grading(grade, price, ordered, wrong / max(ordered, 1), loss)


# ---- a grading: cuts of an order, moves of units


class _Search:
    """Look for gradings of least loss at one lambda after another, from the same orders."""

    def __init__(self, better: Floats) -> None:
        self.better = better
        self.wins = better.copy()
        np.fill_diagonal(self.wins, 0.0)
        self.expected = self.wins.sum(axis=1)
        surely = np.maximum(better - 0.75, 0.0)
        keys = [self.expected]
        if len(better) <= MANY:
            keys.append(surely.sum(axis=1) - surely.sum(axis=0))
        self.orders = [np.argsort(-key, kind="stable") for key in keys]
        self.wins_before = [_wins_before(self.wins, order) for order in self.orders]

    def least_loss(self, price: float) -> Grading:
        """Improve the best cut of every order, and keep the best of all."""
        kept: Grading | None = None
        for order, before in zip(self.orders, self.wins_before, strict=True):
            grade = _in_order(_cut(before, price), order)
            grading = graded(self.better, grade, price)
            if len(grade) <= MANY:
                grading = self.improved(grading)
            if kept is None or grading.loss < kept.loss - BETTER:
                kept = grading
        assert kept is not None
        return kept

    def improved(self, grading: Grading) -> Grading:
        """Move single units, then cut the order that results, until neither helps."""
        price = grading.price
        while True:
            grade = _moved(self.wins, grading.grade, price)
            if np.array_equal(grade, grading.grade):
                return grading
            moved = graded(self.better, grade, price)
            order = np.lexsort((-self.expected, grade))
            grade = _in_order(_cut(_wins_before(self.wins, order), price), order)
            cut = graded(self.better, grade, price)
            grading = min(moved, cut, key=lambda candidate: candidate.loss)
            if cut.loss > moved.loss - BETTER / len(grade) ** 2:
                return moved


def _wins_before(wins: Floats, order: Ints) -> Floats:
    """Expected wins of the units before a place over those from there to an end: (end, place)."""
    n = len(order)
    total = np.zeros((n + 1, n + 1))
    ordered = wins[np.ix_(order, order)]
    np.cumsum(ordered, axis=0, out=ordered)
    np.cumsum(ordered, axis=1, out=total[1:, 1:])
    total -= np.diag(total).copy()[:, None]
    return np.ascontiguousarray(total.T)


def _cut(wins_before: Floats, price: float) -> Ints:
    """Cut an order into the grades of least loss, exactly: (p,) numbers from 1 on, in that order.

    The units from `place` to `end` form a grade; all those before lie above it.
    """
    n = len(wins_before) - 1
    place = np.arange(n + 1.0)
    least = np.zeros(n + 1)
    start = np.zeros(n + 1, dtype=np.int64)
    for end in range(1, n + 1):
        pairs = place[:end] * (end - place[:end])
        loss = least[:end] + pairs - (1 + price) * wins_before[end, :end]
        start[end] = np.argmin(loss)
        least[end] = loss[start[end]]
    is_first = np.zeros(n, dtype=np.int64)
    end = n
    while end:
        end = start[end]
        is_first[end] = 1
    return np.cumsum(is_first)


def _in_order(grade: Ints, order: Ints) -> Ints:
    """Give grades in an order back to the units."""
    of_units = np.empty_like(grade)
    of_units[order] = grade
    return of_units


def _moved(wins: Floats, grade: Ints, price: float) -> Ints:
    """Move single units, the one that gains most first, into another grade or a new one."""
    n = len(grade)
    units = np.arange(n)
    grade = np.unique(grade, return_inverse=True)[1]
    members = np.bincount(grade)
    expected = wins @ np.eye(len(members))[grade]
    while True:
        grades = len(members)
        others = np.tile(members.astype(float), (n, 1))
        others[units, grade] -= 1
        above = others - (1 + price) * expected
        below = others - (1 + price) * (others - expected)
        better_grades = np.zeros((n, grades + 1))
        np.cumsum(below, axis=1, out=better_grades[:, 1:])
        worse_grades = np.zeros((n, grades + 1))
        worse_grades[:, :grades] = np.cumsum(above[:, ::-1], axis=1)[:, ::-1]
        within = better_grades[:, :-1] + worse_grades[:, 1:]
        between = better_grades + worse_grades
        now = within[units, grade]
        gain = np.concatenate([within, between], axis=1) - now[:, None]
        unit, to = divmod(int(np.argmin(gain)), gain.shape[1])
        if gain[unit, to] > -BETTER:
            return grade + 1
        if to >= grades:
            to -= grades
            grade[grade >= to] += 1
            members = np.insert(members, to, 0)
            expected = np.insert(expected, to, 0.0, axis=1)
        left = grade[unit]
        members[left] -= 1
        members[to] += 1
        expected[:, left] -= wins[:, unit]
        expected[:, to] += wins[:, unit]
        grade[unit] = to
        if members[left] == 0:
            grade[grade > left] -= 1
            members = np.delete(members, left)
            expected = np.delete(expected, left, axis=1)


# ---- how far from the optimum


def optimality_gap(better: Floats, grading: Grading) -> float:
    """Bound how much less loss, per pair of units, any other grading could have at its lambda.

    0 means that the grading is proven to be of least loss. Up to 120 units the bound is the linear
    relaxation, nearly always 0; above, or where the relaxation is not solved, it is the least loss
    of costs lowered until one order serves, which costs little and is seldom 0.
    """
    pairs = max(len(better) * (len(better) - 1) / 2, 1)
    bound = None
    if len(better) <= RELAXED:
        bound = _relaxed_loss(better, grading)
    if bound is None:
        bound = _ordered_loss(better, grading)
    gap = grading.loss - bound / pairs
    if gap <= 1e-9:
        return 0.0
    return gap


def _ordered_loss(better: Floats, grading: Grading) -> float:
    """Least loss where no pair costs more than any pair that lies inside it, in one order.

    Then a unit earlier in the order never lies below a later one in an optimum, so that cutting the
    order is exact; costs are only lowered, so the loss bounds the true one from below.
    """
    order = np.lexsort((-better.sum(axis=1), grading.grade))
    wins = np.triu(better[np.ix_(order, order)], 1)
    wins = np.maximum.accumulate(wins[::-1], axis=0)[::-1]
    wins = np.maximum.accumulate(wins, axis=1)
    # and no pair costs more than any later unit above an earlier one
    against = np.tril(better[np.ix_(order, order)], -1).max(initial=0.5)
    wins = np.triu(np.maximum(wins, against), 1)
    in_order = np.arange(len(order))
    grade = _cut(_wins_before(wins, in_order), grading.price)
    above = grade[:, None] < grade
    right = float(wins[above].sum())
    return np.count_nonzero(above) - (1 + grading.price) * right


def _relaxed_loss(better: Floats, grading: Grading) -> float | None:
    """Loss of the linear relaxation: "i lies above j" between 0 and 1, transitive; None where it is
    not solved.

    Constraints are added where they are violated. A unit that beats every other one with at least
    the probability of a second unit need not lie below it: exchanging the two never adds loss.
    """
    order = np.lexsort((-better.sum(axis=1), grading.grade))
    p = better[np.ix_(order, order)]
    n = len(p)
    is_free = ~np.eye(n, dtype=bool) & ~_dominates(p).T
    cost = (1 - (1 + grading.price) * p)[is_free]
    variable = np.full((n, n), -1)
    variable[is_free] = np.arange(len(cost))
    first, second = np.nonzero(np.triu(is_free & is_free.T))
    both = np.column_stack([variable[first, second], variable[second, first]])
    constraints = [_rows(both, [1.0, 1.0], len(cost))]
    limits = [np.ones(len(both))]
    above = np.zeros((n, n))
    above[is_free] = cost < 0
    while True:
        broken = _broken(above)
        if not len(broken):
            return float(cost @ above[is_free])
        i, j, k = broken.T
        third = np.column_stack([variable[i, k], variable[i, j], variable[j, k]])
        constraints.append(_rows(third, [1.0, -1.0, -1.0], len(cost)))
        limits.append(np.zeros(len(third)))
        solution = linprog(
            cost,
            A_ub=sparse.vstack(constraints, format="csr"),
            b_ub=np.concatenate(limits),
            bounds=(0, 1),
            method="highs-ds",
        )
        if solution.status != 0:
            return None
        above[is_free] = solution.x


def _dominates(p: Floats) -> Bools:
    """Whether the row's unit beats every other unit at least as probably as the column's: (n, n).

    Of two units that dominate each other only the earlier one does.
    """
    n = len(p)
    units = np.arange(n)
    dominates = np.zeros((n, n), dtype=bool)
    for unit in range(n):
        margin = p[unit] - p
        margin[:, unit] = 0.0
        margin[units, units] = 0.0
        dominates[unit] = (margin.min(axis=1) >= 0) & (p[unit] >= 0.5)
    np.fill_diagonal(dominates, False)
    return dominates & ~np.tril(dominates.T)


def _broken(above: Floats) -> Ints:
    """Triples (i, j, k), (m, 3), where i lies above k but neither i above j nor j above k, at most
    three a pair.
    """
    n = len(above)
    excess = above[:, None, :] - above[:, :, None] - above[None, :, :]
    i, j, k = np.nonzero(excess > VIOLATED)
    differ = (i != j) & (j != k) & (i != k)
    triples = np.column_stack([i, j, k])[differ]
    pair = triples[:, 0] * n + triples[:, 2]
    size = excess[triples[:, 0], triples[:, 1], triples[:, 2]]
    spread = (triples[:, 1] * 7919) % n  # equal ones: not always the same unit in the middle
    order = np.lexsort((spread, -size, pair))
    pair = pair[order]
    starts = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]]) if len(pair) else pair
    run = np.diff(np.r_[starts, len(pair)])
    number = np.arange(len(pair)) - np.repeat(starts, run)
    kept: Ints = triples[order[number < EACH]]
    return kept


def _rows(variables: Ints, signs: list[float], width: int) -> sparse.csr_array:
    """Rows of a constraint matrix; a variable of -1 is fixed at 0 and left out."""
    row = np.repeat(np.arange(len(variables)), len(signs))
    entry = np.tile(signs, len(variables))
    column = variables.ravel()
    free = column >= 0
    shape = (len(variables), width)
    return sparse.csr_array((entry[free], (row[free], column[free])), shape=shape)
