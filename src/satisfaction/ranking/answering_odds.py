"""How much likelier must the satisfied be to answer for a county to leave, or enter, the list? numpy only.

If the odds of answering of the satisfied are `odds` times those of all others, the satisfied are rarer among those who did
not answer by just that factor: their odds there are the respondents' over `odds`. From this follows every score the county
would have if everybody had answered, and its place. Asked once for one county alone, all others as they are, and once for
all counties alike. No model of who answers, no error: a statement of the form "if ..., then".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from satisfaction.ranking.pairs import Bools, Floats

LARGEST = 10.0
"""Odds are sought from 1/10 to 10."""
STEPS = 200
HALVINGS = 50
Membership: TypeAlias = Callable[[Floats], Bools]
"""Which areas are listed at odds, one an area."""


@dataclass(frozen=True, slots=True)
class AnsweredSums:
    """Weighted sums of p areas in two groups, all others (0) and the satisfied (1), of K measures.

    Attributes
    ----------
    weight : (p, 2)
        Of all respondents.
    valid, value : (p, 2, K)
        Of the valid answers, and of their values.
    coefficients : (K,)
        The score is the sum of coefficients x means.
    fraction : (p,)
        Respondents over residents; 0 where nearly nobody answered, or it is not known.
    """

    weight: Floats = field(repr=False)
    valid: Floats = field(repr=False)
    value: Floats = field(repr=False)
    coefficients: Floats = field(repr=False)
    fraction: Floats = field(repr=False)

    @property
    def satisfied(self) -> Floats:
        """Return the weighted share of the satisfied among the respondents: (p,)."""
        return np.asarray(self.weight[:, 1] / self.weight.sum(axis=1))

    def score(self, odds: float | Floats) -> Floats:
        """Return the scores of everybody if the satisfied had `odds` (one number, or one an area) times the odds of answering: (p,)."""
        thinned = np.ones_like(self.weight)
        thinned[:, 1] = 1 / np.asarray(odds)
        answered = self.fraction / self.weight.sum(axis=1)
        silent = (1 - self.fraction) / (self.weight * thinned).sum(axis=1)
        # what a unit of a respondent's weight stands for, by group
        stands_for = (answered[:, None] + silent[:, None] * thinned)[:, :, None]
        means = (stands_for * self.value).sum(axis=1) / (stands_for * self.valid).sum(axis=1)
        return np.asarray(means @ self.coefficients)

    def only(self, areas: Bools) -> AnsweredSums:
        """Return the sums of some areas."""
        return replace(
            self,
            weight=self.weight[areas],
            valid=self.valid[areas],
            value=self.value[areas],
            fraction=self.fraction[areas],
        )


@dataclass(frozen=True, slots=True)
class CrossingOdds:
    """The smallest change of the odds, either way, at which an area crosses the cut of the list.

    Attributes
    ----------
    listed : (p,) bool
        As the respondents have it.
    alone, alike : (p,)
        For the area alone, for all areas alike: above 1 the satisfied are likelier to answer, below 1 all others are; nan
        where nothing within `LARGEST` times, either way, moves it across.
    """

    listed: Bools = field(repr=False)
    alone: Floats = field(repr=False)
    alike: Floats = field(repr=False)


def crossing_odds(sums: AnsweredSums, bottom: int, *, side: str = "last") -> CrossingOdds:
    """Find the odds at which each area would leave or enter the list.

    Parameters
    ----------
    sums : AnsweredSums
        Of the ranked areas.
    bottom : int
        Length of the list.
    side : {"last", "first"}
        Which end is listed.

    Notes
    -----
    An area is listed where fewer than `bottom` others lie beyond it; areas that tie at the cut are listed both.
    """
    sign = 1.0 if side == "last" else -1.0
    observed = sign * sums.score(1.0)
    in_order = np.sort(observed)

    def listed_alone(odds: Floats) -> Bools:
        moved = sign * sums.score(odds)
        beyond = np.searchsorted(in_order, moved) - (observed < moved)
        return np.asarray(beyond < bottom)

    def listed_alike(odds: Floats) -> Bools:
        inside = np.zeros(len(odds), dtype=bool)
        for one_for_all in np.unique(odds):
            together = sign * sums.score(one_for_all)
            beyond = np.searchsorted(np.sort(together), together)
            inside |= (odds == one_for_all) & (beyond < bottom)
        return inside

    alone = _nearest_crossing(listed_alone, len(observed))
    alike = _nearest_crossing(listed_alike, len(observed))
    return CrossingOdds(listed_alone(np.ones(len(observed))), np.exp(alone), np.exp(alike))


def _nearest_crossing(listed: Membership, p: int) -> Floats:
    """Return the logarithm of the odds nearest to 1 at which membership changes: (p,)."""
    upwards = _first_crossing(listed, p, direction=1.0)
    downwards = _first_crossing(listed, p, direction=-1.0)
    way_up = np.nan_to_num(upwards, nan=np.inf)
    way_down = np.nan_to_num(-downwards, nan=np.inf)
    return np.where(way_up <= way_down, upwards, downwards)


def _first_crossing(listed: Membership, p: int, *, direction: float) -> Floats:
    """Return the logarithm of the first odds in one direction at which membership differs: (p,); nan without one."""
    now = listed(np.ones(p))
    steps = direction * np.linspace(0.0, np.log(LARGEST), STEPS + 1)
    near = np.zeros(p)
    far = np.full(p, np.nan)
    for before, at in pairwise(steps):
        crosses = np.isnan(far) & (listed(np.exp(np.full(p, at))) != now)
        near = np.where(crosses, before, near)
        far = np.where(crosses, at, far)
    for _halving in range(HALVINGS):
        middle = (near + np.nan_to_num(far)) / 2
        beyond = listed(np.exp(middle)) != now
        near = np.where(beyond, near, middle)
        far = np.where(beyond & np.isfinite(far), middle, far)
    return far
