"""What a team receives: all findings of a day, one workbook a day, one page a county."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as slots
from typing import Any

import pandas as pd

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.fieldwork.answers import answer_codes, open_items, points, rate_values
from satisfaction.fieldwork.checks import CHECKS, COLUMNS, USUAL, Fields, Limits
from satisfaction.fieldwork.coaching import knowledge_ceiling, top_box
from satisfaction.fieldwork.dispositions import Dispositions
from satisfaction.fieldwork.duplicates import duplicate_ids, near_duplicates, shared_values
from satisfaction.fieldwork.interviewers import interviewer_effects, interviewer_means
from satisfaction.fieldwork.patterns import little_variance, straight_lining
from satisfaction.fieldwork.progress import by_day
from satisfaction.fieldwork.timing import many_a_day, odd_hours, overlaps, reversed_times, speeders

NOTE = (
    "标记只是核查的线索，不是结论；检查不删除、不修改任何记录。",
    "A flag is a reason to look, never a verdict; no check deletes or changes a row.",
)
ORIGIN = {"_file": "file", "_sheet": "sheet", "_row": "row"}


def run_checks(
    rows: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    fields: Fields,
    limits: Limits = USUAL,
    rates: tuple[str, str] = ("awareness", "participation"),
) -> pd.DataFrame:
    """Run every check that accepted respondents and their paradata allow; a check whose fields are missing is left out.

    Parameters
    ----------
    rows : DataFrame
        Accepted respondents as coded, with the columns of paradata that `fields` names.
    questionnaire : Questionnaire
        Its topics are the battery; all coded items but those of the sample design are compared for near duplicates.
    fields : Fields
    limits : Limits
    rates : (str, str)
        Knowledge and participation; compared where the questionnaire has both.

    Returns
    -------
    DataFrame
        COLUMNS and `other`, the interview a near duplicate is near to. Findings of quotas, response rates, back-checks, modes and waves need tables of their own: concatenate them.

    Raises
    ------
    ResponsesError
        R401, R405.
    """
    found = _timing(rows, fields, limits)
    found += _answers(rows, questionnaire, fields, limits)
    found.append(duplicate_ids(rows, fields=fields))
    if fields.device:
        found.append(shared_values(rows, fields=fields, field="device"))
    if fields.ip:
        found.append(shared_values(rows, fields=fields, field="ip"))
    if set(rates) <= set(questionnaire.rates):
        values = rows.assign(**rate_values(rows, questionnaire, rates))
        found.append(
            knowledge_ceiling(
                values, knowledge=rates[0], participation=rates[1], fields=fields, limits=limits
            )
        )
    listed = pd.concat([table for table in found if len(table)], ignore_index=True).reindex(
        columns=[*COLUMNS, "other"]
    )
    return listed.assign(other=listed["other"].fillna(""))


def daily_workbook(
    rows: pd.DataFrame,
    found: pd.DataFrame,
    *,
    fields: Fields,
    day: str,
    mark: str,
    limits: Limits = USUAL,
    outcomes: Dispositions | None = None,
) -> Mapping[str, pd.DataFrame]:
    """Arrange a day's findings as the sheets of one workbook, for `io.writing.write_xlsx`.

    Parameters
    ----------
    rows : DataFrame
        Accepted respondents up to that day.
    found : DataFrame
        Findings of `run_checks` and of any other check.
    fields : Fields
    day : str
        The day of the report, ISO text.
    mark : str
        What every output must say about the sample (`published.mark`); a column of every sheet.
    limits : Limits
        As the checks used them; printed.
    outcomes : Dispositions, optional

    Returns
    -------
    dict
        Sheets notes, checks (what was compared and flagged), flags (with file and row), counties and interviewers (one
        column a check), days where the day is recorded, cells where there are quotas, outcomes and rates where given.
    """
    sheets = {
        "notes": _notes(day, len(rows), limits),
        "checks": _summary(found),
        "flags": _flags(found, rows, fields),
    }
    for level, name in (("county", "counties"), ("interviewer", "interviewers")):
        if (found["level"] == level).any():
            sheets[name] = _wide(found[found["level"] == level])
    if fields.day:
        sheets["days"] = by_day(rows, fields=fields)
    if (cells := found[found["level"] == "cell"].drop(columns="level")).size:
        sheets["cells"] = cells
    if outcomes is not None:
        share = pd.DataFrame({"rate": ["e"], "value": [outcomes.e], "formula": [outcomes.e_source]})
        sheets |= {
            "outcomes": outcomes.counts,
            "rates": pd.concat([outcomes.rates, share], ignore_index=True),
        }
    return {name: _shown(table).assign(mark=mark) for name, table in sheets.items()}


def county_page(
    rows: pd.DataFrame, found: pd.DataFrame, county: str, *, fields: Fields, mark: str
) -> Mapping[str, pd.DataFrame]:
    """Select what one county's page shows.

    Returns
    -------
    dict
        figures (each check of the county beside the other counties), interviewers, cells, flags (respondents, devices and
        days, with file and row), days; every table with the mark. Tables without a row are kept: they say that nothing is there.
    """
    own, mine = found[found["county"] == county], rows[fields.codes(rows, "county") == county]
    titles = (
        own["check"].map(lambda check: CHECKS[check][0]),
        own["check"].map(lambda check: CHECKS[check][1]),
    )
    named = own.assign(figure_zh=titles[0], figure_en=titles[1])
    single = own[~own["level"].isin(["county", "interviewer", "cell"])]
    tables = {
        "figures": named[named["level"] == "county"].drop(columns=["level", "unit", "county"]),
        "interviewers": named[named["level"] == "interviewer"].drop(columns=["level", "county"]),
        "cells": named[named["level"] == "cell"].drop(columns=["level", "county"]),
        "flags": _flags(single, rows, fields),
    }
    if fields.day:
        tables["days"] = by_day(mine, fields=fields)
    return {name: _shown(table).assign(mark=mark) for name, table in tables.items()}


def _timing(rows: pd.DataFrame, fields: Fields, limits: Limits) -> list[pd.DataFrame]:
    found = []
    if fields.duration:
        found.append(speeders(rows, fields=fields, limits=limits))
    if fields.started:
        found.append(odd_hours(rows, fields=fields, limits=limits))
    if fields.started and fields.ended:
        found.append(reversed_times(rows, fields=fields))
    if fields.started and fields.ended and fields.interviewer:
        found.append(overlaps(rows, fields=fields))
    if fields.day and fields.interviewer:
        found.append(many_a_day(rows, fields=fields))
    return found


def _answers(
    rows: pd.DataFrame, questionnaire: Questionnaire, fields: Fields, limits: Limits
) -> list[pd.DataFrame]:
    battery, roles = questionnaire.topics, questionnaire.roles
    design = {roles.area, *roles.strata, *questionnaire.eligibility, *filter(None, [fields.mode])}
    compared = answer_codes(rows, questionnaire, without=design)
    found = [
        near_duplicates(rows.assign(**compared), list(compared), fields=fields, limits=limits),
        open_items(rows, questionnaire, fields=fields, limits=limits),
    ]
    if battery:
        scored = rows.assign(**points(rows, questionnaire, battery))
        tops = {
            item: max(answer.score or 0 for answer in questionnaire.answers(item).values())
            for item in battery
        }
        found += [
            straight_lining(rows, battery, fields=fields, limits=limits),
            little_variance(scored, battery, fields=fields, limits=limits),
            top_box(scored, tops, fields=fields, limits=limits),
            interviewer_means(scored, battery, fields=fields, limits=limits),
        ]
        if fields.interviewer:
            found.append(interviewer_effects(scored, battery, fields=fields, limits=limits))
    return found


def _notes(day: str, interviews: int, limits: Limits) -> pd.DataFrame:
    lines = [("day", day), ("interviews", interviews), ("说明", NOTE[0]), ("note", NOTE[1])]
    return pd.DataFrame(
        [*lines, *((one.name, getattr(limits, one.name)) for one in slots(limits))],
        columns=["name", "value"],
    )


def _summary(found: pd.DataFrame) -> pd.DataFrame:
    """Count, for every check, the units looked at and flagged; one that was not run or found no such unit has none."""
    counted = (
        found.groupby(["check", "level"], sort=False)["flag"].agg(["size", "sum"]).reset_index()
    )
    titles = pd.DataFrame(
        [(check, zh, en) for check, (zh, en, _, _) in CHECKS.items()], columns=["check", "zh", "en"]
    )
    table = titles.merge(
        counted.rename(columns={"size": "units", "sum": "flagged"}), how="left", on="check"
    )
    return table.assign(
        level=table["level"].fillna("not run, or none 未检查或没有"),
        **table[["units", "flagged"]].fillna(0).astype(int),
    )


def _flags(found: pd.DataFrame, rows: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """List what is flagged; respondents with the place they were read from, each of several with one number its own."""
    time = found.groupby(["check", "level", "unit"], sort=False).cumcount()
    columns = [name for name in (*COLUMNS, "other") if name != "flag" and name in found]
    flagged = found[columns].assign(time=time)[found["flag"]]
    unit = fields.codes(rows, "respondent")
    places = rows[[name for name in ORIGIN if name in rows]].rename(columns=ORIGIN)
    places = places.assign(unit=unit, level="respondent", time=unit.groupby(unit).cumcount())
    return flagged.merge(places, how="left", on=["unit", "level", "time"]).drop(columns="time")


def _wide(found: pd.DataFrame) -> pd.DataFrame:
    """Set the figures of a level side by side: a column a check, and the names of the checks that flag the unit."""
    keys = ["county", "unit"]
    units = pd.MultiIndex.from_frame(found[keys].drop_duplicates())
    table = found.pivot_table(
        index=keys, columns="check", values="figure", aggfunc="first", sort=False
    ).rename_axis(columns=None)
    table, flagged = (
        table.reindex(units),
        found[found["flag"]].groupby(keys)["check"].agg("; ".join),
    )
    return table.assign(flagged=flagged.reindex(table.index).fillna("")).reset_index()


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Round to four significant digits; the findings themselves are not rounded."""
    floats: dict[str, Any] = {
        name: table[name].map(_four_digits) for name in table.select_dtypes("float")
    }
    return table.assign(**floats).reset_index(drop=True)


def _four_digits(value: float) -> float:
    return float(f"{value:.4g}")
