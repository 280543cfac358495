"""Linear and logistic regression under the sample design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..design import SurveyDesign, named
from ..errors import EstimatesError, one_of
from ..estimates import check_level, lay_out
from ..measures import Measure
from ..tally import Tally, resolve, tally
from .fits import Fit, dependent_columns, least_squares, logistic, no_variation
from .results import DF_USED, HypothesisTest, declared, fault, no_residual, t_table, used_df, without_error
from .variables import Variable, levels, name_of, with_values
from .wald import LOOKED_UP, WaldStatistic, wald_row

Array = np.ndarray[Any, Any]
Family = Literal["linear", "logistic"]
INTERCEPT = "intercept"
NULLS = {
    "linear": "该系数在总体的线性回归中等于 0 the coefficient is 0 in the population's linear regression",
    "logistic": "该系数在总体的逻辑斯蒂回归中等于 0（对数优势比）the coefficient (log odds ratio) is 0 in the population's logistic regression",
    "joint": "这些系数在总体中都等于 0 all these coefficients are 0 in the population",
}
MISSING = "respondents without the outcome or a covariate are left out of the fit; their PSUs stay in the design"


@dataclass(frozen=True, slots=True)
class Regression:
    """Coefficients of a regression. K coefficients.

    Attributes
    ----------
    table : DataFrame (K, ...)
        term ("intercept", a covariate, or "covariate=level"), estimate, se, df, t, p, ci_low, ci_high; logistic: log odds.
    cov : (K, K) float
        In the order of the table.
    covariate : (K,) str
        The covariate that a term belongs to.
    conventions : dict
        outcome, family, null, baseline, df, missing, n, level, selection, calibration, lonely_psu, fpc, variance.
    design : SurveyDesign
    """

    table: pd.DataFrame
    cov: Array
    covariate: tuple[str, ...]
    conventions: dict[str, Any]
    design: SurveyDesign

    def __post_init__(self) -> None:
        if self.design.selection == "probability":
            return
        object.__setattr__(self, "table", without_error(self.table, self.design.selection))
        object.__setattr__(self, "cov", np.full(self.cov.shape, np.nan))

    def joint_test(self, *covariates: str, statistic: WaldStatistic = "F") -> HypothesisTest:
        """Test that all coefficients of some covariates are 0, in F with the coefficients' df.

        Raises
        ------
        EstimatesError
            E140 unknown statistic, E147 too few degrees of freedom, E163 no such covariate.
        """
        one_of(statistic, get_args(WaldStatistic), argument="statistic", error=EstimatesError, code="E140")
        known = [name for name in dict.fromkeys(self.covariate) if name != INTERCEPT]
        if not covariates or set(covariates) - set(known):
            got = next((name for name in covariates if name not in known), "")
            raise fault(
                "E163", (f"回归中没有自变量 '{got}'。", f"The regression has no covariate '{got}'."), where="joint_test",
                available=known, got=got, hint=("改为回归中的自变量。", "Name covariates of the regression."),
            )  # fmt: skip
        at = np.flatnonzero(np.isin(self.covariate, covariates))
        value, df = self.table["estimate"].to_numpy(float)[at], float(self.table["df"].iloc[0])
        if self.design.selection == "probability":
            row = wald_row(value, self.cov[np.ix_(at, at)], df, statistic=statistic, where="joint_test")
        else:
            row = dict.fromkeys(("wald", "statistic", "df", "ddf", "p"), np.nan)
        conventions = self.conventions | {"test": f"Wald: {LOOKED_UP[statistic]}", "null": NULLS["joint"]}
        return HypothesisTest(pd.DataFrame([row]), self.table.iloc[at].reset_index(drop=True), conventions)


@dataclass(frozen=True, slots=True)
class Terms:
    """The columns of a regression on T tally rows.

    Attributes
    ----------
    x : (T, K) float
        0 in rows not used.
    names, covariate : tuple of str (K,)
    baseline : dict
        Categorical covariate -> the level that has no column.
    used : (T,) bool
    """

    x: Array
    names: tuple[str, ...]
    covariate: tuple[str, ...]
    baseline: dict[str, Any]
    used: Array


def regression(
    design: SurveyDesign,
    outcome: str | Measure,
    covariates: Variable | Sequence[Variable],
    *,
    categorical: str | Sequence[str] = (),
    family: Family = "linear",
    level: float = 0.95,
) -> Regression:
    """Regress an outcome on covariates in the population (R's `svyglm`).

    Parameters
    ----------
    design : SurveyDesign
    outcome : str or Measure
        Declared measure or numeric column, in its own unit; for "logistic" between 0 and 1.
    covariates : sequence of str or Measure
        Main effects. A column that is no number is categorical.
    categorical : sequence of str
        Which numeric covariates are codes of categories. The first level in sorted order is the baseline.
    family : {"linear", "logistic"}
        Least squares, or Newton's method for the logit of the mean.

    Returns
    -------
    Regression

    Raises
    ------
    EstimatesError
        E101, E102 unknown outcome or no number, E104 level, E140 unknown family, E141 unknown covariate, E142 a covariate
        that is constant, E144 an outcome without residuals, E145 collinear covariates, E146 separation, E148 an outcome
        outside 0-1, E161 covariates named twice or not at all, E162 no usable respondents, E165 infinite values.

    Notes
    -----
    Binder (1983): the covariance of the coefficients is that of the weighted total of their influence. A respondent
    without the outcome or a covariate has influence 0 and stays in the design. df as R's `summary`: PSUs with a
    respondent used minus their strata, plus 1, minus the number of coefficients; below 1 there is no test.
    """
    one_of(family, get_args(Family), argument="family", error=EstimatesError, code="E140")
    check_level(level)
    covariates = [covariates] if isinstance(covariates, str | Measure) else list(covariates)
    categorical = named(categorical)
    chosen, names = resolve(design, outcome), [name_of(v) for v in covariates]
    _check_names(chosen.name, names, categorical)
    held, columns = with_values(design, covariates, where="covariates")
    counted = tally(held, [chosen], by=columns)
    sample = lay_out(held, counted)
    terms = regression_terms(counted, dict(zip(names, columns, strict=True)), categorical)
    valid = np.where(terms.used, counted.valid[:, 0], 0).astype(float)
    total = np.where(terms.used, counted.sums()[:, 0], 0.0)
    _check_rank(terms, sample.weight * valid)
    fit = _fit(family, terms, counted, (sample.weight, valid, total))
    cov = sample.covariance(sp.csr_array(fit.influence))
    df = used_df(valid.astype(np.int64), sample.clusters) + 1 - len(terms.names)
    se = np.sqrt(np.maximum(np.diag(cov), 0))
    keys = pd.DataFrame({"term": terms.names})
    table = t_table(keys, fit.coefficient, se, df=df, name="estimate", null=0.0, level=level)
    own = {
        "outcome": chosen.name, "family": family, "test": "two-sided t", "null": NULLS[family], "baseline": terms.baseline,
        "df": f"{DF_USED} + 1 - coefficients", "missing": MISSING, "n": int(valid.sum()), "level": level,
    }  # fmt: skip
    return Regression(table, cov, terms.covariate, declared(design, own), design)


def regression_terms(counted: Tally, columns: Mapping[str, str], categorical: Sequence[str]) -> Terms:
    """Lay out the intercept, numbers as they are, and an indicator for every level but the first."""
    keys = counted.keys
    used = (counted.valid[:, 0] > 0) & keys[list(columns.values())].notna().all(axis=1).to_numpy()
    if not used.any():
        raise fault(
            "E162", ("没有因变量与自变量都有效的记录。", "No respondent has both the outcome and the covariates."), where="covariates",
            available=columns, hint=("检查这些列的缺失。", "Look at what is missing in these columns."),
        )  # fmt: skip
    parts, covariate, baseline = [used.astype(float)[:, None]], [INTERCEPT], {}
    names = [INTERCEPT]
    for name, column in columns.items():
        found, code = levels(keys[column], used)
        if len(found) < 2:
            raise _constant(name, found)
        if name in categorical or not pd.api.types.is_numeric_dtype(keys[column]):
            parts.append((code[:, None] == np.arange(1, len(found))).astype(float))
            names += [f"{name}={level}" for level in found[1:]]
            baseline[name] = found[0]
        else:
            parts.append(_number(keys[column], used, name)[:, None])
            names.append(name)
        covariate += [name] * parts[-1].shape[1]
    return Terms(np.concatenate(parts, axis=1), tuple(names), tuple(covariate), baseline, used)


def _number(values: pd.Series[Any], used: Array, name: str) -> Array:
    number = np.where(used, values.to_numpy(float, na_value=np.nan), 0.0)
    if not np.isfinite(number).all():
        raise fault(
            "E165", (f"'{name}' 含无穷大的值。", f"'{name}' has infinite values."), where=name, hint=("改正或置为缺失。", "Correct them, or make them missing.")
        )  # fmt: skip
    return number


def _fit(family: Family, terms: Terms, counted: Tally, parts: tuple[Array, Array, Array]) -> Fit:
    weight, valid, total = parts
    name = counted.measures[0]
    if family == "logistic":
        _check_shares(name, valid, total, np.where(terms.used, counted.sums_of_squares()[:, 0], 0.0))
    fit = (logistic if family == "logistic" else least_squares)(terms.x, weight=weight, valid=valid, total=total)
    if fit.growing >= 0:
        raise fault(
            "E146", (f"完全分离：'{terms.names[fit.growing]}' 的系数无限增大，没有有限的估计。", f"Separation: the coefficient of '{terms.names[fit.growing]}' grows without limit; there is no finite estimate."),
            where=terms.names[fit.growing], available=terms.names,
            hint=("合并结果全为 0 或全为 1 的类别，或去掉该自变量。", "Merge levels in which the outcome is always 0 or always 1, or leave the covariate out."),
        )  # fmt: skip
    if no_variation(fit, total):
        raise no_residual(name)
    return fit


def _check_shares(name: str, valid: Array, total: Array, squares: Array) -> None:
    """Refuse an outcome outside 0-1 (E148); one that is all 0 or all 1 does not vary (E144)."""
    if ((total < 0) | (total > valid) | (squares > total * (1 + 1e-12))).any():
        raise fault(
            "E148", (f"'{name}' 有 0-1 之外的取值，不能用于逻辑斯蒂回归。", f"'{name}' has values outside 0-1; logistic regression cannot use it."), where="outcome",
            available=get_args(Family), hint=('改用 family="linear"，或换成 0/1 的指标。', 'Use family="linear", or an outcome of 0 and 1.'),
        )  # fmt: skip
    if total.sum() in (0, valid.sum()):
        raise no_residual(name)


def _check_names(outcome: str, names: Sequence[str], categorical: Sequence[str]) -> None:
    repeated = [name for i, name in enumerate(names) if name in (outcome, *names[:i])]
    unknown = [name for name in categorical if name not in names]
    if repeated or unknown or not names:
        raise fault(
            "E161", (f"自变量须至少一个、互不相同，且不是因变量；categorical 只能列出自变量: {repeated or unknown}。", f"Covariates are at least one, all different, and not the outcome; `categorical` lists covariates only: {repeated or unknown}."),
            where="covariates", available=names, got=str((repeated or unknown or [""])[0]), hint=("改正自变量列表。", "Correct the list of covariates."),
        )  # fmt: skip


def _check_rank(terms: Terms, size: Array) -> None:
    dependent = [terms.names[k] for k in dependent_columns(terms.x, size)]
    if dependent:
        raise fault(
            "E145", (f"自变量共线：{'、'.join(dependent)} 由其余各项决定。", f"Collinear covariates: {', '.join(dependent)} follow from the terms before."), where="covariates",
            available=terms.names, hint=("去掉其中的自变量，或合并类别。", "Leave one of them out, or merge levels."),
        )  # fmt: skip


def _constant(name: str, found: Sequence[Any]) -> EstimatesError:
    return fault(
        "E142", (f"自变量 '{name}' 在可用记录中只有一个取值。", f"Covariate '{name}' has a single level among the usable respondents."), where="covariates",
        available=found, hint=("去掉它。", "Leave it out."),
    )  # fmt: skip
