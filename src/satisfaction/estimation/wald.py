"""Joint Wald tests of several linear combinations of estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from satisfaction.estimation.intervals import summed_df
from satisfaction.estimation.result import Estimates
from satisfaction.estimation.sample import lay_out
from satisfaction.estimation.test_results import (
    HypothesisTest,
    declared,
    fault,
    joint_row,
    require_df,
)
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.sampling.tally import tally

Array = np.ndarray[Any, Any]
WaldStatistic = Literal["F", "adjusted_F", "chisq"]
Contrasts = Mapping[str, Mapping[Any, float]]
NULL = "各线性组合在总体中都等于 0 all linear combinations are 0 in the population"
LOOKED_UP = {
    "F": "W / k in F(k, df)",
    "adjusted_F": "W (df - k + 1) / (k df) in F(k, df - k + 1)",
    "chisq": "W in chi-square(k), df taken as infinite",
}
DF = "design: PSUs - strata, at most the sum over the domains compared"
RANK = 1e-10  # of the largest eigenvalue of the correlation matrix
ROUNDING = 1e-13  # of the largest variance
CONTRADICTION = 1e-6  # in units of the standard errors


def quadratic_form(value: Array, cov: Array) -> tuple[float, int, float]:
    """Return v' V^- v on the correlation scale, the rank of V, and how far v lies outside the span of V.

    Parameters
    ----------
    value : (K,) float
    cov : (K, K) float
        May be singular; variances of 0 stay 0.

    Returns
    -------
    form : float
    rank : int
    outside : float
        Largest part of v / se (of v itself where se = 0) that has no variance at all; 0 for a regular V.
    """
    scale = np.sqrt(np.maximum(np.diag(cov), 0))
    scale = np.where(scale > 0, scale, 1.0)
    spread, axes = np.linalg.eigh(cov / np.outer(scale, scale))
    along = axes.T @ (value / scale)
    kept = spread > RANK * max(spread.max(), 0.0)
    outside = float(np.abs(along[~kept]).max(initial=0.0))
    return float((along[kept] ** 2 / spread[kept]).sum()), int(kept.sum()), outside


def wald_row(
    value: Array, cov: Array, df: float, *, statistic: WaldStatistic = "F", where: str
) -> dict[str, float]:
    """Test value = 0 jointly; returns wald, statistic, df, ddf, p.

    Raises
    ------
    EstimatesError
        E147 too few degrees of freedom, E160 a combination without sampling variance that is not 0.
    """
    form, rank, outside = quadratic_form(value, cov)
    if 0 < rank < len(value) and rank >= df:  # the covariance of so few PSUs cannot hold more
        require_df(df, rank + 1, where=where)
    if rank == 0 or outside > CONTRADICTION * max(1.0, float(np.sqrt(form))):
        raise fault(
            "E160",
            ("有的组合没有抽样误差（例如校准总数决定的量），无法检验。", "A combination has no sampling variance (for instance one that the calibration fixes); it cannot be tested."),
            where=where, hint=("去掉标准误为 0 的组合。", "Leave out combinations whose se is 0."),
        )  # fmt: skip
    if statistic == "chisq":
        return joint_row(form, form, df=rank, ddf=np.inf, name="wald")
    ddf = df - rank + 1 if statistic == "adjusted_F" else df
    require_df(ddf, 1, where=where)
    return joint_row(form, form / rank * (ddf / df), df=rank, ddf=ddf, name="wald")


def wald(
    estimates: Estimates, contrasts: Contrasts | None = None, *, statistic: WaldStatistic = "F"
) -> HypothesisTest:
    """Test that several linear combinations of estimates are 0 together.

    Parameters
    ----------
    estimates : Estimates
    contrasts : mapping, optional
        As in `Estimates.contrast`. None: that all rows of one measure are equal.
    statistic : {"F", "adjusted_F", "chisq"}
        W = c' V^- c of rank k: W / k in F(k, df); W (df - k + 1) / (k df) in F(k, df - k + 1), which holds its level where
        k is not small against df; W in chi-square(k), only for large df.

    Returns
    -------
    HypothesisTest
        `details` is the table of the combinations. df are the design's (PSUs minus strata), at most the sum of the df of
        the domains that are compared.

    Raises
    ------
    EstimatesError
        E112 unknown row, E140 unknown statistic, E147 too few degrees of freedom, E149 nothing to test, E160 no variance,
        E162 a combination of domains without respondents.

    Notes
    -----
    Wald (1943); the F forms are those of Korn and Graubard (1990) and Thomas and Rao (1987). A combination that repeats
    others does not count: k is the rank of V.
    """
    one_of(
        statistic, get_args(WaldStatistic), argument="statistic", error=EstimatesError, code="E140"
    )
    combined = estimates.contrast(
        _differences(estimates) if contrasts is None else _checked(contrasts)
    )
    value = combined.table["estimate"].to_numpy(float)
    if not np.isfinite(value).all():
        raise fault(
            "E162", ("有的组合没有估计值（域内没有有效回答）。", "A combination has no estimate (a domain without valid answers)."), where="contrasts",
            available=combined.table.loc[np.isfinite(value), "measure"], hint=("去掉空的域。", "Leave out empty domains."),
        )  # fmt: skip
    noise = np.diag(combined.cov) <= ROUNDING * np.fmax.reduce(np.diag(estimates.cov))
    cov = np.where(noise[:, None] | noise, 0.0, combined.cov)
    df = min(_design_df(estimates), _domain_df(estimates, _rows_used(estimates, contrasts)))
    if estimates.conventions["selection"] == "probability":
        row = wald_row(value, cov, df, statistic=statistic, where="contrasts")
    else:
        row = dict.fromkeys(("wald", "statistic", "df", "ddf", "p"), np.nan)
    own = {
        "test": f"Wald: {LOOKED_UP[statistic]}",
        "null": NULL,
        "df": DF,
        "level": estimates.level,
    }
    conventions = declared(estimates.design, own) | {"variance": estimates.conventions["variance"]}
    return HypothesisTest(pd.DataFrame([row]), combined.table, conventions)


def _checked(contrasts: Contrasts) -> Contrasts:
    """Refuse an empty list, and combinations without a coefficient."""
    if not isinstance(contrasts, Mapping) or not all(
        isinstance(terms, Mapping) for terms in contrasts.values()
    ):
        return contrasts  # `contrast` refuses these
    empty = [name for name, terms in contrasts.items() if not any(terms.values())]
    if empty or not contrasts:
        raise fault(
            "E149", (f"没有可检验的组合{empty or ''}。", f"There is nothing to test: no combination with a coefficient {empty or ''}."),
            where="contrasts", hint=('写成 {"名称": {行: 系数}}。', 'Write {"name": {row: coefficient}}.'),
        )  # fmt: skip
    return contrasts


def _differences(estimates: Estimates) -> Contrasts:
    """Return the differences of all rows of one measure from the first."""
    rows = estimates.table
    if len(set(rows["measure"])) != 1 or len(rows) < 2:
        raise fault(
            "E149", ("不写 contrasts 时需要一个指标的至少两行估计。", "Without contrasts it takes at least two rows of one measure."), where="contrasts",
            available=rows["measure"].unique(), hint=("先用 .of(指标) 选出一个指标。", "Choose one measure with .of(measure)."),
        )  # fmt: skip
    names = [
        " ".join(map(str, key))
        for key in rows[list(estimates.by)].itertuples(index=False, name=None)
    ]
    return {f"{names[i]} - {names[0]}": {i: 1.0, 0: -1.0} for i in range(1, len(rows))}


def _rows_used(estimates: Estimates, contrasts: Contrasts | None) -> Array:
    """Return which rows have a coefficient: (Q,) bool."""
    keys = list(estimates.table[[*estimates.by, "measure"]].itertuples(index=False, name=None))
    if contrasts is None:
        return np.ones(len(keys), dtype=bool)
    named = {
        key for terms in contrasts.values() for key, coefficient in terms.items() if coefficient
    }
    return np.array([key in named or i in named for i, key in enumerate(keys)])


def _domain_df(estimates: Estimates, used: Array) -> float:
    """Sum the df of the domains compared; measures of one domain, and domains that share PSUs, share theirs."""
    own = estimates.table["df"].to_numpy(float)
    return summed_df(
        np.flatnonzero(used),
        domain=estimates.domain,
        df=own,
        members=estimates.contributions.members,
    )


def _design_df(estimates: Estimates) -> float:
    return float(lay_out(estimates.design, tally(estimates.design, ())).df)
