"""Timing: interviews too fast, ending before they start, two at once, at odd hours, too many in a day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import USUAL, Fields, Limits, findings
from satisfaction.fieldwork.outliers import others_quartiles

Array = np.ndarray[Any, Any]
FENCE = 3.0  # interquartile ranges above the upper quartile: Tukey's far-out values


def speeders(rows: pd.DataFrame, *, fields: Fields, limits: Limits = USUAL) -> pd.DataFrame:
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
    seconds = pd.to_numeric(fields.column(rows, "duration"), errors="coerce").astype(float)
    by = seconds.groupby(fields.codes(rows, "mode"))
    reference = np.stack(
        [by.transform("quantile", share).to_numpy() for share in (0.5, 0.25, 0.75)]
    )
    figure = seconds.to_numpy()
    return _at_respondents(
        "speed",
        rows,
        figure,
        fields=fields,
        reference=reference,
        flag=figure < limits.speed * reference[0],
    )


def reversed_times(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviews that end no later than they start; figure: end minus start in seconds."""
    seconds = _seconds(rows, fields, "ended") - _seconds(rows, fields, "started")
    return _at_respondents(
        "reversed_times",
        rows,
        seconds,
        fields=fields,
        reference=_quartiles(seconds),
        flag=seconds <= 0,
    )


def overlaps(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Find interviews during which the same interviewer was in another; figure: the seconds shared with others, at most.

    Interviews without an interviewer or without both times are not compared; one that ends before it starts neither.
    """
    start, end = _seconds(rows, fields, "started"), _seconds(rows, fields, "ended")
    who = fields.codes(rows, "interviewer", needed=True).to_numpy()
    shared = np.full(len(rows), np.nan)
    used = np.flatnonzero((who != "") & (end > start))
    for one in pd.Series(used).groupby(who[used]).indices.values():
        at = used[one]
        shared[at] = overlap_seconds(start[at], end[at])
    return _at_respondents(
        "overlap", rows, shared, fields=fields, reference=_quartiles(shared), flag=shared > 0
    )


def odd_hours(rows: pd.DataFrame, *, fields: Fields, limits: Limits = USUAL) -> pd.DataFrame:
    """Find interviews that start outside the hours allowed; figure: the hour of the local clock (0-24)."""
    hour = _seconds(rows, fields, "started") % 86400 / 3600
    outside = (hour < limits.first_hour) | (hour >= limits.last_hour)
    return _at_respondents(
        "odd_hours", rows, hour, fields=fields, reference=_quartiles(hour), flag=outside
    )


def many_a_day(rows: pd.DataFrame, *, fields: Fields, most: int | None = None) -> pd.DataFrame:
    """Find interviewers with too many interviews in a day.

    Parameters
    ----------
    rows : DataFrame
    fields : Fields
    most : int, optional
        The most that are possible; without it, days beyond the upper quartile of the other interviewer-days by more than
        three interquartile ranges (at least one interview) are flagged.

    Returns
    -------
    DataFrame
        COLUMNS, one row an interviewer and day; unit is "interviewer day", county where most of them took place.

    Raises
    ------
    ResponsesError
        R401.
    """
    needed = {name: fields.codes(rows, name, needed=True) for name in ("interviewer", "day")}
    parts = pd.DataFrame(needed | {"county": fields.codes(rows, "county")})
    parts = parts[(parts["interviewer"] != "") & (parts["day"] != "")]
    keys = ["interviewer", "day"]
    table = pd.DataFrame(
        {"n": parts.groupby(keys).size(), "county": commonest(parts, "county", by=keys)}
    ).reset_index()
    figure = table["n"].to_numpy(float)
    reference = others_quartiles(figure)
    return findings(
        "many_a_day", "day", unit=table["interviewer"] + " " + table["day"], county=table["county"], n=table["n"], figure=figure,
        reference=reference, flag=figure > (upper_fence(reference) if most is None else most),
    )  # fmt: skip


def upper_fence(reference: Array) -> Array:
    """Where counts of a unit are far out of the others' (Tukey 1977): (3, U) median and quartiles -> (U,).

    An interquartile range below one counts as one, so that equal counts elsewhere do not flag the next number.
    """
    return np.asarray(reference[2] + FENCE * np.maximum(reference[2] - reference[1], 1))


def commonest(parts: pd.DataFrame, column: str, *, by: list[str]) -> pd.Series[Any]:
    """Return the commonest value of a column in each group, the first in order of several."""
    counted = parts.groupby([*by, column]).size().rename("n").reset_index()
    first = counted.sort_values(
        ["n", column], ascending=[False, True], kind="stable"
    ).drop_duplicates(by)
    return first.set_index(by)[column].sort_index()


def overlap_seconds(start: Array, end: Array) -> Array:
    """Seconds each interval shares with the one other it shares most with: (k,), (k,) -> (k,); ends after starts."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    latest = np.maximum.accumulate(end)
    before = np.minimum(end, np.concatenate([[-np.inf], latest[:-1]])) - start
    after = np.zeros(len(start))
    for step in range(1, len(start)):
        if not (end[:-step] > start[step:]).any():
            break
        after[:-step] = np.maximum(
            after[:-step], np.minimum(end[:-step], end[step:]) - start[step:]
        )
    found = np.empty(len(start))
    found[order] = np.maximum(np.maximum(before, after), 0)
    return found


def moments(text: pd.Series[Any]) -> pd.Series[Any]:
    """Read times; missing where unreadable, or without a year, for which pandas would take the year 1 or today."""
    dated = text.astype("string").str.contains(r"(?:^|\D)(?:19|20)\d\d", na=False)
    return pd.to_datetime(text.where(dated), errors="coerce", format="mixed")


def _seconds(rows: pd.DataFrame, fields: Fields, field: str) -> Array:
    """Read local clock times as seconds; nan where missing or unreadable."""
    text = fields.column(rows, field)
    if not pd.api.types.is_datetime64_any_dtype(text):
        text = (
            text.astype("string")
            .str.strip()
            .str.replace(r"(?<=\d)\s*(?:Z|[+-]\d{2}:?\d{2})$", "", regex=True)
        )
        text = moments(text)
    elif text.dt.tz is not None:
        text = text.dt.tz_localize(None)
    return np.asarray(
        ((text - pd.Timestamp(0)) / pd.Timedelta(seconds=1)).to_numpy(float, na_value=np.nan)
    )


def _at_respondents(
    check: str, rows: pd.DataFrame, figure: Array, *, fields: Fields, reference: Array, flag: Array
) -> pd.DataFrame:
    unit, county = fields.codes(rows, "respondent"), fields.codes(rows, "county")
    return findings(
        check,
        "respondent",
        unit=unit,
        county=county,
        n=1,
        figure=figure,
        reference=reference,
        flag=flag,
    )


def _quartiles(figure: Array) -> Array:
    known = figure[np.isfinite(figure)]
    found = np.quantile(known, [0.5, 0.25, 0.75]) if len(known) else np.full(3, np.nan)
    return np.asarray(found)[:, None]
