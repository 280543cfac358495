"""The same number, device or network address again.

Near duplicates: the highest share of answers equal to another interview of the county (Kuriakose and Robbins 2016).

A fixed mark finds honest twins where options are few, respondents many or opinions alike (Pew 2016): what is flagged is
what other counties do not show.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import LIMITS, Fields, require
from satisfaction.fieldwork.outliers import (
    at_counties,
    at_interviewers,
    at_respondents,
    far_out,
    of_respondents,
)
from satisfaction.fieldwork.timing import commonest
from satisfaction.foundation.errors import ResponsesError
from satisfaction.foundation.language import _
from satisfaction.sampling.variance import Array

BLOCK = 512  # rows compared with all others of the county at a time
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
        COLUMNS and counties, interviewers (numbers of different ones); one row a device or address, the largest first; county
        is the commonest. Checks: shared_device, shared_ip.

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
    interviews = pd.DataFrame({"value": value})
    for name in ("county", "interviewer"):
        interviews[name] = fields.codes(rows, name)
    interviews = interviews[interviews["value"] != ""]
    by_value = interviews.groupby("value")
    table = by_value.size().rename("n").to_frame()
    table["county"] = commonest(interviews, "county", by=["value"])
    table["counties"] = by_value["county"].nunique()
    table["interviewers"] = by_value["interviewer"].nunique()
    order = ["n", "value"]
    table = table.reset_index().sort_values(order, ascending=[False, True], ignore_index=True)
    found = far_out(f"shared_{field}", field, table.rename(columns={"value": "unit"}))
    return found.join(table[["counties", "interviewers"]])


def near_duplicates(rows: pd.DataFrame, items: Sequence[str], *, fields: Fields) -> pd.DataFrame:
    """Find interviews almost equal to another of the county, and interviewers and counties with many of them.

    Parameters
    ----------
    rows : DataFrame
    items : sequence of str
        Answers to compare, as codes, special codes included; ten or more. What is equal by design (county, day) stays out.
    fields : Fields

    Returns
    -------
    DataFrame
        COLUMNS and `other`, the respondent with the most equal answers; check near_duplicate at the levels respondent,
        interviewer, county. The highest share grows with the interviews of a county: compare counties of like size.
    """
    require(rows, items)
    codes = np.empty((len(rows), len(items)), int)
    for position, name in enumerate(items):
        codes[:, position] = pd.factorize(rows[name])[0]
    respondent = fields.codes(rows, "respondent").to_numpy()
    county = fields.codes(rows, "county").to_numpy()
    least = max(1, len(items) // 2)
    share = np.full(len(rows), np.nan)
    other = np.full(len(rows), "", dtype=object)
    for interviews in pd.Series(county).groupby(county).indices.values():
        share[interviews], partner = highest_match(codes[interviews], least=least)
        names = respondent[interviews][partner]
        other[interviews] = np.where(partner >= 0, names, "")
    near = np.where(np.isfinite(share), share >= LIMITS.match, np.nan)
    check = "near_duplicate"
    by_respondent = at_respondents(check, rows, share, fields=fields)
    by_interviewer = at_interviewers(check, rows, near, fields=fields)
    by_county = at_counties(check, rows, near, fields=fields, together=2)
    by_respondent["other"] = other
    by_interviewer["other"] = ""
    by_county["other"] = ""
    return pd.concat([by_respondent, by_interviewer, by_county], ignore_index=True)


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
    share = np.full(n, np.nan)
    other = np.full(n, -1)
    code_type = np.int16 if codes.max(initial=0) < 2**15 else np.int64
    columns = np.ascontiguousarray(codes.T, dtype=code_type)
    count_type = np.uint8 if len(columns) < 256 else np.int32
    answered = (codes >= 0).astype(np.float32)
    for start in range(0, n, BLOCK):
        block = slice(start, min(start + BLOCK, n))
        equal = np.zeros((block.stop - start, n), count_type)
        for column in columns:
            # -2: no answer equals no other one
            compared = np.where(column[block] < 0, -2, column[block])
            equal += compared[:, None] == column
        common = answered[block] @ answered.T
        match = np.where(common >= least, equal / np.maximum(common, 1), -1)
        row = np.arange(len(equal))
        match[row, row + start] = -1
        best = match.argmax(axis=1)
        matched = match[row, best] >= 0
        highest = equal[row, best] / np.maximum(common[row, best], 1).astype(float)
        share[block] = np.where(matched, highest, np.nan)
        other[block] = np.where(matched, best, -1)
    return share, other
