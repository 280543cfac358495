"""How much likelier must the satisfied be to answer for a county to leave, or enter, the list?

If the odds of answering of the satisfied are `odds` times those of all others, the satisfied are rarer among those who did
not answer by just that factor: their odds there are the respondents' over `odds`. From this follows every score the county
would have if everybody had answered, and its place. Asked once for one county alone, all others as they are, and once for
all counties alike. No model of who answers, no error: a statement of the form "if ..., then".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.foundation.engines import scan
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import _
from satisfaction.ranking.pairs import Bools, Floats, Ints
from satisfaction.sampling.conditions import require_columns

LARGEST = 10.0
"""Odds are sought from 1/10 to 10."""
STEPS = 200
HALVINGS = 50
Membership: TypeAlias = Callable[[Floats], Bools]
"""Which areas are listed at odds, one an area."""


@dataclass(frozen=True, slots=True, repr=False)
class AnsweredSums(Brief):
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

    weight: Floats
    valid: Floats
    value: Floats
    coefficients: Floats
    fraction: Floats

    @property
    def satisfied(self) -> Floats:
        """Return the weighted share of the satisfied among the respondents: (p,)."""
        everybody = self.weight.sum(axis=1)
        return np.asarray(self.weight[:, 1] / everybody)

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


@dataclass(frozen=True, slots=True, repr=False)
class CrossingOdds(Brief):
    """The smallest change of the odds, either way, at which an area crosses the cut of the list.

    Attributes
    ----------
    listed : (p,) bool
        As the respondents have it.
    alone, alike : (p,)
        For the area alone, for all areas alike: above 1 the satisfied are likelier to answer, below 1 all others are; nan
        where nothing within `LARGEST` times, either way, moves it across.
    """

    listed: Bools
    alone: Floats
    alike: Floats


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
        """Tell which areas are on the list where each has its odds and all others have none."""
        moved = sign * sums.score(odds)
        beyond = np.searchsorted(in_order, moved) - (observed < moved)
        return np.asarray(beyond < bottom)

    def listed_alike(odds: Floats) -> Bools:
        """Tell which areas are on the list where all areas have an area's odds."""
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


def answering_odds(
    respondents: pd.DataFrame,
    score: str,
    *,
    satisfied: str,
    by: str,
    weight: str | None = None,
    residents: Mapping[Any, float] | None = None,
    bottom: int = 10,
    side: Literal["last", "first"] = "last",
) -> pd.DataFrame:
    """Ask how much likelier the satisfied must be to answer for an area to leave, or enter, the list.

    Parameters
    ----------
    respondents : DataFrame
        One row a person.
    score : str
        Column that areas are ranked by (its weighted mean); missing is not valid.
    satisfied : str
        Column that is 1 for the satisfied and 0 or missing for all others.
    by : str
        Column of areas.
    weight : str, optional
        Column of final weights; None: 1.
    residents : mapping, optional
        Residents by area; None: so many that respondents hardly count among them.
    bottom : int
        Length of the list.
    side : {"last", "first"}
        Which end is listed.

    Returns
    -------
    DataFrame
        A row an area, in sorted order: unit, estimate, satisfied_share (0-1, weighted), listed (bool), odds_alone, odds_alike:
        odds of answering of the satisfied over all others' nearest to 1 at which the area crosses the cut, in it alone and in
        all areas; below 1 all others are likelier; missing where none from 1/10 to 10 does it.

    Raises
    ------
    RankingError
        K527 for a column that is not there, K528 for areas without a valid score.

    Notes
    -----
    If the odds of the satisfied are `odds` times those of all others, their odds among those who did not answer are those among
    the respondents over `odds`. No model is fitted, no error claimed. With weights these are the odds that the weighting left:
    where margins predict the answer well they have taken part of them already.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 10 + ["B"] * 10, "happy": [1] * 8 + [0] * 2 + [1] * 6 + [0] * 4})
    >>> sat.answering_odds(people, "happy", satisfied="happy", by="county", bottom=1).round(3)
      unit  estimate  satisfied_share  listed  odds_alone  odds_alike
    0    A       0.8              0.8   False       2.667         NaN
    1    B       0.6              0.6    True       0.375         NaN
    """
    wanted = [score, satisfied, by]
    if weight is not None:
        wanted.append(weight)
    table = scan(respondents)
    require_columns(table, wanted, argument="answering_odds", error=RankingError, code="K527")
    known = respondents[respondents[by].notna()]
    units = sorted(known[by].unique())
    place = {unit: position for position, unit in enumerate(units)}
    area = known[by].map(place).to_numpy(int)
    weights = np.ones(len(known)) if weight is None else known[weight].to_numpy(float)
    happy = (known[satisfied].to_numpy(float, na_value=np.nan) == 1).astype(int)
    values = known[score].to_numpy(float, na_value=np.nan)
    sums = sums_by_area(
        area, happy, weights, values=values[:, None], coefficients=np.ones(1), areas=len(units)
    )
    if residents is not None:
        population = np.array([float(residents[unit]) for unit in units])
        fraction = np.clip(np.bincount(area, minlength=len(units)) / population, 0.0, 1.0)
        sums = replace(sums, fraction=fraction)
    answers = sums.valid.sum(axis=(1, 2))
    empty = [str(unit) for unit, weighted in zip(units, answers, strict=True) if not weighted > 0]
    if empty:
        raise RankingError(
            "K528",
            _("Areas without a valid score cannot be placed: {areas}.", areas=shortened(empty)),
            where=score,
            hint=_("Leave these areas out."),
        )
    crossing = crossing_odds(sums, bottom, side=side)
    found = pd.DataFrame({"unit": units, "estimate": sums.score(1.0)})
    found["satisfied_share"] = sums.satisfied
    found["listed"] = crossing.listed
    found["odds_alone"] = crossing.alone
    found["odds_alike"] = crossing.alike
    return found


def sums_by_area(
    area: Ints,
    satisfied: Ints,
    weight: Floats,
    *,
    values: Floats,
    coefficients: Floats,
    areas: int,
) -> AnsweredSums:
    """Sum the answers of n people by area and group.

    Parameters
    ----------
    area, satisfied : (n,) int
        0..p-1, and 0 or 1.
    weight : (n,)
    values : (n, K)
        nan where not valid.
    coefficients : (K,)
    areas : int
        p.
    """
    cell = 2 * area + satisfied

    def summed(terms: Floats) -> Floats:
        sums = np.bincount(cell, weight * terms, minlength=2 * areas)
        return np.asarray(sums, dtype=float).reshape(-1, 2)

    valid = [summed(np.isfinite(column).astype(float)) for column in values.T]
    total = [summed(np.nan_to_num(column)) for column in values.T]
    return AnsweredSums(
        summed(np.ones(len(weight))),
        np.stack(valid, axis=2),
        np.stack(total, axis=2),
        coefficients,
        np.zeros(areas),
    )
