"""Units beside the others: respondents with other counties, interviewers inside their county, counties; interviewer effects.

The reference is always what the *other* units show, because the unit under suspicion would move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from satisfaction.estimation.multiplicity import benjamini_hochberg
from satisfaction.estimation.reliability import intraclass_correlation
from satisfaction.fieldwork.findings import (
    LIMITS,
    Fields,
    findings,
    no_findings,
    require,
)
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.variance import Array

Side = Literal["high", "low", "two"]
LEAST_OTHERS = 5  # units whose quartiles are a reference at all
LEAST_ANSWERS = 5  # respondents of an interviewer whose mean is tested at all
IQR = 1.3489795003921634  # interquartile range of a standard normal
# of the interquartile range as an estimate of spread, beside the standard deviation
EFFICIENCY = 0.37
FENCE = 3.0  # interquartile ranges above the upper quartile: Tukey's far-out values
MOST_ANSWERS = 5_000  # that a unit's shares of items stand for
WHOLE = 1e-9  # below a whole number: is one
ROUNDING = 1e-12  # smaller differences and variances are none


@dataclass(frozen=True, slots=True, repr=False)
class ComparedUnits:
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
) -> ComparedUnits:
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
    reference = others_known(figure)
    p = np.full(len(figure), np.nan)
    if others >= LEAST_OTHERS:
        median, q1, q3 = reference[:, used]
        spread = ((q3 - q1) / IQR) ** 2
        if se is None:
            error = spread
            tau = 0.0
        else:
            error = se[used] ** 2
            tau = np.maximum(spread - others_quantile(error, 0.5), 0)
        of_median = np.pi / 2 * spread / others
        scale = np.sqrt(tau + error + of_median)
        df = EFFICIENCY * (others - 1)
        p[used] = _tail(figure[used] - median, scale, df=df, side=side)
    if n is None:
        n = np.zeros(len(figure), int)
    return ComparedUnits(figure, reference, p, benjamini_hochberg(p), n)


def funnel_means(
    values: Array, *, unit: Array, place: Array, rho: float, side: Side = "two"
) -> ComparedUnits:
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
    unit_sums, rest = _sums(values, unit, place)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = unit_sums.total / unit_sums.n
        centre = rest.total / rest.n
        deviations = rest.squares - rest.total * centre
        differ = deviations > ROUNDING * rest.squares
        spread = np.where(differ, deviations, 0) / (rest.n - 1)
        sampling = 1 / unit_sums.n + 1 / rest.n
        tolerated = 1 + rest.groups / rest.n**2
        scale = np.sqrt(spread * ((1 - rho) * sampling + rho * tolerated))
        p = _tail(mean - centre, scale, df=rest.n - 1, side=side)
    return _compared(mean, p, place, n=unit_sums.n, others=rest.n)


def funnel_shares(values: Array, *, unit: Array, place: Array, rho: float) -> ComparedUnits:
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
    unit_sums, rest = _sums(values, unit, place)
    answer = values[values > 0].min(initial=1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = unit_sums.total / unit_sums.n
        n = rest.n + answer
        centre = (rest.total + answer / 2) / n
        squares = rest.squares + answer**2 / 2
        spread = (squares - centre**2 * n) / n
        of_a_share = unit_sums.n * centre * (1 - centre)
        answers = np.minimum(of_a_share / np.maximum(spread, ROUNDING), MOST_ANSWERS)
        tolerated = 1 + rest.groups / rest.n**2
        varies = rho * tolerated + (1 - rho) / rest.n
    known = np.isfinite(mean) & (rest.n > 0)
    p = np.full(len(mean), np.nan)
    shares = mean[known]
    p[known] = beta_binomial_tail(shares, n=answers[known], mean=centre[known], rho=varies[known])
    return _compared(mean, p, place, n=unit_sums.n, others=rest.n)


def beta_binomial_tail(share: Array, *, n: Array, mean: Array, rho: Array) -> Array:
    """Probability of a share at least as large among n answers, (U,) each; n and the count are rounded down.

    mean and rho are the mean and the variance / (mean (1 - mean)) of the beta distribution of the answers' probability.
    """
    whole = np.floor(n + WHOLE).astype(int)[:, None]
    least = np.floor(share[:, None] * whole + WHOLE)
    size = np.maximum(1 / rho - 1, ROUNDING)
    a = (mean * size)[:, None]
    b = ((1 - mean) * size)[:, None]
    count = np.arange(int(whole.max(initial=0)) + 1)
    each = stats.betabinom.pmf(count, whole, a, b)
    probability = np.where(count >= least, each, 0).sum(axis=1)
    return np.asarray(np.minimum(probability, 1))


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
    known = np.isfinite(values)
    cut = np.full(len(values), np.nan)
    reference = np.full((3, len(values)), np.nan)
    for code in np.unique(place):
        inside = place == code
        others = values[known & ~inside]
        if not len(others):
            others = values[known]
        if len(others):
            reference[:, inside] = quartiles(others)
            cut[inside] = np.quantile(others, 1 - rate, method="higher")
    return np.greater(values, cut), cut, reference


def quartiles(figure: Array) -> Array:
    """Median and quartiles of all figures that are not nan: (U,) -> (3, 1)."""
    known = figure[np.isfinite(figure)]
    if not len(known):
        return np.full((3, 1), np.nan)
    return np.quantile(known, [0.5, 0.25, 0.75])[:, None]


def others_quantile(values: Array, share: float) -> Array:
    """Quantile (linear) of the other values, for each value: (U,) -> (U,); nan without others."""
    size = len(values)
    if size < 2:
        return np.full(size, np.nan)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    rank = np.arange(size)
    position = share * (size - 2)
    below = int(np.floor(position))
    above = int(np.ceil(position))
    # without the value of a rank, the later ones move up by one
    low = ranked[below + (below >= rank)]
    high = ranked[above + (above >= rank)]
    quantile = np.empty(size)
    between = position - below
    quantile[order] = low + between * (high - low)
    return quantile


def others_known(figure: Array) -> Array:
    """Median and quartiles of the other values that are not nan: (U,) -> (3, U)."""
    reference = np.full((3, len(figure)), np.nan)
    known = np.isfinite(figure)
    for row, share in enumerate((0.5, 0.25, 0.75)):
        reference[row, known] = others_quantile(figure[known], share)
    return reference


def share_error(share: Array, n: Array) -> Array:
    """Standard error of a share of n respondents, two successes and two failures added (Agresti and Coull 1998)."""
    moved = (share * n + 2) / (n + 4)
    variance = moved * (1 - moved) / (n + 4)
    return np.asarray(np.sqrt(variance))


@dataclass(frozen=True, slots=True)
class _Sums:
    n: Array
    total: Array
    squares: Array
    groups: Array  # sum of squared group sizes


def _sums(values: Array, unit: Array, place: Array) -> tuple[_Sums, _Sums]:
    """Add values up by unit, and over the others of its place."""
    known = np.isfinite(values)
    size = len(place)
    unit = unit[known]
    values = values[known]
    n = np.bincount(unit, minlength=size).astype(float)
    total = np.bincount(unit, values, size)
    squares = np.bincount(unit, values**2, size)
    of_unit = (n, total, squares, n**2)
    of_others = [np.bincount(place, part)[place] - part for part in of_unit]
    return _Sums(*of_unit), _Sums(*of_others)


def _tail(distance: Array, scale: Array, *, df: Array | float, side: Side) -> Array:
    """p-value of t = distance / scale; nan where both are 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(np.abs(distance) > ROUNDING, distance, 0) / scale
    if side == "two":
        return np.asarray(2 * special.stdtr(df, -np.abs(t)))
    signed = t if side == "low" else -t
    return np.asarray(special.stdtr(df, signed))


