"""One value per respondent, compared at three levels: respondents, interviewers inside their county, counties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .checks import Fields, Limits, findings, no_findings
from .compare import Compared, Side, among, beyond_others, funnel_means, funnel_shares, share_error

Array = np.ndarray[Any, Any]


def at_respondents(check: str, rows: pd.DataFrame, values: Array, *, fields: Fields, limits: Limits) -> pd.DataFrame:
    """Flag respondents whose value lies above what other counties show; one row a respondent, in row order."""
    county = fields.codes(rows, "county")
    flag, _, reference = beyond_others(values, place=pd.factorize(county)[0], rate=limits.respondent_rate)
    unit = fields.codes(rows, "respondent")
    return findings(check, "respondent", unit=unit, county=county, n=1, figure=values, reference=reference, flag=flag)


def at_interviewers(
    check: str, rows: pd.DataFrame, values: Array, *, fields: Fields, limits: Limits, side: Side = "high"
) -> pd.DataFrame:
    """Flag interviewers whose mean differs from that of all others of the county; one row an interviewer and county.

    Values are shares (0-1) where side is "high"; means of any unit otherwise. Respondents without an interviewer are left out.
    """
    if fields.interviewer is None:
        return no_findings()
    unit, keys, place = interviewers(rows, fields)
    values = np.where(unit >= 0, values, np.nan)
    at, rho = np.maximum(unit, 0), limits.tolerated_rho
    found = (
        funnel_shares(values, unit=at, place=place, rho=rho)
        if side == "high"
        else funnel_means(values, unit=at, place=place, rho=rho, side=side)
    )
    return tested(check, "interviewer", found, unit=keys["interviewer"], county=keys["county"], limits=limits)


def at_counties(
    check: str, rows: pd.DataFrame, values: Array, *, fields: Fields, limits: Limits, side: Side = "high", together: int = 1
) -> pd.DataFrame:
    """Flag counties whose mean differs from the other counties' beyond their spread; one row a county.

    The error of a mean is that of a simple random sample, that of a share (values 0 and 1 only) Agresti and Coull's; values
    that come `together` (near duplicates: in pairs) count once.
    """
    if fields.county is None:
        return no_findings()
    table = pd.DataFrame({"county": fields.codes(rows, "county"), "value": values}).groupby("county")["value"]
    table = table.agg(["count", "mean", "std"])
    n, mean = table["count"].to_numpy(), table["mean"].to_numpy(float)
    shares = np.isin(values[np.isfinite(values)], (0, 1)).all()
    se = share_error(mean, n / together) if shares else table["std"].to_numpy(float) / np.sqrt(n / together)
    found = among(np.where(np.isfinite(se), mean, np.nan), se=se, n=n, side=side)
    return tested(check, "county", found, unit=table.index, county=table.index, limits=limits)


def tested(check: str, level: str, found: Compared, *, unit: Any, county: Any, limits: Limits) -> pd.DataFrame:
    """Arrange compared units as findings; those are flagged whose adjusted p-value passes the false discovery level."""
    flag = found.p_bh <= limits.false_discovery
    return findings(
        check, level, unit=unit, county=county, n=found.n, figure=found.figure, reference=found.reference, flag=flag, p_bh=found.p_bh
    )  # fmt: skip


def interviewers(rows: pd.DataFrame, fields: Fields) -> tuple[Array, pd.DataFrame, Array]:
    """Number the pairs of county and interviewer.

    Returns
    -------
    unit : (n,) int
        -1 without an interviewer.
    keys : DataFrame (U, county and interviewer)
    place : (U,) int
        County of each pair.
    """
    pairs = pd.DataFrame({"county": fields.codes(rows, "county"), "interviewer": fields.codes(rows, "interviewer")})
    named = pairs["interviewer"] != ""
    keys = pairs[named].drop_duplicates().sort_values(["county", "interviewer"], ignore_index=True)
    at = pd.MultiIndex.from_frame(keys)
    unit = np.where(named, at.get_indexer(pd.MultiIndex.from_frame(pairs)), -1)
    return unit, keys, pd.factorize(keys["county"])[0]
