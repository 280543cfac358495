"""Ranks of scores that are drawn, because no standard error carries their errors.

A score whose points a mark decides (a rate of at least x gives the points) is a step function of what
is estimated: it is drawn, jointly with everything else it consists of. Which set method holds then:

- Not t or max-t with the draws' own spread: an area whose rate came out above the mark by chance has a
  spread that is too small by as much, and a distribution that is no shifted copy of the true one.
- Not the share of draws in which one unit is not above the other (Efron's percentile): where two things
  must both hold, each near its edge, the share is a product of two chances and falls below 5% in up to
  20% of samples.
- What holds is two steps (Berger and Boos 1994). A small part of the error, `spent`, rules out marks:
  outside joint limits of all rates of all areas, from the same draws, a mark counts as reached or as
  missed. Whatever is not ruled out may be true. The rest goes to max-t of the drawn errors with the
  points held fixed, which are shifted copies of the true ones; a unit is proven better only where the
  fewest points it may have got still lie above the most that the other may have.

Errors with the points held stay as drawn: t around the estimates, correlated as the survey's sampling
units make them. Tests of membership count the same comparisons over the draws, in the Bonferroni form;
probabilities are shares of the draws, whole scores drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from satisfaction.foundation.figures import Brief
from satisfaction.ranking.critical_values import upper_quantile
from satisfaction.ranking.membership import Membership
from satisfaction.ranking.pairs import TIE, Bools, Floats, Ints, Pairs, compare_units
from satisfaction.ranking.sets import RankSets, extremes, sets_from, simulated_sets

SPENT = 0.2
"""Share of the error that ruling out marks uses; the rest goes to the comparisons."""
DECIMALS = 9  # scores closer than 1e-9 are ties
SETS = "max-t, single step, over {number} joint draws (seed {seed}); points of marks that are not ruled out at their least and most"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JointDraws(Brief):
    """Scores of p units, drawn together B times.

    Attributes
    ----------
    scores : (B, p)
        Everything drawn: what probabilities are counted over.
    errors : (B, p)
        Drawn errors, points that marks decide held as the estimates have them.
    low, high : (p,)
        The scores with the fewest and with the most points that are not ruled out.
    spent : float
        Error that ruling out uses: the points lie within `low` and `high` of all units at once but
        with this probability.
    seed : int
    """

    scores: Floats
    errors: Floats
    low: Floats
    high: Floats
    spent: float
    seed: int

    @classmethod
    def around(cls, score: Floats, errors: Floats, *, spent: float, seed: int) -> JointDraws:
        """Return draws of (p,) scores about which no mark decides: their (B, p) errors around them."""
        return cls(score + errors, errors, score, score, spent, seed)

    @classmethod
    def mean(cls, waves: Sequence[JointDraws]) -> JointDraws:
        """Average waves of the same units that were drawn together: the same draw of each goes with that of the others."""
        averaged = {}
        for name in ("scores", "errors", "low", "high"):
            averaged[name] = sum(getattr(one, name) for one in waves) / len(waves)
        spent = sum(one.spent for one in waves)
        return cls(**averaged, spent=spent, seed=waves[0].seed)

    @property
    def number(self) -> int:
        """Return how many draws there are."""
        return len(self.scores)

    @property
    def cov(self) -> Floats:
        """Return the covariance of the scores, (p, p); 0 where there is none."""
        units = len(self.low)
        cov = np.cov(self.scores, rowvar=False).reshape(units, units)
        return np.asarray(np.nan_to_num(cov))

    def limits(self, level: float) -> Floats:
        """Return the quantiles that hold this share of the scores, (2, p)."""
        tail = (1 - level) / 2
        return np.asarray(np.quantile(self.scores, [tail, 1 - tail], axis=0))

    def of(self, rows: Ints) -> JointDraws:
        """Return the draws of some units."""
        scores = self.scores[:, rows]
        errors = self.errors[:, rows]
        low = self.low[rows]
        high = self.high[rows]
        return replace(self, scores=scores, errors=errors, low=low, high=high)

    def turned(self, sign: float) -> JointDraws:
        """Return the draws of the scores times `sign`."""
        if sign > 0:
            return self
        return replace(
            self, scores=-self.scores, errors=-self.errors, low=-self.high, high=-self.low
        )

    def below_tests(self, value: float, *, tested: Bools) -> Membership:
        """Test whether the units lie below a value, each for one named beforehand; p_in: below, (p,).

        1 of units that are not `tested`, (p,) bool, and where there is no score.
        """
        most = self.high - value
        fewest = self.low - value
        below = np.count_nonzero(self.errors <= most, axis=0)
        not_below = np.count_nonzero(self.errors >= fewest, axis=0)
        tested = tested & np.isfinite(self.low)
        p_values = []
        for reached in (below, not_below):
            share = (1 + reached) / (1 + self.number)
            p_value = np.minimum(share + self.spent, 1.0)
            p_values.append(np.where(tested, p_value, 1.0))
        return Membership(*p_values)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnPairs(Brief):
    """All pairs of p units over B joint draws.

    Attributes
    ----------
    draws : JointDraws
    spread : (p, p)
        Standard deviation of the difference of two units' errors.
    largest : (p, B)
        Of every unit, the largest standardised difference of its error from another's, either way.
    """

    draws: JointDraws
    spread: Floats
    largest: Floats

    @property
    def worst(self) -> Floats:
        """Return the fewest points of the row less the most of the column, (p, p)."""
        fewest = self.draws.low
        most = self.draws.high
        return np.asarray(fewest[:, None] - most)


def compare_drawn(score: Floats, draws: JointDraws) -> Pairs:
    """Compare all pairs of (p,) drawn units; larger is better.

    `p_better` counts the draws in which errors alone make up the difference of the row at its fewest
    from the column at its most; `spent` is to be added to what is made of it.
    """
    p = len(score)
    cov = np.atleast_2d(np.cov(draws.scores, rowvar=False))
    known = np.full(p, np.inf)
    pairs = compare_units(score, cov=cov, df=known)
    spread = np.std(draws.errors, axis=0, ddof=1)
    between = np.atleast_2d(np.cov(draws.errors, rowvar=False))
    variance = spread**2
    squared = variance[:, None] + variance - 2 * between
    of_difference = np.sqrt(np.maximum(squared, 0))
    largest = np.zeros((p, draws.number))
    compared = DrawnPairs(draws, of_difference, largest)
    p_better = np.empty((p, p))
    errors = np.ascontiguousarray(draws.errors.T)
    for unit in range(p):
        difference = errors[unit] - errors
        worst = compared.worst[unit]
        reached = np.count_nonzero(difference >= worst[:, None], axis=1)
        p_better[unit] = (1 + reached) / (1 + draws.number)
        spread_of_unit = compared.spread[unit]
        scale = np.where(spread_of_unit > TIE, spread_of_unit, np.inf)
        np.abs(difference, out=difference)
        standardised = difference / scale[:, None]
        compared.largest[unit] = standardised.max(axis=0)
    return replace(pairs, p_better=p_better, independent=False, spent=draws.spent, drawn=compared)


def simultaneous_drawn_sets(compared: DrawnPairs, alpha: float) -> RankSets:
    """Simultaneous sets by max-t of the drawn errors, at the error that is left of `alpha`."""
    left = alpha - compared.draws.spent
    of_table = compared.largest.max(axis=0)
    critical, error = upper_quantile(of_table[None], left)
    scale = np.maximum(compared.spread, TIE)
    return simulated_sets(
        lambda value: sets_from(compared.worst > value * scale),
        critical,
        error=error,
        in_t=(critical, critical),
        method=_method(compared.draws),
    )


def marginal_drawn_sets(compared: DrawnPairs, alpha: float) -> RankSets:
    """Sets for one named unit by max-t of its differences from the others, two-sided."""
    left = alpha - compared.draws.spent
    quantiles = [upper_quantile(values[None], left) for values in compared.largest]
    critical, error = np.array(quantiles).T
    scale = np.maximum(compared.spread, TIE)

    def sets_at(critical: Floats) -> RankSets:
        better = (compared.worst > critical * scale).sum(axis=0)
        worse = (compared.worst > critical[:, None] * scale).sum(axis=1)
        return RankSets(1 + better, len(critical) - worse)

    in_t = extremes(critical)
    return simulated_sets(sets_at, critical, error=error, in_t=in_t, method=_method(compared.draws))


def _method(draws: JointDraws) -> str:
    return SETS.format(number=draws.number, seed=draws.seed)


def drawn_reach(pairs: Pairs, chosen: int, alpha: float, *, table: bool) -> Floats:
    """How far every difference from a chosen unit is uncertain to either side, (p,): of all pairs of the `table` at once, or its own.

    The wider of both sides, from the fewest and the most points that are not ruled out.
    """
    compared = pairs.drawn
    assert compared is not None
    largest = compared.largest[chosen]
    if table:
        largest = compared.largest.max(axis=0)
    left = alpha - compared.draws.spent
    critical, _error = upper_quantile(largest[None], left)
    ahead = pairs.score - pairs.score[chosen]
    fewer = ahead - compared.worst[:, chosen]
    more = -compared.worst[chosen] - ahead
    by_chance = critical * compared.spread[chosen]
    return np.asarray(np.maximum(fewer, more) + by_chance)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnModel(Brief):
    """Shares of joint draws: what is known of p scores around their estimates, without a model between them.

    Attributes
    ----------
    scores : (B, p)
        Larger is better.
    """

    scores: Floats

    def probability_bottom(self, places: int) -> Floats:
        """Share of the draws among the last `places`, (p,); they add up to `places`."""
        return list_probability(self.scores, places)

    def probability_top(self, places: int) -> Floats:
        """Share of the draws among the first `places`, (p,); they add up to `places`."""
        return list_probability(-self.scores, places)

    def expected_rank(self) -> Floats:
        """Mean of the ranks drawn, (p,); a tie counts half."""
        ranks = rankdata(-self.scores.round(DECIMALS), method="average", axis=1)
        return np.asarray(ranks.mean(axis=0))

    def better(self) -> Floats:
        """Share of the draws in which the row is above the column, (p, p); a tie counts half."""
        scores = np.ascontiguousarray(self.scores.round(DECIMALS).T)
        shares = np.empty((len(scores), len(scores)))
        for unit, values in enumerate(scores):
            above = np.count_nonzero(values > scores, axis=1)
            level = np.count_nonzero(values == scores, axis=1)
            shares[unit] = above + level / 2
        return shares / len(self.scores)


def list_probability(drawn: Floats, bottom: int) -> Floats:
    """Return how often each unit is among the last `bottom`, (B, p) -> (p,); they add up to `bottom`.

    Where units tie at the cut, the places that are left are shared among them.

    >>> list_probability(np.array([[1.0, 2.0, 2.0, 3.0]]), 2)
    array([1. , 0.5, 0.5, 0. ])
    """
    values = drawn.round(DECIMALS)
    below = rankdata(values, method="min", axis=1) - 1
    tied = rankdata(values, method="max", axis=1) - below
    share = np.clip((bottom - below) / tied, 0, 1)
    return np.asarray(share.mean(axis=0))


def joint_limits(errors: Floats, spent: float) -> Floats:
    """Half-widths of limits that hold all of (B, q) drawn errors at once but with probability `spent`, (q,)."""
    spread = errors.std(axis=0, ddof=1)
    scale = np.where(spread > 0, spread, np.inf)
    largest = np.max(np.abs(errors) / scale, axis=1)
    critical = float(np.quantile(largest, 1 - spent))
    half: Floats = critical * spread
    return half


def monte_carlo_error(shares: Floats, draws: int) -> float:
    """Return the largest standard error of (p,) shares of the draws."""
    variance = shares * (1 - shares) / draws
    return float(np.sqrt(variance).max())
