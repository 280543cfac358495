"""Findings: what every check returns and says in both languages, which columns it reads, where it draws its lines.

A flag is a reason to look, never a verdict: no check deletes or changes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import ResponsesError, require_names
from satisfaction.foundation.figures import ABSENT, percent
from satisfaction.foundation.language import N_, Text, _
from satisfaction.sampling.variance import Array

# fmt: off
COLUMNS = (
    "check", "level", "unit", "county", "n", "figure", "median", "q1", "q3", "p_bh", "flag", "zh", "en",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Check:
    """What is said of a check.

    Attributes
    ----------
    name : Text
        Short name.
    unit : {"share", "seconds", "count", "number"}
        How its figures are written.
    needs : Text
        What must be declared or recorded for it to run.
    figure : Text
        What its figures are.
    advice : Text
        What to do where it is flagged.
    """

    name: Text
    unit: Literal["share", "seconds", "count", "number"]
    needs: Text
    figure: Text
    advice: Text


_QUOTA = _("`quota` in survey.yaml")
_OUTCOMES = _("`outcomes` in survey.yaml and the outcome of every case")
_DURATION = _("a column of durations")
_STARTED = _("a column of starting times")
_TIMES = _("columns of starting and ending times")
_BY_INTERVIEWER = _("a column of interviewers")
_DAYS = _("columns of interview days and interviewers")
_TOPICS = _("`topics` in the questionnaire")
_EFFECT = _("a column of interviewers, and `topics` in the questionnaire")
_BACK = _("`fieldwork: backcheck` in survey.yaml (re-interviews)")
_MODES = _("`fieldwork: modes` in survey.yaml (modes of interview)")
_WAVES = _("`fieldwork: earlier` in survey.yaml (the wave before)")
_RATES = _("rates `awareness` and `participation` in the questionnaire")
_NUMBER = _("numbers of respondents")
CHECKS: dict[str, Check] = {
    "quota": Check(
        name=_("quota"), unit="share", needs=_QUOTA,
        figure=_("interviews accepted / due by today"),
        advice=_("behind: check sample release, staff and hours of contact with the team"),
    ),
    "outside_quota": Check(
        name=_("outside the quota"), unit="share", needs=_QUOTA,
        figure=_("cell that the quota table does not have"),
        advice=_("check the codes of this cell, or add it to the quota table"),
    ),
    "response_rate": Check(
        name=_("response rate"), unit="share", needs=_OUTCOMES,
        figure=_("response rate RR1 beside the other units"),
        advice=_("check how outcome codes are used and how often persons are called back"),
    ),
    "speed": Check(
        name=_("too fast"), unit="seconds", needs=_DURATION,
        figure=_("duration of the interview (seconds)"),
        advice=_("too fast: listen to the recording or call back; were all questions read?"),
    ),
    "reversed_times": Check(
        name=_("reversed times"), unit="seconds", needs=_TIMES,
        figure=_("end minus start (seconds)"),
        advice=_("ends no later than it starts: check the device's clock and the entry"),
    ),
    "overlap": Check(
        name=_("overlap"), unit="seconds", needs=_TIMES,
        figure=_("seconds shared with another interview of the same interviewer"),
        advice=_("one interviewer in two interviews at once: check recordings, places and the "
"interviewer's code"),
    ),
    "odd_hours": Check(
        name=_("odd hours"), unit="number", needs=_STARTED,
        figure=_("hour at which it starts"),
        advice=_("outside the hours allowed: check the clock, the time zone and the interview"),
    ),
    "many_a_day": Check(
        name=_("interviews in a day"), unit="count", needs=_DAYS,
        figure=_("interviews of an interviewer in a day"),
        advice=_("too many for one day: listen to recordings, call back"),
    ),
    "straight_line": Check(
        name=_("straight-lining"), unit="share", needs=_TOPICS,
        figure=_("longest run of equal answers / items (respondent); share with all answers "
"equal (interviewer, county)"),
        advice=_("straight-lining: listen to recordings; was each item asked?"),
    ),
    "little_variance": Check(
        name=_("little variance"), unit="share", needs=_TOPICS,
        figure=_("variance of the answers (share of the largest possible)"),
        advice=_("answers too much alike: draw a back-check"),
    ),
    "no_answer": Check(
        name=_("no answer"), unit="share", needs=_BY_INTERVIEWER,
        figure=_("share of items asked and left without an answer"),
        advice=_("many blanks: check skips and entry, remind the interviewer"),
    ),
    "dont_know": Check(
        name=_("don't know"), unit="share", needs=_BY_INTERVIEWER,
        figure=_("share of items answered don't know"),
        advice=_("many don't-knows: was there probing, was it a proxy?"),
    ),
    "near_duplicate": Check(
        name=_("near duplicate"), unit="share", needs=_NUMBER,
        figure=_("highest share of answers equal to another of the county (respondent); share "
"who reach the mark (county)"),
        advice=_("almost the same as another: compare times, recordings and devices of both"),
    ),
    "duplicate_id": Check(
        name=_("number twice"), unit="count", needs=_NUMBER,
        figure=_("times the number stands"),
        advice=_("a number stands more than once: settle which is valid, correct the other"),
    ),
    "shared_device": Check(
        name=_("one device"), unit="count", needs=_("a column of devices"),
        figure=_("interviews from one device"),
        advice=_("many from one device: were they filled in by someone else?"),
    ),
    "shared_ip": Check(
        name=_("one network address"), unit="count", needs=_("a column of network addresses"),
        figure=_("interviews from one network address (hashed)"),
        advice=_("many from one address: were answers collected in one place?"),
    ),
    "interviewer_effect": Check(
        name=_("interviewer effect"), unit="number", needs=_EFFECT,
        figure=_("intraclass correlation of interviewers"),
        advice=_("answers to one interviewer are too much alike: train how this item is asked"),
    ),
    "interviewer_mean": Check(
        name=_("interviewer's mean"), unit="number", needs=_EFFECT,
        figure=_("mean of the interviewer"),
        advice=_("far from the others of the county: listen to recordings, call back"),
    ),
    "back_check": Check(
        name=_("back-check disagreement"), unit="share", needs=_BACK,
        figure=_("share of back-checked answers that differ (interviewer); kappa (item)"),
        advice=_("back-check disagrees: review the interviewer's work; for an item, its wording"),
    ),
    "back_check_lost": Check(
        name=_("back-check lost"), unit="number", needs=_BACK,
        figure=_("back-checked number that no accepted interview has"),
        advice=_("check the number, or why that interview was rejected"),
    ),
    "mode_gap": Check(
        name=_("mode gap"), unit="number", needs=_MODES,
        figure=_("difference between the means of two modes"),
        advice=_("a gap larger than elsewhere: were face-to-face interviews accompanied?"),
    ),
    "top_box": Check(
        name=_("all top answers"), unit="share", needs=_TOPICS,
        figure=_("share who give the highest answer to every item"),
        advice=_("many perfect scores: back-check by another county's team; look for model answers"),
    ),
    "knowledge_ceiling": Check(
        name=_("knowledge ceiling"), unit="share", needs=_RATES,
        figure=_("awareness minus participation (difference of shares)"),
        advice=_("awareness near the ceiling, participation low: was it learnt by heart?"),
    ),
    "jump": Check(
        name=_("jump"), unit="number", needs=_WAVES,
        figure=_("change since the last wave"),
        advice=_("a change beyond the others' and beyond sampling error: check fieldwork "
"before explaining it"),
    ),
}  # fmt: skip
LEVELS = {
    "respondent": _("respondents"),
    "interviewer": _("interviewers"),
    "county": _("counties"),
    "cell": _("cells"),
    "day": _("interviewer-days"),
    "device": _("devices"),
    "ip": _("network addresses"),
    "item": _("items"),
}


@dataclass(frozen=True, slots=True)
class Fields:
    """Which columns of the respondents hold what; None where it was not recorded.

    Attributes
    ----------
    respondent : str
    county, interviewer, mode : str
        Area, interviewer and mode of interview, as codes.
    day : str
        Day of the interview, ISO text.
    started, ended : str
        Local clock times; an offset ("+08:00") is dropped.
    duration : str
        Seconds.
    device, ip : str
        Device codes; network addresses only as hashes.
    """

    respondent: str
    county: str | None = None
    interviewer: str | None = None
    mode: str | None = None
    day: str | None = None
    started: str | None = None
    ended: str | None = None
    duration: str | None = None
    device: str | None = None
    ip: str | None = None

    def column(self, rows: pd.DataFrame, field: str) -> pd.Series:
        """Return the column of a field.

        Raises
        ------
        ResponsesError
            R401 when the field is not declared, or its column is not there.
        """
        name = getattr(self, field) or f"<{field}>"
        require(rows, [name])
        return rows[name]

    def codes(self, rows: pd.DataFrame, field: str, *, needed: bool = False) -> pd.Series:
        """Return a field as text, "" where missing; all "" where the field is not declared and not needed either."""
        if getattr(self, field) is None and not needed:
            return pd.Series("", index=rows.index, dtype=object)
        column = self.column(rows, field)
        return column.astype(object).where(column.notna(), "").map(str)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the checks draw their lines; printed in every workbook.

    Attributes
    ----------
    false_discovery : float
        Benjamini-Hochberg level of every check that tests units.
    respondent_rate : float
        Share of respondents of a clean county that a comparison with other counties may flag, at most.
    tolerated_rho : float
        Intraclass correlation that interviewers may have (0.02: the lower end of what field reports show).
    speed : float
        Durations below this share of the median of their mode.
    first_hour, last_hour : int
        Interviews start from first_hour:00 to before last_hour:00.
    match : float
        Share of equal answers from which a county's near duplicates are counted (Kuriakose and Robbins 2016).
    kappa : float
        Least kappa of a back-checked item.
    progress : float
        Least share of the interviews due by today.
    """

    false_discovery: float = 0.05
    respondent_rate: float = 0.01
    tolerated_rho: float = 0.02
    speed: float = 1 / 3
    first_hour: int = 8
    last_hour: int = 21
    match: float = 0.85
    kappa: float = 0.4
    progress: float = 0.8


