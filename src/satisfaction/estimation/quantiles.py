"""Array kernels of weighted quantiles by domain and of their limits and standard errors (Woodruff 1952).

Quantiles of measures by domain: Woodruff's limits from the share at or below, under any variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special

from satisfaction.estimation.domains import Domains, Options, cut, without_rounding
from satisfaction.estimation.intervals import INTERVALS
from satisfaction.estimation.result import Estimates, result_table
from satisfaction.estimation.sample import Contributions
from satisfaction.estimation.statistics import point
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import Tally, tally
from satisfaction.sampling.variance import Members, domain_df

Array = np.ndarray[Any, Any]
# Ten weights of 0.1 add up to 0.7999999999999999 at the eighth: without the guard the quantile at 0.8 would be the ninth value,
# and another order of the rows would give another quantile. A step of the distribution this small is no respondent.
ROUNDING = 1e-12  # of p


@dataclass(frozen=True, slots=True)
class Distribution:
    """Weighted distribution functions of D domains, T' rows with a value and a weight.

    Attributes
    ----------
    domain : (T',) int
        Ascending.
    value : (T',) float
        Ascending within a domain.
    share : (T',) float
        Share 0-1 of the domain's weight up to and with this row.
    start : (D + 1,) int
        First row of each domain.
    """

    domain: Array
    value: Array
    share: Array
    start: Array


def distribution(domain: Array, value: Array, weight: Array, *, domains: int) -> Distribution:
    """Sort values by domain and add up their weights.

    Parameters
    ----------
    domain : (T,) int
        0 .. domains - 1; negative rows are in none.
    value : (T,) float
        nan where it is not valid; such rows are in no domain.
    weight : (T,) float
        Not negative. The weight of all respondents of the row: n times each one's where a row holds n of the same value.
    domains : int
        D.
    """
    used = np.flatnonzero((domain >= 0) & (weight > 0) & ~np.isnan(value))
    order = used[np.lexsort((value[used], domain[used]))]
    start = np.searchsorted(domain[order], np.arange(domains + 1))
    share = weight[order].astype(float)
    for a, b in pairwise(
        start
    ):  # each domain on its own, lest the sums before it round away a small one
        running = _running_sums(share[a:b])
        share[a:b] = running / running[-1:]
    return Distribution(domain[order], value[order].astype(float), share, start)


def _running_sums(x: Array) -> Array:
    """Cumulated sums with the rounding of every addition added back: a million times 0.1 alone is off by 1e-11."""
    total = np.cumsum(x)
    before = np.concatenate([[0.0], total[:-1]])
    added = total - before
    return np.asarray(total + np.cumsum((before - (total - added)) + (x - added)))


def quantiles(of: Distribution, p: float | Array) -> Array:
    """Return the smallest value whose share at or below is at least p: (D,), nan in a domain without rows.

    The left-continuous inverse of the weighted distribution function, R's qrule "math". p, one or (D,), counts as 0 below 0
    and as 1 above 1: then it is the smallest or the largest value.
    """
    size = np.diff(of.start)
    wanted = np.broadcast_to(np.asarray(p, dtype=float), size.shape) * (1 - ROUNDING)
    below = np.bincount(of.domain, of.share < wanted[of.domain], len(size)).astype(int)
    return _at(
        of.value, of.start[:-1] + np.minimum(below, size - 1), (size > 0) & ~np.isnan(wanted)
    )


def share_at_or_below(of: Distribution, value: Array) -> Array:
    """Return the share 0-1 of each domain's weight at or below its value: (D,), nan in a domain without rows."""
    size = np.diff(of.start)
    rows = np.bincount(of.domain, of.value <= value[of.domain], len(size)).astype(int)
    return np.where(
        (size > 0) & (rows == 0),
        0.0,
        _at(of.share, of.start[:-1] + np.maximum(rows, 1) - 1, size > 0),
    )


def _at(of_row: Array, row: Array, there: Array) -> Array:
    found = np.full(len(row), np.nan)
    found[there] = of_row[row[there]]
    return found


def weighted_quantiles(
    domain: Array, value: Array, weight: Array, *, p: float | Array, domains: int
) -> Array:
    """Return the p-quantiles of D domains: `quantiles` of their `distribution`."""
    return quantiles(distribution(domain, value, weight, domains=domains), p)


def woodruff(
    of: Distribution, quantile: Array, se_share: Array, *, df: Array, level: float
) -> tuple[Array, Array, Array]:
    """Return Woodruff's limits of quantiles and the standard errors that go with them.

    Parameters
    ----------
    of : Distribution
        D domains.
    quantile : (D,) float
        Estimates, in the value's own unit.
    se_share : (D,) float
        Standard error, under the design, of the share of the domain at or below its quantile: of the mean of
        1[value <= quantile], linearized as any domain mean.
    df : (D,) float
        Degrees of freedom of that error. R's svyquantile takes those of the design for every domain.
    level : float
        Confidence level.

    Returns
    -------
    low, high : (D,) float
        Quantiles at the limits F(q) -/+ t se of the share, R's interval.type "mean". Unbounded where df < 1.
    se : (D,) float
        (high - low) / (2 t), as R; nan where df < 1.

    Notes
    -----
    The share's interval is centred on F(q) as found, which passes p where many respondents share a value. Where it
    passes 0 or 1 the limit is the smallest or the largest value found, so that limit and se are too tight. On a scale of few
    values both limits may be the same value: an se of 0 then says that the scale is coarse, not that the quantile is
    known, and must not be used for ranks. To carry covariances over, scale those of the shares by se / se_share in row and
    column: its inverse estimates the density at the quantile (Francisco and Fuller 1991).

    References
    ----------
    Woodruff (1952), JASA 47, 635-646; Francisco and Fuller (1991), Annals of Statistics 19, 454-469.
    """
    n = np.diff(of.start)
    share = share_at_or_below(of, quantile)
    limits = INTERVALS["mean"](share, se_share, n=n, df=df, level=level)
    low, high = (quantiles(of, limit) for limit in limits)
    known, t = df >= 1, special.stdtrit(np.maximum(df, 1), (1 + level) / 2)
    se = np.where(known, (high - low) / (2 * t), np.nan)
    there = n > 0
    return np.where(known | ~there, low, -np.inf), np.where(known | ~there, high, np.inf), se


COARSE = "one value"


def estimate_percentile(
    design: SurveyDesign,
    measure: Measure,
    p: float,
    *,
    columns: tuple[str, ...],
    listed: Sequence[Any] | None,
    options: Options,
) -> tuple[pd.DataFrame, Contributions, Domains]:
    """Estimate one quantile of one measure in every domain: table (D rows), contributions, and the domains."""
    counted = tally(design, [measure], by=columns, by_values=True)
    on = cut(design, counted, columns=columns, listed=listed)
    size, valid = len(on.keys), on.counted.valid[:, 0]
    value = np.where(
        valid > 0, counted.keys[measure.score_column].to_numpy(float) / measure.unit, np.nan
    )
    of = distribution(on.domain, value, on.sample.weight * valid, domains=size)
    found = quantiles(of, p)
    below = _at_or_below(on.counted, value, found[on.domain])
    share = point("mean", below, on.domain, on.sample.weight, size)
    held = on.contributions(below, share.z, replace(options, kind="mean"))
    se_share = np.sqrt(np.maximum(np.diag(held.covariance), 0))
    own = domain_df(on.domain, on.counted.valid, on.sample.clusters, domains=size)[:, 0]
    df = own if options.df == "domain" else np.full(size, on.sample.df)
    low, high, se = woodruff(of, found, se_share, df=df, level=options.level)
    scale = -np.divide(se, se_share, out=np.zeros(size), where=(se_share > 0) & np.isfinite(se))
    scaled = replace(held, matrix=held.matrix @ sp.diags_array(scale))
    n = np.bincount(on.domain, valid, size).astype(int)
    note = np.where((n > 0) & (se == 0), COARSE, "").astype(object)
    none = np.full(size, np.nan)
    parts = {
        "estimate": found,
        "se": se,
        "df": df,
        "ci_low": low,
        "ci_high": high,
        "deff": none,
        "deff_wr": none,
        "n": n,
        "note": note,
    }
    return (
        result_table(on.keys.assign(measure=measure.name)[[*columns, "measure"]], parts),
        scaled,
        on,
    )


def interleaved(
    parts: Sequence[tuple[pd.DataFrame, Contributions]],
    columns: tuple[str, ...],
    conventions: dict[str, Any],
    design: SurveyDesign,
) -> Estimates:
    """Join estimates of several measures, domain-major."""
    domains, width = len(parts[0][0]), len(parts)
    order = np.arange(domains * width).reshape(width, domains).T.ravel()
    table = (
        pd.concat([table for table, _ in parts], ignore_index=True)
        .iloc[order]
        .reset_index(drop=True)
    )
    matrix = sp.csr_array(
        sp.csc_array(sp.hstack([sp.csr_array(held.matrix) for _, held in parts]))[:, order]
    )
    inside = sp.csr_array(
        sp.csc_array(sp.hstack([held.members.inside for _, held in parts]))[:, order]
    )
    first = parts[0][1]
    held = replace(first, matrix=matrix, members=Members(inside, first.members.stratum))
    cov = without_rounding(held.covariance, table["estimate"].to_numpy(float))
    return Estimates(table, cov, held, columns, conventions, design)


def _at_or_below(counted: Tally, value: Array, quantile: Array) -> Tally:
    """Return the tally of the indicator that a valid value is at or below its domain's quantile."""
    inside = counted.valid * (value <= quantile)[:, None]
    squares = np.stack([np.zeros_like(inside), np.zeros_like(inside), inside], axis=2)
    return replace(counted, total=inside, squares=squares, units=np.ones(1, dtype=np.int64))
