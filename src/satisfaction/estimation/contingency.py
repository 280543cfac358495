"""Tests of independence in two-way tables under the sample design: Rao-Scott and Wald."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import linalg, optimize, special

from satisfaction.estimation.hypothesis_tests import (
    DF_USED,
    HypothesisTest,
    Variable,
    WaldStatistic,
    declared,
    joint_row,
    levels,
    name_of,
    require_df,
    require_groups,
    used_df,
    wald_row,
    with_values,
)
from satisfaction.estimation.intervals import fixed, quotient, standard_errors
from satisfaction.estimation.sample import lay_out
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.language import N_, _
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.replicates import GivenReplicates, deviations_of_given
from satisfaction.sampling.tally import refuse_reserved, tally
from satisfaction.sampling.variance import Array, crossed

RaoScott = Literal["F", "chisq", "saddlepoint", "wald", "adjusted_wald"]
Whole = Literal["all", "row", "column"]
OF_A_CELL = (
    *("n", "total", "total_se", "share", "share_se", "row_share", "row_share_se"),
    *("column_share", "column_share_se", "se", "independent"),
)
SHARES: dict[str, Whole] = {"share": "all", "row_share": "row", "column_share": "column"}
NULL = _("rows and columns are independent in the population").both
LOOKED_UP = {
    "F": _("Rao-Scott, second order: Pearson X2 / trace in F(d0, d0 df)").both,
    "chisq": _("Rao-Scott, first order: Pearson X2 / mean design effect in chi-square").both,
    "saddlepoint": _(
        "Rao-Scott: Pearson X2 in the weighted sum of chi-squares over chi-square(d0 df) / (d0 df), by saddlepoint"
    ).both,
    "wald": _("Wald on the residuals from independence: W / k in F(k, df)").both,
    "adjusted_wald": _(
        "Wald on the residuals from independence: W (df - k + 1) / (k df) in F(k, df - k + 1)"
    ).both,
}
WALD: dict[str, WaldStatistic] = {"wald": "F", "adjusted_wald": "adjusted_F"}
MISSING = N_("respondents without both variables are not counted; their PSUs stay in the design")
# of the variance under simple random sampling: rounding, the cells are calibrated
NEGLIGIBLE = 1e-9
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
    selection : str
        How respondents were selected; only a probability sample has standard errors.
    replicates : GivenReplicates or None
        Replicate weights that came with the data.
    replicated : (P, R, C) float, or None
        The totals under each of them.
    """

    cells: pd.DataFrame
    total: Array
    cov: Array
    n: Array
    df: int
    selection: str = "probability"
    replicates: GivenReplicates | None = None
    replicated: Array | None = None

    def __repr__(self) -> str:
        rows, columns = self.total.shape
        names = " x ".join(map(str, self.cells))
        respondents = f"{self.n.sum():,} respondents"
        return f"CrossTable({names}: {rows} x {columns} cells, {respondents}, df {self.df})"

    @property
    def table(self) -> pd.DataFrame:
        """Return one row a cell: the levels, n, and each with its standard error total, share, row_share, column_share.

        Shares 0-1: of all cells (R's `svymean(~interaction(rows, columns))`), of the cell's row (R's `svyby`), of its column.
        """
        table = self.cells.assign(n=self.n.ravel())
        table["total"] = self.total.ravel()
        table["total_se"] = standard_errors(self.cov)
        for name, of in SHARES.items():
            table[name] = self.shares(of).ravel()
            table[f"{name}_se"] = standard_errors(self.covariance(of))
        if self.selection != "probability":
            errors = [f"{name}_se" for name in ("total", *SHARES)]
            table[errors] = np.nan
        return table

    def shares(self, of: Whole = "all") -> Array:
        """Return the shares of the cells in all of them, in their row or in their column: (R, C); nan in one that is empty."""
        return _shares(self.total, of)

    def covariance(self, of: Whole = "all") -> Array:
        """Return the covariance of the shares `of` all, row or column: (R*C, R*C), linearized or replicated, rows first."""
        if self.replicates is not None and self.replicated is not None:
            again = [_shares(total, of).ravel() for total in self.replicated]
            shares = self.shares(of).ravel()
            matrix = deviations_of_given(self.replicates, np.stack(again), shares)
            return crossed(matrix, matrix)
        jacobian = self.jacobian(of)
        return jacobian @ self.cov @ jacobian.T

    def jacobian(self, of: Whole = "all") -> Array:
        """Return the derivatives of the shares by the totals of the cells: (R*C, R*C)."""
        whole = _whole(self.total, of).ravel()
        share = np.nan_to_num(self.shares(of)).ravel()
        row, column = np.indices(self.total.shape).reshape(2, -1)
        together = np.ones((self.total.size, self.total.size), dtype=bool)
        if of == "row":
            together = row[:, None] == row
        elif of == "column":
            together = column[:, None] == column
        slope = np.eye(self.total.size) - share[:, None] * together
        size = whole[:, None]
        return quotient(slope, size, where=size > 0, otherwise=0.0)


