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

from satisfaction.estimation.domains import Domains, Options, cut, point, without_rounding
from satisfaction.estimation.intervals import quotient, share_interval, standard_errors, t_quantile
from satisfaction.estimation.result import Estimates, result_table
from satisfaction.estimation.sample import Contributions
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import tally
from satisfaction.sampling.variance import Array, Members

# Ten weights of 0.1 add up to 0.7999999999999999 at the eighth: without the guard the quantile at 0.8 would be the ninth value,
# and another order of the rows would give another quantile. A step of the distribution this small is no respondent.
ROUNDING = 1e-12  # of p


@dataclass(frozen=True, slots=True, repr=False)
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
    # each domain on its own, lest the sums before it round away a small one
    for first, end in pairwise(start):
        running = _running_sums(share[first:end])
        share[first:end] = running / running[-1:]
    return Distribution(domain[order], value[order].astype(float), share, start)


def _running_sums(x: Array) -> Array:
    """Cumulated sums with the rounding of every addition added back: a million times 0.1 alone is off by 1e-11."""
    total = np.cumsum(x)
    before = np.concatenate([[0.0], total[:-1]])
    added = total - before
    rounding = (before - (total - added)) + (x - added)
    return np.asarray(total + np.cumsum(rounding))


def quantiles(of: Distribution, p: float | Array) -> Array:
    """Return the smallest value whose share at or below is at least p: (D,), nan in a domain without rows.

    The left-continuous inverse of the weighted distribution function, R's qrule "math". p, one or (D,), counts as 0 below 0
    and as 1 above 1: then it is the smallest or the largest value.
    """
    size = np.diff(of.start)
    wanted = np.full(size.shape, p) * (1 - ROUNDING)
    short = of.share < wanted[of.domain]
    below = np.bincount(of.domain, short, len(size)).astype(int)
    first = of.start[:-1]
    row = first + np.minimum(below, size - 1)
    known = (size > 0) & ~np.isnan(wanted)
    quantile = np.full(len(size), np.nan)
    quantile[known] = of.value[row[known]]
    return quantile


def share_at_or_below(of: Distribution, value: Array) -> Array:
    """Return the share 0-1 of each domain's weight at or below its value: (D,), nan in a domain without rows."""
    size = np.diff(of.start)
    at_or_below = of.value <= value[of.domain]
    rows = np.bincount(of.domain, at_or_below, len(size)).astype(int)
    share = np.where(size > 0, 0.0, np.nan)
    some = rows > 0
    last = of.start[:-1] + rows - 1
    share[some] = of.share[last[some]]
    return share


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
    share_low, share_high = share_interval("mean", share, se_share, n=n, df=df, level=level)
    low = quantiles(of, share_low)
    high = quantiles(of, share_high)
    known = df >= 1
    half = (high - low) / (2 * t_quantile(df, level))
    se = np.where(known, half, np.nan)
    unbounded = ~known & (n > 0)
    low[unbounded] = -np.inf
    high[unbounded] = np.inf
    return low, high, se


def estimate_percentile(
    design: SampleDesign,
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
    size = len(on.keys)
    valid = on.counted.valid[:, 0]
    score = on.counted.keys[measure.score_column].to_numpy(float)
    value = np.where(valid > 0, score / measure.unit, np.nan)
    of = distribution(on.domain, value, on.sample.weight * valid, domains=size)
    quantile = quantiles(of, p)
    inside = on.counted.valid * (value <= quantile[on.domain])[:, None]
    nothing = np.zeros_like(inside)
    squares = np.stack([nothing, nothing, inside], axis=2)
    unit = np.ones(1, dtype=np.int64)
    below = replace(on.counted, total=inside, squares=squares, units=unit)
    share = point("mean", below, on.domain, weight=on.sample.weight, domains=size)
    held = on.contributions(below, share.z, replace(options, kind="mean"))
    se_share = standard_errors(held.covariance)
    df = np.full(size, on.sample.df)
    if options.df == "domain":
        df = held.members.each_df()
    low, high, se = woodruff(of, quantile, se_share, df=df, level=options.level)
    known = (se_share > 0) & np.isfinite(se)
    scale = -quotient(se, se_share, where=known, otherwise=0.0)
    scaled = replace(held, matrix=held.matrix @ sp.diags_array(scale))
    n = np.bincount(on.domain, valid, size).astype(int)
    figures = {
        "estimate": quantile,
        "se": se,
        "df": df,
        "ci_low": low,
        "ci_high": high,
        "n": n,
        "note": np.where((n > 0) & (se == 0), "one value", "").astype(object),
    }
    keys = on.keys.assign(measure=measure.name)[[*columns, "measure"]]
    return result_table(keys, figures), scaled, on


def interleaved(
    parts: Sequence[tuple[pd.DataFrame, Contributions]],
    columns: tuple[str, ...],
    conventions: dict[str, Any],
    *,
    design: SampleDesign,
) -> Estimates:
    """Join estimates of several measures, domain-major."""
    tables = [table for table, _ in parts]
    held = [contributions for _, contributions in parts]
    domains = len(tables[0])
    order = np.arange(domains * len(parts)).reshape(len(parts), domains).T.ravel()
    table = pd.concat(tables, ignore_index=True).iloc[order].reset_index(drop=True)
    matrix = sp.csr_array(sp.hstack([sp.csr_array(part.matrix) for part in held]))
    inside = sp.csr_array(sp.hstack([part.members.inside for part in held]))
    members = Members(inside, held[0].members.stratum)
    joined = replace(held[0], matrix=matrix, members=members).of(order)
    cov = without_rounding(joined.covariance, table["estimate"].to_numpy(float))
    return Estimates(table, cov, joined, columns, conventions, design)
