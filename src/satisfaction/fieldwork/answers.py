"""Item nonresponse and don't-knows: who was asked, how they answered, and which interviewers leave more open than others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from satisfaction.collection.responses import Responses
from satisfaction.declarations.items import MultipleItem, SingleItem, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.fieldwork.checks import USUAL, Fields, Limits
from satisfaction.fieldwork.outliers import at_interviewers
from satisfaction.foundation.engines import fetch, scan
from satisfaction.sampling.measures import add_columns, compile_measures

OUTCOMES = ("answered", "not_applicable", "dont_know", "refused", "no_answer")


def item_nonresponse(responses: Responses, questionnaire: Questionnaire) -> pd.DataFrame:
    """Account for every single and select-all item: who was asked, and how the asked ones answered.

    Returns
    -------
    DataFrame
        One row an item: item, zh, en, asked, then counts answered, not_applicable, dont_know, refused, no_answer, which
        add up to asked (the skip rule leaves the others out), and their shares of asked (0-1) as share_answered, ...
    """
    rows = []
    for name in _coded_items(questionnaire):
        asked = _asked(responses.accepted, questionnaire, name)
        outcome = _outcome(responses.accepted, questionnaire, name)[asked].value_counts()
        item = questionnaire.items[name]
        counts = {one: int(outcome.get(one, 0)) for one in OUTCOMES}
        rows.append(
            {"item": name, "zh": item.zh, "en": item.en, "asked": int(asked.sum()), **counts}
        )
    table = pd.DataFrame(rows, columns=["item", "zh", "en", "asked", *OUTCOMES])
    asked = table["asked"].where(table["asked"] > 0).astype(float)
    return table.assign(**{f"share_{one}": table[one] / asked for one in OUTCOMES})


def dont_know_by_interviewer(responses: Responses, questionnaire: Questionnaire) -> pd.DataFrame:
    """Count don't-knows by interviewer, over the items that offer one.

    Returns
    -------
    DataFrame
        One row an interviewer, largest share first: interviewer ("" where none is recorded), respondents, asked (items x
        respondents), dont_know, share (0-1). Empty where the questionnaire declares no interviewer.

    Notes
    -----
    Interviewers work in different areas: a large share may be the area's. It is a reason to look, not a finding.
    """
    columns = ["interviewer", "respondents", "asked", "dont_know", "share"]
    if questionnaire.roles.interviewer is None:
        return pd.DataFrame(columns=columns)
    respondents = responses.accepted
    counts = outcome_counts(respondents, questionnaire, "dont_know").assign(respondents=1)
    interviewer = respondents[questionnaire.roles.interviewer].fillna("").rename("interviewer")
    table = counts.groupby(interviewer).sum().reset_index()
    table["share"] = table["dont_know"] / table["asked"].where(table["asked"] > 0)
    return table.sort_values(["share", "interviewer"], ascending=[False, True], ignore_index=True)[
        columns
    ]


def outcome_counts(
    respondents: pd.DataFrame, questionnaire: Questionnaire, outcome: str
) -> pd.DataFrame:
    """Count, for each respondent, the items asked that can have an outcome and those that have it.

    Parameters
    ----------
    outcome : str
        One of OUTCOMES. Don't-know, refused and not-applicable are possible where the item offers them; the others everywhere.

    Returns
    -------
    DataFrame
        asked and the outcome's own name, in the order and with the index of the respondents.
    """
    counts = pd.DataFrame({"asked": 0, outcome: 0}, index=respondents.index)
    for name in _coded_items(questionnaire):
        if outcome in {
            "answered",
            "no_answer",
            *(special.reason for special in questionnaire.special(name).values()),
        }:
            asked = _asked(respondents, questionnaire, name)
            counts["asked"] += asked.astype(int)
            counts[outcome] += (
                asked & (_outcome(respondents, questionnaire, name) == outcome)
            ).astype(int)
    return counts


def open_items(
    respondents: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    fields: Fields,
    limits: Limits = USUAL,
) -> pd.DataFrame:
    """Find interviewers who leave more items without an answer, or with don't know, than the others of their county.

    Returns
    -------
    DataFrame
        COLUMNS; checks no_answer and dont_know, one row an interviewer and county each.
    """
    tables = []
    for check in ("no_answer", "dont_know"):
        counts = outcome_counts(respondents, questionnaire, check)
        share = (counts[check] / counts["asked"].where(counts["asked"] > 0)).to_numpy(float)
        tables.append(at_interviewers(check, respondents, share, fields=fields, limits=limits))
    return pd.concat(tables, ignore_index=True)


def points(
    respondents: pd.DataFrame, questionnaire: Questionnaire, items: Sequence[str]
) -> pd.DataFrame:
    """Return single items as the points (0-100) of their answers, nan without a valid one: (respondents, items) float."""
    scored = {
        name: {code: answer.score for code, answer in questionnaire.answers(name).items()}
        for name in items
    }
    return pd.DataFrame(
        {name: respondents[name].map(scored[name]).astype(float) for name in items},
        index=respondents.index,
    )


def answer_codes(
    respondents: pd.DataFrame, questionnaire: Questionnaire, *, without: Iterable[str] = ()
) -> pd.DataFrame:
    """Return one column of codes a coded item, special codes included; a select-all answer is one code, nan: no answer."""
    columns = {}
    for name in _coded_items(questionnaire):
        if name not in set(without):
            own = respondents[questionnaire.columns(name)]
            columns[name] = (
                own.groupby(list(own), dropna=False).ngroup().where(own.notna().any(axis=1))
            )
    return pd.DataFrame(columns, index=respondents.index).astype(float)


def rate_values(
    respondents: pd.DataFrame, questionnaire: Questionnaire, rates: Sequence[str]
) -> pd.DataFrame:
    """Return each respondent's value of rates (share, 0-1), nan where not valid: (respondents, rates) float."""
    wanted = [measure for measure in compile_measures(questionnaire) if measure.name in rates]
    columns = [name for one in wanted for name in (one.valid_column, one.score_column)]
    found = fetch(add_columns(scan(respondents), wanted).select(*columns))
    values = {
        one.name: found[one.score_column].where(found[one.valid_column] == 1) / one.unit
        for one in wanted
    }
    return pd.DataFrame(values).astype(float).set_axis(respondents.index)


def _coded_items(questionnaire: Questionnaire) -> list[str]:
    return [
        name
        for name, item in questionnaire.items.items()
        if isinstance(item, SingleItem | MultipleItem)
    ]


def _asked(respondents: pd.DataFrame, questionnaire: Questionnaire, item: str) -> pd.Series:
    """Mark whom the skip rule has asked an item."""
    asked = pd.Series(True, index=respondents.index)
    for other, codes in questionnaire.items[item].asked_if.items():
        asked &= respondents[other].isin(codes)
    return asked


def _outcome(respondents: pd.DataFrame, questionnaire: Questionnaire, item: str) -> pd.Series:
    """Say in one of the OUTCOMES' words how each respondent answered an item."""
    declared = questionnaire.items[item]
    reasons = {code: special.reason for code, special in questionnaire.special(item).items()}
    outcome = respondents[item].map(reasons).astype(object)
    if isinstance(declared, MultipleItem):
        answered = (
            respondents[[option_column(item, code) for code in declared.options]]
            .notna()
            .any(axis=1)
        )
    else:
        answered = respondents[item].notna() & outcome.isna()
    return pd.Series(
        np.where(answered, "answered", outcome.fillna("no_answer")), index=respondents.index
    )
