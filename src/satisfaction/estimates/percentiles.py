"""Quantiles of measures by domain: Woodruff's limits from the share at or below, under any variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..design import SurveyDesign
from ..measures import Measure
from ..tally import Tally, tally
from ..variance import Members, domain_df
from .domains import Domains, Options, cut, without_rounding
from .quantiles import distribution, quantiles, woodruff
from .result import Estimates, result_table
from .sample import Contributions
from .statistics import point

Array = np.ndarray[Any, Any]
COARSE = "one value"


def estimate_percentile(
    design: SurveyDesign, measure: Measure, p: float, *, columns: tuple[str, ...], listed: Sequence[Any] | None, options: Options
) -> tuple[pd.DataFrame, Contributions, Domains]:
    """Estimate one quantile of one measure in every domain: table (D rows), contributions, and the domains."""
    counted = tally(design, [measure], by=columns, by_values=True)
    on = cut(design, counted, columns=columns, listed=listed)
    size, valid = len(on.keys), on.counted.valid[:, 0]
    value = np.where(valid > 0, counted.keys[measure.score_column].to_numpy(float) / measure.unit, np.nan)
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
    return result_table(on.keys.assign(measure=measure.name)[[*columns, "measure"]], parts), scaled, on


def interleaved(
    parts: Sequence[tuple[pd.DataFrame, Contributions]],
    columns: tuple[str, ...],
    conventions: dict[str, Any],
    design: SurveyDesign,
) -> Estimates:
    """Join estimates of several measures, domain-major."""
    domains, width = len(parts[0][0]), len(parts)
    order = np.arange(domains * width).reshape(width, domains).T.ravel()
    table = pd.concat([table for table, _ in parts], ignore_index=True).iloc[order].reset_index(drop=True)
    matrix = sp.csr_array(sp.csc_array(sp.hstack([sp.csr_array(held.matrix) for _, held in parts]))[:, order])
    inside = sp.csr_array(sp.csc_array(sp.hstack([held.members.inside for _, held in parts]))[:, order])
    first = parts[0][1]
    held = replace(first, matrix=matrix, members=Members(inside, first.members.stratum))
    cov = without_rounding(held.covariance, table["estimate"].to_numpy(float))
    return Estimates(table, cov, held, columns, conventions, design)


def _at_or_below(counted: Tally, value: Array, quantile: Array) -> Tally:
    """Return the tally of the indicator that a valid value is at or below its domain's quantile."""
    inside = counted.valid * (value <= quantile)[:, None]
    squares = np.stack([np.zeros_like(inside), np.zeros_like(inside), inside], axis=2)
    return replace(counted, total=inside, squares=squares, units=np.ones(1, dtype=np.int64))
