"""Small areas: a model borrows strength from covariates; its composite stands beside the direct estimate.

`fitting` holds the formulas; what is read, checked and told stands here.

The Fay-Herriot model on arrays: between-area variance by REML, composite estimates, mean squared errors.

``direct = X beta + u + e``, u ~ N(0, A) between areas, e ~ N(0, D) from sampling, D taken as known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.estimation.between_areas import (
    between_variance,
    restricted_likelihood,
    weighted_least_squares,
)
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import EstimatesError, one_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model of p areas and k coefficients.

    Attributes
    ----------
    between : float
        A, the variance between areas that the covariates do not explain.
    beta : (k,)
    beta_cov : (k, k)
    log_likelihood : float
        Restricted, at `between`.
    residual : (p,)
        (direct - X beta) / sqrt(A + D): standard normal under the model.
    """

    between: float
    beta: Array
    beta_cov: Array
    log_likelihood: float
    residual: Array


@dataclass(frozen=True, slots=True)
class Prediction:
    """Composite estimates of m areas.

    Attributes
    ----------
    synthetic, composite, mse, gamma : (m,)
        X beta; gamma x direct + (1 - gamma) x synthetic; its mean squared error; share of the direct estimate (0-1).
    """

    synthetic: Array
    composite: Array
    mse: Array
    gamma: Array


def fit_reml(direct: Array, variance: Array, x: Array) -> Fit:
    """Fit by restricted maximum likelihood.

    Parameters
    ----------
    direct, variance : (p,)
        Direct estimates and their sampling variances, > 0.
    x : (p, k)
        Covariates of full column rank, the constant among them.
    """
    between = between_variance(direct, variance, x)
    beta, cov = weighted_least_squares(direct, between + variance, x)
    residual = (direct - x @ beta) / np.sqrt(between + variance)
    return Fit(between, beta, cov, restricted_likelihood(between, direct, variance, x), residual)


def predict(fit: Fit, direct: Array, variance: Array, x: Array) -> Prediction:
    """Composite estimates with their mean squared errors; areas whose direct estimate is missing (NaN) are synthetic.

    Mean squared error of Prasad and Rao in the form of Datta and Lahiri (2000) for REML, g1 + g2 + 2 g3: what is left
    of the sampling error, what the coefficients add, what not knowing A adds (twice: g1 at the estimate is too small).
    """
    seen = np.isfinite(direct) & np.isfinite(variance)
    a, d = fit.between, np.where(seen, variance, np.inf)
    gamma = a / (a + d)
    synthetic = x @ fit.beta
    composite = synthetic + gamma * (np.where(seen, direct, 0) - np.where(seen, synthetic, 0))
    var_a = 2 / np.sum((a + variance[seen]) ** -2)
    g1 = np.where(seen, gamma * np.where(seen, d, 1), a)
    g2 = (1 - gamma) ** 2 * np.einsum("ij,jk,ik->i", x, fit.beta_cov, x)
    g3 = np.where(seen, (1 - gamma) ** 2 / np.where(seen, a + d, 1), 0) * var_a
    return Prediction(synthetic, composite, g1 + g2 + 2 * g3, gamma)


def smoothed_variance(variance: Array, n: Array) -> Array:
    """Sampling variances as a power of n, fitted over areas and brought to the same sum, (p,).

    A variance from a few PSUs is itself uncertain; taken as known, areas that happen to look exact would count too much.
    """
    x = np.column_stack([np.ones(len(n)), np.log(n)])
    line = np.exp(x @ np.linalg.lstsq(x, np.log(variance), rcond=None)[0])
    return np.asarray(line * variance.sum() / line.sum())


Errors: TypeAlias = Literal["estimated", "smoothed"]
SAID = (
    "综合估计来自模型（Fay-Herriot），不是直接估计，不能代替直接估计公布而不加说明 "
    "the composite comes from a model (Fay-Herriot); it is no direct estimate and may not stand in its place unsaid"
)


@dataclass(frozen=True, slots=True, eq=False)
class SmallAreas:
    """Composite estimates beside the direct ones.

    Attributes
    ----------
    table : DataFrame
        One row an area, in the order of the covariates: area, direct, direct_se, n (if known), synthetic, composite, rmse
        (root of the mean squared error), ci_low, ci_high (normal, from the rmse: model-based), gamma (share of the direct
        estimate), residual (standardised), note ("synthetic": no direct estimate).
    coefficients : DataFrame
        covariate, estimate, se, z, p (two-sided, normal).
    summary : mapping
        areas, synthetic areas, between (A), its share of the variance without covariates that they explain, method,
        errors, level, diagnostics (normality of residuals by Shapiro and Wilk, fit of direct against composite by a Wald
        statistic), benchmark, said.
    """

    table: pd.DataFrame
    coefficients: pd.DataFrame
    summary: Mapping[str, Any]


