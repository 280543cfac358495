"""The same number, device or network address again.

Near duplicates: the highest share of answers equal to another interview of the county (Kuriakose and Robbins 2016).

A fixed mark finds honest twins where options are few, respondents many or opinions alike (Pew 2016): what is flagged is
what other counties do not show.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import USUAL, Fields, Limits, findings, require
from satisfaction.fieldwork.outliers import (
    at_counties,
    at_interviewers,
    at_respondents,
    others_quartiles,
)
from satisfaction.fieldwork.timing import commonest, upper_fence
from satisfaction.foundation.errors import ResponsesError

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
    times = unit.groupby(unit).transform("size").where(unit != "").to_numpy(float)
    known = times[np.isfinite(times)]
    reference = (
        np.quantile(known, [0.5, 0.25, 0.75])[:, None] if len(known) else np.full((3, 1), np.nan)
    )
    return findings(
        "duplicate_id", "respondent", unit=unit, county=fields.codes(rows, "county"), n=1, figure=times, reference=reference,
        flag=times > 1,
    )  # fmt: skip


def shared_values(
    rows: pd.DataFrame, *, fields: Fields, field: Literal["device", "ip"], most: int | None = None
) -> pd.DataFrame:
    """Find devices or network addresses with more interviews than others.

    Parameters
    ----------
    rows : DataFrame
    fields : Fields
    field : {"device", "ip"}
    most : int, optional
        The most that are in order (1 where residents answer on their own devices); without it, those beyond the upper
        quartile of the others by more than three interquartile ranges are flagged.

    Returns
    -------
    DataFrame
        COLUMNS and counties, interviewers (numbers of different ones); one row a device or address, the largest first; county
        is the commonest. Checks: shared_device, shared_ip.

    Raises
    ------
    ResponsesError
        R401; R405 for values that are a network address or telephone number as it stands: hash them before.
    """
    value = fields.codes(rows, field, needed=True)
    _refuse_personal(value, field)
    parts = pd.DataFrame(
        {name: fields.codes(rows, name) for name in ("county", "interviewer")}
    ).assign(value=value)
    parts = parts[parts["value"] != ""]
    by = parts.groupby("value")
    table = pd.DataFrame({"n": by.size(), "county": commonest(parts, "county", by=["value"])})
    table = table.assign(
        counties=by["county"].nunique(), interviewers=by["interviewer"].nunique()
    ).reset_index()
    table = table.sort_values(["n", "value"], ascending=[False, True], ignore_index=True)
    figure = table["n"].to_numpy(float)
    reference = others_quartiles(figure)
    found = findings(
        f"shared_{field}", field, unit=table["value"], county=table["county"], n=table["n"], figure=figure, reference=reference,
        flag=figure > (upper_fence(reference) if most is None else most),
    )  # fmt: skip
    return found.assign(counties=table["counties"], interviewers=table["interviewers"])


def _refuse_personal(value: pd.Series[Any], field: str) -> None:
    if value.str.match(PERSONAL).any():
        raise ResponsesError(
            "R405",
            f"'{field}' 列含未散列的网络地址或电话号码。",
            f"The column of '{field}' holds network addresses or telephone numbers as they are.",
            where="fieldwork",
            hint=("先以密钥散列该列，再做检查。", "Hash the column with a key before the check."),
        )


Array = np.ndarray[Any, Any]
BLOCK = 512  # rows compared with all others of the county at a time


def near_duplicates(
    rows: pd.DataFrame, items: Sequence[str], *, fields: Fields, limits: Limits = USUAL
) -> pd.DataFrame:
    """Find interviews almost equal to another of the county, and interviewers and counties with many of them.

    Parameters
    ----------
    rows : DataFrame
    items : sequence of str
        Answers to compare, as codes, special codes included; ten or more. What is equal by design (county, day) stays out.
    fields : Fields
    limits : Limits
        `respondent_rate`; `match` is what counts as near for the shares of interviewers and counties.

    Returns
    -------
    DataFrame
        COLUMNS and `other`, the respondent with the most equal answers; check near_duplicate at the levels respondent,
        interviewer, county. The highest share grows with the interviews of a county: compare counties of like size.
    """
    require(rows, items)
    codes = (
        np.stack([pd.factorize(rows[name])[0] for name in items], axis=1)
        if items
        else np.empty((len(rows), 0), int)
    )
    respondent = fields.codes(rows, "respondent").to_numpy()
    share, other = np.full(len(rows), np.nan), np.full(len(rows), "", dtype=object)
    for at in (
        pd.Series(range(len(rows)))
        .groupby(fields.codes(rows, "county").to_numpy())
        .indices.values()
    ):
        share[at], partner = highest_match(codes[at], least=max(1, codes.shape[1] // 2))
        other[at] = np.where(partner >= 0, respondent[at][partner], "")
    near = np.where(np.isfinite(share), share >= limits.match, np.nan)
    persons = at_respondents("near_duplicate", rows, share, fields=fields, limits=limits).assign(
        other=other
    )
    interviewer = at_interviewers("near_duplicate", rows, near, fields=fields, limits=limits)
    county = at_counties("near_duplicate", rows, near, fields=fields, limits=limits, together=2)
    groups = [table.assign(other="") for table in (interviewer, county)]
    return pd.concat([persons, *groups], ignore_index=True)


def highest_match(codes: Array, *, least: int) -> tuple[Array, Array]:
    """Find, for each interview, the other one with the highest share of equal answers.

    Parameters
    ----------
    codes : (n, K) int
        -1: no answer; an item counts where both have one.
    least : int
        Items that two interviews need in common to be compared.

    Returns
    -------
    share : (n,) float
        nan where nothing can be compared.
    other : (n,) int
        Its row, the first of several; -1 where share is nan.
    """
    n = len(codes)
    share, other = np.full(n, np.nan), np.full(n, -1)
    columns = np.ascontiguousarray(
        codes.T, dtype=np.int16 if codes.max(initial=0) < 2**15 else np.int64
    )
    answered = (codes >= 0).astype(np.float32)
    for start in range(0, n, BLOCK):
        mine = slice(start, min(start + BLOCK, n))
        equal = np.zeros((mine.stop - start, n), np.uint8 if len(columns) < 256 else np.int32)
        for column in columns:
            equal += np.where(column[mine] < 0, -2, column[mine])[:, None] == column
        common = answered[mine] @ answered.T
        match = np.where(common >= least, equal / np.maximum(common, 1), -1)
        own = np.arange(len(equal))
        match[own, own + start] = -1
        best = match.argmax(axis=1)
        found = match[own, best] >= 0
        share[mine] = np.where(
            found, equal[own, best] / np.maximum(common[own, best], 1).astype(float), np.nan
        )
        other[mine] = np.where(found, best, -1)
    return share, other
