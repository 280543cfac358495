"""What a design-based test returns, its declared conventions, and p-values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..design import SurveyDesign
from ..errors import EstimatesError
from ..estimates import t_interval
from ..io.pages import card
from ..variance import Clusters, domain_df

Array = np.ndarray[Any, Any]
ERROR = (
    "se", "se_random", "df", "ddf", "wald", "pearson", "statistic", "t", "p", "p_holm", "p_bh", "p_maxt", "maxt_error", "maxt_fragile",
    "ci_low", "ci_high", "correlation", "cv", "deff", "deff_wr", "n_effective", "delta", "eigenvalue",
)  # fmt: skip


def without_error(table: pd.DataFrame, selection: str) -> pd.DataFrame:
    """Return a table with its errors and tests missing where the sample is no probability sample: it has no design error."""
    if selection == "probability":
        return table
    return table.assign(**dict.fromkeys((name for name in ERROR if name in table), np.nan))


DF_USED = "PSUs - strata, over those with a respondent used"


@dataclass(frozen=True, slots=True)
class HypothesisTest:
    """One test of one null hypothesis.

    Attributes
    ----------
    table : DataFrame (1, ...)
        Joint tests: wald or pearson (the quadratic form), statistic (what is looked up), df, ddf (inf: chi-square), p.
        t tests: difference (or estimate) in the measure's unit, se, t, df, p, ci_low, ci_high. p is nan where df < 1.
    details : DataFrame
        What was compared: the groups, the cells of the table, or the contrasts.
    conventions : dict
        test, null, df, missing, level (of limits), selection, calibration, lonely_psu, fpc, variance, and those of the test itself.
    """

    table: pd.DataFrame
    details: pd.DataFrame
    conventions: dict[str, Any]

    def __post_init__(self) -> None:
        for name in ("table", "details"):
            object.__setattr__(self, name, without_error(getattr(self, name), self.conventions["selection"]))

    def _repr_html_(self) -> str:
        said = pd.DataFrame([(name, str(value)) for name, value in self.conventions.items()], columns=["name", "value"])
        tables = {"table": self.table, "details": self.details, "约定 conventions": said}
        return card(f"检验 test: {self.conventions.get('test', '')}", facts={"null": self.conventions.get("null")}, tables=tables)

    @property
    def p(self) -> float:
        """Return the p-value."""
        return float(self.table["p"].iloc[0])


def declared(design: SurveyDesign, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a test's own conventions and those of the design it used."""
    several = design.weighting is not None and design.weighting.several
    credited = "; of several weighting steps only the last calibration is credited"
    return {
        **own,
        "selection": design.selection,
        "calibration": design.weighting.name if design.weighting else "none",
        "lonely_psu": design.lonely_psu,
        "fpc": " + ".join(design.fpc) or "none",
        "variance": "linearized" + (credited if several else ""),
    }


def used_df(used: Array, clusters: Clusters) -> int:
    """Degrees of freedom of the respondents used: PSUs with one of them minus their strata; `used` is (T,) int."""
    return int(domain_df(np.zeros(len(used), dtype=int), used[:, None], clusters, domains=1)[0, 0])


def t_table(keys: pd.DataFrame, value: Array, se: Array, *, df: float, name: str, null: float, level: float) -> pd.DataFrame:
    """Add two-sided t tests of value = null and limits: (K, ...)."""
    testable = (se > 0) & (df >= 1)
    t = np.divide(value - null, se, out=np.full(len(se), np.nan), where=testable)
    p = np.where(testable, 2 * special.stdtr(max(df, 1.0), -np.abs(np.nan_to_num(t))), np.nan)
    low, high = t_interval(value, se, np.full(len(se), float(df)), level=level)
    return keys.assign(**{name: value}, se=se, df=df, t=t, p=p, ci_low=low, ci_high=high)


def joint_row(form: float, statistic: float, *, df: float, ddf: float, name: str) -> dict[str, float]:
    """Look a joint statistic up: in F on (df, ddf), or in chi-square on df where ddf is inf."""
    p = special.chdtrc(df, statistic) if np.isinf(ddf) else special.fdtrc(df, ddf, statistic)
    return {name: form, "statistic": statistic, "df": df, "ddf": ddf, "p": float(p)}


def require_df(df: float, needed: int, *, where: str) -> None:
    """Refuse a joint test of more parameters than the design has degrees of freedom for.

    Raises
    ------
    EstimatesError
        E147.
    """
    if df < needed:
        raise fault(
            "E147", (f"自由度只有 {df:g}，至少需要 {needed}。", f"There are {df:g} degrees of freedom; at least {needed} are needed."),
            where=where, hint=("合并类别，减少待检验的参数。", "Merge categories, so that fewer parameters are tested."),
        )  # fmt: skip


def fault(
    code: str, text: tuple[str, str], *, where: str, hint: tuple[str, str], available: Iterable[object] = (), got: str = ""
) -> EstimatesError:
    """Make an error; text and hint are Chinese and English."""
    return EstimatesError(code, *text, where=where, available=available, got=got, hint=hint)


def no_residual(name: str) -> EstimatesError:
    """Make the error for an outcome that leaves nothing to estimate an error from."""
    return fault(
        "E144", (f"'{name}' 不变化，或完全由自变量决定，无法估计误差。", f"'{name}' does not vary, or the covariates determine it completely; there is no error to estimate."),
        where=name, hint=("检查该列的取值，或去掉决定它的自变量。", "Look at the column's values, or leave out the covariate that determines it."),
    )  # fmt: skip
