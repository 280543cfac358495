"""The ranking of the areas under the declared rules: who takes part, which end is listed, on which
scores ranks stand.

The main ranking, and that of every level of areas within its parents: counties in a prefecture,
prefectures in the province.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd

from satisfaction.declarations.rules import RankingRules
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import Text, _
from satisfaction.ranking.borrowed_errors import Floored, floor_notes, floored
from satisfaction.ranking.membership import point_list
from satisfaction.ranking.pairs import Bools, Floats, Ints, Pairs, by_point, tied_rank
from satisfaction.ranking.rank import Ranking, of_rates, prior_options, rank_nobody, rank_units
from satisfaction.ranking.table import RankOptions, list_facts, notes, ranked_rows, spread_out
from satisfaction.ranking.units import unit_names, units_from_estimates

# digits of a published figure: a score that is 0.125 to them rounds up, though its bits say 0.12499...
PUBLISHED = 12
LOWEST = -1e300
RELIABILITY_UNKNOWN = _(
    "Not a probability sample, reliability unknown: minimum_reliability was not applied."
)
ALONE = _("alone in its area; not ranked")
TOO_FEW = _("fewer than two units of its area can be ranked")
NO_PARENT = _("lies in no area of the level above; not ranked within one")


def rank_by_rules(
    estimates: Estimates,
    rules: RankingRules,
    *,
    floor: Floored | None = None,
    breaking: Floats | None = None,
) -> Ranking:
    """Rank the areas by one measure under the rules.

    Parameters
    ----------
    estimates : Estimates
        Of one measure, by area.
    rules : RankingRules
    floor : Floored, optional
        The same estimates with the errors that ranks rest on; their own unless given.
    breaking : (p,), optional
        Of every area the score by which ties are broken, where the rules name one.

    Returns
    -------
    Ranking
        Columns and summary entries of membership (status, p_in, p_out, probability_bottom; listed,
        list_p ...) concern the listed end, which `summary.side` names. With rounding, `rank` and
        the list follow the rounded scores and `rank_unrounded` stands beside; sets, tests and
        probabilities always come from the scores as estimated. Where fewer than two areas have
        answers, nothing is ranked.

    Raises
    ------
    RankingError
        K160 where several areas have answers, but too few of them can be ranked; K101-K124 from
        `ranking.rank`.

    Notes
    -----
    `minimum_reliability` is judged by a first ranking of all areas with enough answers: tau2 is
    taken from the field, not from those who remain, so that leaving one out does not push out the
    next.
    """
    digits = rules.round_before_ranking
    options = RankOptions(
        level=rules.level,
        bottom=rules.list_size,
        side=rules.side,
        ties=rules.ties,
        multiplicity=None if rules.multiplicity == "one" else rules.multiplicity,
        taken_as_exact=tuple(estimates.conventions.get("taken_as_exact", ())),
        **prior_options(rules.prior, is_rate=of_rates(estimates)),
    )
    answers = estimates.table["n"]
    if ((answers > 0) | answers.isna()).sum() < 2:
        nobody = np.zeros(len(estimates.table), dtype=bool)
        units = units_from_estimates(estimates, ranked=nobody, selection="probability")
        ranking = rank_nobody(units, options, source=estimates)
        table = ranking.table
        if digits != "off":
            table = table.assign(rank_unrounded=table["rank"])
        return replace(ranking, table=table, summary=replace(ranking.summary, side=rules.side))
    floor = floor or Floored(estimates)
    enough = may_be_ranked(estimates, rules)
    ranking = _rank(floor.estimates, rules, options, taking_part=enough)
    proven = ranking.summary.proven
    unreliable = 0
    if rules.minimum_reliability > 0 and proven:
        reliability = ranking.table["reliability"]
        reliable = enough & (reliability >= rules.minimum_reliability).to_numpy(bool)
        unreliable = int(enough.sum() - reliable.sum())
        if unreliable:
            ranking = _rank(floor.estimates, rules, options, taking_part=reliable)
    ranking = _with_floor_said(_with_ranks_of_rule(ranking, rules, breaking), floor, rules)
    summary = ranking.summary
    sentences = list(notes(summary))
    sentences += floor_notes(floor, rules, under=summary.se_from_larger or ())
    if rules.side == "first":
        sentences.append(_("The list names the first {list_size}.", list_size=rules.list_size))
    if unreliable:
        least = f"{rules.minimum_reliability:g}"
        sentences.append(
            _(
                "Not ranked for a reliability under {least}: {unreliable}.",
                least=least,
                unreliable=unreliable,
            )
        )
    if digits != "off":
        moved = summary.moved_by_rounding
        sentences.append(
            _(
                "Scores were rounded to {digits} decimal places before ranking; ranks moved: "
                "{moved}. Sets, tests and probabilities use unrounded scores.",
                digits=digits,
                moved=moved,
            )
        )
    if summary.tie_break is not None:
        sentences.append(
            _(
                "Areas of equal score were ordered by {score}, the higher one first; ranks moved: "
                "{moved}. Sets, tests and probabilities do not use it.",
                score=summary.tie_break,
                moved=summary.ordered_by_tie_break,
            )
        )
    if rules.minimum_reliability > 0 and not proven:
        sentences.append(RELIABILITY_UNKNOWN)
    summary = replace(
        summary,
        side=rules.side,
        notes=tuple(sentences),
        wrongly_ordered=rules.wrongly_ordered,
    )
    return replace(ranking, summary=summary, source=estimates)


def may_be_ranked(estimates: Estimates, rules: RankingRules) -> Bools:
    """Tell which areas have answers enough, and an estimate that is published: (p,) bool."""
    table = estimates.table
    # areas without any answer are named when they are to be ranked
    known = table["estimate"].notna() | (table["n"] == 0)
    codes = table[estimates.by[0]].astype(str)
    barred = codes.isin(estimates.conventions.get("barred", {}))
    may_be = has_enough(table, rules) & known & ~barred
    return np.asarray(may_be, dtype=bool)


def has_enough(table: pd.DataFrame, rules: RankingRules) -> Bools:
    """Tell which areas have answers enough, (p,) bool; a score that rests on no answers has."""
    answers = table["n"]
    enough = (answers >= rules.minimum_n) | answers.isna()
    return np.asarray(enough, dtype=bool)


def _rank(
    estimates: Estimates, rules: RankingRules, options: RankOptions, *, taking_part: Bools
) -> Ranking:
    """Rank the areas that take part, with a list at the declared end."""
    p = int(taking_part.sum())
    if p <= rules.list_size:
        raise RankingError(
            "K160",
            _(
                "Only {p} areas have enough answers to be ranked; a list of {list_size} needs more.",
                p=p,
                list_size=rules.list_size,
            ),
            where=f"rules.yaml ranking: list_size={rules.list_size}, minimum_n={rules.minimum_n}, "
            f"minimum_reliability={rules.minimum_reliability:g}",
            hint=_("Lower `list_size` or `minimum_n` in rules.yaml."),
        )
    units = units_from_estimates(estimates, ranked=taking_part, selection="probability")
    return rank_units(units, options, source=estimates)


def _with_ranks_of_rule(ranking: Ranking, rules: RankingRules, breaking: Floats | None) -> Ranking:
    """Let ranks and list follow the rounded scores, and ties the score that breaks them; what is
    certain about the ranks stays as it was.

    Returns
    -------
    Ranking
        As it is where the rules ask for neither; else with ranks of the rounded scores,
        `rank_unrounded` beside it, and in the summary `moved_by_rounding`; where ties are broken
        with `tie_break` (the other score) beside it, and in the summary `ordered_by_tie_break`. A
        list whose cut is tied is not established.
    """
    digits = rules.round_before_ranking
    if digits == "off" and breaking is None:
        return ranking
    units = ranking.units
    options = ranking.options
    summary = ranking.summary
    scores = units.estimate[units.ranked]
    unrounded = ranking.table["rank"]
    table = ranking.table
    ranks = unrounded
    pairs = by_point(scores)
    if digits != "off":
        pairs = by_point(rounded(scores, int(digits)))
        ranks = spread_out({"rank": tied_rank(pairs, options.ties)}, units)["rank"]
        table = table.assign(rank=ranks)
        table.insert(table.columns.get_loc("rank") + 1, "rank_unrounded", unrounded)
        scores_rounded = f"scores rounded to {digits} decimal places for the rank alone"
        summary = replace(
            summary,
            moved_by_rounding=int((ranks != unrounded)[units.ranked].sum()),
            ties=summary.ties.replace("never rounded", scores_rounded),
        )
    if breaking is not None:
        pairs = by_point(_with_ties_broken(pairs, breaking[units.ranked]))
        ordered = spread_out({"rank": tied_rank(pairs, options.ties)}, units)["rank"]
        table = table.assign(rank=ordered, tie_break=breaking)
        summary = replace(
            summary,
            tie_break=rules.tie_break,
            ordered_by_tie_break=int((ordered != ranks)[units.ranked].sum()),
            ties=summary.ties.replace("never broken", f"broken by {rules.tie_break}"),
        )
    facts = list_facts(
        ranked_rows(table, units),
        point_list(options.from_listed_end(pairs), options.bottom),
        list_p=summary.list_p,
        level=summary.level,
    )
    if options.taken_as_exact:
        facts["list_established"] = False
    return replace(ranking, table=table, summary=replace(summary, **facts))


def _with_ties_broken(pairs: Pairs, breaking: Floats) -> Floats:
    """Return numbers that order (p,) units as their scores do, and units of equal score by another one."""
    places = tied_rank(pairs, "dense")
    known = np.where(np.isnan(breaking), LOWEST, breaking)
    among_equals = tied_rank(by_point(known), "dense")
    return -(places * (len(places) + 1.0) + among_equals)


def rounded(scores: Floats, digits: int) -> Floats:
    """Round (p,) scores to decimal places, half away from zero, from their published digits."""
    step = Decimal(1).scaleb(-digits)
    exact = [Decimal(f"{score:.{PUBLISHED}g}") for score in scores]
    nearest = [score.quantize(step, ROUND_HALF_UP) for score in exact]
    return np.array(nearest, dtype=float)


def _with_floor_said(ranking: Ranking, floor: Floored, rules: RankingRules) -> Ranking:
    """Return the ranking with the floor, and the ranked units under it, in its summary."""
    if not ranking.summary.proven:
        return ranking
    under = {}
    for name in ranking.units.ranked_names:
        if name in floor.said:
            under[name] = floor.said[name]
    summary = replace(
        ranking.summary,
        minimum_df=rules.minimum_df,
        minimum_deff=rules.minimum_deff,
        se_from_larger=MappingProxyType(under),
    )
    return replace(ranking, summary=summary)


# ---- within the parents


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Units of a level that are not ranked within their parent, and why."""

    level: str
    parent: str
    codes: tuple[str, ...]
    reason: Text