LIMITS = Limits()


def declared_fields(questionnaire: Questionnaire) -> Fields:
    """Return the fields that a questionnaire's roles declare; paradata are added with `dataclasses.replace`."""
    roles = questionnaire.roles
    return Fields(
        roles.respondent, county=roles.area, interviewer=roles.interviewer, day=roles.interview_date
    )


def require(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse columns that are not there.

    Raises
    ------
    ResponsesError
        R401.
    """
    not_there = N_("A fieldwork check needs column '{name}', which is not there.")
    hint = _("Add the column, or correct its name in Fields.")
    require_names(
        columns, rows, ResponsesError, code="R401", text=not_there, where="fieldwork", hint=hint
    )


def numeric_columns(rows: pd.DataFrame, columns: Sequence[str]) -> Array:
    """Return columns as numbers, nan where there is none: (rows, columns) float; R401 as `require`."""
    require(rows, columns)
    return np.asarray(rows[list(columns)].to_numpy(float, na_value=np.nan))


def ratio(part: Any, whole: Any) -> Array:
    """Divide; nan where the whole is not above 0."""
    parts = np.asarray(part, float)
    wholes = np.asarray(whole, float)
    nothing = np.full(parts.shape, np.nan)
    return np.asarray(np.divide(parts, wholes, out=nothing, where=wholes > 0))


def findings(
    check: str,
    level: str,
    *,
    unit: Any,
    county: Any,
    n: Any,
    figure: Any,
    reference: Any,
    flag: Any,
    p_bh: Any = np.nan,
) -> pd.DataFrame:
    """Arrange the findings of a check as COLUMNS; advice stands where a unit is flagged.

    Parameters
    ----------
    check : str
        One of CHECKS.
    level : str
        Kind of unit: respondent, interviewer, county, cell, day, device, item.
    unit, county, n, figure, flag, p_bh : (U,) or scalar
    reference : (3, U) float
        Median and quartiles of what the figure is compared with.
    """
    raised = np.asarray(flag, dtype=bool)
    advice = CHECKS[check].advice
    quartiles = np.asarray(reference, float)
    median, q1, q3 = np.broadcast_to(quartiles, (3, len(raised)))
    columns = {
        "check": check,
        "level": level,
        "unit": np.asarray(unit, dtype=object).astype(str),
        "county": county,
        "n": n,
        "figure": figure,
        "median": median,
        "q1": q1,
        "q3": q3,
        "p_bh": p_bh,
        "flag": raised,
        "zh": np.where(raised, advice.zh, ""),
        "en": np.where(raised, advice.en, ""),
    }
    # arrays, because a Series would be matched by its index
    arrays = {}
    for name, values in columns.items():
        arrays[name] = np.broadcast_to(np.asarray(values), raised.shape)
    return pd.DataFrame(arrays)


def in_one_table(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put findings of several levels or checks into one table; `other` is empty where there is none."""
    found = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    if "other" in found:
        found["other"] = found["other"].fillna("")
    return found


def no_findings() -> pd.DataFrame:
    """Return a table of findings without a row."""
    none = np.empty(0)
    reference = np.empty((3, 0))
    return findings(
        "speed", "", unit=none, county="", n=0, figure=none, reference=reference, flag=none
    )


def written(check: str, value: float, level: str = "") -> str:
    """Write a figure of a check: shares in per cent, the others as they are; a dash where there is none.

    >>> written("back_check", 1 / 6, "interviewer"), written("back_check", 0.45, "item")
    ('16.7%', 'kappa 0.45')
    """
    if pd.isna(value):
        return ABSENT
    if (check, level) == ("back_check", "item"):
        return f"kappa {value:.3g}"
    unit = CHECKS[check].unit
    if unit == "share":
        return percent(value)
    if unit in ("seconds", "count"):
        return f"{value:,.0f}"
    return f"{round(value, 6) + 0.0:.3g}"