def _compared(mean: Array, p: Array, place: Array, *, n: Array, others: Array) -> ComparedUnits:
    """Leave out small units and places without others; add the quartiles of the others of the place."""
    smaller = np.minimum(n, others)
    p = np.where(smaller >= LEAST_ANSWERS, p, np.nan)
    reference = np.full((3, len(mean)), np.nan)
    for code in np.unique(place):
        inside = place == code
        reference[:, inside] = others_known(mean[inside])
    return ComparedUnits(mean, reference, p, benjamini_hochberg(p), n.astype(int))


def of_respondents(
    check: str,
    rows: pd.DataFrame,
    *,
    fields: Fields,
    figure: Array,
    flag: Any,
    reference: Array | None = None,
) -> pd.DataFrame:
    """Arrange findings of respondents, in row order, beside the quartiles of all figures where no reference is given."""
    return findings(
        check,
        "respondent",
        unit=fields.codes(rows, "respondent"),
        county=fields.codes(rows, "county"),
        n=1,
        figure=figure,
        reference=quartiles(figure) if reference is None else reference,
        flag=flag,
    )


def at_respondents(
    check: str, rows: pd.DataFrame, values: Array, *, fields: Fields
) -> pd.DataFrame:
    """Flag respondents whose value lies above what other counties show; one row a respondent, in row order."""
    place, _ = pd.factorize(fields.codes(rows, "county"))
    flag, _, reference = beyond_others(values, place=place, rate=LIMITS.respondent_rate)
    return of_respondents(check, rows, fields=fields, figure=values, flag=flag, reference=reference)


