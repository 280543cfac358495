"""Rankings as published: no rank without its sets, status or probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.yaml import Label
from satisfaction.publication.labels import STATUS, area_labels, labelled, published
from satisfaction.ranking.escalation import standing
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.rules import LeftOut, Rankings

SETS = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]
FEW = Label(zh="样本不足，不排名", en="too few answers; not ranked")
ONLY = Label(zh="没有其他有答卷的地区可比，不排名", en="no other area has answers; not ranked")
WITHHELD = Label(zh="按保密规则不公布，不排名", en="withheld by the suppression rule; not ranked")


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
        the se of areas comes from a larger area also note, which says so.
    """
    table = ranking.table.rename(columns={"unit": "code"}).assign(
        n=_by_code(survey, estimates[survey.ranked_level])["n"].to_numpy(np.int64),
        measure=survey.questionnaire.ranked,
        side=ranking.summary["side"],
        listed=list(standing(ranking).values()),
        status_zh=ranking.table["status"].map({word: label.zh for word, label in STATUS.items()}),
    )
    withheld = table["estimate"].isna() & (table["n"] > 0)
    table = table.assign(status_zh=table["status_zh"].mask(withheld, WITHHELD.zh))
    if lent := ranking.summary.get("se_from_larger"):
        table = table.assign(note=[lent.get(code, "") for code in table["code"]])
    if not ranking.ranks_any:
        table = table.assign(status_zh=table["status_zh"].mask(table["n"] > 0, ONLY.zh))
    first = [
        "code",
        "name_zh",
        "name_en",
        "measure",
        "estimate",
        "se",
        "n",
        "rank",
        "rank_unrounded",
        *SETS,
    ]
    model = ["probability_bottom", "expected_rank", "reliability"]
    tests = [
        "side",
        "listed",
        "status",
        "status_zh",
        "p_in",
        "p_out",
        "p_in_adjusted",
        "p_out_adjusted",
        *model,
        "note",
    ]
    not_asked = {"rank_unrounded", "p_in_adjusted", "p_out_adjusted", "note"} - set(table)
    ordered = table.sort_values(["rank", "code"], na_position="last", ignore_index=True)
    return published(survey, ordered, [name for name in (*first, *tests) if name not in not_asked])


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
    parts = [
        _within(one, level=level, parent=parent) for (level, parent), one in rankings.within.items()
    ]
    parts += [_left_out(survey, estimates[one.level], one) for one in rankings.left_out]
    first = [
        "level",
        "within",
        "within_zh",
        "within_en",
        "code",
        "name_zh",
        "name_en",
        "measure",
        "estimate",
        "se",
        "n",
    ]
    rounding = [] if survey.rules.ranking.round_before_ranking == "off" else ["rank_unrounded"]
    columns = [
        *first,
        "rank",
        *rounding,
        "of",
        *SETS,
        "probability_first",
        "probability_last",
        "note",
    ]
    if not parts:
        return published(survey, pd.DataFrame(columns=columns), columns)
    table = pd.concat(parts, ignore_index=True)
    n = {level: _by_code(survey, estimates[level])["n"] for level in table["level"].unique()}
    counted = [
        int(n[level][code]) for level, code in zip(table["level"], table["code"], strict=True)
    ]
    table = table.assign(measure=survey.questionnaire.ranked, n=counted)
    return published(
        survey, labelled(table, area_labels(survey), key="within", into="within"), columns
    )


def _within(ranking: Ranking, *, level: str, parent: str) -> pd.DataFrame:
    table = ranking.table.rename(columns={"unit": "code", "probability_bottom": "probability_last"})
    said = ranking.summary.get("se_from_larger", {})
    lent = [said.get(code, "") for code in table["code"]]
    table = table.assign(
        level=level,
        within=parent,
        of=ranking.summary["p"],
        probability_first=ranking.target("top", 1).table["probability"],
        note=np.where(
            ranking.units.ranked,
            lent,
            np.where(ranking.table["estimate"].isna(), str(WITHHELD), str(FEW)),
        ),
    )
    return table.sort_values(["rank", "code"], na_position="last")


def _left_out(survey: Survey, estimates: Estimates, one: LeftOut) -> pd.DataFrame:
    """Return the rows of units without a ranking: their estimates and the reason."""
    figures = (
        _by_code(survey, estimates)
        .loc[list(one.codes), ["estimate", "se"]]
        .reset_index(names="code")
    )
    missing: dict[str, Any] = {
        name: pd.array([pd.NA] * len(figures), dtype="Int64")
        for name in ("rank", "rank_unrounded", *SETS)
    }
    missing |= dict.fromkeys(("probability_first", "probability_last"), np.nan)
    return figures.assign(level=one.level, within=one.parent, of=0, note=str(one.reason), **missing)


def _by_code(survey: Survey, estimates: Estimates) -> pd.DataFrame:
    table = estimates.of(survey.questionnaire.ranked).table
    return table.set_index(table[estimates.by[0]].astype(str))