@dataclass(frozen=True, slots=True, repr=False)
class Rankings(Brief):
    """Rankings within parents.

    Attributes
    ----------
    within : mapping of (level, parent code) -> Ranking
        Made apart from one another: the simultaneous sets of each hold for it alone. There is no
        list; the membership columns concern the last one, `target("top", 1)` the first.
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
        The main one: who is not ranked there is not ranked within a parent either. Higher levels
        need `minimum_n` answers. A ranked level right below the whole has no other ranking than the
        main one.
    """
    rules = survey.rules.ranking
    is_rate = survey.ranked in survey.questionnaire.rates
    model = prior_options(rules.prior, is_rate=is_rate)
    level_of = survey.levels()
    levels = [*survey.area_levels(), survey.whole()]
    within: dict[tuple[str, str], Ranking] = {}
    left_out: list[LeftOut] = []
    for level, above in pairwise(levels) if len(levels) > 2 else ():
        floor = floored(survey, estimates, level)
        taking_part = may_be_ranked(floor.estimates, rules)
        options = RankOptions(
            level=rules.level,
            bottom=1,
            ties=rules.ties,
            taken_as_exact=tuple(floor.estimates.conventions.get("taken_as_exact", ())),
            other_priors=False,
            **model,
        )
        breaking = breaking_scores(rules, estimates[level])
        if level == survey.ranked_level:
            taking_part = ranking.units.ranked
        codes = unit_names(floor.estimates)
        parents = _parents(survey, codes, level)
        fields: dict[str, Ints] = {}
        for parent in np.unique(parents[parents != ""]).tolist():
            rows = np.flatnonzero(parents == parent)
            reason = None
            if level_of.get(parent) != above:
                reason = NO_PARENT
            elif len(rows) < 2:
                reason = ALONE
            elif taking_part[rows].sum() < 2:
                reason = TOO_FEW
            if reason:
                named = tuple(codes[row] for row in rows)
                left_out.append(LeftOut(level, parent, named, reason))
            else:
                fields[parent] = rows
        ranked = np.zeros(len(codes), dtype=bool)
        for rows in fields.values():
            ranked[rows] = taking_part[rows]
        units = units_from_estimates(floor.estimates, ranked=ranked, selection="probability")
        for parent, rows in fields.items():
            inside = floor.estimates.of_rows(rows)
            alone = rank_units(units.of(rows), options, source=inside)
            breaking_inside = None
            if breaking is not None:
                breaking_inside = breaking[rows]
            alone = _with_ranks_of_rule(alone, rules, breaking_inside)
            within[level, parent] = _with_floor_said(alone, floor, rules)
    return Rankings(MappingProxyType(within), tuple(left_out))


def _parents(survey: Survey, codes: Sequence[str], level: str) -> np.ndarray:
    """Return the codes of the areas that areas of a level lie in, (p,) str; empty where a row is no area of it."""
    level_of = survey.levels()
    parents = survey.parents()
    of_level = []
    for code in codes:
        is_area = level_of.get(code) == level
        of_level.append(parents.get(code, "") if is_area else "")
    return np.array(of_level, dtype=str)


def breaking_scores(rules: RankingRules, estimates: Estimates) -> Floats | None:
    """Return of every area the score by which the rules break ties, (p,); None where they name none."""
    if rules.tie_break is None:
        return None
    table = estimates.of(rules.tie_break).table
    scores: Floats = table["estimate"].to_numpy(float)
    return scores
