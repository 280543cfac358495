"""Every level of areas within its parents: counties in a prefecture, prefectures in the province."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd

from satisfaction.declarations.rules import RankingRules
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.yaml import Label
from satisfaction.ranking.borrowed_errors import Floored, floored
from satisfaction.ranking.declared import may_be_ranked, with_floor_said, with_rounded_scores
from satisfaction.ranking.pairs import Bools, Ints
from satisfaction.ranking.rank import Ranking, rank

ALONE = Label(zh="所在地区只有它一个，不排名", en="alone in its area; not ranked")
TOO_FEW = Label(
    zh="所在地区可排名的单位不足两个", en="fewer than two units of its area can be ranked"
)
NO_PARENT = Label(
    zh="不属于上一级地区，不在其内排名",
    en="lies in no area of the level above; not ranked within one",
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Units of a level that are not ranked within their parent, and why."""

    level: str
    parent: str
    codes: tuple[str, ...]
    reason: Label


@dataclass(frozen=True, slots=True)
class Rankings:
    """Rankings within parents.

    Attributes
    ----------
    within : mapping of (level, parent code) -> Ranking
        Made apart from one another: the simultaneous sets of each hold for it alone. There is no list; the membership
        columns concern the last one, `target("top", 1)` the first.
    left_out : tuple of LeftOut
    """

    within: Mapping[tuple[str, str], Ranking]
    left_out: tuple[LeftOut, ...]


def rank_within(survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking) -> Rankings:
    """Rank every level below the whole within its parents, by the ranked measure.

    Parameters
    ----------
    survey : Survey
    estimates : mapping of Estimates
        By level of area, the ranked level first.
    ranking : Ranking
        The main one: who is not ranked there is not ranked within a parent either. Higher levels need `minimum_n` answers.
        A ranked level right below the whole has no other ranking than the main one.
    """
    rules, levels = survey.rules.ranking, survey.levels()
    found: dict[tuple[str, str], Ranking] = {}
    left_out: list[LeftOut] = []
    for level, above in _levels(survey):
        floor = floored(survey, estimates, level)
        one = floor.estimates
        taking_part = may_be_ranked(one, rules)
        if level == survey.area_levels()[0]:
            taking_part = ranking.units.ranked
        codes = one.table[level].astype(str)
        for parent, at in _groups(survey, codes.where(codes.map(levels) == level, "")):
            if reason := _reason(levels.get(parent) == above, taking_part[at]):
                left_out.append(LeftOut(level, parent, tuple(codes.iloc[at]), reason))
            else:
                found[level, parent] = _rank(_rows(one, at), rules, taking_part[at], floor=floor)
    return Rankings(MappingProxyType(found), tuple(left_out))


def _levels(survey: Survey) -> Iterator[tuple[str, str]]:
    """Yield each level with the one above; a ranked level right below the whole is what the main ranking ranks."""
    levels = [*survey.area_levels(), survey.whole()]
    return pairwise(levels) if len(levels) > 2 else iter(())


def _groups(survey: Survey, codes: pd.Series) -> list[tuple[str, Ints]]:
    """Return the rows of each parent, in order of its code; a row without code is no area of the level."""
    higher = survey.parents()
    parents = codes.map(lambda code: higher.get(code, "")).to_numpy(str)
    return [
        (str(parent), np.flatnonzero(parents == parent)) for parent in np.unique(parents) if parent
    ]


def _reason(known: bool, taking_part: Bools) -> Label | None:
    if not known:
        return NO_PARENT
    if len(taking_part) < 2:
        return ALONE
    return TOO_FEW if taking_part.sum() < 2 else None


def _rows(estimates: Estimates, at: Ints) -> Estimates:
    """Return the estimates of some areas with their covariance."""
    one, cov = estimates, estimates.cov[np.ix_(at, at)]
    table = one.table.iloc[at].reset_index(drop=True)
    return Estimates(table, cov, one.contributions.of(at), one.by, one.conventions, one.design)


def _rank(
    estimates: Estimates, rules: RankingRules, taking_part: Bools, *, floor: Floored
) -> Ranking:
    alone = rules.model_copy(update={"list_size": 1, "side": "last"})
    ranking = rank(estimates, level=rules.level, bottom=1, ranked=taking_part, ties=rules.ties)
    return with_floor_said(with_rounded_scores(ranking, alone), floor, rules)
