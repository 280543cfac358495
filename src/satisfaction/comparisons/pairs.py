"""Contrasts between areas: all pairs, and each area against the rest; t tests, Holm and Benjamini-Hochberg."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special
from statsmodels.stats.multitest import multipletests

from ..design import SurveyDesign
from ..errors import EstimatesError
from ..estimates import Estimates, estimate, satterthwaite, t_interval
from ..measures import Measure
from ..tally import resolve, tally

Array = np.ndarray[Any, Any]
ADJUSTMENTS = {"p": "未校正 unadjusted", "p_holm": "Holm (FWER)", "p_bh": "Benjamini-Hochberg (FDR)"}
NULLS = {
    "pairs": "两个地区的总体值相等 two areas have equal population values",
    "rest": "该地区与其余地区合计的总体值相等 an area and all others together have equal population values",
}
CONVENTIONS = {
    "test": "two-sided t; covariance of the whole sample design",
    "df": "Satterthwaite over the areas",
    "not_tested": "areas whose se is 0 or whose df is below 1",
}


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Differences between areas in one measure, each tested against 0. K rows.

    Attributes
    ----------
    table : DataFrame (K, ...)
        Areas, difference in the measure's unit, se, df, t, p, p_holm, p_bh, ci_low, ci_high (unadjusted); p is nan
        where a pair is not tested, and the adjustments count the tested ones.
    conventions : dict
        measure, null, test, df, not_tested, level, selection, calibration.
    """

    table: pd.DataFrame
    conventions: dict[str, Any]

    @property
    def summary(self) -> pd.DataFrame:
        """Return how many of the tested differences are significant at 1 - level, by adjustment."""
        p = self.table[list(ADJUSTMENTS)]
        differ, tested = (p <= 1 - self.conventions["level"]).sum().to_numpy(), p.notna().sum().to_numpy()
        table = pd.DataFrame({"adjustment": ADJUSTMENTS.values(), "differ": differ, "tested": tested})
        return table.assign(share=table["differ"] / table["tested"])


def all_pairs(estimates: Estimates) -> Comparisons:
    """Compare every area with every other.

    Parameters
    ----------
    estimates : Estimates
        One measure by one domain column (`estimates["county"].of("index")`).

    Raises
    ------
    EstimatesError
        E121 when they are not that, or there are fewer than two areas.
    """
    if len(estimates.by) != 1 or len(set(estimates.table["measure"])) != 1 or len(estimates.table) < 2:
        raise _not_comparable(estimates)
    table = estimates.table
    areas, value, df = table[estimates.by[0]].to_numpy(), table["estimate"].to_numpy(float), table["df"].to_numpy(float)
    first, second = np.triu_indices(len(areas), 1)
    variance = np.diag(estimates.cov)
    spread = np.sqrt(np.maximum(variance[first] + variance[second] - 2 * estimates.cov[first, second], 0))
    pair_df = satterthwaite(pair_matrix(len(areas)), estimates.cov, blocks=np.arange(len(areas)), df=df)
    usable = _usable(value, table["se"].to_numpy(float), df)
    keys = pd.DataFrame({"area": areas[first], "other": areas[second]})
    tested = _tested(keys, (value[first] - value[second], spread, pair_df), usable[first] & usable[second], estimates.level)
    return Comparisons(tested, _declared(estimates, "pairs"))


