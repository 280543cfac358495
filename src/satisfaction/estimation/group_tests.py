"""Do groups differ? t tests of means, and rank tests: Wilcoxon for two groups, Kruskal-Wallis for more."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.estimation.hypothesis_tests import (
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
    wald_row,
    with_row_numbers,
    with_values,
)
from satisfaction.estimation.intervals import check_level, standard_errors
from satisfaction.estimation.regression import (
    Fit,
    coefficient_covariance,
    least_squares,
    refuse_no_variation,
)
from satisfaction.estimation.sample import lay_out
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.language import N_, _
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import refuse_infinite, refuse_reserved, resolve, tally
from satisfaction.sampling.variance import Array

Ties = Literal["midpoint", "row_order"]
ONE_TEST = pd.DataFrame(index=[0])
OF_A_GROUP = ("mean", "mean_rank", "n")
TIES = {
    "midpoint": N_("midpoint: F(y-) + mass(y) / 2"),
    "row_order": "row_order: unweighted mean of the running weights of tied rows (R survey); depends on the order of rows",
}


def t_test(
    design: SampleDesign,
    measure: str | Measure,
    by: Variable | None = None,
    *,
    value: float = 0.0,
    level: float = 0.95,
) -> HypothesisTest:
    """Test whether two groups have equal means, or whether the mean is a given value (R's `svyttest`).

    Parameters
    ----------
    design : SampleDesign
    measure : str or Measure
        Declared measure or numeric column.
    by : str or Measure, optional
        Variable of two groups; the difference is the second (in sorted order) minus the first. None: one-sample test.
    value : float
        What the mean (without `by`) or the difference is compared with, in the measure's unit.

    Returns
    -------
    HypothesisTest
        `table`: difference (or estimate), se, t, df, p, ci_low, ci_high; `details`: group, mean, n.

    Raises
    ------
    EstimatesError
        E101, E102 unknown measure or no number, E104 level, E141 unknown group column, E142 a single group, E143 more than
        two, E144 a measure that does not vary, E380 a value that is no number, E386 a group column of a reserved name.

    Notes
    -----
    The difference is the slope of a linear regression on the group, which is exactly the contrast of the two domain
    means with their covariance (Lumley 2010). df: PSUs with a respondent used minus their strata, minus 1 for the slope.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> test = sat.t_test(design, "score", "county")
    >>> test.table[["difference", "se", "t", "df", "p"]].round(3)
       difference     se      t  df      p
    0       -15.0  9.129 -1.643   3  0.199
    """
    check_level(level)
    if not np.isfinite(value):
        raise EstimatesError(
            "E380",
            _("value={value} is no finite number to compare with.", value=value),
            where="value",
            hint=_("Write value=0, for instance."),
        )
    outcome = resolve(design, measure)
    refuse_reserved([name_of(by)] if by is not None and name_of(by) in OF_A_GROUP else [])
    held, columns = with_values(design, [] if by is None else [by], where="by")
    counted = tally(held, [outcome], by=columns)
    sample = lay_out(held, counted)
    counted = counted.only(sample.weight > 0)
    valid = counted.valid[:, 0].astype(float)
    total = counted.sums()[:, 0]
    if by is None:
        group_name = "group"
        groups = ["all"]
        code = np.where(valid > 0, 0, -1)
        name = "estimate"
        test = _("two-sided t").both
        null = _("the population mean equals the value given").both
        df_rule = DF_USED
    else:
        group_name = name_of(by)
        groups, code = levels(counted.keys[columns[0]], valid > 0)
        require_groups(groups, group_name, where="by", exactly=2)
        name = "difference"
        test = _("two-sided t, regression on the group").both
        null = _("the two groups have equal population means").both
        df_rule = f"{DF_USED} - 1"
    used = code >= 0
    x = _group_indicators(code, len(groups))
    counts = {"valid": valid * used, "total": total * used}
    fit = least_squares(x, weight=sample.weight, **counts)
    refuse_no_variation(fit, counts["total"], outcome.name)
    cov = coefficient_covariance(sample, fit, least_squares, x=x, **counts)
    se = standard_errors(cov)[-1:]
    df = used_df(counts["valid"].astype(np.int64), sample) - (len(groups) - 1)
    table = t_table(ONE_TEST, fit.coefficient[-1:], se, df=df, name=name, null=value, level=level)
    conventions = {
        "measure": outcome.name,
        "test": test,
        "null": null,
        "value": value,
        "df": df_rule,
        "level": level,
    }
    details = _groups_compared(group_name, groups, code, fit=fit, mean="mean", n=valid)
    return HypothesisTest(table, details, declared(design, conventions, refitted=True))


def rank_test(
    design: SampleDesign,
    measure: str | Measure,
    by: Variable,
    *,
    ties: Ties = "midpoint",
    level: float = 0.95,
) -> HypothesisTest:
    """Test whether groups tend to equally high values, by their ranks in the estimated population (R's `svyranktest`).

    Parameters
    ----------
    design : SampleDesign
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
        group, E144 all values equal, E147 too few degrees of freedom for the groups, E386 a group column of a reserved name.

    Notes
    -----
    Lumley and Scott (2013): a weighted regression of the rank scores on the groups, the scores taken as given.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> test = sat.rank_test(design, "score", "county")
    >>> test.table[["difference", "se", "t", "df", "p"]].round(3)
       difference     se      t  df      p
    0      -0.278  0.146 -1.907   3  0.153
    """
    one_of(ties, Ties, argument="ties", error=EstimatesError, code="E140")
    check_level(level)
    outcome = resolve(design, measure)
    refuse_reserved([name_of(by)] if name_of(by) in OF_A_GROUP else [])
    ranked: Variable = name_of(measure) if outcome.kind == "column" else outcome
    held, (group, value) = with_values(design, [by, ranked], where="by")
    columns = [group, value]
    if ties == "row_order":
        held = with_row_numbers(held)
        columns.append(ROW_NUMBER)
    counted = tally(held, (), by=columns)
    sample = lay_out(held, counted)
    members = counted.inside & (sample.weight > 0)
    ranked_rows = members & counted.keys[value].notna().to_numpy()
    groups, code = levels(counted.keys[group], ranked_rows)
    require_groups(groups, name_of(by), where="by")
    refuse_infinite(counted.keys[value], outcome)
    used = code >= 0
    n = np.where(used, sample.n, 0.0)
    df = used_df(n.astype(np.int64), sample)
    k = len(groups) - 1
    require_df(df, k + 1, where="by")
    mass = n * sample.weight
    values = counted.keys[value].to_numpy(float, na_value=np.nan)
    if ties == "midpoint":
        at = np.flatnonzero(mass > 0)
        scores = midpoint_ranks(values[at], mass[at])
    else:
        order = np.argsort(counted.keys[ROW_NUMBER].to_numpy(), kind="stable")
        at = order[mass[order] > 0]
        scores = row_order_ranks(values[at], mass[at])
    score = np.zeros(len(counted.keys))
    score[at] = scores
    x = _group_indicators(code, k + 1)
    total = n * score
    fit = least_squares(x, weight=sample.weight, valid=n, total=total)
    refuse_no_variation(fit, total, outcome.name)
    beyond_first = fit.coefficient[1:]
    cov = sample.covariance(sp.csr_array(fit.influence[:, 1:]))
    if k == 1:
        test = _("Wilcoxon: two-sided t").both
        se = standard_errors(cov)
        table = t_table(
            ONE_TEST, beyond_first, se, df=df - 1, name="difference", null=0, level=level
        )
    else:
        test = _("Kruskal-Wallis: W / k in F(k, df - k)").both
        table = pd.DataFrame([wald_row(beyond_first, cov, df - k, where="by")])
    conventions = {
        "measure": outcome.name,
        "test": test,
        "null": _("all groups have equal mean ranks in the population").both,
        "ties": TIES[ties],
        "df": f"{DF_USED} - {k}",
        "level": level,
    }
    details = _groups_compared(name_of(by), groups, code, fit=fit, mean="mean_rank", n=n)
    return HypothesisTest(table, details, declared(design, conventions))


def _group_indicators(code: Array, groups: int) -> Array:
    """Return a column of ones for the rows used, code 0 and above, and one for each group but the first: (T, groups)."""
    x = (code[:, None] == np.arange(groups)).astype(float)
    x[:, 0] = code >= 0
    return np.asarray(x)


def _groups_compared(
    variable: str, groups: list[Any], code: Array, *, fit: Fit, mean: str, n: Array
) -> pd.DataFrame:
    """Return what was compared: each group, its mean and its respondents."""
    used = code >= 0
    means = fit.coefficient.copy()
    means[1:] += fit.coefficient[0]
    respondents = np.bincount(code[used], n[used], len(groups)).astype(np.int64)
    return pd.DataFrame({variable: groups, mean: means, "n": respondents})


def midpoint_ranks(value: Array, mass: Array) -> Array:
    """Return F(y-) + mass(y) / 2 of every row, as shares of the whole mass: (T,) float.

    Parameters
    ----------
    value, mass : (T,) float
        Rows of mass 0 take part with no mass of their own.
    """
    at = np.unique(value, return_inverse=True)[1]
    mass_at = np.bincount(at, mass)
    midpoint = np.cumsum(mass_at) - mass_at / 2
    rank = midpoint / mass_at.sum()
    return np.asarray(rank[at])


def row_order_ranks(value: Array, weight: Array) -> Array:
    """Return R survey's rank scores: the unweighted mean, over tied rows, of cumulated weight minus half the own.

    Parameters
    ----------
    value, weight : (T,) float
        One row a respondent, in the given order; rows of weight 0 must not share a value with others.
    """
    order = np.argsort(value, kind="stable")
    in_order = weight[order]
    midpoint = np.empty(len(value))
    midpoint[order] = np.cumsum(in_order) - in_order / 2
    at = np.unique(value, return_inverse=True)[1]
    mean = np.bincount(at, midpoint) / np.bincount(at)
    return np.asarray(mean[at] / weight.sum())
