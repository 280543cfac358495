"""Linear and logistic regression under the sample design.

Array kernels of regression on tally rows: estimating equations, coefficients and their influence.

T tally rows, K coefficients. A row stands for `valid` respondents with equal covariates; the sum of their outcomes
suffices. Sources: Binder (1983) for the influence, Fuller (1975) for least squares, McCullagh and Nelder (1989) for
Newton's method in the logistic case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import linalg, special

from satisfaction.estimation.hypothesis_tests import (
    DF_USED,
    LOOKED_UP,
    NOT_TESTED,
    HypothesisTest,
    Variable,
    WaldStatistic,
    check_statistic,
    declared,
    levels,
    name_of,
    no_residual,
    t_table,
    used_df,
    wald_row,
    with_values,
    without_error,
)
from satisfaction.estimation.intervals import check_level, quotient, standard_errors
from satisfaction.estimation.sample import Sample, lay_out
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.language import N_, _, comma_list
from satisfaction.sampling.design import SampleDesign, named
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.replicates import deviations_of_given
from satisfaction.sampling.tally import resolve, tally
from satisfaction.sampling.variance import Array, crossed

Family = Literal["linear", "logistic"]
INTERCEPT = "intercept"
NULLS = {
    "linear": _("0 the coefficient is 0 in the population's linear regression").both,
    "logistic": _("coefficient (log odds ratio) is 0 in the population's logistic regression").both,
    "joint": _("0 all these coefficients are 0 in the population").both,
}
MISSING = N_(
    "respondents without the outcome or a covariate are left out of the fit; their PSUs stay in the design"
)
DEPENDENT = 1e-10  # of a column's length: what is left of it after regression on the columns before
NO_RESIDUAL = 1e-11  # of the largest sum of outcomes: rounding
MOST_ITERATIONS = 30
CONVERGED = 1e-10  # largest change of a linear predictor
MOST_HALVINGS = 12


@dataclass(frozen=True, slots=True, repr=False)
class Fit:
    """A fitted regression.

    Attributes
    ----------
    coefficient : (K,) float
    influence : (T, K) float
        Sum over a row's respondents of the linearized coefficient, not weighted.
    residual : (T,) float
        Sum of outcomes minus fitted values.
    growing : int
        Logistic: the coefficient that still grows after the last iteration (separation), or -1.
    """

    coefficient: Array
    influence: Array
    residual: Array
    growing: int = -1


def least_squares(x: Array, *, weight: Array, valid: Array, total: Array) -> Fit:
    """Solve sum w x (y - x'b) = 0.

    Parameters
    ----------
    x : (T, K) float
        Of full rank over the rows with valid > 0; finite everywhere.
    weight, valid, total : (T,) float
        Final weight, valid outcomes, their sum (0 where there are none).
    """
    root = np.sqrt(weight * valid)
    mean = quotient(total, valid, where=valid > 0, otherwise=0.0)
    q, r = linalg.qr(root[:, None] * x, mode="economic")
    projected = q.T @ (root * mean)
    coefficient = linalg.solve_triangular(r, projected)
    residual = total - valid * (x @ coefficient)
    return Fit(coefficient, _influence(x, residual, r), residual)


def logistic(x: Array, *, weight: Array, valid: Array, total: Array) -> Fit:
    """Solve sum w x (y - 1 / (1 + exp(-x'b))) = 0 by Newton's method with halved steps; parameters as `least_squares`."""
    root = np.sqrt(weight * valid)
    basis = _triangle(root[:, None] * x)
    # orthonormal under the weights, whatever the units of x
    u = linalg.solve_triangular(basis, x.T, trans="T").T
    coefficient = np.zeros(x.shape[1])
    growing = -1
    for _unused in range(MOST_ITERATIONS):
        residual, r = _newton(u, coefficient, weight, valid=valid, total=total)
        if np.abs(np.diag(r)).min() <= DEPENDENT:
            break  # fitted shares of 0 and 1 only: nothing is left to weight by
        step = linalg.cho_solve((r, False), u.T @ (weight * residual))
        # halved as often as the deviance would rise by more than rounding
        before = _deviance(u @ coefficient, weight, valid, total=total)
        for halving in range(MOST_HALVINGS):
            nearer = coefficient + step * 0.5**halving
            if _deviance(u @ nearer, weight, valid, total=total) <= before + 1e-9 * abs(before):
                break
        coefficient = nearer
        growth = np.abs(linalg.solve_triangular(basis, step)) * np.abs(x).max(axis=0)
        growing = int(np.argmax(growth))
        if np.abs(u @ step).max() <= CONVERGED:
            growing = -1
            break
    in_units_of_x = linalg.solve_triangular(basis, coefficient)
    if growing >= 0:
        return Fit(in_units_of_x, np.zeros_like(x), residual, growing)
    residual, r = _newton(u, coefficient, weight, valid=valid, total=total)
    influence = linalg.solve_triangular(basis, _influence(u, residual, r).T).T
    return Fit(in_units_of_x, influence, residual)


def coefficient_covariance(
    sample: Sample, fit: Fit, solver: Callable[..., Fit], *, x: Array, valid: Array, total: Array
) -> Array:
    """Return the covariance of coefficients: that of their weighted influence, (K, K).

    Under replicate weights that came with the data they are fitted anew with each (R's `svyglm`). A replicate that leaves
    nothing to fit (a level without members, separation) or has negative weights has its linearized coefficients.

    Parameters
    ----------
    solver : {least_squares, logistic}
        What made the fit; the other parameters are its own.
    """
    if sample.replicates is None:
        return sample.covariance(sp.csr_array(fit.influence))
    assert sample.replicate_weights is not None
    of_replicates = sample.replicate_weights.T
    coefficients = fit.coefficient + of_replicates @ fit.influence
    for replicate, weight in enumerate(of_replicates):
        size = weight * valid
        if size.min() < 0 or len(dependent_columns(x, size)):
            continue
        again = solver(x, weight=weight, valid=valid, total=total)
        if again.growing < 0:
            coefficients[replicate] = again.coefficient
    matrix = deviations_of_given(sample.replicates, coefficients, fit.coefficient)
    return crossed(matrix, matrix)


def dependent_columns(x: Array, size: Array) -> Array:
    """Return the columns that are linear combinations of earlier ones over the rows with size > 0: (...,) int."""
    rows = x[size > 0]
    length = np.sqrt((rows**2).sum(axis=0))
    unit_columns = rows / np.where(length > 0, length, 1.0)
    triangle = linalg.qr(unit_columns, mode="r")[0]
    left = np.zeros(x.shape[1])
    diagonal = np.diag(triangle)
    left[: len(diagonal)] = np.abs(diagonal)
    return np.flatnonzero(left <= DEPENDENT)


def refuse_no_variation(fit: Fit, total: Array, name: str) -> None:
    """Refuse residuals that are rounding only: a constant outcome, or one the covariates determine (E144)."""
    largest = max(float(np.abs(total).max()), 1e-300)
    if np.abs(fit.residual).max() <= NO_RESIDUAL * largest:
        raise no_residual(name)


def _influence(x: Array, residual: Array, r: Array) -> Array:
    score = x * residual[:, None]
    return np.asarray(linalg.cho_solve((r, False), score.T).T)


def _triangle(x: Array) -> Array:
    """Return the triangular root of x'x: (K, K)."""
    r = linalg.qr(x, mode="r")[0]
    return np.asarray(r[: x.shape[1]])


def _newton(
    x: Array, coefficient: Array, weight: Array, *, valid: Array, total: Array
) -> tuple[Array, Array]:
    """Return the residuals and the triangular root of the information."""
    share = special.expit(x @ coefficient)
    information = weight * valid * share * (1 - share)
    root = np.sqrt(information)
    residual = total - valid * share
    return residual, _triangle(root[:, None] * x)


def _deviance(predictor: Array, weight: Array, valid: Array, *, total: Array) -> float:
    log_likelihood = total * predictor - valid * np.logaddexp(0, predictor)
    weighted = weight * log_likelihood
    return float(-2 * weighted.sum())


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
    design : SampleDesign
    """

    table: pd.DataFrame
    cov: Array
    covariate: tuple[str, ...]
    conventions: dict[str, Any]
    design: SampleDesign

    def __post_init__(self) -> None:
        if self.design.selection != "probability":
            table = without_error(self.table, self.design.selection)
            object.__setattr__(self, "table", table)
            object.__setattr__(self, "cov", np.full(self.cov.shape, np.nan))

    def __repr__(self) -> str:
        covariates = dict.fromkeys(name for name in self.covariate if name != INTERCEPT)
        model = f"{self.conventions['outcome']} on {', '.join(covariates)}"
        counts = f"{len(self.table)} coefficients, {self.conventions['n']:,} respondents"
        return f"Regression({model}: {self.conventions['family']}, {counts})"

    def joint_test(self, *covariates: str, statistic: WaldStatistic = "F") -> HypothesisTest:
        """Test that all coefficients of some covariates are 0, in F with the coefficients' df.

        Raises
        ------
        EstimatesError
            E140 unknown statistic, E147 too few degrees of freedom, E163 no such covariate.
        """
        check_statistic(statistic)
        known = [name for name in dict.fromkeys(self.covariate) if name != INTERCEPT]
        unknown = [name for name in covariates if name not in known]
        if unknown or not covariates:
            got = unknown[0] if unknown else ""
            raise EstimatesError(
                "E163",
                _("The regression has no covariate '{got}'.", got=got),
                where="joint_test",
                available=known,
                got=got,
                hint=_("Name covariates of the regression."),
            )
        at = np.flatnonzero(np.isin(self.covariate, covariates))
        terms = self.table.iloc[at].reset_index(drop=True)
        row: dict[str, float] = NOT_TESTED
        if self.design.selection == "probability":
            value = terms["estimate"].to_numpy(float)
            cov = self.cov[np.ix_(at, at)]
            df = float(terms["df"].iloc[0])
            row = wald_row(value, cov, df, statistic=statistic, where="joint_test")
        joint = {"test": f"Wald: {LOOKED_UP[statistic]}", "null": NULLS["joint"]}
        return HypothesisTest(pd.DataFrame([row]), terms, self.conventions | joint)


def regression(
    design: SampleDesign,
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
    design : SampleDesign
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
    Binder (1983): the covariance of the coefficients is that of the weighted total of their influence; under replicate
    weights that came with the data they are fitted anew with each. A respondent
    without the outcome or a covariate has influence 0 and stays in the design. df as R's `summary`: PSUs with a
    respondent used minus their strata, plus 1, minus the number of coefficients; below 1 there is no test.
    The standard errors of Bell and McCaffrey as survey 4.5 has them are not followed: they ignore strata and correct twice.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> fit = sat.regression(design, "score", "county")
    >>> fit.table[["term", "estimate", "se", "t", "p"]].round(3)
            term  estimate     se      t      p
    0  intercept      70.0  8.660  8.083  0.004
    1   county=B     -15.0  9.129 -1.643  0.199
    """
    one_of(family, Family, argument="family", error=EstimatesError, code="E140")
    check_level(level)
    covariates = [covariates] if isinstance(covariates, str | Measure) else list(covariates)
    categorical = named(categorical)
    chosen = resolve(design, outcome)
    names = [name_of(covariate) for covariate in covariates]
    _check_names(names, categorical, outcome=chosen.name)
    held, columns = with_values(design, covariates, where="covariates")
    counted = tally(held, [chosen], by=columns)
    sample = lay_out(held, counted)
    counted = counted.only(sample.weight > 0)
    keys = counted.keys
    used = (counted.valid[:, 0] > 0) & keys[columns].notna().all(axis=1).to_numpy()
    if not used.any():
        raise EstimatesError(
            "E162",
            _("No respondent has both the outcome and the covariates."),
            where="covariates",
            available=names,
            hint=_("Look at what is missing in these columns."),
        )
    model = _Model.of(keys[columns].set_axis(names, axis="columns"), used, categorical)
    x = model.x
    terms = model.terms
    weight = sample.weight
    valid = np.where(used, counted.valid[:, 0], 0).astype(float)
    total = np.where(used, counted.sums()[:, 0], 0.0)
    dependent = [terms[k] for k in dependent_columns(x, weight * valid)]
    if dependent:
        raise EstimatesError(
            "E145",
            _(
                "Collinear covariates: {dependent} follow from the terms before.",
                dependent=comma_list(dependent),
            ),
            where="covariates",
            available=terms,
            hint=_("Leave one of them out, or merge levels."),
        )
    if family == "logistic":
        squares = np.where(used, counted.sums_of_squares()[:, 0], 0.0)
        _check_shares(chosen.name, valid=valid, total=total, squares=squares)
    solver = logistic if family == "logistic" else least_squares
    fit = solver(x, weight=weight, valid=valid, total=total)
    if fit.growing >= 0:
        growing = terms[fit.growing]
        raise EstimatesError(
            "E146",
            _(
                "Separation: the coefficient of '{growing}' grows without limit; there is no "
                "finite estimate.",
                growing=growing,
            ),
            where=growing,
            available=terms,
            hint=_(
                "Merge levels in which the outcome is always 0 or always 1, or leave the "
                "covariate out."
            ),
        )
    refuse_no_variation(fit, total, chosen.name)
    cov = coefficient_covariance(sample, fit, solver, x=x, valid=valid, total=total)
    df = used_df(valid.astype(np.int64), sample) + 1 - len(terms)
    se = standard_errors(cov)
    table = t_table(
        pd.DataFrame({"term": terms}),
        fit.coefficient,
        se,
        df=df,
        name="estimate",
        null=0.0,
        level=level,
    )
    conventions = {
        "outcome": chosen.name,
        "family": family,
        "test": _("two-sided t").both,
        "null": NULLS[family],
        "baseline": model.baseline,
        "df": f"{DF_USED} + 1 - coefficients",
        "missing": MISSING,
        "n": int(valid.sum()),
        "level": level,
    }
    conventions = declared(design, conventions, refitted=True)
    return Regression(table, cov, model.covariate_of, conventions, design)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _Model:
    """The columns of a regression over T tally rows: the intercept, numbers as they are, an indicator for every level but the first.

    Attributes
    ----------
    x : (T, K) float
        0 in rows not used.
    terms, covariate_of : K names
        Of the columns, and of the covariates that they are of.
    baseline : dict
        First level of every categorical covariate.
    """

    x: Array
    terms: list[str]
    covariate_of: tuple[str, ...]
    baseline: dict[str, Any]

    @classmethod
    def of(cls, covariates: pd.DataFrame, used: Array, categorical: Sequence[str]) -> _Model:
        """Lay covariates out; numbers too as levels where they are `categorical`."""
        x = [used.astype(float)]
        terms = [INTERCEPT]
        covariate_of = [INTERCEPT]
        baseline = {}
        for name, values in covariates.items():
            groups, code = levels(values, used)
            if len(groups) < 2:
                raise EstimatesError(
                    "E142",
                    _(
                        "Covariate '{name}' has a single level among the usable respondents.",
                        name=name,
                    ),
                    where="covariates",
                    available=groups,
                    hint=_("Leave it out."),
                )
            if name in categorical or not pd.api.types.is_numeric_dtype(values):
                baseline[name] = groups[0]
                for k, group in enumerate(groups[1:], 1):
                    x.append((code == k).astype(float))
                    terms.append(f"{name}={group}")
            else:
                number = np.where(used, values.to_numpy(float, na_value=np.nan), 0.0)
                if not np.isfinite(number).all():
                    raise EstimatesError(
                        "E165",
                        _("'{name}' has infinite values.", name=name),
                        where=name,
                        hint=_("Correct them, or make them missing."),
                    )
                x.append(number)
                terms.append(name)
            covariate_of += [name] * (len(terms) - len(covariate_of))
        return cls(np.stack(x, axis=1), terms, tuple(covariate_of), baseline)


def _check_names(names: list[str], categorical: Sequence[str], *, outcome: str) -> None:
    """Refuse (E161) no covariates, one named twice, the outcome among them, and categorical ones that are none."""
    wrong = [name for i, name in enumerate(names) if name in (outcome, *names[:i])]
    wrong = wrong or [name for name in categorical if name not in names]
    if wrong or not names:
        raise EstimatesError(
            "E161",
            _(
                "Covariates are at least one, all different, and not the outcome; "
                "`categorical` lists covariates only: {wrong}.",
                wrong=wrong,
            ),
            where="covariates",
            available=names,
            got=str(wrong[0]) if wrong else "",
            hint=_("Correct the list of covariates."),
        )


def _check_shares(name: str, *, valid: Array, total: Array, squares: Array) -> None:
    """Refuse an outcome of a logistic regression outside 0-1 (E148), or the same in every respondent (E144)."""
    if ((total < 0) | (total > valid) | (squares > total * (1 + 1e-12))).any():
        raise EstimatesError(
            "E148",
            _("'{name}' has values outside 0-1; logistic regression cannot use it.", name=name),
            where="outcome",
            available=get_args(Family),
            hint=_('Use family="linear", or an outcome of 0 and 1.'),
        )
    if total.sum() in (0, valid.sum()):
        raise no_residual(name)
