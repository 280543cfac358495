"""Rankings as published: no rank without its sets, status or probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.language import _, comma_list
from satisfaction.publication.labels import (
    STATUS,
    area_labels,
    labelled,
    published,
    score_labels,
    whole_numbers,
)
from satisfaction.ranking.escalation import standing
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.rules import LeftOut, Rankings

SETS = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]
AREA = ["code", "name_zh", "name_en"]
FIGURES = ["measure", "estimate", "se", "n"]
RANKING = [
    *(*AREA, *FIGURES, "rank", "rank_unrounded", "tie_break", *SETS),
    *("side", "listed", "status", "status_zh", "p_in", "p_out", "p_in_adjusted", "p_out_adjusted"),
    *("probability_bottom", "expected_rank", "reliability", "note"),
    *("probability_low", "probability_high", "model_dependent", "grade"),
]
ON_REQUEST = (
    *("rank_unrounded", "tie_break", "p_in_adjusted", "p_out_adjusted", "note"),
    *("probability_low", "probability_high", "model_dependent"),
)
WITHIN = [
    *("level", "within", "within_zh", "within_en", *AREA, *FIGURES, "rank", "rank_unrounded"),
    *("of", *SETS, "probability_first", "probability_last", "note"),
]
FEW = _("too few answers; not ranked")
ONLY = _("no other area has answers; not ranked")
WITHHELD = _("withheld by the suppression rule; not ranked")


def ranking_table(
    survey: Survey, estimates: Mapping[str, Estimates], ranking: Ranking
) -> pd.DataFrame:
    """Return the ranking as published, in rank order: no rank without its sets, status and probability.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, measure, estimate, se, n, rank, marginal_low, marginal_high, simultaneous_low,
        simultaneous_high, side ("last", "first": the listed end, which the columns after it concern), listed ("yes", "no",
        "tied"), status, status_zh, p_in, p_out, probability_bottom (of the listed end), expected_rank, reliability, mark.
        Where the rules ask for it also rank_unrounded, p_in_adjusted and p_out_adjusted, which then decide the status; where
        the se of areas comes from a larger area also note, which says so. Where a rate is ranked also probability_low,
        probability_high and model_dependent ("yes", "no"): the probability under other models. Before the mark stands grade
        (1 is the best; empty without a probability sample and where an area is not ranked).
    """
    table = ranking.table.rename(columns={"unit": "code"})
    ranked = estimates[survey.ranked_level].of(survey.ranked)
    table["n"] = whole_numbers(ranked.table["n"])
    table["measure"] = survey.ranked
    table["side"] = ranking.summary["side"]
    table["listed"] = list(standing(ranking).values())
    status_zh = table["status"].map({status: label.zh for status, label in STATUS.items()})
    has_answers = ranked.table["n"] > 0
    status_zh = status_zh.mask(table["estimate"].isna() & has_answers, WITHHELD.zh)
    barred = ranked.conventions.get("barred", {})
    why = table["code"].map({code: words.zh for code, words in barred.items()})
    status_zh = status_zh.mask(why.notna(), why)
    if not ranking.ranks_any:
        status_zh = status_zh.mask(has_answers, ONLY.zh)
    table["status_zh"] = status_zh
    notes = dict(ranking.summary.get("se_from_larger") or {})
    exact = exact_words(survey, ranking.summary)
    if exact:
        notes = dict.fromkeys(ranking.units.ranked_names, exact)
    notes |= {code: words.both for code, words in barred.items()}
    if notes:
        table["note"] = [notes.get(code, "") for code in table["code"]]
    if "model_dependent" in table:
        depends = table["model_dependent"].map({True: "yes", False: "no"})
        table["model_dependent"] = depends.astype(object).where(depends.notna(), "")
    table["grade"] = ranking.grades(survey.rules.ranking.wrongly_ordered).table["grade"]
    columns = [name for name in RANKING if name in table or name not in ON_REQUEST]
    ordered = table.sort_values(["rank", "code"], na_position="last", ignore_index=True)
    return published(survey, ordered, columns)


def exact_words(survey: Survey, summary: Mapping[str, Any]) -> str:
    """Say in both languages which components are taken as exact; empty where none is."""
    labels = score_labels(survey)
    components = [labels[name][1] for name in summary.get("taken_as_exact", ())]
    if not components:
        return ""
    return _("taken as exact: {components}", components=comma_list(components)).both


def within_table(
    survey: Survey, estimates: Mapping[str, Estimates], rankings: Rankings
) -> pd.DataFrame:
    """Return the rankings of every level within its parents, in rank order.

    Returns
    -------
    DataFrame
        survey, wave, level, within (code of the parent), within_zh, within_en, code, name_zh, name_en, measure, estimate, se,
        n, rank, of (units ranked), marginal_low, marginal_high, simultaneous_low, simultaneous_high (jointly for the units of
        one parent), probability_first, probability_last (under the model), note (why a unit is not ranked), mark. Where the
        rules round scores also rank_unrounded.
    """
    parts = []
    for (level, parent), ranking in rankings.within.items():
        exact = exact_words(survey, ranking.summary)
        parts.append(_within(ranking, level=level, parent=parent, exact=exact))
    for group in rankings.left_out:
        parts.append(_left_out(survey, estimates[group.level], group))
    columns = list(WITHIN)
    if survey.rules.ranking.round_before_ranking == "off":
        columns.remove("rank_unrounded")
    if not parts:
        return published(survey, pd.DataFrame(columns=columns), columns)
    table = pd.concat(parts, ignore_index=True)
    answers = {level: _by_code(survey, estimates[level])["n"] for level in table["level"].unique()}
    areas = zip(table["level"], table["code"], strict=True)
    table["n"] = whole_numbers(pd.Series([answers[level][code] for level, code in areas]))
    table["measure"] = survey.ranked
    table = labelled(table, area_labels(survey), key="within", into="within")
    return published(survey, table, columns)


def _within(ranking: Ranking, *, level: str, parent: str, exact: str) -> pd.DataFrame:
    table = ranking.table.rename(columns={"unit": "code", "probability_bottom": "probability_last"})
    borrowed = ranking.summary.get("se_from_larger", {})
    se_note = [borrowed.get(code, "") for code in table["code"]]
    if exact:
        se_note = [exact] * len(table)
    barred = {}
    if ranking.source is not None:
        barred = ranking.source.conventions.get("barred", {})
    why_unranked = np.where(table["estimate"].isna(), WITHHELD.both, FEW.both).astype(object)
    for row, code in enumerate(table["code"]):
        if code in barred:
            why_unranked[row] = barred[code].both
    table["level"] = level
    table["within"] = parent
    table["of"] = ranking.summary["p"]
    table["probability_first"] = ranking.target("top", 1).table["probability"]
    table["note"] = np.where(ranking.units.ranked, se_note, why_unranked)
    return table.sort_values(["rank", "code"], na_position="last")


def _left_out(survey: Survey, estimates: Estimates, group: LeftOut) -> pd.DataFrame:
    """Return the rows of units without a ranking: their estimates and the reason."""
    ranked = _by_code(survey, estimates)
    table = ranked.loc[list(group.codes), ["estimate", "se"]].reset_index(names="code")
    table = table.assign(level=group.level, within=group.parent, of=0, note=group.reason.both)
    for name in ("rank", "rank_unrounded", *SETS):
        table[name] = pd.array([pd.NA] * len(table), dtype="Int64")
    for name in ("probability_first", "probability_last"):
        table[name] = np.nan
    return table


def _by_code(survey: Survey, estimates: Estimates) -> pd.DataFrame:
    table = estimates.of(survey.ranked).table
    return table.set_index(table[estimates.by[0]].astype(str))
