"""How a survey's fieldwork stands on a day: what was recorded, every check it allows, and the checks it does not."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from ..errors import ResponsesError
from ..fieldwork import (
    COLUMNS,
    Dispositions,
    Fields,
    Limits,
    declared_fields,
    dispositions,
    progress,
    quota_progress,
    response_rates,
    reversed_times,
    run_checks,
)
from ..fieldwork.checks import USUAL
from ..responses import Responses
from ..responses.coding import code_answers, normalise
from ..responses.deliveries import read_deliveries, respondents
from ..responses.events import Tables
from ..survey import Survey
from .besides import beside
from .words import left_out

PARADATA = {"started": "_started", "ended": "_ended", "duration": "_seconds", "device": "_device", "ip": "_ip"}
DAY = "_day"


@dataclass(frozen=True, slots=True)
class Standing:
    """The fieldwork of a survey up to a day.

    Attributes
    ----------
    survey : Survey
    responses : Responses
        With the interviews up to that day alone in `accepted`.
    day : str
        ISO text; empty where no day of interview is recorded.
    fields : Fields
        Which columns hold what.
    limits : Limits
    found : DataFrame
        Findings of every check that ran: the columns of `fieldwork.COLUMNS`, `other`, and planned and accepted of cells.
    left_out : DataFrame
        check, zh, en, needs_zh, needs_en; one row a check that did not run.
    progress : DataFrame
        As `fieldwork.progress`, one row an area.
    outcomes : Dispositions or None
    """

    survey: Survey
    responses: Responses
    day: str
    fields: Fields
    limits: Limits
    found: pd.DataFrame
    left_out: pd.DataFrame
    progress: pd.DataFrame
    outcomes: Dispositions | None

    @property
    def rows(self) -> pd.DataFrame:
        """Return the accepted respondents up to the day."""
        return self.responses.accepted


def stand(survey: Survey, responses: Responses, *, day: datetime.date | None = None, limits: Limits = USUAL) -> Standing:
    """Run every check of the fieldwork that a survey's declarations and paradata allow.

    Parameters
    ----------
    survey : Survey
    responses : Responses
        As `load_responses` returns them.
    day : date, optional
        Interviews up to this day are looked at; default: the last day of an accepted one.
    limits : Limits

    Raises
    ------
    ResponsesError
        R403 an outcome code that the map does not have; R406 a day is given, but none is recorded; R407 no accepted interview
        up to that day.
    """
    rows, fields = recorded(responses.accepted, survey)
    rows, until = up_to(rows, fields, day)
    found = [run_checks(rows, survey.questionnaire, fields=fields, limits=limits)]
    if survey.quota is not None:
        by = [name for name in survey.quota if name != "planned"]
        found.append(quota_progress(rows, survey.quota, by=by, elapsed=elapsed(survey, until), limits=limits))
    outcomes, cases = None, _cases(survey, responses)
    if survey.outcomes is not None and cases is not None:
        outcomes = dispositions(cases["outcome"], survey.outcomes)
        area = survey.questionnaire.roles.area
        found.append(response_rates(cases, survey.outcomes, outcome="outcome", by=area, limits=limits))
    further, reasons = beside(survey, responses, rows, fields=fields, limits=limits)
    every = pd.concat([*found, *(table for table in further if len(table))], ignore_index=True)
    every = every[[*COLUMNS, *(name for name in ("other", "planned", "accepted") if name in every)]]
    until_then = replace(responses, accepted=rows)
    return Standing(
        survey, until_then, until, fields, limits, every.assign(other=every["other"].fillna("")),
        left_out(set(every["check"]), reasons),
        progress(until_then, survey), outcomes,
    )  # fmt: skip


def recorded(accepted: pd.DataFrame, survey: Survey) -> tuple[pd.DataFrame, Fields]:
    """Return the respondents and which of their columns hold what; a column of paradata without a value is none.

    Without a duration it is the time between start and end. Without an interview date in the questionnaire the day is that of
    the start, else of the submission.
    """
    fields = declared_fields(survey.questionnaire)
    there = {field: name for field, name in PARADATA.items() if _has_values(accepted, name)}
    if fields.interviewer is None and _has_values(accepted, "_interviewer"):
        there["interviewer"] = "_interviewer"
    if "duration" not in there and {"started", "ended"} <= set(there):
        between = reversed_times(accepted, fields=replace(fields, **there))["figure"].to_numpy()
        accepted, there["duration"] = accepted.assign(**{PARADATA["duration"]: between}), PARADATA["duration"]
    stamps = [name for name in ("_started", "_submitted") if _has_values(accepted, name)]
    if fields.day is None and stamps:
        first = accepted[stamps[0]].astype(str).str.split("[ T]", n=1, regex=True).str[0]
        days = pd.to_datetime(first, errors="coerce", format="mixed")
        accepted, there["day"] = accepted.assign(**{DAY: days.dt.strftime("%Y-%m-%d").astype(object)}), DAY
    if survey.declared.fieldwork.modes is not None:
        there["mode"] = survey.declared.fieldwork.modes.item
    return accepted, replace(fields, **there)


def up_to(rows: pd.DataFrame, fields: Fields, day: datetime.date | None) -> tuple[pd.DataFrame, str]:
    """Return the interviews up to a day (default: the last one) and that day; those without a day are kept."""
    if fields.day is None:
        if day is not None:
            raise ResponsesError(
                "R406",
                "没有记录访问日期，不能按日报告。",
                "No day of interview is recorded; there is nothing to report by day.",
                where=f"--day {day}",
                hint=(
                    "不写 --day，或在问卷 roles 中声明 interview_date。",
                    "Leave out --day, or declare the role `interview_date`.",
                ),
            )
        return rows, ""
    days = rows[fields.day].dropna().astype(str)
    until = day.isoformat() if day is not None else str(days.max()) if len(days) else ""
    early = days.index[days <= until]
    if day is not None and early.empty:
        raise ResponsesError(
            "R407",
            f"到 {until} 为止没有已接受的答卷。",
            f"There is no accepted interview up to {until}.",
            where=f"--day {day}",
            available=(days.min(), days.max()) if len(days) else (),
            hint=("改为首末访问日之间的日期。", "Give a day between the first and the last one."),
        )
    return rows[rows[fields.day].isna() | rows.index.isin(early)].reset_index(drop=True), until


def elapsed(survey: Survey, day: str) -> float:
    """Return the share of the fielding period that has passed at the end of a day (0-1); 1 where either is not known."""
    fielded = survey.declared.fielded
    if fielded is None or not day:
        return 1.0
    passed = (datetime.date.fromisoformat(day) - fielded.start).days + 1
    return min(max(passed / ((fielded.end - fielded.start).days + 1), 0.0), 1.0)


def _has_values(rows: pd.DataFrame, column: str) -> bool:
    return column in rows and bool(rows[column].astype("string").str.strip().replace("", pd.NA).notna().any())


def _cases(survey: Survey, responses: Responses) -> pd.DataFrame | None:
    """Return the area and outcome of every case: of the file declared, else of all rows of files with outcomes; or None.

    Accepted interviews alone would make every rate 1; so the rejected rows, refusals among them, are read again.
    """
    if survey.cases is not None or survey.outcomes is None or not _has_values(responses.accepted, "_outcome"):
        return survey.cases
    questionnaire, area = survey.questionnaire, survey.questionnaire.roles.area
    raw = respondents(read_deliveries(survey).deliveries, questionnaire)
    raw = raw[raw["_aside"] == ""]
    raw = raw[(raw["_outcome"] != "").groupby(raw["_file"]).transform("any")]
    coded, _ = code_answers(normalise(raw, Tables(raw), survey, []), survey)
    known = coded[area].astype("string")
    return pd.DataFrame({area: known.astype(object).where(known.isin(survey.ranked_areas()), None), "outcome": raw["_outcome"]})


def counties(standing: Standing) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield code, respondents and findings of every ranked area, in order."""
    whose = standing.fields.codes(standing.rows, "county")
    rows, found = dict(list(standing.rows.groupby(whose))), dict(list(standing.found.groupby("county")))
    for code in standing.survey.ranked_areas():
        yield code, rows.get(code, standing.rows.iloc[:0]), found.get(code, standing.found.iloc[:0])
