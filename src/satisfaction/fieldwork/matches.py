"""Near duplicates: the highest share of answers equal to another interview of the county (Kuriakose and Robbins 2016).

A fixed mark finds honest twins where options are few, respondents many or opinions alike (Pew 2016): what is flagged is
what other counties do not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .checks import USUAL, Fields, Limits, require
from .levels import at_counties, at_interviewers, at_respondents

Array = np.ndarray[Any, Any]
BLOCK = 512  # rows compared with all others of the county at a time


def near_duplicates(rows: pd.DataFrame, items: Sequence[str], *, fields: Fields, limits: Limits = USUAL) -> pd.DataFrame:
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
    codes = np.stack([pd.factorize(rows[name])[0] for name in items], axis=1) if items else np.empty((len(rows), 0), int)
    respondent = fields.codes(rows, "respondent").to_numpy()
    share, other = np.full(len(rows), np.nan), np.full(len(rows), "", dtype=object)
    for at in pd.Series(range(len(rows))).groupby(fields.codes(rows, "county").to_numpy()).indices.values():
        share[at], partner = highest_match(codes[at], least=max(1, codes.shape[1] // 2))
        other[at] = np.where(partner >= 0, respondent[at][partner], "")
    near = np.where(np.isfinite(share), share >= limits.match, np.nan)
    persons = at_respondents("near_duplicate", rows, share, fields=fields, limits=limits).assign(other=other)
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
    columns = np.ascontiguousarray(codes.T, dtype=np.int16 if codes.max(initial=0) < 2**15 else np.int64)
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
        share[mine] = np.where(found, equal[own, best] / np.maximum(common[own, best], 1).astype(float), np.nan)
        other[mine] = np.where(found, best, -1)
    return share, other
