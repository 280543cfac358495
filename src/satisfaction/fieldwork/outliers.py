"""Kernels that compare a unit with the others: interviewers inside a county, counties, respondents with other counties.

The reference is always what the *other* units show, because the unit under suspicion would move it.

One value per respondent, compared at three levels: respondents, interviewers inside their county, counties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.estimation.multiplicity import benjamini_hochberg
from satisfaction.fieldwork.checks import Fields, Limits, findings, no_findings

Array = np.ndarray[Any, Any]
Side = Literal["high", "low", "two"]
LEAST_OTHERS = 5  # units whose quartiles are a reference at all
LEAST_ANSWERS = 5  # respondents of an interviewer whose mean is tested at all
IQR = 1.3489795003921634  # interquartile range of a standard normal
EFFICIENCY = (
    0.37  # of the interquartile range as an estimate of spread, beside the standard deviation
)
MOST_ANSWERS = 5_000  # that a unit's shares of items stand for
WHOLE = 1e-9  # below a whole number: is one
ROUNDING = 1e-12  # smaller differences and variances are none


@dataclass(frozen=True, slots=True)
class Compared:
    """Units beside the others. U units.

    Attributes
    ----------
    figure : (U,) float
    reference : (3, U) float
        Median and quartiles of the others; nan without others.
    p, p_bh : (U,) float
        p-value, and adjusted after Benjamini and Hochberg (1995) over the units tested; nan where not tested.
    n : (U,) int
        Respondents with a value.
    """

    figure: Array
    reference: Array
    p: Array
    p_bh: Array
    n: Array


def among(
    figure: Array, *, se: Array | None = None, n: Array | None = None, side: Side = "high"
) -> Compared:
    """Compare each unit's figure with the median of the others, allowing for their spread and the unit's sampling error.

    t = (figure - median) / sqrt(tau^2 + se^2 + error of the median); tau^2 is what the interquartile range of the others
    has beyond their median sampling variance. Quartiles bear up to a quarter of faulty units. df: those of a standard
    deviation as precise as an interquartile range, 0.37 (others - 1).

    Parameters
    ----------
    figure : (U,) float
        nan: not compared.
    se : (U,) float, optional
        Sampling errors; without, the spread of the others stands for all error.
    n : (U,) int, optional
    side : {"high", "low", "two"}
        Which deviations count.
    """
    used = np.isfinite(figure)
    others = int(used.sum()) - 1
    reference, p = np.full((3, len(figure)), np.nan), np.full(len(figure), np.nan)
    reference[:, used] = others_quartiles(figure[used])
    if others >= LEAST_OTHERS:
        median, q1, q3 = reference[:, used]
        spread = ((q3 - q1) / IQR) ** 2
        own = spread if se is None else se[used] ** 2
        tau = 0.0 if se is None else np.maximum(spread - others_quantile(own, 0.5), 0)
        scale = np.sqrt(tau + own + np.pi / 2 * spread / others)
        p[used] = _tail(figure[used] - median, scale, df=EFFICIENCY * (others - 1), side=side)
    return Compared(
        figure, reference, p, benjamini_hochberg(p), np.zeros(len(figure), int) if n is None else n
    )


def funnel_means(
    values: Array, *, unit: Array, place: Array, rho: float, side: Side = "two"
) -> Compared:
    """Compare each unit's mean with that of all others of its place.

    Variance of the difference: s^2 [(1 - rho)(1/n + 1/N) + rho (1 + sum n_j^2 / N^2)], where s^2 is the others', so that
    units may differ by the intraclass correlation tolerated (Spiegelhalter 2005 on overdispersed funnels); t with N - 1 df.

    Parameters
    ----------
    values : (n,) float
        nan: no value.
    unit : (n,) int
        0..U-1; a unit lies in one place.
    place : (U,) int
    rho : float
    side : {"high", "low", "two"}
    """
    own, rest = _sums(values, unit, place)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, centre = own.total / own.n, rest.total / rest.n
        deviations = rest.squares - rest.total * centre
        spread = np.where(deviations > ROUNDING * rest.squares, deviations, 0) / (rest.n - 1)
        scale = np.sqrt(
            spread * ((1 - rho) * (1 / own.n + 1 / rest.n) + rho * (1 + rest.groups / rest.n**2))
        )
        p = _tail(mean - centre, scale, df=rest.n - 1, side=side)
    return _compared(mean, place, p, own.n, rest.n)


def funnel_shares(values: Array, *, unit: Array, place: Array, rho: float) -> Compared:
    """Compare each unit's mean share with that of all others of its place: is it higher?

    Beta-binomial: the unit's answers are counts whose share varies by the intraclass correlation tolerated and by the error of
    the others' share, which count half an answer more (an answer is the smallest share there is). Values other than 0 and 1,
    shares of items, stand for as many answers as their variance has, mean (1 - mean) / s^2 a respondent.

    Parameters
    ----------
    values : (n,) float
        0-1; nan: no value.
    unit, place, rho
        As in `funnel_means`.
    """
    own, rest = _sums(values, unit, place)
    answer = values[values > 0].min(initial=1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, n = own.total / own.n, rest.n + answer
        centre = (rest.total + answer / 2) / n
        spread = (rest.squares + answer**2 / 2 - centre**2 * n) / n
        answers = np.minimum(
            own.n * centre * (1 - centre) / np.maximum(spread, ROUNDING), MOST_ANSWERS
        )
        varies = rho * (1 + rest.groups / rest.n**2) + (1 - rho) / rest.n
    tested = np.isfinite(mean) & (rest.n > 0)
    p = np.full(len(mean), np.nan)
    p[tested] = beta_binomial_tail(
        mean[tested], n=answers[tested], mean=centre[tested], rho=varies[tested]
    )
    return _compared(mean, place, p, own.n, rest.n)


def beta_binomial_tail(share: Array, *, n: Array, mean: Array, rho: Array) -> Array:
    """Probability of a share at least as large among n answers, (U,) each; n and the count are rounded down.

    mean and rho are the mean and the variance / (mean (1 - mean)) of the beta distribution of the answers' probability.
    """
    whole = np.floor(n + WHOLE).astype(int)[:, None]
    least = np.floor(share[:, None] * whole + WHOLE)
    size = np.maximum(1 / rho - 1, ROUNDING)
    a, b = (mean * size)[:, None], ((1 - mean) * size)[:, None]
    grid = np.arange(int(whole.max(initial=0)) + 1)
    count = np.minimum(grid, whole)
    log = special.betaln(count + a, whole - count + b) - special.betaln(a, b)
    log -= special.betaln(whole - count + 1, count + 1) + np.log(whole + 1)
    inside = (grid <= whole) & (grid >= least)
    return np.asarray(np.minimum(np.where(inside, np.exp(log), 0).sum(axis=1), 1))


def beyond_others(values: Array, *, place: Array, rate: float) -> tuple[Array, Array, Array]:
    """Mark respondents above the (1 - rate) quantile of the other places; where there is one place only, of all.

    Parameters
    ----------
    values : (n,) float
    place : (n,) int
    rate : float
        In a clean place, at most about this share is marked: values that tie with the quantile are not.

    Returns
    -------
    flag : (n,) bool
    cut : (n,) float
    reference : (3, n) float
        Median and quartiles of the other places.
    """
    cuts, known = np.full((4, len(values)), np.nan), np.isfinite(values)
    for one in np.unique(place):
        inside = place == one
        others = values[known & ~inside]
        others = others if len(others) else values[known]
        if len(others):
            cuts[:3, inside] = np.quantile(others, [0.5, 0.25, 0.75])[:, None]
            cuts[3, inside] = np.quantile(others, 1 - rate, method="higher")
    return np.greater(values, cuts[3]), cuts[3], cuts[:3]


def others_quantile(values: Array, share: float) -> Array:
    """Quantile (linear) of the other values, for each value: (U,) -> (U,); nan without others."""
    size = len(values)
    if size < 2:
        return np.full(size, np.nan)
    order = np.argsort(values, kind="stable")
    at, place = share * (size - 2), np.arange(size)
    low, high = (
        values[order][int(end) + (int(end) >= place)] for end in (np.floor(at), np.ceil(at))
    )
    found = np.empty(size)
    found[order] = low + (at - np.floor(at)) * (high - low)
    return found


def others_quartiles(values: Array) -> Array:
    """Median and quartiles of the other values, for each value: (U,) -> (3, U)."""
    return np.stack([others_quantile(values, share) for share in (0.5, 0.25, 0.75)])


def share_error(share: Array, n: Array) -> Array:
    """Standard error of a share of n respondents, two successes and two failures added (Agresti and Coull 1998)."""
    moved = (share * n + 2) / (n + 4)
    return np.asarray(np.sqrt(moved * (1 - moved) / (n + 4)))


@dataclass(frozen=True, slots=True)
class _Sums:
    n: Array
    total: Array
    squares: Array
    groups: Array  # sum of squared group sizes


def _sums(values: Array, unit: Array, place: Array) -> tuple[_Sums, _Sums]:
    """Add values up by unit, and over the others of its place."""
    known = np.isfinite(values)
    at, size = unit[known], len(place)
    n, total, squares = (
        np.bincount(at, weights, size) for weights in (None, values[known], values[known] ** 2)
    )
    own = _Sums(n.astype(float), total, squares, n.astype(float) ** 2)
    rest = (
        np.bincount(place, part)[place] - part
        for part in (own.n, own.total, own.squares, own.groups)
    )
    return own, _Sums(*rest)


def _tail(distance: Array, scale: Array, *, df: Array | float, side: Side) -> Array:
    """p-value of t = distance / scale; nan where both are 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(np.abs(distance) > ROUNDING, distance, 0) / scale
    signed = {"high": -t, "low": t, "two": -np.abs(t)}[side]
    return np.asarray(special.stdtr(df, signed) * (2 if side == "two" else 1))