def against_rest(design: SurveyDesign, measure: str | Measure, *, by: str, level: float = 0.95) -> Comparisons:
    """Compare the mean of every area with the mean of all other areas together, with the joint covariance.

    An area is part of the whole, so it is compared with the rest, not with the whole. Both means are functions of the
    areas' totals; their difference is linearized in these (exactly what estimating the two domains together gives).

    Parameters
    ----------
    design : SurveyDesign
    measure : str or Measure
        One value per respondent: a rate, a score, an index of level person, or a numeric column.
    by : str
        The column of areas.

    Returns
    -------
    Comparisons
        `table` holds estimate and rest beside the difference.
    """
    chosen = resolve(design, measure)
    size = replace(chosen, name=f"_size.{chosen.name}", kind="score", unit=1, stages=(*chosen.stages, _size_stage(chosen)))
    counted = tally(design, [chosen, size], by=[by])
    totals = estimate(design, [chosen, size], statistic="total", by=by, level=level, counted=counted)
    means = estimate(design, [chosen, size], by=by, level=level, counted=counted).of(chosen.name).table
    if len(means) < 2:
        raise _not_comparable(totals)
    own, rest, slope = mean_and_rest(*totals.table["estimate"].to_numpy(float).reshape(-1, 2).T)
    df = totals.table["df"].to_numpy(float)
    spread = np.sqrt(np.maximum(np.einsum("kq,kq->k", slope @ totals.cov, slope), 0))
    with_rest = satterthwaite(sp.csr_array(slope), totals.cov, blocks=np.arange(len(df)) // 2, df=df)
    usable = _usable(own, means["se"].to_numpy(float), df[::2])
    keys = pd.DataFrame({"area": means[by], "estimate": own, "rest": rest})
    return Comparisons(_tested(keys, (own - rest, spread, with_rest), usable, level), _declared(totals, "rest"))


def pair_matrix(units: int) -> sp.csr_array:
    """Coefficients of all differences, earlier minus later: (units (units - 1) / 2, units) sparse."""
    first, second = np.triu_indices(units, 1)
    one = sp.eye_array(units, format="csr")
    return one[first] - one[second]


def mean_and_rest(total: Array, count: Array) -> tuple[Array, Array, Array]:
    """Return the means of each area and of all others together, and the derivatives of their difference.

    Parameters
    ----------
    total, count : (A,)
        Weighted sum of a measure and weighted number of valid values.

    Returns
    -------
    own, rest : (A,)
    slope : (A, 2A)
        Of own - rest, by (total, count) of area 1, area 2, ...
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        others = count.sum() - count
        own, rest = total / count, (total.sum() - total) / others
        inside, outside = np.eye(len(total)) / count[:, None], (1 - np.eye(len(total))) / others[:, None]
    by_total, by_count = inside - outside, rest[:, None] * outside - own[:, None] * inside
    return own, rest, np.stack([by_total, by_count], axis=2).reshape(len(total), -1)


def _size_stage(measure: Measure) -> dict[str, nw.Expr]:
    """Count the valid values of a measure as a measure of its own."""
    name, valid = f"_size.{measure.name}", nw.col(measure.valid_column)
    return {f"_valid.{name}": valid, f"_score.{name}": valid}


def _usable(value: Array, se: Array, df: Array) -> Array:
    return np.isfinite(value) & (se > 1e-12 * np.maximum(np.abs(value), 1)) & (df >= 1)


def _tested(keys: pd.DataFrame, parts: tuple[Array, Array, Array], usable: Array, level: float) -> pd.DataFrame:
    """Add tests and limits to differences; parts are difference, se, df: (K,) each."""
    difference, se, df = parts
    usable = usable & (se > 0) & (df > 0)
    t = np.divide(difference, se, out=np.full(len(se), np.nan), where=usable)
    p = np.where(usable, 2 * special.stdtr(np.where(usable, df, 1.0), -np.abs(np.nan_to_num(t))), np.nan)
    low, high = t_interval(difference, se, df, level=level)
    table = keys.assign(difference=difference, se=se, df=df, t=t, p=p, p_holm=_adjusted(p, "holm"))
    return table.assign(p_bh=_adjusted(p, "fdr_bh"), ci_low=low, ci_high=high)


def _adjusted(p: Array, method: str) -> Array:
    known, out = np.isfinite(p), p.copy()
    if known.any():
        out[known] = multipletests(p[known], method=method)[1]
    return out


def _declared(estimates: Estimates, null: str) -> dict[str, Any]:
    kept = {name: estimates.conventions[name] for name in ("level", "selection", "calibration")}
    return {"measure": estimates.table["measure"].iloc[0], "null": NULLS[null], **CONVENTIONS, **kept}


def _not_comparable(estimates: Estimates) -> EstimatesError:
    return EstimatesError(
        "E121", "比较需要按一个地区列、至少两个地区的一个指标。",
        "Comparisons need one measure by one column of two or more areas.", where="comparisons",
        available=estimates.table["measure"].unique(), hint=("先用 .of(指标) 选出一个指标。", "Choose one measure with .of(measure)."),
    )  # fmt: skip