def _whole(total: Array, of: Whole) -> Array:
    """Return what each cell is a share of: all cells, those of its row or those of its column; (R, C)."""
    one_of(of, Whole, argument="of", error=EstimatesError, code="E140")
    over = {"all": None, "row": 1, "column": 0}[of]
    return np.broadcast_to(total.sum(axis=over, keepdims=True), total.shape)


def _shares(total: Array, of: Whole) -> Array:
    """Return the shares of the cells (R, C); nan in a row or column that is empty."""
    whole = _whole(total, of)
    return quotient(total, whole, where=whole > 0)


def rao_scott(
    design: SampleDesign, rows: Variable, columns: Variable, *, statistic: RaoScott = "F"
) -> HypothesisTest:
    """Test whether two categorical variables are independent in the population (R's `svychisq`).

    Parameters
    ----------
    design : SampleDesign
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

    Examples
    --------
    >>> people = pd.DataFrame({"psu": [1, 1, 2, 2, 3, 3, 4, 4], "sex": [1, 2] * 4})
    >>> people["satisfied"] = [1, 0, 1, 1, 1, 0, 0, 0]
    >>> design = sat.SurveyDesign(people, psu="psu")
    >>> test = sat.rao_scott(design, "sex", "satisfied")
    >>> test.table.round(3)
       pearson  statistic   df  ddf      p
    0      2.0       2.25  1.0  3.0  0.231
    """
    one_of(statistic, RaoScott, argument="statistic", error=EstimatesError, code="E140")
    if name_of(rows) == name_of(columns):
        raise EstimatesError(
            "E161",
            _("Rows and columns are the same variable '{name_of}'.", name_of=name_of(rows)),
            where="rows, columns",
            hint=_("Choose two variables."),
        )
    crossed = cross_table(design, rows, columns)
    require_df(crossed.df, 1, where="rows, columns")
    row = _wald(crossed, WALD[statistic]) if statistic in WALD else _rao_scott(crossed, statistic)
    share = crossed.shares()
    cells = crossed.cells.assign(share=share.ravel())
    cells["se"] = standard_errors(crossed.covariance())
    cells["independent"] = _independent(share).ravel()
    cells["n"] = crossed.n.ravel()
    of_test = {"test": LOOKED_UP[statistic], "null": NULL, "df": DF_USED, "missing": MISSING}
    conventions = declared(design, of_test, refitted=statistic not in WALD)
    return HypothesisTest(pd.DataFrame([row]), cells, conventions)