def _compared(mean: Array, place: Array, p: Array, n: Array, others: Array) -> Compared:
    """Leave out small units and places without others; add the quartiles of the others of the place."""
    p = np.where((n >= LEAST_ANSWERS) & (others >= LEAST_ANSWERS), p, np.nan)
    reference = np.full((3, len(mean)), np.nan)
    for one in np.unique(place):
        inside = np.flatnonzero((place == one) & np.isfinite(mean))
        reference[:, inside] = others_quartiles(mean[inside])
    return Compared(mean, reference, p, benjamini_hochberg(p), n.astype(int))


def at_respondents(
    check: str, rows: pd.DataFrame, values: Array, *, fields: Fields, limits: Limits
) -> pd.DataFrame:
    """Flag respondents whose value lies above what other counties show; one row a respondent, in row order."""
    county = fields.codes(rows, "county")
    flag, _, reference = beyond_others(
        values, place=pd.factorize(county)[0], rate=limits.respondent_rate
    )
    unit = fields.codes(rows, "respondent")
    return findings(
        check,
        "respondent",
        unit=unit,
        county=county,
        n=1,
        figure=values,
        reference=reference,
        flag=flag,
    )


def at_interviewers(
    check: str,
    rows: pd.DataFrame,
    values: Array,
    *,
    fields: Fields,
    limits: Limits,
    side: Side = "high",
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
    return tested(
        check, "interviewer", found, unit=keys["interviewer"], county=keys["county"], limits=limits
    )


def at_counties(
    check: str,
    rows: pd.DataFrame,
    values: Array,
    *,
    fields: Fields,
    limits: Limits,
    side: Side = "high",
    together: int = 1,
) -> pd.DataFrame:
    """Flag counties whose mean differs from the other counties' beyond their spread; one row a county.

    The error of a mean is that of a simple random sample, that of a share (values 0 and 1 only) Agresti and Coull's; values
    that come `together` (near duplicates: in pairs) count once.
    """
    if fields.county is None:
        return no_findings()
    table = pd.DataFrame({"county": fields.codes(rows, "county"), "value": values}).groupby(
        "county"
    )["value"]
    table = table.agg(["count", "mean", "std"])
    n, mean = table["count"].to_numpy(), table["mean"].to_numpy(float)
    shares = np.isin(values[np.isfinite(values)], (0, 1)).all()
    se = (
        share_error(mean, n / together)
        if shares
        else table["std"].to_numpy(float) / np.sqrt(n / together)
    )
    found = among(np.where(np.isfinite(se), mean, np.nan), se=se, n=n, side=side)
    return tested(check, "county", found, unit=table.index, county=table.index, limits=limits)


def tested(
    check: str, level: str, found: Compared, *, unit: Any, county: Any, limits: Limits
) -> pd.DataFrame:
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
    pairs = pd.DataFrame(
        {"county": fields.codes(rows, "county"), "interviewer": fields.codes(rows, "interviewer")}
    )
    named = pairs["interviewer"] != ""
    keys = pairs[named].drop_duplicates().sort_values(["county", "interviewer"], ignore_index=True)
    at = pd.MultiIndex.from_frame(keys)
    unit = np.where(named, at.get_indexer(pd.MultiIndex.from_frame(pairs)), -1)
    return unit, keys, pd.factorize(keys["county"])[0]