def far_out(check: str, level: str, units: pd.DataFrame) -> pd.DataFrame:
    """Flag units whose count `n` is far out of the others' (Tukey 1977); `units` names them in `unit` and `county`.

    Far out is beyond the upper quartile of the others by more than three interquartile ranges. A range below one counts as
    one, so that equal counts elsewhere do not flag the next number.
    """
    count = units["n"].to_numpy(float)
    reference = others_known(count)
    _median, q1, q3 = reference
    fence = q3 + FENCE * np.maximum(q3 - q1, 1)
    return findings(
        check,
        level,
        unit=units["unit"],
        county=units["county"],
        n=units["n"],
        figure=count,
        reference=reference,
        flag=count > fence,
    )


def at_interviewers(
    check: str,
    rows: pd.DataFrame,
    values: Array,
    *,
    fields: Fields,
    side: Side = "high",
) -> pd.DataFrame:
    """Flag interviewers whose mean differs from that of all others of the county; one row an interviewer and county.

    Values are shares (0-1) where side is "high"; means of any unit otherwise. Respondents without an interviewer are left out.
    """
    if fields.interviewer is None:
        return no_findings()
    unit, pairs, place = interviewers(rows, fields)
    values = np.where(unit >= 0, values, np.nan)
    unit = np.maximum(unit, 0)
    rho = LIMITS.tolerated_rho
    if side == "high":
        compared = funnel_shares(values, unit=unit, place=place, rho=rho)
    else:
        compared = funnel_means(values, unit=unit, place=place, rho=rho, side=side)
    names = pairs["interviewer"]
    return flagged_units(check, "interviewer", compared, unit=names, county=pairs["county"])


def at_counties(
    check: str,
    rows: pd.DataFrame,
    values: Array,
    *,
    fields: Fields,
    side: Side = "high",
    together: int = 1,
) -> pd.DataFrame:
    """Flag counties whose mean differs from the other counties' beyond their spread; one row a county.

    The error of a mean is that of a simple random sample, that of a share (values 0 and 1 only) Agresti and Coull's; values
    that come `together` (near duplicates: in pairs) count once.
    """
    if fields.county is None:
        return no_findings()
    county = fields.codes(rows, "county").to_numpy()
    by_county = pd.Series(values).groupby(county)
    table = by_county.agg(["count", "mean", "std"])
    n = table["count"].to_numpy()
    mean = table["mean"].to_numpy(float)
    known = values[np.isfinite(values)]
    counted = n / together
    if np.isin(known, (0, 1)).all():
        se = share_error(mean, counted)
    else:
        se = table["std"].to_numpy(float) / np.sqrt(counted)
    mean = np.where(np.isfinite(se), mean, np.nan)
    compared = among(mean, se=se, n=n, side=side)
    return flagged_units(check, "county", compared, unit=table.index, county=table.index)


