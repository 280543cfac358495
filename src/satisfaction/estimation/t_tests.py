"""t tests of means under the sample design."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.estimation.intervals import check_level
from satisfaction.estimation.regression import Fit, least_squares, no_variation
from satisfaction.estimation.sample import lay_out
from satisfaction.estimation.test_results import (
    DF_USED,
    HypothesisTest,
    Variable,
    declared,
    fault,
    levels,
    name_of,
    no_residual,
    require_groups,
    t_table,
    used_df,
    with_values,
)
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import resolve, tally

Array = np.ndarray[Any, Any]
NULLS = {
    "groups": "两组的总体均值相等 the two groups have equal population means",
    "value": "总体均值等于给定值 the population mean equals the value given",
}


def t_test(
    design: SurveyDesign,
    measure: str | Measure,
    by: Variable | None = None,
    *,
    value: float = 0.0,
    level: float = 0.95,
) -> HypothesisTest:
    """Test whether two groups have equal means, or whether the mean is a given value (R's `svyttest`).

    Parameters
    ----------
    design : SurveyDesign
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
        two, E144 a measure that does not vary, E380 a value that is no number.

    Notes
    -----
    The difference is the slope of a linear regression on the group, which is exactly the contrast of the two domain
    means with their covariance (Lumley 2010). df: PSUs with a respondent used minus their strata, minus 1 for the slope.
    """
    check_level(level)
    if not np.isfinite(value):
        raise fault(
            "E380", (f"比较值 value={value} 不是有限的数。", f"value={value} is no finite number to compare with."), where="value",
            hint=("例如写 value=0。", "Write value=0, for instance."),
        )  # fmt: skip
    chosen = resolve(design, measure)
    held, columns = with_values(design, [by] if by is not None else [], where="by")
    counted = tally(held, [chosen], by=columns)
    valid, total = counted.valid[:, 0].astype(float), counted.sums()[:, 0]
    groups, code = levels(
        counted.keys[columns[0]] if by is not None else pd.Series(0, index=counted.keys.index),
        valid > 0,
    )
    if by is not None:
        require_groups(groups, name_of(by), where="by", exactly=2)
    x = np.stack([code >= 0, code == 1], axis=1).astype(float)[:, : len(groups)]
    sample, used = lay_out(held, counted), code >= 0
    fit = fitted(x, weight=sample.weight, valid=valid * used, total=total * used, name=chosen.name)
    se = np.sqrt(np.maximum(np.diag(sample.covariance(sp.csr_array(fit.influence))), 0))[-1:]
    df = used_df((valid * used).astype(np.int64), sample.clusters) - (len(groups) - 1)
    name = "difference" if by is not None else "estimate"
    table = t_table(
        pd.DataFrame(index=[0]), fit.coefficient[-1:], se, df=df, name=name, null=value, level=level
    )
    own = {
        "measure": chosen.name, "test": "two-sided t, regression on the group" if by is not None else "two-sided t",
        "null": NULLS["groups" if by is not None else "value"], "value": value, "df": DF_USED + (" - 1" if by is not None else ""), "level": level,
    }  # fmt: skip
    n = np.bincount(code[used], valid[used], len(groups)).astype(np.int64)
    details = pd.DataFrame(
        {name_of(by) if by is not None else "group": groups if by is not None else ["all"]}
    )
    return HypothesisTest(
        table, details.assign(mean=np.cumsum(fit.coefficient), n=n), declared(design, own)
    )


def fitted(x: Array, *, weight: Array, valid: Array, total: Array, name: str) -> Fit:
    """Fit least squares to an outcome that varies.

    Raises
    ------
    EstimatesError
        E144.
    """
    fit = least_squares(x, weight=weight, valid=valid, total=total)
    if no_variation(fit, total):
        raise no_residual(name)
    return fit
