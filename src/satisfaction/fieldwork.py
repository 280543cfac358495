"""How the fieldwork stands: progress against the plan, item nonresponse, don't-knows by interviewer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .questionnaire import MultipleItem, Questionnaire, SingleItem, option_column
from .responses import Responses
from .survey import Survey

OUTCOMES = ("answered", "not_applicable", "dont_know", "refused", "no_answer")


def progress(responses: Responses, survey: Survey) -> pd.DataFrame:
    """Compare accepted interviews and reached PSUs with the sample table, by area.

    Returns
    -------
    DataFrame
        One row a ranked area, also where nobody was reached: code, name_zh, name_en, planned and accepted interviews,
        share (accepted / planned, 0-1), psus_planned, psus_reached. Without a sample table (or PSUs) these are missing.
    """
    roles, names, codes = survey.questionnaire.roles, survey.area_names(), survey.ranked_areas()
    area = responses.accepted[roles.area].astype(str)
    table = pd.DataFrame({"code": codes, "name_zh": [names[c].zh for c in codes], "name_en": [names[c].en for c in codes]})
    planned = psus_planned = psus_reached = pd.Series(dtype="Int64")
    if survey.sample is not None and roles.psu and roles.area in survey.sample:
        by = survey.sample.groupby(roles.area)
        planned, psus_planned = by["planned"].agg(lambda counts: pd.to_numeric(counts).sum()), by[roles.psu].nunique()
    if roles.psu:
        psus_reached = responses.accepted.groupby(area)[roles.psu].nunique()
    counted = {"planned": planned, "accepted": area.value_counts(), "psus_planned": psus_planned, "psus_reached": psus_reached}
    found = {name: _by_area(counts, codes) for name, counts in counted.items()}
    table = table.assign(**found)
    table["share"] = table["accepted"] / table["planned"]
    return table[["code", "name_zh", "name_en", "planned", "accepted", "share", "psus_planned", "psus_reached"]]


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
        rows.append({"item": name, "zh": item.zh, "en": item.en, "asked": int(asked.sum()), **counts})
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
    counts = pd.DataFrame({"respondents": 1, "asked": 0, "dont_know": 0}, index=respondents.index)
    for name in _coded_items(questionnaire):
        if "dont_know" in {special.reason for special in questionnaire.special(name).values()}:
            asked = _asked(respondents, questionnaire, name)
            counts["asked"] += asked.astype(int)
            counts["dont_know"] += (asked & (_outcome(respondents, questionnaire, name) == "dont_know")).astype(int)
    interviewer = respondents[questionnaire.roles.interviewer].fillna("").rename("interviewer")
    table = counts.groupby(interviewer).sum().reset_index()
    table["share"] = table["dont_know"] / table["asked"].where(table["asked"] > 0)
    return table.sort_values(["share", "interviewer"], ascending=[False, True], ignore_index=True)[columns]


def _by_area(counts: pd.Series, codes: list[str]) -> pd.Series:
    """Arrange counts in the order of the areas: 0 where an area has none, missing where nothing was counted."""
    if counts.empty:
        return pd.Series(pd.NA, index=range(len(codes)), dtype="Int64")
    return counts.reindex(codes, fill_value=0).astype("Int64").reset_index(drop=True)


def _coded_items(questionnaire: Questionnaire) -> list[str]:
    return [name for name, item in questionnaire.items.items() if isinstance(item, SingleItem | MultipleItem)]


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
        answered = respondents[[option_column(item, code) for code in declared.options]].notna().any(axis=1)
    else:
        answered = respondents[item].notna() & outcome.isna()
    return pd.Series(np.where(answered, "answered", outcome.fillna("no_answer")), index=respondents.index)