def flagged_units(
    check: str, level: str, compared: ComparedUnits, *, unit: Any, county: Any
) -> pd.DataFrame:
    """Arrange compared units as findings; those are flagged whose adjusted p-value passes the false discovery level."""
    return findings(
        check,
        level,
        unit=unit,
        county=county,
        n=compared.n,
        figure=compared.figure,
        reference=compared.reference,
        flag=compared.p_bh <= LIMITS.false_discovery,
        p_bh=compared.p_bh,
    )


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
    names = ["county", "interviewer"]
    pairs = pd.DataFrame({name: fields.codes(rows, name) for name in names})
    named = pairs["interviewer"] != ""
    keys = pairs[named].drop_duplicates().sort_values(names, ignore_index=True)
    of_rows = pd.MultiIndex.from_frame(pairs)
    numbers = pd.MultiIndex.from_frame(keys).get_indexer(of_rows)
    place, _ = pd.factorize(keys["county"])
    return np.where(named, numbers, -1), keys, place


def interviewer_effects(
    rows: pd.DataFrame,
    items: Sequence[str],
    *,
    fields: Fields,
) -> pd.DataFrame:
    """Estimate the intraclass correlation of interviewers within counties for each item, and its design effect.

    Parameters
    ----------
    rows : DataFrame
        Items as numbers, nan where there is no answer on the scale.
    items : sequence of str
    fields : Fields
        interviewer; county, whose means are removed where it is declared.

    Returns
    -------
    DataFrame
        COLUMNS, check interviewer_effect, one row an item: figure is rho, the reference that of the other items. Flagged by the adjusted test of 0 and the lower limit (95%) beyond `tolerated_rho`. An item without enough interviewers or answers keeps its row, nan.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(rows, items)
    fields.column(rows, "interviewer")
    groups = [name for name in (fields.county, fields.interviewer) if name]
    respondents = rows[[*groups, *items]].reset_index(drop=True)
    design = SurveyDesign(respondents)
    interviewer = str(fields.interviewer)
    estimates = []
    for item in items:
        try:
            effect = intraclass_correlation(design, item, by=interviewer, within=fields.county)
        except EstimatesError as fault:
            # interviewers cannot be told from places, or none has two answers
            if fault.code not in ("E135", "E136"):
                raise
            estimates.append([np.nan, np.nan, np.nan, 0])
        else:
            estimates.append([effect.rho, effect.p, effect.ci_low, effect.respondents])
    table = pd.DataFrame(estimates, columns=["rho", "p", "ci_low", "n"])
    rho = table["rho"].to_numpy(float)
    p_bh = benjamini_hochberg(table["p"].to_numpy(float))
    beyond = table["ci_low"] > LIMITS.tolerated_rho
    return findings(
        "interviewer_effect",
        "item",
        unit=list(items),
        county="",
        n=table["n"],
        figure=rho,
        reference=others_known(rho),
        flag=(p_bh <= LIMITS.false_discovery) & beyond,
        p_bh=p_bh,
    )


def interviewer_means(rows: pd.DataFrame, items: Sequence[str], *, fields: Fields) -> pd.DataFrame:
    """Find interviewers whose respondents score higher or lower on average than all others of the county.

    A respondent's value is the mean of the valid items. Interviewers of one county may still have worked in different
    communities: a reason to look, not a finding.

    Returns
    -------
    DataFrame
        COLUMNS, check interviewer_mean, one row an interviewer and county; empty where no interviewer is declared.
    """
    require(rows, items)
    if fields.interviewer is None:
        return no_findings()
    scores = rows[list(items)].astype(float)
    values = scores.mean(axis=1).to_numpy(float)
    return at_interviewers("interviewer_mean", rows, values, fields=fields, side="two")