def cross_table(design: SampleDesign, rows: Variable, columns: Variable) -> CrossTable:
    """Estimate the population of the cells of a two-way table, with its covariance.

    Returns
    -------
    CrossTable
        `.table` has a row a cell: respondents, estimated residents, and the cell's shares of all, of its row and of its
        column, each with its standard error. Respondents without both variables are not counted.

    Raises
    ------
    EstimatesError
        E141 unknown name, E142 a variable with a single level, E386 one of a reserved name.

    Notes
    -----
    After several weighting steps its standard errors credit the last calibration only, as those of the tests do;
    `estimate(..., statistic="shares", by=...)` replays all steps. Whoever has weight 0 is in no cell.

    Examples
    --------
    >>> people = pd.DataFrame({"psu": [1, 1, 2, 2, 3, 3, 4, 4], "sex": [1, 2] * 4})
    >>> people["satisfied"] = [1, 0, 1, 1, 1, 0, 0, 0]
    >>> design = sat.SurveyDesign(people, psu="psu")
    >>> crossed = sat.cross_table(design, "sex", "satisfied")
    >>> crossed
    CrossTable(sex x satisfied: 2 x 2 cells, 8 respondents, df 3)
    >>> crossed.total
    array([[1., 3.],
           [3., 1.]])
    >>> crossed.shares("row")
    array([[0.25, 0.75],
           [0.75, 0.25]])
    """
    refuse_reserved([name for name in map(name_of, (rows, columns)) if name in OF_A_CELL])
    held, (row, column) = with_values(design, [rows, columns], where="rows, columns")
    counted = tally(held, (), by=[row, column])
    sample = lay_out(held, counted)
    # sampled persons who did not answer have weight 0: they are in the design, in no cell
    members = counted.inside & (sample.weight > 0)
    both = members & counted.keys[[row, column]].notna().all(axis=1).to_numpy()
    row_levels, of_row = levels(counted.keys[row], both)
    column_levels, of_column = levels(counted.keys[column], both)
    require_groups(row_levels, name_of(rows), where="rows")
    require_groups(column_levels, name_of(columns), where="columns")
    shape = (len(row_levels), len(column_levels))
    cells = shape[0] * shape[1]
    at = np.flatnonzero(both)
    cell = of_row[at] * shape[1] + of_column[at]
    total = np.bincount(cell, (sample.weight * sample.n)[at], cells)
    n = np.bincount(cell, counted.n[at], cells).astype(np.int64)
    in_cells = sp.csr_array((sample.n[at], (at, cell)), shape=(len(both), cells))
    titles = [name_of(rows), name_of(columns)]
    names = pd.MultiIndex.from_product([row_levels, column_levels], names=titles)
    replicated = None
    if sample.replicate_weights is not None:
        sums = sample.replicate_weights.T @ in_cells
        replicated = np.asarray(sums).reshape(-1, *shape)
    return CrossTable(
        names.to_frame(index=False),
        total.reshape(shape),
        sample.covariance(in_cells),
        n.reshape(shape),
        used_df(np.where(both, counted.n, 0), sample),
        design.selection,
        sample.replicates,
        replicated,
    )


def _independent(share: Array) -> Array:
    """Return the shares p_i. p_.j that independence would have: (R, C)."""
    return np.outer(share.sum(axis=1), share.sum(axis=0))


def pearson(share: Array, n: float) -> float:
    """Return n sum (p_ij - p_i. p_.j)^2 / (p_i. p_.j) for shares (R, C) of total 1."""
    independent = _independent(share)
    distance = (share - independent) ** 2 / independent
    return float(n * distance.sum())


def interaction_effects(share: Array, cov: Array, n: float) -> Array:
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
    cell_share = share.ravel()
    present = cell_share > 0
    basis = np.kron(linalg.helmert(share.shape[0]), linalg.helmert(share.shape[1])).T
    if np.linalg.matrix_rank(basis[present]) < basis.shape[1]:
        empty = (~present).sum()
        raise EstimatesError(
            "E166",
            _("With {empty} empty cells the interactions cannot be estimated.", empty=empty),
            where="rows, columns",
            hint=_("Merge levels."),
        )
    inverse_share = quotient(np.ones(share.size), cell_share, where=present, otherwise=0.0)
    scaled = inverse_share[:, None] * basis
    effects = linalg.eigh(scaled.T @ cov @ scaled, basis.T @ scaled / n, eigvals_only=True)
    return np.asarray(effects)


