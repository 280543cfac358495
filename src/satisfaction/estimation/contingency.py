"""Tests of independence in two-way tables under the sample design: Rao-Scott and Wald."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import linalg, optimize, special

from satisfaction.estimation.sample import Sample, lay_out
from satisfaction.estimation.test_results import (
    DF_USED,
    HypothesisTest,
    Variable,
    declared,
    fault,
    joint_row,
    levels,
    name_of,
    require_df,
    require_groups,
    used_df,
    with_values,
)
from satisfaction.estimation.wald import WaldStatistic, wald_row
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.tally import tally

Array = np.ndarray[Any, Any]
RaoScott = Literal["F", "chisq", "saddlepoint", "wald", "adjusted_wald"]
NULL = "行变量与列变量在总体中独立 rows and columns are independent in the population"
LOOKED_UP = {
    "F": "Rao-Scott, second order: Pearson X2 / trace in F(d0, d0 df)",
    "chisq": "Rao-Scott, first order: Pearson X2 / mean design effect in chi-square",
    "saddlepoint": "Rao-Scott: Pearson X2 in the weighted sum of chi-squares over chi-square(d0 df) / (d0 df), by saddlepoint",
    "wald": "Wald on the residuals from independence: W / k in F(k, df)",
    "adjusted_wald": "Wald on the residuals from independence: W (df - k + 1) / (k df) in F(k, df - k + 1)",
}
WALD: dict[str, WaldStatistic] = {"wald": "F", "adjusted_wald": "adjusted_F"}
MISSING = "respondents without both variables are not counted; their PSUs stay in the design"
NEGLIGIBLE = (
    1e-9  # of the variance under simple random sampling: rounding, the cells are calibrated
)
AT_MEAN = 1e-5  # of the saddlepoint, where its formula is 0 / 0


@dataclass(frozen=True, slots=True)
class CrossTable:
    """Estimated population of the R x C cells, rows first.

    Attributes
    ----------
    cells : DataFrame (R*C, 2)
        The levels.
    total : (R, C) float
    cov : (R*C, R*C) float
        Of the totals.
    n : (R, C) int
        Respondents.
    df : int
        PSUs minus strata, over those with a respondent of both variables.
    """

    cells: pd.DataFrame
    total: Array
    cov: Array
    n: Array
    df: int


def rao_scott(
    design: SurveyDesign, rows: Variable, columns: Variable, *, statistic: RaoScott = "F"
) -> HypothesisTest:
    """Test whether two categorical variables are independent in the population (R's `svychisq`).

    Parameters
    ----------
    design : SurveyDesign
    rows, columns : str or Measure
        Columns, or declared measures with few values (rates).
    statistic : {"F", "chisq", "saddlepoint", "wald", "adjusted_wald"}
        F: second-order Rao-Scott (Satterthwaite) in F(d0, d0 df), the usual choice. chisq: first order, too liberal where
        the design effects differ. saddlepoint: the whole distribution instead of two moments. wald, adjusted_wald: on
        the residuals from independence; liberal, or powerless, where cells are many.

    Returns
    -------
    HypothesisTest
        `table` holds pearson (X2 of the shares times the respondents counted), statistic, df, ddf, p; with the Wald forms
        wald instead of pearson. `details` has a row a cell: share, its se, the share under independence, n.

    Raises
    ------
    EstimatesError
        E140 unknown statistic, E141 unknown name, E142 a variable with a single level, E147 too few degrees of freedom,
        E160 cells without sampling variance, E161 twice the same variable, E166 too many empty cells.

    Notes
    -----
    Rao and Scott (1984); Thomas and Rao (1987) and Koch, Freeman and Freeman (1975) for the Wald forms; Kuonen (1999) for
    the saddlepoint. A variable masked with missing values outside a county tests that county, and df then counts its PSUs, as
    R does after `subset` (but not for values missing inside the call). A cell without respondents has no design effect.
    """
    one_of(statistic, get_args(RaoScott), argument="statistic", error=EstimatesError, code="E140")
    names = name_of(rows), name_of(columns)
    if names[0] == names[1]:
        raise fault(
            "E161", (f"行与列是同一个变量 '{names[0]}'。", f"Rows and columns are the same variable '{names[0]}'."), where="rows, columns",
            hint=("选用两个不同的变量。", "Choose two variables."),
        )  # fmt: skip
    crossed = cross_table(design, rows, columns)
    own = {"test": LOOKED_UP[statistic], "null": NULL, "df": DF_USED, "missing": MISSING}
    require_df(crossed.df, 1, where="rows, columns")
    row = _wald(crossed, WALD[statistic]) if statistic in WALD else _rao_scott(crossed, statistic)
    return HypothesisTest(pd.DataFrame([row]), _cells(crossed), declared(design, own))


def cross_table(design: SurveyDesign, rows: Variable, columns: Variable) -> CrossTable:
    """Estimate the population of the cells of a two-way table, with its covariance."""
    held, (row, column) = with_values(design, [rows, columns], where="rows, columns")
    counted = tally(held, (), by=[row, column])
    both = counted.keys[[row, column]].notna().all(axis=1).to_numpy()
    (first, of_row), (second, of_column) = (
        levels(counted.keys[name], both) for name in (row, column)
    )
    require_groups(first, name_of(rows), where="rows")
    require_groups(second, name_of(columns), where="columns")
    sample, shape = lay_out(held, counted), (len(first), len(second))
    cell, n = of_row[both] * shape[1] + of_column[both], counted.n[both]
    total = np.bincount(cell, (sample.weight * sample.n)[both], shape[0] * shape[1]).reshape(shape)
    respondents = np.bincount(cell, n, shape[0] * shape[1]).astype(np.int64).reshape(shape)
    names = pd.MultiIndex.from_product(
        [first, second], names=[name_of(rows), name_of(columns)]
    ).to_frame(index=False)
    df = used_df(np.where(both, counted.n, 0), sample.clusters)
    return CrossTable(names, total, _covariance(sample, both, cell, total.size), respondents, df)


def pearson(share: Array, n: float) -> float:
    """Return n sum (p_ij - p_i. p_.j)^2 / (p_i. p_.j) for shares (R, C) of total 1."""
    independent = np.outer(share.sum(axis=1), share.sum(axis=0))
    return float(n * ((share - independent) ** 2 / independent).sum())


def design_effects(share: Array, cov: Array, n: float) -> Array:
    """Return the generalized design effects of the interactions of a table, the weights of X2's distribution.

    Eigenvalues of (C' D C / n)^-1 (C' D V D C), with D = diag(1 / share) and C a basis of the interactions that is
    orthogonal to the main effects (Rao and Scott 1984).

    Parameters
    ----------
    share : (R, C) float
    cov : (R*C, R*C) float
        Of the shares.
    n : float
        Respondents.

    Returns
    -------
    ((R-1) * (C-1),) float
    """
    basis = np.kron(linalg.helmert(share.shape[0]), linalg.helmert(share.shape[1])).T
    if np.linalg.matrix_rank(basis[share.ravel() > 0]) < basis.shape[1]:
        raise fault(
            "E166", (f"{(share == 0).sum()} 个空单元使交互效应无法估计。", f"With {(share == 0).sum()} empty cells the interactions cannot be estimated."),
            where="rows, columns", hint=("合并类别。", "Merge levels."),
        )  # fmt: skip
    inverse = (
        np.divide(1.0, share.ravel(), out=np.zeros(share.size), where=share.ravel() > 0)[:, None]
        * basis
    )
    return np.asarray(
        linalg.eigh(inverse.T @ cov @ inverse, basis.T @ inverse / n, eigvals_only=True)
    )


def share_jacobian(total: Array) -> Array:
    """Derivatives of the shares by the totals of the cells: (R*C, R*C)."""
    size = total.sum()
    return np.asarray((np.eye(total.size) - total.ravel()[:, None] / size) / size)


def residual_jacobian(total: Array) -> Array:
    """Derivatives of N_ij - N_i. N_.j / N by the totals of the cells: (R*C, R*C)."""
    size, (rows, columns) = total.sum(), (np.eye(k) for k in total.shape)
    of_row, of_column = total.sum(axis=1) / size, total.sum(axis=0) / size
    by_row = np.kron(rows, np.outer(of_column, np.ones(len(columns))))
    by_column = np.kron(np.outer(of_row, np.ones(len(rows))), columns)
    return np.asarray(np.eye(total.size) - by_row - by_column + np.kron(of_row, of_column)[:, None])


def weighted_chisq_tail(x: float, weights: Array, ddf: float) -> float:
    """P(sum a_i chi2_1 > x chi2_ddf / ddf) by the saddlepoint of Kuonen (1999).

    Parameters
    ----------
    x : float
        >= 0.
    weights : (k,) float
        a > 0.
    ddf : float
        Degrees of freedom of the estimated covariance.
    """
    if x <= 0:
        return 1.0
    unit = weights.max()
    a, times = np.append(weights, -x / ddf) / unit, np.append(np.ones(len(weights)), ddf)

    def slope(at: float) -> float:
        return float((times * a / (1 - 2 * at * a)).sum())

    edge = 1 - 1e-12
    at = optimize.brentq(slope, edge / (2 * a.min()), edge / (2 * a.max()), xtol=1e-15, rtol=1e-14)
    w = np.sign(at) * np.sqrt(max(float((times * np.log1p(-2 * at * a)).sum()), 0.0))
    v = at * np.sqrt(2 * float((times * a**2 / (1 - 2 * at * a) ** 2).sum()))
    third = 8 * (times * a**3).sum() / (2 * (times * a**2).sum()) ** 1.5 / 6
    return float(special.ndtr(-(w + (np.log(v / w) / w if abs(w) > AT_MEAN else third))))


def _rao_scott(crossed: CrossTable, statistic: str) -> dict[str, float]:
    n, jacobian = float(crossed.n.sum()), share_jacobian(crossed.total)
    share = crossed.total / crossed.total.sum()
    effects = design_effects(share, jacobian @ crossed.cov @ jacobian.T, n)
    x2, trace = pearson(share, n), float(effects.sum())
    if trace <= NEGLIGIBLE:
        raise fault(
            "E160", ("表中单元没有抽样误差（例如两个变量的联合分布已校准），无法检验。", "The cells have no sampling variance (for instance: calibrated to their joint distribution); they cannot be tested."),
            where="rows, columns", hint=("换用未被联合校准的变量。", "Choose variables that are not calibrated jointly."),
        )  # fmt: skip
    if statistic == "chisq":
        return joint_row(
            x2, x2 / (trace / len(effects)), df=len(effects), ddf=np.inf, name="pearson"
        )
    d0 = trace**2 / float((effects**2).sum())
    row = joint_row(x2, x2 / trace, df=d0, ddf=d0 * crossed.df, name="pearson")
    if statistic == "saddlepoint":
        positive = effects[effects > 1e-12 * effects.max()]
        row |= {"df": float(len(effects)), "p": weighted_chisq_tail(x2, positive, row["ddf"])}
    return row


def _wald(crossed: CrossTable, statistic: WaldStatistic) -> dict[str, float]:
    total = crossed.total
    residual = total - np.outer(total.sum(axis=1), total.sum(axis=0)) / total.sum()
    jacobian = residual_jacobian(total)[np.arange(total.size).reshape(total.shape)[1:, 1:].ravel()]
    size = total.sum()
    value, cov = residual[1:, 1:].ravel() / size, jacobian @ crossed.cov @ jacobian.T / size**2
    fixed = np.diag(cov) <= NEGLIGIBLE * total[1:, 1:].ravel() / size / crossed.n.sum()
    cov = np.where(fixed[:, None] | fixed, 0.0, cov)
    require_df(crossed.df, len(value), where="rows, columns")
    return wald_row(value, cov, crossed.df, statistic=statistic, where="rows, columns")


def _covariance(sample: Sample, used: Array, cell: Array, cells: int) -> Array:
    at = np.flatnonzero(used)
    return sample.covariance(sp.csr_array((sample.n[at], (at, cell)), shape=(len(used), cells)))


def _cells(crossed: CrossTable) -> pd.DataFrame:
    jacobian, share = share_jacobian(crossed.total), crossed.total / crossed.total.sum()
    se = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", jacobian, crossed.cov, jacobian), 0))
    independent = np.outer(share.sum(axis=1), share.sum(axis=0))
    return crossed.cells.assign(
        share=share.ravel(), se=se, independent=independent.ravel(), n=crossed.n.ravel()
    )
