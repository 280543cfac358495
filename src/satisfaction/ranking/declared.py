"""The ranking of the areas under the declared rules: who takes part, which end is listed, on which scores ranks stand.

Ranks of rounded scores, where a rule demands them: they tie units that the estimates tell apart.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Any

import numpy as np

from satisfaction.declarations.rules import RankingRules
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.ranking import max_t as maxt
from satisfaction.ranking.borrowed_errors import Floored, floor_notes
from satisfaction.ranking.membership import point_list
from satisfaction.ranking.options import Options, tied_rank
from satisfaction.ranking.pairs import Bools, Floats, compare
from satisfaction.ranking.rank import Ranking, rank
from satisfaction.ranking.table import list_facts, notes, spread_out
from satisfaction.ranking.units import units_from_estimates
from satisfaction.ranking.unranked import nothing_ranked

PUBLISHED = 12  # digits of a published figure; a score that is 0.125 to them rounds up although its bits say 0.12499...


def rounded(scores: Floats, digits: int) -> Floats:
    """Round (p,) scores to decimal places, half away from zero, from their published digits."""
    step = Decimal(1).scaleb(-digits)
    return np.array(
        [float(Decimal(f"{score:.{PUBLISHED}g}").quantize(step, ROUND_HALF_UP)) for score in scores]
    )


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
    cov, df, score = (
        units.cov[np.ix_(kept, kept)],
        units.df[kept],
        rounded(units.estimate[kept], digits),
    )
    before = ranking.table["rank"]
    ranks = spread_out(tied_rank(compare(score, cov=cov, df=df), rules.ties), units)
    table = ranking.table.assign(rank=ranks)
    table.insert(table.columns.get_loc("rank") + 1, "rank_unrounded", before)
    turned = compare(score if rules.side == "last" else -score, cov=cov, df=df)
    summary = dict(ranking.summary) | _list(replace(ranking, table=table), turned, rules.list_size)
    summary |= {
        "moved_by_rounding": int((ranks != before)[kept].sum()),
        "ties": ranking.summary["ties"].replace(
            "never rounded", f"scores rounded to {digits} decimal places for the rank alone"
        ),
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


MEMBERSHIP = ("status", "p_in", "p_out", "p_in_adjusted", "p_out_adjusted", "probability_bottom")
RELIABILITY_UNKNOWN = (
    "不是概率样本，信度未知：minimum_reliability 未执行。 "
    "Not a probability sample, reliability unknown: minimum_reliability was not applied."
)
LIST = (
    "listed", "tied_at_cut", "tie_at_cut", "list_size_low", "list_size_high", "expected_true_bottom", "established_listed",
    "list_p", "list_established",
)  # fmt: skip


def rank_by_rules(
    estimates: Estimates, rules: RankingRules, *, floor: Floored | None = None
) -> Ranking:
    """Rank the areas by one measure under the rules.

    Parameters
    ----------
    estimates : Estimates
        Of one measure, by area.
    rules : RankingRules
    floor : Floored, optional
        The same estimates with the errors that ranks rest on; their own unless given.

    Returns
    -------
    Ranking
        Columns and summary keys of membership (status, p_in, p_out, probability_bottom; listed, list_p ...) concern the
        listed end, which `summary["side"]` names. With rounding, `rank` and the list follow the rounded scores and
        `rank_unrounded` stands beside; sets, tests and probabilities always come from the scores as estimated. Where fewer than
        two areas have answers, nothing is ranked (`ranking.unranked`).

    Raises
    ------
    RankingError
        K160 where several areas have answers, but too few of them can be ranked; K101-K124 from `ranking.rank`.

    Notes
    -----
    `minimum_reliability` is judged by a first ranking of all areas with enough answers: tau2 is taken from the field, not
    from those who remain, so that leaving one out does not push out the next.
    """
    if (estimates.table["n"] > 0).sum() < 2:
        return _unranked(estimates, rules)
    floor = floor or Floored(estimates)
    enough = may_be_ranked(estimates, rules)
    ranking, unreliable = _ranked(floor.estimates, rules, enough), 0
    if rules.minimum_reliability > 0 and ranking.summary["selection"] == "probability":
        reliable = enough & (ranking.table["reliability"] >= rules.minimum_reliability).to_numpy(
            bool
        )
        unreliable = int(enough.sum() - reliable.sum())
        ranking = _ranked(floor.estimates, rules, reliable) if unreliable else ranking
    ranking = with_floor_said(with_rounded_scores(ranking, rules), floor, rules)
    ranking = replace(ranking, source=estimates)
    said = floor_notes(floor, rules, under=ranking.summary.get("se_from_larger", ()))
    said += _notes(rules, unreliable=unreliable, moved=ranking.summary.get("moved_by_rounding", 0))
    if rules.minimum_reliability > 0 and ranking.summary["selection"] != "probability":
        said.append(RELIABILITY_UNKNOWN)
    summary = dict(ranking.summary) | {
        "side": rules.side,
        "notes": (*notes(ranking.summary), *said),
    }
    return replace(ranking, summary=MappingProxyType(summary))


def with_floor_said(ranking: Ranking, floor: Floored, rules: RankingRules) -> Ranking:
    """Return the ranking with the floor, and the ranked units under it, in its summary."""
    if ranking.summary["selection"] != "probability":
        return ranking
    here = {
        name
        for name, ranked in zip(ranking.units.names, ranking.units.ranked, strict=True)
        if ranked
    }
    under = {name: words for name, words in floor.said.items() if name in here}
    conventions = {
        "minimum_df": rules.minimum_df,
        "minimum_deff": rules.minimum_deff,
        "se_from_larger": MappingProxyType(under),
    }
    return replace(ranking, summary=MappingProxyType(dict(ranking.summary) | conventions))


def may_be_ranked(estimates: Estimates, rules: RankingRules) -> Bools:
    """Tell which areas have answers enough, and an estimate that is published: (p,) bool."""
    known = estimates.table["estimate"].notna() | (
        estimates.table["n"] == 0
    )  # rank() names areas without any answer
    return np.asarray((estimates.table["n"] >= rules.minimum_n) & known, dtype=bool)


def _ranked(estimates: Estimates, rules: RankingRules, taking_part: Bools) -> Ranking:
    """Rank with the list at the declared end."""
    if taking_part.sum() <= rules.list_size:
        raise _too_few(int(taking_part.sum()), rules)
    lasts = _rank(estimates, rules, taking_part, higher_is_better=True)
    if rules.side == "last":
        return lasts
    firsts = _rank(estimates, rules, taking_part, higher_is_better=False)
    columns = {name: firsts.table[name] for name in MEMBERSHIP if name in firsts.table}
    summary = dict(lasts.summary) | {name: firsts.summary[name] for name in LIST}
    return replace(lasts, table=lasts.table.assign(**columns), summary=MappingProxyType(summary))


def _unranked(estimates: Estimates, rules: RankingRules) -> Ranking:
    """Keep the rows of areas that have nothing to be compared with."""
    nobody = np.zeros(len(estimates.table), dtype=bool)
    units = units_from_estimates(estimates, ranked=nobody, selection="probability")
    options = Options(
        level=rules.level,
        bottom=rules.list_size,
        higher_is_better=True,
        marginal="simes",
        simultaneous="tukey",
        membership="simes",
        multiplicity=None if rules.multiplicity == "one" else rules.multiplicity,
        ties=rules.ties,
        between="reml",
        draws=maxt.DRAWS,
        seed=maxt.SEED,
        step_down=True,
    )
    ranking = nothing_ranked(units, options, source=estimates)
    table = ranking.table
    if rules.round_before_ranking != "off":
        table = table.assign(rank_unrounded=table["rank"])
    return replace(
        ranking, table=table, summary=MappingProxyType(dict(ranking.summary) | {"side": rules.side})
    )


def _rank(
    estimates: Estimates, rules: RankingRules, taking_part: Bools, *, higher_is_better: bool
) -> Ranking:
    return rank(
        estimates,
        level=rules.level,
        bottom=rules.list_size,
        ranked=taking_part,
        ties=rules.ties,
        multiplicity=None if rules.multiplicity == "one" else rules.multiplicity,
        higher_is_better=higher_is_better,
    )


def _notes(rules: RankingRules, *, unreliable: int, moved: int) -> list[str]:
    """Say in Chinese and English what the rules changed."""
    said = []
    if rules.side == "first":
        said.append(f"名单为前 {rules.list_size} 位。 The list names the first {rules.list_size}.")
    if unreliable:
        least = f"{rules.minimum_reliability:g}"
        said.append(
            f"{unreliable} 个单位信度低于 {least}，不排名。 Not ranked for a reliability under {least}: {unreliable}."
        )
    if rules.round_before_ranking != "off":
        digits = rules.round_before_ranking
        said.append(
            f"得分取 {digits} 位小数后排名，{moved} 个单位的名次因此变动；集合、检验与概率按未取整的得分。 Scores were rounded to "
            f"{digits} decimal places before ranking; ranks moved: {moved}. Sets, tests and probabilities use unrounded scores."
        )
    return said


def _too_few(p: int, rules: RankingRules) -> RankingError:
    return RankingError(
        "K160",
        f"样本足够的地区只有 {p} 个，无法列出 {rules.list_size} 个的名单。",
        f"Only {p} areas have enough answers to be ranked; a list of {rules.list_size} needs more.",
        where=f"rules.yaml ranking: list_size={rules.list_size}, minimum_n={rules.minimum_n}, "
        f"minimum_reliability={rules.minimum_reliability:g}",
        hint=(
            "在 rules.yaml 中降低 list_size 或 minimum_n。",
            "Lower `list_size` or `minimum_n` in rules.yaml.",
        ),
    )
