"""Rank tests under the sample design: Wilcoxon for two groups, Kruskal-Wallis for more."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.estimation.intervals import check_level
from satisfaction.estimation.regression import Fit
from satisfaction.estimation.sample import Sample, lay_out
from satisfaction.estimation.t_tests import fitted
from satisfaction.estimation.test_results import (
    DF_USED,
    ROW_NUMBER,
    HypothesisTest,
    Variable,
    declared,
    levels,
    name_of,
    require_df,
    require_groups,
    t_table,
    used_df,
    with_row_numbers,
    with_values,
)
from satisfaction.estimation.wald import wald_row
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import refuse_infinite, resolve, tally

Array = np.ndarray[Any, Any]
Ties = Literal["midpoint", "row_order"]
NULL = "各组在总体中的平均秩相等 all groups have equal mean ranks in the population"
TIES = {
    "midpoint": "midpoint: F(y-) + mass(y) / 2",
    "row_order": "row_order: unweighted mean of the running weights of tied rows (R survey); depends on the order of rows",
}


def rank_test(
    design: SurveyDesign,
    measure: str | Measure,
    by: Variable,
    *,
    ties: Ties = "midpoint",
    level: float = 0.95,
) -> HypothesisTest:
    """Test whether groups tend to equally high values, by their ranks in the estimated population (R's `svyranktest`).

    Parameters
    ----------
    design : SurveyDesign
    measure : str or Measure
        Declared measure or numeric column; only its order matters.
    by : str or Measure
        The groups. Two: Wilcoxon, t with df - 1; more: Kruskal-Wallis, Wald W / k in F(k, df - k) for k + 1 groups.
    ties : {"midpoint", "row_order"}
        The rank score of respondents with equal values. midpoint is right: F(y-) plus half the mass at y is the same for
        all of them, does not depend on the order of rows, and makes the scores' weighted mean exactly 1/2. row_order is
        R's: rows are put in their given order within ties and the midpoints of their running weights averaged *without*
        weights, so the result changes when rows are shuffled wherever weights differ within ties. It is here only to
        reproduce R.

    Returns
    -------
    HypothesisTest
        Two groups: difference of the mean rank scores (second minus first; 0-1), se, t, df, p, limits. With midpoints,
        1/2 + difference is P(second > first) + P(equal) / 2 for one member of each group. More groups: wald, statistic,
        df, ddf, p. `details`: group, mean rank score, n.

    Raises
    ------
    EstimatesError
        E101, E102 unknown measure or no number, E104 level, E140 unknown option, E141 unknown group column, E142 a single
        group, E144 all values equal, E147 too few degrees of freedom for the groups.

    Notes
    -----
    Lumley and Scott (2013): a weighted regression of the rank scores on the groups, the scores taken as given.
    """
    one_of(ties, get_args(Ties), argument="ties", error=EstimatesError, code="E140")
    check_level(level)
    outcome = resolve(design, measure)
    values: Variable = name_of(measure) if outcome.kind == "column" else outcome
    held, (group, value) = with_values(design, [by, values], where="by")
    held = with_row_numbers(held) if ties == "row_order" else held
    counted = tally(held, (), by=[group, value, *([ROW_NUMBER] if ties == "row_order" else [])])
    groups, code = levels(counted.keys[group], counted.keys[value].notna().to_numpy())
    require_groups(groups, name_of(by), where="by")
    refuse_infinite(counted.keys[value], outcome)
    sample = lay_out(held, counted)
    n = np.where(code >= 0, sample.n, 0.0)
    df, k = used_df(n.astype(np.int64), sample.clusters), len(groups) - 1
    require_df(df, k + 1, where="by")
    score = _scores(counted.keys, value, n * sample.weight, ties)
    x = (code[:, None] == np.arange(k + 1)).astype(float)
    x[:, 0] = code >= 0
    fit = fitted(x, weight=sample.weight, valid=n, total=n * score, name=outcome.name)
    table = _two_groups(fit, sample, df - 1, level) if k == 1 else _more_groups(fit, sample, df - k)
    own = {
        "measure": outcome.name, "test": "Wilcoxon: two-sided t" if k == 1 else "Kruskal-Wallis: W / k in F(k, df - k)", "null": NULL,
        "ties": TIES[ties], "df": f"{DF_USED} - {k}", "level": level,
    }  # fmt: skip
    mean = fit.coefficient + np.where(np.arange(k + 1) > 0, fit.coefficient[0], 0.0)
    size = np.bincount(code[code >= 0], n[code >= 0], k + 1).astype(np.int64)
    return HypothesisTest(
        table,
        pd.DataFrame({name_of(by): groups, "mean_rank": mean, "n": size}),
        declared(design, own),
    )


def midpoint_ranks(value: Array, mass: Array) -> Array:
    """Return F(y-) + mass(y) / 2 of every row, as shares of the whole mass: (T,) float.

    Parameters
    ----------
    value, mass : (T,) float
        Rows of mass 0 take part with no mass of their own.
    """
    found, at = np.unique(value, return_inverse=True)
    own = np.bincount(at, mass, len(found))
    return np.asarray(((np.cumsum(own) - own / 2) / own.sum())[at])


def row_order_ranks(value: Array, weight: Array) -> Array:
    """Return R survey's rank scores: the unweighted mean, over tied rows, of cumulated weight minus half the own.

    Parameters
    ----------
    value, weight : (T,) float
        One row a respondent, in the given order; rows of weight 0 must not share a value with others.
    """
    order = np.argsort(value, kind="stable")
    midpoint = np.empty(len(value))
    midpoint[order] = np.cumsum(weight[order]) - weight[order] / 2
    found, at = np.unique(value, return_inverse=True)
    return np.asarray((np.bincount(at, midpoint, len(found)) / np.bincount(at))[at] / weight.sum())


def _scores(keys: pd.DataFrame, value: str, mass: Array, ties: Ties) -> Array:
    """Rank the rows with mass; the others score 0. A row of the tally is one respondent under row_order."""
    score, order = np.zeros(len(keys)), np.arange(len(keys))
    if ties == "row_order":
        order = np.argsort(keys[ROW_NUMBER].to_numpy(), kind="stable")
    at = order[mass[order] > 0]
    rank = midpoint_ranks if ties == "midpoint" else row_order_ranks
    score[at] = rank(keys[value].to_numpy(float, na_value=np.nan)[at], mass[at])
    return score


def _two_groups(fit: Fit, sample: Sample, df: int, level: float) -> pd.DataFrame:
    se = np.sqrt(np.maximum(np.diag(sample.covariance(sp.csr_array(fit.influence[:, 1:]))), 0))
    return t_table(
        pd.DataFrame(index=[0]),
        fit.coefficient[1:],
        se,
        df=df,
        name="difference",
        null=0.0,
        level=level,
    )


def _more_groups(fit: Fit, sample: Sample, df: int) -> pd.DataFrame:
    cov = sample.covariance(sp.csr_array(fit.influence[:, 1:]))
    return pd.DataFrame([wald_row(fit.coefficient[1:], cov, df, where="by")])
