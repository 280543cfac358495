"""Ranks of rounded scores, where a rule demands them: they tie units that the estimates tell apart."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Any

import numpy as np

from ..ranking import Ranking
from ..ranking.membership import point_list
from ..ranking.pairs import Floats, compare
from ..ranking.table import list_facts, spread_out
from ..ranking.ties import tied_rank
from ..survey import RankingRules

PUBLISHED = 12  # digits of a published figure; a score that is 0.125 to them rounds up although its bits say 0.12499...


def rounded(scores: Floats, digits: int) -> Floats:
    """Round (p,) scores to decimal places, half away from zero, from their published digits."""
    step = Decimal(1).scaleb(-digits)
    return np.array([float(Decimal(f"{score:.{PUBLISHED}g}").quantize(step, ROUND_HALF_UP)) for score in scores])


def with_rounded_scores(ranking: Ranking, rules: RankingRules) -> Ranking:
    """Let ranks and list follow the rounded scores; what is certain about them stays as it was.

    Returns
    -------
    Ranking
        As given where the rule is off; else `rank` of the rounded scores, `rank_unrounded` beside it, and in the summary
        `moved_by_rounding`. A list whose cut is tied by rounding is not established.
    """
    if rules.round_before_ranking == "off":
        return ranking
    units = ranking.units
    kept, digits = units.ranked, rules.round_before_ranking
    cov, df, score = units.cov[np.ix_(kept, kept)], units.df[kept], rounded(units.estimate[kept], digits)
    before = ranking.table["rank"]
    ranks = spread_out(tied_rank(compare(score, cov=cov, df=df), rules.ties), units)
    table = ranking.table.assign(rank=ranks)
    table.insert(table.columns.get_loc("rank") + 1, "rank_unrounded", before)
    turned = compare(score if rules.side == "last" else -score, cov=cov, df=df)
    summary = dict(ranking.summary) | _list(replace(ranking, table=table), turned, rules.list_size)
    summary |= {
        "moved_by_rounding": int((ranks != before)[kept].sum()),
        "ties": ranking.summary["ties"].replace("never rounded", f"scores rounded to {digits} decimal places for the rank alone"),
    }
    return replace(ranking, table=table, summary=MappingProxyType(summary))


def _list(ranking: Ranking, pairs: Any, size: int) -> dict[str, Any]:
    """Take the list from rounded scores; its units' statuses and probabilities as they are."""
    points, rows = point_list(pairs, size), ranking.table[ranking.units.ranked]
    listed, tied = rows[points.listed], rows[points.tied]
    facts = list_facts(rows["unit"], points)
    if ranking.summary["selection"] != "probability":
        return facts
    list_p = 1.0 if len(tied) else ranking.summary["list_p"]
    return {
        **facts,
        "expected_true_bottom": float(listed["probability_bottom"].sum()),
        "established_listed": int((listed["status"] == "established").sum()),
        "list_p": list_p,
        "list_established": ranking.summary["list_established"] and not len(tied),
    }
