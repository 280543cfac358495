"""How far the fieldwork is: the sample table by area, quotas by cell, interviews by day."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from satisfaction.collection.responses import Responses
from satisfaction.declarations.survey import Survey
from satisfaction.fieldwork.findings import LIMITS, Fields, findings, require
from satisfaction.fieldwork.outliers import others_known
from satisfaction.foundation.errors import ResponsesError
from satisfaction.foundation.language import _


def progress(responses: Responses, survey: Survey) -> pd.DataFrame:
    """Compare accepted interviews and reached PSUs with the sample table, by area.

    Returns
    -------
    DataFrame
        One row a ranked area, also where nobody was reached: code, name_zh, name_en, planned and accepted interviews,
        share (accepted / planned, 0-1), psus_planned, psus_reached. Without a sample table (or PSUs) these are missing.
    """
    roles = survey.questionnaire.roles
    names = survey.area_names()
    codes = survey.ranked_areas()
    accepted = responses.accepted.groupby(responses.accepted[roles.area].astype(str))
    planned = psus_planned = psus_reached = pd.Series(dtype="Int64")
    if survey.sample is not None and roles.psu and roles.area in survey.sample:
        sample = survey.sample.groupby(roles.area)
        planned = sample["planned"].agg(lambda counts: pd.to_numeric(counts).sum())
        psus_planned = sample[roles.psu].nunique()
    if roles.psu:
        psus_reached = accepted[roles.psu].nunique()
    table = pd.DataFrame({"code": codes})
    table["name_zh"] = [names[code].zh for code in codes]
    table["name_en"] = [names[code].en for code in codes]
    table["planned"] = _by_area(planned, codes)
    table["accepted"] = _by_area(accepted.size(), codes)
    table["share"] = table["accepted"] / table["planned"]
    table["psus_planned"] = _by_area(psus_planned, codes)
    table["psus_reached"] = _by_area(psus_reached, codes)
    return table


def quota_progress(
    rows: pd.DataFrame,
    quota: pd.DataFrame,
    *,
    by: Sequence[str],
    elapsed: float = 1.0,
) -> pd.DataFrame:
    """Compare accepted interviews with a quota table, cell by cell; cells the table does not have are findings too.

    Parameters
    ----------
    rows : DataFrame
        Accepted respondents.
    quota : DataFrame
        The columns of `by` and `planned` (interviews).
    by : sequence of str
        Columns of a cell, the area first; compared as text.
    elapsed : float
        Share of the fielding period that has passed (0-1): planned x elapsed interviews are due.

    Returns
    -------
    DataFrame
        COLUMNS, one row a cell, flagged below the `progress` of LIMITS: unit is the cell's codes joined by " x ", figure
        accepted / due, median and quartiles those
        of the other cells; then planned and accepted. Checks: quota, outside_quota.

    Raises
    ------
    ResponsesError
        R401 a column is missing; R402 a cell stands twice, or planned is no count.
    """
    require(rows, by)
    require(quota, [*by, "planned"])
    cells = quota[[*by]].astype(str)
    cells["planned"] = pd.to_numeric(quota["planned"], errors="coerce")
    _check_quota(cells, by)
    accepted = rows[[*by]].astype(str).value_counts(sort=False).rename("accepted")
    table = cells.merge(accepted.reset_index(), how="outer", on=list(by), sort=True)
    in_quota = table["planned"].notna()
    table[["planned", "accepted"]] = table[["planned", "accepted"]].fillna(0).astype(int)
    due = table["planned"] * elapsed
    table["figure"] = (table["accepted"] / due.where(due > 0)).astype(float)
    table[["median", "q1", "q3"]] = others_known(table["figure"].to_numpy()).T
    table["unit"] = table[list(by)].agg(" x ".join, axis=1)
    table["flag"] = ~in_quota | (table["figure"] < LIMITS.progress)
    tables = []
    for check, chosen in (("quota", in_quota), ("outside_quota", ~in_quota)):
        part = table[chosen].reset_index(drop=True)
        if len(part):
            found = findings(
                check,
                "cell",
                unit=part["unit"],
                county=part[by[0]],
                n=part["accepted"],
                figure=part["figure"],
                reference=part[["median", "q1", "q3"]].to_numpy().T,
                flag=part["flag"],
            )
            tables.append(found.join(part[["planned", "accepted"]]))
    return pd.concat(tables, ignore_index=True)


def by_day(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Count interviews by day.

    Returns
    -------
    DataFrame
        day, interviews, cumulative, and, where declared, interviewers and counties at work that day; days in order, "" for
        interviews without a day.
    """
    day = fields.codes(rows, "day").rename("day")
    table = day.groupby(day).size().rename("interviews").reset_index()
    table["cumulative"] = table["interviews"].cumsum()
    for name, plural in (("interviewer", "interviewers"), ("county", "counties")):
        if getattr(fields, name):
            codes = fields.codes(rows, name)
            table[plural] = codes.groupby(day).nunique().to_numpy()
    return table


def _check_quota(cells: pd.DataFrame, by: Sequence[str]) -> None:
    wrong = cells[list(by)].duplicated() | ~(cells["planned"] >= 0)
    if wrong.any():
        cell = " x ".join(cells.loc[wrong, list(by)].iloc[0])
        raise ResponsesError(
            "R402",
            _(
                "The quota table is not right: cell '{cell}' stands twice, or `planned` is "
                "no count.",
                cell=cell,
            ),
            where="quota",
            hint=_("Write each cell once, with the interviews planned."),
        )


def _by_area(counts: pd.Series, codes: list[str]) -> pd.Series:
    """Arrange counts in the order of the areas: 0 where an area has none, missing where nothing was counted."""
    if counts.empty:
        return pd.Series(pd.NA, index=range(len(codes)), dtype="Int64")
    return counts.reindex(codes, fill_value=0).astype("Int64").reset_index(drop=True)