def residual_jacobian(total: Array) -> Array:
    """Derivatives of N_ij - N_i. N_.j / N by the totals of the cells: (R*C, R*C)."""
    size = total.sum()
    rows = np.eye(total.shape[0])
    columns = np.eye(total.shape[1])
    of_row = total.sum(axis=1) / size
    of_column = total.sum(axis=0) / size
    by_row = np.kron(rows, np.outer(of_column, np.ones(len(columns))))
    by_column = np.kron(np.outer(of_row, np.ones(len(rows))), columns)
    by_size = np.kron(of_row, of_column)[:, None]
    return np.asarray(np.eye(total.size) - by_row - by_column + by_size)


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
    a = np.append(weights, -x / ddf) / weights.max()
    times = np.append(np.ones(len(weights)), ddf)

    def slope(at: float) -> float:
        left = 1 - 2 * at * a
        return float((times * a / left).sum())

    edge = 1 - 1e-12
    at = optimize.brentq(slope, edge / (2 * a.min()), edge / (2 * a.max()), xtol=1e-15, rtol=1e-14)
    distance = float((times * np.log1p(-2 * at * a)).sum())
    w = np.sign(at) * np.sqrt(max(distance, 0.0))
    if abs(w) > AT_MEAN:
        curvature = 2 * float((times * a**2 / (1 - 2 * at * a) ** 2).sum())
        v = at * np.sqrt(curvature)
        correction = np.log(v / w) / w
    else:
        skewness = 8 * (times * a**3).sum() / (2 * (times * a**2).sum()) ** 1.5
        correction = skewness / 6
    return float(special.ndtr(-(w + correction)))


def _rao_scott(crossed: CrossTable, statistic: str) -> dict[str, float]:
    """Look Pearson's X2 up, corrected by the design effects."""
    n = float(crossed.n.sum())
    share = crossed.shares()
    effects = interaction_effects(share, crossed.covariance(), n)
    x2 = pearson(share, n)
    trace = float(effects.sum())
    if trace <= NEGLIGIBLE:
        raise EstimatesError(
            "E160",
            _(
                "The cells have no sampling variance (for instance: calibrated to their "
                "joint distribution); they cannot be tested."
            ),
            where="rows, columns",
            hint=_("Choose variables that are not calibrated jointly."),
        )
    k = len(effects)
    if statistic == "chisq":
        mean_effect = trace / k
        return joint_row(x2, x2 / mean_effect, df=k, ddf=np.inf, name="pearson")
    d0 = trace**2 / float((effects**2).sum())
    ddf = d0 * crossed.df
    row = joint_row(x2, x2 / trace, df=d0, ddf=ddf, name="pearson")
    if statistic == "saddlepoint":
        positive = effects[effects > 1e-12 * effects.max()]
        row["df"] = float(k)
        row["p"] = weighted_chisq_tail(x2, positive, ddf)
    return row


def _wald(crossed: CrossTable, statistic: WaldStatistic) -> dict[str, float]:
    """Test that the residuals from independence are 0, but for the first row and column."""
    total = crossed.total
    size = total.sum()
    residual = total - _independent(total) / size
    free = np.arange(total.size).reshape(total.shape)[1:, 1:].ravel()
    jacobian = residual_jacobian(total)[free]
    value = residual[1:, 1:].ravel() / size
    cov = jacobian @ crossed.cov @ jacobian.T / size**2
    share = total[1:, 1:].ravel() / size
    by_calibration = np.diag(cov) <= NEGLIGIBLE * share / crossed.n.sum()
    cov = fixed(cov, by_calibration)
    require_df(crossed.df, len(value), where="rows, columns")
    return wald_row(value, cov, crossed.df, statistic=statistic, where="rows, columns")