def fay_herriot(
    direct: Estimates | pd.DataFrame,
    covariates: pd.DataFrame,
    *,
    errors: Errors = "estimated",
    benchmark: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> SmallAreas:
    """Composite estimates of small areas by the Fay-Herriot model.

    Parameters
    ----------
    direct : Estimates of one measure by one column of areas, or DataFrame
        With columns estimate, se and perhaps n, indexed by area.
    covariates : DataFrame
        Indexed by area, numeric columns, nothing missing; a constant is added. Areas without a direct estimate get the
        synthetic one.
    errors : {"estimated", "smoothed"}
        "smoothed": sampling variances are replaced by a power of n fitted over the areas.
    benchmark : mapping, optional
        Population of every area: composites are shifted so that their mean over the areas with a direct estimate equals
        that of the direct estimates. Their mean squared errors stay as they are.
    level : float
        Of the limits.

    Returns
    -------
    SmallAreas

    Raises
    ------
    EstimatesError
        E181 for direct estimates, E182 for covariates, E183 for fewer areas than a fit needs, E184 for options.

    Notes
    -----
    Fay and Herriot (1979); REML and mean squared error as in Datta and Lahiri (2000), Rao and Molina (2015), ch. 6.
    """
    one_of(errors, get_args(Errors), argument="errors", error=EstimatesError, code="E184")
    given = read_direct(direct)
    x = read_covariates(covariates)
    areas = [str(area) for area in covariates.index]
    lost = given.index.difference(areas)
    if len(lost):
        raise _fault(
            "E182",
            "covariates 缺少有直接估计的地区。",
            "Covariates lack areas that have a direct estimate.",
            lost,
        )
    given = given.reindex(areas)
    estimate, variance = given["estimate"].to_numpy(float), given["se"].to_numpy(float) ** 2
    seen = np.isfinite(estimate) & np.isfinite(variance)
    if errors == "smoothed":
        variance[seen] = smoothed_variance(variance[seen], sizes(given)[seen])
    _enough(int(seen.sum()), x)
    fitted = fit_reml(estimate[seen], variance[seen], x[seen])
    found = predict(fitted, estimate, variance, x)
    shift = _shift(found, estimate, seen, areas=areas, benchmark=benchmark)
    table = area_table(
        given, areas, fitted=fitted, found=found, seen=seen, shift=shift, level=level
    )
    summary = {
        "areas": len(areas),
        "synthetic": int((~seen).sum()),
        "between": fitted.between,
        "explained": explained(fitted, estimate[seen], variance[seen]),
        "method": "Fay-Herriot, REML; mean squared error of Prasad-Rao / Datta-Lahiri",
        "errors": errors,
        "level": level,
        "benchmark": "none" if benchmark is None else f"shifted by {shift:.12g} to the direct mean",
        "said": SAID,
    } | diagnostics(fitted, found, estimate[seen], variance[seen], seen)
    return SmallAreas(
        table, coefficient_table(fitted, covariates.columns), MappingProxyType(summary)
    )


def read_direct(direct: Estimates | pd.DataFrame) -> pd.DataFrame:
    """Read direct estimates as a table indexed by area (text): estimate, se, n. An se of 0 counts as missing."""
    if isinstance(direct, Estimates):
        if len(direct.by) != 1 or len(set(direct.table["measure"])) != 1:
            raise _fault(
                "E181",
                "直接估计须为一个指标、按一列地区。",
                "Direct estimates are of one measure by one column of areas.",
            )
        direct = direct.table.set_index(direct.by[0])
    if not {"estimate", "se"} <= set(direct):
        raise _fault(
            "E181",
            "直接估计须有 estimate 与 se 两列。",
            "Direct estimates have the columns estimate and se.",
            direct,
        )
    table = direct[[name for name in ("estimate", "se", "n") if name in direct]].copy()
    table.index = table.index.astype(str)
    if not table.index.is_unique:
        raise _fault(
            "E181",
            "地区在直接估计中重复。",
            "An area stands twice among the direct estimates.",
            table.index,
        )
    return table.where(table["se"] > 0)


def read_covariates(covariates: pd.DataFrame) -> Array:
    """Read covariates with a constant in front, (p, k)."""
    numeric = covariates.select_dtypes("number")
    if list(numeric) != list(covariates) or not np.isfinite(numeric.to_numpy(float)).all():
        raise _fault(
            "E182",
            "covariates 须全为数字，没有缺失。",
            "Covariates are numbers, none missing.",
            covariates.columns,
        )
    x = np.column_stack([np.ones(len(covariates)), numeric.to_numpy(float)])
    if not covariates.index.astype(str).is_unique or np.linalg.matrix_rank(x) < x.shape[1]:
        raise _fault(
            "E182",
            "covariates 的地区重复，或各列线性相关。",
            "Areas stand twice, or columns of covariates are collinear.",
        )
    return x


def sizes(given: pd.DataFrame) -> Array:
    """Return n by area, refused where smoothing needs it and it is missing."""
    if "n" not in given:
        raise _fault(
            "E181", "errors='smoothed' 需要 n 列。", "errors='smoothed' needs the column n.", given
        )
    return np.asarray(given["n"], dtype=float)


def area_table(
    given: pd.DataFrame,
    areas: Iterable[str],
    *,
    fitted: Fit,
    found: Prediction,
    seen: Array,
    shift: float,
    level: float,
) -> pd.DataFrame:
    """Put direct and composite estimates side by side."""
    residual = np.full(len(seen), np.nan)
    residual[seen] = fitted.residual
    rmse, composite = np.sqrt(found.mse), found.composite + shift
    half = special.ndtri((1 + level) / 2) * rmse
    table = pd.DataFrame(
        {
            "area": list(areas),
            "direct": given["estimate"].to_numpy(),
            "direct_se": given["se"].to_numpy(),
        }
    )
    if "n" in given:
        table["n"] = given["n"].to_numpy()
    model = {
        "synthetic": found.synthetic,
        "composite": composite,
        "rmse": rmse,
        "ci_low": composite - half,
    }
    model |= {"ci_high": composite + half, "gamma": found.gamma, "residual": residual}
    return table.assign(**model, note=np.where(seen, "", "synthetic"))


def coefficient_table(fitted: Fit, names: Iterable[Any]) -> pd.DataFrame:
    """Tell the coefficients with their se."""
    se = np.sqrt(np.diag(fitted.beta_cov))
    z = fitted.beta / se
    columns = {"estimate": fitted.beta, "se": se, "z": z, "p": 2 * special.ndtr(-np.abs(z))}
    return pd.DataFrame({"covariate": ["constant", *map(str, names)], **columns})


def explained(fitted: Fit, estimate: Array, variance: Array) -> float:
    """Share of the variance between areas that the covariates explain (0-1); NaN where there is none to explain."""
    alone = fit_reml(estimate, variance, np.ones((len(estimate), 1))).between
    return float(max(1 - fitted.between / alone, 0.0)) if alone > 0 else float("nan")


def diagnostics(
    fitted: Fit, found: Prediction, estimate: Array, variance: Array, seen: Array
) -> dict[str, Any]:
    """Check the model: residuals against a normal, direct estimates against composites; both at once may miss much."""
    from scipy.stats import shapiro  # takes half a second to import

    distance = (estimate - found.composite[seen]) ** 2 / (variance + found.mse[seen])
    fit = float(distance.sum())
    return {
        "residuals_normal_p": float(shapiro(fitted.residual).pvalue),
        "largest_residual": float(np.abs(fitted.residual).max()),
        "goodness_of_fit": fit,
        "goodness_of_fit_p": float(special.chdtrc(len(estimate), fit)),
        "at_zero": fitted.between == 0,
    }


def _shift(
    found: Prediction,
    estimate: Array,
    seen: Array,
    *,
    areas: list[str],
    benchmark: Mapping[str, float] | None,
) -> float:
    if benchmark is None:
        return 0.0
    if lost := [area for area in areas if not benchmark.get(area, 0) > 0]:
        raise _fault(
            "E184",
            "benchmark 缺少这些地区的人口。",
            "benchmark lacks the population of these areas.",
            lost,
        )
    population = np.array([benchmark[area] for area in areas])[seen]
    return float(np.average(estimate[seen] - found.composite[seen], weights=population))


def _enough(p: int, x: Array) -> None:
    if p < x.shape[1] + 3:
        raise EstimatesError(
            "E183",
            f"有直接估计的地区只有 {p} 个，不足以估计 {x.shape[1]} 个系数和地区间方差。",
            f"Only {p} areas have a direct estimate: too few for {x.shape[1]} coefficients and the variance between areas.",
            where="direct",
            hint=("减少协变量，或增加地区。", "Use fewer covariates, or more areas."),
        )


def _fault(code: str, zh: str, en: str, available: Iterable[Any] = ()) -> EstimatesError:
    hint = ("核对地区编码与列名。", "Check area codes and column names.")
    return EstimatesError(code, zh, en, where="fay_herriot", available=available, hint=hint)
