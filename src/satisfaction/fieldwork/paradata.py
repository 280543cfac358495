"""What was recorded beside the answers: numbers, devices and network addresses that stand again; times.

Timing: interviews too fast, ending before they start, two at once, at odd hours, too many in a day.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import LIMITS, Fields
from satisfaction.fieldwork.outliers import (
    far_out,
    of_respondents,
)
from satisfaction.foundation.errors import ResponsesError
from satisfaction.foundation.language import _
from satisfaction.sampling.variance import Array

PERSONAL = re.compile(
    r"^\s*(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}|(?:\+?86)?1[3-9]\d{9})\b"
)


def duplicate_ids(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find respondents whose number stands more than once.

    Returns
    -------
    DataFrame
        COLUMNS, check duplicate_id, one row a respondent in row order; figure: times the number stands. A missing number is
        not compared.

    Raises
    ------
    ResponsesError
        R401.
    """
    unit = fields.codes(rows, "respondent", needed=True)
    times = unit.groupby(unit).transform("size")
    times = times.where(unit != "").to_numpy(float)
    return of_respondents("duplicate_id", rows, fields=fields, figure=times, flag=times > 1)


def shared_values(
    rows: pd.DataFrame, *, fields: Fields, field: Literal["device", "ip"]
) -> pd.DataFrame:
    """Find devices or network addresses with far more interviews than the others.

    Parameters
    ----------
    rows : DataFrame
    fields : Fields
    field : {"device", "ip"}

    Returns
    -------
    DataFrame
        COLUMNS; one row a device or address, the largest first; county is the commonest. Checks: shared_device, shared_ip.

    Raises
    ------
    ResponsesError
        R401; R405 for values that are a network address or telephone number as it stands: hash them before.
    """
    value = fields.codes(rows, field, needed=True)
    if value.str.match(PERSONAL).any():
        raise ResponsesError(
            "R405",
            _(
                "The column of '{field}' holds network addresses or telephone numbers as they are.",
                field=field,
            ),
            where="fieldwork",
            hint=_("Hash the column with a key before the check."),
        )
    interviews = pd.DataFrame({"unit": value, "county": fields.codes(rows, "county")})
    table = counted(interviews[interviews["unit"] != ""], by=["unit"])
    table = table.sort_values(["n", "unit"], ascending=[False, True], ignore_index=True)
    return far_out(f"shared_{field}", field, table)


def speeders(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviews shorter than a share of the median of their mode.

    Returns
    -------
    DataFrame
        COLUMNS, one row a respondent in row order; figure in seconds, median and quartiles those of the mode. A duration
        that is missing or no number is not flagged here.

    Raises
    ------
    ResponsesError
        R401.
    """
    durations = fields.column(rows, "duration")
    seconds = pd.to_numeric(durations, errors="coerce").astype(float)
    by_mode = seconds.groupby(fields.codes(rows, "mode"))
    medians_and_quartiles = [by_mode.transform("quantile", part) for part in (0.5, 0.25, 0.75)]
    reference = np.stack(medians_and_quartiles)
    figure = seconds.to_numpy()
    flag = figure < LIMITS.speed * reference[0]
    return of_respondents(
        "speed", rows, fields=fields, figure=figure, flag=flag, reference=reference
    )


def reversed_times(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviews that end no later than they start; figure: end minus start in seconds."""
    seconds = _seconds(rows, fields, "ended") - _seconds(rows, fields, "started")
    return of_respondents("reversed_times", rows, fields=fields, figure=seconds, flag=seconds <= 0)


def overlaps(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviews during which the same interviewer was in another; figure: the seconds shared with others, at most.

    Interviews without an interviewer or without both times are not compared; one that ends before it starts neither.
    """
    start = _seconds(rows, fields, "started")
    end = _seconds(rows, fields, "ended")
    interviewer = fields.codes(rows, "interviewer", needed=True).to_numpy()
    shared = np.full(len(rows), np.nan)
    compared = np.flatnonzero((interviewer != "") & (end > start))
    groups = pd.Series(compared).groupby(interviewer[compared]).indices
    for positions in groups.values():
        interviews = compared[positions]
        shared[interviews] = overlap_seconds(start[interviews], end[interviews])
    return of_respondents("overlap", rows, fields=fields, figure=shared, flag=shared > 0)


def odd_hours(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviews that start outside the hours allowed; figure: the hour of the local clock (0-24)."""
    hour = _seconds(rows, fields, "started") % 86400 / 3600
    outside = (hour < LIMITS.first_hour) | (hour >= LIMITS.last_hour)
    return of_respondents("odd_hours", rows, fields=fields, figure=hour, flag=outside)


def many_a_day(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviewers with far more interviews in a day than on the other interviewer-days.

    Returns
    -------
    DataFrame
        COLUMNS, one row an interviewer and day; unit is "interviewer day", county where most of them took place.

    Raises
    ------
    ResponsesError
        R401.
    """
    interviews = pd.DataFrame({"county": fields.codes(rows, "county")})
    for name in ("interviewer", "day"):
        interviews[name] = fields.codes(rows, name, needed=True)
    keys = ["interviewer", "day"]
    interviews = interviews[(interviews[keys] != "").all(axis=1)]
    table = counted(interviews, by=keys)
    table["unit"] = table["interviewer"] + " " + table["day"]
    return far_out("many_a_day", "day", table)


def counted(interviews: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Count interviews by group as `n`, with the commonest county of each, the first in order of several."""
    counts = interviews.groupby([*by, "county"]).size().rename("n").reset_index()
    most = counts.sort_values(["n", "county"], ascending=[False, True], kind="stable")
    county = most.drop_duplicates(by)[[*by, "county"]]
    return counts.groupby(by)["n"].sum().reset_index().merge(county, on=by)


def overlap_seconds(start: Array, end: Array) -> Array:
    """Seconds each interval shares with the one other it shares most with: (k,), (k,) -> (k,); ends after starts."""
    order = np.argsort(start, kind="stable")
    start = start[order]
    end = end[order]
    ends = np.maximum.accumulate(end)
    latest_end = np.concatenate([[-np.inf], ends[:-1]])
    with_earlier = np.minimum(end, latest_end) - start
    with_later = np.zeros(len(start))
    for step in range(1, len(start)):
        earlier = slice(None, -step)
        later_start = start[step:]
        if not (end[earlier] > later_start).any():
            break
        shared = np.minimum(end[earlier], end[step:]) - later_start
        with_later[earlier] = np.maximum(with_later[earlier], shared)
    seconds = np.empty(len(start))
    seconds[order] = np.maximum(np.maximum(with_earlier, with_later), 0)
    return seconds


def moments(text: pd.Series[Any]) -> pd.Series[Any]:
    """Read times; missing where unreadable, or without a year, for which pandas would take the year 1 or today."""
    dated = text.astype("string").str.contains(r"(?:^|\D)(?:19|20)\d\d", na=False)
    return pd.to_datetime(text.where(dated), errors="coerce", format="mixed")


def _seconds(rows: pd.DataFrame, fields: Fields, field: str) -> Array:
    """Read local clock times as seconds; nan where missing or unreadable."""
    times = fields.column(rows, field)
    if not pd.api.types.is_datetime64_any_dtype(times):
        text = times.astype("string").str.strip()
        local = text.str.replace(r"(?<=\d)\s*(?:Z|[+-]\d{2}:?\d{2})$", "", regex=True)
        times = moments(local)
    elif times.dt.tz is not None:
        times = times.dt.tz_localize(None)
    seconds = (times - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    return np.asarray(seconds.to_numpy(float, na_value=np.nan))
